package tests_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/socketio-go/socketio"
	"github.com/socketio-go/socketio/internal/bubble"
	"github.com/socketio-go/socketio/internal/siotest"
)

// Every request that is refused is reported with who asked for what, and counted
// by its code.
func TestRefusedRequestsAreReported(t *testing.T) {
	t.Parallel()
	denied := errors.New("the password is 1234")
	for _, tt := range []struct {
		name    string
		opts    socketio.Options
		asking  asking
		status  int
		code    int
		message string
		err     error
		counted func(*socketio.RefusedStats) *uint64
	}{
		{name: "unknown transport", asking: asking{query: "EIO=4&transport=x"}, status: 400, code: socketio.CodeUnknownTransport, message: "Transport unknown",
			counted: func(r *socketio.RefusedStats) *uint64 { return &r.UnknownTransport }},
		{name: "unknown session", asking: asking{query: "EIO=4&transport=polling&sid=x"}, status: 400, code: socketio.CodeUnknownSession, message: "Session ID unknown",
			counted: func(r *socketio.RefusedStats) *uint64 { return &r.UnknownSession }},
		{name: "bad method", asking: asking{method: "PUT"}, status: 400, code: socketio.CodeBadMethod, message: "Bad handshake method",
			counted: func(r *socketio.RefusedStats) *uint64 { return &r.BadMethod }},
		{name: "bad request", asking: asking{query: "EIO=4&transport=websocket"}, status: 400, code: socketio.CodeBadRequest, message: "Bad request",
			counted: func(r *socketio.RefusedStats) *uint64 { return &r.BadRequest }},
		{name: "an origin that cannot be", asking: asking{header: http.Header{"Origin": {"a b"}}}, status: 400, code: socketio.CodeBadRequest, message: "Bad request",
			counted: func(r *socketio.RefusedStats) *uint64 { return &r.BadRequest }},
		{name: "another origin", asking: asking{header: http.Header{"Origin": {"https://evil.com"}}}, status: 403, code: socketio.CodeForbidden, message: "Origin not allowed, see Options.Origins",
			counted: func(r *socketio.RefusedStats) *uint64 { return &r.Forbidden }},
		{name: "denied", opts: socketio.Options{AllowRequest: func(*http.Request) error { return denied }}, status: 403, code: socketio.CodeForbidden, message: "Forbidden", err: denied,
			counted: func(r *socketio.RefusedStats) *uint64 { return &r.Forbidden }},
		{name: "bad version", asking: asking{query: "EIO=3&transport=polling"}, status: 400, code: socketio.CodeBadVersion, message: "Unsupported protocol version",
			counted: func(r *socketio.RefusedStats) *uint64 { return &r.BadVersion }},
		{name: "busy", opts: socketio.Options{MaxHandshakes: 1}, status: 503, code: socketio.CodeForbidden, message: "Server busy",
			counted: func(r *socketio.RefusedStats) *uint64 { return &r.Busy }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				told := make(chan error, 10)
				log := make(lines, 10)
				tt.opts.OnError = func(_ *socketio.Socket, err error) { told <- err }
				tt.opts.Logger = slog.New(slog.NewTextHandler(log, nil))
				if tt.name == "busy" { // a channel of the bubble
					busy := make(chan struct{})
					tt.opts.AllowRequest = func(*http.Request) error { <-busy; return nil }
					defer close(busy)
				}
				io := handler(t, &tt.opts)
				if tt.name == "busy" {
					go asking{}.ask(t, io)
					synctest.Wait()
				}
				resp := tt.asking.ask(t, io)
				siotest.WantEqual(t, "status", resp.StatusCode, tt.status)
				var got *socketio.RefusedError
				if err := siotest.Receive(t, told); !errors.As(err, &got) {
					t.Fatalf("OnError was told %T %v", err, err)
				}
				origin := tt.asking.header.Get("Origin")
				if want := (socketio.RefusedError{Status: tt.status, Code: tt.code, Message: tt.message, Origin: origin, Host: "example.com", RemoteAddr: "192.0.2.1:1234", Err: tt.err}); *got != want {
					t.Errorf("OnError was told %+v, want %+v", *got, want)
				}
				line := siotest.Receive(t, log)
				for _, want := range []string{"level=INFO", `msg="socketio: request refused"`, fmt.Sprintf(" status=%d code=%d ", tt.status, tt.code), " host=example.com", " remote=192.0.2.1:1234"} {
					if !strings.Contains(line, want) {
						t.Errorf("logged %s, which lacks %s", line, want)
					}
				}
				if (origin != "") != strings.Contains(line, " origin=") || (tt.err != nil) != strings.Contains(line, " error=") {
					t.Errorf("logged %s", line)
				}
				var want socketio.RefusedStats
				*tt.counted(&want) = 1
				siotest.WantEqual(t, "counted", io.Stats().Refused, want)
			})
		})
	}
	t.Run("a body", func(t *testing.T) {
		t.Parallel()
		srv := siotest.Serve(t, nil)
		c := srv.Join(t, siotest.Polling)
		w := c.Wire.(*siotest.PollingWire)
		w.Header = http.Header{"Content-Encoding": {"gzip"}}
		_, _ = w.Do(http.MethodPost, []byte("4a"))
		w.Header = nil
		e := siotest.WantError[*socketio.RefusedError](t, srv)
		siotest.WantEqual(t, "status", e.Status, http.StatusUnsupportedMediaType)
		siotest.WantEqual(t, "counted", srv.Stats().Refused, socketio.RefusedStats{BadRequest: 1})
		c.WantNothing()
	})
}

