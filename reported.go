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

// The codes of refused requests, as clients get them.
const (
	CodeUnknownTransport = iota
	CodeUnknownSession
	CodeBadMethod
	CodeBadRequest
	CodeForbidden
	CodeBadVersion
)

// A RefusedError says that the server has refused an HTTP request: that of a new
// client, or one that belongs to a connection. [Options.OnError] is told of it.
type RefusedError struct {
	Status     int    // of the response
	Code       int    // CodeForbidden, for example
	Message    string // that the client got, or what was wrong if it got a status alone
	Origin     string // of the request, without a path; empty if it had none
	Host       string // that the request was for
	RemoteAddr string // the network peer's; a proxy's headers are not looked at
	Err        error  // what Options.AllowRequest has returned, if it refused
}

// maxOrigin bounds the bytes of an Origin that are reported.
const maxOrigin = 256

func newRefusedError(e *engine.RefusedError) *RefusedError {
	r := e.Request
	err := e.Err
	if hidden, ok := err.(*examined); ok { //nolint:errorlint // our own type, never wrapped
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

// bareOrigin cuts off what an origin does not have. Programs send the URL of the
// request there, whose query holds the session id.
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

// A PacketError says that a connection was closed because of what its client sent.
// [Options.OnError] is told of it.
type PacketError struct {
	RemoteAddr string // from which the connection was opened
	Err        error  // what was wrong
}

func (e *PacketError) Error() string { return e.Err.Error() }

// Unwrap returns Err.
func (e *PacketError) Unwrap() error { return e.Err }

// A StuckError says that a connection was closed because a handler did not return:
// [Options.MaxInbox] events waited for it, so the connection was not read, for longer
// than PingInterval and PingTimeout. [Options.OnError] is told of it. The
// handler still runs; its context has ended.
type StuckError struct {
	Event   string    // that it handles; "middleware", "connection" or "disconnect" in the functions for these
	Handler string    // the function's name; empty if it is not known
	Since   time.Time // when the connection was last read; the handler has run for longer
}

func (e *StuckError) Error() string {
	return fmt.Sprintf("socketio: event %q: handler %s is stuck since %s", e.Event, e.Handler, e.Since.Format(time.RFC3339Nano))
}

func newStuckError(s *Socket, since time.Time) *StuckError {
	h := s.running.Load()
	e := &StuckError{Since: since}
	if h == nil {
		return e
	}
	e.Event = h.event
	middleware, connect, disconnect := s.ns.lifecycle()
	switch h {
	case runsMiddleware:
		e.Handler = functionNames(middleware)
	case runsConnect:
		e.Handler = functionNames(connect)
	case runsDisconnect:
		e.Handler = functionNames(disconnect)
	default:
		e.Handler = functionName(h.pc)
	}
	return e
}

// What a socket runs that is no handler of an event.
var (
	runsMiddleware = &handler{event: "middleware"}
	runsConnect    = &handler{event: "connection"}
	runsDisconnect = &handler{event: "disconnect"}
)

// pcOf returns by what functionName finds the name of a function.
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

// An unrecoveredError says why a client that came back has got a new session.
type unrecoveredError string

func (e unrecoveredError) Error() string { return "socketio: session not recovered: " + string(e) }

// An errorKind is one of the kinds of errors that are counted and logged apart.
type errorKind int

const (
	otherError errorKind = iota // of the cluster, for example
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
