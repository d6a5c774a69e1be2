package socketio

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/socketio-go/socketio/internal/arguments"
)

// Args are the arguments of an event or of an ack, not yet decoded.
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

// EncodeArgs encodes arguments as Emit does, for an [Interceptor] that changes a
// message. It copies binary data. The error says which argument can't be encoded,
// such as an object whose "_placeholder" is true beside binary data; see
// [Emitter.Emit].
func EncodeArgs(args ...any) (Args, error) {
	return encodeArgs(argsOptions, arguments.Keep, args)
}

// argsOf is EncodeArgs, and counts panics.
func (srv *Server) argsOf(args []any) (Args, error) {
	return encodeArgs(&srv.encoding, arguments.Keep, args)
}

// busArgs is argsOf for other servers: it escapes data that looks like a placeholder.
func (srv *Server) busArgs(args ...any) (Args, error) {
	return encodeArgs(&srv.encoding, arguments.Escape, args)
}

func encodeArgs(opts *arguments.Options, like arguments.Placeholders, args []any) (Args, error) {
	if err := noCallback("EncodeArgs", args, "Emit takes one after the arguments"); err != nil {
		return Args{}, err
	}
	e := arguments.NewEncoder(opts, like)
	defer e.Release()
	list, err := e.List(args)
	return Args{list.Raw, list.Bin}, err
}

// ArgsFromWire returns arguments as they were received: raw is the JSON of each, bin
// the attachments that placeholders in them refer to by number. It is for codecs,
// clients and their tests. It keeps both, so they must not be modified.
func ArgsFromWire(raw, bin [][]byte) Args { return Args{raw, bin} }

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
		if fields := arguments.Destinations(dst[0]); fields != nil {
			dst = fields
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
func cloneArgs(raw, bin [][]byte) Args { return Args{arguments.Clone(raw), bin} }

// size returns the memory that the arguments take, in bytes; at least one.
func (a Args) size() int64 { return arguments.Size(a.raw, a.bin) }

// decodeArg decodes one argument into what dst points to. What is stored never
// aliases raw.
func decodeArg(raw []byte, bin [][]byte, dst any) error {
	if a, ok := dst.(*Args); ok {
		*a = cloneArgs([][]byte{raw}, bin)
		return nil
	}
	return arguments.Decode(raw, bin, dst)
}

// decodePlain is decodeArg for plain values, without allocations: dst does not escape.
// It reports whether the value is plain.
func decodePlain(raw []byte, bin [][]byte, dst any) bool {
	if a, ok := dst.(*Args); ok {
		*a = cloneArgs([][]byte{raw}, bin)
		return true
	}
	return arguments.DecodePlain(raw, bin, dst)
}

// String shows the arguments as JSON, for logs.
func (a Args) String() string {
	return fmt.Sprintf("[%s]", bytes.Join(a.raw, []byte(",")))
}
