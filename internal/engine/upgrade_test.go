package engine_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"

	"github.com/socketio-go/socketio/internal/engine"
	"github.com/socketio-go/socketio/internal/memnet"
)

const noopDelay = 100 * time.Millisecond

func TestUpgrade(t *testing.T) {
	t.Parallel()
	specify(t, "with content behind the packet that completes it", setup{}, func(h *harness) {
		p := h.poll()
		ws := p.candidate()
		ws.send("2probe")
		ws.want("3probe")
		ws.send("5probe, as a client may have it")
		p.app.send("hello")
		ws.want("4hello")
		p.app.wantOpen()
	})
	specify(t, "step by step", setup{}, func(h *harness) {
		p := h.poll()
		p.app.send("1")
		p.wantGet("41")
		p.post("4a")

		poll := p.wait()
		ws := p.candidate()
		synctest.Wait()
		p.app.send("2")
		p.want(<-poll, 200, "42")

		poll = p.wait()
		ws.send("2probe")
		ws.want("3probe")
		p.want(<-poll, 200, "6")
		p.app.send("3")
		p.post("4b")
		if p.app.Transport() != engine.Polling {
			h.Error("the transport has changed too early")
		}

		ws.write(rawFrame(final|text, "5") + rawFrame(final|text, "4c"))
		ws.want("43")
		p.app.send("4")
		ws.want("44")
		ws.send("4d")
		p.app.wantGot("a", "b", "c", "d")
		if p.app.Transport() != engine.WebSocket {
			h.Error("the transport has not changed")
		}
		h.wantRefusal(p.get(), 400, badRequest)
		h.wantRefusal(p.post("4x"), 400, badRequest)
		p.app.wantOpen()
		ws.app.Close(engine.ForcedClose)
		ws.wantClose(1005, 0)
	})
	specify(t, "polls are sent home while it lasts, not too fast", setup{}, func(h *harness) {
		p := h.poll()
		ws := p.candidate()
		ws.send("2probe")
		ws.want("3probe")
		begin := time.Now()
		for range 3 {
			p.wantGet("6")
		}
		if d := time.Since(begin); d != 3*noopDelay {
			h.Errorf("three polls took %v", d)
		}
		p.app.send("by a poll, as there are any")
		p.wantGet("4by a poll, as there are any")
		poll := p.wait()
		ws.send("5")
		h.wantRefusal(<-poll, 400, badRequest)
		p.app.send("next")
		ws.want("4next")
	})
	specify(t, "a POST under way comes before what the WebSocket brings", setup{}, func(h *harness) {
		p := h.poll()
		ws := p.candidate()
		ws.send("2probe")
		ws.want("3probe")
		c := h.raw()
		c.write("POST /?" + p.query() + " HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n4a\x1e4")
		synctest.Wait()
		ws.send("5")
		ws.send("4c")
		pass(time.Second)
		p.app.wantGot()
		c.write("b")
		p.want(c.response(), 200, "ok")
		p.app.wantGot("a", "b", "c")
	})
	specify(t, "a response under way comes before what goes over the WebSocket", setup{}, func(h *harness) {
		p := h.poll()
		c := h.raw()
		large := strings.Repeat("x", 1<<20)
		p.app.send(large)
		c.write("GET /?" + p.query() + " HTTP/1.1\r\nHost: x\r\n\r\n")
		synctest.Wait()
		ws := p.upgrade()
		p.app.send("next")
		synctest.Wait()
		if n := ws.mem().In().Waiting(); n > 0 {
			h.Errorf("%d bytes came early", n)
		}
		p.want(c.response(), 200, "4"+large)
		ws.want("4next")
	})
	specify(t, "a heartbeat that is due meanwhile", setup{config: func(c *engine.Config) { c.UpgradeTimeout = time.Hour }}, func(h *harness) {
		p := h.poll()
		ws := p.candidate()
		ws.send("2probe")
		ws.want("3probe")
		pass(pingInterval)
		ws.send("5")
		ws.want("2")
		ws.send("3")
		pass(pingTimeout)
		p.app.wantOpen()
	})
	specify(t, "a volatile message meanwhile needs a poll", setup{}, func(h *harness) {
		p := h.poll()
		ws := p.candidate()
		ws.send("2probe")
		ws.want("3probe")
		p.app.sendVolatile("dropped")
		poll := p.wait()
		p.app.sendVolatile("taken")
		p.want(<-poll, 200, "4taken")
		ws.send("5")
		synctest.Wait()
		p.app.sendVolatile("sent")
		ws.want("4sent")
	})
	specify(t, "a ping frame meanwhile is not answered", setup{}, func(h *harness) {
		p := h.poll()
		ws := p.candidate()
		ws.SetPongHandler(func(string) error { h.Error("answered"); return nil })
		ws.write(rawFrame(final|pings, "x"))
		ws.send("2probe")
		ws.want("3probe")
		ws.send("5")
		p.app.send("a")
		ws.want("4a")
	})
	specify(t, "a poll that is aborted once the WebSocket has taken over", setup{}, func(h *harness) {
		for range 20 {
			p := h.poll()
			ws := p.candidate()
			ws.send("2probe")
			ws.want("3probe")
			ctx, cancel := context.WithCancel(h.Context())
			w := &stub{ResponseRecorder: httptest.NewRecorder()}
			w.readDeadline = func(time.Time) { // the poll is about to wait
				ws.send("5")
				synctest.Wait()
				cancel()
			}
			h.ServeHTTP(w, httptest.NewRequestWithContext(ctx, "GET", "/?"+p.query(), nil))
			p.app.wantOpen()
			ws.send("4a")
			p.app.wantGot("a")
		}
	})
}

