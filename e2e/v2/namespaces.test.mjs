import assert from "node:assert/strict";
import { ask, connected, matrix, next, test } from "../client/clients.mjs";

// Resolves to what the client is told when a namespace is refused.
const refusal = async (socket) => (await next(socket, "error"))[0];

matrix(({ open, connect }) => {
  // A socket of another namespace, which connects on the connection of the first.
  const alongside = (socket, namespace, options) => socket.io.socket(namespace, options);

  test("namespaces share one connection and make their ids out of its", async (t) => {
    const main = await connect(t);
    const custom = alongside(main, "/custom");
    await connected(custom);
    assert.equal(custom.io.engine, main.io.engine);
    assert.equal(custom.id, `/custom#${main.id}`);
  });

  test("the query of a namespace is its auth", async (t) => {
    const query = { token: "let me in", nested: "é & = ?" };
    assert.deepEqual(await next(open(t, "/custom", { query }), "auth"), [query]);
    assert.deepEqual(await next(open(t, "/custom?token=a%2Cb&token=c%2Cd"), "auth"), [{ token: "c,d" }]);
    assert.deepEqual(await next(open(t, "/custom"), "auth"), [{}]);
    assert.deepEqual(await next(open(t, "/members", { query }), "auth"), [query]);
  });

  test("a refusal is the error's data, or else its message", async (t) => {
    assert.deepEqual(await refusal(open(t, "/refused")), { code: "E1" });
    assert.equal(await refusal(open(t, "/members", { query: { token: "wrong" } })), "wrong token");
  });

  test("who was refused may try again on the same connection", async (t) => {
    const main = await connect(t);
    const members = alongside(main, "/members", { query: { token: "wrong" } });
    assert.equal(await refusal(members), "wrong token");
    members.query = { token: "let me in" };
    members.connect();
    await connected(members);
    assert.equal(members.io.engine, main.io.engine);
    assert.deepEqual(await ask(main, "message-with-ack", "here"), ["here"]);
  });

  test("events and answers of one namespace do not reach the other", async (t) => {
    const main = await connect(t);
    const custom = alongside(main, "/custom");
    await connected(custom);
    const received = [];
    main.on("message-back", (text) => received.push(["/", text]));
    custom.on("message-back", (text) => received.push(["/custom", text]));
    main.emit("message", "to the main namespace");
    await ask(main, "message-with-ack");
    custom.emit("message", "to the custom one");
    const answers = await Promise.all([ask(main, "message-with-ack", "main"), ask(custom, "message-with-ack", "custom")]);
    assert.deepEqual(answers, [["main"], ["custom"]]);
    assert.deepEqual(received, [
      ["/", "to the main namespace"],
      ["/custom", "to the custom one"],
    ]);
  });

  test("binary in two namespaces at once is not mixed up", async (t) => {
    const main = await connect(t);
    const custom = alongside(main, "/custom");
    await connected(custom);
    const rounds = Array.from({ length: 20 }, (_, i) => i);
    const answers = await Promise.all(
      rounds.flatMap((i) => [
        ask(main, "message-with-ack", Buffer.from([i]), [Buffer.from("main")]),
        ask(custom, "message-with-ack", Buffer.from([i]), [Buffer.from("custom")]),
      ]),
    );
    assert.deepEqual(
      answers,
      rounds.flatMap((i) => [
        [Buffer.from([i]), [Buffer.from("main")]],
        [Buffer.from([i]), [Buffer.from("custom")]],
      ]),
    );
  });

  test("leaving one namespace leaves the other alone, and it may be joined again", async (t) => {
    const main = await connect(t);
    const custom = alongside(main, "/custom");
    await connected(custom);
    for (let i = 0; i < 5; i++) {
      custom.disconnect();
      await ask(main, "message-with-ack");
      custom.connect();
      await connected(custom);
      assert.equal(custom.id, `/custom#${main.id}`);
      assert.deepEqual(await ask(custom, "message-with-ack", i), [i]);
    }
    assert.deepEqual(await ask(main, "message-with-ack", "here"), ["here"]);
  });

  test("being kicked out of one namespace leaves the other alone", async (t) => {
    const main = await connect(t);
    const custom = alongside(main, "/custom");
    await connected(custom);
    const gone = next(custom, "disconnect");
    custom.emit("kick");
    assert.equal((await gone)[0], "io server disconnect");
    assert.deepEqual(await ask(main, "message-with-ack", "here"), ["here"]);
  });

  test("leaving the main namespace leaves the others alone", async (t) => {
    const main = await connect(t);
    const custom = alongside(main, "/custom");
    await connected(custom);
    main.disconnect();
    assert.deepEqual(await ask(custom, "message-with-ack", "here"), ["here"]);
  });

  test("closing the connection disconnects every namespace", async (t) => {
    const main = await connect(t);
    const custom = alongside(main, "/custom");
    await connected(custom);
    const both = Promise.all([next(main, "disconnect"), next(custom, "disconnect")]);
    main.emit("close");
    const reasons = (await both).map(([reason]) => reason);
    assert.deepEqual(reasons, ["io server disconnect", "io server disconnect"]);
  });
});
