package redis

import (
	"context"
	"iter"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/rueidis"

	"github.com/socketio-go/socketio/adapter"
)

// leaveTimeout bounds how long a member that leaves waits for Redis.
const leaveTimeout = 3 * time.Second

// A bus is what all formats have in common: a queue of commands, and a table of
// subscriptions.
type bus struct {
	client  rueidis.Client
	nodes   nodes
	sharded bool // channels are those of sharded Pub/Sub
	backlog int  // bytes that may wait

	ctx      context.Context // ends when the bus is closed
	stop     context.CancelFunc
	start    sync.Once
	running  sync.WaitGroup // all goroutines of the bus
	out      *publisher
	send     chan struct{} // wakes the publisher
	listen   chan struct{} // wakes the listener
	gaps     atomic.Int64  // how often a subscription was interrupted
	trouble  atomic.Int64  // when the connections last had trouble, in nanoseconds
	counting atomic.Bool   // servers are being counted

	mu            sync.Mutex // guards the following, and the fields of members that say so
	closed        bool
	queue         []command
	blocked       int // commands at the beginning of the queue that can't be sent now
	waiting       int // bytes that are queued or being written
	members       map[*member]struct{}
	topics        map[topic][]*member
	changedTopics map[topic]struct{}   // since the listener has last followed the changes
	following     bool                 // the listener is following changes
	followed      chan struct{}        // closed when it has followed all changes; nil if nothing waits for that
	probes        uint64               // the number of the last probe
	former        map[string]time.Time // the names of members that left lately
	watchers      []func(force bool)   // called when a master may have changed; force says that it has
}

// A topic is a channel or a pattern to subscribe to.
type topic struct {
	name    string
	pattern bool
}

// A command is sent in the order of the queue. The publisher calls done, if it is not
// nil, with the reply. A command that fails is counted as lost, unless it is control. A
// command that is dropped with its member gets no reply.
type command struct {
	member    *member
	cmd       rueidis.Completed
	size      int  // approximately, in bytes
	keyed     bool // it has a key, or belongs to sharded Pub/Sub: in Redis Cluster one node serves it
	retryable bool // it may be sent again if Redis did not execute it
	control   bool // it is not a message
	done      func(reply rueidis.RedisMessage, err error)
}

func newBus(client rueidis.Client, backlog int, sharded bool) *bus {
	if backlog <= 0 {
		backlog = DefaultMaxPending
	}
	b := &bus{
		client: client, sharded: sharded, backlog: backlog,
		send: make(chan struct{}, 1), listen: make(chan struct{}, 1),
		members: map[*member]struct{}{}, topics: map[topic][]*member{}, changedTopics: map[topic]struct{}{},
		former: map[string]time.Time{},
	}
	b.nodes.client, b.nodes.cluster = client, client.Mode() == rueidis.ClientModeCluster
	b.out = &publisher{bus: b, conns: map[string]*nodeConn{}, retry: map[string]*attempt{}}
	b.ctx, b.stop = context.WithCancel(context.Background())
	return b
}

// A member is the part of a member that all formats share. They embed it.
type member struct {
	bus      *bus
	host     adapter.Host
	receive  func(t topic, channel string, payload []byte)
	name     string // by which others know it
	counted  string // the channel that every server of the namespace is subscribed to
	ownTopic topic  // the channel that only this member is subscribed to
	leaving  []byte // the message that says that this member leaves

	tasks   sync.WaitGroup // goroutines of the member
	stopped chan struct{}  // closed when nothing of the member runs any more
	drained chan struct{}  // closed when it has left and none of its commands waits

	// The following are guarded by bus.mu.
	left    bool // it has left
	waiting int  // commands that are queued or being written
	state   state
	peers   peerCount

	delivery sync.Mutex // held while one message is handled

	deliverMu sync.RWMutex // held for reading while the host is called; guards the following
	closed    bool         // the host is not called any more

	statusMu   sync.Mutex // held while the status is reported; guards the following
	lastStatus error
}

