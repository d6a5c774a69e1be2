package client_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"

	"github.com/socketio-go/socketio"
	"github.com/socketio-go/socketio/client"
	"github.com/socketio-go/socketio/internal/bubble"
	"github.com/socketio-go/socketio/internal/memnet"
	"github.com/socketio-go/socketio/msgpack"
)

// upgrades reports whether a request opens a WebSocket.
func upgrades(r *http.Request) bool { return websocket.IsWebSocketUpgrade(r) }

// behind serves an echo server behind middleware on a network in memory.
func behind(t *testing.T, middleware func(io http.Handler) http.Handler) *harness {
	h := serve(t, &socketio.Options{Recovery: &socketio.Recovery{}})
	h.net.Close()
	h.net = memnet.Serve(&http.Server{Handler: middleware(h.io)})
	h.io.On("echo", func(args socketio.Args) socketio.Args { return args })
	return h
}

func echo(t *testing.T, c *client.Client) {
	t.Helper()
	got, err := c.EmitWithAck(t.Context(), "echo", "text", []byte("binary"))
	if err != nil {
		t.Fatal(err)
	}
	var text string
	var data []byte
	if err := got.Decode(&text, &data); err != nil || text != "text" || string(data) != "binary" {
		t.Fatal(got, err)
	}
}

// A WebSocket that is refused, and one that hangs as behind some proxies: the
// client polls, and does not try to upgrade.
func TestFallback(t *testing.T) {
	for name, instead := range map[string]http.HandlerFunc{
		"refused": func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", http.StatusBadGateway) },
		"hangs":   func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
		"cut": func(w http.ResponseWriter, _ *http.Request) {
			if conn, _, err := w.(http.Hijacker).Hijack(); err == nil {
				conn.Close()
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tried := 0
				h := behind(t, func(io http.Handler) http.Handler {
					return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
						if upgrades(r) {
							tried++
							instead(w, r)
							return
						}
						io.ServeHTTP(w, r)
					})
				})
				c := h.client(client.Options{})
				if err := c.Connect(t.Context()); err != nil {
					t.Fatal(err)
				}
				echo(t, c)
				bubble.Sleep(time.Minute)
				if got := c.Transport(); got != socketio.Polling || tried != 1 {
					t.Errorf("over %v after %d attempts with WebSocket", got, tried)
				}
			})
		})
	}
}

// An upgrade that hangs or fails: events pass by polling meanwhile and later.
func TestUpgradeFails(t *testing.T) {
	for name, instead := range map[string]http.HandlerFunc{
		"refused": func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", http.StatusBadGateway) },
		"hangs":   func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
		"no answer to the probe": func(w http.ResponseWriter, r *http.Request) {
			ws, err := new(websocket.Upgrader).Upgrade(w, r, nil)
			if err != nil {
				return
			}
			defer ws.Close()
			for err == nil {
				_, _, err = ws.NextReader()
			}
		},
		"a wrong answer to the probe": func(w http.ResponseWriter, r *http.Request) {
			ws, err := new(websocket.Upgrader).Upgrade(w, r, nil)
			if err != nil {
				return
			}
			defer ws.Close()
			text(ws, "3wrong", `42["echo"]`)
			for err == nil {
				_, _, err = ws.NextReader()
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := behind(t, func(io http.Handler) http.Handler {
					return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
						if upgrades(r) {
							instead(w, r)
							return
						}
						io.ServeHTTP(w, r)
					})
				})
				c := h.client(ways["upgrading"])
				if err := c.Connect(t.Context()); err != nil {
					t.Fatal(err)
				}
				id := c.ID()
				for range 30 {
					echo(t, c)
					bubble.Sleep(time.Second)
				}
				if got := c.Transport(); got != socketio.Polling || c.ID() != id {
					t.Errorf("over %v, %s and then %s", got, id, c.ID())
				}
			})
		})
	}
}

