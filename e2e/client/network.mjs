// A network between the clients and the server that a test can cut.
import { createServer, connect } from "node:net";
import { once } from "node:events";
import { url } from "./clients.mjs";

/** Starts a network. It ends with the test t. */
export async function network(t) {
  const { hostname, port } = new URL(url);
  const pairs = new Set();
  let down = false;
  const server = createServer((client) => {
    if (down) return client.destroy();
    const upstream = connect(port, hostname);
    const pair = { client, upstream };
    pairs.add(pair);
    for (const [from, to] of [[client, upstream], [upstream, client]]) {
      from.pipe(to);
      from.on("error", () => {});
      from.on("close", () => {
        if (pair.frozen) return;
        to.destroy();
        pairs.delete(pair);
      });
    }
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");

  const net = {
    url: `http://127.0.0.1:${server.address().port}`,

    /** Breaks every connection. None can be made until up is called. */
    down() {
      down = true;
      for (const { client, upstream } of pairs) {
        client.resetAndDestroy();
        upstream.resetAndDestroy();
      }
    },

    up() {
      down = false;
    },

    /** As down, but the server does not notice. */
    freeze() {
      down = true;
      for (const pair of pairs) {
        pair.frozen = true;
        pair.client.unpipe();
        pair.upstream.unpipe();
        pair.upstream.pause();
        pair.client.resetAndDestroy();
      }
    },
  };
  t.after(() => {
    for (const { client, upstream } of pairs) {
      client.destroy();
      upstream.destroy();
    }
    server.close();
  });
  return net;
}
