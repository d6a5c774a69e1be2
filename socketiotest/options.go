package socketiotest

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"github.com/socketio-go/socketio"
	"github.com/socketio-go/socketio/client"
	"github.com/socketio-go/socketio/msgpack"
)

// An Option changes how [Serve] and [Cluster] serve.
type Option func(*Host)

// Path is where the server is mounted. The default is "/socket.io/".
func Path(path string) Option { return func(h *Host) { h.path = path } }

// Server names a server behind the handler, which Serve observes, checks and closes.
// It is needed only where the handler is neither a *[socketio.Server] nor an
// [http.ServeMux] that has one.
func Server(io *socketio.Server) Option {
	return func(h *Host) { h.servers = append(h.servers, io) }
}

// Allow allows the server to report errors that match: errors of handlers that are no
// *[socketio.Error], panics, malformed packets. Any other error that the server reports
// fails the test when it ends. Requests of sessions that have ended are always allowed.
func Allow(match func(error) bool) Option {
	return func(h *Host) { h.allowed = append(h.allowed, match) }
}

// AllowType is [Allow] for the errors that [errors.As] finds an E in, such as a
// *[socketio.PanicError].
func AllowType[E error]() Option {
	return Allow(func(err error) bool {
		var e E
		return errors.As(err, &e)
	})
}

// AllowGoroutines allows goroutines to outlive the test if match accepts their stack.
func AllowGoroutines(match func(stack string) bool) Option {
	return func(h *Host) { h.leaks.allowed = append(h.leaks.allowed, match) }
}

// Patience is how long an expectation waits, and how long the server may take to
// close. The default is 5s, and 1m in a bubble of testing/synctest, where waiting takes
// no time.
func Patience(d time.Duration) Option { return func(h *Host) { h.wait = d } }

// Within is how long the whole test may take. After that the process ends with a panic
// that says what every client waits for. The default is just less than the timeout of
// "go test", and 24h of the fake clock in a bubble of testing/synctest.
func Within(d time.Duration) Option { return func(h *Host) { h.within = d } }

// TCP serves on a TCP port of 127.0.0.1 that the system chooses. A server reads and
// writes TCP connections in another way than those in memory, so run a suite once with
// it. Clients still connect through a [Link] in memory, whose faults work as before.
// TCP does not work in a bubble of testing/synctest.
func TCP() Option { return func(h *Host) { h.tcp = true } }

// A How changes how a client connects.
type How func(*how)

type how struct {
	name      string
	namespace string
	header    http.Header
	opts      client.Options
}

// Delays between attempts to reconnect, outside of a bubble.
const (
	minDelay = 50 * time.Millisecond
	maxDelay = 500 * time.Millisecond
)

func newHow(h *Host, number int, auth any, list []How) *how {
	w := &how{name: fmt.Sprint(number), namespace: "/", header: make(http.Header)}
	if name, ok := auth.(string); ok && name != "" {
		w.name = name
	}
	w.opts.Transports = []socketio.Transport{socketio.WebSocket}
	w.opts.Logger = slog.New(slog.DiscardHandler)
	w.opts.AckTimeout = h.wait
	w.opts.MinDelay, w.opts.MaxDelay = minDelay, maxDelay
	for _, fn := range list {
		fn(w)
	}
	return w
}

// url returns the URL to connect to. Clients of Socket.IO 2 send their auth for "/" in
// its query.
func (w *how) url(path string, auth any) string {
	u := url.URL{Scheme: "http", Host: "host", Path: path}
	if w.opts.EIO3 && auth != nil {
		var fields map[string]any
		if raw, err := json.Marshal(auth); err == nil && json.Unmarshal(raw, &fields) == nil {
			q := make(url.Values)
			for name, v := range fields {
				q.Set(name, fmt.Sprint(v))
			}
			u.RawQuery = q.Encode()
		}
	}
	return u.String()
}

// Name is the name of the client in failures. The default is its auth if that is a
// string, else a number.
func Name(name string) How { return func(w *how) { w.name = name } }

// Namespace joins that namespace in place of "/".
func Namespace(name string) How { return func(w *how) { w.namespace = name } }

// Polling connects by HTTP long-polling, and does not upgrade. The default is
// WebSocket.
func Polling() How {
	return func(w *how) {
		w.opts.Transports, w.opts.DisableUpgrade = []socketio.Transport{socketio.Polling}, true
	}
}

// Upgrading connects by polling and upgrades to WebSocket. [Host.Connect] returns when
// the upgrade is complete.
func Upgrading() How {
	return func(w *how) {
		w.opts.Transports, w.opts.DisableUpgrade = []socketio.Transport{socketio.Polling}, false
	}
}

// EIO3 connects as clients of Socket.IO 2 do, with Engine.IO 3. The server needs
// [socketio.Options].AllowEIO3. What other clients send as auth is in the query of the
// request, for "/", and of the namespace otherwise; see docs/socketio2.md.
func EIO3() How { return func(w *how) { w.opts.EIO3 = true } }

// MsgPack encodes packets by package msgpack. The server needs the same codec.
func MsgPack() How { return func(w *how) { w.opts.Codec = msgpack.Codec{} } }

// Header adds a header to the requests of the client, such as a cookie or an Origin.
func Header(key, value string) How { return func(w *how) { w.header.Add(key, value) } }

// ClientOptions changes the options of the client. Dial, Auth and Header have no effect;
// see [Host.Connect] and [Header].
func ClientOptions(change func(*client.Options)) How { return func(w *how) { change(&w.opts) } }
