package redis

import (
	"errors"
	"fmt"

	"github.com/socketio-go/socketio/adapter"
)

// The types of message of the sharded and the streams format. The types 1, 2 and 13 are
// heartbeats of other adapters; no implementation knows type 0.
const (
	typeNothing     = 0
	typeBroadcast   = 3
	typeJoin        = 4
	typeLeave       = 5
	typeDisconnect  = 6
	typeFetch       = 7
	typeFetched     = 8
	typeEmit        = 9
	typeEmitted     = 10
	typeClientCount = 11
	typeAcked       = 12
	typeReconnect   = 64 // only of Go servers: Node servers ignore unknown types
)

// envelopeTypes has the type of each kind. There is no request for a count: the sockets
// are fetched.
var envelopeTypes = [...]int64{
	adapter.Broadcast:  typeBroadcast,
	adapter.Join:       typeJoin,
	adapter.Leave:      typeLeave,
	adapter.Disconnect: typeDisconnect,
	adapter.Reconnect:  typeReconnect,
	adapter.Fetch:      typeFetch,
	adapter.Count:      typeFetch,
	adapter.Emit:       typeEmit,
	adapter.Clients:    typeClientCount,
	adapter.Acked:      typeAcked,
	adapter.Fetched:    typeFetched,
	adapter.Emitted:    typeEmitted,
}

var errNoFormat = errors.New("socketio: redis: the format has no such message")

// typeOf returns the type of the envelope for m.
func typeOf(m *adapter.Message) (int64, error) {
	if int(m.Kind) >= len(envelopeTypes) || envelopeTypes[m.Kind] == 0 {
		return 0, fmt.Errorf("%w: kind %d", errNoFormat, m.Kind)
	}
	return envelopeTypes[m.Kind], nil
}

// envelope appends m with its type, sender and namespace.
func (w *writer) envelope(m *adapter.Message, uid, nsp string) {
	kind, err := typeOf(m)
	if err != nil {
		w.err = err
		return
	}
	w.object(4)
	w.key("type")
	w.integer(kind)
	w.key("data")
	w.data(m)
	w.sender(uid, nsp)
}

// sender appends the end of an envelope. A server recognizes its own messages by it.
func (w *writer) sender(uid, nsp string) {
	if !w.pack {
		w.b = append(w.b, ',')
	}
	for i, s := range []string{"uid", uid, "nsp", nsp} {
		w.text(s)
		if !w.pack {
			w.b = append(w.b, ":,:}"[i])
		}
	}
}

// data appends the content of m, without its sender and namespace.
func (w *writer) data(m *adapter.Message) {
	w.binary = m.Binary
	switch m.Kind {
	case adapter.Broadcast:
		w.object(2 + count(m.ID != ""))
		w.key("packet")
		w.packet(m.Data)
		w.requestID(m)
		w.key("opts")
		w.opts(m)
	case adapter.Join, adapter.Leave:
		w.object(2)
		w.key("opts")
		w.opts(m)
		w.key("rooms")
		w.texts(m.Targets)
	case adapter.Reconnect:
		w.object(1)
		w.key("opts")
		w.opts(m)
	case adapter.Disconnect:
		w.object(2)
		w.key("opts")
		w.opts(m)
		w.key("close")
		w.boolean(m.Close)
	case adapter.Fetch, adapter.Count:
		w.object(1 + count(m.ID != ""))
		w.key("opts")
		w.opts(m)
		w.requestID(m)
	case adapter.Fetched:
		w.object(1 + count(m.ID != ""))
		w.requestID(m)
		w.key("sockets")
		w.value(m.Data)
	case adapter.Emit:
		w.object(1 + count(m.ID != ""))
		w.requestID(m)
		w.key("packet")
		w.value(m.Data)
	case adapter.Clients:
		w.object(1 + count(m.ID != ""))
		w.requestID(m)
		w.key("clientCount")
		w.integer(int64(m.Count))
	case adapter.Acked, adapter.Emitted:
		first, err := firstOf(m.Data)
		if err != nil {
			w.err = err
			return
		}
		w.object(count(m.ID != "") + count(first != nil))
		w.requestID(m)
		if first != nil {
			w.key("packet")
			w.value(first)
		}
	}
	w.end(object)
}

func count(present bool) int {
	if present {
		return 1
	}
	return 0
}

// packet appends an event.
func (w *writer) packet(data []byte) {
	w.object(2)
	w.key("type")
	w.integer(2)
	w.key("data")
	w.value(data)
	w.end(object)
}

func (w *writer) requestID(m *adapter.Message) {
	if m.ID != "" {
		w.key("requestId")
		w.text(m.ID)
	}
}

// firstOf returns the first element of a JSON array, as other servers read only one
// argument of a response. It returns nil if there is none.
func firstOf(data []byte) ([]byte, error) {
	if len(data) == 0 {
		return nil, nil
	}
	r := reader{b: data}
	var first []byte
	if left := r.open(list); r.more(&left) {
		first = r.skip()
	}
	return first, r.err
}

