//go:build linux

package soak_test

import (
	"context"
	"math/rand/v2"
	"syscall"
	"testing"
	"time"
)

// What can happen to a server's process.
var accidents = []struct {
	name string
	odds int
	do   func(srv *server, ctx context.Context, random *rand.Rand)
}{
	{"stopped for a while", 6, func(srv *server, ctx context.Context, random *rand.Rand) {
		srv.signal(syscall.SIGSTOP)
		pause(ctx, time.Duration(random.IntN(1500))*time.Millisecond)
		srv.signal(syscall.SIGCONT)
	}},
	{"killed", 2, func(srv *server, _ context.Context, _ *rand.Rand) { srv.restart() }},
	{"shut down", 2, func(srv *server, _ context.Context, _ *rand.Rand) {
		if _, err := srv.order("/shutdown"); err != nil {
			srv.t.Errorf("Shutdown: %v", err)
		}
		srv.restart()
	}},
}

// Connections are cut, frozen and slowed, the server is stopped, killed and
// shut down, all at random. Whatever arrives is what was promised: nothing
// twice, nothing in the wrong order, nothing that was for somebody else, and
// no gap in what a session has recovered.
func TestChaos(t *testing.T) {
	besides(t)
	members, epoch := size(60, 20), 2*time.Second
	if full() {
		epoch = 10 * time.Second
	}
	random := rand.New(rand.NewPCG(*seed, 2))
	say(t, "seed %d", *seed)
	s := setup{Options: calm, Recovery: 5 * time.Second} // longer than most are away
	s.Options.MaxQueue = 1 << 20
	s.Options.PingInterval, s.Options.PingTimeout = 300*time.Millisecond, time.Second // who is frozen for longer is gone
	srv := start(t, s)
	network, empty := srv.net(), srv.state(true)
	c := newCrew(t, network, members, faults{leave: 200, cut: 30, freeze: 50, frozen: 2 * time.Second, mayBeLost: true})
	happened := make(map[string]uint64)
	trouble := func(ctx context.Context) {
		for pause(ctx, time.Duration(100+random.Int64N(int64(epoch)/3/1e6))*time.Millisecond) {
			all := 0
			for _, a := range accidents {
				all += a.odds
			}
			n := random.IntN(all)
			for _, a := range accidents {
				if n -= a.odds; n < 0 {
					a.do(srv, ctx, random)
					happened[a.name]++
					break
				}
			}
		}
	}
	begin := time.Now()
	epochs := 0
	var now state
	for length := lasting(3 * epoch); !t.Failed() && (epochs < 3 || time.Since(begin) < length || c.recovered.Load() == 0 && epochs < 20); epochs++ {
		c.epoch(t.Context(), epoch, trouble)
		now = srv.state(true)
		if now.Panics > 0 {
			t.Errorf("%d panics", now.Panics)
		}
		say(t, "%v: %v; server %s; %v", time.Since(begin).Round(time.Second), c, counts(happened), now)
	}
	c.leave()
	end := srv.wantBaseline(state{Goroutines: empty.Goroutines, FDs: empty.FDs, Heap: empty.Heap + 1<<20})
	conclude(t, "seed %d, %d epochs with %d members: %v; server %s; under load %v; at the end %v", *seed, epochs, members, c, counts(happened), now, end)
	if c.received.Load() == 0 || c.recovered.Load() == 0 {
		t.Errorf("not much has happened: %v", c)
	}
}
