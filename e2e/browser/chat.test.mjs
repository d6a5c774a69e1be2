import assert from "node:assert/strict";
import { mkdir, readFile } from "node:fs/promises";
import { after, afterEach, before, test } from "node:test";
import { io } from "socket.io-client";
import { launch } from "./chromium.mjs";
import { Chat } from "./server.mjs";

const official = process.env.CHAT_CLIENT;
const artifacts = new URL("../artifacts/", import.meta.url).pathname;

const chat = new Chat();
let browser;

before(async () => {
  await mkdir(artifacts, { recursive: true });
  await chat.start();
  browser = await launch();
});

after(async () => {
  await browser?.close();
  await chat.interrupt();
});

const people = [];

afterEach(async (t) => {
  const name = t.name.replace(/\W+/g, "-");
  for (const { page, name: who } of people) {
    await page.screenshot({ path: `${artifacts}${official ? "official" : "built-in"}-${name}-${who}.png` });
  }
  const errors = people.flatMap((person) => person.errors);
  for (const person of people.splice(0)) await person.leave();
  assert.deepEqual(errors, []);
});

// A Person is a browser window of its own, with the chat open.
class Person {
  errors = [];

  static async join(name, room) {
    const person = new Person();
    person.name = name;
    person.context = await browser.newContext();
    person.page = await person.context.newPage();
    person.page.setDefaultTimeout(20_000);
    person.page.on("pageerror", (error) => person.errors.push(`${name}: ${error}`));
    person.page.on("request", (request) => {
      const url = request.url();
      if (!url.startsWith("blob:") && new URL(url).host !== new URL(chat.url).host) person.errors.push(`${name}: asked for ${url}`);
    });
    people.push(person);
    await person.page.goto(chat.url);
    await person.at("name").fill(name);
    await person.at("room").fill(room);
    await person.at("join").click();
    await person.at(`person-${name}`).waitFor();
    return person;
  }

  at(testid) {
    return this.page.getByTestId(testid);
  }

  // The entry in the list of messages with this text.
  message(text) {
    return this.at("messages").locator("li").filter({ hasText: text });
  }

  async sees(text) {
    await this.message(text).waitFor();
  }

  async says(text) {
    await this.at("input").fill(text);
    await this.at("send").click();
  }

  async status(state) {
    await this.page.locator(`[data-testid="status"][data-state="${state}"]`).waitFor();
  }

  async leave() {
    await this.context.close();
  }
}

test("the page is given the client it should run with", async () => {
  const served = await (await fetch(`${chat.url}/socket.io/socket.io.js`)).text();
  const bundle = await readFile(new URL("../node_modules/socket.io-client/dist/socket.io.js", import.meta.url), "utf8");
  assert.equal(served === bundle, Boolean(official));
});

test("two people talk, and see their messages delivered", async () => {
  const ada = await Person.join("Ada", "talk");
  const grace = await Person.join("Grace", "talk");
  await ada.says("Hello, Grace! 👩‍🚀");
  await grace.sees("Hello, Grace! 👩‍🚀");
  assert.equal(await grace.message("Hello").locator(".from").textContent(), "Ada");
  await ada.message("Hello").locator(".tick").waitFor();
  await grace.says("Hello, Ada <b>not bold</b>");
  await ada.sees("Hello, Ada <b>not bold</b>");
  await grace.message("Hello, Ada").locator(".tick").waitFor();
  assert.equal(await ada.message("Hello, Grace").count(), 1, "shown once to its author");
});

test("people see who comes and goes", async () => {
  const ada = await Person.join("Ada", "door");
  const grace = await Person.join("Grace", "door");
  await ada.sees("Grace joined");
  await ada.at("person-Grace").waitFor();
  await grace.at("person-Ada").waitFor();
  await grace.leave();
  people.pop();
  await ada.sees("Grace left");
  await ada.at("person-Grace").waitFor({ state: "detached" });
});

