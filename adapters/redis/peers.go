package redis

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/redis/rueidis"

	"github.com/socketio-go/socketio/adapter"
)

const (
	// A server that is not counted any more is believed gone after this time: it may
	// just have lost its connection. After trouble the time is longer.
	goneTimeout = 3 * time.Second
	// countAtOnce bounds the namespaces whose servers are counted every second.
	countAtOnce = 8
)

var errUncertain = errors.New("socketio: redis: connections have been lost, and it is not known yet which servers are there")

// A peerCount is what is known about the number of servers of a namespace. It is guarded
// by bus.mu.
type peerCount struct {
	known     bool
	most      int       // the number that is believed
	fewer     time.Time // since when fewer are counted; zero if they are not
	left      int       // how many have announced lately that they leave
	leftAt    time.Time
	countedAt time.Time
}

// count takes a new count into account, and returns the number that is believed.
func (c *peerCount) count(n int, now time.Time, trouble bool) int {
	if now.Sub(c.leftAt) > goneTimeout {
		c.left = 0
	}
	switch {
	case !c.known || n >= c.most:
		c.known, c.most, c.fewer = true, n, time.Time{}
	case c.most-n <= c.left:
		c.left -= c.most - n
		c.most, c.fewer = n, time.Time{}
	case c.fewer.IsZero():
		c.fewer = now
	case trouble:
	case now.Sub(c.fewer) >= goneTimeout:
		c.most, c.fewer = n, time.Time{}
	}
	return c.most
}

// peerLeaving notes that a server has announced that it leaves.
func (s *member) peerLeaving() {
	s.bus.mu.Lock()
	defer s.bus.mu.Unlock()
	now := time.Now()
	if c := &s.peers; now.Sub(c.leftAt) > goneTimeout {
		c.left = 0
	}
	s.peers.left++
	s.peers.leftAt = now
}

// Peers implements [adapter.Member].
func (s *member) Peers(ctx context.Context) (adapter.Peers, error) {
	b := s.bus
	b.mu.Lock()
	left, first := s.left, !s.peers.known
	b.mu.Unlock()
	if left {
		return adapter.Peers{}, adapter.ErrLeft
	}
	if first && b.gaps.Load() > 0 && b.inTrouble() {
		return adapter.Peers{}, errUncertain
	}
	n, err := s.count(ctx, true)
	if err != nil {
		return adapter.Peers{}, err
	}
	return adapter.Peers{Count: n}, nil
}

// count counts the other servers. If look is set, it first asks for the topology of
// Redis Cluster.
func (s *member) count(ctx context.Context, look bool) (int, error) {
	b := s.bus
	n, err := s.subscribers(ctx, s.counted, look)
	if err != nil {
		if ctx.Err() == nil {
			b.troubled()
		}
		return 0, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if s.state.missing[listening] == nil {
		n-- // this server
	}
	now := time.Now()
	s.peers.countedAt = now
	return s.peers.count(max(n, 0), now, b.inTrouble()), nil
}

// countSome counts the servers of some namespaces, so that their number is known when
// connections are lost.
func (b *bus) countSome() {
	var list []*member
	b.mu.Lock()
	for s := range b.members {
		if s.state.reason() == nil {
			list = append(list, s)
		}
	}
	slices.SortFunc(list, func(a, b *member) int { return a.peers.countedAt.Compare(b.peers.countedAt) })
	list = list[:min(len(list), countAtOnce)]
	b.mu.Unlock()
	if len(list) == 0 || b.counting.Swap(true) {
		return
	}
	b.running.Go(func() { // ends with ctx
		defer b.counting.Store(false)
		ctx, cancel := context.WithTimeout(b.ctx, replyTimeout)
		defer cancel()
		for _, s := range list {
			if _, err := s.count(ctx, false); err != nil {
				return
			}
		}
	})
}

// subscribers returns how many connections are subscribed to a channel. Outside Redis
// Cluster the publishing connection asks, so the result covers everything that was
// published before.
func (s *member) subscribers(ctx context.Context, channel string, look bool) (int, error) {
	b := s.bus
	if b.nodes.cluster {
		return b.subscribersOf(ctx, channel, look)
	}
	type result struct {
		n   int
		err error
	}
	results := make(chan result, 1)
	var a result
	var made int64
	// The publisher calls the done functions one after the other, on its goroutine.
	count := command{cmd: b.countCommand(channel), control: true, done: func(reply rueidis.RedisMessage, err error) {
		made = b.out.connsMade
		if a.err = err; err == nil {
			a.n, a.err = countOf(reply)
		}
	}}
	role := command{cmd: b.client.B().Role().Build(), control: true, done: func(reply rueidis.RedisMessage, err error) {
		line := b.out.master()
		switch {
		case a.err != nil:
		case b.out.connsMade != made || line == nil:
			a.err = errUncertain
		default:
			a.err = b.checkMaster(line, reply, err)
		}
		results <- a
	}}
	for _, c := range []command{count, role} {
		if err := s.enqueue(c); err != nil {
			return 0, err
		}
	}
	select {
	case a := <-results:
		if a.err != nil {
			return 0, fmt.Errorf("socketio: redis: counting servers: %w", a.err)
		}
		return a.n, nil
	case <-s.stopped:
		return 0, adapter.ErrLeft
	case <-ctx.Done():
		return 0, fmt.Errorf("socketio: redis: counting servers: %w", ctx.Err())
	}
}

func (b *bus) countCommand(channel string) rueidis.Completed {
	if b.sharded {
		return b.client.B().PubsubShardnumsub().Channel(channel).Build()
	}
	return b.client.B().PubsubNumsub().Channel(channel).Build()
}

func countOf(reply rueidis.RedisMessage) (int, error) {
	values, err := reply.ToArray()
	if err != nil || len(values) < 2 {
		return 0, err
	}
	n, err := values[1].AsInt64()
	return int(n), err
}

// subscribersOf asks the nodes of Redis Cluster at which a channel may be subscribed:
// those of its shard, or all of them.
func (b *bus) subscribersOf(ctx context.Context, channel string, look bool) (sum int, err error) {
	if look {
		changed, err := b.nodes.refresh(ctx)
		if err != nil {
			return 0, err
		}
		if changed {
			b.troubled()
			b.change(b.allTopics())
			wake(b.listen)
		}
	}
	topology := b.nodes.topology()
	if topology == nil || !topology.ok {
		return 0, errClusterDown
	}
	var addrs []string
	if b.sharded {
		if s := topology.shardOf(b.slot(channel)); s != nil {
			addrs = s.nodes
		} else {
			return 0, errNoOwner
		}
	} else {
		for _, s := range topology.shards {
			addrs = append(addrs, s.nodes...)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, replyTimeout)
	defer cancel()
	type result struct {
		n   int
		err error
	}
	results := make(chan result, len(addrs))
	for _, addr := range addrs { // they end with ctx
		node, err := b.node(ctx, addr)
		if err != nil {
			return 0, fmt.Errorf("socketio: redis: counting servers: %w", err)
		}
		go func() {
			reply, err := node.Do(ctx, b.countCommand(channel)).ToMessage()
			n := 0
			if err == nil {
				n, err = countOf(reply)
			}
			results <- result{n, err}
		}()
	}
	for range addrs {
		a := <-results
		sum += a.n
		if a.err != nil {
			err = fmt.Errorf("socketio: redis: counting servers: %w", a.err)
		}
	}
	return sum, err
}
