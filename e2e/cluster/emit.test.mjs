// Every line of the emit cheat sheet that crosses servers. f1 has its server act,
// f2 is with it; t1, t2 and t3 are clients of the other server.
import assert from "node:assert/strict";
import { isDeepStrictEqual } from "node:util";
import { received } from "./shared.mjs";
import { attempt, directions, eventually, next, order, reaches, test } from "./support.mjs";

const everyone = ["f1", "f2", "t1", "t2", "t3"];

async function company(t, meet) {
  const clients = await meet(t, everyone);
  for (const [name, ...rooms] of [["f2", "lobby"], ["t1", "lobby"], ["t2", "bar"], ["t3", "lobby", "bar"]]) {
    await new Promise((resolve) => clients[name].emit("enter", ...rooms, resolve));
    for (const room of rooms) await reaches(clients.f1, clients[name], room);
  }
  return clients;
}

// What everybody hears until all have heard what is emitted last.
let ends = 0;
function listen(clients) {
  const heard = {};
  for (const [name, client] of Object.entries(clients)) {
    client.removeAllListeners("said");
    client.on("said", (...args) => (heard[name] ??= []).push(args));
  }
  return async () => {
    const event = `end ${ends++}`;
    const all = Object.values(clients).map((client) => next(client, event));
    await order(clients.f1, { op: "emit", event });
    await Promise.all(all);
    return heard;
  };
}

const payloads = {
  nothing: [],
  text: ["héllo 世界 \u0000\u2028 \u{1F600}", "", 1, -1.5, 2 ** 40, true, false, null, [], {}, { a: { b: [1, { c: null }] } }],
  binary: [Buffer.from([1, 2, 3]), Buffer.alloc(0), Buffer.alloc(300, 9)],
  mixed: ["a file", { nested: { file: Buffer.from("\u0000\xff", "latin1"), list: [null, Buffer.from([4]), "x"] } }, 7],
  lookalike: [{ _placeholder: true, num: 0 }, { type: "Buffer", data: [1] }],
};

// The line, what is asked of the server, who hears it. By id means t1's.
const lines = [
  ["io.emit", {}, everyone],
  ["io.to(room).emit", { to: ["lobby"] }, ["f2", "t1", "t3"]],
  ["io.to(room).to(room).emit", { to: ["lobby", "bar"] }, ["f2", "t1", "t2", "t3"]],
  ["io.to(nobody's room).emit", { to: ["nobody's"] }, []],
  ["io.except(room).emit", { except: ["lobby"] }, ["f1", "t2"]],
  ["io.except(room, room).emit", { except: ["lobby", "bar"] }, ["f1"]],
  ["io.to(room).except(room).emit", { to: ["bar"], except: ["lobby"] }, ["t2"]],
  ["io.to(room).except(socketId).emit", { to: ["lobby"], except: ["id"] }, ["f2", "t3"]],
  ["io.to(socketId).emit", { to: ["id"] }, ["t1"]],
  ["io.to(socketId).to(room).emit", { to: ["id", "bar"] }, ["t1", "t2", "t3"]],
  ["io.compress(true).emit", { compress: true }, everyone],
  ["io.compress(false).to(room).emit", { compress: false, to: ["lobby"] }, ["f2", "t1", "t3"]],
  ["io.local.emit", { local: true }, ["f1", "f2"]],
  ["socket.broadcast.emit", { socket: true }, ["f2", "t1", "t2", "t3"]],
  ["socket.to(room).emit", { socket: true, to: ["lobby"] }, ["f2", "t1", "t3"]],
  ["socket.to(its own room).emit", { socket: true, to: ["lobby"] }, ["t1", "t3"], "f2"],
  ["socket.except(room).emit", { socket: true, except: ["lobby"] }, ["t2"]],
  ["socket.to(socketId).emit", { socket: true, to: ["id"] }, ["t1"]],
];

function named(names = [], clients) {
  return names.map((name) => (name === "id" ? clients.t1.id : name));
}

function addressed({ to, except, ...rest }, clients) {
  return { ...rest, ...(to && { to: named(to, clients) }), ...(except && { except: named(except, clients) }) };
}

