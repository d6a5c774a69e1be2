import assert from "node:assert/strict";
import { ask, matrix, next, test } from "./clients.mjs";

const increasing = (numbers) => numbers.every((n, i) => i === 0 || n > numbers[i - 1]);

matrix(({ isV2, connect }) => {
  test("volatile events of the server may be lost, never doubled or reordered", async (t) => {
    const socket = await connect(t);
    const received = [];
    socket.on("tick", (i) => received.push(i));
    const end = next(socket, "end");
    socket.emit("burst-volatile", 500);
    await end;
    assert.ok(increasing(received), `received ${received}`);
  });

  test("a volatile event arrives when the client is ready for it", async (t) => {
    const socket = await connect(t);
    let arrived = 0;
    socket.on("tick", () => arrived++);
    // Over polling, one may fall between two polls.
    while (arrived === 0) await ask(socket, "burst-volatile", 1);
  });

  test("a lost volatile event takes no other with it", async (t) => {
    const socket = await connect(t);
    const received = [];
    socket.on("tick", () => {});
    socket.on("message-back", (i) => received.push(i));
    for (let i = 0; i < 20; i++) {
      socket.emit("burst-volatile", 20);
      socket.emit("message", i);
    }
    await ask(socket, "message-with-ack");
    assert.deepEqual(received, Array.from({ length: 20 }, (_, i) => i));
  });

  if (isV2) return; // has none
  test("volatile events of the client may be lost, never doubled or reordered", async (t) => {
    const socket = await connect(t);
    const received = [];
    socket.on("message-back", (i) => received.push(i));
    for (let i = 0; i < 100; i++) socket.volatile.emit("message", i);
    await ask(socket, "message-with-ack");
    assert.ok(increasing(received), `received ${received}`);
  });
});
