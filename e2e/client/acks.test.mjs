import assert from "node:assert/strict";
import { ask, matrix, next, test } from "./clients.mjs";

matrix(({ connect, hasTimeout, hasEmitWithAck }) => {
  test("the server answers with any number of arguments", async (t) => {
    const socket = await connect(t);
    assert.deepEqual(await ask(socket, "message-with-ack"), []);
    assert.deepEqual(await ask(socket, "message-with-ack", 1, "2", { 3: [false] }), [1, "2", { 3: [false] }]);
  });

  test("many questions at once each get their own answer", async (t) => {
    const socket = await connect(t);
    const questions = Array.from({ length: 100 }, (_, i) => i);
    const answers = await Promise.all(questions.map((i) => ask(socket, "message-with-ack", i)));
    assert.deepEqual(answers.flat(), questions);
  });

  test("answers may come late and out of order", async (t) => {
    const socket = await connect(t);
    const order = [];
    const late = ask(socket, "answer-later").then((answer) => order.push(["late", answer]));
    await ask(socket, "message-with-ack").then((answer) => order.push(["prompt", answer]));
    socket.emit("answer-now", "at last", [1]);
    await late;
    assert.deepEqual(order, [
      ["prompt", []],
      ["late", ["at last", [1]]],
    ]);
  });

  test("the client answers the server, which waits inside a handler", async (t) => {
    const socket = await connect(t);
    socket.on("question", (a, b, answer) => answer(a + b, { sum: true }));
    const answered = next(socket, "answered");
    socket.emit("ask-me", 20, 22);
    assert.deepEqual(await answered, [42, { sum: true }]);
  });

  test("binary travels in questions and answers, both ways", async (t) => {
    const socket = await connect(t);
    const bytes = Buffer.from([0, 1, 2, 255]);
    assert.deepEqual(await ask(socket, "message-with-ack", { deep: [bytes] }), [{ deep: [bytes] }]);
    socket.on("question", (data, answer) => answer([data, data]));
    const answered = next(socket, "answered");
    socket.emit("ask-me", bytes);
    assert.deepEqual(await answered, [[bytes, bytes]]);
  });

  test("an error meant for the client is the answer", async (t) => {
    const socket = await connect(t);
    assert.deepEqual(await ask(socket, "refuse-me"), [{ error: { message: "not today", data: { code: "E2" } } }]);
  });

  test("a panicking handler answers and the socket lives on", async (t) => {
    const socket = await connect(t);
    assert.deepEqual(await ask(socket, "panic"), [{ error: { message: "internal error" } }]);
    assert.deepEqual(await ask(socket, "message-with-ack", "alive"), ["alive"]);
  });

  if (hasTimeout) {
    test("a timeout passes the answer on when it comes in time", async (t) => {
      const socket = await connect(t);
      const [error, answer] = await new Promise((resolve) =>
        socket.timeout(10_000).emit("message-with-ack", "x", (...args) => resolve(args)),
      );
      assert.equal(error, null);
      assert.equal(answer, "x");
    });

    test("a timeout ends the wait for an answer that does not come", async (t) => {
      const socket = await connect(t);
      const [error] = await new Promise((resolve) =>
        socket.timeout(20).emit("answer-later", (...args) => resolve(args)),
      );
      assert.equal(error.message, "operation has timed out");
      socket.emit("answer-now", "too late");
      assert.deepEqual(await ask(socket, "message-with-ack", "alive"), ["alive"]);
    });
  }

  if (hasEmitWithAck) {
    test("emitWithAck resolves to the answer", async (t) => {
      const socket = await connect(t);
      assert.equal(await socket.emitWithAck("message-with-ack", "promised"), "promised");
      assert.equal(await socket.timeout(10_000).emitWithAck("message-with-ack", "in time"), "in time");
      await assert.rejects(socket.timeout(20).emitWithAck("nobody-listens"));
    });
  }
});
