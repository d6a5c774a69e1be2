package socketio_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"

	"github.com/socketio-go/socketio"
)

// What was emitted before Shutdown arrives, then the client is told.
func TestShutdownSendsWhatIsQueued(t *testing.T) {
	t.Parallel()
	onEachTransport(t, func(t *testing.T, transport string) {
		synctest.Test(t, func(t *testing.T) {
			srv := serveInMemory(t, nil)
			c := srv.open(t, transport)
			id := c.join("/", "")
			s := srv.socket(t, c, id)
			var packets []any
			big := strings.Repeat("x", 5000)
			for i := range 100 {
				s.Emit("v", i, big, []byte{byte(i)})
				packets = append(packets, fmt.Sprintf(`451-["v",%d,"%s",{"_placeholder":true,"num":0}]`, i, big), []byte{byte(i)})
			}
			done := make(chan error, 1)
			go func() { done <- srv.Shutdown(t.Context()) }()
			c.want(packets...)
			c.wantClosed()
			if err := <-done; err != nil {
				t.Error(err)
			}
			srv.wantLeft(t, id, socketio.ReasonShutdown)
			wantEqual(t, "what is left", held(srv), socketio.Stats{})
		})
	})
}

// A frozen client holds Shutdown up no longer than its WriteTimeout.
func TestShutdownWithAFrozenClient(t *testing.T) {
	t.Parallel()
	onEachTransport(t, func(t *testing.T, transport string) {
		synctest.Test(t, func(t *testing.T) {
			srv := serveInMemory(t, &socketio.Options{WriteTimeout: 3 * time.Second})
			c := srv.open(t, transport)
			id := c.join("/", "")
			s := srv.socket(t, c, id)
			if transport == webSocket {
				c.conn().In().SetCapacity(10)
				c.conn().Freeze()
			}
			s.Emit("v", strings.Repeat("x", 5000))
			start := time.Now()
			if err := srv.Shutdown(t.Context()); err != nil {
				t.Error(err)
			}
			if d := time.Since(start); d > 3*time.Second {
				t.Errorf("Shutdown took %v", d)
			}
			srv.wantLeft(t, id, socketio.ReasonShutdown)
		})
	})
}

func TestShutdownWaitsForHandlers(t *testing.T) {
	t.Parallel()
	onEachTransport(t, func(t *testing.T, transport string) {
		synctest.Test(t, func(t *testing.T) {
			srv := serveInMemory(t, nil)
			var log []string
			srv.On("work", func(s *socketio.Socket) {
				<-s.Context().Done()
				<-time.After(time.Minute)
				log = append(log, "worked")
			})
			srv.OnDisconnect(func(_ *socketio.Socket, r socketio.Reason) {
				<-time.After(time.Minute)
				log = append(log, string(r))
			})
			c := srv.join(t, transport)
			c.write(`42["work"]`)
			synctest.Wait()
			go c.next()
			start := time.Now()
			if err := srv.Shutdown(t.Context()); err != nil {
				t.Error(err)
			}
			wantEqual(t, "time", time.Since(start), 2*time.Minute)
			wantEqual(t, "what happened", strings.Join(log, ", "), "worked, server shutting down")
		})
	})
}

func TestShutdownGivesUp(t *testing.T) {
	t.Parallel()
	t.Run("waiting for a client", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			srv := serveInMemory(t, nil)
			c := srv.join(t, webSocket)
			c.conn().Freeze()
			ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
			defer cancel()
			start := time.Now()
			if err := srv.Shutdown(ctx); err != context.DeadlineExceeded {
				t.Errorf("Shutdown: %v", err)
			}
			wantEqual(t, "time", time.Since(start), time.Millisecond)
			wantEqual(t, "what is left", held(srv), socketio.Stats{})
		})
	})
	t.Run("waiting for a handler that does not look at its context", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			srv := serveInMemory(t, nil)
			release := make(chan struct{})
			srv.On("block", func() { <-release })
			c := srv.join(t, webSocket)
			c.write(`42["block"]`)
			synctest.Wait()
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			err := srv.Shutdown(ctx)
			if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "still in handlers") {
				t.Errorf("Shutdown: %v", err)
			}
			if err := srv.Close(); err == nil || !strings.HasPrefix(err.Error(), "socketio: close: 1 ") {
				t.Errorf("Close: %v", err)
			}
			close(release)
			if err := srv.Shutdown(t.Context()); err != nil {
				t.Errorf("Shutdown: %v", err)
			}
		})
	})
	t.Run("waiting for AllowRequest", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			srv := serveInMemory(t, &socketio.Options{AllowRequest: func(r *http.Request) error {
				<-time.After(time.Minute)
				return nil
			}})
			done := make(chan string, 1)
			go func() {
				resp, err := srv.http.Get(srv.url + "?EIO=4&transport=polling") //nolint:noctx // of the bubble
				if err != nil {
					done <- err.Error()
					return
				}
				done <- resp.Status
				resp.Body.Close()
			}()
			synctest.Wait()
			if err := srv.Shutdown(t.Context()); err != nil {
				t.Errorf("Shutdown: %v", err)
			}
			wantEqual(t, "the handshake", <-done, "503 Service Unavailable")
		})
	})
}

