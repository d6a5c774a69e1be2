package engine_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"

	"github.com/socketio-go/socketio/internal/engine"
)

// No transfer ends while it moves, and whoever makes one can't be expected to
// answer pings meanwhile.
func TestSlowTransfers(t *testing.T) {
	t.Parallel()
	const speed = 20_000 // bytes a second
	const size = 1_000_000
	large := strings.Repeat("x", size)
	roomy := setup{config: func(c *engine.Config) { c.MaxPayload, c.MaxQueue, c.AllowEIO3 = size+100, 4*size, true }}
	took := func(h *harness, began time.Time) {
		h.Helper()
		if d := time.Since(began); d < (size/speed-5)*time.Second {
			h.Errorf("took only %v", d)
		}
	}
	specify(t, "down by WebSocket", roomy, func(h *harness) {
		ws := h.ws()
		ws.mem().In().SetRate(speed)
		began := time.Now()
		ws.app.send(large)
		ws.want("4" + large)
		took(h, began)
		ws.want("2")
		ws.send("3")
		pass(pingInterval)
		ws.app.wantOpen()
	})
	specify(t, "down by WebSocket, through a network that holds all of it", roomy, func(h *harness) {
		ws := h.ws()
		ws.mem().In().SetCapacity(2 * size)
		ws.app.send(large)
		pass(size / speed * time.Second) // until the client can see the ping
		ws.want("4"+large, "2")
		ws.send("3")
		pass(pingInterval)
		ws.app.wantOpen()
	})
	specify(t, "down by polling", roomy, func(h *harness) {
		p := h.poll()
		c := h.raw()
		p.app.send(large)
		c.mem().In().SetRate(speed)
		began := time.Now()
		c.write("GET /?" + p.query() + " HTTP/1.1\r\nHost: x\r\n\r\n")
		p.want(c.response(), 200, "4"+large)
		took(h, began)
		p.wantGet("2")
		p.want(p.post("3"), 200, "ok")
		p.app.wantOpen()
	})
	specify(t, "down by polling, through a network that holds all of it", roomy, func(h *harness) {
		p := h.poll()
		p.app.send(large)
		p.wantGet("4" + large)
		pass(size / speed * time.Second)
		p.wantGet("2")
		p.want(p.post("3"), 200, "ok")
		p.app.wantOpen()
	})
	for _, v3 := range []bool{false, true} {
		specify(t, fmt.Sprint("up by WebSocket, Engine.IO 3: ", v3), roomy, func(h *harness) {
			var ws *socket
			if v3 {
				ws = h.wsV3("")
			} else {
				ws = h.ws()
			}
			ws.mem().Out().SetRate(speed)
			began := time.Now()
			ws.send("4" + large)
			if v3 {
				ws.send("2")
			} else {
				ws.send("3") // to the ping that has come meanwhile
			}
			took(h, began)
			pass(pingTimeout / 2)
			ws.app.wantGot(large)
			if n := ws.app.heartbeats(); n > 1 {
				h.Errorf("the receiver was told of %d heartbeats", n)
			}
		})
	}
	specify(t, "up by polling", roomy, func(h *harness) {
		p := h.poll()
		c := h.raw()
		go func() {
			for p.get().status == http.StatusOK {
			}
		}()
		c.mem().Out().SetRate(speed)
		began := time.Now()
		c.write(fmt.Sprintf("POST /?%s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n4%s", p.query(), size+1, large))
		p.want(c.response(), 200, "ok")
		took(h, began)
		p.app.wantGot(large)
		p.app.wantOpen()
		p.want(p.post("3"), 200, "ok") // which had to wait
		p.app.Discard(engine.ForcedClose)
		synctest.Wait()
	})
	// A client sends its pong behind what it uploads, and closes if it gets no ping for
	// PingInterval + PingTimeout, even while its upload moves.
	t.Run("up for minutes, with pings in time", func(t *testing.T) {
		const minutes = 3_000_000
		huge := strings.Repeat("x", minutes)
		larger := setup{config: func(c *engine.Config) { c.MaxPayload = minutes + 100 }}
		wantGap := func(h *harness, last *time.Time) {
			h.Helper()
			if gap := time.Since(*last); gap > pingInterval+pingTimeout-time.Second {
				h.Errorf("no ping for %v", gap)
			}
			*last = time.Now()
		}
		specify(t, "by polling", larger, func(h *harness) {
			p := h.poll()
			c := h.raw()
			c.mem().Out().SetRate(speed)
			polled := make(chan struct{})
			go func() {
				defer close(polled)
				last := time.Now()
				for {
					r := p.get()
					wantGap(h, &last)
					if r.status != http.StatusOK || r.body == "1" {
						return
					}
				}
			}()
			c.write(fmt.Sprintf("POST /?%s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n4%s", p.query(), minutes+1, huge))
			p.want(c.response(), 200, "ok")
			if got := p.app.got(); len(got) != 1 || len(got[0]) != minutes {
				h.Errorf("received %d messages", len(got))
			}
			p.want(p.post("3"), 200, "ok")
			p.app.wantOpen()
			p.app.Discard(engine.ForcedClose)
			<-polled
		})
		specify(t, "by WebSocket", larger, func(h *harness) {
			ws := h.ws()
			ws.mem().Out().SetRate(speed)
			read := make(chan struct{})
			go func() {
				defer close(read)
				last := time.Now()
				for {
					_, _, err := ws.ReadMessage()
					wantGap(h, &last)
					if err != nil {
						return
					}
				}
			}()
			ws.send("4" + huge)
			ws.send("3")
			pass(pingTimeout / 2)
			if got := ws.app.got(); len(got) != 1 || len(got[0]) != minutes {
				h.Errorf("received %d messages", len(got))
			}
			ws.app.wantOpen()
			ws.app.Discard(engine.ForcedClose)
			<-read
		})
	})
	specify(t, "at the end of a session", roomy, func(h *harness) {
		ws := h.ws()
		ws.mem().In().SetRate(speed)
		ws.app.send(large)
		ws.app.Close(engine.ForcedClose)
		ws.want("4" + large)
		ws.wantClose(1005, closeWait)
	})
	specify(t, "of much that is queued do not hold back pings", setup{config: func(c *engine.Config) { c.MaxQueue = 8 << 20 }}, func(h *harness) {
		ws := h.ws()
		ws.mem().In().SetRate(speed)
		for range 1000 {
			ws.app.send(strings.Repeat("x", 5000)) // 250 seconds of it
		}
		last := time.Now()
		for n := 0; n < 1000; {
			_, packet, err := ws.ReadMessage()
			if err != nil {
				h.Fatalf("after %d messages: %v", n, err)
			}
			if packet[0] == '4' {
				n++
				continue
			}
			if d := time.Since(last); d > pingInterval+pingTimeout {
				h.Errorf("a ping after %v", d)
			}
			last = time.Now()
			ws.send("3")
		}
	})
}

