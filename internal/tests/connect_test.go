package tests_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/socketio-go/socketio"
	"github.com/socketio-go/socketio/internal/bubble"
	"github.com/socketio-go/socketio/internal/siotest"
)

func TestConnect(t *testing.T) {
	t.Parallel()
	siotest.OnEachTransport(t, func(t *testing.T, transport string) {
		srv := siotest.Serve(t, nil)
		srv.Of("/custom")
		seen := make(map[string]bool)
		for _, connect := range []string{`40`, `40{}`, `40{"token":"x"}`, `40/,`, `40123`, `40 {"a":1} `} {
			c := srv.Open(t, transport)
			c.Write(connect)
			seen[c.WantConnect("/")] = true
		}
		for _, connect := range []string{`40/custom`, `40/custom,`, `40/custom,{}`, `40/custom,7{"a":1}`} {
			c := srv.Open(t, transport)
			c.Write(connect)
			seen[c.WantConnect("/custom")] = true
		}
		c := srv.Open(t, transport) // several on one connection
		seen[c.Join("/custom", "")] = true
		seen[c.Join("/", "")] = true
		siotest.WantEqual(t, "different ids", len(seen), 12)
	})
}

func TestAuth(t *testing.T) {
	t.Parallel()
	srv := siotest.Serve(t, nil)
	auth := func(s *socketio.Socket) { s.Emit("auth", s.Handshake().Auth.Len(), s.Handshake().Auth) }
	srv.OnConnect(auth)
	srv.Of("/custom").OnConnect(auth)
	siotest.OnEachTransport(t, func(t *testing.T, transport string) {
		c := srv.Open(t, transport)
		c.Join("/", `{"token": "x", "n": [1.0]}`)
		c.Want(`42["auth",1,{"token": "x", "n": [1.0]}]`)
		c.Join("/custom", "")
		c.Want(`42/custom,["auth",0]`)

		big := `{"token":"` + strings.Repeat("x", 500_000) + `"}`
		c = srv.Open(t, transport)
		c.Join("/custom", big)
		c.Want(`42/custom,["auth",1,` + big + `]`)
	})
}

func TestHandshake(t *testing.T) {
	t.Parallel()
	siotest.OnEachTransport(t, func(t *testing.T, transport string) {
		srv := siotest.Serve(t, nil)
		got := make(chan *socketio.Handshake, 2)
		srv.OnConnect(func(s *socketio.Socket) { got <- s.Handshake() })
		srv.Of("/custom").OnConnect(func(s *socketio.Socket) { got <- s.Handshake() })
		srv.URL += "sub/path"
		before := time.Now()
		c := srv.Open(t, transport, http.Header{"X-Token": {"secret"}, "X-Forwarded-For": {"6.6.6.6"}, "Cookie": {"a=b"}})
		c.Join("/", `{"a":1}`)
		c.Join("/custom", `{"b":2}`)
		for _, auth := range []string{`[{"a":1}]`, `[{"b":2}]`} {
			h := siotest.Receive(t, got)
			siotest.WantEqual(t, "header", h.Header.Get("X-Token"), "secret")
			siotest.WantEqual(t, "cookie", h.Header.Get("Cookie"), "a=b")
			siotest.WantEqual(t, "host", "http://"+h.Host+"/socket.io/sub/path", srv.URL)
			siotest.WantEqual(t, "path", h.URL.Path, "/socket.io/sub/path")
			siotest.WantEqual(t, "query", h.URL.Query().Get("EIO")+h.URL.Query().Get("transport"), "4"+transport)
			siotest.WantEqual(t, "address", strings.HasPrefix(h.RemoteAddr, "127.0.0.1:"), true)
			siotest.WantEqual(t, "time", h.Time.Before(before) || h.Time.After(time.Now()), false)
			siotest.WantEqual(t, "secure", h.Secure, false)
			siotest.WantEqual(t, "auth", h.Auth.String(), auth)
		}
	})
}

