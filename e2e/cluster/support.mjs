// A mixed cluster for the tests: the Go server at GO_URL, a Node server of its
// own, and official clients on both.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { after, describe, test as nodeTest } from "node:test";
import { fileURLToPath } from "node:url";
import { Manager } from "socket.io-client";

export const adapter = process.env.ADAPTER;

/** A test that does not wait for ever. */
export function test(name, define) {
  nodeTest(name, { timeout: 60_000 }, define);
}

/** Starts a Node server. It is killed with this process, if not before. */
export async function startNode(name = "node", env = {}) {
  const child = spawn(process.execPath, [fileURLToPath(new URL("server.mjs", import.meta.url))], {
    env: { ...process.env, NAME: name, ...env },
    stdio: ["pipe", "pipe", "pipe"],
  });
  let complaints = "";
  child.stderr.on("data", (data) => (complaints += data));
  child.exited = once(child, "exit");
  const [url] = await Promise.race([
    once(createInterface(child.stdout), "line"),
    child.exited.then(() => Promise.reject(new Error(`the Node server did not start: ${complaints}`))),
  ]);
  return {
    name,
    kind: "node",
    url,
    freeze: () => child.kill("SIGSTOP"),
    thaw: () => child.kill("SIGCONT"),
    kill: () => (child.kill("SIGKILL"), child.exited),
    /** Ends the server, and fails if it was dead already or has complained. */
    async end() {
      const died = child.exitCode ?? child.signalCode;
      child.kill("SIGKILL");
      await child.exited;
      if (died !== null || complaints) throw new Error(`the Node server ended with ${died}: ${complaints}`);
    },
  };
}

/** The Go server that was started for this file. */
export const goServer = { name: "go", kind: "go", url: process.env.GO_URL };

/** Connects a client. Options besides those of a manager: nsp and auth. */
export async function connect(t, server, { nsp = "/", auth, ...options } = {}) {
  const manager = new Manager(server.url, { transports: ["websocket"], reconnection: false, ...options });
  t.after(() => manager._close());
  const socket = manager.socket(nsp, { auth });
  await Promise.race([next(socket, "connect"), next(socket, "connect_error").then(([error]) => Promise.reject(error))]);
  return socket;
}

/** Resolves to the arguments of the next event. */
export function next(emitter, event) {
  return new Promise((resolve) => emitter.once(event, (...args) => resolve(args)));
}

/** Resolves to the arguments of the answer. */
export function ask(socket, event, ...args) {
  return new Promise((resolve) => socket.emit(event, ...args, (...answer) => resolve(answer)));
}

/** Has a server carry out an order; resolves to the results, and fails with its error. */
export async function order(socket, what, ...args) {
  const [error, ...results] = await attempt(socket, what, ...args);
  if (error) throw new Error(`${JSON.stringify(what)}: ${error}`);
  return results;
}

/** As order, but resolves to the error and the results. */
export function attempt(socket, what, ...args) {
  return ask(socket, "do", what, ...args);
}

/** Tries until f resolves to something, or a deadline. */
export async function eventually(what, f) {
  for (const end = Date.now() + 20_000; Date.now() < end; ) {
    const found = await f();
    if (found) return found;
    await new Promise((resolve) => setImmediate(resolve));
  }
  throw new Error(`not within 20 seconds: ${what}`);
}

/** Resolves to the next event's arguments, or to nothing if it takes long. */
function soon(emitter, event) {
  return new Promise((resolve) => {
    const heard = (...args) => {
      clearTimeout(timer);
      resolve(args);
    };
    const timer = setTimeout(() => {
      emitter.off(event, heard);
      resolve();
    }, 250);
    emitter.once(event, heard);
  });
}

let probes = 0;

/**
 * Resolves when what a server emits to a room, or to all, reaches a client. Each try has a
 * name of its own and what one server sends keeps its order, so no probe comes after that.
 */
export async function reaches(from, client, ...rooms) {
  await eventually(`${from.id} reaches ${client.id} in ${rooms}`, async () => {
    const event = `probe ${probes++}`;
    const heard = soon(client, event);
    await order(from, { op: "emit", to: rooms, event });
    return heard;
  });
}

/** Resolves when two servers hear each other: their events and their questions. */
export async function acquainted(one, two) {
  for (const [from, to] of [[one, two], [two, one]]) {
    await reaches(from, to);
    await eventually("the servers know each other", async () => {
      const [error, sockets] = await attempt(from, { op: "fetch", timeout: 500 });
      return !error && sockets.some(({ id }) => id === to.id);
    });
  }
}

let node; // the Node server of this file

// It is alive at the end, and has complained of nothing.
after(async () => (await node)?.end());

/** The Node server of this file, started when it is first asked for. */
export const nodeServer = (env) => (node ??= startNode("node", env));

/**
 * Connects clients by name, and resolves to them when their servers hear each other. The first
 * letter tells the server: g for Go, n for Node.
 */
export async function gather(t, names, options = {}, letters = { g: "go", n: "node" }) {
  const servers = { go: goServer, node: await nodeServer() };
  const clients = {};
  await Promise.all(
    names.map(async (name) => {
      clients[name] = await connect(t, servers[letters[name[0]]], { auth: { data: { name } }, ...options });
    }),
  );
  const first = names[0];
  const other = names.find((name) => name[0] !== first[0]);
  if (other) await acquainted(clients[first], clients[other]);
  if (process.env.VARIANT === "private") { // in which sockets have channels of their own
    for (const name of names) await reaches(clients[name[0] === first[0] ? other : first], clients[name], clients[name].id);
  }
  return clients;
}

/**
 * Runs define for Node to Go and for Go to Node, by the kind of server that acts. Clients that meet
 * are with that server if their names begin with f, with the other one if they begin with t.
 */
export function directions(define) {
  for (const [from, to] of [["node", "go"], ["go", "node"]]) {
    describe(`${adapter}: ${from} to ${to}`, () => {
      define({ from, to, meet: (t, names, options) => gather(t, names, options, { f: from, t: to }) });
    });
  }
}
