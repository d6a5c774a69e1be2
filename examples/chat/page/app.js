"use strict";

// The page of the chat. It uses nothing but the client API of Socket.IO, so it
// runs with the built-in browser client and with the official bundle. What
// others wrote is only ever set as text.

const socket = io();

// A secret of this page: it takes our name back when the server has not yet
// noticed that our last connection is gone.
const key = Array.from(crypto.getRandomValues(new Uint32Array(4)), (n) => n.toString(36)).join("");

let wanted = null; // the name and room we ask for, again after each reconnection
let me = null; // the name and room the server gave us, null until it has
let room = null; // the room that is on the screen
let privateTo = null; // who alone is to see what we write
let lost = false; // the connection was lost and is not back
let unsent = []; // what was written meanwhile

const $ = (id) => document.getElementById(id);

// ---- connection ----

socket.on("connect", () => {
  status("connected", "Connected");
  if (wanted) enter();
});

socket.on("disconnect", (reason) => {
  me = null;
  lost = true;
  for (const name of [...typists.keys()]) stopped(name);
  status("lost", "Connection lost. Reconnecting…");
  render();
  // After this one reason the client waits to be told.
  if (reason === "io server disconnect") setTimeout(() => socket.connect(), 1000);
});

socket.on("connect_error", (err) => {
  status("lost", socket.active ? "No connection. Trying again…" : `Refused: ${err.message}`);
});

function status(state, text) {
  $("status").dataset.state = state;
  $("status").textContent = text;
}

// ---- names and rooms ----

async function enter() {
  const asked = wanted;
  let answer;
  try {
    answer = await socket.emitWithAck("join", { ...asked, key });
  } catch {
    return; // the connection was lost; "connect" asks again
  }
  const latest = asked === wanted; // or have we since asked for something else?
  if (answer.error) {
    if (!latest) return;
    $(me ? "trouble" : "refusal").textContent = sentence(answer.error.message);
    wanted = me;
    render();
    return;
  }
  me = { name: answer.name, room: answer.room };
  if (latest) wanted = me;
  photoLimit = answer.maxPhoto;
  remember(me.name);
  $("refusal").textContent = $("trouble").textContent = "";
  if (lost) notice("Connected again.");
  lost = false;
  render();
  for (const send of unsent.splice(0)) send();
}

$("join-form").addEventListener("submit", (event) => {
  event.preventDefault();
  wanted = { name: $("name").value, room: $("room").value };
  if (socket.connected) enter();
});

$("new-room-form").addEventListener("submit", (event) => {
  event.preventDefault();
  go($("new-room").value);
  $("new-room").value = "";
});

function go(to) {
  if (!me || !to.trim() || to === me.room) return;
  wanted = { name: me.name, room: to };
  enter();
}

// The server sends "people" when we have entered a room, before anything else
// that happens there.
socket.on("people", (roster) => {
  people = new Set(roster.names);
  if (room !== roster.room) {
    room = roster.room;
    clear();
    notice(`You are in ${room}.`);
  }
  render();
});

let people = new Set();

socket.on("joined", (name) => {
  people.add(name);
  notice(`${name} joined.`);
  render();
});

socket.on("left", (name) => {
  people.delete(name);
  stopped(name);
  notice(`${name} left.`);
  render();
});

let rooms = [];

socket.on("rooms", (list) => {
  rooms = list;
  render();
});

// ---- messages ----

let photoLimit = Infinity; // bytes; told with the name

socket.on("said", (message) => {
  stopped(message.from);
  show(message);
});

$("say-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const text = $("input").value.trim();
  if (!text) return;
  $("input").value = "";
  say({ text });
});

$("photo").addEventListener("change", async () => {
  const [file] = $("photo").files;
  $("photo").value = ""; // so that the same photo can be chosen again
  if (!file) return;
  if (file.size > photoLimit) {
    trouble(`${file.name} has ${megabytes(file.size)}. A photo may have ${megabytes(photoLimit)}.`);
    return;
  }
  say({ photo: await file.arrayBuffer() });
});

