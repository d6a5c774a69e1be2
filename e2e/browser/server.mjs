// The chat example as a process that can be killed and started again.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";

export class Chat {
  #process;
  url;

  /** Starts the server, the second time on the port of the first. */
  async start() {
    const args = ["-addr", this.url ? new URL(this.url).host : "127.0.0.1:0"];
    if (process.env.CHAT_CLIENT) args.push("-client", process.env.CHAT_CLIENT);
    this.#process = spawn(process.env.CHAT, args, { stdio: ["ignore", "pipe", "inherit"] });
    const lines = createInterface(this.#process.stdout);
    const [first] = await once(lines, "line");
    this.url = first.match(/http:\/\/\S+/)[0];
  }

  /** Kills the server, as a crash does. */
  async kill() {
    this.#process.kill("SIGKILL");
    await once(this.#process, "exit");
  }

  /** Asks the server to end, as Ctrl-C does. */
  async interrupt() {
    this.#process.kill("SIGINT");
    const [code] = await once(this.#process, "exit");
    assert.equal(code, 0);
  }
}
