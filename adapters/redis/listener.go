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
	// subscribeChunk is how many channels one command subscribes to.
	subscribeChunk = 256
	// checkInterval is how often the connections and the cluster are checked.
	checkInterval = time.Second
)

// errGap says that a member may have missed messages, if no other reason is known.
var errGap = errors.New("socketio: redis: the subscription was interrupted")

// A listener keeps the bus subscribed to its topics. Its connections are its own,
// because servers are counted by their subscribed connections. In Redis Cluster,
// channels of sharded Pub/Sub are subscribed at the master of their slot. Everything
// else is subscribed at one of the masters, where Node servers count.
type listener struct {
	bus *bus

	conns      map[string]*subscription // by address
	home       string                   // the master for everything else
	subscribed map[topic]string         // what is subscribed, and at which node
	failed     map[topic]error          // what could not be subscribed, and why
	ended      chan ending
	watchers   sync.WaitGroup // of the connections

	quit map[string]struct{} // the channels that are being unsubscribed; guarded by bus.mu
}

// A subscription is a connection that receives messages.
type subscription struct {
	*nodeConn
	busy    atomic.Bool  // a message is being handled
	last    atomic.Int64 // when the last one was handled, in nanoseconds
	checked atomic.Bool  // a check is under way
}

// quiet reports whether no message was received for a while and none is being handled:
// the connection may be dead.
func (s *subscription) quiet() bool {
	return !s.busy.Load() && time.Since(time.Unix(0, s.last.Load())) >= checkInterval/2
}

// An ending says that a subscription has ended, or only that of one topic.
type ending struct {
	of    *subscription
	topic *topic
	err   error
}

// run follows the topics until the bus ends.
func (l *listener) run() {
	l.conns, l.subscribed, l.failed = map[string]*subscription{}, map[topic]string{}, map[topic]error{}
	l.ended = make(chan ending)
	defer l.watchers.Wait()
	defer func() {
		for _, conn := range l.conns {
			conn.close()
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

// follow subscribes to wanted topics at their nodes, and unsubscribes from the others.
func (l *listener) follow() {
	add, drop := l.changes()
	l.apply(drop, false) // if that fails the connection is closed, with all of its subscriptions
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

// place returns the address of the node at which a topic is subscribed.
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

// changes returns the topics to subscribe to and those to unsubscribe from, with their
// nodes.
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
		at, ok := l.subscribed[t]
		if !wanted[t] {
			delete(l.failed, t)
			if ok {
				drop[t] = at
			}
			continue
		}
		to := l.place(t)
		if ok && at != to {
			drop[t] = at
		}
		if !ok || at != to {
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

// A request is a command that subscribes to topics, or unsubscribes from them.
type request struct {
	cmd    rueidis.Completed
	topics []topic
}

// apply subscribes to topics, or unsubscribes from them, and waits until Redis has done
// so.
func (l *listener) apply(topics map[topic]string, subscribe bool) {
	nodes := map[string][]topic{}
	for t, node := range topics {
		nodes[node] = append(nodes[node], t)
	}
	for node, topics := range nodes {
		l.subscribeAt(node, l.requests(topics, subscribe), subscribe)
	}
}

// requests makes the commands for topics. In Redis Cluster the sharded channels of one
// command must be in one slot.
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

// subscribeAt sends requests to a node.
func (l *listener) subscribeAt(node string, requests []request, subscribe bool) {
	fail := func(topics []topic, err error) {
		for _, t := range topics {
			l.failed[t] = fmt.Errorf("socketio: redis: subscribing: %w", err)
		}
	}
	conn := l.conns[node]
	if conn == nil && subscribe {
		var err error
		if conn, err = l.connect(node); err != nil {
			for _, r := range requests {
				fail(r.topics, err)
			}
			l.refreshTopology()
			return
		}
	}
	if conn == nil {
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
	for i, result := range conn.DoMulti(ctx, commands...) {
		r := requests[i]
		reply, refused := rueidis.IsRedisErr(result.Error())
		switch {
		case refused && subscribe && len(r.topics) > 1: // the ACL may allow those of another namespace
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
		l.connEnded(ending{of: conn, err: broken})
		return
	}
	if len(again) > 0 {
		l.subscribeAt(node, again, subscribe)
	}
}

// subscribeTimeout bounds how long Redis may take for all subscriptions. Messages that
// arrive meanwhile are handled.
const subscribeTimeout = 30 * time.Second

func (l *listener) forgetTopics(topics []topic) {
	for _, t := range topics {
		delete(l.subscribed, t)
	}
}

// connect makes the connection to a node.
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
	l.watchers.Go(func() { // ends when the connection is closed
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

// connEnded removes a connection that has ended, or one topic from it.
func (l *listener) connEnded(e ending) {
	lost := map[topic]struct{}{}
	for t, node := range l.subscribed {
		if l.conns[node] == e.of && (e.topic == nil || *e.topic == t) {
			lost[t] = struct{}{}
			l.failed[t] = e.err // retried after a pause: other servers have lost it too
			delete(l.subscribed, t)
		}
	}
	for node, conn := range l.conns {
		if conn == e.of && e.topic == nil {
			delete(l.conns, node)
			conn.close()
		}
	}
	if len(lost) > 0 {
		l.bus.interrupted(lost, e.err)
		if l.refreshTopology(); errors.Is(e.err, errReplica) {
			l.bus.reconnectDemoted(true)
		}
	}
}

// refreshTopology asks for the topology of the cluster, and makes the listener follow
// its changes.
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

// check checks whether the connections work.
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
		for node, conn := range l.conns {
			if conn.quiet() && l.servesMember(node, s) {
				l.connEnded(ending{of: conn, err: errNoEcho})
			}
		}
	}
	b.probe()
	b.countSome()
}

// checkConn checks whether a connection works.
func (l *listener) checkConn(s *subscription) {
	ctx, cancel := context.WithTimeout(l.bus.ctx, connTimeout)
	defer cancel()
	err := l.bus.check(ctx, s.nodeConn)
	s.checked.Store(false)
	if err != nil && (ctx.Err() == nil || s.quiet()) { // otherwise handlers take long
		l.report(ending{of: s, err: err})
	}
}

// servesMember reports whether the member's own topic is subscribed at a node.
func (l *listener) servesMember(node string, s *member) bool {
	at, ok := l.subscribed[s.ownTopic]
	return ok && at == node
}

// prune closes the connections that have no subscription any more.
func (l *listener) prune() {
	used := map[string]bool{}
	for _, node := range l.subscribed {
		used[node] = true
	}
	for node, conn := range l.conns {
		if !used[node] {
			delete(l.conns, node)
			conn.close()
		}
	}
}

// dispatch passes a message to its members. There may be several: the channel of a room
// may be that of another namespace.
func (b *bus) dispatch(m rueidis.PubSubMessage) {
	t := topic{name: m.Channel}
	if m.Pattern != "" {
		t = topic{name: m.Pattern, pattern: true}
	}
	b.mu.Lock()
	members := b.topics[t]
	b.mu.Unlock()
	for _, s := range members {
		if s.ownTopic == t && s.echo(m.Message) {
			continue
		}
		// Members do not write to the payload, so it is not copied.
		s.deliver(t, m.Channel, unsafe.Slice(unsafe.StringData(m.Message), len(m.Message)))
	}
}
