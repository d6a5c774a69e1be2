package engine_test

import (
	"fmt"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/socketio-go/socketio/internal/engine"
)

// takeover is how long it takes at most until another goroutine reads on.
const takeover = 2 * time.Millisecond

// trusted is the same for a session that has been quick for long.
const trusted = 16 * time.Millisecond

// inTurn returns a setup whose application code runs in the reader's turn. It
// keeps what End has said.
func inTurn(code func(a *app, data string), ends *[]bool) setup {
	return setup{receive: func(a *app, turn *engine.Turn, data string, _ bool) {
		turn.Begin()
		code(a, data)
		mine := turn.End()
		a.mu.Lock()
		defer a.mu.Unlock()
		if ends != nil {
			*ends = append(*ends, mine)
		}
	}}
}

func TestTurn(t *testing.T) {
	t.Parallel()
	var ends []bool
	specify(t, "code that returns in time keeps it", inTurn(func(a *app, data string) {
		pass(takeover/2 - 1)
		a.send(data)
	}, &ends), func(h *harness) {
		ws := h.ws()
		var all string
		for i := range 100 {
			all += rawFrame(final|text, fmt.Sprint("4", i))
		}
		ws.write(all)
		for i := range 100 {
			ws.want(fmt.Sprint("4", i))
		}
		synctest.Wait()
		if len(ends) != 100 {
			h.Errorf("%d messages were handled", len(ends))
		}
		for i, mine := range ends {
			if !mine {
				h.Errorf("the turn was over in message %d", i)
			}
		}
	})

	var release chan struct{}
	specify(t, "code that does not return loses it, and may finish", inTurn(func(a *app, data string) {
		if data == "slow" {
			a.send("begun")
			<-release
		}
		a.send("done " + data)
	}, nil), func(h *harness) {
		release = make(chan struct{})
		ws := h.ws()
		begin := time.Now()
		ws.send("4slow")
		ws.want("4begun")
		if d := time.Since(begin); d > takeover {
			h.Errorf("what was sent took %v", d)
		}
		ws.send("4a")
		ws.send("4b")
		ws.want("4done a", "4done b")
		if d := time.Since(begin); d > takeover {
			h.Errorf("another goroutine read on after %v", d)
		}
		close(release)
		ws.want("4done slow")
		ws.app.wantGot("slow", "a", "b")
		ws.send("4c")
		ws.want("4done c")
	})

	var held chan struct{}
	specify(t, "code that has always returned in time is trusted, once", inTurn(func(_ *app, data string) {
		if data == "slow" {
			<-held
		}
	}, nil), func(h *harness) {
		held = make(chan struct{})
		defer func() { close(held) }()
		ws := h.ws()
		for range 100 {
			ws.send("4quick")
			synctest.Wait()
		}
		const look = time.Millisecond / 4
		for _, limit := range []time.Duration{trusted, takeover} {
			before, begin := len(ws.app.got()), time.Now()
			ws.send("4slow")
			ws.send("4next")
			for len(ws.app.got()) < before+2 {
				pass(look)
			}
			if d := time.Since(begin); d > limit+look || d < limit/4 {
				h.Errorf("another goroutine read on after %v, not within %v", d, limit)
			}
		}
	})

	var stuck atomic.Int32
	specify(t, "again and again", inTurn(func(a *app, data string) {
		stuck.Add(1)
		defer stuck.Add(-1)
		pass(time.Second)
		a.send(data)
	}, nil), func(h *harness) {
		ws := h.ws()
		begin := time.Now()
		const n = 20
		for i := range n {
			ws.send(fmt.Sprint("4", i))
		}
		pass(n * takeover)
		if got := stuck.Load(); got != n {
			h.Errorf("%d of %d messages are being handled", got, n)
		}
		for i := range n {
			ws.want(fmt.Sprint("4", i))
		}
		if d := time.Since(begin); d > time.Second+n*takeover {
			h.Errorf("all of them took %v", d)
		}
	})

	specify(t, "yielded, another goroutine reads on at once", inTurn(func(a *app, data string) {
		if data == "question" {
			a.Yield()
			a.Yield()
			a.send("asked")
			for len(a.got()) < 2 { // the answer
				pass(time.Microsecond)
			}
			a.send("answered")
		}
	}, nil), func(h *harness) {
		ws := h.ws()
		begin := time.Now()
		ws.send("4question")
		ws.want("4asked")
		if d := time.Since(begin); d != 0 {
			h.Errorf("the question took %v", d)
		}
		ws.send("4answer")
		ws.want("4answered")
	})
	specify(t, "yielded when it is nobody's, nothing happens", setup{}, func(h *harness) {
		ws := h.ws()
		ws.app.Yield()
		ws.send("4a")
		ws.app.wantGot("a")
		ws.app.Yield()
		p := h.poll()
		p.app.Yield()
	})
	specify(t, "yielded for a goroutine that never returns", setup{receive: func(a *app, turn *engine.Turn, data string, _ bool) {
		if data == "exit" {
			turn.Begin()
			defer a.Yield()
			runtime.Goexit()
		}
	}}, func(h *harness) {
		ws := h.ws()
		ws.send("4exit")
		ws.send("4a")
		ws.app.wantGot("exit", "a")
	})

	specify(t, "there is none in a POST", setup{receive: func(a *app, turn *engine.Turn, _ string, _ bool) {
		if turn != nil {
			a.h.Error("a turn")
		}
	}}, func(h *harness) {
		p := h.poll()
		p.post("4a")
		p.app.wantGot("a")
	})

	gone := inTurn(func(a *app, data string) {
		for len(a.reasons()) == 0 {
			pass(time.Millisecond)
		}
		a.send("too late")
		a.Yield()
	}, nil)
	specify(t, "that is over when the client goes", gone, func(h *harness) {
		ws := h.ws()
		ws.send("4a")
		pass(time.Second)
		ws.Close()
		ws.app.wantClosed(engine.TransportClose)
	})
	specify(t, "that is under way when the session ends", gone, func(h *harness) {
		ws := h.ws()
		ws.send("4a")
		synctest.Wait()
		ws.app.Discard(engine.ForcedClose)
		ws.app.wantClosed(engine.ForcedClose)
		pass(time.Second)
	})
	specify(t, "that is under way when the session closes", gone, func(h *harness) {
		ws := h.ws()
		ws.app.send("queued")
		ws.send("4a")
		synctest.Wait()
		ws.app.Close(engine.ForcedClose)
		ws.want("4queued")
		ws.wantClose(1005, takeover)
		ws.app.wantClosed(engine.ForcedClose)
	})
}

