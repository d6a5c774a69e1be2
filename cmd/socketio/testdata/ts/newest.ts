// What must compile with the newest socket.io-client only.
import { io } from "socket.io-client";
import type { NamesSocket } from "../../internal/contract/testdata/uses";
import type { Binary, ClientSocket, Failure, Item } from "../../internal/contract/testdata/mapped";

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
function same<A, B>(_: Same<A, B>) {}

const socket: ClientSocket = io();
const names: NamesSocket = io("/names");

async function calls() {
  const item = await socket.emitWithAck("lookup", "id");
  same<typeof item, Item | Failure>(true);
  const first = await socket.emitWithAck("split", 1, 2, null, "user", null);
  same<typeof first, Item | Failure>(true);
  // The types of socket.io-client have no result here; the callback below has one.
  const late = await socket.timeout(1000).emitWithAck("lookup", "id");
  same<typeof late, any>(true);
  const n = await names.emitWithAck("answered", "text");
  same<typeof n, number | Failure>(true);
}
socket.timeout(1000).emit("lookup", "id", (error, item) => {
  same<typeof error, Error>(true);
  same<typeof item, Item | Failure>(true);
});
socket.volatile.emit("string", "text");
socket.compress(false).emit("bytes", new Uint8Array() satisfies Binary);
void calls;
