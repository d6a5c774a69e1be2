// Package msgpack is the wire format of the JavaScript package
// socket.io-msgpack-parser: every Socket.IO packet is one binary message that
// holds a MessagePack map. Clients must use that parser, too.
//
//	io := socketio.NewServer(&socketio.Options{Codec: msgpack.Codec{}})
//
// It makes packets with much binary data or many numbers smaller. It costs a
// translation for every packet in and for every emit out. A Date of a client
// arrives as a string in the form of time.RFC3339, so that it can be decoded
// into a time.Time; undefined arrives as null.
package msgpack

import (
	"bytes"
	"errors"
	"fmt"
	"math"

	"github.com/socketio-go/socketio"
	"github.com/socketio-go/socketio/internal/msgpack"
	"github.com/socketio-go/socketio/internal/sio"
)

// Codec implements [socketio.Codec].
type Codec struct{}

var _ socketio.Codec = Codec{}

// maxDepth bounds the nesting of what clients send.
const maxDepth = sio.DefaultDepth

// Encode implements [socketio.Codec].
func (Codec) Encode(packet []byte, attachments [][]byte) (message []byte, binary bool, err error) {
	// What this side has encoded is within no limits but its own.
	var p sio.Packet
	if err := p.Decode(packet, sio.Limits{Attachments: math.MaxInt32, Depth: math.MaxInt32, Args: math.MaxInt32, Literal: true}); err != nil {
		return nil, false, err
	}
	kind := p.Type
	switch kind {
	case sio.BinaryEvent:
		kind = sio.Event
	case sio.BinaryAck:
		kind = sio.Ack
	}
	members := 2
	if p.Data != nil {
		members++
	}
	if p.ID >= 0 {
		members++
	}
	size := len(packet) + 64
	for _, a := range attachments {
		size += len(a) + 5
	}
	m := msgpack.AppendMap(make([]byte, 0, size), members)
	m = msgpack.AppendInt(msgpack.AppendString(m, "type"), int64(kind))
	if p.Data != nil {
		if m, err = msgpack.AppendJSON(msgpack.AppendString(m, "data"), p.Data, attachments); err != nil {
			return nil, false, err
		}
	}
	if p.ID >= 0 {
		m = msgpack.AppendInt(msgpack.AppendString(m, "id"), p.ID)
	}
	m = msgpack.AppendString(msgpack.AppendString(m, "nsp"), string(p.Namespace))
	return m, true, nil
}

// Errors of packets that are MessagePack, but not Socket.IO.
var (
	errText      = errors.New("msgpack: text message")
	errPacket    = errors.New("msgpack: packet is not a map")
	errType      = errors.New("msgpack: invalid packet type")
	errNamespace = errors.New("msgpack: invalid namespace")
	errPayload   = errors.New("msgpack: invalid payload")
	errID        = errors.New("msgpack: invalid packet id")
	errTrailing  = errors.New("msgpack: data behind the packet")
)

// A packet is what a map of MessagePack says.
type packet struct {
	kind int64
	nsp  []byte
	id   int64
	data []byte // JSON; nil if undefined
	what msgpack.Kind
}

// valid reports whether the data is of the kind that the type demands. The
// caller relies on it: in the packet a number would be taken for the id.
func (p *packet) valid() bool {
	switch sio.Type(p.kind) {
	case sio.Connect:
		return p.data == nil || p.what == msgpack.Map
	case sio.Disconnect:
		return p.data == nil
	case sio.ConnectError:
		return p.what == msgpack.Map || p.what == msgpack.String
	default:
		return p.what == msgpack.Array
	}
}

// Decode implements [socketio.Codec].
func (Codec) Decode(message []byte, binary bool) (_ []byte, attachments [][]byte, err error) {
	if !binary {
		return nil, nil, errText
	}
	d := msgpack.Decoder{Data: message, Depth: maxDepth}
	p, err := decodePacket(&d)
	if err != nil {
		return nil, nil, err
	}
	kind := sio.Type(p.kind)
	if len(d.Attachments) > 0 {
		switch kind {
		case sio.Event:
			kind = sio.BinaryEvent
		case sio.Ack:
			kind = sio.BinaryAck
		default:
			return nil, nil, errPayload
		}
	}
	text := sio.AppendHeader(make([]byte, 0, len(p.data)+len(p.nsp)+32), kind, string(p.nsp), len(d.Attachments), p.id)
	return append(text, p.data...), d.Attachments, nil
}

func decodePacket(d *msgpack.Decoder) (p packet, err error) {
	p.kind, p.id = -1, -1
	v, err := d.Next()
	switch {
	case err != nil:
		return p, err
	case v.Kind != msgpack.Map:
		return p, errPacket
	}
	for range v.Len {
		key, err := d.Key()
		if err != nil {
			return p, err
		}
		if err := p.member(d, key); err != nil {
			return p, err
		}
	}
	switch {
	case len(d.Data) > 0:
		return p, errTrailing
	case p.kind < 0:
		return p, errType
	case p.nsp == nil:
		return p, errNamespace
	case !p.valid():
		return p, errPayload
	}
	return p, nil
}

// member reads one member of the packet. Unknown ones are skipped.
func (p *packet) member(d *msgpack.Decoder, key string) error {
	v, err := d.Next()
	if err != nil {
		return err
	}
	switch key {
	case "type":
		if v.Kind != msgpack.Int || v.Num > uint64(sio.ConnectError) {
			return errType
		}
		p.kind = int64(v.Num)
	case "nsp":
		if v.Kind != msgpack.String || len(v.Bytes) == 0 || v.Bytes[0] != '/' || bytes.IndexByte(v.Bytes, ',') >= 0 {
			return errNamespace
		}
		p.nsp = v.Bytes
	case "id":
		switch {
		case v.Kind == msgpack.Undefined:
		case v.Kind != msgpack.Int || int64(v.Num) < 0:
			return errID
		default:
			p.id = int64(v.Num)
		}
	case "data":
		switch {
		case v.Kind == msgpack.Undefined:
			return nil
		case p.data != nil:
			return fmt.Errorf("%w: twice", errPayload)
		}
		p.what = v.Kind
		p.data, err = d.AppendValue(nil, v)
		return err
	default:
		held := len(d.Attachments)
		_, err = d.AppendValue(nil, v)
		d.Attachments = d.Attachments[:held]
		return err
	}
	return nil
}