func TestTransport(t *testing.T) {
	t.Parallel()
	srv := siotest.Serve(t, nil)
	_, s := srv.JoinSocket(t, siotest.Polling)
	siotest.WantEqual(t, "transport", s.Transport(), socketio.Polling)
	siotest.WantEqual(t, "name", s.Transport().String(), "polling")
	_, s = srv.JoinSocket(t, siotest.WebSocket)
	siotest.WantEqual(t, "transport", s.Transport(), socketio.WebSocket)
	siotest.WantEqual(t, "name", s.Transport().String(), "websocket")
	siotest.WantEqual(t, "names", (socketio.Polling | socketio.WebSocket).String(), "polling,websocket")
	siotest.WantEqual(t, "no name", socketio.Transport(0).String(), "")
}

func TestUnknownNamespace(t *testing.T) {
	t.Parallel()
	siotest.OnEachTransport(t, func(t *testing.T, transport string) {
		srv := siotest.Serve(t, nil)
		srv.Of("/custom").On("sync", func() {})
		c := srv.Open(t, transport)
		for _, name := range []string{"/unknown", "/custom?x=1", "/custom/", "/Custom", "/../", "//", "/" + strings.Repeat("x", 1000)} {
			c.Write("40" + name + ",{}")
			c.Want("44" + name + `,{"message":"Invalid namespace"}`)
			c.Write("40" + name)
			c.Want("44" + name + `,{"message":"Invalid namespace"}`)
		}
		c.Join("/custom", "") // the connection is as good as before
		c.Write(`42/custom,7["sync"]`)
		c.Want(`43/custom,7[]`)
	})
}

func TestMaxNamespaces(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := siotest.ServeInMemory(t, &socketio.Options{MaxNamespaces: 2})
		for _, name := range []string{"/a", "/b", "/c"} {
			srv.Of(name).On("sync", func() {})
		}
		c := srv.Open(t, siotest.WebSocket)
		c.Join("/a", "")
		c.Join("/b", "")
		c.Write(`40/c,`)
		c.Want(`44/c,{"message":"Too many namespaces"}`)
		c.Write(`41/a,`)
		synctest.Wait()
		c.Join("/c", "") // in the place of the other
		c.Write(`42/b,7["sync"]`)
		c.Want(`43/b,7[]`)
		other := srv.Open(t, siotest.WebSocket) // another connection has places of its own
		other.Join("/a", "")
	})
}

// Who leaves and comes back while its handlers still run can't do so without
// end.
func TestNamespacesThatDoNotFinish(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := siotest.ServeInMemory(t, &socketio.Options{MaxNamespaces: 2})
		release := make(chan struct{})
		srv.Of("/a").On("block", func() { <-release })
		c := srv.Join(t, siotest.WebSocket)
		for range 3 {
			c.Join("/a", "")
			c.Write(`42/a,["block"]`, `41/a,`)
		}
		c.Write(`40/a,`)
		c.Want(`44/a,{"message":"Too many namespaces"}`)
		c.WantNothing()
		close(release)
		synctest.Wait()
		c.Join("/a", "")
	})
}

func TestMiddleware(t *testing.T) {
	t.Parallel()
	srv := siotest.Serve(t, nil)
	var order []string
	step := func(name string) socketio.Middleware {
		return func(ctx context.Context, s *socketio.Socket) error {
			order = append(order, name)
			if ctx != s.Context() || ctx.Err() != nil {
				t.Error("the context is not the socket's")
			}
			siotest.WantEqual(t, "connected", s.Connected(), false)
			siotest.WantEqual(t, "found", func() bool { _, ok := srv.LocalSocket(s.ID()); return ok }(), false)
			if err := s.Emit("early"); !errors.Is(err, socketio.ErrClosed) {
				t.Errorf("Emit: %v", err)
			}
			if _, err := s.EmitWithAck(ctx, "early"); !errors.Is(err, socketio.ErrClosed) {
				t.Errorf("EmitWithAck: %v", err)
			}
			srv.Emit("to those who are connected")
			userKey.Set(s, profile{name})
			return s.Join("room", "of "+name)
		}
	}
	srv.Use(step("first"), step("second"))
	srv.Use(step("third"))
	srv.OnConnect(func(s *socketio.Socket) {
		order = append(order, "connect")
		siotest.WantEqual(t, "connected", s.Connected(), true)
		user, _ := userKey.Get(s)
		s.Emit("welcome", user.Name, srv.Room("room").LocalLen())
		srv.To("of second").Emit("room")
	})
	srv.OnConnect(func(s *socketio.Socket) { s.Emit("again") })
	c := srv.Open(t, siotest.WebSocket)
	c.Join("/", "")
	c.Want(`42["welcome","third",1]`, `42["room"]`, `42["again"]`)
	c.WantNothing()
	siotest.WantEqual(t, "order", strings.Join(order, " "), "first second third connect")
}

