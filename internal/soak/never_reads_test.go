//go:build linux

package soak_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// Among many clients there is always one that never reads. It is closed within
// the bound, the server's memory stays below its limit, everybody else receives
// everything, and hardly later than without it.
func TestOneThatNeverReads(t *testing.T) {
	const (
		limit        = 96 << 20
		maxQueue     = 1 << 20
		writeTimeout = 2 * time.Second
		perSecond    = 20
	)
	healthy := size(1000, 300)
	rounds, length := size(7, 1), 1500*time.Millisecond
	if full() {
		length = 4 * time.Second
	}
	srv := start(t, setup{Options: options{MaxQueue: maxQueue, WriteTimeout: writeTimeout}}, fmt.Sprint("GOMEMLIMIT=", limit))
	network := srv.net()
	began := time.Now()
	var latencies stopwatch
	clients := gather(t, network, healthy, onlyWebSocket, func(_ int, text string) {
		var at int64
		if _, err := fmt.Sscanf(text, `42["stamp",%d`, &at); err == nil {
			latencies.add(time.Since(began) - time.Duration(at))
		}
	})
	each(healthy, 64, func(i int) { _, _ = clients[i].ask("join", "room") })

	filler := strings.Repeat("x", 1000)
	round := func() (p99 time.Duration) {
		sent := 0
		for end := time.Now().Add(length); time.Now().Before(end); sent++ {
			if err := clients[sent%healthy].write(event(0, "stamp", int64(time.Since(began)), filler)); err != nil {
				t.Fatal(err)
			}
			pause(t.Context(), time.Second/perSecond)
		}
		clients.settle(t) // everybody's handlers have run: whoever spoke last has broadcast
		clients.settle(t)
		list := latencies.take()
		if len(list) != sent*healthy {
			t.Errorf("%d deliveries of %d events to %d clients", len(list), sent, healthy)
		}
		return quantile(list, .99)
	}
	round()
	base := srv.state(true)
	memory := srv.sample()
	var ratio float64
	for attempt := 1; ; attempt++ { // what else the machine does disturbs the comparison
		var without, with []time.Duration
		for range rounds {
			without = append(without, round())
			ctx, stop := context.WithCancel(t.Context())
			done := make(chan int)
			go func() { done <- srv.neverRead(ctx, network) }()
			with = append(with, round())
			stop()
			<-done
		}
		slices.Sort(without)
		slices.Sort(with)
		before, after := quantile(without, .5), quantile(with, .5)
		ratio = float64(after) / float64(before)
		say(t, "p99 of the others' deliveries: %v without, %v with one that never reads: ratio %.2f; rounds %v, %v",
			microseconds(before), microseconds(after), ratio, without, with)
		if !full() || ratio <= 1.2 || attempt == 3 {
			break
		}
	}
	if full() && ratio > 1.2 {
		t.Errorf("p99 is %.2f times that without the one that never reads, want at most 1.2", ratio)
	}
	most := memory.end()
	until(t, "those that did not read are closed", func() bool { return srv.state(false).Connections == healthy })
	end := srv.state(true)
	conclude(t, "1 that never reads among %d: %d closed as slow, the last after %v; p99 ratio %.2f; memory at most %s of %s",
		healthy, end.Slow, end.WorstSlow.Round(time.Millisecond), ratio, inMiB(most.Memory), inMiB(limit))
	if end.Slow == 0 {
		t.Error("nobody was closed as slow")
	}
	bound := patience // when it began to be slow is not known, nor how busy the machine is
	if full() {
		bound = writeTimeout + 10*time.Second
	}
	if end.WorstSlow > bound {
		t.Errorf("a client that did not read was closed after %v, want at most %v", end.WorstSlow, bound)
	}
	if most.Memory > limit*11/10 {
		t.Errorf("the server has taken %s, with a limit of %s", inMiB(most.Memory), inMiB(limit))
	}
	for i, c := range clients {
		if err := c.why(); err != nil {
			t.Errorf("client %d has been lost: %v", i, err)
		}
	}
	if end.Heap > base.Heap+maxQueue+keptByTables {
		t.Errorf("what is left behind: %v; before: %v", end, base)
	}
}

// neverRead keeps one client connected that does not read what it asks for,
// until ctx ends and one has been closed. It returns how many there have been.
func (srv *server) neverRead(ctx context.Context, n *network) (count int) {
	narrow := n.narrow()
	for count == 0 || ctx.Err() == nil {
		w, err := narrow.open(webSocket)
		if err != nil {
			srv.t.Errorf("connecting one that never reads: %v", err)
			return count
		}
		s, err := narrow.connect(w, "")
		if err == nil {
			err = s.write(event(0, "join", "room"))
		}
		if err != nil {
			srv.t.Errorf("connecting one that never reads: %v", err)
			return count
		}
		slow := srv.state(false).Slow
		pours := 200 // 6.4 MB at once, or little by little
		if count%2 == 1 {
			pours = 16
		}
		begin := time.Now()
		for (ctx.Err() == nil || count == 0 && time.Since(begin) < patience) && srv.state(false).Slow == slow {
			_ = s.write(event(0, "pour", pours, 32<<10)) // until the server closes it
			pause(ctx, 100*time.Millisecond)
		}
		count++
		reset(w.conn())
	}
	return count
}
