package socketio

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
)

// Args are the arguments of an event or of an ack, not yet decoded.
//
// As the last parameter of a handler, Args takes all arguments that no other
// parameter takes. Passed to Emit, EmitWithAck or an [AckFunc], or returned by
// a handler, it stands for all of its arguments, attachments included, without
// decoding or copying them.
//
// Args are immutable and may be clones and shared.
type Args struct {
	raw [][]byte // each argument as JSON, with placeholders for attachments
	bin [][]byte // the attachments
}

// EncodeArgs encodes arguments as Emit does, for an [Interceptor] that changes a
// message. It copies binary data. The error says which argument can't be encoded,
// such as an object whose "_placeholder" is true beside binary data; see
// [Emitter.Emit].
func EncodeArgs(args ...any) (Args, error) { return argsOf(nil, args) }

// argsOf is EncodeArgs. A panic is counted unless srv is nil.
func argsOf(srv *Server, args []any) (Args, error) {
	e := encoders.Get().(*encoder)
	e.srv = srv
	e.escapePlaceholders, e.refusePlaceholders = false, false
	return e.args(args)
}

// busArgs is EncodeArgs for other servers: it escapes data that looks like a
// placeholder.
func (srv *Server) busArgs(args ...any) (Args, error) {
	e := encoders.Get().(*encoder)
	e.srv = srv
	e.escapePlaceholders, e.refusePlaceholders = true, false
	return e.args(args)
}

// args encodes arguments, and releases e.
func (e *encoder) args(args []any) (a Args, err error) {
	defer e.release()
	if err := noCallback("EncodeArgs", args, "Emit takes one after the arguments"); err != nil {
		return Args{}, err
	}
	ends := make([]int, 0, len(args))
	for i, arg := range args {
		if whole, ok := arg.(Args); ok {
			numbers := e.numbersOf(whole.bin)
			for _, raw := range whole.raw {
				if err := e.appendArg(i, whole, raw, numbers); err != nil {
					return Args{}, fmt.Errorf("socketio: argument %d: %w", i, err)
				}
				ends = append(ends, len(e.json))
			}
			continue
		}
		if err := e.append(i, arg); err != nil {
			return Args{}, fmt.Errorf("socketio: argument %d: %w", i, err)
		}
		ends = append(ends, len(e.json))
	}
	if i, err := e.check(); err != nil {
		return Args{}, fmt.Errorf("socketio: argument %d: %w", i, err)
	}
	if len(ends) == 0 {
		return Args{}, nil
	}
	json := bytes.Clone(e.json)
	from := 0
	for _, to := range ends {
		a.raw = append(a.raw, json[from:to:to])
		from = to
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

// Decode decodes the arguments into the values dst points to, by position. Extra
// arguments are ignored; for a missing argument the value is left unchanged. A
// single pointer to a struct that embeds [Positional] receives one argument per field.
//
// A []byte, or a type made from it, at any depth, receives binary data without
// copying; so does an any, as a []byte. The data is shared and must not be modified.
// The error is a *[DecodeError] without an event.
func (a Args) Decode(dst ...any) error {
	if len(dst) == 1 {
		if _, ok := dst[0].(interface{ positional() }); ok {
			dst = destinations(dst[0])
		}
	}
	for i := range min(len(dst), len(a.raw)) {
		if err := decodeArg(a.raw[i], a.bin, dst[i]); err != nil {
			return &DecodeError{Arg: i, Err: err}
		}
	}
	return nil
}

// Raw returns argument i as JSON, or nil if there is none. A binary argument
// is an object such as {"_placeholder":true,"num":0}; num is an index of Binary.
// The result must not be modified.
func (a Args) Raw(i int) json.RawMessage {
	if i < 0 || i >= len(a.raw) {
		return nil
	}
	return a.raw[i]
}

// Binary returns the attachments to which placeholders in the result of Raw refer.
// The result must not be modified.
func (a Args) Binary() [][]byte { return a.bin }

// AckFunc sends the ack of an event. As the last parameter of a handler it replaces
// the handler's results, so that the ack can be sent after the handler has returned.
// Only the first call sends it; the others return [ErrAnswered]. It may be called on
// any goroutine, does not block, and does nothing if the client asked for no ack.
//
// An error as the only argument is treated like an error that a handler returns: the
// client receives the message and data of an *[Error]. For any other error it
// receives "internal error", and [Options.OnError] is called with the error. An
// error beside other arguments can't be encoded.
//
// It returns [ErrClosed], [ErrSlow], or an error that says which argument can't be
// encoded; after the last one AckFunc may be called again.
type AckFunc func(args ...any) error

// cloneArgs returns a copy of arguments that alias a buffer in use.
func cloneArgs(raw, bin [][]byte) Args {
	size := 0
	for _, r := range raw {
		size += len(r)
	}
	buf := make([]byte, 0, size)
	clones := make([][]byte, len(raw))
	for i, r := range raw {
		buf = append(buf, r...)
		clones[i] = buf[len(buf)-len(r) : len(buf) : len(buf)]
	}
	return Args{clones, bin}
}

// size returns the memory that the arguments take, in bytes; at least one.
func (a Args) size() int64 {
	const sliceHeader = 24
	json := 1
	for _, b := range a.raw {
		json += len(b)
	}
	n := allocated(json) + sliceHeader*len(a.raw)
	for _, b := range a.bin {
		n += allocated(len(b)) + 2*sliceHeader // the list of them has grown
	}
	return int64(n)
}

// allocated returns the number of bytes that the runtime may take for n bytes, which
// it rounds up to a size class or to pages.
func allocated(n int) int {
	const page = 8 << 10
	if n <= 4*page {
		return n + n/8 + 16
	}
	return (n + page - 1) / page * page
}

// String shows the arguments as JSON, for logs.
func (a Args) String() string {
	return fmt.Sprintf("[%s]", bytes.Join(a.raw, []byte(",")))
}
