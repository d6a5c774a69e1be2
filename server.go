package socketio

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/socketio-go/socketio/internal/arguments"
	"github.com/socketio-go/socketio/internal/engine"
	"github.com/socketio-go/socketio/internal/origin"
)

// A Server accepts Socket.IO clients. It is an [http.Handler]: mount it on
// "/socket.io/" of any mux.
//
// Its methods such as OnConnect, To and Emit are those of the default namespace, "/",
// which Of("/") returns.
//
// All methods may be called concurrently, and after the server is closed.
type Server struct {
	root     *Namespace // "/"
	opts     Options
	hooks    Hooks
	origins  *origin.Policy
	engine   *engine.Server
	files    clientFiles
	encoding arguments.Options
	log      errorLog
	cluster  clusterCounters
	calls    callCounts
	counters
	draining atomic.Bool
	observed observation

	mu          sync.RWMutex // guards the following
	namespaces  map[string]*Namespace
	templates   []*Namespace
	leftCluster bool              // the server has left the cluster
	leaving     []<-chan struct{} // each is closed when a dropped child has left the cluster
}

// NewServer returns a server. A nil opts means the defaults. It panics if an option has
// an invalid value, such as a negative size or a malformed origin, and names the option.
// It starts no goroutine: a server that is not used need not be closed, unless
// [Options.Adapter] is set.
func NewServer(opts *Options) *Server {
	srv := &Server{
		opts:       opts.withDefaults(),
		namespaces: make(map[string]*Namespace),
	}
	srv.encoding = srv.newEncoding()
	srv.log.to = srv.opts.Logger
	if srv.opts.Hooks != nil {
		srv.hooks = *srv.opts.Hooks
	}
	var err error
	if srv.origins, err = origin.New(srv.opts.Origins, srv.opts.AllowEIO3); err != nil {
		panic("socketio: Options.Origins: " + err.Error())
	}
	srv.files = clientFiles{srv: srv, fsys: srv.opts.ClientFS}
	cfg := engine.Config{
		Transports:     engine.Transport(srv.opts.Transports),
		DisableUpgrade: srv.opts.DisableUpgrade,
		AllowEIO3:      srv.opts.AllowEIO3,
		Origin:         srv.origins.Check,
		AllowRequest:   srv.allowRequest(),
		Cookie:         srv.opts.Cookie,
		PingInterval:   srv.opts.PingInterval,
		PingTimeout:    srv.opts.PingTimeout,
		UpgradeTimeout: srv.opts.UpgradeTimeout,
		WriteTimeout:   srv.opts.WriteTimeout,
		MaxPayload:     srv.opts.MaxPayload,
		MaxQueue:       srv.opts.MaxQueue,
		MaxHandshakes:  int64(srv.opts.MaxHandshakes),
		Compression:    srv.opts.CompressMinBytes,
		Open:           func(s *engine.Session) engine.Receiver { return newConn(srv, s) },
		Report:         srv.reportEngine,
		Panicked: func(value any) {
			if value == nil {
				value = errGoexit
			}
			srv.reportError(nil, srv.panicked("", value))
		},
	}
	srv.engineHooks(&cfg)
	srv.engine = engine.New(cfg)
	srv.root = srv.Of("/")
	return srv
}

// allowRequest adapts Options.AllowRequest for the engine. The client is sent the
// message of an *Error only.
func (srv *Server) allowRequest() func(*http.Request) error {
	allow := srv.opts.AllowRequest
	if allow == nil {
		return nil
	}
	return func(r *http.Request) (err error) {
		protect(func() {
			failed := srv.examine("", srv.attempt("", func() error { return allow(r) }))
			if failed.err == nil {
				return
			}
			refusal := &engine.Forbidden{Err: &opaqueError{failed.err}}
			if failed.public != nil {
				refusal.Message = failed.public.Message
			}
			err = refusal
		}, func(value any) { srv.reportError(nil, srv.panicked("", value)) }) // a Goexit ends net/http's goroutine, which closes the connection
		return err
	}
}

// ServeHTTP serves a polling request, a WebSocket handshake, or the browser client at
// socket.io.js; it ignores the rest of the path. For a polling request it blocks until
// there is a message to send or the next heartbeat is due. For a WebSocket it returns
// after the handshake, and the connection stays open.
func (srv *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	protect(func() {
		if !srv.files.serve(srv.origins, w, r) {
			srv.engine.ServeHTTP(w, r)
		}
	}, func(value any) {
		if value != http.ErrAbortHandler {
			srv.reportError(nil, srv.panicked("", value))
		}
		if value != errGoexit { // after a Goexit net/http closes the connection too
			panic(http.ErrAbortHandler)
		}
	})
}

