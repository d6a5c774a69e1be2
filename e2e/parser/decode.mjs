// Decodes packets with the official parsers. Each line of standard input is a JSON
// list of {"parser": "json" or "msgpack", "frames": [text or {"base64": ...}, ...]}.
// For each a line lists what they are decoded to: {"data": ...}, or {"error": ...}.
import { createInterface } from "node:readline";
import { createRequire } from "node:module";
import { Decoder } from "socket.io-parser";

const msgpack = createRequire(import.meta.url)("socket.io-msgpack-parser");

function decode({ parser, frames }) {
  const decoder = parser === "json" ? new Decoder({ maxAttachments: 1000 }) : new msgpack.Decoder();
  const packets = [];
  decoder.on("decoded", (packet) => packets.push(packet));
  for (const frame of frames) decoder.add(typeof frame === "string" ? frame : Buffer.from(frame.base64, "base64"));
  if (packets.length !== 1) throw new Error(`${packets.length} packets`);
  return plain(packets[0].data);
}

// plain returns a value as JSON can have it: binary data and objects as arrays that
// say what they are, lists as such arrays too.
function plain(value) {
  if (typeof value === "number" && !Number.isFinite(value)) return ["number", String(value)];
  if (typeof value !== "object" || value === null) return value;
  if (Buffer.isBuffer(value) || value instanceof ArrayBuffer || ArrayBuffer.isView(value)) return ["binary", Buffer.from(value).toString("base64")];
  if (Array.isArray(value)) return ["list", ...value.map(plain)];
  return ["object", ...Object.keys(value).sort().map((key) => [key, plain(value[key])])];
}

for await (const line of createInterface({ input: process.stdin })) {
  const answers = JSON.parse(line).map((packet) => {
    try {
      return { data: decode(packet) };
    } catch (e) {
      return { error: String(e) };
    }
  });
  process.stdout.write(JSON.stringify(answers) + "\n");
}
