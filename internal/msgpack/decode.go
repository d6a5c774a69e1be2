package msgpack

import (
	"encoding/binary"
	"math"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/socketio-go/socketio/internal/sio"
)

// A Decoder reads MessagePack. What it returns aliases Data, but for what is
// appended.
type Decoder struct {
	Data        []byte   // what is left to read
	Depth       int      // how deep values may still be nested
	Attachments [][]byte // the binary parts of what ToJSON has read
}

// maxAttachments bounds the binary parts of a packet: an empty one takes two
// bytes of input, but many of memory.
const maxAttachments = 4096

// A Kind is what comes next.
type Kind uint8

// The kinds of values.
const (
	Nil Kind = iota
	Undefined
	Bool
	Int   // fits an int64
	Uint  // does not
	Float // 32 or 64 bits
	String
	Bytes
	Time
	Array
	Map
)

// A Value is one value, or the header of an array or map.
type Value struct {
	Kind  Kind
	Num   uint64 // of a Bool, Int (two's complement), Uint, or Float (its bits)
	Bytes []byte // of a String or Bytes
	Time  time.Time
	Len   int // of an Array or Map: elements, or pairs
}

// Next reads a value or a header. The length of an array or map is no more
// than what is left to read could hold.
func (d *Decoder) Next() (v Value, err error) {
	b, err := d.take(1)
	if err != nil {
		return v, err
	}
	switch c := b[0]; {
	case c < 0x80 || c >= 0xe0:
		return Value{Kind: Int, Num: uint64(int8(c))}, nil
	case c < 0x90:
		return d.container(Map, uint64(c&0xf))
	case c < 0xa0:
		return d.container(Array, uint64(c&0xf))
	case c < 0xc0:
		return d.bytes(String, uint64(c&0x1f))
	default:
		return d.marked(c)
	}
}

// marked reads a value whose first byte says no more than its kind.
func (d *Decoder) marked(c byte) (v Value, err error) {
	switch c {
	case 0xc0:
		return Value{Kind: Nil}, nil
	case 0xc2, 0xc3:
		return Value{Kind: Bool, Num: uint64(c & 1)}, nil
	case 0xc1:
		return v, ErrType
	}
	if c >= 0xd4 && c <= 0xd8 {
		return d.ext(1<<(c-0xd4), true)
	}
	width := widths[c-0xc0]
	n, err := d.uint(width)
	if err != nil {
		return v, err
	}
	switch c {
	case 0xc4, 0xc5, 0xc6:
		return d.bytes(Bytes, n)
	case 0xc7, 0xc8, 0xc9:
		return d.ext(n, false)
	case 0xca:
		f := float64(math.Float32frombits(uint32(n)))
		return Value{Kind: Float, Num: math.Float64bits(f)}, nil
	case 0xcb:
		return Value{Kind: Float, Num: n}, nil
	case 0xd0, 0xd1, 0xd2, 0xd3:
		shift := 64 - 8*width
		return Value{Kind: Int, Num: uint64(int64(n<<shift) >> shift)}, nil
	case 0xd9, 0xda, 0xdb:
		return d.bytes(String, n)
	case 0xdc, 0xdd:
		return d.container(Array, n)
	case 0xde, 0xdf:
		return d.container(Map, n)
	}
	if n > math.MaxInt64 {
		return Value{Kind: Uint, Num: n}, nil
	}
	return Value{Kind: Int, Num: n}, nil // cc to cf
}

// widths are the bytes of the number that follows a mark, from c0 on.
var widths = [32]int{
	0xc4 - 0xc0: 1, 0xc5 - 0xc0: 2, 0xc6 - 0xc0: 4, 0xc7 - 0xc0: 1, 0xc8 - 0xc0: 2, 0xc9 - 0xc0: 4,
	0xca - 0xc0: 4, 0xcb - 0xc0: 8, 0xcc - 0xc0: 1, 0xcd - 0xc0: 2, 0xce - 0xc0: 4, 0xcf - 0xc0: 8,
	0xd0 - 0xc0: 1, 0xd1 - 0xc0: 2, 0xd2 - 0xc0: 4, 0xd3 - 0xc0: 8, 0xd9 - 0xc0: 1, 0xda - 0xc0: 2,
	0xdb - 0xc0: 4, 0xdc - 0xc0: 2, 0xdd - 0xc0: 4, 0xde - 0xc0: 2, 0xdf - 0xc0: 4,
}

// ext reads an extension of n bytes. Of type 0, those whose mark says the size
// mean other things than those whose mark doesn't.
func (d *Decoder) ext(n uint64, fixed bool) (v Value, err error) {
	b, err := d.take(1)
	if err != nil {
		return v, err
	}
	data, err := d.take(n)
	if err != nil {
		return v, err
	}
	switch kind := int8(b[0]); {
	case kind == 0 && fixed && n == 1:
		return Value{Kind: Undefined}, nil
	case kind == 0 && fixed && n == 8:
		return Value{Kind: Time, Time: time.UnixMilli(int64(binary.BigEndian.Uint64(data)))}, nil
	case kind == 0:
		return Value{Kind: Bytes, Bytes: data}, nil
	case kind == -1 && n == 4:
		return Value{Kind: Time, Time: time.Unix(int64(binary.BigEndian.Uint32(data)), 0)}, nil
	case kind == -1 && n == 8:
		bits := binary.BigEndian.Uint64(data)
		return Value{Kind: Time, Time: time.Unix(int64(bits&(1<<34-1)), int64(bits>>34))}, nil
	case kind == -1 && n == 12:
		return Value{Kind: Time, Time: time.Unix(int64(binary.BigEndian.Uint64(data[4:])), int64(binary.BigEndian.Uint32(data)))}, nil
	}
	return v, ErrType
}

