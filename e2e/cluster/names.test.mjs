// Namespaces, rooms and events of all sorts of names.
import assert from "node:assert/strict";
import { namespaces } from "./shared.mjs";
import { adapter, ask, connect, directions, goServer, next, nodeServer, order, reaches, test } from "./support.mjs";

const rooms = [
  "#", "a#b", "*", "[a]", "a?b", "\\", "ünïcode 世界 \u{1F600}", " ", "line\nbreak", "\u0000", "42", "-1.5", "a,b", "\"", "'",
  "exactly20characters!", "x".repeat(2000), "/", "__proto__", "constructor", "request", "null", "", `${process.env.PREFIX}#/#`,
];

// The sharded adapter of Node ends the subscription of such a namespace with the room's.
const likeARoom = adapter !== "sharded";

const events = [
  "", " ", "a b", "ünïcode 世界", "\u0000\n\"\\", "__proto__", "constructor", "toString", "message", "open", "ping", "42", "42[\"x\"]",
  "x".repeat(2000), "uid", "requestId", "connection", "error",
];

directions(({ from, meet }) => {
  for (const nsp of [...namespaces.filter((name) => name !== "/control" && (likeARoom || name !== "/chat#lobby")), "/dynamic-1"]) {
    test(`namespace ${nsp}`, async (t) => {
      const { f1, t1, t2 } = await meet(t, ["f1", "t1", "t2"], { nsp });
      const other = await connect(t, t1.io.uri === goServer.url ? goServer : await nodeServer(), { nsp: nsp === "/chat" ? "/" : "/chat" });
      await ask(other, "enter", "lobby");
      other.onAny((event) => assert.fail(`${event} is heard in ${other.nsp}`));
      await ask(t1, "enter", "lobby");
      await reaches(f1, t1, "lobby");
      const said = next(t1, "said");
      await order(f1, { op: "emit", event: "said", to: ["lobby"] }, "x", Buffer.from([1]));
      assert.deepEqual(await said, ["x", Buffer.from([1])]);
      for (const client of [f1, t1, t2]) client.on("name?", (ack) => ack(client.id));
      const replies = await order(f1, { op: "ask", event: "name?", timeout: 20_000 });
      assert.deepEqual(replies.sort(), [f1.id, t1.id, t2.id].sort());
      const [sockets] = await order(f1, { op: "fetch", to: ["lobby"] });
      assert.deepEqual(sockets.map(({ id }) => id), [t1.id]);
      assert.equal((await order(f1, { op: "consult", event: "name?", timeout: 20_000 })).length, 1);
      const left = next(t2, "disconnect");
      await order(f1, { op: "disconnect", except: ["lobby", f1.id] });
      await left;
    });
  }

  if (likeARoom) {
    test("a namespace whose name continues another's like a room", async (t) => {
      const inside = await meet(t, ["f1", "t1"], { nsp: "/chat" });
      const beside = await meet(t, ["f1", "t1"], { nsp: "/chat#lobby" });
      for (const enters of [true, false, true]) { // a room comes and goes, and the namespace stays
        if (enters) await ask(inside.t1, "enter", "lobby");
        if (enters) await reaches(inside.f1, inside.t1, "lobby");
        else await order(inside.t1, { op: "leave", to: [inside.t1.id], rooms: ["lobby"] });
        await reaches(beside.f1, beside.t1);
        await reaches(beside.t1, beside.f1);
      }
      beside.t1.on("said", () => assert.fail("it is heard in the other namespace"));
      const said = next(inside.t1, "said");
      await order(inside.f1, { op: "emit", event: "said", to: ["lobby"] });
      await said;
      await reaches(beside.f1, beside.t1);
    });
  }

  test("rooms", async (t) => {
    const { f1, t1, t2 } = await meet(t, ["f1", "t1", "t2"]);
    t2.on("said", (room) => assert.fail(`room ${JSON.stringify(room)} is heard outside`));
    for (const room of rooms) {
      await ask(t1, "enter", room);
      await reaches(f1, t1, room);
      const said = next(t1, "said");
      await order(f1, { op: "emit", event: "said", to: [room], except: [`not ${room}`] }, room);
      assert.deepEqual(await said, [room]);
      const [[socket]] = await order(f1, { op: "fetch", to: [room] });
      assert.deepEqual(socket?.rooms.sort(), [t1.id, room].sort());
      assert.deepEqual(await order(f1, { op: "count", except: [room] }), [2]);
      await order(f1, { op: "leave", to: [room], rooms: [room] });
      await reaches(f1, t2);
    }
  });

  if (from === "node") {
    test("rooms that are numbers", async (t) => {
      const { f1, t1 } = await meet(t, ["f1", "t1"]);
      await ask(t1, "enter", "42", "1.5");
      for (const room of [42, 1.5]) {
        await reaches(f1, t1, room);
        const said = next(t1, "said");
        await order(f1, { op: "emit", event: "said", to: [room, 43] });
        await said;
      }
    });
  }

  test("events", async (t) => {
    const { f1, t1 } = await meet(t, ["f1", "t1"]);
    const heard = [];
    t1.onAny((...args) => heard.push(args));
    const last = next(t1, "last");
    for (const event of events) await order(f1, { op: "emit", event }, event, Buffer.from([1]));
    await order(f1, { op: "emit", event: "last" });
    await last;
    assert.deepEqual(heard.slice(0, -1), events.map((event) => [event, event, Buffer.from([1])]));
  });
});
