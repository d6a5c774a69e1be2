import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { ask, matrix, next, test } from "./clients.mjs";

matrix(({ connect }) => {
  // Three clients and two rooms nobody else is in.
  async function company(t) {
    const sockets = await Promise.all([connect(t), connect(t), connect(t)]);
    return { sockets, lobby: randomUUID(), bar: randomUUID() };
  }

  // What a socket has been told so far. The question that ends the wait is
  // answered after everything sent to the socket before.
  function listen(socket) {
    const heard = [];
    socket.on("said", (...args) => heard.push(args));
    return async () => {
      await ask(socket, "message-with-ack");
      return heard;
    };
  }

  test("a socket is in the room of its id and in those it joined", async (t) => {
    const { sockets: [one], lobby, bar } = await company(t);
    assert.deepEqual(new Set((await ask(one, "join", lobby, bar))[0]), new Set([one.id, lobby, bar]));
    assert.deepEqual(new Set((await ask(one, "leave", lobby))[0]), new Set([one.id, bar]));
  });

  test("a word to a room reaches its others and nobody else", async (t) => {
    const { sockets: [one, two, three], lobby } = await company(t);
    const heard = [one, two, three].map(listen);
    await ask(one, "join", lobby);
    await ask(two, "join", lobby);
    await ask(one, "say", [lobby], "hello", { deep: Buffer.from([1]) });
    assert.deepEqual(await Promise.all(heard.map((all) => all())), [[], [["hello", { deep: Buffer.from([1]) }]], []]);
  });

  test("a socket in several of the rooms hears a word once", async (t) => {
    const { sockets: [one, two, three], lobby, bar } = await company(t);
    const heard = [two, three].map(listen);
    await ask(two, "join", lobby, bar);
    await ask(three, "join", bar);
    await ask(one, "announce", [lobby, bar], "once");
    assert.deepEqual(await Promise.all(heard.map((all) => all())), [[["once"]], [["once"]]]);
  });

  test("an announcement from the server reaches all in the room", async (t) => {
    const { sockets: [one, two, three], lobby } = await company(t);
    const heard = [one, two, three].map(listen);
    await ask(one, "join", lobby);
    await ask(two, "join", lobby);
    await ask(one, "announce", [lobby], "all of you");
    assert.deepEqual(await Promise.all(heard.map((all) => all())), [[["all of you"]], [["all of you"]], []]);
  });

  test("exceptions hear nothing", async (t) => {
    const { sockets: [one, two, three], lobby, bar } = await company(t);
    const heard = [one, two, three].map(listen);
    for (const socket of [one, two, three]) await ask(socket, "join", lobby);
    await ask(three, "join", bar);
    await ask(one, "announce-except", [lobby], [bar, one.id], "only two");
    assert.deepEqual(await Promise.all(heard.map((all) => all())), [[], [["only two"]], []]);
  });

  test("the room of an id is a private line", async (t) => {
    const { sockets: [one, two, three] } = await company(t);
    const heard = [one, two, three].map(listen);
    await ask(one, "say", [two.id], "psst");
    assert.deepEqual(await Promise.all(heard.map((all) => all())), [[], [["psst"]], []]);
  });

  test("a broadcast reaches everybody else", async (t) => {
    const { sockets: [one, two, three] } = await company(t);
    const heard = [one, two, three].map(listen);
    await ask(one, "shout", "hey");
    assert.deepEqual(await Promise.all(heard.map((all) => all())), [[], [["hey"]], [["hey"]]]);
  });

  test("who left a room, or the server, hears no more of it", async (t) => {
    const { sockets: [one, two, three], lobby } = await company(t);
    const heard = [one, two].map(listen);
    for (const socket of [two, three]) await ask(socket, "join", lobby);
    await ask(two, "leave", lobby);
    const gone = next(three, "disconnect");
    three.emit("kick");
    await gone;
    await ask(one, "say", [lobby], "anybody?");
    assert.deepEqual(await Promise.all(heard.map((all) => all())), [[], []]);
  });
});
