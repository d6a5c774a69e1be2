package socketio

import "log/slog"

// An outcome is what the handlers of an event returned.
type outcome struct {
	handled  bool // it had a handler
	answered bool // results or failed are the ack
	deferred bool // an AckFunc sends the ack
	results  []any
	failed   failure
}

// add adds what a handler returned. The first result or error is the ack. add
// returns an error that comes after it.
func (o *outcome) add(h *handler, results []any, failed failure) (later failure) {
	o.handled = true
	o.deferred = o.deferred || h.Acks
	if o.answered {
		return failed
	}
	if failed.err != nil || h.Result {
		o.answered, o.results, o.failed = true, results, failed
	}
	return failure{}
}

// runHandlers runs interceptors and handlers of an event, and sends the ack.
func (s *Socket) runHandlers(c *call, name []byte) {
	var o outcome
	if own, inherited := s.ns.observed(); own == nil && inherited == nil {
		o = s.handle(c, name)
	} else {
		c.event = string(name)
		s.runningHandler.Store(&handler{Event: c.event}) // an interceptor, until a handler runs
		o = s.intercept(c)
	}
	s.ns.srv.reportFailure(s, o.failed)
	switch {
	case !o.handled:
		s.unhandled(c, name) // it gets no ack
	case c.id == noAck:
	case o.failed.err != nil:
		s.reportUnsent(c, c.response().sendError(o.failed.shown()))
	case o.answered:
		s.reportUnsent(c, c.response().send(o.results...))
	case !o.deferred:
		s.reportUnsent(c, c.response().send())
	}
}

// lost reports a handler that ended its goroutine, as a panic is reported, and sends
// the ack.
func (s *Socket) reportLost(c *call, value any) {
	failed := failure{err: s.ns.srv.panicked(c.event, value)}
	s.ns.srv.reportFailure(s, failed)
	if c.id != noAck {
		s.reportUnsent(c, c.response().sendError(failed.shown()))
	}
}

// handle runs the handlers of an event: the socket's own, the namespace's, and
// those of its template. The first result or error is the ack.
func (s *Socket) handle(c *call, name []byte) (o outcome) {
	lists := [3][]*handler{s.own.Load().Of(name), s.ns.handlers.Of(name)}
	if parent := s.ns.parent; parent != nil {
		lists[2] = parent.handlers.Of(name)
	}
	for _, list := range lists {
		for _, h := range list {
			if c.event == "" {
				c.event = h.Event
			}
			results, failed := s.ns.srv.invoke(h, c)
			s.ns.srv.reportFailure(s, o.add(h, results, failed))
		}
	}
	return o
}

// invoke runs one handler. A panic is returned as its error.
func (srv *Server) invoke(h *handler, c *call) (results []any, failed failure) {
	if c.s != nil { // else it is an event of another server
		c.s.runningHandler.Store(h)
	}
	err := srv.attempt(c.event, func() (err error) {
		results, err = h.Run(c)
		return err
	})
	return srv.returned(c.event, results, err)
}

// unhandled counts an event that had no handler.
func (s *Socket) unhandled(c *call, name []byte) {
	s.ns.srv.unhandled.Add(1)
	event := c.event
	if event == "" {
		event = string(name)
	}
	s.ns.srv.observed.unhandled(event)
	s.ns.srv.logLine(unhandledEvent, s, slog.String("event", shorten(event, maxLogText)))
}

// countUnanswered counts the events of s whose AckFunc was never called.
func (s *Socket) countUnanswered() {
	if n := s.unsentAcks.Load(); n > 0 {
		s.ns.srv.unansweredAcks.Add(uint64(n))
		s.ns.srv.logLine(unansweredAck, s, slog.Int("unanswered", int(n)))
	}
}

// returned examines what a handler returned. An error as the only result is treated
// like an error without a result.
func (srv *Server) returned(event string, results []any, err error) ([]any, failure) {
	if err == nil && len(results) == 1 {
		err, _ = results[0].(error)
	}
	if err != nil {
		return nil, srv.examine(event, err)
	}
	return results, failure{}
}

// reportUnsent reports the error of an ack that could not be sent, and sends that
// error instead. ErrClosed, ErrSlow and ErrAnswered are not reported.
func (s *Socket) reportUnsent(c *call, err error) {
	switch err {
	case nil, ErrClosed, ErrSlow, ErrAnswered:
		return
	}
	failed := s.ns.srv.examine(c.event, err) // err may come from a MarshalJSON of the application
	s.ns.srv.reportEvent(s, c.event, failed.err)
	_ = c.response().sendError(failed.shown())
}

// guard runs a function of the application that is not an event handler.
func (s *Socket) guard(what string, fn func()) { s.ns.srv.guard(s, what, fn) }

// drain runs the tasks of the inbox until it is empty. s.busy is set, so no other
// goroutine runs handlers of s.
func (s *Socket) drain() {
	var t task
	protect(func() {
		for {
			var ok bool
			if t, ok = s.next(); !ok {
				return
			}
			if t.fn != nil {
				s.guard("", t.fn)
			} else {
				s.runHandlers(t.call, []byte(t.call.event))
			}
		}
	}, func(value any) {
		defer s.conn.srv.engine.Go(s.drain)
		if t.call != nil {
			s.reportLost(t.call, value)
		} else {
			s.ns.srv.reportError(s, s.ns.srv.panicked("", value))
		}
	})
}

// next takes the first task of the inbox. If there is none, it clears s.busy.
func (s *Socket) next() (task, bool) {
	c := s.conn
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(s.inbox) > 0 {
		t := s.inbox[0]
		s.inbox[0] = task{}
		s.inbox = s.inbox[1:]
		c.dequeuedLocked(t)
		if t.call == nil || !s.discarding {
			return t, true
		}
	}
	s.inbox = nil
	s.busy = false
	if s.state.Load() == stateDisconnected && !s.drained {
		s.drained = true
		c.undrained--
		c.auths -= s.authSize()
	}
	return task{}, false
}
