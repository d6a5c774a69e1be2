// Events: order, acknowledgements, binary data, listeners.
import assert from "node:assert/strict";
import { describe } from "node:test";
import { ask, bytes, connect, next, open, take, test, unbroken, url, ways } from "./support.mjs";

for (const [way, transports] of Object.entries(ways)) {
  describe(`events: ${way}`, () => {
    test("values of JSON come back as they were", async (t) => {
      const socket = await connect(t, url, { transports });
      const values = [
        0, -0.5, 1e21, true, false, null, "", "é漢😀", "\u2028\u2029\u0000\u001e\"\\", [], {}, [[1, [2]]],
        { a: { b: [null, "c"] }, _placeholder: true, num: 0 }, "42[\"x\"]",
      ];
      socket.emit("message", ...values);
      assert.deepEqual(await next(socket, "message-back"), values);
    });

    test("an event sent before the connection arrives after it", async (t) => {
      const socket = open(t, url, { transports });
      socket.emit("message", "early");
      assert.deepEqual(await next(socket, "message-back"), ["early"]);
    });

    test("2000 events each way keep their order, upgrading or not", async (t) => {
      const socket = open(t, url, { transports });
      const back = unbroken(socket, take(socket, "message-back", 2000));
      for (let i = 0; i < 500; i++) socket.emit("message", i);
      await next(socket, "connect");
      // The rest in small portions, so that they meet the upgrade in all its stages.
      let sent = 500;
      while (sent < 2000) {
        for (let i = 0; i < 10; i++) socket.emit("message", sent++);
        await new Promise((resolve) => setImmediate(resolve));
      }
      assert.deepEqual((await back).map(([n]) => n), Array.from({ length: 2000 }, (_, i) => i));
      if (way === "upgrading" && socket.io.engine.transport.name === "polling") {
        await next(socket.io.engine, "upgrade");
      }
    });

    test("the server answers, also with nothing and with several values", async (t) => {
      const socket = await connect(t, url, { transports });
      assert.deepEqual(await ask(socket, "message-with-ack"), []);
      assert.deepEqual(await ask(socket, "message-with-ack", 1, "two", { three: [3] }), [1, "two", { three: [3] }]);
      assert.equal(await socket.emitWithAck("message-with-ack", "promised"), "promised");
      assert.equal(await socket.timeout(10_000).emitWithAck("message-with-ack", "in time"), "in time");
      const answers = await Promise.all([1, 2, 3].map((n) => ask(socket, "message-with-ack", n)));
      assert.deepEqual(answers, [[1], [2], [3]]);
    });

    test("the client answers the server", async (t) => {
      const socket = await connect(t, url, { transports });
      socket.on("question", (text, answer) => {
        answer(`${text}? yes`);
        answer("a second answer is ignored");
      });
      const answered = next(socket, "answered");
      socket.emit("ask-me", "well");
      assert.deepEqual(await answered, ["well? yes"]);
    });

    test("binary data goes both ways at any depth", async (t) => {
      const socket = await connect(t, url, { transports });
      const data = new Uint8Array([0, 1, 2, 30, 128, 255]);
      socket.emit("message", data, {
        text: "before",
        deep: [{ buffer: data.buffer, view: new DataView(data.buffer, 1, 2) }],
        part: data.subarray(2, 4),
        node: Buffer.from("node"),
        blob: new Blob(["blob"]),
        wide: new Uint16Array([258]),
        empty: new ArrayBuffer(0),
        after: "\u2028",
      });
      const [first, rest] = await next(socket, "message-back");
      assert.deepEqual(bytes(first), [0, 1, 2, 30, 128, 255]);
      assert.equal(rest.text, "before");
      assert.deepEqual(bytes(rest.deep[0].buffer), [0, 1, 2, 30, 128, 255]);
      assert.deepEqual(bytes(rest.deep[0].view), [1, 2]);
      assert.deepEqual(bytes(rest.part), [2, 30]);
      assert.equal(Buffer.from(rest.node).toString(), "node");
      assert.equal(Buffer.from(rest.blob).toString(), "blob");
      assert.deepEqual(bytes(rest.wide), Array.from(new Uint8Array(new Uint16Array([258]).buffer)));
      assert.deepEqual(bytes(rest.empty), []);
      assert.equal(rest.after, "\u2028");
    });

    test("binary data is answered with binary data, both ways", async (t) => {
      const socket = await connect(t, url, { transports });
      const [answer] = await ask(socket, "message-with-ack", new Uint8Array([7, 8]));
      assert.deepEqual(bytes(answer), [7, 8]);
      socket.on("question", (_, reply) => reply({ in: new Uint8Array([9]) }));
      const answered = next(socket, "answered");
      socket.emit("ask-me", "binary");
      assert.deepEqual(bytes((await answered)[0].in), [9]);
    });

    test("text and binary events keep their order, blobs too", async (t) => {
      const socket = await connect(t, url, { transports });
      const back = unbroken(socket, take(socket, "message-back", 60));
      for (let i = 0; i < 60; i += 3) {
        socket.emit("message", i, new Blob([new Uint8Array(5000)]));
        socket.emit("message", i + 1);
        socket.emit("message", i + 2, new Uint8Array(10));
      }
      assert.deepEqual((await back).map(([n]) => n), Array.from({ length: 60 }, (_, i) => i));
    });

    test("a large event and one of many bytes a letter pass", async (t) => {
      const socket = await connect(t, url, { transports });
      const large = "x".repeat(400_000);
      const wide = "漢".repeat(100_000);
      socket.emit("message", large);
      socket.emit("message", wide);
      socket.emit("message", new Uint8Array(300_000));
      socket.emit("message", large);
      const back = await unbroken(socket, take(socket, "message-back", 4));
      assert.equal(back[0][0], large);
      assert.equal(back[1][0], wide);
      assert.equal(back[2][0].byteLength, 300_000);
      assert.equal(back[3][0], large);
    });

    test("an event just before disconnect() arrives", async (t) => {
      const witness = await connect(t, url, { transports });
      const socket = witness.io.socket("/custom");
      await next(socket, "connect");
      // Both are on one connection, so what the server does for one follows the other.
      socket.disconnect();
      witness.emit("message", "last");
      assert.deepEqual(await next(witness, "message-back"), ["last"]);
    });

    test("a volatile event is sent when the connection is idle, and dropped without one", async (t) => {
      const socket = open(t, url, { transports });
      socket.volatile.emit("message", "dropped");
      await next(socket, "connect");
      await ask(socket, "message-with-ack");
      if (transports?.length === 2 && socket.io.engine.transport.name === "polling") {
        await next(socket.io.engine, "upgrade");
      }
      await ask(socket, "message-with-ack");
      const back = next(socket, "message-back");
      // Over polling the answer can overtake the end of the request that asked for it.
      const emitted = () => socket.volatile.emit("message", "sent");
      if (socket.io.engine.transport.writable) emitted();
      else socket.io.engine.once("drain", emitted);
      assert.deepEqual(await back, ["sent"]);
    });
  });
}

