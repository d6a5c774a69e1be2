package nats

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/socketio-go/socketio/adapter"
)

// The format, version 1. The subject says which servers a message is for:
//
//	socketio.<namespace>.all      every server that has the namespace
//	socketio.<namespace>.<name>   one of them, by the name of its member
//
// A message begins with its head:
//
//	version    1 byte: 1
//	kind       1 byte, see below
//	flags      1 byte: 1 volatile, 2 compress always, 4 compress never,
//	           8 close, 16 failed, 32 only
//	number     8 bytes, big-endian: counts what the sender sends to all servers
//	           of the namespace, from 1; 0 if it is not counted. In an announcement
//	           and a heartbeat it is that of the last message
//	sender     text: the name of its member, or "emitter-" and something unique
//
// A text is its length in bytes, as an unsigned varint, and its bytes. A list is its
// length and its elements. The barrier follows: what the sender sent before on the other
// way, the log or the subjects. It is two varints:
//
//	number     of the last entry that the sender has appended and not yet read,
//	           or 0; in the log, of its last message to all servers
//	position   of the last entry that it has appended and read, or 0
//
// Then follow the ID and the receivers. They begin with their length in bytes, a varint,
// so that they can be read without what follows:
//
//	id         text
//	rooms, except, targets: lists of texts
//
// The payload is last. It is not encoded again:
//
//	count      varint
//	timeout    varint, in nanoseconds
//	data       text: JSON
//	binary     list of texts: bytes that data refers to
//
// Announcements and heartbeats end after the sender. A message that is longer than NATS
// allows is sent in parts, which follow each other on its subject. Each part has the
// sender, its index from 0 as its number, and a piece of the message. The flag 1 marks
// the last part.
const version = 1

// The kinds on the wire. They never change.
var wireKinds = [...]byte{
	adapter.Broadcast:  wireBroadcast,
	adapter.Join:       2,
	adapter.Leave:      3,
	adapter.Disconnect: 4,
	adapter.Fetch:      5,
	adapter.Count:      6,
	adapter.Emit:       7,
	adapter.Clients:    8,
	adapter.Acked:      9,
	adapter.Fetched:    10,
	adapter.Emitted:    11,
	adapter.Reconnect:  12,
}

// wireBroadcast is the only kind of message in the log.
const wireBroadcast = 1

const (
	kindHello byte = 32 // an announcement: the sender has joined or reconnected; the response is kindAlive
	kindAlive byte = 33 // a heartbeat
	kindBye   byte = 34 // the sender leaves
	kindPart  byte = 35 // a piece of a message
	kindGap   byte = 36 // in the log: clients of the sender may have events that are not in the log
)

const (
	flagVolatile byte = 1 << iota
	flagCompressAlways
	flagCompressNever
	flagClose
	flagFailed
	flagOnly

	flagLast = flagVolatile // of a part
)

// emitterPrefix begins the name of an external sender.
const emitterPrefix = adapter.ExternalSender + "-"

// numberAt is the offset of a message's number, and headSize that of its sender.
const (
	numberAt = 3
	headSize = numberAt + 8
)

// setNumber sets the number of an encoded message.
func setNumber(message []byte, n uint64) {
	binary.BigEndian.PutUint64(message[numberAt:], n)
}

// appendHead appends the head of a message.
func appendHead(dst []byte, kind, flags byte, number uint64, sender string) []byte {
	dst = append(dst, version, kind, flags)
	dst = binary.BigEndian.AppendUint64(dst, number)
	return appendText(dst, sender)
}

