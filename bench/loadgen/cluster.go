//go:build linux

package loadgen

import (
	"fmt"
	"time"
)

// Bus says what Redis had to do with one event, from its own counters.
type Bus struct {
	Events    float64 `json:"events"`
	Publishes float64 `json:"publishes"` // an event
	CPU       float64 `json:"cpu_us"`
	In        float64 `json:"in_bytes"`
	Out       float64 `json:"out_bytes"` // to all servers together
}

// cluster has one connection at Addr emit to a room whose members are all at
// Remote, another server of the same cluster. The next event waits for what all
// members have received. A message is a delivery, or an event if PerEvent is set.
func cluster(l *loop, cfg *Config, r *Result) error {
	if err := l.connect(1, 1, 30*time.Second); err != nil {
		return err
	}
	if err := l.turn(cfg.Remote); err != nil {
		return err
	}
	if err := l.connect(cfg.Connections, cfg.Handshakes, 120*time.Second); err != nil {
		return err
	}
	members := l.conns[1:]
	if err := l.join(members, "r"); err != nil {
		return err
	}
	p := newPublisher(l, cfg, members)
	p.conn, p.everybody = l.conns[0], true
	defer func() { r.Faults = p.settle() }()
	if err := p.publish(cfg.WarmUp); err != nil {
		return err
	}
	p.latency.reset()
	bus, err := redisCounters(cfg.Redis)
	if err != nil {
		return err
	}
	delivered, sent := p.delivered, p.sent
	m := cfg.startMeter()
	start := l.now
	if err := p.publish(cfg.Duration); err != nil {
		return err
	}
	events := uint64(p.sent - sent)
	messages := p.delivered - delivered
	if cfg.PerEvent {
		messages = events
	}
	cost, latency := m.stop(messages), p.latency.latency()
	cost.PerSecond = cost.Messages / (time.Duration(p.lastAt - start)).Seconds()
	r.Cost, r.Latency = &cost, &latency
	if r.Bus, err = busOf(cfg.Redis, bus, float64(events)); err != nil {
		return err
	}
	if r.Bus.Publishes != 1 {
		return fmt.Errorf("%d events to %d receivers were published %.3f times each", events, len(members), r.Bus.Publishes)
	}
	return nil
}

// busOf says what Redis has done since before.
func busOf(redis string, before redisInfo, events float64) (*Bus, error) {
	now, err := redisCounters(redis)
	if err != nil {
		return nil, err
	}
	return &Bus{
		Events:    events,
		Publishes: (now.publishes - before.publishes) / events,
		CPU:       now.cpu.sub(before.cpu).sum() / events * 1e6,
		In:        (now.in - before.in) / events,
		Out:       (now.out - before.out) / events,
	}, nil
}
