//go:build linux

package loadgen

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// separator is between the packets of a polling payload.
const separator = 0x1e

// A poller is a session over long-polling, with one connection for its GETs
// and one for its POSTs. It sends a window of events in one POST, and again
// when all have come back.
type poller struct {
	cfg       *Config
	get, post *httpConn
	target    string
	answers   chan int // how many a GET has brought
	times     []int64  // when an event was sent, by its number modulo len

	mu       sync.Mutex // guards the following
	sent     uint32
	ledger   ledger
	answered uint64
	since    int64 // only what was sent since then counts in latency
	latency  histogram
	faults   Faults
}

// errAnsweredAll ends a poller whose every event was answered.
var errAnsweredAll = errors.New("done")

func polling(_ *loop, cfg *Config, r *Result) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	start := time.Now()
	pollers := make([]*poller, cfg.Connections)
	for i := range pollers {
		p, err := newPoller(cfg)
		if err != nil {
			return err
		}
		defer p.close()
		pollers[i] = p
	}
	failed := make(chan error, 2*len(pollers))
	var wg sync.WaitGroup
	for _, p := range pollers {
		wg.Go(func() { failed <- p.send(ctx, start) })
		wg.Go(func() { failed <- p.receive(start) })
	}
	wait := func(d time.Duration) error {
		select {
		case err := <-failed:
			return err
		case <-time.After(d):
			return nil
		}
	}
	answered := func() (n uint64) {
		for _, p := range pollers {
			p.mu.Lock()
			n += p.answered
			p.mu.Unlock()
		}
		return n
	}
	if err := wait(cfg.WarmUp); err != nil {
		return err
	}
	m := cfg.startMeter()
	before := answered()
	for _, p := range pollers {
		p.mu.Lock()
		p.latency.reset()
		p.since = int64(time.Since(start))
		p.mu.Unlock()
	}
	if err := wait(cfg.Duration); err != nil {
		return err
	}
	cost := m.stop(answered() - before)

	cancel()
	timeout := time.AfterFunc(3*time.Second, func() {
		for _, p := range pollers {
			p.close()
		}
	})
	wg.Wait()
	timeout.Stop()
	var all histogram
	var faults Faults
	for _, p := range pollers {
		all.merge(&p.latency)
		faults.Add(p.faults)
		faults.Add(p.ledger.settle(p.sent))
	}
	latency := all.latency()
	r.Cost, r.Latency, r.Faults = &cost, &latency, &faults
	close(failed)
	for err := range failed {
		if err != nil && !errors.Is(err, errAnsweredAll) {
			return err
		}
	}
	return nil
}

// newPoller opens a session and joins the default namespace.
func newPoller(cfg *Config) (*poller, error) {
	timeout := cfg.WarmUp + cfg.Duration + 30*time.Second
	get, err := dialHTTP(cfg.Addr, timeout)
	if err != nil {
		return nil, err
	}
	post, err := dialHTTP(cfg.Addr, timeout)
	if err != nil {
		return nil, err
	}
	p := &poller{
		cfg:     cfg,
		get:     get,
		post:    post,
		target:  "/socket.io/?EIO=4&transport=polling",
		answers: make(chan int, 1024),
		times:   make([]int64, 2*cfg.Window),
	}
	open, err := get.get(p.target)
	if err != nil {
		return nil, fmt.Errorf("handshake: %w", err)
	}
	_, sid, _ := bytes.Cut(open, []byte(`"sid":"`))
	sid, _, ok := bytes.Cut(sid, []byte(`"`))
	if !ok {
		return nil, fmt.Errorf("handshake: %.100q", open)
	}
	p.target += "&sid=" + string(sid)
	if _, err := post.post(p.target, []byte("40")); err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	answer, err := get.get(p.target)
	if err != nil || !bytes.HasPrefix(answer, []byte("40")) {
		return nil, fmt.Errorf("connect: %.100q, %w", answer, err)
	}
	return p, nil
}

func (p *poller) close() {
	_ = p.get.conn.Close()
	_ = p.post.conn.Close()
}

// send posts events until ctx ends and everything is answered, and then ends
// the session.
func (p *poller) send(ctx context.Context, start time.Time) error {
	payload := text(p.cfg.Payload)
	var body []byte
	for ctx.Err() == nil {
		body = body[:0]
		p.mu.Lock()
		for range p.cfg.Window {
			if len(body) > 0 {
				body = append(body, separator)
			}
			putNumber(payload, p.sent)
			body = append(body, `42["echo","`...)
			body = append(body, payload...)
			body = append(body, `"]`...)
			p.times[p.sent%uint32(len(p.times))] = int64(time.Since(start))
			p.sent++
		}
		p.mu.Unlock()
		if _, err := p.post.post(p.target, body); err != nil {
			p.close()
			return fmt.Errorf("POST: %w", err)
		}
		for owed := p.cfg.Window; owed > 0; {
			n, ok := <-p.answers
			if !ok {
				return errors.New("POST: the session has ended")
			}
			owed -= n
			if n == 0 { // a ping
				if _, err := p.post.post(p.target, []byte("3")); err != nil {
					return fmt.Errorf("pong: %w", err)
				}
			}
		}
	}
	_ = p.get.conn.SetDeadline(time.Unix(1, 0)) // the GET that waits
	return errAnsweredAll
}

// receive polls until the connection ends.
func (p *poller) receive(start time.Time) error {
	defer close(p.answers)
	for {
		body, err := p.get.get(p.target)
		if err != nil {
			p.mu.Lock()
			defer p.mu.Unlock()
			if p.sent == p.ledger.received {
				return errAnsweredAll
			}
			return fmt.Errorf("GET: %w", err)
		}
		n, ping := 0, false
		now := int64(time.Since(start))
		p.mu.Lock()
		for packet := range bytes.SplitSeq(body, []byte{separator}) {
			seq, numbered := number(bytes.TrimPrefix(packet, []byte(`42["echo","`)))
			switch {
			case string(packet) == "2":
				ping = true
			case !numbered || seq >= p.sent:
				p.faults.Unexpected++
			case p.ledger.record(seq):
				n++
				if sent := p.times[seq%uint32(len(p.times))]; sent >= p.since {
					p.latency.add(now - sent)
				}
			}
		}
		p.answered += uint64(n)
		p.mu.Unlock()
		if ping {
			p.answers <- 0
		}
		if n > 0 {
			p.answers <- n
		}
	}
}
