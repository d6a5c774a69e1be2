// Package msgpack transcodes between JSON with placeholders for its binary
// parts, as Socket.IO packets have it, and MessagePack, as the JavaScript
// library notepack writes it: undefined is fixext 1 of type 0, a Date is
// fixext 8 of type 0, an ArrayBuffer is an ext of type 0. It is pure: bytes in,
// bytes out.
package msgpack

import (
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
)

// AppendJSON appends one JSON value as MessagePack, with attachments in place
// of their placeholders. raw must be valid JSON.
func AppendJSON(dst, raw []byte, attachments [][]byte) ([]byte, error) {
	e := encoder{raw: raw, attachments: attachments}
	dst, err := e.value(dst)
	if err != nil {
		return nil, err
	}
	if e.space(); e.i != len(e.raw) {
		return nil, ErrJSON
	}
	return dst, nil
}

// An encoder reads JSON.
type encoder struct {
	raw         []byte
	i           int
	attachments [][]byte
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

// members appends the elements of an array or object behind a header whose
// count is put in when it is known.
func (e *encoder) members(dst []byte, end byte, member func([]byte) ([]byte, error), header func([]byte, int) []byte) ([]byte, error) {
	const room = 5 // the longest header
	start := len(dst)
	dst = append(dst, make([]byte, room)...)
	e.i++ // the opening bracket
	n := 0
	for e.next() != end {
		if n > 0 {
			if e.next() != ',' {
				return nil, ErrJSON
			}
			e.i++
		}
		var err error
		if dst, err = member(dst); err != nil {
			return nil, err
		}
		n++
	}
	e.i++
	var buf [room]byte
	h := header(buf[:0], n)
	copy(dst[start:], h)
	return append(dst[:start+len(h)], dst[start+room:]...), nil
}

func (e *encoder) array(dst []byte) ([]byte, error) {
	return e.members(dst, ']', e.value, AppendArray)
}

func (e *encoder) object(dst []byte) ([]byte, error) {
	if len(e.attachments) > 0 {
		if b, ok := e.placeholder(); ok {
			return AppendBytes(dst, b), nil
		}
	}
	return e.members(dst, '}', func(dst []byte) ([]byte, error) {
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
	}, AppendMap)
}

// placeholder reads an object that stands for an attachment. Such an object has
// no object inside.
func (e *encoder) placeholder() ([]byte, bool) {
	for i := e.i + 1; i < len(e.raw); i++ {
		switch e.raw[i] {
		case '{':
			return nil, false
		case '"':
			for i++; i < len(e.raw) && e.raw[i] != '"'; i++ {
				if e.raw[i] == '\\' {
					i++
				}
			}
		case '}':
			num, ok := sio.Placeholder(e.raw[e.i : i+1])
			if !ok || num >= len(e.attachments) {
				return nil, false
			}
			e.i = i + 1
			return e.attachments[num], true
		}
	}
	return nil, false
}

// text reads a string.
func (e *encoder) text() (string, error) {
	start := e.i
	escaped := false
	for i := e.i + 1; i < len(e.raw); i++ {
		switch e.raw[i] {
		case '\\':
			escaped = true
			i++
		case '"':
			e.i = i + 1
			if !escaped {
				return string(e.raw[start+1 : i]), nil
			}
			return unquote(e.raw[start+1 : i])
		}
	}
	return "", ErrJSON
}

// unquote resolves the escapes of a string's inside.
func unquote(raw []byte) (string, error) {
	out := make([]byte, 0, len(raw))
	for i := 0; i < len(raw); i++ {
		c := raw[i]
		if c != '\\' {
			out = append(out, c)
			continue
		}
		if i++; i == len(raw) {
			return "", ErrJSON
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
				return "", ErrJSON
			}
			out = utf8.AppendRune(out, r)
			i += n - 2
		default:
			return "", ErrJSON
		}
	}
	return string(out), nil
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
