package engine_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/socketio-go/socketio/internal/engine"
)

// What concerns the operating system's sockets runs on real ones, and so on
// the real clock.

func listenTCP(tb testing.TB) net.Listener {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	return l
}

// A tap is a listener that lets a test have the server's connections.
type tap struct {
	net.Listener
	accepted func(*net.TCPConn) net.Conn
}

func (l tap) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return l.accepted(c.(*net.TCPConn)), nil
}

func tapped(accepted func(*net.TCPConn) net.Conn) func(testing.TB) net.Listener {
	return func(tb testing.TB) net.Listener {
		tb.Helper()
		return tap{listenTCP(tb), accepted}
	}
}

// narrow makes the network hold little, but more than one segment, of which the
// loopback interface has 64 kB: else it gets very slow.
func narrow(c *net.TCPConn) net.Conn {
	c.SetReadBuffer(256 << 10)
	c.SetWriteBuffer(256 << 10)
	return c
}

func onTCP(t *testing.T, behaviour string, s setup, body func(t *testing.T, h *harness)) {
	t.Helper()
	t.Run(behaviour, func(t *testing.T) {
		t.Parallel()
		if s.listen == nil {
			s.listen = listenTCP
		}
		h := start(t, s)
		defer h.stop()
		body(t, h)
	})
}

// wantEnded waits for the end of a session.
func (a *app) wantEnded(want engine.Reason) {
	a.h.Helper()
	<-a.ended
	if got := a.reasons(); !slices.Equal(got, []engine.Reason{want}) {
		a.h.Errorf("closed: %q, want once: %q", got, want)
	}
}

func echo(a *app, turn *engine.Turn, data string, _ bool) {
	if turn != nil {
		turn.Begin()
		defer turn.End()
	}
	a.send(data)
}

func TestTCP(t *testing.T) {
	t.Parallel()
	onTCP(t, "echo", setup{receive: echo}, func(_ *testing.T, h *harness) {
		ws := h.ws()
		ws.write(strings.Repeat(rawFrame(final|text, "4a"), 200))
		for range 200 {
			ws.want("4a")
		}
		p := h.poll()
		p.post("4b")
		p.wantGet("4b")
		ws = p.candidate()
		ws.send("2probe")
		ws.want("3probe")
		ws.send("5")
		ws.send("4c")
		ws.want("4c")
		ws.app.Close(engine.ForcedClose)
		ws.wantClose(1005, time.Minute)
	})
	onTCP(t, "echo over a Unix socket", setup{receive: echo, listen: func(tb testing.TB) net.Listener {
		tb.Helper()
		l, err := net.Listen("unix", filepath.Join(tb.TempDir(), "s"))
		if err != nil {
			tb.Fatal(err)
		}
		return l
	}}, func(t *testing.T, h *harness) {
		ws := h.ws()
		ws.send("4a")
		ws.want("4a")
		ws.Close()
		ws.app.wantEnded(engine.TransportClose)
	})

	var server *net.TCPConn
	onTCP(t, "a write that fails in the reader's turn", setup{
		listen: tapped(func(c *net.TCPConn) net.Conn { server = c; return c }),
		receive: func(a *app, turn *engine.Turn, data string, _ bool) {
			server.CloseWrite()
			echo(a, turn, data, false)
		},
	}, func(_ *testing.T, h *harness) {
		ws := h.ws()
		ws.send("4a")
		ws.app.wantEnded(engine.TransportClose)
	})

	onTCP(t, "a client that resets the connection", setup{}, func(_ *testing.T, h *harness) {
		c := h.dial()
		ws := h.wsOn(c)
		c.(*net.TCPConn).SetLinger(0)
		c.Close()
		ws.app.wantEnded(engine.TransportClose)
	})

	var written atomic.Int64
	onTCP(t, "a connection that wraps another is not circumvented", setup{
		receive: echo,
		listen:  tapped(func(c *net.TCPConn) net.Conn { return &counter{c, &written} }),
	}, func(t *testing.T, h *harness) {
		ws := h.ws()
		before := written.Load()
		ws.send("4a")
		ws.want("4a")
		if written.Load() == before {
			t.Error("what was sent did not pass through it")
		}
	})

	onTCP(t, "sessions that end while their readers flush", setup{
		receive: echo,
		config:  func(c *engine.Config) { c.MaxHandshakes = 100 },
	}, func(t *testing.T, h *harness) {
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() {
				ws := h.ws()
				wg.Go(func() {
					for {
						if _, _, err := ws.ReadMessage(); err != nil {
							return
						}
					}
				})
				for i := range 100 {
					if ws.WriteMessage(1, []byte("4a")) != nil {
						break
					}
					if i == 50 {
						go ws.app.Discard(engine.ForcedClose)
					}
				}
				ws.app.wantEnded(engine.ForcedClose)
			})
		}
		wg.Wait()
	})
}

