// The Node server that the Go client is tested against. It prints its port.
// usage: node server.mjs 4.8|3.1 [port]
import { createServer } from "node:http";

const [version = "4.8", port = "0"] = process.argv.slice(2);
const module = await import(version === "4.8" ? "socket.io" : `socket.io-${version}`);
const { Server } = module.Server ? module : module.default;

const http = createServer((_, res) => res.writeHead(404).end());
const io = new Server(http, {
  pingInterval: 1000,
  pingTimeout: 1000,
  ...(version === "4.8" && { connectionStateRecovery: {} }),
});

const records = new Map();
for (const name of ["/", "/other"]) serve(io.of(name));
serve(io.of(/^\/dynamic-\d+$/));
const auth = io.of("/auth");
auth.use((socket, next) => {
  if (socket.handshake.auth.token === "secret") return next();
  const error = new Error("not authorized");
  error.data = { code: 42 };
  next(error);
});
serve(auth);

function serve(namespace) {
  namespace.on("connection", (socket) => {
    socket.on("echo", (...args) => args.pop()(...args));
    socket.on("again", (...args) => socket.emit("again", ...args));
    socket.on("ask", (event, args) => socket.emit(event, ...args, (...answer) => socket.emit("asked", ...answer)));
    socket.on("late", (ms, ack) => setTimeout(() => ack("late"), ms));
    socket.on("silence", () => {});
    socket.on("auth", (ack) => ack(socket.handshake.auth));
    socket.on("header", (name, ack) => ack(socket.handshake.headers[name] ?? ""));
    socket.on("query", (name, ack) => ack(socket.handshake.query[name] ?? ""));
    socket.on("join", (room, ack) => { socket.join(room); ack(); });
    socket.on("to", (room, event, ...args) => namespace.to(room).emit(event, ...args));
    socket.on("burst", (n) => { for (let i = 0; i < n; i++) socket.emit("n", i); });
    socket.on("record", (key, n, ack) => {
      if (!records.has(key)) records.set(key, []);
      records.get(key).push(n);
      ack?.();
    });
    socket.on("recorded", (key, ack) => ack(records.get(key) ?? []));
    socket.on("leave", () => socket.disconnect());
  });
}

http.listen(Number(port), "127.0.0.1", () => console.log(http.address().port));
process.stdin.on("end", () => process.exit()).resume();
