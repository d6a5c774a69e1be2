//go:build linux

package soak_test

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// A flood is what one hostile client does over and over. It returns after a
// while, or when ctx ends, with an error if it was not treated as it should be.
type flood struct {
	name  string
	drops func(ctx context.Context, n *network, times int) error
}

// errNotTreated says what was expected in vain.
func errNotTreated(format string, a ...any) error { return fmt.Errorf("want "+format, a...) }

var floods = []flood{
	{"CONNECTs to namespaces that do not exist", func(_ context.Context, n *network, times int) error {
		return flooding(n, times, func(i int) string { return fmt.Sprintf("40/nowhere-%d,", i) },
			func(i int, packet string) bool { return strings.HasPrefix(packet, fmt.Sprintf("44/nowhere-%d,", i)) })
	}},
	{"CONNECTs to more namespaces than a connection may have", func(_ context.Context, n *network, times int) error {
		joined := 1 // "/"
		err := flooding(n, times, func(i int) string { return fmt.Sprintf("40/many-%d,", i) },
			func(_ int, packet string) bool { // in whatever order
				if strings.HasPrefix(packet, "40/many-") {
					joined++
					return true
				}
				return strings.HasPrefix(packet, "44/many-") && strings.HasSuffix(packet, `,{"message":"Too many namespaces"}`)
			})
		if err == nil && joined != min(100, 1+batch*((times+batch-1)/batch)) {
			err = errNotTreated("100 namespaces on a connection, got %d", joined)
		}
		return err
	}},
	{"CONNECTs to one namespace", func(_ context.Context, n *network, times int) error {
		return eachTime(times/10, func() error {
			w, err := joined(n, webSocket)
			if err != nil {
				return err
			}
			defer w.close()
			_ = w.write("40", "40", "40", "40")
			return wantEnd(w)
		})
	}},
	{"answers to nothing, and again", func(_ context.Context, n *network, times int) error {
		s, err := n.join(webSocket, "", nil)
		if err != nil {
			return err
		}
		defer s.leave(false)
		for i := range 10 * times {
			if err := s.write(fmt.Sprintf("43%d[]", i%100)); err != nil {
				return err
			}
		}
		_, err = s.ask("sync")
		return err
	}},
	{"WebSocket pings by one that reads", func(_ context.Context, n *network, times int) error {
		w, err := joined(n, webSocket)
		if err != nil {
			return err
		}
		defer w.close()
		for range 10 * times {
			if err := w.(*socketWire).ws.WriteControl(websocket.PingMessage, make([]byte, 125), time.Now().Add(patience)); err != nil {
				return err
			}
		}
		if err := w.write(event(1, "sync")); err != nil {
			return err
		}
		packet, err := readAnswer(w)
		if err == nil && packet != "431[]" {
			err = errNotTreated("an answer behind the pings, got %q", packet)
		}
		return err
	}},
	{"WebSocket pings by one that never reads", func(ctx context.Context, n *network, times int) error {
		w, err := joined(n, webSocket)
		if err != nil {
			return err
		}
		defer w.close()
		for range 10 * times { // until it is closed, or no harm is done
			if ctx.Err() != nil || w.(*socketWire).ws.WriteControl(websocket.PingMessage, make([]byte, 125), time.Now().Add(patience)) != nil {
				break
			}
		}
		return nil
	}},
	{"heartbeats that nobody asked for", func(_ context.Context, n *network, times int) error {
		s, err := n.join(webSocket, "", nil)
		if err != nil {
			return err
		}
		for range 10 * times {
			if err := s.write("3"); err != nil {
				return err
			}
		}
		if _, err = s.ask("sync"); err != nil {
			return err
		}
		_ = s.write("2") // the server's to send
		<-s.ended
		return nil
	}},
	{"handshakes", func(_ context.Context, n *network, times int) error {
		return eachTime(times, func() error {
			w, err := n.open(polling)
			if errors.Is(err, errRefused) {
				return nil
			}
			if err == nil {
				err = w.write("1")
				w.close()
			}
			return err
		})
	}},
	{"sessions that are never heard of again", func(_ context.Context, n *network, times int) error {
		return eachTime(times, func() error {
			w, err := n.open(polling)
			if errors.Is(err, errRefused) {
				return nil
			}
			if err == nil {
				w.close()
			}
			return err
		})
	}},
	{"WebSockets that join nothing", func(_ context.Context, n *network, times int) error {
		return holding(times/20, func() (io.Closer, error) {
			w, err := n.open(webSocket)
			if err != nil {
				return nil, err
			}
			return w.conn(), nil
		})
	}},
	{"connections that say nothing", func(ctx context.Context, n *network, times int) error {
		return holding(times/20, func() (io.Closer, error) { return n.dialer.NetDialContext(ctx, "tcp", n.addr) })
	}},
	{"headers that do not end", func(ctx context.Context, n *network, times int) error {
		return holding(times/20, func() (io.Closer, error) {
			return n.dribble(ctx, "GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: x\r\n", "X: y\r\n")
		})
	}},
	{"bodies that do not end", func(ctx context.Context, n *network, times int) error {
		return holding(times/20, func() (io.Closer, error) {
			w, err := n.openPolling()
			if err != nil {
				return nil, err
			}
			if err := w.write("40"); err != nil {
				return nil, err
			}
			return n.dribble(ctx, "POST /socket.io/?EIO=4&transport=polling&sid="+w.sid+" HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n", "4")
		})
	}},
	{"messages that do not end", func(ctx context.Context, n *network, times int) error {
		return holding(times/20, func() (io.Closer, error) {
			w, err := joined(n, webSocket)
			if err != nil {
				return nil, err
			}
			return n.dribbleOn(ctx, w.conn(), "\x01\x81\x00\x00\x00\x004", "\x00\x80\x00\x00\x00\x00")
		})
	}},
	{"WebSocket messages that inflate", func(_ context.Context, n *network, times int) error {
		return eachTime(times/50, func() error {
			deflating := *n
			deflating.dialer.EnableCompression = true
			w, err := joined(&deflating, webSocket)
			if err != nil {
				return err
			}
			defer w.close()
			frame := append([]byte{0xc1, 0xfe, byte(len(bomb) >> 8), byte(len(bomb)), 0, 0, 0, 0}, bomb...)
			if _, err := w.conn().Write(frame); err != nil {
				return err
			}
			for err == nil {
				_, err = w.read()
			}
			if !websocket.IsCloseError(err, websocket.CloseMessageTooBig) {
				return errNotTreated("a close frame with 1009, got %v", err)
			}
			return nil
		})
	}},
	{"bodies that inflate", func(ctx context.Context, n *network, times int) error {
		var packed bytes.Buffer
		z := gzip.NewWriter(&packed)
		_, _ = z.Write(make([]byte, 10<<20))
		z.Close()
		return eachTime(times/20, func() error {
			w, err := n.openPolling()
			if err != nil {
				return err
			}
			r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+n.addr+"/socket.io/?EIO=4&transport=polling&sid="+w.sid, bytes.NewReader(packed.Bytes()))
			if err != nil {
				return err
			}
			r.Header.Set("Content-Encoding", "gzip")
			resp, err := n.polling.Do(r)
			if err != nil {
				return err
			}
			resp.Body.Close()
			if resp.StatusCode != http.StatusUnsupportedMediaType {
				return errNotTreated("415, got %s", resp.Status)
			}
			return w.write("1")
		})
	}},
	{"bodies beyond MaxPayload", func(_ context.Context, n *network, times int) error {
		large := strings.Repeat("4", 200_000)
		return eachTime(times/20, func() error {
			w, err := n.openPolling()
			if err != nil {
				return err
			}
			if err := w.write(large); err == nil || !strings.Contains(err.Error(), "413") && !isReset(err) {
				return errNotTreated("413, got %v", err)
			}
			return w.write("1")
		})
	}},
	{"garbage", func(_ context.Context, n *network, times int) error {
		return eachTime(times/10, func() error {
			w, err := joined(n, webSocket)
			if err != nil {
				return err
			}
			defer w.close()
			_ = w.write(`42["`, "\x00", `4`, `459-[]`)
			return wantEnd(w)
		})
	}},
	{"events, as fast as they are answered", func(_ context.Context, n *network, times int) error {
		s, err := n.join(webSocket, "", nil)
		if err != nil {
			return err
		}
		defer s.leave(false)
		for range times * 5 {
			if err := s.write(`427777["echo","x"]`); err != nil {
				return err
			}
		}
		_, err = s.ask("sync")
		return err
	}},
}