test("rooms are apart, listed, and can be changed", async () => {
  const ada = await Person.join("Ada", "north");
  const grace = await Person.join("Grace", "south");
  await ada.says("only the north hears this");
  await ada.message("only the north").locator(".tick").waitFor();
  await grace.at("room-north").click();
  await grace.sees("You are in north");
  await ada.sees("Grace joined");
  await ada.says("now both do");
  await grace.sees("now both do");
  assert.equal(await grace.message("only the north").count(), 0);
  assert.match(await grace.at("room-north").textContent(), /2/);
});

test("a name is taken once", async () => {
  await Person.join("Ada", "names");
  const page = await browser.newPage();
  await page.goto(chat.url);
  await page.getByTestId("name").fill("ada");
  await page.getByTestId("join").click();
  await page.getByTestId("refusal").filter({ hasText: "taken" }).waitFor();
  await page.close();
});

test("people see who is typing", async () => {
  const ada = await Person.join("Ada", "keys");
  const grace = await Person.join("Grace", "keys");
  const shown = ada.at("typing").filter({ hasText: "Grace is typing" });
  // The event is volatile: while a transport is being changed it may get lost.
  for (let seen = false; !seen; ) {
    await grace.at("input").fill("");
    await grace.at("input").fill("Hm");
    seen = await shown.waitFor({ timeout: 1000 }).then(() => true, () => false);
  }
  await grace.at("send").click();
  await ada.sees("Hm");
  await shown.waitFor({ state: "detached" });
});

test("a private message reaches one person", async () => {
  const ada = await Person.join("Ada", "secrets");
  const grace = await Person.join("Grace", "secrets");
  const edsger = await Person.join("Edsger", "secrets");
  await ada.at("private-Grace").click();
  await ada.says("between us");
  await grace.sees("between us");
  await ada.at("public").click();
  await ada.says("for everybody");
  await edsger.sees("for everybody");
  assert.equal(await edsger.message("between us").count(), 0);
});

test("a photo is sent as binary and shown", async () => {
  const ada = await Person.join("Ada", "gallery");
  const grace = await Person.join("Grace", "gallery");
  const buffer = await ada.page.screenshot();
  await ada.at("photo").setInputFiles({ name: "photo.png", mimeType: "image/png", buffer });
  const image = grace.at("messages").locator("img.photo");
  await image.waitFor();
  const size = await image.evaluate(async (img) => {
    await img.decode();
    return { width: img.naturalWidth, height: img.naturalHeight };
  });
  assert.deepEqual(size, ada.page.viewportSize());
  await ada.at("messages").locator(".tick").waitFor();
});

test("the official client from Node takes part", async (t) => {
  const ada = await Person.join("Ada", "node");
  const socket = io(chat.url);
  t.after(() => socket.disconnect());
  const said = new Promise((resolve) => socket.on("said", resolve));
  const admission = await socket.emitWithAck("join", { name: "Node", room: "node" });
  assert.equal(admission.name, "Node");
  await ada.sees("Node joined");
  await ada.says("Hello, Node");
  const message = await said;
  assert.equal(message.from, "Ada");
  assert.equal(message.text, "Hello, Node");
  const photo = await ada.page.screenshot();
  const receipt = await socket.emitWithAck("say", { text: "Hello from Node", photo });
  assert.equal(receipt.error, undefined);
  await ada.sees("Hello from Node");
  await ada.at("messages").locator("img.photo").waitFor();
  socket.disconnect();
  await ada.sees("Node left");
});

test("pages find back when the server was killed and started again", async () => {
  const ada = await Person.join("Ada", "phoenix");
  const grace = await Person.join("Grace", "phoenix");
  await chat.kill();
  await Promise.all([ada.status("lost"), grace.status("lost")]);
  await ada.says("written while the server was away");
  await chat.start();
  await Promise.all([ada.status("connected"), grace.status("connected")]);
  await ada.message("written while").locator(".tick").waitFor();
  await ada.sees("Connected again");
  await grace.sees("Connected again");
  await ada.says("back again");
  await grace.sees("back again");
  await grace.says("so am I");
  await ada.sees("so am I");
});
