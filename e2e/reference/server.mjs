// The fixture on the official Node server, so that the tests of this module
// can themselves be tested: what fails here as well is a wrong test.
// The events are those of ../fixture.
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { Server as EngineServer } from "engine.io";
import { Server } from "socket.io";

const millis = (name, fallback) => Number(process.env[name] ?? fallback);
const options = {
  pingInterval: millis("PING_INTERVAL", 300),
  pingTimeout: millis("PING_TIMEOUT", 200),
  maxHttpBufferSize: 1e6,
  cors: { origin: "*" },
  allowEIO3: Boolean(process.env.ALLOW_EIO3),
};
if (process.env.RECOVERY) options.connectionStateRecovery = { skipMiddlewares: false };
if (process.env.PARSER) options.parser = createRequire(import.meta.url)(process.env.PARSER);
if (process.env.COMPRESSION) {
  options.perMessageDeflate = options.httpCompression = { threshold: Number(process.env.COMPRESSION) };
}

const http = createServer((request, response) => response.writeHead(404).end());

const engine = new EngineServer(options);
engine.attach(http, { path: "/engine.io/", destroyUpgrade: false });
engine.on("connection", (session) => session.on("data", (data) => session.send(data)));

const io = new Server(http, { ...options, connectTimeout: millis("CONNECT_TIMEOUT", 1000), destroyUpgrade: false });

for (const namespace of [io.of("/"), io.of("/custom")]) {
  namespace.on("connection", (socket) => {
    socket.emit("auth", socket.handshake.auth);
    socket.on("message", (...args) => socket.emit("message-back", ...args));
    socket.on("message-with-ack", (...args) => args.pop()(...args));
    socket.on("kick", () => socket.disconnect());
  });
}

io.of("/quiet").on("connection", (socket) => {
  socket.on("shout", (...args) => {
    const ack = args.pop();
    socket.broadcast.emit("said", ...args);
    ack();
  });
});

// Node reads on while handlers run, so these need not run one after another.
for (const [name, delay] of [["/busy", 0], ["/late", 5000]]) {
  io.of(name).on("connection", (socket) => {
    let before = new Promise((resolve) => setTimeout(resolve, delay));
    socket.on("work", (ms, i, ...args) => {
      before = before.then(() => new Promise((resolve) => setTimeout(resolve, ms)));
      before.then(() => args.pop()(i));
    });
  });
}

io.of("/refused").use((socket, next) => next(Object.assign(new Error("not authorized"), { data: { code: "E1" } })));
io.of("/members").use((socket, next) =>
  next(socket.handshake.auth.token === "let me in" ? undefined : new Error("wrong token")),
);
io.of("/members").on("connection", (socket) => socket.emit("auth", socket.handshake.auth));

io.on("connection", (socket) => {
  // As a handler in Go without an answer of its own, answer when asked.
  const on = (event, handler) =>
    socket.on(event, async (...args) => {
      const ack = typeof args.at(-1) === "function" ? args.pop() : () => {};
      const result = await handler(...args);
      result === undefined ? ack() : ack(result);
    });

  on("whoami", () => ({
    id: socket.id,
    transport: socket.conn.transport.name,
    query: socket.handshake.query.visitor ?? "",
    header: socket.handshake.headers["x-visitor"] ?? "",
  }));
  socket.on("ask-me", (...question) => socket.emit("question", ...question, (...answer) => socket.emit("answered", ...answer)));
  let later;
  socket.on("answer-later", (ack) => (later = ack));
  on("answer-now", (...args) => later(...args));
  on("refuse-me", () => ({ error: { message: "not today", data: { code: "E2" } } }));
  on("panic", () => ({ error: { message: "internal error" } }));

  on("join", (...rooms) => (socket.join(rooms), [...socket.rooms]));
  on("leave", (...rooms) => (rooms.forEach((room) => socket.leave(room)), [...socket.rooms]));
  on("say", (rooms, ...args) => void socket.to(rooms).emit("said", ...args));
  on("announce", (rooms, ...args) => void io.to(rooms).emit("said", ...args));
  on("announce-except", (rooms, except, ...args) => void io.to(rooms).except(except).emit("said", ...args));
  on("shout", (...args) => void socket.broadcast.emit("said", ...args));

  on("burst", (from, n) => {
    for (let i = from; i < from + n; i++) socket.emit("tick", i);
  });
  on("burst-volatile", (n) => {
    for (let i = 0; i < n; i++) socket.volatile.emit("tick", i);
    socket.emit("end");
  });
  const tally = { received: 0, wrong: 0 };
  let next = 0;
  on("number", (n) => {
    if (n !== next) tally.wrong++;
    next = n + 1;
    tally.received++;
  });
  on("tally", () => tally);

  on("upload", (file) => file);
  on("decode", (value) => value);
  on("blob", (size) => Buffer.alloc(size, "x"));
  on("text", (size) => "x".repeat(size));
  on("size", (data) => data.length);
  on("length", (text) => Buffer.byteLength(text));

  on("close", () => void socket.disconnect(true));
  on("witness", () => void socket.join("witnesses"));
  socket.on("disconnect", (reason) => io.to("witnesses").emit("left", socket.id, reason));
});

http.listen(Number(process.env.PORT ?? 0), "127.0.0.1", () => {
  const { address, port } = http.address();
  console.log(`listening on ${address}:${port}`);
});
