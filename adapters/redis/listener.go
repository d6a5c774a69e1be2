package redis

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/redis/rueidis"
)

const (
	// subscribeChunk is how many channels one command asks for.
	subscribeChunk = 256
	// checkEvery is how often the connections and the cluster are looked at.
	checkInterval = time.Second
)

// errGap is why a seat may not have heard everything, if nobody says more.
var errGap = errors.New("socketio: redis: the subscription was interrupted")

// A listener keeps the bus subscribed to its topics. Its connections are its own,
// because servers are counted by the connections that are subscribed. In Redis
// Cluster, channels of sharded Pub/Sub are subscribed at the master of their slot,
// and everything else at one of the masters, where Node servers count.
type listener struct {
	bus *bus

	conns      map[string]*subscription // by address
	home       string                   // the master for everything else
	subscribed map[topic]string         // what is subscribed, and where
	failed     map[topic]error          // what could not be, and why
	ended      chan ending
	watchers   sync.WaitGroup // of the lines

	quit map[string]struct{} // what is being unsubscribed; guarded by bus.mu
}

// A subscription is a line on which messages come.
type subscription struct {
	*nodeConn
	busy    atomic.Bool  // a message is being handled
	last    atomic.Int64 // when one was, in nanoseconds
	checked atomic.Bool  // right now
}

// quiet reports whether nothing was heard for a while, not even what is being
// handled: the connection may be dead.
func (s *subscription) quiet() bool {
	return !s.busy.Load() && time.Since(time.Unix(0, s.last.Load())) >= checkInterval/2
}

// An ending says that a subscription has ended, or that one topic of it has.
type ending struct {
	of    *subscription
	topic *topic
	err   error
}

// run ends with the bus.
func (l *listener) run() {
	l.conns, l.subscribed, l.failed = map[string]*subscription{}, map[topic]string{}, map[topic]error{}
	l.ended = make(chan ending)
	defer l.watchers.Wait()
	defer func() {
		for _, line := range l.conns {
			line.close()
		}
	}()
	b := l.bus
	l.refreshTopology()
	check := time.NewTicker(checkInterval)
	defer check.Stop()
	var retry backoff
	again := time.NewTimer(0)
	again.Stop()
	defer again.Stop()
	for waits := false; ; {
		switch {
		case len(l.failed) > 0 && !waits:
			waits = true
			again.Reset(retry.next())
		case len(l.failed) == 0:
			retry.rest()
		}
		select {
		case <-b.listen:
			l.follow()
		case <-again.C:
			waits = false
			b.change(maps.Keys(l.failed))
			l.follow()
		case e := <-l.ended:
			l.connEnded(e)
		case <-check.C:
			l.check()
		case <-b.ctx.Done():
			return
		}
	}
}

// follow subscribes to what is wanted where it is to be heard, and ends the rest.
func (l *listener) follow() {
	add, drop := l.changes()
	l.apply(drop, false) // if that fails the line is gone, and what was subscribed there with it
	for t := range drop {
		delete(l.failed, t)
	}
	l.apply(add, true)
	l.bus.subscribed(l.failed)
	b := l.bus
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.following = false; len(b.changedTopics) == 0 && b.followed != nil {
		close(b.followed)
		b.followed = nil
	}
}

// place returns where a topic is to be heard.
func (l *listener) place(t topic) string {
	b := l.bus
	topology := b.nodes.topology()
	switch {
	case topology == nil:
		return ""
	case b.sharded:
		return topology.owner(b.slot(t.name))
	case !topology.isMaster(l.home):
		l.home = b.nodes.anyMaster(topology, func(string) bool { return false })
	}
	return l.home
}

// slot returns the slot of a channel in Redis Cluster.
func (b *bus) slot(channel string) uint16 {
	cmd := b.client.B().Ssubscribe().Channel(channel).Build()
	return cmd.Slot()
}

// changes returns what is to be subscribed and what no more.
func (l *listener) changes() (add, drop map[topic]string) {
	b := l.bus
	b.mu.Lock()
	changed := b.changedTopics
	b.changedTopics, b.following = map[topic]struct{}{}, true
	wanted := make(map[topic]bool, len(changed))
	for t := range changed {
		wanted[t] = len(b.topics[t]) > 0
	}
	l.quit = map[string]struct{}{}
	b.mu.Unlock()
	add, drop = map[topic]string{}, map[topic]string{}
	for t := range changed {
		at, hears := l.subscribed[t]
		if !wanted[t] {
			delete(l.failed, t)
			if hears {
				drop[t] = at
			}
			continue
		}
		to := l.place(t)
		if hears && at != to {
			drop[t] = at
		}
		if !hears || at != to {
			add[t] = to
		}
	}
	b.mu.Lock()
	for t := range drop {
		l.quit[t.name] = struct{}{}
	}
	b.mu.Unlock()
	return add, drop
}