// isReset reports whether the server had refused a body before it was sent.
func isReset(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) || errors.Is(err, io.EOF)
}

// bomb is 100 MB, deflated as a WebSocket message.
var bomb = func() []byte {
	var b bytes.Buffer
	w, _ := flate.NewWriter(&b, flate.BestCompression)
	_, _ = w.Write([]byte(`42["`))
	for range 5 {
		_, _ = w.Write(bytes.Repeat([]byte{'x'}, 1<<20))
	}
	_ = w.Flush()
	return bytes.TrimSuffix(b.Bytes(), []byte{0, 0, 0xff, 0xff})
}()

// joined opens a connection and joins "/".
func joined(n *network, how int) (wire, error) {
	w, err := n.open(how)
	if err != nil {
		return nil, err
	}
	if _, err := n.connect(w, ""); err != nil {
		w.close()
		return nil, err
	}
	return w, nil
}

// readAnswer reads what is neither an event nor a heartbeat, which it answers.
func readAnswer(w wire) (string, error) {
	for {
		packet, err := w.read()
		switch {
		case err != nil:
			return "", err
		case packet == "2":
			if err := w.write("3"); err != nil {
				return "", err
			}
		case strings.HasPrefix(packet, "42"), strings.HasPrefix(packet, "451-"), strings.HasPrefix(packet, "b"):
		default:
			return packet, nil
		}
	}
}

