package redis

import (
	"errors"
	"strings"

	"github.com/socketio-go/socketio/adapter"
)

var errParts = errors.New("an event that has not three parts")

// classicEvent decodes a broadcast. It returns nil if this server need not handle it.
func (d *decoder) classicEvent(raw []byte) (*adapter.Message, error) {
	m := d.begin(adapter.Broadcast)
	r := reader{b: raw, pack: len(raw) == 0 || raw[0] != '['}
	var packet []byte
	parts := 0
	for left := r.open(list); r.more(&left); parts++ {
		switch parts {
		case 0:
			m.From = r.text()
		case 1:
			packet = r.skip()
		case 2:
			r.opts(m)
		default:
			r.skip()
		}
	}
	if err := r.end(); err != nil {
		return nil, err
	}
	if parts < 3 {
		return nil, errParts
	}
	if m.From == d.uid || !d.wants(m.Rooms...) {
		return nil, nil
	}
	return d.classicPacket(packet, r.pack)
}

// begin starts a message, in the memory of the last one.
func (d *decoder) begin(kind adapter.Kind) *adapter.Message {
	d.payload.reset()
	d.m = adapter.Message{Kind: kind, Rooms: d.m.Rooms[:0], Except: d.m.Except[:0], Targets: d.m.Targets[:0]}
	return &d.m
}

// finish adds the payload to the message.
func (d *decoder) finish(err error) (*adapter.Message, error) {
	if err != nil {
		return nil, err
	}
	d.m.Data, d.m.Binary = d.payload.buf, d.payload.binary
	return &d.m, nil
}

// classicPacket decodes an event, unless it is for another namespace.
func (d *decoder) classicPacket(raw []byte, pack bool) (*adapter.Message, error) {
	var data []byte
	kind, nsp := int64(2), "/"
	r := reader{b: raw, pack: pack}
	for left := r.open(object); r.more(&left); {
		switch key := r.key(); {
		case r.null():
		case key == "type":
			kind = r.integer()
		case key == "data":
			data = r.skip()
		case key == "nsp":
			nsp = r.text()
		default:
			r.skip()
		}
	}
	switch err := r.end(); {
	case err != nil:
		return nil, err
	case nsp != d.nsp:
		return nil, nil
	case kind != 2 && kind != 5:
		return nil, errEvent
	}
	return d.finish(d.payload.event(data, pack))
}

// classicFields are the members of requests and responses.
type classicFields struct {
	fields
	data []byte
}

func (d *decoder) classicFields(raw []byte) (f classicFields, pack bool, err error) {
	r := reader{b: raw, pack: len(raw) == 0 || raw[0] != '{'}
	for left := r.open(object); r.more(&left); {
		switch key := r.key(); key {
		case "data":
			f.data = r.skip()
		case "type":
			if !r.null() {
				f.kind = r.integer()
			}
		case "uid":
			if !r.null() {
				f.uid = r.text()
			}
		default:
			r.member(key, &f.fields)
		}
	}
	return f, r.pack, r.end()
}

// classicRequest decodes a request. It returns nil if this server need not handle it.
// The message has no kind if the request is for the names of all rooms.
func (d *decoder) classicRequest(raw []byte) (*adapter.Message, error) {
	f, pack, err := d.classicFields(raw)
	if err != nil || f.uid == d.uid {
		return nil, err
	}
	m := d.begin(0)
	m.From, m.ID = f.uid, f.requestID
	switch f.kind {
	case classicAllRooms:
		return m, need(f.requestID != "")
	case classicJoin, classicLeave:
		m.ID = "" // there is no response
		if m.Kind = adapter.Join; f.kind == classicLeave {
			m.Kind = adapter.Leave
		}
		if err := readOpts(f.opts, pack, m); err != nil {
			return nil, err
		}
		r := reader{b: f.rooms, pack: pack}
		m.Targets = r.rooms(m.Targets)
		return m, r.end()
	case classicDisconnect:
		m.Kind, m.ID, m.Close = adapter.Disconnect, "", f.close
		return m, readOpts(f.opts, pack, m)
	case classicReconnect:
		m.Kind, m.ID = adapter.Reconnect, ""
		return m, readOpts(f.opts, pack, m)
	case classicFetch:
		m.Kind = adapter.Fetch
		return m, errors.Join(need(f.requestID != ""), readOpts(f.opts, pack, m))
	case classicEmit:
		m.Kind = adapter.Emit
		return d.finish(d.payload.event(f.data, pack))
	case classicBroadcast:
		m.Kind = adapter.Broadcast
		if err := errors.Join(need(f.requestID != ""), readOpts(f.opts, pack, m)); err != nil {
			return nil, err
		}
		return d.classicPacket(f.packet, pack)
	}
	return nil, nil // of a later version
}

// classicResponse decodes a response. It returns nil if it is for another server.
func (d *decoder) classicResponse(raw []byte) (*adapter.Message, error) {
	f, pack, err := d.classicFields(raw)
	if err != nil {
		return nil, err
	}
	id, ours := strings.CutPrefix(f.requestID, d.uid)
	if !ours {
		return nil, nil
	}
	m := d.begin(0)
	m.ID = id
	switch {
	case f.kind == classicClientCount:
		m.Kind, m.Count = adapter.Clients, int(f.count)
		return m, need(f.count >= 0)
	case f.kind == classicAcked:
		m.Kind = adapter.Acked
		return d.finish(d.payload.response(f.packet, pack))
	case f.kind == classicEmit:
		m.Kind = adapter.Emitted
		return d.finish(d.payload.response(f.data, pack))
	case f.sockets != nil:
		m.Kind = adapter.Fetched
		return d.finish(d.payload.list(f.sockets, pack))
	}
	return nil, nil // of a later version
}

func need(present bool) error {
	if present {
		return nil
	}
	return errNoData
}
