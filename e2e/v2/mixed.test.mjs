import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { io } from "socket.io-client";
import { ask, connected, matrix, next, test, url } from "../client/clients.mjs";

matrix(({ connect }) => {
  // A client of today beside one of v2.
  async function company(t) {
    const old = await connect(t);
    const current = io(url, { transports: old.io.opts.transports, forceNew: true, reconnection: false });
    t.after(() => current.io._close());
    await connected(current);
    return { old, current, room: randomUUID() };
  }

  test("clients of two generations talk to each other", async (t) => {
    const { old, current, room } = await company(t);
    await Promise.all([ask(old, "join", room), ask(current, "join", room)]);
    for (const [speaker, listener] of [
      [old, current],
      [current, old],
    ]) {
      const said = next(listener, "said");
      await ask(speaker, "say", [room], "é😀", { deep: [Buffer.from([1, 2]), Buffer.from([])] });
      assert.deepEqual(await said, ["é😀", { deep: [Buffer.from([1, 2]), Buffer.from([])] }]);
    }
  });

  test("both hear what is said to all", async (t) => {
    const { old, current, room } = await company(t);
    await Promise.all([ask(old, "join", room), ask(current, "join", room)]);
    const said = Promise.all([next(old, "said"), next(current, "said")]);
    await ask(old, "announce", [room], Buffer.from("to all"));
    assert.deepEqual(await said, [[Buffer.from("to all")], [Buffer.from("to all")]]);
  });

  test("the id that the client makes is one that others reach it by", async (t) => {
    const { old, current } = await company(t);
    const said = next(old, "said");
    await ask(current, "say", [old.id], "psst");
    assert.deepEqual(await said, ["psst"]);
  });
});
