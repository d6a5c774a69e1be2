// The official client behind nginx, over two servers that are no cluster: what
// makes a session stay where it was opened.
import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { io } from "socket.io-client";

const url = process.env.SOCKETIO_URL;

const open = (options) => io(url, { forceNew: true, reconnection: false, ...options });

for (const transports of [["polling"], ["polling", "websocket"]]) {
  test(`with cookies, over ${transports.join(", then ")}`, async () => {
    const servers = new Set();
    const sockets = [];
    for (let i = 0; i < 4; i++) {
      const socket = open({ transports, withCredentials: true });
      sockets.push(socket);
      await once(socket, "connect");
      if (transports.length > 1) await upgraded(socket);
      const where = await socket.emitWithAck("where");
      servers.add(where);
      for (let j = 0; j < 10; j++) assert.equal(await socket.emitWithAck("where"), where);
    }
    assert.deepEqual([...servers].toSorted(), ["a", "b"]);
    for (const socket of sockets) socket.disconnect();
  });
}

async function upgraded(socket) {
  const { engine } = socket.io;
  if (engine.transport.name !== "websocket") await once(engine, "upgrade");
}

test("WebSocket alone needs no cookie", async () => {
  const servers = new Set();
  for (let i = 0; i < 4; i++) {
    const socket = open({ transports: ["websocket"] });
    await once(socket, "connect");
    servers.add(await socket.emitWithAck("where"));
    socket.disconnect();
  }
  assert.deepEqual([...servers].toSorted(), ["a", "b"]);
});

test("polling without cookies is sent to the wrong server", async () => {
  const socket = open({ transports: ["polling"] });
  const reason = await new Promise((resolve, reject) => {
    socket.io.on("close", resolve);
    socket.on("connect", () => reject(new Error("connected")));
  });
  assert.equal(reason, "transport error");
});
