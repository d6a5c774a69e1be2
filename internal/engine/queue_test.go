package engine_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"

	"github.com/socketio-go/socketio/internal/engine"
)

func TestQueue(t *testing.T) {
	t.Parallel()
	specify(t, "keeps the order of each sender", setup{config: func(c *engine.Config) { c.MaxQueue = 1 << 20 }}, func(h *harness) {
		ws := h.ws()
		ws.mem().In().SetRate(50_000)
		const senders, messages = 5, 200
		for sender := range senders {
			go func() {
				for i := range messages {
					ws.app.Send(engine.NewMessage(fmt.Appendf(nil, "%d %d", sender, i), [][]byte{fmt.Append(nil, i)}), false)
				}
			}()
		}
		next := make([]int, senders)
		for range senders * messages {
			_, packet := ws.next()
			var sender, i int
			fmt.Sscanf(packet, "4%d %d", &sender, &i)
			if i != next[sender] {
				h.Fatalf("message %d of sender %d, want %d", i, sender, next[sender])
			}
			next[sender]++
			if kind, attachment := ws.next(); kind != websocket.BinaryMessage || attachment != fmt.Sprint(i) {
				h.Fatalf("message %d is followed by %q", i, attachment)
			}
		}
	})
	specify(t, "is written at once, whatever its length", setup{config: func(c *engine.Config) { c.MaxQueue = 1 << 20 }}, func(h *harness) {
		ws := h.ws()
		ws.mem().In().SetCapacity(0) // holds up the first write
		ws.app.send("first")
		synctest.Wait()
		before := ws.mem().In().Writes()
		for i := range 100 {
			ws.app.send(fmt.Sprint(i))
		}
		ws.mem().In().SetCapacity(1 << 20)
		ws.want("4first")
		for i := range 100 {
			ws.want(fmt.Sprint("4", i))
		}
		if n := ws.mem().In().Writes() - before; n != 1 {
			h.Errorf("100 messages went out in %d writes", n)
		}
	})
	specify(t, "is written in pieces that are worth it", setup{config: func(c *engine.Config) { c.MaxQueue = 1 << 20 }}, func(h *harness) {
		ws := h.ws()
		in := ws.mem().In()
		in.SetCapacity(0)
		ws.app.send("first")
		synctest.Wait()
		before := in.Writes()
		var want []string
		for _, size := range []int{1, 2, 9 << 10, 3, 4, 100 << 10, 9 << 10, 5} { // two large ones in a row
			want = append(want, strings.Repeat("x", size))
		}
		for range 20 { // more than go into one piece
			want = append(want, strings.Repeat("y", 7<<10))
		}
		for _, message := range want {
			ws.app.send(message)
		}
		in.SetCapacity(1 << 20)
		ws.want("4first")
		for _, message := range want {
			ws.want("4" + message)
		}
		if n := in.Writes() - before; n != 21 { // of at most 16 KiB to a network that is full
			h.Errorf("%d writes, want 21", n)
		}
	})
	specify(t, "counts what waits and what is being written", setup{}, func(h *harness) {
		ws := h.ws()
		ws.mem().In().SetCapacity(0)
		m := engine.NewMessage([]byte("hello"), nil)
		for i := range 3 {
			if n := ws.app.Queued(); n != int64(i)*m.Size() {
				h.Errorf("%d bytes queued with %d messages of %d", n, i, m.Size())
			}
			ws.app.Send(m, false)
			synctest.Wait()
		}
		ws.mem().In().SetCapacity(1000)
		ws.want("4hello", "4hello", "4hello")
		synctest.Wait()
		if n := ws.app.Queued(); n != 0 {
			h.Errorf("%d bytes are still queued", n)
		}
	})
	specify(t, "shares messages that are immutable", setup{}, func(h *harness) {
		text, attachment := []byte("text"), []byte("attachment")
		m := engine.NewMessage(text, [][]byte{attachment})
		clear(text)
		clear(attachment)
		p, ws := h.poll(), h.ws()
		p.app.Send(m, false)
		ws.app.Send(m, false)
		p.wantGet("4text\x1ebYXR0YWNobWVudA==")
		ws.want("4text")
		if kind, got := ws.next(); kind != websocket.BinaryMessage || got != "attachment" {
			h.Errorf("%d %q", kind, got)
		}
	})
}

