import assert from "node:assert/strict";
import { Agent } from "node:http";
import { connect as dial } from "node:net";
import { ask, matrix, test, upgraded } from "./clients.mjs";

const count = 10_000;

// A Gate holds back the WebSocket connections of a client until it is opened.
class Gate extends Agent {
  #opened = new Promise((resolve) => (this.open = resolve));

  createConnection(options, done) {
    const held = options.headers.Upgrade === "websocket" ? this.#opened : Promise.resolve();
    held.then(() => done(null, dial(options)));
  }
}

matrix(({ way, connect }) => {
  // Counts the ticks that arrive and notes the first that is not the next.
  function watch(socket) {
    const ticks = { received: 0, wrong: undefined };
    let waiting = [];
    socket.on("tick", (i) => {
      if (i !== ticks.received) ticks.wrong ??= `tick ${i} in place of ${ticks.received}`;
      ticks.received++;
      waiting = waiting.filter(([n, resolve]) => ticks.received < n || resolve());
    });
    ticks.reach = (n) => ticks.received < n && new Promise((resolve) => waiting.push([n, resolve]));
    return ticks;
  }

  test(`${count} numbered events each way, all at once, keep their order`, async (t) => {
    const socket = await connect(t);
    const ticks = watch(socket);
    socket.emit("burst", 0, count);
    for (let i = 0; i < count; i++) socket.emit("number", i);
    const [tally] = await ask(socket, "tally");
    await ticks.reach(count);
    assert.deepEqual(tally, { received: count, wrong: 0 });
    assert.equal(ticks.wrong, undefined);
    assert.equal(ticks.received, count);
  });

  if (way === "upgrading") {
    test(`${count} numbered events each way, before, during and after the upgrade, keep their order`, async (t) => {
      const gate = new Gate();
      t.after(() => gate.destroy());
      const socket = await connect(t, "/", { agent: gate });
      const ticks = watch(socket);

      // Wave after wave, so that every phase of the upgrade sees traffic.
      let sent = 0;
      const wave = async () => {
        const n = 100;
        socket.emit("burst", sent, n);
        for (let i = 0; i < n; i++) socket.emit("number", sent++);
        await ticks.reach(sent);
      };
      while (sent < count / 4) await wave();
      assert.equal(socket.io.engine.transport.name, "polling");
      gate.open();
      let sentBeforeUpgrade;
      upgraded(socket).then(() => (sentBeforeUpgrade = sent));
      while (!(sent >= count && sent >= sentBeforeUpgrade + count / 4)) await wave();

      const [tally] = await ask(socket, "tally");
      assert.deepEqual(tally, { received: sent, wrong: 0 });
      assert.equal(ticks.wrong, undefined);
      assert.equal(ticks.received, sent);
    });
  }
});
