package tests_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"

	"github.com/socketio-go/socketio"
	"github.com/socketio-go/socketio/internal/bubble"
	"github.com/socketio-go/socketio/internal/siotest"
)

// A witness keeps all that a server tells its application and its log.
type witness struct {
	mu   sync.Mutex
	text strings.Builder
}

func (w *witness) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.Write(b)
}

// hear keeps an error, its fields, and what it wraps.
func (w *witness) hear(err error) {
	for ; err != nil; err = errors.Unwrap(err) {
		fmt.Fprintf(w, "%v %+v %#v\n", err, err, err)
	}
}

func (w *witness) said() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.String()
}

// hooks keep all that a hook is told, whatever it is.
func (w *witness) hooks() *socketio.Hooks {
	hooks := new(socketio.Hooks)
	of := reflect.ValueOf(hooks).Elem()
	for i := range of.NumField() {
		name, hook := of.Type().Field(i).Name, of.Field(i)
		hook.Set(reflect.MakeFunc(hook.Type(), func(args []reflect.Value) []reflect.Value {
			fmt.Fprint(w, name)
			for _, arg := range args {
				switch v := arg.Interface().(type) {
				case *socketio.Socket:
					if v != nil {
						fmt.Fprint(w, " ", v.ID())
					}
				case []*socketio.Socket:
					for _, s := range v {
						fmt.Fprint(w, " ", s.ID())
					}
				default:
					fmt.Fprintf(w, " %+v", v)
				}
			}
			fmt.Fprintln(w)
			return nil
		}))
	}
	return hooks
}

