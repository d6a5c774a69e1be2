// A page with the built-in client that runs nothing for longer than the server waits for heartbeats,
// as one in the background of a phone. It emits before its timers and its connection can tell.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { launch } from "./chromium.mjs";

const { SOCKETIO_URL: url } = process.env;
const client = new URL("../../browser/socket.io.js", import.meta.url).pathname;

let browser;
before(async () => (browser = await launch()));
after(() => browser.close());

// A page with a connected socket, which logs what it sees.
async function connected(t, transports) {
  const page = await browser.newPage();
  t.after(() => page.close());
  await page.goto(url); // a page of the server's own origin, if only "not found"
  await page.addScriptTag({ path: client });
  await page.evaluate(async (transports) => {
    const socket = (globalThis.socket = globalThis.io({ transports, reconnectionDelay: 10, reconnectionDelayMax: 50 }));
    globalThis.log = [];
    for (const event of ["message-back", "disconnect"]) socket.on(event, (text) => globalThis.log.push(text));
    await new Promise((resolve) => socket.once("connect", resolve));
  }, transports);
  return page;
}

const ways = { polling: ["polling"], websocket: ["websocket"], upgrading: ["polling", "websocket"] };

for (const [way, transports] of Object.entries(ways)) {
  test(`what a page emits when it wakes up arrives once, in order: ${way}`, { timeout: 60_000 }, async (t) => {
    const page = await connected(t, transports);
    const log = await page.evaluate(
      (silence) =>
        new Promise((resolve) => {
          globalThis.socket.on("message-back", (text) => text === "second" && resolve(globalThis.log));
          const end = performance.now() + silence;
          while (performance.now() < end);
          for (const text of ["first", "second"]) globalThis.socket.emit("message", text);
          globalThis.log.push("emitted");
        }),
      1.5 * Number(process.env.SILENCE),
    );
    assert.deepEqual(log, ["emitted", "ping timeout", "first", "second"]);
  });
}
