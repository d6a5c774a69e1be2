// The matrix: every supported release of the official client, or the one that
// SOCKETIO_CLIENT names, over every way to connect. Tests say matrix(({ connect, ... }) => { test(...) }) and run
// once for each.
import { createRequire } from "node:module";
import { describe, test as nodeTest } from "node:test";

const require = createRequire(import.meta.url);

export const url = process.env.SOCKETIO_URL ?? "http://127.0.0.1:3000";

const releases = [
  { release: "4.8", package: "socket.io-client", hasTimeout: true, hasEmitWithAck: true, splitsPayloads: true },
  { release: "4.0", package: "socket.io-client-4.0" },
  { release: "3.1", package: "socket.io-client-3.1" },
  { release: "2.5", package: "socket.io-client-2.5", isV2: true }, // only if named: the server must let it in
].filter(({ release, isV2 }) => (process.env.SOCKETIO_CLIENT ? release === process.env.SOCKETIO_CLIENT : !isV2));

const ways = [
  { way: "polling", transports: ["polling"] },
  { way: "websocket", transports: ["websocket"] },
  { way: "upgrading", transports: ["polling", "websocket"] },
];

/** Runs define once for each client and way, inside a describe of its own, all at once if asked to. */
export function matrix(define, { concurrency = false } = {}) {
  describe("matrix", { concurrency }, () => {
    for (const client of releases) {
      const exported = require(client.package);
      const io = exported.io ?? exported; // v2 exports the function itself
      for (const { way, transports } of ways) {
        const open = (t, namespace = "/", options = {}, server = url) => {
          const socket = io(server + namespace, { transports, forceNew: true, reconnection: false, ...options });
          t.after(() => (client.isV2 ? socket.io.close() : socket.io._close()));
          return socket;
        };
        const connect = async (t, namespace, options, server) => {
          const socket = open(t, namespace, options, server);
          await connected(socket);
          return socket;
        };
        describe(`client ${client.release}, ${way}`, () => define({ ...client, way, open, connect }));
      }
    }
  });
}

/** A test that does not wait for ever. */
export function test(name, define) {
  nodeTest(name, { timeout: 15_000 }, define);
}

/** Resolves when socket is connected, rejects when it is refused. */
export function connected(socket) {
  return new Promise((resolve, reject) => {
    socket.once("connect", resolve);
    socket.once("connect_error", reject);
    // In v2 a refusal is an error, and so is an attempt to connect that failed.
    socket.on("error", (error) => error instanceof Error || reject(error));
  });
}

/** Resolves to the arguments of the next event. */
export function next(emitter, event) {
  return new Promise((resolve) => emitter.once(event, (...args) => resolve(args)));
}

/** Emits and resolves to the arguments of the answer. */
export function ask(socket, event, ...args) {
  return new Promise((resolve) => socket.emit(event, ...args, (...answer) => resolve(answer)));
}

/** Resolves when the client is on WebSocket. */
export async function upgraded(socket) {
  const { engine } = socket.io;
  if (engine.transport.name !== "websocket") await next(engine, "upgrade");
}
