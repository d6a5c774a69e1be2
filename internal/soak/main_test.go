//go:build linux

package soak_test

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime/debug"
	"sync"
	"testing"
	"time"

	"github.com/socketio-go/socketio/internal/leak"
)

var (
	duration = flag.Duration("for", 0, "run at full size, and what has no end of its own for this long")
	seed     = flag.Uint64("seed", 0, "of the random faults; 0 means a new one")
)

func TestMain(m *testing.M) {
	if spec := os.Getenv(serverEnv); spec != "" {
		if err := serve(spec); err != nil {
			fmt.Fprintln(os.Stderr, "the server:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	flag.Parse()
	if *seed == 0 {
		*seed = rand.Uint64()
	}
	debug.SetGCPercent(400) // the clients are many, and not what is measured
	begin := time.Now()
	code := leak.Check(m)
	if full() {
		fmt.Println("\nIn short:")
		for _, line := range summary.list {
			fmt.Println("-", line)
		}
		outcome := "passed"
		if code != 0 {
			outcome = "FAILED"
		}
		fmt.Printf("soak: %s in %v, seed %d\n", outcome, time.Since(begin).Round(time.Second), *seed)
	}
	os.Exit(code)
}

// full reports whether the tests run at their full size. Otherwise they are
// among the ordinary ones, which are to be quick, also with the race detector.
func full() bool { return *duration > 0 }

// besides lets a test that mostly waits run beside others, but for itself at its
// full size.
func besides(t *testing.T) {
	if !full() {
		t.Parallel()
	}
}

// size returns a number of clients: what is promised, or as many as an ordinary
// run has the time for.
func size(promised, ordinary int) int {
	if full() {
		return promised
	}
	return ordinary
}

// lasting returns how long a test without an end of its own runs.
func lasting(ordinary time.Duration) time.Duration {
	if full() {
		return *duration
	}
	return ordinary
}

// patience is how long a test waits for what must happen.
const patience = 60 * time.Second

// pause waits, but not beyond ctx. It reports whether the time is over.
func pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-ctx.Done():
		return false
	}
}

// until waits for something to hold.
func until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !holds(); pause(t.Context(), 20*time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

// each runs fn for every number below n, at most parallel of them at a time.
func each(n, parallel int, fn func(i int)) {
	var wg sync.WaitGroup
	next := make(chan int)
	for range min(n, parallel) {
		wg.Go(func() {
			for i := range next {
				fn(i)
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	wg.Wait()
}

// say shows how far a long run is.
func say(t *testing.T, format string, a ...any) {
	t.Helper()
	if full() {
		fmt.Printf("%s %s: %s\n", time.Now().Format(time.TimeOnly), t.Name(), fmt.Sprintf(format, a...))
		return
	}
	t.Logf(format, a...)
}

// conclude shows a result, and again at the end of a long run.
func conclude(t *testing.T, format string, a ...any) {
	t.Helper()
	say(t, format, a...)
	summary.Lock()
	defer summary.Unlock()
	summary.list = append(summary.list, fmt.Sprintf(format, a...))
}

// summary is what the tests have concluded, in order.
var summary struct {
	sync.Mutex // guards the following
	list       []string
}
