package redis

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
	"unsafe"

	"github.com/redis/rueidis"
)

// subscribeChunk is how many channels one command asks for.
const subscribeChunk = 256

// errGap is why a seat may not have heard everything, if nobody says more.
var errGap = errors.New("socketio: redis: the subscription was interrupted")

// A listener keeps the bus subscribed to its topics. Its connection is its own,
// because servers are counted by the connections that are subscribed. Channels of
// sharded Pub/Sub in Redis Cluster need one for each node.
type listener struct {
	bus    *bus
	spread bool // over the nodes of Redis Cluster

	lines    map[string]rueidis.DedicatedClient // by node; "" is any
	nodes    map[uint16]string                  // where a slot is, as far as Redis has told
	heard    map[topic]string                   // what is subscribed, at which node
	ended    chan error                         // why the first line broke
	watchers sync.WaitGroup                     // of the lines

	quit map[string]struct{} // what is being unsubscribed; guarded by bus.mu
}

// run ends with the bus.
func (l *listener) run() {
	l.spread = l.bus.sharded && l.bus.client.Mode() == rueidis.ClientModeCluster
	for retry := (backoff{}); ; {
		begun := time.Now()
		err := l.session()
		for _, line := range l.lines {
			line.Close()
		}
		l.watchers.Wait()
		if l.bus.ctx.Err() != nil {
			return
		}
		l.bus.gap(err)
		if time.Since(begun) > lastPause {
			retry = backoff{}
		}
		if !retry.wait(l.bus.ctx) {
			return
		}
	}
}

// session subscribes to everything, follows what changes, and returns when a
// line breaks, or nil at the end of the bus.
func (l *listener) session() error {
	l.lines, l.nodes, l.heard = map[string]rueidis.DedicatedClient{}, map[uint16]string{}, map[topic]string{}
	l.ended = make(chan error, 1)
	l.bus.forget()
	for {
		add, drop, seats := l.changes()
		if err := l.apply(drop, false); err != nil {
			return err
		}
		if err := l.apply(add, true); err != nil {
			return err
		}
		l.bus.hears(seats)
		select {
		case <-l.bus.listen:
		case err := <-l.ended:
			return err
		case <-l.bus.ctx.Done():
			return nil
		}
	}
}

// changes returns what is to be subscribed and what no more, and the seats that
// are ready when that is done.
func (l *listener) changes() (add, drop []topic, seats []*seat) {
	b := l.bus
	b.mu.Lock()
	defer b.mu.Unlock()
	l.quit = map[string]struct{}{}
	for t := range b.changed {
		_, hears := l.heard[t]
		wanted := len(b.topics[t]) > 0
		if wanted && !hears {
			add = append(add, t)
		}
		if !wanted && hears {
			drop = append(drop, t)
			l.quit[t.name] = struct{}{}
		}
	}
	clear(b.changed)
	for s := range b.seats {
		if !s.isReady {
			seats = append(seats, s)
		}
	}
	return add, drop, seats
}

// A request subscribes to topics, or ends that.
type request struct {
	cmd    rueidis.Completed
	topics []topic
}

// apply subscribes to topics, or ends that, and waits until Redis has done so.
// What another node is responsible for is asked again there.
func (l *listener) apply(topics []topic, subscribe bool) error {
	for len(topics) > 0 {
		nodes := map[string][]request{}
		for _, r := range l.requests(topics, subscribe) {
			node := l.nodes[r.cmd.Slot()]
			if !subscribe {
				node = l.heard[r.topics[0]]
			}
			nodes[node] = append(nodes[node], r)
		}
		topics = nil
		for node, requests := range nodes {
			moved, err := l.ask(node, requests, subscribe)
			if err != nil {
				return fmt.Errorf("socketio: redis: subscribing: %w", err)
			}
			topics = append(topics, moved...)
		}
	}
	return nil
}

// requests makes the commands for topics. In Redis Cluster a command for several
// channels would have to be for one slot.
func (l *listener) requests(topics []topic, subscribe bool) (requests []request) {
	size := subscribeChunk
	if l.spread {
		size = 1
	}
	patterns := slices.DeleteFunc(slices.Clone(topics), func(t topic) bool { return !t.pattern })
	channels := slices.DeleteFunc(slices.Clone(topics), func(t topic) bool { return t.pattern })
	for _, topics := range [][]topic{patterns, channels} {
		for chunk := range slices.Chunk(topics, size) {
			names := make([]string, len(chunk))
			for i, t := range chunk {
				names[i] = t.name
			}
			requests = append(requests, request{l.command(names, chunk[0].pattern, subscribe), chunk})
		}
	}
	return requests
}

