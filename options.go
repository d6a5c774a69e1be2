package socketio

import (
	"cmp"
	"fmt"
	"io/fs"
	"log/slog"
	"math"
	"net/http"
	"strings"
	"time"

	"github.com/socketio-go/socketio/adapter"
	"github.com/socketio-go/socketio/internal/engine"
	"github.com/socketio-go/socketio/internal/sio"
)

// Options configures a [Server]. The zero value of every field means its
// default, which is safe to expose to the internet. [NewServer] panics on a value
// that cannot work, and names the field.
type Options struct {
	// Transports is the set of allowed transports. Zero means all.
	Transports Transport
	// DisableUpgrade keeps polling clients on polling.
	DisableUpgrade bool
	// AllowEIO3 admits clients of Socket.IO 2, which speak Engine.IO 3. The
	// default refuses them. Their [Socket.ID] is a secret: see
	// docs/socketio2.md.
	AllowEIO3 bool

	// Origins lists the origins that may connect besides the server's own, such
	// as "https://example.com" or "https://*.example.com", where the wildcard
	// stands for whole labels. It governs polling and WebSocket alike. Listed
	// origins may send credentials; preflights allow GET and POST and the
	// headers asked for. "*" allows every origin, without credentials.
	//
	// "file://" and "null" can be listed for apps that load their pages from
	// files. Any website can send "null", from a sandboxed frame: list it only if
	// the server identifies users by something other than cookies.
	Origins []string
	// AllowRequest, if set, can refuse a handshake: the client gets 403 and
	// the error's text if it is an [Error]. It may block as long as the
	// request's context lives, and is called concurrently, once for every
	// handshake but not for the later requests of a connection.
	AllowRequest func(*http.Request) error
	// Cookie, if set, is sent with a polling handshake; its Value becomes the
	// session id, which is a secret. A load balancer cannot route by its hash, since
	// the first request of a session does not carry it.
	Cookie *http.Cookie

	// PingInterval is the time between two heartbeats. Zero means 25s.
	PingInterval time.Duration
	// PingTimeout is how long a client may take to answer. Zero means 20s.
	PingTimeout time.Duration
	// UpgradeTimeout bounds an upgrade from polling to WebSocket. Zero means 10s.
	UpgradeTimeout time.Duration
	// ConnectTimeout bounds the time between the transport opening and the
	// first namespace, middleware included, and the time of the middleware of
	// every other namespace. Zero means 45s.
	ConnectTimeout time.Duration
	// WriteTimeout bounds one write to a transport, and the time that a
	// connection being closed may take to send what is queued. Zero means 10s.
	WriteTimeout time.Duration
	// ShutdownSpread is the time over which [Server.Shutdown] closes the
	// connections, one after another, so that their clients do not all come to the
	// other servers of a cluster at the same moment. It is cut to three quarters of
	// the time that Shutdown's context leaves, and ends early when nobody is
	// connected any more. Zero means that all are closed at once, which brings
	// clients back soonest where there is no other server, and lets a process end
	// before it is killed.
	ShutdownSpread time.Duration
	// AckTimeout bounds an EmitWithAck whose context has no deadline, and the
	// wait for an answer to a function passed to Emit. Zero means 20s.
	AckTimeout time.Duration

	// MaxPayload bounds one message or polling body in bytes; beyond it a
	// WebSocket is closed and a polling request refused. Zero means 1e6.
	MaxPayload int64
	// MaxEvent bounds one event together with its attachments, in bytes; beyond
	// it the connection is closed. Zero means four times MaxPayload.
	MaxEvent int64
	// MaxAttachments bounds the binary parts of one event; beyond it the
	// connection is closed. Zero means 10. It bounds what is sent, too, if it is more
	// than 10: official clients refuse events with more, unless their parser is told
	// otherwise. The same data in several places of an event is one part.
	MaxAttachments int
	// MaxNamespaces bounds the namespaces of one connection; more of them are
	// refused with "connect_error". Zero means 100.
	MaxNamespaces int
	// MaxQueue bounds the bytes waiting for one connection; beyond it the
	// client is disconnected with [ReasonSlow]. An empty queue takes one event
	// of any size. Zero means 1 MiB or four times MaxPayload, whichever is
	// larger.
	MaxQueue int64
	// MaxReplies bounds the answers that one EmitWithAck to many holds until it
	// returns, in bytes; the [Reply.Err] of those beyond it is [ErrReplies]. Zero
	// means 16 times MaxEvent.
	MaxReplies int64
	// MaxInbox bounds the events of one connection that wait for a handler;
	// beyond it, or beyond MaxEvent bytes, the connection is not read. There
	// may be 16 times as many while a handler waits in EmitWithAck, as the
	// answer may be behind them. Zero means 64.
	MaxInbox int
	// MaxHandshakes bounds the handshakes under way at a time; beyond it new
	// clients get 503 with Retry-After. Zero means 1024.
	MaxHandshakes int

	// CompressMinBytes enables permessage-deflate and gzip responses for messages
	// of at least this many bytes; what clients send is counted as inflated.
	// Do not compress secrets together with text that others choose. Zero
	// means no compression.
	CompressMinBytes int

	// Codec, if set, replaces the protocol's own encoding of packets, for
	// clients that use the same, such as that of package msgpack.
	Codec Codec

	// Adapter, if set, joins this server to others: what is emitted reaches the
	// sockets of all of them, unless it is emitted through [Emitter.Local]. The
	// server then has to be closed, even if it was never used. Nil means that
	// this server is alone.
	Adapter adapter.Adapter

	// Recovery, if set, keeps what a client missed across a short
	// disconnection.
	Recovery *Recovery

	// ClientFS, if set, is served beside the endpoint in place of the
	// built-in browser client, for example an npm socket.io-client/dist. Only
	// files whose name begins with "socket.io." are.
	ClientFS fs.FS

	// Hooks, if set, are told what happens. They are copied.
	Hooks *Hooks

	// Logger receives what people should know: at level Error panics, with their
	// stack; at Warn errors of handlers and middleware, handlers that are stuck, and
	// what is lost between servers; at Info refused requests and bad input of
	// clients; at Debug events that have no handler, and sockets that left
	// without an answer. [Stats] counts the same. Each kind has at most 20 lines a
	// second, and the next line says how many were withheld; texts are cut at 500
	// bytes. Nil means [slog.Default], as it is when a line is logged;
	// slog.New(slog.DiscardHandler) means no logging.
	Logger *slog.Logger
	// OnError is told of each panic as a *[PanicError]; of each handler's and
	// middleware's error other than an [Error]; of arguments that do not fit as a
	// *[DecodeError]; of bad packets as a *[PacketError]; of handlers that are stuck
	// as a *[StuckError]; of refused requests as a *[RefusedError]; and of trouble
	// with a cluster. It must not block, and is called concurrently. s is nil when
	// no socket is concerned.
	OnError func(s *Socket, err error)
}

