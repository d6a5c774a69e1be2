// Parses AsyncAPI documents with the official parser. usage: node parse.mjs FILE...
import { readFileSync } from "node:fs";
import { Parser } from "@asyncapi/parser";

for (const file of process.argv.slice(2)) {
  const { document, diagnostics } = await new Parser().parse(readFileSync(file, "utf8"));
  const errors = diagnostics.filter((d) => d.severity === 0);
  for (const e of errors) console.log(`${file}: ${e.path.join(".")}: ${e.message}`);
  if (errors.length > 0 || !document) process.exitCode = 1;
  else console.log(`${file}: ${document.channels().length} channels, ${document.operations().length} operations, ${document.messages().length} messages`);
}
