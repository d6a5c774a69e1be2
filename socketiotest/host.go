package socketiotest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/socketio-go/socketio"
	"github.com/socketio-go/socketio/client"
	"github.com/socketio-go/socketio/internal/bridge"
	"github.com/socketio-go/socketio/internal/memnet"
)

// A Host is a server on a network in memory. Its methods must be called by the
// goroutine of the test, because they end the test when they fail.
type Host struct {
	t       testing.TB
	net     network
	path    string
	wait    time.Duration
	within  time.Duration // 0 is the default
	bubble  bool
	tcp     bool
	servers []*socketio.Server
	allowed []func(error) bool
	leaks   *leaks
	busUsed *Bus // nil unless the server is part of a Cluster

	polls    atomic.Int64 // GETs of polling that the server has not answered
	requests atomic.Int64 // other requests of Engine.IO

	mu        sync.Mutex // guards the following
	clients   []*Client
	errs      []error
	refused   int // handshakes that the test expected to be refused
	finishing bool
	unhandled []string // the last events without a handler
}

// A network carries connections to the server.
type network interface {
	// dial opens a connection whose client's end is in memory.
	dial(ctx context.Context) (*memnet.Conn, error)
	client() *http.Client
	close()
}

// Serve serves handler on a network in memory until the test ends. handler is a
// *[socketio.Server], an [http.ServeMux] that has one at the [Path], or any other
// handler with the option [Server].
//
// When the test ends, Serve closes the clients and calls Shutdown of the server.
// The test fails if the server does not close within 15s or the [Patience], if a
// goroutine is left that the server, a handler or a client has started, if
// [socketio.MessageStats] do not add up, or if the server has reported an error
// that the test did not [Allow].
func Serve(t testing.TB, handler http.Handler, opts ...Option) *Host {
	t.Helper()
	return serve(t, handler, newLeaks(t), nil, opts)
}

func serve(t testing.TB, handler http.Handler, leaks *leaks, bus *Bus, opts []Option) *Host {
	t.Helper()
	h := &Host{t: t, path: "/socket.io/", wait: 5 * time.Second, bubble: inBubble(), leaks: leaks, busUsed: bus}
	if h.bubble {
		h.wait = time.Minute
	}
	for _, opt := range opts {
		opt(h)
	}
	if len(h.servers) == 0 {
		h.servers = serverIn(handler, h.path)
	}
	if len(h.servers) == 0 {
		t.Fatalf("socketiotest: Serve: no *socketio.Server found at %s in a %T: pass socketiotest.Server(io)", h.path, handler)
	}
	for _, io := range h.servers {
		bridge.Observe(io, bridge.Observer{Error: h.note, Unhandled: h.noteUnhandled})
	}
	server := &http.Server{Handler: h.count(handler), ErrorLog: slog.NewLogLogger(slog.DiscardHandler, 0)}
	var err error
	leaks.start(func() {
		if h.tcp {
			h.net, err = serveTCP(server)
		} else {
			h.net = memory{memnet.Serve(server)}
		}
	})
	if err != nil {
		t.Fatalf("socketiotest: Serve: %v", err)
	}
	leaks.hosts++
	t.Cleanup(h.finish)
	h.watch()
	return h
}

// serverIn returns the server that handler is or has at a path.
func serverIn(handler http.Handler, path string) []*socketio.Server {
	if mux, ok := handler.(*http.ServeMux); ok {
		handler, _ = mux.Handler(httptest.NewRequest(http.MethodGet, path, nil))
	}
	if io, ok := handler.(*socketio.Server); ok {
		return []*socketio.Server{io}
	}
	return nil
}

// inBubble reports whether the caller runs in a bubble of testing/synctest.
func inBubble() (in bool) {
	defer func() {
		if recover() != nil {
			in = false
		}
	}()
	synctest.Wait() // it panics outside of a bubble
	return true
}

// count counts the requests of Engine.IO, for Settle.
func (h *Host) count(handler http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		n := &h.requests
		switch {
		case !q.Has("EIO"):
			handler.ServeHTTP(w, r)
			return
		case r.Method == http.MethodGet && q.Get("transport") == "polling" && q.Has("sid"):
			n = &h.polls
		}
		n.Add(1)
		defer n.Add(-1)
		handler.ServeHTTP(w, r)
	})
}

