package socketio

import (
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"

	"github.com/socketio-go/socketio/internal/sio"
)

// The errors callers branch on.
var (
	// ErrClosed is returned when the socket or the server is closed.
	ErrClosed = errors.New("socketio: closed")
	// ErrSlow is returned when the queue of a client is full. The client is
	// disconnected.
	ErrSlow = errors.New("socketio: client too slow")
	// ErrTooManyAcks is returned when a socket waits for 1024 acks already. The event
	// is not sent, and the socket stays connected.
	ErrTooManyAcks = errors.New("socketio: too many pending acks")
	// ErrDropped is the [Reply.Err] of a client that could not take a volatile
	// event at once, so that it was dropped.
	ErrDropped = errors.New("socketio: volatile event dropped")
	// ErrReplies is the [Reply.Err] of a client whose answer did not fit into
	// [Options.MaxReplies] together with those that had come before.
	ErrReplies = errors.New("socketio: answers exceed MaxReplies")
	// ErrAnswered is returned by the second call of an AckFunc.
	ErrAnswered = errors.New("socketio: already answered")
	// ErrReserved is returned when a reserved event name is emitted.
	ErrReserved = errors.New("socketio: reserved event name")
	// ErrUnpublished is wrapped by the errors that say why the other servers of
	// the cluster will not hear of something. This server has done its part.
	ErrUnpublished = errors.New("socketio: not published to the cluster")
)

// checkEvent refuses to emit a reserved name.
func checkEvent(event string) error {
	if sio.Reserved(event) {
		return fmt.Errorf("%w %q", ErrReserved, event)
	}
	return nil
}

// An Error is meant for the other side: its message and data cross the wire,
// those of other errors never do. Middleware and handlers return it to refuse,
// clients receive it.
type Error struct {
	Message string          `json:"message"`
	Data    json.RawMessage `json:"data,omitempty"` // valid JSON, or nothing

	wrapped error // of Errorf with %w, else nil; it stays on this side
}

// Error returns the message alone.
func (e *Error) Error() string { return e.Message }

// Unwrap returns an error that wraps the operands of %w in the format of [Errorf], or
// nil if there is none.
func (e *Error) Unwrap() error { return e.wrapped }

// WithData returns a copy of e whose data is v, encoded as JSON. It panics if v can't be
// encoded, or holds binary data.
func (e *Error) WithData(v any) *Error {
	args, err := EncodeArgs(v)
	switch {
	case err != nil:
		panic(fmt.Sprintf("socketio: WithData: %v", err))
	case len(args.bin) > 0:
		panic(fmt.Sprintf("socketio: WithData: a %T holds binary data, which the data of an Error can't have", v))
	}
	with := *e
	with.Data = args.Raw(0)
	return &with
}

// Errorf returns an *Error with the formatted message. It accepts %w, as [fmt.Errorf]
// does. The text of a wrapped error becomes part of the message, so the other side sees
// it.
func Errorf(format string, a ...any) *Error {
	err := fmt.Errorf(format, a...)
	e := &Error{Message: err.Error()}
	switch err.(type) { //nolint:errorlint // what kind this very error is
	case interface{ Unwrap() error }, interface{ Unwrap() []error }:
		e.wrapped = err
	}
	return e
}

// A DecodeError says that an argument did not fit its handler.
type DecodeError struct {
	Event string
	Arg   int // counted from 0
	Err   error
}

func (e *DecodeError) Error() string {
	if e.Event == "" {
		return fmt.Sprintf("socketio: argument %d: %v", e.Arg, e.Err)
	}
	return fmt.Sprintf("socketio: event %q, argument %d: %v", e.Event, e.Arg, e.Err)
}

// Unwrap returns the decoder's error.
func (e *DecodeError) Unwrap() error { return e.Err }

// A PanicError is a recovered panic of a handler, a middleware, or another
// function of the application.
type PanicError struct {
	Event string // empty if the panic was in a function that handles no event
	Value any    // what panic was called with
	Stack []byte
}

func newPanicError(event string, value any) *PanicError {
	return &PanicError{event, value, debug.Stack()}
}

func (e *PanicError) Error() string {
	return fmt.Sprintf("socketio: event %q: panic: %v", e.Event, e.Value)
}

// Reason says why a socket disconnected, in Socket.IO's own words.
type Reason string

// The reasons the server gives.
const (
	ReasonClient         Reason = "client namespace disconnect"
	ReasonServer         Reason = "server namespace disconnect"
	ReasonViolation      Reason = "forced close"        // a protocol violation
	ReasonConnectTimeout Reason = "forced server close" // no namespace joined in time
	ReasonPingTimeout    Reason = "ping timeout"
	ReasonTransport      Reason = "transport close"
	ReasonError          Reason = "transport error"
	ReasonParse          Reason = "parse error"
	ReasonSlow           Reason = "slow client"
	ReasonShutdown       Reason = "server shutting down"
	ReasonReconnect      Reason = "reconnect" // Socket.Reconnect: the client comes back by itself
)

// A DisconnectError is the cause of a socket's ended context.
type DisconnectError struct{ Reason Reason }

func (e *DisconnectError) Error() string { return "socketio: disconnected: " + string(e.Reason) }
