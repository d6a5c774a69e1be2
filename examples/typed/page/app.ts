// The page. Its events are checked against events.d.ts, which is generated from the Go
// program; tsc makes app.js of it, which browsers load as it is.
import type { ClientSocket, Emotion, Failure, Message } from "./events";

declare const io: typeof import("socket.io-client").io; // of /socket.io/socket.io.js

const socket: ClientSocket = io();
const emotions: Record<Emotion, string> = { like: "👍", laugh: "😄", wow: "😮" };

function element<T extends HTMLElement>(id: string, type: new () => T): T {
  const found = document.getElementById(id);
  if (!(found instanceof type)) throw new Error(`no ${id}`);
  return found;
}

const nameForm = element("name-form", HTMLFormElement);
const name = element("name", HTMLInputElement);
const sayForm = element("say-form", HTMLFormElement);
const text = element("text", HTMLInputElement);
const messages = element("messages", HTMLOListElement);
const present = element("present", HTMLElement);
const trouble = element("trouble", HTMLElement);

function failed(answer: object | Failure): answer is Failure {
  const refused = "error" in answer;
  trouble.textContent = refused ? (answer as Failure).error.message : "";
  return refused;
}

function show(message: Message) {
  const item = document.createElement("li");
  item.dataset.number = String(message.number);
  item.textContent = `${new Date(message.at).toLocaleTimeString()} ${message.from}: ${message.text} `;
  for (const emotion of Object.keys(emotions) as Emotion[]) {
    const button = document.createElement("button");
    button.textContent = emotions[emotion];
    button.addEventListener("click", () => socket.emit("react", message.number, emotion));
    item.append(button);
  }
  messages.append(item);
  message.reactions?.forEach((r) => react(r.number, r.emotion));
}

function react(number: number, emotion: Emotion) {
  messages.querySelector(`[data-number="${number}"]`)?.append(emotions[emotion]);
}

function enter() {
  socket.emit("enter", name.value, (answer) => {
    if (failed(answer)) return;
    nameForm.hidden = true;
    sayForm.hidden = false;
    messages.replaceChildren();
    answer.messages?.forEach(show);
  });
}

nameForm.addEventListener("submit", (event) => {
  event.preventDefault();
  enter();
});

sayForm.addEventListener("submit", (event) => {
  event.preventDefault();
  socket.emit("say", text.value, (answer) => {
    if (failed(answer)) return;
    text.value = "";
    show(answer);
  });
});

socket.on("connect", () => {
  if (nameForm.hidden) enter(); // again, after a disconnection
});
socket.on("said", show);
socket.on("react", react);
socket.on("present", (count) => {
  present.textContent = `${count} here`;
});
