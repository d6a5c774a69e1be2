package redis

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"strings"

	"github.com/redis/rueidis"

	"github.com/socketio-go/socketio/adapter"
)

// Options of [New]. All servers and emitters of a cluster must have the same Prefix.
type Options struct {
	// Prefix begins the name of every channel. The default is [DefaultPrefix].
	Prefix string
	// PublishOnSpecificResponseChannel sends responses only to the server that sent the
	// request, instead of to all. Servers understand both, so it may differ among them.
	// The default is false, as with Node.
	PublishOnSpecificResponseChannel bool
	// MaxPending bounds the bytes that wait for Redis; beyond it Publish fails. The
	// default is [DefaultMaxPending].
	MaxPending int
}

// New joins a server to a cluster with the Pub/Sub of Redis 6 or later. It has the
// format of createAdapter of @socket.io/redis-adapter 7 and 8 with the default parser.
// An event is published once, for all servers. Servers without a socket in its room drop
// it without decoding it.
func New(client rueidis.Client, opts *Options) *Adapter {
	var o Options
	if opts != nil {
		o = *opts
	}
	if o.Prefix == "" {
		o.Prefix = DefaultPrefix
	}
	a := newAdapter(client, o.MaxPending, false)
	a.newMember = func(namespace string, host adapter.Host) adapter.Member {
		return newClassicMember(a.bus, o, namespace, host)
	}
	return a
}

// A classicMember is a member in the format of @socket.io/redis-adapter.
type classicMember struct {
	*member
	uid      string
	classic  classic
	specific bool // responses go to the requesting server only
	decoder  decoder

	room, request, response topic
}

// A classic is what the servers and emitters of one namespace have in common.
type classic struct{ key, nsp string }

func (c classic) events() string   { return c.key + "#" + c.nsp + "#" }
func (c classic) requests() string { return c.key + "-request#" + c.nsp + "#" }

func (c classic) responses(uid string) string {
	name := c.key + "-response#" + c.nsp + "#"
	if uid != "" {
		name += uid + "#"
	}
	return name
}

func newClassicMember(b *bus, o Options, namespace string, host adapter.Host) *classicMember {
	m := &classicMember{
		uid: newClassicUID(), classic: classic{o.Prefix, namespace}, specific: o.PublishOnSpecificResponseChannel,
		decoder: decoder{nsp: namespace, wants: host.Wants},
	}
	m.decoder.uid = m.uid
	m.room = topic{name: glob.Replace(m.classic.events()) + "*", pattern: true}
	m.request = topic{name: m.classic.requests()}
	m.response = topic{name: m.classic.responses("")}
	m.member = newMember(b, host)
	m.name = m.uid
	m.join(m.receive, leavingClassic(m.uid), m.request, topic{name: m.classic.responses(m.uid)}, m.room, m.response)
	return m
}

// newClassicUID returns a random name like those of Node.
func newClassicUID() string {
	var b [6]byte
	rand.Read(b[:])
	return base64.RawURLEncoding.EncodeToString(b[:])[:6]
}

// glob escapes the special characters of patterns.
var glob = strings.NewReplacer(`*`, `\*`, `?`, `\?`, `[`, `\[`, `]`, `\]`, `\`, `\\`)

// ID implements [adapter.Member].
func (m *classicMember) ID() string { return m.uid }

// Publish implements [adapter.Member].
func (m *classicMember) Publish(msg *adapter.Message) error {
	if unsupported(msg) {
		return nil
	}
	id := msg.ID
	if id != "" && !msg.Kind.IsResponse() {
		id = m.uid + id // so that its responses differ from those for other servers
	}
	w := newWriter(msg, classicPacks(msg))
	w.classic(msg, m.uid, id, m.classic.nsp)
	if w.err != nil {
		return w.err
	}
	return m.publish(m.channelFor(msg), w.b)
}

func (m *classicMember) channelFor(msg *adapter.Message) string {
	switch {
	case msg.Kind == adapter.Emitted, msg.Kind.IsResponse() && !m.specific:
		return m.response.name
	case msg.Kind.IsResponse():
		return m.classic.responses(msg.To)
	default:
		return m.classic.channelFor(msg)
	}
}

// channelFor returns the channel for a message that is not a response.
func (c classic) channelFor(msg *adapter.Message) string {
	switch {
	case msg.Kind != adapter.Broadcast || msg.ID != "":
		return c.requests()
	case len(msg.Rooms) == 1:
		return c.events() + msg.Rooms[0] + "#"
	default:
		return c.events()
	}
}

// receive handles a message of a channel.
func (m *classicMember) receive(t topic, channel string, payload []byte) {
	var msg *adapter.Message
	var err error
	switch t {
	case m.room:
		msg, err = m.event(channel, payload)
	case m.request:
		if isLeaving(payload) {
			m.peerLeaving()
			return
		}
		msg, err = m.decoder.classicRequest(payload)
		if err == nil && msg != nil && msg.Kind == 0 {
			m.respondRooms(msg)
			return
		}
	default:
		msg, err = m.decoder.classicResponse(payload)
	}
	if err != nil {
		m.host.Malformed(fmt.Errorf("socketio: redis: on channel %q: %w", channel, err))
	} else if msg != nil && !m.bus.isFormer(msg.From) {
		m.host.Deliver(msg)
	}
}

// event decodes a broadcast, unless it is for a room without a socket here.
func (m *classicMember) event(channel string, payload []byte) (*adapter.Message, error) {
	room, ok := strings.CutPrefix(channel, m.classic.events())
	if !ok {
		return nil, nil // the pattern matches more than it should
	}
	if room = strings.TrimSuffix(room, "#"); room != "" && !m.host.Wants(room) {
		return nil, nil
	}
	return m.decoder.classicEvent(payload)
}

// respondRooms responds with the rooms of this server. Every server has to respond to
// this request of a Node server.
func (m *classicMember) respondRooms(msg *adapter.Message) {
	var rooms []string
	if host, ok := m.host.(adapter.RoomLister); ok {
		rooms = host.Rooms()
	}
	w := writer{}
	w.object(2)
	w.key("requestId")
	w.text(msg.ID)
	w.key("rooms")
	w.texts(rooms)
	w.end(object)
	channel := m.response.name
	if m.specific {
		channel = m.classic.responses(msg.From)
	}
	if err := m.publish(channel, w.b); err != nil {
		m.host.Lost(1, err)
	}
}
