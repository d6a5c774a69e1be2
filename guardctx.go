package socketio

import (
	"context"
	"reflect"
	"sync"
	"time"
)

// ownContexts holds the types of package context whose methods call no other context.
var ownContexts = func() map[reflect.Type]bool {
	withCancel, cancel := context.WithCancel(context.Background())
	defer cancel()
	withTimeout, cancelTimeout := context.WithTimeout(context.Background(), time.Hour)
	defer cancelTimeout()
	types := make(map[reflect.Type]bool)
	for _, ctx := range []context.Context{context.Background(), context.TODO(), withCancel, withTimeout} {
		types[reflect.TypeOf(ctx)] = true
	}
	return types
}()

// guardContext returns ctx in a form that may be used on any goroutine: when a method
// of ctx panics, the result has ended with the panic as its error.
func (srv *Server) guardContext(ctx context.Context) context.Context {
	if ctx == nil || ownContexts[reflect.TypeOf(ctx)] {
		return ctx
	}
	if _, ok := ctx.(*guardedContext); ok {
		return ctx
	}
	return &guardedContext{ctx: ctx, srv: srv}
}

type guardedContext struct {
	ctx context.Context
	srv *Server

	mu     sync.Mutex // guards the following
	failed error      // the panic of ctx, if any
}

// closedChan is a closed channel.
var closedChan = func() <-chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}()

func (g *guardedContext) try(fn func()) {
	err := g.srv.attempt("", func() error { fn(); return nil })
	if err != nil {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.failed = err
	}
}

func (g *guardedContext) failure() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.failed
}

// Deadline implements [context.Context].
func (g *guardedContext) Deadline() (t time.Time, ok bool) {
	g.try(func() { t, ok = g.ctx.Deadline() })
	return t, ok
}

// Done implements [context.Context].
func (g *guardedContext) Done() (done <-chan struct{}) {
	if g.failure() == nil {
		g.try(func() { done = g.ctx.Done() })
	}
	if g.failure() != nil {
		return closedChan
	}
	return done
}

// Err implements [context.Context]. It is not nil once Done is closed: package context
// panics otherwise.
func (g *guardedContext) Err() (err error) {
	if g.failure() == nil {
		g.try(func() { err = g.ctx.Err() })
	}
	if failed := g.failure(); failed != nil {
		return failed
	}
	if err == nil && isClosed(g.Done()) {
		err = context.Canceled
	}
	return err
}

// Value implements [context.Context].
func (g *guardedContext) Value(key any) (value any) {
	g.try(func() { value = g.ctx.Value(key) })
	return value
}
