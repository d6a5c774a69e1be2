import assert from "node:assert/strict";
import { describe } from "node:test";
import { io } from "socket.io-client";
import { ask, connected, test, url } from "./clients.mjs";
import { network } from "./network.mjs";

const ways = { polling: ["polling"], websocket: ["websocket"], upgrading: ["polling", "websocket"] };

for (const [way, transports] of Object.entries(ways)) {
  describe(`client 4.8, ${way}`, () => {
    test("with retries every event is handled at least once, in order, however often the network is cut", async (t) => {
      const net = await network(t);
      const options = { transports, forceNew: true, reconnectionDelay: 5, reconnectionDelayMax: 20 };
      const sender = io(net.url, { ...options, retries: 50, ackTimeout: 5_000 });
      const witness = io(url, options);
      t.after(() => [sender, witness].forEach((socket) => socket.io._close()));
      await Promise.all([connected(sender), connected(witness)]);
      await ask(witness, "join", `retries, ${way}`);

      const total = 100;
      const received = [];
      let connections = 0;
      sender.on("connect", () => connections++);
      const finished = new Promise((resolve) => {
        witness.on("said", (n) => {
          received.push(n);
          if (n === total - 1) resolve();
          if (n % 10 !== 5 || received.indexOf(n) < received.length - 1) return;
          net.down(); // before the answer has come, or behind it
          setTimeout(net.up, 10);
        });
      });
      for (let n = 0; n < total; n++) sender.emit("announce", [`retries, ${way}`], n);
      await finished;
      const distinct = received.filter((n, i) => n !== received[i - 1]);
      assert.deepEqual(distinct, Array.from({ length: total }, (_, n) => n));
      assert.ok(connections > 0, "it was never cut off");
    });
  });
}