// A poll carries no more packets than every client reads.
func TestPacketsOfAPoll(t *testing.T) {
	t.Parallel()
	count := func(body string) int { return 1 + strings.Count(body, "\x1e") }
	specify(t, "sixteen, in order", setup{}, func(h *harness) {
		p := h.poll()
		const messages = 50
		for i := range messages {
			p.app.send(fmt.Sprint(i))
		}
		var got []string
		for range 4 {
			r := p.get()
			if n := count(r.body); n > 16 {
				h.Errorf("%d packets", n)
			}
			got = append(got, strings.Split(r.body, "\x1e")...)
		}
		for i := range messages {
			if got[i] != fmt.Sprint("4", i) {
				h.Fatalf("message %d is %q", i, got[i])
			}
		}
		h.wantCounts(engine.Counts{Emitted: messages, Written: messages})
	})
	many := func() *engine.Message {
		var attachments [][]byte
		for i := range 40 {
			attachments = append(attachments, []byte{byte(i)})
		}
		return engine.NewMessage([]byte("many"), attachments)
	}
	specify(t, "an attachment is one, and an event may be divided", setup{}, func(h *harness) {
		p := h.poll()
		p.app.Send(many(), false)
		p.app.send("next")
		for _, want := range []int{16, 16, 10} {
			h.wantCounts(engine.Counts{Emitted: 2, Pending: 2})
			if n := count(p.get().body); n != want {
				h.Errorf("%d packets, want %d", n, want)
			}
		}
		h.wantCounts(engine.Counts{Emitted: 2, Written: 2})
		if n := p.app.Queued(); n != 0 {
			h.Errorf("%d bytes are still queued", n)
		}
	})
	specify(t, "what is left of one goes by the WebSocket that is upgraded to", setup{}, func(h *harness) {
		p := h.poll()
		p.app.Send(many(), false)
		if n := count(p.get().body); n != 16 {
			h.Errorf("%d packets", n)
		}
		ws := p.upgrade()
		for i := 15; i < 40; i++ {
			if kind, data := ws.next(); kind != websocket.BinaryMessage || data != string([]byte{byte(i)}) {
				h.Fatalf("attachment %d is %q", i, data)
			}
		}
		h.wantCounts(engine.Counts{Emitted: 1, Written: 1})
	})
	specify(t, "what is left of one is lost with its session", setup{}, func(h *harness) {
		p := h.poll()
		p.app.Send(many(), false)
		p.get()
		p.app.Discard(engine.ForcedClose)
		h.wantCounts(engine.Counts{Emitted: 1, Closed: 1})
	})
	specify(t, "of a client of Engine.IO 3", v3, func(h *harness) {
		p := h.pollV3("", "")
		p.app.Send(many(), false)
		var binary []byte
		for i, want := range []int{16, 16, 9} {
			r := p.get()
			if kind := r.header.Get("Content-Type"); kind != "application/octet-stream" {
				h.Errorf("response %d of type %q", i, kind)
			}
			n := 0
			for rest := r.body; rest != ""; n++ { // kind, the digits of the length, 0xff, the packet
				end := strings.IndexByte(rest, 0xff)
				size := 0
				for _, digit := range []byte(rest[1:end]) {
					size = 10*size + int(digit)
				}
				if rest[0] == 1 {
					binary = append(binary, rest[end+2:end+1+size]...)
				}
				rest = rest[end+1+size:]
			}
			if n != want {
				h.Errorf("response %d has %d packets, want %d", i, n, want)
			}
		}
		for i := range 40 {
			if binary[i] != byte(i) {
				h.Fatalf("attachments %v", binary)
			}
		}
	})
	specify(t, "bounded in bytes, too, but for the first", setup{config: func(c *engine.Config) { c.MaxQueue = 8 << 20 }}, func(h *harness) {
		p := h.poll()
		large := strings.Repeat("x", 200<<10)
		for range 2 {
			p.app.send(large)
		}
		p.app.send(large + large)
		p.wantGet("4" + large)
		p.wantGet("4" + large)
		p.wantGet("4" + large + large)
	})
}

