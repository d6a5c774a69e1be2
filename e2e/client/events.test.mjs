import assert from "node:assert/strict";
import { matrix, next, test } from "./clients.mjs";

const argumentLists = {
  "no arguments": [],
  "a string": ["hello"],
  "several arguments": [1, "2", { 3: [true] }, null, false],
  "nested objects and arrays": [{ a: [{ b: { c: [[], {}, [[]]] } }] }],
  "numbers at their limits": [0, -1, 1.5, -0.25, 1e21, 1e-7, 2 ** 53 - 1, -(2 ** 53) + 1, 5e-324],
  "strings that need escapes": ['"\\/\b\f\n\r\t', "\u0000\u001e\u001f\u007f", "<script>&amp;</script>"],
  "line separators": ["a\u2028b\u2029c"],
  "letters beyond ASCII": ["é漢字שלום", { ключ: "значение" }],
  "emoji, with joiners and flags": ["😀", "👩‍👩‍👧‍👦", "🇨🇭", { "🔑": "🎉" }],
  "keys with a meaning in JavaScript": [JSON.parse('{"__proto__":1,"constructor":2,"toString":3}')],
  "objects that look like attachments": [{ _placeholder: false, num: 0 }],
  "a long string": ["é".repeat(100_000)],
  "empty values": ["", [], {}, [""], { "": "" }],
};

matrix(({ open, connect }) => {
  for (const [name, args] of Object.entries(argumentLists)) {
    test(`${name} arrive unchanged, there and back`, async (t) => {
      const socket = await connect(t);
      const back = next(socket, "message-back");
      socket.emit("message", ...args);
      assert.deepEqual(await back, args);
    });
  }

  test("events keep their order", async (t) => {
    const socket = await connect(t);
    const received = [];
    const all = new Promise((resolve) => {
      socket.on("message-back", (i) => received.push(i) === 200 && resolve());
    });
    for (let i = 0; i < 200; i++) socket.emit("message", i);
    await all;
    assert.deepEqual(received, Array.from({ length: 200 }, (_, i) => i));
  });

  test("events emitted before the connection stands are delivered", async (t) => {
    const socket = open(t);
    const back = next(socket, "message-back");
    socket.emit("message", "early");
    assert.deepEqual(await back, ["early"]);
  });

  test("an event nobody handles does no harm", async (t) => {
    const socket = await connect(t);
    socket.emit("nobody-listens", 1);
    socket.emit("error", "is an ordinary name");
    const back = next(socket, "message-back");
    socket.emit("message", "still here");
    assert.deepEqual(await back, ["still here"]);
  });
});
