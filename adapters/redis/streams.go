package redis

import (
	"context"
	"encoding/base64"
	"strconv"
	"sync"
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
)

// StreamsOptions of [NewStreams]. All servers of a cluster must have the same
// StreamName, StreamCount, ChannelPrefix and ShardedPubSub.
type StreamsOptions struct {
	// StreamName is the key of the stream. The default is [DefaultStreamName].
	StreamName string
	// StreamCount, if more than 1, spreads the namespaces over that many streams,
	// whose keys are the StreamName, a dash and a number.
	StreamCount int
	// ChannelPrefix begins the names of the Pub/Sub channels, over which requests
	// and answers go. The default is [DefaultPrefix].
	ChannelPrefix string
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
	// Backlog is how many bytes may wait for Redis until Publish refuses more. The
	// default is [DefaultBacklog].
	Backlog int
}

// NewStreams joins a server to a cluster with Redis streams, in the format of
// @socket.io/redis-streams-adapter 0.3. Events, and changes of rooms, are entries of
// a stream that every server reads: who was cut off from Redis reads on where
// it was. Only what Redis has dropped meanwhile is lost. Requests and their answers go
// over Pub/Sub. It takes a connection of its own for each stream.
func NewStreams(client rueidis.Client, opts *StreamsOptions) *Adapter {
	var o StreamsOptions
	if opts != nil {
		o = *opts
	}
	o.setDefaults()
	a := newAdapter(client, o.Backlog, o.ShardedPubSub)
	s := &streams{bus: a.bus, options: o, byKey: map[string]*stream{}}
	a.seat = s.join
	return a
}

func (o *StreamsOptions) setDefaults() {
	if o.StreamName == "" {
		o.StreamName = DefaultStreamName
	}
	if o.ChannelPrefix == "" {
		o.ChannelPrefix = DefaultPrefix
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
		uid: uid, nsp: namespace, channels: channelsOf(s.options.ChannelPrefix, namespace),
		maxLen: strconv.Itoa(s.options.MaxLen), own: endsOf(uid, namespace),
		decoder: decoder{uid: uid, nsp: namespace, wants: host.Wants},
	}
	m.seat = newSeat(s.bus, host)
	m.held.member, m.held.over = m, make(chan struct{})

	key := streamKey(s.options.StreamName, s.options.StreamCount, namespace)
	s.mu.Lock()
	defer s.mu.Unlock()
	m.stream = s.byKey[key]
	if m.stream == nil {
		m.stream = newStream(s.bus, key, s.options)
		s.byKey[key] = m.stream
		s.bus.run(m.stream.read)
	}
	m.stream.add(m)
	m.join(m.receive, topic{name: m.channels.main()}, topic{name: m.channels.of(uid)})
	return m
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
	*seat
	uid, nsp string
	channels channels
	stream   *stream
	maxLen   string
	own      ends
	held     held

	// The subscription and the stream are heard by different goroutines, which
	// take turns.
	turn    sync.Mutex // guards the following
	decoder decoder
	scratch []byte
}

var _ adapter.Member = (*streamsMember)(nil)

// ID implements [adapter.Member].
func (m *streamsMember) ID() string { return m.uid }

// Ready implements [adapter.Member].
func (m *streamsMember) Ready(ctx context.Context) error {
	if err := m.seat.Ready(ctx); err != nil {
		return err
	}
	return m.stream.ready(ctx, m.gone)
}

// Peers implements [adapter.Member].
func (m *streamsMember) Peers(ctx context.Context) (adapter.Peers, error) {
	return m.peers(ctx, m.channels.main())
}

// Leave implements [adapter.Member].
func (m *streamsMember) Leave() <-chan struct{} {
	m.stream.remove(m)
	m.held.close()
	return m.seat.Leave()
}

// Publish implements [adapter.Member].
func (m *streamsMember) Publish(msg *adapter.Message) error {
	if unsayable(msg) {
		return nil
	}
	if durable(msg) {
		e := entry{key: m.stream.key, maxLen: m.maxLen, uid: m.uid, nsp: m.nsp}
		c, err := e.command(m.bus.client, msg)
		if err != nil {
			return err
		}
		return m.enqueue(c)
	}
	channel := m.channels.main()
	if msg.Kind.IsAnswer() {
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

// durable reports whether a message goes to the stream: all but requests, which
// somebody waits for, and answers.
func durable(m *adapter.Message) bool {
	switch m.Kind {
	case adapter.Broadcast:
		return m.ID == ""
	case adapter.Join, adapter.Leave, adapter.Disconnect:
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
	kind, err := typeOf(m)
	if err != nil {
		return command{}, err
	}
	w := newWriter(m, len(m.Binary) > 0)
	if w.data(m); w.err != nil {
		return command{}, w.err
	}
	data := rueidis.BinaryString(w.b)
	if w.pack {
		data = base64.StdEncoding.EncodeToString(w.b)
	}
	cmd := client.B().Xadd().Key(e.key).Maxlen().Almost().Threshold(e.maxLen).Id("*").FieldValue().
		FieldValue("uid", e.uid).FieldValue("nsp", e.nsp).FieldValue("type", strconv.FormatInt(kind, 10)).
		FieldValue("data", data).Build()
	return command{cmd: cmd, size: len(e.key) + len(e.nsp) + len(data), key: true}, nil
}

// receive handles what came over Pub/Sub.
func (m *streamsMember) receive(t topic, _ string, payload []byte) {
	switch {
	case m.own.end(payload):
	case t.name == m.channels.main():
		m.held.add(payload)
	default: // answers wait for nothing
		m.turn.Lock()
		defer m.turn.Unlock()
		m.handle(m.decoder.envelope(payload))
	}
}

// receiveHeld handles a request that was held.
func (m *streamsMember) receiveHeld(payload []byte) {
	m.inTurn(func() { m.handle(m.decoder.envelope(payload)) })
}

// receiveEntry handles an entry of the stream.
func (m *streamsMember) receiveEntry(fields map[string]string) {
	if fields["uid"] != m.uid {
		m.inTurn(func() { m.handle(m.decode(fields)) })
	}
}

// inTurn runs f when the host is free, unless the seat is given up.
func (m *streamsMember) inTurn(f func()) {
	m.gate.RLock()
	defer m.gate.RUnlock()
	if m.shut {
		return
	}
	m.turn.Lock()
	defer m.turn.Unlock()
	f()
}

func (m *streamsMember) handle(msg *adapter.Message, err error) {
	switch {
	case err != nil:
		m.host.Garbage(err)
	case msg != nil:
		m.host.Deliver(msg)
	}
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