func TestMiddlewareRefuses(t *testing.T) {
	t.Parallel()
	secret := errors.New("password is 1234")
	tests := []struct {
		name    string
		fn      socketio.Middleware
		payload string
		told    func(error) bool // what OnError hears, if anything
	}{
		{"an *Error", func(context.Context, *socketio.Socket) error { return socketio.Errorf("not %q", "you") },
			`{"message":"not \"you\""}`, nil},
		{"data", func(context.Context, *socketio.Socket) error {
			return &socketio.Error{Message: "no <&>", Data: json.RawMessage(`{"retry":[5]}`)}
		}, `{"message":"no <&>","data":{"retry":[5]}}`, nil},
		{"a wrapped *Error", func(context.Context, *socketio.Socket) error {
			return fmt.Errorf("%w since %w", socketio.Errorf("no"), secret)
		}, `{"message":"no"}`, nil},
		{"data that is no JSON", func(context.Context, *socketio.Socket) error {
			return &socketio.Error{Message: "no", Data: json.RawMessage(`{`)}
		}, `{"message":"no"}`, nil},
		{"another error", func(context.Context, *socketio.Socket) error { return secret },
			`{"message":"Connection refused"}`, func(err error) bool { return errors.Is(err, secret) }},
		{"a panic", func(context.Context, *socketio.Socket) error { panic(secret) },
			`{"message":"Connection refused"}`, func(err error) bool {
				var p *socketio.PanicError
				return errors.As(err, &p) && p.Value == any(secret) && p.Event == "" && strings.Contains(string(p.Stack), "TestMiddlewareRefuses")
			}},
		{"Goexit", func(context.Context, *socketio.Socket) error { runtime.Goexit(); return nil },
			`{"message":"Connection refused"}`, func(err error) bool { return err != nil }},
		{"a disconnection", func(_ context.Context, s *socketio.Socket) error { return s.Disconnect() },
			`{"message":"Connection refused"}`, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			siotest.OnEachTransport(t, func(t *testing.T, transport string) {
				srv := siotest.Serve(t, nil)
				admin := srv.Of("/admin")
				let := make(chan bool, 1)
				refused := make(chan *socketio.Socket, 1)
				admin.Use(func(ctx context.Context, s *socketio.Socket) error {
					if <-let {
						return nil
					}
					s.Join("room")
					refused <- s
					return tt.fn(ctx, s)
				}, func(_ context.Context, s *socketio.Socket) error {
					if len(let) != 0 || s == nil {
						t.Error("went on after a refusal")
					}
					return nil
				})
				admin.OnConnect(func(s *socketio.Socket) { s.Emit("welcome") })
				var refusedID string
				admin.OnDisconnect(func(s *socketio.Socket, _ socketio.Reason) {
					if s.ID() == refusedID {
						t.Error("OnDisconnect was called")
					}
				})
				c := srv.Join(t, transport)
				let <- false
				c.Write(`40/admin,{"token":"x"}`)
				c.Want(`44/admin,` + tt.payload)
				s := siotest.Receive(t, refused)
				refusedID = s.ID()
				if tt.told != nil {
					if err := siotest.Receive(t, srv.Errors); !tt.told(err) {
						t.Errorf("OnError was told %v", err)
					}
				}
				<-s.Context().Done()
				siotest.WantEqual(t, "connected", s.Connected(), false)
				siotest.WantEqual(t, "left in the room", admin.Room("room").LocalLen(), 0)
				if err := s.Join("room"); !errors.Is(err, socketio.ErrClosed) {
					t.Errorf("Join: %v", err)
				}
				c.WantNothing() // the connection lives, and may try again
				let <- true
				c.Join("/admin", "")
				c.Want(`42/admin,["welcome"]`)
				select {
				case err := <-srv.Errors:
					t.Errorf("OnError was told %v", err)
				default:
				}
			})
		})
	}
}

