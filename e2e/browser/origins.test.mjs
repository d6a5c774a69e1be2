import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { after, before, describe, test } from "node:test";
import { launch } from "./chromium.mjs";

const { DEFAULT_URL: defaults, LISTING_URL: listing, FOREIGN_URL: foreign } = process.env;
const bundle = join(dirname(createRequire(import.meta.url).resolve("socket.io-client/package.json")), "dist/socket.io.js");

let browser;
before(async () => (browser = await launch()));
after(() => browser.close());

// A page of the given origin that has the official client.
async function pageAt(t, origin) {
  const page = await browser.newPage();
  t.after(() => page.close());
  await page.goto(origin);
  await page.addScriptTag({ path: bundle });
  return page;
}

// Connects from within the page and resolves to "connected" or to "refused".
const connect = (page, url, transport) =>
  page.evaluate(
    ([url, transport]) =>
      new Promise((resolve) => {
        const socket = globalThis.io(url, { transports: [transport], reconnection: false, forceNew: true });
        socket.on("connect", () => resolve("connected"));
        socket.on("connect_error", () => resolve("refused"));
      }),
    [url, transport],
  );

for (const transport of ["polling", "websocket"]) {
  describe(`over ${transport}`, () => {
    test("a page of the server's own origin connects", async (t) => {
      assert.equal(await connect(await pageAt(t, defaults), defaults, transport), "connected");
    });

    test("a page of another origin does not", async (t) => {
      assert.equal(await connect(await pageAt(t, foreign), defaults, transport), "refused");
    });

    test("a page of an origin that is listed does", async (t) => {
      assert.equal(await connect(await pageAt(t, foreign), listing, transport), "connected");
    });
  });
}

test("a page of another origin that has come by a session id cannot post to it", async (t) => {
  const polling = `${defaults}/socket.io/?EIO=4&transport=polling`;
  const { sid } = JSON.parse((await (await fetch(polling)).text()).slice(1));
  const page = await pageAt(t, foreign);
  const response = page.waitForResponse((response) => response.url().startsWith(defaults));
  // A simple request, which browsers send without asking.
  await page.evaluate((url) => fetch(url, { method: "POST", body: "40", mode: "no-cors" }), `${polling}&sid=${sid}`);
  assert.equal((await response).status(), 403);
});
