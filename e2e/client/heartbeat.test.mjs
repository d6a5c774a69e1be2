import assert from "node:assert/strict";
import { ask, matrix, next, test, upgraded } from "./clients.mjs";

// Resolves when the server has sent a heartbeat.
async function heartbeat(socket) {
  while ((await next(socket.io.engine, "packet"))[0].type !== "ping");
}

// The server of this file beats fast and waits three seconds for an answer.
matrix(({ way, connect }) => {
  test("a connection that only beats stays open", async (t) => {
    const socket = await connect(t);
    let gone;
    socket.on("disconnect", (reason) => (gone = reason));
    for (let beat = 0; beat < 3; beat++) await heartbeat(socket);
    assert.deepEqual(await ask(socket, "message-with-ack", "alive"), ["alive"]);
    assert.equal(gone, undefined);
  });

  test("a client that does not answer is let go", async (t) => {
    const [witness, socket] = await Promise.all([connect(t), connect(t)]);
    await ask(witness, "witness");
    const { id } = socket;
    const left = new Promise((resolve) => witness.on("left", (who, reason) => who === id && resolve(reason)));
    if (way === "upgrading") await upgraded(socket);
    // The client is not to end the wait before the server does: its patience
    // counts from the next heartbeat. From then on it is mute.
    const { engine } = socket.io;
    Object.assign(engine, { pingTimeout: 60_000, _pingTimeout: 60_000 }); // in older and newer releases
    await heartbeat(socket);
    engine.transport.write = () => {};
    assert.equal(await left, "ping timeout");
  });
}, { concurrency: true });
