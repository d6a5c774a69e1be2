// Records what the official parsers make of the corpus, a line of JSON for each
// input. Arguments are the files to write.
import { writeFileSync } from "node:fs";
import { decodePayload } from "engine.io-parser";
import { Decoder } from "socket.io-parser";
import { packets, payloads } from "./corpus.mjs";

// packet returns what a text decodes to, with the attachments it asks for, or
// null if it is refused. In its data attachment 0 is {"$bin":0}.
function packet(text) {
  const decoder = new Decoder();
  let decoded = null;
  decoder.on("decoded", (p) => (decoded = p));
  try {
    decoder.add(text);
    const attachments = decoder.reconstructor?.reconPack.attachments;
    for (let i = 0; i < attachments; i++) decoder.add(Buffer.from([i]));
    return {
      type: decoded.type,
      nsp: decoded.nsp,
      ...(decoded.id === undefined ? {} : { id: String(decoded.id) }),
      ...(attachments ? { attachments } : {}),
      ...(decoded.data === undefined ? {} : { data: plain(decoded.data) }),
    };
  } catch {
    return null;
  }
}

function plain(value) {
  if (Buffer.isBuffer(value)) return { $bin: value[0] };
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== "object" || value === null) return value;
  const copy = Object.create(null); // so that __proto__ is a key like others
  for (const key of Object.keys(value)) copy[key] = plain(value[key]);
  return copy;
}

// payload returns the packets of a body as they are on a WebSocket, the last of
// which is null if it is refused: text, or binary data in base64.
function payload(body) {
  return decodePayload(body, "nodebuffer").map(({ type, data }) => {
    if (type === "error") return null;
    if (Buffer.isBuffer(data)) return { base64: data.toString("base64") };
    return { text: ["open", "close", "ping", "pong", "message", "upgrade", "noop"].indexOf(type) + (data ?? "") };
  });
}

const lines = (inputs, decode) => inputs.map((input) => JSON.stringify({ in: input, out: decode(input) }) + "\n").join("");
const [packetFile, payloadFile] = process.argv.slice(2);
writeFileSync(packetFile, lines(packets(), packet));
writeFileSync(payloadFile, lines(payloads(), payload));