// appendMessage appends m with the number 0.
func appendMessage(dst []byte, sender string, b barrier, m *adapter.Message) ([]byte, error) {
	if int(m.Kind) >= len(wireKinds) || wireKinds[m.Kind] == 0 {
		return nil, fmt.Errorf("socketio: nats: kind %d can't be sent", m.Kind)
	}
	if m.Count < 0 || m.Timeout < 0 {
		return nil, errors.New("socketio: nats: a negative count or timeout can't be sent")
	}
	var flags byte
	for i, set := range [...]bool{m.Volatile, m.Compress > 0, m.Compress < 0, m.Close, m.Failed, m.Only} {
		if set {
			flags |= 1 << i
		}
	}
	dst = appendHead(dst, wireKinds[m.Kind], flags, 0, sender)
	dst = binary.AppendUvarint(dst, b.number)
	dst = binary.AppendUvarint(dst, uint64(b.position))
	dst = binary.AppendUvarint(dst, uint64(addressSize(m)))
	dst = appendText(dst, m.ID)
	for _, list := range [...][]string{m.Rooms, m.Except, m.Targets} {
		dst = binary.AppendUvarint(dst, uint64(len(list)))
		for _, s := range list {
			dst = appendText(dst, s)
		}
	}
	dst = binary.AppendUvarint(dst, uint64(m.Count))
	dst = binary.AppendUvarint(dst, uint64(m.Timeout))
	dst = appendText(dst, m.Data)
	dst = binary.AppendUvarint(dst, uint64(len(m.Binary)))
	for _, b := range m.Binary {
		dst = appendText(dst, b)
	}
	return dst, nil
}

func appendText[S ~string | ~[]byte](dst []byte, s S) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(s))), s...)
}

// addressSize is the length of the id and the lists of m.
func addressSize(m *adapter.Message) int {
	n := textSize(len(m.ID))
	for _, list := range [...][]string{m.Rooms, m.Except, m.Targets} {
		n += varintSize(len(list))
		for _, s := range list {
			n += textSize(len(s))
		}
	}
	return n
}

// messageSize returns an upper bound of the length of m encoded.
func messageSize(m *adapter.Message) int {
	n := headSize + textSize(maxName) + 6*binary.MaxVarintLen64 + addressSize(m) + textSize(len(m.Data))
	for _, b := range m.Binary {
		n += textSize(len(b))
	}
	return n
}

func textSize(n int) int { return varintSize(n) + n }

func varintSize(n int) int {
	size := 1
	for ; n >= 1<<7; n >>= 7 {
		size++
	}
	return size
}

var (
	errVersion = errors.New("socketio: nats: not a message of a version that is known")
	errSender  = errors.New("socketio: nats: a message without a proper sender")
	errKind    = errors.New("socketio: nats: a message of an unknown kind")
	errFlags   = errors.New("socketio: nats: a message with unknown flags")
	errFormat  = errors.New("socketio: nats: a message with wrong lengths")
)

// A head is the beginning of every message. It aliases the message.
type head struct {
	kind, flags byte
	number      uint64
	sender      []byte
	barrier     barrier
	rest        []byte // the rest of the message
}

// A barrier says what of the sender has to be handled before a message, on the other
// way.
type barrier struct {
	number   uint64 // of the sender's last entry or message, or 0
	position int64  // of the sender's last entry that it has read, or 0
}

// isMessage reports whether a kind is delivered to servers.
func isMessage(kind byte) bool { return kind < kindHello }

func decodeHead(b []byte) (h head, err error) {
	if len(b) == 0 || b[0] != version {
		return h, errVersion
	}
	if len(b) < headSize {
		return h, errFormat
	}
	h.kind, h.flags, h.number = b[1], b[2], binary.BigEndian.Uint64(b[numberAt:])
	r := reader[[]byte]{rest: b[headSize:]}
	h.sender = r.text()
	if r.failed || !validName(h.sender) {
		return h, errSender
	}
	if isMessage(h.kind) {
		h.barrier.number = r.varint()
		position := r.varint()
		if r.failed || position > math.MaxInt64 {
			return h, errFormat
		}
		h.barrier.position = int64(position)
	}
	h.rest = r.rest
	return h, nil
}