func TestMiddlewareThatIsAddedLater(t *testing.T) {
	t.Parallel()
	srv := siotest.Serve(t, nil)
	first := srv.Join(t, siotest.WebSocket)
	srv.Use(func(context.Context, *socketio.Socket) error { return socketio.Errorf("closed today") })
	first.WantNothing()
	c := srv.Open(t, siotest.WebSocket)
	c.Write(`40`)
	c.Want(`44{"message":"closed today"}`)
}

func TestMiddlewareThatBlocks(t *testing.T) {
	t.Parallel()
	t.Run("for the first namespace", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			srv := siotest.ServeInMemory(t, nil)
			cause := make(chan error, 1)
			srv.Use(func(ctx context.Context, _ *socketio.Socket) error {
				<-ctx.Done()
				cause <- context.Cause(ctx)
				return nil // too late to change anything
			})
			srv.OnConnect(func(*socketio.Socket) { t.Error("OnConnect was called") })
			srv.OnDisconnect(func(*socketio.Socket, socketio.Reason) { t.Error("OnDisconnect was called") })
			start := time.Now()
			c := srv.Open(t, siotest.WebSocket)
			time.AfterFunc(30*time.Second, func() { c.Write(`40`) }) // the time counts from the opening
			c.Want(`44{"message":"Connection refused"}`)
			siotest.WantEqual(t, "time", time.Since(start), 45*time.Second)
			c.WantClosed()
			var gone *socketio.DisconnectError
			if err := <-cause; !errors.As(err, &gone) || gone.Reason != socketio.ReasonServer {
				t.Errorf("the cause is %v", err)
			}
			if err := <-srv.Errors; !strings.Contains(err.Error(), "ConnectTimeout") {
				t.Errorf("OnError was told %v", err)
			}
		})
	})
	t.Run("for another namespace", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			srv := siotest.ServeInMemory(t, &socketio.Options{ConnectTimeout: 5 * time.Second})
			release := make(chan struct{})
			srv.Of("/slow").Use(func(context.Context, *socketio.Socket) error {
				<-release // whatever the context says
				return nil
			})
			srv.Of("/slow").OnConnect(func(*socketio.Socket) { t.Error("OnConnect was called") })
			c := srv.Join(t, siotest.WebSocket)
			start := time.Now()
			c.Write(`40/slow,`)
			c.Want(`44/slow,{"message":"Connection refused"}`)
			siotest.WantEqual(t, "time", time.Since(start), 5*time.Second)
			close(release)
			c.WantNothing()
			bubble.Sleep(time.Hour)
			siotest.WantEqual(t, "sockets", srv.Stats().Sockets, 0)
		})
	})
	t.Run("does not hold up the rest of the connection", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			srv := siotest.ServeInMemory(t, nil)
			release := make(chan struct{})
			srv.Of("/slow").Use(func(context.Context, *socketio.Socket) error { <-release; return nil })
			c := srv.Join(t, siotest.WebSocket)
			c.Write(`40/slow,`)
			siotest.WantEqual(t, "echo", c.Ask(`["echo",1]`), `[1]`)
			close(release)
			c.WantConnect("/slow")
		})
	})
}