// The id of a connection lets whoever knows it speak for its client. No log, no
// error, no hook and no other function of the application is told of it, whatever goes wrong.
// The same holds for what a client recovers with.
func TestSecretsStaySecret(t *testing.T) {
	t.Parallel()
	siotest.OnEachTransport(t, func(t *testing.T, transport string) {
		synctest.Test(t, func(t *testing.T) {
			var w witness
			srv := siotest.ServeInMemory(t, &socketio.Options{
				Logger:       slog.New(slog.NewTextHandler(&w, &slog.HandlerOptions{Level: slog.LevelDebug})),
				OnError:      func(_ *socketio.Socket, err error) { w.hear(err) },
				AllowRequest: func(r *http.Request) error { fmt.Fprintln(&w, r.URL, r.Header); return nil },
				Hooks:        w.hooks(),
				Recovery:     new(socketio.Recovery),
				MaxInbox:     1,
				WriteTimeout: time.Second,
			})
			srv.Use(func(ctx context.Context, s *socketio.Socket) error {
				h := s.Handshake()
				fmt.Fprintln(&w, s.ID(), h.URL, h.Header, h.RemoteAddr, h.Host, s.Rooms(), ctx)
				return nil
			})
			srv.OnDisconnect(func(s *socketio.Socket, reason socketio.Reason) {
				fmt.Fprintln(&w, s.ID(), s.Handshake().URL, reason, context.Cause(s.Context()))
			})
			srv.On("forget", func(socketio.AckFunc) {})
			srv.On("fail", func() error { return errors.New("it failed") })
			srv.On("panic", func() { panic("help") })
			srv.On("block", func(ctx context.Context) { <-ctx.Done() })
			srv.OnAny(func(s *socketio.Socket, m socketio.Message) { fmt.Fprintln(&w, s.ID(), m.Event, m.Args) })

			secrets := make(map[string]string) // and what was done
			pid := ""                          // the last of them to be given
			begin := func(what string) (c *siotest.Client, sid string) {
				c, sid = srv.OpenWithSID(t, transport)
				secrets[sid] = what
				c.Write(`40`)
				text, _ := c.Read().(string)
				var answer struct{ SID, PID string }
				if err := json.Unmarshal([]byte(text[2:]), &answer); err != nil || answer.PID == "" {
					t.Fatalf("%s: %v", text, err)
				}
				secrets[answer.PID] = what
				pid = answer.PID
				return c, sid
			}
			for _, packets := range [][]any{{`421["forget"]`}, {`42["unknown"]`}, {`42["fail"]`}, {`42["panic"]`}, {`4abc`}, {`7`}, {`40`}, {`41`}, {`42/x,["e"]`}, {[]byte{1}},
				{`42["echo",` + nested + `]`}, {`451-["e"]`}, {`40/unknown,`}, {`2probe`}, {`5`}, {`1`}} {
				c, _ := begin(fmt.Sprintf("%.20s", siotest.Show(packets...)))
				c.Wire.Write(packets...)
			}
			c, sid := begin("requests that are refused")
			other := http.Header{"Origin": {"https://evil.example"}}
			for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodPut} {
				for _, name := range []string{siotest.Polling, siotest.WebSocket, "carrier pigeon"} {
					srv.Request(t, method, url.QueryEscape(name), sid, "4", other)
				}
			}
			srv.Request(t, http.MethodPut, siotest.Polling, sid, "", nil)
			for _, origin := range []string{"https://evil.example/?sid=" + sid, "https://" + sid + "@evil.example", "https://evil.example?" + sid, "sid=" + sid, "//x/" + sid, "null#" + sid} {
				srv.Request(t, http.MethodGet, siotest.Polling, sid, "", http.Header{"Origin": {origin}, "Cookie": {"io=" + sid}, "Referer": {origin}})
			}
			srv.Request(t, http.MethodPost, siotest.Polling, sid, strings.Repeat("x", 1e6+1), nil)
			srv.Request(t, http.MethodPost, siotest.Polling, sid, "", http.Header{"Content-Encoding": {"gzip"}})
			srv.Request(t, http.MethodPost, siotest.Polling, sid, "4", http.Header{"Content-Type": {"application/octet-stream"}})
			srv.Request(t, http.MethodGet, siotest.WebSocket, sid, "", http.Header{"Connection": {"Upgrade"}, "Upgrade": {"websocket"}})
			c.Wire.Close()

			_, sid = begin("a WebSocket too many")
			dialer := websocket.Dialer{NetDialContext: srv.Dial}
			for range 2 {
				ws, resp, err := dialer.DialContext(t.Context(), "ws"+strings.TrimPrefix(srv.URL, "http")+"?EIO=4&transport=websocket&sid="+sid, nil)
				if err == nil {
					resp.Body.Close()
					_ = ws.WriteMessage(websocket.TextMessage, []byte("2not a probe"))
					defer ws.Close()
				}
			}
			made := strings.Repeat("Q", 24)
			secrets[made] = "a session that does not exist"
			srv.Request(t, http.MethodGet, siotest.Polling, made, "", nil)

			c, _ = begin("an upgrade of nothing, and a second poll")
			if transport == siotest.Polling {
				for range 2 {
					go c.Wire.(*siotest.PollingWire).Do(http.MethodGet, nil)
				}
			}
			synctest.Wait()
			c, _ = begin("a slow client")
			if transport == siotest.WebSocket {
				c.MemConn().In().Freeze()
			}
			synctest.Wait()
			for range 200 {
				srv.Emit("event", strings.Repeat("x", 100_000))
			}
			c, _ = begin("handlers that are stuck")
			go c.Wire.Write(`42["block"]`, `42["block"]`, `42["block"]`, `42["block"]`)
			go func(c *siotest.Client) { // else it is silent
				for {
					if _, err := c.Next(); err != nil {
						return
					}
				}
			}(c)
			begin("a claim to its session")
			srv.Open(t, transport).Write(`40{"pid":"` + pid + `","offset":"text"}`)
			begin("silence")
			bubble.Sleep(5 * time.Minute)
			synctest.Wait()
			siotest.WantEqual(t, "connections left", srv.Stats().Connections, 0)
			said := w.said()
			for secret, what := range secrets {
				if len(secret) < 20 || strings.Contains(said, secret) {
					t.Errorf("after %s, %q is told", what, secret)
				}
			}
			for _, want := range []string{"it failed", "help", "handler is stuck", "unknown packet type", "not recovered", "level=ERROR", "level=WARN", "level=INFO",
				"request refused", "event without a handler", "socket left without answers", "Session ID unknown", "Origin not allowed", "Connect ", "PacketIn ", "PacketOut ", "Drop "} {
				if !strings.Contains(said, want) {
					t.Errorf("nothing is told of %q", want)
				}
			}
		})
	})
}

