package engine_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"

	"github.com/socketio-go/socketio/internal/engine"
	"github.com/socketio-go/socketio/internal/memnet"
)

// balanced reports whether every message is accounted for.
func balanced(c engine.Counts) bool {
	return c.Emitted == c.Written+c.Pending+c.Volatile+c.Slow+c.Closed
}

// wantBalance fails the test unless every message is accounted for. It need not
// be quiet.
func (h *harness) wantBalance() engine.Counts {
	h.Helper()
	c, _ := h.Counts(func(engine.Receiver) {})
	if !balanced(c) {
		h.Errorf("not in balance: %+v", c)
	}
	return c
}

// wantCounts compares what has become of messages.
func (h *harness) wantCounts(want engine.Counts) {
	h.Helper()
	synctest.Wait()
	got := h.wantBalance()
	got = messagesOf(got)
	if got != want {
		h.Errorf("counted %+v, want %+v", got, want)
	}
}

// messagesOf returns the counts of messages only.
func messagesOf(c engine.Counts) engine.Counts {
	return engine.Counts{Emitted: c.Emitted, Written: c.Written, Pending: c.Pending, Volatile: c.Volatile, Slow: c.Slow, Closed: c.Closed}
}

func TestCounts(t *testing.T) {
	t.Parallel()
	specify(t, "written, websocket", setup{}, func(h *harness) {
		ws := h.ws()
		for range 3 {
			ws.app.Send(mixed(), false)
		}
		h.wantCounts(engine.Counts{Emitted: 3, Written: 3})
	})
	specify(t, "written, polling", setup{}, func(h *harness) {
		p := h.poll()
		for range 3 {
			p.app.Send(mixed(), false)
		}
		h.wantCounts(engine.Counts{Emitted: 3, Pending: 3})
		p.get()
		h.wantCounts(engine.Counts{Emitted: 3, Written: 3})
	})
	specify(t, "a broadcast counts once for each", setup{}, func(h *harness) {
		h.ws()
		h.poll()
		m := mixed()
		for _, s := range h.Sessions() {
			s.Send(m, false)
		}
		h.wantCounts(engine.Counts{Emitted: 2, Written: 1, Pending: 1})
	})
	specify(t, "raw messages too", setup{}, func(h *harness) {
		ws := h.ws()
		ws.app.Send(engine.NewRawMessage([]byte("a"), true), false)
		ws.app.Send(engine.NewRawMessage([]byte("a"), false), false)
		h.wantCounts(engine.Counts{Emitted: 2, Written: 2})
	})
	specify(t, "compressed", setup{config: compressing, deflates: true}, func(h *harness) {
		ws := h.ws()
		ws.app.send(strings.Repeat("x", 3000))
		h.wantCounts(engine.Counts{Emitted: 1, Written: 1})
	})
	specify(t, "not what the engine sends of its own", v3, func(h *harness) {
		old, p, ws := h.wsV3(""), h.poll(), h.ws()
		old.send("2")
		old.want("3")
		pass(pingInterval)
		p.wantGet("2")
		p.upgrade()
		ws.want("2")
		_ = ws.WriteControl(websocket.PingMessage, nil, time.Time{})
		for _, a := range h.all() {
			a.Close(engine.ForcedClose)
		}
		ws.wantClose(1005, 0)
		h.wantCounts(engine.Counts{})
	})
	specify(t, "while a write waits for the network", setup{}, func(h *harness) {
		ws := h.ws()
		ws.mem().In().SetCapacity(0)
		ws.app.send("a")
		synctest.Wait()
		ws.app.send("b")
		h.wantCounts(engine.Counts{Emitted: 2, Pending: 2})
		ws.mem().In().SetCapacity(1000)
		ws.want("4a", "4b")
		h.wantCounts(engine.Counts{Emitted: 2, Written: 2})
	})
	specify(t, "across an upgrade", setup{}, func(h *harness) {
		p := h.poll()
		ws := p.candidate()
		ws.send("2probe")
		ws.want("3probe")
		p.app.send("a")
		h.wantCounts(engine.Counts{Emitted: 1, Pending: 1})
		ws.send("5")
		ws.want("4a")
		h.wantCounts(engine.Counts{Emitted: 1, Written: 1})
	})
	specify(t, "volatile, websocket", setup{}, func(h *harness) {
		ws := h.ws()
		ws.mem().In().SetCapacity(0)
		ws.app.send("a")
		if err := ws.app.sendVolatile("b"); err != engine.ErrDropped {
			h.Error(err)
		}
		h.wantCounts(engine.Counts{Emitted: 2, Pending: 1, Volatile: 1})
		ws.mem().In().SetCapacity(1000)
		h.wantCounts(engine.Counts{Emitted: 2, Written: 1, Volatile: 1})
		if err := ws.app.sendVolatile("c"); err != nil {
			h.Error(err)
		}
		h.wantCounts(engine.Counts{Emitted: 3, Written: 2, Volatile: 1})
	})
	specify(t, "volatile, polling", setup{}, func(h *harness) {
		p := h.poll()
		p.app.sendVolatile("a")
		h.wantCounts(engine.Counts{Emitted: 1, Volatile: 1})
		poll := p.wait()
		p.app.sendVolatile("b")
		p.want(<-poll, 200, "4b")
		h.wantCounts(engine.Counts{Emitted: 2, Written: 1, Volatile: 1})
	})

	large := strings.Repeat("x", maxQueue/3)
	specify(t, "slow, websocket", setup{}, func(h *harness) {
		ws := h.ws()
		ws.app.send("a")
		synctest.Wait()
		ws.mem().In().SetCapacity(0)
		for range 4 { // one on its way, one queued, one too many, one for a session that has ended
			ws.app.send(large)
			synctest.Wait()
		}
		h.wantCounts(engine.Counts{Emitted: 4, Written: 1, Slow: 3})
	})
	specify(t, "slow, polling", setup{}, func(h *harness) {
		p := h.poll()
		for range 4 {
			p.app.send(large)
		}
		h.wantCounts(engine.Counts{Emitted: 3, Slow: 3})
		p.wantGet("1")
	})
	specify(t, "slow, by the time that a write takes", setup{}, func(h *harness) {
		ws := h.ws()
		ws.mem().In().SetCapacity(4)
		ws.app.send("a")
		ws.app.send("b")
		synctest.Wait()
		ws.app.send("c")
		pass(writeTimeout)
		ws.app.wantClosed(engine.SlowClient)
		h.wantCounts(engine.Counts{Emitted: 3, Written: 1, Slow: 2})
	})

	overEach(t, "not what is sent to a session that has ended", setup{}, func(h *harness, c client) {
		c.app.Close(engine.ForcedClose)
		if err := c.app.send("a"); err != engine.ErrClosed {
			h.Error(err)
		}
		h.wantCounts(engine.Counts{})
	})
	specify(t, "closed, discarded", setup{}, func(h *harness) {
		p, ws := h.poll(), h.ws()
		ws.mem().In().SetCapacity(0)
		for _, a := range []*app{p.app, ws.app} {
			a.send("a")
			synctest.Wait()
			a.send("b")
			a.Discard(engine.ForcedClose)
		}
		h.wantCounts(engine.Counts{Emitted: 4, Closed: 4})
	})
	specify(t, "closed, and what was queued is still fetched", setup{}, func(h *harness) {
		p, ws := h.poll(), h.ws()
		for _, a := range []*app{p.app, ws.app} {
			a.send("a")
			a.Close(engine.ForcedClose)
		}
		p.wantGet("4a")
		h.wantCounts(engine.Counts{Emitted: 2, Written: 2})
	})
	specify(t, "closed, and what was queued is not fetched in time", setup{}, func(h *harness) {
		p, ws := h.poll(), h.ws()
		ws.mem().In().SetCapacity(0)
		for _, a := range []*app{p.app, ws.app} {
			a.send("a")
			synctest.Wait()
			a.send("b")
			a.Close(engine.ForcedClose)
		}
		h.wantCounts(engine.Counts{Emitted: 4, Pending: 4})
		pass(writeTimeout)
		h.wantCounts(engine.Counts{Emitted: 4, Closed: 4})
	})
	specify(t, "closed by the client, polling", setup{}, func(h *harness) {
		p := h.poll()
		p.app.send("a")
		p.post("1")
		h.wantCounts(engine.Counts{Emitted: 1, Closed: 1})
		p.wantGet("6")
	})
	specify(t, "closed, as no heartbeat was answered", setup{}, func(h *harness) {
		p := h.poll()
		p.app.send("a")
		pass(pingInterval + pingTimeout)
		h.wantCounts(engine.Counts{Emitted: 1, Closed: 1})
	})
	specify(t, "closed, with a response that could not be written", setup{}, func(h *harness) {
		var conns []*memnet.Conn
		h.dialled = func(c *memnet.Conn) { conns = append(conns, c) }
		p := h.poll()
		conns[0].In().SetCapacity(10)
		conns[0].In().Freeze()
		p.app.send("a")
		p.app.send("b")
		poll := p.wait()
		h.wantCounts(engine.Counts{Emitted: 2, Pending: 2})
		conns[0].Cut()
		conns[0].In().Thaw()
		<-poll
		h.wantCounts(engine.Counts{Emitted: 2, Closed: 2})
	})
	specify(t, "closed, before its receiver is known", setup{opened: func(a *app) {
		a.send("a")
		a.Discard(engine.ForcedClose)
	}}, func(h *harness) {
		h.poll()
		h.wantCounts(engine.Counts{Emitted: 1, Closed: 1}) // and stop sees that somebody was told
	})
}

