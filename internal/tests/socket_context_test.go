package tests_test

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/socketio-go/socketio"
	"github.com/socketio-go/socketio/internal/siotest"
)

type contextKey string

// serveHTTP serves io behind net/http middleware, on a server whose own contexts
// have values, too.
func serveHTTP(t *testing.T, io http.Handler, withTLS bool, middleware func(http.Handler) http.Handler) *httptest.Server {
	t.Helper()
	hs := httptest.NewUnstartedServer(middleware(io))
	hs.Config.BaseContext = func(net.Listener) context.Context {
		return context.WithValue(context.Background(), contextKey("base"), "base") //nolint:usetesting // what is kept of a server's context is compared
	}
	hs.Config.ConnContext = func(ctx context.Context, _ net.Conn) context.Context {
		return context.WithValue(ctx, contextKey("conn"), "conn")
	}
	if withTLS {
		hs.StartTLS()
	} else {
		hs.Start()
	}
	t.Cleanup(hs.Close)
	return hs
}

// What net/http and its middleware have put into the context of the request is in
// that of the socket, wherever it is handed to the application. The end of the
// request is not.
func TestContextHasTheValuesOfTheRequest(t *testing.T) {
	t.Parallel()
	wrapped := map[string]func(ctx context.Context) (context.Context, context.CancelFunc){
		"as it is": func(ctx context.Context) (context.Context, context.CancelFunc) { return ctx, func() {} },
		"with a value": func(ctx context.Context) (context.Context, context.CancelFunc) {
			return context.WithValue(ctx, contextKey("user"), "alice"), func() {}
		},
		"with a value, and canceled": func(ctx context.Context) (context.Context, context.CancelFunc) {
			return context.WithCancel(context.WithValue(ctx, contextKey("user"), "alice"))
		},
		"with a value, and canceled before": func(ctx context.Context) (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancel(ctx)
			return context.WithValue(ctx, contextKey("user"), "alice"), cancel
		},
		"with a value and a deadline": func(ctx context.Context) (context.Context, context.CancelFunc) {
			return context.WithTimeout(context.WithValue(ctx, contextKey("user"), "alice"), time.Minute)
		},
		"of a type of its own": func(ctx context.Context) (context.Context, context.CancelFunc) {
			return ownContext{ctx}, func() {}
		},
		"of a type of its own, and canceled": func(ctx context.Context) (context.Context, context.CancelFunc) {
			return context.WithCancel(ownContext{ctx})
		},
	}
	for name, wrap := range wrapped {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			siotest.OnEachTransport(t, func(t *testing.T, transport string) {
				type seen struct {
					where string
					ctx   context.Context
				}
				all := make(chan seen, 20)
				io := handler(t, nil)
				io.Use(func(ctx context.Context, s *socketio.Socket) error { all <- seen{"middleware", ctx}; return nil })
				io.OnConnect(func(s *socketio.Socket) { all <- seen{"OnConnect", s.Context()} })
				io.Intercept(func(ctx context.Context, s *socketio.Socket, m *socketio.Message, next socketio.Next) ([]any, error) {
					all <- seen{"interceptor", ctx}
					return next(ctx, m)
				})
				io.On("event", func(ctx context.Context) { all <- seen{"handler", ctx} })
				io.OnDisconnect(func(s *socketio.Socket, _ socketio.Reason) { all <- seen{"OnDisconnect", s.Context()} })
				hs := serveHTTP(t, io, false, func(next http.Handler) http.Handler {
					return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
						ctx, cancel := wrap(r.Context())
						defer cancel()
						next.ServeHTTP(w, r.WithContext(ctx))
					})
				})
				srv := &siotest.Server{URL: hs.URL + "/socket.io/", HTTP: hs.Client(), WaitLimit: siotest.WaitLimit, Dial: new(net.Dialer).DialContext}
				c := srv.Open(t, transport)
				c.Join("/", "")
				c.Write(`421["event"]`)
				c.Want(`431[]`)
				c.Write("41")
				for _, where := range []string{"middleware", "OnConnect", "interceptor", "handler", "OnDisconnect"} {
					got := siotest.Receive(t, all)
					siotest.WantEqual(t, "where", got.where, where)
					user, _ := got.ctx.Value(contextKey("user")).(string)
					siotest.WantEqual(t, where+": user", user, map[bool]string{true: "alice"}[name != "as it is"])
					siotest.WantEqual(t, where+": base", got.ctx.Value(contextKey("base")), any("base"))
					siotest.WantEqual(t, where+": conn", got.ctx.Value(contextKey("conn")), any("conn"))
					siotest.WantEqual(t, where+": server", got.ctx.Value(http.ServerContextKey), any(hs.Config))
					if s, ok := socketio.SocketFrom(got.ctx); !ok || s.Context() == nil {
						t.Errorf("%s: no socket in the context", where)
					}
					if got.ctx.Value(http.LocalAddrContextKey) == nil {
						t.Errorf("%s: no local address", where)
					}
					_, limited := got.ctx.Deadline()
					siotest.WantEqual(t, where+": deadline", limited, false)
					if where == "OnDisconnect" {
						var left *socketio.DisconnectError
						if !errors.As(context.Cause(got.ctx), &left) {
							t.Errorf("ended with %v", context.Cause(got.ctx))
						}
					}
				}
			})
		})
	}
}

