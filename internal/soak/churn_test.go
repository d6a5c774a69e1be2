//go:build linux

package soak_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// An ending is how a client comes and goes.
type ending struct {
	name string
	live func(n *network, i int) error
}

var endings = []ending{
	{"polite, by WebSocket", func(n *network, i int) error { return liveAndLeave(n, i, webSocket, false) }},
	{"cut, by WebSocket", func(n *network, i int) error { return liveAndLeave(n, i, webSocket, true) }},
	{"polite, by polling", func(n *network, i int) error { return liveAndLeave(n, i, polling, false) }},
	{"polite, having moved", func(n *network, i int) error { return liveAndLeave(n, i, upgrading, false) }},
	{"cut, having moved", func(n *network, i int) error { return liveAndLeave(n, i, upgrading, true) }},
	{"closed without a word", func(n *network, _ int) error {
		w, err := joined(n, webSocket)
		if err == nil {
			err = w.conn().Close()
		}
		return err
	}},
	{"gone, by polling", func(n *network, _ int) error {
		w, err := joined(n, polling)
		if err == nil {
			w.close()
		}
		return err
	}},
	{"cut in the request", func(n *network, i int) error {
		const request = "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
			"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
		return n.sayAndCut(request[:1+i%len(request)])
	}},
	{"cut behind the request", func(n *network, _ int) error {
		return n.sayAndCut("GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
			"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
	}},
	{"cut before it joined", func(n *network, _ int) error {
		w, err := n.open(webSocket)
		if err == nil {
			reset(w.conn())
		}
		return err
	}},
	{"cut as it joined", func(n *network, _ int) error {
		w, err := n.open(webSocket)
		if err == nil {
			err = w.write("40", `420["join","room","another"]`)
			reset(w.conn())
		}
		return err
	}},
	{"cut in a binary event", func(n *network, _ int) error {
		w, err := joined(n, webSocket)
		if err == nil {
			err = w.write(`452-["echo",{"_placeholder":true,"num":0}]`)
			reset(w.conn())
		}
		return err
	}},
	{"moving, cut at the first word", func(n *network, i int) error { return n.cutUpgrade(i, 0) }},
	{"moving, cut behind the probe", func(n *network, i int) error { return n.cutUpgrade(i, 1) }},
	{"moving, cut as it moves", func(n *network, i int) error { return n.cutUpgrade(i, 2) }},
}

// liveAndLeave joins rooms, says something, hears something and goes.
func liveAndLeave(n *network, i, how int, cut bool) error {
	s, err := n.join(how, "", func(string, string) {})
	if err != nil {
		return err
	}
	room := fmt.Sprint("room ", i%100)
	_, err = s.ask("join", room, fmt.Sprint("own ", i))
	if err == nil {
		_, err = s.ask("say", stranger, i, room, false, i%2 == 0)
	}
	s.leave(cut)
	return err
}

func (n *network) sayAndCut(text string) error {
	c, err := net.Dial("tcp", n.addr) //nolint:noctx // loopback
	if err == nil {
		_, err = io.WriteString(c, text)
		reset(c)
	}
	return err
}

// cutUpgrade moves a session and cuts the WebSocket after some steps. What has
// not moved goes on by polling, half of it politely.
func (n *network) cutUpgrade(i, steps int) error {
	w, err := n.openPolling()
	if err != nil {
		return err
	}
	defer w.close()
	if _, err := n.connect(w, ""); err != nil {
		return err
	}
	ws, err := n.openWebSocket("&sid=" + w.sid)
	if err != nil {
		return err
	}
	defer ws.close()
	if steps > 0 {
		if err = ws.write("2probe"); err == nil {
			_, err = ws.read()
		}
	}
	if steps > 1 && err == nil {
		err = ws.write("5")
	}
	reset(ws.conn())
	if steps < 2 && i%2 == 0 && err == nil {
		err = w.write(`421["echo"]`, "1")
	}
	return err
}

var calm = options{ // quick to notice who has gone, but no judge of a busy machine
	MaxPayload: 100_000, PingInterval: time.Second, PingTimeout: 8 * time.Second,
	ConnectTimeout: 15 * time.Second, WriteTimeout: 3 * time.Second, UpgradeTimeout: 10 * time.Second,
}

// Clients come and go, in every way there is. When the last has gone, nothing
// is left of them.
func TestChurn(t *testing.T) {
	besides(t)
	times := size(10_000, 1500)
	srv := start(t, setup{Options: calm})
	network := srv.net()
	var refused atomic.Int64
	churn := func(times int) {
		var last atomic.Int64
		each(times, 32, func(i int) {
			e := endings[i%len(endings)]
			err := e.live(network, i/len(endings))
			switch {
			case errors.Is(err, errRefused):
				refused.Add(1)
			case err != nil:
				t.Errorf("%s: %v", e.name, err)
			}
			if now := time.Now().Unix(); full() && now >= last.Load()+5 {
				last.Store(now)
				say(t, "%d of %d have come: %v", i, times, srv.state(false))
			}
		})
		network.polling.CloseIdleConnections()
	}
	empty := func() bool { s := srv.state(false); return s.Connections == 0 }
	before := srv.state(true)
	churn(times / 5) // what is made once, and pools that grow
	until(t, "everybody has gone", empty)
	base := srv.wantBaseline(state{Goroutines: before.Goroutines, FDs: before.FDs, Heap: before.Heap + 1<<20})
	begin := time.Now()
	churn(times)
	took := time.Since(begin)
	until(t, "everybody has gone", empty)
	end := srv.wantBaseline(base)
	conclude(t, "%d connects and disconnects of %d kinds in %v: %v before, %v after; OnDisconnect: %s; refused: %d",
		times, len(endings), took.Round(time.Millisecond), base, end, counts(end.Reasons), refused.Load())
	var ended uint64
	for _, n := range end.Reasons {
		ended += n
	}
	if ended != end.Connects {
		t.Errorf("OnConnect was called %d times, OnDisconnect %d times", end.Connects, ended)
	}
}

// Many connections are held that do nothing. When they go, nothing is left; nor
// when the server shuts down with as many.
func TestIdle(t *testing.T) {
	count := size(10_000, 1500)
	srv := start(t, setup{Options: options{PingInterval: 5 * time.Second, PingTimeout: patience}})
	network := srv.net()
	gather(t, network, count/10, onlyWebSocket, nil).leave() // what is made once
	until(t, "the first have gone", func() bool { return srv.state(false).Connections == 0 })
	base := srv.state(true)

	begin := time.Now()
	clients := gather(t, network, count, onlyWebSocket, nil)
	took := time.Since(begin)
	if full() {
		pause(t.Context(), 15*time.Second) // several heartbeats
	}
	var held state
	until(t, "nothing is left of the connects", func() bool {
		held = srv.state(true)
		return held.Connections == count && held.Sockets == count && held.Goroutines <= base.Goroutines+count
	})
	if perClient := (held.Heap - base.Heap) / uint64(count); perClient > 5<<10 {
		t.Errorf("an idle connection takes %d bytes of the heap", perClient)
	}
	clients.leave()
	until(t, "everybody has gone", func() bool { return srv.state(false).Connections == 0 })
	end := srv.state(true)
	// The runtime keeps the descriptions of goroutines that have been, and maps
	// their tables.
	kept := uint64(count) * 700
	if end.Heap > base.Heap+kept+keptByTables || end.Goroutines > base.Goroutines || end.FDs > base.FDs {
		end = srv.wantBaseline(state{Goroutines: base.Goroutines, FDs: base.FDs, Heap: base.Heap + kept})
	}
	conclude(t, "%d idle connections, made in %v, take %d bytes of the heap each and %d goroutines; %v before, %v after",
		count, took.Round(time.Millisecond), (held.Heap-base.Heap)/uint64(count), held.Goroutines-base.Goroutines, base, end)

	clients = gather(t, network, count, onlyWebSocket, nil)
	took = srv.wantShutdown(base.Goroutines)
	for i, c := range clients {
		<-c.ended
		if err := c.why(); !strings.Contains(fmt.Sprint(err), "close") && !errors.Is(err, io.EOF) {
			t.Errorf("client %d has ended with %v", i, err)
			break
		}
	}
	conclude(t, "Shutdown with %d connections took %v", count, took.Round(time.Millisecond))
}

// A server that has been killed starts again, and all its clients come back at
// once. No more handshakes than permitted are under way at a time; who is
// refused comes again, and everybody gets in.
func TestReconnectStorm(t *testing.T) {
	const handshakes = 32
	count := size(5000, 500)
	s := setup{Options: options{MaxHandshakes: handshakes}, Admit: 5 * time.Millisecond}
	srv := start(t, s)
	network := srv.net()
	var refused, reset atomic.Int64
	sessions := make(crowd, count)
	t.Cleanup(sessions.leave)
	storm := func() (took time.Duration) {
		begin := time.Now()
		each(count, count, func(i int) {
			for try := 0; ; try++ {
				next, err := network.join(mixed(i), "", nil)
				if err == nil {
					sessions[i] = next
					return
				}
				var op *net.OpError
				switch {
				case errors.Is(err, errRefused):
					refused.Add(1)
				case errors.As(err, &op) && try < 100: // by the system, whose backlog is full
					reset.Add(1)
				default:
					t.Errorf("client %d: %v", i, err)
					return
				}
				pause(t.Context(), time.Duration(50+(i*37+try*101)%200)*time.Millisecond)
			}
		})
		return time.Since(begin)
	}
	first := storm()
	if t.Failed() {
		return
	}
	refused.Store(0)
	reset.Store(0)
	srv.kill()
	for _, s := range sessions {
		<-s.ended
	}
	network.polling.CloseIdleConnections()
	srv.run()
	again := storm()
	if t.Failed() {
		return
	}
	until(t, "all are there", func() bool { s := srv.state(false); return s.Connections == count && s.Sockets == count })
	state := srv.state(false)
	conclude(t, "%d clients came at once in %v and, after the server was killed, again in %v: %d refusals, %d connections lost in the backlog, at most %d of %d handshakes at a time",
		count, first.Round(time.Millisecond), again.Round(time.Millisecond), refused.Load(), reset.Load(), state.Admitting, handshakes)
	if state.Admitting > handshakes {
		t.Errorf("%d handshakes were under way at a time, want at most %d", state.Admitting, handshakes)
	}
	sessions.settle(t)
}