// withDefaults returns a copy of o with every zero replaced. o may be nil.
func (o *Options) withDefaults() Options {
	var d Options
	if o != nil {
		d = *o
	}
	setDefault(&d.Transports, Polling|WebSocket)
	setDefault(&d.PingInterval, 25*time.Second)
	setDefault(&d.PingTimeout, 20*time.Second)
	setDefault(&d.UpgradeTimeout, 10*time.Second)
	setDefault(&d.ConnectTimeout, 45*time.Second)
	setDefault(&d.WriteTimeout, 10*time.Second)
	setDefault(&d.AckTimeout, 20*time.Second)
	setDefault(&d.MaxPayload, 1e6)
	setDefault(&d.MaxEvent, 4*d.MaxPayload)
	setDefault(&d.MaxAttachments, sio.DefaultAttachments)
	setDefault(&d.MaxNamespaces, 100)
	setDefault(&d.MaxQueue, max(1<<20, 4*d.MaxPayload))
	setDefault(&d.MaxReplies, 16*min(d.MaxEvent, maxBytes/16))
	setDefault(&d.MaxInbox, 64)
	setDefault(&d.MaxHandshakes, 1024)
	d.Recovery = d.Recovery.withDefaults()
	d.check()
	return d
}

const (
	// maxBytes and maxCount leave room to add and multiply what is counted.
	maxBytes = math.MaxInt / 8
	maxCount = math.MaxInt32 / 16
	// minPayload is the smallest limit that lets a client connect and upgrade.
	minPayload = 16
	// maxHeartbeat is the longest timer of a JavaScript client.
	maxHeartbeat = math.MaxInt32 * time.Millisecond
)