// A counter embeds a connection as wrappers of the field do, and so has the
// methods of one that is not wrapped.
type counter struct {
	*net.TCPConn
	written *atomic.Int64
}

func (c *counter) Write(p []byte) (int, error) {
	c.written.Add(int64(len(p)))
	return c.TCPConn.Write(p)
}

// When the network takes no more, what is left goes on in the background.
func TestFullNetwork(t *testing.T) {
	t.Parallel()
	config := func(c *engine.Config) { c.MaxQueue = 64 << 20 }
	dial := func(h *harness) *socket {
		h.Helper()
		c := h.dial()
		narrow(c.(*net.TCPConn))
		return h.wsOn(c)
	}
	onTCP(t, "nothing is lost or out of order", setup{config: config, listen: tapped(narrow)}, func(t *testing.T, h *harness) {
		ws := dial(h)
		const n = 2000
		var want []string
		for i := range n {
			want = append(want, fmt.Sprintf("4%d %s", i, strings.Repeat("x", i%4000)))
		}
		want = append(want, "4"+strings.Repeat("y", 4<<20))
		for _, message := range want {
			if err := ws.app.send(message[1:]); err != nil {
				t.Fatal(err)
			}
		}
		for i, message := range want {
			if _, got := ws.next(); got != message {
				t.Fatalf("message %d is %.20q, want %.20q", i, got, message)
			}
			if i%100 == 0 {
				ws.app.send(fmt.Sprint("late ", i/100))
			}
		}
		for i := range n/100 + 1 {
			ws.want(fmt.Sprint("4late ", i))
		}
	})
	onTCP(t, "what is queued comes before the end", setup{config: config, listen: tapped(narrow)}, func(t *testing.T, h *harness) {
		ws := dial(h)
		large := strings.Repeat("x", 4<<20)
		ws.app.send(large)
		ws.app.send("bye")
		ws.app.Close(engine.ForcedClose)
		ws.want("4"+large, "4bye")
		ws.wantClose(1005, time.Minute)
	})
	onTCP(t, "a client that never reads is slow, another is not", setup{
		listen: tapped(narrow),
		config: func(c *engine.Config) { config(c); c.WriteTimeout = 500 * time.Millisecond },
	}, func(t *testing.T, h *harness) {
		healthy := h.ws()
		ws := dial(h)
		if err := ws.app.send(strings.Repeat("x", 16<<20)); err != nil {
			t.Fatal(err)
		}
		healthy.app.send("a")
		healthy.want("4a")
		ws.app.wantEnded(engine.SlowClient)
		if err := ws.app.send("b"); !errors.Is(err, engine.ErrClosed) || h.Slow() != 1 {
			t.Errorf("%v, %d slow clients", err, h.Slow())
		}
		healthy.app.send("b")
		healthy.want("4b")
	})
	var receiver *app
	onTCP(t, "a client that reads is not taken for slow, whatever the messages of one read send it", setup{
		config: func(c *engine.Config) { c.MaxQueue = 1 << 20 },
		receive: func(_ *app, turn *engine.Turn, data string, _ bool) {
			turn.Begin()
			defer turn.End()
			receiver.send(data + strings.Repeat("x", 30_000))
		},
	}, func(_ *testing.T, h *harness) {
		reader := h.ws()
		receiver = reader.app
		const n = 60 // fewer than a turn handles before it flushes, and more than MaxQueue
		h.ws().write(strings.Repeat(rawFrame(final|text, "4a"), n))
		for range n {
			reader.want("4a" + strings.Repeat("x", 30_000))
		}
	})
	onTCP(t, "a client that goes meanwhile", setup{config: config, listen: tapped(narrow)}, func(t *testing.T, h *harness) {
		ws := dial(h)
		ws.app.send(strings.Repeat("x", 16<<20))
		io.CopyN(io.Discard, ws.NetConn(), 1<<16)
		ws.Close()
		ws.app.wantEnded(engine.TransportClose)
	})
}

