//go:build linux

package loadgen

import "time"

// A meter measures what a server spends between start and stop.
type meter struct {
	cfg   *Config
	debug debugInfo
	cpu   cpu
	own   cpu
	at    time.Time
}

func (cfg *Config) startMeter() *meter {
	m := &meter{cfg: cfg, debug: cfg.debug(false)}
	m.cpu, m.own, m.at = cpuOf(cfg.PID), ownCPU(), time.Now()
	return m
}

// Cost is what a number of messages, or of deliveries in a broadcast, cost.
type Cost struct {
	Messages      float64 `json:"messages"`
	PerSecond     float64 `json:"per_second"`
	CPU           float64 `json:"cpu_s_per_1M"` // the server's, user and system
	SystemCPU     float64 `json:"system_cpu_s_per_1M"`
	GeneratorCPU  float64 `json:"generator_cpu_s_per_1M"`
	ServerBusy    float64 `json:"server_busy"` // cores
	GeneratorBusy float64 `json:"generator_busy"`
	Allocs        float64 `json:"allocs"` // a message; 0 if the server does not tell
	AllocBytes    float64 `json:"alloc_bytes"`
	RSS           float64 `json:"rss_kib"`
}

// stop returns the cost of n messages.
func (m *meter) stop(n uint64) Cost {
	seconds := time.Since(m.at).Seconds()
	own := ownCPU().sub(m.own)
	server := cpuOf(m.cfg.PID).sub(m.cpu)
	debug := m.cfg.debug(false)
	each := float64(max(n, 1))
	c := Cost{
		Messages:      float64(n),
		PerSecond:     float64(n) / seconds,
		CPU:           server.sum() / each * 1e6,
		SystemCPU:     server.system / each * 1e6,
		GeneratorCPU:  own.sum() / each * 1e6,
		ServerBusy:    server.sum() / seconds,
		GeneratorBusy: own.sum() / seconds,
		RSS:           rssOf(m.cfg.PID),
	}
	if m.debug.Mallocs > 0 && debug.Mallocs > 0 {
		c.Allocs = (debug.Mallocs - m.debug.Mallocs) / each
		c.AllocBytes = (debug.AllocBytes - m.debug.AllocBytes) / each
	}
	return c
}
