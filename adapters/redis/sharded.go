package redis

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"sync"
	"time"

	"github.com/redis/rueidis"

	"github.com/socketio-go/socketio/adapter"
)

// A SubscriptionMode says which rooms have channels of their own in the sharded format.
// All servers of a cluster must have the same mode.
type SubscriptionMode string

const (
	// Dynamic gives every room a channel, except the own rooms of sockets, which are
	// recognized by their names of 20 characters.
	Dynamic SubscriptionMode = "dynamic"
	// DynamicPrivate gives every room a channel.
	DynamicPrivate SubscriptionMode = "dynamic-private"
	// Static gives no room a channel: every server receives everything.
	Static SubscriptionMode = "static"
)

// socketIDLength is the length of the IDs of sockets on all servers.
const socketIDLength = 20

// DefaultPrefix begins the names of channels.
const DefaultPrefix = "socket.io"

// ShardedOptions of [NewSharded]. All servers of a cluster must have the same, except
// MaxPending.
type ShardedOptions struct {
	// Prefix begins the name of every channel. The default is [DefaultPrefix].
	Prefix string
	// SubscriptionMode says which rooms have channels of their own. The default
	// is [Dynamic].
	SubscriptionMode SubscriptionMode
	// MaxPending bounds the bytes that wait for Redis; beyond it Publish fails. The
	// default is [DefaultMaxPending].
	MaxPending int
}

// NewSharded joins a server to a cluster with the sharded Pub/Sub of Redis 7. It has the
// format of createShardedAdapter of @socket.io/redis-adapter, which differs from that of
// [New]. In Redis Cluster the channels are spread over the nodes, and the events of a
// room reach only the servers that have a socket in it. A server whose first socket
// joins a room may miss an event that another server emits to the room at that time.
// NewSharded panics if opts has an unknown SubscriptionMode.
func NewSharded(client rueidis.Client, opts *ShardedOptions) *Adapter {
	o := opts.withDefaults()
	a := newAdapter(client, o.MaxPending, true)
	a.newMember = func(namespace string, host adapter.Host) adapter.Member {
		return newShardedMember(a.bus, o, namespace, host)
	}
	return a
}

func (opts *ShardedOptions) withDefaults() (o ShardedOptions) {
	if opts != nil {
		o = *opts
	}
	if o.Prefix == "" {
		o.Prefix = DefaultPrefix
	}
	switch o.SubscriptionMode {
	case "":
		o.SubscriptionMode = Dynamic
	case Dynamic, DynamicPrivate, Static:
	default:
		panic("socketio: redis: SubscriptionMode must be Dynamic, DynamicPrivate or Static, not " + string(o.SubscriptionMode))
	}
	return o
}

// channels is the common prefix of the names of a namespace's channels.
type channels string

func channelsOf(prefix, namespace string) channels { return channels(prefix + "#" + namespace + "#") }

// main is the channel that every server is subscribed to.
func (c channels) main() string { return string(c) }

// of is the channel of a room or of a server.
func (c channels) of(name string) string { return string(c) + name + "#" }

// has reports whether a room has a channel.
func (mode SubscriptionMode) has(room string) bool {
	return mode == DynamicPrivate || mode == Dynamic && len(room) != socketIDLength
}

// forRequest returns the channel for a message that is not a response.
func (c channels) forRequest(m *adapter.Message, mode SubscriptionMode) string {
	if m.Kind == adapter.Broadcast && m.ID == "" && len(m.Rooms) == 1 && mode.has(m.Rooms[0]) {
		return c.of(m.Rooms[0])
	}
	return c.main()
}

var errNoReceiver = errors.New("socketio: redis: a response without a receiver")

// A shardedMember is a member in the sharded format.
type shardedMember struct {
	*member
	uid, nsp string
	channels channels
	mode     SubscriptionMode
	suffix   senderSuffix
	decoder  decoder

	mu      sync.Mutex          // guards the following
	changed map[string]struct{} // rooms whose subscription may have to change
	busy    bool                // followRooms runs
	idle    chan struct{}       // closed when followRooms returns; nil if nothing waits for that
}

var _ adapter.RoomWatcher = (*shardedMember)(nil)

func newShardedMember(b *bus, o ShardedOptions, namespace string, host adapter.Host) *shardedMember {
	uid := newUID()
	m := &shardedMember{
		uid: uid, nsp: namespace,
		channels: channelsOf(o.Prefix, namespace), mode: o.SubscriptionMode,
		suffix:  suffixOf(uid, namespace),
		decoder: decoder{uid: uid, nsp: namespace, wants: host.Wants},
		changed: map[string]struct{}{},
	}
	m.member = newMember(b, host)
	m.name = uid
	m.join(m.receive, leavingEnvelope(uid, namespace, false), topic{name: m.channels.main()}, topic{name: m.channels.of(uid)})
	return m
}

