// Connecting: transports, fallback, auth, namespaces, refusals, addresses.
import assert from "node:assert/strict";
import { once } from "node:events";
import http from "node:http";
import { describe } from "node:test";
import { ask, connect, io, next, open, startProxy, test, url, ways } from "./support.mjs";

for (const [way, transports] of Object.entries(ways)) {
  describe(`connecting: ${way}`, () => {
    test("a socket has its id while it is connected", async (t) => {
      const socket = open(t, url, { transports });
      assert.equal(socket.connected, false);
      assert.equal(socket.active, true);
      assert.equal(socket.id, undefined);
      await next(socket, "connect");
      assert.equal(socket.connected, true);
      assert.equal(typeof socket.id, "string");
      const gone = next(socket, "disconnect");
      socket.disconnect();
      assert.equal((await gone)[0], "io client disconnect");
      assert.equal(socket.connected, false);
      assert.equal(socket.active, false);
      assert.equal(socket.id, undefined);
    });

    test("the server sees auth given as an object", async (t) => {
      const socket = open(t, url, { transports, auth: { token: "secret \u2028 é" } });
      assert.deepEqual(await next(socket, "auth"), [{ token: "secret \u2028 é" }]);
    });

    test("the server sees auth given by a function, asked each time", async (t) => {
      let visit = 0;
      const socket = open(t, url, { transports, auth: (reply) => reply({ visit: ++visit }) });
      assert.deepEqual(await next(socket, "auth"), [{ visit: 1 }]);
      socket.disconnect().connect();
      assert.deepEqual(await next(socket, "auth"), [{ visit: 2 }]);
    });

    test("without auth the server sees an empty object", async (t) => {
      assert.deepEqual(await next(open(t, url, { transports }), "auth"), [{}]);
    });

    test("namespaces share a connection and have their own auth and life", async (t) => {
      const main = await connect(t, url, { transports, auth: { who: "main" } });
      const custom = main.io.socket("/custom", { auth: { who: "custom" } });
      assert.deepEqual(await next(custom, "auth"), [{ who: "custom" }]);
      assert.equal(custom.io, main.io);
      assert.notEqual(custom.id, main.id);

      custom.disconnect();
      assert.equal(main.connected, true);
      assert.deepEqual(await ask(main, "message-with-ack", 1), [1]);

      custom.auth = { who: "again" };
      custom.connect();
      assert.deepEqual(await next(custom, "auth"), [{ who: "again" }]);
    });

    test("a refusal says why, leaves the others alone and can be asked for again", async (t) => {
      const main = await connect(t, url, { transports });
      const refused = main.io.socket("/refused");
      for (let i = 0; i < 2; i++) {
        const [err] = await next(refused, "connect_error");
        assert.ok(err instanceof Error);
        assert.equal(err.message, "not authorized");
        assert.deepEqual(err.data, { code: "E1" });
        assert.equal(refused.active, false);
        assert.deepEqual(await ask(main, "message-with-ack", i), [i]);
        refused.connect();
      }
    });

    test("after a refusal on its own connection a socket may try again", async (t) => {
      const socket = open(t, url + "/refused", { transports });
      await next(socket, "connect_error");
      assert.equal(socket.active, false);
      socket.connect();
      const [err] = await next(socket, "connect_error");
      assert.equal(err.message, "not authorized");
    });

    test("a namespace that does not exist is refused", async (t) => {
      const [err] = await next(open(t, url + "/nowhere", { transports }), "connect_error");
      assert.equal(err.message, "Invalid namespace");
    });

    test("the server's disconnect is final until connect()", async (t) => {
      const socket = await connect(t, url, { transports });
      const gone = next(socket, "disconnect");
      socket.emit("kick");
      assert.equal((await gone)[0], "io server disconnect");
      assert.equal(socket.active, false);
      socket.connect();
      await next(socket, "connect");
      assert.deepEqual(await ask(socket, "message-with-ack", "back"), ["back"]);
    });
  });
}

