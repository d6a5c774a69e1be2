package tests_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/socketio-go/socketio"
	"github.com/socketio-go/socketio/internal/bubble"
	"github.com/socketio-go/socketio/internal/siotest"
)

// The events of a socket are handled one at a time and in order, whether its
// handlers are quick, slow, or wait for their own client.
func TestEventsOfASocketAreHandledInOrder(t *testing.T) {
	t.Parallel()
	siotest.OnEachTransport(t, func(t *testing.T, transport string) {
		synctest.Test(t, func(t *testing.T) {
			srv := siotest.ServeInMemory(t, &socketio.Options{MaxInbox: 16})
			var running atomic.Int32
			next := make(map[string]int) // by socket; used by one handler at a time
			check := func(s *socketio.Socket, n int) {
				if running.Add(1) != 1 {
					t.Error("two handlers run at once")
				}
				switch {
				case n%97 == 0: // longer than the reader waits before another takes over
					bubble.Sleep(3 * time.Millisecond)
				case n%13 == 0:
					runtime.Gosched()
				}
				if next[s.ID()] != n {
					t.Errorf("event %d comes when %d is due", n, next[s.ID()])
				}
				next[s.ID()] = n + 1
				running.Add(-1)
			}
			srv.On("number", check)
			srv.On("binary", func(s *socketio.Socket, b []byte, n int) {
				siotest.WantEqual(t, "attachment", len(b), n%50)
				check(s, n)
			})
			c := srv.Join(t, transport)
			const n = 1000
			for i := 0; i < n; i += 10 {
				var batch []any
				for j := i; j < i+10; j++ {
					if j%3 == 0 {
						batch = append(batch, fmt.Sprintf(`451-["binary",{"_placeholder":true,"num":0},%d]`, j), make([]byte, j%50))
					} else {
						batch = append(batch, fmt.Sprintf(`42["number",%d]`, j))
					}
				}
				c.Write(batch...)
			}
			c.WantNothing()
			for _, handled := range next {
				siotest.WantEqual(t, "events handled", handled, n)
			}
		})
	})
}

// What an application does in its handlers reaches the client in that order,
// and so does what it answers.
func TestEmitsOfAHandlerKeepTheirOrder(t *testing.T) {
	t.Parallel()
	siotest.OnEachTransport(t, func(t *testing.T, transport string) {
		srv := siotest.Serve(t, nil)
		srv.On("burst", func(s *socketio.Socket, n int, ack socketio.AckFunc) {
			s.Emit("v", n, 0)
			srv.To(s.ID()).Emit("v", n, 1)
			srv.Emit("v", n, []byte{2})
			ack(n)
			s.Emit("v", n, 3)
		})
		c := srv.Join(t, transport)
		for i := range 100 {
			c.Write(fmt.Sprintf(`42%d["burst",%d]`, i, i))
		}
		for i := range 100 {
			c.Want(fmt.Sprintf(`42["v",%d,0]`, i), fmt.Sprintf(`42["v",%d,1]`, i), fmt.Sprintf(`451-["v",%d,{"_placeholder":true,"num":0}]`, i), []byte{2},
				fmt.Sprintf(`43%d[%d]`, i, i), fmt.Sprintf(`42["v",%d,3]`, i))
		}
	})
}

// A handler that blocks holds up its own socket and nothing else.
func TestHandlerThatBlocks(t *testing.T) {
	t.Parallel()
	siotest.OnEachTransport(t, func(t *testing.T, transport string) {
		synctest.Test(t, func(t *testing.T) {
			srv := siotest.ServeInMemory(t, nil)
			x := srv.Of("/x")
			x.On("echo", func(args socketio.Args) socketio.Args { return args })
			release := make(chan struct{})
			srv.On("block", func() { <-release })
			c, s := srv.JoinSocket(t, transport)
			c.Join("/x", "")
			other := srv.Join(t, transport)

			c.Write(`427["block"]`, `428["echo","later"]`)
			// Another client, another namespace, answers, and all that is sent.
			siotest.WantEqual(t, "another client", other.Ask(`["echo",1]`), `[1]`)
			c.Write(`42/x,5["echo",2]`)
			c.Want(`43/x,5[2]`)
			answers := make(chan string, 1)
			go func() {
				args, err := s.EmitWithAck(t.Context(), "q")
				answers <- fmt.Sprint(args, err)
			}()
			c.Want(`420["q"]`)
			c.Write(`430[3]`)
			siotest.WantEqual(t, "an answer", <-answers, `[3] <nil>`)
			s.Emit("v")
			c.Want(`42["v"]`)
			// Heartbeats go on as long as it takes.
			srv.Advance(c, 30*time.Minute)
			close(release)
			c.Want(`437[]`, `438["later"]`)
		})
	})
}