// A connection that is frozen: the client notices by the heartbeat, comes back
// over a new one, and sends what was emitted meanwhile.
func TestFreeze(t *testing.T) {
	everyWay(t, func(t *testing.T, opts client.Options) {
		h := serve(t, &socketio.Options{PingInterval: 5 * time.Second, PingTimeout: 5 * time.Second})
		got := make(chan int, 10)
		h.io.On("n", func(n int) { got <- n })
		c := h.client(opts)
		if err := c.Connect(t.Context()); err != nil {
			t.Fatal(err)
		}
		bubble.Sleep(time.Second) // the upgrade is over
		reasons := make(chan socketio.Reason, 10)
		c.OnDisconnect(func(r socketio.Reason) { reasons <- r })
		for i := range 5 {
			h.freeze(true)
			began := time.Now()
			reason := <-reasons
			if took := time.Since(began); took > 12*time.Second || reason != client.ReasonPingTimeout && reason != client.ReasonTransport && reason != client.ReasonError {
				t.Errorf("%s after %v", reason, took)
			}
			if err := c.Emit("n", i); err != nil {
				t.Fatal(err)
			}
			if n := <-got; n != i {
				t.Errorf("got %d, want %d", n, i)
			}
			bubble.Sleep(time.Minute)
		}
	})
}

func TestMsgpack(t *testing.T) {
	everyWay(t, func(t *testing.T, opts client.Options) {
		opts.Codec = msgpack.Codec{}
		h := serve(t, &socketio.Options{Codec: msgpack.Codec{}, Recovery: &socketio.Recovery{}})
		h.io.On("echo", func(args socketio.Args) socketio.Args { return args })
		h.io.On("join", func(s *socketio.Socket) error { return s.Join("room") })
		h.io.On("ask", func(ctx context.Context, s *socketio.Socket) (string, error) {
			answer, err := s.EmitWithAck(ctx, "question", []byte{6, 7})
			return answer.String(), err
		})
		h.io.Of("/closed").Use(func(context.Context, *socketio.Socket) error { return socketio.Errorf("closed") })
		c := h.client(opts)
		c.On("question", func(data []byte) int { return int(data[0]) * int(data[1]) })
		got := make(chan int, 100)
		c.On("n", func(n int) { got <- n })
		if err := c.Connect(t.Context()); err != nil {
			t.Fatal(err)
		}
		echo(t, c)
		if answer, err := c.EmitWithAck(t.Context(), "ask"); err != nil || answer.String() != `["[42]"]` {
			t.Error(answer, err)
		}
		var refused *client.RefusedError
		if err := c.Of("/closed").Connect(t.Context()); !errors.As(err, &refused) || refused.Err.Message != "closed" {
			t.Error(err)
		}
		if _, err := c.EmitWithAck(t.Context(), "join"); err != nil {
			t.Fatal(err)
		}
		h.io.To("room").Emit("n", 1)
		if n := <-got; n != 1 {
			t.Error(n)
		}
		h.cut()
		h.io.To("room").Emit("n", 2)
		if n := <-got; n != 2 {
			t.Error(n)
		}
	})
}

// A server with another codec: an error, not a wait.
func TestWrongCodec(t *testing.T) {
	everyWay(t, func(t *testing.T, opts client.Options) {
		h := serve(t, nil)
		opts.Codec, opts.MaxAttempts = msgpack.Codec{}, 2
		c := h.client(opts)
		began := time.Now()
		if err := c.Connect(t.Context()); err == nil || time.Since(began) > 2*time.Minute {
			t.Errorf("%v after %v", err, time.Since(began))
		}
	})
}

// recorder is a transport of the application's own.
type recorder struct {
	*http.Transport

	requests atomic.Int64
}

func (r *recorder) RoundTrip(req *http.Request) (*http.Response, error) {
	r.requests.Add(1)
	return r.Transport.RoundTrip(req)
}