func TestClientLeavesDuringMiddleware(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		leave  func(*siotest.Client)
		reason socketio.Reason
	}{
		{"with a DISCONNECT", func(c *siotest.Client) { c.Write(`41/slow,`) }, socketio.ReasonClient},
		{"with its connection", func(c *siotest.Client) { c.Wire.Close() }, socketio.ReasonTransport},
		{"by a violation", func(c *siotest.Client) { c.Write(`4abc`) }, socketio.ReasonParse},
		{"by a second CONNECT", func(c *siotest.Client) { c.Write(`40/slow,`) }, socketio.ReasonViolation},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				srv := siotest.ServeInMemory(t, nil)
				slow := srv.Of("/slow")
				causes := make(chan error, 10)
				rejoin := false
				slow.Use(func(ctx context.Context, s *socketio.Socket) error {
					s.Join("room")
					if rejoin {
						return nil
					}
					<-ctx.Done()
					causes <- context.Cause(ctx)
					return socketio.Errorf("nobody hears this")
				}, func(context.Context, *socketio.Socket) error {
					if !rejoin {
						t.Error("the next middleware ran")
					}
					return nil
				})
				connects := 0
				slow.OnConnect(func(*socketio.Socket) { connects++ })
				slow.OnDisconnect(func(*socketio.Socket, socketio.Reason) { connects-- })
				c := srv.Join(t, siotest.WebSocket)
				c.Write(`40/slow,`, `42/slow,["too early"]`)
				synctest.Wait()
				tt.leave(c)
				var gone *socketio.DisconnectError
				if err := <-causes; !errors.As(err, &gone) || gone.Reason != tt.reason {
					t.Errorf("the cause is %v", err)
				}
				synctest.Wait()
				siotest.WantEqual(t, "in the room", slow.Room("room").LocalLen(), 0)
				siotest.WantEqual(t, "OnConnect called", connects, 0)
				if tt.reason == socketio.ReasonClient {
					c.WantNothing()
					rejoin = true
					c.Join("/slow", "")
					synctest.Wait()
					siotest.WantEqual(t, "OnConnect called", connects, 1)
				}
			})
		})
	}
}

func TestEventsBehindConnect(t *testing.T) {
	t.Parallel()
	siotest.OnEachTransport(t, func(t *testing.T, transport string) {
		synctest.Test(t, func(t *testing.T) {
			srv := siotest.ServeInMemory(t, nil)
			srv.Use(func(context.Context, *socketio.Socket) error { bubble.Sleep(time.Second); return nil })
			srv.OnConnect(func(s *socketio.Socket) {
				s.Emit("connected")
				bubble.Sleep(time.Second)
				s.Emit("still first")
			})
			c := srv.Open(t, transport)
			packets := []any{`40`}
			for i := range 20 {
				packets = append(packets, fmt.Sprintf(`42%d["echo",%d]`, i, i), fmt.Sprintf(`451-%d["echo",{"_placeholder":true,"num":0}]`, i), []byte{byte(i)})
			}
			c.Write(packets...)
			c.WantConnect("/")
			c.Want(`42["connected"]`, `42["still first"]`)
			for i := range 20 {
				c.Want(fmt.Sprintf(`43%d[%d]`, i, i), fmt.Sprintf(`461-%d[{"_placeholder":true,"num":0}]`, i), []byte{byte(i)})
			}
			c.WantNothing()
		})
	})
}

// What was sent behind a CONNECT that is refused is not handled.
func TestEventsBehindRefusedConnect(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := siotest.ServeInMemory(t, nil)
		srv.Of("/x").Use(func(context.Context, *socketio.Socket) error {
			bubble.Sleep(time.Second)
			return socketio.Errorf("no")
		})
		srv.Of("/x").On("event", func() { t.Error("handled") })
		c := srv.Join(t, siotest.WebSocket)
		c.Write(`40/x,`, `42/x,["event"]`)
		c.Want(`44/x,{"message":"no"}`)
		c.WantNothing()
	})
}