// newUID returns a random name for a member.
func newUID() string {
	var b [8]byte
	rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

// ID implements [adapter.Member].
func (m *shardedMember) ID() string { return m.uid }

// Publish implements [adapter.Member].
func (m *shardedMember) Publish(msg *adapter.Message) error {
	if unsupported(msg) {
		return nil
	}
	channel := m.channels.forRequest(msg, m.mode)
	if msg.Kind.IsResponse() {
		if msg.To == "" {
			return errNoReceiver
		}
		channel = m.channels.of(msg.To)
	}
	w := newWriter(msg, len(msg.Binary) > 0)
	if w.envelope(msg, m.uid, m.nsp); w.err != nil {
		return w.err
	}
	if msg.Kind == adapter.Fetched && m.unfollowedRooms() != nil {
		m.run(func() { m.publishWhenFollowed(channel, w.b) })
		return nil
	}
	return m.publish(channel, w.b)
}

// followTimeout bounds how long a response waits for subscriptions to the channels of
// rooms.
const followTimeout = 2 * time.Second

// publishWhenFollowed publishes a response after the channels of all rooms that sockets
// have joined are subscribed. The requesting server may emit to those rooms next.
func (m *shardedMember) publishWhenFollowed(channel string, payload []byte) {
	timeout := time.NewTimer(followTimeout)
	defer timeout.Stop()
	for late := false; !late; {
		settled := m.unfollowedRooms()
		if settled == nil {
			break
		}
		select {
		case <-settled:
		case <-timeout.C:
			late = true
		case <-m.bus.ctx.Done():
			return
		}
	}
	if err := m.publish(channel, payload); err != nil && !errors.Is(err, adapter.ErrLeft) {
		m.lost(1, err)
	}
}

// unfollowedRooms returns a channel that is closed when changes of rooms have been
// followed. It returns nil if there are none.
func (m *shardedMember) unfollowedRooms() <-chan struct{} {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.busy {
		if m.idle == nil {
			m.idle = make(chan struct{})
		}
		return m.idle
	}
	return m.bus.unfollowed()
}

// unsupported reports whether the formats have no message for m, and other servers need
// none: a client has disconnected without an ack. Its ack is missing.
func unsupported(m *adapter.Message) bool { return m.Kind == adapter.Acked && m.Failed }

// newWriter returns a writer with room for a message.
func newWriter(m *adapter.Message, pack bool) *writer {
	const envelope = 192
	size := envelope + len(m.Data)
	if pack {
		for _, b := range m.Binary {
			size += len(b)
		}
	}
	return &writer{pack: pack, b: make([]byte, 0, size)}
}

func (m *shardedMember) receive(t topic, _ string, payload []byte) {
	switch {
	case m.suffix.isSuffixOf(payload):
		return
	case t.name == m.counted && isLeaving(payload):
		m.peerLeaving()
		return
	}
	msg, err := m.decoder.envelope(payload)
	switch {
	case err != nil:
		m.host.Malformed(err)
	case msg == nil, t.name == m.channels.of(m.uid) && !msg.Kind.IsResponse(), m.bus.isFormer(msg.From):
	default:
		m.host.Deliver(msg)
	}
}

// RoomChanged implements [adapter.RoomWatcher].
func (m *shardedMember) RoomChanged(room string) {
	if !m.mode.has(room) {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.changed[room] = struct{}{}
	if !m.busy {
		m.busy = m.run(m.followRooms)
	}
}

// followRooms subscribes to the channels of rooms that have local sockets, and
// unsubscribes from the others. It runs on one goroutine at a time, so that changes keep
// their order, and not on the caller's, which may hold locks that the host needs.
func (m *shardedMember) followRooms() {
	for {
		m.mu.Lock()
		rooms := m.changed
		m.changed = map[string]struct{}{}
		if m.busy = len(rooms) > 0; !m.busy && m.idle != nil {
			close(m.idle)
			m.idle = nil
		}
		m.mu.Unlock()
		if len(rooms) == 0 {
			return
		}
		for room := range rooms {
			if t := (topic{name: m.channels.of(room)}); m.wants(room) {
				m.listen(t)
			} else {
				m.unlisten(t)
			}
		}
	}
}

// wants reports whether the server has a socket in a room, and the member has not left.
func (s *member) wants(room string) bool {
	s.deliverMu.RLock()
	defer s.deliverMu.RUnlock()
	return !s.closed && s.host.Wants(room)
}

// A senderSuffix is the end of the messages of one sender, in JSON and in MessagePack.
type senderSuffix struct{ text, packed []byte }

func suffixOf(uid, nsp string) senderSuffix {
	var text, packed writer
	packed.pack = true
	text.sender(uid, nsp)
	packed.sender(uid, nsp)
	return senderSuffix{text.b, packed.b}
}

// isSuffixOf reports whether payload is a message of that sender, without decoding it.
func (e senderSuffix) isSuffixOf(payload []byte) bool {
	return bytes.HasSuffix(payload, e.text) || bytes.HasSuffix(payload, e.packed)
}
