// A client that was cut off comes back to the other server: f is where it was,
// t is where it comes back to.
import assert from "node:assert/strict";
import { after } from "node:test";
import { createClient } from "redis";
import { ask, directions, eventually, goServer, next, nodeServer, order, reaches, test } from "./support.mjs";

const redis = createClient({ url: process.env.REDIS_URL });
after(() => redis.disconnect());
await redis.connect();

/** Cuts a client off, and resolves when no server has it any more. */
async function cut(client, witness) {
  const gone = next(client, "disconnect");
  client.io.engine.transport.ws.terminate();
  await gone;
  await eventually("it is gone", async () => !(await order(witness, { op: "fetch" }))[0].some(({ id }) => id === client.last.id));
  await eventually("its session is kept", () => redis.exists(`${process.env.PREFIX}:${client.last.pid}`));
}

/** Has a client come back to a server. */
async function back(client, server) {
  client.io.uri = server.url;
  const connected = next(client, "connect");
  client.connect();
  await connected;
}

function remember(client) {
  client.last = { id: client.id, pid: client._pid };
}

const withoutOffset = (list) => list.map((args) => args.slice(0, -1));

directions(({ from, to, meet }) => {
  const server = async (kind) => (kind === "go" ? goServer : await nodeServer());

  test("rooms, data, and what was missed", async (t) => {
    const { f1, f2, t1 } = await meet(t, ["f1", "f2", "t1"]);
    await ask(f1, "enter", "lobby");
    await reaches(t1, f1, "lobby");
    const heard = [];
    f1.on("said", (...args) => heard.push(args));
    for (const [there, witness] of [[to, t1], [from, f2], [to, t1]]) {
      remember(f1);
      await cut(f1, witness);
      heard.length = 0;
      for (const [by, n] of [[t1, 1], [f2, 2]]) {
        await order(by, { op: "emit", event: "said", to: ["lobby"] }, n, "text");
        await order(by, { op: "emit", event: "said", to: ["lobby", "bar"] }, n, Buffer.from([n]), { deep: [null, Buffer.from([0])] });
        await order(by, { op: "emit", event: "said", to: ["bar"] }, "for others");
        await order(by, { op: "emit", event: "said", except: ["lobby"] }, "for others");
        await order(by, { op: "emit", event: "said", to: [f1.last.id] }, n);
        await reaches(by, by === t1 ? f2 : t1); // one after the other
      }
      await back(f1, await server(there));
      assert.equal(f1.recovered, true);
      assert.equal(f1.id, f1.last.id);
      assert.deepEqual(await ask(f1, "recovered"), [true]);
      assert.deepEqual(
        withoutOffset(heard),
        [1, 2].flatMap((n) => [[n, "text"], [n, Buffer.from([n]), { deep: [null, Buffer.from([0])] }], [n]]),
      );
      await reaches(f2, f1, "lobby");
      const [[socket]] = await order(witness, { op: "fetch", to: [f1.id] });
      assert.deepEqual(socket.data, { name: "f1" });
      assert.deepEqual(socket.rooms.sort(), [f1.id, "lobby"].sort());
    }
  });

  test("a session is resumed once", async (t) => {
    const { f1, f2, t1 } = await meet(t, ["f1", "f2", "t1"]);
    await reaches(t1, f1);
    remember(f1);
    const { pid, offset } = { pid: f1._pid, offset: f1._lastOffset };
    await cut(f1, t1);
    await back(f1, await server(to));
    assert.equal(f1.recovered, true);
    f1.disconnect(); // a live one would give way to who has its secret
    f2.disconnect();
    await eventually("they are gone", async () => (await order(t1, { op: "count" }))[0] === 1);
    Object.assign(f2, { _pid: pid, _lastOffset: offset });
    await back(f2, await server(to));
    assert.equal(f2.recovered, false);
    assert.notEqual(f2.id, f1.last.id);
  });

  test("who was disconnected by a server begins anew", async (t) => {
    const { f1, t1 } = await meet(t, ["f1", "t1"]);
    await reaches(t1, f1);
    remember(f1);
    const gone = next(f1, "disconnect");
    await order(t1, { op: "disconnect", to: [f1.id] });
    await gone;
    await back(f1, await server(to));
    assert.equal(f1.recovered, false);
    assert.notEqual(f1.id, f1.last.id);
  });

  test("across what the stream does not keep any more nobody recovers", async (t) => {
    const { f1, t1 } = await meet(t, ["f1", "t1"]);
    await reaches(t1, f1);
    remember(f1);
    await cut(f1, t1);
    await order(t1, { op: "emit", event: "said" });
    await reaches(t1, t1);
    await redis.sendCommand(["XTRIM", process.env.PREFIX, "MAXLEN", "=", "0"]);
    await back(f1, await server(to));
    assert.equal(f1.recovered, false);
    await reaches(t1, f1);
  });
});
