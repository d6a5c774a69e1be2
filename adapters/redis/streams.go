package redis

import (
	"encoding/base64"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf16"

	"github.com/redis/rueidis"

	"github.com/socketio-go/socketio/adapter"
)

// Defaults of [StreamsOptions].
const (
	DefaultStreamName = "socket.io"
	DefaultMaxLen     = 10_000
	DefaultReadCount  = 100
	DefaultBlockTime  = 5 * time.Second

	DefaultSessionKeyPrefix = "sio:session:"
)

// StreamsOptions of [NewStreams]. All servers of a cluster must have the same
// StreamName, StreamCount, Prefix and ShardedPubSub.
type StreamsOptions struct {
	// StreamName is the key of the stream. The default is [DefaultStreamName].
	StreamName string
	// StreamCount, if more than 1, spreads the namespaces over that many streams,
	// whose keys are the StreamName, a dash and a number.
	StreamCount int
	// Prefix begins the names of the Pub/Sub channels for requests and responses. The
	// default is [DefaultPrefix].
	Prefix string
	// ShardedPubSub makes them channels of sharded Pub/Sub.
	ShardedPubSub bool
	// MaxLen is about how many entries Redis keeps in a stream. A server that lags
	// further behind loses the evicted ones. The default is [DefaultMaxLen].
	MaxLen int
	// ReadCount is how many entries are read at once. The default is [DefaultReadCount].
	ReadCount int
	// BlockTime is how long Redis holds a read when there are no entries. A dead
	// connection is noticed within a few seconds more. The default is
	// [DefaultBlockTime].
	BlockTime time.Duration
	// SessionKeyPrefix begins the keys of saved sessions. The default is
	// [DefaultSessionKeyPrefix].
	SessionKeyPrefix string
	// MaxPending bounds the bytes that wait for Redis; beyond it Publish fails. The
	// default is [DefaultMaxPending].
	MaxPending int

	appendTimeout time.Duration
}

// NewStreams joins a server to a cluster with Redis streams, in the format of
// @socket.io/redis-streams-adapter 0.3. Events and changes of rooms are entries of a
// stream that every server reads. A server that was cut off from Redis continues at its
// position, and loses only what Redis has evicted. With Options.Recovery, clients
// recover their sessions on any server; this needs Redis 6.2. Requests and responses go
// over Pub/Sub. The adapter has a connection of its own for each stream.
func NewStreams(client rueidis.Client, opts *StreamsOptions) *Adapter {
	var o StreamsOptions
	if opts != nil {
		o = *opts
	}
	o.setDefaults()
	a := newAdapter(client, o.MaxPending, o.ShardedPubSub)
	s := &streams{bus: a.bus, options: o, byKey: map[string]*stream{}}
	a.newMember = s.join
	return a
}

func (o *StreamsOptions) setDefaults() {
	if o.StreamName == "" {
		o.StreamName = DefaultStreamName
	}
	if o.Prefix == "" {
		o.Prefix = DefaultPrefix
	}
	if o.SessionKeyPrefix == "" {
		o.SessionKeyPrefix = DefaultSessionKeyPrefix
	}
	if o.MaxLen <= 0 {
		o.MaxLen = DefaultMaxLen
	}
	if o.ReadCount <= 0 {
		o.ReadCount = DefaultReadCount
	}
	if o.BlockTime <= 0 {
		o.BlockTime = DefaultBlockTime
	}
	if o.appendTimeout == 0 {
		o.appendTimeout = appendTimeout
	}
}

// streamKey returns the stream of a namespace. If there are several, it is chosen by a
// hash. Node's remainder of a negative hash is negative, and so is the number in the
// key. Node writes that stream, but does not read it.
func streamKey(name string, count int, namespace string) string {
	if count <= 1 {
		return name
	}
	var hash int32
	for _, unit := range utf16.Encode([]rune(namespace)) {
		hash = hash*31 + int32(unit)
	}
	return name + "-" + strconv.Itoa(int(hash%int32(count)))
}

// streams are what the members of an adapter share.
type streams struct {
	bus     *bus
	options StreamsOptions

	mu    sync.Mutex // guards the following
	byKey map[string]*stream
}

