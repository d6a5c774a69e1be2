// Package msgpack transcodes between JSON with placeholders for its binary
// parts, as Socket.IO packets have it, and MessagePack, as the JavaScript
// library notepack writes it: undefined is fixext 1 of type 0, a Date is
// fixext 8 of type 0, an ArrayBuffer is an ext of type 0. It is pure: bytes in,
// bytes out.
package msgpack

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"strconv"
	"unicode/utf8"

	"github.com/socketio-go/socketio/internal/sio"
)

// Errors of malformed input.
var (
	ErrJSON  = errors.New("msgpack: invalid JSON")
	ErrShort = errors.New("msgpack: unexpected end")
	ErrType  = errors.New("msgpack: unknown type")
	ErrKey   = errors.New("msgpack: map key is not a string")
	ErrDepth = errors.New("msgpack: nested too deeply")

	ErrAttachments = errors.New("msgpack: too many binary parts")
	ErrRepeated    = errors.New("msgpack: binary data that occurs more than once is too large to be repeated")
)

// AppendJSON appends one JSON value as MessagePack, with attachments in place
// of their placeholders. raw must be valid JSON. The error is [ErrRepeated] if
// attachments that occur more than once would make the result much larger than
// what it is made of.
func AppendJSON(dst, raw []byte, attachments [][]byte) ([]byte, error) {
	e := encoder{raw: raw, attachments: attachments, counts: count(raw)}
	if len(attachments) > 0 {
		var finder sio.Finder
		e.marks = finder.Find(raw)
		repeated := -size(attachments)
		for _, m := range e.marks {
			if m.Num < len(attachments) {
				repeated += len(attachments[m.Num])
			}
		}
		if repeated > sio.MaxRepeated {
			return nil, ErrRepeated
		}
	}
	dst, err := e.value(dst)
	if err != nil {
		return nil, err
	}
	if e.space(); e.i != len(e.raw) {
		return nil, ErrJSON
	}
	return dst, nil
}

func size(attachments [][]byte) (n int) {
	for _, b := range attachments {
		n += len(b)
	}
	return n
}

// count returns how many elements each array and object has, in the order in
// which they open. MessagePack wants to know before the first element, and has
// 32 bits for it.
func count(raw []byte) (counts []uint32) {
	var few [16]uint32
	open := few[:0] // indices of counts
	for i := 0; i < len(raw); i++ {
		c := raw[i]
		switch c {
		case ' ', '\n', '\t', '\r':
			continue
		case ']', '}':
			open = open[:max(0, len(open)-1)]
			continue
		case '"':
			i = endOfString(raw, i) - 1
		}
		if n := len(open); n > 0 && (c == ',' || counts[open[n-1]] == 0) {
			counts[open[n-1]]++
		}
		if c == '[' || c == '{' {
			open = append(open, uint32(len(counts)))
			counts = append(counts, 0)
		}
	}
	return counts
}

