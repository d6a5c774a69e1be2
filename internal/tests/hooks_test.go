package tests_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/socketio-go/socketio"
	"github.com/socketio-go/socketio/internal/bubble"
	"github.com/socketio-go/socketio/internal/siotest"
)

// An observer writes down what the hooks are told, in a form to compare.
type observer struct {
	mu   sync.Mutex // guards the following
	told []string
}

func (o *observer) note(format string, args ...any) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.told = append(o.told, fmt.Sprintf(format, args...))
}

// of returns what one hook was told so far, and forgets everything.
func (o *observer) of(hook string) (told []string) {
	synctest.Wait()
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, line := range o.told {
		if rest, ok := strings.CutPrefix(line, hook+" "); ok {
			told = append(told, rest)
		}
	}
	o.told = nil
	return told
}

// where is the namespace of a socket, "-" if there is none.
func where(s *socketio.Socket) string {
	if s == nil {
		return "-"
	}
	return s.Namespace().Name()
}

func (o *observer) hooks() *socketio.Hooks {
	return &socketio.Hooks{
		Open: func(c socketio.Connection) { o.note("open %s %d", c.Transport, c.Protocol) },
		Close: func(c socketio.Connection, reason socketio.Reason, lasted time.Duration) {
			o.note("close %s %d %s %v", c.Transport, c.Protocol, reason, lasted)
		},
		Pong: func(c socketio.Connection, rtt time.Duration) { o.note("pong %s %d %v", c.Transport, c.Protocol, rtt) },
		Connect: func(s *socketio.Socket, took time.Duration, err error) {
			o.note("connect %s %v %v", where(s), took, err)
		},
		Disconnect: func(s *socketio.Socket, reason socketio.Reason) { o.note("disconnect %s %s", where(s), reason) },
		Upgrade: func(sockets []*socketio.Socket, took time.Duration) {
			o.note("upgrade %d %s %v", len(sockets), sockets[0].Transport(), took)
		},
		PacketIn: func(s *socketio.Socket, p socketio.Packet) {
			o.note("in %s %s %q %d", where(s), p.Type, p.Event, p.Bytes)
		},
		PacketOut: func(s *socketio.Socket, p socketio.Packet, queued int64) {
			o.note("out %s %s %q %d", where(s), p.Type, p.Event, p.Bytes)
			o.note("depth %d", queued)
		},
		Drop: func(s *socketio.Socket, reason socketio.DropReason, messages int) {
			o.note("drop %s %s %d", where(s), reason, messages)
		},
		Ack: func(s *socketio.Socket, event string, took time.Duration, err error) {
			o.note("ack %s %s %v %v", where(s), event, took, err)
		},
	}
}

// specifyHooks is what hooks are told, in a bubble.
func specifyHooks(t *testing.T, behaviour string, opts socketio.Options, body func(t *testing.T, srv *siotest.Server, o *observer)) {
	t.Helper()
	t.Run(behaviour, func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			o := new(observer)
			opts.Hooks = o.hooks()
			body(t, siotest.ServeInMemory(t, &opts), o)
		})
	})
}

func wantTold(t *testing.T, o *observer, hook string, want ...string) {
	t.Helper()
	if got := o.of(hook); !slices.Equal(got, want) {
		t.Errorf("%s was told\n\t%q, want\n\t%q", hook, got, want)
	}
}

func wantStarts(t *testing.T, got []string, want ...string) {
	t.Helper()
	if !slices.EqualFunc(got, want, strings.HasPrefix) {
		t.Errorf("told\n\t%q, want what begins with\n\t%q", got, want)
	}
}