func (s *streams) join(namespace string, host adapter.Host) adapter.Member {
	uid := newUID()
	m := &streamsMember{
		uid: uid, nsp: namespace, channels: channelsOf(s.options.Prefix, namespace),
		positionKnown: make(chan struct{}), sessionPrefix: s.options.SessionKeyPrefix,
		maxLen: strconv.Itoa(s.options.MaxLen), suffix: suffixOf(uid, namespace),
		decoder: decoder{uid: uid, nsp: namespace, wants: host.Wants},
	}
	m.member = newMember(s.bus, host)
	m.name = uid
	m.buffer.member, m.buffer.closed = m, make(chan struct{})
	m.unconfirmed.member, m.unconfirmed.changed = m, make(chan struct{}, 1)

	key := streamKey(s.options.StreamName, s.options.StreamCount, namespace)
	s.mu.Lock()
	defer s.mu.Unlock()
	m.stream = s.byKey[key]
	if m.stream == nil {
		m.stream = newStream(s.bus, key, s.options)
		s.byKey[key] = m.stream
		s.bus.watch(m.stream.reconnect)
		s.bus.run(m.stream.read)
	}
	m.stream.add(m)
	m.state.missing[reading], m.state.missing[writing] = errConnecting, errConnecting
	m.refused.Store(true) // until the opposite is known
	m.join(m.receive, leavingEnvelope(uid, namespace, true), topic{name: m.channels.main()}, topic{name: m.channels.of(uid)})
	m.run(func() { // ends when the stream can be read, or the member leaves
		select {
		case <-m.stream.opened:
			m.handleInOrder(m.begin)
			m.readable()
			m.tryWriting()
		case <-m.buffer.closed:
		}
	})
	return m
}

// watch registers f, which is called when a master may have changed.
func (b *bus) watch(f func(force bool)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.watchers = append(b.watchers, f)
}

// run starts f, which must return when the bus ends, unless the bus is closed.
func (b *bus) run(f func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.closed {
		b.running.Go(f)
	}
}

// A streamsMember is a member in the streams format.
type streamsMember struct {
	*member
	uid, nsp string
	channels channels
	stream   *stream
	maxLen   string
	suffix   senderSuffix

	sessionPrefix string

	buffer        orderBuffer
	unconfirmed   unconfirmed
	positionKnown chan struct{} // closed when the host has received the first position

	refused atomic.Bool // the stream can't be written
	trying  atomic.Bool // tryWriting runs

	start entryID // the last entry of the stream when the member joined; guarded by stream.mu

	// The subscription and the stream are read by different goroutines. The one that
	// holds delivery may use the following.
	decoder decoder
	scratch []byte
}

var _ adapter.LogBus = (*streamsMember)(nil)

// ID implements [adapter.Member].
func (m *streamsMember) ID() string { return m.uid }

// Leave implements [adapter.Member].
func (m *streamsMember) Leave() <-chan struct{} {
	m.stream.remove(m)
	m.buffer.close()
	return m.member.Leave()
}

// Publish implements [adapter.Member].
func (m *streamsMember) Publish(msg *adapter.Message) error {
	if unsupported(msg) {
		return nil
	}
	if durable(msg) {
		e := m.entry()
		c, err := e.command(m.bus.client, msg)
		if err != nil {
			return err
		}
		c.done = func(_ rueidis.RedisMessage, err error) { m.written(err) }
		return m.enqueue(c)
	}
	channel := m.channels.main()
	if msg.Kind.IsResponse() {
		if msg.To == "" {
			return errNoReceiver
		}
		channel = m.channels.of(msg.To)
	}
	w := newWriter(msg, true)
	if w.envelope(msg, m.uid, m.nsp); w.err != nil {
		return w.err
	}
	return m.publish(channel, w.b)
}

// written notes whether Redis has accepted an entry.
func (m *streamsMember) written(err error) {
	_, refused := rueidis.IsRedisErr(err)
	switch {
	case refused:
		m.refused.Store(true)
		m.setCondition(writing, fmt.Errorf("socketio: redis: writing to %s: %w", m.stream.key, err))
		if !m.trying.Load() {
			m.run(m.tryWriting)
		}
	case err == nil && m.refused.Swap(false):
		m.setCondition(writing, nil)
	}
}

// tryWriting appends entries without a meaning until Redis accepts one.
func (m *streamsMember) tryWriting() {
	if m.trying.Swap(true) {
		return
	}
	defer m.trying.Store(false)
	for retry := (backoff{}); m.refused.Load(); {
		if retry.attempts > 0 {
			timer := time.NewTimer(retry.next())
			select {
			case <-timer.C:
			case <-m.buffer.closed:
				timer.Stop()
				return
			}
		}
		retry.attempts = max(retry.attempts, 3)
		e := m.entry()
		c := e.append(m.bus.client, typeNothing, "{}")
		done := make(chan struct{})
		c.control, c.done = true, func(_ rueidis.RedisMessage, err error) {
			m.written(err)
			close(done)
		}
		if m.enqueue(c) != nil {
			return
		}
		select {
		case <-done:
		case <-m.buffer.closed:
			return
		}
	}
}