// Of returns the namespace called name. The first call creates it, and then clients can
// join it. A missing leading slash is added. If a template of [Server.OfMatch] matches
// the name, the namespace is a child of the template. Of panics if name contains a
// comma or is longer than 255 bytes: no client could join the namespace.
func (srv *Server) Of(name string) *Namespace {
	if !strings.HasPrefix(name, "/") {
		name = "/" + name
	}
	if len(name) > maxNamespaceName || strings.Contains(name, ",") {
		panic(fmt.Sprintf("socketio: Of(%q): a namespace has at most %d bytes and no comma", name, maxNamespaceName))
	}
	parent, among := srv.templateOf(name)
	srv.mu.Lock()
	for among != len(srv.templates) { // one was added meanwhile
		srv.mu.Unlock()
		parent, among = srv.templateOf(name)
		srv.mu.Lock()
	}
	defer srv.mu.Unlock()
	n := srv.namespaces[name]
	switch {
	case n != nil:
	case parent != nil:
		n = srv.addChild(parent, name)
	default:
		n = newNamespace(srv, name, nil)
		srv.namespaces[name] = n
		srv.join(n)
	}
	n.pinned = true
	return n
}

// maxNamespaceName bounds the length of a namespace's name in bytes.
const maxNamespaceName = 255

// Namespaces iterates over the namespaces that exist at the call, in no order.
// Templates are not among them, but their children are. No lock is held, so the body
// may block.
func (srv *Server) Namespaces() iter.Seq[*Namespace] {
	srv.mu.RLock()
	list := make([]*Namespace, 0, len(srv.namespaces))
	for _, n := range srv.namespaces {
		list = append(list, n)
	}
	srv.mu.RUnlock()
	return func(yield func(*Namespace) bool) {
		for _, n := range list {
			if !yield(n) {
				return
			}
		}
	}
}

// Shutdown refuses new clients, closes the connections with [ReasonShutdown], and waits
// until their queues are flushed and the running handlers have returned. It closes all
// connections at once, or one after another over [Options.ShutdownSpread]; until then a
// connection is served as before. Clients reconnect, to another server if there is one.
//
// If ctx ends first, Shutdown closes the remaining connections as [Server.Close] does.
// It returns ctx's error, with the number of handlers that still run if there are any.
// Shutdown may be called again. A handler must not call it, as it would wait for that
// handler until ctx ends.
//
// It does not close the [http.Server]; call its Shutdown afterwards.
func (srv *Server) Shutdown(ctx context.Context) error {
	ctx = srv.guardContext(ctx)
	srv.engine.Stop()
	srv.closeSlowly(ctx)
	srv.stop()
	for _, s := range srv.engine.Sessions() {
		s.Close(engine.ShuttingDown)
	}
	if srv.engine.Wait(ctx) == 0 && srv.leaveCluster(ctx) == nil {
		return nil
	}
	if err := srv.Close(); err != nil {
		return fmt.Errorf("%w: %w", err, ctx.Err())
	}
	return ctx.Err()
}

// spreadStep is the interval at which closeSlowly closes connections.
const spreadStep = 50 * time.Millisecond

// closeSlowly closes the connections at an even rate over ShutdownSpread.
func (srv *Server) closeSlowly(ctx context.Context) {
	spread := srv.opts.ShutdownSpread
	if deadline, ok := ctx.Deadline(); ok {
		spread = min(spread, time.Until(deadline)*3/4)
	}
	sessions := srv.engine.Sessions()
	if spread <= 0 || len(sessions) == 0 {
		return
	}
	began := time.Now()
	tick := time.NewTicker(spreadStep)
	defer tick.Stop()
	for closed := 0; closed < len(sessions); {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		due := int(float64(len(sessions)) * min(float64(time.Since(began))/float64(spread), 1))
		for ; closed < due; closed++ {
			sessions[closed].Close(engine.ShuttingDown)
		}
		if len(srv.engine.Sessions()) == 0 {
			return
		}
	}
}

// stop refuses new sessions, drops saved sessions and event logs, and stops the
// server-side events.
func (srv *Server) stop() {
	srv.engine.Stop()
	srv.mu.RLock()
	templates := srv.templates
	srv.mu.RUnlock()
	for _, t := range templates {
		t.recovery.stop()
	}
	for n := range srv.Namespaces() {
		n.recovery.stop()
		if n.cluster != nil {
			n.cluster.stop()
		}
	}
}

