package engine_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/socketio-go/socketio/internal/engine"
)

func TestSessions(t *testing.T) {
	t.Parallel()
	specify(t, "those that have not ended", setup{}, func(h *harness) {
		p, ws := h.poll(), h.ws()
		if len(h.Sessions()) != 2 || h.Len() != 2 {
			h.Errorf("%d sessions, %d", len(h.Sessions()), h.Len())
		}
		p.app.Discard(engine.ForcedClose)
		if list := h.Sessions(); len(list) != 1 || list[0] != ws.app.Session {
			h.Errorf("%d sessions", len(list))
		}
		ws.app.Close(engine.ForcedClose) // is still there while it closes
		if h.Len() != 1 {
			h.Errorf("%d sessions", h.Len())
		}
	})
	specify(t, "all methods after the end", setup{}, func(h *harness) {
		ws, p := h.ws(), h.poll()
		for _, a := range []*app{ws.app, p.app} {
			a.Discard(engine.ForcedClose)
			if a.Close(engine.ParseError) || a.Discard(engine.ParseError) {
				h.Error("ended twice")
			}
			a.send("a")
			a.Yield()
			a.Pause(nil)
			a.Resume()
			a.Transport()
			if a.Queued() != 0 || a.Request().Host != "example.com" {
				h.Errorf("%d bytes queued, request %+v", a.Queued(), a.Request())
			}
			a.wantClosed(engine.ForcedClose)
		}
	})
	specify(t, "ended by many at once", setup{}, func(h *harness) {
		for i := range 100 {
			a := h.poll().app
			if i%2 == 0 {
				a = h.ws().app
			}
			var wg sync.WaitGroup
			first := make(chan bool, 20)
			for range 10 {
				wg.Go(func() { first <- a.Close(engine.ForcedClose) })
				wg.Go(func() { first <- a.Discard(engine.ForcedClose) })
			}
			wg.Wait()
			close(first)
			n := 0
			for f := range first {
				if f {
					n++
				}
			}
			if n != 1 {
				h.Errorf("%d were the first", n)
			}
			pass(time.Minute)
			a.wantClosed(engine.ForcedClose)
		}
	})
}

// What an application may do as soon as it has a session.
func TestOpen(t *testing.T) {
	t.Parallel()
	specify(t, "sends", setup{opened: func(a *app) { a.send("welcome") }}, func(h *harness) {
		h.poll().wantGet("4welcome")
		h.ws().want("4welcome")
	})
	specify(t, "closes", setup{opened: func(a *app) {
		a.send("sorry")
		a.Close(engine.ForcedClose)
	}}, func(h *harness) {
		p := h.poll()
		p.wantGet("4sorry")
		p.wantGet("1")
		p.app.wantClosed(engine.ForcedClose)
		ws := h.ws()
		ws.want("4sorry")
		ws.wantClose(1005, 0)
		ws.app.wantClosed(engine.ForcedClose)
	})
	specify(t, "discards", setup{opened: func(a *app) { a.Discard(engine.ForcedClose) }}, func(h *harness) {
		p := h.poll()
		p.wantGone()
		p.app.wantClosed(engine.ForcedClose)
		ws, _ := h.dialWebSocket(nil, "EIO=4&transport=websocket")
		ws.ReadMessage() // the open packet, or nothing
		h.last().wantClosed(engine.ForcedClose)
	})
	specify(t, "takes its time", setup{opened: func(*app) { pass(pingInterval + time.Second) }}, func(h *harness) {
		p := h.poll()
		p.wantGet("2")
		p.post("3")
		p.app.wantOpen()
		ws := h.ws()
		ws.want("2")
		pass(2 * time.Second)
		ws.send("3")
		ws.app.wantOpen()
	})
}

