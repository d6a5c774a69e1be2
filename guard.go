package socketio

import (
	"errors"
	"fmt"
	"sync/atomic"
)

// Functions and values of the application are called through the functions of
// this file. A panic ends here. runtime.Goexit can't be stopped: it ends the
// goroutine, whatever deferred functions do. So each goroutine of the server that
// runs code of the application is started again by the one that ends, or the code
// runs on a goroutine of its own.

// errGoexit is the Value of the PanicError for code that has ended its goroutine,
// as the Fatal methods of tests do.
var errGoexit = errors.New("socketio: runtime.Goexit in a function of the application")

// protect calls fn. If fn does not return, it calls lost: with what fn has panicked
// with, and the panic ends; or with errGoexit, and the goroutine ends when lost has
// returned.
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

// attempt calls fn, whose panic is an error like those that it returns. If fn
// ends its goroutine, that is left to the function that has started the goroutine.
func (srv *Server) attempt(event string, fn func() error) (err error) {
	protect(func() { err = fn() }, func(value any) {
		if value != errGoexit {
			err = srv.panicked(event, value)
		}
	})
	return err
}

// guard calls fn, whose panic is reported. It is attempt for functions without
// a result.
func (srv *Server) guard(s *Socket, event string, fn func()) {
	protect(fn, func(value any) {
		if value != errGoexit {
			srv.reportError(s, srv.panicked(event, value))
		}
	})
}

// isolate is guard on a goroutine of its own, for which it waits: for where the
// caller must go on even if fn ends its goroutine.
func (srv *Server) isolate(s *Socket, event string, fn func()) {
	if p := srv.isolated(event, fn); p != nil {
		srv.reportError(s, p)
	}
}

// isolated is isolate, but returns the panic.
func (srv *Server) isolated(event string, fn func()) (p *PanicError) {
	done := make(chan struct{})
	srv.engine.Go(func() {
		defer close(done)
		protect(fn, func(value any) { p = srv.panicked(event, value) })
	})
	<-done
	return p
}

// maxRunning bounds the calls of an observer or a hook, of OnError and of the Logger
// that run at a time. A function that emits what it is called for would otherwise end
// the process with its stack, and one that blocks would collect goroutines.
const maxRunning = 1000

// callCounts counts the calls of each kind that have not returned.
type callCounts struct{ observers, hooks, onError, logger atomic.Int32 }

var errTooManyCalls = fmt.Errorf("socketio: %d calls at a time: the function causes its own call, or blocks", maxRunning)

// limit calls fn, unless maxRunning calls of its kind have not returned. Then it
// returns errTooManyCalls.
func limit(calls *atomic.Int32, fn func()) error {
	defer calls.Add(-1)
	if calls.Add(1) > maxRunning {
		return errTooManyCalls
	}
	fn()
	return nil
}

// callObserver calls an observer or a hook.
func (srv *Server) callObserver(calls *atomic.Int32, s *Socket, event string, fn func()) {
	srv.guard(s, event, func() {
		if limit(calls, fn) != nil {
			srv.reportError(s, srv.panicked(event, errTooManyCalls))
		}
	})
}

// panicked counts a panic, or a Goexit.
func (srv *Server) panicked(event string, value any) *PanicError {
	srv.panics.Add(1)
	return newPanicError(event, value)
}

// A failure is an error of the application that was looked at once: the methods
// of an error, such as Unwrap, are code of the application too.
type failure struct {
	err    error
	event  string // that was handled, if one was
	public *Error // the error as an *Error, if it is one
	decode bool   // it is a DecodeError
}

// examine looks at an error of the application, which may be nil. If that panics,
// the panic takes the place of the error.
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
		_ = err.Error() // which will be called
		return nil
	})
	if panicked != nil {
		return failure{err: panicked}
	}
	return f
}

// shown returns what the other side may know of an event's failure.
func (f *failure) shown() *Error {
	switch {
	case f.public != nil:
		return f.public
	case f.decode:
		return &Error{Message: "bad arguments"}
	}
	return &Error{Message: "internal error"}
}

// reportFailure reports a failure, unless it is an answer to the other side.
func (srv *Server) reportFailure(s *Socket, f failure) {
	if f.err != nil && f.public == nil {
		srv.reportEvent(s, f.event, f.err)
	}
}

// checkNotNil panics if a function that is registered is nil.
func checkNotNil(what string, isNil bool) {
	if isNil {
		panic("socketio: " + what + ": the function is nil")
	}
}
