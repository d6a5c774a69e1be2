// Package sio encodes and decodes the packets of Socket.IO protocol 5, sections
// "Exchange protocol" and "Packet encoding" of its text. It is pure: bytes in,
// values out. Arguments are checked and separated but stay raw JSON, and
// nothing is ever allocated by a number that came from the wire.
package sio

import (
	"errors"
	"fmt"
	"math"
)

// Type is the kind of a packet; its digit on the wire is '0' + Type.
type Type byte

// The packet types of protocol 5.
const (
	Connect      Type = iota // joins a namespace, or the answer to that
	Disconnect               // leaves a namespace
	Event                    // a name and arguments
	Ack                      // the answer to an event that has an id
	ConnectError             // a namespace was refused
	BinaryEvent              // an Event whose binary parts follow
	BinaryAck                // an Ack whose binary parts follow
)

var typeNames = [...]string{
	"CONNECT", "DISCONNECT", "EVENT", "ACK", "CONNECT_ERROR", "BINARY_EVENT", "BINARY_ACK",
}

// String returns the protocol's name of t.
func (t Type) String() string {
	if t > BinaryAck {
		return fmt.Sprintf("Type(%d)", byte(t))
	}
	return typeNames[t]
}

// Errors of malformed packets, wrapped with the place where there is one. Each
// of them ends the connection the packet came in by.
var (
	ErrType        = errors.New("socket.io: unknown packet type")
	ErrAttachments = errors.New("socket.io: illegal attachments")
	ErrID          = errors.New("socket.io: ack id out of range")
	ErrPayload     = errors.New("socket.io: invalid payload")
	ErrDepth       = errors.New("socket.io: payload nested too deeply")
	ErrArgs        = errors.New("socket.io: too many arguments")
	ErrName        = errors.New("socket.io: invalid event name")
)

// MaxID is the greatest ack id: JavaScript cannot count further exactly.
const MaxID = 1<<53 - 1

// The limits that apply where [Limits] has zeros.
const (
	DefaultAttachments = 10
	DefaultDepth       = 512
	DefaultArgs        = 4096
)

// Limits bounds what a packet may ask of the decoder.
type Limits struct {
	Attachments int // binary parts of one packet; zero means 10
	Depth       int // nesting of the payload, itself included; zero means 512
	Args        int // arguments of one event or ack; zero means 4096

	// Literal says that the packet does not come from the wire but from within
	// the library: an object with an escape in its "_placeholder" is data.
	Literal bool
}

func (l Limits) withDefaults() Limits {
	if l.Attachments == 0 {
		l.Attachments = DefaultAttachments
	}
	l.Attachments = min(l.Attachments, math.MaxInt32) // room to add a digit
	if l.Depth == 0 {
		l.Depth = DefaultDepth
	}
	if l.Args == 0 {
		l.Args = DefaultArgs
	}
	return l
}

// Packet is one decoded packet. What it holds aliases the decoded text, and
// the array of Args is used again by the next Decode.
type Packet struct {
	Type        Type     // BinaryEvent and BinaryAck are reported as they came
	Namespace   []byte   // "/" when absent; a query string is left in place
	ID          int64    // the ack id, -1 when absent
	Attachments int      // binary parts that follow
	Data        []byte   // JSON payload without white space around it, nil when absent
	Name        []byte   // of an event, unquoted; a numeric name is its literal
	Args        [][]byte // of an event or ack, each argument's raw JSON
}

// Decode decodes the text part of a packet into p, replacing what p held. The
// text must be valid UTF-8, which the layer below has checked. After an error
// p holds nothing of use. An EVENT or ACK without payload is accepted, as
// other servers do; it has no Name.
//
// Whatever a peer can get wrong inside one packet is an error here, so that it
// need not be checked again: lone or surplus text, payloads of the wrong kind,
// reserved event names, and placeholders in binary packets that name no
// attachment, at any depth but inside other placeholders.
func (p *Packet) Decode(b []byte, lim Limits) error {
	lim = lim.withDefaults()
	*p = Packet{ID: -1, Args: p.Args[:0]}

	payload, err := p.decodeHeader(b, lim)
	if err != nil {
		return err
	}
	start := len(b) - len(payload)
	if len(payload) == 0 {
		switch p.Type {
		case ConnectError, BinaryEvent, BinaryAck:
			return fmt.Errorf("%w: %s has none", ErrPayload, p.Type)
		}
		return nil
	}

	s := scanner{depth: lim.Depth, maxArgs: lim.Args, attachments: noAttachments, literal: lim.Literal, args: p.Args}
	switch p.Type {
	case Disconnect:
		return fmt.Errorf("%w: DISCONNECT has one", ErrPayload)
	case Connect:
		s.want = wantObject
	case ConnectError:
		s.want = wantObject | wantString
	case Event, BinaryEvent:
		s.want, s.split, s.named = wantArray, true, true
	case Ack, BinaryAck:
		s.want, s.split = wantArray, true
	}
	if p.Type == BinaryEvent || p.Type == BinaryAck {
		s.attachments = p.Attachments
	}
	from, to, err := s.scan(payload)
	if err != nil {
		return position(err, start+to)
	}
	p.Data, p.Args = payload[from:to:to], s.args
	if s.named {
		return p.setName(s.name)
	}
	return nil
}

// decodeHeader decodes what stands before the payload and returns the payload.
func (p *Packet) decodeHeader(b []byte, lim Limits) (payload []byte, err error) {
	if len(b) == 0 {
		return nil, ErrType
	}
	p.Type = Type(b[0] - '0')
	if p.Type > BinaryAck {
		return nil, ErrType
	}
	i := 1

	if p.Type == BinaryEvent || p.Type == BinaryAck {
		var n int64 // compared at each digit, so that it cannot overflow
		for ; isDigit(at(b, i)); i++ {
			if n = n*10 + int64(b[i]-'0'); n > int64(lim.Attachments) {
				return nil, fmt.Errorf("%w: more than %d", ErrAttachments, lim.Attachments)
			}
		}
		if n == 0 || at(b, i) != '-' {
			return nil, fmt.Errorf("%w: no count", ErrAttachments)
		}
		p.Attachments = int(n)
		i++
	}

	p.Namespace = rootNamespace
	if at(b, i) == '/' {
		from := i
		for i < len(b) && b[i] != ',' {
			i++
		}
		p.Namespace = b[from:i:i]
		if i < len(b) {
			i++
		}
	}

	if isDigit(at(b, i)) {
		p.ID = 0
		for ; isDigit(at(b, i)); i++ {
			p.ID = p.ID*10 + int64(b[i]-'0')
			if p.ID > MaxID {
				return nil, ErrID
			}
		}
		// Only events and acks are about an id; Node ignores others.
		switch p.Type {
		case Connect, Disconnect, ConnectError:
			p.ID = -1
		}
	}
	return b[i:], nil
}

// rootNamespace is shared by all packets, and has no room to append to.
var rootNamespace = []byte("/")[:1:1]

func isDigit(c byte) bool { return '0' <= c && c <= '9' }