// When too much waits for handlers the connection is not read, until there is
// room again.
func TestInboxIsBounded(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		opts socketio.Options
		size int // of an event's argument
		room int // events that are taken: the one that is handled, those that wait, the one that finds no room
	}{
		{"in events", socketio.Options{MaxInbox: 8}, 500, 1 + 8 + 1},
		{"in bytes", socketio.Options{MaxEvent: 10_000}, 2600 - len(`event`) - len(`""0000`), 1 + 3 + 1},
		{"one event of any size fits", socketio.Options{MaxEvent: 10_000}, 9000, 1 + 1 + 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				srv := siotest.ServeInMemory(t, &tt.opts)
				release := make(chan struct{})
				var handled []int
				srv.On("event", func(_ string, n int) {
					<-release
					handled = append(handled, n)
				})
				srv.Of("/x").On("sync", func() {})
				c := srv.Join(t, siotest.WebSocket)
				c.Join("/x", "")
				c.MemConn().Out().SetCapacity(256) // of what is written the rest has been read
				var sent atomic.Int32
				done := make(chan struct{})
				const total = 40
				go func() {
					defer close(done)
					for i := range total {
						c.Write(fmt.Sprintf(`42["event","%s",%d]`, strings.Repeat("x", tt.size), 1000+i))
						sent.Add(1)
					}
					c.Write(`42/x,7["sync"]`) // other namespaces wait as well
				}()
				bubble.Sleep(time.Second)
				// Some more are in the buffers of the reader and the network.
				if n := int(sent.Load()); n < tt.room || n > tt.room+(1024+256)/tt.size {
					t.Errorf("%d events were taken, want %d", n, tt.room)
				}
				close(release)
				<-done
				c.Want(`43/x,7[]`)
				c.WantNothing()
				siotest.WantEqual(t, "events handled", len(handled), total)
				for i, n := range handled {
					siotest.WantEqual(t, "event", n, 1000+i)
				}
			})
		})
	}
}

// A client that is not read is not to blame for its silence, but its
// connection does not stay for ever.
func TestHandlerThatNeverReturns(t *testing.T) {
	t.Parallel()
	siotest.OnEachTransport(t, func(t *testing.T, transport string) {
		synctest.Test(t, func(t *testing.T) {
			srv := siotest.ServeInMemory(t, &socketio.Options{MaxInbox: 2})
			release := make(chan struct{})
			ended := make(chan time.Time, 10)
			srv.On("block", func(ctx context.Context) {
				<-ctx.Done()
				ended <- time.Now()
				<-release
			})
			c := srv.Open(t, transport)
			id := c.Join("/", "")
			healthy := srv.Join(t, transport)
			start := time.Now()
			go c.Wire.Write(`42["block"]`, `42["block"]`, `42["block"]`, `42["block"]`, `42["sync"]`)
			go func() {
				for {
					if _, err := c.Next(); err != nil {
						return
					}
				}
			}()
			stop := make(chan struct{})
			go func() {
				defer close(stop)
				healthy.Want(`42["bye"]`)
			}()
			if d := (<-ended).Sub(start); d < 180*time.Second || d > 181*time.Second {
				t.Errorf("closed after %v", d)
			}
			if err := <-srv.Errors; !strings.Contains(err.Error(), " is stuck since ") {
				t.Errorf("OnError was told %v", err)
			}
			close(release)
			srv.WantDisconnect(t, id, socketio.ReasonPingTimeout)
			srv.Emit("bye")
			<-stop
			siotest.WantEqual(t, "more reports", len(srv.Errors), 0)
		})
	})
}

