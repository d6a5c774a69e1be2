package redis

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/redis/rueidis"
)

const (
	// A batch is sent with one write to each node. All of its replies are awaited.
	batchCommands = 512
	batchBytes    = 1 << 20
	// batchScan bounds how many commands are searched for those that can be sent now.
	batchScan = 1 << 14

	// A connection is checked before a batch, which can't be sent twice, if it was idle
	// for this time or a subscribed connection has broken.
	idle = time.Second
)

// A publisher sends the commands of the queue, in order. Its connections are its own: a
// client spreads commands over several connections, and would lose their order. In Redis
// Cluster it has one to each master that it needs. Commands for a node that can't be
// reached wait, and do not delay the others.
type publisher struct {
	bus       *bus
	home      string // the master for commands that every master accepts
	gaps      int64  // bus.gaps when the connections were last checked
	connsMade int64  // how many connections were made
	retry     map[string]*attempt

	mu    sync.Mutex // guards the following
	conns map[string]*nodeConn
}

// An attempt says when a node is tried again that could not be reached, or did not
// execute a command.
type attempt struct {
	backoff
	until time.Time
}

// run sends commands until the bus ends.
func (p *publisher) run() {
	defer func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		for _, conn := range p.conns {
			conn.close()
		}
	}()
	var batch []command
	for p.bus.waitForCommands(p.pause()) {
		batch = p.bus.take(batch[:0], p.ready)
		p.execute(batch)
		clear(batch)
	}
}

// node returns the address of the node for a command.
func (p *publisher) node(c *command) string {
	topology := p.bus.nodes.topology()
	switch {
	case topology == nil:
		return ""
	case c.keyed:
		return topology.owner(c.cmd.Slot())
	case !topology.isMaster(p.home) || p.waits(p.home):
		p.home = p.bus.nodes.anyMaster(topology, p.waits)
	}
	return p.home
}

// ready reports whether a command can be sent now.
func (p *publisher) ready(c *command) bool { return !p.waits(p.node(c)) }

func (p *publisher) waits(node string) bool {
	a := p.retry[node]
	return a != nil && time.Now().Before(a.until)
}

// pause returns how long no command can be sent to some node, or 0.
func (p *publisher) pause() (least time.Duration) {
	for _, a := range p.retry {
		if d := time.Until(a.until); d > 0 && (least == 0 || d < least) {
			least = d
		}
	}
	return least
}

// postpone delays the commands for a node.
func (p *publisher) postpone(node string) {
	a := p.retry[node]
	if a == nil {
		a = new(attempt)
		p.retry[node] = a
	}
	a.rest()
	a.until = time.Now().Add(a.next())
	p.bus.troubled()
}

// connect returns a connection to a node that works.
func (p *publisher) connect(node string) (*nodeConn, error) {
	p.mu.Lock()
	l := p.conns[node]
	p.mu.Unlock()
	gaps := p.bus.gaps.Load()
	if l != nil && (time.Since(l.used) >= idle || p.gaps != gaps) {
		ctx, cancel := context.WithTimeout(context.Background(), replyTimeout) // bounds a read that no other goroutine waits for
		err := p.bus.check(ctx, l)
		cancel()
		if err != nil {
			p.disconnect(node, l)
			l = nil
		} else {
			l.used = time.Now()
		}
	}
	p.gaps = gaps
	if l != nil {
		return l, nil
	}
	l, err := p.bus.dial(node)
	if err != nil {
		return nil, err
	}
	p.connsMade++
	p.mu.Lock()
	defer p.mu.Unlock()
	p.conns[node] = l
	return l, nil
}

// master returns the connection outside Redis Cluster.
func (p *publisher) master() *nodeConn {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.conns[""]
}

func (p *publisher) disconnect(node string, l *nodeConn) {
	p.mu.Lock()
	if p.conns[node] == l {
		delete(p.conns, node)
	}
	p.mu.Unlock()
	l.close()
}

// reconnect closes the connections to nodes that are not masters any more, also while
// they are used: commands may wait long for a reply there.
func (p *publisher) reconnect() {
	topology, master := p.bus.nodes.topology(), p.bus.nodes.master()
	p.mu.Lock()
	var old []*nodeConn
	for node, l := range p.conns {
		if topology != nil && !topology.isMaster(node) || topology == nil && master != "" && l.addr != "" && l.addr != master {
			delete(p.conns, node)
			old = append(old, l)
		}
	}
	p.mu.Unlock()
	for _, l := range old {
		l.close()
	}
}

// A share is the part of a batch that is for one node.
type share struct {
	node     string
	commands []command
	results  []rueidis.RedisResult
	err      error // why nothing was sent
}

// execute sends a batch. Commands that were certainly not executed are queued again.
func (p *publisher) execute(batch []command) {
	var shares []*share
	for _, c := range batch {
		node := p.node(&c)
		i := slices.IndexFunc(shares, func(s *share) bool { return s.node == node })
		if i < 0 {
			i = len(shares)
			shares = append(shares, &share{node: node})
		}
		shares[i].commands = append(shares[i].commands, c)
	}
	if len(shares) == 1 {
		p.send(shares[0])
	} else {
		var all sync.WaitGroup
		for _, s := range shares {
			l, err := p.connect(s.node)
			if s.err = err; err == nil {
				all.Go(func() { p.write(s, l) })
			}
		}
		all.Wait()
	}
	var again []command
	for _, s := range shares {
		again = append(again, p.finish(s)...)
	}
	if len(again) > 0 {
		p.bus.putBack(again)
	}
}

func (p *publisher) send(s *share) {
	l, err := p.connect(s.node)
	if s.err = err; err == nil {
		p.write(s, l)
	}
}