// A write that fails has taken whole messages, and a part of one.
func TestCountsOfCutWrites(t *testing.T) {
	t.Parallel()
	const unbounded = 1 << 20
	var messages []*engine.Message
	for _, size := range []int{0, 30, 9 << 10, 5, 20, 70 << 10, 1} {
		messages = append(messages, engine.NewMessage(bytes.Repeat([]byte("ab"), size/2), [][]byte{make([]byte, size/2)}))
	}
	for _, test := range []struct {
		name string
		setup
		query string
	}{
		{"plain", setup{}, "EIO=4"},
		{"compressed", setup{config: compressing, deflates: true}, "EIO=4"},
		{"Engine.IO 3", v3, "EIO=3"},
		{"Engine.IO 3 with base64", v3, "EIO=3&b64=1"},
	} {
		configure := test.config
		test.config = func(c *engine.Config) {
			if configure != nil {
				configure(c)
			}
			c.MaxQueue = unbounded
		}
		open := func(h *harness) (*socket, *memnet.Stream) {
			ws, _ := h.dialWebSocket(nil, test.query+"&transport=websocket")
			_, packet := ws.next()
			ws.app = h.await(h.parseOpen(packet).SID)
			synctest.Wait()
			return ws, ws.mem().In()
		}
		var ends []int64 // of the messages, in bytes
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				h := start(t, test.setup)
				defer h.stop()
				ws, in := open(h)
				in.SetCapacity(unbounded)
				begin := in.Sent()
				for _, m := range messages {
					ws.app.Send(m, false)
					synctest.Wait()
					ends = append(ends, in.Sent()-begin)
				}
			})
			for _, end := range ends {
				for _, n := range []int64{end - 1, end, end + 1} {
					synctest.Test(t, func(t *testing.T) {
						h := start(t, test.setup)
						defer h.stop()
						ws, in := open(h)
						in.SetCapacity(0)
						for _, m := range messages {
							ws.app.Send(m, false)
						}
						synctest.Wait()
						in.At(in.Sent()+n, ws.mem().Cut)
						in.SetCapacity(unbounded)
						written := uint64(0)
						for _, end := range ends {
							if end <= n {
								written++
							}
						}
						total := uint64(len(messages))
						if n > ends[total-1] {
							return
						}
						h.wantCounts(engine.Counts{Emitted: total, Written: written, Closed: total - written})
					})
				}
			}
		})
	}
}

