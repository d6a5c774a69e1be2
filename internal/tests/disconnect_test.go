package tests_test

import (
	"context"
	"errors"
	"fmt"
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

// A way is how a client that is in "/" and "/x" comes to an end.
type way struct {
	name   string
	end    func(t *testing.T, srv *siotest.Server, c *siotest.Client, s *socketio.Socket) // s is in "/"
	reason socketio.Reason
	x      socketio.Reason // in "/x"; empty if it stays there
}

var webSocketWays = []way{
	{"the client leaves", func(_ *testing.T, _ *siotest.Server, c *siotest.Client, _ *socketio.Socket) { c.Write(`41`) },
		socketio.ReasonClient, ""},
	{"Disconnect", func(_ *testing.T, _ *siotest.Server, c *siotest.Client, s *socketio.Socket) {
		s.Disconnect()
		c.Want(`41`)
	}, socketio.ReasonServer, ""},
	{"Close", func(_ *testing.T, _ *siotest.Server, c *siotest.Client, s *socketio.Socket) {
		s.Emit("last words")
		s.CloseConnection()
		c.Want(`42["last words"]`, `41`, `41/x,`)
		c.WantClosed()
	}, socketio.ReasonServer, socketio.ReasonServer},
	{"a violation", func(_ *testing.T, _ *siotest.Server, c *siotest.Client, _ *socketio.Socket) {
		c.Write(`4abc`)
		c.WantClosed()
	}, socketio.ReasonParse, socketio.ReasonParse},
	{"a packet out of place", func(_ *testing.T, _ *siotest.Server, c *siotest.Client, _ *socketio.Socket) {
		c.Write(`40/x,`)
		c.WantClosed()
	}, socketio.ReasonViolation, socketio.ReasonViolation},
	{"Shutdown", func(t *testing.T, srv *siotest.Server, c *siotest.Client, s *socketio.Socket) {
		s.Emit("last words")
		go func() {
			if err := srv.Shutdown(t.Context()); err != nil {
				t.Error(err)
			}
		}()
		c.Want(`42["last words"]`)
		c.WantClosed()
	}, socketio.ReasonShutdown, socketio.ReasonShutdown},
	{"the server's Close", func(t *testing.T, srv *siotest.Server, _ *siotest.Client, _ *socketio.Socket) {
		if err := srv.Close(); err != nil {
			t.Error(err)
		}
	}, socketio.ReasonShutdown, socketio.ReasonShutdown},
	{"a close frame", func(_ *testing.T, _ *siotest.Server, c *siotest.Client, _ *socketio.Socket) {
		c.Wire.(*siotest.WebSocketWire).WS.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(websocket.CloseGoingAway, ""), time.Now().Add(time.Second))
		_, err := c.Next()
		if !websocket.IsCloseError(errors.Unwrap(err), websocket.CloseGoingAway) && !strings.Contains(err.Error(), "1001") {
			c.T.Errorf("the close frame was answered with %v", err)
		}
	}, socketio.ReasonTransport, socketio.ReasonTransport},
	{"the client's process ends", func(_ *testing.T, _ *siotest.Server, c *siotest.Client, _ *socketio.Socket) { c.MemConn().Close() },
		socketio.ReasonTransport, socketio.ReasonTransport},
	{"the connection breaks", func(_ *testing.T, _ *siotest.Server, c *siotest.Client, _ *socketio.Socket) { c.MemConn().Cut() },
		socketio.ReasonTransport, socketio.ReasonTransport},
	{"the cable is pulled", func(_ *testing.T, _ *siotest.Server, c *siotest.Client, _ *socketio.Socket) {
		c.MemConn().Freeze()
		bubble.Sleep(25*time.Second + 20*time.Second)
	}, socketio.ReasonPingTimeout, socketio.ReasonPingTimeout},
	{"a message too big", func(_ *testing.T, _ *siotest.Server, c *siotest.Client, _ *socketio.Socket) {
		c.Write(`42["` + strings.Repeat("x", 1e6) + `"]`)
		_, err := c.Next()
		if err == nil || !strings.Contains(err.Error(), "1009") {
			c.T.Errorf("the connection ended with %v", err)
		}
	}, socketio.ReasonError, socketio.ReasonError},
	{"a client that does not read", func(_ *testing.T, _ *siotest.Server, c *siotest.Client, s *socketio.Socket) {
		c.MemConn().In().Freeze()
		var err error
		for err == nil {
			err = s.Emit("v", strings.Repeat("x", 100_000))
		}
		if !errors.Is(err, socketio.ErrSlow) {
			c.T.Errorf("Emit: %v", err)
		}
	}, socketio.ReasonSlow, socketio.ReasonSlow},
}

