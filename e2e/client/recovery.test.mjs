import assert from "node:assert/strict";
import { describe } from "node:test";
import { io } from "socket.io-client";
import { ask, connected, matrix, next, test, upgraded, url } from "./clients.mjs";
import { network } from "./network.mjs";

const ways = { polling: ["polling"], websocket: ["websocket"], upgrading: ["polling", "websocket"] };
// The Node server does not take back a client whose old connection it still
// believes in, as it does between two polls.
if (process.env.REFERENCE) delete ways.polling;

for (const [way, transports] of Object.entries(ways)) {
  describe(`client 4.8, ${way}`, () => {
    function open(t, base, namespace = "/") {
      const socket = io(base + namespace, {
        transports,
        forceNew: true,
        reconnectionDelay: 5,
        reconnectionDelayMax: 20,
      });
      t.after(() => socket.io._close());
      return socket;
    }

    // A client behind a network of its own, and one that is always there.
    async function pair(t, namespace) {
      const net = await network(t);
      const [socket, other] = [open(t, net.url, namespace), open(t, url, namespace)];
      await Promise.all([connected(socket), connected(other)]);
      if (way === "upgrading") await upgraded(socket);
      return { net, socket, other };
    }

    const lost = (socket) => next(socket, "disconnect");

    // What is left of a received event without the offset at its end.
    const collect = (socket) => {
      const received = [];
      socket.on("said", (...args) => received.push(args.slice(0, -1)));
      return received;
    };

    test("what was missed arrives in order, binary included, and rooms are kept", async (t) => {
      const { net, socket, other } = await pair(t);
      assert.equal(socket.recovered, false);
      await ask(socket, "join", "kept", "left");
      await ask(socket, "leave", "left");
      const { id } = socket;
      const received = collect(socket);
      await ask(other, "announce", ["kept"], 0);

      const gone = lost(socket);
      net.down();
      await gone;
      const expected = [[0]];
      for (let i = 1; i < 50; i++) {
        const args = i % 3 ? [i] : [i, Buffer.from([i]), { deep: [Buffer.from("deep"), Buffer.alloc(0)] }];
        expected.push(args);
        await ask(other, "announce", i % 2 ? ["kept"] : ["left", "kept"], ...args);
        await ask(other, "announce", ["left"], "not for it");
        await ask(other, "announce-except", [], ["kept"], "not for it");
      }
      const again = next(socket, "connect"); // after attempts that failed
      net.up();
      await again;
      assert.equal(socket.recovered, true);
      assert.equal(socket.id, id);
      assert.deepEqual(received, expected);

      await ask(other, "announce", ["kept"], "afterwards");
      await ask(socket, "message-with-ack");
      assert.deepEqual(received.at(-1), ["afterwards"]);
      assert.equal(received.length, expected.length + 1);
    });

    test("nothing is lost, doubled or out of order however often the network is cut", async (t) => {
      const { net, socket, other } = await pair(t);
      await ask(socket, "join", "stream");
      const { id } = socket;
      const received = collect(socket);
      const total = 600;
      let finished;
      const finish = new Promise((resolve) => (finished = resolve));
      socket.on("said", (i) => {
        if (i === total - 1) return finished();
        if (i % 50 !== 25) return;
        net.down(); // for some time, as between two polls there is nothing to cut
        setTimeout(net.up, 30);
      });
      let recovered = 0;
      let fresh = 0;
      socket.on("connect", () => (socket.recovered ? recovered++ : fresh++));
      for (let i = 0; i < total; i++) await ask(other, "announce", ["stream"], i, Buffer.from(String(i)));
      await finish;
      assert.deepEqual(received, Array.from({ length: total }, (_, i) => [i, Buffer.from(String(i))]));
      assert.equal(fresh, 0);
      assert.ok(recovered > 0, "it was never cut off");
      assert.equal(socket.id, id);
    });

    test("a client that leaves of its own will begins anew", async (t) => {
      const { socket, other } = await pair(t);
      const { id } = socket;
      const received = collect(socket);
      socket.disconnect();
      await ask(other, "shout", "missed");
      socket.connect();
      await connected(socket);
      assert.equal(socket.recovered, false);
      assert.notEqual(socket.id, id);
      await ask(socket, "message-with-ack");
      assert.deepEqual(received, []);
    });

    test("a client that was thrown out begins anew", async (t) => {
      const { socket } = await pair(t);
      const { id } = socket;
      const gone = lost(socket);
      socket.emit("kick");
      await gone;
      socket.connect();
      await connected(socket);
      assert.equal(socket.recovered, false);
      assert.notEqual(socket.id, id);
    });

    test("every namespace of a connection recovers", async (t) => {
      const { net, socket, other } = await pair(t);
      const [quiet, otherQuiet] = [socket.io.socket("/quiet"), other.io.socket("/quiet")];
      await Promise.all([connected(quiet), connected(otherQuiet)]);
      const [inMain, inQuiet] = [collect(socket), collect(quiet)];
      await ask(otherQuiet, "shout", 0); // the Node server wants it to have received something
      await ask(other, "shout", 0);
      const [gone, again] = [Promise.all([lost(socket), lost(quiet)]), Promise.all([next(socket, "connect"), next(quiet, "connect")])];
      net.down();
      await gone;
      await ask(other, "shout", "main");
      await ask(otherQuiet, "shout", "quiet");
      net.up();
      await again;
      assert.deepEqual([socket.recovered, quiet.recovered], [true, true]);
      assert.deepEqual([inMain, inQuiet], [
        [[0], ["main"]],
        [[0], ["quiet"]],
      ]);
    });

    // Neither does the Node server.
    if (!process.env.REFERENCE) {
      test("a connection that is only half gone is replaced", async (t) => {
        const { net, socket, other } = await pair(t);
        await ask(other, "witness");
        const departures = [];
        other.on("left", (...args) => departures.push(args.slice(0, 2)));
        const { id } = socket;
        const received = collect(socket);
        await ask(other, "shout", "before");
        await ask(socket, "message-with-ack");
        const [gone, again] = [lost(socket), next(socket, "connect")];
        net.freeze();
        await ask(other, "shout", "meanwhile");
        await gone;
        net.up();
        await again;
        assert.equal(socket.recovered, true);
        assert.equal(socket.id, id);
        assert.deepEqual(received, [["before"], ["meanwhile"]]);
        await ask(other, "message-with-ack");
        assert.deepEqual(departures, [[id, "transport close"]]);
      });

      test("a client that has never received an event recovers, too", async (t) => {
        const { net, socket, other } = await pair(t, "/quiet");
        const { id } = socket;
        const received = collect(socket);
        for (const said of [[], ["first"], ["second"]]) {
          const [gone, again] = [lost(socket), next(socket, "connect")];
          net.down();
          await gone;
          if (said.length > 0) await ask(other, "shout", ...said);
          net.up();
          await again;
          assert.equal(socket.recovered, true);
          assert.equal(socket.id, id);
        }
        assert.deepEqual(received, [["first"], ["second"]]);
      });
    }
  });
}

// Older clients know nothing of it, and get one argument more.
matrix(({ release, connect }) => {
  if (release === "4.8") return;
  test("connects and receives as ever", async (t) => {
    const socket = await connect(t);
    const [data, number] = await Promise.race([
      next(socket, "message-back"),
      Promise.resolve(socket.emit("message", Buffer.from("data"), 1)).then(() => new Promise(() => {})),
    ]);
    assert.deepEqual(data, Buffer.from("data"));
    assert.equal(number, 1);
    assert.deepEqual(await ask(socket, "message-with-ack", 1), [1]);
  });
});
