// Programs outside the cluster that emit: Node's redis-emitter and ours. Clients
// g1 and g2 are with the Go server, n1 and n2 with the Node server.
import assert from "node:assert/strict";
import { after, describe } from "node:test";
import { Emitter } from "@socket.io/redis-emitter";
import { createClient } from "redis";
import { adapter, ask, eventually, gather, next, order, reaches, test } from "./support.mjs";

const everyone = ["g1", "g2", "n1", "n2"];
const client = createClient({ url: process.env.REDIS_URL });
after(() => client.disconnect());
await client.connect();

// Each carries out what a client may also order the Go server's emitter to do.
const emitters = {
  ours: (through, what, ...args) => order(through, { op: "outside", ...what }, ...args),
};
if (adapter === "classic") {
  emitters["Node's"] = async (through, { verb, to, except, volatile, compress, event, rooms, close, nsp = "/" }, ...args) => {
    let emitter = new Emitter(client, { key: process.env.PREFIX }, nsp);
    if (to) emitter = emitter.to(to);
    if (except) emitter = emitter.except(except);
    if (volatile) emitter = emitter.volatile;
    if (compress !== undefined) emitter = emitter.compress(compress);
    switch (verb) {
      case "emit": return emitter.emit(event, ...args);
      case "notify": return emitter.serverSideEmit(event, ...args);
      case "join": return emitter.socketsJoin(rooms);
      case "leave": return emitter.socketsLeave(rooms);
      case "disconnect": return emitter.disconnectSockets(close);
    }
  };
}

async function company(t, options) {
  const clients = await gather(t, everyone, options);
  for (const name of ["g1", "n1"]) await ask(clients[name], "enter", "lobby");
  for (const name of ["g2", "n2"]) await ask(clients[name], "enter", "bar");
  await reaches(clients.g1, clients.n1, "lobby");
  await reaches(clients.g1, clients.n2, "bar");
  return clients;
}

const lines = [
  ["emit", {}, everyone],
  ["to(room)", { to: ["lobby"] }, ["g1", "n1"]],
  ["to(room).to(room)", { to: ["lobby", "bar"] }, everyone],
  ["except(room)", { except: ["bar"] }, ["g1", "n1"]],
  ["to(room).except(room)", { to: ["lobby"], except: ["lobby", "bar"] }, []],
  ["compress(false)", { compress: false, to: ["bar"] }, ["g2", "n2"]],
];

const payloads = [[], ["ünïcode \u{1F600}", 1.5, null, { a: [true, {}] }], [Buffer.from([1, 2]), { deep: [Buffer.alloc(0), "x"] }, 7]];

for (const [whose, emitter] of Object.entries(emitters)) {
  describe(`${adapter}: ${whose} emitter`, () => {
    for (const nsp of ["/", "/chat"]) {
      test(`emit in ${nsp}`, async (t) => {
        const clients = await company(t, { nsp });
        for (const [line, whom, hearers] of lines) {
          for (const args of payloads) {
            const heard = {};
            for (const [name, client] of Object.entries(clients)) {
              client.removeAllListeners("said");
              client.on("said", (...args) => (heard[name] ??= []).push(args));
            }
            const ends = Promise.all(Object.values(clients).map((client) => next(client, "end")));
            await emitter(clients.g1, { verb: "emit", nsp, event: "said", ...whom }, ...args);
            await emitter(clients.g1, { verb: "emit", nsp, event: "end" });
            await ends;
            assert.deepEqual(heard, Object.fromEntries(hearers.map((name) => [name, [args]])), line);
          }
        }
      });
    }

    test("volatile", async (t) => {
      const clients = await company(t);
      const heard = new Set();
      for (const [name, client] of Object.entries(clients)) client.on("said", () => heard.add(name));
      await eventually("all hear it", async () => {
        await emitter(clients.g1, { verb: "emit", event: "said", volatile: true, to: ["lobby"] });
        await reaches(clients.g1, clients.n1);
        return heard.size === 2;
      });
    });

    test("socketsJoin, socketsLeave, disconnectSockets", async (t) => {
      const clients = await company(t);
      const rooms = (expected) =>
        eventually(`rooms ${JSON.stringify(expected)}`, async () => {
          const now = await Promise.all(everyone.map(async (name) => (await ask(clients[name], "rooms"))[0].sort().join(" ")));
          return JSON.stringify(now) === JSON.stringify(expected);
        });
      await emitter(clients.g1, { verb: "join", rooms: ["a", "b"] });
      await rooms(["a b lobby", "a b bar", "a b lobby", "a b bar"]);
      await emitter(clients.g1, { verb: "leave", to: ["lobby"], rooms: ["a", "b"] });
      await rooms(["lobby", "a b bar", "lobby", "a b bar"]);
      const gone = Promise.all([next(clients.g2, "disconnect"), next(clients.n2, "disconnect")]);
      await emitter(clients.g1, { verb: "disconnect", except: ["lobby"], close: false });
      for (const [reason] of await gone) assert.equal(reason, "io server disconnect");
      const closed = Promise.all([next(clients.g1, "disconnect"), next(clients.n1, "disconnect")]);
      void emitter(clients.g1, { verb: "disconnect", close: true });
      await closed;
    });


    test("serverSideEmit", async (t) => {
      const { g1, n1 } = await gather(t, ["g1", "n1"], { nsp: "/control" });
      const noted = Promise.all([next(g1, "noted"), next(n1, "noted")]);
      await emitter(g1, { verb: "notify", nsp: "/chat", event: "note" }, "x", 1, null, { a: [] });
      assert.deepEqual(await noted, Array(2).fill(["/chat", "note", "x", 1, null, { a: [] }]));
    });
  });
}
