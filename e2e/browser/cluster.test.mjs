// The page of the cluster example: three people, each on a server of their own.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir } from "node:fs/promises";
import { createInterface } from "node:readline";
import { after, before, test } from "node:test";
import { launch } from "./chromium.mjs";

const artifacts = new URL("../artifacts/", import.meta.url).pathname;

let cluster, browser, url;

before(async () => {
  await mkdir(artifacts, { recursive: true });
  cluster = spawn(process.env.CLUSTER, ["-addr", process.env.ADDRESS, "-down", "1h"], { stdio: ["ignore", "pipe", "inherit"] });
  for await (const line of createInterface(cluster.stdout)) {
    url = line.match(/http:\/\/[^\s;]+/)?.[0];
    if (url) break;
  }
  assert.ok(url, "the cluster has not started");
  cluster.stdout.resume();
  browser = await launch();
});

after(async () => {
  await browser?.close();
  const exit = once(cluster, "exit");
  cluster.kill("SIGINT");
  const [code] = await exit;
  assert.equal(code, 0);
});

// A person has a browser of their own, with cookies of its own.
async function enter(name) {
  const context = await browser.newContext({ viewport: { width: 900, height: 620 } });
  const page = await context.newPage();
  page.setDefaultTimeout(30_000);
  const errors = [];
  page.on("pageerror", (error) => errors.push(`${name}: ${error}`));
  await page.goto(url);
  await page.locator('[data-testid="status"][data-state="connected"]').waitFor();
  await page.getByTestId("name").fill(name);
  await page.getByTestId("name").blur();
  const person = {
    name, context, page, errors,
    at: (testid) => page.getByTestId(testid),
    server: () => page.locator('.server[data-mine="true"]').getAttribute("data-server"),
    // Waits until name is seen on a server.
    sees: (who, server) => page.getByTestId(`server-${server}`).locator(".people li").filter({ hasText: who }).waitFor(),
    says: async (text) => {
      await page.getByTestId("text").fill(text);
      await page.getByTestId("send").click();
    },
    hears: (text) => page.getByTestId("messages").locator("li").filter({ hasText: text }).waitFor(),
    leave: () => context.close(),
  };
  await person.sees(name, await person.server());
  return person;
}

test("people on three servers, one of which crashes", async () => {
  const ada = await enter("Ada");
  const grace = await enter("Grace");
  const alan = await enter("Alan");
  const people = [ada, grace, alan];
  const servers = await Promise.all(people.map((p) => p.server()));
  assert.deepEqual(servers.toSorted(), ["a", "b", "c"]);

  const words = ["Hello from the first server.", "And from the second: one Redis between us.", "The third hears you both."];
  for (const [i, p] of people.entries()) {
    await p.says(words[i]);
    for (const q of people) await q.hears(words[i]);
    for (const [j] of people.entries()) await p.sees(people[j].name, servers[j]);
  }
  await ada.page.screenshot({ path: `${artifacts}cluster-three.png` });

  await grace.at("crash").click();
  await ada.page.locator(`[data-testid="server-${servers[1]}"][data-up="false"]`).waitFor();
  await grace.page.locator(`[data-testid="status"][data-state="connected"]`).filter({ hasNotText: `server ${servers[1]}` }).waitFor();
  const refuge = await grace.server();
  assert.notEqual(refuge, servers[1]);
  await ada.sees("Grace", refuge);
  await grace.says("My server has crashed, here I am again.");
  for (const q of people) await q.hears("here I am again");
  await ada.page.screenshot({ path: `${artifacts}cluster-crashed.png` });

  // Everybody meets on the server of the first.
  for (const p of people) {
    const move = p.at(`move-${servers[0]}`);
    if (await p.server() !== servers[0]) await move.click();
    await p.page.locator(`[data-testid="status"][data-state="connected"]`).filter({ hasText: `server ${servers[0]}` }).waitFor();
  }
  for (const p of people) await ada.sees(p.name, servers[0]);
  await ada.page.setViewportSize({ width: 400, height: 700 });
  await ada.page.emulateMedia({ colorScheme: "dark" });
  await ada.page.screenshot({ path: `${artifacts}cluster-small-dark.png` });

  assert.deepEqual(people.flatMap((p) => p.errors), []);
  for (const p of people) await p.leave();
});