func TestHooksConnect(t *testing.T) {
	t.Parallel()
	specifyHooks(t, "how it ends, and after how long", socketio.Options{ConnectTimeout: time.Minute}, func(t *testing.T, srv *siotest.Server, o *observer) {
		enough := make(chan struct{})
		for name, mw := range map[string]socketio.Middleware{
			"/slow":    func(context.Context, *socketio.Socket) error { bubble.Sleep(time.Second); return nil },
			"/refused": func(context.Context, *socketio.Socket) error { return errors.New("no") },
			"/late":    func(context.Context, *socketio.Socket) error { <-enough; return nil },
			"/exits":   func(context.Context, *socketio.Socket) error { runtime.Goexit(); return nil },
		} {
			srv.Of(name).Use(mw)
		}
		srv.Of("/gone").OnConnect(func(*socketio.Socket) { runtime.Goexit() })
		c := srv.Open(t, siotest.WebSocket)
		c.Join("/", "")
		c.Join("/slow", "")
		c.Join("/gone", "")
		c.Write("40/refused,", "40/exits,", "40/late,")
		for range 3 {
			c.Read()
		}
		close(enough)
		got := siotest.Sorted(o.of("connect"))
		want := siotest.Sorted([]string{
			"/ 0s <nil>", "/slow 1s <nil>", "/gone 0s <nil>", "/refused 0s no",
			"/exits 0s socketio: event \"\": panic: socketio: runtime.Goexit in a function of the application", "/late 1m0s socketio: closed",
		})
		if !slices.Equal(got, want) {
			t.Errorf("told\n\t%q, want\n\t%q", got, want)
		}
	})
	specifyHooks(t, "Disconnect is told last, of those who had connected", socketio.Options{}, func(t *testing.T, srv *siotest.Server, o *observer) {
		srv.Of("/refused").Use(func(context.Context, *socketio.Socket) error { return errors.New("no") })
		srv.OnConnect(func(*socketio.Socket) { o.note("disconnect OnConnect") })
		srv.OnDisconnect(func(*socketio.Socket, socketio.Reason) { o.note("disconnect OnDisconnect") })
		c := srv.Open(t, siotest.WebSocket)
		c.Join("/", "")
		c.Write("40/refused,")
		c.Read()
		c.Write("41")
		wantTold(t, o, "disconnect", "OnConnect", "OnDisconnect", "/ client namespace disconnect")
	})
}

func TestHooksConnection(t *testing.T) {
	t.Parallel()
	for _, transport := range []string{siotest.WebSocket, siotest.Polling} {
		specifyHooks(t, "opened, and closed by the client, "+transport, socketio.Options{}, func(t *testing.T, srv *siotest.Server, o *observer) {
			c := srv.Join(t, transport)
			wantTold(t, o, "open", transport+" 4")
			srv.Advance(c, 3*time.Second)
			if transport == siotest.Polling {
				c.Write("1")
			} else {
				c.Wire.Close()
			}
			wantTold(t, o, "close", transport+" 4 transport close 3s")
		})
	}
	specifyHooks(t, "also without a socket", socketio.Options{}, func(t *testing.T, srv *siotest.Server, o *observer) {
		srv.Open(t, siotest.WebSocket).Write("4broken")
		wantTold(t, o, "close", "websocket 4 parse error 0s")
	})
	specifyHooks(t, "the round trip of a heartbeat", socketio.Options{PingInterval: time.Minute, PingTimeout: time.Minute}, func(t *testing.T, srv *siotest.Server, o *observer) {
		c := srv.Join(t, siotest.WebSocket)
		for _, rtt := range []time.Duration{250 * time.Millisecond, time.Second} {
			if ping, err := c.Wire.Read(); ping != "2" || err != nil { // Want would answer it
				t.Fatalf("read %v, %v, want a ping", ping, err)
			}
			<-bubble.After(rtt)
			c.Write("3")
			wantTold(t, o, "pong", fmt.Sprintf("websocket 4 %v", rtt))
		}
		c.Write("3") // answers nothing
		wantTold(t, o, "pong")
	})
}

func TestHooksUpgrade(t *testing.T) {
	t.Parallel()
	specifyHooks(t, "from polling to WebSocket", socketio.Options{}, func(t *testing.T, srv *siotest.Server, o *observer) {
		srv.Of("/second")
		c := srv.Open(t, siotest.Polling)
		c.Join("/", "")
		c.Join("/second", "")
		w := srv.OpenWebSocket(t, strings.Replace(c.Wire.(*siotest.PollingWire).URL, siotest.Polling, siotest.WebSocket, 1), nil)
		defer w.Close()
		for _, step := range []string{"2probe", "5"} {
			if err := w.Write(step); err != nil {
				t.Fatal(err)
			}
			bubble.Sleep(time.Second)
		}
		wantTold(t, o, "upgrade", "2 websocket 1s")
	})
}

