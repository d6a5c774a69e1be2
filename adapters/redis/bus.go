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

// leaveTimeout bounds how long a seat that was given up waits for Redis.
const leaveTimeout = 3 * time.Second

// A bus is what all formats have in common: a queue of what is to be sent, and a
// table of what is to be heard.
type bus struct {
	client  rueidis.Client
	nodes   nodes
	sharded bool // channels are those of sharded Pub/Sub
	backlog int  // bytes that may wait

	ctx      context.Context // ends with close
	stop     context.CancelFunc
	start    sync.Once
	running  sync.WaitGroup // all goroutines of the bus
	out      *publisher
	send     chan struct{} // wakes the publisher
	listen   chan struct{} // wakes the listener
	gaps     atomic.Int64  // in what the listener has heard
	trouble  atomic.Int64  // when there was some last, in nanoseconds
	counting atomic.Bool   // servers are being counted

	mu            sync.Mutex // guards the following, and what seats say it guards
	closed        bool
	queue         []command
	blocked       int // of the queue, from its begin, that can't be sent now
	waiting       int // bytes that are queued or being written
	members       map[*member]struct{}
	topics        map[topic][]*member
	changedTopics map[topic]struct{}   // of topics, since the listener has looked
	following     bool                 // the listener is at it
	followed      chan struct{}        // closed when it has followed all changes; nil if nobody waits for that
	probes        uint64               // the number of the last probe
	former        map[string]time.Time // the names of seats that were given up lately
	watchers      []func(force bool)   // called when a master has changed, perhaps, or surely
}

// A topic is something to subscribe to.
type topic struct {
	name    string
	pattern bool
}

// A command is one that Redis gets in the order of the queue. The publisher calls
// done, if there is one, with the reply. A command that fails is counted as lost,
// unless it is control; one that is given up with its seat is not done.
type command struct {
	member    *member
	cmd       rueidis.Completed
	size      int  // bytes, about
	keyed     bool // has a key, or is of sharded Pub/Sub: in Redis Cluster, a node is responsible
	retryable bool // may be sent again if it was not done
	control   bool // is no message
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

// A member is what a bus knows of one member. Formats embed it.
type member struct {
	bus      *bus
	host     adapter.Host
	receive  func(t topic, channel string, payload []byte)
	name     string // by which others know it
	counted  string // the channel that every server of the namespace hears
	ownTopic topic  // what this one hears alone
	leaving  []byte // tells the others that this one leaves

	tasks   sync.WaitGroup // what runs for the seat
	stopped chan struct{}  // closed when nothing of the seat runs any more
	drained chan struct{}  // closed when it was given up and nothing of it waits

	// These are guarded by bus.mu.
	left    bool // it was given up
	waiting int  // commands that are queued or being written
	state   state
	peers   peerCount

	delivery sync.Mutex // held while one message is handled

	deliverMu sync.RWMutex // held while the host is called; guards the following
	closed    bool         // the host is not called any more

	statusMu   sync.Mutex // held while the host is told of the state; guards the following
	lastStatus error
}

// newSeat makes a seat, which is to be joined.
func newMember(b *bus, host adapter.Host) *member {
	s := &member{bus: b, host: host, lastStatus: errConnecting, stopped: make(chan struct{}), drained: make(chan struct{})}
	s.state.begin()
	return s
}

// join takes the seat, which hears topics from then on: counted is the one that all
// servers hear, own the one that this one hears alone. receive gets what comes, one
// message at a time, with the topic that it came for; the payload is not to be
// changed. leaving is sent to all when the seat is given up.
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

// enqueue sends a command, later. It does not wait.
func (s *member) enqueue(c command) error {
	const overhead = 128 // of a command, in memory
	c.size += overhead
	b := s.bus
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case s.left:
		return adapter.ErrLeft
	case b.waiting > 0 && b.waiting+c.size > b.backlog && !c.control: // one of any size passes
		return adapter.ErrBacklog
	}
	s.append(c)
	return nil
}

// append is called with the lock held.
func (s *member) append(c command) {
	b := s.bus
	c.member = s
	if c.retryable = c.keyed || b.nodes.cluster; c.retryable {
		c.cmd = c.cmd.Pin() // else the client reuses its memory
	}
	s.waiting++
	b.waiting += c.size
	b.queue = append(b.queue, c)
	wake(b.send)
}

// publish enqueues a message for a channel. The payload is Redis's from now on.
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

// listen hears a topic from now on, unlisten does not. Neither waits.
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

// run starts f on a goroutine of the seat, unless the seat was given up. What is
// given up waits for f, which must not wait for that.
func (s *member) run(f func()) bool {
	s.bus.mu.Lock()
	defer s.bus.mu.Unlock()
	if !s.left {
		s.tasks.Go(f)
	}
	return !s.left
}

// subscribe is called with the lock held, and so is unwant. Lists of seats are not
// changed but replaced.
func (b *bus) subscribe(t topic, s *member) {
	b.changedTopics[t] = struct{}{}
	if seats := b.topics[t]; !slices.Contains(seats, s) {
		b.topics[t] = append(slices.Clip(seats), s)
	}
}

// allTopics returns everything that is to be heard.
func (b *bus) allTopics() iter.Seq[topic] {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Values(slices.Collect(maps.Keys(b.topics)))
}

// unsettled returns a channel that is closed when the listener has followed what has
// changed until now, or nil if it has.
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

// change makes the listener look at topics again.
func (b *bus) change(topics iter.Seq[topic]) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for t := range topics {
		b.changedTopics[t] = struct{}{}
	}
}

func (b *bus) unsubscribe(t topic, s *member) {
	b.changedTopics[t] = struct{}{}
	seats := slices.DeleteFunc(slices.Clone(b.topics[t]), func(other *member) bool { return other == s })
	if b.topics[t] = seats; len(seats) == 0 {
		delete(b.topics, t)
	}
}

// Leave gives up the seat, as [adapter.Member] says.
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
	for t, seats := range b.topics {
		if slices.Contains(seats, s) {
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

// formerTimeout is how long what a seat has published may still be on its way.
const formerTimeout = time.Minute

// remember keeps the name of a seat that is given up. It is called with the lock held.
func (b *bus) remember(name string) {
	now := time.Now()
	maps.DeleteFunc(b.former, func(_ string, at time.Time) bool { return now.Sub(at) > formerTimeout })
	b.former[name] = now
}

// isFormer reports whether a message is of a seat that this server had before: it comes
// back late where publishing and listening take different nodes.
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
	s.deliverMu.Lock() // waits for what the host is doing
	s.closed = true
	s.deliverMu.Unlock()
	s.tasks.Wait()
	close(s.stopped)
}

// close gives up all seats and ends what runs.
func (b *bus) close() {
	b.mu.Lock()
	b.closed = true
	seats := make([]*member, 0, len(b.members))
	for s := range b.members {
		seats = append(seats, s)
	}
	b.mu.Unlock()
	for _, s := range seats {
		s.Leave()
	}
	for _, s := range seats {
		<-s.stopped
	}
	b.stop()
	b.running.Wait()
}

// deliver gives the seat what was heard, unless it is given up. In Redis Cluster
// there may be several connections to hear from.
func (s *member) deliver(t topic, channel string, payload []byte) {
	s.delivery.Lock()
	defer s.delivery.Unlock()
	s.deliverMu.RLock()
	defer s.deliverMu.RUnlock()
	if !s.closed {
		s.receive(t, channel, payload)
	}
}

// lost reports messages that are not sent or not heard.
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