// Whatever becomes of the candidate, polling goes on.
func TestUpgradeFails(t *testing.T) {
	t.Parallel()
	probe := rawFrame(final|text, "2probe")
	for _, test := range []struct {
		name string
		in   string
		code int
	}{
		{"data before the probe", rawFrame(final|text, "40"), 1005},
		{"a ping that is no probe", rawFrame(final|text, "2"), 1005},
		{"a probe with another word", rawFrame(final|text, "2foo"), 1005},
		{"a probe with more words", rawFrame(final|text, "2probeprobeprobeprobe"), 1005},
		{"a binary probe", rawFrame(final|binry, "2probe"), 1005},
		{"no packet", rawFrame(final|text, "abc"), 1005},
		{"an empty packet", rawFrame(final|text, ""), 1005},
		{"an upgrade without a probe", rawFrame(final|text, "5"), 1005},
		{"something enormous", rawFrame(final|text, strings.Repeat("x", maxPayload+1)), 1009},
		{"a broken frame", "\xff\xff", 1002},
		{"a close frame", rawFrame(final|closes, "\x0f\xa0"), 4000},
		{"data after the probe", probe + rawFrame(final|text, "4x"), 1005},
		{"a second probe", probe + probe, 1005},
		{"a broken frame after the probe", probe + "\xff\xff", 1002},
		{"a close frame after the probe", probe + rawFrame(final|closes, ""), 1005},
	} {
		specify(t, test.name, setup{}, func(h *harness) {
			p := h.poll()
			p.app.send("queued")
			ws := p.candidate()
			ws.write(test.in)
			if strings.HasPrefix(test.in, probe) {
				ws.want("3probe")
			}
			ws.wantClose(test.code, 0)
			p.stillPolls("queued")
		})
	}
	for _, test := range []struct {
		name string
		act  func(ws *socket)
	}{
		{"the candidate closes at once", func(ws *socket) { ws.Close() }},
		{"the candidate is reset", func(ws *socket) { ws.mem().Cut() }},
		{"the candidate closes after the probe", func(ws *socket) { ws.send("2probe"); ws.want("3probe"); ws.Close() }},
		{"the candidate does not read the answer to its probe", func(ws *socket) {
			ws.mem().In().SetCapacity(0)
			ws.send("2probe")
			pass(writeTimeout + writeTimeout) // for the answer, and for the close frame
		}},
		{"nothing comes within UpgradeTimeout", func(ws *socket) {
			pass(upgradeTimeout)
			ws.wantClose(1005, 0)
		}},
		{"no upgrade comes within UpgradeTimeout", func(ws *socket) {
			ws.send("2probe")
			ws.want("3probe")
			pass(upgradeTimeout)
			ws.wantClose(1005, 0)
		}},
	} {
		specify(t, test.name, setup{}, func(h *harness) {
			p := h.poll()
			ws := p.candidate()
			test.act(ws)
			p.app.send("queued")
			p.stillPolls("queued")
		})
	}
	specify(t, "and the poll that waits is answered", setup{}, func(h *harness) {
		p := h.poll()
		ws := p.candidate()
		ws.send("2probe")
		ws.want("3probe")
		p.app.send("held back")
		ws.Close()
		p.wantGet("4held back")
	})
	specify(t, "behind a proxy that swallows what goes over it", setup{}, func(h *harness) {
		p := h.poll()
		poll := p.wait()
		p.candidate()
		synctest.Wait()
		begin := time.Now()
		p.app.send("a")
		p.want(<-poll, 200, "4a")
		poll = p.wait()
		p.app.send("b")
		p.want(<-poll, 200, "4b")
		if d := time.Since(begin); d > 0 {
			h.Errorf("messages were held back for %v", d)
		}
	})
	specify(t, "when it is not allowed", setup{config: func(c *engine.Config) { c.DisableUpgrade = true }}, func(h *harness) {
		p := h.poll()
		p.app.send("queued")
		p.candidate().wantClose(1005, 0)
		p.stillPolls("queued")
	})
	specify(t, "twice, then succeeds", setup{}, func(h *harness) {
		p := h.poll()
		for range 2 {
			ws := p.candidate()
			ws.send("nonsense")
			ws.wantClose(1005, 0)
		}
		ws := p.upgrade()
		p.app.send("a")
		ws.want("4a")
	})
}

