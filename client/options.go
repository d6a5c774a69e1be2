package client

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/socketio-go/socketio"
)

// Options configures a [Client]. The zero value of every field means its
// default. Functions are called concurrently and may block until their context
// ends.
type Options struct {
	// Transports are tried in this order at every attempt. Nil means WebSocket,
	// then polling. A client that polls because WebSocket failed does not try to
	// upgrade.
	Transports []socketio.Transport
	// DisableUpgrade keeps a client whose first transport is polling on polling.
	DisableUpgrade bool

	// EIO3 speaks Engine.IO 3, for servers of Socket.IO 2. They let every client into
	// "/" without auth: what they need is in the query of the URL. What Auth returns for
	// another namespace is sent as the query of that. There is no recovery.
	EIO3 bool

	// URL, if set, is asked for the server's URL at every attempt, in place of the
	// one that [New] was given: for failover. attempt counts from 0 after every
	// stable connection.
	URL func(ctx context.Context, attempt int) (string, error)
	// Header, if set, is asked at every attempt for the headers of all requests
	// of that connection.
	Header func(ctx context.Context) (http.Header, error)
	// Auth, if set, is asked every time that a namespace is joined. What it
	// returns is encoded as a JSON object for the server's middleware; nil is none.
	Auth func(ctx context.Context, namespace string) (any, error)
	// RetryRefused, if set, decides whether to try again after the server has
	// refused a namespace. The default does not, as in JavaScript.
	RetryRefused func(*RefusedError) bool

	// HTTPClient sends the requests of polling. Its Timeout is ignored; its Jar
	// holds the cookies of WebSocket handshakes, too. If its Transport is an
	// *[http.Transport], a WebSocket uses that one's Proxy, DialContext and
	// TLSClientConfig. Nil means a client with the proxies of the environment and
	// a Jar of its own.
	HTTPClient *http.Client
	// Dial, if set, opens the network connections of both transports.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
	// TLS, if set, configures the connections of both transports.
	TLS *tls.Config
	// Compression lets the server compress what it sends over WebSocket. The
	// client does not compress.
	Compression bool
	// Codec replaces the protocol's encoding of packets. The server has to use
	// the same one.
	Codec socketio.Codec

	// MinDelay and MaxDelay bound the delays between attempts: the delay before
	// attempt n is random, up to MinDelay doubled n times, MaxDelay at most, 50ms
	// at least. Zero means 1s and 20s.
	MinDelay, MaxDelay time.Duration
	// StableAfter is how long a namespace must have been joined before the delays
	// begin anew. Zero means 10s.
	StableAfter time.Duration
	// MaxAttempts bounds the attempts between two stable connections. Zero means
	// no bound.
	MaxAttempts int

	// ConnectTimeout bounds one attempt: the handshake, and then the server's
	// answer for each namespace. Zero means 20s.
	ConnectTimeout time.Duration
	// WriteTimeout bounds the writing of each 64 KiB. Zero means 10s.
	WriteTimeout time.Duration
	// UpgradeTimeout bounds the upgrade to WebSocket. Zero means 10s.
	UpgradeTimeout time.Duration
	// AckTimeout bounds the wait for an answer where no context does, and is how
	// long Deliver waits before it sends an event again. Zero means 20s.
	AckTimeout time.Duration

	// Offline says what becomes of events that are emitted while their namespace
	// is not joined. Zero means [Buffer].
	Offline Offline
	// MaxBuffer bounds the bytes that are buffered while offline, of all
	// namespaces. Beyond it Emit returns [ErrBufferFull]. Zero means 1 MiB.
	MaxBuffer int64
	// MaxBufferAge is how long an event is buffered. Older ones are dropped, and
	// counted in [Stats]. Zero means any time.
	MaxBufferAge time.Duration
	// MaxQueue bounds the bytes that wait to be written. Beyond it Emit returns
	// [ErrBufferFull]. Zero means 4 MiB. It is at least MaxBuffer.
	MaxQueue int64
	// MaxPayload bounds one message of the server, or one polling response, in
	// bytes. Beyond it the connection is closed. Zero means 16 MiB.
	MaxPayload int64
	// MaxEvent bounds one event of the server with its attachments, in bytes.
	// Beyond it the connection is closed. Zero means MaxPayload.
	MaxEvent int64
	// MaxAttachments bounds the attachments of one event of the server. Zero means
	// 1000.
	MaxAttachments int
	// MaxInbox bounds the events that wait for a handler. Beyond it, or beyond
	// MaxEvent bytes, the connection is not read. There may be 16 times as many
	// while a handler waits in EmitWithAck. Zero means 64.
	MaxInbox int
	// DeliverKey makes [Socket.Deliver] append a random string to the arguments,
	// the same for each repetition, by which a server can recognise an event that
	// it has handled.
	DeliverKey bool

	// Hooks, if set, observe the packets. They are copied.
	Hooks *Hooks
	// Logger gets errors and panics of handlers, and namespaces that are lost for
	// good. Nil means slog.Default(). It gets no secrets: neither what Auth and
	// Header return nor session ids.
	Logger *slog.Logger
	// OnError is told what Logger gets. s is nil if no socket is concerned. It
	// must not block.
	OnError func(s *Socket, err error)

	// Now is the wall clock, by which a client notices that its machine was
	// suspended. Nil means time.Now.
	Now func() time.Time
}

