// Validates everything that a server sends by the schemas of its AsyncAPI document, and
// sends it back. usage: node proof.mjs URL DOCUMENT
import { readFileSync } from "node:fs";
import Ajv from "ajv";
import addFormats from "ajv-formats";
import { io } from "socket.io-client";

const [url, file] = process.argv.slice(2);
const doc = JSON.parse(readFileSync(file, "utf8"));
const ajv = new Ajv({ strict: false, allErrors: true });
addFormats(ajv);
ajv.addKeyword({ keyword: "attachment", validate: (_, data) => Buffer.isBuffer(data) });
doc.components.schemas.Binary = { attachment: true };
tighten(doc);
ajv.addSchema(doc, "doc");

// No property may come that the schema does not have.
function tighten(schema) {
  if (typeof schema !== "object" || schema === null) return;
  if (schema.type === "object" && schema.properties && schema.additionalProperties === undefined) {
    schema.additionalProperties = false;
  }
  Object.values(schema).forEach(tighten);
}

const validators = new Map();
function validator(message) {
  if (!validators.has(message)) {
    const pointer = message.replaceAll("~", "~0").replaceAll("/", "~1");
    validators.set(message, ajv.compile({ $ref: `doc#/channels/root/messages/${encodeURIComponent(pointer)}/payload` }));
  }
  return validators.get(message);
}

const keys = new Map(Object.entries(doc.channels.root.messages).map(([key, m]) => [m.name, key]));
let problems = 0;
let checked = 0;
function check(event, args) {
  const key = keys.get(event);
  const validate = validator(key);
  checked++;
  if (!validate(args) && problems++ < 10) {
    console.log(`${event}: ${ajv.errorsText(validate.errors)}: ${JSON.stringify(args).slice(0, 500)}`);
  }
  const allowed = doc.channels.root.messages[key]["x-socketio"]?.binary ?? [];
  const patterns = allowed.map((p) => new RegExp(`^${p.replaceAll(/[.+?^${}()|[\]\\]/g, "\\$&").replaceAll("*", "[^]*")}$`));
  for (const path of binaryPaths(args)) {
    if (!untyped.has(event) && !patterns.some((p) => p.test(path)) && problems++ < 10) {
      console.log(`${event}: binary data at ${path}, not among ${allowed}`);
    }
  }
}
const untyped = new Set(["any", "raw", "tags", "args"]); // any value may hold binary data

function binaryPaths(value, path = []) {
  if (Buffer.isBuffer(value)) return [path.join(".")];
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([k, v]) => binaryPaths(v, [...path, k]));
}

const socket = io(url, { transports: ["websocket"], reconnection: false });
socket.onAny((event, ...args) => {
  if (event === "end") {
    console.log(`checked ${checked}`);
    socket.disconnect();
    process.exitCode = problems > 0 ? 1 : 0;
    return;
  }
  const answer = args.at(-1);
  if (typeof answer !== "function") {
    check(event, args);
    socket.emit(event, ...args);
    return;
  }
  args.pop();
  check(event, args);
  socket.emit(event, ...args, (...answered) => { // ask the same in return
    check(`answer to ${event}`, answered);
    answer(...answered);
  });
});
socket.on("connect_error", (error) => { console.log(error); process.exitCode = 1; });