func TestCork(t *testing.T) {
	t.Parallel()
	echo := inTurn(func(a *app, data string) { a.send(data) }, nil)
	echo.config = func(c *engine.Config) { c.MaxQueue = 1 << 20 }
	specify(t, "the answers to what was sent together go out together", echo, func(h *harness) {
		ws := h.ws()
		synctest.Wait()
		before := ws.mem().In().Writes()
		ws.write(strings.Repeat(rawFrame(final|text, "4a"), 50))
		synctest.Wait()
		if n := ws.mem().In().Writes() - before; n != 1 {
			h.Errorf("50 answers in %d writes", n)
		}
		for range 50 {
			ws.want("4a")
		}
	})
	specify(t, "but not more than 64 of them", echo, func(h *harness) {
		ws := h.ws()
		synctest.Wait()
		before := ws.mem().In().Writes()
		ws.write(strings.Repeat(rawFrame(final|text, "4a"), 128)) // as much as is read at once
		synctest.Wait()
		if n := ws.mem().In().Writes() - before; n < 2 {
			h.Errorf("128 answers in %d writes", n)
		}
	})
	specify(t, "what others send meanwhile goes with them", inTurn(func(a *app, data string) {
		a.send("mine")
		go a.send("another's")
		pass(takeover/2 - 1)
	}, nil), func(h *harness) {
		ws := h.ws()
		synctest.Wait()
		before := ws.mem().In().Writes()
		ws.send("4a")
		ws.want("4mine", "4another's")
		if n := ws.mem().In().Writes() - before; n != 1 {
			h.Errorf("%d writes", n)
		}
	})
	specify(t, "what was sent goes out before the receiver blocks", setup{receive: func(a *app, turn *engine.Turn, data string, _ bool) {
		if data == "a" {
			turn.Begin()
			a.send("a")
			turn.End()
			return
		}
		a.Pause(turn)
		pass(time.Second)
		a.Resume()
	}}, func(h *harness) {
		ws := h.ws()
		begin := time.Now()
		ws.write(rawFrame(final|text, "4a") + rawFrame(final|text, "4b"))
		ws.want("4a")
		if d := time.Since(begin); d != 0 {
			h.Errorf("it took %v", d)
		}
		pass(2 * time.Second)
	})
	specify(t, "a message that is not complete does not hold up the answer", echo, func(h *harness) {
		ws := h.ws()
		ws.write(rawFrame(final|text, "4a") + rawFrame(final|text, "4b")[:7])
		ws.want("4a")
	})
}