// Of what goes wrong in an application its clients learn what an *Error says,
// and nothing else.
func TestOnlyErrorsReachClients(t *testing.T) {
	t.Parallel()
	secret := errors.New("the secret")
	both := fmt.Errorf("%w: %w", socketio.Errorf("what may be told"), secret)
	fails := func(err error) func() error { return func() error { return err } }
	panics := func() error { panic(secret) }
	for _, where := range []struct {
		name  string
		setUp func(srv *siotest.Server, fail func() error)
		cause []any
		mute  bool // no error of it reaches anybody
	}{
		{"middleware", func(srv *siotest.Server, fail func() error) {
			srv.Of("/x").Use(func(context.Context, *socketio.Socket) error { return fail() })
		}, []any{`40/x,`}, false},
		{"a handler", func(srv *siotest.Server, fail func() error) { srv.On("event", fail) }, []any{`421["event"]`}, false},
		{"a typed handler", func(srv *siotest.Server, fail func() error) {
			socketio.Call[int, int]("event").On(srv, func(context.Context, *socketio.Socket, int) (int, error) { return 1, fail() })
		}, []any{`421["event",1]`}, false},
		{"an interceptor", func(srv *siotest.Server, fail func() error) {
			srv.On("event", func() {})
			srv.Intercept(around("event", func(context.Context, *socketio.Socket, *socketio.Message, socketio.Next) ([]any, error) {
				return nil, fail()
			}))
		}, []any{`421["event"]`}, false},
		{"a result's MarshalJSON", func(srv *siotest.Server, fail func() error) {
			srv.On("event", func() any { return marshals(fail) })
		}, []any{`421["event"]`}, false},
		{"an argument's UnmarshalJSON", func(srv *siotest.Server, fail func() error) {
			srv.On("event", func(args socketio.Args) error { return args.Decode(&unmarshals{fail}) })
		}, []any{`421["event",{}]`}, false},
		{"a match", func(srv *siotest.Server, fail func() error) { srv.OfMatch(func(string) bool { return fail() == nil }) }, []any{`40/x,`}, true},
		{"OnConnect", func(srv *siotest.Server, fail func() error) {
			srv.Of("/x").OnConnect(func(*socketio.Socket) { panic(fail()) })
		}, []any{`40/x,`}, true},
		{"OnDisconnect", func(srv *siotest.Server, fail func() error) {
			srv.Of("/x").OnDisconnect(func(*socketio.Socket, socketio.Reason) { panic(fail()) })
		}, []any{`40/x,`, `41/x,`}, true},
		{"a catch-all", func(srv *siotest.Server, fail func() error) {
			srv.OnAny(func(*socketio.Socket, socketio.Message) { panic(fail()) })
		}, []any{`421["echo"]`}, true},
		{"OnJoin", func(srv *siotest.Server, fail func() error) {
			srv.OnJoin(func(*socketio.Socket, string) { panic(fail()) })
			srv.On("event", func(s *socketio.Socket) error { return s.Join("room") })
		}, []any{`421["event"]`}, true},
		{"an answer's callback", func(srv *siotest.Server, fail func() error) {
			srv.Of("/x").OnConnect(func(s *socketio.Socket) { s.Emit("q", func(socketio.Args, error) { panic(fail()) }) })
		}, []any{`40/x,`, `43/x,0[]`}, true},
	} {
		for _, how := range []struct {
			name string
			fail func() error
			told bool
		}{
			{"an error", fails(secret), false},
			{"a panic", panics, false},
			{"an *Error that wraps nothing", fails(socketio.Errorf("what may be told")), true},
			{"an *Error beside another", fails(both), true},
		} {
			t.Run(where.name+", "+how.name, func(t *testing.T) {
				t.Parallel()
				siotest.OnEachTransport(t, func(t *testing.T, transport string) {
					synctest.Test(t, func(t *testing.T) {
						srv := siotest.ServeInMemory(t, nil)
						where.setUp(srv, how.fail)
						c := srv.Join(t, transport)
						for _, packet := range where.cause {
							c.Write(packet)
							synctest.Wait()
						}
						c.Write(`427["sync"]`)
						got := ""
						for !strings.Contains(got, "437[]") {
							got += siotest.Show(c.Read()) + "\n"
						}
						if strings.Contains(got, secret.Error()) {
							t.Errorf("the client got %s", got)
						}
						if told := strings.Contains(got, "what may be told"); told != (how.told && !where.mute) {
							t.Errorf("the client got %s", got)
						}
					})
				})
			})
		}
	}
	for _, tt := range []struct {
		name string
		fail func() error
		want string
	}{
		{"an error", fails(secret), "Forbidden"},
		{"a panic", panics, "Forbidden"},
		{"an *Error beside another", fails(both), "what may be told"},
	} {
		t.Run("AllowRequest, "+tt.name, func(t *testing.T) {
			t.Parallel()
			srv := siotest.Serve(t, &socketio.Options{AllowRequest: func(*http.Request) error { return tt.fail() }})
			for _, transport := range []string{siotest.Polling, siotest.WebSocket} {
				resp, err := srv.HTTP.Get(srv.URL + "?EIO=4&transport=" + transport)
				if err != nil {
					t.Fatal(err)
				}
				body, _ := io.ReadAll(resp.Body)
				resp.Body.Close()
				if text := fmt.Sprint(string(body), resp.Header); strings.Contains(text, secret.Error()) || transport == siotest.Polling && !strings.Contains(text, tt.want) {
					t.Errorf("%s: the client got %s", transport, text)
				}
			}
		})
	}
}

// marshals is a value that can't be sent.
type marshals func() error

func (m marshals) MarshalJSON() ([]byte, error) { return nil, m() }

// unmarshals is a value that can't be received.
type unmarshals struct{ fail func() error }

func (u *unmarshals) UnmarshalJSON([]byte) error { return u.fail() }
