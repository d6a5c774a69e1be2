// Whatever others publish, the Go server lives, and what it answers does no harm
// to a Node server. The garbage comes before that is started: Node servers die of some of it.
import assert from "node:assert/strict";
import { after } from "node:test";
import { createClient } from "redis";
import { adapter, ask, connect, gather, goServer, order, reaches, test } from "./support.mjs";

const client = createClient({ url: process.env.REDIS_URL });
after(() => client.disconnect());
await client.connect();
const prefix = process.env.PREFIX;

const bytes = (...list) => Buffer.from(list);
const payloads = [
  "", "garbage", "{", "{}", "[]", "null", '"text"', "0", "{\"type\":", "\u0000", "[".repeat(100_000), `{"a":`.repeat(100_000),
  bytes(0xc1), bytes(0x80), bytes(0x90), bytes(0x93), bytes(0xdd, 255, 255, 255, 255), bytes(0xdf, 255, 255, 255, 255),
  bytes(0xc6, 255, 255, 255, 255), bytes(0xdb, 255, 255, 255, 255), bytes(0xc7, 255, 0), Buffer.alloc(100_000, 0x91), Buffer.alloc(100_000, 0xff),
  bytes(0x93, 0xa2, 0x78, 0x79, 0x80, 0x80), bytes(0x93, 0xa2, 0x78, 0x79, 0x81, 0xa4, 0x64, 0x61, 0x74, 0x61, 0x90, 0x80), bytes(0x93, 0xc0, 0xc0, 0xc0),
  bytes(0x92, 0xa1, 0x78, 0x80), bytes(0x93, 0xa1, 0x78, 0x80, 0x80, 0x00),
];
// Requests and answers of every type, with what they need missing or of another type.
for (let type = -1; type <= 14; type++) {
  for (const opts of [undefined, null, 7, "x", [], {}, { rooms: "x", except: 1, flags: [] }, { rooms: [[], {}, null], except: [{}] }]) {
    const common = { type, uid: "stranger", requestId: `r${type}`, nsp: "/" };
    payloads.push(JSON.stringify({ ...common, opts, rooms: opts, sockets: opts, packet: opts, data: opts, clientCount: opts, close: opts }));
    payloads.push(JSON.stringify({ ...common, data: { opts, rooms: opts, requestId: opts, packet: opts, sockets: opts, clientCount: opts, close: opts } }));
    payloads.push(JSON.stringify({ ...common, uid: opts, nsp: opts, data: { opts: {}, packet: { type: opts, data: opts, nsp: opts, id: opts } } }));
  }
}
// These would be obeyed.
const harmless = payloads.filter((payload) => !/"type":(4|6),.*"opts":\{(\}|"rooms":"x")/.test(String(payload)));

const publish = {
  async classic(payload) {
    for (const name of ["#/#", "#/#lobby#", "-request#/#", "-response#/#"]) await client.publish(prefix + name, payload);
  },
  async sharded(payload) {
    for (const name of ["#/#", "#/#lobby#"]) await client.sendCommand(["SPUBLISH", prefix + name, payload]);
  },
  async streams(payload) {
    await client.publish(`${prefix}#/#`, payload);
    for (const type of ["3", "4", "6", "9", "99", "x", ""]) {
      const fields = ["nsp", "/", "uid", "stranger", "type", type, "data", payload];
      await client.sendCommand(["XADD", prefix, "*", ...fields]);
    }
    await client.sendCommand(["XADD", prefix, "*", "nsp", "/"]);
    await client.sendCommand(["XADD", prefix, "*", "data", payload]);
  },
}[adapter];

test("garbage", async (t) => {
  const one = await connect(t, goServer);
  await ask(one, "enter", "lobby");
  await Promise.all(harmless.map(publish));
  const again = await connect(t, goServer);
  await reaches(again, one, "lobby");
  assert.deepEqual(await order(again, { op: "count" }), [2]);

  const { g1, n1 } = await gather(t, ["g1", "n1"]);
  for (const client of [one, again, g1, n1]) client.on("name?", (ack) => ack(client.id));
  const ids = [one, again, g1, n1].map(({ id }) => id).sort();
  for (const from of [g1, n1]) assert.deepEqual((await order(from, { op: "ask", event: "name?", timeout: 20_000 })).sort(), ids);
});