describe("one namespace's trouble", () => {
  test("with auth that cannot be sent does not keep the others out", async (t) => {
    const reported = new Promise((resolve) => {
      globalThis.reportError = resolve;
    });
    t.after(() => delete globalThis.reportError);
    const bad = open(t, url, { autoConnect: false, auth: { huge: 1n } });
    const good = bad.io.socket("/custom");
    bad.connect();
    good.connect();
    await next(good, "connect");
    assert.ok((await reported) instanceof TypeError);
    assert.equal(bad.connected, false);
    bad.auth = { mended: true };
    bad.connect();
    assert.deepEqual(await next(bad, "auth"), [{ mended: true }]);
  });

  test("does not reach a socket that a listener connects while another one is told", async (t) => {
    const main = await connect(t, url);
    const custom = main.io.socket("/custom");
    await next(custom, "connect");
    custom.disconnect();
    custom.on("connect_error", () => assert.fail("its connection is a new one"));
    main.once("disconnect", () => custom.connect());
    main.io.engine.close();
    await Promise.all([next(main, "connect"), next(custom, "connect")]);
  });
});

describe("choosing a transport", () => {
  test("WebSocket comes first by default", async (t) => {
    const socket = await connect(t, url);
    assert.equal(socket.io.engine.transport.name, "websocket");
  });

  test("polling given first upgrades", async (t) => {
    const socket = await connect(t, url, { transports: ["polling", "websocket"] });
    const { engine } = socket.io;
    if (engine.transport.name === "polling") {
      const [transport] = await next(engine, "upgrade");
      assert.equal(transport.name, "websocket");
    }
    assert.equal(engine.transport.name, "websocket");
    assert.deepEqual(await ask(socket, "message-with-ack", "over it"), ["over it"]);
  });

  test("upgrade: false stays with polling", async (t) => {
    const socket = await connect(t, url, { transports: ["polling", "websocket"], upgrade: false });
    assert.deepEqual(await ask(socket, "message-with-ack", 1), [1]);
    assert.equal(socket.io.engine.transport.name, "polling");
  });

  for (const block of ["refuse", "swallow"]) {
    test(`polling is the fallback when WebSockets meet a proxy that would ${block} them`, async (t) => {
      const proxy = await startProxy(t, { block });
      const socket = await connect(t, proxy.url, { timeout: 2000 });
      assert.equal(socket.io.engine.transport.name, "polling");
      assert.deepEqual(await ask(socket, "message-with-ack", block), [block]);

      // The next connection starts with what worked.
      socket.io.engine.close();
      socket.io.once("reconnect_attempt", () => {});
      await next(socket.io, "reconnect_attempt");
      await Promise.resolve();
      assert.equal(socket.io.engine.transport.name, "polling");
      await next(socket, "connect");
    });
  }

  test("without the fallback the error is reported", async (t) => {
    const proxy = await startProxy(t, { block: "refuse" });
    const socket = open(t, proxy.url, { transports: ["websocket"], reconnection: false });
    const [err] = await next(socket, "connect_error");
    assert.equal(err.message, "websocket error");
    assert.equal(err.type, "TransportError");
    assert.equal(socket.active, true);
  });

  test("a server that cannot be reached in time is reported", async (t) => {
    const proxy = await startProxy(t, { block: "swallow" });
    const socket = open(t, proxy.url, { transports: ["websocket"], reconnection: false, timeout: 20 });
    const [err] = await next(socket, "connect_error");
    assert.equal(err.message, "timeout");
  });

  test("the status and body of a refused request are reported", async (t) => {
    const socket = open(t, url, { transports: ["polling"], query: { sid: "nobody" }, reconnection: false });
    const [err] = await next(socket, "connect_error");
    assert.equal(err.message, "xhr poll error");
    assert.equal(err.description, 400);
    assert.equal(JSON.parse(err.context.responseText).code, 1);
  });
});

