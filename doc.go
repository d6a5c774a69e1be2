// Package socketio is a Socket.IO server to embed in a Go program. Clients of
// Socket.IO 3 and 4 connect over HTTP long-polling or WebSocket and exchange named
// events with it, in both directions, with acknowledgements (acks).
//
// A complete server:
//
//	package main
//
//	import (
//		"log"
//		"net/http"
//		"time"
//
//		"github.com/socketio-go/socketio"
//	)
//
//	func main() {
//		io := socketio.NewServer(nil)
//		io.OnConnect(func(s *socketio.Socket) { s.Join("lobby") })
//		io.On("say", func(s *socketio.Socket, text string) int {
//			s.To("lobby").Emit("said", text)
//			return len(text) // the ack, if the client wants one
//		})
//
//		http.Handle("/socket.io/", io)
//		server := &http.Server{Addr: ":3000", ReadHeaderTimeout: 5 * time.Second}
//		log.Fatal(server.ListenAndServe())
//	}
//
// Its page, with the browser client that the server serves:
//
//	<script src="/socket.io/socket.io.js"></script>
//	<script>
//		const socket = io();
//		socket.on("said", (text) => console.log(text));
//		socket.emit("say", "hello", (length) => console.log(length));
//	</script>
//
// A handler that panics costs its event. The log has the stack, first the line that panicked:
//
//	ERROR socketio: panic socket.id=inQ1-Z6oA6o-ir2eJLVA … event=say panic="…" stack="[main.main.func1 main.go:14 …]"
//
// A [Server] is an [http.Handler]. It holds namespaces, and is itself the default one, "/".
// A [Socket] is one client in one [Namespace]. Handlers of one socket run one at a time;
// handlers of different sockets run concurrently. All methods may be called from any
// goroutine, also after the socket or server is closed.
//
// The sections below are a tour. The folder [docs] has a page on each topic, and
// [guarantees] lists all promises with the tests that show them.
//
// # Mounting
//
// Mount the server under any path of any mux or framework that forwards every method,
// does not buffer responses, and does not hide [http.Hijacker]. [http.TimeoutHandler] does
// both. Clients expect "/socket.io/", with the final slash. For another path they need an option:
//
//	mux.Handle("/live/", io) // io("https://example.com", { path: "/live/" })
//
// The timeouts of an [http.Server] are safe: ReadTimeout and WriteTimeout end neither a
// waiting poll nor a WebSocket. See [deployment] for frameworks and proxies.
//
// # Handlers
//
// [Namespace.On] registers a handler for an event of every socket, [Socket.On] for one
// socket. A handler names the types that it wants:
//
//	func(s *socketio.Socket)                                      // no arguments
//	func(s *socketio.Socket, room, text string)                   // two
//	func(a, b int) int                                            // the result is the ack
//	func(s *socketio.Socket, o Order) (Receipt, error)            // or the error is
//	func(ctx context.Context, s *socketio.Socket, o Order) error  // ctx ends with the socket
//	func(s *socketio.Socket, names ...string)                     // any number
//	func(s *socketio.Socket, kind string, rest socketio.Args)     // the rest undecoded
//	func(s *socketio.Socket, o Order, ack socketio.AckFunc)       // acknowledges later
//
// In general:
//
//	func([context.Context,] [*socketio.Socket,] args… [, socketio.Args] [, socketio.AckFunc]) [result] [error]
//
// On panics if the function has another shape. Arguments are decoded by position, as
// encoding/json does. If one does not fit, the handler is not called.
//
// An *[Error] that a handler returns is sent to the client. Any other error, and a
// panic, is sent as "internal error" and reported to [Options.OnError]. See [handlers].
//
// # Typed events
//
// An [Event] is an event name with the type of its argument, and a [Call] one with the types of its
// argument and its ack. A [Key] attaches a typed value to a socket. Declare them once, as constants:
//
//	const (
//		Said  socketio.Event[Message]             = "said"
//		Login socketio.Call[Credentials, Profile] = "login"
//		User  socketio.Key[Profile]               = "user"
//	)
//
//	Login.On(io, func(ctx context.Context, s *socketio.Socket, c Credentials) (Profile, error) {
//		p, err := authenticate(ctx, c)
//		if err != nil {
//			return p, socketio.Errorf("wrong name or password")
//		}
//		User.Set(s, p)
//		return p, nil
//	})
//	Said.Emit(io.To("lobby"), Message{Text: "hello"})
//
// # Emitting
//
// A [Target] is anything with an Emit method: a socket, room, namespace, server, or an [Emitter].
//
//	s.Emit("hello", "you")                       // one socket
//	io.Emit("hello", "everybody")                // all sockets of "/"
//	s.Broadcast().Emit("hello", "others")        // all but s
//	io.To("a", "b").Emit("hello")                // sockets in a or b, each once
//	s.To("a").Except("b").Emit("hello")          // in a, not in b, and not s
//	io.To(id).Emit("hello")                      // the socket with that id
//	io.Volatile().Emit("position", x, y)         // dropped if it would have to wait
//
// Arguments are what encoding/json takes; a []byte travels as binary data. They are encoded
// once for all receivers, before Emit returns. Emit does not wait for the network: a nil error
// means queued. See [emitting] and the [cheatsheet].
//
// # Acks
//
// To wait for the ack of one client, or of many, use EmitWithAck:
//
//	answer, err := s.EmitWithAck(ctx, "question", 42)
//	replies, err := io.To("lobby").EmitWithAck(ctx, "ready?") // one Reply for each receiver
//
// A function as the last argument of Emit does not wait; it runs like a handler of the socket:
//
//	err := s.Emit("question", 42, func(answer socketio.Args, err error) { … })
//
// Every wait ends: with the ack, with the context or [Options.AckTimeout], or with [ErrClosed]
// when the socket disconnects. A handler may wait for its own client.
//
// # Namespaces and middleware
//
// [Server.Of] returns a namespace with its own handlers, middleware and rooms. Clients join it
// with io("/admin"), over the same connection. [Middleware] decides who may join. It may block.
//
//	admin := io.Of("/admin")
//	admin.Use(func(ctx context.Context, s *socketio.Socket) error {
//		var auth struct{ Token string }
//		if err := s.Handshake().Auth.Decode(&auth); err != nil {
//			return err
//		}
//		user, err := users.ByToken(ctx, auth.Token)
//		if err != nil {
//			return socketio.Errorf("unknown token") // the client's connect_error
//		}
//		User.Set(s, user)
//		return nil
//	})
//
// [Namespace.OnConnect] is called next, before any handler. [Namespace.OnDisconnect] is
// called last, with a [Reason]. [Server.OfMatch] makes namespaces on demand,
// [Namespace.Intercept] wraps the handling of every event. See [namespaces].
//
// # Rooms
//
// A room is a named set of sockets of a namespace. It exists while it has members, and clients do not
// know about it. [Socket.Join] and [Socket.Leave] take effect before they return. A socket
// leaves all rooms when it disconnects. Each socket is in a room named like its id. A [Room] is a
// comparable handle.
//
// # Binary data
//
// A []byte in an argument or ack, at any depth of structs, maps and slices, reaches
// JavaScript as an ArrayBuffer or Buffer. It is the same in the other direction.
//
//	type Photo struct {
//		Name string `json:"name"`
//		Data []byte `json:"data"`
//	}
//	io.On("photo", func(s *socketio.Socket, p Photo) { s.Broadcast().Emit("photo", p) })
//
// # Recovery
//
// With [Options.Recovery], a client that loses its connection resumes its session when it
// reconnects: it gets its socket id, its rooms, its [Key] values, and the events that it missed, in order.
// If an event that it missed was evicted, it gets a new session, never a gap. OnConnect sees
// [Socket.Recovered]. See [recovery].
//
// # Clusters
//
// [Options.Adapter] joins servers to a cluster over Redis or NATS, also with Node servers. An event for a
// room then reaches its sockets on all servers, and the methods of [Emitter] mean the sockets of all
// servers. [Namespace.LocalSockets], LocalRooms and [Room.LocalLen] keep to this server. Polling needs sticky sessions. Anyone who
// can write to the bus can do what the servers can. See [clusters].
//
// # Limits
//
// Everything that a client can fill has a bound, and every wait for a client has a deadline.
// A zero in [Options] means the default. A client that does not read is disconnected with [ReasonSlow];
// one whose handlers fall behind is not read. [limits] has the table, and what one connection can hold.
//
// # Metrics
//
// [Server.Stats] is a snapshot of a server that accounts for every message. [Options.Hooks] are
// callbacks for metrics and traces. [Options.Logger] is for people; nil means [log/slog.Default].
// [Server.HealthHandler] is for probes. See [metrics].
//
// # Security
//
// NewServer(nil) may face the internet. Pages of other origins are refused unless [Options.Origins] lists
// them. No input can panic the process. Clients see only the message and data of an *[Error].
// Set ReadHeaderTimeout on the [http.Server]. Origins are no authentication: use middleware. See [security].
//
// # Concurrency
//
// Functions that concern one socket run one at a time: its middleware, OnConnect, its handlers, the
// functions passed to its Emit, OnDisconnect. They may block without delaying other sockets. While they
// block, up to [Options.MaxInbox] events of the connection wait; beyond that it is not read.
// A handler must not wait for another handler of its own socket. See [concurrency].
//
// # Shutdown
//
// [Server.Shutdown] refuses new clients, sends what is queued, closes all connections, waits for
// handlers, and leaves no goroutine. Their contexts end. Do not call it from a handler, which would
// wait for itself. An [http.Server] does not know its WebSockets and waits for polls, so shut
// it down second:
//
//	err := errors.Join(io.Shutdown(ctx), server.Shutdown(ctx))
//
// # More
//
// Compression and MessagePack: [wire]. The browser client: [clients]. Clients of Socket.IO 2:
// [socketio2]. Differences from the Node server: [deviations], [parity].
//
// [docs]: https://github.com/socketio-go/socketio/tree/main/docs
// [cheatsheet]: https://github.com/socketio-go/socketio/blob/main/docs/cheatsheet.md
// [clients]: https://github.com/socketio-go/socketio/blob/main/docs/clients.md
// [clusters]: https://github.com/socketio-go/socketio/blob/main/docs/clusters.md
// [concurrency]: https://github.com/socketio-go/socketio/blob/main/docs/concurrency.md
// [deployment]: https://github.com/socketio-go/socketio/blob/main/docs/deployment.md
// [deviations]: https://github.com/socketio-go/socketio/blob/main/docs/deviations.md
// [emitting]: https://github.com/socketio-go/socketio/blob/main/docs/emitting.md
// [guarantees]: https://github.com/socketio-go/socketio/blob/main/docs/guarantees.md
// [handlers]: https://github.com/socketio-go/socketio/blob/main/docs/handlers.md
// [limits]: https://github.com/socketio-go/socketio/blob/main/docs/limits.md
// [metrics]: https://github.com/socketio-go/socketio/blob/main/docs/metrics.md
// [namespaces]: https://github.com/socketio-go/socketio/blob/main/docs/namespaces.md
// [parity]: https://github.com/socketio-go/socketio/blob/main/docs/parity.md
// [recovery]: https://github.com/socketio-go/socketio/blob/main/docs/recovery.md
// [security]: https://github.com/socketio-go/socketio/blob/main/SECURITY.md
// [socketio2]: https://github.com/socketio-go/socketio/blob/main/docs/socketio2.md
// [wire]: https://github.com/socketio-go/socketio/blob/main/docs/wire.md
package socketio
