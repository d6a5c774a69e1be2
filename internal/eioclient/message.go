package eioclient

import (
	"encoding/binary"
	"math/rand/v2"
	"sync/atomic"

	"github.com/socketio-go/socketio/internal/eio"
)

// A Message is one text and its binary attachments, which stay together. It is
// immutable once it has been sent.
type Message struct {
	text  []byte // with the packet type before it
	bin   [][]byte
	size  int64
	frame byte // a control frame's opcode, in place of a message; 0 if it is one

	// Control says that m is not counted, nor handed back if it is not sent.
	Control bool
	// Admitted says that MaxQueue does not apply to m; twice MaxQueue does.
	Admitted bool
	// Gate, if set, refuses m with [ErrClosed] once it is true. It is read under
	// the lock that orders the queue.
	Gate *atomic.Bool
	// Tag is the caller's.
	Tag any
}

// messageOverhead is what a queued message holds beside its bytes.
const messageOverhead = 96

// AppendType appends the packet type, with which the text of a message begins.
func AppendType(dst []byte) []byte { return append(dst, byte(eio.Message)) }

// NewMessage returns a message whose text begins with what [AppendType] appends.
// It keeps its arguments.
func NewMessage(text []byte, attachments [][]byte) Message {
	m := Message{text: text, bin: attachments}
	m.size = messageOverhead + int64(len(m.text))
	for _, b := range attachments {
		m.size += int64(len(b)) + 32
	}
	return m
}

// NewBinaryMessage returns a message that is one binary packet.
func NewBinaryMessage(data []byte) Message {
	return Message{bin: [][]byte{data}, size: messageOverhead + int64(len(data))}
}

// Size returns what m is counted as in a queue.
func (m *Message) Size() int64 { return m.size }

// largest returns the length of the largest packet.
func (m *Message) largest() int64 {
	n := len(m.text)
	for _, b := range m.bin {
		n = max(n, len(b))
	}
	return int64(n)
}

func packet(t eio.Type, data string) *Message {
	text := append([]byte{byte(t)}, data...)
	return &Message{text: text, size: messageOverhead + int64(len(text)), Control: true}
}

// messages counts those that are not Engine.IO's own.
func messages(list []*Message) (n uint64) {
	for _, m := range list {
		if !m.Control {
			n++
		}
	}
	return n
}

// The frames of RFC 6455, sections 5.2 and 11.8.
const (
	opText     = 0x1
	opBinary   = 0x2
	opClose    = 0x8
	opPong     = 0xa
	finalFrame = 0x80
	masked     = 0x80
)

// appendFrames appends m as WebSocket frames.
func (m *Message) appendFrames(dst []byte, v3 bool) []byte {
	switch {
	case m.frame != 0:
		dst = appendFrame(dst, m.frame, m.text)
	case m.text != nil:
		dst = appendFrame(dst, opText, m.text)
	}
	for _, b := range m.bin {
		if v3 {
			b = append([]byte{eio.BinaryMessageV3}, b...)
		}
		dst = appendFrame(dst, opBinary, b)
	}
	return dst
}

// appendFrame appends a masked frame, section 5.3.
func appendFrame(dst []byte, op byte, payload []byte) []byte {
	dst = append(dst, finalFrame|op)
	switch n := len(payload); {
	case n < 126:
		dst = append(dst, masked|byte(n))
	case n < 1<<16:
		dst = binary.BigEndian.AppendUint16(append(dst, masked|126), uint16(n))
	default:
		dst = binary.BigEndian.AppendUint64(append(dst, masked|127), uint64(n))
	}
	key := rand.Uint32()
	dst = binary.LittleEndian.AppendUint32(dst, key)
	from := len(dst)
	dst = append(dst, payload...)
	mask(dst[from:], key)
	return dst
}

// mask XORs b with the key, whose lowest byte is the first.
func mask(b []byte, key uint32) {
	wide := uint64(key)<<32 | uint64(key)
	for len(b) >= 8 {
		binary.LittleEndian.PutUint64(b, binary.LittleEndian.Uint64(b)^wide)
		b = b[8:]
	}
	for i := range b {
		b[i] ^= byte(key >> (8 * (i & 3)))
	}
}

// packets appends the packets of m as polling sends them.
func (m *Message) packets(dst [][]byte, v3 bool) [][]byte {
	if m.text != nil {
		dst = append(dst, m.text)
	}
	for _, b := range m.bin {
		if v3 {
			dst = append(dst, eio.AppendBinaryV3(nil, b))
		} else {
			dst = append(dst, eio.AppendBinary(nil, b))
		}
	}
	return dst
}