describe("the socket", () => {
  test("refuses reserved event names", async (t) => {
    const socket = open(t, url, { autoConnect: false });
    const names = ["connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"];
    for (const name of names) {
      assert.throws(() => socket.emit(name), /reserved/);
      await assert.rejects(socket.emitWithAck(name), /reserved/);
    }
  });

  test("refuses what JSON cannot say, at the emit", (t) => {
    const socket = open(t, url, { autoConnect: false });
    const circle = {};
    circle.circle = circle;
    assert.throws(() => socket.emit("message", circle), TypeError);
    assert.throws(() => socket.emit("message", 1n), TypeError);
    assert.deepEqual(socket.sendBuffer, []);
  });

  test("goes on after what JSON cannot say, also with retries", async (t) => {
    const socket = open(t, url, { retries: 1, ackTimeout: 10_000 });
    const list = [1];
    assert.throws(() => socket.emit("message-with-ack", 1n), TypeError);
    const answer = socket.emitWithAck("message-with-ack", list);
    list.push(2);
    assert.deepEqual(await answer, [1]);
    assert.throws(() => socket.emit("message-with-ack", 1n), TypeError);
    assert.equal(await socket.emitWithAck("message-with-ack", 3), 3);
  });

  test("sends the arguments as they were at the emit", async (t) => {
    const socket = open(t, url);
    const list = [1];
    socket.emit("message", list);
    list.push(2);
    assert.deepEqual(await next(socket, "message-back"), [[1]]);
  });

  test("send() is the event message", async (t) => {
    const socket = await connect(t, url);
    socket.send("a", 1);
    assert.deepEqual(await next(socket, "message-back"), ["a", 1]);
  });

  test("has listeners like an event emitter", async (t) => {
    const socket = await connect(t, url);
    const calls = [];
    const on = () => calls.push("on");
    const off = () => calls.push("off");
    socket.on("message-back", on).once("message-back", () => calls.push("once")).on("message-back", off);
    assert.equal(socket.listeners("message-back").length, 3);
    assert.equal(socket.hasListeners("message-back"), true);
    socket.off("message-back", off);
    await ask(socket.emit("message"), "message-with-ack");
    await ask(socket.emit("message"), "message-with-ack");
    assert.deepEqual(calls, ["on", "once", "on"]);
    socket.off("message-back");
    assert.equal(socket.hasListeners("message-back"), false);
  });

  test("shows every event to onAny and onAnyOutgoing", async (t) => {
    const socket = open(t, url);
    await next(socket, "auth");
    const seen = [];
    const removed = () => seen.push("removed");
    socket.onAny((...args) => seen.push(["in", ...args])).prependAny(() => seen.push("first")).onAny(removed);
    socket.onAnyOutgoing((...args) => seen.push(["out", ...args])).onAnyOutgoing(removed);
    socket.offAny(removed).offAnyOutgoing(removed);
    assert.equal(socket.listenersAny().length, 2);
    assert.equal(socket.listenersAnyOutgoing().length, 1);
    socket.emit("message", 1);
    await next(socket, "message-back");
    assert.deepEqual(seen, [["out", "message", 1], "first", ["in", "message-back", 1]]);
  });

  test("survives a listener that throws", async (t) => {
    const socket = await connect(t, url);
    const reported = new Promise((resolve) => {
      globalThis.reportError = resolve;
    });
    t.after(() => delete globalThis.reportError);
    socket.on("message-back", () => {
      throw new Error("faulty listener");
    });
    const seen = next(socket, "message-back");
    socket.emit("message", 1);
    assert.deepEqual(await seen, [1]);
    assert.equal((await reported).message, "faulty listener");
    assert.deepEqual(await ask(socket, "message-with-ack", 2), [2]);
  });
});