// What a client says while others still get what it has sent them is handled
// before they have all got it.
func TestSenderIsHeard(t *testing.T) {
	t.Parallel()
	var (
		h      *harness
		conns  []*net.TCPConn // the server's, in the order in which they were accepted
		room   []*app
		sender *socket
	)
	waiting := make(chan int, 1)
	onTCP(t, "while others get what it sent", setup{
		listen: tapped(func(c *net.TCPConn) net.Conn { conns = append(conns, c); return c }),
		receive: func(_ *app, turn *engine.Turn, data string, _ bool) {
			turn.Begin()
			defer turn.End()
			if data == "meanwhile" {
				waiting <- h.Waiting()
				return
			}
			conns[0].CloseWrite() // writing to the first of them fails
			m := engine.NewMessage([]byte(data), nil)
			for _, a := range room {
				a.Send(m, false)
			}
		},
		closed: func(a *app) {
			if a == room[0] {
				sender.write(rawFrame(final|text, "4meanwhile"))
			}
		},
	}, func(t *testing.T, server *harness) {
		h = server
		workers := h.SetWorkers(0) // the reader is the only one
		var everybody []*socket
		for range 300 {
			everybody = append(everybody, h.ws())
			room = append(room, everybody[len(everybody)-1].app)
		}
		sender = h.ws()
		sender.send("4a")
		if n := <-waiting; n == 0 {
			t.Error("everybody had been seen to before it was handled")
		}
		for _, ws := range everybody[1:] {
			ws.want("4a")
		}
		h.SetWorkers(workers)
	})
}

// A deadline must bound the write that it was set for, and no later one.
func TestWriteDeadlineDoesNotStay(t *testing.T) {
	t.Parallel()
	config := func(c *engine.Config) {
		c.WriteTimeout = time.Second
		c.PingInterval = 1200 * time.Millisecond
		c.PingTimeout = time.Minute
		c.MaxQueue = 64 << 20
	}
	// later waits for two pings: more than WriteTimeout lies between them.
	later := func(ws *socket) {
		for range 2 {
			ws.want("2")
			ws.send("3")
		}
	}
	onTCP(t, "after an upgrade", setup{config: config}, func(_ *testing.T, h *harness) {
		p := h.poll()
		ws := p.candidate()
		ws.send("2probe")
		ws.want("3probe")
		ws.send("5")
		later(ws)
	})
	onTCP(t, "after a message that had to wait", setup{config: config, listen: tapped(narrow)}, func(_ *testing.T, h *harness) {
		c := h.dial()
		narrow(c.(*net.TCPConn))
		ws := h.wsOn(c)
		large := strings.Repeat("x", 4<<20)
		ws.app.send(large)
		ws.want("4" + large)
		later(ws)
	})
}

// certificate returns a new one that nobody has signed.
func certificate(tb testing.TB) tls.Certificate {
	tb.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		tb.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}
