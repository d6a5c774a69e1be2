// Losing the connection and getting it back.
import assert from "node:assert/strict";
import { describe } from "node:test";
import { ask, connect, io, next, open, startProxy, startScripted, take, test, ways } from "./support.mjs";

for (const [way, transports] of Object.entries(ways)) {
  describe(`reconnecting: ${way}`, () => {
    test("a broken connection is replaced, and says so", async (t) => {
      const proxy = await startProxy(t);
      const socket = await connect(t, proxy.url, { transports });
      const { id } = socket;
      const gone = next(socket, "disconnect");
      const attempt = next(socket.io, "reconnect_attempt");
      const done = next(socket.io, "reconnect");
      await proxy.cut(gone);
      assert.match((await gone)[0], /^transport (close|error)$/);
      assert.equal(socket.active, true, "it will be back");
      assert.deepEqual(await attempt, [1]);
      assert.equal((await done).length, 1);
      await next(socket, "connect");
      assert.notEqual(socket.id, id);
      assert.deepEqual(await ask(socket, "message-with-ack", 1), [1]);
    });

    test("what is emitted while the server is down arrives after its restart, in order", async (t) => {
      const proxy = await startProxy(t);
      const socket = await connect(t, proxy.url, { transports, auth: { again: true } });
      const custom = socket.io.socket("/custom");
      await next(custom, "connect");
      const gone = next(socket, "disconnect");
      await proxy.stop();
      await gone;
      const back = take(socket, "message-back", 100);
      for (let i = 0; i < 50; i++) socket.emit("message", i);
      await next(socket.io, "reconnect_error");
      for (let i = 50; i < 100; i++) socket.emit("message", i);
      const auth = next(socket, "auth");
      const connects = Promise.all([next(socket, "connect"), next(custom, "connect")]);
      await proxy.start();
      await connects;
      assert.deepEqual(await auth, [{ again: true }]);
      assert.deepEqual((await back).map(([n]) => n), Array.from({ length: 100 }, (_, i) => i));
    });

    test("answers that can no longer come are errors where errors are heard", async (t) => {
      const proxy = await startProxy(t);
      const socket = await connect(t, proxy.url, { transports, reconnection: false });
      socket.emit("unheard of", () => assert.fail("nobody answered"));
      const refused = assert.rejects(socket.emitWithAck("unheard of"), /disconnected/);
      const callback = new Promise((resolve) => socket.timeout(10_000).emit("unheard of", resolve));
      await proxy.cut(next(socket, "disconnect"));
      await refused;
      assert.match((await callback).message, /disconnected/);
    });
  });
}

describe("reconnecting", () => {
  const nowhere = "http://127.0.0.1:1";

  test("gives up after reconnectionAttempts, and connect() starts over", async (t) => {
    const socket = open(t, nowhere, { reconnectionAttempts: 2 });
    const seen = [];
    for (const name of ["error", "reconnect_attempt", "reconnect_error", "reconnect_failed"]) {
      socket.io.on(name, (value) => seen.push(typeof value === "number" ? `${name} ${value}` : name));
    }
    await next(socket.io, "reconnect_failed");
    const round = [
      "error",
      "reconnect_attempt 1", "error", "reconnect_error",
      "reconnect_attempt 2", "error", "reconnect_error",
      "reconnect_failed",
    ];
    assert.deepEqual(seen, round);
    socket.connect();
    await next(socket.io, "reconnect_failed");
    assert.deepEqual(seen, [...round, ...round]);
  });

  test("is left alone with reconnection: false", async (t) => {
    const proxy = await startProxy(t);
    const socket = await connect(t, proxy.url, { reconnection: false });
    socket.io.on("reconnect_attempt", () => assert.fail("not asked for"));
    const gone = next(socket, "disconnect");
    await proxy.cut(gone);
    socket.connect();
    await next(socket, "connect");
  });

  test("stops when the socket disconnects", async (t) => {
    const socket = open(t, nowhere);
    await next(socket, "connect_error");
    socket.disconnect();
    assert.equal(socket.active, false);
    assert.equal(socket.io._reconnecting, false);
  });

  test("stops when a listener of the attempt disconnects, and goes on when it connects again", async (t) => {
    const socket = open(t, nowhere);
    await next(socket.io, "reconnect_attempt");
    socket.disconnect();
    assert.equal(socket.io._readyState, "closed");
    socket.connect();
    await next(socket.io, "reconnect_attempt");
  });

  test("waits longer each time, up to the limit, and never the same", (t) => {
    const delays = [];
    t.mock.method(globalThis, "setTimeout", (_, ms) => delays.push(ms));
    const manager = new io.Manager(nowhere, { autoConnect: false });
    for (let i = 0; i < 5; i++) {
      manager._reconnecting = false;
      manager._reconnect();
    }
    const ranges = [[500, 1500], [1000, 3000], [2000, 5000], [2500, 5000], [2500, 5000]];
    assert.equal(delays.length, ranges.length);
    ranges.forEach(([low, high], i) => assert.ok(delays[i] >= low && delays[i] <= high, `${i}: ${delays[i]}`));
    assert.notEqual(delays[3], delays[4]);
  });

  test("has its options read and set on the manager", () => {
    const manager = new io.Manager(nowhere, { autoConnect: false, reconnectionDelay: 7, timeout: undefined });
    assert.equal(manager.reconnection(), true);
    assert.equal(manager.reconnectionAttempts(), Infinity);
    assert.equal(manager.reconnectionDelay(), 7);
    assert.equal(manager.reconnectionDelayMax(), 5000);
    assert.equal(manager.randomizationFactor(), 0.5);
    assert.equal(manager.timeout(), 20000);
    assert.equal(manager.timeout(5).timeout(), 5);
    assert.equal(manager.reconnection(false).reconnection(), false);
  });
});

