package socketio

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/socketio-go/socketio/internal/sio"
)

// Args are arguments of an event or of an answer, not yet decoded.
//
// As the last parameter of a handler, Args takes all arguments that no other
// parameter takes. Passed to Emit, EmitWithAck or an [AckFunc], or returned by
// a handler, it stands for all of its arguments, attachments included, without
// decoding or copying them.
//
// Args are immutable and may be kept and shared.
type Args struct {
	raw [][]byte // each argument as JSON, with placeholders for attachments
	bin [][]byte // the attachments
}

// ArgsOf returns arguments as Emit would send them, for an [Interceptor] that
// changes a message. They are encoded, and binary data is copied, before it
// returns. The error says which of them can't be encoded.
func ArgsOf(args ...any) (Args, error) {
	e := encoders.Get().(*encoder)
	defer e.release()
	var a Args
	for i, arg := range args {
		if whole, ok := arg.(Args); ok {
			for _, raw := range whole.raw {
				a.raw = append(a.raw, appendRenumbered(nil, raw, len(e.bin)))
			}
			e.bin = append(e.bin, whole.bin...)
			continue
		}
		e.json = e.json[:0]
		if err := e.append(arg); err != nil {
			return Args{}, fmt.Errorf("socketio: argument %d: %w", i, err)
		}
		a.raw = append(a.raw, bytes.Clone(e.json))
	}
	for _, b := range e.bin {
		a.bin = append(a.bin, append(make([]byte, 0, len(b)), b...))
	}
	return a, nil
}

// Len counts the arguments.
func (a Args) Len() int { return len(a.raw) }

// array returns the arguments as a JSON array.
func (a Args) array() []byte {
	out := append(bytes.Join(a.raw, []byte{','}), ']')
	return slices.Insert(out, 0, '[')
}

// Decode stores the arguments in the values dst points to, by position. Extra
// arguments are ignored and missing ones leave their destination alone. A
// []byte, at any depth, receives a binary argument without copying; so does an
// any, as a []byte: what they get is shared and must not be modified. The error
// is a *[DecodeError] without an event.
func (a Args) Decode(dst ...any) error {
	for i := range min(len(dst), len(a.raw)) {
		if err := decodeArg(a.raw[i], a.bin, dst[i]); err != nil {
			return &DecodeError{Arg: i, Err: err}
		}
	}
	return nil
}

// Raw returns argument i as JSON, or nil if there is none. A binary argument
// is an object such as {"_placeholder":true,"num":0}, for an element of Binary.
// The result must not be modified.
func (a Args) Raw(i int) json.RawMessage {
	if i < 0 || i >= len(a.raw) {
		return nil
	}
	return a.raw[i]
}

// Binary returns the data that placeholders in what Raw returns stand for. The
// result must not be modified.
func (a Args) Binary() [][]byte { return a.bin }

// AckFunc answers the client. As the last parameter of a handler it replaces
// the handler's results, for answers that come later. Only the first call
// counts; the others return [ErrAnswered]. It may be called on any goroutine,
// does not block, and does nothing if the client asked for no answer. Other
// errors are [ErrClosed], [ErrSlow], or say which argument can't be encoded;
// after that one the answer can still be given.
type AckFunc func(args ...any) error

// retain returns a copy of arguments that alias a buffer in use.
func retain(raw, bin [][]byte) Args {
	size := 0
	for _, r := range raw {
		size += len(r)
	}
	buf := make([]byte, 0, size)
	kept := make([][]byte, len(raw))
	for i, r := range raw {
		buf = append(buf, r...)
		kept[i] = buf[len(buf)-len(r) : len(buf) : len(buf)]
	}
	return Args{kept, bin}
}

// size returns what keeping the arguments costs in bytes, one at least.
func (a Args) size() int64 {
	const sliceHeader = 24
	n := 1
	for _, list := range [][][]byte{a.raw, a.bin} {
		for _, b := range list {
			n += len(b) + sliceHeader
		}
	}
	return int64(n)
}

// appendRenumbered appends raw with every placeholder's number raised by
// offset, for arguments that are emitted behind other attachments.
func appendRenumbered(dst, raw []byte, offset int) []byte {
	for {
		i := bytes.IndexByte(raw, '{')
		if i < 0 {
			return append(dst, raw...)
		}
		if q := bytes.IndexByte(raw[:i], '"'); q >= 0 {
			end := q + stringLen(raw[q:])
			dst = append(dst, raw[:end]...)
			raw = raw[end:]
			continue
		}
		dst = append(dst, raw[:i]...)
		raw = raw[i:]
		if object := raw[:objectLen(raw)]; len(object) > 0 {
			if num, ok := sio.Placeholder(object); ok {
				dst = sio.AppendPlaceholder(dst, num+offset)
				raw = raw[len(object):]
				continue
			}
		}
		dst = append(dst, '{')
		raw = raw[1:]
	}
}

// stringLen returns the length of the JSON string that b begins with.
func stringLen(b []byte) int {
	for i := 1; i < len(b); i++ {
		switch b[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(b)
}

// objectLen returns the length of the object that b begins with, or 0 if it
// contains another one: a placeholder doesn't.
func objectLen(b []byte) int {
	for i := 1; i < len(b); i++ {
		switch b[i] {
		case '"':
			i += stringLen(b[i:]) - 1
		case '{':
			return 0
		case '}':
			return i + 1
		}
	}
	return 0
}

// String shows the arguments as JSON, for logs.
func (a Args) String() string {
	return fmt.Sprintf("[%s]", bytes.Join(a.raw, []byte(",")))
}
