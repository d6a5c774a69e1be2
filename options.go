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

// Options configures a [Server]. The zero value of every field means its default, and
// the defaults are safe on the internet. [NewServer] panics on an invalid value and names
// the field.
type Options struct {
	// Transports is the set of allowed transports. Zero means all.
	Transports Transport
	// DisableUpgrade keeps polling clients on polling.
	DisableUpgrade bool
	// AllowEIO3 admits clients of Socket.IO 2, which speak Engine.IO 3. The
	// default refuses them. Their [Socket.ID] is a secret: see
	// docs/socketio2.md.
	AllowEIO3 bool

	// Origins lists the origins that may connect besides the server's own, such as
	// "https://example.com" or "https://*.example.com"; the wildcard matches one or more
	// whole labels. It applies to polling and WebSocket. Listed origins may send
	// credentials; preflights allow GET, POST and the requested headers. "*" allows every
	// origin, without credentials.
	//
	// "file://" and "null" can be listed for apps that load their pages from files. Any
	// website can send "null" from a sandboxed frame: list it only if the server does not
	// identify users by cookies.
	Origins []string
	// AllowRequest, if set, refuses a handshake by returning an error. The client gets
	// status 403, with the message of an [Error]. It is called concurrently, once for
	// each handshake, and not for the later requests of a connection. It may block while
	// the request's context lasts.
	AllowRequest func(*http.Request) error
	// Cookie, if set, is sent with a polling handshake. Its Value is set to the session
	// id, which is a secret. A load balancer can't route by it, as the first request of a
	// session does not have it.
	Cookie *http.Cookie

	// PingInterval is the time between two heartbeats. Zero means 25s.
	PingInterval time.Duration
	// PingTimeout is how long a client may take to answer a ping. Zero means 20s.
	PingTimeout time.Duration
	// UpgradeTimeout bounds an upgrade from polling to WebSocket. Zero means 10s.
	UpgradeTimeout time.Duration
	// ConnectTimeout bounds the time from the handshake until the client has joined its
	// first namespace, with the middleware. For every other namespace it bounds the
	// middleware. Zero means 45s.
	ConnectTimeout time.Duration
	// WriteTimeout bounds one write to a transport, and the time in which a closing
	// connection sends its queue. Zero means 10s.
	WriteTimeout time.Duration
	// ShutdownSpread is the time over which [Server.Shutdown] closes the connections, one
	// after another, so that their clients do not reconnect to other servers all at
	// once. It is at most three quarters of the time until the deadline of Shutdown's
	// context, and ends early when no client is connected. Zero means that all are
	// closed at once: best for a single server.
	ShutdownSpread time.Duration
	// AckTimeout bounds an EmitWithAck whose context has no deadline, and the wait of a
	// callback that was passed to Emit. Zero means 20s.
	AckTimeout time.Duration

	// MaxPayload bounds one message or polling body, in bytes. If a client exceeds it,
	// its WebSocket is closed or its polling request refused. Zero means 1e6.
	MaxPayload int64
	// MaxEvent bounds one event with its attachments, in bytes. If a client exceeds it,
	// the connection is closed. Zero means four times MaxPayload.
	MaxEvent int64
	// MaxAttachments bounds the binary parts of one event. If a client exceeds it, the
	// connection is closed. Zero means 10. If it is more than 10, it also bounds emitted
	// events; official clients refuse more than 10 parts unless their parser is
	// configured. The same data in several places of an event is one part.
	MaxAttachments int
	// MaxNamespaces bounds the namespaces of one connection. Further ones are refused
	// with "connect_error". Zero means 100.
	MaxNamespaces int
	// MaxQueue bounds the bytes that wait to be written to one connection. A client that
	// exceeds it is disconnected with [ReasonSlow]. An empty queue accepts one event of
	// any size. Zero means 1 MiB or four times MaxPayload, whichever is larger.
	MaxQueue int64
	// MaxReplies bounds the acks that one EmitWithAck of an [Emitter] keeps until it
	// returns, in bytes. The [Reply.Err] of the others is [ErrReplies]. Zero means 16
	// times MaxEvent.
	MaxReplies int64
	// MaxInbox bounds the events of one connection that wait for handlers. While there
	// are as many, or MaxEvent bytes of them, the connection is not read. The bound is 16
	// times as high while a handler waits in EmitWithAck, as the ack may come after these
	// events. Zero means 64.
	MaxInbox int
	// MaxHandshakes bounds the concurrent handshakes. Further clients get status 503 with
	// Retry-After. Zero means 1024.
	MaxHandshakes int

	// CompressMinBytes enables permessage-deflate and gzip responses, for messages of at
	// least this many bytes. The limits for received messages apply after inflation. Do
	// not compress secrets together with text of an attacker. Zero means no compression.
	CompressMinBytes int

	// Codec, if set, replaces the encoding of packets. Clients must use the same codec,
	// such as that of package msgpack.
	Codec Codec

	// Adapter, if set, makes this server part of a cluster: events reach the sockets of
	// all its servers, unless they are emitted with [Emitter.Local]. The server must then
	// be closed, even if it was not used. Nil means a single server.
	Adapter adapter.Adapter

	// Recovery, if set, enables connection state recovery: a client that reconnects
	// resumes its session and receives the events that it missed.
	Recovery *Recovery

	// ClientFS, if set, is served beside the endpoint instead of the built-in browser
	// client, such as the directory dist of the npm package socket.io-client. Only files
	// whose name begins with "socket.io." are served.
	ClientFS fs.FS

	// Hooks, if set, are called for metrics and traces. They are copied.
	Hooks *Hooks

	// Logger receives errors and events that need attention. The levels are Error for
	// panics, with their stack; Warn for errors of handlers and middleware, stuck
	// handlers, and errors of the cluster; Info for refused requests and malformed input;
	// Debug for events without a handler, and for acks that were not sent. [Stats] counts
	// the same. Each kind has at most 20 lines a second, and the next line says how many
	// were withheld. Texts are cut at 500 bytes. Nil means [slog.Default] at the time of
	// logging; slog.New(slog.DiscardHandler) disables logging.
	Logger *slog.Logger
	// OnError, if set, is called with each panic, as a *[PanicError]; each error of a
	// handler or middleware other than an [Error]; arguments that do not fit, as a
	// *[DecodeError]; malformed packets, as a *[PacketError]; stuck handlers, as a
	// *[StuckError]; refused requests, as a *[RefusedError]; and errors of the cluster. It
	// is called concurrently and must not block. s is nil if the error concerns no socket.
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
	// maxBytes and maxCount are so small that sums and products do not overflow.
	maxBytes = math.MaxInt / 8
	maxCount = math.MaxInt32 / 16
	// minPayload is the smallest limit that lets a client connect and upgrade.
	minPayload = 16
	// maxHeartbeat is the longest timer of a JavaScript client.
	maxHeartbeat = math.MaxInt32 * time.Millisecond
)

// check panics if a value is invalid.
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

// String returns the names of the transports, such as "polling", separated by commas.
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
