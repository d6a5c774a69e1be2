// Each line with a comment must not compile, and no other.
import { io } from "socket.io-client";
import type { AdminUsersSocket, NamesSocket } from "../../internal/contract/testdata/uses";
import type { ClientSocket } from "../../internal/contract/testdata/mapped";

const socket: ClientSocket = io();
const names: NamesSocket = io("/names");
const admin: AdminUsersSocket = io("/admin/users");

socket.emit("strnig", "text"); // error: wrong name
socket.on("strnig", () => {}); // error: wrong name
names.on("plain", () => {}); // error: wrong direction
admin.emit("kicked", "who"); // error: wrong direction
admin.on("warned", () => {}); // error: wrong direction
socket.emit("string", 1); // error: wrong argument
socket.emit("string"); // error: missing argument
socket.emit("string", "a", "b"); // error: too many arguments
socket.emit("string", null); // error: null
socket.emit("bytes", "text"); // error: text for binary data
socket.emit("move", 1, 2, null, "user"); // error: missing argument
socket.emit("enums", { color: "yellow", level: 10, ratio: 0.5, user: "u", colors: null, maybe: null }); // error: no constant
socket.emit("page", { items: [{ id: "a" }] }); // error: missing property
socket.emit("nothing", 1); // error: too many arguments
socket.emit("lookup", "id"); // error: missing ack
socket.emit("lookup", "id", (n: number) => n); // error: wrong answer type
socket.emit("lookup", "id", (item) => item.price); // error: the answer may be an error
socket.on("string", (n: number) => n); // error: wrong argument
socket.on("nulls", (n) => n.slice.length); // error: null
socket.on("tags", (t) => t.emptyString.length); // error: optional
socket.on("any", (a) => a.length); // error: unknown
socket.on("lookup", (id, answer) => answer(id)); // error: wrong answer type
names.emit("result", "text", () => {}); // error: no ack
names.emit("variadic", "first", "second"); // error: wrong argument