func TestHooksPackets(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		opts    socketio.Options
		act     func(srv *siotest.Server, c *siotest.Client, s *socketio.Socket)
		in, out []string
	}{
		{"an event and its answer", socketio.Options{}, func(_ *siotest.Server, c *siotest.Client, _ *socketio.Socket) {
			c.Ask(`["echo","a"]`)
		}, []string{`/ event "echo" 17`}, []string{`/ ack "" 10`}},
		{"with attachments", socketio.Options{}, func(_ *siotest.Server, c *siotest.Client, s *socketio.Socket) {
			c.Write(`451-["x",{"_placeholder":true,"num":0}]`, []byte{1, 2, 3})
			_ = s.Emit("y", []byte{1, 2})
		}, []string{`/ event "x" 41`}, []string{`/ event "y" 40`}},
		{"an answer", socketio.Options{}, func(_ *siotest.Server, c *siotest.Client, s *socketio.Socket) {
			_ = s.Emit("q", func(socketio.Args, error) {})
			c.Read()
			c.Write("430[]")
		}, []string{`/ ack "" 4`}, []string{`/ event "q" 7`}},
		{"a broadcast and a question to all", socketio.Options{}, func(srv *siotest.Server, c *siotest.Client, _ *socketio.Socket) {
			_ = srv.Emit("b")
			_ = srv.Emit("q", func([]socketio.Reply, error) {})
		}, nil, []string{`/ event "b" 6`, `/ event "q" 19`}},
		{"joining and leaving", socketio.Options{}, func(srv *siotest.Server, c *siotest.Client, s *socketio.Socket) {
			srv.Of("/x")
			srv.Of("/no").Use(func(context.Context, *socketio.Socket) error { return socketio.Errorf("no") })
			c.Join("/x", "")
			c.Write("40/nowhere,", "40/no,", "41/x,")
			synctest.Wait()
			_ = s.Disconnect()
		}, []string{`- connect "" 4`, `- connect "" 10`, `- connect "" 5`, `/x disconnect "" 4`}, []string{
			`/x connect "" 34`, `- connect_error "" 41`, `- connect_error "" 21`, `/ disconnect "" 1`,
		}},
		{"joining one namespace too many", socketio.Options{MaxNamespaces: 1}, func(srv *siotest.Server, c *siotest.Client, _ *socketio.Socket) {
			srv.Of("/x")
			c.Write("40/x,")
		}, []string{`- connect "" 4`}, []string{`- connect_error "" 37`}},
		{"disconnected while it is connecting", socketio.Options{}, func(srv *siotest.Server, c *siotest.Client, _ *socketio.Socket) {
			srv.Of("/x").Use(func(_ context.Context, s *socketio.Socket) error { return s.Disconnect() })
			c.Write("40/x,")
		}, []string{`- connect "" 4`}, []string{`- connect_error "" 36`}},
	} {
		specifyHooks(t, test.name, test.opts, func(t *testing.T, srv *siotest.Server, o *observer) {
			c, s := srv.JoinSocket(t, siotest.WebSocket)
			_ = o.of("")
			test.act(srv, c, s)
			synctest.Wait()
			o.mu.Lock()
			told := slices.Clone(o.told)
			o.mu.Unlock()
			wantTold(t, o, "in", test.in...)
			o.told = told
			wantTold(t, o, "out", test.out...)
		})
	}
	specifyHooks(t, "how much waits", socketio.Options{}, func(t *testing.T, srv *siotest.Server, o *observer) {
		c, s := srv.JoinSocket(t, siotest.WebSocket)
		_ = o.of("")
		c.MemConn().In().SetCapacity(0)
		for range 2 {
			_ = s.Emit("e")
		}
		wantTold(t, o, "depth", "88", "176") // a frame of 9 bytes takes 16, and its message 72
	})
	for _, volatile := range []bool{false, true} {
		specifyHooks(t, fmt.Sprint("with recovery, volatile ", volatile), socketio.Options{Recovery: new(socketio.Recovery)}, func(t *testing.T, srv *siotest.Server, o *observer) {
			r := srv.JoinRecovering(t, siotest.WebSocket)
			s := r.Socket()
			_ = o.of("")
			e := srv.To(r.ID)
			if volatile {
				e = e.Volatile()
				r.MemConn().In().SetCapacity(0)
				_ = s.Emit("first")
			}
			_ = e.Emit("e", 1)
			synctest.Wait()
			_ = s.Volatile().Emit("s", 1)
			synctest.Wait()
			if volatile {
				wantTold(t, o, "drop", "/ volatile 1", "/ volatile 1")
				return
			}
			wantStarts(t, o.of("out"), `/ event "e" `, `/ event "s" 8`) // an offset may have more digits or fewer
			r.WantEvents("e 1", "s 1")
			r.Disconnect()
			_ = e.Emit("missed")
			_ = o.of("")
			r.WantMissed("missed")
			wantStarts(t, o.of("out"), `/ event "missed" `, "/ connect ")
		})
	}
}

func TestHooksDrop(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		act  func(srv *siotest.Server, s *socketio.Socket)
		want []string
	}{
		{"volatile", func(_ *siotest.Server, s *socketio.Socket) {
			_ = s.Emit("a")
			_ = s.Volatile().Emit("b")
		}, []string{"/ volatile 1"}},
		{"slow", func(_ *siotest.Server, s *socketio.Socket) {
			for range 10 {
				_ = s.Emit("e", strings.Repeat("x", 400))
			}
		}, []string{"- slow 3"}},
		{"closed", func(srv *siotest.Server, s *socketio.Socket) {
			for range 2 {
				_ = s.Emit("a")
			}
			_ = srv.Close()
		}, []string{"- closed 2"}},
	} {
		specifyHooks(t, test.name, socketio.Options{MaxQueue: 1000}, func(t *testing.T, srv *siotest.Server, o *observer) {
			c, s := srv.JoinSocket(t, siotest.WebSocket)
			synctest.Wait()
			c.MemConn().In().SetCapacity(0)
			test.act(srv, s)
			wantTold(t, o, "drop", test.want...)
		})
	}
}

