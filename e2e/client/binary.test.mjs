import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { ask, matrix, next, test } from "./clients.mjs";

const bytes = (...values) => Buffer.from(values);

const argumentLists = {
  "one buffer": [bytes(1, 2, 3)],
  "several buffers": [bytes(1), bytes(2, 3), bytes(4, 5, 6)],
  "an empty buffer": [bytes()],
  "buffers among other arguments": [1, bytes(1), "two", { three: bytes(3) }, null],
  "buffers at every depth": [{ a: bytes(1), b: [{ c: [[bytes(2)], { d: { e: bytes(3) } }] }] }],
  "as many attachments as are allowed": [Array.from({ length: 10 }, (_, i) => bytes(i))],
  "every byte value": [Buffer.from(Array.from({ length: 256 }, (_, i) => i))],
  "bytes that are separators and packet types": [bytes(0x1e, 0x34, 0x62, 0x1e, 0x1e)],
  "a large buffer": [randomBytes(500_000)],
};

// Returns a function that makes values of JSON with up to ten buffers in them, the same for the same seed.
function randomValues(seed) {
  const random = () => { // mulberry32
    seed = (seed + 0x6d2b79f5) | 0;
    let x = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    x = (x + Math.imul(x ^ (x >>> 7), 61 | x)) ^ x;
    return ((x ^ (x >>> 14)) >>> 0) / 2 ** 32;
  };
  const upTo = (n) => Math.floor(random() * n);
  const list = (n, make) => Array.from({ length: upTo(n) }, make);
  const letters = ["a", "é", "漢", "😀", '"', "\\", "/", "<", "&", "\n", "\0", "\x1e", "\x7f", "\u2028", "\ufeff", "4", "b", "_placeholder", "num"];
  const text = () => list(8, () => letters[upTo(letters.length)]).join("");
  let buffers;
  const value = (depth) => {
    switch (upTo(depth > 4 ? 7 : 9)) {
      case 0:
        return null;
      case 1:
        return random() < 0.5;
      case 2:
        return upTo(2000) - 1000;
      case 3:
        return (random() - 0.5) * 10 ** (upTo(600) - 300);
      case 4:
      case 5:
        return text();
      case 6:
        return buffers-- > 0 ? Buffer.from(list(20, () => upTo(256))) : text();
      case 7:
        return list(5, () => value(depth + 1));
      default:
        return Object.fromEntries(list(5, () => [text() + "x", value(depth + 1)]));
    }
  };
  return () => {
    buffers = 10;
    return value(0);
  };
}

matrix(({ connect }) => {
  for (const [name, args] of Object.entries(argumentLists)) {
    test(`${name}, there and back`, async (t) => {
      const socket = await connect(t);
      const back = next(socket, "message-back");
      socket.emit("message", ...args);
      assert.deepEqual(await back, args);
    });
  }

  test("typed arrays and ArrayBuffers arrive as bytes", async (t) => {
    const socket = await connect(t);
    const [buffer, view] = await ask(
      socket,
      "message-with-ack",
      Uint8Array.from([1, 2, 3]).buffer,
      Uint8Array.from([0, 4, 5, 0]).subarray(1, 3),
    );
    assert.deepEqual(buffer, bytes(1, 2, 3));
    assert.deepEqual(view, bytes(4, 5));
  });

  test("bytes decoded into typed fields and encoded from them", async (t) => {
    const socket = await connect(t);
    const file = {
      name: "holiday.png",
      data: bytes(1, 2, 3),
      pages: [bytes(4), bytes(5, 6)],
      labels: { front: bytes(7), back: bytes(8, 9) },
    };
    assert.deepEqual(await ask(socket, "upload", file), [file]);
  });

  // Node's parser takes them apart, Go's passes them on or decodes and encodes them, Node's puts them together.
  test("random values come back as they were, with what is binary in them", async (t) => {
    const socket = await connect(t);
    const seed = Math.floor(Math.random() * 2 ** 32);
    const values = Array.from({ length: 300 }, randomValues(seed));
    for (const event of ["message-with-ack", "decode"]) {
      const back = await Promise.all(values.map((value) => ask(socket, event, value)));
      for (const [i, value] of values.entries()) assert.deepEqual(back[i], [value], `${event}, seed ${seed}, value ${i}`);
    }
  });

  test("events keep their order whether binary or not", async (t) => {
    const socket = await connect(t);
    const received = [];
    const all = new Promise((resolve) => {
      socket.on("message-back", (i) => received.push(i) === 100 && resolve());
    });
    for (let i = 0; i < 100; i++) i % 2 ? socket.emit("message", i) : socket.emit("message", i, bytes(i), [bytes(i)]);
    await all;
    assert.deepEqual(received, Array.from({ length: 100 }, (_, i) => i));
  });
});
