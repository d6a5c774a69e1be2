package client_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/socketio-go/socketio"
	"github.com/socketio-go/socketio/client"
)

var (
	seeds = flag.Int("seeds", 60, "how many seeds TestHistories tries")
	seed  = flag.Uint64("seed", 1, "the first of them")
)

// TestHistories has a client and a server talk over a network that is cut, frozen
// and refused at random. Events arrive at most once and in order, deliveries at
// least once and in order, and a recovered client has missed nothing.
func TestHistories(t *testing.T) {
	for i := range *seeds {
		n := *seed + uint64(i)
		t.Run(fmt.Sprint(n), func(t *testing.T) { synctest.Test(t, func(t *testing.T) { history(t, n) }) })
	}
}

func history(t *testing.T, seed uint64) {
	random := rand.New(rand.NewPCG(seed, seed))
	h := serve(t, &socketio.Options{Recovery: &socketio.Recovery{}, PingInterval: 5 * time.Second, PingTimeout: 5 * time.Second})
	var mu sync.Mutex
	heard := map[string]int{} // by namespace, the last event
	handled := map[string]int{}
	names := []string{"/a", "/b"}
	for _, name := range names {
		ns := h.io.Of(name)
		ns.OnConnect(func(s *socketio.Socket) { s.Join("all") })
		ns.On("n", func(n int) {
			mu.Lock()
			defer mu.Unlock()
			if n <= heard[name] {
				t.Errorf("%s: event %d after %d", name, n, heard[name])
			}
			heard[name] = n
		})
		ns.On("deliver", func(n int) int {
			mu.Lock()
			defer mu.Unlock()
			if n > handled[name]+1 {
				t.Errorf("%s: delivery %d after %d", name, n, handled[name])
			}
			handled[name] = max(n, handled[name])
			return n
		})
	}
	all := []client.Options{ways["websocket"], ways["polling"], ways["upgrading"]}
	opts := all[random.IntN(len(all))]
	opts.AckTimeout = time.Minute
	c := h.client(opts)
	type received struct {
		last int  // of the server's broadcasts
		gap  bool // some may be missing
	}
	var wait sync.WaitGroup
	for _, name := range names {
		s := c.Of(name)
		in := received{gap: true}
		s.OnConnect(func(j client.Joined) {
			mu.Lock()
			defer mu.Unlock()
			in.gap = in.gap || !j.Recovered
		})
		s.On("b", func(n int) {
			mu.Lock()
			defer mu.Unlock()
			if n <= in.last || !in.gap && n != in.last+1 {
				t.Errorf("%s: broadcast %d after %d", name, n, in.last)
			}
			in.last, in.gap = n, false
		})
		go s.Connect(t.Context())
	}
	sent, delivered, broadcast := map[string]int{}, map[string]int{}, map[string]int{}
	for range 60 {
		name := names[random.IntN(len(names))]
		s := c.Of(name)
		switch random.IntN(10) {
		case 0, 1, 2:
			sent[name]++
			if err := s.Emit("n", sent[name]); err != nil {
				t.Error(err)
			}
		case 3, 4:
			delivered[name]++
			n := delivered[name]
			started := make(chan struct{})
			wait.Go(func() {
				close(started)
				if got, err := s.Deliver(t.Context(), "deliver", n); err != nil || got.String() != fmt.Sprintf("[%d]", n) {
					t.Errorf("%s: delivery %d: %v, %v", name, n, got, err)
				}
			})
			<-started
			synctest.Wait()
		case 5, 6:
			broadcast[name]++
			h.io.Of(name).To("all").Emit("b", broadcast[name])
		case 7:
			h.cut()
		case 8:
			h.setDown(random.IntN(2) == 0)
		case 9:
			h.freeze(random.IntN(2) == 0)
		}
		if random.IntN(2) == 0 {
			<-time.After(time.Duration(random.IntN(3000)) * time.Millisecond)
		}
	}
	h.setDown(false)
	h.freeze(false)
	wait.Wait()
	for _, name := range names {
		if err := c.Of(name).Connect(t.Context()); err != nil {
			t.Error(err)
		}
		mu.Lock()
		if handled[name] != delivered[name] {
			t.Errorf("%s: %d of %d deliveries", name, handled[name], delivered[name])
		}
		mu.Unlock()
	}
}