// stillPolls fails the test unless p is a good polling session with one
// message queued.
func (p *poller) stillPolls(queued string) {
	p.h.Helper()
	p.wantGet("4" + queued)
	poll := p.wait()
	p.want(p.post("4ping"), 200, "ok")
	p.app.wantGot("ping")
	p.app.send("pong")
	p.want(<-poll, 200, "4pong")
	p.app.wantOpen()
	if p.app.Transport() != engine.Polling {
		p.h.Error("the transport has changed")
	}
}

func TestSecondWebSocket(t *testing.T) {
	t.Parallel()
	specify(t, "before the probe of the first", setup{}, func(h *harness) {
		p := h.poll()
		ws := p.candidate()
		synctest.Wait()
		p.candidate().wantClose(1005, 0)
		ws.send("2probe")
		ws.want("3probe")
		ws.send("5")
		p.app.send("a")
		ws.want("4a")
	})
	specify(t, "after the probe of the first", setup{}, func(h *harness) {
		p := h.poll()
		ws := p.candidate()
		ws.send("2probe")
		ws.want("3probe")
		p.candidate().wantClose(1005, 0)
		ws.send("5")
		p.app.send("a")
		ws.want("4a")
	})
	specify(t, "after the upgrade", setup{}, func(h *harness) {
		p := h.poll()
		ws := p.upgrade()
		p.candidate().wantClose(1005, 0)
		p.app.send("a")
		ws.want("4a")
	})
	specify(t, "for a session that began with one", setup{}, func(h *harness) {
		ws := h.ws()
		p := &poller{h, ws.app.ID(), ws.app}
		p.candidate().wantClose(1005, 0)
		ws.app.send("a")
		ws.want("4a")
		h.wantRefusal(p.get(), 400, badRequest)
		h.wantRefusal(p.post("4a"), 400, badRequest)
		ws.app.wantOpen()
	})
	specify(t, "for a session that closes", setup{}, func(h *harness) {
		p := h.poll()
		p.app.Close(engine.ForcedClose)
		p.candidate().wantClose(1005, 0)
		p.wantGet("1")
	})
	specify(t, "fifty of them at a time, of which one is upgraded to", setup{config: func(c *engine.Config) { c.MaxHandshakes = 1 }}, func(h *harness) {
		p := h.poll()
		var wg sync.WaitGroup
		won := make(chan *socket, 50)
		for range 50 {
			wg.Go(func() {
				ws := p.candidate()
				ws.WriteMessage(websocket.TextMessage, []byte("2probe"))
				if _, b, err := ws.ReadMessage(); err == nil && string(b) == "3probe" {
					won <- ws
				}
			})
		}
		wg.Wait()
		if len(won) != 1 {
			h.Fatalf("%d probes were answered", len(won))
		}
		ws := <-won
		ws.send("5")
		ws.send("4a")
		p.app.send("b")
		ws.want("4b")
		p.app.wantGot("a")
		p.app.wantOpen()
	})
}