// A reader that helps flushes the sessions queued before its ticket, and no later ones.
func TestHelp(t *testing.T) {
	t.Parallel()
	var l engine.Line
	help := func(due uint64, want bool, waiting int) {
		t.Helper()
		if got := l.Help(due); got != want || l.Waiting() != waiting {
			t.Errorf("help until %d: %v with %d waiting, want %v with %d", due, got, l.Waiting(), want, waiting)
		}
	}
	help(0, true, 0)
	l.Add(30)
	help(30, true, 0)
	l.Add(200)               // the last is number 230
	help(130, false, 200-64) // some at a time
	help(130, true, 100)     // number 130 was the last of them
	help(100, true, 100)     // by others
	l.Add(100)               // while he looked elsewhere
	help(230, false, 200-64)
	help(230, true, 100)
	help(230, true, 100)
}

// A queue that overruns ends turns if it is not being flushed, and only then.
func TestSwollen(t *testing.T) {
	t.Parallel()
	const n = 100
	large := strings.Repeat("x", 65<<10)
	var other *app
	s := inTurn(func(a *app, data string) {
		if data == "other" {
			other.send("b")
			return
		}
		a.send("a")
	}, nil)
	s.config = func(c *engine.Config) { c.MaxQueue = 1 << 20 }
	specify(t, "while it is written", s, func(h *harness) {
		ws := h.ws()
		ws.mem().In().SetCapacity(0)
		ws.app.send(large)
		synctest.Wait() // a blocking flush writes it
		other = ws.app
		sender := h.ws()
		for range n {
			ws.send("4own")
			sender.send("4other")
			synctest.Wait()
		}
		if got := h.Overruns(); got != 0 {
			h.Errorf("%d turns were ended", got)
		}
		ws.mem().In().SetCapacity(1 << 20)
		ws.want("4" + large)
	})
	// What others send does not wait for a client that pings with a full queue: its pings
	// queue no flush, end no turn, and no time passes.
	specify(t, "while its client pings", s, func(h *harness) {
		ws := h.ws()
		ws.mem().In().SetCapacity(0)
		for range 12 {
			ws.app.send(large)
		}
		synctest.Wait() // a blocking flush writes it
		flushes, overruns := h.Enqueued(), h.Overruns()
		for range n {
			ws.write(rawFrame(final|pings, "a"))
			synctest.Wait()
		}
		if h.Enqueued() != flushes || h.Overruns() != overruns {
			h.Errorf("pings queued %d flushes and ended %d turns", h.Enqueued()-flushes, h.Overruns()-overruns)
		}
		var receivers []*socket
		for range 20 {
			receivers = append(receivers, h.ws())
		}
		start := time.Now()
		for range n {
			ws.write(rawFrame(final|pings, "a"))
			for _, r := range receivers {
				r.app.send("all")
			}
			for _, r := range receivers {
				r.want("4all")
			}
		}
		if d := time.Since(start); d != 0 || h.Overruns() != overruns {
			h.Errorf("the others waited for %v, and %d turns ended", d, h.Overruns()-overruns)
		}
		ws.app.wantOpen()
	})
	specify(t, "in the turn that fills it", setup{config: s.config, receive: func(a *app, turn *engine.Turn, _ string, _ bool) {
		turn.Begin()
		defer turn.End()
		a.send(large)
	}}, func(h *harness) {
		ws := h.ws()
		ws.write(strings.Repeat(rawFrame(final|text, "4a"), 3))
		ws.want("4"+large, "4"+large, "4"+large)
		if h.Overruns() == 0 {
			h.Error("no turn was ended")
		}
	})
}