func TestNamespacesOfAConnectionAreIndependent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := siotest.ServeInMemory(t, nil)
		names := []string{"/a", "/b", "/c"}
		seen := make(map[string]*int)
		for _, name := range names {
			next := new(int)
			seen[name] = next
			srv.Of(name).On("number", func(n int) {
				if *next != n {
					t.Errorf("%s: event %d comes when %d is due", name, n, *next)
				}
				*next++
				if n%50 == 0 {
					bubble.Sleep(2 * time.Millisecond)
				}
			})
			srv.Of(name).On("sync", func() {})
		}
		c := srv.Open(t, siotest.WebSocket)
		for _, name := range names {
			c.Join(name, "")
		}
		const n = 300
		for i := range n {
			for _, name := range names {
				c.Write(fmt.Sprintf(`42%s,["number",%d]`, name, i))
			}
		}
		answers := make(map[string]bool)
		for _, name := range names {
			c.Write(fmt.Sprintf(`42%s,1["sync"]`, name))
		}
		for range names {
			answers[c.Read().(string)] = true
		}
		for _, name := range names {
			siotest.WantEqual(t, "answered", answers[`43`+name+`,1[]`], true)
			siotest.WantEqual(t, "events handled", *seen[name], n)
		}
	})
}

// Everything may be called from a handler.
func TestCallsFromAHandler(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		call func(srv *siotest.Server, s *socketio.Socket) error
		ends bool // the socket
	}{
		{"Join and Leave", func(_ *siotest.Server, s *socketio.Socket) error { s.Leave("a"); return s.Join("b") }, false},
		{"Emit", func(srv *siotest.Server, s *socketio.Socket) error { return errors.Join(s.Emit("v"), srv.Emit("v")) }, false},
		{"On and off", func(srv *siotest.Server, s *socketio.Socket) error {
			s.On("x", func() {})()
			srv.On("x", func() {})()
			return nil
		}, false},
		{"Of", func(srv *siotest.Server, _ *socketio.Socket) error {
			srv.Of("/new").OnConnect(func(*socketio.Socket) {})
			return nil
		}, false},
		{"Use", func(srv *siotest.Server, _ *socketio.Socket) error {
			srv.Use()
			srv.OnDisconnect(func(*socketio.Socket, socketio.Reason) {})
			return nil
		}, false},
		{"Stats", func(srv *siotest.Server, s *socketio.Socket) error {
			_, _, _ = srv.Stats(), s.Rooms(), s.Handshake()
			return nil
		}, false},
		{"Disconnect", func(_ *siotest.Server, s *socketio.Socket) error { return s.Disconnect() }, true},
		{"Close", func(_ *siotest.Server, s *socketio.Socket) error { return s.CloseConnection() }, true},
		{"Disconnect of all", func(srv *siotest.Server, _ *socketio.Socket) error {
			for s := range srv.LocalSockets() {
				s.Disconnect()
			}
			return nil
		}, true},
		{"Shutdown", func(srv *siotest.Server, _ *socketio.Socket) error {
			ctx, cancel := context.WithTimeout(context.Background(), time.Second) //nolint:usetesting // the test's has not ended
			defer cancel()
			if err := srv.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
				return fmt.Errorf("Shutdown: %w", err)
			}
			return nil
		}, true},
		{"the server's Close", func(srv *siotest.Server, _ *socketio.Socket) error {
			if err := srv.Close(); err == nil || !strings.HasSuffix(err.Error(), " goroutines still in handlers") {
				return fmt.Errorf("Close: %w", err)
			}
			return nil
		}, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			siotest.OnEachTransport(t, func(t *testing.T, transport string) {
				synctest.Test(t, func(t *testing.T) {
					srv := siotest.ServeInMemory(t, nil)
					results := make(chan error, 1)
					srv.On("go", func(s *socketio.Socket) { results <- tt.call(srv, s) })
					c := srv.Join(t, transport)
					go func() {
						for {
							if _, err := c.Next(); err != nil {
								return
							}
						}
					}()
					c.Write(`42["go"]`)
					if err := <-results; err != nil {
						t.Error(err)
					}
					synctest.Wait()
					siotest.WantEqual(t, "sockets left", srv.Stats().Sockets == 0, tt.ends)
				})
			})
		})
	}
}

func TestEmittingWithoutEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := siotest.ServeInMemory(t, &socketio.Options{MaxQueue: 100_000})
		result := make(chan error, 1)
		srv.On("go", func(s *socketio.Socket) {
			for {
				if err := s.Emit("v", "0123456789"); err != nil {
					result <- err
					return
				}
			}
		})
		c := srv.Open(t, siotest.WebSocket)
		id := c.Join("/", "")
		c.Write(`42["go"]`)
		if err := <-result; !errors.Is(err, socketio.ErrSlow) && !errors.Is(err, socketio.ErrClosed) {
			t.Errorf("Emit: %v", err)
		}
		srv.WantDisconnect(t, id, socketio.ReasonSlow)
		siotest.WantEqual(t, "clients counted as slow", srv.Stats().Slow, 1)
	})
}

// An empty queue takes one event of any size; two of them are too much.
func TestMaxQueue(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := siotest.ServeInMemory(t, &socketio.Options{MaxQueue: 3000})
		c, s := srv.JoinSocket(t, siotest.Polling)
		big := strings.Repeat("x", 5000)
		if err := s.Emit("v", big); err != nil {
			t.Fatal(err)
		}
		c.Want(`42["v","` + big + `"]`)
		for i := range 10 {
			if err := s.Emit("v", i, strings.Repeat("x", 80)); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.Emit("v", big); !errors.Is(err, socketio.ErrSlow) {
			t.Errorf("Emit: %v", err)
		}
		srv.WantDisconnect(t, s.ID(), socketio.ReasonSlow)
		c.WantClosed()
	})
}

// A client that does not read is cut off while a broadcast goes on; the others
// notice nothing.
func TestSlowReceiverOfABroadcast(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := siotest.ServeInMemory(t, &socketio.Options{MaxQueue: 50_000})
		slow := srv.Open(t, siotest.WebSocket)
		id := slow.Join("/", "")
		healthy := srv.Join(t, siotest.WebSocket)
		slow.MemConn().In().Freeze()
		for i := range 100 {
			if err := srv.Emit("v", i, strings.Repeat("x", 2000)); err != nil {
				t.Fatal(err)
			}
			packet := healthy.Read()
			if want := fmt.Sprintf(`42["v",%d,`, i); !strings.HasPrefix(packet.(string), want) {
				t.Fatalf("got %.20s, want %s", packet, want)
			}
		}
		srv.WantDisconnect(t, id, socketio.ReasonSlow)
		siotest.WantEqual(t, "sockets left", srv.Stats().Sockets, 1)
	})
}

// A network that takes no more for WriteTimeout ends the connection, too.
func TestWriteTimeout(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := siotest.ServeInMemory(t, &socketio.Options{WriteTimeout: 3 * time.Second})
		c, s := srv.JoinSocket(t, siotest.WebSocket)
		c.MemConn().In().SetCapacity(100)
		c.MemConn().In().Freeze()
		start := time.Now()
		s.Emit("v", strings.Repeat("x", 5000))
		srv.WantDisconnect(t, s.ID(), socketio.ReasonSlow)
		siotest.WantEqual(t, "time", time.Since(start), 3*time.Second)
	})
}

func TestMaxEvent(t *testing.T) {
	t.Parallel()
	siotest.OnEachTransport(t, func(t *testing.T, transport string) {
		srv := siotest.Serve(t, &socketio.Options{MaxEvent: 10_000, MaxPayload: 100_000})
		srv.On("size", func(bin [][]byte) int {
			n := 0
			for _, b := range bin {
				n += len(b)
			}
			return n
		})
		head := `452-7["size",[{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]]`
		c := srv.Join(t, transport)
		text := len(head) - 1
		c.Write(head, make([]byte, 5000), make([]byte, 5000-text))
		c.Want(fmt.Sprintf(`437[%d]`, 10_000-text))
		c.Write(head, make([]byte, 5000))
		c.Write(make([]byte, 5001-text))
		c.WantClosed()
		if err := siotest.Receive(t, srv.Errors); err.Error() != "socketio: event exceeds MaxEvent" {
			t.Errorf("OnError was told %v", err)
		}

		c = srv.Join(t, transport)
		siotest.WantEqual(t, "without attachments", len(c.Ask(`["echo","`+strings.Repeat("x", 9000)+`"]`)), 9004)
		c.Write(`42["echo","` + strings.Repeat("x", 10_000) + `"]`)
		c.WantClosed()
	})
}
