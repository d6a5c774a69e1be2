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
	// ErrSlow is returned when a queue is full, which disconnects the client,
	// or when a socket awaits 1024 answers already, which does not.
	ErrSlow = errors.New("socketio: client too slow")
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
}

// Error returns the message.
func (e *Error) Error() string { return "socketio: " + e.Message }

// Errorf returns an *Error with the formatted message.
func Errorf(format string, a ...any) *Error { return &Error{Message: fmt.Sprintf(format, a...)} }

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
