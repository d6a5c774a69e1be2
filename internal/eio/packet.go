// Package eio encodes and decodes the packets and payloads of Engine.IO
// protocol 4, sections "Packet encoding" and "Handshake" of its text, and those
// of protocol 3. It is pure: bytes in, values out, and nothing is allocated to
// decode them.
package eio

import (
	"encoding/base64"
	"errors"
	"fmt"
	"unicode/utf8"
)

// Type is the kind of a packet, as the digit it has on the wire.
type Type byte

// The packet types of protocol 4.
const (
	Open    Type = '0' + iota // handshake, by the server
	Close                     // end of a polling session
	Ping                      // heartbeat, by the server; or "2probe" by the client
	Pong                      // answer to Ping
	Message                   // what the layer above sends
	Upgrade                   // the client moves to the transport it has probed
	Noop                      // ends a poll that has nothing to say
)

var typeNames = [...]string{"open", "close", "ping", "pong", "message", "upgrade", "noop"}

// String returns the protocol's name of t.
func (t Type) String() string {
	if t < Open || t > Noop {
		return fmt.Sprintf("Type(%q)", rune(t))
	}
	return typeNames[t-Open]
}

// Errors of malformed input. Each of them ends the session it came in by.
var (
	ErrEmpty  = errors.New("engine.io: empty packet")
	ErrType   = errors.New("engine.io: unknown packet type")
	ErrBase64 = errors.New("engine.io: invalid base64")
	ErrUTF8   = errors.New("engine.io: invalid UTF-8")
	ErrLength = errors.New("engine.io: invalid packet length")
	ErrForm   = errors.New("engine.io: invalid form")
)

// Packet is one decoded packet.
type Packet struct {
	Type   Type
	Binary bool   // a binary message; Type is Message
	Data   []byte // what follows the type; aliases the input
}

// binaryPrefix marks a binary message where only text can travel.
const binaryPrefix = 'b'

// Decode decodes one text packet such as "4hello", "2probe" or "bAQID". Base64
// is decoded in place, so it overwrites b. Which packets a peer may send at a
// given moment is for the caller to judge.
func Decode(b []byte) (Packet, error) {
	if len(b) == 0 {
		return Packet{}, ErrEmpty
	}
	if b[0] == binaryPrefix {
		return decodeBase64(b[1:])
	}
	return decodeText(b)
}

// decodeText decodes a packet that is not binary. b is not empty.
func decodeText(b []byte) (Packet, error) {
	if !utf8.Valid(b) {
		return Packet{}, ErrUTF8
	}
	t := Type(b[0])
	if t < Open || t > Noop {
		return Packet{}, ErrType
	}
	return Packet{Type: t, Data: b[1:len(b):len(b)]}, nil
}

// decodeBase64 decodes the content of a binary message in place: a decoder
// never writes beyond what it has read. Line breaks are skipped, because the
// Java client sends them.
func decodeBase64(data []byte) (Packet, error) {
	n, err := base64.StdEncoding.Decode(data, data)
	if err != nil {
		return Packet{}, ErrBase64
	}
	return Packet{Type: Message, Binary: true, Data: data[:n:n]}, nil
}

// AppendBinary appends data as a text packet: 'b' and padded standard base64.
func AppendBinary(dst, data []byte) []byte {
	return base64.StdEncoding.AppendEncode(append(dst, binaryPrefix), data)
}
