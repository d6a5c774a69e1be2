import assert from "node:assert/strict";
import { ask, connected, matrix, next, test } from "./clients.mjs";

const maxPayload = 1_000_000;

matrix(({ way, connect, splitsPayloads }) => {
  test("an event just under the limit is delivered", async (t) => {
    const socket = await connect(t);
    const size = maxPayload - 100;
    assert.deepEqual(await ask(socket, "length", "x".repeat(size)), [size]);
  });

  test("an event over the limit costs the client its connection", async (t) => {
    const socket = await connect(t);
    const gone = next(socket, "disconnect");
    socket.emit("length", "x".repeat(maxPayload + 1));
    assert.match((await gone)[0], /^transport (close|error)$/);
    socket.connect();
    await connected(socket);
    assert.deepEqual(await ask(socket, "message-with-ack", "back"), ["back"]);
  });

  test("an attachment over the limit costs the client its connection", async (t) => {
    const socket = await connect(t);
    const gone = next(socket, "disconnect");
    socket.emit("size", Buffer.alloc(maxPayload + 1));
    assert.match((await gone)[0], /^transport (close|error)$/);
  });

  test("the others do not notice", async (t) => {
    const [healthy, greedy] = await Promise.all([connect(t), connect(t)]);
    const gone = next(greedy, "disconnect");
    greedy.emit("length", "x".repeat(2 * maxPayload));
    const answers = [];
    for (let i = 0; i < 10; i++) answers.push(...(await ask(healthy, "message-with-ack", i)));
    await gone;
    assert.deepEqual(answers, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    assert.ok(healthy.connected);
  });

  test("the limit does not apply to what the server sends", async (t) => {
    const socket = await connect(t);
    const size = 2 * maxPayload;
    const [text] = await ask(socket, "text", size);
    assert.equal(text.length, size);
    const [blob] = await ask(socket, "blob", size);
    assert.equal(blob.length, size);
  });

  if (way !== "polling" || splitsPayloads) {
    test("many events that are too much together are each delivered", async (t) => {
      const socket = await connect(t);
      const size = maxPayload / 4;
      const answers = await Promise.all(Array.from({ length: 12 }, () => ask(socket, "length", "x".repeat(size))));
      assert.deepEqual(answers.flat(), Array(12).fill(size));
    });
  }
});
