package socketio

import (
	"io/fs"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/socketio-go/socketio/adapter"
	"github.com/socketio-go/socketio/internal/engine"
	"github.com/socketio-go/socketio/internal/sio"
)

// Options configures a [Server]. The zero value of every field means its
// default, which is safe to expose to the internet.
type Options struct {
	// Transports is the set of allowed transports. Zero means all.
	Transports Transport
	// DisableUpgrade keeps polling clients on polling.
	DisableUpgrade bool
	// AllowEIO3 admits clients of Socket.IO 2, which speak Engine.IO 3. The
	// default refuses them. Mind that their [Socket.ID] is a secret: see the
	// package documentation.
	AllowEIO3 bool

	// Origins lists the browser origins that may connect besides the
	// server's own, such as "https://example.com" or "https://*.example.com",
	// the wildcard standing for whole labels. It governs polling and WebSocket
	// alike. Listed origins may send credentials; preflights allow GET and
	// POST and the headers asked for. "*" lets everybody in, without
	// credentials.
	Origins []string
	// AllowRequest, if set, can refuse a handshake: the client gets 403 and
	// the error's text if it is an [Error]. It may block as long as the
	// request's context lives, and is called concurrently, once for every
	// handshake but not for the later requests of a connection.
	AllowRequest func(*http.Request) error
	// Cookie, if set, is sent with a polling handshake for sticky load
	// balancers; its Value becomes the session id.
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
	// connection is closed. Zero means 10.
	MaxAttachments int
	// MaxNamespaces bounds the namespaces of one connection; more of them are
	// refused with "connect_error". Zero means 100.
	MaxNamespaces int
	// MaxQueue bounds the bytes waiting for one connection; beyond it the
	// client is disconnected with [ReasonSlow]. An empty queue takes one event
	// of any size. Zero means 1 MiB or four times MaxPayload, whichever is
	// larger.
	MaxQueue int64
	// MaxInbox bounds the events of one connection that wait for a handler;
	// beyond it, or beyond MaxEvent bytes, the connection is not read. There
	// may be 16 times as many while a handler waits in EmitWithAck, as the
	// answer may be behind them. Zero means 64.
	MaxInbox int
	// MaxHandshakes bounds the handshakes under way at a time; beyond it new
	// clients get 503 with Retry-After. Zero means 1024.
	MaxHandshakes int

	// Compression enables permessage-deflate and gzip responses for messages
	// of at least this many bytes; what clients send is counted as inflated.
	// Do not compress secrets together with text that others choose. Zero
	// means no compression.
	Compression int

	// Codec, if set, replaces the protocol's own encoding of packets, for
	// clients that use the same, such as that of package msgpack.
	Codec Codec

	// Adapter, if set, joins this server to others: what is emitted reaches the
	// sockets of all of them, unless it is emitted through [Emitter.Local]. The
	// server then has to be closed, even if it was never used. Nil means that
	// this server is alone.
	Adapter adapter.Cluster

	// Recovery, if set, keeps what a client missed across a short
	// disconnection.
	Recovery *Recovery

	// ClientFS, if set, is served beside the endpoint in place of the
	// built-in browser client, for example an npm socket.io-client/dist. Only
	// files whose name begins with "socket.io." are.
	ClientFS fs.FS

	// Hooks, if set, are told what happens. They are copied.
	Hooks *Hooks

	// Logger receives what an operator should see, at level Warn: what OnError
	// is told of, 500 bytes of it at most, and no more than 20 lines a second of
	// panics, of handlers' errors, of wrong arguments, and of what concerns
	// connections. The next line of its kind says how many were withheld. Nil
	// means no logging.
	Logger *slog.Logger
	// OnError is told of handler errors other than an [Error], of panics, bad
	// packets and refused requests. It must not block, and is called
	// concurrently. s is nil when no socket is concerned.
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
	setDefault(&d.MaxInbox, 64)
	setDefault(&d.MaxHandshakes, 1024)
	d.Recovery = d.Recovery.withDefaults()
	return d
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