// What is refused as fast as a client can ask is told of at a limited rate, and all
// of it is counted.
func TestRefusedRequestsDoNotFloodTheLog(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log := make(lines, 1000)
		io := handler(t, &socketio.Options{Logger: slog.New(slog.NewTextHandler(log, nil))})
		for range 500 {
			asking{header: http.Header{"Origin": {"https://evil.com"}}}.ask(t, io)
		}
		siotest.WantEqual(t, "lines", len(log), 20)
		siotest.WantEqual(t, "counted", io.Stats().Refused.Forbidden, 500)
		for range 20 {
			<-log
		}
		bubble.Sleep(time.Second)
		asking{query: "transport=x"}.ask(t, io)
		if line := siotest.Receive(t, log); !strings.HasSuffix(line, " withheld=480\n") {
			t.Errorf("logged %s", line)
		}
	})
}

func stuckHandler(ctx context.Context) { <-ctx.Done() }

func stuckMiddleware(ctx context.Context, _ *socketio.Socket) error { <-ctx.Done(); return nil }

// A handler that does not return is named, whatever ran it.
func TestStuckHandlersAreNamed(t *testing.T) {
	t.Parallel()
	block := func(s *socketio.Socket) { <-s.Context().Done() }
	for _, tt := range []struct {
		name           string
		setUp          func(n *socketio.Namespace)
		first          string
		event, handler string
	}{
		{"a handler", func(n *socketio.Namespace) { n.On("block", stuckHandler) }, `42/x,["block"]`, "block", "tests_test.stuckHandler"},
		{"a handler without reflection", func(n *socketio.Namespace) { n.On("block", block) }, `42/x,["block"]`, "block", "tests_test.TestStuckHandlersAreNamed.func1"},
		{"a typed handler", func(n *socketio.Namespace) {
			socketio.Event[int]("block").On(n, func(_ context.Context, s *socketio.Socket, _ int) error { block(s); return nil })
		}, `42/x,["block",1]`, "block", "tests_test.TestStuckHandlersAreNamed."},
		{"a call", func(n *socketio.Namespace) {
			socketio.Call[int, int]("block").On(n, func(_ context.Context, s *socketio.Socket, _ int) (int, error) { block(s); return 0, nil })
		}, `42/x,["block",1]`, "block", "tests_test.TestStuckHandlersAreNamed."},
		{"an interceptor", func(n *socketio.Namespace) {
			n.Intercept(func(ctx context.Context, s *socketio.Socket, m *socketio.Message, next socketio.Next) ([]any, error) {
				if m.Event == "block" {
					block(s)
				}
				return next(ctx, m)
			})
		}, `42/x,["block"]`, "block", ""},
		{"OnConnect", func(n *socketio.Namespace) { n.OnConnect(block) }, `42/x,["any"]`, "connection", "tests_test.TestStuckHandlersAreNamed.func1"},
		{"middleware", func(n *socketio.Namespace) { n.Use(stuckMiddleware) }, `42/x,["any"]`, "middleware", "tests_test.stuckMiddleware"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			siotest.OnEachTransport(t, func(t *testing.T, transport string) {
				synctest.Test(t, func(t *testing.T) {
					log := make(lines, 10)
					type report struct {
						s   *socketio.Socket
						err *socketio.StuckError
					}
					told := make(chan report, 10)
					srv := siotest.ServeInMemory(t, &socketio.Options{
						MaxInbox:       1,
						ConnectTimeout: time.Hour,
						Logger:         slog.New(slog.NewTextHandler(log, nil)),
						OnError: func(s *socketio.Socket, err error) {
							var stuck *socketio.StuckError
							if errors.As(err, &stuck) {
								told <- report{s, stuck}
							}
						},
					})
					n := srv.Of("/x")
					n.On("fast", func() {})
					tt.setUp(n)
					c := srv.Join(t, transport)
					c.Write("40/x,")
					c.Write(`42/x,["fast"]`)
					synctest.Wait()
					began := time.Now()
					go c.Wire.Write(tt.first, `42/x,["next"]`, `42/x,["next"]`, `42/x,["next"]`)
					go func() {
						for {
							if _, err := c.Next(); err != nil {
								return
							}
						}
					}()
					var got report
					select {
					case got = <-told:
					case <-bubble.After(10 * time.Minute):
						t.Fatal("nothing was told")
					}
					siotest.WantEqual(t, "namespace", got.s.Namespace().Name(), "/x")
					siotest.WantEqual(t, "event", got.err.Event, tt.event)
					if !strings.Contains(got.err.Handler, tt.handler) || (tt.handler == "") != (got.err.Handler == "") {
						t.Errorf("handler %q, want %q", got.err.Handler, tt.handler)
					}
					if d := got.err.Since.Sub(began); d < 0 || d > 30*time.Second {
						t.Errorf("stuck since %v after it began", d)
					}
					line := siotest.Receive(t, log)
					for _, want := range []string{"level=WARN", `msg="socketio: handler is stuck"`, " socket.namespace=/x ", " socket.id=" + got.s.ID(), " event=" + tt.event, " since="} {
						if !strings.Contains(line, want) {
							t.Errorf("logged %s, which lacks %s", line, want)
						}
					}
					siotest.WantEqual(t, "counted", srv.Stats().StuckHandlers, 1)
					_ = srv.Close()
				})
			})
		})
	}
}