var pollingWays = []way{
	{"the client closes", func(_ *testing.T, _ *siotest.Server, c *siotest.Client, _ *socketio.Socket) { c.Write(`1`) },
		socketio.ReasonTransport, socketio.ReasonTransport},
	{"an aborted poll", func(_ *testing.T, _ *siotest.Server, c *siotest.Client, _ *socketio.Socket) {
		w := c.Wire.(*siotest.PollingWire)
		ctx, cancel := context.WithCancel(w.Ctx)
		w.Ctx = ctx
		go func() {
			synctest.Wait()
			cancel()
		}()
		if got, err := w.Do(http.MethodGet, nil); err == nil {
			c.T.Errorf("the poll was answered with %s", got)
		}
	}, socketio.ReasonError, socketio.ReasonError},
	{"two polls at a time", func(_ *testing.T, _ *siotest.Server, c *siotest.Client, _ *socketio.Socket) {
		go func() {
			if got, err := c.Wire.(*siotest.PollingWire).Do(http.MethodGet, nil); string(got) != "1" {
				c.T.Errorf("the first poll was answered with %s, %v", got, err)
			}
		}()
		synctest.Wait()
		if got, err := c.Wire.(*siotest.PollingWire).Do(http.MethodGet, nil); err == nil {
			c.T.Errorf("the second poll was answered with %s", got)
		}
	}, socketio.ReasonError, socketio.ReasonError},
	{"a client that polls no more", func(*testing.T, *siotest.Server, *siotest.Client, *socketio.Socket) {
		bubble.Sleep(25*time.Second + 20*time.Second)
	}, socketio.ReasonPingTimeout, socketio.ReasonPingTimeout},
	{"a client that sends garbage", func(_ *testing.T, _ *siotest.Server, c *siotest.Client, _ *socketio.Socket) { c.Write(`7`) },
		socketio.ReasonParse, socketio.ReasonParse},
	{"a client that does not read", func(_ *testing.T, _ *siotest.Server, c *siotest.Client, s *socketio.Socket) {
		var err error
		for err == nil {
			err = s.Emit("v", strings.Repeat("x", 100_000))
		}
		if !errors.Is(err, socketio.ErrSlow) {
			c.T.Errorf("Emit: %v", err)
		}
	}, socketio.ReasonSlow, socketio.ReasonSlow},
}

// However a socket ends, its end is told once, with the reason, and nothing is
// left of it.
func TestEveryWayToEnd(t *testing.T) {
	t.Parallel()
	for transport, ways := range map[string][]way{
		siotest.WebSocket: webSocketWays,
		siotest.Polling:   append(webSocketWays[:7:7], pollingWays...), // those that do not look at the transport
	} {
		for _, w := range ways {
			t.Run(transport+"/"+w.name, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) { testEnd(t, transport, w) })
			})
		}
	}
}

func testEnd(t *testing.T, transport string, w way) {
	srv := siotest.ServeInMemory(t, &socketio.Options{AckTimeout: time.Hour})
	x := srv.Of("/x")
	var mu sync.Mutex // the handlers of two namespaces run at the same time
	var log []string
	note := func(format string, args ...any) {
		mu.Lock()
		defer mu.Unlock()
		log = append(log, fmt.Sprintf(format, args...))
	}
	observe := func(n *socketio.Namespace) {
		n.OnConnect(func(s *socketio.Socket) {
			s.Join("room")
			s.OnDisconnect(func(r socketio.Reason) { note("%s own: %s", n.Name(), r) })
			s.Emit("question", func(_ socketio.Args, err error) { note("%s ack: %v", n.Name(), err) })
		})
		n.OnDisconnect(func(s *socketio.Socket, r socketio.Reason) {
			note("%s: %s", n.Name(), r)
			siotest.WantEqual(t, "rooms", strings.Join(siotest.Sorted(s.Rooms()), " "), strings.Join(siotest.Sorted([]string{s.ID(), "room"}), " "))
			siotest.WantEqual(t, "connected", s.Connected(), false)
			siotest.WantEqual(t, "found", func() bool { _, ok := n.LocalSocket(s.ID()); return ok }(), false)
			siotest.WantEqual(t, "in the room", n.Room("room").LocalLen(), 0)
			var gone *socketio.DisconnectError
			if ctx := s.Context(); ctx.Err() == nil || !errors.As(context.Cause(ctx), &gone) || gone.Reason != r || !strings.HasSuffix(gone.Error(), string(r)) {
				t.Errorf("the context's cause is %v", context.Cause(ctx))
			}
			if err := s.Emit("v"); !errors.Is(err, socketio.ErrClosed) {
				t.Errorf("Emit: %v", err)
			}
			if err := s.Join("late"); !errors.Is(err, socketio.ErrClosed) {
				t.Errorf("Join: %v", err)
			}
			if err := s.Broadcast().Emit("somebody has left"); err != nil {
				t.Errorf("telling the others: %v", err)
			}
		})
	}
	observe(srv.Of("/"))
	observe(x)
	c := srv.Open(t, transport)
	id := c.Join("/", "")
	c.Want(`420["question"]`)
	c.Join("/x", "")
	c.Want(`42/x,0["question"]`)
	s := srv.Socket(t, c, id)
	ctx := s.Context() // asked for before the end
	ended := make(chan error, 1)
	go func() {
		_, err := s.EmitWithAck(context.Background(), "another question") //nolint:usetesting // ends with the socket
		ended <- err
	}()
	c.Want(`421["another question"]`)

	w.end(t, srv, c, s)
	if err := <-ended; !errors.Is(err, socketio.ErrClosed) {
		t.Errorf("EmitWithAck: %v", err)
	}
	<-ctx.Done()
	synctest.Wait()

	want := fmt.Sprintf("/ ack: %v|/ own: %s|/: %s", socketio.ErrClosed, w.reason, w.reason)
	var root, other []string
	for _, line := range log {
		if strings.HasPrefix(line, "/x") {
			other = append(other, line)
		} else {
			root = append(root, line)
		}
	}
	siotest.WantEqual(t, "what the application saw", strings.Join(root, "|"), want)
	want = ""
	if w.x != "" {
		want = fmt.Sprintf("/x ack: %v|/x own: %s|/x: %s", socketio.ErrClosed, w.x, w.x)
	}
	siotest.WantEqual(t, "what it saw in /x", strings.Join(other, "|"), want)
	st := srv.Stats()
	if w.x == "" {
		siotest.WantEqual(t, "what is left", fmt.Sprint(st.Connections, st.Sockets, st.Rooms), "1 1 1")
		c.Write(`42/x,7["nobody"]`)
		return
	}
	siotest.WantEqual(t, "sockets and rooms left", fmt.Sprint(st.Sockets, st.Rooms), "0 0")
	// The client is given time to hear of it, then nothing is left at all.
	bubble.Sleep(10 * time.Second)
	synctest.Wait()
	siotest.WantEqual(t, "connections left", srv.Stats().Connections, 0)
	siotest.WantEqual(t, "bytes left", srv.Stats().QueuedBytes, 0)
}

