// What a server can do to a client: silence, nonsense, late answers, half an upgrade.
import assert from "node:assert/strict";
import { describe } from "node:test";
import { bytes, next, open, startScripted, test } from "./support.mjs";

const overWebSocket = { transports: ["websocket"] };
const overPolling = { transports: ["polling"] };
const upgrading = { transports: ["polling", "websocket"] };

/** A socket connected to a scripted server over WebSocket, and the server's end. */
async function pair(t, options = {}, handshake) {
  const server = await startScripted(t, handshake);
  const socket = open(t, server.url, { ...overWebSocket, ...options });
  const session = await server.session();
  assert.equal(await session.receive(), "40");
  session.send('40{"sid":"id"}');
  await next(socket, "connect");
  return { server, socket, session };
}

/** A socket connected to a scripted server over polling, and the poll that is pending. */
async function pollingPair(t, options, handshake) {
  const server = await startScripted(t, handshake);
  const socket = open(t, server.url, { ...overPolling, ...options });
  const requests = { POST: [], GET: [] };
  const take = async (method) => {
    while (requests[method].length === 0) {
      const request = await server.request();
      requests[request.method].push(request);
    }
    return requests[method].shift();
  };
  const post = await take("POST");
  assert.equal(post.body, "40");
  post.respond("ok");
  (await take("GET")).respond('40{"sid":"id"}');
  await next(socket, "connect");
  return { server, socket, post: () => take("POST"), poll: () => take("GET") };
}

describe("malformed data closes the connection with a parse error", () => {
  const cases = {
    "an empty packet": [""],
    "an unknown engine packet": ["7"],
    "a second handshake": ["0{}"],
    "no packet type": ["4"],
    "an unknown packet type": ["47"],
    "an event without payload": ["42"],
    "an event that is an object": ["42{}"],
    "an event without a name": ["42[]"],
    "an event with an object for a name": ["42[{}]"],
    "an event with a reserved name": ['42["connect"]'],
    "broken JSON": ['42["a"'],
    "data after the JSON": ['42["a"]x'],
    "nesting beyond measure": [`451-["a",${"[".repeat(100_000)}${"]".repeat(100_000)}]`, Buffer.from("x")],
    "a negative ack id": ['42-1["a"]'],
    "an answer that is no list": ["430{}"],
    "a disconnect with a payload": ["41{}"],
    "a refusal without payload": ["44"],
    "a binary event without a count": ['45["a"]'],
    "a plain event with a count": ['421-["a"]'],
    "an attachment nobody announced": [Buffer.from("x")],
    "a text where an attachment is due": ['451-["a",{"_placeholder":true,"num":0}]', '42["b"]'],
    "a placeholder out of range": ['451-["a",{"_placeholder":true,"num":1}]', Buffer.from("x")],
    "a placeholder with a negative number": ['451-["a",{"_placeholder":true,"num":-1}]', Buffer.from("x")],
    "a placeholder with a name": ['451-["a",{"_placeholder":true,"num":"length"}]', Buffer.from("x")],
    "a placeholder for the name": ['451-[{"_placeholder":true,"num":0}]', Buffer.from("x")],
  };
  for (const [name, messages] of Object.entries(cases)) {
    test(name, async (t) => {
      const { server, socket, session } = await pair(t);
      socket.onAny((event) => assert.fail(`delivered ${event}`));
      const gone = next(socket, "disconnect");
      session.send(...messages);
      assert.equal((await gone)[0], "parse error");
      await server.session(); // it reconnects
    });
  }

  test("broken base64 over polling", async (t) => {
    const { socket, poll } = await pollingPair(t, { reconnection: false });
    const gone = next(socket, "disconnect");
    (await poll()).respond("b*");
    assert.equal((await gone)[0], "parse error");
  });

  test("an empty poll", async (t) => {
    const { socket, poll } = await pollingPair(t, { reconnection: false });
    const gone = next(socket, "disconnect");
    (await poll()).respond("");
    assert.equal((await gone)[0], "parse error");
  });

  for (const handshake of [{ sid: "" }, { sid: 5 }, { pingInterval: "x" }, { pingTimeout: undefined }]) {
    test(`a handshake with ${JSON.stringify(handshake)}`, async (t) => {
      const server = await startScripted(t, handshake);
      const socket = open(t, server.url, { ...overWebSocket, reconnection: false });
      assert.ok((await next(socket, "connect_error"))[0] instanceof Error);
    });
  }

  test("harmless oddities pass", async (t) => {
    const { socket, session } = await pair(t);
    const proto = next(socket, "proto");
    session.send("6", "3", "43[]", '43999["nobody asked"]', '42/elsewhere,["x"]', "42[1]",
      '450-["none"]', '42["proto",{"__proto__":{"polluted":true}}]');
    const [value] = await proto;
    assert.equal(Object.getPrototypeOf(value), Object.prototype);
    assert.equal({}.polluted, undefined);
    const same = next(socket, "same");
    session.send('451-["same",{"_placeholder":true,"num":0},{"_placeholder":true,"num":0}]', Buffer.from([1]));
    assert.deepEqual((await same).map(bytes), [[1], [1]]);
  });
});