describe("addresses", () => {
  const parse = (address, options) => {
    const socket = io(address, { autoConnect: false, forceNew: true, ...options });
    return [socket.io.uri, socket.nsp];
  };

  test("name a server and a namespace", () => {
    assert.deepEqual(parse("http://localhost:3000"), ["http://localhost:3000", "/"]);
    assert.deepEqual(parse("http://localhost:80/"), ["http://localhost", "/"]);
    assert.deepEqual(parse("wss://example.com/admin?x=1#y"), ["https://example.com", "/admin"]);
    assert.deepEqual(parse("ws://[::1]:3000/a/b"), ["http://[::1]:3000", "/a/b"]);
    assert.deepEqual(parse("//example.com/комната"), ["https://example.com", "/комната"]);
    assert.deepEqual(parse("localhost:3000/chat"), ["https://localhost:3000", "/chat"]);
    assert.deepEqual(parse(new URL("http://localhost:3000/chat")), ["http://localhost:3000", "/chat"]);
  });

  test("may be left out only in a page", (t) => {
    assert.throws(() => io(), /address/);
    globalThis.location = new URL("https://example.com:8443/some/page.html");
    t.after(() => delete globalThis.location);
    assert.deepEqual(parse(), ["https://example.com:8443", "/"]);
    assert.deepEqual(parse("/admin"), ["https://example.com:8443", "/admin"]);
    assert.deepEqual(parse({ autoConnect: false }), ["https://example.com:8443", "/"]);
    assert.deepEqual(parse("//other.example"), ["https://other.example", "/"]);
  });

  test("of one server share a connection, unless told otherwise", () => {
    const dial = (address, options) => io(address, { autoConnect: false, ...options }).io;
    const first = dial("http://shared.example/a");
    assert.equal(dial("http://shared.example/b"), first);
    assert.notEqual(dial("http://shared.example/c", { forceNew: true }), first);
    assert.notEqual(dial("http://shared.example/d", { multiplex: false }), first);
    assert.notEqual(dial("http://shared.example/a"), first, "a namespace is there once");
    assert.notEqual(dial("http://shared.example/e", { path: "/other" }), first);
    assert.equal(dial("http://shared.example/f", { path: "socket.io" }), first);
    assert.notEqual(dial("http://shared.example:8080/g"), first);
  });

  test("carry auth only to the namespace it was given for", () => {
    const options = { autoConnect: false, auth: { token: "secret" } };
    const one = io("http://auth.example/one", options);
    const two = io("http://auth.example/two", { autoConnect: false });
    assert.equal(one.io, two.io);
    assert.deepEqual(one.auth, { token: "secret" });
    assert.equal(two.auth, undefined);
  });

  test("carry the path and the query", async (t) => {
    const requested = [];
    const server = http.createServer((req, res) => {
      requested.push(new URL(req.url, "http://test"));
      res.writeHead(404, "Nothing here").end("nothing");
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    t.after(() => server.close());
    const address = `http://127.0.0.1:${server.address().port}`;
    const options = { path: "/a/b", reconnection: false, transports: ["polling"] };
    const queries = [{ query: { a: "1&2", EIO: "3" } }, { query: "a=1%262" }];
    for (const query of queries) {
      const [err] = await next(open(t, address, { ...options, ...query }), "connect_error");
      assert.equal(err.description, 404);
      assert.equal(err.context.responseText, "nothing");
    }
    await next(open(t, address + "/nsp?a=1%262", options), "connect_error");
    assert.equal(requested.length, 3);
    for (const { pathname, searchParams } of requested) {
      assert.equal(pathname, "/a/b/");
      assert.deepEqual(searchParams.getAll("EIO"), ["4"]);
      assert.deepEqual(searchParams.getAll("a"), ["1&2"]);
      assert.equal(searchParams.get("transport"), "polling");
    }
  });
});
