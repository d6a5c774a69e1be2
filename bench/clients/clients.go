//go:build linux

// Package clients measures what this library's client costs its own process, and
// what clients of plain gorilla/websocket cost that do the same. They have neither
// JSON nor a queue.
//
// Every client emits texts of 20 bytes, a window of them, and emits one more for
// each that the server sends back. Idle clients only answer pings.
package clients

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/socketio-go/socketio/bench/loadgen"
)

// The kinds of clients.
const (
	Ours = "ours" // package client
	Raw  = "raw"  // gorilla/websocket: a reader, a writer and a channel between them
	Bare = "bare" // gorilla/websocket: one goroutine that reads and writes
)

// Config says what to run.
type Config struct {
	Kind        string
	Addr        string // of a server that handles the bench's events
	Connections int
	Window      int // events in flight; 0 for idle clients
	WarmUp      time.Duration
	Duration    time.Duration
}

// A Result is what it cost.
type Result struct {
	Messages   float64 // echoed in Duration
	CPU        float64 // seconds for a million of them, user and system
	System     float64 // of which system
	PerSecond  float64
	Allocs     float64 // a message
	RSS        float64 // KiB a connection
	Heap       float64 // KiB a connection, after a collection
	Stack      float64 // KiB a connection
	Goroutines float64 // a connection
}

// payload is what every event carries.
const payload = "12345678901234567890"

// connectTimeout bounds the connecting of all clients.
const connectTimeout = time.Minute

// Command is the first argument of a process that runs one Config.
const Command = "client-process"

// Process is what a process does whose arguments are args: if the first one is
// Command, it runs the Config in the second one, writes the Result to its standard
// output and ends. It must be called first thing in main.
func Process(args []string) {
	if len(args) != 3 || args[1] != Command {
		return
	}
	var cfg Config
	err := json.Unmarshal([]byte(args[2]), &cfg)
	var result Result
	if err == nil {
		result, err = Run(cfg)
	}
	if err == nil {
		err = json.NewEncoder(os.Stdout).Encode(result)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// An open connects a client. The client emits window events, calls received for
// each that comes back, and emits another one if that returns true.
type open func(ctx context.Context, addr string, window int, received func() bool) (closer, error)

type closer func() error

var kinds = map[string]open{Ours: openOurs, Raw: openRaw, Bare: openBare}

// Run runs cfg in this process.
func Run(cfg Config) (r Result, err error) {
	open := kinds[cfg.Kind]
	if open == nil {
		return r, fmt.Errorf("no client %q", cfg.Kind)
	}
	var messages, inFlight atomic.Int64
	var over atomic.Bool
	received := func() bool {
		messages.Add(1)
		if over.Load() {
			inFlight.Add(-1)
			return false
		}
		return true
	}
	crowd := func(n int) (closers []closer, err error) {
		ctx, cancel := context.WithTimeout(context.Background(), connectTimeout)
		defer cancel()
		closers = make([]closer, n)
		var wg sync.WaitGroup
		var mu sync.Mutex // guards err
		for first := range 8 {
			wg.Go(func() {
				for i := first; i < n; i += 8 {
					inFlight.Add(int64(cfg.Window))
					c, problem := open(ctx, cfg.Addr, cfg.Window, received)
					if closers[i] = c; problem != nil {
						mu.Lock()
						err = errors.Join(err, problem)
						mu.Unlock()
						return
					}
				}
			})
		}
		wg.Wait()
		return closers, err
	}
	var closers []closer
	if cfg.Window == 0 { // what is built only once does not count
		if closers, err = crowd(20); err != nil {
			return r, err
		}
	}
	before := look()
	more, err := crowd(cfg.Connections)
	if err != nil {
		return r, err
	}
	closers = append(closers, more...)
	<-time.After(cfg.WarmUp)

	from, count := look(), messages.Load()
	<-time.After(cfg.Duration)
	to := look()
	n := float64(messages.Load() - count)
	over.Store(true)
	each := max(n, 1)
	r = Result{
		Messages:  n,
		PerSecond: n / to.at.Sub(from.at).Seconds(),
		CPU:       (to.user + to.system - from.user - from.system) / each * 1e6,
		System:    (to.system - from.system) / each * 1e6,
		Allocs:    float64(to.mem.Mallocs-from.mem.Mallocs) / each,
	}
	clients := float64(cfg.Connections)
	r.RSS = (to.rss - before.rss) / clients
	r.Stack = float64(to.mem.StackInuse-before.mem.StackInuse) / 1024 / clients
	r.Goroutines = float64(to.goroutines-before.goroutines) / clients
	runtime.GC()
	idle := look()
	r.Heap = float64(idle.mem.HeapAlloc-before.mem.HeapAlloc) / 1024 / clients

	for deadline := time.Now().Add(10 * time.Second); inFlight.Load() > 0; {
		if time.Now().After(deadline) {
			return r, fmt.Errorf("%d events did not come back", inFlight.Load())
		}
		<-time.After(10 * time.Millisecond)
	}
	for _, c := range closers {
		err = errors.Join(err, c())
	}
	return r, err
}

// A view is the state of this process at one time.
type view struct {
	at           time.Time
	user, system float64 // CPU seconds
	rss          float64 // KiB
	goroutines   int
	mem          runtime.MemStats
}

func look() (v view) {
	debug.FreeOSMemory()
	v.rss = loadgen.RSS()
	v.goroutines = runtime.NumGoroutine()
	runtime.ReadMemStats(&v.mem)
	var usage syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &usage)
	seconds := func(t syscall.Timeval) float64 { return float64(t.Sec) + float64(t.Usec)/1e6 }
	v.user, v.system, v.at = seconds(usage.Utime), seconds(usage.Stime), time.Now()
	return v
}
