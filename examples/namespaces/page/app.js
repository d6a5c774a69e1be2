"use strict";

// A chat and an auction in one page: two namespaces, two sockets, and one
// connection that carries both. What others wrote is only ever set as text.

const $ = (id) => document.getElementById(id);

let chat;
let auction;

// Each namespace is asked for, and may refuse, on its own. A function as auth
// is called again whenever a socket connects.
const auth = (give) => give({ name: $("name").value, terms: $("terms").checked });

$("enter-form").addEventListener("submit", (event) => {
  event.preventDefault();
  remember($("name").value);
  if (chat) {
    // Under another name, or once more after a refusal.
    for (const socket of [chat, auction]) socket.disconnect().connect();
    return;
  }
  chat = io("/chat", { auth });
  auction = io("/auction", { auth });
  watchConnection(chat, "chat");
  watchConnection(auction, "auction");
  startChat();
  startAuction();
});

// ---- two sockets, one connection ----

const via = {}; // namespace → the address the server sees us come from

function watchConnection(socket, name) {
  const set = (state, text) => {
    $(`${name}-status`).dataset.state = state;
    $(`${name}-status`).textContent = text;
    $(name).disabled = state !== "connected";
    if (state !== "connected") {
      delete via[name];
      $(`${name}-facts`).textContent = "–";
    }
    judge();
  };
  set("connecting", "Connecting…");
  socket.on("connect", () => set("connected", "Connected"));
  socket.on("disconnect", (reason) => {
    set("lost", "Connection lost. Reconnecting…");
    // After this one reason the client waits to be told.
    if (reason === "io server disconnect") setTimeout(() => socket.connect(), 1000);
  });
  socket.on("connect_error", (err) => {
    set("lost", socket.active ? "No connection. Trying again…" : `Refused: ${err.message}.`);
  });
  socket.on("welcome", (us) => {
    via[name] = us.via;
    $(`${name}-facts`).textContent = `socket ${us.id}, which the server reaches through ${us.via}`;
    judge();
  });
}

function judge() {
  const both = via.chat && via.auction;
  const one = both && via.chat === via.auction && chat.io === auction.io;
  $("verdict").dataset.state = one ? "one" : both ? "two" : "none";
  $("verdict").textContent =
    one ? "One connection carries both namespaces."
    : both ? "The namespaces have a connection each."
    : via.chat || via.auction ? "One namespace is connected." : "Not connected.";
}

// ---- the chat ----

function startChat() {
  let room = "hall"; // where a new socket is

  chat.on("connect", () => {
    if (room !== "hall") move(room);
  });
  chat.on("said", (from, text) => post("li", from, text));
  chat.on("joined", (name) => note(`${name} joined.`));
  chat.on("left", (name) => note(`${name} left.`));

  async function move(to) {
    const answer = await chat.emitWithAck("move", to).catch(() => null);
    if (answer === null || answer.error) return;
    room = answer;
    for (const button of $("rooms").children) button.ariaPressed = String(button.value === room);
    $("messages").replaceChildren();
    note(`You are in the ${room}.`);
  }

  for (const button of $("rooms").children) button.addEventListener("click", () => move(button.value));

  $("say-form").addEventListener("submit", async (event) => {
    event.preventDefault();
    const text = $("input").value.trim();
    if (!text) return;
    $("input").value = "";
    $("chat-trouble").textContent = "";
    const item = post("li", "You", text);
    item.classList.add("mine");
    try {
      const answer = await chat.emitWithAck("say", text);
      if (answer?.error) throw new Error(answer.error.message);
      item.append(make("span", { className: "tick", textContent: " ✓", title: "The server has it", ariaLabel: "delivered", role: "img" }));
    } catch (err) {
      $("chat-trouble").textContent = `Not sent: ${err.message}.`;
    }
  });

  function post(tag, from, text) {
    const item = make(tag);
    item.append(make("strong", { textContent: from }), make("span", { textContent: text, className: "text", dir: "auto" }));
    return add($("messages"), item);
  }

  function note(text) {
    add($("messages"), make("li", { className: "soft", textContent: text }));
  }

  note("You are in the hall.");
}

// ---- the auction ----