func TestCloseDuringUpgrade(t *testing.T) {
	t.Parallel()
	phases := []struct {
		name    string
		advance func(p *poller, ws *socket)
	}{
		{"before the probe", func(*poller, *socket) {}},
		{"after the probe", func(_ *poller, ws *socket) { ws.send("2probe"); ws.want("3probe") }},
		{"while a POST holds up the upgrade", func(p *poller, ws *socket) {
			ws.send("2probe")
			ws.want("3probe")
			p.h.raw().write("POST /?" + p.query() + " HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n4a")
			synctest.Wait()
			ws.send("5")
		}},
	}
	specify(t, "by the server, when the client has stopped polling", setup{}, func(h *harness) {
		p := h.poll()
		ws := p.candidate()
		ws.send("2probe")
		ws.want("3probe")
		p.app.send("bye")
		p.app.Close(engine.ForcedClose)
		synctest.Wait()
		ws.send("5")
		ws.want("4bye")
		ws.wantClose(1005, 0)
		p.app.wantClosed(engine.ForcedClose)
	})
	for _, phase := range phases {
		specify(t, "by the server, "+phase.name, setup{}, func(h *harness) {
			p := h.poll()
			ws := p.candidate()
			phase.advance(p, ws)
			p.app.send("bye")
			synctest.Wait()
			p.app.Close(engine.ForcedClose)
			synctest.Wait()
			if p.app.Transport() == engine.WebSocket { // as nothing holds it up any more
				ws.want("4bye")
				ws.wantClose(1005, 0)
			} else {
				p.wantGet("4bye")
				p.wantGet("1")
				ws.wantEnd(0)
			}
			p.app.wantClosed(engine.ForcedClose)
		})
		specify(t, "at once, "+phase.name, setup{}, func(h *harness) {
			p := h.poll()
			poll := p.wait()
			ws := p.candidate()
			phase.advance(p, ws)
			p.app.Discard(engine.ForcedClose)
			if r := <-poll; r.body != "1" && r.body != "6" {
				h.Errorf("the poll is answered %+v", r)
			}
			p.app.wantClosed(engine.ForcedClose)
			if n := h.Wait(canceled()); n > 0 {
				h.Errorf("%d requests or goroutines are left", n)
			}
		})
	}
	specify(t, "by the client, with a packet", setup{}, func(h *harness) {
		p := h.poll()
		ws := p.candidate()
		ws.send("2probe")
		ws.want("3probe")
		p.want(p.post("1"), 200, "ok")
		p.wantGet("6")
		p.app.wantClosed(engine.TransportClose)
		ws.wantEnd(0)
	})
	specify(t, "by a heartbeat that is not answered", setup{config: func(c *engine.Config) { c.UpgradeTimeout = time.Hour }}, func(h *harness) {
		p := h.poll()
		ws := p.candidate()
		ws.send("2probe")
		ws.want("3probe")
		pass(pingInterval + pingTimeout)
		p.app.wantClosed(engine.PingTimeout)
		ws.wantEnd(0)
	})
	specify(t, "at any moment", setup{}, func(h *harness) {
		for range 100 {
			p := h.poll()
			var wg sync.WaitGroup
			wg.Go(func() { p.get() })
			wg.Go(func() {
				ws, r := h.dialWebSocket(nil, "EIO=4&transport=websocket&sid="+p.sid)
				if ws == nil {
					h.wantRefusal(r, 400, unknownSession)
					return
				}
				for _, packet := range []string{"2probe", "5", "4a"} {
					if ws.WriteMessage(websocket.TextMessage, []byte(packet)) != nil {
						break
					}
				}
				for ws.SetReadDeadline(time.Now().Add(time.Minute)) == nil {
					if _, _, err := ws.ReadMessage(); err != nil {
						break
					}
				}
				ws.Close()
			})
			wg.Go(func() {
				for range rand.IntN(200) {
					p.app.Transport()
				}
				p.app.Close(engine.ForcedClose)
			})
			wg.Wait()
			pass(time.Minute)
			p.app.wantClosed(engine.ForcedClose)
		}
	})
}