// fields are the members of an envelope. Those that need more decoding are raw.
type fields struct {
	kind      int64
	uid, nsp  string
	requestID string
	count     int64
	close     bool

	packet, opts, rooms, sockets []byte
}

var (
	errNoType = errors.New("a message without a type")
	errNoData = errors.New("a message lacks a part")
)

// envelope reads an envelope.
func (r *reader) envelope() (f fields, err error) {
	typed := false
	for left := r.open(object); r.more(&left); {
		switch key := r.key(); {
		case r.null():
		case key == "type":
			f.kind, typed = r.integer(), true
		case key == "data":
			r.data(&f)
		case key == "uid":
			f.uid = r.text()
		case key == "nsp":
			f.nsp = r.text()
		default:
			r.skip()
		}
	}
	if err := r.end(); err != nil {
		return f, err
	}
	if !typed {
		return f, errNoType
	}
	return f, nil
}

// data reads the member "data" of an envelope.
func (r *reader) data(f *fields) {
	for left := r.open(object); r.more(&left); {
		r.member(r.key(), f)
	}
}

// member reads one member of the data.
func (r *reader) member(key string, f *fields) {
	switch {
	case key == "packet": // null is a value
		f.packet = r.skip()
	case r.null():
	case key == "opts":
		f.opts = r.skip()
	case key == "rooms":
		f.rooms = r.skip()
	case key == "sockets":
		f.sockets = r.skip()
	case key == "requestId":
		f.requestID = r.text()
	case key == "close":
		f.close = r.boolean()
	case key == "clientCount":
		f.count = r.integer()
	default:
		r.skip()
	}
}

// A decoder decodes messages of other servers for one namespace. A message is valid
// until the next one.
type decoder struct {
	uid, nsp string
	wants    func(rooms ...string) bool

	m       adapter.Message
	payload payload
}

// envelope decodes a message. It returns nil for messages that this server need not
// handle: its own, those of another namespace or of an unknown type, and those for rooms
// without a local socket.
func (d *decoder) envelope(raw []byte) (*adapter.Message, error) {
	r := reader{b: raw, pack: len(raw) == 0 || raw[0] != '{'}
	f, err := r.envelope()
	if err != nil || f.uid == d.uid || f.nsp != d.nsp {
		return nil, err
	}
	return d.message(&f, r.pack)
}

// message decodes the fields of a message for this namespace.
func (d *decoder) message(f *fields, pack bool) (*adapter.Message, error) {
	m := &d.m
	d.payload.reset()
	*m = adapter.Message{
		From: f.uid, ID: f.requestID, Rooms: m.Rooms[:0], Except: m.Except[:0], Targets: m.Targets[:0],
		Close: f.close, Count: int(f.count),
	}
	var err error
	switch f.kind {
	case typeBroadcast:
		m.Kind = adapter.Broadcast
		if err = readOpts(f.opts, pack, m); err != nil {
			return nil, err
		}
		if m.ID == "" && !d.wants(m.Rooms...) {
			return nil, nil
		}
		err = d.payload.packet(f.packet, pack)
	case typeJoin, typeLeave:
		m.Kind = adapter.Join
		if f.kind == typeLeave {
			m.Kind = adapter.Leave
		}
		if err = readOpts(f.opts, pack, m); err == nil {
			r := reader{b: f.rooms, pack: pack}
			m.Targets = r.rooms(m.Targets)
			err = r.end()
		}
	case typeDisconnect:
		m.Kind = adapter.Disconnect
		err = readOpts(f.opts, pack, m)
	case typeReconnect:
		m.Kind = adapter.Reconnect
		err = readOpts(f.opts, pack, m)
	case typeFetch:
		m.Kind = adapter.Fetch
		err = readOpts(f.opts, pack, m)
	case typeFetched:
		m.Kind = adapter.Fetched
		err = d.payload.list(f.sockets, pack)
	case typeEmit:
		m.Kind = adapter.Emit
		err = d.payload.event(f.packet, pack)
	case typeEmitted, typeAcked:
		m.Kind = adapter.Emitted
		if f.kind == typeAcked {
			m.Kind = adapter.Acked
		}
		err = d.payload.response(f.packet, pack)
	case typeClientCount:
		m.Kind = adapter.Clients
	default:
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if m.ID == "" && (m.Kind.IsResponse() || m.Kind == adapter.Fetch) || m.Count < 0 {
		return nil, errNoData
	}
	m.Data, m.Binary = d.payload.buf, d.payload.binary
	return m, nil
}

func readOpts(raw []byte, pack bool, m *adapter.Message) error {
	if raw == nil {
		return errNoData
	}
	r := reader{b: raw, pack: pack}
	r.opts(m)
	return r.end()
}
