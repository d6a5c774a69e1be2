package engine_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/socketio-go/socketio/internal/engine"
)

// A client is one whatever its transport.
type client struct {
	app  *app
	ping func() // waits for a ping
	pong func()
	read func(message string)
}

// overEach is specify for both transports.
func overEach(t *testing.T, behaviour string, s setup, body func(h *harness, c client)) {
	t.Helper()
	specify(t, behaviour+", polling", s, func(h *harness) {
		p := h.poll()
		body(h, client{
			p.app,
			func() { h.Helper(); p.wantGet("2") },
			func() { h.Helper(); p.want(p.post("3"), 200, "ok") },
			func(message string) { h.Helper(); p.wantGet("4" + message) },
		})
	})
	specify(t, behaviour+", websocket", s, func(h *harness) {
		ws := h.ws()
		body(h, client{
			ws.app,
			func() { h.Helper(); ws.want("2") },
			func() { h.Helper(); ws.send("3") },
			func(message string) { h.Helper(); ws.want("4" + message) },
		})
	})
}

func TestHeartbeat(t *testing.T) {
	t.Parallel()
	overEach(t, "a ping comes every PingInterval", setup{}, func(h *harness, c client) {
		for i := range 5 {
			begin := time.Now()
			c.ping()
			if d := time.Since(begin); d != pingInterval {
				h.Errorf("ping after %v", d)
			}
			if n := c.app.heartbeats(); n != i+1 {
				h.Errorf("the receiver was told of %d heartbeats, want %d", n, i+1)
			}
			c.pong()
		}
		c.app.wantOpen()
	})
	overEach(t, "the next is counted from the pong", setup{}, func(h *harness, c client) {
		c.ping()
		pass(pingTimeout - 1)
		c.pong()
		begin := time.Now()
		c.ping()
		if d := time.Since(begin); d != pingInterval {
			h.Errorf("ping after %v", d)
		}
		c.pong()
	})
	overEach(t, "a pong that nobody awaits changes nothing", setup{}, func(h *harness, c client) {
		pass(pingInterval - 1)
		c.pong()
		begin := time.Now()
		c.ping()
		if d := time.Since(begin); d != 1 {
			h.Errorf("ping after %v", d)
		}
	})
	overEach(t, "a pong in time keeps the session", setup{}, func(_ *harness, c client) {
		c.ping()
		pass(pingTimeout - 1)
		c.pong()
		pass(2)
		c.app.wantOpen()
	})
	overEach(t, "no pong within PingTimeout ends it", setup{}, func(_ *harness, c client) {
		c.ping()
		pass(pingTimeout - 1)
		c.app.wantOpen()
		pass(1)
		c.app.wantReason(engine.PingTimeout)
		pass(closeWait)
		c.app.wantClosed(engine.PingTimeout)
	})
	overEach(t, "messages are no pongs", setup{}, func(h *harness, c client) {
		c.ping()
		time.AfterFunc(pingTimeout/2, func() { c.app.send("x") })
		pass(pingTimeout)
		c.app.wantReason(engine.PingTimeout)
	})
	overEach(t, "nothing of it remains after the end", setup{}, func(h *harness, c client) {
		c.app.Discard(engine.ForcedClose)
		pass(2 * (pingInterval + pingTimeout))
		if n := c.app.heartbeats(); n != 0 {
			h.Errorf("%d heartbeats after the end", n)
		}
		c.app.wantClosed(engine.ForcedClose)
	})
	specify(t, "a frozen client is noticed within PingInterval and PingTimeout", setup{}, func(h *harness) {
		ws := h.ws()
		ws.mem().Freeze()
		pass(pingInterval + pingTimeout)
		ws.app.wantReason(engine.PingTimeout)
		pass(writeTimeout)
		ws.app.wantClosed(engine.PingTimeout)
	})
	specify(t, "fragments without end are no pong", setup{}, func(h *harness) {
		ws := h.ws()
		ws.write(rawFrame(text, "4"))
		for begin := time.Now(); time.Since(begin) < pingInterval+pingTimeout; pass(time.Second) {
			ws.write(rawFrame(0, ""))
		}
		ws.app.wantReason(engine.PingTimeout)
		ws.want("2")
		ws.wantClose(1005, 0)
	})
	specify(t, "a frame that comes a byte a second is no pong", setup{}, func(h *harness) {
		ws := h.ws()
		frame := rawFrame(final|text, "4"+strings.Repeat("x", maxPayload-1))
		for i := range int((pingInterval + pingTimeout) / time.Second) {
			ws.write(frame[i : i+1])
			pass(time.Second)
		}
		ws.app.wantReason(engine.PingTimeout)
		ws.want("2")
		ws.wantClose(1005, 0)
		ws.app.wantGot()
	})
	specify(t, "the client is told by a close frame", setup{}, func(h *harness) {
		ws := h.ws()
		ws.want("2")
		ws.wantClose(1005, 0)
		ws.app.wantClosed(engine.PingTimeout)
	})
	specify(t, "the poll that waits is told", setup{}, func(h *harness) {
		p := h.poll()
		p.wantGet("2")
		p.wantGet("1")
		p.wantGone()
		p.app.wantClosed(engine.PingTimeout)
	})
	specify(t, "goes on over a WebSocket upgraded to", setup{}, func(h *harness) {
		p := h.poll()
		p.wantGet("2")
		ws := p.upgrade()
		ws.send("3")
		for range 3 {
			ws.want("2")
			ws.send("3")
		}
		p.app.wantOpen()
	})
}