// What nobody handles or answers is logged for those who debug, and counted.
func TestUnhandledAndUnanswered(t *testing.T) {
	t.Parallel()
	siotest.OnEachTransport(t, func(t *testing.T, transport string) {
		synctest.Test(t, func(t *testing.T) {
			log := make(lines, 100)
			srv := siotest.ServeInMemory(t, &socketio.Options{Logger: slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))})
			srv.On("forget", func(socketio.AckFunc) {})
			srv.On("answer", func(ack socketio.AckFunc) { _ = ack() })
			srv.On("fail", func(socketio.AckFunc) error { return socketio.Errorf("no") })
			var late socketio.AckFunc
			srv.On("late", func(ack socketio.AckFunc) { late = ack })
			c, s := srv.JoinSocket(t, transport)
			c.Write(`42["nobody\nhandles this",1]`, `421["nor this"]`)
			c.WantNothing()
			siotest.WantEqual(t, "unhandled", srv.Stats().Unhandled, 2)
			for _, want := range []string{`nobody\nhandles this`, "nor this"} {
				if line := siotest.Receive(t, log); !strings.Contains(line, "level=DEBUG") || !strings.Contains(line, want) || strings.Count(line, "\n") != 1 || !strings.Contains(line, s.ID()) {
					t.Errorf("logged %s, want %s", line, want)
				}
			}
			c.Write(`42["forget"]`, `421["forget"]`, `422["forget"]`, `423["answer"]`, `424["fail"]`, `425["late"]`)
			c.Want(`433[]`, `434[{"error":{"message":"no"}}]`)
			c.WantNothing()
			_ = late("at last")
			c.Want(`435["at last"]`)
			siotest.WantEqual(t, "unanswered while the socket is there", srv.Stats().UnansweredAcks, 0)
			c.Wire.Write("41")
			synctest.Wait()
			siotest.WantEqual(t, "unanswered", srv.Stats().UnansweredAcks, 2)
			if line := siotest.Receive(t, log); !strings.Contains(line, "level=DEBUG") || !strings.Contains(line, "unanswered=2") {
				t.Errorf("logged %s", line)
			}
			siotest.WantEqual(t, "OnError was told", len(srv.Errors), 0)
		})
	})
}