// A decoder decodes messages one after another.
type decoder struct {
	m      adapter.Message
	sender string // of the last message, so that a repeated name is not allocated again
}

// decode returns the message with the head h. It aliases the same memory as h, and is
// valid until the next call. What it allocates is bounded by the length of h.rest.
func (d *decoder) decode(h head) (*adapter.Message, error) {
	if d.sender != string(h.sender) {
		d.sender = string(h.sender)
	}
	m := &d.m
	*m = adapter.Message{
		From: d.sender, Seq: h.number,
		Rooms: m.Rooms[:0], Except: m.Except[:0], Targets: m.Targets[:0], Binary: m.Binary[:0],
	}
	for kind, wire := range wireKinds {
		if wire == h.kind && wire != 0 {
			m.Kind = adapter.Kind(kind)
		}
	}
	if m.Kind == 0 {
		return nil, errKind
	}
	if strings.HasPrefix(m.From, emitterPrefix) {
		m.From = adapter.ExternalSender
	}
	if err := d.flags(h.flags); err != nil {
		return nil, err
	}
	r := reader[[]byte]{rest: h.rest}
	address := reader[string]{rest: string(r.text())} // one allocation for all texts of the address
	m.ID = address.text()
	m.Rooms = address.list(m.Rooms)
	m.Except = address.list(m.Except)
	m.Targets = address.list(m.Targets)
	count, timeout := r.varint(), r.varint()
	m.Data = r.text()
	m.Binary = r.list(m.Binary)
	if r.failed || address.failed || len(r.rest)+len(address.rest) > 0 || count > math.MaxInt || timeout > math.MaxInt64 {
		return nil, errFormat
	}
	m.Count, m.Timeout = int(count), time.Duration(timeout)
	return m, nil
}

func (d *decoder) flags(flags byte) error {
	const compress = flagCompressAlways | flagCompressNever
	if flags >= flagOnly<<1 || flags&compress == compress {
		return errFlags
	}
	d.m.Volatile, d.m.Close, d.m.Failed = flags&flagVolatile != 0, flags&flagClose != 0, flags&flagFailed != 0
	d.m.Only = flags&flagOnly != 0
	switch flags & compress {
	case flagCompressAlways:
		d.m.Compress = adapter.CompressAlways
	case flagCompressNever:
		d.m.Compress = adapter.CompressNever
	}
	return nil
}

// keptElements bounds the lists that a decoder keeps for the next message.
const keptElements = 1024

// release drops references to the last message.
func (d *decoder) release() {
	m := &d.m
	clear(m.Binary)
	if max(cap(m.Rooms), cap(m.Except), cap(m.Targets), cap(m.Binary)) > keptElements {
		*m = adapter.Message{}
	}
}

// A reader decodes a message.
type reader[S ~string | ~[]byte] struct {
	rest   S
	failed bool
}

func (r *reader[S]) varint() uint64 {
	var v uint64
	for i := range min(len(r.rest), binary.MaxVarintLen64) {
		c := r.rest[i]
		if i == binary.MaxVarintLen64-1 && c > 1 {
			break
		}
		v |= uint64(c&0x7f) << (7 * i)
		if c < 0x80 {
			r.rest = r.rest[i+1:]
			return v
		}
	}
	return r.fail()
}

func (r *reader[S]) fail() uint64 {
	r.failed = true
	r.rest = r.rest[:0]
	return 0
}

func (r *reader[S]) text() S {
	n := r.varint()
	if n > uint64(len(r.rest)) {
		n = r.fail()
	}
	s := r.rest[:n]
	r.rest = r.rest[n:]
	return s
}

// list appends a list to dst.
func (r *reader[S]) list(dst []S) []S {
	n := r.varint()
	if n > uint64(len(r.rest)) { // each element has a length of at least one byte
		n = r.fail()
	}
	for range n {
		dst = append(dst, r.text())
	}
	return dst
}
