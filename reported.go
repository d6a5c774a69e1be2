package socketio

import (
	"errors"
	"fmt"
	"reflect"
	"runtime"
	"strings"
	"time"

	"github.com/socketio-go/socketio/internal/engine"
)

// The codes of refused requests, as sent to clients.
const (
	CodeUnknownTransport = iota
	CodeUnknownSession
	CodeBadMethod
	CodeBadRequest
	CodeForbidden
	CodeBadVersion
)

// A RefusedError says that the server has refused an HTTP request of a new client or
// of a session. [Options.OnError] receives it.
type RefusedError struct {
	Status     int    // the status of the response
	Code       int    // such as CodeForbidden
	Message    string // sent to the client, or the cause if only a status was sent
	Origin     string // the Origin header without a path, at most 256 bytes; may be empty
	Host       string // the Host header, at most 256 bytes
	RemoteAddr string // the address of the network peer; proxy headers are not used
	Err        error  // the error of Options.AllowRequest, or nil
}

// maxOrigin bounds the reported bytes of an Origin or Host.
const maxOrigin = 256

func newRefusedError(e *engine.RefusedError) *RefusedError {
	r := e.Request
	err := e.Err
	if hidden, ok := err.(*opaqueError); ok { //nolint:errorlint // our own type, never wrapped
		err = hidden.err
	}
	return &RefusedError{
		Status:     e.Status,
		Code:       e.Code,
		Message:    e.Message,
		Origin:     shorten(bareOrigin(r.Header.Get("Origin")), maxOrigin),
		Host:       shorten(r.Host, maxOrigin),
		RemoteAddr: r.RemoteAddr,
		Err:        err,
	}
}

// bareOrigin removes everything but the scheme and host. Some programs send the URL
// of the request as Origin, and its query holds the session id, a secret.
func bareOrigin(value string) string {
	scheme, rest, ok := strings.Cut(value, "://")
	if !ok {
		scheme, rest = "", value
	} else {
		scheme += "://"
	}
	if i := strings.IndexAny(rest, `/\?#&=`); i >= 0 {
		rest = rest[:i]
	}
	if i := strings.LastIndexByte(rest, '@'); i >= 0 {
		rest = rest[i+1:]
	}
	return scheme + rest
}

func (e *RefusedError) Error() string {
	text := fmt.Sprintf("socketio: request refused with status %d, code %d, %q, origin %q, host %q, from %s", e.Status, e.Code, e.Message, e.Origin, e.Host, e.RemoteAddr)
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text
}

// Unwrap returns Err.
func (e *RefusedError) Unwrap() error { return e.Err }

// A PacketError says that a connection was closed because its client sent a malformed
// packet, or violated the protocol or a limit. [Options.OnError] receives it.
type PacketError struct {
	RemoteAddr string // the address of the network peer
	Err        error  // the violation
}

func (e *PacketError) Error() string { return e.Err.Error() }

// Unwrap returns Err.
func (e *PacketError) Unwrap() error { return e.Err }

// A StuckError says that a connection was closed because a handler did not return. The
// inbox was full, so the connection was not read for longer than PingInterval and
// PingTimeout. The handler still runs, but its context has ended. [Options.OnError]
// receives the error.
type StuckError struct {
	Event   string    // the event, or "middleware", "connection" or "disconnect"
	Handler string    // the name of the function; empty if it is not known
	Since   time.Time // when the connection was last read; the handler has run longer
}

func (e *StuckError) Error() string {
	return fmt.Sprintf("socketio: event %q: handler %s is stuck since %s", e.Event, e.Handler, e.Since.Format(time.RFC3339Nano))
}

func newStuckError(s *Socket, since time.Time) *StuckError {
	h := s.runningHandler.Load()
	e := &StuckError{Since: since}
	if h == nil {
		return e
	}
	e.Event = h.Event
	middleware, connect, disconnect := s.ns.lifecycle()
	switch h {
	case middlewareStage:
		e.Handler = functionNames(middleware)
	case connectStage:
		e.Handler = functionNames(connect)
	case disconnectStage:
		e.Handler = functionNames(disconnect)
	default:
		e.Handler = functionName(h.PC)
	}
	return e
}

// Placeholders for functions of a socket that do not handle an event.
var (
	middlewareStage = &handler{Event: "middleware"}
	connectStage    = &handler{Event: "connection"}
	disconnectStage = &handler{Event: "disconnect"}
)

// pcOf returns the program counter of a function, for functionName.
func pcOf(fn any) uintptr { return reflect.ValueOf(fn).Pointer() }

func functionName(pc uintptr) string {
	if fn := runtime.FuncForPC(pc); pc != 0 && fn != nil {
		return fn.Name()
	}
	return ""
}

func functionNames[F any](fns []*F) string {
	var names []string
	for _, fn := range fns {
		names = append(names, functionName(pcOf(*fn)))
	}
	return strings.Join(names, ", ")
}

// An unrecoveredError says why a client could not resume its session and has a new one.
type unrecoveredError string

func (e unrecoveredError) Error() string { return "socketio: session not recovered: " + string(e) }

// An errorKind is a kind of error that is counted and logged with a rate of its own.
type errorKind int

const (
	otherError errorKind = iota // such as an error of the cluster
	refusedError
	packetError
	recoveryError
	argumentError // a DecodeError
	handlerError
	stuckError
	panicError
	unhandledEvent
	unansweredAck
	errorKinds
)

// kindOf returns the kind of an error. s is nil if it concerns no socket.
func kindOf(s *Socket, err error) errorKind {
	var panicked *PanicError
	var decode *DecodeError
	switch err.(type) { //nolint:errorlint // our own types, never wrapped: errors.As would call methods of the application
	case *RefusedError:
		if errors.As(err, &panicked) { // in AllowRequest
			return panicError
		}
		return refusedError
	case *PacketError:
		return packetError
	case *StuckError:
		return stuckError
	case unrecoveredError:
		return recoveryError
	}
	switch {
	case errors.As(err, &panicked):
		return panicError
	case errors.As(err, &decode):
		return argumentError
	case s != nil:
		return handlerError
	}
	return otherError
}
