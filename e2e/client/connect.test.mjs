import assert from "node:assert/strict";
import { ask, connected, matrix, next, test, upgraded } from "./clients.mjs";

matrix(({ way, open, connect }) => {
  test("connects with an id of its own", async (t) => {
    const first = await connect(t);
    const second = await connect(t);
    assert.match(first.id, /^[\w-]{20,}$/);
    assert.notEqual(first.id, second.id);
    assert.notEqual(first.id, first.io.engine.id, "the id of the transport stays secret");
    const [me] = await ask(first, "whoami");
    assert.equal(me.id, first.id);
  });

  test("arrives on the transport it asked for", async (t) => {
    const socket = await connect(t);
    if (way === "upgrading") await upgraded(socket);
    const [me] = await ask(socket, "whoami");
    assert.equal(me.transport, way === "polling" ? "polling" : "websocket");
    assert.equal(socket.io.engine.transport.name, me.transport);
  });

  test("auth given as an object reaches the server", async (t) => {
    const socket = open(t, "/", { auth: { token: "123", nested: { list: [1, null, "é"] } } });
    assert.deepEqual(await next(socket, "auth"), [{ token: "123", nested: { list: [1, null, "é"] } }]);
  });

  test("auth given as a function reaches the server", async (t) => {
    const socket = open(t, "/", { auth: (send) => send({ token: "456" }) });
    assert.deepEqual(await next(socket, "auth"), [{ token: "456" }]);
  });

  test("no auth is an empty object", async (t) => {
    assert.deepEqual(await next(open(t), "auth"), [{}]);
  });

  test("query and headers of the handshake reach the server", async (t) => {
    const socket = await connect(t, "/", {
      query: { visitor: "Zoë & co" },
      extraHeaders: { "X-Visitor": "from Node" },
    });
    const [me] = await ask(socket, "whoami");
    assert.equal(me.query, "Zoë & co");
    assert.equal(me.header, "from Node");
  });

  test("an unknown namespace is refused", async (t) => {
    await assert.rejects(connected(open(t, "/nowhere")), { message: "Invalid namespace" });
  });

  test("a refusal carries its message and data", async (t) => {
    await assert.rejects(connected(open(t, "/refused")), { message: "not authorized", data: { code: "E1" } });
  });

  test("a refused client may try again", async (t) => {
    const socket = open(t, "/members", { auth: { token: "wrong" } });
    await assert.rejects(connected(socket), { message: "wrong token" });
    socket.auth.token = "let me in";
    socket.connect();
    assert.deepEqual(await next(socket, "auth"), [{ token: "let me in" }]);
  });
});
