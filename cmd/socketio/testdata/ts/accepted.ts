// What must compile with the generated types and socket.io-client, 4.0 and later.
import { io } from "socket.io-client";
import type { AdminUsersSocket, NamesSocket, OneSocket } from "../../internal/contract/testdata/uses";
import type { Binary, ClientSocket, Color, Failure, Item, Strange, Tree } from "../../internal/contract/testdata/mapped";

// The types are checked in both directions.
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
function same<A, B>(_: Same<A, B>) {}

const socket: ClientSocket = io();
const one: OneSocket = io("/one");
const names: NamesSocket = io("/names");
const admin: AdminUsersSocket = io("/admin/users");

socket.on("string", (s) => same<typeof s, string>(true));
socket.on("bytes", (b) => same<typeof b, Binary | null>(true));
socket.on("tree", (tree) => same<typeof tree.left, Tree | undefined>(true));
socket.on("tags", (tags) => {
  same<typeof tags.emptyList, string[] | undefined>(true);
  same<typeof tags.intText, string>(true);
  same<typeof tags.enumText, "1" | "2" | "10">(true);
});
socket.on("nulls", (n) => same<typeof n.slice, Item[] | null>(true));
socket.on("enums", (e) => same<typeof e.color, Color>(true));
socket.on("maps", (m) => same<typeof m.strings, Record<string, number> | null>(true));
socket.on("any", (a) => same<typeof a, unknown>(true));
socket.on("custom", (c) => same<typeof c.money, { cents: number }>(true));
socket.on("move", (x, y, by, user, data) => same<[typeof x, typeof y, typeof by, typeof user, typeof data], [number, number, Item | null, string, Binary | null]>(true));
socket.on("nothing", () => {});
socket.on("args", (...args) => same<typeof args, unknown[]>(true));
socket.on("an odd name/é", (o) => same<typeof o, Strange>(true));
socket.on("connect", () => {});
socket.on("disconnect", (reason) => same<typeof reason extends string ? true : false, true>(true));

socket.emit("string", "text");
socket.emit("bytes", new Uint8Array(3));
socket.emit("bytes", new ArrayBuffer(3));
socket.emit("bytes", null);
socket.emit("move", 1, 2, null, "user", null);
socket.emit("nothing");
socket.emit("args", 1, "two", {});
socket.emit("empty", {});
socket.emit("page", { items: [{ id: "a", price: 1 }], next: { items: null } });
socket.emit("enums", { color: "red", level: 10, ratio: 0.5, user: "u", colors: null, maybe: "green" });

// Calls: the ack is typed, and may be an error of the other side.
socket.emit("lookup", "id", (item) => {
  same<typeof item, Item | Failure>(true);
  if ("error" in item) {
    same<typeof item.error.message, string>(true);
  } else {
    same<typeof item.price, number>(true);
  }
});
socket.emit("lookup", "id", () => {});
socket.emit("split", 1, 2, null, "user", null, (first, second) => {
  same<typeof first, Item | Failure>(true);
  same<typeof second, Item | undefined>(true);
});
socket.emit("none", (failure) => same<typeof failure, Failure | undefined>(true));
socket.emit("many", 1, 2, (...answer: unknown[]) => answer.length);

// The server asks.
socket.on("lookup", (id, answer) => {
  same<typeof id, string>(true);
  answer({ id, price: 1 });
  answer({ error: { message: "no" } });
});
socket.on("none", (answer) => answer());

one.emit("knock", "who", (door) => same<typeof door extends { state: "open" | "ended" } | Failure ? true : false, true>(true));
one.on("opened", (door) => same<typeof door.state, "open" | "ended">(true));
names.emit("plain", "text", 1);
names.emit("no arguments");
names.emit("variadic", "first", 1, 2, 3);
names.emit("answered", "text", (n) => same<typeof n, number | Failure>(true));
names.emit("confirmed", "text", () => {});
names.emit("args and ack", "text", 1, 2, () => {});
admin.emit("warned", "who");
