import assert from "node:assert/strict";
import { ask, connected, matrix, next, test } from "./clients.mjs";
import { network } from "./network.mjs";

// Reconnects at once, as far as the client allows.
const eager = { reconnection: true, reconnectionDelay: 1, reconnectionDelayMax: 5 };

matrix(({ connect }) => {
  // A client that is told who left and why.
  async function witness(t) {
    const socket = await connect(t);
    await ask(socket, "witness");
    const departures = new Map();
    socket.on("left", (id, reason) => departures.get(id)?.(reason));
    return (id) => new Promise((resolve) => departures.set(id, resolve));
  }

  // Keeps the network down until the client has noticed: over polling, a cut
  // between two polls breaks nothing. Resolves to the reason of the disconnect.
  async function cut(net, socket) {
    const gone = next(socket, "disconnect");
    net.down();
    const [reason] = await gone;
    net.up();
    return reason;
  }

  test("the client leaves", async (t) => {
    const left = await witness(t);
    const socket = await connect(t);
    const reason = left(socket.id);
    const here = next(socket, "disconnect");
    socket.disconnect();
    assert.equal((await here)[0], "io client disconnect");
    assert.equal(await reason, "client namespace disconnect");
  });

  test("the client's connection closes", async (t) => {
    const left = await witness(t);
    const socket = await connect(t);
    const reason = left(socket.id);
    socket.io.engine.close();
    assert.equal(await reason, "transport close");
  });

  test("the server makes the socket leave", async (t) => {
    const left = await witness(t);
    const socket = await connect(t);
    const reason = left(socket.id);
    const here = next(socket, "disconnect");
    socket.emit("kick");
    assert.equal((await here)[0], "io server disconnect");
    assert.equal(await reason, "server namespace disconnect");
  });

  test("the server closes the connection, and the client may come back", async (t) => {
    const left = await witness(t);
    const socket = await connect(t);
    const before = socket.id;
    const reason = left(before);
    const here = next(socket, "disconnect");
    const closed = next(socket.io, "close"); // older clients cannot connect before
    socket.emit("close");
    assert.equal((await here)[0], "io server disconnect");
    assert.equal(await reason, "server namespace disconnect");
    await closed;
    socket.connect();
    await connected(socket);
    assert.notEqual(socket.id, before);
    assert.deepEqual(await ask(socket, "message-with-ack", "back"), ["back"]);
  });

  test("what the server emitted before it closed still arrives", async (t) => {
    const socket = await connect(t);
    const received = [];
    socket.on("tick", (i) => received.push(i));
    const here = next(socket, "disconnect");
    socket.emit("burst", 0, 100);
    socket.emit("close");
    await here;
    assert.deepEqual(received, Array.from({ length: 100 }, (_, i) => i));
  });

  test("the client reconnects by itself when the network fails", async (t) => {
    const net = await network(t);
    const socket = await connect(t, "/", eager, net.url);
    const before = socket.id;
    const again = connected(socket);
    assert.match(await cut(net, socket), /^transport (close|error)$/);
    socket.emit("message", "kept while away");
    assert.deepEqual(await next(socket, "message-back"), ["kept while away"]);
    await again;
    assert.notEqual(socket.id, before);
  });

  test("every namespace comes back when the network fails", async (t) => {
    const net = await network(t);
    const main = await connect(t, "/", eager, net.url);
    const custom = main.io.socket("/custom");
    await connected(custom);
    const again = Promise.all([connected(main), connected(custom)]);
    await cut(net, main);
    await again;
    const answers = await Promise.all([ask(main, "message-with-ack", 1), ask(custom, "message-with-ack", 2)]);
    assert.deepEqual(answers, [[1], [2]]);
  });
});
