//go:build linux

package loadgen

import (
	"bytes"
	"strconv"
	"time"
)

// A dialogue is an event that has exactly one answer on the same connection.
type dialogue struct {
	// ask queues the event with the given number.
	ask func(c *conn, n uint32)
	// answer returns the number that a message answers. more says that the
	// rest of the answer is in the next message.
	answer func(c *conn, op byte, p []byte) (n uint32, more, ok bool)
}

func echo(l *loop, cfg *Config, r *Result) error {
	payload := text(cfg.Payload)
	head, tail := []byte(`42["echo","`), []byte(`"]`)
	return exchange(l, cfg, r, dialogue{
		ask: func(c *conn, n uint32) {
			putNumber(payload, n)
			c.frame(opText, head, payload, tail)
		},
		answer: func(_ *conn, op byte, p []byte) (n uint32, more, ok bool) {
			p, ok = bytes.CutPrefix(p, head)
			if !ok || op != opText || len(p) != len(payload)+len(tail) {
				return 0, false, false
			}
			n, ok = number(p)
			return n, false, ok
		},
	})
}

func ack(l *loop, cfg *Config, r *Result) error {
	payload := string(text(cfg.Payload))
	tail := []byte(`["ack","` + payload + `"]`)
	var head []byte
	return exchange(l, cfg, r, dialogue{
		ask: func(c *conn, n uint32) {
			head = strconv.AppendUint(append(head[:0], "42"...), uint64(n), 10)
			c.frame(opText, head, tail)
		},
		answer: ackNumber(`["` + payload + `"]`),
	})
}

// ackNumber takes an answer for an ack whose id is the number.
func ackNumber(arguments string) func(c *conn, op byte, p []byte) (n uint32, more, ok bool) {
	return func(_ *conn, op byte, p []byte) (n uint32, more, ok bool) {
		p, ok = bytes.CutPrefix(p, []byte("43"))
		n, p = decimal(p)
		return n, false, ok && op == opText && string(p) == arguments
	}
}

func binaryEcho(l *loop, cfg *Config, r *Result) error {
	attachment := text(cfg.Payload)
	event := []byte(`451-["bin",{"_placeholder":true,"num":0}]`)
	return exchange(l, cfg, r, dialogue{
		ask: func(c *conn, n uint32) {
			putNumber(attachment, n)
			c.frame(opText, event)
			c.frame(opBinary, attachment)
		},
		answer: func(c *conn, op byte, p []byte) (n uint32, more, ok bool) {
			if op == opText {
				ok = !c.placed && bytes.HasPrefix(p, []byte(`451-["bin"`))
				c.placed = true
				return 0, true, ok
			}
			ok = c.placed && len(p) == len(attachment)
			c.placed = false
			if ok {
				n, ok = number(p)
			}
			return n, false, ok
		},
	})
}

// An exchanger keeps a dialogue going on every connection.
type exchanger struct {
	*loop
	dialogue
	cfg      *Config
	talking  []*conn // those that take part
	answered uint64
	latency  histogram
	since    int64  // only what was asked since then counts in latency
	faults   Faults // those that no ledger knows
	asking   bool
	turn     int // the next connection to be served at a fixed rate
	asked    uint64
}

func exchange(l *loop, cfg *Config, r *Result, d dialogue) error {
	if err := l.connect(cfg.Connections, cfg.Handshakes, 60*time.Second); err != nil {
		return err
	}
	return newExchanger(l, cfg, d).measure(r)
}

func newExchanger(l *loop, cfg *Config, d dialogue) *exchanger {
	x := &exchanger{loop: l, dialogue: d, cfg: cfg, talking: l.conns}
	inFlight := cfg.Window
	if cfg.Rate > 0 {
		inFlight = 4096 // what a connection may owe before it is left out
	}
	for _, c := range x.talking {
		c.times = make([]int64, inFlight)
	}
	l.onMessage = x.receive
	return x
}

func (x *exchanger) measure(r *Result) error {
	x.asking = true
	x.tick()
	if x.cfg.Rate == 0 {
		for _, c := range x.talking {
			for range x.cfg.Window {
				x.askNext(c)
			}
			x.flush(c)
		}
	}
	x.keepUp(x.cfg.WarmUp)
	m := x.cfg.startMeter()
	x.tick()
	x.latency.reset()
	x.answered, x.since = 0, x.now
	x.keepUp(x.cfg.Duration)
	cost, latency := m.stop(x.answered), x.latency.latency()

	x.asking = false
	x.until(3*time.Second, func() bool { return x.owed() == 0 || x.problem != nil })
	for _, c := range x.talking {
		x.faults.Add(c.ledger.settle(c.sent))
	}
	r.Cost, r.Latency, r.Faults = &cost, &latency, &x.faults
	return x.problem
}

// keepUp lets the dialogue go on for d, at the wanted rate if there is one.
func (x *exchanger) keepUp(d time.Duration) {
	if x.cfg.Rate == 0 {
		x.run(d)
		return
	}
	start := time.Now()
	x.asked = 0
	for time.Since(start) < d && x.problem == nil && x.poll(time.Millisecond) == nil {
		x.tick()
		for due := uint64(time.Since(start).Seconds() * x.cfg.Rate); x.asked < due; x.asked++ {
			c := x.talking[x.turn%len(x.talking)]
			x.turn++
			if c.state == ready && int(c.sent-c.ledger.received) < len(c.times) {
				x.askNext(c)
				x.flush(c)
			}
		}
	}
}

func (x *exchanger) askNext(c *conn) {
	c.times[int(c.sent)%len(c.times)] = x.now
	x.ask(c, c.sent)
	c.sent++
}

func (x *exchanger) receive(c *conn, op byte, p []byte) {
	n, more, ok := x.answer(c, op, p)
	switch {
	case !ok || n >= c.sent:
		x.faults.Unexpected++
		return
	case more || !c.ledger.record(n):
		return
	}
	x.answered++
	if asked := c.times[int(n)%len(c.times)]; asked >= x.since {
		x.latency.add(x.now - asked)
	}
	if x.asking && x.cfg.Rate == 0 {
		x.askNext(c)
	}
}

// owed counts the answers that have not come.
func (x *exchanger) owed() (n uint64) {
	for _, c := range x.talking {
		n += uint64(c.sent - c.ledger.received)
	}
	return n
}
