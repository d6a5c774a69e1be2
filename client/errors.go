package client

import (
	"errors"
	"fmt"
	"runtime/debug"

	"github.com/socketio-go/socketio"
	"github.com/socketio-go/socketio/internal/eioclient"
)

// The errors callers branch on.
var (
	// ErrClosed is returned once Shutdown or Close has been called.
	ErrClosed = errors.New("client: closed")
	// ErrOffline is returned by Emit with [Refuse] while the namespace is not
	// joined.
	ErrOffline = errors.New("client: offline")
	// ErrBufferFull is returned when an event does not fit into MaxBuffer, or into
	// MaxQueue while connected. The event is not sent.
	ErrBufferFull = errors.New("client: buffer full")
	// ErrTooBig is returned for an event with a part larger than the server
	// accepts.
	ErrTooBig = errors.New("client: event exceeds the server's maxPayload")
	// ErrDisconnected is returned by Connect when Disconnect is called meanwhile.
	ErrDisconnected = errors.New("client: disconnected")
	// ErrTooManyAcks is returned when 1024 answers are pending in a namespace.
	ErrTooManyAcks = errors.New("client: too many pending answers")
)

// The reasons for which a socket disconnects, in the words of the JavaScript
// client.
const (
	ReasonServer      socketio.Reason = "io server disconnect" // the server left the namespace
	ReasonClient      socketio.Reason = "io client disconnect" // Disconnect, Shutdown or Close
	ReasonPingTimeout socketio.Reason = "ping timeout"
	ReasonTransport   socketio.Reason = "transport close"
	ReasonError       socketio.Reason = "transport error"
	ReasonParse       socketio.Reason = "parse error"
)

// A LostError says that no answer will come.
type LostError struct {
	// Reason says why the connection ended.
	Reason socketio.Reason
}

func (e *LostError) Error() string {
	return "client: the connection ended before the answer: " + string(e.Reason)
}

// A RefusedError says that the server refused a namespace.
type RefusedError struct {
	Namespace string
	Err       *socketio.Error
}

func (e *RefusedError) Error() string {
	return fmt.Sprintf("client: namespace %q refused: %s", e.Namespace, e.Err.Message)
}

// Unwrap returns the server's error.
func (e *RefusedError) Unwrap() error { return e.Err }

// A HandshakeError says that a server could not be reached, or refused the
// connection.
type HandshakeError struct {
	Status  int    // of the HTTP response; 0 if there was none
	Code    int    // of Engine.IO's error; -1 if there was none
	Message string // of Engine.IO's error
	Final   bool   // the client does not try again: 401, 403, or an unsupported protocol
	Err     error
}

func (e *HandshakeError) Error() string { return "client: " + e.Err.Error() }

// Unwrap returns what went wrong in detail.
func (e *HandshakeError) Unwrap() error { return e.Err }

func handshakeError(err error) *HandshakeError {
	h := &HandshakeError{Code: -1, Err: err}
	var refusal *eioclient.HandshakeError
	if errors.As(err, &refusal) {
		h.Status, h.Code, h.Message, h.Final = refusal.Status, refusal.Code, refusal.Message, refusal.Final
	}
	return h
}

// An AttemptsError says that MaxAttempts attempts have failed.
type AttemptsError struct {
	Attempts int
	Err      error // of the last one
}

func (e *AttemptsError) Error() string {
	return fmt.Sprintf("client: %d attempts failed, the last one: %v", e.Attempts, e.Err)
}

// Unwrap returns the error of the last attempt.
func (e *AttemptsError) Unwrap() error { return e.Err }

// An UnsentError says that Shutdown could not send everything.
type UnsentError struct {
	Events int
}

func (e *UnsentError) Error() string { return fmt.Sprintf("client: %d events were not sent", e.Events) }

// newPanicError describes a recovered panic.
func newPanicError(event string, value any) *socketio.PanicError {
	return &socketio.PanicError{Event: event, Value: value, Stack: debug.Stack()}
}
