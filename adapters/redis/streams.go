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
	// Prefix begins the names of the Pub/Sub channels, over which requests
	// and answers go. The default is [DefaultPrefix].
	Prefix string
	// ShardedPubSub makes them channels of sharded Pub/Sub.
	ShardedPubSub bool
	// MaxLen is about how many entries Redis keeps in a stream. A server that is
	// further behind has lost what it missed. The default is [DefaultMaxLen].
	MaxLen int
	// ReadCount is how many entries are read at once. The default is [DefaultReadCount].
	ReadCount int
	// BlockTime is how long Redis holds a request for entries when there are none.
	// A connection that died in silence is noticed a few seconds after that. The
	// default is [DefaultBlockTime].
	BlockTime time.Duration
	// SessionKeyPrefix begins the keys of the sessions of clients that were cut
	// off. The default is [DefaultSessionKeyPrefix].
	SessionKeyPrefix string
	// MaxPending is how many bytes may wait for Redis until Publish refuses more. The
	// default is [DefaultMaxPending].
	MaxPending int

	appendTimeout time.Duration
}

// NewStreams joins a server to a cluster with Redis streams, in the format of
// @socket.io/redis-streams-adapter 0.3. Events, and changes of rooms, are entries of
// a stream that every server reads: who was cut off from Redis reads on where
// it was. Only what Redis has dropped meanwhile is lost. With Options.Recovery of the
// servers, a client recovers its session on whichever of them it comes back to: this
// needs Redis 6.2. Requests and their answers go
// over Pub/Sub. It takes a connection of its own for each stream.
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

// streamKey returns the stream of a namespace. Among several, its hash decides.
// Node's remainder of a negative hash is negative, and so is the number in the key; Node
// does not read that stream, but writes it.
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

// streams are what the seats of an adapter share.
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
	m.refused.Store(true) // as long as it is not known
	m.join(m.receive, leavingEnvelope(uid, namespace, true), topic{name: m.channels.main()}, topic{name: m.channels.of(uid)})
	m.run(func() { // ends when the stream can be read, or with the seat
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

// watch makes f be called when a master may have changed.
func (b *bus) watch(f func(force bool)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.watchers = append(b.watchers, f)
}

// run starts f, which ends with the bus, unless that has been closed.
func (b *bus) run(f func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.closed {
		b.running.Go(f)
	}
}

// A streamsMember is a seat in one namespace.
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
	positionKnown chan struct{} // closed when the host knows where the stream is

	refused atomic.Bool // the stream can't be written
	trying  atomic.Bool // tryWriting runs

	start entryID // where the stream was; guarded by stream.mu

	// The subscription and the stream are heard by different goroutines, which
	// take turns. Whose turn it is may use the following.
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

// written takes account of whether Redis has taken an entry.
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

// tryWriting appends entries that mean nothing until Redis takes one.
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

// durable reports whether a message goes to the stream: all but requests, which
// somebody waits for, and answers.
func durable(m *adapter.Message) bool {
	switch m.Kind {
	case adapter.Broadcast:
		return m.ID == ""
	case adapter.Join, adapter.Leave, adapter.Disconnect, adapter.Reconnect:
		return true
	}
	return false
}

// An entry says where a message goes in a stream, and who sends it.
type entry struct {
	key, maxLen string
	uid, nsp    string
}

// command returns what appends m to the stream.
func (e *entry) command(client rueidis.Client, m *adapter.Message) (command, error) {
	kind, data, err := encodeEntry(m)
	if err != nil {
		return command{}, err
	}
	return e.append(client, kind, data), nil
}

// encodeEntry returns the fields that say what m says.
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

// append returns what appends an entry with these fields, and more of them in pairs.
func (e *entry) append(client rueidis.Client, kind int64, data string, more ...string) command {
	fields := client.B().Xadd().Key(e.key).Maxlen().Almost().Threshold(e.maxLen).Id("*").FieldValue().
		FieldValue("uid", e.uid).FieldValue("nsp", e.nsp).FieldValue("type", strconv.FormatInt(kind, 10)).
		FieldValue("data", data)
	for i := 0; i < len(more); i += 2 {
		fields = fields.FieldValue(more[i], more[i+1])
	}
	return command{cmd: fields.Build(), size: len(e.key) + len(e.nsp) + len(data), keyed: true}
}

// receive handles what came over Pub/Sub.
func (m *streamsMember) receive(t topic, _ string, payload []byte) {
	switch {
	case m.suffix.isSuffixOf(payload):
	case t.name == m.counted && isLeaving(payload):
		m.peerLeaving()
	case t.name == m.counted:
		m.buffer.add(payload)
	default: // answers wait for nothing
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

// inTurn runs f when the host is free, unless the seat is given up.
func (m *streamsMember) handleInOrder(f func()) {
	m.delivery.Lock()
	defer m.delivery.Unlock()
	m.deliverMu.RLock()
	defer m.deliverMu.RUnlock()
	if !m.closed {
		f()
	}
}

// begin tells the host where the stream was when the seat began to read it. It
// is called in turn, before anything else of the stream.
func (m *streamsMember) begin() {
	select {
	case <-m.positionKnown:
	default:
		m.publishPosition(m.stream.startOf(m))
		close(m.positionKnown)
	}
}

// tell says how far the stream has been read.
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
		return m.decoder.message(&f, false) // none of ours is without
	}
	const most = 64 << 10 // what is kept for the next entry
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