type ownContext struct{ context.Context }

func (c ownContext) Value(key any) any {
	if key == contextKey("user") {
		return "alice"
	}
	return c.Context.Value(key)
}

// The layers of net/http that only add cancellation are not kept.
func TestContextIsKeptSmall(t *testing.T) {
	t.Parallel()
	kept := make(chan context.Context, 1)
	io := handler(t, nil)
	io.OnConnect(func(s *socketio.Socket) { kept <- s.Context() })
	hs := serveHTTP(t, io, false, func(next http.Handler) http.Handler { return next })
	srv := &siotest.Server{URL: hs.URL + "/socket.io/", HTTP: hs.Client(), WaitLimit: siotest.WaitLimit, Dial: new(net.Dialer).DialContext}
	srv.Open(t, siotest.WebSocket).Join("/", "")
	ctx := reflect.ValueOf(siotest.Receive(t, kept)).Elem().FieldByName("Context") // socketContext
	ctx = ctx.Elem().Elem().FieldByName("Context")                                 // withoutCancelCtx
	if text := ctx.Interface().(interface{ String() string }).String(); strings.Contains(text, ".WithCancel") {
		t.Errorf("what is kept is %s", text)
	}
}

// The state of TLS is in the handshake of every transport.
func TestHandshakeHasTheStateOfTLS(t *testing.T) {
	t.Parallel()
	siotest.OnEachTransport(t, func(t *testing.T, transport string) {
		states := make(chan *tls.ConnectionState, 1)
		io := handler(t, nil)
		io.OnConnect(func(s *socketio.Socket) {
			h := s.Handshake()
			siotest.WantEqual(t, "secure", h.Secure, true)
			states <- h.TLS
		})
		hs := serveHTTP(t, io, true, func(next http.Handler) http.Handler { return next })
		config := hs.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
		config.ServerName = "example.com"
		if transport == siotest.WebSocket {
			dialer := websocket.Dialer{TLSClientConfig: config}
			ws, resp, err := dialer.DialContext(t.Context(), "wss"+strings.TrimPrefix(hs.URL, "https")+"/socket.io/?EIO=4&transport=websocket", nil)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			defer ws.Close()
			if err := ws.WriteMessage(websocket.TextMessage, []byte("40")); err != nil {
				t.Fatal(err)
			}
		} else {
			client := &http.Client{Transport: &http.Transport{TLSClientConfig: config}}
			defer client.CloseIdleConnections()
			srv := &siotest.Server{URL: hs.URL + "/socket.io/", HTTP: client, WaitLimit: siotest.WaitLimit}
			srv.Open(t, siotest.Polling).Join("/", "")
		}
		state := siotest.Receive(t, states)
		if state == nil || !state.HandshakeComplete || state.ServerName != "example.com" {
			t.Errorf("got %+v", state)
		}
	})
	srv := siotest.Serve(t, nil)
	_, s := srv.JoinSocket(t, siotest.WebSocket)
	if h := s.Handshake(); h.TLS != nil || h.Secure {
		t.Errorf("without TLS: %+v", h)
	}
}
