// Events between servers.
import assert from "node:assert/strict";
import { acquainted, adapter, attempt, directions, next, order, test } from "./support.mjs";

const json = adapter === "classic"; // whose events between servers are JSON: bytes do not stay bytes

const payloads = [
  [],
  ["héllo 世界 \u0000 \u{1F600}", 1, -1.5, true, null, [], {}, { a: { b: [1, { c: null }] } }],
  ["x".repeat(100_000)],
  ...(json ? [] : [[Buffer.from([1, 2, 3]), { deep: [Buffer.alloc(0), null] }]]),
];

directions(({ from, to, meet }) => {
  for (const nsp of ["/", "/chat"]) {
    test(`io.of(${nsp}).serverSideEmit`, async (t) => {
      const { f1, t1 } = await meet(t, ["f1", "t1"], { nsp: "/control" });
      f1.on("noted", () => assert.fail("the server notified itself"));
      for (const args of payloads) {
        const noted = next(t1, "noted");
        await order(f1, { op: "notify", nsp, event: "note" }, ...args);
        assert.deepEqual(await noted, [nsp, "note", ...args]);
      }
    });
  }

  test("in order", async (t) => {
    const { f1, t1 } = await meet(t, ["f1", "t1"], { nsp: "/control" });
    const heard = [];
    const last = new Promise((resolve) => t1.on("noted", (nsp, event, n) => (heard.push(n), n === 99 && resolve())));
    for (let n = 0; n < 100; n++) void order(f1, { op: "notify", nsp: "/", event: "note" }, n);
    await last;
    assert.deepEqual(heard, Array.from({ length: 100 }, (_, n) => n));
  });

  test("io.serverSideEmitWithAck", async (t) => {
    const { f1 } = await meet(t, ["f1", "t1"], { nsp: "/control" });
    assert.deepEqual(await order(f1, { op: "consult", nsp: "/", event: "name?", timeout: 20_000 }, 1), [to]);
    for (const args of payloads) {
      const [first] = await order(f1, { op: "consult", nsp: "/", event: "echo", timeout: 20_000 }, ...args);
      assert.deepEqual(first, args[0] ?? null);
    }
    assert.deepEqual(await order(f1, { op: "consult", nsp: "/", event: "nothing", timeout: 20_000 }), [null]);
  });

  // Node waits 5 seconds, unless it is configured otherwise, which the classic adapter can be.
  if (from === "go" || adapter === "classic") {
    test("an event that no server handles is not answered", async (t) => {
      const { f1 } = await meet(t, ["f1", "t1"], { nsp: "/control" });
      const [error, ...replies] = await attempt(f1, { op: "consult", nsp: "/", event: "unheard of", timeout: 300 });
      assert.ok(error);
      assert.deepEqual(replies, []);
    });
  }

  if (from === "go") {
    test("what kills a Node server is refused", async (t) => {
      const { f1, t1 } = await meet(t, ["f1", "t1"], { nsp: "/control" });
      const [error] = await attempt(f1, { op: "notify", nsp: "/", event: "error" });
      assert.ok(error);
      await acquainted(f1, t1);
    });
  }

  test("reserved names are refused", async (t) => {
    const { f1 } = await meet(t, ["f1", "t1"], { nsp: "/control" });
    for (const event of ["connect", "connection", "new_namespace"]) {
      const [error] = await attempt(f1, { op: "notify", nsp: "/", event });
      assert.ok(error, event);
    }
  });
});