// A request subscribes to topics, or ends that.
type request struct {
	cmd    rueidis.Completed
	topics []topic
}

// apply subscribes to topics, or ends that, and waits until Redis has done so.
func (l *listener) apply(topics map[topic]string, subscribe bool) {
	nodes := map[string][]topic{}
	for t, node := range topics {
		nodes[node] = append(nodes[node], t)
	}
	for node, topics := range nodes {
		l.subscribeAt(node, l.requests(topics, subscribe), subscribe)
	}
}

// requests makes the commands for topics. In Redis Cluster a command for several
// sharded channels would have to be for one slot.
func (l *listener) requests(topics []topic, subscribe bool) (requests []request) {
	size := subscribeChunk
	if l.bus.sharded && l.bus.nodes.cluster {
		size = 1
	}
	patterns := slices.DeleteFunc(slices.Clone(topics), func(t topic) bool { return !t.pattern })
	channels := slices.DeleteFunc(slices.Clone(topics), func(t topic) bool { return t.pattern })
	for _, topics := range [][]topic{patterns, channels} {
		for chunk := range slices.Chunk(topics, size) {
			requests = append(requests, request{l.command(chunk, subscribe), chunk})
		}
	}
	return requests
}

func (l *listener) command(topics []topic, subscribe bool) rueidis.Completed {
	names := make([]string, len(topics))
	for i, t := range topics {
		names[i] = t.name
	}
	pattern := topics[0].pattern
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

// ask sends requests to a node.
func (l *listener) subscribeAt(node string, requests []request, subscribe bool) {
	fail := func(topics []topic, err error) {
		for _, t := range topics {
			l.failed[t] = fmt.Errorf("socketio: redis: subscribing: %w", err)
		}
	}
	line := l.conns[node]
	if line == nil && subscribe {
		var err error
		if line, err = l.connect(node); err != nil {
			for _, r := range requests {
				fail(r.topics, err)
			}
			l.refreshTopology()
			return
		}
	}
	if line == nil {
		for _, r := range requests {
			l.forgetTopics(r.topics)
		}
		return
	}
	commands := make([]rueidis.Completed, len(requests))
	for i, r := range requests {
		commands[i] = r.cmd
	}
	ctx, cancel := context.WithTimeout(l.bus.ctx, subscribeTimeout)
	defer cancel()
	var again []request // one by one
	var broken error
	for i, result := range line.DoMulti(ctx, commands...) {
		r := requests[i]
		reply, refused := rueidis.IsRedisErr(result.Error())
		switch {
		case refused && subscribe && len(r.topics) > 1: // another namespace's may be allowed
			for _, t := range r.topics {
				one := []topic{t}
				again = append(again, request{l.command(one, true), one})
			}
		case refused && subscribe:
			fail(r.topics, reply)
			if _, moved := reply.IsMoved(); moved {
				l.refreshTopology()
			}
		case result.NonRedisError() != nil:
			fail(r.topics, result.Error())
			broken = result.Error()
		case subscribe:
			for _, t := range r.topics {
				l.subscribed[t] = node
				delete(l.failed, t)
			}
		default:
			l.forgetTopics(r.topics)
		}
	}
	if broken != nil {
		l.connEnded(ending{of: line, err: broken})
		return
	}
	if len(again) > 0 {
		l.subscribeAt(node, again, subscribe)
	}
}

// subscribeTimeout bounds how long Redis may take to subscribe to everything. What
// comes meanwhile is handled meanwhile.
const subscribeTimeout = 30 * time.Second

func (l *listener) forgetTopics(topics []topic) {
	for _, t := range topics {
		delete(l.subscribed, t)
	}
}

// connect makes the line to a node.
func (l *listener) connect(node string) (*subscription, error) {
	conn, err := l.bus.dial(node)
	if err != nil {
		return nil, err
	}
	s := &subscription{nodeConn: conn}
	ended := conn.SetPubSubHooks(rueidis.PubSubHooks{
		OnMessage: func(m rueidis.PubSubMessage) {
			s.busy.Store(true)
			l.bus.dispatch(m)
			s.last.Store(time.Now().UnixNano())
			s.busy.Store(false)
		},
		OnSubscription: func(sub rueidis.PubSubSubscription) {
			if sub.Kind == "sunsubscribe" && !l.unsubscribing(sub.Channel) { // the slot has moved to another node
				l.watchers.Go(func() { l.report(ending{of: s, topic: &topic{name: sub.Channel}, err: errGap}) })
			}
		},
	})
	l.conns[node] = s
	l.watchers.Go(func() { // ends when the line is closed
		err := <-ended
		if err == nil {
			err = errGap
		}
		l.report(ending{of: s, err: err})
	})
	return s, nil
}

func (l *listener) report(e ending) {
	select {
	case l.ended <- e:
	case <-l.bus.ctx.Done():
	}
}

func (l *listener) unsubscribing(name string) bool {
	l.bus.mu.Lock()
	defer l.bus.mu.Unlock()
	_, ok := l.quit[name]
	return ok
}

// end forgets a line that has ended, or a topic that it does not hear any more.
func (l *listener) connEnded(e ending) {
	lost := map[topic]struct{}{}
	for t, node := range l.subscribed {
		if l.conns[node] == e.of && (e.topic == nil || *e.topic == t) {
			lost[t] = struct{}{}
			l.failed[t] = e.err // and not at once: others have lost it, too
			delete(l.subscribed, t)
		}
	}
	for node, line := range l.conns {
		if line == e.of && e.topic == nil {
			delete(l.conns, node)
			line.close()
		}
	}
	if len(lost) > 0 {
		l.bus.interrupted(lost, e.err)
		if l.refreshTopology(); errors.Is(e.err, errReplica) {
			l.bus.reconnectDemoted(true)
		}
	}
}

// look looks at the cluster, and makes the listener follow what has changed.
func (l *listener) refreshTopology() {
	b := l.bus
	if !b.nodes.cluster || b.ctx.Err() != nil {
		return
	}
	changed, err := b.nodes.refresh(b.ctx)
	if err != nil || changed {
		b.troubled()
	}
	if !changed {
		return
	}
	b.change(maps.Keys(l.subscribed))
	b.change(maps.Keys(l.failed))
	wake(b.listen)
	b.reconnectDemoted(false)
}

// check looks whether the connections are of use.
func (l *listener) check() {
	l.refreshTopology()
	b := l.bus
	for _, s := range l.conns {
		switch master := b.nodes.master(); {
		case master != "" && s.addr != "" && master != s.addr:
			l.connEnded(ending{of: s, err: errMaster})
		case !s.checked.Swap(true):
			l.watchers.Go(func() { l.checkConn(s) }) // ends by its timeout
		}
	}
	if b.nodes.cluster {
		l.prune()
	} else {
		b.reconnectDemoted(false)
	}
	for _, s := range b.probeOverdue() {
		for node, line := range l.conns {
			if line.quiet() && l.servesMember(node, s) {
				l.connEnded(ending{of: line, err: errNoEcho})
			}
		}
	}
	b.probe()
	b.countSome()
}

// try looks whether a line is of use.
func (l *listener) checkConn(s *subscription) {
	ctx, cancel := context.WithTimeout(l.bus.ctx, connTimeout)
	defer cancel()
	err := l.bus.check(ctx, s.nodeConn)
	s.checked.Store(false)
	if err != nil && (ctx.Err() == nil || s.quiet()) { // else it is what is heard that takes long
		l.report(ending{of: s, err: err})
	}
}

// hears reports whether a node is where the seat's own topic is heard.
func (l *listener) servesMember(node string, s *member) bool {
	at, ok := l.subscribed[s.ownTopic]
	return ok && at == node
}

// prune closes the lines on which nothing is heard any more.
func (l *listener) prune() {
	used := map[string]bool{}
	for _, node := range l.subscribed {
		used[node] = true
	}
	for node, line := range l.conns {
		if !used[node] {
			delete(l.conns, node)
			line.close()
		}
	}
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
		if s.ownTopic == t && s.echo(m.Message) {
			continue
		}
		// Nobody writes to it, as seats promise: a copy would be for nothing.
		s.deliver(t, m.Channel, unsafe.Slice(unsafe.StringData(m.Message), len(m.Message)))
	}
}
