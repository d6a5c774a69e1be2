import assert from "node:assert/strict";
import { matrix, test, upgraded } from "./clients.mjs";

// The server of this file beats fast, and its handlers take longer than a client
// waits for a ping: the server can't read everything at once, but it still serves
// the client.
matrix(({ way, connect, splitsPayloads }) => {
  const work = async (socket, count, ms, ...args) => {
    const answers = [];
    const gone = new Promise((_, reject) => socket.on("disconnect", (reason) => reject(new Error(`${reason} after ${answers.length} answers`))));
    const all = Array.from({ length: count }, (_, i) => new Promise((resolve) => socket.emit("work", ms, i, ...args, (answer) => resolve(answers.push(answer)))));
    await Promise.race([Promise.all(all), gone]);
    assert.deepEqual(answers, Array.from({ length: count }, (_, i) => i));
  };

  test("many events at once are all answered", async (t) => {
    const socket = await connect(t, "/busy");
    await work(socket, 300, 15);
    if (way === "upgrading") await upgraded(socket);
  });

  if (splitsPayloads) { // enough data for one release
    test("many large events at once are all answered", async (t) => {
      const socket = await connect(t, "/busy");
      await work(socket, 12, 400, "x".repeat(900_000));
    });
  }

  test("many events are all answered though OnConnect takes its time", async (t) => {
    const socket = await connect(t, "/late");
    await work(socket, 300, 0);
  });
}, { concurrency: true });