// Offline says what becomes of events that are emitted while offline.
type Offline uint8

// The policies.
const (
	Buffer Offline = iota // kept, within MaxBuffer and MaxBufferAge, and sent when joined
	Refuse                // Emit returns [ErrOffline]
	Drop                  // dropped without an error, and counted
)

// Hooks observe packets. They are called on the goroutine that sends or reads,
// must not block and must not emit.
type Hooks struct {
	PacketIn  func(Packet)
	PacketOut func(Packet)
}

// A Packet describes a packet of Socket.IO.
type Packet struct {
	Namespace string
	Type      string // "connect", "connect_error", "disconnect", "event" or "ack"
	Event     string // the name of an event, else empty
	ID        int64  // by which event and answer belong together; -1 if there is none
	Args      socketio.Args
	Data      string // what connect and connect_error carry, without what Auth returned
}

func (o *Options) logger() *slog.Logger {
	if o.Logger != nil {
		return o.Logger
	}
	return slog.Default()
}

func (o *Options) withDefaults() (d Options, err error) {
	if o != nil {
		d = *o
	}
	for name, v := range map[string]int64{
		"MinDelay": int64(d.MinDelay), "MaxDelay": int64(d.MaxDelay), "StableAfter": int64(d.StableAfter),
		"MaxAttempts": int64(d.MaxAttempts), "ConnectTimeout": int64(d.ConnectTimeout), "WriteTimeout": int64(d.WriteTimeout),
		"UpgradeTimeout": int64(d.UpgradeTimeout), "AckTimeout": int64(d.AckTimeout), "MaxBuffer": d.MaxBuffer,
		"MaxBufferAge": int64(d.MaxBufferAge), "MaxQueue": d.MaxQueue, "MaxPayload": d.MaxPayload, "MaxEvent": d.MaxEvent,
		"MaxAttachments": int64(d.MaxAttachments), "MaxInbox": int64(d.MaxInbox),
	} {
		if v < 0 {
			return d, fmt.Errorf("client: Options.%s is negative", name)
		}
	}
	if d.Offline > Drop {
		return d, fmt.Errorf("client: Options.Offline is %d", d.Offline)
	}
	if d.Transports == nil {
		d.Transports = []socketio.Transport{socketio.WebSocket, socketio.Polling}
	}
	if len(d.Transports) == 0 {
		return d, fmt.Errorf("client: Options.Transports is empty")
	}
	for _, t := range d.Transports {
		if t != socketio.WebSocket && t != socketio.Polling {
			return d, fmt.Errorf("client: Options.Transports: %d is not one transport", t)
		}
	}
	setDefault(&d.MinDelay, time.Second)
	setDefault(&d.MaxDelay, 20*time.Second)
	setDefault(&d.StableAfter, 10*time.Second)
	setDefault(&d.ConnectTimeout, 20*time.Second)
	setDefault(&d.WriteTimeout, 10*time.Second)
	setDefault(&d.UpgradeTimeout, 10*time.Second)
	setDefault(&d.AckTimeout, 20*time.Second)
	setDefault(&d.MaxBuffer, 1<<20)
	setDefault(&d.MaxQueue, 4<<20)
	d.MaxQueue = max(d.MaxQueue, d.MaxBuffer)
	setDefault(&d.MaxPayload, 16<<20)
	setDefault(&d.MaxEvent, d.MaxPayload)
	setDefault(&d.MaxAttachments, 1000)
	setDefault(&d.MaxInbox, 64)
	if d.Now == nil {
		d.Now = time.Now
	}
	if d.Hooks == nil {
		d.Hooks = &Hooks{}
	}
	return d, nil
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}
