// A server for clients of Socket.IO 2: that of 2.5, or, with the argument 3.1, that of 3.1,
// which also speaks Engine.IO 3. It prints its port.
import { createServer } from "node:http";
import { createRequire } from "node:module";

const http = createServer((_, res) => res.writeHead(404).end());
let io;
if (process.argv[2] === "3.1") {
  const { Server } = createRequire(new URL("../../../e2e/package.json", import.meta.url))("socket.io-3.1");
  io = new Server(http, { allowEIO3: true });
} else {
  io = createRequire(import.meta.url)("socket.io-2")(http);
}
for (const name of ["/", "/other"]) {
  io.of(name).on("connection", (socket) => {
    socket.on("echo", (...args) => args.pop()(...args));
    socket.on("again", (...args) => socket.emit("again", ...args));
    socket.on("burst", (n) => { for (let i = 0; i < n; i++) socket.emit("n", i); });
  });
}
http.listen(0, "127.0.0.1", () => console.log(http.address().port));
process.stdin.on("end", () => process.exit()).resume();
