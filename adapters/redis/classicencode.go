package redis

import (
	"fmt"

	"github.com/socketio-go/socketio/adapter"
)

// The types of requests and responses.
const (
	classicAllRooms    = 1
	classicJoin        = 2
	classicLeave       = 3
	classicDisconnect  = 4
	classicFetch       = 5
	classicEmit        = 6
	classicBroadcast   = 7
	classicClientCount = 8
	classicAcked       = 9
	classicReconnect   = 64 // only of Go servers: Node servers ignore unknown types
)

// classicPacks reports whether a message is encoded as MessagePack. Node sends most
// requests as JSON, and so loses binary data, but understands both.
func classicPacks(m *adapter.Message) bool {
	return m.Kind == adapter.Broadcast || m.Kind == adapter.Acked || len(m.Binary) > 0
}

// classic appends a message. Requests always name their sender, which servers with
// PublishOnSpecificResponseChannel need.
func (w *writer) classic(m *adapter.Message, uid, id, nsp string) {
	w.binary = m.Binary
	if m.Kind == adapter.Broadcast && m.ID == "" {
		w.list(3)
		w.text(uid)
		w.classicPacket(m, nsp)
		w.opts(m)
		return
	}
	switch m.Kind {
	case adapter.Broadcast:
		w.classicRequest(classicBroadcast, 2, uid, id)
		w.key("packet")
		w.classicPacket(m, nsp)
		w.key("opts")
		w.opts(m)
	case adapter.Join:
		w.classicTargets(classicJoin, uid, m)
	case adapter.Leave:
		w.classicTargets(classicLeave, uid, m)
	case adapter.Disconnect:
		w.classicRequest(classicDisconnect, 2, uid, "")
		w.receivers(m)
		w.key("close")
		w.boolean(m.Close)
	case adapter.Reconnect:
		w.classicRequest(classicReconnect, 1, uid, "")
		w.receivers(m)
	case adapter.Fetch, adapter.Count: // the format has no request for a count
		w.classicRequest(classicFetch, 1, uid, id)
		w.receivers(m)
	case adapter.Emit:
		w.classicRequest(classicEmit, 1, uid, id)
		w.key("data")
		w.value(m.Data)
	case adapter.Clients:
		w.classicResponse(classicClientCount, 1, id)
		w.key("clientCount")
		w.integer(int64(m.Count))
	case adapter.Acked:
		w.classicAck(classicAcked, id, "packet", m.Data)
	case adapter.Emitted:
		w.classicAck(classicEmit, id, "data", m.Data)
	case adapter.Fetched:
		w.object(2)
		w.key("requestId")
		w.text(id)
		w.key("sockets")
		w.value(m.Data)
	default:
		w.err = fmt.Errorf("%w: kind %d", errNoFormat, m.Kind)
		return
	}
	w.end(object)
}

// classicPacket appends an event and its namespace.
func (w *writer) classicPacket(m *adapter.Message, nsp string) {
	w.object(3)
	w.key("type")
	w.integer(2)
	w.key("data")
	w.value(m.Data)
	w.key("nsp")
	w.text(nsp)
	w.end(object)
}

// classicRequest begins a request that has n more members. It leaves out the sender or
// the ID if it is empty.
func (w *writer) classicRequest(kind int64, n int, uid, id string) {
	w.object(1 + n + count(uid != "") + count(id != ""))
	if uid != "" {
		w.key("uid")
		w.text(uid)
	}
	if id != "" {
		w.key("requestId")
		w.text(id)
	}
	w.key("type")
	w.integer(kind)
}

// receivers appends the rooms and exceptions of a message.
func (w *writer) receivers(m *adapter.Message) {
	w.key("opts")
	w.object(2)
	w.key("rooms")
	w.texts(m.Rooms)
	w.key("except")
	w.texts(m.Except)
	w.end(object)
}

func (w *writer) classicTargets(kind int64, uid string, m *adapter.Message) {
	w.classicRequest(kind, 2, uid, "")
	w.receivers(m)
	w.key("rooms")
	w.texts(m.Targets)
}

// classicResponse begins a response that has n more members.
func (w *writer) classicResponse(kind int64, n int, id string) {
	w.object(2 + n)
	w.key("type")
	w.integer(kind)
	w.key("requestId")
	w.text(id)
}

// classicAck appends an ack, or a response of a server, without its end.
func (w *writer) classicAck(kind int64, id, key string, data []byte) {
	first, err := firstOf(data)
	if err != nil {
		w.err = err
		return
	}
	w.classicResponse(kind, count(first != nil), id)
	if first != nil {
		w.key(key)
		w.value(first)
	}
}
