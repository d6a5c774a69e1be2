//go:build linux

package loadgen

import (
	"bytes"
	"fmt"
	"strconv"
	"time"
)

// membership measures the cost of leaving and joining a room by how many are
// in it. A message is a leave or a join.
func membership(l *loop, cfg *Config, r *Result) error {
	if err := l.connect(cfg.Connections, cfg.Handshakes, 120*time.Second); err != nil {
		return err
	}
	if err := l.join(l.conns, "r"); err != nil {
		return err
	}
	var head []byte
	tails := [2][]byte{[]byte(`["leave","r"]`), []byte(`["join","r"]`)}
	x := newExchanger(l, cfg, dialogue{
		ask: func(c *conn, n uint32) {
			head = strconv.AppendUint(append(head[:0], "42"...), uint64(n), 10)
			c.frame(opText, head, tails[n%2])
		},
		answer: ackNumber("[]"),
	})
	x.talking = x.talking[:min(10, len(x.talking))]
	return x.measure(r)
}

// Rooms says what many rooms of one socket each cost. The first and the last
// tenth are alike if nothing grows with the number of rooms.
type Rooms struct {
	Rooms     int     `json:"rooms"`
	FirstJoin float64 `json:"first_join_us"` // CPU of a join, first tenth of the rooms
	LastJoin  float64 `json:"last_join_us"`  // last tenth
	Heap      float64 `json:"heap_bytes"`    // a room
	Emit      float64 `json:"emit_us"`       // CPU of an event from a socket to one of the rooms
	Leave     float64 `json:"leave_us"`      // CPU for each room, when all connections drop
}

func rooms(l *loop, cfg *Config, r *Result) error {
	if err := l.connect(cfg.Connections, cfg.Handshakes, 60*time.Second); err != nil {
		return err
	}
	total := cfg.Connections * cfg.Rooms
	found := &Rooms{Rooms: total}
	before, rss := cfg.debug(true), rssOf(cfg.PID)

	joined := 0
	l.onMessage = func(_ *conn, _ byte, p []byte) {
		if bytes.HasPrefix(p, []byte("431[")) {
			joined++
		}
	}
	marks := make([]cpu, 11) // CPU time at every tenth of the rooms
	marks[0] = cpuOf(cfg.PID)
	for i := range total {
		c := l.conns[i%len(l.conns)]
		c.frame(opText, fmt.Appendf(nil, `421["join","%d-%d"]`, c.id, i/len(l.conns)))
		if i+1 == total || (i+1)%100 == 0 {
			for _, c := range l.conns {
				l.flush(c)
			}
			if !l.until(30*time.Second, func() bool { return joined == i+1 || l.problem != nil }) || l.problem != nil {
				return fmt.Errorf("%d of %d joined: %w", joined, total, l.problem)
			}
		}
		if (i+1)%(total/10) == 0 {
			marks[(i+1)/(total/10)] = cpuOf(cfg.PID)
		}
	}
	tenth := float64(total) / 10
	found.FirstJoin = marks[1].sub(marks[0]).sum() / tenth * 1e6
	found.LastJoin = marks[10].sub(marks[9]).sum() / tenth * 1e6
	found.Heap = (cfg.debug(true).Heap - before.Heap) / float64(total)

	payload := text(cfg.Payload)
	turn := 0
	x := newExchanger(l, cfg, dialogue{
		ask: func(c *conn, n uint32) {
			putNumber(payload, n)
			turn++
			c.frame(opText, fmt.Appendf(nil, `42["send","%d-%d","%s"]`, c.id, turn%cfg.Rooms, payload))
		},
		answer: func(_ *conn, op byte, p []byte) (n uint32, more, ok bool) {
			p, ok = bytes.CutPrefix(p, messageHead)
			n, numbered := number(p)
			return n, false, ok && numbered && op == opText
		},
	})
	if err := x.measure(r); err != nil {
		return err
	}
	found.Emit = r.Cost.CPU

	dropping := cpuOf(cfg.PID)
	for _, c := range l.conns {
		l.drop(c)
	}
	<-time.After(time.Second)
	found.Leave = cpuOf(cfg.PID).sub(dropping).sum() / float64(total) * 1e6
	r.Rooms = found
	r.Left = cfg.dropAll(l, before, rss)
	return nil
}