// check panics if a value cannot work.
func (o *Options) check() {
	if unknown := o.Transports &^ (Polling | WebSocket); unknown != 0 {
		panic(fmt.Sprintf("socketio: Options.Transports is %#x: only Polling and WebSocket exist", uint8(o.Transports)))
	}
	if o.Cookie != nil {
		cookie := *o.Cookie
		cookie.Value = "id"
		if err := cookie.Valid(); err != nil {
			panic("socketio: Options.Cookie cannot be sent: " + err.Error())
		}
	}
	within("PingInterval", o.PingInterval, time.Millisecond, maxHeartbeat)
	within("PingTimeout", o.PingTimeout, time.Millisecond, maxHeartbeat)
	if sum := o.PingInterval + o.PingTimeout; sum > maxHeartbeat {
		panic(fmt.Sprintf("socketio: Options.PingInterval and PingTimeout are %v together: the timers of clients end at %v", sum, maxHeartbeat))
	}
	within("UpgradeTimeout", o.UpgradeTimeout, 1, math.MaxInt64)
	within("ConnectTimeout", o.ConnectTimeout, 1, math.MaxInt64)
	within("WriteTimeout", o.WriteTimeout, 1, math.MaxInt64)
	within("AckTimeout", o.AckTimeout, 1, math.MaxInt64)
	within("ShutdownSpread", o.ShutdownSpread, 0, math.MaxInt64)
	within("MaxPayload", o.MaxPayload, minPayload, maxBytes/4) // others are four times that by default
	within("MaxEvent", o.MaxEvent, minPayload, maxBytes)
	within("MaxAttachments", o.MaxAttachments, 1, maxCount)
	within("MaxNamespaces", o.MaxNamespaces, 1, maxCount)
	within("MaxQueue", o.MaxQueue, 1, maxBytes)
	within("MaxReplies", o.MaxReplies, 1, maxBytes)
	within("MaxInbox", o.MaxInbox, 1, maxCount)
	within("MaxHandshakes", o.MaxHandshakes, 1, maxCount)
	within("CompressMinBytes", o.CompressMinBytes, 0, math.MaxInt)
	if r := o.Recovery; r != nil {
		within("Recovery.Window", r.Window, 1, math.MaxInt64)
		within("Recovery.MaxEvents", r.MaxEvents, 1, maxCount)
		within("Recovery.MaxBytes", r.MaxBytes, 1, maxBytes)
		within("Recovery.MaxSessions", r.MaxSessions, 1, maxCount)
	}
}

// within panics if the value of an option is out of its range.
func within[T cmp.Ordered](option string, value, least, most T) {
	switch {
	case value < least:
		panic(fmt.Sprintf("socketio: Options.%s is %v: it must be at least %v, or zero for the default", option, value, least))
	case value > most:
		panic(fmt.Sprintf("socketio: Options.%s is %v: it must be at most %v", option, value, most))
	}
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// Transport is a set of Engine.IO transports.
type Transport uint8

// The transports a client may use.
const (
	Polling   = Transport(engine.Polling)
	WebSocket = Transport(engine.WebSocket)
)

// String returns the names used on the wire, such as "polling".
func (t Transport) String() string {
	var names []string
	if t&Polling != 0 {
		names = append(names, "polling")
	}
	if t&WebSocket != 0 {
		names = append(names, "websocket")
	}
	return strings.Join(names, ",")
}
