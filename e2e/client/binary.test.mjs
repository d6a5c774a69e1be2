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
