//go:build linux

package loadgen

import "time"

// Slow compares a room without and with members that never read.
type Slow struct {
	Without float64 `json:"deliveries_per_second_without"`
	With    float64 `json:"deliveries_per_second_with"`
	CPU     float64 `json:"cpu_ratio"` // with to without, a delivery
	P99     float64 `json:"p99_ratio"`
	RSS     float64 `json:"rss_growth_kib"` // while they are there
}

func slow(l *loop, cfg *Config, r *Result) error {
	if err := l.connect(cfg.Connections, cfg.Handshakes, 60*time.Second); err != nil {
		return err
	}
	readers := l.conns
	if err := l.join(readers, "r"); err != nil {
		return err
	}
	p := newPublisher(l, cfg, readers)
	p.everybody = true // else the publisher may overrun slower servers
	defer func() { r.Faults = p.settle() }()
	measure := func() (Cost, float64, error) {
		p.latency.reset()
		before := p.delivered
		m := cfg.startMeter()
		start := l.now
		err := p.publish(cfg.Duration)
		cost := m.stop(p.delivered - before)
		cost.PerSecond = cost.Messages / (time.Duration(p.lastAt - start)).Seconds()
		return cost, p.latency.quantile(.99), err
	}
	if err := p.publish(cfg.WarmUp); err != nil {
		return err
	}
	without, p99, err := measure()
	if err != nil {
		return err
	}

	for range cfg.Stalled {
		if err := l.dial(4096); err != nil {
			return err
		}
	}
	all := cfg.Connections + cfg.Stalled
	l.until(10*time.Second, func() bool { return l.ready == all || l.problem != nil })
	stalled := l.conns[cfg.Connections:]
	if err := l.join(stalled, "r"); err != nil {
		return err
	}
	for _, c := range stalled {
		l.stall(c)
	}
	l.onMessage = p.receive
	with, stalledP99, err := measure()
	r.Slow = &Slow{Without: without.PerSecond, With: with.PerSecond, RSS: with.RSS - without.RSS}
	if without.CPU > 0 && p99 > 0 {
		r.Slow.CPU, r.Slow.P99 = with.CPU/without.CPU, stalledP99/p99
	}
	r.Cost = &with
	return err
}