func (d *Decoder) container(kind Kind, n uint64) (Value, error) {
	least := n // every element takes a byte
	if kind == Map {
		least = 2 * n
	}
	if least > uint64(len(d.Data)) {
		return Value{}, ErrShort
	}
	return Value{Kind: kind, Len: int(n)}, nil
}

func (d *Decoder) bytes(kind Kind, n uint64) (Value, error) {
	b, err := d.take(n)
	return Value{Kind: kind, Bytes: b}, err
}

func (d *Decoder) uint(width int) (n uint64, err error) {
	b, err := d.take(uint64(width))
	for _, c := range b {
		n = n<<8 | uint64(c)
	}
	return n, err
}

func (d *Decoder) take(n uint64) ([]byte, error) {
	if n > uint64(len(d.Data)) {
		return nil, ErrShort
	}
	b := d.Data[:n:n]
	d.Data = d.Data[n:]
	return b, nil
}

// Skip reads one value, however deep it is nested, and returns its bytes. What
// is inside it is looked at no more than to find its end.
func (d *Decoder) Skip() ([]byte, error) {
	all := d.Data
	for left := 1; left > 0; left-- {
		v, err := d.Next()
		switch {
		case err != nil:
			return nil, err
		case v.Kind == Array:
			left += v.Len
		case v.Kind == Map:
			left += 2 * v.Len
		}
	}
	return all[:len(all)-len(d.Data)], nil
}

// ToJSON reads one value and appends it as JSON. Binary parts are kept in
// Attachments. What JavaScript has no JSON for becomes null, as with
// JSON.stringify.
func (d *Decoder) ToJSON(dst []byte) ([]byte, error) {
	v, err := d.Next()
	if err != nil {
		return nil, err
	}
	return d.AppendValue(dst, v)
}

// AppendValue appends what Next has returned, with all its elements.
func (d *Decoder) AppendValue(dst []byte, v Value) ([]byte, error) {
	switch v.Kind {
	case Bool:
		return strconv.AppendBool(dst, v.Num == 1), nil
	case Int:
		return strconv.AppendInt(dst, int64(v.Num), 10), nil
	case Uint:
		return strconv.AppendUint(dst, v.Num, 10), nil
	case Float:
		return appendFloat(dst, math.Float64frombits(v.Num)), nil
	case String:
		return sio.AppendString(dst, v.Bytes), nil
	case Bytes:
		if len(d.Attachments) >= maxAttachments {
			return nil, ErrAttachments
		}
		d.Attachments = append(d.Attachments, v.Bytes)
		return sio.AppendPlaceholder(dst, len(d.Attachments)-1), nil
	case Time:
		if y := v.Time.UTC().Year(); y < 0 || y > 9999 {
			return append(dst, "null"...), nil
		}
		return v.Time.UTC().AppendFormat(dst, `"2006-01-02T15:04:05.000Z"`), nil
	case Array, Map:
		if d.Depth--; d.Depth < 0 {
			return nil, ErrDepth
		}
		defer func() { d.Depth++ }()
		if v.Kind == Map {
			return d.appendMap(dst, v.Len)
		}
		return d.appendArray(dst, v.Len)
	default:
		return append(dst, "null"...), nil
	}
}

func (d *Decoder) appendArray(dst []byte, n int) (_ []byte, err error) {
	dst = append(dst, '[')
	for i := range n {
		if i > 0 {
			dst = append(dst, ',')
		}
		if dst, err = d.ToJSON(dst); err != nil {
			return nil, err
		}
	}
	return append(dst, ']'), nil
}

func (d *Decoder) appendMap(dst []byte, n int) (_ []byte, err error) {
	dst = append(dst, '{')
	for i := range n {
		if i > 0 {
			dst = append(dst, ',')
		}
		key, err := d.Key()
		if err != nil {
			return nil, err
		}
		if key == "_placeholder" { // data, not what ToJSON writes for binary parts
			dst = append(dst, sio.PlainKey...)
		} else {
			dst = sio.AppendString(dst, key)
		}
		dst = append(dst, ':')
		if dst, err = d.ToJSON(dst); err != nil {
			return nil, err
		}
	}
	return append(dst, '}'), nil
}

// Key reads the key of a map's member, a string.
func (d *Decoder) Key() (string, error) {
	v, err := d.Next()
	if err != nil {
		return "", err
	}
	if v.Kind != String || !utf8.Valid(v.Bytes) {
		return "", ErrKey
	}
	return string(v.Bytes), nil
}

// appendFloat writes a number as JavaScript does: without an exponent where it
// is readable without one.
func appendFloat(dst []byte, f float64) []byte {
	switch abs := math.Abs(f); {
	case math.IsNaN(f) || math.IsInf(f, 0):
		return append(dst, "null"...)
	case abs != 0 && (abs < 1e-6 || abs >= 1e21):
		return strconv.AppendFloat(dst, f, 'e', -1, 64)
	default:
		return strconv.AppendFloat(dst, f, 'f', -1, 64)
	}
}
