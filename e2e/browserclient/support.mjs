// Tools for the tests of the browser client: the client itself, loaded as a page would have it,
// a TCP proxy to break connections with, and a scripted Engine.IO server for what a healthy
// server never does.
import { once } from "node:events";
import http from "node:http";
import { createRequire } from "node:module";
import net from "node:net";
import { test as nodeTest } from "node:test";
import { WebSocket, WebSocketServer } from "ws";

// Node 20 has fetch and Blob like a browser, but no WebSocket.
globalThis.WebSocket = WebSocket;

export const io = createRequire(import.meta.url)("../../browser/socket.io.js");

/** The server under test. */
export const url = process.env.SOCKETIO_URL ?? "http://127.0.0.1:3000";

/** The ways to connect, by name. */
export const ways = {
  default: undefined,
  polling: ["polling"],
  websocket: ["websocket"],
  upgrading: ["polling", "websocket"],
};

/** A test that does not wait for ever. */
export function test(name, define) {
  nodeTest(name, { timeout: 15_000 }, define);
}

/** A socket that goes away with the test t. */
export function open(t, address, options = {}) {
  const socket = io(address, { forceNew: true, reconnectionDelay: 1, reconnectionDelayMax: 10, ...options });
  t.after(() => socket.io.close());
  return socket;
}

/** Resolves to the arguments of the next event. */
export function next(emitter, event) {
  return new Promise((resolve) => emitter.once(event, (...args) => resolve(args)));
}

/** Resolves to the arguments of the next n events. */
export function take(emitter, event, n) {
  return new Promise((resolve) => {
    const events = [];
    emitter.on(event, (...args) => {
      events.push(args);
      if (events.length === n) resolve(events);
    });
  });
}

/** What promise resolves to, unless the connection breaks before, which loses events. */
export function unbroken(socket, promise) {
  const broken = next(socket, "disconnect").then(([reason]) => {
    throw new Error(`the connection broke: ${reason}`);
  });
  return Promise.race([promise, broken]);
}

/** A socket that is connected. */
export async function connect(t, address, options) {
  const socket = open(t, address, options);
  await next(socket, "connect");
  return socket;
}

/** Emits and resolves to the arguments of the answer. */
export function ask(socket, event, ...args) {
  return new Promise((resolve) => socket.emit(event, ...args, (...answer) => resolve(answer)));
}

/** The bytes of an ArrayBuffer as an array of numbers. */
export function bytes(buffer) {
  if (!(buffer instanceof ArrayBuffer)) throw new TypeError("not an ArrayBuffer");
  return Array.from(new Uint8Array(buffer));
}

/**
 * Starts a TCP proxy in front of the server under test. With block, connections that ask for a
 * WebSocket are cut ("refuse") or never answered ("swallow").
 */
export async function startProxy(t, { block } = {}) {
  const target = new URL(url);
  const open = new Set();
  let down = false;
  const server = net.createServer((client) => {
    if (down) return client.destroy();
    const track = (socket) => {
      open.add(socket);
      socket.on("error", () => {}).on("close", () => open.delete(socket));
    };
    track(client);
    client.once("data", (head) => {
      const blocked = block && head.includes("transport=websocket");
      if (blocked && block === "refuse") client.destroy();
      if (blocked) return;
      const upstream = net.connect(Number(target.port || 80), target.hostname);
      track(upstream);
      upstream.write(head);
      client.pipe(upstream).pipe(client);
      client.on("close", () => upstream.destroy());
      upstream.on("close", () => client.destroy());
    });
  });
  const destroyAll = () => open.forEach((socket) => socket.destroy());
  // Cuts every connection and those that follow, until noticed resolves: between two polls there
  // may be nothing to cut.
  const cut = async (noticed) => {
    down = true;
    destroyAll();
    await noticed;
    down = false;
  };
  const listen = async (port) => {
    server.listen(port, "127.0.0.1");
    await once(server, "listening");
  };
  const stop = async () => {
    destroyAll();
    if (server.listening) await new Promise((resolve) => server.close(resolve));
  };
  t.after(stop);
  await listen(0);
  const { port } = server.address();
  return { url: `http://127.0.0.1:${port}`, cut, stop, start: () => listen(port) };
}

/** Values that come and are waited for, in order. */
class Queue {
  #values = [];
  #waiting = [];

  push(value) {
    if (this.#waiting.length > 0) this.#waiting.shift()(value);
    else this.#values.push(value);
  }

  next() {
    if (this.#values.length > 0) return Promise.resolve(this.#values.shift());
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** What has come and nobody has waited for. */
  get rest() {
    return this.#values.slice();
  }
}

const hello = { sid: "scripted", upgrades: [], pingInterval: 10_000, pingTimeout: 10_000, maxPayload: 1000 };

/**
 * Starts a server that does exactly what the test tells it. It makes the Engine.IO handshake and
 * leaves the rest to the test, through two queues: sessions has the WebSockets that were opened,
 * each with a queue of the messages it received; requests has the HTTP requests after the
 * handshake, each as {method, body, respond(text, status)}.
 */
export async function startScripted(t, handshake = {}) {
  const opening = "0" + JSON.stringify({ ...hello, ...handshake });
  const sessions = new Queue();
  const requests = new Queue();
  const server = http.createServer(async (req, res) => {
    const respond = (text, status = 200) => res.writeHead(status).end(text);
    let body = "";
    for await (const chunk of req.setEncoding("utf8")) body += chunk;
    const sid = new URL(req.url, "http://scripted").searchParams.get("sid");
    if (sid) requests.push({ method: req.method, body, respond });
    else respond(opening);
  });
  const wss = new WebSocketServer({ server });
  wss.on("connection", (ws, req) => {
    const received = new Queue();
    ws.on("message", (data, binary) => received.push(binary ? data : data.toString()));
    const sid = new URL(req.url, "http://scripted").searchParams.get("sid");
    if (!sid) ws.send(opening);
    const session = { ws, sid, receive: () => received.next(), received };
    session.send = (...messages) => messages.forEach((message) => ws.send(message));
    sessions.push(session);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(async () => {
    wss.clients.forEach((ws) => ws.terminate());
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    session: () => sessions.next(),
    request: () => requests.next(),
    sessions,
    requests,
  };
}
