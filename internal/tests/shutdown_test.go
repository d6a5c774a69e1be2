package tests_test

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
	"github.com/socketio-go/socketio/internal/bubble"
	"github.com/socketio-go/socketio/internal/siotest"
)

// What was emitted before Shutdown arrives, then the client is told.
func TestShutdownSendsWhatIsQueued(t *testing.T) {
	t.Parallel()
	siotest.OnEachTransport(t, func(t *testing.T, transport string) {
		synctest.Test(t, func(t *testing.T) {
			srv := siotest.ServeInMemory(t, nil)
			c := srv.Open(t, transport)
			id := c.Join("/", "")
			s := srv.Socket(t, c, id)
			var packets []any
			big := strings.Repeat("x", 5000)
			for i := range 100 {
				s.Emit("v", i, big, []byte{byte(i)})
				packets = append(packets, fmt.Sprintf(`451-["v",%d,"%s",{"_placeholder":true,"num":0}]`, i, big), []byte{byte(i)})
			}
			done := make(chan error, 1)
			go func() { done <- srv.Shutdown(t.Context()) }()
			c.Want(packets...)
			c.WantClosed()
			if err := <-done; err != nil {
				t.Error(err)
			}
			srv.WantDisconnect(t, id, socketio.ReasonShutdown)
			siotest.WantEqual(t, "what is left", siotest.Counts(srv), socketio.Stats{})
		})
	})
}

// A frozen client holds Shutdown up no longer than its WriteTimeout.
func TestShutdownWithAFrozenClient(t *testing.T) {
	t.Parallel()
	siotest.OnEachTransport(t, func(t *testing.T, transport string) {
		synctest.Test(t, func(t *testing.T) {
			srv := siotest.ServeInMemory(t, &socketio.Options{WriteTimeout: 3 * time.Second})
			c := srv.Open(t, transport)
			id := c.Join("/", "")
			s := srv.Socket(t, c, id)
			if transport == siotest.WebSocket {
				c.MemConn().In().SetCapacity(10)
				c.MemConn().Freeze()
			}
			s.Emit("v", strings.Repeat("x", 5000))
			start := time.Now()
			if err := srv.Shutdown(t.Context()); err != nil {
				t.Error(err)
			}
			if d := time.Since(start); d > 3*time.Second {
				t.Errorf("Shutdown took %v", d)
			}
			srv.WantDisconnect(t, id, socketio.ReasonShutdown)
		})
	})
}

func TestShutdownWaitsForHandlers(t *testing.T) {
	t.Parallel()
	siotest.OnEachTransport(t, func(t *testing.T, transport string) {
		synctest.Test(t, func(t *testing.T) {
			srv := siotest.ServeInMemory(t, nil)
			var log []string
			srv.On("work", func(s *socketio.Socket) {
				<-s.Context().Done()
				bubble.Sleep(time.Minute)
				log = append(log, "worked")
			})
			srv.OnDisconnect(func(_ *socketio.Socket, r socketio.Reason) {
				bubble.Sleep(time.Minute)
				log = append(log, string(r))
			})
			c := srv.Join(t, transport)
			c.Write(`42["work"]`)
			synctest.Wait()
			go c.Next()
			start := time.Now()
			if err := srv.Shutdown(t.Context()); err != nil {
				t.Error(err)
			}
			siotest.WantEqual(t, "time", time.Since(start), 2*time.Minute)
			siotest.WantEqual(t, "what happened", strings.Join(log, ", "), "worked, server shutting down")
		})
	})
}

