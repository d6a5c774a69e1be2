package redis

import (
	"context"
	"fmt"
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
	sharded bool // channels are those of sharded Pub/Sub
	backlog int  // bytes that may wait

	ctx     context.Context // ends with close
	stop    context.CancelFunc
	start   sync.Once
	running sync.WaitGroup // the publisher, the listener, and seats that are being given up
	send    chan struct{}  // wakes the publisher
	listen  chan struct{}  // wakes the listener
	gaps    atomic.Int64   // in what the listener has heard

	mu      sync.Mutex // guards the following, and what seats say it guards
	closed  bool
	queue   []command
	waiting int // bytes that are queued or being written
	seats   map[*seat]struct{}
	topics  map[topic][]*seat
	changed map[topic]struct{} // of topics, since the listener has looked
	fault   error              // why the listener is not connected
}

// A topic is something to subscribe to.
type topic struct {
	name    string
	pattern bool
}

// A command is one that Redis gets in the order of the queue. The publisher calls
// done, if there is one, with the reply. A command that fails is counted as lost;
// one that is given up with its seat is not done.
type command struct {
	seat *seat
	cmd  rueidis.Completed
	size int  // bytes, about
	key  bool // has a key, or is of sharded Pub/Sub: in Redis Cluster, a node is responsible
	done func(reply rueidis.RedisMessage, err error)
}

func newBus(client rueidis.Client, backlog int, sharded bool) *bus {
	if backlog <= 0 {
		backlog = DefaultBacklog
	}
	b := &bus{
		client: client, sharded: sharded, backlog: backlog,
		send: make(chan struct{}, 1), listen: make(chan struct{}, 1),
		seats: map[*seat]struct{}{}, topics: map[topic][]*seat{}, changed: map[topic]struct{}{},
	}
	b.ctx, b.stop = context.WithCancel(context.Background())
	return b
}

// A seat is what a bus knows of one member. Formats embed it.
type seat struct {
	bus     *bus
	host    adapter.Host
	receive func(t topic, channel string, payload []byte)

	tasks   sync.WaitGroup // what runs for the seat
	gone    chan struct{}  // closed when nothing of the seat runs any more
	drained chan struct{}  // closed when it was given up and nothing of it waits

	// These are guarded by bus.mu.
	left    bool // it was given up
	waiting int  // commands that are queued or being written
	ready   chan struct{}
	isReady bool // ready is closed

	delivery sync.Mutex // held while one message is handled

	gate sync.RWMutex // held while the host is called; guards the following
	shut bool         // the host is not called any more
}

// newSeat makes a seat, which is to be joined.
func newSeat(b *bus, host adapter.Host) *seat {
	return &seat{
		bus: b, host: host,
		gone: make(chan struct{}), drained: make(chan struct{}), ready: make(chan struct{}),
	}
}

// join takes the seat, which hears topics from then on. receive gets what comes, one
// message at a time, with the topic that it came for; the payload is not to be
// changed.
func (s *seat) join(receive func(t topic, channel string, payload []byte), topics ...topic) {
	b := s.bus
	s.receive = receive
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		s.left, s.shut = true, true
		close(s.gone)
		return
	}
	b.start.Do(func() { // both end with close, which waits for them
		b.running.Go((&publisher{bus: b}).run)
		b.running.Go((&listener{bus: b}).run)
	})
	b.seats[s] = struct{}{}
	for _, t := range topics {
		b.want(t, s)
	}
	wake(b.listen)
}

// Ready waits until the seat hears all that it wants to.
func (s *seat) Ready(ctx context.Context) error {
	s.bus.mu.Lock()
	ready := s.ready
	s.bus.mu.Unlock()
	select {
	case <-ready:
		return nil
	case <-s.gone:
		return adapter.ErrLeft
	case <-ctx.Done():
	}
	s.bus.mu.Lock()
	fault := s.bus.fault
	s.bus.mu.Unlock()
	if fault != nil {
		return fmt.Errorf("socketio: redis: %w, because of: %w", ctx.Err(), fault)
	}
	return fmt.Errorf("socketio: redis: %w", ctx.Err())
}

// enqueue sends a command, later. It does not wait.
func (s *seat) enqueue(c command) error {
	const overhead = 128 // of a command, in memory
	c.seat, c.size = s, c.size+overhead
	b := s.bus
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case s.left:
		return adapter.ErrLeft
	case b.waiting > 0 && b.waiting+c.size > b.backlog: // one of any size passes
		return adapter.ErrBacklog
	}
	s.waiting++
	b.waiting += c.size
	b.queue = append(b.queue, c)
	wake(b.send)
	return nil
}

// publish enqueues a message for a channel. The payload is Redis's from now on.
func (s *seat) publish(channel string, payload []byte) error {
	c := command{size: len(channel) + len(payload), key: s.bus.sharded}
	if text := rueidis.BinaryString(payload); s.bus.sharded {
		c.cmd = s.bus.client.B().Spublish().Channel(channel).Message(text).Build()
	} else {
		c.cmd = s.bus.client.B().Publish().Channel(channel).Message(text).Build()
	}
	return s.enqueue(c)
}

