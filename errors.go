package socketio

import (
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"

	"github.com/socketio-go/socketio/internal/sio"
)

// The errors to compare with, by errors.Is.
var (
	// ErrClosed is returned when the socket or the server is closed.
	ErrClosed = errors.New("socketio: closed")
	// ErrSlow is returned when the queue of a client is full. The client is
	// disconnected.
	ErrSlow = errors.New("socketio: client too slow")
	// ErrTooManyAcks is returned when a socket waits for 1024 acks already. The event
	// is not sent, and the socket stays connected.
	ErrTooManyAcks = errors.New("socketio: too many pending acks")
	// ErrDropped is the [Reply.Err] of a client for which a volatile event was dropped.
	ErrDropped = errors.New("socketio: volatile event dropped")
	// ErrReplies is the [Reply.Err] of a client whose ack exceeded [Options.MaxReplies]
	// together with the earlier ones.
	ErrReplies = errors.New("socketio: replies exceed MaxReplies")
	// ErrAnswered is returned by the second call of an [AckFunc].
	ErrAnswered = errors.New("socketio: ack already sent")
	// ErrReserved is returned when a reserved event name is emitted.
	ErrReserved = errors.New("socketio: reserved event name")
	// ErrUnpublished is wrapped by errors that say why a message was not published to
	// the other servers of the cluster. On this server the operation succeeded.
	ErrUnpublished = errors.New("socketio: not published to the cluster")
)

// checkEvent returns an error if the name is reserved.
func checkEvent(event string) error {
	if sio.Reserved(event) {
		return fmt.Errorf("%w %q", ErrReserved, event)
	}
	return nil
}

// An Error is an error for the other side. Middleware and handlers return it to refuse;
// the client receives its message and data. Other errors are never sent to clients.
type Error struct {
	Message string          `json:"message"`
	Data    json.RawMessage `json:"data,omitempty"` // valid JSON, or empty

	wrapped error // set by Errorf with %w; it is not sent
}

// Error returns the message, without the data.
func (e *Error) Error() string { return e.Message }

// Unwrap returns an error that wraps the operands of %w in the format of [Errorf], or
// nil if there is none.
func (e *Error) Unwrap() error { return e.wrapped }

// WithData returns a copy of e whose data is v, encoded as JSON. It panics if v can't be
// encoded, or contains binary data.
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
	switch err.(type) { //nolint:errorlint // the type of this error itself
	case interface{ Unwrap() error }, interface{ Unwrap() []error }:
		e.wrapped = err
	}
	return e
}

// A DecodeError says that an argument could not be decoded into the type that a handler
// or caller expects.
type DecodeError struct {
	Event string // may be empty
	Arg   int    // counted from 0
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
	Event string // empty if the function does not handle an event
	Value any    // the argument of panic
	Stack []byte
}

func newPanicError(event string, value any) *PanicError {
	return &PanicError{event, value, debug.Stack()}
}

func (e *PanicError) Error() string {
	return fmt.Sprintf("socketio: event %q: panic: %v", e.Event, e.Value)
}

// Reason says why a socket disconnected. The texts are those of Socket.IO.
type Reason string

// The reasons for which the server disconnects a socket.
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
	ReasonReconnect      Reason = "reconnect" // Socket.Reconnect was called
)

// A DisconnectError is the cause with which the context of a socket ends.
type DisconnectError struct{ Reason Reason }

func (e *DisconnectError) Error() string { return "socketio: disconnected: " + string(e.Reason) }