// memory is a network in memory.
type memory struct{ *memnet.Server }

func (m memory) dial(ctx context.Context) (*memnet.Conn, error) { return m.Dial(ctx) }
func (m memory) client() *http.Client                           { return m.Client }
func (m memory) close()                                         { _ = m.Close() }

// note is called with every error that a server reports.
func (h *Host) note(err error) {
	for _, match := range h.allowed {
		if match(err) {
			return
		}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	var refused *socketio.RefusedError
	if errors.As(err, &refused) {
		switch {
		case refused.Code == socketio.CodeUnknownSession, h.finishing: // a request that crosses the end of its session
			return
		case refused.Code == socketio.CodeForbidden && h.refused > 0:
			h.refused--
			return
		}
	}
	h.errs = append(h.errs, err)
}

func (h *Host) noteUnhandled(event string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.unhandled = append(h.unhandled, event); len(h.unhandled) > keptPackets {
		h.unhandled = h.unhandled[1:]
	}
}

// list returns the clients.
func (h *Host) list() []*Client {
	h.mu.Lock()
	defer h.mu.Unlock()
	return append([]*Client(nil), h.clients...)
}

// closeTime is how long a server may take to close at least: it gives a client that
// polls its WriteTimeout to fetch what is queued.
const closeTime = 15 * time.Second

// finish closes the clients and the server, and checks them.
func (h *Host) finish() {
	h.t.Helper()
	h.mu.Lock()
	h.finishing = true
	h.mu.Unlock()
	clients := h.list()
	for _, c := range clients {
		c.line.link.thaw()
		_ = c.Disconnect()
	}
	patience := max(h.wait, closeTime)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for _, io := range h.servers {
		if err := io.Shutdown(ctx); err != nil {
			h.t.Errorf("socketiotest: the server did not close within %v: %v%s", patience, err, handlersOf(io))
		}
		m := io.Stats().Messages
		if m.Pending != 0 || m.Emitted != m.Written+m.DroppedVolatile+m.DroppedSlow+m.DroppedClosed {
			h.t.Errorf("socketiotest: the server does not account for its messages: %+v", m)
		}
	}
	ctx, cancel = context.WithTimeout(context.Background(), h.wait)
	defer cancel()
	for _, c := range clients {
		_ = c.line.client.Close()
		if err := c.line.client.Shutdown(ctx); err != nil && !errors.As(err, new(*client.UnsentError)) {
			h.t.Errorf("socketiotest: client %s did not close within %v: a handler of the test has not returned", c.name, h.wait)
		}
		c.line.link.close()
	}
	h.net.close()
	h.leaks.finish(h)
	h.mu.Lock()
	errs := h.errs
	h.mu.Unlock()
	for _, err := range errs {
		h.t.Errorf("socketiotest: the server reported: %v%s", err, stackOf(err))
	}
}

// handlersOf describes the handlers that run.
func handlersOf(io *socketio.Server) string {
	list := bridge.Running(io)
	if len(list) == 0 {
		return ""
	}
	return "\nhandlers that have not returned:\n\t" + strings.Join(list, "\n\t")
}

// stackOf returns the stack of a panic.
func stackOf(err error) string {
	var p *socketio.PanicError
	if errors.As(err, &p) {
		return "\n" + string(p.Stack)
	}
	return ""
}

// HTTP returns a client whose requests all go to the host, whatever their URL says,
// for the other handlers of a mux. Callers must close the bodies of responses.
func (h *Host) HTTP() *http.Client { return h.net.client() }

// Dial returns a client that has not connected yet; see [Host.Connect] for auth and
// how. Call its Connect.
func (h *Host) Dial(auth any, how ...How) *Client {
	h.t.Helper()
	h.mu.Lock()
	number := len(h.clients) + 1
	h.mu.Unlock()
	w := newHow(h, number, auth, how)
	l := &line{host: h, link: newLink(h.net), auths: make(map[string]any)}
	l.auths[w.namespace] = authOf(auth)
	c := l.add(h, w.name, w.namespace)
	opts := w.opts
	l.upgrades = !opts.DisableUpgrade && opts.Transports[0] == socketio.Polling
	opts.Dial = func(ctx context.Context, _, _ string) (net.Conn, error) { return l.link.dial(ctx) }
	opts.Hooks = l.packets.hooks(opts.Hooks)
	opts.Auth = l.auth
	if len(w.header) > 0 {
		opts.Header = func(context.Context) (http.Header, error) { return w.header, nil }
	}
	var err error
	if l.client, err = client.New(w.url(h.path, l.auths["/"]), &opts); err != nil {
		h.t.Fatalf("socketiotest: %v", err)
	}
	c.listen()
	return c
}

// Connect returns a client that has joined a namespace, "/" unless [Namespace] says
// another. The test fails if the client is refused or is not connected within the
// [Patience].
//
// auth is what the middleware of the server finds in [socketio.Handshake].Auth. It is
// encoded as a JSON object. A string s stands for {"token": s}, and nil for no auth.
// A client whose auth is a string is named like it in failures.
func (h *Host) Connect(auth any, how ...How) *Client {
	h.t.Helper()
	c := h.Dial(auth, how...)
	c.mustConnect("Connect")
	return c
}

// Refused connects a client that the server must refuse, by its middleware or by
// [socketio.Options].AllowRequest, and returns the error that the client gets.
func (h *Host) Refused(auth any, how ...How) *socketio.Error {
	h.t.Helper()
	c := h.Dial(auth, how...)
	return c.mustBeRefused("Refused")
}

func (c *Client) mustConnect(what string) {
	c.T.Helper()
	if err := c.connect(what); err != nil {
		c.fail("%s: %v", what, err)
	}
}

func (c *Client) mustBeRefused(what string) *socketio.Error {
	c.T.Helper()
	h := c.line.host
	h.mu.Lock()
	h.refused++
	h.mu.Unlock()
	err := c.connect(what)
	var refused *client.RefusedError
	var handshake *client.HandshakeError
	switch {
	case err == nil:
		c.fail("%s: the server did not refuse the client", what)
	case errors.As(err, &refused):
		h.mu.Lock()
		h.refused--
		h.mu.Unlock()
		return refused.Err
	case errors.As(err, &handshake) && handshake.Status == http.StatusForbidden:
		return &socketio.Error{Message: handshake.Message}
	default:
		c.fail("%s: %v", what, err)
	}
	return nil
}

// auth is what a client sends as authentication.
func (l *line) auth(_ context.Context, namespace string) (any, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.auths[namespace], nil
}

// authOf returns what is encoded for auth.
func authOf(auth any) any {
	if token, ok := auth.(string); ok {
		return map[string]string{"token": token}
	}
	return auth
}

// add adds a client of a namespace to a connection.
func (l *line) add(h *Host, name, namespace string) *Client {
	c := &Client{T: h.t, name: name, namespace: namespace, line: l, changed: make(chan struct{})}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.clients = append(h.clients, c)
	return c
}

// Of joins another namespace over the connection of c, and returns the client of that
// namespace; see [Host.Connect] for auth. The two share their [Link], and end together
// when the connection does.
func (c *Client) Of(namespace string, auth any) *Client {
	c.T.Helper()
	other := c.of(namespace, auth)
	other.mustConnect(fmt.Sprintf("Of(%q)", namespace))
	return other
}

// OfRefused is [Client.Of] for a namespace that must refuse the client. It returns the
// error that the client gets.
func (c *Client) OfRefused(namespace string, auth any) *socketio.Error {
	c.T.Helper()
	return c.of(namespace, auth).mustBeRefused(fmt.Sprintf("OfRefused(%q)", namespace))
}

func (c *Client) of(namespace string, auth any) *Client {
	l := c.line
	l.mu.Lock()
	l.auths[namespace] = authOf(auth)
	l.mu.Unlock()
	other := l.add(l.host, c.name+namespace, namespace)
	other.listen()
	return other
}