describe("the heartbeat", () => {
  const short = { pingInterval: 400, pingTimeout: 400 };

  test("is answered and reported", async (t) => {
    const { socket, session } = await pair(t);
    const ping = next(socket.io, "ping");
    session.send("2");
    await ping;
    assert.equal(await session.receive(), "3");
  });

  test("that stays away closes the connection", async (t) => {
    const { socket } = await pair(t, { reconnection: false }, short);
    assert.equal((await next(socket, "disconnect"))[0], "ping timeout");
  });

  test("that stays away closes a polling connection without another request", async (t) => {
    const { server, socket, poll } = await pollingPair(t, { reconnection: false }, short);
    await poll();
    assert.equal((await next(socket, "disconnect"))[0], "ping timeout");
    assert.deepEqual(server.requests.rest, []);
  });

  test("that is overdue when the computer wakes up is noticed by the next emit", async (t) => {
    const { server, socket } = await pair(t);
    const gone = next(socket, "disconnect");
    const now = Date.now();
    const clock = t.mock.method(Date, "now", () => now + 60_000);
    socket.emit("kept");
    clock.mock.restore();
    assert.equal((await gone)[0], "ping timeout");
    const session = await server.session();
    assert.equal(await session.receive(), "40");
    session.send('40{"sid":"id"}');
    assert.equal(await session.receive(), '42["kept"]');
  });

  test("that is overdue ends the session after the emit that noticed, and loses nothing", async (t) => {
    const { server, socket, session } = await pair(t, { retries: 0 });
    const seen = [];
    socket.onAnyOutgoing((name) => seen.push(`sent ${name}`));
    const gone = new Promise((resolve) => {
      socket.on("disconnect", (reason) => {
        seen.push(reason);
        socket.emit("fourth");
        resolve();
      });
    });
    const now = Date.now();
    const clock = t.mock.method(Date, "now", () => now + 60_000);
    socket.emit("first");
    socket.volatile.emit("dropped");
    const dropped = new Promise((resolve) => socket.volatile.timeout(10_000).emit("dropped", resolve));
    const answer = socket.emitWithAck("second");
    socket.timeout(10_000).emit("third", () => seen.push("answered"));
    assert.deepEqual(seen, [], "it is still inside the caller");
    assert.equal(socket.connected, true);
    await gone;
    clock.mock.restore();
    assert.deepEqual(session.received.rest, [], "nothing was given to the dead connection");
    assert.ok((await dropped) instanceof Error);

    const second = await server.session();
    assert.equal(await second.receive(), "40");
    second.send('40{"sid":"id"}');
    assert.equal(await second.receive(), '42["first"]');
    const [, id] = (await second.receive()).match(/^42(\d+)\["second"\]$/);
    const [, next] = (await second.receive()).match(/^42(\d+)\["third"\]$/);
    assert.equal(await second.receive(), '42["fourth"]');
    second.send(`43${id}["done"]`, `43${next}[]`);
    assert.equal(await answer, "done");
    assert.deepEqual(seen, ["ping timeout", "sent first", "sent second", "sent third", "sent fourth", "answered"]);
  });

  test("that is overdue is no failure of an event that is sent again", async (t) => {
    const { server, socket } = await pair(t, { retries: 3, ackTimeout: 10_000 });
    const now = Date.now();
    const clock = t.mock.method(Date, "now", () => now + 60_000);
    const answer = socket.emitWithAck("once");
    await next(socket, "disconnect");
    clock.mock.restore();
    const session = await server.session();
    assert.equal(await session.receive(), "40");
    session.send('40{"sid":"id"}');
    assert.equal(await session.receive(), '420["once"]');
    session.send('430["done"]');
    assert.equal(await answer, "done");
    assert.deepEqual(session.received.rest, []);
  });

  test("is watched when the clock is set back", async (t) => {
    const { socket } = await pair(t, { reconnection: false }, short);
    const now = Date.now();
    const clock = t.mock.method(Date, "now", () => now - 3_600_000 + performance.now());
    t.after(() => clock.mock.restore());
    assert.equal((await next(socket, "disconnect"))[0], "ping timeout");
  });
});