func TestShutdownGivesUp(t *testing.T) {
	t.Parallel()
	t.Run("waiting for a client", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			srv := siotest.ServeInMemory(t, nil)
			c := srv.Join(t, siotest.WebSocket)
			c.MemConn().Freeze()
			ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
			defer cancel()
			start := time.Now()
			if err := srv.Shutdown(ctx); err != context.DeadlineExceeded {
				t.Errorf("Shutdown: %v", err)
			}
			siotest.WantEqual(t, "time", time.Since(start), time.Millisecond)
			siotest.WantEqual(t, "what is left", siotest.Counts(srv), socketio.Stats{})
		})
	})
	t.Run("waiting for a handler that does not look at its context", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			srv := siotest.ServeInMemory(t, nil)
			release := make(chan struct{})
			srv.On("block", func() { <-release })
			c := srv.Join(t, siotest.WebSocket)
			c.Write(`42["block"]`)
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
			srv := siotest.ServeInMemory(t, &socketio.Options{AllowRequest: func(r *http.Request) error {
				bubble.Sleep(time.Minute)
				return nil
			}})
			done := make(chan string, 1)
			go func() {
				resp, err := srv.HTTP.Get(srv.URL + "?EIO=4&transport=polling") //nolint:noctx // of the bubble
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
			siotest.WantEqual(t, "the handshake", <-done, "503 Service Unavailable")
		})
	})
}

func TestClosedServerRefuses(t *testing.T) {
	t.Parallel()
	srv := siotest.Serve(t, &socketio.Options{WriteTimeout: 100 * time.Millisecond})
	old := srv.Join(t, siotest.Polling)
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
	resp, err := srv.HTTP.Get(srv.URL + "?EIO=4&transport=polling")
	if err != nil {
		t.Fatal(err)
	}
	siotest.WantEqual(t, "status", resp.StatusCode, http.StatusServiceUnavailable)
	siotest.WantEqual(t, "when to come back", resp.Header.Get("Retry-After"), "1")
	resp.Body.Close()
	_, resp, err = websocket.DefaultDialer.DialContext(t.Context(), "ws"+strings.TrimPrefix(srv.URL, "http")+"?EIO=4&transport=websocket", nil)
	if err == nil || resp.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("a WebSocket: %v", err)
	}
	old.WantClosed()
	siotest.WantEqual(t, "what is left", siotest.Counts(srv), socketio.Stats{})
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
	ways := map[string]func(*siotest.Server, context.Context) error{
		"Shutdown": func(srv *siotest.Server, ctx context.Context) error { return srv.Shutdown(ctx) },
		"Close":    func(srv *siotest.Server, _ context.Context) error { return srv.Close() },
	}
	for name, end := range ways {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for range 5 {
				srv := siotest.Serve(t, nil)
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
				siotest.WantEqual(t, "OnConnect without OnDisconnect", open, 0)
				mu.Unlock()
				siotest.WantEqual(t, "what is left", srv.Stats().Connections, 0)
				wg.Wait()
				siotest.WantEqual(t, "what is left", srv.Stats().Connections, 0)
			}
		})
	}
}

// connectAndListen connects by WebSocket, if it can, and reads until the end.
func connectAndListen(srv *siotest.Server) {
	ws, resp, err := websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(srv.URL, "http")+"?EIO=4&transport=websocket", nil)
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
func connectAndPoll(srv *siotest.Server) {
	w := &siotest.PollingWire{Ctx: context.Background(), HTTP: srv.HTTP, URL: srv.URL + "?EIO=4&transport=polling", Wait: siotest.WaitLimit}
	body, err := w.Do(http.MethodGet, nil)
	if err != nil {
		return
	}
	sid, _, _ := strings.Cut(strings.TrimPrefix(string(body), `0{"sid":"`), `"`)
	w.URL += "&sid=" + sid
	if w.Write(`40`) != nil {
		return
	}
	for {
		if _, err := w.Read(); err != nil {
			return
		}
	}
}