// endOfString returns where the string that begins at i ends.
func endOfString(raw []byte, i int) int {
	for i++; i < len(raw); i++ {
		switch raw[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(raw)
}

// An encoder reads JSON.
type encoder struct {
	raw         []byte
	i           int
	attachments [][]byte
	marks       []sio.Mark // the placeholders that are still to come
	counts      []uint32   // of what is still to come
}

func (e *encoder) space() {
	for e.i < len(e.raw) && (e.raw[e.i] == ' ' || e.raw[e.i] == '\n' || e.raw[e.i] == '\t' || e.raw[e.i] == '\r') {
		e.i++
	}
}

// next skips space and returns the next byte, or 0.
func (e *encoder) next() byte {
	e.space()
	if e.i == len(e.raw) {
		return 0
	}
	return e.raw[e.i]
}

func (e *encoder) value(dst []byte) ([]byte, error) {
	switch c := e.next(); c {
	case '{':
		return e.object(dst)
	case '[':
		return e.array(dst)
	case '"':
		s, err := e.text()
		return AppendString(dst, s), err
	case 'n':
		return append(dst, 0xc0), e.skip("null")
	case 't':
		return append(dst, 0xc3), e.skip("true")
	case 'f':
		return append(dst, 0xc2), e.skip("false")
	default:
		return e.number(dst)
	}
}

func (e *encoder) skip(word string) error {
	if len(e.raw)-e.i < len(word) || string(e.raw[e.i:e.i+len(word)]) != word {
		return ErrJSON
	}
	e.i += len(word)
	return nil
}

func (e *encoder) array(dst []byte) ([]byte, error) {
	n := e.open()
	dst = AppendArray(dst, n)
	return e.members(dst, n, ']', e.value)
}

func (e *encoder) object(dst []byte) ([]byte, error) {
	if b, ok := e.placeholder(); ok {
		return AppendBytes(dst, b), nil
	}
	n := e.open()
	dst = AppendMap(dst, n)
	return e.members(dst, n, '}', func(dst []byte) ([]byte, error) {
		if e.next() != '"' {
			return nil, ErrJSON
		}
		key, err := e.text()
		if err != nil {
			return nil, err
		}
		if e.next() != ':' {
			return nil, ErrJSON
		}
		e.i++
		return e.value(AppendString(dst, key))
	})
}

// open skips an opening bracket and returns how many elements follow.
func (e *encoder) open() (n int) {
	e.i++
	n, e.counts = int(e.counts[0]), e.counts[1:]
	return n
}

// members appends n elements, up to a closing bracket.
func (e *encoder) members(dst []byte, n int, end byte, member func([]byte) ([]byte, error)) (_ []byte, err error) {
	for i := range n {
		if i > 0 {
			if e.next() != ',' {
				return nil, ErrJSON
			}
			e.i++
		}
		if dst, err = member(dst); err != nil {
			return nil, err
		}
	}
	if e.next() != end {
		return nil, ErrJSON
	}
	e.i++
	return dst, nil
}

// placeholder reads an object that stands for an attachment.
func (e *encoder) placeholder() ([]byte, bool) {
	if len(e.marks) == 0 || e.marks[0].From != e.i {
		return nil, false
	}
	m := e.marks[0]
	e.marks = e.marks[1:]
	if m.Num >= len(e.attachments) {
		return nil, false
	}
	e.counts = e.counts[len(count(e.raw[m.From:m.To])):]
	e.i = m.To
	return e.attachments[m.Num], true
}

// text reads a string. It may alias the input.
func (e *encoder) text() ([]byte, error) {
	start := e.i
	e.i = endOfString(e.raw, start)
	if e.i < start+2 || e.raw[e.i-1] != '"' {
		return nil, ErrJSON
	}
	inside := e.raw[start+1 : e.i-1]
	if bytes.IndexByte(inside, '\\') < 0 {
		return inside, nil
	}
	return unquote(inside)
}

// unquote resolves the escapes of a string's inside.
func unquote(raw []byte) ([]byte, error) {
	out := make([]byte, 0, len(raw))
	for i := 0; i < len(raw); i++ {
		c := raw[i]
		if c != '\\' {
			out = append(out, c)
			continue
		}
		if i++; i == len(raw) {
			return nil, ErrJSON
		}
		switch c := raw[i]; c {
		case '"', '\\', '/':
			out = append(out, c)
		case 'b':
			out = append(out, '\b')
		case 'f':
			out = append(out, '\f')
		case 'n':
			out = append(out, '\n')
		case 'r':
			out = append(out, '\r')
		case 't':
			out = append(out, '\t')
		case 'u':
			r, n := escapedRune(raw[i-1:])
			if n == 0 {
				return nil, ErrJSON
			}
			out = utf8.AppendRune(out, r)
			i += n - 2
		default:
			return nil, ErrJSON
		}
	}
	return out, nil
}

// escapedRune decodes \uXXXX, or two of them that are a surrogate pair, and
// returns how many bytes it took, or 0. A lone surrogate is U+FFFD.
func escapedRune(b []byte) (rune, int) {
	unit := func(b []byte) (uint64, bool) {
		if len(b) < 6 || b[0] != '\\' || b[1] != 'u' {
			return 0, false
		}
		u, err := strconv.ParseUint(string(b[2:6]), 16, 16)
		return u, err == nil
	}
	first, ok := unit(b)
	switch {
	case !ok:
		return 0, 0
	case first&0xfc00 == 0xd800:
		if second, ok := unit(b[6:]); ok && second&0xfc00 == 0xdc00 {
			return rune(0x10000 + (first&0x3ff)<<10 + second&0x3ff), 12
		}
	}
	return rune(first), 6 // AppendRune replaces a surrogate
}

func (e *encoder) number(dst []byte) ([]byte, error) {
	start := e.i
	for e.i < len(e.raw) {
		c := e.raw[e.i]
		if (c < '0' || c > '9') && c != '-' && c != '+' && c != '.' && c != 'e' && c != 'E' {
			break
		}
		e.i++
	}
	literal := string(e.raw[start:e.i])
	if n, err := strconv.ParseInt(literal, 10, 64); err == nil && literal != "-0" {
		return AppendInt(dst, n), nil
	}
	if n, err := strconv.ParseUint(literal, 10, 64); err == nil {
		return binary.BigEndian.AppendUint64(append(dst, 0xcf), n), nil
	}
	f, err := strconv.ParseFloat(literal, 64)
	if err != nil && !math.IsInf(f, 0) {
		return nil, ErrJSON
	}
	return binary.BigEndian.AppendUint64(append(dst, 0xcb), math.Float64bits(f)), nil
}
