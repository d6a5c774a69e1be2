import assert from "node:assert/strict";
import { ask, connected, matrix, next, test } from "./clients.mjs";

matrix(({ connect }) => {
  // A socket of another namespace, which connects on the connection of the first.
  const alongside = (socket, namespace, options) => socket.io.socket(namespace, options);

  test("namespaces share one connection and have ids of their own", async (t) => {
    const main = await connect(t);
    const custom = alongside(main, "/custom");
    await connected(custom);
    assert.equal(custom.io.engine, main.io.engine);
    assert.notEqual(custom.id, main.id);
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
    const before = custom.id;
    custom.disconnect();
    assert.deepEqual(await ask(main, "message-with-ack", "here"), ["here"]);
    custom.connect();
    await connected(custom);
    assert.notEqual(custom.id, before);
    assert.equal(custom.io.engine, main.io.engine);
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

  test("a refusal of one namespace leaves the other alone", async (t) => {
    const main = await connect(t);
    const refused = alongside(main, "/refused");
    await assert.rejects(connected(refused), { message: "not authorized", data: { code: "E1" } });
    assert.deepEqual(await ask(main, "message-with-ack", "here"), ["here"]);
  });

  test("who was refused may try again on the same connection", async (t) => {
    const main = await connect(t);
    const members = alongside(main, "/members", { auth: { token: "wrong" } });
    await assert.rejects(connected(members), { message: "wrong token" });
    members.auth = { token: "let me in" };
    members.connect();
    assert.deepEqual(await next(members, "auth"), [{ token: "let me in" }]);
    assert.equal(members.io.engine, main.io.engine);
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