// A flood of pings costs the same however much is queued, and answers of a bounded
// number are queued ahead of it.
func TestControlFramesGoAheadOfTheQueue(t *testing.T) {
	t.Parallel()
	specify(t, "pings of both kinds", setup{config: func(c *engine.Config) { c.MaxQueue, c.WriteTimeout = 8<<20, time.Hour }}, func(h *harness) {
		ws := h.ws()
		ws.mem().In().SetCapacity(0)
		for range 10_000 {
			ws.app.send("x")
		}
		before := ws.app.Queued()
		for range 100 {
			ws.write(rawFrame(final|pings, "a"))
		}
		pass(pingInterval + time.Second) // and one of ours
		if n := ws.app.Queued(); n != before {
			h.Errorf("%d bytes queued, %d before the pings", n, before)
		}
		pongs := 0
		ws.SetPongHandler(func(string) error { pongs++; return nil })
		ws.mem().In().SetCapacity(1 << 20)
		messages := 0
		for {
			_, packet := ws.next()
			if packet == "2" {
				break
			}
			messages++
		}
		if messages > 512 || pongs != 1 {
			h.Errorf("the ping came behind %d messages, and %d pongs", messages, pongs)
		}
	})
}

// BenchmarkPing measures what a client's ping costs that does not read, with
// little and with much in its queue.
func BenchmarkPing(b *testing.B) {
	for _, queued := range []int{0, 40_000} {
		b.Run(fmt.Sprint(queued), func(b *testing.B) {
			h := start(b, setup{listen: listenTCP, config: func(c *engine.Config) {
				c.MaxQueue, c.WriteTimeout = 64<<20, time.Hour
			}})
			ws := h.ws()
			ws.app.send(strings.Repeat("x", 32<<20)) // the network is full
			for range queued {
				ws.app.send("x")
			}
			ping := []byte(rawFrame(final|pings, ""))
			for b.Loop() {
				if _, err := ws.NetConn().Write(ping); err != nil {
					b.Fatal(err)
				}
			}
			b.StopTimer()
			go func() { _, _ = io.Copy(io.Discard, ws.NetConn()) }()
			ws.app.Discard(engine.ForcedClose)
			h.stop()
		})
	}
}
