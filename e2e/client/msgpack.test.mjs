import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { ask, connected, matrix, next, test, upgraded } from "./clients.mjs";

const parser = createRequire(import.meta.url)("socket.io-msgpack-parser");

// The parser itself cannot do integers from 2 ** 64 on, nor "__proto__".
const argumentLists = {
  "no arguments": [],
  "a string": ["hello"],
  "several arguments": [1, "2", { 3: [true] }, null, false],
  "integers of every width": [0, 127, 128, 255, 256, 65535, 65536, 2 ** 32 - 1, 2 ** 32, 2 ** 53 - 1],
  "negative integers of every width": [-1, -32, -33, -128, -129, -32768, -32769, -(2 ** 31), -(2 ** 31) - 1, -(2 ** 53) + 1],
  "fractions": [1.5, -0.25, 1e-7, 5e-324, Math.PI],
  "strings of every length": ["", "x".repeat(31), "x".repeat(32), "x".repeat(255), "x".repeat(256), "x".repeat(65536)],
  "strings that need escapes in JSON": ['"\\/\b\f\n\r\t', "\u0000\u001e\u001f\u007f", "a\u2028b"],
  "letters beyond ASCII": ["é漢字שלום", { ключ: "значение" }, "👩‍👩‍👧‍👦", { "🔑": "🎉" }],
  "arrays of every length": [[], Array(15).fill(1), Array(16).fill("a"), Array(70000).fill(0)],
  "objects of many members": [{}, Object.fromEntries(Array.from({ length: 300 }, (_, i) => [`key ${i}`, i]))],
  "nested objects and arrays": [{ a: [{ b: { c: [[], {}, [[]]] } }] }],
  "keys with a meaning in JavaScript": [{ constructor: 2, toString: 3 }],
  "objects that look like attachments": [{ _placeholder: true, num: 0 }, { _placeholder: false, num: 1 }],
};

const buffers = {
  "one buffer": [Buffer.from([1, 2, 3])],
  "an empty buffer": [Buffer.alloc(0)],
  "buffers of every length": [Buffer.alloc(255, 1), Buffer.alloc(256, 2), Buffer.alloc(65536, 3)],
  "buffers among other things": ["a", Buffer.from("b"), { c: [Buffer.from("d"), { e: Buffer.from("f") }] }, 1],
};

matrix(({ way, open, connect }) => {
  const join = (t, namespace, options) => connect(t, namespace, { parser, ...options });

  for (const [name, args] of Object.entries({ ...argumentLists, ...buffers })) {
    test(`${name} arrive unchanged, there and back`, async (t) => {
      const socket = await join(t);
      const back = next(socket, "message-back");
      socket.emit("message", ...args);
      assert.deepEqual(await back, args);
      assert.deepEqual(await ask(socket, "message-with-ack", ...args), args);
    });
  }

  test("what JavaScript has for bytes arrives as bytes", async (t) => {
    const socket = await join(t);
    const bytes = new Uint8Array([0, 0, 0, 0, 0, 0, 0, 7]);
    for (const value of [bytes, bytes.buffer, new Uint8Array([0]), new Uint8Array([0]).buffer, new Float64Array([1.5])]) {
      const sent = Buffer.from(value.buffer ?? value);
      const [size] = await ask(socket, "size", value);
      if (!process.env.REFERENCE) assert.equal(size, sent.length); // an ArrayBuffer has no length
      const [back] = await ask(socket, "message-with-ack", value);
      assert.deepEqual(Buffer.from(back), sent);
    }
  });

  test("undefined is null, and a Date can be told by its form", async (t) => {
    const socket = await join(t);
    const date = new Date(1700000000123);
    const [nothing, inside, when] = await ask(socket, "message-with-ack", undefined, { a: undefined }, date);
    if (process.env.REFERENCE) return assert.deepEqual([nothing, inside, when], [undefined, { a: undefined }, date]);
    assert.deepEqual([nothing, inside, when], [null, { a: null }, date.toISOString()]);
  });

  test("a file with binary at several depths has Go's types in between", async (t) => {
    const socket = await join(t);
    const file = {
      name: "f",
      data: Buffer.from("data"),
      pages: [Buffer.from("1"), Buffer.alloc(0)],
      labels: { a: Buffer.from("A"), b: Buffer.from("B") },
    };
    assert.deepEqual(await ask(socket, "upload", file), [file]);
  });

  test("the client answers the server, with binary both ways", async (t) => {
    const socket = await join(t);
    socket.on("question", (data, answer) => answer([data, data]));
    const answered = next(socket, "answered");
    socket.emit("ask-me", Buffer.from("question"));
    assert.deepEqual(await answered, [[Buffer.from("question"), Buffer.from("question")]]);
  });

  test("an error meant for the client is the answer", async (t) => {
    const socket = await join(t);
    assert.deepEqual(await ask(socket, "refuse-me"), [{ error: { message: "not today", data: { code: "E2" } } }]);
  });

  test("auth arrives, and namespaces share the connection", async (t) => {
    const socket = await join(t, "/", { auth: { token: "abc", deep: { n: [1] } } });
    const custom = socket.io.socket("/custom", { auth: { custom: true } });
    const auth = next(custom, "auth");
    await connected(custom);
    assert.deepEqual(await auth, [{ custom: true }]);
    assert.notEqual(custom.id, socket.id);
    const back = next(custom, "message-back");
    custom.emit("message", "custom", Buffer.from("binary"));
    assert.deepEqual(await back, ["custom", Buffer.from("binary")]);
    custom.disconnect();
    assert.deepEqual(await ask(socket, "message-with-ack", "here"), ["here"]);
  });

  test("refusals say why", async (t) => {
    for (const [namespace, options, message, data] of [
      ["/refused", {}, "not authorized", { code: "E1" }],
      ["/members", { auth: { token: "wrong" } }, "wrong token", undefined],
      ["/nowhere", {}, "Invalid namespace", undefined],
    ]) {
      const socket = open(t, namespace, { parser, ...options });
      const [error] = await next(socket, "connect_error");
      assert.equal(error.message, message);
      assert.deepEqual(error.data, data);
    }
    const member = await join(t, "/members", { auth: { token: "let me in" } });
    assert.ok(member.connected);
  });

  test("rooms and broadcasts reach everybody in order", async (t) => {
    const [a, b] = await Promise.all([join(t), join(t)]);
    if (way === "upgrading") await upgraded(b);
    await ask(b, "join", "room");
    const received = [];
    b.on("said", (...args) => received.push(args));
    for (let i = 0; i < 50; i++) a.emit("say", ["room"], i, Buffer.from([i]));
    await ask(a, "message-with-ack");
    await ask(b, "message-with-ack");
    assert.deepEqual(received, Array.from({ length: 50 }, (_, i) => [i, Buffer.from([i])]));
  });

  test("the server makes the socket leave", async (t) => {
    const socket = await join(t);
    const gone = next(socket, "disconnect");
    socket.emit("kick");
    assert.equal((await gone)[0], "io server disconnect");
  });

  test("a client without the parser is refused, and the others do not notice", async (t) => {
    const healthy = await join(t);
    const stranger = open(t, "/", {});
    const gone = next(stranger.io, "close");
    await gone;
    assert.equal(stranger.connected, false);
    assert.deepEqual(await ask(healthy, "message-with-ack", "alive"), ["alive"]);
  });
});