// say shows a message of ours and sends it, at once or when we are back in our
// room. The tick follows when the server has it.
function say(message) {
  if (privateTo) message.to = privateTo;
  stopTyping();
  trouble("");
  const item = show({ ...message, from: wanted.name, at: Date.now() }, true);
  const send = () => deliver(message, item);
  if (me) send();
  else unsent.push(send);
}

async function deliver(message, item) {
  try {
    const answer = await socket.emitWithAck("say", message);
    if (answer.error) failed(item, sentence(answer.error.message));
    else delivered(item);
  } catch {
    // It may have arrived: only a person can decide to say it twice.
    failed(item, "The connection was lost before this was confirmed.", () => {
      if (me) deliver(message, item);
      else unsent.push(() => deliver(message, item));
    });
  }
}

function delivered(item) {
  item.querySelector(".fate").replaceChildren(
    element("span", { className: "tick", textContent: "✓", title: "The server has it", role: "img", ariaLabel: "delivered" }),
  );
}

function failed(item, why, again) {
  const parts = [element("span", { className: "failed", textContent: why })];
  if (again) {
    const button = element("button", { type: "button", className: "quiet", textContent: "Send again" });
    button.addEventListener("click", () => {
      item.querySelector(".fate").replaceChildren();
      again();
    });
    parts.push(button);
  }
  item.querySelector(".fate").replaceChildren(...parts);
}

// ---- typing ----

let typingSince = 0;
let typingEnds;

$("input").addEventListener("input", () => {
  if (!me || privateTo || !$("input").value) return stopTyping();
  if (Date.now() - typingSince > 2000) {
    typingSince = Date.now();
    socket.volatile.emit("typing", true);
  }
  clearTimeout(typingEnds);
  typingEnds = setTimeout(stopTyping, 3000);
});

function stopTyping() {
  clearTimeout(typingEnds);
  if (typingSince && me) socket.volatile.emit("typing", false);
  typingSince = 0;
}

const typists = new Map(); // name → the timer that ends it, should we never be told

socket.on("typing", (name, on) => {
  stopped(name);
  if (on) typists.set(name, setTimeout(stopped, 5000, name));
  renderTyping();
});

function stopped(name) {
  clearTimeout(typists.get(name));
  typists.delete(name);
  renderTyping();
}

function renderTyping() {
  const names = [...typists.keys()];
  $("typing").textContent =
    names.length === 0 ? "" : names.length === 1 ? `${names[0]} is typing…`
    : names.length === 2 ? `${names[0]} and ${names[1]} are typing…` : "Several people are typing…";
}

// ---- private messages ----

function whisper(to) {
  privateTo = to;
  stopTyping();
  $("private").hidden = !to;
  $("private-name").textContent = to ?? "";
  $("input").placeholder = to ? `Private message to ${to}` : "Message";
  $("input").focus();
}

$("public").addEventListener("click", () => whisper(null));

// ---- the screen ----

function render() {
  const focused = document.activeElement?.dataset.testid;
  $("open-rooms").replaceChildren(...rooms.map((r) => element("option", { value: r.name })));
  if (!room || !wanted) {
    $("door").hidden = false;
    $("chat").hidden = true;
    return;
  }
  if ($("chat").hidden) {
    $("door").hidden = true;
    $("chat").hidden = false;
    $("input").focus();
  }
  $("here").textContent = room;
  $("rooms").replaceChildren(...rooms.map((r) => {
    const button = element("button", { type: "button", disabled: !me }, { testid: `room-${r.name}` });
    button.append(
      element("span", { textContent: r.name }),
      element("span", { className: "count", textContent: r.people, ariaLabel: `${r.people} people` }),
    );
    if (r.name === room) button.ariaCurrent = "true";
    button.addEventListener("click", () => go(r.name));
    return wrap(button);
  }));
  const folded = (name) => name.toLowerCase();
  const sorted = [...people].sort((a, b) => (folded(a) < folded(b) ? -1 : 1));
  $("people").replaceChildren(...sorted.map((name) => {
    const item = wrap(avatar(name), element("span", { className: "name", textContent: name }, { testid: `person-${name}` }));
    if (name === wanted.name) {
      item.append(element("span", { className: "you", textContent: "you" }));
      return item;
    }
    const button = element("button", { type: "button", className: "quiet", textContent: "Private", ariaLabel: `Write to ${name} alone` }, { testid: `private-${name}` });
    button.addEventListener("click", () => whisper(name));
    item.append(button);
    return item;
  }));
  // The lists are new; whoever walks them with the keyboard stays in place.
  if (focused && document.activeElement === document.body) {
    document.querySelector(`[data-testid="${CSS.escape(focused)}"]`)?.focus();
  }
}

