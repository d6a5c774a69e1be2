import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { after, before, describe, test } from "node:test";
import { launch } from "./chromium.mjs";

const { DEFAULT_URL: defaults, LISTING_URL: listing, CLOSED_URL: closed, FOREIGN_URL: foreign } = process.env;
const bundle = join(dirname(createRequire(import.meta.url).resolve("socket.io-client-2.5/package.json")), "dist/socket.io.js");

let browser;
before(async () => (browser = await launch()));
after(() => browser.close());

// A page of the given origin that has the client of v2.
async function pageAt(t, origin) {
  const page = await browser.newPage();
  t.after(() => page.close());
  await page.goto(origin);
  await page.addScriptTag({ path: bundle });
  return page;
}

const ways = {
  "polling": { transports: ["polling"] },
  "polling without binary data": { transports: ["polling"], forceBase64: true },
  "polling by scripts": { transports: ["polling"], forceJSONP: true },
  "websocket": { transports: ["websocket"] },
  "websocket without binary data": { transports: ["websocket"], forceBase64: true },
  "polling, then websocket": { transports: ["polling", "websocket"] },
  "polling by scripts, then websocket": { transports: ["polling", "websocket"], forceJSONP: true },
};

const texts = ["é漢😀👩‍👩‍👧‍👦", "</script><!--\u2028\u2029&amp;", 'a\nb\\nc\\\\n\r\n"', "100% + &d=1"];

for (const [way, options] of Object.entries(ways)) {
  describe(`over ${way}`, () => {
    test("text and binary data arrive unchanged, there and back", async (t) => {
      const page = await pageAt(t, defaults);
      const types = new Set();
      page.on("response", (response) => types.add(response.headers()["content-type"]));
      const answers = await page.evaluate(
        async ([options, texts]) => {
          const socket = globalThis.io({ ...options, forceNew: true, reconnection: false });
          const asked = (...args) => new Promise((resolve) => socket.emit("message-with-ack", ...args, (...answer) => resolve(answer)));
          await new Promise((resolve, reject) => socket.on("connect", resolve).on("connect_error", reject));
          const all = async (upgraded) => ({
            texts: await asked(...texts),
            bytes: Array.from(new Uint8Array((await asked({ deep: new Uint8Array([0, 1, 254, 255]).buffer }))[0].deep)),
            transport: socket.io.engine.transport.name,
            upgraded,
          });
          const answers = [await all(false)];
          if (options.transports.length > 1) {
            const { engine } = socket.io;
            if (engine.transport.name === "polling") await new Promise((resolve) => engine.once("upgrade", resolve));
            answers.push(await all(true));
          }
          socket.close();
          return answers;
        },
        [options, texts],
      );
      for (const answer of answers) {
        assert.deepEqual(answer.texts, texts);
        assert.deepEqual(answer.bytes, [0, 1, 254, 255]);
      }
      assert.equal(answers.at(-1).transport, options.transports.at(-1));
      if (way === "polling") assert.ok(types.has("application/octet-stream"), [...types].join());
      if (options.forceJSONP) assert.ok(types.has("text/javascript; charset=UTF-8"), [...types].join());
    });
  });
}

// Connects from within the page and resolves to "connected" or to "refused".
const connect = (page, url, options) =>
  page.evaluate(
    ([url, options]) =>
      new Promise((resolve) => {
        const socket = globalThis.io(url, { ...options, reconnection: false, forceNew: true });
        socket.on("connect", () => resolve("connected"));
        socket.on("connect_error", () => resolve("refused"));
      }),
    [url, options],
  );

for (const way of ["polling", "polling by scripts", "websocket"]) {
  describe(`from another origin, over ${way}`, () => {
    test("a page is refused", async (t) => {
      assert.equal(await connect(await pageAt(t, foreign), defaults, ways[way]), "refused");
    });

    test("a page of an origin that is listed is not", async (t) => {
      assert.equal(await connect(await pageAt(t, foreign), listing, ways[way]), "connected");
    });
  });
}

test("a page of a listed origin that hides where it is from is refused where requests have no Origin", async (t) => {
  const page = await pageAt(t, foreign);
  await page.evaluate(() => {
    document.head.append(Object.assign(document.createElement("meta"), { name: "referrer", content: "no-referrer" }));
  });
  assert.equal(await connect(page, listing, ways["polling by scripts"]), "refused");
  assert.equal(await connect(page, listing, ways["polling"]), "connected");
});

test("a server that was not told to admit it refuses it", async (t) => {
  const page = await pageAt(t, closed);
  for (const options of Object.values(ways)) assert.equal(await connect(page, closed, options), "refused");
});