// An inbox that is full of events for a namespace that was refused does not
// keep the connection from being read.
func TestFullInboxOfRefusedConnect(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := siotest.ServeInMemory(t, &socketio.Options{MaxInbox: 4, ConnectTimeout: 5 * time.Second})
		release := make(chan struct{})
		srv.Of("/x").Use(func(context.Context, *socketio.Socket) error { <-release; return nil })
		srv.Of("/x").On("event", func() { t.Error("handled") })
		c := srv.Join(t, siotest.WebSocket)
		c.Write(`40/x,`)
		for range 5 { // the last of them waits for room
			c.Write(`42/x,["event"]`)
		}
		c.Want(`44/x,{"message":"Connection refused"}`)
		c.WantNothing()
		close(release)
		c.WantNothing()
	})
}

func TestSecondConnect(t *testing.T) {
	t.Parallel()
	siotest.OnEachTransport(t, func(t *testing.T, transport string) {
		srv := siotest.Serve(t, nil)
		c := srv.Open(t, transport)
		id := c.Join("/", "")
		c.Write(`40`)
		c.WantClosed()
		srv.WantDisconnect(t, id, socketio.ReasonViolation)
	})
}

func TestConnectTimeout(t *testing.T) {
	t.Parallel()
	siotest.OnEachTransport(t, func(t *testing.T, transport string) {
		run := func(name string, opts *socketio.Options, closed time.Duration, act func(*siotest.Client)) {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					srv := siotest.ServeInMemory(t, opts)
					srv.Of("/no").Use(func(context.Context, *socketio.Socket) error { return socketio.Errorf("no") })
					start := time.Now()
					c := srv.Open(t, transport)
					act(c)
					if closed == 0 {
						time.AfterFunc(time.Hour, func() { srv.Emit("still here") })
						srv.WaitLimit = 2 * time.Hour
						c.Want(`42["still here"]`)
						return
					}
					c.WantClosed()
					siotest.WantEqual(t, "time", time.Since(start), closed)
					synctest.Wait()
					siotest.WantEqual(t, "connections", srv.Stats().Connections, 0)
				})
			})
		}
		run("a client that says nothing", nil, 45*time.Second, func(*siotest.Client) {})
		run("a client that says nothing, in short", &socketio.Options{ConnectTimeout: time.Second}, time.Second, func(*siotest.Client) {})
		run("a client that is refused", nil, 45*time.Second, func(c *siotest.Client) {
			c.Write(`40/no,`)
			c.Want(`44/no,{"message":"no"}`)
			c.Write(`40/unknown,`)
			c.Want(`44/unknown,{"message":"Invalid namespace"}`)
		})
		run("a client that joins in time", nil, 0, func(c *siotest.Client) {
			bubble.Sleep(20 * time.Second) // before the first heartbeat
			c.Join("/", "")
		})
	})
}

func TestOnConnectPanics(t *testing.T) {
	t.Parallel()
	srv := siotest.Serve(t, nil)
	srv.OnConnect(func(*socketio.Socket) { panic("first") })
	srv.OnConnect(func(s *socketio.Socket) { s.Emit("second") })
	srv.OnDisconnect(func(*socketio.Socket, socketio.Reason) { panic("third") })
	c := srv.Open(t, siotest.WebSocket)
	id := c.Join("/", "")
	c.Want(`42["second"]`)
	err := siotest.WantError[*socketio.PanicError](t, srv)
	siotest.WantEqual(t, "panic", fmt.Sprint(err.Event, err.Value), "connectionfirst")
	c.WantNothing()
	c.Write(`41`)
	srv.WantDisconnect(t, id, socketio.ReasonClient)
	err = siotest.WantError[*socketio.PanicError](t, srv)
	siotest.WantEqual(t, "panic", fmt.Sprint(err.Event, err.Value), "disconnectthird")
}