// wantEnd reads until the server has closed the connection.
func wantEnd(w wire) error {
	_ = w.conn().SetReadDeadline(time.Now().Add(patience))
	for {
		_, err := w.read()
		var timeout net.Error
		switch {
		case errors.As(err, &timeout) && timeout.Timeout():
			return errNotTreated("the connection closed")
		case err != nil:
			return nil
		}
	}
}

func eachTime(times int, fn func() error) error {
	for range max(times, 1) {
		if err := fn(); err != nil {
			return err
		}
	}
	return nil
}

// batch is how many packets flooding sends at a time.
const batch = 50

// flooding sends packets on one connection, each of which has an answer.
func flooding(n *network, times int, packet func(i int) string, isAnswer func(i int, packet string) bool) error {
	w, err := joined(n, webSocket)
	if err != nil {
		return err
	}
	defer w.close()
	for i := 0; i < times; i += batch {
		for j := range batch {
			if err := w.write(packet(i + j)); err != nil {
				return err
			}
		}
		for j := range batch {
			got, err := readAnswer(w)
			switch {
			case err != nil:
				return err
			case !isAnswer(i+j, got):
				return errNotTreated("an answer to %q, got %q", packet(i+j), got)
			}
		}
	}
	return nil
}

// holding opens connections and waits until the server closes them all.
func holding(count int, open func() (io.Closer, error)) error {
	list := make([]io.Closer, 0, count)
	defer func() {
		for _, c := range list {
			c.Close()
		}
	}()
	for range max(count, 1) {
		c, err := open()
		if err != nil {
			return err
		}
		list = append(list, c)
	}
	for _, c := range list {
		conn := c.(net.Conn)
		_ = conn.SetReadDeadline(time.Now().Add(patience))
		_, err := io.Copy(io.Discard, conn)
		var timeout net.Error
		if errors.As(err, &timeout) && timeout.Timeout() {
			return errNotTreated("the connection closed")
		}
	}
	return nil
}

// dribble opens a connection and sends a beginning, and then the same little
// thing several times a second, until the connection ends.
func (n *network) dribble(ctx context.Context, begin, more string) (net.Conn, error) {
	c, err := n.dialer.NetDialContext(ctx, "tcp", n.addr)
	if err != nil {
		return nil, err
	}
	return n.dribbleOn(ctx, c, begin, more)
}