func TestTransportOfTheApplication(t *testing.T) {
	everyWay(t, func(t *testing.T, opts client.Options) {
		h := behind(t, func(io http.Handler) http.Handler { return io })
		own := &recorder{Transport: &http.Transport{DialContext: h.dial}}
		opts.HTTPClient = &http.Client{Transport: own, Timeout: time.Second} // less than a poll takes
		c := h.client(opts)                                                  // whose Dial is for WebSocket
		if err := c.Connect(t.Context()); err != nil {
			t.Fatal(err)
		}
		bubble.Sleep(time.Minute)
		echo(t, c)
		if polls := own.requests.Load() > 0; polls != (opts.Transports[0] == socketio.Polling) {
			t.Errorf("%d requests", own.requests.Load())
		}
		c.Close()
		own.CloseIdleConnections()
	})
}

func TestTLS(t *testing.T) {
	io := socketio.NewServer(&socketio.Options{Logger: quiet})
	defer io.Close()
	io.On("echo", func(args socketio.Args) socketio.Args { return args })
	srv := httptest.NewUnstartedServer(io)
	srv.EnableHTTP2 = true
	srv.Config.ErrorLog = nil
	srv.StartTLS()
	defer srv.Close()
	roots := x509.NewCertPool()
	roots.AddCert(srv.Certificate())
	trusts := srv.Client().Transport.(*http.Transport).Clone()
	trusts.ForceAttemptHTTP2 = true
	defer trusts.CloseIdleConnections()
	for name, way := range ways {
		for how, opts := range map[string]client.Options{
			"TLS":        {TLS: &tls.Config{RootCAs: roots}},
			"HTTPClient": {HTTPClient: &http.Client{Transport: trusts}},
		} {
			t.Run(name+" with "+how, func(t *testing.T) {
				opts.Transports, opts.DisableUpgrade, opts.Logger = way.Transports, way.DisableUpgrade, quiet
				c, err := client.New(srv.URL, &opts)
				if err != nil {
					t.Fatal(err)
				}
				defer c.Shutdown(t.Context())
				if err := c.Connect(t.Context()); err != nil {
					t.Fatal(err)
				}
				echo(t, c)
			})
		}
		t.Run(name+" with an unknown authority", func(t *testing.T) {
			opts := way
			opts.Logger, opts.MaxAttempts = quiet, 1
			c, err := client.New(srv.URL, &opts)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Shutdown(t.Context())
			var unknown x509.UnknownAuthorityError
			if err := c.Connect(t.Context()); !errors.As(err, &unknown) {
				t.Error(err)
			}
		})
	}
}

// A proxy, with CONNECT for a WebSocket.
func TestProxy(t *testing.T) {
	sio := socketio.NewServer(&socketio.Options{Logger: quiet})
	defer sio.Close()
	sio.On("echo", func(args socketio.Args) socketio.Args { return args })
	srv := httptest.NewServer(sio)
	defer srv.Close()
	var tunnels, requests atomic.Int64
	forward := &httputil.ReverseProxy{Rewrite: func(*httputil.ProxyRequest) {}}
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Proxy-Authorization") == "" {
			http.Error(w, "who are you?", http.StatusProxyAuthRequired)
			return
		}
		if r.Method != http.MethodConnect {
			requests.Add(1)
			forward.ServeHTTP(w, r)
			return
		}
		tunnels.Add(1)
		to, err := net.Dial("tcp", r.Host)
		if err != nil {
			t.Error(err)
			return
		}
		defer to.Close()
		from, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer from.Close()
		fmt.Fprint(from, "HTTP/1.1 200 OK\r\n\r\n")
		go func() { // ends with either connection
			_, _ = io.Copy(to, from)
			to.Close()
		}()
		_, _ = io.Copy(from, to)
	}))
	defer proxy.Close()
	through, err := url.Parse(strings.Replace(proxy.URL, "//", "//me:secret@", 1))
	if err != nil {
		t.Fatal(err)
	}
	for name, opts := range ways {
		t.Run(name, func(t *testing.T) {
			tunnels.Store(0)
			requests.Store(0)
			transport := &http.Transport{Proxy: http.ProxyURL(through)}
			defer transport.CloseIdleConnections()
			opts.HTTPClient, opts.Logger = &http.Client{Transport: transport}, quiet
			c, err := client.New(srv.URL, &opts)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Shutdown(t.Context())
			if err := c.Connect(t.Context()); err != nil {
				t.Fatal(err)
			}
			echo(t, c)
			if name == "polling" && (requests.Load() == 0 || tunnels.Load() > 0) || name == "websocket" && (tunnels.Load() != 1 || requests.Load() > 0) {
				t.Errorf("%d tunnels, %d requests", tunnels.Load(), requests.Load())
			}
		})
	}
}

