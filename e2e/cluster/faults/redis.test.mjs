// Redis is killed and started again, and a Go server is cut off from it by what
// lies between. g1 and g2 are with the Go server, n1 and n2 with the Node server.
import assert from "node:assert/strict";
import { acquainted, ask, attempt, connect, eventually, gather, goServer, next, order, reaches, test } from "../support.mjs";

/** Has the test that started this one do something to the network. */
async function stage(what) {
  const response = await fetch(`${process.env.STAGE_URL}/${what}`, { method: "POST" });
  assert.equal(response.status, 200, await response.text());
}

/** Does harm, and undoes it whatever becomes of f: other tests follow. */
async function during(harm, f, mend) {
  await stage(harm);
  try {
    await f();
  } finally {
    await stage(mend);
  }
}

/** The Go server serves its own clients, without waiting. */
async function servesItsOwn(t, g1, g2) {
  await ask(g1, "enter", "here");
  const newcomer = await connect(t, goServer);
  for (const client of [g1, g2, newcomer]) {
    const said = next(client, "said");
    await attempt(g2, { op: "emit", event: "said", to: [client.id] }, 1); // its error may say that others do not hear
    await said;
  }
  const said = next(g1, "said");
  await attempt(newcomer, { op: "emit", event: "said", to: ["here"] }, Buffer.from([1]));
  assert.deepEqual(await said, [Buffer.from([1])]);
  // The question ends when the time has passed in which the others could have answered; ours have.
  const [, ...names] = await attempt(g1, { op: "ask", event: "name?", timeout: 2000, to: [g1.id, g2.id] });
  assert.deepEqual(names.sort(), [g1.id, g2.id].sort());
  newcomer.disconnect();
}

async function company(t) {
  const clients = await gather(t, ["g1", "g2", "n1", "n2"]);
  for (const client of Object.values(clients)) client.on("name?", (ack) => ack(client.id));
  return clients;
}

/** Everything works again, in both directions. */
async function whole({ g1, g2, n1, n2 }) {
  await acquainted(g1, n1);
  await ask(n2, "enter", "there");
  await reaches(g2, n2, "there");
  await reaches(n2, g1, "here");
  const ids = [g1, g2, n1, n2].map(({ id }) => id).sort();
  for (const from of [g1, n1]) {
    await eventually("all answer", async () => {
      const [error, ...names] = await attempt(from, { op: "ask", event: "name?", timeout: 2000 });
      return !error && names.length === 4 && assert.deepEqual(names.sort(), ids) === undefined;
    });
  }
}

test("Redis is killed and started again", async (t) => {
  const clients = await company(t);
  const { g1, g2 } = clients;
  for (let i = 0; i < 2; i++) {
    await during("redis/kill", () => servesItsOwn(t, g1, g2), "redis/restart");
    await whole(clients);
  }
});

test("nothing goes between a Go server and Redis for a while", async (t) => {
  const clients = await company(t);
  const { g1, g2, n1 } = clients;
  const heard = [];
  n1.on("late", (n) => heard.push(n));
  const frozen = async () => {
    for (let n = 0; n < 10; n++) await order(g1, { op: "emit", event: "late" }, n);
    await servesItsOwn(t, g1, g2);
    await reaches(n1, clients.n2);
  };
  await during("proxy/freeze", frozen, "proxy/thaw");
  await whole(clients);
  // What waited has come, unless the connection was given up meanwhile.
  const [stats] = await order(g1, { op: "stats" });
  assert.ok(heard.length === 10 || stats.Lost > 0, `${heard} came, and ${stats.Lost} is known to be lost`);
  assert.deepEqual(heard, [...new Set(heard)].sort((a, b) => a - b)); // in order, and once
});

test("a Go server is cut off from Redis", async (t) => {
  const clients = await company(t);
  const { g1, g2, n1, n2 } = clients;
  const alone = async () => {
    await stage("proxy/cut");
    await servesItsOwn(t, g1, g2);
    await reaches(n1, n2); // who does not notice
    const [error, count] = await attempt(g1, { op: "count", timeout: 300 });
    assert.ok(error);
    assert.equal(count, 2);
  };
  await during("proxy/freeze", alone, "proxy/thaw");
  await whole(clients);
  await stage("proxy/cut");
  await whole(clients);
});