// listen hears a topic from now on, unlisten does not. Neither waits.
func (s *seat) listen(t topic) {
	s.bus.mu.Lock()
	defer s.bus.mu.Unlock()
	if !s.left {
		s.bus.want(t, s)
		wake(s.bus.listen)
	}
}

func (s *seat) unlisten(t topic) {
	s.bus.mu.Lock()
	defer s.bus.mu.Unlock()
	if slices.Contains(s.bus.topics[t], s) {
		s.bus.unwant(t, s)
		wake(s.bus.listen)
	}
}

// run starts f on a goroutine of the seat, unless the seat was given up. What is
// given up waits for f, which must not wait for that.
func (s *seat) run(f func()) bool {
	s.bus.mu.Lock()
	defer s.bus.mu.Unlock()
	if !s.left {
		s.tasks.Go(f)
	}
	return !s.left
}

// want is called with the lock held, and so is unwant. Lists of seats are not
// changed but replaced.
func (b *bus) want(t topic, s *seat) {
	b.changed[t] = struct{}{}
	if seats := b.topics[t]; !slices.Contains(seats, s) {
		b.topics[t] = append(slices.Clip(seats), s)
	}
}

func (b *bus) unwant(t topic, s *seat) {
	b.changed[t] = struct{}{}
	seats := slices.DeleteFunc(slices.Clone(b.topics[t]), func(other *seat) bool { return other == s })
	if b.topics[t] = seats; len(seats) == 0 {
		delete(b.topics, t)
	}
}

// Leave gives up the seat, as [adapter.Member] says.
func (s *seat) Leave() <-chan struct{} {
	b := s.bus
	b.mu.Lock()
	defer b.mu.Unlock()
	if s.left {
		return s.gone
	}
	s.left = true
	delete(b.seats, s)
	for t, seats := range b.topics {
		if slices.Contains(seats, s) {
			b.unwant(t, s)
		}
	}
	wake(b.listen)
	if s.waiting == 0 {
		close(s.drained)
	}
	b.running.Go(s.retire) // ends by itself; close waits for it
	return s.gone
}

func (s *seat) retire() {
	timeout := time.NewTimer(leaveTimeout)
	defer timeout.Stop()
	select {
	case <-s.drained:
	case <-timeout.C:
		if n := s.bus.drop(s); n > 0 {
			s.lost(n, adapter.ErrLeft)
		}
	}
	s.gate.Lock() // waits for what the host is doing
	s.shut = true
	s.gate.Unlock()
	s.tasks.Wait()
	close(s.gone)
}

// close gives up all seats and ends what runs.
func (b *bus) close() {
	b.mu.Lock()
	b.closed = true
	seats := make([]*seat, 0, len(b.seats))
	for s := range b.seats {
		seats = append(seats, s)
	}
	b.mu.Unlock()
	for _, s := range seats {
		s.Leave()
	}
	for _, s := range seats {
		<-s.gone
	}
	b.stop()
	b.running.Wait()
}

// deliver gives the seat what was heard, unless it is given up. In Redis Cluster
// there may be several connections to hear from.
func (s *seat) deliver(t topic, channel string, payload []byte) {
	s.delivery.Lock()
	defer s.delivery.Unlock()
	s.gate.RLock()
	defer s.gate.RUnlock()
	if !s.shut {
		s.receive(t, channel, payload)
	}
}

// lost reports messages that are not sent or not heard.
func (s *seat) lost(n int, reason error) {
	s.gate.RLock()
	defer s.gate.RUnlock()
	if !s.shut {
		s.host.Lost(n, reason)
	}
}

// subscribers returns how many connections hear a channel. Redis Cluster counts
// on each node.
func (b *bus) subscribers(ctx context.Context, channel string) (sum int, err error) {
	nodes := map[string]rueidis.Client{"": b.client}
	if b.client.Mode() == rueidis.ClientModeCluster {
		nodes = b.client.Nodes()
	}
	for _, node := range nodes {
		var reply []rueidis.RedisMessage
		if b.sharded {
			reply, err = node.Do(ctx, node.B().PubsubShardnumsub().Channel(channel).Build()).ToArray()
		} else {
			reply, err = node.Do(ctx, node.B().PubsubNumsub().Channel(channel).Build()).ToArray()
		}
		if err != nil {
			return 0, fmt.Errorf("socketio: redis: counting servers: %w", err)
		}
		if len(reply) == 2 {
			n, err := reply[1].AsInt64()
			if err != nil {
				return 0, fmt.Errorf("socketio: redis: counting servers: %w", err)
			}
			sum += int(n)
		}
	}
	return sum, nil
}

// peers counts the other servers that hear a channel.
func (s *seat) peers(ctx context.Context, channel string) (adapter.Peers, error) {
	n, err := s.bus.subscribers(ctx, channel)
	if err != nil {
		return adapter.Peers{}, err
	}
	s.bus.mu.Lock()
	if s.isReady {
		n-- // this one
	}
	s.bus.mu.Unlock()
	return adapter.Peers{Count: max(n, 0)}, nil
}

func wake(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
