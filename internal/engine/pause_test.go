package engine_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/socketio-go/socketio/internal/bubble"
	"github.com/socketio-go/socketio/internal/engine"
)

// slowly returns a setup whose receiver blocks for d at every message, as one does
// whose inbox is full.
func slowly(d time.Duration) setup {
	return setup{
		config: allowV3,
		receive: func(a *app, turn *engine.Turn, _ string, _ bool) {
			a.Pause(turn)
			select {
			case <-bubble.After(d):
			case <-a.ended:
			}
			a.Resume()
		},
		full: func(*app) bool { return true },
	}
}

// A client that is not read is served nevertheless.
func TestPingsInPause(t *testing.T) {
	t.Parallel()
	const events, each = 30, 7 * time.Second // longer than any heartbeat in all
	specify(t, "go out on time, websocket", slowly(each), func(h *harness) {
		ws := h.ws()
		for i := range events {
			ws.send(fmt.Sprint("4", i))
		}
		for last := time.Now(); len(ws.app.got()) < events; last = time.Now() {
			ws.want("2")
			if d := time.Since(last); d > pingInterval {
				h.Errorf("a ping after %v", d)
			}
			ws.send("3") // is read late
		}
		pass(pingInterval)
		ws.app.wantOpen()
	})
	specify(t, "go out on time, polling", slowly(each), func(h *harness) {
		p := h.poll()
		var packets []string
		for i := range events {
			packets = append(packets, fmt.Sprint("4", i))
		}
		p.want(p.post(strings.Join(packets, "\x1e")), 200, "ok")
		for last := time.Now(); len(p.app.got()) < events; last = time.Now() {
			p.wantGet("2")
			if d := time.Since(last); d > pingInterval {
				h.Errorf("a ping after %v", d)
			}
			p.want(p.post("3"), 200, "ok")
		}
		synctest.Wait()
		p.app.wantOpen()
	})
	specify(t, "go out on time, after an upgrade", slowly(each), func(h *harness) {
		p := h.poll()
		var packets []string
		for i := range events {
			packets = append(packets, fmt.Sprint("4", i))
		}
		p.want(p.post(strings.Join(packets, "\x1e")), 200, "ok")
		ws := p.upgrade()
		if p.app.Transport() != engine.WebSocket {
			h.Fatal("the transport has not changed")
		}
		ws.send("4last")
		for last := time.Now(); len(p.app.got()) <= events; last = time.Now() {
			ws.want("2")
			if d := time.Since(last); d > pingInterval {
				h.Errorf("a ping after %v", d)
			}
			ws.send("3")
		}
		if got := p.app.got(); got[0] != "0" || got[events-1] != fmt.Sprint(events-1) || got[events] != "last" {
			h.Errorf("received %q", got)
		}
		p.app.wantOpen()
	})
	specify(t, "of Engine.IO 3 are answered before they are read", slowly(pingInterval+pingTimeout), func(h *harness) {
		ws := h.wsV3("")
		for i := range 4 {
			ws.send(fmt.Sprint("4", i))
		}
		// The client gives up PingTimeout after a ping, which it sends
		// PingInterval after the last pong.
		for last := time.Now(); len(ws.app.got()) < 4; last = time.Now() {
			ws.want("3")
			if d := time.Since(last); d >= pingTimeout {
				h.Errorf("a pong after %v", d)
			}
		}
		ws.app.wantOpen()
	})
	specify(t, "that nobody fetches by polling end the session", slowly(time.Hour), func(h *harness) {
		p := h.poll()
		p.want(p.post("4a"), 200, "ok")
		pass(2*pingInterval + pingTimeout)
		p.app.wantClosed(engine.PingTimeout)
	})
}

func TestClosesInPause(t *testing.T) {
	t.Parallel()
	specify(t, "a close packet behind others, polling", slowly(time.Minute), func(h *harness) {
		p := h.poll()
		poll := p.wait()
		p.want(p.post("4a\x1e4b\x1e1"), 200, "ok")
		pass(pingInterval)
		p.app.wantReason(engine.TransportClose)
		<-poll
	})
	blocked := make(chan struct{})
	onTCP(t, "the end of a TCP connection", setup{
		config: func(c *engine.Config) { c.PingInterval, c.PingTimeout = 100*time.Millisecond, time.Minute },
		receive: func(a *app, turn *engine.Turn, data string, _ bool) {
			if data != "block" {
				return
			}
			a.Pause(turn)
			close(blocked)
			<-a.ended
			a.Resume()
		},
	}, func(_ *testing.T, h *harness) {
		ws := h.ws()
		ws.send("4block")
		<-blocked
		ws.send("4unread")
		ws.NetConn().Close()
		ws.app.wantEnded(engine.TransportClose)
	})
}

// A POST is answered though its messages wait; there is a bound on what waits.
func TestBacklog(t *testing.T) {
	t.Parallel()
	specify(t, "takes MaxPayload bytes, and the next POST waits", slowly(10*time.Second), func(h *harness) {
		p := h.poll()
		message := "4" + strings.Repeat("x", maxPayload/2)
		began := time.Now()
		p.want(p.post(message), 200, "ok")
		p.want(p.post("3"), 200, "ok") // a client's pong finds room
		if d := time.Since(began); d > 0 {
			h.Errorf("answered after %v", d)
		}
		p.want(p.post(message), 200, "ok")
		if d := time.Since(began); d != 10*time.Second {
			h.Errorf("the second was taken after %v", d)
		}
		pass(20 * time.Second)
		if got := p.app.got(); len(got) != 2 {
			h.Errorf("received %d messages", len(got))
		}
		p.app.wantOpen()
	})
	specify(t, "ends with the session, and so does a POST that waits for it", slowly(10*time.Second), func(h *harness) {
		p := h.poll()
		message := "4" + strings.Repeat("x", maxPayload/2)
		p.want(p.post(message), 200, "ok")
		answered := make(chan response, 1)
		go func() { answered <- p.post(message) }()
		synctest.Wait()
		p.app.Discard(engine.ForcedClose)
		h.wantRefusal(<-answered, 400, unknownSession)
		pass(20 * time.Second)
		p.app.wantClosed(engine.ForcedClose)
	})
	specify(t, "that can't be decoded to its end", slowly(10*time.Second), func(h *harness) {
		p := h.poll()
		p.want(p.post("4a\x1e4b\x1ex\x1e4c"), 200, "ok")
		pass(20 * time.Second)
		p.app.wantClosed(engine.ParseError)
		p.app.wantGot("a", "b")
	})
	specify(t, "of a POST that does not wait", setup{}, func(h *harness) {
		p := h.poll()
		p.want(p.post("4a\x1e4b"), 200, "ok")
		p.app.wantGot("a", "b") // in time to be answered by the next poll
	})
}