func TestClosedServerRefuses(t *testing.T) {
	t.Parallel()
	srv := serve(t, &socketio.Options{WriteTimeout: 100 * time.Millisecond})
	old := srv.join(t, polling)
	if err := srv.Shutdown(t.Context()); err != nil { // nobody polls
		t.Fatal(err)
	}
	for range 2 {
		if err := srv.Close(); err != nil {
			t.Error(err)
		}
		if err := srv.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
	}
	resp, err := srv.http.Get(srv.url + "?EIO=4&transport=polling")
	if err != nil {
		t.Fatal(err)
	}
	wantEqual(t, "status", resp.StatusCode, http.StatusServiceUnavailable)
	wantEqual(t, "when to come back", resp.Header.Get("Retry-After"), "1")
	resp.Body.Close()
	_, resp, err = websocket.DefaultDialer.DialContext(t.Context(), "ws"+strings.TrimPrefix(srv.url, "http")+"?EIO=4&transport=websocket", nil)
	if err == nil || resp.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("a WebSocket: %v", err)
	}
	old.wantClosed()
	wantEqual(t, "what is left", held(srv), socketio.Stats{})
	// The rest does nothing, and no harm.
	for _, err := range []error{srv.Emit("v"), srv.To("room").Emit("v"), srv.Of("/late").Emit("v")} {
		if err != nil {
			t.Error(err)
		}
	}
	srv.On("late", func() {})()
	srv.Use(func(context.Context, *socketio.Socket) error { return nil })
}

// No session is born after Shutdown or Close has returned, whatever was under
// way.
func TestShutdownDuringConnects(t *testing.T) {
	t.Parallel()
	ways := map[string]func(*testServer, context.Context) error{
		"Shutdown": func(srv *testServer, ctx context.Context) error { return srv.Shutdown(ctx) },
		"Close":    func(srv *testServer, _ context.Context) error { return srv.Close() },
	}
	for name, end := range ways {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for range 5 {
				srv := serve(t, nil)
				var mu sync.Mutex
				open := 0
				srv.OnConnect(func(s *socketio.Socket) {
					mu.Lock()
					defer mu.Unlock()
					open++
				})
				srv.OnDisconnect(func(*socketio.Socket, socketio.Reason) {
					mu.Lock()
					defer mu.Unlock()
					open--
				})
				start := make(chan struct{})
				var wg sync.WaitGroup
				for i := range 16 {
					wg.Go(func() {
						<-start
						if i%2 == 0 {
							connectAndListen(srv)
						} else {
							connectAndPoll(srv)
						}
					})
				}
				close(start)
				for range 2 {
					wg.Go(func() {
						if err := end(srv, t.Context()); err != nil {
							t.Error(err)
						}
					})
				}
				if err := end(srv, t.Context()); err != nil {
					t.Error(err)
				}
				mu.Lock()
				wantEqual(t, "OnConnect without OnDisconnect", open, 0)
				mu.Unlock()
				wantEqual(t, "what is left", srv.Stats().Connections, 0)
				wg.Wait()
				wantEqual(t, "what is left", srv.Stats().Connections, 0)
			}
		})
	}
}

// connectAndListen connects by WebSocket, if it can, and reads until the end.
func connectAndListen(srv *testServer) {
	ws, resp, err := websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(srv.url, "http")+"?EIO=4&transport=websocket", nil)
	if err != nil {
		return
	}
	resp.Body.Close()
	defer ws.Close()
	if ws.WriteMessage(websocket.TextMessage, []byte(`40`)) != nil {
		return
	}
	for {
		if _, _, err := ws.ReadMessage(); err != nil {
			return
		}
	}
}

// connectAndPoll is connectAndListen by polling.
func connectAndPoll(srv *testServer) {
	w := &pollingWire{ctx: context.Background(), client: srv.http, url: srv.url + "?EIO=4&transport=polling", wait: patience}
	body, err := w.do(http.MethodGet, nil)
	if err != nil {
		return
	}
	sid, _, _ := strings.Cut(strings.TrimPrefix(string(body), `0{"sid":"`), `"`)
	w.url += "&sid=" + sid
	if w.write(`40`) != nil {
		return
	}
	for {
		if _, err := w.read(); err != nil {
			return
		}
	}
}

