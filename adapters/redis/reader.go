package redis

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"strconv"
	"unicode/utf8"

	"github.com/socketio-go/socketio/internal/msgpack"
	"github.com/socketio-go/socketio/internal/sio"
)

// A reader reads JSON or MessagePack, value after value, and decodes only what is asked
// for. What it returns aliases its input. After an error it returns zero values.
type reader struct {
	b    []byte // what is left to read
	pack bool   // MessagePack
	err  error
}

// The kinds of container.
const (
	list   = '['
	object = '{'
)

var (
	errTruncated = errors.New("unexpected end")
	errSyntax    = errors.New("invalid JSON")
	errKind      = errors.New("a value of another kind was expected")
)

func (r *reader) fail(err error) {
	if r.err == nil {
		r.err = err
	}
	r.b = nil
}

// skip returns the raw bytes of the next value. It does not validate JSON; it only finds
// the end.
func (r *reader) skip() []byte {
	if r.err != nil {
		return nil
	}
	if r.pack {
		d := msgpack.Decoder{Data: r.b}
		raw, err := d.Skip()
		if err != nil {
			r.fail(err)
			return nil
		}
		r.b = d.Data
		return raw
	}
	r.space()
	n := endOfValue(r.b)
	if n == 0 {
		r.fail(errTruncated)
		return nil
	}
	raw := r.b[:n:n]
	r.b = r.b[n:]
	return raw
}

func (r *reader) space() {
	for len(r.b) > 0 && (r.b[0] == ' ' || r.b[0] == '\n' || r.b[0] == '\t' || r.b[0] == '\r') {
		r.b = r.b[1:]
	}
}

// next returns the first byte of the next value, or 0.
func (r *reader) next() byte {
	if !r.pack {
		r.space()
	}
	if len(r.b) == 0 {
		return 0
	}
	return r.b[0]
}

// endOfValue returns the length of the JSON value that b begins with, or 0.
func endOfValue(b []byte) int {
	depth := 0
	for i := 0; i < len(b); i++ {
		switch b[i] {
		case '"':
			if i = endOfString(b, i); i < 0 {
				return 0
			}
		case '[', '{':
			depth++
		case ']', '}':
			if depth--; depth < 0 {
				return i // after a scalar
			}
		case ',', ':', ' ', '\n', '\t', '\r':
			if depth == 0 {
				return i
			}
			continue
		default:
			if depth == 0 && i+1 == len(b) {
				return i + 1
			}
			continue
		}
		if depth == 0 {
			return i + 1
		}
	}
	return 0
}

// endOfString returns the index of the quote that ends the string that begins
// at i, or -1.
func endOfString(b []byte, i int) int {
	for i++; ; i++ {
		n := bytes.IndexByte(b[i:], '"')
		if n < 0 {
			return -1
		}
		i += n
		escapes := 0
		for b[i-escapes-1] == '\\' {
			escapes++ // ends at the opening quote
		}
		if escapes%2 == 0 {
			return i
		}
	}
}

// null reports whether the next value is null, nil or undefined, and skips it if
// it is.
func (r *reader) null() bool {
	switch c := r.next(); {
	case r.pack && (c == 0xc0 || c == 0xd4):
		d := msgpack.Decoder{Data: r.b}
		if v, err := d.Next(); err != nil || v.Kind != msgpack.Nil && v.Kind != msgpack.Undefined {
			return false
		}
	case r.pack || !bytes.HasPrefix(r.b, []byte("null")):
		return false
	}
	r.skip()
	return true
}

// open enters a container. The number it returns is for more.
func (r *reader) open(kind byte) (left int) {
	if r.err != nil {
		return 0
	}
	if !r.pack {
		if r.next() != kind {
			r.fail(errKind)
			return 0
		}
		r.b = r.b[1:]
		return -1 // the number is unknown, and none was read yet
	}
	d := msgpack.Decoder{Data: r.b}
	v, err := d.Next()
	switch {
	case err != nil:
		r.fail(err)
		return 0
	case kind == list && v.Kind != msgpack.Array, kind == object && v.Kind != msgpack.Map:
		r.fail(errKind)
		return 0
	}
	r.b = d.Data
	return v.Len
}

// more reports whether the container has another element or member, and leaves
// the container if it has none.
func (r *reader) more(left *int) bool {
	switch {
	case r.err != nil:
		return false
	case r.pack:
		*left--
		return *left >= 0
	}
	first := *left == -1
	*left = -2
	switch c := r.next(); {
	case c == ']', c == '}':
		r.b = r.b[1:]
		return false
	case first:
		return true
	case c == ',':
		r.b = r.b[1:]
		return true
	default:
		r.fail(errSyntax)
		return false
	}
}