func (l *listener) command(names []string, pattern, subscribe bool) rueidis.Completed {
	build := l.bus.client.B()
	switch {
	case pattern && subscribe:
		return build.Psubscribe().Pattern(names...).Build()
	case pattern:
		return build.Punsubscribe().Pattern(names...).Build()
	case l.bus.sharded && subscribe:
		return build.Ssubscribe().Channel(names...).Build()
	case l.bus.sharded:
		return build.Sunsubscribe().Channel(names...).Build()
	case subscribe:
		return build.Subscribe().Channel(names...).Build()
	default:
		return build.Unsubscribe().Channel(names...).Build()
	}
}

// ask sends requests to a node and returns what is to be asked elsewhere.
func (l *listener) ask(node string, requests []request, subscribe bool) (moved []topic, err error) {
	line, err := l.line(node)
	if err != nil {
		return nil, err
	}
	commands := make([]rueidis.Completed, len(requests))
	slots := make([]uint16, len(requests))
	for i, r := range requests {
		commands[i], slots[i] = r.cmd, r.cmd.Slot()
	}
	for i, result := range line.DoMulti(l.bus.ctx, commands...) {
		if reply, ok := rueidis.IsRedisErr(result.Error()); ok && subscribe {
			if owner, ok := reply.IsMoved(); ok && owner != node {
				l.nodes[slots[i]] = owner
				moved = append(moved, requests[i].topics...)
				continue
			}
		}
		if err := result.Error(); err != nil {
			return nil, err
		}
		for _, t := range requests[i].topics {
			if delete(l.heard, t); subscribe {
				l.heard[t] = node
			}
		}
	}
	return moved, nil
}

// line returns the connection to a node.
func (l *listener) line(node string) (rueidis.DedicatedClient, error) {
	if line := l.lines[node]; line != nil {
		return line, nil
	}
	client := l.bus.client
	if l.spread {
		nodes := client.Nodes()
		if client = nodes[node]; node == "" {
			for _, client = range nodes { // any will tell which it should have been
				break
			}
		}
		if client == nil {
			return nil, fmt.Errorf("node %q is not known yet", node)
		}
	}
	line, _ := client.Dedicate()
	l.lines[node] = line
	ended := line.SetPubSubHooks(rueidis.PubSubHooks{
		OnMessage: l.bus.dispatch,
		OnSubscription: func(s rueidis.PubSubSubscription) {
			if s.Kind == "sunsubscribe" && !l.asked(s.Channel) {
				l.end(errGap) // the slot has moved to another node
			}
		},
	})
	l.watchers.Go(func() { // ends when the line is closed
		err := <-ended
		if err == nil {
			err = errGap
		}
		l.end(err)
	})
	return line, nil
}

// end makes the session end, unless it does already.
func (l *listener) end(err error) {
	select {
	case l.ended <- err:
	default:
	}
}

func (l *listener) asked(name string) bool {
	l.bus.mu.Lock()
	defer l.bus.mu.Unlock()
	_, ok := l.quit[name]
	return ok
}

// dispatch hands a message to the seats that want it: a room of one namespace may
// have the channel of another namespace.
func (b *bus) dispatch(m rueidis.PubSubMessage) {
	t := topic{name: m.Channel}
	if m.Pattern != "" {
		t = topic{name: m.Pattern, pattern: true}
	}
	b.mu.Lock()
	seats := b.topics[t]
	b.mu.Unlock()
	for _, s := range seats {
		// Nobody writes to it, as seats promise: a copy would be for nothing.
		s.deliver(t, m.Channel, unsafe.Slice(unsafe.StringData(m.Message), len(m.Message)))
	}
}

// forget makes all topics new.
func (b *bus) forget() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for t := range b.topics {
		b.changed[t] = struct{}{}
	}
}

// hears makes seats ready.
func (b *bus) hears(seats []*seat) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.fault = nil
	for _, s := range seats {
		s.isReady = true
		close(s.ready)
	}
}

// gap notes that nothing is heard, and tells the seats that did hear.
func (b *bus) gap(reason error) {
	var deaf []*seat
	b.gaps.Add(1)
	b.mu.Lock()
	b.fault = reason
	for s := range b.seats {
		if s.isReady {
			s.isReady = false
			s.ready = make(chan struct{})
			deaf = append(deaf, s)
		}
	}
	b.mu.Unlock()
	for _, s := range deaf {
		s.lost(0, reason)
	}
}