func (p *publisher) write(s *share, l *nodeConn) {
	commands := make([]rueidis.Completed, len(s.commands))
	for i, c := range s.commands {
		commands[i] = c.cmd
	}
	s.results = l.DoMulti(context.Background(), commands...) // ended by reconnect or by the client's timeout
	works := true
	for i := range s.results {
		works = works && s.results[i].NonRedisError() == nil && !isReadOnly(s.results[i].Error())
	}
	if !works {
		p.disconnect(s.node, l)
		return
	}
	l.used = time.Now()
}

// finish completes the commands that were executed, and returns the others.
func (p *publisher) finish(s *share) (again []command) {
	if s.err != nil {
		p.postpone(s.node)
		p.refresh()
		return s.commands
	}
	done, results := s.commands[:0], s.results[:0]
	moved := false
	for i, c := range s.commands {
		result := s.results[i]
		reply, refused := rueidis.IsRedisErr(result.Error())
		if refused && c.retryable {
			if addr, ok := reply.IsAsk(); ok {
				result = p.asking(addr, &c)
				reply, refused = rueidis.IsRedisErr(result.Error())
			}
		}
		if refused && c.retryable && isUndone(reply) {
			moved = true
			again = append(again, c)
			continue
		}
		done, results = append(done, c), append(results, result)
	}
	if moved {
		p.postpone(s.node)
		p.refresh()
	} else if len(done) > 0 && results[len(results)-1].NonRedisError() == nil {
		delete(p.retry, s.node)
	}
	p.bus.complete(done, results)
	return again
}

// asking sends a command to the node that imports its slot.
func (p *publisher) asking(addr string, c *command) rueidis.RedisResult {
	l, err := p.connect(addr)
	if err != nil {
		return rueidis.NewErrorResult(err)
	}
	return l.DoMulti(context.Background(), p.bus.client.B().Asking().Build(), c.cmd)[1]
}

func (p *publisher) refresh() {
	if !p.bus.nodes.cluster || p.bus.ctx.Err() != nil {
		return
	}
	if changed, err := p.bus.nodes.refresh(p.bus.ctx); err != nil || changed {
		p.bus.troubled()
		if changed {
			p.reconnect()
		}
	}
}

// isUndone reports whether an error says that a command was not executed, and may be
// later or by another node.
func isUndone(err *rueidis.RedisError) bool {
	_, moved := err.IsMoved()
	return moved || err.IsClusterDown() || err.IsTryAgain() || err.IsLoading() || isReadOnly(err)
}

func isReadOnly(err error) bool {
	var reply *rueidis.RedisError
	return errors.As(err, &reply) && (strings.HasPrefix(reply.Error(), "READONLY") || strings.HasPrefix(reply.Error(), "MASTERDOWN"))
}

// waitForCommands waits until commands are queued, or for a pause if it is not 0. It
// returns false when the bus ends.
func (b *bus) waitForCommands(pause time.Duration) bool {
	var over <-chan time.Time
	if pause > 0 {
		timer := time.NewTimer(pause)
		defer timer.Stop()
		over = timer.C
	}
	for {
		b.mu.Lock()
		n := len(b.queue)
		held := b.blocked
		b.mu.Unlock()
		if b.ctx.Err() != nil {
			return false
		}
		if n > held || held > 0 && pause == 0 {
			return true
		}
		select {
		case <-b.send:
			return b.ctx.Err() == nil
		case <-over:
			return true
		case <-b.ctx.Done():
			return false
		}
	}
}

// take removes the next commands to send from the queue, and appends them to batch.
func (b *bus) take(batch []command, ready func(c *command) bool) []command {
	b.mu.Lock()
	defer b.mu.Unlock()
	n, size, held := 0, 0, 0
	for ; n < min(len(b.queue), batchScan) && len(batch) < batchCommands && size < batchBytes; n++ {
		if c := &b.queue[n]; ready(c) {
			size += c.size
			batch = append(batch, *c)
		} else {
			b.queue[held] = *c
			held++
		}
	}
	copy(b.queue[n-held:n], b.queue[:held])
	clear(b.queue[:n-held])
	if b.queue = b.queue[n-held:]; len(b.queue) == 0 {
		b.queue = nil
	}
	if b.blocked = held; len(batch) == 0 {
		b.blocked = len(b.queue)
	}
	return batch
}

// putBack queues commands before all others.
func (b *bus) putBack(commands []command) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.queue = slices.Concat(commands, b.queue)
	b.blocked += len(commands)
}

// complete counts what was sent, and reports losses, once for each member.
func (b *bus) complete(batch []command, results []rueidis.RedisResult) {
	type loss struct {
		n      int
		reason error
	}
	var losses map[*member]loss
	for i, c := range batch {
		reply, err := results[i].ToMessage()
		if c.done != nil {
			c.done(reply, err)
		}
		if err != nil && !rueidis.IsRedisNil(err) && !c.control { // nil is a reply
			if losses == nil {
				losses = make(map[*member]loss)
			}
			losses[c.member] = loss{losses[c.member].n + 1, err}
		}
	}
	for s, l := range losses {
		s.lost(l.n, l.reason)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, c := range batch {
		b.completed(c)
	}
}

// dropOf drops the queued commands of a member, and returns how many messages are among
// them.
func (b *bus) dropOf(s *member) (n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.blocked = 0
	b.queue = slices.DeleteFunc(b.queue, func(c command) bool {
		if c.member != s {
			return false
		}
		b.completed(c)
		if !c.control {
			n++
		}
		return true
	})
	return n
}

// completed counts a command as done. The caller holds mu.
func (b *bus) completed(c command) {
	b.waiting -= c.size
	if c.member.waiting--; c.member.waiting == 0 && c.member.left {
		close(c.member.drained)
	}
}
