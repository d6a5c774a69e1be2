// Package socketio is a Socket.IO server to embed in a Go program. Clients of
// Socket.IO 3 and 4, in browsers and elsewhere, connect to it by HTTP
// long-polling or WebSocket and exchange named events with it, in both
// directions, with answers where they are asked for.
//
// A whole server:
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
//			return len(text) // the answer, if the client wants one
//		})
//
//		http.Handle("/socket.io/", io)
//		server := &http.Server{Addr: ":3000", ReadHeaderTimeout: 5 * time.Second}
//		log.Fatal(server.ListenAndServe())
//	}
//
// And its page, whose script the server carries:
//
//	<script src="/socket.io/socket.io.js"></script>
//	<script>
//		const socket = io();
//		socket.on("said", (text) => console.log(text));
//		socket.emit("say", "hello", (length) => console.log(length));
//	</script>
//
// A [Socket] is one client in one [Namespace]. A [Server] holds the namespaces,
// and is itself the default one, "/".
//
// # Mounting
//
// A [Server] is an [http.Handler]. Mount it under any path of any mux or
// framework that passes on every method, and does not buffer responses or
// hide [http.Hijacker]: [http.TimeoutHandler] does both. "/socket.io/", with
// the slash at its end, is what clients expect; another path is told them as
// the option path:
//
//	mux.Handle("/live/", io) // io("https://example.com", { path: "/live/" })
//
// The server looks only at the query, and at the end of the path for the
// browser client's file. The timeouts of an [http.Server] do no harm: ReadTimeout
// and WriteTimeout end neither a poll that waits nor a WebSocket.
//
// # Handlers
//
// [Namespace.On] registers a function for an event of every socket of a
// namespace, [Socket.On] for one socket, usually in OnConnect. A handler names the
// types that it wants:
//
//	func(s *socketio.Socket)                                      // no arguments
//	func(s *socketio.Socket, room, text string)                   // two
//	func(a, b int) int                                            // the result answers
//	func(s *socketio.Socket, o Order) (Receipt, error)            // or the error does
//	func(ctx context.Context, s *socketio.Socket, o Order) error  // ctx ends with the socket
//	func(s *socketio.Socket, names ...string)                     // any number
//	func(s *socketio.Socket, kind string, rest socketio.Args)     // the rest undecoded
//	func(s *socketio.Socket, o Order, ack socketio.AckFunc)       // answered later
//
// In general:
//
//	func([context.Context,] [*socketio.Socket,] args… [, socketio.Args] [, socketio.AckFunc]) [result] [error]
//
// where the last argument may be variadic if neither Args nor AckFunc follows, and
// an AckFunc excludes a result. The shape is checked once, by On, which panics with
// what is wrong.
//
// Arguments are decoded by position, as encoding/json would, struct tags
// included:
//
//   - A missing argument, and null, is the zero value. Extra ones are ignored.
//   - An argument of the wrong type is not delivered: the handler is not called,
//     OnError gets a *[DecodeError], and the client is answered "bad arguments".
//   - A []byte receives binary data, at any depth, and also a string in base64.
//     An any receives binary data as a []byte.
//   - What arrives is yours to keep. Only a []byte is shared, with the other
//     handlers of the event, so don't modify it.
//
// When the client asked for an answer it gets one:
//
//   - A result is the answer. [Args] as the result are all of its arguments.
//   - A handler without result answers with no arguments when it returns, so
//     that the JavaScript client's option retries works without more.
//   - A handler with an [AckFunc] answers by calling it, then or later, on any
//     goroutine. If it never does, the client is left to its own timeout.
//   - An *[Error] answers {"error":{"message":…,"data":…}}, and goes nowhere else.
//     Any other error answers {"error":{"message":"internal error"}} and goes to
//     [Options.OnError] in full.
//   - A panic is such an error too, a *[PanicError] with its stack. It costs that
//     event, and the socket lives on.
//   - Events that nobody handles are never answered.
//
// Several handlers of an event run one after another: first the socket's own,
// then the namespace's, each in order of registration. All of them run. The first
// result or error is the answer, unless one of them has called its AckFunc by then.
// The function that On returns removes the handler again.
//
// # Typed events
//
// An [Event] is the name of an event together with the type of its argument, a
// [Call] one with the types of question and answer. Declared once, as constants,
// they let the compiler check both ends, and need no reflection:
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
// A [Key] attaches a value to a socket. It may be read and set by any goroutine.
//
// # Emitting
//
// Whatever has an Emit is a [Target]: a socket, a room, a namespace, the server,
// or an [Emitter], which is made of them.
//
//	s.Emit("hello", "you")                       // one socket
//	io.Emit("hello", "everybody")                // all sockets of "/"
//	s.Broadcast().Emit("hello", "others")        // all but s
//	io.To("a", "b").Emit("hello")                // who is in a or b, each once
//	s.To("a").Except("b").Emit("hello")          // in a, not in b, and not s
//	io.To(id).Emit("hello")                      // the socket with that id
//	io.Volatile().Emit("position", x, y)         // unless it would have to wait
//
// An Emitter is an immutable value, to be kept and shared like a string.
//
// Arguments are what encoding/json takes, besides []byte, which travels as binary,
// and Args, which stand for all of theirs. An [encoding/json.RawMessage] is sent as it is.
// They are encoded before Emit returns, once for all receivers, so they may be
// changed then.
//
// Emit does not wait for the network. Its nil error means queued, not arrived.
// Names that the clients raise themselves are [ErrReserved]: connect,
// connect_error, disconnect, disconnecting, newListener and removeListener.
//
// A Volatile event is dropped for a client to whom anything else is still on its
// way, or who is between two polls or changing transports. Use it for what is
// outdated a moment later.
//
// To ask one client, wait with a context, or pass a function as the last argument
// of [Socket.Emit], which then runs like one of the socket's handlers:
//
//	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
//	defer cancel()
//	answer, err := s.EmitWithAck(ctx, "question", 42)
//
//	err := s.Emit("question", 42, func(answer socketio.Args, err error) { … })
//
// To ask many, do the same with a broadcast, which collects a [Reply] from each:
//
//	replies, err := io.To("lobby").EmitWithAck(ctx, "ready?")
//
// Every wait ends: with the answer, with the context or [Options.AckTimeout], or
// with [ErrClosed] when the socket leaves.
//
// # Namespaces and middleware
//
// Namespaces are channels with handlers, middleware and rooms of their own, which
// share the client's connection. [Server.Of] makes one; clients can join only
// those that exist, each for itself, as in io("/admin").
//
// [Middleware] decides who may join. It runs before OnConnect, in order, and may
// block until its context ends:
//
//	admin := io.Of("/admin")
//	admin.Use(func(ctx context.Context, s *socketio.Socket) error {
//		var auth struct{ Token string }
//		if err := s.Handshake().Auth.Decode(&auth); err != nil {
//			return err
//		}
//		user, err := users.ByToken(ctx, auth.Token)
//		if err != nil {
//			return socketio.Errorf("unknown token")
//		}
//		User.Set(s, user)
//		return nil
//	})
//
// The client's "connect_error" gets message and data of an *[Error], and
// "Connection refused" for another, which goes to [Options.OnError]. Middleware may
// let the socket join rooms, but not emit to it, since it is not connected yet.
//
// [Namespace.OnConnect] is called for who has passed, [Namespace.OnDisconnect] when
// such a socket has left, with a [Reason]. [Socket.Disconnect] ends one socket,
// [Socket.Close] all those of its connection; the JavaScript client does not come back
// from either by itself, as it does when a connection breaks and after
// [Server.Shutdown].
//
// # Namespaces on demand
//
// [Server.OfMatch] makes a template: every namespace whose name it matches is made
// from it when its first client connects, and dropped when nobody is left in it.
// Middleware, handlers and observers of the template hold for all its children, those
// that exist included; what is emitted to it reaches the sockets of all of them.
//
//	orgs := io.OfMatch(regexp.MustCompile(`^/org-\d+$`).MatchString)
//	orgs.On("news", func(s *socketio.Socket, text string) {
//		s.Namespace().Emit("news", text) // one organisation; orgs.Emit is for all
//	})
//
// Of with such a name returns a child that stays. A name is all that a template
// matches: whether this client may join is the middleware's business.
//
// # Interceptors and catch-alls
//
// An [Interceptor] wraps the handling of every event of a namespace, also of those that
// nobody handles. It may change the message, answer by itself, refuse with an *[Error],
// and look at results and errors, a panic's too. The first is the outermost:
//
//	io.Intercept(func(next socketio.HandlerFunc) socketio.HandlerFunc {
//		return func(ctx context.Context, s *socketio.Socket, m *socketio.Message) ([]any, error) {
//			if !allowed(s, m.Event) {
//				return nil, socketio.Errorf("not allowed")
//			}
//			return next(ctx, s, m)
//		}
//	})
//
// [Namespace.OnAny] and [Namespace.OnAnyOutgoing] are told of every event that comes in,
// and that goes out to a socket, broadcasts included. [Namespace.OnJoin] and
// [Namespace.OnLeave] are told of rooms. They return functions that remove them. A
// namespace without any of these pays nothing.
//
// # Rooms
//
// A room is a set of sockets of a namespace, called by a name. It exists as long as
// somebody is in it, and clients know nothing of rooms. [Socket.Join] and
// [Socket.Leave] hold when they return; a socket that disconnects leaves all its
// rooms, though [Socket.Rooms] still tells OnDisconnect which. Every socket is in a
// room called by its id. A [Room] is a handle to keep, compare and iterate over.
//
// # Binary data
//
// A []byte in an argument or answer, at any depth of structs, maps and slices,
// reaches JavaScript as an ArrayBuffer or Buffer, and the other way round:
//
//	type Photo struct {
//		Name string `json:"name"`
//		Data []byte `json:"data"`
//	}
//	io.On("photo", func(s *socketio.Socket, p Photo) { s.Broadcast().Emit("photo", p) })
//
// It is not copied into JSON. Over polling it travels as base64, a third longer.
//
// # Ordering and delivery
//
//   - The events of a socket are handled one at a time, in the order the client
//     emitted them, over any transport and across the upgrade to WebSocket. The
//     handlers of different sockets run at the same time.
//   - What one goroutine emits to a client arrives in that order, broadcasts and
//     answers included. Between different goroutines there is no order. Nothing
//     comes between an event and its binary data.
//   - Once Join has returned, later broadcasts reach the socket; once Leave has
//     returned, none does.
//   - Delivery is at most once: never twice, and not at all if the connection
//     breaks. Where that matters, ask for an answer. A client that repeats what
//     was not answered, as with the option retries, is heard at least once.
//   - OnConnect returns before the first event is handled. OnDisconnect is called
//     once for every OnConnect, when the last handler has returned and the
//     socket's context has ended. Events received before the client left are still
//     handled; if the server disconnected it, they are not.
//   - A volatile event never overtakes another one.
//
// # Recovery
//
// With [Options.Recovery] a client that loses its connection, but does not leave, can
// come back to what it had. Official clients from 4.6 on do so by themselves:
//
//	io := socketio.NewServer(&socketio.Options{Recovery: &socketio.Recovery{}})
//	io.OnConnect(func(s *socketio.Socket) {
//		if !s.Recovered() {
//			s.Join("lobby") // and whatever else a new socket needs
//		}
//	})
//
// A socket that has recovered is a new [Socket] with the id, the rooms and the [Key]
// values of the one before. What was emitted to that meanwhile arrives before
// anything else, in order and once, and according to the rooms of the time when it
// was emitted. Volatile events, and those that ask for an answer, are not kept. When
// something may be missing, because more has happened than is kept or fits half of the
// client's queue, the client begins anew, with another id: there is no silent gap.
//
// OnDisconnect of the former socket has returned before middleware and OnConnect see the
// new one. Middleware is asked again, unless [Recovery.SkipMiddleware] is set. A client
// that left by itself, was disconnected by the server or has sent nonsense does not
// recover, and nobody does when the server is started again.
//
// Every event that asks for no answer then carries one argument more, its position, to
// all clients: a listener in JavaScript with variable arguments sees it.
//
// # Clusters
//
// One server holds what one process can. Several are joined by a bus that exists
// already: set [Options.Adapter] to an adapter for Redis or NATS, modules of their own
// below adapters. Those for Redis speak the formats of the Node server's adapters, so
// that servers of both kinds share rooms.
//
//	io := socketio.NewServer(&socketio.Options{Adapter: redis.New(client, nil)})
//
// What is emitted to a namespace or a room then reaches its sockets wherever they are,
// for one message on the bus whatever their number; the methods of [Emitter], such
// as Sockets, Count, Join and Disconnect, mean the sockets of all servers, unless it is
// [Emitter.Local]. [Namespace.Sockets], Rooms, and [Room.Len] know this server's only.
// Load balancers have to send all requests of a connection to one server, as for
// any Socket.IO server, unless clients use WebSocket alone: see docs/deployment.md.
//
// Receivers on this server do not wait for the bus, which may be slow or gone. Emit
// then returns [ErrUnpublished] when it knows that the others will not hear of an event, and
// [Stats.Cluster] counts what was lost. Events of one goroutine arrive in order at
// every receiver. Calls that ask other servers end with their context at the latest,
// return what came, and name in a [SilentError] who did not answer; who dies is not
// waited for when the bus has noticed.
//
// Servers talk to each other by [Namespace.ServerSideEmit] and
// [Namespace.OnServerSide]. [Server.Ready] tells when a server hears the others, so that
// clients can be sent to it.
//
// With a bus that records, clients recover on whatever server they come back to, if
// [Options.Recovery] is set. An event then reaches its receivers, those of this server
// included, when it has come back from the bus, in one order for all of them; and who
// is in a room is decided then. Volatile and local events, and those that ask for an
// answer, take the direct way as ever, may overtake others, and are not kept. If the
// bus fails, events are delivered without it after a second or so, and nobody recovers
// across that time. A client whose former server has not noticed the break yet begins
// anew elsewhere. Without such a bus, a client recovers if it comes back to the same
// server.
//
// Whoever can write to the bus can do what the servers can: it is part of what you trust.
//
// # Limits
//
// What a client can fill is bounded. A zero in [Options] means the default.
//
//	what                                  option          default       beyond it
//	a message, or a polling body          MaxPayload      1e6 bytes     WebSocket closed; POST refused
//	an event with its binary data         MaxEvent        4×MaxPayload  connection closed
//	binary parts of an event              MaxAttachments  10            connection closed
//	arguments of an event                 fixed           4096          connection closed
//	nesting of their JSON                 fixed           512           connection closed
//	events that wait for handlers         MaxInbox        64            connection not read
//	bytes of these                        MaxEvent        4×MaxPayload  connection not read
//	bytes that wait to be sent            MaxQueue        see below     connection closed, ReasonSlow
//	answers awaited by a socket           fixed           1024          ErrSlow
//	namespaces of a connection            MaxNamespaces   100           connect_error
//	bytes of a namespace's name           fixed           255           connect_error; Of panics
//	handshakes at a time                  MaxHandshakes   1024          503
//	events kept by a namespace            Recovery        10000, 16 MiB not recovered
//	sockets kept by a namespace           Recovery        10000         not recovered
//
//	until an answer comes                 AckTimeout      20s           context.DeadlineExceeded
//	until a namespace is joined           ConnectTimeout  45s           connect_error, or closed
//	from polling to WebSocket             UpgradeTimeout  10s           stays with polling
//	one write, or the flush at the end    WriteTimeout    10s           connection closed
//	between two heartbeats                PingInterval    25s
//	until a heartbeat is answered         PingTimeout     20s           connection closed
//
// MaxQueue is by default 1 MiB or 4×MaxPayload, the larger. An empty queue takes one
// event of any size, as you may know why you send it. To emit faster than a client's network
// takes it fills the queue of a client that reads, too: bound what a client may have
// you send to others. Two more bounds follow from
// the heartbeat: binary parts that do not come by the second one end their
// connection, as does a connection that could not be read for PingInterval +
// PingTimeout because its handlers are stuck, which goes to OnError.
//
// In the worst case the library holds, for a connection that has joined n
// namespaces, about
//
//	MaxQueue                          to be sent
//	+ MaxEvent + 3×MaxPayload         being read
//	+ MaxEvent                        waiting for handlers
//	+ n × MaxPayload                  sent as auth
//	+ MaxHeaderBytes                  of the http.Server, for the header of the handshake
//	+ 8 KiB                           of its own
//
// and, over polling, another 4/3 of MaxQueue while a response is under way. An event
// emitted to many is held once for all of them. An idle WebSocket holds one goroutine, a
// buffer of 1 KiB and the header.
//
// To this comes what your functions hold: the event that each is handling, and the
// answers that wait for functions passed to Emit, 1024 a socket at most. A client that
// leaves a namespace may join it again while a handler, or middleware, of its former
// socket still runs; so let what may take long end with its context.
//
// [Server.Stats] counts what is held, who was closed for it, and what became of every
// message.
//
// # Watching a server
//
// [Server.Stats] is a snapshot: what a server holds, what it has refused, and a
// [MessageStats], which accounts for every message that was ever sent: it is written,
// pending, or dropped for one of three reasons.
//
// [Options.Hooks] are told of single things as they happen: sockets that connect and
// leave, packets in and out, how much waits, what is dropped, how long answers take. They
// are for metrics and traces; those that are nil cost nothing:
//
//	io := socketio.NewServer(&socketio.Options{Hooks: &socketio.Hooks{
//		Drop: func(_ *socketio.Socket, reason socketio.DropReason, n int) {
//			dropped.Add(string(reason), int64(n)) // an expvar.Map
//		},
//	}})
//
// Hooks run on the goroutines that do the work, many at a time, so they must not block.
// What the handlers of an event did, and how long they took, an [Interceptor] knows.
// [Options.Logger] is for what an operator should see. Each kind of error has a rate of
// its own there, so that clients can't flood it.
//
// # Security
//
// NewServer(nil) may face the internet:
//
//   - Pages of other origins are refused, over polling and WebSocket, at every
//     request. The server's own host is what the Host header says, so a proxy has to
//     pass it on. [Options.Origins] lists who else may connect, a development server
//     on another port too. Programs that are not browsers send no Origin, and are let
//     in: an origin is no authentication. That is middleware's business, or
//     [Options.AllowRequest]'s, which sees the handshake as it is made.
//   - No input can panic the process. A malformed packet closes its own connection.
//   - Only the message and data of an *[Error] reach clients, never the text of another
//     error or of a panic.
//   - The id of a connection is 144 random bits, sent to its client only and never
//     logged. It is not [Socket.ID], which others may know, but for clients of
//     Socket.IO 2. As it is in the query of every request, access logs should be kept
//     as cookies are.
//   - No cookie is set unless [Options.Cookie] says so, nothing is compressed unless
//     [Options.Compression] does, and no X-Forwarded header is believed.
//
// What is left to you: set ReadHeaderTimeout on the [http.Server], since net/http waits
// for headers for ever; limit the connections and the events per second of a client
// where it matters; check what arguments mean; escape what a page shows.
//
// # Threads, and the end
//
// All methods may be called from any goroutine, at any time, also when the socket or
// server is closed.
//
// The functions that concern one socket run one at a time: its middleware,
// OnConnect, its handlers, the functions passed to its Emit, OnDisconnect. They may block.
// Other sockets do not notice, and heartbeats and answers go on, so that a handler can
// wait for an answer of its own client. Not, however, for another handler of its own
// socket. When MaxInbox events wait, or MaxEvent bytes of them, their connection is read
// no further, all its namespaces included, until a handler returns. While a handler
// waits in EmitWithAck there may be 16 times as many, as the answer comes behind them.
//
// [Options.AllowRequest], [Options.OnError] and [Options.Hooks] are called by many
// goroutines at a time.
//
// [Server.Shutdown] refuses new clients, sends what is queued, closes all connections,
// waits for handlers and leaves no goroutine behind. Handlers learn of it by their
// context. Do not call it from a handler, which would wait for itself. An
// [http.Server] does not know its WebSockets any more, and waits for polls, so end the
// Socket.IO server first:
//
//	err := errors.Join(io.Shutdown(ctx), server.Shutdown(ctx))
//
// Where others call the http.Server's Shutdown, have it begin ours. It does not wait
// for what it begins:
//
//	ended := make(chan error, 1)
//	server.RegisterOnShutdown(func() {
//		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
//		defer cancel()
//		ended <- io.Shutdown(ctx)
//	})
//	…
//	err := <-ended // before main returns
//
// # Guarantees
//
// In short, what the sections above promise:
//
//   - Events are handled one at a time and in order, and arrive at most once. Who
//     recovers has missed none.
//   - OnConnect comes first, OnDisconnect last, once each.
//   - What a client fills is bounded, every wait for it has a deadline, and no input
//     can panic the process.
//   - What one client or one handler does delays no other.
//   - Only an *[Error] is shown to clients, and only pages of the same host, or of those
//     that are listed, may connect.
//   - After Shutdown or Close nothing of the server is left, and every method may still be
//     called.
//
// docs/guarantees.md in the repository says it in full, each with the tests that show it;
// docs/faults.md does so for what may go wrong.
//
// # Compression
//
// [Options.Compression] is the size from which on messages are compressed, with
// permessage-deflate over WebSocket and gzip over polling, if the client offers it; zero
// is none. [Emitter.Compress] decides for one event. A broadcast is compressed once for
// all of its receivers, each message by itself, and remains as it is if that does not
// make it smaller. What clients send counts as inflated against MaxPayload, and
// inflating stops there; POST bodies are never inflated.
//
// It costs time and memory for every message, and can give secrets away: who chooses a
// part of a message may learn the rest from its length.
//
// # MessagePack
//
// [Options.Codec] replaces the encoding of packets on the wire, for all clients of the
// server. Package msgpack has the one of the JavaScript package
// socket.io-msgpack-parser. Handlers, limits and everything else stay as they are.
//
// # The browser client
//
// The server answers requests for socket.io.js under its path with a small client of
// its own, which has the API of the official one: io, on, emit, emitWithAck, auth,
// reconnection. It tries WebSocket first and falls back to polling. Any official
// client does as well; [Options.ClientFS] serves the files of one:
//
//	socketio.NewServer(&socketio.Options{ClientFS: os.DirFS("node_modules/socket.io-client/dist")})
//
// # Clients of Socket.IO 2
//
// [Options.AllowEIO3] admits them. They speak Engine.IO 3, over WebSocket and over
// polling, by scripts too (JSONP). To handlers they are clients like others, but:
//
//   - They are in "/" without asking. What they give as query for another namespace is
//     their [Handshake].Auth there, an object of strings.
//   - A refusal is their event "error", with the Data of the *[Error], or its message if it
//     has none.
//   - They make their socket ids out of the id of their connection, so that [Socket.ID]
//     is that secret, behind the namespace and "#" outside of "/". While such a client
//     polls, whoever knows the id can speak for it. So don't tell others, unless Transports
//     is WebSocket alone. What is logged is cut short.
//   - The heartbeat is theirs to begin: one that is silent for PingInterval + PingTimeout is
//     gone. They are not recovered.
//   - Their pages send credentials unless withCredentials is false, so that Origins "*" does
//     not let them poll from elsewhere. A page that polls by scripts is known by its Referer,
//     as scripts have no Origin, and refused if it hides that.
//
// # Deviations from the Node server
//
//   - Origins are checked for WebSocket too, and at every request; the default is the
//     server's own host.
//   - A socket's handlers never overlap, also if they wait for something. Events wait
//     until OnConnect has returned.
//   - A handler answers when it returns, unless it has an AckFunc. Errors answer too.
//   - Of an error that refuses a client, only an *Error is shown.
//   - "disconnecting" and "disconnect" are the same: OnDisconnect, when the rooms are
//     left, but still known.
//   - The name "error", like all others, means nothing to the server.
//   - [Socket.Volatile] is for that socket alone; a volatile event for others is
//     s.To("room").Volatile().
//   - Queues are bounded: a client that does not read is disconnected as "slow
//     client". The other limits above close connections that Node keeps.
//   - A session is recovered once, also while the server still believes in the old
//     connection, and by a client that has received nothing yet. Middleware is asked
//     by default. A volatile event never spoils the next recovery.
//   - ConnectTimeout holds for middleware. A second CONNECT to a namespace closes the
//     connection, also while the middleware of the first one runs.
//   - A wrong protocol version over WebSocket is answered by HTTP, status 400, code 5.
//     A wrong method for an existing session is status 400, code 2.
//   - A client of Socket.IO 2 is told "Invalid namespace" as such, not in an object.
//     JSONP is for such clients only, and text/javascript.
//   - Not spoken: WebTransport.
//
// # Emit cheat sheet
//
// The lines of the [official cheat sheet]: s is a [Socket], io a [Server].
//
//	// To whom
//	s.Emit("hello", 1, "2", map[string]any{"3": "4"}) // socket.emit("hello", 1, "2", { 3: "4" })
//	s.Emit("hello", []byte{6})                        // socket.emit("hello", Uint8Array.from([6]))
//	io.Emit("hello")                                  // io.emit("hello")
//	s.Broadcast().Emit("hello")                       // socket.broadcast.emit("hello")
//	io.To("room1").Emit("hello")                      // io.to("room1").emit("hello"), io.in("room1")…
//	s.To("room1").Emit("hello")                       // socket.to("room1").emit("hello")
//	io.To("room1", "room2").Emit("hello")             // io.to(["room1", "room2"]).emit("hello")
//	s.To("room1").To("room2").Emit("hello")           // socket.to("room1").to("room2").emit("hello")
//	io.Except("room1").Emit("hello")                  // io.except("room1").emit("hello")
//	s.Except("room1").Emit("hello")                   // socket.except("room1").emit("hello")
//	io.To("room1").Except("room2").Emit("hello")      // io.to("room1").except("room2").emit("hello")
//	io.Of("/news").Emit("hello")                      // io.of("/news").emit("hello")
//	io.Of("/news").To("room1").Emit("hello")          // io.of("/news").to("room1").emit("hello")
//	io.To(id).Emit("hello")                           // io.to(id).emit("hello"): a private message
//	io.To(s.ID()).Emit("hello")                       // io.to(socket.id)…; socket.to(socket.id) reaches nobody
//
//	// How
//	s.Volatile().Emit("hello")                             // socket.volatile.emit("hello")
//	io.Volatile().Emit("hello")                            // io.volatile.emit("hello")
//	s.Compress(false).Emit("hello")                        // socket.compress(false).emit("hello")
//	io.Local().Emit("hello")                               // io.local.emit("hello")
//	s.To("room1").Except("room2").Volatile().Emit("hello") // socket.to("room1").except("room2").volatile.emit("hello")
//
//	// With an answer. The timeout is that of ctx or, without one, Options.AckTimeout
//	s.Emit("hello", func(answer socketio.Args, err error) { … })      // socket.timeout(5000).emit("hello", (err, answer) => { … })
//	answer, err := s.EmitWithAck(ctx, "hello")                        // await socket.timeout(5000).emitWithAck("hello")
//	io.Emit("hello", func(replies []socketio.Reply, err error) { … }) // io.timeout(5000).emit("hello", (err, answers) => { … })
//	replies, err := io.EmitWithAck(ctx, "hello")                      // await io.timeout(5000).emitWithAck("hello")
//	replies, err := io.To("room1").EmitWithAck(ctx, "hello")          // await io.to("room1").timeout(5000).emitWithAck("hello")
//	replies, err := s.To("room1").EmitWithAck(ctx, "hello")           // await socket.to("room1").timeout(5000).emitWithAck("hello")
//
//	// To other servers of a cluster
//	err := io.ServerSideEmit("hello")                      // io.serverSideEmit("hello")
//	replies, err := io.ServerSideEmitWithAck(ctx, "hello") // await io.serverSideEmitWithAck("hello")
//
//	// From the client
//	io.On("hello", func(s *socketio.Socket, text string, data []byte) { … }) // socket.emit("hello", "world", Uint8Array.from([6]))
//	io.On("hello", func(text string) string { return "hello " + text })      // await socket.emitWithAck("hello", "world")
//	io.On("hello", func(ack socketio.AckFunc) { go ack("at last") })         // socket.timeout(5000).emit("hello", (err, answer) => { … })
//
//	// Refused
//	err := s.Emit("disconnecting") // reserved: errors.Is(err, socketio.ErrReserved)
//
// [official cheat sheet]: https://socket.io/docs/v4/emit-cheatsheet/
package socketio