// key reads the key of a member.
func (r *reader) key() string {
	if r.err != nil {
		return ""
	}
	key, ok := known(r.skip(), r.pack)
	if !ok {
		r.fail(errKind)
		return ""
	}
	if !r.pack {
		if r.next() != ':' {
			r.fail(errSyntax)
			return ""
		}
		r.b = r.b[1:]
	}
	return key
}

// known is textOf, without allocations for known keys.
func known(raw []byte, pack bool) (string, bool) {
	var inside []byte
	switch {
	case pack && len(raw) > 0 && raw[0]&0xe0 == 0xa0: // of less than 32 bytes
		inside = raw[1:]
	case !pack && len(raw) >= 2 && raw[0] == '"':
		inside = raw[1 : len(raw)-1]
	}
	for _, key := range keys {
		if string(inside) == key {
			return key, true
		}
	}
	return textOf(raw, pack)
}

var keys = [...]string{
	"type", "data", "nsp", "uid", "packet", "opts", "rooms", "except", "flags", "requestId",
	"volatile", "compress", "timeout", "sockets", "clientCount", "close",
}

// text reads a string.
func (r *reader) text() string {
	if r.err != nil {
		return ""
	}
	s, ok := textOf(r.skip(), r.pack)
	if !ok {
		r.fail(errKind)
	}
	return s
}

func textOf(raw []byte, pack bool) (string, bool) {
	if pack {
		d := msgpack.Decoder{Data: raw}
		v, err := d.Next()
		if err != nil || v.Kind != msgpack.String {
			return "", false
		}
		if !utf8.Valid(v.Bytes) {
			v.Bytes = bytes.ToValidUTF8(v.Bytes, []byte("\ufffd"))
		}
		return string(v.Bytes), true
	}
	if len(raw) < 2 || raw[0] != '"' {
		return "", false
	}
	inside := raw[1 : len(raw)-1]
	for _, c := range inside {
		if c < ' ' || c == '\\' || c >= utf8.RuneSelf {
			var s string
			err := json.Unmarshal(raw, &s)
			return s, err == nil
		}
	}
	return string(inside), true
}

// room reads the name of a room. Node's rooms may be numbers.
func (r *reader) room() string {
	if r.err != nil {
		return ""
	}
	raw := r.skip()
	if s, ok := textOf(raw, r.pack); ok {
		return s
	}
	if _, ok := numberOf(raw, r.pack); !ok {
		r.fail(errKind)
		return ""
	}
	if r.pack {
		d := msgpack.Decoder{Data: raw}
		raw, _ = d.ToJSON(nil)
	}
	return string(raw)
}

// integer reads a number without a fraction, in any encoding.
func (r *reader) integer() int64 {
	if r.err != nil {
		return 0
	}
	f, ok := numberOf(r.skip(), r.pack)
	if !ok || f != math.Trunc(f) || math.Abs(f) > 1<<53 {
		r.fail(errKind)
		return 0
	}
	return int64(f)
}

func numberOf(raw []byte, pack bool) (float64, bool) {
	if pack {
		d := msgpack.Decoder{Data: raw}
		v, err := d.Next()
		switch {
		case err != nil:
			return 0, false
		case v.Kind == msgpack.Int:
			return float64(int64(v.Num)), true
		case v.Kind == msgpack.Uint:
			return float64(v.Num), true
		}
		f := math.Float64frombits(v.Num)
		return f, v.Kind == msgpack.Float && !math.IsNaN(f) && !math.IsInf(f, 0)
	}
	if len(raw) == 0 || raw[0] != '-' && (raw[0] < '0' || raw[0] > '9') || sio.Valid(raw, 0) != nil {
		return 0, false
	}
	f, err := strconv.ParseFloat(string(raw), 64)
	return f, err == nil
}

// boolean reads a boolean; null is false.
func (r *reader) boolean() bool {
	if r.err != nil {
		return false
	}
	raw := r.skip()
	switch {
	case !r.pack && string(raw) == "true", r.pack && len(raw) == 1 && raw[0] == 0xc3:
		return true
	case !r.pack && (string(raw) == "false" || string(raw) == "null"),
		r.pack && len(raw) == 1 && (raw[0] == 0xc2 || raw[0] == 0xc0):
		return false
	}
	r.fail(errKind)
	return false
}

// end fails unless everything has been read.
func (r *reader) end() error {
	if r.next(); len(r.b) > 0 {
		r.fail(errors.New("data behind the message"))
	}
	return r.err
}
