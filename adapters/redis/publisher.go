package redis

import (
	"context"
	"slices"
	"time"

	"github.com/redis/rueidis"
)

const (
	// A batch is sent with one write and awaited as a whole.
	batchCommands = 512
	batchBytes    = 1 << 20

	// A connection is tried before it is trusted with a batch, which can't be sent
	// twice, if it was idle for so long or the other one has broken.
	idle = time.Second
)

// A publisher sends what is queued, in order. Its connection is its own: a client
// spreads commands over several, and their order would be lost.
type publisher struct {
	bus  *bus
	conn rueidis.DedicatedClient
	keep func() bool // keeps the end of the bus from closing conn
	used time.Time   // when conn was last known to work
	gaps int64       // how many there were then

	batch    []command
	commands []rueidis.Completed
}

// run ends with the bus.
func (p *publisher) run() {
	defer p.disconnect()
	for p.bus.awaitCommands() && p.connect() {
		p.batch = p.bus.take(p.batch[:0])
		if !p.execute(p.batch) {
			p.disconnect()
		}
		clear(p.batch)
	}
}

// connect waits for a connection that works, and reports whether there is one:
// not after the end.
func (p *publisher) connect() bool {
	var retry backoff
	for {
		gaps := p.bus.gaps.Load()
		if p.conn == nil {
			p.conn, _ = p.bus.client.Dedicate()
			p.keep = context.AfterFunc(p.bus.ctx, p.conn.Close) // the end does not wait for a silent peer
		} else if time.Since(p.used) < idle && p.gaps == gaps {
			return true
		}
		// A context that can be cancelled would make rueidis start two goroutines.
		if err := p.conn.Do(context.Background(), p.bus.client.B().Ping().Build()).Error(); err == nil {
			p.used, p.gaps = time.Now(), gaps
			return true
		}
		p.disconnect()
		if !retry.wait(p.bus.ctx) {
			return false
		}
	}
}

func (p *publisher) disconnect() {
	if p.conn != nil {
		p.keep()
		p.conn.Close()
		p.conn = nil
	}
}

// execute sends a batch, and reports whether the connection still works.
func (p *publisher) execute(batch []command) (works bool) {
	cluster := p.bus.client.Mode() == rueidis.ClientModeCluster
	works = true
	for len(batch) > 0 {
		// In Redis Cluster it is the client that knows the node for a key.
		routed := cluster && batch[0].key
		n := 1
		for n < len(batch) && (cluster && batch[n].key) == routed {
			n++
		}
		var results []rueidis.RedisResult
		p.commands = p.commands[:0]
		for _, c := range batch[:n] {
			p.commands = append(p.commands, c.cmd)
		}
		if routed {
			results = p.bus.client.DoMulti(p.bus.ctx, p.commands...)
		} else {
			results = p.conn.DoMulti(context.Background(), p.commands...)
			works = works && results[n-1].NonRedisError() == nil
		}
		clear(p.commands)
		p.bus.settle(batch[:n], results)
		batch = batch[n:]
	}
	p.used = time.Now()
	return works
}

// awaitCommands waits until something is queued, and reports whether there is:
// not after the end.
func (b *bus) awaitCommands() bool {
	for {
		b.mu.Lock()
		n := len(b.queue)
		b.mu.Unlock()
		if n > 0 {
			return true
		}
		select {
		case <-b.send:
		case <-b.ctx.Done():
			return false
		}
	}
}

// take appends the next commands that are to be sent.
func (b *bus) take(batch []command) []command {
	b.mu.Lock()
	defer b.mu.Unlock()
	n, size := 0, 0
	for n < min(len(b.queue), batchCommands) && size < batchBytes {
		size += b.queue[n].size
		n++
	}
	batch = append(batch, b.queue[:n]...)
	clear(b.queue[:n])
	if b.queue = b.queue[n:]; len(b.queue) == 0 {
		b.queue = nil
	}
	return batch
}

// settle counts what was sent, and reports what was not, once to each seat.
func (b *bus) settle(batch []command, results []rueidis.RedisResult) {
	type loss struct {
		n      int
		reason error
	}
	var losses map[*seat]loss
	for i, c := range batch {
		reply, err := results[i].ToMessage()
		if c.done != nil {
			c.done(reply, err)
		}
		if err != nil && !rueidis.IsRedisNil(err) { // nil is an answer
			if losses == nil {
				losses = make(map[*seat]loss)
			}
			losses[c.seat] = loss{losses[c.seat].n + 1, err}
		}
	}
	for s, l := range losses {
		s.lost(l.n, l.reason)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, c := range batch {
		b.settled(c)
	}
}

// drop gives up what a seat has queued, and returns how many commands that is.
func (b *bus) drop(s *seat) (n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.queue = slices.DeleteFunc(b.queue, func(c command) bool {
		if c.seat != s {
			return false
		}
		b.settled(c)
		n++
		return true
	})
	return n
}

// settled is called with the lock held.
func (b *bus) settled(c command) {
	b.waiting -= c.size
	if c.seat.waiting--; c.seat.waiting == 0 && c.seat.left {
		close(c.seat.drained)
	}
}
