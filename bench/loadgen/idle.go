//go:build linux

package loadgen

import "time"

// Idle is what connections cost that do nothing, in KiB for each.
type Idle struct {
	Connections int     `json:"connections"`
	RSS         float64 `json:"rss_kib"`     // as found
	RSSAfterGC  float64 `json:"rss_gc_kib"`  // after a collection, all that is free returned
	Heap        float64 `json:"heap_kib"`    // live
	Stack       float64 `json:"stack_kib"`   //
	Goroutines  float64 `json:"goroutines"`  //
	ConnectCPU  float64 `json:"connect_us"`  // the server's
	ConnectP50  float64 `json:"connect_p50"` // of a handshake, microseconds
	ConnectP99  float64 `json:"connect_p99"`
}

// Left is what the server still holds when all connections have gone.
type Left struct {
	Goroutines float64 `json:"goroutines"`
	Heap       float64 `json:"heap_kib"`
	RSS        float64 `json:"rss_kib"`
}

// warmUpConnections opens and drops some connections first, so that what a server builds
// only once does not count.
func (cfg *Config) warmUpConnections() error {
	l, err := newLoop(cfg.Addr)
	if err != nil {
		return err
	}
	err = l.connect(20, 4, 10*time.Second)
	l.close()
	<-time.After(500 * time.Millisecond)
	return err
}

func idle(l *loop, cfg *Config, r *Result) error {
	if err := cfg.warmUpConnections(); err != nil {
		return err
	}
	before := cfg.debug(true)
	<-time.After(200 * time.Millisecond)
	rss := rssOf(cfg.PID)

	cpu := cpuOf(cfg.PID)
	if err := l.connect(cfg.Connections, cfg.Handshakes, 120*time.Second); err != nil {
		return err
	}
	cpu = cpuOf(cfg.PID).sub(cpu)
	l.run(cfg.Settle)
	n := float64(cfg.Connections)
	r.Idle = &Idle{
		Connections: cfg.Connections,
		RSS:         (rssOf(cfg.PID) - rss) / n,
		ConnectCPU:  cpu.sum() / n * 1e6,
		ConnectP50:  l.handshakes.quantile(.5) / 1e3,
		ConnectP99:  l.handshakes.quantile(.99) / 1e3,
	}
	if during := cfg.debug(true); during != (debugInfo{}) {
		<-time.After(200 * time.Millisecond)
		r.Idle.RSSAfterGC = (rssOf(cfg.PID) - rss) / n
		r.Idle.Heap = (during.Heap - before.Heap) / n / 1024
		r.Idle.Stack = (during.Stack - before.Stack) / n / 1024
		r.Idle.Goroutines = (during.Goroutines - before.Goroutines) / n
	}
	err := l.problem
	r.Left = cfg.dropAll(l, before, rss)
	return err
}

// dropAll drops every connection without a close frame and looks later at what
// has stayed, compared to before they came.
func (cfg *Config) dropAll(l *loop, before debugInfo, rss float64) *Left {
	for _, c := range l.conns {
		l.drop(c)
	}
	<-time.After(cfg.After)
	after := cfg.debug(true)
	<-time.After(200 * time.Millisecond)
	return &Left{
		Goroutines: after.Goroutines - before.Goroutines,
		Heap:       (after.Heap - before.Heap) / 1024,
		RSS:        rssOf(cfg.PID) - rss,
	}
}