// Clients of all kinds are sent messages while their connections fail. Whenever
// it is quiet every message is accounted for, as it is, at any time, by a
// snapshot.
func TestCountsOfRandomSchedules(t *testing.T) {
	t.Parallel()
	for part := range uint64(4) {
		t.Run(fmt.Sprint(part), func(t *testing.T) {
			t.Parallel()
			for seed := range uint64(40) {
				synctest.Test(t, func(t *testing.T) { newSchedule(t, part<<32|seed).run() })
				if t.Failed() {
					t.Fatalf("with seed %d of part %d", seed, part)
				}
			}
		})
	}
}

// A schedule is a random sequence of what can happen to sessions.
type schedule struct {
	*harness
	rand    *rand.Rand
	clients []*counted

	connsMu sync.Mutex // guards the following
	conns   []*memnet.Conn
}

// A counted is a client that counts what it gets, and what it was sent.
type counted struct {
	h       *harness
	app     *app
	poller  *poller     // nil if it began with a WebSocket
	polling atomic.Bool // a poll waits
	moved   bool        // it has tried a WebSocket

	queued, dropped, slow atomic.Uint64 // by what Send returned
	got                   atomic.Uint64
}

func newSchedule(t *testing.T, seed uint64) *schedule {
	s := &schedule{rand: rand.New(rand.NewPCG(seed, 1))}
	s.harness = start(t, setup{dialled: func(c *memnet.Conn) {
		s.connsMu.Lock()
		defer s.connsMu.Unlock()
		s.conns = append(s.conns, c)
	}})
	return s
}