func (n *network) dribbleOn(ctx context.Context, c net.Conn, begin, more string) (net.Conn, error) {
	if _, err := io.WriteString(c, begin); err != nil {
		return nil, err
	}
	go func() { // ends with the connection
		for pause(ctx, 100*time.Millisecond) {
			if _, err := io.WriteString(c, more); err != nil {
				return
			}
		}
	}()
	return c, nil
}

// Floods of every kind, all at the same time: each is bounded, answered or
// closed; others are served meanwhile; and nothing of them remains.
func TestFloods(t *testing.T) {
	besides(t)
	const limit = 256 << 20
	healthy, times := size(200, 40), size(2000, 100)
	srv := start(t, setup{Options: options{
		MaxPayload: 100_000, MaxQueue: 1 << 20, Compression: 1000,
		PingInterval: time.Second, PingTimeout: 8 * time.Second,
		ConnectTimeout: 8 * time.Second, WriteTimeout: 2 * time.Second, UpgradeTimeout: 8 * time.Second,
	}}, fmt.Sprint("GOMEMLIMIT=", limit))
	network := srv.net()
	empty := srv.state(true)
	pour := func(times int) {
		each(len(floods), len(floods), func(i int) {
			own := newNetwork(srv.addr, new(net.Dialer).DialContext)
			defer own.polling.CloseIdleConnections()
			if err := floods[i].drops(t.Context(), own, times); err != nil {
				t.Errorf("%s: %v", floods[i].name, err)
			}
		})
	}
	pour(size(times, 1)) // what is made once
	clients := gather(t, network, healthy, mixed, func(int, string) {})
	until(t, "the first drops are gone", func() bool { return srv.state(false).Connections == healthy })
	clients.settle(t)
	memory := srv.sample()

	var stop atomic.Bool
	var latencies stopwatch
	served := make(chan struct{})
	go func() {
		defer close(served)
		each(healthy, healthy, func(i int) {
			for !stop.Load() {
				begin := time.Now()
				answer, err := clients[i].ask("echo", i)
				if err != nil || answer != fmt.Sprintf("[%d]", i) {
					t.Errorf("client %d was answered %q, %v: %v", i, answer, err, clients[i].why())
					return
				}
				latencies.add(time.Since(begin))
				pause(t.Context(), 50*time.Millisecond)
			}
		})
	}()
	begin := time.Now()
	rounds := 0
	for ; !t.Failed() && (rounds < 1 || full() && time.Since(begin) < *duration/10); rounds++ {
		pour(times)
		say(t, "round %d, %v: %v", rounds+1, time.Since(begin).Round(time.Second), srv.state(false))
	}
	took := time.Since(begin)
	stop.Store(true)
	<-served
	most := memory.end()
	list := latencies.take()
	network.polling.CloseIdleConnections()
	until(t, "only healthy clients are left", func() bool { return srv.state(false).Connections == healthy })
	clients.settle(t)
	clients.leave()
	network.polling.CloseIdleConnections()
	// Sessions that end at the same time do so on as many goroutines, whose
	// descriptions the runtime keeps.
	kept := 700 * uint64(most.Connections)
	end := srv.wantBaseline(state{Goroutines: empty.Goroutines, FDs: empty.FDs, Heap: empty.Heap + kept + 1<<20})
	conclude(t, "%d kinds of flood, %d rounds in %v: %d answers to others, p99 %v, the slowest %v; memory at most %s; %v before, %v after",
		len(floods), rounds, took.Round(time.Second), len(list), microseconds(quantile(list, .99)), microseconds(quantile(list, 1)),
		inMiB(most.Memory), empty, end)
	say(t, "OnError: %s; OnDisconnect: %s", counts(end.Errors), counts(end.Reasons))
	if most.Memory > limit*11/10 {
		t.Errorf("the server has taken %s, with a limit of %s", inMiB(most.Memory), inMiB(limit))
	}
	if end.Panics > 0 {
		t.Errorf("%d panics", end.Panics)
	}
}