// Errors of handlers and of middleware, and arguments that do not fit, are counted
// apart; refusals that the client is told of are not.
func TestErrorsAreCounted(t *testing.T) {
	t.Parallel()
	srv := siotest.Serve(t, nil)
	srv.On("fail", func() error { return errors.New("it failed") })
	srv.On("refuse", func() error { return socketio.Errorf("no") })
	srv.On("number", func(int) {})
	srv.On("panic", func() { panic("help") })
	srv.Of("/x").Use(func(context.Context, *socketio.Socket) error { return errors.New("middleware failed") })
	c := srv.Join(t, siotest.WebSocket)
	c.Write(`42["fail"]`, `42["fail"]`, `42["refuse"]`, `42["number","x"]`, `42["panic"]`, `40/x,`)
	c.Want(`44/x,{"message":"Connection refused"}`)
	c.WantNothing()
	st := srv.Stats()
	siotest.WantEqual(t, "errors", st.HandlerErrors, 3)
	siotest.WantEqual(t, "arguments", st.BadArguments, 1)
	siotest.WantEqual(t, "panics", st.Panics, 1)
	c.Write(`4abc`)
	c.WantClosed()
	for e := range srv.Errors {
		var bad *socketio.PacketError
		if errors.As(e, &bad) {
			if bad.RemoteAddr == "" || bad.Err == nil {
				t.Errorf("told of %+v", bad)
			}
			break
		}
	}
	siotest.WantEqual(t, "packets", srv.Stats().BadPackets, 1)
}

// A server without a Logger logs by slog.Default, also one that is set later.
func TestNilLoggerIsTheDefault(t *testing.T) { // not parallel: the default is everybody's
	before := slog.Default()
	defer slog.SetDefault(before)
	srv := siotest.Serve(t, nil)
	srv.On("panic", func() { panic("help") })
	srv.On("fail", func() error { return errors.New("line\nbreak") })
	srv.Use(func(_ context.Context, s *socketio.Socket) error {
		if s.Handshake().Auth.Len() > 0 {
			return errors.New("middleware failed")
		}
		return nil
	})
	var mu sync.Mutex
	var text strings.Builder
	slog.SetDefault(slog.New(slog.NewTextHandler(writerFunc(func(b []byte) (int, error) {
		mu.Lock()
		defer mu.Unlock()
		return text.Write(b)
	}), nil)))
	c := srv.Open(t, siotest.WebSocket)
	id := c.Join("/", "")
	c.Write(`42["panic"]`, `42["fail"]`)
	c.WantNothing()
	refused := srv.Open(t, siotest.WebSocket)
	refused.Write(`40{"a":1}`)
	refused.Want(`44{"message":"Connection refused"}`)
	siotest.Receive(t, srv.Errors)
	siotest.Receive(t, srv.Errors)
	siotest.Receive(t, srv.Errors)
	mu.Lock()
	defer mu.Unlock()
	logged := strings.Split(withoutPorts(strings.TrimSpace(text.String())), "\n")
	if len(logged) != 3 {
		t.Fatalf("logged %q", logged)
	}
	for i, want := range [][]string{
		{"level=ERROR", `msg="socketio: panic" socket.id=` + id + " socket.namespace=/ socket.transport=websocket socket.remote=127.0.0.1 event=panic panic=help", "stack=", "TestNilLoggerIsTheDefault.func", "reported_test.go:"},
		{"level=WARN", `msg="socketio: handler failed" socket.id=` + id + ` socket.namespace=/ socket.transport=websocket socket.remote=127.0.0.1 event=fail error="line\nbreak"`},
		{"level=WARN", `msg="socketio: handler failed"`, " event=middleware ", `error="middleware failed"`},
	} {
		for _, part := range want {
			if !strings.Contains(logged[i], part) {
				t.Errorf("line %d is %s, which lacks %s", i, logged[i], part)
			}
		}
	}
	if strings.Contains(logged[0], "debug.Stack") || strings.Contains(logged[0], "newPanicError") {
		t.Errorf("the stack begins before the panic: %s", logged[0])
	}
	slog.SetDefault(slog.New(slog.DiscardHandler))
	c.Write(`42["fail"]`)
	c.WantNothing()
	if n := strings.Count(text.String(), "\n"); n != 3 {
		t.Errorf("%d lines, though the default discards", n)
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(b []byte) (int, error) { return f(b) }
