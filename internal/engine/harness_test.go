package engine_test

import (
	"context"
	"log"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/socketio-go/socketio/internal/bubble"
	"github.com/socketio-go/socketio/internal/engine"
	"github.com/socketio-go/socketio/internal/memnet"
)

// The times of the servers under test. Each is a different number, so that a
// test can tell which one has passed.
const (
	pingInterval   = 25 * time.Second
	pingTimeout    = 20 * time.Second
	upgradeTimeout = 8 * time.Second
	writeTimeout   = 11 * time.Second

	closeWait = time.Second // fixed

	maxPayload = 1000
	maxQueue   = 40_000
)

// A setup says in what a server differs from the usual one.
type setup struct {
	config  func(*engine.Config)
	http    func(*http.Server)
	opened  func(*app)
	receive func(a *app, turn *engine.Turn, data string, binary bool)
	full    func(*app) bool
	closed  func(*app)
	listen  func(testing.TB) net.Listener // memnet if nil
	dialled func(*memnet.Conn)

	deflates bool // WebSocket clients offer permessage-deflate
}

// A harness is a server under test with all that it has told.
type harness struct {
	testing.TB
	setup
	*engine.Server

	http   *http.Server
	net    *memnet.Listener // nil if the network is real
	client *http.Client
	dial   func() net.Conn
	served chan struct{}

	mu      sync.Mutex // guards the following
	apps    []*app
	more    chan struct{} // closed and replaced when there is another
	reports []error
	lost    map[bool]uint64 // with sessions that ended as slow, and otherwise
}

// specify is a behaviour of a server whose network and clock are simulated.
func specify(t *testing.T, behaviour string, s setup, body func(h *harness)) {
	t.Helper()
	t.Run(behaviour, func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			h := start(t, s)
			defer h.stop()
			body(h)
		})
	})
}

// start starts a server.
func start(tb testing.TB, s setup) *harness {
	tb.Helper()
	h := &harness{TB: tb, setup: s, served: make(chan struct{}), more: make(chan struct{}), lost: make(map[bool]uint64)}
	cfg := engine.Config{
		Transports:     engine.Polling | engine.WebSocket,
		Origin:         func(*http.Request, http.Header) error { return nil },
		PingInterval:   pingInterval,
		PingTimeout:    pingTimeout,
		UpgradeTimeout: upgradeTimeout,
		WriteTimeout:   writeTimeout,
		MaxPayload:     maxPayload,
		MaxQueue:       maxQueue,
		MaxHandshakes:  10,
		Open:           h.open,
		Report: func(_ *engine.Session, err error) {
			h.mu.Lock()
			defer h.mu.Unlock()
			h.reports = append(h.reports, err)
		},
		Lost: func(recv engine.Receiver, messages int, reason engine.Reason) {
			if got := recv.(*app).SessionCounts(); got.Pending > 0 || got.Slow+got.Closed != uint64(messages) {
				tb.Errorf("told of %d messages lost, counted %+v", messages, got)
			}
			h.mu.Lock()
			defer h.mu.Unlock()
			h.lost[reason == engine.SlowClient] += uint64(messages)
		},
	}
	if s.config != nil {
		s.config(&cfg)
	}
	h.Server = engine.New(cfg)
	h.http = &http.Server{Handler: h.Server, ErrorLog: log.New(complaints{tb}, "", 0)}
	if s.http != nil {
		s.http(h.http)
	}
	var listener net.Listener
	if s.listen != nil {
		listener = s.listen(tb)
		h.dial = func() net.Conn {
			c, err := net.Dial(listener.Addr().Network(), listener.Addr().String())
			if err != nil {
				tb.Fatal(err)
			}
			return c
		}
	} else {
		h.net = memnet.Listen()
		listener = h.net
		h.dial = func() net.Conn { return h.dialMem() }
	}
	h.client = &http.Client{Transport: &http.Transport{
		DialContext:        func(context.Context, string, string) (net.Conn, error) { return h.dial(), nil },
		DisableCompression: true,
	}}
	go func() { // stop ends it and waits for it
		defer close(h.served)
		_ = h.http.Serve(listener)
	}()
	return h
}

func (h *harness) dialMem() *memnet.Conn {
	c, err := h.net.Dial(h.Context())
	if err != nil {
		h.Fatal(err)
	}
	if h.dialled != nil {
		h.dialled(c)
	}
	return c
}