func TestWait(t *testing.T) {
	t.Parallel()
	specify(t, "for nothing", setup{}, func(h *harness) {
		if n := h.Wait(h.Context()); n != 0 {
			h.Errorf("waits for %d", n)
		}
	})
	specify(t, "for sessions, requests and goroutines", setup{}, func(h *harness) {
		p := h.poll()
		h.ws()
		p.wait()
		release := make(chan struct{})
		h.Go(func() { <-release })
		ctx, cancel := context.WithTimeout(h.Context(), time.Second)
		defer cancel()
		// Two sessions, a reader, a poll and a goroutine.
		if n := h.Wait(ctx); n != 5 {
			h.Errorf("waits for %d, want 5", n)
		}
		var wg sync.WaitGroup
		for range 2 {
			wg.Go(func() {
				if n := h.Wait(h.Context()); n != 0 {
					h.Errorf("%d are left", n)
				}
			})
		}
		synctest.Wait()
		for _, s := range h.Sessions() {
			s.Discard(engine.ShuttingDown)
		}
		synctest.Wait()
		if n := h.Wait(canceled()); n != 1 {
			h.Errorf("waits for %d, want 1", n)
		}
		close(release)
		wg.Wait()
	})
	specify(t, "sends all that is queued when sessions are closed", setup{}, func(h *harness) {
		p, ws := h.poll(), h.ws()
		for i := range 10 {
			p.app.send(fmt.Sprint(i))
			ws.app.send(fmt.Sprint(i))
		}
		h.Stop()
		for _, s := range h.Sessions() {
			s.Close(engine.ShuttingDown)
		}
		p.wantGet("40\x1e41\x1e42\x1e43\x1e44\x1e45\x1e46\x1e47\x1e48\x1e49")
		p.wantGet("1")
		for i := range 10 {
			ws.want(fmt.Sprint("4", i))
		}
		ws.wantClose(1005, 0)
		if n := h.Wait(h.Context()); n != 0 {
			h.Errorf("%d are left", n)
		}
	})
	specify(t, "until frozen clients have had their time", setup{}, func(h *harness) {
		p := h.poll()
		p.wait()
		ws := h.ws()
		ws.mem().Freeze()
		ws.mem().In().SetCapacity(0)
		frozen := h.ws()
		frozen.mem().Freeze()
		ws.app.send("a")
		synctest.Wait()
		begin := time.Now()
		for _, s := range h.Sessions() {
			s.Close(engine.ShuttingDown)
		}
		if n := h.Wait(h.Context()); n != 0 {
			h.Errorf("%d are left", n)
		}
		if d := time.Since(begin); d > writeTimeout {
			h.Errorf("it took %v", d)
		}
	})
	specify(t, "until receivers have been told", setup{closed: func(*app) { pass(time.Second) }}, func(h *harness) {
		for _, end := range []func(a *app){
			func(a *app) { go a.Discard(engine.ForcedClose) },
			func(*app) {}, // the heartbeat will
		} {
			a := h.poll().app
			end(a)
			if n := h.Wait(h.Context()); n != 0 {
				h.Errorf("%d are left", n)
			}
			if len(a.reasons()) != 1 {
				h.Error("Wait returned before the receiver was told")
			}
		}
	})
}

// A session costs its reader and nothing else while it is idle.
func TestGoroutines(t *testing.T) {
	t.Parallel()
	specify(t, "an idle WebSocket has one, an idle poll its request", setup{}, func(h *harness) {
		const n = 20
		for range n {
			ws := h.ws()
			ws.app.send("a")
			ws.want("4a")
			ws.send("4b")
		}
		synctest.Wait()
		if got := h.Wait(canceled()) - h.Len(); got != n {
			h.Errorf("%d goroutines for %d WebSockets", got, n)
		}
		for range n {
			p := h.poll()
			p.app.send("a")
			p.wantGet("4a")
		}
		synctest.Wait()
		if got := h.Wait(canceled()) - h.Len(); got != n {
			h.Errorf("%d goroutines for %d WebSockets and pollers", got, n)
		}
	})
}