func TestMaxHandshakes(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	entered := make(chan struct{}, 10)
	srv := siotest.Serve(t, &socketio.Options{MaxHandshakes: 2, AllowRequest: func(*http.Request) error {
		entered <- struct{}{}
		<-release
		return nil
	}})
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			resp, err := srv.HTTP.Get(srv.URL + "?EIO=4&transport=polling")
			if err != nil {
				t.Error(err)
				return
			}
			siotest.WantEqual(t, "status", resp.StatusCode, http.StatusOK)
			resp.Body.Close()
		})
		siotest.Receive(t, entered)
	}
	resp, err := srv.HTTP.Get(srv.URL + "?EIO=4&transport=polling")
	if err != nil {
		t.Fatal(err)
	}
	siotest.WantEqual(t, "one more", resp.StatusCode, http.StatusServiceUnavailable)
	resp.Body.Close()
	close(release)
	wg.Wait()
	srv.Join(t, siotest.WebSocket)
}

// Whatever is under way when Shutdown or Close is called, it comes to its end
// before they return, and they may be called again.
func TestShutdownDuring(t *testing.T) {
	t.Parallel()
	for _, end := range []struct {
		name string
		call func(srv *siotest.Server, ctx context.Context) error
	}{
		{"Shutdown", func(srv *siotest.Server, ctx context.Context) error { return srv.Shutdown(ctx) }},
		{"Close", func(srv *siotest.Server, _ context.Context) error { return srv.Close() }},
		{"both, again and again", func(srv *siotest.Server, ctx context.Context) error {
			return errors.Join(srv.Shutdown(ctx), srv.Close(), srv.Close(), srv.Shutdown(ctx))
		}},
		{"both at once", func(srv *siotest.Server, ctx context.Context) error {
			errs := make(chan error)
			go func() { errs <- srv.Shutdown(ctx) }()
			return errors.Join(srv.Close(), <-errs)
		}},
	} {
		for _, during := range []struct {
			name  string
			begin func(srv *siotest.Server, c *siotest.Client, ended chan<- error)
		}{
			{"middleware", func(srv *siotest.Server, c *siotest.Client, ended chan<- error) {
				srv.Of("/x").Use(func(ctx context.Context, _ *socketio.Socket) error {
					<-ctx.Done()
					ended <- context.Cause(ctx)
					return nil
				})
				srv.Of("/x").OnConnect(func(*socketio.Socket) { ended <- errors.New("OnConnect was called") })
				c.Write(`40/x,`)
			}},
			{"OnConnect", func(srv *siotest.Server, c *siotest.Client, ended chan<- error) {
				srv.Of("/x").OnConnect(func(s *socketio.Socket) {
					<-s.Context().Done()
					ended <- context.Cause(s.Context())
				})
				c.Write(`40/x,`)
			}},
			{"a handler", func(srv *siotest.Server, c *siotest.Client, ended chan<- error) {
				srv.On("wait", func(ctx context.Context) {
					<-ctx.Done()
					ended <- context.Cause(ctx)
				})
				c.Write(`42["wait"]`)
			}},
			{"an attachment", func(srv *siotest.Server, c *siotest.Client, ended chan<- error) {
				s := firstOf(srv.LocalSockets())
				s.OnDisconnect(func(reason socketio.Reason) { ended <- &socketio.DisconnectError{Reason: reason} })
				c.Write(`451-["binary"]`)
			}},
			{"a question", func(srv *siotest.Server, c *siotest.Client, ended chan<- error) {
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
				siotest.OnEachTransport(t, func(t *testing.T, transport string) {
					synctest.Test(t, func(t *testing.T) {
						srv := siotest.ServeInMemory(t, nil)
						c, _ := srv.JoinSocket(t, transport)
						ended := make(chan error, 10)
						during.begin(srv, c, ended)
						synctest.Wait()
						go func() {
							for {
								if _, err := c.Next(); err != nil {
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
						siotest.WantEqual(t, "more ends", len(ended), 0)
						st := srv.Stats()
						siotest.WantEqual(t, "what is left", fmt.Sprint(st.Connections, st.Sockets, st.Rooms, st.QueuedBytes), "0 0 0 0")
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
