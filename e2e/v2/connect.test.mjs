import assert from "node:assert/strict";
import { ask, connected, matrix, next, test, upgraded } from "../client/clients.mjs";

matrix(({ way, open, connect }) => {
  test("is in the main namespace without asking, with the id of its connection", async (t) => {
    const first = await connect(t);
    const second = await connect(t);
    assert.equal(first.id, first.io.engine.id, "the client makes it so");
    assert.notEqual(first.id, second.id);
    const [me] = await ask(first, "whoami");
    assert.equal(me.id, first.id, "and the server agrees");
  });

  test("arrives on the transport it asked for", async (t) => {
    const socket = await connect(t);
    if (way === "upgrading") await upgraded(socket);
    const [me] = await ask(socket, "whoami");
    assert.equal(me.transport, way === "polling" ? "polling" : "websocket");
    assert.equal(socket.io.engine.transport.name, me.transport);
  });

  test("query and headers of the handshake reach the server", async (t) => {
    const socket = await connect(t, "/", {
      query: { visitor: "Zoë & co" },
      extraHeaders: { "X-Visitor": "from Node" },
      transportOptions: { polling: { extraHeaders: { "X-Visitor": "from Node" } } },
    });
    const [me] = await ask(socket, "whoami");
    assert.equal(me.query, "Zoë & co");
    assert.equal(me.header, "from Node");
  });

  test("the query of the connection is no auth in the main namespace", async (t) => {
    const socket = open(t, "/", { query: { token: "123" } });
    assert.deepEqual(await next(socket, "auth"), [{}]);
  });

  test("takes no binary data if it says so", async (t) => {
    const socket = await connect(t, "/", { forceBase64: true });
    if (way === "upgrading") await upgraded(socket);
    const bytes = Buffer.from([0, 1, 254, 255]);
    assert.deepEqual(await ask(socket, "message-with-ack", "é😀", { deep: [bytes] }), ["é😀", { deep: [bytes] }]);
  });

  test("may reconnect by hand", async (t) => {
    const socket = await connect(t);
    const before = socket.id;
    const closed = next(socket.io, "close"); // it cannot connect before
    socket.disconnect();
    await closed;
    socket.connect();
    await connected(socket);
    assert.notEqual(socket.id, before);
    assert.deepEqual(await ask(socket, "message-with-ack", "back"), ["back"]);
  });
});