// The names of Node's lifecycle events are refused, with the method that takes their place.
func TestLifecycleByName(t *testing.T) {
	t.Parallel()
	srv := siotest.Serve(t, nil)
	_, s := srv.JoinSocket(t, siotest.WebSocket)
	for name, method := range map[string]string{
		"connection": "OnConnect", "connect": "OnConnect", "disconnect": "OnDisconnect", "disconnecting": "OnDisconnect",
	} {
		want := fmt.Sprintf("socketio: On(%q): use %s", name, method)
		for _, r := range []socketio.Registrar{srv.Server, srv.Of("/other"), srv.OrgTemplate(), s} {
			siotest.WantPanic(t, func() { r.On(name, func(*socketio.Socket) {}) }, want)
			siotest.WantPanic(t, func() {
				socketio.Event[int](name).On(r, func(context.Context, *socketio.Socket, int) error { return nil })
			}, want)
			siotest.WantPanic(t, func() {
				socketio.Call[int, int](name).On(r, func(context.Context, *socketio.Socket, int) (int, error) { return 0, nil })
			}, want)
		}
	}
}

// Each registration of a lifecycle function, middleware or interceptor can be removed,
// twice without harm, and the others stay.
func TestRegistrationsAreRemoved(t *testing.T) {
	t.Parallel()
	srv := siotest.Serve(t, nil)
	log := make(chan string, 20)
	for _, name := range []string{"/x", "/org-1"} { // the second is a child, the functions are its template's
		n := srv.Of("/x")
		if name != "/x" {
			n = srv.OrgTemplate()
		}
		var off []func()
		for _, id := range []string{"a", "b", "c"} {
			mw := func(context.Context, *socketio.Socket) error { log <- "middleware " + id; return nil }
			in := func(ctx context.Context, _ *socketio.Socket, m *socketio.Message, next socketio.Next) ([]any, error) {
				log <- "interceptor " + id
				return next(ctx, m)
			}
			all := []func(){
				n.Use(mw, mw),
				n.Intercept(in, in),
				n.OnConnect(func(s *socketio.Socket) {
					log <- "connect " + id
					offOwn := s.OnDisconnect(func(socketio.Reason) { log <- "own " + id })
					if id == "b" {
						offOwn()
						offOwn()
					}
				}),
				n.OnDisconnect(func(*socketio.Socket, socketio.Reason) { log <- "disconnect " + id }),
			}
			if id == "c" {
				off = all
			}
		}
		n.On("e", func() {})
		for _, fn := range off {
			fn()
			fn()
		}
		c := srv.Open(t, siotest.WebSocket)
		c.Join(name, "")
		c.Write(`42` + name + `,1["e"]`)
		c.Want(`43` + name + `,1[]`)
		c.Write(`41` + name + `,`)
		for _, want := range []string{
			"middleware a", "middleware a", "middleware b", "middleware b", "connect a", "connect b",
			"interceptor a", "interceptor a", "interceptor b", "interceptor b", "own a", "disconnect a", "disconnect b",
		} {
			siotest.WantEqual(t, name, siotest.Receive(t, log), want)
		}
	}
}

func TestClientLeavesAndComesBack(t *testing.T) {
	t.Parallel()
	siotest.OnEachTransport(t, func(t *testing.T, transport string) {
		srv := siotest.Serve(t, nil)
		block := make(chan struct{})
		results := make(chan error, 1)
		srv.On("block", func(s *socketio.Socket) { <-block; results <- s.Emit("late") })
		c := srv.Open(t, transport)
		first := c.Join("/", "")
		c.Write(`42["block"]`, `41`)
		second := c.Join("/", "") // while the handler of the first still runs
		siotest.WantEqual(t, "the same id", first == second, false)
		siotest.WantEqual(t, "echo", c.Ask(`["echo",1]`), `[1]`)
		close(block)
		if err := siotest.Receive(t, results); !errors.Is(err, socketio.ErrClosed) {
			t.Errorf("Emit by the first: %v", err)
		}
		srv.WantDisconnect(t, first, socketio.ReasonClient)
		c.WantNothing()
	})
}