// While the receiver blocks, nothing is read: silence is not the client's
// fault then.
func TestPause(t *testing.T) {
	t.Parallel()
	const limit = pingInterval + pingTimeout
	// blocking returns a setup whose receiver blocks for d, having said so.
	blocking := func(d time.Duration) setup {
		return setup{receive: func(a *app, turn *engine.Turn, data string, _ bool) {
			if data != "block" {
				return
			}
			a.Pause(turn)
			pass(d)
			a.Resume()
		}}
	}
	specify(t, "for less than PingInterval and PingTimeout, websocket", blocking(limit-time.Second), func(h *harness) {
		ws := h.ws()
		ws.send("4block")
		pass(limit - time.Second)
		ws.app.wantOpen()
		ws.want("2")
		ws.send("3")
		ws.want("2")
		ws.send("3")
		ws.app.wantOpen()
	})
	specify(t, "just before a pong was due, websocket", blocking(limit-time.Second), func(h *harness) {
		ws := h.ws()
		ws.want("2")
		pass(pingTimeout - 1)
		ws.send("4block")
		ws.send("3") // behind it
		pass(limit - time.Second + pingTimeout - 1)
		ws.app.wantOpen()
		ws.app.wantGot("block")
	})
	specify(t, "after which the client gets PingTimeout and no more, websocket", blocking(10*time.Second), func(h *harness) {
		ws := h.ws()
		ws.want("2")
		pass(pingTimeout - time.Second)
		ws.send("4block")
		pass(10*time.Second + pingTimeout - 1)
		ws.app.wantOpen()
		pass(1)
		ws.app.wantReason(engine.PingTimeout)
	})
	forEver := setup{receive: func(a *app, turn *engine.Turn, _ string, _ bool) {
		a.Pause(turn)
		for len(a.reasons()) == 0 {
			pass(time.Second)
		}
		a.Resume()
	}}
	stuck := func(h *harness, a *app) {
		h.Helper()
		pass(4*limit - 1)
		a.wantOpen()
		pass(1)
		a.wantReason(engine.PingTimeout)
		var err *engine.StuckError
		if got := h.reported(); len(got) == 0 || !errors.As(got[0], &err) || err.For != 4*limit {
			h.Errorf("reported %v", got)
		}
		pass(writeTimeout)
		a.wantClosed(engine.PingTimeout)
	}
	specify(t, "for ever is the receiver's fault, polling", forEver, func(h *harness) {
		p := h.poll()
		go p.post("4block")
		go func() { // a client that does not poll is silent
			for p.get().status == 200 {
			}
		}()
		stuck(h, p.app)
	})
	specify(t, "for ever is the receiver's fault, websocket", forEver, func(h *harness) {
		ws := h.ws()
		ws.send("4block")
		stuck(h, ws.app)
	})
	specify(t, "of a POST leaves polls as they are", blocking(30*time.Second), func(h *harness) {
		p := h.poll()
		posted := make(chan response, 1)
		go func() { posted <- p.post("4block") }()
		poll := p.wait()
		p.app.send("a")
		p.want(<-poll, 200, "4a")
		p.want(<-posted, 200, "ok")
		p.wantGet("2")
		p.post("3")
		p.app.wantOpen()
	})
}

func TestStuckError(t *testing.T) {
	t.Parallel()
	err := &engine.StuckError{For: 1234567 * time.Microsecond}
	if got, want := err.Error(), "engine.io: not read for 1.235s, handlers are stuck"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