// Clients behave like those in the field: they poll and post, one request of
// each kind at a time; they probe, finish what is under way, and move.
func TestMessagesDuringUpgrade(t *testing.T) {
	t.Parallel()
	const schedules, messages = 100, 40
	for first := range 10 {
		t.Run(fmt.Sprint("schedules ", first), func(t *testing.T) {
			t.Parallel()
			for i := first; i < schedules; i += 10 {
				seed := rand.Uint64()
				synctest.Test(t, func(t *testing.T) {
					testSchedule(t, rand.New(rand.NewPCG(seed, 0)), messages)
				})
				if t.Failed() {
					t.Fatalf("with seed %d", seed)
				}
			}
		})
	}
}

func testSchedule(t *testing.T, random *rand.Rand, messages int) {
	t.Helper()
	var mu sync.Mutex // guards random
	upTo := func(n int) int {
		mu.Lock()
		defer mu.Unlock()
		return random.IntN(n)
	}
	pause := func() {
		if upTo(2) == 0 {
			pass(time.Duration(upTo(50)) * time.Millisecond)
		}
	}
	h := start(t, setup{
		config: func(c *engine.Config) { c.MaxQueue = 1 << 20 },
		dialled: func(c *memnet.Conn) {
			if upTo(2) == 0 {
				c.In().SetRate(10_000 + upTo(100_000))
			}
			if upTo(2) == 0 {
				c.Out().SetRate(10_000 + upTo(100_000))
			}
			if upTo(4) == 0 {
				c.In().SetCapacity(1 + upTo(1000))
			}
		},
		receive: func(*app, *engine.Turn, string, bool) { pause() },
	})
	defer h.stop()
	p := h.poll()

	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() { // the application
		for i := range messages {
			pause()
			p.app.send(fmt.Sprint(i, strings.Repeat(" ", upTo(200))))
		}
	})

	received := 0
	receive := func(packet string) {
		switch {
		case packet == "6" || packet == "2":
		case strings.TrimSpace(packet) == fmt.Sprintf("4%d", received):
			received++
		default:
			t.Errorf("received %q, want message %d", packet, received)
		}
	}
	moving := make(chan struct{}) // closed when polling is to pause
	var polling sync.WaitGroup
	polling.Go(func() {
		for !done(moving) {
			r := p.get()
			if r.status != http.StatusOK {
				t.Errorf("poll: %+v", r)
				return
			}
			for packet := range strings.SplitSeq(r.body, "\x1e") {
				receive(packet)
			}
			pause()
		}
	})
	sent := 0
	next := func() string { sent++; return fmt.Sprintf("4%d", sent-1) }
	polling.Go(func() {
		for !done(moving) && sent < messages {
			batch := []string{next()}
			for sent < messages && upTo(2) == 0 {
				batch = append(batch, next())
			}
			if r := p.post(strings.Join(batch, "\x1e")); r.body != "ok" {
				t.Errorf("post: %+v", r)
				return
			}
			pause()
		}
	})

	pass(time.Duration(upTo(500)) * time.Millisecond)
	ws := p.candidate()
	pause()
	ws.send("2probe")
	ws.want("3probe")
	pause()
	close(moving)
	polling.Wait()
	pause()
	ws.send("5")
	wg.Go(func() {
		for sent < messages {
			pause()
			ws.send(next())
		}
	})
	for received < messages && !t.Failed() {
		_, packet := ws.next()
		receive(packet)
	}
	wg.Wait()
	pass(time.Minute)
	got := p.app.got()
	for i, message := range got {
		if message != fmt.Sprint(i) {
			t.Fatalf("the server received %q, want message %d", message, i)
		}
	}
	if len(got) != messages {
		t.Errorf("the server received %d messages of %d", len(got), messages)
	}
}

func done(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
