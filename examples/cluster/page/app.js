"use strict";

// The page of the cluster. What others wrote is only ever set as text.

const socket = io({ transports }); // recipe.js says which
const sticky = transports.includes("polling");

let here = null; // the name of the server we are on
let servers = []; // the servers, and who is on each

const $ = (id) => document.getElementById(id);

// ---- connection ----

socket.on("connect", enter);

socket.on("disconnect", () => {
  status("lost", `Server ${here ?? "?"} is gone. Looking for another…`);
  here = null;
  render();
});

socket.on("connect_error", () => status("lost", "No server. Trying again…"));

async function enter() {
  const answer = await socket.emitWithAck("enter", $("name").value);
  if (typeof answer !== "string") return;
  here = answer;
  status("connected", `You are on server ${here}`);
  render();
}

function status(state, text) {
  $("status").dataset.state = state;
  $("status").textContent = text;
}

// ---- servers ----

socket.on("here", (list) => {
  servers = list;
  render();
});

function render() {
  $("servers").replaceChildren(...servers.map(card));
}

function card({ name, up, people }) {
  const mine = name === here;
  const item = element("li", { className: "server" }, { testid: `server-${name}`, server: name, up, mine });
  const title = element("h2");
  title.append(badge(name), `Server ${name}`);
  const list = element("ul", { className: "people" });
  for (const person of people ?? []) {
    const you = person.id === socket.id;
    list.append(element("li", { textContent: you ? `${person.name} (you)` : person.name }));
  }
  const foot = element("div", { className: "foot" });
  if (!up) foot.append("Down");
  else if (mine) foot.append(button("Crash it", "crash", () => socket.emit("crash", $("name").value)));
  else if (here && sticky) foot.append(button("Move here", `move-${name}`, () => move(name)));
  item.append(title, list, foot);
  return item;
}

// move says to nginx by the cookie where we want to be, and connects again.
function move(name) {
  document.cookie = `server=${name}; path=/; samesite=lax`;
  socket.disconnect().connect();
}

// ---- messages ----

socket.on("said", ({ from, text }) => {
  const mine = from.id === socket.id;
  const item = element("li", { className: "message" }, { mine });
  item.append(badge(from.server), element("b", { textContent: from.name }), element("span", { className: "text", textContent: text }));
  const list = $("messages");
  list.append(item);
  while (list.children.length > 200) list.firstElementChild.remove();
  list.scrollTop = list.scrollHeight;
});

$("say").addEventListener("submit", (event) => {
  event.preventDefault();
  const text = $("text").value.trim();
  if (!text) return;
  socket.emit("say", text); // kept until there is a server again
  $("text").value = "";
});

$("name").addEventListener("change", () => {
  remember($("name").value);
  if (socket.connected) enter();
});

// ---- small things ----

function badge(server) {
  return element("span", { className: "badge", textContent: server, title: `server ${server}` }, { server });
}

function button(text, testid, onclick) {
  return element("button", { type: "button", textContent: text, onclick }, { testid });
}

function element(tag, properties = {}, data = {}) {
  const e = Object.assign(document.createElement(tag), properties);
  Object.assign(e.dataset, data);
  return e;
}

function remember(name) {
  try {
    sessionStorage.setItem("name", name);
  } catch {
    // Storage is forbidden here.
  }
}

const guests = ["Ada", "Alan", "Barbara", "Dennis", "Donald", "Edsger", "Frances", "Grace", "John", "Katherine", "Ken", "Leslie", "Margaret", "Niklaus", "Radia", "Tony"];
$("name").value = guests[Math.floor(Math.random() * guests.length)];
try {
  $("name").value = sessionStorage.getItem("name") ?? $("name").value;
} catch {
  // As above.
}
remember($("name").value);