func TestMaxHandshakes(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	entered := make(chan struct{}, 10)
	srv := serve(t, &socketio.Options{MaxHandshakes: 2, AllowRequest: func(*http.Request) error {
		entered <- struct{}{}
		<-release
		return nil
	}})
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			resp, err := srv.http.Get(srv.url + "?EIO=4&transport=polling")
			if err != nil {
				t.Error(err)
				return
			}
			wantEqual(t, "status", resp.StatusCode, http.StatusOK)
			resp.Body.Close()
		})
		receive(t, entered)
	}
	resp, err := srv.http.Get(srv.url + "?EIO=4&transport=polling")
	if err != nil {
		t.Fatal(err)
	}
	wantEqual(t, "one more", resp.StatusCode, http.StatusServiceUnavailable)
	resp.Body.Close()
	close(release)
	wg.Wait()
	srv.join(t, webSocket)
}

// Whatever is under way when Shutdown or Close is called, it comes to its end
// before they return, and they may be called again.
func TestShutdownDuring(t *testing.T) {
	t.Parallel()
	for _, end := range []struct {
		name string
		call func(srv *testServer, ctx context.Context) error
	}{
		{"Shutdown", func(srv *testServer, ctx context.Context) error { return srv.Shutdown(ctx) }},
		{"Close", func(srv *testServer, _ context.Context) error { return srv.Close() }},
		{"both, again and again", func(srv *testServer, ctx context.Context) error {
			return errors.Join(srv.Shutdown(ctx), srv.Close(), srv.Close(), srv.Shutdown(ctx))
		}},
		{"both at once", func(srv *testServer, ctx context.Context) error {
			errs := make(chan error)
			go func() { errs <- srv.Shutdown(ctx) }()
			return errors.Join(srv.Close(), <-errs)
		}},
	} {
		for _, during := range []struct {
			name  string
			begin func(srv *testServer, c *client, ended chan<- error)
		}{
			{"middleware", func(srv *testServer, c *client, ended chan<- error) {
				srv.Of("/x").Use(func(ctx context.Context, _ *socketio.Socket) error {
					<-ctx.Done()
					ended <- context.Cause(ctx)
					return nil
				})
				srv.Of("/x").OnConnect(func(*socketio.Socket) { ended <- errors.New("OnConnect was called") })
				c.write(`40/x,`)
			}},
			{"OnConnect", func(srv *testServer, c *client, ended chan<- error) {
				srv.Of("/x").OnConnect(func(s *socketio.Socket) {
					<-s.Context().Done()
					ended <- context.Cause(s.Context())
				})
				c.write(`40/x,`)
			}},
			{"a handler", func(srv *testServer, c *client, ended chan<- error) {
				srv.On("wait", func(ctx context.Context) {
					<-ctx.Done()
					ended <- context.Cause(ctx)
				})
				c.write(`42["wait"]`)
			}},
			{"an attachment", func(srv *testServer, c *client, ended chan<- error) {
				s := firstOf(srv.LocalSockets())
				s.OnDisconnect(func(reason socketio.Reason) { ended <- &socketio.DisconnectError{Reason: reason} })
				c.write(`451-["binary"]`)
			}},
			{"a question", func(srv *testServer, c *client, ended chan<- error) {
				s := firstOf(srv.LocalSockets())
				s.Emit("q", func(_ socketio.Args, err error) {
					if !errors.Is(err, socketio.ErrClosed) {
						ended <- err
						return
					}
					ended <- context.Cause(s.Context())
				})
			}},
		} {
			t.Run(end.name+" during "+during.name, func(t *testing.T) {
				t.Parallel()
				onEachTransport(t, func(t *testing.T, transport string) {
					synctest.Test(t, func(t *testing.T) {
						srv := serveInMemory(t, nil)
						c, _ := srv.joinSocket(t, transport)
						ended := make(chan error, 10)
						during.begin(srv, c, ended)
						synctest.Wait()
						go func() {
							for {
								if _, err := c.next(); err != nil {
									return
								}
							}
						}()
						if err := end.call(srv, t.Context()); err != nil {
							t.Error(err)
						}
						var gone *socketio.DisconnectError
						if err := <-ended; !errors.As(err, &gone) || gone.Reason != socketio.ReasonShutdown {
							t.Errorf("it ended with %v", err)
						}
						wantEqual(t, "more ends", len(ended), 0)
						st := srv.Stats()
						wantEqual(t, "what is left", fmt.Sprint(st.Connections, st.Sockets, st.Rooms, st.QueuedBytes), "0 0 0 0")
					})
				})
			})
		}
	}
}

// firstOf returns the first of a sequence.
func firstOf[T any](seq iter.Seq[T]) (first T) {
	for first = range seq {
		break
	}
	return first
}
