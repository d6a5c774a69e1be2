package engine_test

import (
	"bufio"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/socketio-go/socketio/internal/engine"
)

// A deadlineFault is what a ResponseWriter of the application does when a deadline
// is set.
type deadlineFault string

const (
	blocks  deadlineFault = "blocks"
	panics  deadlineFault = "panics"
	goexits deadlineFault = "ends its goroutine"
)

// A deadlineWriter is a ResponseWriter of the application. At the call that
// faultAt chooses it has its fault, once.
type deadlineWriter struct {
	http.ResponseWriter
	faultAt func(write bool, t time.Time) bool
	fault   func()
}

func (w *deadlineWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *deadlineWriter) SetReadDeadline(t time.Time) error { return w.set(false, t) }

func (w *deadlineWriter) SetWriteDeadline(t time.Time) error { return w.set(true, t) }

func (w *deadlineWriter) set(write bool, t time.Time) error {
	if w.faultAt(write, t) {
		w.fault()
	}
	rc := http.NewResponseController(w.ResponseWriter)
	if write {
		return rc.SetWriteDeadline(t)
	}
	return rc.SetReadDeadline(t)
}

// at chooses the nth call, counted from one, of those that set one kind of deadline
// to one kind of time.
func at(n int, write bool, kind func(time.Time) bool) func(bool, time.Time) bool {
	var mu sync.Mutex
	return func(w bool, t time.Time) bool {
		mu.Lock()
		defer mu.Unlock()
		if w != write || !kind(t) {
			return false
		}
		n--
		return n == 0
	}
}

func none(t time.Time) bool   { return t.IsZero() }
func past(t time.Time) bool   { return !t.IsZero() && t.Before(time.Now()) }
func future(t time.Time) bool { return t.After(time.Now()) }

// A ResponseWriter whose deadlines block, panic or end the goroutine costs its own
// session: no lock is held during the call, other clients are served, and the
// session ends.
func TestDeadlinesOfResponseWriters(t *testing.T) {
	t.Parallel()
	type place struct {
		name    string
		request string // the method of the request that gets the ResponseWriter
		faultAt func() func(bool, time.Time) bool
		act     func(p *poller)
		closed  bool // the test closes the session itself
	}
	large := strings.Repeat("x", 30_000)
	poll := func(p *poller) {
		p.app.send(large)
		go p.get()
	}
	post := func(p *poller) {
		body, out := io.Pipe()
		go func() { p.h.doContext(p.h.Context(), "POST", p.query(), body) }()
		go func() {
			_, _ = io.WriteString(out, "4"+large)
			out.Close()
		}()
	}
	closeAt := func(prepare func(p *poller)) func(p *poller) {
		return func(p *poller) {
			prepare(p)
			synctest.Wait()
			p.app.Discard(engine.ForcedClose)
		}
	}
	// A client that takes nothing, so that its poll is being written.
	stuckPoll := func(p *poller) {
		c := p.h.dialMem()
		p.h.Cleanup(func() { c.Close() })
		c.In().SetCapacity(1000)
		p.app.send(strings.Repeat("x", 39_000))
		go fmt.Fprintf(c, "GET /engine.io/?%s HTTP/1.1\r\nHost: x\r\n\r\n", p.query())
	}
	stuckPost := func(p *poller) {
		c := p.h.dialMem()
		p.h.Cleanup(func() { c.Close() })
		go fmt.Fprintf(c, "POST /engine.io/?%s HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n4", p.query())
	}
	for _, where := range []place{
		{"read deadline of a poll", "GET", func() func(bool, time.Time) bool { return at(1, false, none) }, poll, false},
		{"write deadline of a poll that begins", "GET", func() func(bool, time.Time) bool { return at(1, true, none) }, poll, false},
		{"write deadline of a response", "GET", func() func(bool, time.Time) bool { return at(1, true, future) }, poll, false},
		{"write deadline of a response that moves", "GET", func() func(bool, time.Time) bool { return at(2, true, future) }, poll, false},
		{"write deadline of a response that is aborted", "GET", func() func(bool, time.Time) bool { return at(1, true, past) }, closeAt(stuckPoll), true},
		{"write deadline of a response that has been written", "GET", func() func(bool, time.Time) bool { return at(2, true, none) }, poll, false},
		{"read deadline of a body", "POST", func() func(bool, time.Time) bool { return at(1, false, future) }, post, false},
		{"read deadline of a body that moves", "POST", func() func(bool, time.Time) bool { return at(2, false, future) }, post, false},
		{"read deadline of a body that is aborted", "POST", func() func(bool, time.Time) bool { return at(1, false, past) }, closeAt(stuckPost), true},
		{"read deadline of a body that has been read", "POST", func() func(bool, time.Time) bool { return at(1, false, none) }, post, false},
		{"write deadline of the response to a POST", "POST", func() func(bool, time.Time) bool { return at(1, true, future) }, post, false},
	} {
		for _, fault := range []deadlineFault{blocks, panics, goexits} {
			unblock := make(chan struct{})
			reached := make(chan struct{})
			specify(t, fmt.Sprintf("%s %s", where.name, fault), setup{
				config: func(c *engine.Config) { c.MaxPayload = 40_000 },
				http: func(srv *http.Server) {
					unblock, reached = make(chan struct{}), make(chan struct{}) // of this bubble
					srv.ErrorLog = log.New(io.Discard, "", 0)
					next, faultAt := srv.Handler, where.faultAt()
					srv.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
						if r.Method == where.request && r.URL.Query().Has("sid") {
							w = &deadlineWriter{w, faultAt, func() {
								close(reached)
								switch fault {
								case blocks:
									<-unblock
								case panics:
									panic("a deadline")
								case goexits:
									runtime.Goexit()
								}
							}}
						}
						next.ServeHTTP(w, r)
					})
				},
			}, func(h *harness) {
				other, p := h.ws(), h.poll()
				where.act(p)
				synctest.Wait()
				select {
				case <-reached:
				default:
					h.Fatal("the deadline was not set")
				}
				p.app.send("more")
				_ = p.app.Queued()
				_, _ = h.Counts(func(engine.Receiver) {})
				other.app.send("served")
				other.want("4served")
				go func() {
					for {
						if _, ping, err := other.ReadMessage(); err != nil {
							return
						} else if string(ping) == "2" {
							other.send("3")
						}
					}
				}()
				begin := time.Now()
				<-p.app.ended
				if took := time.Since(begin); took > 2*(pingInterval+pingTimeout+2*writeTimeout) {
					h.Errorf("the session ended after %v", took)
				}
				if where.closed {
					p.app.wantReason(engine.ForcedClose)
				}
				other.app.wantOpen()
				other.app.Discard(engine.ForcedClose)
				pass(2 * (pingInterval + pingTimeout)) // until the request fails by its deadline
				close(unblock)
				synctest.Wait()
				other.Close()
			})
		}
	}
}