// dialledSoFar returns the connections there have been.
func (s *schedule) dialledSoFar() []*memnet.Conn {
	s.connsMu.Lock()
	defer s.connsMu.Unlock()
	return slices.Clone(s.conns)
}

func (s *schedule) run() {
	defer s.stop()
	for range 2 {
		p := s.poll()
		s.clients = append(s.clients, &counted{h: s.harness, app: p.app, poller: p})
		ws := s.ws()
		c := &counted{h: s.harness, app: ws.app}
		s.clients = append(s.clients, c)
		go c.read(ws) // ends with the connection, which is cut at the end
	}
	for range 80 {
		s.step()
		if s.rand.IntN(3) == 0 {
			s.check()
		} else {
			s.wantBalance()
		}
	}
	for _, c := range s.dialledSoFar() {
		c.Cut()
		c.Thaw()
	}
	s.check()
}

func (s *schedule) step() {
	c := s.clients[s.rand.IntN(len(s.clients))]
	conns := s.dialledSoFar()
	conn := conns[s.rand.IntN(len(conns))]
	switch n := s.rand.IntN(100); {
	case n < 25:
		c.send(s.message(), s.rand.IntN(3) == 0)
	case n < 35: // many, at the same time
		m := s.message()
		var wg sync.WaitGroup
		for _, c := range s.clients {
			wg.Go(func() {
				for i := range 5 {
					c.send(m, i == 3)
				}
			})
		}
		wg.Wait()
	case n < 60:
		c.poll()
	case n < 66:
		c.upgrade()
	case n < 71:
		conn.Freeze()
	case n < 79:
		conn.Thaw()
		conn.In().SetCapacity(memnet.DefaultCapacity)
	case n < 85:
		conn.In().SetCapacity(s.rand.IntN(200))
	case n < 87:
		conn.In().At(conn.In().Sent()+s.rand.Int64N(300), conn.Cut)
	case n < 88:
		c.app.Close(engine.ForcedClose)
	case n < 89:
		c.app.Discard(engine.ForcedClose)
	default:
		pass(time.Duration(s.rand.IntN(8000)) * time.Millisecond)
	}
}