// leaveCluster leaves the cluster in all namespaces. It waits until the published
// messages are on the bus, or until ctx ends.
func (srv *Server) leaveCluster(ctx context.Context) error {
	srv.mu.Lock()
	srv.leftCluster = true
	left := slices.Clone(srv.leaving)
	srv.mu.Unlock()
	for n := range srv.Namespaces() {
		if n.cluster != nil {
			left = append(left, n.cluster.leave())
		}
	}
	for _, done := range left {
		select {
		case <-done:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// closeGrace is how long Close waits for handlers whose context has ended.
const closeGrace = time.Second

// Close closes every connection at once, without sending queued packets. It waits
// until no goroutine of the server runs. It returns an error if handlers do not return
// within 1s, or if published messages are not on the cluster's bus by then. It may be
// called again, and after Shutdown.
func (srv *Server) Close() error {
	srv.stop()
	for _, s := range srv.engine.Sessions() {
		s.Discard(engine.ShuttingDown)
	}
	ctx, cancel := context.WithTimeout(context.Background(), closeGrace)
	defer cancel()
	if n := srv.engine.Wait(ctx); n > 0 {
		_ = srv.leaveCluster(ctx)
		return fmt.Errorf("socketio: close: %d goroutines still in handlers", n)
	}
	if srv.leaveCluster(ctx) != nil {
		return errors.New("socketio: close: what was published is not on the cluster's bus yet")
	}
	return nil
}

// An opaqueError hides an error of the application from the engine, which would call
// its methods without a guard.
type opaqueError struct{ err error }

func (e *opaqueError) Error() string { return "socketio: refused by AllowRequest" }

// reportEngine reports an error of the engine. session is nil if the error concerns a
// request without a session.
func (srv *Server) reportEngine(session *engine.Session, err error) {
	var refused *engine.RefusedError
	var violation *engine.ViolationError
	var stuck *engine.StuckError
	switch {
	case errors.As(err, &refused):
		e := newRefusedError(refused)
		srv.refused.count(e)
		srv.reportError(nil, e)
	case errors.As(err, &violation):
		srv.badPackets.Add(1)
		srv.reportError(nil, &PacketError{RemoteAddr: session.RemoteAddr(), Err: violation.Err})
	case errors.As(err, &stuck):
		srv.reportStuck(session, stuck)
	default:
		srv.reportError(nil, err)
	}
}

// reportStuck reports each handler that has not returned, as a StuckError.
func (srv *Server) reportStuck(session *engine.Session, stuck *engine.StuckError) {
	since := time.Now().Add(-stuck.For)
	c, _ := session.Receiver().(*conn)
	if c == nil {
		return
	}
	for _, s := range c.busySockets() {
		srv.reportError(s, newStuckError(s, since))
	}
}

// reportError counts and logs an error, and calls OnError. s is nil if the error
// concerns no socket. It blocks until OnError returns.
func (srv *Server) reportError(s *Socket, err error) { srv.reportEvent(s, "", err) }

// reportEvent is reportError for an error while an event was handled, or while
// middleware, OnConnect or OnDisconnect ran.
func (srv *Server) reportEvent(s *Socket, event string, err error) {
	srv.recordError(s, event, err)
	srv.observed.reported(err)
	if srv.opts.OnError == nil {
		return
	}
	var p *PanicError
	if limit(&srv.calls.onError, func() {
		p = srv.isolated("", func() { srv.opts.OnError(s, err) })
	}) != nil {
		p = srv.panicked("", errTooManyCalls)
	}
	if p != nil {
		srv.recordError(s, "", p)
	}
}

// recordError counts an error and logs it, within the limits of the log.
func (srv *Server) recordError(s *Socket, event string, err error) {
	_ = srv.isolated("", func() {
		kind := kindOf(s, err)
		srv.countError(kind)
		_ = limit(&srv.calls.logger, func() { srv.log.write(kind, s, event, err) })
	})
}

// logLine logs an event that is not an error, within the limits of the log.
func (srv *Server) logLine(kind errorKind, s *Socket, attr slog.Attr) {
	if withheld, ok := srv.log.allow(kind, time.Now()); ok {
		_ = limit(&srv.calls.logger, func() {
			_ = srv.isolated("", func() { srv.log.line(kind, s, withheld, attr) })
		})
	}
}
