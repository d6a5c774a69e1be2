package socketio

import (
	"errors"
	"fmt"
	"sync/atomic"
)

// Functions and values of the application are called through the functions of this
// file, which recover panics. runtime.Goexit can't be recovered: it ends the
// goroutine. So code of the application runs on a goroutine of its own, or a deferred
// function starts a goroutine that continues the work.

// errGoexit is the Value of the PanicError for code that called runtime.Goexit, as the
// Fatal methods of tests do.
var errGoexit = errors.New("socketio: runtime.Goexit in a function of the application")

// protect calls fn. If fn panics, protect recovers and calls lost with the value of
// the panic. If fn calls runtime.Goexit, protect calls lost with errGoexit, and the
// goroutine ends when lost returns.
func protect(fn func(), lost func(value any)) {
	returned := false
	defer func() {
		if returned {
			return
		}
		value := recover()
		if value == nil {
			value = errGoexit
		}
		lost(value)
	}()
	fn()
	returned = true
}

// attempt calls fn and returns its error, or its panic as a *PanicError. It does not
// handle runtime.Goexit: the caller further up does.
func (srv *Server) attempt(event string, fn func() error) (err error) {
	protect(func() { err = fn() }, func(value any) {
		if value != errGoexit {
			err = srv.panicked(event, value)
		}
	})
	return err
}

// guard calls fn and reports its panic. Like attempt, it does not handle
// runtime.Goexit.
func (srv *Server) guard(s *Socket, event string, fn func()) {
	protect(fn, func(value any) {
		if value != errGoexit {
			srv.reportError(s, srv.panicked(event, value))
		}
	})
}

// isolate calls fn on a goroutine of its own, waits for it, and reports its panic. It
// returns even if fn calls runtime.Goexit.
func (srv *Server) isolate(s *Socket, event string, fn func()) {
	if p := srv.isolated(event, fn); p != nil {
		srv.reportError(s, p)
	}
}

// isolated is isolate, but returns the panic instead of reporting it.
func (srv *Server) isolated(event string, fn func()) (p *PanicError) {
	done := make(chan struct{})
	srv.engine.Go(func() {
		defer close(done)
		protect(fn, func(value any) { p = srv.panicked(event, value) })
	})
	<-done
	return p
}

// maxRunning bounds the concurrent calls of observers, of hooks, of OnError and of the
// Logger. It ends the recursion of a function that causes its own call, and bounds the
// goroutines that wait for a function that blocks.
const maxRunning = 1000

// callCounts counts the calls that have not returned, by kind.
type callCounts struct{ observers, hooks, onError, logger atomic.Int32 }

var errTooManyCalls = fmt.Errorf("socketio: %d calls at a time: the function causes its own call, or blocks", maxRunning)

// limit calls fn. It returns errTooManyCalls instead if maxRunning calls of its kind
// have not returned.
func limit(calls *atomic.Int32, fn func()) error {
	defer calls.Add(-1)
	if calls.Add(1) > maxRunning {
		return errTooManyCalls
	}
	fn()
	return nil
}

// callObserver calls an observer or a hook on the caller's goroutine.
func (srv *Server) callObserver(calls *atomic.Int32, s *Socket, event string, fn func()) {
	srv.guard(s, event, func() {
		if limit(calls, fn) != nil {
			srv.reportError(s, srv.panicked(event, errTooManyCalls))
		}
	})
}

// panicked counts a panic, or a Goexit, and returns it as an error.
func (srv *Server) panicked(event string, value any) *PanicError {
	srv.panics.Add(1)
	return newPanicError(event, value)
}

// A failure is an error of the application after examine has inspected it. The methods
// of an error, such as Unwrap, are code of the application too.
type failure struct {
	err    error
	event  string // the event that was handled; may be empty
	public *Error // the error as an *Error, or nil
	decode bool   // the error is a DecodeError
}

// examine inspects an error of the application, which may be nil. If a method of the
// error panics, the failure holds the panic instead.
func (srv *Server) examine(event string, err error) failure {
	if err == nil {
		return failure{}
	}
	f := failure{err: err, event: event}
	panicked := srv.attempt(event, func() error {
		var decode *DecodeError
		if errors.As(err, &f.public) && f.public != nil {
			return nil
		}
		f.decode = errors.As(err, &decode)
		_ = err.Error() // later code calls it without a guard
		return nil
	})
	if panicked != nil {
		return failure{err: panicked}
	}
	return f
}

// shown returns the error that the client is sent.
func (f *failure) shown() *Error {
	switch {
	case f.public != nil:
		return f.public
	case f.decode:
		return &Error{Message: "bad arguments"}
	}
	return &Error{Message: "internal error"}
}

// reportFailure reports a failure, unless it is an *Error, which is meant for the
// client.
func (srv *Server) reportFailure(s *Socket, f failure) {
	if f.err != nil && f.public == nil {
		srv.reportEvent(s, f.event, f.err)
	}
}

// checkNotNil panics if isNil is set: a registered function must not be nil.
func checkNotNil(what string, isNil bool) {
	if isNil {
		panic("socketio: " + what + ": the function is nil")
	}
}