// durable reports whether a message goes to the stream. Requests and responses do not.
func durable(m *adapter.Message) bool {
	switch m.Kind {
	case adapter.Broadcast:
		return m.ID == ""
	case adapter.Join, adapter.Leave, adapter.Disconnect, adapter.Reconnect:
		return true
	}
	return false
}

// An entry has the stream, sender and namespace of an entry.
type entry struct {
	key, maxLen string
	uid, nsp    string
}

// command returns the command that appends m to the stream.
func (e *entry) command(client rueidis.Client, m *adapter.Message) (command, error) {
	kind, data, err := encodeEntry(m)
	if err != nil {
		return command{}, err
	}
	return e.append(client, kind, data), nil
}

// encodeEntry returns the type and the data of the entry for m.
func encodeEntry(m *adapter.Message) (kind int64, data string, err error) {
	if kind, err = typeOf(m); err != nil {
		return 0, "", err
	}
	w := newWriter(m, len(m.Binary) > 0)
	if w.data(m); w.err != nil {
		return 0, "", w.err
	}
	if w.pack {
		return kind, base64.StdEncoding.EncodeToString(w.b), nil
	}
	return kind, rueidis.BinaryString(w.b), nil
}

// append returns the command that appends an entry with these fields, and more fields in
// pairs.
func (e *entry) append(client rueidis.Client, kind int64, data string, more ...string) command {
	fields := client.B().Xadd().Key(e.key).Maxlen().Almost().Threshold(e.maxLen).Id("*").FieldValue().
		FieldValue("uid", e.uid).FieldValue("nsp", e.nsp).FieldValue("type", strconv.FormatInt(kind, 10)).
		FieldValue("data", data)
	for i := 0; i < len(more); i += 2 {
		fields = fields.FieldValue(more[i], more[i+1])
	}
	return command{cmd: fields.Build(), size: len(e.key) + len(e.nsp) + len(data), keyed: true}
}

// receive handles a message of Pub/Sub.
func (m *streamsMember) receive(t topic, _ string, payload []byte) {
	switch {
	case m.suffix.isSuffixOf(payload):
	case t.name == m.counted && isLeaving(payload):
		m.peerLeaving()
	case t.name == m.counted:
		m.buffer.add(payload)
	default: // responses do not wait for the stream
		m.handle(m.decoder.envelope(payload))
	}
}

func (m *streamsMember) handle(msg *adapter.Message, err error) {
	switch {
	case err != nil:
		m.host.Malformed(err)
	case msg != nil:
		m.host.Deliver(msg)
	}
}

// handleInOrder calls f while no message is being delivered, unless the member has left.
func (m *streamsMember) handleInOrder(f func()) {
	m.delivery.Lock()
	defer m.delivery.Unlock()
	m.deliverMu.RLock()
	defer m.deliverMu.RUnlock()
	if !m.closed {
		f()
	}
}

// begin delivers the first position to the host. It is called in order, before any other
// message of the stream.
func (m *streamsMember) begin() {
	select {
	case <-m.positionKnown:
	default:
		m.publishPosition(m.stream.startOf(m))
		close(m.positionKnown)
	}
}

// publishPosition delivers the position of an entry to the host.
func (m *streamsMember) publishPosition(at entryID) {
	m.host.Deliver(&adapter.Message{Kind: adapter.Position, Position: at.position()})
}

// receiveEntry handles an entry of the stream.
func (m *streamsMember) receiveEntry(id entryID, values map[string]string) {
	m.handleInOrder(func() {
		m.begin()
		if values["uid"] == m.uid {
			m.receiveOwn(id, values)
			return
		}
		msg, err := m.decode(values)
		switch {
		case err != nil, msg != nil && (msg.Kind != adapter.Broadcast || msg.ID != ""):
		case msg != nil:
			msg.Position = id.position()
		default:
			m.publishPosition(id)
		}
		m.handle(msg, err)
	})
}

func (m *streamsMember) decode(values map[string]string) (_ *adapter.Message, err error) {
	f := fields{uid: values["uid"], nsp: m.nsp}
	if f.kind, err = strconv.ParseInt(values["type"], 10, 64); err != nil {
		return nil, errNoType
	}
	data := values["data"]
	if data == "" {
		return m.decoder.message(&f, false) // the entries of Go servers have data
	}
	const most = 64 << 10 // the capacity that is kept for the next entry
	if cap(m.scratch) > most {
		m.scratch = nil
	}
	pack := data[0] != '{'
	if !pack {
		m.scratch = append(m.scratch[:0], data...)
	} else if m.scratch, err = base64.StdEncoding.AppendDecode(m.scratch[:0], []byte(data)); err != nil {
		return nil, err
	}
	r := reader{b: m.scratch, pack: pack}
	if r.data(&f); r.end() != nil {
		return nil, r.err
	}
	return m.decoder.message(&f, pack)
}