func TestCompression(t *testing.T) {
	for _, offered := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			long := strings.Repeat("x", 100_000)
			sent := make(chan int64, 1)
			upgrader := &websocket.Upgrader{EnableCompression: true}
			srv := memnet.Serve(&http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				ws, err := upgrader.Upgrade(w, r, nil)
				if err != nil {
					return
				}
				defer ws.Close()
				joins(ws)
				out := ws.NetConn().(*memnet.Conn).Out()
				before := out.Sent()
				text(ws, `42["long","`+long+`"]`)
				sent <- out.Sent() - before
				_, _, _ = ws.NextReader()
			})})
			t.Cleanup(func() { srv.Close() })
			c, err := client.New("http://server", &client.Options{
				Dial: srv.DialContext, Compression: offered, Logger: quiet, Transports: []socketio.Transport{socketio.WebSocket},
			})
			if err != nil {
				t.Fatal(err)
			}
			defer c.Shutdown(t.Context())
			got := make(chan string, 1)
			c.On("long", func(text string) { got <- text })
			if err := c.Connect(t.Context()); err != nil {
				t.Fatal(err)
			}
			if <-got != long {
				t.Error("the text is another one")
			}
			if n := <-sent; (n < 10_000) != offered {
				t.Errorf("compression offered: %v; %d bytes sent", offered, n)
			}
		})
	}
}

// A response to the handshake whose headers have no end.
func TestEndlessHandshake(t *testing.T) {
	for name, opts := range ways {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				listener := memnet.Listen()
				var sent atomic.Int64
				go func() { // ends with the listener
					for {
						conn, err := listener.Accept()
						if err != nil {
							return
						}
						go func() { // ends with the connection
							defer conn.Close()
							fmt.Fprint(conn, "HTTP/1.1 101 Switching Protocols\r\n")
							for err == nil {
								_, err = fmt.Fprintf(conn, "X: %s\r\n", strings.Repeat("y", 1000))
								sent.Add(1000)
							}
						}()
					}
				}()
				defer listener.Close()
				opts.Dial, opts.MaxAttempts, opts.Logger = listener.DialContext, 1, quiet
				c, err := client.New("http://server", &opts)
				if err != nil {
					t.Fatal(err)
				}
				var failed *client.HandshakeError
				if err := c.Connect(t.Context()); !errors.As(err, &failed) {
					t.Error(err)
				}
				if n := sent.Load(); n > 20<<20 {
					t.Errorf("%d bytes were read", n)
				}
				if err := c.Shutdown(t.Context()); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// A suspended machine, whose client emits nothing: the heartbeat notices.
func TestSuspendedWhileIdle(t *testing.T) {
	everyWay(t, func(t *testing.T, opts client.Options) {
		h := serve(t, nil)
		var jump atomic.Int64
		opts.Now = func() time.Time { return time.Now().Add(time.Duration(jump.Load())) }
		c := h.client(opts)
		if err := c.Connect(t.Context()); err != nil {
			t.Fatal(err)
		}
		bubble.Sleep(time.Minute)
		reasons := make(chan socketio.Reason, 1)
		c.OnDisconnect(func(r socketio.Reason) { reasons <- r })
		h.freeze(true) // the server is silent, as after a suspend its connection is gone
		bubble.Sleep(time.Second)
		jump.Store(int64(time.Hour))
		began := time.Now()
		if r := <-reasons; r != client.ReasonPingTimeout || time.Since(began) > 45*time.Second {
			t.Errorf("%s after %v", r, time.Since(began))
		}
		if err := c.Connect(t.Context()); err != nil {
			t.Error(err)
		}
	})
}
