//go:build linux

package loadgen

import (
	"bytes"
	"errors"
	"fmt"
	"time"
)

// A publisher emits to a room and checks what its members receive.
type publisher struct {
	*loop
	conn      *conn // who publishes; a member itself
	members   []*conn
	window    int
	everybody bool // the window counts everybody's copies, not only the publisher's
	payload   []byte
	sent      uint32
	times     [1 << 14]int64 // when, by number modulo len
	delivered uint64
	lastAt    int64 // when the last delivery came
	latency   histogram
	faults    Faults
	sending   bool
}

var (
	broadcastHead = []byte(`42["broadcast","`)
	messageHead   = []byte(`42["msg","`)
	argumentTail  = []byte(`"]`)
)

func broadcast(l *loop, cfg *Config, r *Result) error {
	if err := l.connect(cfg.Connections, cfg.Handshakes, 120*time.Second); err != nil {
		return err
	}
	if err := l.join(l.conns, "r"); err != nil {
		return err
	}
	p := newPublisher(l, cfg, l.conns)
	p.everybody = cfg.Everybody
	defer func() { r.Faults = p.settle() }()
	if err := p.publish(cfg.WarmUp); err != nil {
		return err
	}
	p.latency.reset()
	before := p.delivered
	m := cfg.startMeter()
	start := l.now
	if err := p.publish(cfg.Duration); err != nil {
		return err
	}
	cost, latency := m.stop(p.delivered-before), p.latency.latency()
	cost.PerSecond = cost.Messages / (time.Duration(p.lastAt - start)).Seconds()
	r.Cost, r.Latency = &cost, &latency
	return nil
}

// join has conns join a room, at most 32 at a time.
func (l *loop) join(conns []*conn, room string) error {
	joined := 0
	l.onMessage = func(_ *conn, _ byte, p []byte) {
		if bytes.HasPrefix(p, []byte("431[")) {
			joined++
		}
	}
	for i, c := range conns {
		c.frame(opText, []byte(`421["join","`+room+`"]`))
		l.flush(c)
		if !l.until(30*time.Second, func() bool { return joined > i-32 || l.problem != nil }) {
			break
		}
	}
	if !l.until(30*time.Second, func() bool { return joined == len(conns) || l.problem != nil }) {
		return fmt.Errorf("%d of %d joined the room", joined, len(conns))
	}
	return l.problem
}

func newPublisher(l *loop, cfg *Config, members []*conn) *publisher {
	p := &publisher{
		loop:    l,
		conn:    members[len(members)/2],
		members: members,
		window:  cfg.Window,
		payload: text(cfg.Payload),
	}
	l.onMessage = p.receive
	l.tick()
	return p
}

// publish keeps the window full for d, and then waits until everybody has
// everything, so that a server can't hide work in its queues.
func (p *publisher) publish(d time.Duration) error {
	p.tick()
	p.sending = true
	p.fill()
	p.flush(p.conn)
	deadline := time.Now().Add(d)
	progress, at := p.delivered, time.Now()
	stuck := false
	p.until(d+time.Second, func() bool {
		now := time.Now()
		if p.delivered > progress {
			progress, at = p.delivered, now
		}
		stuck = now.Sub(at) > 3*time.Second
		return stuck || p.problem != nil || now.After(deadline)
	})
	p.sending = false
	if stuck {
		return errStopped
	}
	if !p.until(20*time.Second, func() bool { return p.delivered >= p.due() || p.problem != nil }) {
		return fmt.Errorf("%d of %d deliveries came", p.delivered, p.due())
	}
	return p.problem
}

var errStopped = errors.New("the room has stopped: no delivery for 3 s")

func (p *publisher) due() uint64 { return uint64(p.sent) * uint64(len(p.members)) }

// room reports whether the window has room for one more event.
func (p *publisher) room() bool {
	if p.everybody {
		return p.due()+uint64(len(p.members)) <= p.delivered+uint64(p.window*len(p.members))
	}
	return p.sent-p.conn.ledger.received < uint32(p.window)
}

// fill emits until the window is full.
func (p *publisher) fill() {
	for p.sending && p.room() {
		putNumber(p.payload, p.sent)
		p.times[p.sent%uint32(len(p.times))] = p.now
		p.conn.frame(opText, broadcastHead, p.payload, argumentTail)
		p.sent++
	}
}

func (p *publisher) receive(c *conn, op byte, b []byte) {
	b, ok := bytes.CutPrefix(b, messageHead)
	n, numbered := number(b)
	if !ok || !numbered || op != opText || len(b) != len(p.payload)+len(argumentTail) || n >= p.sent {
		p.faults.Unexpected++
		return
	}
	if !c.ledger.record(n) {
		return
	}
	p.delivered++
	p.lastAt = p.now
	p.latency.add(p.now - p.times[n%uint32(len(p.times))])
	switch {
	case c == p.conn:
		p.fill() // flushed with the rest of what this read brings
	case p.everybody && p.room():
		p.fill()
		p.flush(p.conn)
	}
}

// settle returns the faults of all members.
func (p *publisher) settle() *Faults {
	for _, c := range p.members {
		p.faults.Add(c.ledger.settle(p.sent))
	}
	return &p.faults
}