// A blockingWriter is a response of the application, which blocks in Write when more
// than a number of writes are done, whatever the deadline is, as does the connection
// that is hijacked from it.
type blockingWriter struct {
	http.ResponseWriter
	left    int
	unblock chan struct{}
}

func (w *blockingWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *blockingWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, brw, err := http.NewResponseController(w.ResponseWriter).Hijack()
	return blockingConn{conn, w}, brw, err
}

func (w *blockingWriter) Write(p []byte) (int, error) { return w.write(w.ResponseWriter, p) }

func (w *blockingWriter) write(below io.Writer, p []byte) (int, error) {
	if w.left--; w.left < 0 {
		<-w.unblock
	}
	return below.Write(p)
}

type blockingConn struct {
	net.Conn
	w *blockingWriter
}

func (c blockingConn) Write(p []byte) (int, error) { return c.w.write(c.Conn, p) }

// A write that returns neither by its deadline nor by closing the connection does not
// keep a session for ever: its pings are not written, but it is closed by ping timeout.
func TestWritesThatNeverReturn(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		open func(h *harness) *app
	}{
		{"of a response", func(h *harness) *app {
			p := h.poll()
			p.app.send("hello")
			go p.get()
			return p.app
		}},
		{"of a WebSocket", func(h *harness) *app {
			ws := h.ws()
			ws.app.send("hello")
			return ws.app
		}},
	} {
		var unblock chan struct{}
		specify(t, test.name, setup{http: func(srv *http.Server) {
			unblock = make(chan struct{})
			next := srv.Handler
			srv.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				q := r.URL.Query()
				switch {
				case q.Has("sid"):
					w = &blockingWriter{ResponseWriter: w, unblock: unblock}
				case q.Get("transport") == "websocket": // the handshake, the open packet
					w = &blockingWriter{ResponseWriter: w, unblock: unblock, left: 2}
				}
				next.ServeHTTP(w, r)
			})
		}}, func(h *harness) {
			a, begin := test.open(h), time.Now()
			<-a.ended
			if took := time.Since(begin); took > pingInterval+2*pingTimeout+2*writeTimeout {
				h.Errorf("the session ended after %v", took)
			}
			a.wantReason(engine.PingTimeout)
			pass(2 * writeTimeout)
			close(unblock)
			synctest.Wait()
		})
	}
}
