package socketio

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
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

// EncodeArgs returns arguments as Emit would send them, for an [Interceptor] that
// changes a message. They are encoded, and binary data is copied, before it
// returns. The error says which of them can't be encoded, such as an object whose
// "_placeholder" is true beside binary data; see [Emitter.Emit].
func EncodeArgs(args ...any) (Args, error) { return argsOf(nil, args) }

// argsOf is ArgsOf. A panic is counted unless srv is nil.
func argsOf(srv *Server, args []any) (Args, error) {
	e := encoders.Get().(*encoder)
	e.srv = srv
	e.plain, e.forJSON = false, false
	return e.args(args)
}

// argsForServers is EncodeArgs for what clients are not sent: data that looks like a
// placeholder is told from binary data.
func (srv *Server) argsForServers(args ...any) (Args, error) {
	e := encoders.Get().(*encoder)
	e.srv = srv
	e.plain, e.forJSON = true, false
	return e.args(args)
}

// args returns arguments, and releases e.
func (e *encoder) args(args []any) (a Args, err error) {
	defer e.release()
	if err := noCallback("EncodeArgs", args, "Emit takes one behind them"); err != nil {
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

// Decode stores the arguments in the values dst points to, by position. Extra
// arguments are ignored and missing ones leave their destination alone. A
// []byte, or a type made from it, at any depth, receives a binary argument without
// copying; so does an any, as a []byte. What they get is shared, also where a client
// has named the same data more than once, and must not be modified. The error
// is a *[DecodeError] without an event. A single pointer to a struct that embeds
// [Positional] receives one argument per field.
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
// does not block, and does nothing if the client asked for no answer.
//
// An error as the only argument refuses, as an error that a handler returns does:
// the client receives the message and data of an *[Error]; of any other error it
// reads "internal error", and [Options.OnError] is called with the error. An error
// beside other arguments can't be encoded.
//
// Other
// errors are [ErrClosed], [ErrSlow], or say which argument can't be encoded;
// after that one the answer can still be given.
type AckFunc func(args ...any) error

// cloneArgs returns a copy of arguments that alias a buffer in use.
func cloneArgs(raw, bin [][]byte) Args {
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

// size returns the number of bytes of memory that keeping the arguments takes, one at least.
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