describe("recovering the session", () => {
  const recovering = { transports: ["websocket"], auth: { token: "t" } };

  test("tells the server where it stopped, and gets what it missed before connect", async (t) => {
    const server = await startScripted(t);
    const socket = open(t, server.url, recovering);
    const first = await server.session();
    assert.equal(await first.receive(), '40{"token":"t"}');
    first.send('40{"sid":"id","pid":"secret"}', '42["news",1,"offset1"]', '42["nothing to keep",5]',
      '420["asked","not an offset"]', '42["name only"]');
    await next(socket, "name only");
    assert.equal(socket.recovered, false);
    const gone = next(socket, "disconnect");
    first.ws.terminate();
    await gone;
    socket.emit("buffered");

    const second = await server.session();
    assert.equal(await second.receive(), '40{"pid":"secret","offset":"offset1","token":"t"}');
    const seen = [];
    socket.on("connect", () => seen.push("connect"));
    socket.onAny((name) => seen.push(name));
    second.send('42["missed",2,"offset2"]', '40{"sid":"id","pid":"secret"}', '42["new",3,"offset3"]');
    await next(socket, "new");
    assert.deepEqual(seen, ["missed", "connect", "new"]);
    assert.equal(socket.recovered, true);
    assert.equal(socket.id, "id");
    assert.equal(await second.receive(), '42["buffered"]');

    second.ws.terminate();
    const third = await server.session();
    assert.equal(await third.receive(), '40{"pid":"secret","offset":"offset3","token":"t"}');
    third.send('40{"sid":"other","pid":"another"}');
    await next(socket, "connect");
    assert.equal(socket.recovered, false);
  });

  test("is not asked for after a disconnect by choice", async (t) => {
    const server = await startScripted(t);
    const socket = open(t, server.url, recovering);
    for (let i = 0; i < 2; i++) {
      const session = await server.session();
      assert.equal(await session.receive(), '40{"token":"t"}');
      session.send('40{"sid":"id","pid":"secret"}', '42["news","offset"]');
      await next(socket, "news");
      socket.disconnect();
      assert.equal(await session.receive(), "41");
      socket.connect();
    }
  });
});

describe("delivery with retries", () => {
  const retrying = { transports: ["websocket"], retries: 2, ackTimeout: 500 };

  test("sends one event after the other, again until it is answered", async (t) => {
    const server = await startScripted(t);
    const socket = open(t, server.url, retrying);
    const answers = [];
    socket.emit("a", 1, (...args) => answers.push(["a", ...args]));
    socket.emit("b");
    const last = socket.emitWithAck("c");
    const session = await server.session();
    assert.equal(await session.receive(), "40");
    session.send('40{"sid":"id"}');
    assert.equal(await session.receive(), '420["a",1]');
    assert.equal(await session.receive(), '421["a",1]', "the first try was not answered");
    session.send('431["ok"]');
    assert.equal(await session.receive(), '422["b"]');
    session.send("432[]");
    assert.equal(await session.receive(), '423["c"]');
    session.send('433["done"]');
    assert.equal(await last, "done");
    assert.deepEqual(answers, [["a", null, "ok"]]);
  });

  test("gives up after that many retries and goes on with the next", async (t) => {
    const server = await startScripted(t);
    const socket = open(t, server.url, retrying);
    const failed = new Promise((resolve) => socket.emit("a", resolve));
    socket.emit("b");
    const session = await server.session();
    await session.receive();
    session.send('40{"sid":"id"}');
    for (const id of [0, 1, 2]) assert.equal(await session.receive(), `42${id}["a"]`);
    assert.ok((await failed) instanceof Error);
    assert.equal(await session.receive(), '423["b"]');
  });

  test("sends again what was not answered before the connection broke", async (t) => {
    const server = await startScripted(t);
    const socket = open(t, server.url, { ...retrying, ackTimeout: undefined });
    const answer = socket.emitWithAck("a");
    for (const id of [0, 1]) {
      const session = await server.session();
      await session.receive();
      session.send('40{"sid":"id"}');
      assert.equal(await session.receive(), `42${id}["a"]`);
      if (id === 0) session.ws.terminate();
      else session.send('431["at last"]');
    }
    assert.equal(await answer, "at last");
  });
});