const keep = 500; // messages and notices on the screen

// show adds a message to the screen and returns its element.
function show(message, mine = false) {
  const item = element("li", { className: `message${mine ? " mine" : ""}${message.to ? " private" : ""}` });
  const head = element("div", { className: "head" });
  head.append(element("strong", { className: "from", textContent: mine ? "You" : message.from }));
  if (message.to) head.append(element("span", { className: "secret", textContent: mine ? `to ${message.to} alone` : "to you alone" }));
  const at = new Date(message.at);
  head.append(element("time", { dateTime: at.toISOString(), textContent: at.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" }) }));

  const body = element("div", { className: "body" });
  if (message.text) body.append(element("p", { className: "text", textContent: message.text, dir: "auto" }));
  if (message.photo) {
    const photo = element("img", { className: "photo", alt: `Photo from ${message.from}`, src: URL.createObjectURL(new Blob([message.photo])) });
    photo.addEventListener("load", () => follow(item));
    body.append(photo);
  }
  item.append(mine ? "" : avatar(message.from), head, body, element("div", { className: "fate" }));
  return add(item, mine);
}

function notice(text) {
  add(element("li", { className: "notice", textContent: text }));
}

function add(item, mine = false) {
  const list = $("messages");
  const atEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 80;
  list.append(item);
  while (list.children.length > keep) drop(list.firstElementChild);
  if (mine || atEnd) list.scrollTop = list.scrollHeight;
  return item;
}

// follow keeps the last message in sight when its photo makes it taller.
function follow(item) {
  const list = $("messages");
  if (list.scrollHeight - list.scrollTop - list.clientHeight < item.clientHeight + 80) list.scrollTop = list.scrollHeight;
}

function clear() {
  for (const item of [...$("messages").children]) drop(item);
  for (const name of [...typists.keys()]) stopped(name);
  whisper(null);
}

function drop(item) {
  for (const photo of item.querySelectorAll("img.photo")) URL.revokeObjectURL(photo.src);
  item.remove();
}

function trouble(text) {
  $("trouble").textContent = text;
}

function avatar(name) {
  const circle = element("span", { className: "avatar", textContent: [...name][0].toUpperCase(), ariaHidden: "true" });
  let hue = 0;
  for (const letter of name) hue = (hue * 31 + letter.codePointAt(0)) % 360;
  circle.style.setProperty("--hue", hue);
  return circle;
}

function element(tag, properties, data = {}) {
  const e = Object.assign(document.createElement(tag), properties);
  Object.assign(e.dataset, data);
  return e;
}

function wrap(...children) {
  const item = document.createElement("li");
  item.append(...children);
  return item;
}

function megabytes(bytes) {
  return `${(bytes / (1 << 20)).toFixed(1).replace(".0", "")} MB`;
}

function sentence(text) {
  return text[0].toUpperCase() + text.slice(1) + ".";
}

// ---- the name, remembered ----

function remember(name) {
  try {
    localStorage.setItem("name", name);
  } catch {
    // Storage is forbidden here; we ask again next time.
  }
}

try {
  $("name").value = localStorage.getItem("name") ?? "";
} catch {
  // As above.
}

// On a small screen rooms and people are folded away at first.
if (matchMedia("(max-width: 720px)").matches) $("side").open = false;