// stop ends a server, and sees that it leaves nothing, that each session ended
// once, that no report tells a session's id, and that every message is accounted
// for.
func (h *harness) stop() {
	h.Stop()
	for _, s := range h.Sessions() {
		s.Discard(engine.ShuttingDown)
	}
	h.client.CloseIdleConnections()
	timeout := time.Second
	if h.net == nil {
		timeout = time.Minute
	}
	ctx, cancel := context.WithTimeout(context.Background(), timeout) // the test's own ends too early
	defer cancel()
	if n := h.Wait(ctx); n > 0 {
		h.Errorf("%d goroutines, requests or sessions are left", n)
	}
	if n := h.Len(); n > 0 {
		h.Errorf("%d sessions are left", n)
	}
	for _, a := range h.all() {
		if reasons := a.reasons(); len(reasons) != 1 {
			h.Errorf("a session was closed %d times: %v", len(reasons), reasons)
		}
		for _, err := range h.reported() {
			if strings.Contains(err.Error(), a.ID()) {
				h.Errorf("the session's id is told by %v", err)
			}
		}
	}
	if c := h.wantBalance(); c.Sessions != 0 || c.Queued != 0 || c.Pending != 0 || c.Slow != h.lost[true] || c.Closed != h.lost[false] {
		h.Errorf("at the end: %+v, told of %v lost", c, h.lost)
	}
	h.http.Close()
	<-h.served
	if h.net != nil {
		pass(time.Second) // net/http lingers where it has not read a request
	}
}

// complaints fails a test when net/http has something to say, as it has about
// a misused ResponseWriter or a panic.
type complaints struct{ testing.TB }

func (c complaints) Write(p []byte) (int, error) {
	c.Errorf("net/http complains: %s", p)
	return len(p), nil
}

func (h *harness) open(s *engine.Session) engine.Receiver {
	a := &app{Session: s, h: h, ended: make(chan struct{})}
	h.mu.Lock()
	h.apps = append(h.apps, a)
	close(h.more)
	h.more = make(chan struct{})
	h.mu.Unlock()
	if h.opened != nil {
		h.opened(a)
	}
	return a
}

// all returns the application's ends of all sessions there were.
func (h *harness) all() []*app {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.apps)
}

// await returns the application's end of a session that is being opened.
func (h *harness) await(sid string) *app {
	for {
		h.mu.Lock()
		for _, a := range h.apps {
			if a.ID() == sid {
				h.mu.Unlock()
				return a
			}
		}
		more := h.more
		h.mu.Unlock()
		<-more
	}
}

// last returns the application's end of the newest session.
func (h *harness) last() *app {
	h.Helper()
	all := h.all()
	if len(all) == 0 {
		h.Fatal("no session was opened")
	}
	return all[len(all)-1]
}

func (h *harness) reported() []error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.reports)
}

// An app is the application's end of a session. It keeps what it receives.
type app struct {
	*engine.Session
	h     *harness
	ended chan struct{} // closed with the session

	mu       sync.Mutex // guards the following
	messages []string
	beats    int
	closed   []engine.Reason
}

func (a *app) Receive(turn *engine.Turn, data []byte, binary bool) {
	message := string(data)
	a.mu.Lock()
	if binary {
		a.messages = append(a.messages, "binary "+message)
	} else {
		a.messages = append(a.messages, message)
	}
	a.mu.Unlock()
	if a.h.receive != nil {
		a.h.receive(a, turn, message, binary)
	}
}

// Full says that nothing of a POST need wait: see TestBacklog.
func (a *app) Full() bool { return a.h.full != nil && a.h.full(a) }

func (a *app) Heartbeat() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.beats++
}

func (a *app) Closed(reason engine.Reason) {
	if a.h.closed != nil {
		a.h.closed(a)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed = append(a.closed, reason); len(a.closed) == 1 {
		close(a.ended)
	}
}

// got returns what has been received.
func (a *app) got() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.messages)
}

func (a *app) reasons() []engine.Reason {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.closed)
}

func (a *app) heartbeats() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.beats
}

func (a *app) send(text string) error {
	return a.Send(engine.NewMessage([]byte(text), nil), false)
}

func (a *app) sendVolatile(text string) error {
	return a.Send(engine.NewMessage([]byte(text), nil), true)
}

// wantGot fails the test if something else has been received.
func (a *app) wantGot(want ...string) {
	a.h.Helper()
	synctest.Wait()
	if got := a.got(); !slices.Equal(got, want) {
		a.h.Errorf("received %q, want %q", got, want)
	}
}

// wantClosed fails the test unless the session was closed once, for the given
// reason, and forgotten.
func (a *app) wantClosed(want engine.Reason) {
	a.h.Helper()
	synctest.Wait()
	a.wantReason(want)
	if slices.Contains(a.h.Sessions(), a.Session) {
		a.h.Error("the session is not forgotten")
	}
}

// wantReason fails the test unless the session was closed once, for the given
// reason. What it has sent may be on its way.
func (a *app) wantReason(want engine.Reason) {
	a.h.Helper()
	synctest.Wait()
	if got := a.reasons(); !slices.Equal(got, []engine.Reason{want}) {
		a.h.Errorf("closed: %q, want once: %q", got, want)
	}
}

// wantOpen fails the test if the session has ended.
func (a *app) wantOpen() {
	a.h.Helper()
	synctest.Wait()
	if got := a.reasons(); len(got) > 0 {
		a.h.Errorf("closed: %q, want it open", got)
	}
	if !slices.Contains(a.h.Sessions(), a.Session) {
		a.h.Error("the session is forgotten")
	}
}

func pass(d time.Duration) { bubble.Sleep(d) }

// canceled is for a look at how many are waited for.
func canceled() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}