func (s *schedule) message() *engine.Message {
	text := bytes.Repeat([]byte("x"), 1<<s.rand.IntN(11))
	attachments := [][]byte{text}[:s.rand.IntN(2)]
	if len(attachments) > 0 {
		text = append([]byte(andMore), text...)
	}
	return engine.NewMessage(text, attachments)
}

// andMore begins a text that has an attachment.
const andMore = "a"

// check compares the server's accounts with those of the test.
func (s *schedule) check() {
	synctest.Wait()
	total := s.wantBalance()
	var sum engine.Counts
	for _, c := range s.clients {
		got := c.app.SessionCounts()
		queued, dropped, slow := c.queued.Load(), c.dropped.Load(), c.slow.Load()
		switch {
		case !balanced(got):
			s.Errorf("not in balance: %+v", got)
		case got.Emitted != queued+dropped+slow || got.Volatile != dropped || got.Slow < slow:
			s.Errorf("counted %+v, of %d queued, %d dropped and %d too many", got, queued, dropped, slow)
		case got.Written+got.Pending < c.got.Load(): // what is being written is pending to its end
			s.Errorf("counted %+v, but %d have arrived", got, c.got.Load())
		case got.Pending == 0 && c.app.Queued() > 0 && len(c.app.reasons()) == 0 && c.app.heartbeats() == 0:
			s.Errorf("counted %+v with %d bytes queued", got, c.app.Queued())
		}
		sum.Emitted += got.Emitted
		sum.Written += got.Written
		sum.Pending += got.Pending
		sum.Volatile += got.Volatile
		sum.Slow += got.Slow
		sum.Closed += got.Closed
	}
	total = messagesOf(total)
	if total != sum {
		s.Errorf("the server has counted %+v, its sessions %+v", total, sum)
	}
}

func (c *counted) send(m *engine.Message, volatile bool) {
	switch c.app.Send(m, volatile) {
	case nil:
		c.queued.Add(1)
	case engine.ErrDropped:
		c.dropped.Add(1)
	case engine.ErrSlow:
		c.slow.Add(1)
	}
}

// read reads a WebSocket and answers heartbeats.
func (c *counted) read(ws *socket) {
	for {
		kind, packet, err := ws.ReadMessage()
		if err != nil {
			return
		}
		switch {
		case kind == websocket.BinaryMessage || packet[0] == '4' && string(packet[1:2]) != andMore:
			c.got.Add(1) // to its end
		case packet[0] == '2':
			_ = ws.WriteMessage(websocket.TextMessage, []byte("3"))
		}
	}
}

// poll polls, unless a poll waits already.
func (c *counted) poll() {
	if c.poller == nil || c.polling.Swap(true) {
		return
	}
	go func() {
		defer c.polling.Store(false)
		r := c.poller.get()
		if r.err != nil || r.status != 200 {
			return
		}
		for packet := range strings.SplitSeq(r.body, "\x1e") {
			switch {
			case packet[0] == 'b' || packet[0] == '4' && !strings.HasPrefix(packet[1:], andMore):
				c.got.Add(1) // to its end
			case packet[0] == '2':
				c.poller.post("3")
			}
		}
	}()
}

// upgrade tries a WebSocket.
func (c *counted) upgrade() {
	if c.poller == nil || c.moved {
		return
	}
	c.moved = true
	go func() {
		ws, _ := c.h.dialWebSocket(nil, "EIO=4&transport=websocket&sid="+c.poller.sid)
		if ws == nil {
			return
		}
		_ = ws.WriteMessage(websocket.TextMessage, []byte("2probe"))
		if _, got, err := ws.ReadMessage(); err != nil || string(got) != "3probe" {
			return
		}
		_ = ws.WriteMessage(websocket.TextMessage, []byte("5"))
		c.read(ws)
	}()
}