describe("the server's side of connecting", () => {
  test("a server of an old version is told apart", async (t) => {
    const server = await startScripted(t);
    const socket = open(t, server.url, overWebSocket);
    (await server.session()).send("40");
    const [err] = await next(socket, "connect_error");
    assert.match(err.message, /version/);
    assert.equal(socket.active, false);
  });

  test("a connection that ends before the answer is an error of connecting", async (t) => {
    const server = await startScripted(t);
    const socket = open(t, server.url, overWebSocket);
    socket.on("disconnect", () => assert.fail("it never was connected"));
    const session = await server.session();
    await session.receive();
    session.ws.close();
    assert.ok((await next(socket, "connect_error"))[0] instanceof Error);
    assert.equal(socket.active, true);
    assert.equal(await (await server.session()).receive(), "40");
  });

  test("an answer that comes after disconnect() is taken back", async (t) => {
    const { socket, session } = await pair(t);
    const other = socket.io.socket("/other");
    other.on("connect", () => assert.fail("it was disconnected"));
    assert.equal(await session.receive(), "40/other,");
    other.disconnect();
    session.send('40/other,{"sid":"id2"}');
    assert.equal(await session.receive(), "41/other,");
  });

  test("disconnect() and connect() before the answer do not ask twice at a time", async (t) => {
    const { socket, session } = await pair(t);
    const other = socket.io.socket("/other", { auth: { n: 1 } });
    assert.equal(await session.receive(), '40/other,{"n":1}');
    other.disconnect();
    other.auth = { n: 2 };
    other.connect();
    session.send('40/other,{"sid":"id2"}');
    assert.equal(await session.receive(), "41/other,");
    assert.equal(await session.receive(), '40/other,{"n":2}');
    session.send('40/other,{"sid":"id3"}');
    await next(other, "connect");
    assert.equal(other.id, "id3");
  });

  test("a connection that breaks before that answer is forgotten with it", async (t) => {
    const { server, socket, session } = await pair(t);
    const other = socket.io.socket("/other");
    assert.equal(await session.receive(), "40/other,");
    other.disconnect();
    const gone = next(socket, "disconnect");
    session.ws.terminate();
    await gone;
    other.connect();
    const second = await server.session();
    assert.equal(await second.receive(), "40");
    assert.equal(await second.receive(), "40/other,");
    second.send('40{"sid":"id"}', '40/other,{"sid":"id2"}');
    await next(other, "connect");
    assert.equal(other.id, "id2");
  });

  test("an auth function that replies late or twice connects once", async (t) => {
    const server = await startScripted(t);
    const replies = [];
    const socket = open(t, server.url, { ...overWebSocket, auth: (reply) => replies.push(reply) });
    const first = await server.session();
    const lost = next(socket, "connect_error");
    first.ws.close();
    await lost;
    const second = await server.session();
    while (replies.length < 2) await next(socket.io, "reconnect");
    replies[0]({ late: true });
    replies[1]({ n: 1 });
    replies[1]({ n: 2 });
    assert.equal(await second.receive(), '40{"n":1}');
    second.send('40{"sid":"id"}');
    await next(socket, "connect");
    socket.emit("end");
    assert.equal(await second.receive(), '42["end"]');
  });

  test("an answer to the server belongs to the session that asked", async (t) => {
    const { server, socket, session } = await pair(t);
    const asked = next(socket, "question");
    session.send('427["question"]');
    const [answer] = await asked;
    session.ws.terminate();
    const second = await server.session();
    await second.receive();
    second.send('40{"sid":"id"}');
    await next(socket, "connect");
    answer("to nobody");
    socket.emit("end");
    assert.equal(await second.receive(), '42["end"]');
  });

  test("an answer to the client may come too late", async (t) => {
    const { socket, session } = await pair(t);
    const err = await new Promise((resolve) => socket.timeout(10).emit("slow", (...args) => resolve(args)));
    assert.equal(err.length, 1);
    assert.ok(err[0] instanceof Error);
    await assert.rejects(socket.timeout(10).emitWithAck("slow"));
    session.send('430["late"]', '42["after"]');
    await next(socket, "after");
  });

  test("ackTimeout holds for every emit, and takes back what was not sent", async (t) => {
    const server = await startScripted(t);
    const socket = open(t, server.url, { ...overWebSocket, ackTimeout: 10 });
    assert.ok((await new Promise((resolve) => socket.emit("not sent", resolve))) instanceof Error);
    socket.emit("sent");
    const session = await server.session();
    await session.receive();
    session.send('40{"sid":"id"}');
    assert.equal(await session.receive(), '42["sent"]');
  });
});