// newMember makes a member; the caller has to join it to the bus.
func newMember(b *bus, host adapter.Host) *member {
	s := &member{bus: b, host: host, lastStatus: errConnecting, stopped: make(chan struct{}), drained: make(chan struct{})}
	s.state.begin()
	return s
}

// join makes the member receive the messages of topics. All servers are subscribed to
// counted, and only this one to own. receive is called for one message at a time, with
// the topic that it came for, and must not change the payload. leaving is sent to all
// when the member leaves.
func (s *member) join(receive func(t topic, channel string, payload []byte), leaving []byte, counted, own topic, topics ...topic) {
	b := s.bus
	s.receive, s.leaving, s.counted, s.ownTopic = receive, leaving, counted.name, own
	topics = append(topics, counted, own)
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		s.left, s.closed = true, true
		close(s.stopped)
		s.state.leave()
		return
	}
	b.start.Do(func() { // both end with close, which waits for them
		b.running.Go(b.out.run)
		b.running.Go((&listener{bus: b}).run)
	})
	b.members[s] = struct{}{}
	for _, t := range topics {
		b.subscribe(t, s)
	}
	wake(b.listen)
}

// enqueue queues a command. It does not wait.
func (s *member) enqueue(c command) error {
	const overhead = 128 // of a command, in memory
	c.size += overhead
	b := s.bus
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case s.left:
		return adapter.ErrLeft
	case b.waiting > 0 && b.waiting+c.size > b.backlog && !c.control: // an empty queue accepts one command of any size
		return adapter.ErrBacklog
	}
	s.append(c)
	return nil
}

// append queues a command. The caller holds mu.
func (s *member) append(c command) {
	b := s.bus
	c.member = s
	if c.retryable = c.keyed || b.nodes.cluster; c.retryable {
		c.cmd = c.cmd.Pin() // otherwise the client reuses its memory
	}
	s.waiting++
	b.waiting += c.size
	b.queue = append(b.queue, c)
	wake(b.send)
}

// publish queues a message for a channel. It takes ownership of the payload.
func (s *member) publish(channel string, payload []byte) error {
	return s.enqueue(s.bus.message(channel, payload))
}

func (b *bus) message(channel string, payload []byte) command {
	c := command{size: len(channel) + len(payload), keyed: b.sharded}
	if text := rueidis.BinaryString(payload); b.sharded {
		c.cmd = b.client.B().Spublish().Channel(channel).Message(text).Build()
	} else {
		c.cmd = b.client.B().Publish().Channel(channel).Message(text).Build()
	}
	return c
}

// listen subscribes to a topic, unlisten ends that. Neither waits.
func (s *member) listen(t topic) {
	s.bus.mu.Lock()
	defer s.bus.mu.Unlock()
	if !s.left {
		s.bus.subscribe(t, s)
		wake(s.bus.listen)
	}
}

func (s *member) unlisten(t topic) {
	s.bus.mu.Lock()
	defer s.bus.mu.Unlock()
	if slices.Contains(s.bus.topics[t], s) {
		s.bus.unsubscribe(t, s)
		wake(s.bus.listen)
	}
}

// run starts f on a goroutine of the member, unless the member has left. A member that
// leaves waits for f, so f must not wait for stopped.
func (s *member) run(f func()) bool {
	s.bus.mu.Lock()
	defer s.bus.mu.Unlock()
	if !s.left {
		s.tasks.Go(f)
	}
	return !s.left
}

// subscribe adds a member to a topic. The caller holds mu, as that of unsubscribe does.
// The lists of members are replaced and never changed.
func (b *bus) subscribe(t topic, s *member) {
	b.changedTopics[t] = struct{}{}
	if members := b.topics[t]; !slices.Contains(members, s) {
		b.topics[t] = append(slices.Clip(members), s)
	}
}

