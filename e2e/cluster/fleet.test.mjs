// What a server does to the sockets of the other besides emitting.
import assert from "node:assert/strict";
import { adapter, ask, attempt, directions, eventually, next, order, reaches, test } from "./support.mjs";

const enter = (client, ...rooms) => ask(client, "enter", ...rooms);
const roomsOf = async (client) => (await ask(client, "rooms"))[0].sort();
const ids = (...clients) => clients.map(({ id }) => id).sort();

directions(({ from, meet }) => {
  test("io.fetchSockets: id, handshake, rooms, data", async (t) => {
    const data = { name: "Ada ✨", deep: { list: [1, null, "x"] } };
    const started = Date.now();
    const { t1, f1 } = await meet(t, ["t1", "f1"], {
      auth: { token: "let me in", data },
      query: { visitor: "ünïcode & more" },
      extraHeaders: { "X-Visitor": "somebody" },
    });
    await enter(t1, "lobby", "bar");
    for (const client of [t1, f1]) {
      const [[socket]] = await order(f1, { op: "fetch", to: [client.id] });
      assert.equal(socket.id, client.id);
      assert.deepEqual(socket.rooms.sort(), [client.id, ...(client === t1 ? ["bar", "lobby"] : [])].sort());
      assert.deepEqual(socket.data, data);
      const { handshake } = socket;
      assert.deepEqual(handshake.auth, { token: "let me in", data });
      assert.equal(handshake.query.visitor, "ünïcode & more");
      assert.equal(handshake.query.transport, "websocket");
      assert.equal(handshake.headers["x-visitor"], "somebody");
      assert.equal(handshake.headers.host, new URL(client.io.uri).host);
      assert.match(handshake.address, /127\.0\.0\.1/);
      assert.match(handshake.url, /^\/socket\.io\/\?.*visitor=/);
      assert.equal(handshake.secure, false);
      assert.ok(handshake.issued >= started - 1000 && handshake.issued <= Date.now() + 1000, `issued ${handshake.issued}`);
    }
  });

  test("io.in(room).except(room).fetchSockets", async (t) => {
    const { f1, f2, t1, t2, t3 } = await meet(t, ["f1", "f2", "t1", "t2", "t3"]);
    for (const client of [f2, t1, t3]) await enter(client, "lobby");
    for (const client of [t2, t3]) await enter(client, "bar");
    const fetched = async (whom) => (await order(f1, { op: "fetch", ...whom }))[0].map(({ id }) => id).sort();
    assert.deepEqual(await fetched({}), ids(f1, f2, t1, t2, t3));
    assert.deepEqual(await fetched({ to: ["lobby"] }), ids(f2, t1, t3));
    assert.deepEqual(await fetched({ to: ["lobby", "bar"] }), ids(f2, t1, t2, t3));
    assert.deepEqual(await fetched({ to: ["lobby"], except: ["bar"] }), ids(f2, t1));
    assert.deepEqual(await fetched({ except: ["lobby"] }), ids(f1, t2));
    assert.deepEqual(await fetched({ to: ["nobody's"] }), []);
    assert.deepEqual(await fetched({ local: true }), ids(f1, f2));
    assert.deepEqual(await fetched({ socket: true, to: ["lobby"] }), ids(f2, t1, t3));
    assert.deepEqual(await order(f1, { op: "count", to: ["lobby"] }), [3]);
    assert.deepEqual(await order(f1, { op: "count", to: ["nobody's"] }), [0]);
    assert.deepEqual(await order(f1, { op: "count" }), [5]);
  });

  test("io.socketsJoin and io.socketsLeave", async (t) => {
    const { f1, t1, t2, t3 } = await meet(t, ["f1", "t1", "t2", "t3"]);
    await enter(t1, "lobby");
    await enter(t2, "lobby", "bar");
    const rooms = async (...expected) =>
      eventually(`rooms ${JSON.stringify(expected)}`, async () => {
        const now = await Promise.all([f1, t1, t2, t3].map(roomsOf));
        return JSON.stringify(now) === JSON.stringify(expected);
      });
    await order(f1, { op: "join", rooms: ["a", "b"] });
    await rooms(["a", "b"], ["a", "b", "lobby"], ["a", "b", "bar", "lobby"], ["a", "b"]);
    await order(f1, { op: "leave", rooms: ["a", "b"] });
    await rooms([], ["lobby"], ["bar", "lobby"], []);
    await order(f1, { op: "join", to: ["lobby"], except: ["bar"], rooms: ["c"] });
    await rooms([], ["c", "lobby"], ["bar", "lobby"], []);
    await order(f1, { op: "join", to: [t3.id], rooms: ["d"] });
    await rooms([], ["c", "lobby"], ["bar", "lobby"], ["d"]);
    await order(f1, { op: "leave", to: ["c", "d"], rooms: ["c", "d"] });
    await rooms([], ["lobby"], ["bar", "lobby"], []);
    await order(f1, { op: "join", socket: true, rooms: ["others"] });
    await rooms([], ["lobby", "others"], ["bar", "lobby", "others"], ["others"]);
    await reaches(f1, t3, "others");
  });

  test("remote sockets: emit, ask, join, leave, disconnect", async (t) => {
    const { f1, t1, t2 } = await meet(t, ["f1", "t1", "t2"]);
    await enter(t1, "lobby");
    await enter(t2, "lobby");
    const each = (what, ...args) => order(f1, { op: "each", to: ["lobby"], timeout: 20_000, ...what }, ...args);
    const said = Promise.all([t1, t2].map((client) => next(client, "said")));
    await each({ verb: "emit", event: "said" }, "x", Buffer.from([1]));
    assert.deepEqual(await said, [["x", Buffer.from([1])], ["x", Buffer.from([1])]]);
    for (const client of [t1, t2]) client.on("name?", (n, ack) => ack({ id: client.id, n }));
    const answers = await each({ verb: "ask", event: "name?" }, Buffer.from([2]));
    assert.deepEqual(answers.map(({ id }) => id).sort(), ids(t1, t2));
    for (const { n } of answers) assert.deepEqual(n, Buffer.from([2]));
    await each({ verb: "join", rooms: ["bar"] });
    await eventually("they are in", async () => (await roomsOf(t1)).includes("bar") && (await roomsOf(t2)).includes("bar"));
    await each({ verb: "leave", rooms: ["bar"] });
    await eventually("they are out", async () => !(await roomsOf(t1)).includes("bar") && !(await roomsOf(t2)).includes("bar"));
    const gone = Promise.all([t1, t2].map((client) => next(client, "disconnect")));
    await each({ verb: "disconnect" });
    for (const [reason] of await gone) assert.equal(reason, "io server disconnect");
  });

  test("a remote socket that does not answer", async (t) => {
    const { f1, t1 } = await meet(t, ["f1", "t1"]);
    const [error] = await attempt(f1, { op: "each", verb: "ask", event: "name?", to: [t1.id], timeout: 300 });
    assert.ok(error);
  });

  test("io.disconnectSockets: the namespace, or the connection with all of them", async (t) => {
    const { f1, t1, t2, t3 } = await meet(t, ["f1", "t1", "t2", "t3"]);
    await enter(t1, "leaving");
    await enter(t2, "closing");
    const chats = {};
    for (const [name, client] of Object.entries({ t1, t2, t3 })) {
      chats[name] = client.io.socket("/chat");
      await next(chats[name], "connect");
    }
    const reasons = {};
    for (const [name, client] of Object.entries({ t1, t2, t3 })) client.on("disconnect", (reason) => (reasons[name] = reason));
    const left = next(t1, "disconnect");
    await order(f1, { op: "disconnect", to: ["leaving"], close: false });
    await left;
    await ask(chats.t1, "rooms"); // it is there
    const closed = Promise.all([next(t2, "disconnect"), next(chats.t2, "disconnect")]);
    await order(f1, { op: "disconnect", to: ["closing"], close: true });
    await closed;
    await reaches(f1, t3);
    assert.deepEqual(Object.keys(reasons).sort(), ["t1", "t2"]);
    assert.equal(reasons.t1, "io server disconnect");
    assert.deepEqual(await order(f1, { op: "count" }), [2]);
  });

  test("who has left is nobody's any more", async (t) => {
    const { f1, t1, t2 } = await meet(t, ["f1", "t1", "t2"]);
    await enter(t1, "lobby");
    await reaches(f1, t1, "lobby");
    t1.disconnect();
    await eventually("the room is empty", async () => (await order(f1, { op: "count", to: ["lobby"] }))[0] === 0);
    assert.deepEqual(await order(f1, { op: "ask", event: "name?", to: ["lobby"], timeout: 20_000 }), []);
    assert.deepEqual((await order(f1, { op: "fetch", except: [f1.id] }))[0].map(({ id }) => id), [t2.id]);
  });

  if (from === "node") {
    test("adapter.serverCount", async (t) => {
      const { f1 } = await meet(t, ["f1", "t1"]);
      assert.deepEqual(await order(f1, { op: "servers" }), [2]);
    });
  }
  if (from === "node" && adapter === "classic") {
    test("adapter.allRooms", async (t) => {
      const { f1, t1 } = await meet(t, ["f1", "t1"]);
      await enter(f1, "lobby");
      await enter(t1, "lobby", "bär #1");
      const [rooms] = await order(f1, { op: "rooms" });
      assert.deepEqual(rooms.sort(), [f1.id, t1.id, "bär #1", "lobby"].sort());
    });
  }
});
