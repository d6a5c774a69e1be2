// Node servers that die or hang while they are asked. g1 is with the Go server,
// n1 with a Node server that lives, v1 with the victim.
import assert from "node:assert/strict";
import { acquainted, attempt, connect, eventually, goServer, next, nodeServer, order, startNode, test } from "../support.mjs";

async function company(t) {
  const victim = await startNode("victim");
  t.after(() => victim.kill());
  const [g1, n1, v1] = await Promise.all([goServer, await nodeServer(), victim].map((server) => connect(t, server)));
  for (const [one, two] of [[g1, n1], [g1, v1], [n1, v1]]) await acquainted(one, two);
  const answer = (name) => (ack) => ack(name);
  for (const [name, client] of Object.entries({ g1, n1 })) client.on("name?", answer(name));
  return { victim, g1, n1, v1 };
}

test("a Node server is killed before it answers", async (t) => {
  const { victim, g1, n1 } = await company(t);
  const [g2, g3] = await Promise.all([connect(t, goServer), connect(t, goServer)]);
  const published = async () => (await order(g3, { op: "stats" }))[0].Published;
  victim.freeze();
  const before = await published();
  const count = attempt(g1, { op: "count", timeout: 20_000 });
  const consult = attempt(g2, { op: "consult", event: "name?", timeout: 20_000 });
  await eventually("both questions are asked", async () => (await published()) === before + 2);
  await victim.kill();
  // It is gone, so it is not waited for until the end of the time.
  assert.deepEqual(await count, [null, 4]);
  assert.deepEqual(await consult, [null, "node"]);
  await acquainted(g1, n1);
});

test("a Node server is killed while its client thinks", async (t) => {
  const { victim, g1, n1, v1 } = await company(t);
  const g2 = await connect(t, goServer, { nsp: "/control" });
  const received = async () => (await order(g2, { op: "stats" }))[0].Received;
  const before = await received();
  const asked = next(v1, "name?");
  const replies = attempt(g1, { op: "ask", event: "name?", timeout: 2000 });
  await asked;
  await eventually("both servers have counted, and one client has answered", async () => (await received()) >= before + 3);
  const gone = next(v1, "disconnect");
  await victim.kill();
  await gone;
  const [error, ...names] = await replies;
  assert.ok(error, `no error, ${names}`);
  assert.deepEqual(names.sort(), ["g1", "n1"]);
  assert.deepEqual((await order(g1, { op: "ask", event: "name?", timeout: 20_000 })).sort(), ["g1", "n1"]);
  assert.deepEqual((await order(n1, { op: "ask", event: "name?", timeout: 20_000 })).sort(), ["g1", "n1"]);
});

test("a Node server hangs, and answers too late", async (t) => {
  const { victim, g1, n1, v1 } = await company(t);
  v1.on("name?", (ack) => ack("v1"));
  victim.freeze();
  const [error, ...names] = await attempt(g1, { op: "ask", event: "name?", timeout: 2000 });
  assert.match(error, /1 servers did not respond/);
  assert.deepEqual(names.sort(), ["g1", "n1"]);
  const [silent, count] = await attempt(g1, { op: "count", timeout: 300 });
  assert.match(silent, /1 servers did not respond/);
  assert.equal(count, 2);
  victim.thaw();
  await acquainted(g1, v1);
  await eventually("all answer again", async () => {
    const [error, ...names] = await attempt(g1, { op: "ask", event: "name?", timeout: 5000 });
    return !error && names.length === 3;
  });
  assert.deepEqual((await order(n1, { op: "ask", event: "name?", timeout: 20_000 })).sort(), ["g1", "n1", "v1"]);
  await victim.end();
});
