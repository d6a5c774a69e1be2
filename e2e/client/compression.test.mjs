import assert from "node:assert/strict";
import { once } from "node:events";
import { get } from "node:http";
import { gunzipSync } from "node:zlib";
import { WebSocket } from "ws";
import { ask, matrix, next, test, upgraded, url } from "./clients.mjs";

const long = "long ".repeat(20_000); // 100 kB
const noise = Buffer.from(Array.from({ length: 20_000 }, (_, i) => (i * i * 7919 + (i >> 3)) % 251));

matrix(({ way, connect }) => {
  const join = async (t, options) => {
    const socket = await connect(t, "/", options);
    if (way === "upgrading") await upgraded(socket);
    return socket;
  };

  test("long and short events, text and binary, arrive unchanged", async (t) => {
    const socket = await join(t);
    for (const args of [[long], ["short"], [noise], [Buffer.from(long)], [long, { deep: [noise, Buffer.alloc(0)] }, Buffer.from("x")]]) {
      const back = next(socket, "message-back");
      socket.emit("message", ...args);
      assert.deepEqual(await back, args);
      assert.deepEqual(await ask(socket, "message-with-ack", ...args), args);
    }
  });

  test("many events at once arrive in order", async (t) => {
    const socket = await join(t);
    const sent = Array.from({ length: 100 }, (_, i) => [i, i % 2 ? long.slice(0, 3000) : "short"]);
    const answers = await Promise.all(sent.map((args) => ask(socket, "message-with-ack", ...args)));
    assert.deepEqual(answers, sent);
  });

  test("clients with and without compression share a room", async (t) => {
    const [a, b] = await Promise.all([join(t), join(t, { perMessageDeflate: false })]);
    const received = [];
    for (const socket of [a, b]) {
      await ask(socket, "join", "room");
      socket.on("said", (...args) => received.push(args));
    }
    await ask(a, "announce", ["room"], long, noise);
    await Promise.all([ask(a, "message-with-ack"), ask(b, "message-with-ack")]);
    assert.deepEqual(received, [
      [long, noise],
      [long, noise],
    ]);
  });

  if (way === "polling") return;
  test("it is negotiated, and saves what it can", async (t) => {
    for (const [options, negotiated] of [
      [{}, true],
      [{ perMessageDeflate: false }, false],
    ]) {
      const socket = await join(t, options);
      const { ws } = socket.io.engine.transport;
      assert.equal("permessage-deflate" in ws._extensions, negotiated);
      const before = ws._socket.bytesRead;
      assert.deepEqual(await ask(socket, "text", 100_000), ["x".repeat(100_000)]);
      const bytes = ws._socket.bytesRead - before;
      assert.equal(bytes < 10_000, negotiated, `100 kB took ${bytes} bytes`);
    }
  });
});

// The client underneath, with every parameter it can offer.
for (const [name, perMessageDeflate, negotiated] of [
  ["nothing in particular", true, true],
  ["no context takeover of the server", { serverNoContextTakeover: true }, true],
  ["no context takeover of the client", { clientNoContextTakeover: true }, true],
  ["a smaller window of the client", { clientMaxWindowBits: 10 }, true],
  ["no compression", false, false],
]) {
  test(`a WebSocket that offers ${name}`, async (t) => {
    const ws = new WebSocket(`${url.replace("http", "ws")}/socket.io/?EIO=4&transport=websocket`, { perMessageDeflate });
    t.after(() => ws.terminate());
    const messages = [];
    ws.on("message", (data) => messages.push(String(data)));
    await once(ws, "message");
    assert.equal(ws.extensions.includes("permessage-deflate"), negotiated);
    ws.send("40");
    while (!messages.some((message) => message.startsWith("40"))) await once(ws, "message");
    for (let i = 0; i < 3; i++) {
      ws.send(`42${i}["message-with-ack","${long}"]`);
      while (!messages.includes(`43${i}["${long}"]`)) await once(ws, "message");
    }
  });
}

test("a bomb closes the connection that sent it", async (t) => {
  const ws = new WebSocket(`${url.replace("http", "ws")}/socket.io/?EIO=4&transport=websocket`, {
    perMessageDeflate: { threshold: 0 },
  });
  t.after(() => ws.terminate());
  ws.on("error", () => {});
  await once(ws, "message");
  ws.send(`4${"0".repeat(50_000_000)}`);
  const [code] = await once(ws, "close");
  assert.ok([1006, 1009].includes(code), `closed with ${code}`);
});

test("polling responses are compressed if the client says so", async () => {
  const poll = (query, headers) =>
    new Promise((resolve, reject) => {
      get(`${url}/socket.io/?EIO=4&transport=polling${query}`, { headers }, async (response) => {
        const chunks = await response.toArray();
        resolve({ coding: response.headers["content-encoding"], body: Buffer.concat(chunks) });
      }).on("error", reject);
    });
  const post = (query, body) => fetch(`${url}/socket.io/?EIO=4&transport=polling${query}`, { method: "POST", body });

  for (const [accept, compressed] of [
    ["gzip, deflate, br", true],
    ["gzip;q=0", false],
    ["identity", false],
  ]) {
    const sid = `&sid=${JSON.parse(String((await poll("", {})).body).slice(1)).sid}`;
    assert.equal(await (await post(sid, "40")).text(), "ok");
    assert.match(String((await poll(sid, {})).body), /^40/);
    await post(sid, `420["message-with-ack","${long}"]`);
    let answer;
    do {
      answer = await poll(sid, { "accept-encoding": accept });
      const body = answer.coding === "gzip" ? gunzipSync(answer.body) : answer.body;
      answer.text = String(body);
    } while (!answer.text.includes("430["));
    assert.equal(answer.coding, compressed ? "gzip" : undefined);
    assert.ok(answer.text.endsWith(`430["${long}"]`));
    await post(sid, "1");
  }
});