func TestMaxQueue(t *testing.T) {
	t.Parallel()
	// fill sends messages until the queue of a client that does not read is
	// full but for less than one of them.
	message := strings.Repeat("x", 93)
	size := engine.NewMessage([]byte(message), nil).Size()
	fill := func(h *harness, a *app) {
		h.Helper()
		synctest.Wait()
		for a.Queued()+size <= maxQueue {
			if err := a.send(message); err != nil {
				h.Fatalf("with %d bytes queued: %v", a.Queued(), err)
			}
		}
		a.wantOpen()
	}
	specify(t, "exceeded, websocket", setup{}, func(h *harness) {
		healthy := h.ws()
		ws := h.ws()
		ws.mem().In().SetCapacity(0)
		fill(h, ws.app)
		if err := ws.app.send(message); !errors.Is(err, engine.ErrSlow) {
			h.Errorf("sent to a full queue: %v", err)
		}
		if err := ws.app.send("x"); !errors.Is(err, engine.ErrClosed) {
			h.Errorf("sent after that: %v", err)
		}
		ws.app.wantClosed(engine.SlowClient)
		if h.Slow() != 1 || ws.app.Queued() != 0 {
			h.Errorf("%d slow clients, %d bytes queued", h.Slow(), ws.app.Queued())
		}
		healthy.app.send("a")
		healthy.want("4a")
	})
	specify(t, "exceeded, polling", setup{}, func(h *harness) {
		p := h.poll()
		fill(h, p.app)
		if err := p.app.send(message); !errors.Is(err, engine.ErrSlow) {
			h.Errorf("sent to a full queue: %v", err)
		}
		p.app.wantReason(engine.SlowClient)
		p.wantGet("1")
		p.app.wantClosed(engine.SlowClient)
		if h.Slow() != 1 {
			h.Errorf("%d slow clients", h.Slow())
		}
	})
	specify(t, "exceeded while the candidate of an upgrade is awaited", setup{}, func(h *harness) {
		p := h.poll()
		ws := p.candidate()
		ws.send("2probe")
		ws.want("3probe")
		fill(h, p.app)
		if err := p.app.send(message); !errors.Is(err, engine.ErrSlow) {
			h.Errorf("sent to a full queue: %v", err)
		}
		ws.wantEnd(0)
		p.wantGet("1")
		p.app.wantClosed(engine.SlowClient)
	})
	specify(t, "exceeded under a lock that the receiver takes when it is told", setup{}, func(h *harness) {
		ws := h.ws()
		ws.mem().In().SetCapacity(0)
		fill(h, ws.app)
		ws.app.mu.Lock()
		ws.app.send(message)
		ws.app.mu.Unlock()
		ws.app.wantClosed(engine.SlowClient)
	})
	overEach(t, "an empty queue takes a message of any size", setup{}, func(h *harness, c client) {
		large := strings.Repeat("x", 10*maxQueue)
		if err := c.app.send(large); err != nil {
			h.Fatal(err)
		}
		c.app.wantOpen()
		c.read(large)
		c.app.wantOpen()
	})
	specify(t, "is free again for what has been written", setup{}, func(h *harness) {
		ws := h.ws()
		for range 3 {
			ws.mem().In().SetCapacity(0)
			fill(h, ws.app)
			ws.mem().In().SetCapacity(1 << 20)
			for range maxQueue / size {
				ws.want("4" + message)
			}
			synctest.Wait()
		}
		ws.app.wantOpen()
	})
	specify(t, "a client that takes long for a large message, but reads on", setup{}, func(h *harness) {
		ws := h.ws()
		ws.mem().In().SetRate(50_000)
		large := strings.Repeat("x", 1_000_000)
		begin := time.Now()
		ws.app.send(large)
		ws.want("4" + large)
		if d := time.Since(begin); d < writeTimeout+time.Second {
			h.Errorf("it took only %v", d)
		}
		ws.app.wantOpen()
	})
	specify(t, "a client that reads nothing of it within WriteTimeout", setup{}, func(h *harness) {
		ws := h.ws()
		ws.mem().In().SetCapacity(10)
		ws.app.send(message)
		pass(writeTimeout - 1)
		ws.app.wantOpen()
		pass(1)
		ws.app.wantClosed(engine.SlowClient)
		if h.Slow() != 1 {
			h.Errorf("%d slow clients", h.Slow())
		}
	})
}

