/*
 * socket.io.js: a small Socket.IO client for web pages.
 *
 *   <script src="/socket.io/socket.io.js"></script>
 *   <script>
 *     const socket = io();
 *     socket.on("news", (text) => console.log(text));
 *     socket.emit("hello", "world", (answer) => console.log(answer));
 *   </script>
 *
 * It speaks Socket.IO protocol 5 over Engine.IO protocol 4, needs no build step and no other
 * file, and has the API of the official JavaScript client 4.8. It is served along with the
 * Go server for convenience: any official Socket.IO client, version 3 or later, works too.
 *
 * Read it in this order: Events and Bytes are tools; Transports move Engine.IO packets; Engine
 * is one session with its heartbeat and upgrade; Packets is the Socket.IO codec; Manager keeps
 * a session alive by reconnecting; Socket is what an application uses; io() ties it together.
 *
 * License: MIT, the same as the server it comes with.
 */
(function () {
  "use strict";

  // ---- Events -----------------------------------------------------------------------------

  // invoke calls application code. What it throws is reported like any uncaught error, so that
  // a faulty listener can neither lose packets nor look like a broken connection.
  function invoke(fn, self, args) {
    try {
      fn.apply(self, args);
    } catch (err) {
      if (typeof globalThis.reportError === "function") globalThis.reportError(err);
      else setTimeout(() => { throw err; });
    }
  }

  class Emitter {
    constructor() {
      this._listeners = new Map(); // event name => [{fn, once}]
    }

    on(name, fn) {
      return this._listen(name, fn, false);
    }

    once(name, fn) {
      return this._listen(name, fn, true);
    }

    // off removes one listener, all listeners of an event, or all there are.
    off(name, fn) {
      if (name === undefined) {
        this._listeners.clear();
      } else if (fn === undefined) {
        this._listeners.delete(String(name));
      } else {
        const entries = this._listeners.get(String(name)) || [];
        const at = entries.findIndex((entry) => entry.fn === fn);
        if (at >= 0) this._listeners.set(String(name), entries.filter((_, i) => i !== at));
      }
      return this;
    }

    listeners(name) {
      return (this._listeners.get(String(name)) || []).map((entry) => entry.fn);
    }

    hasListeners(name) {
      return this.listeners(name).length > 0;
    }

    emit(name, ...args) {
      return this._fire(name, ...args);
    }

    // _listen replaces the array, so that a round of _fire keeps the one it started with.
    _listen(name, fn, once) {
      if (typeof fn !== "function") throw new TypeError("a listener must be a function");
      const entries = this._listeners.get(String(name)) || [];
      this._listeners.set(String(name), entries.concat({ fn, once }));
      return this;
    }

    _fire(name, ...args) {
      for (const entry of this._listeners.get(String(name)) || []) {
        if (entry.once) this.off(name, entry.fn);
        invoke(entry.fn, this, args);
      }
      return this;
    }
  }

  Emitter.prototype.addEventListener = Emitter.prototype.addListener = Emitter.prototype.on;
  Emitter.prototype.removeEventListener = Emitter.prototype.removeListener = Emitter.prototype.off;
  Emitter.prototype.removeAllListeners = Emitter.prototype.off;

  // onPage listens to an event of the page or worker, where there is one, and returns the
  // function that stops it.
  function onPage(name, fn) {
    if (typeof globalThis.addEventListener !== "function") return () => {};
    globalThis.addEventListener(name, fn);
    return () => globalThis.removeEventListener(name, fn);
  }

  // ---- Bytes ------------------------------------------------------------------------------

  // kind is the built-in type of an object, which also holds for objects of other frames.
  const kind = (value) => Object.prototype.toString.call(value).slice(8, -1);

  function isBlob(value) {
    const name = kind(value);
    return name === "Blob" || name === "File";
  }

  function isBinary(value) {
    if (typeof value !== "object" || value === null) return false;
    return ArrayBuffer.isView(value) || kind(value) === "ArrayBuffer" || isBlob(value);
  }

  function toBytes(data) {
    return ArrayBuffer.isView(data)
      ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
      : new Uint8Array(data);
  }

  function toBase64(bytes) {
    let text = "";
    for (let i = 0; i < bytes.length; i += 8192) {
      text += String.fromCharCode.apply(null, bytes.subarray(i, i + 8192));
    }
    return btoa(text);
  }

  function fromBase64(base64) {
    const text = atob(base64);
    const bytes = new Uint8Array(text.length);
    for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
    return bytes.buffer;
  }

  // ---- Transports -------------------------------------------------------------------------
  //
  // A transport moves Engine.IO packets: strings that start with the type of the packet, or
  // binary data, which is always a message. Its user sets
  //
  //   onopen()            the channel is there (WebSocket only; polling has none to open)
  //   onpacket(packet)    a packet came
  //   ondrain()           all that send was given has left
  //   onend(reason, err)  it works no longer; called at most once and never after close()
  //
  // send(buffer) takes packets from the front of buffer, which belongs to the engine, and calls
  // ondrain. writable says whether a packet would leave at once: volatile events need that.

  const OPEN = "0";
  const CLOSE = "1";
  const PING = "2";
  const PONG = "3";
  const MESSAGE = "4";
  const UPGRADE = "5";
  const PACKET_NAMES = ["open", "close", "ping", "pong", "message", "upgrade", "noop"];

  const SEPARATOR = "\x1e"; // between the packets of one HTTP body

  // BACKLOG is how many bytes may wait in the browser's WebSocket before it counts as not
  // writable: enough for what the page emits in one go, nothing for a connection that stalls.
  const BACKLOG = 16 * 1024;

  // transportError is the error of connect_error and the details of disconnect. description
  // is the HTTP status or the WebSocket's event, context what else is known.
  function transportError(message, description, context) {
    return Object.assign(new Error(message), { type: "TransportError", description, context });
  }

  class Transport {
    constructor(name, options, sid) {
      this.name = name;
      this.sid = sid; // of the session, once known
      this.maxPayload = Infinity; // bytes in one HTTP body, set by the handshake
      this._options = options;
      this._closed = false;
      this.onopen = this.onpacket = this.ondrain = this.onend = () => {};
    }

    // _url is where to connect: the server's address with the query of the user, then ours.
    _url(extra) {
      const url = new URL(this._options.url);
      const params = Object.assign({}, extra, { EIO: "4", transport: this.name });
      if (this.sid) params.sid = this.sid;
      for (const key of Object.keys(params)) url.searchParams.set(key, params[key]);
      return url;
    }

    _end(reason, err) {
      if (this._closed) return;
      this._closed = true;
      this.onend(reason, err);
    }
  }

  // WebSocketTransport sends each packet as one frame.
  class WebSocketTransport extends Transport {
    constructor(options, sid) {
      super("websocket", options, sid);
      this._ws = null;
    }

    static available() {
      return typeof globalThis.WebSocket === "function";
    }

    open() {
      const url = this._url();
      url.protocol = url.protocol.replace("http", "ws");
      let ws;
      try {
        ws = new globalThis.WebSocket(url.href);
      } catch (err) {
        // For example ws: from a page of https:. Later, because open() has not returned yet.
        setTimeout(() => this._end("transport error", transportError("websocket error", err)));
        return;
      }
      this._ws = ws;
      ws.binaryType = "arraybuffer";
      ws.onopen = () => this._closed || this.onopen();
      ws.onmessage = (event) => this._closed || this.onpacket(event.data);
      ws.onerror = (event) => {
        this._end("transport error", transportError("websocket error", event));
      };
      ws.onclose = (event) => {
        const message = "websocket connection closed";
        this._end("transport close", transportError(message, message, event));
      };
    }

    get ready() {
      return this._ws !== null && this._ws.readyState === 1;
    }

    get writable() {
      return this.ready && !(this._ws.bufferedAmount > BACKLOG);
    }

    get drained() {
      return true; // what was given to the browser's WebSocket leaves before its close frame
    }

    send(buffer) {
      for (const packet of buffer.splice(0)) this._ws.send(packet);
      this.ondrain();
    }

    close() {
      this._closed = true;
      if (this._ws) this._ws.close();
    }
  }

  // PollingTransport receives with GET requests that the server answers when it has something,
  // and sends with POST requests; there is never more than one of each.
  class PollingTransport extends Transport {
    constructor(options, sid) {
      super("polling", options, sid);
      this.gone = false; // the server has forgotten the session: no need to say goodbye
      this._polling = false;
      this._sending = false; // a POST is decided on...
      this._posting = false; // ...and has started
      this._onpaused = null;
      this._abort = new AbortController();
    }

    static available() {
      return typeof globalThis.fetch === "function";
    }

    open() {
      this._poll();
    }

    get ready() {
      return !this._sending && !this._onpaused && !this._closed;
    }

    get writable() {
      return !this._posting && !this._onpaused && !this._closed;
    }

    get drained() {
      return !this._sending;
    }

    // send waits for the end of the current task, so that what a page emits in one go leaves
    // in one request.
    send(buffer) {
      this._sending = true;
      Promise.resolve().then(() => this._post(buffer));
    }

    // pause starts no further request and calls fn when none is under way.
    pause(fn) {
      this._onpaused = fn;
      this._checkPaused();
    }

    resume() {
      this._onpaused = null;
      if (!this._polling) this._poll();
    }

    // close tells the server, unless it knows. The pending GET is left alone until then, as a
    // server takes an aborted one for an error. keepalive lets the request outlive the page.
    close() {
      this._closed = true;
      if (this.gone || !this.sid) {
        this._abort.abort();
        return;
      }
      const abort = () => this._abort.abort();
      this._request("POST", { body: CLOSE, keepalive: true }).then(abort, abort);
    }

    async _poll() {
      this._polling = true;
      let text;
      try {
        const response = await this._request("GET", { signal: this._abort.signal });
        text = await response.text();
        if (!response.ok) return this._refused("xhr poll error", response, text);
      } catch (err) {
        return this._failed("xhr poll error", err);
      }
      for (const part of text.split(SEPARATOR)) {
        if (this._closed) return;
        let packet = part;
        if (part[0] === "b") {
          try {
            packet = fromBase64(part.slice(1));
          } catch (err) {
            this._end("parse error", transportError("invalid base64", err));
            return;
          }
        }
        this.onpacket(packet);
      }
      this._polling = false;
      if (this._closed) return;
      if (this._onpaused) this._checkPaused();
      else this._poll();
    }

    async _post(buffer) {
      if (this._closed) return;
      this._posting = true;
      try {
        const body = await this._payload(buffer);
        const response = await this._request("POST", { body, signal: this._abort.signal });
        const text = await response.text();
        if (!response.ok) return this._refused("xhr post error", response, text);
      } catch (err) {
        return this._failed("xhr post error", err);
      }
      this._sending = this._posting = false;
      if (this._closed) return;
      this.ondrain();
      this._checkPaused();
    }

    // _payload takes as many packets as fit into one body, at least one.
    async _payload(buffer) {
      const parts = [];
      let room = this.maxPayload;
      while (buffer.length > 0) {
        let part = buffer[0];
        if (typeof part !== "string") {
          const data = isBlob(part) ? await part.arrayBuffer() : part;
          part = "b" + toBase64(toBytes(data));
        }
        room -= new TextEncoder().encode(part).length;
        if (room < 0 && parts.length > 0) break;
        room -= SEPARATOR.length;
        parts.push(part);
        buffer.shift();
      }
      return parts.join(SEPARATOR);
    }

    _request(method, init) {
      const url = this._url({ t: Date.now().toString(36) + (PollingTransport.count++).toString(36) });
      return globalThis.fetch(url.href, Object.assign(init, {
        method,
        cache: "no-store",
        credentials: this._options.withCredentials ? "include" : "same-origin",
        headers: this._options.extraHeaders || {},
      }));
    }

    _checkPaused() {
      if (this._onpaused && !this._polling && !this._sending) this._onpaused();
    }

    _refused(message, response, text) {
      this.gone = true;
      const context = { status: response.status, statusText: response.statusText, responseText: text };
      this._end("transport error", transportError(message, response.status, context));
    }

    _failed(message, err) {
      this.gone = true;
      this._end("transport error", transportError(message, err));
    }
  }

  PollingTransport.count = 0; // makes each address unlike any other, for caches that need it

  const TRANSPORTS = new Map([["polling", PollingTransport], ["websocket", WebSocketTransport]]);

  // ---- Engine -----------------------------------------------------------------------------
  //
  // Engine is one Engine.IO session, from its handshake to its end. It fires
  //
  //   open                       the handshake is done
  //   error(err)                 instead of open: no transport could connect
  //   message(data)              a message came, a string or an ArrayBuffer
  //   close(reason, details)     the session has ended, once, after open
  //   ping, packet, packetCreate, drain, upgrading, upgrade, upgradeError    as they happen

  // PATIENCE is how long a transport may take to connect while there is another one to try:
  // some proxies swallow WebSocket connections without a word.
  const PATIENCE = 5000;

  const MAX_TIMER = 0x7fffffff; // what setTimeout can wait, in milliseconds

  const LOOPBACK = /^(localhost|127\..*|\[::1\])$/; // hosts that need no network

  class Engine extends Emitter {
    // options: url, transports, tryAllTransports, upgrade, timeout, extraHeaders,
    // withCredentials; see io().
    constructor(options) {
      super();
      this.id = "";
      this.readyState = "opening"; // then open, closing, closed
      this.transport = null;
      this._options = options;
      this._buffer = []; // packets that wait for the transport
      this._probing = null; // the WebSocket that may take over
      this._switching = false; // it has answered, polling is coming to rest
      this._candidates = options.transports.filter(
        (name) => TRANSPORTS.has(name) && TRANSPORTS.get(name).available());
      if (!options.tryAllTransports) this._candidates.splice(1);
      this._offPage = [
        // The browser is about to drop the connection: the server should know now. A page that
        // comes back from the back/forward cache finds its session closed and reconnects.
        onPage("pagehide", () => this._end("transport close", transportError("page hidden"))),
        onPage("offline", () => {
          if (!LOOPBACK.test(options.url.hostname)) {
            this._end("transport close", transportError("network lost"));
          }
        }),
      ];
      this._openNext(transportError("no transport available"));
    }

    // write sends a message: a string or binary data.
    write(data) {
      if (this.readyState !== "open") return this;
      this._fire("packetCreate", { type: "message", data });
      this._send(typeof data === "string" ? MESSAGE + data : data);
      return this;
    }

    // close sends what is left and ends the session.
    close() {
      if (this.readyState === "opening") this._end("forced close");
      if (this.readyState !== "open") return this;
      this.readyState = "closing";
      if (!this._switching) this._dropProbe();
      this._closeIfDrained();
      return this;
    }

    // checkAlive reports whether a message can be entrusted to the session. Timers do not run
    // while a computer sleeps or a page is frozen, so this looks at the clock. A session whose
    // heartbeat is overdue ends as soon as the caller has returned, not in the middle of an emit.
    checkAlive() {
      if (this.readyState !== "open") return false;
      const overdue = this._silence() >= this._maxSilence;
      if (overdue) Promise.resolve().then(() => this._die());
      return !overdue;
    }

    // _openNext connects with the next transport of the list, or gives up.
    _openNext(err) {
      clearTimeout(this._patience);
      if (this._candidates.length === 0) {
        setTimeout(() => this._end("transport error", err));
        return;
      }
      const name = this._candidates.shift();
      const transport = new (TRANSPORTS.get(name))(this._options);
      this._attach(transport);
      if (this._candidates.length > 0) {
        const half = this._options.timeout > 0 ? this._options.timeout / 2 : PATIENCE;
        this._patience = setTimeout(() => {
          transport.close();
          this._openNext(transportError(name + " timeout"));
        }, Math.min(half, PATIENCE));
      }
      transport.open();
    }

    _attach(transport) {
      this.transport = transport;
      transport.onpacket = (packet) => this._receive(packet);
      transport.ondrain = () => {
        this._fire("drain");
        this._flush();
        this._closeIfDrained();
      };
      transport.onend = (reason, err) => {
        if (this.readyState === "opening") {
          transport.close();
          this._openNext(err);
        } else {
          this._end(reason, err);
        }
      };
    }

    _receive(packet) {
      if (this.readyState === "closed") return;
      this._lastSeen = Date.now();
      const binary = typeof packet !== "string";
      const type = binary ? MESSAGE : packet[0];
      const data = binary ? packet : packet.slice(1);
      const malformed = !PACKET_NAMES[type] || (this.readyState === "opening") !== (type === OPEN);
      if (malformed) {
        this._end("parse error", transportError("unexpected packet", packet));
        return;
      }
      this._fire("packet", { type: PACKET_NAMES[type], data });
      switch (type) {
        case OPEN:
          this._handshake(data);
          break;
        case CLOSE:
          this.transport.gone = true;
          this._end("transport close", transportError("closed by the server"));
          break;
        case PING:
          this._send(PONG + data);
          this._fire("ping");
          break;
        case MESSAGE:
          if (this.readyState === "open") this._fire("message", data);
          break;
      }
    }

    _handshake(json) {
      let hello;
      try {
        hello = JSON.parse(json);
      } catch (err) {
        hello = null;
      }
      const valid = hello && typeof hello.sid === "string" && hello.sid !== ""
        && Number.isFinite(hello.pingInterval) && Number.isFinite(hello.pingTimeout);
      if (!valid) {
        this._end("parse error", transportError("invalid handshake", json));
        return;
      }
      clearTimeout(this._patience);
      this.id = this.transport.sid = hello.sid;
      if (hello.maxPayload > 0) this.transport.maxPayload = hello.maxPayload;
      this._maxSilence = hello.pingInterval + hello.pingTimeout;
      this._watch();
      this.readyState = "open";
      this._fire("open");
      const better = Array.isArray(hello.upgrades) && hello.upgrades.includes("websocket")
        && this._options.transports.includes("websocket") && WebSocketTransport.available();
      if (this.readyState === "open" && this.transport.name === "polling"
        && better && this._options.upgrade !== false) {
        this._probe();
      }
    }

    // _probe tries a WebSocket beside polling and moves the session over if it works. Packets
    // wait in the buffer from the moment polling pauses until the WebSocket has taken over, so
    // that none is lost or overtaken in either direction.
    _probe() {
      const polling = this.transport;
      const ws = new WebSocketTransport(this._options, this.id);
      this._probing = ws;
      ws.onopen = () => ws.send([PING + "probe"]);
      ws.onend = (_, err) => this._probeFailed(err);
      ws.onpacket = (packet) => {
        if (packet !== PONG + "probe" || this._switching) {
          this._probeFailed(transportError("probe error", packet));
          return;
        }
        this._switching = true;
        this._fire("upgrading", ws);
        if (this._probing !== ws) return;
        polling.pause(() => {
          if (this._probing !== ws) return;
          if (!ws.ready) return; // its end is about to be reported
          this._probing = null;
          this._switching = false;
          polling.gone = true;
          polling.close();
          this._attach(ws);
          ws.send([UPGRADE]);
          this._fire("upgrade", ws);
          this._flush();
          this._closeIfDrained();
        });
      };
      ws.open();
    }

    _probeFailed(err) {
      const polling = this.transport;
      this._dropProbe();
      this._fire("upgradeError", err);
      if (!this._switching) return;
      this._switching = false;
      if (this.readyState === "closed") return;
      polling.resume();
      this._flush();
      this._closeIfDrained();
    }

    _dropProbe() {
      if (!this._probing) return;
      this._probing.close();
      this._probing = null;
    }

    _send(packet) {
      if (this.readyState === "closed") return;
      this._buffer.push(packet);
      this._flush();
    }

    _flush() {
      if (this.readyState === "closed" || this._switching) return;
      if (this._buffer.length > 0 && this.transport.ready) this.transport.send(this._buffer);
    }

    _closeIfDrained() {
      if (this.readyState !== "closing" || this._switching) return;
      if (this._buffer.length === 0 && this.transport.drained) this._end("forced close");
    }

    // _watch ends the session when nothing at all has come for longer than the server's pings
    // are apart.
    _watch() {
      const left = this._maxSilence - this._silence();
      this._heartbeat = setTimeout(() => {
        if (this._silence() >= this._maxSilence) this._die();
        else this._watch();
      }, Math.min(Math.max(left, 1), MAX_TIMER));
    }

    // _silence is how many milliseconds ago something came.
    _silence() {
      const now = Date.now();
      if (now < this._lastSeen) this._lastSeen = now; // the clock was set back
      return now - this._lastSeen;
    }

    _die() {
      this.transport.gone = true; // as far as we can tell: a goodbye would not get through
      this._end("ping timeout", transportError("the server was silent for too long"));
    }

    // _end is the only way out.
    _end(reason, details) {
      if (this.readyState === "closed") return;
      const opened = this.readyState !== "opening";
      this.readyState = "closed";
      clearTimeout(this._patience);
      clearTimeout(this._heartbeat);
      for (const off of this._offPage) off();
      this._dropProbe();
      if (this.transport) this.transport.close();
      this._buffer = [];
      if (opened) this._fire("close", reason, details);
      else this._fire("error", details || transportError(reason));
    }
  }

  // ---- Packets ----------------------------------------------------------------------------
  //
  // <type>[<attachments>-][<namespace>,][<ack id>][<JSON>], then the attachments: binary data,
  // for which the JSON holds {"_placeholder":true,"num":<index>}.

  const CONNECT = 0;
  const DISCONNECT = 1;
  const EVENT = 2;
  const ACK = 3;
  const CONNECT_ERROR = 4;
  const BINARY = 3; // what a type grows by when there are attachments

  const HEADER = /^([0-6])(?:(\d+)-)?(?:(\/[^,]*),?)?(\d*)/;

  // Events that the library itself fires, on either side: nobody can send them.
  const RESERVED = new Set([
    "connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener",
  ]);

  // detach turns the data of a packet into JSON and takes the binary data out of it.
  function detach(data) {
    const attachments = [];
    // The replacer sees a value after its toJSON; its holder has the value itself.
    const json = JSON.stringify(data, function (key, value) {
      if (!isBinary(this[key])) return value;
      return { _placeholder: true, num: attachments.push(this[key]) - 1 };
    });
    return { json, attachments };
  }

  // encode returns the messages of one packet: a text and its attachments.
  function encode(type, nsp, { json, attachments }, id) {
    const head = attachments.length > 0 ? `${type + BINARY}${attachments.length}-` : `${type}`;
    const space = nsp === "/" ? "" : nsp + ",";
    return [head + space + (id === undefined ? "" : id) + json].concat(attachments);
  }

  const NOTHING = { json: "", attachments: [] };

  function malformed(what) {
    throw new Error("malformed packet: " + what);
  }

  // Decoder puts packets together. It throws when what it is given is not the protocol.
  class Decoder {
    constructor() {
      this._packet = null; // waits for attachments
      this._missing = 0;
      this._attachments = [];
    }

    // add takes the next message and returns the packet it completes, or null.
    add(message) {
      if (typeof message === "string") {
        if (this._packet) malformed("an attachment is missing");
        const packet = this._parse(message);
        if (this._missing === 0) return packet;
        this._packet = packet;
        return null;
      }
      if (!this._packet) malformed("an attachment without a packet");
      this._attachments.push(message);
      if (this._attachments.length < this._missing) return null;
      const packet = this._packet;
      packet.data = this._restore(packet.data);
      this._packet = null;
      this._missing = 0;
      this._attachments = [];
      return packet;
    }

    _parse(text) {
      const match = HEADER.exec(text);
      if (!match) malformed("its type");
      const [head, digit, count, nsp, id] = match;
      const type = Number(digit);
      const binary = type > CONNECT_ERROR;
      if (binary !== (count !== undefined)) malformed("the number of attachments");
      const json = text.slice(head.length);
      const packet = {
        type: binary ? type - BINARY : type,
        nsp: nsp || "/",
        id: id === "" ? undefined : Number(id),
        data: json === "" ? undefined : JSON.parse(json),
      };
      if (!this._valid(packet)) malformed("its payload");
      this._missing = Number(count || 0);
      return packet;
    }

    _valid(packet) {
      const data = packet.data;
      const object = typeof data === "object" && data !== null && !Array.isArray(data);
      switch (packet.type) {
        case CONNECT:
          return object || data === undefined;
        case DISCONNECT:
          return data === undefined;
        case EVENT:
          return Array.isArray(data)
            && (typeof data[0] === "string" || typeof data[0] === "number")
            && !RESERVED.has(data[0]);
        case ACK:
          return Array.isArray(data);
        case CONNECT_ERROR:
          return object || typeof data === "string";
      }
      return false;
    }

    // _restore puts the attachments where their placeholders are.
    _restore(value) {
      if (typeof value !== "object" || value === null) return value;
      if (value._placeholder === true) {
        const found = Number.isInteger(value.num) && this._attachments[value.num];
        return found || malformed("a placeholder");
      }
      for (const key of Object.keys(value)) value[key] = this._restore(value[key]);
      return value;
    }
  }

  // ---- Manager ----------------------------------------------------------------------------
  //
  // Manager owns the connection to one server, shared by the sockets of all its namespaces, and
  // opens a new one when it breaks. It fires open, error, close, ping, reconnect_attempt,
  // reconnect, reconnect_error and reconnect_failed.

  const DEFAULTS = {
    path: "/socket.io/",
    transports: ["websocket", "polling"],
    upgrade: true,
    withCredentials: false,
    autoConnect: true,
    reconnection: true,
    reconnectionAttempts: Infinity,
    reconnectionDelay: 1000,
    reconnectionDelayMax: 5000,
    randomizationFactor: 0.5,
    timeout: 20000,
  };

  class Manager extends Emitter {
    constructor(uri, options) {
      super();
      if (typeof uri === "object" && uri !== null && !(uri instanceof URL)) {
        options = uri;
        uri = undefined;
      }
      const given = Object.assign({}, options);
      for (const key of Object.keys(given)) if (given[key] === undefined) delete given[key];
      this.opts = Object.assign({}, DEFAULTS, given);
      this.uri = resolve(uri).origin;
      this.engine = undefined;
      this._readyState = "closed"; // opening, open
      this._sockets = new Map(); // by namespace
      this._unsubscribe = () => {};
      this._stopped = false; // deliberately closed: do not reconnect
      this._reconnecting = false;
      this._attempts = 0;
      this._pollingFirst = false; // WebSocket does not get through to this server
      if (this.opts.autoConnect) this.open();
    }

    // socket returns the socket of a namespace.
    socket(nsp, options) {
      if (nsp[0] !== "/") nsp = "/" + nsp;
      let socket = this._sockets.get(nsp);
      if (!socket) {
        socket = new Socket(this, nsp, options || {});
        this._sockets.set(nsp, socket);
      }
      if (this.opts.autoConnect && !socket.active) socket.connect();
      return socket;
    }

    // open connects once; fn, if given, hears how that went and looks after the rest.
    open(fn) {
      if (this._readyState !== "closed") return this;
      this._readyState = "opening";
      this._stopped = false;
      const engine = new Engine(this._engineOptions());
      this.engine = engine;
      const timeout = this.opts.timeout;
      const timer = timeout === false ? undefined : setTimeout(() => {
        failed(transportError("timeout"));
      }, timeout);

      const failed = (err) => {
        this._unsubscribe();
        this._readyState = "closed";
        engine.close();
        const sockets = this._activeSockets();
        this._fire("error", err);
        for (const socket of sockets) socket._onunreachable(err);
        if (fn) fn(err);
        else this._reconnect();
      };
      const opened = () => {
        clearTimeout(timer);
        this._readyState = "open";
        this._remember(engine.transport.name);
        this._fire("open");
        for (const socket of this._activeSockets()) socket._onopen();
        if (fn) fn();
      };

      const decoder = new Decoder();
      const listeners = {
        open: opened,
        error: failed,
        ping: () => this._fire("ping"),
        upgrade: (transport) => this._remember(transport.name),
        message: (message) => this._onmessage(decoder, message),
        close: (reason, details) => this._onclose(reason, details),
      };
      for (const name of Object.keys(listeners)) engine.on(name, listeners[name]);
      this._unsubscribe = () => {
        this._unsubscribe = () => {};
        clearTimeout(timer);
        for (const name of Object.keys(listeners)) engine.off(name, listeners[name]);
      };
      return this;
    }

    _engineOptions() {
      const url = new URL(this.uri + inSlashes(this.opts.path));
      const query = new URLSearchParams(this.opts.query || "");
      query.forEach((value, key) => url.searchParams.append(key, value));
      let transports = this.opts.transports;
      const tryAllTransports = transports[0] === "websocket";
      if (this._pollingFirst) {
        transports = ["polling"].concat(transports.filter((name) => name !== "polling"));
      }
      return Object.assign({ tryAllTransports }, this.opts, { url, transports });
    }

    // _remember keeps in mind that a WebSocket failed where polling worked, so that the next
    // connection need not find out again. One that upgrades is forgiven.
    _remember(transport) {
      this._pollingFirst = transport === "polling" && this.opts.transports[0] === "websocket";
    }

    _write(messages) {
      if (this._readyState !== "open") return;
      for (const message of messages) this.engine.write(message);
    }

    _onmessage(decoder, message) {
      let packet;
      try {
        packet = decoder.add(message);
      } catch (err) {
        this.engine._end("parse error", err);
        return;
      }
      const socket = packet && this._sockets.get(packet.nsp);
      if (socket) socket._onpacket(packet);
    }

    _onclose(reason, details) {
      this._unsubscribe();
      this._readyState = "closed";
      this._attempts = 0;
      for (const socket of this._sockets.values()) socket._forgetConnect();
      const sockets = this._activeSockets();
      this._fire("close", reason, details);
      for (const socket of sockets) socket._onclose(reason, details);
      this._reconnect();
    }

    // _release closes the connection when the last socket has no use for it.
    _release() {
      if (this._activeSockets().length === 0) this._close();
    }

    _activeSockets() {
      return Array.from(this._sockets.values()).filter((socket) => socket.active);
    }

    // _close ends the connection, or the attempts to get one. What was sent still leaves.
    _close() {
      const engine = this.engine;
      this._stopReconnecting();
      this._stopped = true;
      this._unsubscribe();
      if (this._readyState === "open") this._onclose("forced close");
      else this._readyState = "closed";
      if (engine) engine.close();
    }

    // _reconnect schedules the next attempt: later each time, and at a random moment, so that
    // a restarted server does not see all its clients at once. It goes ahead as soon as the
    // browser says that the network is back.
    _reconnect() {
      const o = this.opts;
      if (!o.reconnection || this._stopped || this._reconnecting) return;
      if (this._readyState !== "closed") return;
      if (this._attempts >= o.reconnectionAttempts) {
        this._attempts = 0;
        this._fire("reconnect_failed");
        return;
      }
      const delay = Math.min(o.reconnectionDelay * Math.pow(2, this._attempts), o.reconnectionDelayMax);
      const low = delay * (1 - o.randomizationFactor);
      const high = Math.min(delay * (1 + o.randomizationFactor), o.reconnectionDelayMax);
      this._attempts++;
      this._reconnecting = true;
      const go = () => {
        this._cancelTimer();
        this._attempt();
      };
      const timer = setTimeout(go, low + Math.random() * (high - low));
      const offPage = onPage("online", go);
      this._cancelTimer = () => {
        clearTimeout(timer);
        offPage();
      };
    }

    _attempt() {
      this._fire("reconnect_attempt", this._attempts);
      if (!this._reconnecting) return; // a listener closed it
      this.open((err) => {
        this._reconnecting = false;
        if (err) {
          this._fire("reconnect_error", err);
          this._reconnect();
        } else {
          const attempts = this._attempts;
          this._attempts = 0;
          this._fire("reconnect", attempts);
        }
      });
    }

    _stopReconnecting() {
      if (!this._reconnecting) return;
      this._reconnecting = false;
      this._attempts = 0;
      this._cancelTimer();
    }
  }

  Manager.prototype.connect = Manager.prototype.open;
  Manager.prototype.disconnect = Manager.prototype.close = Manager.prototype._close;

  // These read an option without an argument, and set it with one.
  for (const name of ["reconnection", "reconnectionAttempts", "reconnectionDelay",
    "reconnectionDelayMax", "randomizationFactor", "timeout"]) {
    Manager.prototype[name] = function (value) {
      if (value === undefined) return this.opts[name];
      this.opts[name] = value;
      if (name === "reconnection" && !value) this._stopReconnecting();
      return this;
    };
  }

  // ---- Socket -----------------------------------------------------------------------------
  //
  // Socket is a connection to one namespace. It fires connect, connect_error(err),
  // disconnect(reason, details) and the events of the server.

  class Socket extends Emitter {
    constructor(manager, nsp, options) {
      super();
      this.io = manager;
      this.nsp = nsp;
      this.id = undefined; // while connected
      this.connected = false;
      this.active = false; // connected, or trying to be
      this.recovered = false; // the last connect has restored the session before it
      this.auth = options.auth; // an object, or a function that gives its callback one
      this.sendBuffer = []; // packets emitted while not connected
      this.receiveBuffer = []; // events that came before the server's CONNECT
      this._options = options;
      this._flags = {}; // of the next emit
      this._acks = new Map(); // id => who waits for an answer
      this._nextId = 0;
      this._queue = []; // of the option retries
      this._anyIncoming = []; // listeners of onAny
      this._anyOutgoing = []; // listeners of onAnyOutgoing
      this._session = 0; // counts the CONNECTs, to tell what belongs to an earlier one
      this._awaitsConnect = false; // CONNECT is sent and not answered yet...
      this._abandoned = false; // ...and nobody wants the answer any more
      this._pid = undefined; // the server's secret for recovering this session
      this._offset = undefined; // the last event that was received
    }

    get disconnected() {
      return !this.connected;
    }

    connect() {
      if (this.connected) return this;
      this.active = true;
      if (!this.io._reconnecting) this.io.open();
      if (this.io._readyState === "open") this._onopen();
      return this;
    }

    disconnect() {
      const wasConnected = this.connected;
      if (wasConnected) this.io._write(encode(DISCONNECT, this.nsp, NOTHING));
      this._abandoned = this._awaitsConnect;
      this._deactivate();
      if (wasConnected) this._closed("io client disconnect");
      return this;
    }

    // emit sends an event. A function as the last argument receives the server's answer.
    emit(name, ...args) {
      const flags = this._flags;
      this._flags = {};
      if (RESERVED.has(name)) throw new Error(`"${name}" is a reserved event name`);
      const ack = typeof args[args.length - 1] === "function" ? args.pop() : undefined;
      const event = [name].concat(args);
      // Encoded now: it is the state of the arguments at this moment that counts.
      const data = detach(event);
      if (this._options.retries > 0 && !flags.volatile) {
        this._queue.push({ event, data, ack, flags, tries: 0, waiting: false });
        this._drainQueue();
      } else {
        this._emit(event, data, ack, flags);
      }
      return this;
    }

    // emitWithAck sends an event and promises the first argument of the server's answer.
    emitWithAck(name, ...args) {
      return new Promise((resolve, reject) => {
        const ack = (err, value) => (err ? reject(err) : resolve(value));
        ack.errorFirst = true;
        this.emit(name, ...args, ack);
      });
    }

    send(...args) {
      return this.emit("message", ...args);
    }

    // volatile makes the next emit one that may be lost: it is dropped rather than delayed.
    get volatile() {
      this._flags.volatile = true;
      return this;
    }

    // timeout makes the callback of the next emit one that takes an error first, which is set
    // when the server has not answered within so many milliseconds.
    timeout(ms) {
      this._flags.timeout = ms;
      return this;
    }

    // compress is accepted for compatibility: compression is the browser's business.
    compress() {
      return this;
    }

    // -- sending --

    _emit(event, data, ack, flags) {
      // What is emitted on a dead connection is kept for the next one.
      const live = this.connected && this.io.engine.checkAlive();
      const timeout = flags.timeout === undefined ? this._options.ackTimeout : flags.timeout;
      const errorFirst = ack !== undefined && (ack.errorFirst || timeout !== undefined);
      if (flags.volatile && !(live && this.io.engine.transport.writable)) {
        const err = new Error("the volatile event was dropped");
        if (errorFirst) setTimeout(() => invoke(ack, this, [err]));
        return;
      }
      const id = ack ? this._nextId++ : undefined;
      const packet = { event, id, messages: encode(EVENT, this.nsp, data, id), sent: false };
      if (ack) this._awaitAck(packet, ack, errorFirst, timeout);
      if (live) this._transmit(packet);
      else this.sendBuffer.push(packet);
    }

    _transmit(packet) {
      packet.sent = true;
      for (const fn of this._anyOutgoing) invoke(fn, this, packet.event);
      this.io._write(packet.messages);
    }

    _awaitAck(packet, fn, errorFirst, timeout) {
      const waiter = { fn, errorFirst, packet, timer: undefined };
      if (timeout !== undefined) {
        waiter.timer = setTimeout(() => {
          this.sendBuffer = this.sendBuffer.filter((other) => other !== packet);
          this._settle(packet.id, new Error(`the server did not answer within ${timeout} ms`), []);
        }, timeout);
      }
      this._acks.set(packet.id, waiter);
    }

    _settle(id, err, args) {
      const waiter = this._acks.get(id);
      if (!waiter) return; // answered before, or too late
      this._acks.delete(id);
      clearTimeout(waiter.timer);
      if (waiter.errorFirst) invoke(waiter.fn, this, [err].concat(args));
      else if (!err) invoke(waiter.fn, this, args);
    }

    // _drainQueue sends the first event of the queue and keeps it there until the server has
    // answered: with the option retries, events are delivered in order and at least once.
    _drainQueue() {
      const head = this._queue[0];
      if (!head || head.waiting || !this.connected) return;
      head.waiting = true;
      head.tries++;
      const ack = (err, ...args) => {
        head.waiting = false;
        if (!err || head.tries > this._options.retries) {
          this._queue.shift();
          if (head.ack) invoke(head.ack, this, [err].concat(args));
        }
        this._drainQueue();
      };
      ack.errorFirst = true;
      this._emit(head.event, head.data, ack, head.flags);
    }

    // -- receiving --

    _onpacket(packet) {
      const answer = packet.type === CONNECT || packet.type === CONNECT_ERROR;
      if (answer && !this._awaitsConnect) return;
      if (answer) this._awaitsConnect = false;
      if (answer && this._abandoned) {
        // disconnect() came before the answer, and perhaps connect() again after it.
        this._abandoned = false;
        if (packet.type === CONNECT) this.io._write(encode(DISCONNECT, this.nsp, NOTHING));
        if (this.active) this._onopen();
        return;
      }
      if (!this.active) return;
      switch (packet.type) {
        case CONNECT:
          this._onconnect(packet.data || {});
          break;
        case EVENT:
          if (this.connected) this._deliver(packet);
          else this.receiveBuffer.push(packet);
          break;
        case ACK:
          this._settle(packet.id, null, packet.data);
          break;
        case DISCONNECT:
          this._deactivate();
          this._closed("io server disconnect");
          break;
        case CONNECT_ERROR:
          this._refused(packet.data);
          break;
      }
    }

    _onconnect(data) {
      if (typeof data.sid !== "string") {
        this._refused("the server speaks an old version of the protocol (Socket.IO 2)");
        return;
      }
      this.recovered = data.pid !== undefined && data.pid === this._pid;
      if (!this.recovered) this._offset = undefined;
      this._pid = data.pid;
      this.id = data.sid;
      this.connected = true;
      // What was missed, and what could not be sent, comes before anything new.
      for (const packet of this.receiveBuffer.splice(0)) if (this.connected) this._deliver(packet);
      while (this.connected && this.sendBuffer.length > 0) this._transmit(this.sendBuffer.shift());
      this._drainQueue();
      if (this.connected) this._fire("connect");
    }

    _deliver(packet) {
      const args = packet.data;
      const last = args[args.length - 1];
      if (packet.id !== undefined) {
        args.push(this._answer(packet.id));
      } else if (this._pid && args.length > 1 && typeof last === "string") {
        this._offset = last; // a server with recovery appends it to each event
      }
      for (const fn of this._anyIncoming) invoke(fn, this, args);
      this._fire(...args);
    }

    // _answer is the function with which a listener answers the server: once, and only in the
    // session that asked, since another one has other ids.
    _answer(id) {
      const session = this._session;
      let answered = false;
      return (...args) => {
        if (answered || !this.connected || session !== this._session) return;
        this.io._write(encode(ACK, this.nsp, detach(args), id));
        answered = true;
      };
    }

    // -- connecting and disconnecting --

    // _onopen asks for the namespace when the manager has a connection.
    _onopen() {
      if (!this.active || this._awaitsConnect) return;
      const session = ++this._session;
      const connect = (auth) => {
        // An answer of the auth function may come late, or twice.
        const due = this.active && !this._awaitsConnect && !this.connected;
        if (!due || session !== this._session || this.io._readyState !== "open") return;
        const recover = this._pid ? { pid: this._pid, offset: this._offset } : undefined;
        const data = recover || auth ? Object.assign({}, recover, auth) : undefined;
        const payload = data ? { json: JSON.stringify(data), attachments: [] } : NOTHING;
        this.io._write(encode(CONNECT, this.nsp, payload));
        this._awaitsConnect = true;
      };
      const auth = typeof this.auth === "function" ? this.auth : (reply) => reply(this.auth);
      invoke(auth, this, [connect]);
    }

    // _onunreachable hears of a connection that could not be opened; the manager tries again.
    _onunreachable(err) {
      if (this.active) this._fire("connect_error", err);
    }

    // _forgetConnect says that a CONNECT, if one was sent, will not be answered.
    _forgetConnect() {
      this._awaitsConnect = this._abandoned = false;
    }

    // _onclose hears that the manager's connection is gone.
    _onclose(reason, details) {
      if (!this.active) return;
      if (this.connected) this._closed(reason, details);
      else this._fire("connect_error", details || new Error(reason));
    }

    // _refused ends the attempt to connect: it is up to the application to try again.
    _refused(data) {
      const err = new Error(typeof data === "string" ? data : data.message);
      err.data = data.data;
      this._deactivate();
      this._fire("connect_error", err);
    }

    // _deactivate leaves for good, by either side's decision: there is nothing to recover.
    _deactivate() {
      this._pid = this._offset = undefined;
      this.receiveBuffer = [];
      this.active = false;
      this.io._release();
    }

    _closed(reason, details) {
      this.connected = false;
      this.id = undefined;
      this._fire("disconnect", reason, details);
      // Nobody will answer what was sent; what was not sent can still be.
      const err = new Error("disconnected before the server answered");
      for (const [id, waiter] of Array.from(this._acks)) {
        if (waiter.packet.sent) this._settle(id, err, []);
      }
    }
  }

  Socket.prototype.open = Socket.prototype.connect;
  Socket.prototype.close = Socket.prototype.disconnect;

  // onAny and its family listen to all events that come, onAnyOutgoing to all that are sent.
  for (const [any, list] of [["Any", "_anyIncoming"], ["AnyOutgoing", "_anyOutgoing"]]) {
    Object.assign(Socket.prototype, {
      ["on" + any](fn) {
        this[list] = this[list].concat(fn);
        return this;
      },
      ["prepend" + any](fn) {
        this[list] = [fn].concat(this[list]);
        return this;
      },
      ["off" + any](fn) {
        this[list] = fn ? this[list].filter((other) => other !== fn) : [];
        return this;
      },
      ["listeners" + any]() {
        return this[list];
      },
    });
  }

  // ---- io() -------------------------------------------------------------------------------

  // resolve splits what io() is given into origin, namespace and query. A path alone, or
  // nothing, means the server that the page came from.
  function resolve(uri) {
    let text = uri === undefined || uri === null ? "/" : String(uri);
    const page = typeof location === "object" && /^http/.test(location.origin) && location.origin;
    const pageScheme = page ? page.split("/", 1)[0] : "https:";
    if (/^\/(?!\/)/.test(text)) {
      if (!page) throw new Error("io: the address of the server is needed here");
      text = page + text;
    } else if (/^\/\//.test(text)) {
      text = pageScheme + text;
    } else if (!/^(https?|wss?):\/\//.test(text)) {
      text = pageScheme + "//" + text;
    }
    const [, scheme, host, path, query] = /^(\w+):\/\/([^/?#]*)([^?#]*)\??([^#]*)/.exec(text);
    const origin = new URL(scheme.replace("ws", "http") + "://" + host).origin;
    return { origin, nsp: path || "/", query };
  }

  // inSlashes gives a path the slash before and after it that the server expects.
  function inSlashes(path) {
    return `/${path}/`.replace(/^\/+|\/+$/g, "/");
  }

  const managers = new Map(); // by origin and path

  // io returns a socket for the namespace in uri. Namespaces of one server share a connection.
  //
  // Options of the connection: path, transports (tried in turn if the first is "websocket", else
  // the first only), tryAllTransports, upgrade, query, extraHeaders (polling only), withCredentials,
  // reconnection, reconnectionAttempts, reconnectionDelay, reconnectionDelayMax,
  // randomizationFactor, timeout, autoConnect, forceNew. Options of the socket: auth, ackTimeout,
  // retries. Their meaning and defaults are those of the official client, but for transports:
  // ["websocket", "polling"], which costs one round trip less and needs no sticky sessions.
  function io(uri, options) {
    if (typeof uri === "object" && uri !== null && !(uri instanceof URL)) {
      options = uri;
      uri = undefined;
    }
    options = Object.assign({}, options);
    const { origin, nsp, query } = resolve(uri);
    if (query && !options.query) options.query = query;
    const key = origin + inSlashes(options.path || DEFAULTS.path);
    let manager = managers.get(key);
    const own = options.forceNew || options.multiplex === false
      || (manager !== undefined && manager._sockets.has(nsp));
    if (own || !manager) {
      manager = new Manager(origin, options);
      if (!own) managers.set(key, manager);
    }
    return manager.socket(nsp, options);
  }

  Object.assign(io, { io, connect: io, Manager, Socket, protocol: 5 });

  globalThis.io = io;
  if (typeof module === "object" && module.exports) module.exports = io;
})();