function startAuction() {
  let lots = []; // all of them, as of the last time one opened or closed
  let lot = null; // the one we watch, always up to date
  let us = null; // the name our bids are under

  auction.on("connect", () => {
    $("terms-missing").hidden = true;
    if (lot) watch(lot.id);
  });
  auction.on("connect_error", (err) => {
    $("terms-missing").hidden = err.data?.missing !== "terms";
  });
  $("accept").addEventListener("click", () => {
    $("terms").checked = true;
    auction.connect();
  });

  auction.on("lots", (list) => {
    lots = list;
    const now = lot && lots.find((l) => l.id === lot.id);
    if (now) {
      if (now.closed && !lot.closed) log(now.bidder ? `Sold to ${now.bidder} for ${now.price}.` : "Nobody wanted it.");
      if (!now.closed && lot.closed) log("Open again.");
      lot = now;
    }
    render();
  });
  auction.on("rose", (state) => {
    if (lot?.bidder === us && state.bidder !== us) answer("bad", "You have been outbid.");
    lot = state;
    log(`${state.bidder} bids ${state.price}.`);
    render();
  });
  auction.on("clock", (id, seconds) => {
    if (lot?.id !== id) return;
    lot.seconds = seconds;
    renderClock();
  });
  auction.on("won", (state) => answer("good", `${state.title} is yours for ${state.price}.`));

  async function watch(id) {
    const state = await auction.emitWithAck("watch", id).catch(() => null);
    if (state === null || state.error) return;
    if (lot?.id !== id) {
      $("bids").replaceChildren();
      answer("", "");
    }
    lot = state;
    render();
    $("amount").value = lot.minimum;
  }

  $("bid-form").addEventListener("submit", async (event) => {
    event.preventDefault();
    const amount = Number($("amount").value);
    answer("", "");
    try {
      const state = await auction.emitWithAck("bid", { lot: lot.id, amount });
      if (state.error) {
        answer("bad", `Refused: ${state.error.message}.`);
        if (state.error.data?.minimum) $("amount").value = state.error.data.minimum;
      } else {
        us = state.bidder;
        answer("good", `Accepted: ${state.price} for ${state.title}.`);
      }
    } catch {
      answer("bad", "The connection was lost before this was answered.");
    }
  });

  function answer(state, text) {
    $("answer").dataset.state = state;
    $("answer").textContent = text;
  }

  function log(text) {
    add($("bids"), make("li", { textContent: text }));
  }

  function render() {
    const focused = document.activeElement?.dataset.testid;
    $("lots").replaceChildren(...lots.map((l) => {
      const button = make("button", { type: "button", ariaPressed: String(l.id === lot?.id) });
      button.dataset.testid = `lot-${l.id}`;
      button.append(
        make("span", { textContent: l.title }),
        make("span", { className: "soft", textContent: l.closed ? (l.bidder ? `sold for ${l.price}` : "not sold") : `open, from ${l.start}` }),
      );
      button.addEventListener("click", () => watch(l.id));
      const item = make("li");
      item.append(button);
      return item;
    }));
    // The list is new; whoever walks it with the keyboard stays in place.
    if (focused?.startsWith("lot-") && document.activeElement === document.body) {
      document.querySelector(`[data-testid="${CSS.escape(focused)}"]`)?.focus();
    }

    $("lot").hidden = !lot;
    $("none").hidden = Boolean(lot) || lots.length === 0;
    if (!lot) return;
    $("lot-title").textContent = lot.title;
    $("lot-about").textContent = lot.about;
    $("price").textContent = lot.price || "–";
    $("bidder").textContent = lot.bidder || "–";
    for (const field of $("bid-form").elements) field.disabled = lot.closed;
    if (!lot.closed && Number($("amount").value) < lot.minimum) $("amount").value = lot.minimum;
    renderClock();
  }

  function renderClock() {
    $("clock-title").textContent = lot.closed ? "Opens again in" : "Closes in";
    $("clock").textContent = `${lot.seconds} s`;
    $("clock").classList.toggle("soon", !lot.closed && lot.seconds <= 10);
  }
}

// ---- the screen ----

function add(list, item) {
  list.append(item);
  while (list.children.length > 200) list.firstElementChild.remove();
  list.scrollTop = list.scrollHeight;
  return item;
}

function make(tag, properties = {}) {
  return Object.assign(document.createElement(tag), properties);
}

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