// allTopics returns all topics to subscribe to.
func (b *bus) allTopics() iter.Seq[topic] {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Values(slices.Collect(maps.Keys(b.topics)))
}

// unfollowed returns a channel that is closed when the listener has followed all changes
// made until now. It returns nil if it has already.
func (b *bus) unfollowed() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.following && len(b.changedTopics) == 0 {
		return nil
	}
	if b.followed == nil {
		b.followed = make(chan struct{})
	}
	return b.followed
}

// change makes the listener place these topics again.
func (b *bus) change(topics iter.Seq[topic]) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for t := range topics {
		b.changedTopics[t] = struct{}{}
	}
}

func (b *bus) unsubscribe(t topic, s *member) {
	b.changedTopics[t] = struct{}{}
	members := slices.DeleteFunc(slices.Clone(b.topics[t]), func(other *member) bool { return other == s })
	if b.topics[t] = members; len(members) == 0 {
		delete(b.topics, t)
	}
}

// Leave leaves the namespace, as [adapter.Member] says.
func (s *member) Leave() <-chan struct{} {
	b := s.bus
	b.mu.Lock()
	defer b.mu.Unlock()
	if s.left {
		return s.stopped
	}
	if s.state.reason() == nil {
		c := b.message(s.counted, s.leaving)
		c.control = true
		s.append(c)
	}
	s.left = true
	s.state.leave()
	b.remember(s.name)
	delete(b.members, s)
	for t, members := range b.topics {
		if slices.Contains(members, s) {
			b.unsubscribe(t, s)
		}
	}
	wake(b.listen)
	if s.waiting == 0 {
		close(s.drained)
	}
	b.running.Go(s.stop) // ends by itself; close waits for it
	return s.stopped
}

// formerTimeout is how long messages of a member that has left may still be on their
// way.
const formerTimeout = time.Minute

// remember keeps the name of a member that leaves. The caller holds mu.
func (b *bus) remember(name string) {
	now := time.Now()
	maps.DeleteFunc(b.former, func(_ string, at time.Time) bool { return now.Sub(at) > formerTimeout })
	b.former[name] = now
}

// isFormer reports whether name is a member that this server had before. Its messages
// may come back late where publishing and listening take different nodes.
func (b *bus) isFormer(name string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	_, ok := b.former[name]
	return ok
}

func (s *member) stop() {
	timeout := time.NewTimer(leaveTimeout)
	defer timeout.Stop()
	select {
	case <-s.drained:
	case <-timeout.C:
		if n := s.bus.dropOf(s); n > 0 {
			s.lost(n, adapter.ErrLeft)
		}
	}
	s.deliverMu.Lock() // waits until the host's methods have returned
	s.closed = true
	s.deliverMu.Unlock()
	s.tasks.Wait()
	close(s.stopped)
}

// close makes all members leave and ends what runs.
func (b *bus) close() {
	b.mu.Lock()
	b.closed = true
	members := make([]*member, 0, len(b.members))
	for s := range b.members {
		members = append(members, s)
	}
	b.mu.Unlock()
	for _, s := range members {
		s.Leave()
	}
	for _, s := range members {
		<-s.stopped
	}
	b.stop()
	b.running.Wait()
}

// deliver passes a received message to the member, unless it has left. In Redis Cluster
// several connections may call it.
func (s *member) deliver(t topic, channel string, payload []byte) {
	s.delivery.Lock()
	defer s.delivery.Unlock()
	s.deliverMu.RLock()
	defer s.deliverMu.RUnlock()
	if !s.closed {
		s.receive(t, channel, payload)
	}
}

// lost reports messages that were not sent or not received.
func (s *member) lost(n int, reason error) {
	s.deliverMu.RLock()
	defer s.deliverMu.RUnlock()
	if !s.closed {
		s.host.Lost(n, reason)
	}
}

func wake(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