directions(({ from, meet }) => {
  test("the cheat sheet: emit", async (t) => {
    const clients = await company(t, meet);
    for (const [line, whom, hearers, by = "f1"] of lines) {
      for (const [kind, args] of Object.entries(payloads)) {
        const heard = listen(clients);
        await order(clients[by], { op: "emit", event: "said", ...addressed(whom, clients) }, ...args);
        const expected = Object.fromEntries(hearers.map((name) => [name, [args]]));
        assert.deepEqual(await heard(), expected, `${line}, ${kind}`);
      }
    }
  });

  test("io.volatile.emit: who is idle hears it", async (t) => {
    const clients = await company(t, meet);
    for (const [whom, hearers] of [[{}, everyone], [{ to: ["lobby"] }, ["f2", "t1", "t3"]], [{ to: ["id"], compress: false }, ["t1"]]]) {
      const heard = new Set();
      for (const [name, client] of Object.entries(clients)) client.on("said", () => heard.add(name));
      await eventually(`${hearers} hear a volatile event`, async () => {
        await order(clients.f1, { op: "emit", event: "said", volatile: true, ...addressed(whom, clients) }, Buffer.from([1]));
        return hearers.every((name) => heard.has(name));
      });
      await listen(clients)();
      assert.deepEqual([...heard].sort(), [...hearers].sort());
      for (const client of Object.values(clients)) client.removeAllListeners("said");
    }
  });

  test("what only servers can send", async (t) => {
    const clients = await meet(t, ["f1", "t1"]);
    for (const specimen of ["bytes", "numbers", "dates", "absent", ...(from === "go" ? ["huge", "deep", "broken"] : [])]) {
      const heard = listen(clients);
      await order(clients.f1, { op: "emit", event: "said", specimen });
      const { f1, t1 } = await heard();
      if (specimen === "dates") for (const list of [f1, t1]) list[0] = written(list[0]);
      assert.deepEqual(t1, [received[specimen]], specimen);
      assert.deepEqual(f1, t1, specimen);
    }
  });

  test("order: what one server emits arrives as it was emitted", async (t) => {
    const clients = await company(t, meet);
    const heard = listen(clients);
    const args = [[], [Buffer.from([1])]];
    const whom = [{}, { to: ["lobby"] }, { to: ["lobby", "bar"] }, { to: ["id"] }];
    const done = [];
    for (let i = 0; i < 400; i++) {
      done.push(order(clients.f1, { op: "emit", event: "said", ...addressed(whom[i % 4], clients) }, i, ...args[i % 2]));
    }
    await Promise.all(done);
    const { t1, t3 } = await heard();
    for (const list of [t1, t3]) assert.deepEqual(list.map(([i]) => i), list.map(([i]) => i).toSorted((a, b) => a - b));
    assert.equal(t1.length, 400);
  });

  test("the cheat sheet: broadcasts with acknowledgements", async (t) => {
    const clients = await company(t, meet);
    let asked; // the answers say only whether it came: clients take no more than ten attachments in a packet
    for (const [name, client] of Object.entries(clients)) {
      client.on("name?", (...args) => args.pop()([name, isDeepStrictEqual(args, asked)], "only the first counts"));
    }
    for (const [line, whom, hearers, by = "f1"] of lines) {
      if (whom.local && from === "node") continue; // Node waits for the servers that it has not asked
      for (const [kind, args] of Object.entries(payloads)) {
        asked = args;
        const replies = await order(clients[by], { op: "ask", event: "name?", timeout: 20_000, ...addressed(whom, clients) }, ...args);
        assert.deepEqual(replies.sort(), hearers.map((name) => [name, true]), `${line}, ${kind}`);
      }
    }
  });

  test("answers without arguments, of bytes, of nothing much", async (t) => {
    const clients = await company(t, meet);
    for (const answer of [[], [null], [Buffer.from([0, 255])], [{ deep: [Buffer.alloc(0)] }], [[]], [""], [0]]) {
      for (const name of ["t1", "t3"]) {
        clients[name].removeAllListeners("name?");
        clients[name].on("name?", (ack) => ack(...answer));
      }
      const replies = await order(clients.f1, { op: "ask", event: "name?", timeout: 20_000, to: ["lobby"], except: [clients.f2.id] });
      assert.deepEqual(replies, [answer[0] ?? null, answer[0] ?? null]);
    }
  });

  test("who does not answer in time is missing, and may be late", async (t) => {
    const clients = await company(t, meet);
    let late;
    clients.t1.on("name?", (ack) => (late = ack));
    clients.f2.on("name?", (ack) => ack("f2"));
    clients.t3.on("name?", (ack) => ack("t3"));
    const [error, ...replies] = await attempt(clients.f1, { op: "ask", event: "name?", timeout: 300, to: ["lobby"] });
    assert.ok(error);
    assert.deepEqual(replies.sort(), ["f2", "t3"]);
    late("too late");
    await reaches(clients.f1, clients.t1);
    assert.deepEqual(await order(clients.f1, { op: "ask", event: "name?", timeout: 20_000, to: [clients.t3.id] }), ["t3"]);
  });

  test("several questions at a time", async (t) => {
    const clients = await company(t, meet);
    for (const [name, client] of Object.entries(clients)) client.on("name?", (n, ack) => ack(`${name} ${n}`));
    await Promise.all(
      Array.from({ length: 20 }, async (_, n) => {
        const replies = await order(clients[n % 2 ? "f1" : "t2"], { op: "ask", event: "name?", timeout: 20_000 }, n);
        assert.deepEqual(replies.sort(), everyone.map((name) => `${name} ${n}`));
      }),
    );
  });
});

// Dates as JavaScript writes them, which leaves no zeros out.
function written(value) {
  if (typeof value === "string") return new Date(value).toISOString();
  if (Array.isArray(value)) return value.map(written);
  return Object.fromEntries(Object.entries(value).map(([name, v]) => [name, written(v)]));
}