func TestHooksAck(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		act  func(t *testing.T, srv *siotest.Server, c *siotest.Client, s *socketio.Socket)
		want string
	}{
		{"awaited", func(t *testing.T, _ *siotest.Server, c *siotest.Client, s *socketio.Socket) {
			time.AfterFunc(time.Second, func() { c.Write("430[]") })
			_, _ = s.EmitWithAck(t.Context(), "q")
		}, "/ q 1s <nil>"},
		{"not awaited any more", func(t *testing.T, _ *siotest.Server, _ *siotest.Client, s *socketio.Socket) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			_, _ = s.EmitWithAck(ctx, "q")
		}, "/ q 1s context deadline exceeded"},
		{"for a function", func(_ *testing.T, _ *siotest.Server, c *siotest.Client, s *socketio.Socket) {
			_ = s.Emit("q", func(socketio.Args, error) {})
			bubble.Sleep(time.Second)
			c.Write("430[]")
		}, "/ q 1s <nil>"},
		{"for a function, too late", func(_ *testing.T, _ *siotest.Server, _ *siotest.Client, s *socketio.Socket) {
			_ = s.Emit("q", func(socketio.Args, error) {})
			bubble.Sleep(3 * time.Second)
		}, "/ q 2s context deadline exceeded"},
		{"of who leaves", func(_ *testing.T, _ *siotest.Server, _ *siotest.Client, s *socketio.Socket) {
			_ = s.Emit("q", func(socketio.Args, error) {})
			_ = s.Disconnect()
		}, "/ q 0s socketio: closed"},
		{"of all", func(t *testing.T, srv *siotest.Server, c *siotest.Client, _ *socketio.Socket) {
			time.AfterFunc(time.Second, func() { c.Write("431099511627777[]") })
			_, _ = srv.EmitWithAck(t.Context(), "q")
		}, "/ q 1s <nil>"},
		{"of all, too late", func(t *testing.T, srv *siotest.Server, _ *siotest.Client, _ *socketio.Socket) {
			_, _ = srv.EmitWithAck(t.Context(), "q")
		}, "/ q 2s context deadline exceeded"},
	} {
		specifyHooks(t, test.name, socketio.Options{AckTimeout: 2 * time.Second}, func(t *testing.T, srv *siotest.Server, o *observer) {
			c, s := srv.JoinSocket(t, siotest.WebSocket)
			test.act(t, srv, c, s)
			wantTold(t, o, "ack", test.want)
		})
	}
}

// A hook that panics is reported, and costs nothing else.
func TestHooksThatPanic(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := siotest.ServeInMemory(t, &socketio.Options{Hooks: &socketio.Hooks{
			Connect:    func(*socketio.Socket, time.Duration, error) { panic("connect") },
			Disconnect: func(*socketio.Socket, socketio.Reason) { panic("disconnect") },
			PacketIn:   func(*socketio.Socket, socketio.Packet) { panic("in") },
			PacketOut:  func(*socketio.Socket, socketio.Packet, int64) { panic("out") },
			Drop:       func(*socketio.Socket, socketio.DropReason, int) { panic("drop") },
			Ack:        func(*socketio.Socket, string, time.Duration, error) { panic("ack") },
		}})
		c, s := srv.JoinSocket(t, siotest.WebSocket)
		siotest.WantEqual(t, "the answer", c.Ask(`["echo","a"]`), `["a"]`)
		_ = s.Emit("q", func(socketio.Args, error) {})
		c.Want(`420["q"]`)
		c.Write("430[]")
		synctest.Wait()
		c.MemConn().In().SetCapacity(0)
		_ = s.Emit("a")
		_ = s.Volatile().Emit("b")
		synctest.Wait()
		c.MemConn().Cut()
		synctest.Wait()
		seen := make(map[any]bool)
		for range srv.Stats().Panics {
			seen[siotest.WantError[*socketio.PanicError](t, srv).Value] = true
		}
		for _, hook := range []string{"connect", "disconnect", "in", "out", "drop", "ack"} {
			if !seen[hook] {
				t.Errorf("the panic of %s was not reported", hook)
			}
		}
	})
}
