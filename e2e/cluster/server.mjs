// The Node server of a mixed cluster. It carries out the same orders as the one
// in server_test.go, given through an event "do" in any of its namespaces.
import { createServer } from "node:http";
import { createAdapter, createShardedAdapter } from "@socket.io/redis-adapter";
import { createAdapter as createStreamsAdapter } from "@socket.io/redis-streams-adapter";
import { createClient, createCluster } from "redis";
import { Server } from "socket.io";
import { namespaces, patterns, specimens } from "./shared.mjs";

const { ADAPTER, VARIANT, REDIS_URL, REDIS_CLUSTER, PREFIX, NAME, RECOVERY } = process.env;

// Whoever started this server holds its standard input, and takes it along.
process.stdin.on("end", () => process.exit(0)).resume();

async function connect() {
  const socket = { reconnectStrategy: 20 };
  const client = REDIS_CLUSTER
    ? createCluster({ rootNodes: [{ url: REDIS_URL }], defaults: { socket } })
    : createClient({ url: REDIS_URL, socket });
  client.on("error", () => {}); // connects again by itself
  await client.connect();
  return client;
}

async function adapter() {
  const client = await connect();
  switch (ADAPTER) {
    case "classic":
      return createAdapter(client, await connect(), {
        key: PREFIX,
        requestsTimeout: 1500,
        publishOnSpecificResponseChannel: VARIANT === "specific",
      });
    case "sharded":
      return createShardedAdapter(client, await connect(), {
        channelPrefix: PREFIX,
        subscriptionMode: { private: "dynamic-private", static: "static" }[VARIANT] ?? "dynamic",
      });
    case "streams":
      return createStreamsAdapter(client, {
        streamName: PREFIX,
        channelPrefix: PREFIX,
        sessionKeyPrefix: `${PREFIX}:`,
        blockTimeInMs: 200,
        useShardedPubSub: VARIANT === "sharded",
        streamCount: VARIANT === "spread" ? 3 : 1,
      });
  }
}

const http = createServer((request, response) => response.writeHead(404).end());
const io = new Server(http, {
  adapter: await adapter(),
  connectionStateRecovery: RECOVERY ? { skipMiddlewares: true } : undefined,
});

const texts = (error) => (error ? String(error.message ?? error) : null);
const plain = ({ id, handshake, rooms, data }) => ({ id, handshake, rooms: [...rooms], data });

// Whom an order is for, and how it travels.
function addressed(socket, order) {
  let target = order.socket ? socket.broadcast : io.of(order.nsp ?? socket.nsp.name);
  if (order.to) target = target.to(order.to);
  if (order.except) target = target.except(order.except);
  if (order.local) target = target.local;
  if (order.volatile) target = target.volatile;
  if (order.compress !== undefined) target = target.compress(order.compress);
  if (order.timeout) target = target.timeout(order.timeout);
  return target;
}

const orders = {
  emit: (target, { event }, args) => void target.emit(event, ...args),
  ask: (target, { event }, args) =>
    new Promise((resolve) => target.emit(event, ...args, (error, replies) => resolve([texts(error), ...replies]))),
  fetch: async (target) => [null, (await target.fetchSockets()).map(plain)],
  count: async (target) => [null, (await target.fetchSockets()).length],
  join: (target, { rooms }) => void target.socketsJoin(rooms),
  leave: (target, { rooms }) => void target.socketsLeave(rooms),
  disconnect: (target, { close }) => void target.disconnectSockets(close),
  async each(target, { verb, event, rooms, close, timeout }, args) {
    const sockets = await target.fetchSockets();
    const answers = await Promise.all(
      sockets.map((remote) => {
        switch (verb) {
          case "emit": return void remote.emit(event, ...args);
          case "ask": return remote.timeout(timeout).emitWithAck(event, ...args);
          case "join": return void remote.join(rooms);
          case "leave": return void remote.leave(rooms);
          case "disconnect": return void remote.disconnect(close);
        }
      }),
    );
    return [null, ...answers.map((answer) => answer ?? null)];
  },
};

const serverSide = {
  notify: (nsp, { event }, args) => void nsp.serverSideEmit(event, ...args),
  consult: (nsp, { event }, args) =>
    new Promise((resolve) => nsp.serverSideEmit(event, ...args, (error, replies) => resolve([texts(error), ...(replies ?? error.responses)]))),
  rooms: async (nsp) => [null, [...(await nsp.adapter.allRooms())]],
  servers: async (nsp) => [null, await nsp.adapter.serverCount()],
};

async function perform(socket, order, args) {
  if (order.specimen) args = specimens[order.specimen]();
  const nsp = io.of(order.nsp ?? socket.nsp.name);
  try {
    const result = serverSide[order.op]
      ? await serverSide[order.op](nsp, order, args)
      : await orders[order.op](addressed(socket, order), order, args);
    return result ?? [null];
  } catch (error) {
    return [texts(error)];
  }
}

function serve(namespace) {
  namespace.use((socket, next) => {
    Object.assign(socket.data, socket.handshake.auth.data);
    next();
  });
  namespace.on("connection", (socket) => {
    socket.on("do", async (order, ...args) => {
      const ack = args.pop();
      ack(...(await perform(socket, order, args)));
    });
    socket.on("enter", async (...rooms) => {
      const ack = rooms.pop();
      await socket.join(rooms);
      ack();
    });
    socket.on("rooms", (ack) => ack([...socket.rooms].filter((room) => room !== socket.id)));
    socket.on("data", (ack) => ack(socket.data));
    socket.on("recovered", (ack) => ack(socket.recovered));
  });
  const hear = (nsp) => {
    const report = (event) => nsp.on(event, (...args) => io.of("/control").local.emit("noted", nsp.name, event, ...args));
    report("note");
    nsp.on("name?", (...args) => args.pop()(NAME, "and no more")); // only the first counts
    nsp.on("echo", (...args) => args.pop()(args[0]));
    nsp.on("nothing", (...args) => args.pop()());
  };
  if (namespace.children) io.on("new_namespace", (nsp) => namespace.children.has(nsp) && hear(nsp));
  else hear(namespace);
}

for (const name of namespaces) serve(io.of(name));
for (const pattern of patterns) serve(io.of(pattern));

http.listen(0, "127.0.0.1", () => console.log(`http://127.0.0.1:${http.address().port}`));
