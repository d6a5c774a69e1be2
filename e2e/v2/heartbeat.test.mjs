import assert from "node:assert/strict";
import { ask, matrix, next, test, upgraded } from "../client/clients.mjs";

// The server of this file wants to be told often that the client lives.
matrix(({ way, connect }) => {
  test("a connection that only beats stays open", async (t) => {
    const socket = await connect(t);
    const gone = next(socket, "disconnect").then(([reason]) => Promise.reject(new Error(reason)));
    gone.catch(() => {}); // it is disconnected at the end
    for (let beats = 0; beats < 3; beats++) await Promise.race([next(socket, "pong"), gone]);
    assert.deepEqual(await Promise.race([ask(socket, "message-with-ack", "alive"), gone]), ["alive"]);
  });

  // The reference server fails this one after an upgrade, with which it drops the timer.
  test("a client that does not beat is let go", async (t) => {
    const [witness, socket] = await Promise.all([connect(t), connect(t)]);
    await ask(witness, "witness");
    const { id } = socket;
    const left = new Promise((resolve) => witness.on("left", (who, reason) => who === id && resolve(reason)));
    if (way === "upgrading") await upgraded(socket);
    const { engine } = socket.io;
    engine.ping = engine.onHeartbeat = () => {}; // it neither beats nor looks for the answer
    engine.removeAllListeners("heartbeat");
    clearTimeout(engine.pingTimeoutTimer);
    assert.equal(await left, "ping timeout");
  });
}, { concurrency: true });
