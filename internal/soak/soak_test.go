//go:build linux

package soak_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"
)

// A server is used by clients of all kinds for a long time: some stay, some
// are cut and come back, some come and go, some never read, some are hostile.
// Whoever keeps to the rules receives what is promised, and what the server
// takes does not grow.
func TestSoak(t *testing.T) {
	besides(t)
	const limit = 512 << 20
	members, epoch := size(100, 30), 3*time.Second
	if full() {
		epoch = 10 * time.Second
	}
	s := setup{Options: calm, Recovery: time.Duration(size(10, 3)) * time.Second}
	s.Options.MaxQueue, s.Options.Compression = 1<<20, 1000
	srv := start(t, s, fmt.Sprint("GOMEMLIMIT=", limit))
	network := srv.net()
	random := rand.New(rand.NewPCG(*seed, 1))
	empty := srv.state(true)
	c := newCrew(t, network, members, faults{leave: 200, cut: 100, freeze: 100, frozen: 300 * time.Millisecond})
	var strangers, floodsPoured int
	load := func(ctx context.Context) {
		seeds := [2]uint64{random.Uint64(), random.Uint64()}
		var wg sync.WaitGroup
		wg.Go(func() { srv.neverRead(ctx, network) })
		wg.Go(func() {
			random := rand.New(rand.NewPCG(*seed, seeds[0]))
			for ; ctx.Err() == nil; strangers++ {
				e := choose(random, endings)
				if err := e.live(network, random.IntN(1000)); err != nil {
					t.Errorf("%s: %v", e.name, err)
					return
				}
				pause(ctx, 10*time.Millisecond)
			}
		})
		wg.Go(func() { // one at a time, as some of them wait for long
			random := rand.New(rand.NewPCG(*seed, seeds[1]))
			for ; ctx.Err() == nil; floodsPoured++ {
				f := choose(random, floods)
				own := newNetwork(srv.addr, network.dialer.NetDialContext)
				if err := f.drops(ctx, own, 20); err != nil && ctx.Err() == nil {
					t.Errorf("%s: %v", f.name, err)
				}
				own.polling.CloseIdleConnections()
			}
		})
		wg.Wait()
	}
	memory := srv.sample()
	begin := time.Now()
	var steady, now state
	epochs := 0
	for length := lasting(2 * epoch); !t.Failed() && (epochs < 2 || time.Since(begin) < length || c.recovered.Load() == 0 && epochs < 20); epochs++ {
		c.epoch(t.Context(), epoch, load)
		now = srv.state(true)
		if epochs <= 2 { // by then what is kept for recovery is as much as it will be
			steady = now
		}
		say(t, "%v: %v; %v; %d strangers, %d floods, %d closed as slow", time.Since(begin).Round(time.Second), c, now, strangers, floodsPoured, now.Slow)
	}
	most := memory.end()
	c.leave()
	end := srv.wantBaseline(state{Goroutines: empty.Goroutines, FDs: empty.FDs, Heap: empty.Heap})
	conclude(t, "%d epochs with %d members: %v; %d strangers, %d floods, %d closed as slow; memory at most %s; at first %v; under load %v, and at last %v; at the end %v",
		epochs, members, c, strangers, floodsPoured, now.Slow, inMiB(most.Memory), empty, steady, now, end)
	if most.Memory > limit*11/10 {
		t.Errorf("the server has taken %s, with a limit of %s", inMiB(most.Memory), inMiB(limit))
	}
	if now.Heap > steady.Heap*3/2+8<<20 || now.Goroutines > steady.Goroutines+members || now.FDs > steady.FDs+members {
		t.Errorf("what the server takes has grown: %v, then %v", steady, now)
	}
	if end.Panics > 0 {
		t.Errorf("%d panics", end.Panics)
	}
	if c.received.Load() == 0 || c.recovered.Load() == 0 {
		t.Errorf("not much has happened: %v", c)
	}
}