func TestVolatile(t *testing.T) {
	t.Parallel()
	specify(t, "websocket that is idle", setup{}, func(h *harness) {
		ws := h.ws()
		synctest.Wait()
		ws.app.sendVolatile("a")
		ws.want("4a")
	})
	specify(t, "the second of two in a row is dropped", setup{}, func(h *harness) {
		ws := h.ws()
		ws.mem().In().SetCapacity(0)
		synctest.Wait()
		ws.app.sendVolatile("a")
		ws.app.sendVolatile("b")
		ws.app.send("c")
		ws.mem().In().SetCapacity(1000)
		ws.want("4a", "4c")
	})
	specify(t, "behind another message it is dropped", setup{}, func(h *harness) {
		ws := h.ws()
		ws.mem().In().SetCapacity(0)
		synctest.Wait()
		ws.app.send("a")
		ws.app.sendVolatile("b")
		synctest.Wait()
		ws.app.sendVolatile("c") // a is being written
		ws.mem().In().SetCapacity(1000)
		ws.want("4a")
		synctest.Wait()
		ws.app.sendVolatile("d")
		ws.want("4d")
	})
	specify(t, "poll that waits", setup{}, func(h *harness) {
		p := h.poll()
		poll := p.wait()
		p.app.sendVolatile("a")
		p.app.sendVolatile("b")
		p.want(<-poll, 200, "4a")
	})
	specify(t, "no poll that waits", setup{}, func(h *harness) {
		p := h.poll()
		p.app.sendVolatile("a")
		p.app.send("b")
		p.wantGet("4b")
	})
	overEach(t, "session that has ended", setup{}, func(h *harness, c client) {
		c.app.Discard(engine.ForcedClose)
		if err := c.app.sendVolatile("a"); !errors.Is(err, engine.ErrClosed) {
			h.Error(err)
		}
	})
}

func TestMessage(t *testing.T) {
	t.Parallel()
	for _, size := range []int{0, 1, 124, 125, 126, 127, 65534, 65535, 65536, 200_000} {
		specify(t, fmt.Sprintf("of %d bytes with an attachment of as many", size), setup{}, func(h *harness) {
			text, attachment := strings.Repeat("x", size), strings.Repeat("\xff", size)
			m := engine.NewMessage([]byte(text), [][]byte{[]byte(attachment)})
			ws := h.ws()
			ws.app.Send(m, false)
			ws.want("4" + text)
			if kind, got := ws.next(); kind != websocket.BinaryMessage || got != attachment {
				h.Errorf("attachment %d of %d bytes", kind, len(got))
			}
			i := 0
			for data, binary := range m.Parts() {
				if want := []string{text, attachment}[i]; string(data) != want || binary != (i == 1) {
					h.Errorf("part %d has %d bytes", i, len(data))
				}
				i++
			}
			for range m.Parts() {
				break
			}
		})
	}
}

func TestManySessions(t *testing.T) {
	t.Parallel()
	specify(t, "a broadcast reaches each once", setup{config: func(c *engine.Config) { c.MaxQueue = 1 << 20 }}, func(h *harness) {
		const clients, messages = 100, 20
		var all []*socket
		for range clients {
			all = append(all, h.ws())
		}
		for i := range messages {
			m := engine.NewMessage(fmt.Append(nil, i), nil)
			for _, s := range h.Sessions() {
				s.Send(m, false)
			}
		}
		var wg sync.WaitGroup
		for _, ws := range all {
			wg.Go(func() {
				for i := range messages {
					ws.want(fmt.Sprint("4", i))
				}
			})
		}
		wg.Wait()
	})
}