describe("polling", () => {
  test("what is emitted in one go is one request, up to maxPayload", async (t) => {
    const { socket, post } = await pollingPair(t, {}, { maxPayload: 40 });
    socket.emit("a");
    socket.emit("b", "é");
    socket.emit("c", new Uint8Array(3));
    socket.emit("d", "x".repeat(50));
    socket.emit("e");
    const bodies = [
      '42["a"]\x1e42["b","é"]',
      '451-["c",{"_placeholder":true,"num":0}]',
      "bAAAA",
      `42["d","${"x".repeat(50)}"]`,
      '42["e"]',
    ];
    for (const body of bodies) {
      const request = await post();
      assert.equal(request.body, body);
      request.respond("ok");
    }
  });

  test("a volatile event is dropped while a request is under way", async (t) => {
    const { socket, post } = await pollingPair(t);
    socket.emit("a");
    const request = await post();
    socket.volatile.emit("dropped");
    const err = await new Promise((resolve) => socket.volatile.timeout(1000).emit("dropped", resolve));
    assert.ok(err instanceof Error);
    socket.emit("b");
    request.respond("ok");
    assert.equal((await post()).body, '42["b"]');
  });

  test("disconnect() sends what is left, then says goodbye", async (t) => {
    const { socket, post, poll } = await pollingPair(t);
    const pending = await poll();
    socket.emit("last");
    socket.disconnect();
    const request = await post();
    assert.equal(request.body, '42["last"]\x1e41');
    request.respond("ok");
    assert.equal((await post()).body, "1");
    pending.respond("6");
  });

  test("the server's close packet ends the session", async (t) => {
    const { server, socket, poll } = await pollingPair(t, { reconnection: false });
    const gone = next(socket, "disconnect");
    (await poll()).respond('42["last"]\x1e1');
    assert.equal((await gone)[0], "transport close");
    assert.deepEqual(server.requests.rest, []);
  });

  test("a refused request ends the session", async (t) => {
    const { socket, post } = await pollingPair(t, { reconnection: false });
    const gone = next(socket, "disconnect");
    socket.emit("too large");
    (await post()).respond("", 413);
    const [reason, details] = await gone;
    assert.equal(reason, "transport error");
    assert.equal(details.message, "xhr post error");
    assert.equal(details.description, 413);
  });
});

describe("upgrading", () => {
  const handshake = { upgrades: ["websocket"] };

  test("waits for the requests under way, then moves all at once", async (t) => {
    const { server, socket, post, poll } = await pollingPair(t, upgrading, handshake);
    const ws = await server.session();
    assert.equal(ws.sid, "scripted");
    assert.equal(await ws.receive(), "2probe");
    socket.emit("a");
    const request = await post();
    const pending = await poll();
    const upgradingNow = next(socket.io.engine, "upgrading");
    ws.send("3probe");
    await upgradingNow;
    socket.emit("b"); // waits
    socket.volatile.emit("dropped");
    const seen = next(socket, "last poll");
    pending.respond('42["last poll"]');
    await seen;
    assert.equal(socket.io.engine.transport.name, "polling");
    const upgraded = next(socket.io.engine, "upgrade");
    request.respond("ok");
    await upgraded;
    assert.equal(await ws.receive(), "5");
    assert.equal(await ws.receive(), '42["b"]');
    ws.send('42["over it"]');
    await next(socket, "over it");
    assert.deepEqual(server.requests.rest, []);
  });

  for (const when of ["before it has answered", "while polling comes to rest"]) {
    test(`stays with polling when the WebSocket breaks ${when}`, async (t) => {
      const { server, socket, post, poll } = await pollingPair(t, upgrading, handshake);
      const ws = await server.session();
      assert.equal(await ws.receive(), "2probe");
      const pending = await poll();
      if (when === "while polling comes to rest") {
        const upgradingNow = next(socket.io.engine, "upgrading");
        ws.send("3probe");
        await upgradingNow;
      }
      socket.emit("kept");
      const failed = next(socket.io.engine, "upgradeError");
      ws.ws.terminate();
      await failed;
      assert.equal((await post()).body, '42["kept"]');
      pending.respond('42["still here"]');
      await next(socket, "still here");
      (await poll()).respond('42["and again"]');
      await next(socket, "and again");
      assert.equal(socket.io.engine.transport.name, "polling");
    });
  }

  test("is not started where the probe has a wrong answer", async (t) => {
    const { server, socket, poll } = await pollingPair(t, upgrading, handshake);
    const ws = await server.session();
    await ws.receive();
    const failed = next(socket.io.engine, "upgradeError");
    ws.send("6");
    await failed;
    (await poll()).respond('42["still here"]');
    await next(socket, "still here");
  });

  test("disconnect() in the middle of it loses nothing", async (t) => {
    const { server, socket, poll } = await pollingPair(t, upgrading, handshake);
    const ws = await server.session();
    await ws.receive();
    const pending = await poll();
    const upgradingNow = next(socket.io.engine, "upgrading");
    ws.send("3probe");
    await upgradingNow;
    socket.emit("last");
    socket.disconnect();
    pending.respond("6");
    assert.equal(await ws.receive(), "5");
    assert.equal(await ws.receive(), '42["last"]');
    assert.equal(await ws.receive(), "41");
    await new Promise((resolve) => ws.ws.once("close", resolve));
  });
});