func TestOnDisconnectComesAfterTheLastHandler(t *testing.T) {
	t.Parallel()
	siotest.OnEachTransport(t, func(t *testing.T, transport string) {
		synctest.Test(t, func(t *testing.T) {
			srv := siotest.ServeInMemory(t, nil)
			var log []string
			srv.On("work", func(s *socketio.Socket, n int) {
				bubble.Sleep(time.Second)
				log = append(log, fmt.Sprint(n, s.Connected()))
			})
			srv.OnDisconnect(func(*socketio.Socket, socketio.Reason) { log = append(log, "end") })
			c := srv.Join(t, transport)
			c.Write(`42["work",1]`, `42["work",2]`, `42["work",3]`, `41`)
			bubble.Sleep(time.Minute)
			synctest.Wait()
			siotest.WantEqual(t, "order", strings.Join(log, " "), "1 false 2 false 3 false end")
		})
	})
}

// A socket that the server disconnects handles no more events.
func TestDisconnectDropsWhatWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := siotest.ServeInMemory(t, nil)
		var log []string
		srv.On("kick", func(s *socketio.Socket) {
			bubble.Sleep(time.Second)
			s.Emit("kicked")
			s.Disconnect()
			log = append(log, "kick")
		})
		srv.On("work", func() { log = append(log, "work") })
		srv.OnDisconnect(func(*socketio.Socket, socketio.Reason) { log = append(log, "end") })
		c := srv.Join(t, siotest.WebSocket)
		c.Write(`42["kick"]`, `42["work"]`, `42["work"]`)
		c.Want(`42["kicked"]`, `41`)
		synctest.Wait()
		siotest.WantEqual(t, "order", strings.Join(log, " "), "kick end")
	})
}

// Of several who disconnect a socket one is told that it did.
func TestDisconnectAtOnce(t *testing.T) {
	t.Parallel()
	srv := siotest.Serve(t, nil)
	for range 20 {
		c, s := srv.JoinSocket(t, siotest.WebSocket)
		results := make(chan error, 4)
		for range cap(results) {
			go func() { results <- s.Disconnect() }()
		}
		won := 0
		for range cap(results) {
			if siotest.Receive(t, results) == nil {
				won++
			}
		}
		siotest.WantEqual(t, "disconnected", won, 1)
		c.Want(`41`) // and once only
		srv.WantDisconnect(t, s.ID(), socketio.ReasonServer)
		id := c.Join("/", "")
		srv.Socket(t, c, id).CloseConnection()
		c.Want(`41`)
		c.WantClosed()
		srv.WantDisconnect(t, id, socketio.ReasonServer)
	}
}

func TestOnDisconnectAddedTooLate(t *testing.T) {
	t.Parallel()
	srv := siotest.Serve(t, nil)
	_, s := srv.JoinSocket(t, siotest.WebSocket)
	s.Disconnect()
	srv.WantDisconnect(t, s.ID(), socketio.ReasonServer)
	s.OnDisconnect(func(socketio.Reason) { t.Error("called") })
	<-s.Context().Done() // asked for after the end
	var gone *socketio.DisconnectError
	if err := context.Cause(s.Context()); !errors.As(err, &gone) || gone.Reason != socketio.ReasonServer {
		t.Errorf("the cause is %v", err)
	}
}
