package engine

import (
	"encoding/binary"
	"iter"
	"slices"
	"sync/atomic"
	"unsafe"

	"github.com/socketio-go/socketio/internal/eio"
)

// A Message is what a session sends: a text and its binary attachments, which
// stay together. It is immutable and shared by all of its receivers.
//
// It is kept as the WebSocket frames to write (RFC 6455, section 5.2), from
// which polling takes the payloads.
type Message struct {
	wire        []byte
	compression Compression
	control     bool                     // a frame of the engine, not a message
	deflated    atomic.Pointer[deflated] // nil until it is needed
	v3          atomic.Pointer[Message]  // for clients of Engine.IO 3; likewise
}

// The opcodes of RFC 6455, section 11.8, that the engine writes itself.
const (
	opText   = 0x1
	opBinary = 0x2
	opClose  = 0x8
	opPong   = 0xa
)

const finalFrame = 0x80

// NewMessage returns an Engine.IO message with the given text, followed by
// binary messages. It copies its arguments.
func NewMessage(text []byte, attachments [][]byte) *Message {
	size := frameSize(1 + len(text))
	for _, a := range attachments {
		size += frameSize(len(a))
	}
	wire := appendFrameHeader(slices.Grow[[]byte](nil, size), opText, 1+len(text)) // whose cap is what is allocated
	wire = append(wire, byte(eio.Message))
	wire = append(wire, text...)
	for _, a := range attachments {
		wire = appendFrameHeader(wire, opBinary, len(a))
		wire = append(wire, a...)
	}
	return &Message{wire: wire}
}

// NewRawMessage returns an Engine.IO message that is one text or binary. It
// copies data.
func NewRawMessage(data []byte, binary bool) *Message {
	if binary {
		return &Message{wire: append(appendFrameHeader(nil, opBinary, len(data)), data...)}
	}
	return NewMessage(data, nil)
}

// Len returns the number of bytes that m is on the wire of a WebSocket.
func (m *Message) Len() int { return len(m.wire) }

// Size returns the number of bytes of memory that a queue holds with m alone in
// it. Of a message in several queues each counts all.
func (m *Message) Size() int64 { return int64(cap(m.wire)) + messageSize }

// messageSize is what a message takes beside its frames: itself, and its place
// in a queue that has grown and has been copied.
const messageSize = int64(unsafe.Sizeof(Message{})) + 24

// Parts iterates over the text and the attachments of m as NewMessage was given
// them. They must not be modified.
func (m *Message) Parts() iter.Seq2[[]byte, bool] {
	return func(yield func(data []byte, binary bool) bool) {
		for op, data := range m.frames() {
			if op == opText {
				data = data[1:]
			}
			if !yield(data, op == opBinary) {
				return
			}
		}
	}
}

// frame returns a frame of the engine, which is not counted as a message.
func frame(op byte, payload string) *Message {
	return &Message{wire: append(appendFrameHeader(nil, op, len(payload)), payload...), control: true}
}

var (
	pingMessage  = frame(opText, string(eio.Ping))
	pongMessage  = frame(opText, string(eio.Pong))
	probeMessage = frame(opText, string(eio.Pong)+"probe")
	closeMessage = frame(opClose, "")
)

// frames iterates over the opcodes and payloads of m.
func (m *Message) frames() iter.Seq2[byte, []byte] {
	return func(yield func(byte, []byte) bool) {
		for b := m.wire; len(b) > 0; {
			header, size := frameHeader(b)
			if !yield(b[0]&0xf, b[header:header+size]) {
				return
			}
			b = b[header+size:]
		}
	}
}

// frameHeader returns the lengths of the first frame's header and payload.
func frameHeader(b []byte) (header, payload int) {
	switch b[1] {
	case 126:
		return 4, int(binary.BigEndian.Uint16(b[2:]))
	case 127:
		return 10, int(binary.BigEndian.Uint64(b[2:]))
	default:
		return 2, int(b[1])
	}
}

// split returns the first frames of m, at most limit of them and, beyond the
// first, at most size bytes; and the rest, nil if there is none. They share
// memory with m.
func (m *Message) split(limit, size int) (first, rest *Message, frames int) {
	at := 0
	for b := m.wire; at < len(b); frames++ {
		header, payload := frameHeader(b[at:])
		if frames == limit || frames > 0 && at+header+payload > size {
			return &Message{wire: b[:at:at], compression: m.compression},
				&Message{wire: b[at:], compression: m.compression, control: m.control}, frames
		}
		at += header + payload
	}
	return m, nil, frames
}

// appendPayload appends m to a polling payload. Control frames have no
// counterpart there.
func (m *Message) appendPayload(dst []byte, f eio.Framing) []byte {
	for op, data := range m.frames() {
		switch op {
		case opText:
			dst = f.Append(dst, data)
		case opBinary:
			dst = f.AppendBinary(dst, data)
		}
	}
	return dst
}

func frameSize(payload int) int {
	switch {
	case payload < 126:
		return 2 + payload
	case payload < 1<<16:
		return 4 + payload
	default:
		return 10 + payload
	}
}

func appendFrameHeader(dst []byte, op byte, payload int) []byte {
	dst = append(dst, finalFrame|op)
	switch {
	case payload < 126:
		return append(dst, byte(payload))
	case payload < 1<<16:
		return binary.BigEndian.AppendUint16(append(dst, 126), uint16(payload))
	default:
		return binary.BigEndian.AppendUint64(append(dst, 127), uint64(payload))
	}
}
