package eio

import (
	"encoding/base64"
	"strconv"
	"unicode/utf8"
)

// Framing is how the packets of a polling payload are separated.
type Framing uint8

// The framings. Binary messages are base64 but in the last.
const (
	// Separated is protocol 4: a [Separator] between the packets.
	Separated Framing = iota
	// Counted is protocol 3: a packet comes after its length in UTF-16 code
	// units and a colon.
	Counted
	// CountedBinary is protocol 3 with binary data as it is: a packet comes
	// after 0 if it is text or 1 if it is binary, the digits of its length in
	// bytes as a byte each, and 0xff.
	CountedBinary
)

const (
	endOfText   = ':'  // of the length in Counted
	endOfBinary = 0xff // of the length in CountedBinary
	textKind    = 0
	binaryKind  = 1
)

// Append appends a text packet to a payload. The packet must be valid UTF-8.
func (f Framing) Append(payload, packet []byte) []byte {
	switch f {
	case Counted:
		payload = strconv.AppendInt(payload, int64(units(packet)), 10)
		payload = append(payload, endOfText)
	case CountedBinary:
		payload = appendLength(append(payload, textKind), len(packet))
	default:
		payload = separate(payload)
	}
	return append(payload, packet...)
}

// AppendBinary appends a binary message to a payload.
func (f Framing) AppendBinary(payload, data []byte) []byte {
	switch f {
	case Counted:
		n := len("b4") + base64.StdEncoding.EncodedLen(len(data))
		payload = strconv.AppendInt(payload, int64(n), 10)
		return AppendBinaryV3(append(payload, endOfText), data)
	case CountedBinary:
		payload = appendLength(append(payload, binaryKind), 1+len(data))
		return append(append(payload, BinaryMessageV3), data...)
	default:
		return AppendBinary(separate(payload), data)
	}
}

// Next decodes the first packet of a payload and returns what follows it, nil
// after the last packet. An empty payload and an empty packet are [ErrEmpty].
// Like [Decode] it works in place and overwrites base64.
//
// A length is compared with what is there at each of its digits, so that it
// costs no more than it is long, and nothing is ever done by its value.
func (f Framing) Next(payload []byte) (p Packet, rest []byte, err error) {
	if f == Separated {
		return Next(payload)
	}
	if len(payload) == 0 {
		return Packet{}, nil, ErrEmpty
	}
	if f == Counted {
		p, rest, err = nextCounted(payload)
	} else {
		p, rest, err = nextBinary(payload)
	}
	switch {
	case err != nil:
		return Packet{}, nil, err
	case len(rest) == 0:
		return p, nil, nil
	}
	return p, rest, nil
}

func nextCounted(payload []byte) (p Packet, rest []byte, err error) {
	n, rest, err := cutLength(payload, '0', endOfText)
	if err != nil {
		return p, nil, err
	}
	size, err := bytesOf(rest, n)
	if err != nil {
		return p, nil, err
	}
	p, err = DecodeV3(rest[:size:size])
	return p, rest[size:], err
}

func nextBinary(payload []byte) (p Packet, rest []byte, err error) {
	kind := payload[0]
	if kind > binaryKind {
		return p, nil, ErrType
	}
	n, rest, err := cutLength(payload[1:], 0, endOfBinary)
	switch {
	case err != nil:
		return p, nil, err
	case n > len(rest):
		return p, nil, ErrLength
	case kind == textKind:
		p, err = DecodeV3(rest[:n:n])
	default:
		p, err = DecodeBinaryV3(rest[:n:n])
	}
	return p, rest[n:], err
}

// cutLength cuts a number off, written with digits counted from zero and
// without zeros before it. It is never greater than b is long.
func cutLength(b []byte, zero, end byte) (n int, rest []byte, err error) {
	var length int64 // compared at each digit, so that it cannot overflow
	for i, c := range b {
		if c == end && i > 0 {
			return int(length), b[i+1:], nil
		}
		digit := c - zero // wraps if c is less
		if digit > 9 || i > 0 && length == 0 {
			break
		}
		if length = length*10 + int64(digit); length > int64(len(b)) {
			break
		}
	}
	return 0, nil, ErrLength
}

// bytesOf returns how many bytes the first n UTF-16 code units of b take.
func bytesOf(b []byte, n int) (size int, err error) {
	for ; n > 0; n-- {
		if size == len(b) {
			return 0, ErrLength
		}
		if b[size] < utf8.RuneSelf {
			size++
			continue
		}
		_, width := utf8.DecodeRune(b[size:])
		switch width {
		case 1:
			return 0, ErrUTF8
		case 4: // a surrogate pair
			n--
		}
		size += width
	}
	if n < 0 {
		return 0, ErrLength // half a pair
	}
	return size, nil
}

// units counts the UTF-16 code units of valid UTF-8.
func units(b []byte) int {
	n := 0
	for _, c := range b {
		if utf8.RuneStart(c) {
			n++
		}
		if c >= 0xf0 { // of four bytes: a surrogate pair
			n++
		}
	}
	return n
}

// appendLength appends the digits of n as numbers, and their end.
func appendLength(dst []byte, n int) []byte {
	from := len(dst)
	dst = strconv.AppendInt(dst, int64(n), 10)
	for i := range dst[from:] {
		dst[from+i] -= '0'
	}
	return append(dst, endOfBinary)
}

func separate(payload []byte) []byte {
	if len(payload) > 0 {
		payload = append(payload, Separator)
	}
	return payload
}
