package socketio

import "errors"

// An outcome is what became of an event.
type outcome struct {
	handled  bool // somebody handled it
	answered bool // results or err are the answer
	deferred bool // an AckFunc will answer, or has
	results  []any
	err      error
}

// add adds what a handler has returned. The first result or error is the answer;
// an error that comes later is returned.
func (o *outcome) add(h *handler, results []any, err error) error {
	o.handled = true
	o.deferred = o.deferred || h.acks
	if o.answered {
		return err
	}
	if err != nil || h.result {
		o.answered, o.results, o.err = true, results, err
	}
	return nil
}

// run has an event handled and answers it.
func (s *Socket) run(c *call, name []byte) {
	returned := false
	defer func() {
		if !returned {
			s.exited(c)
		}
	}()
	var o outcome
	if own, inherited := s.ns.observed(); own == nil && inherited == nil {
		o = s.handle(c, name)
	} else {
		c.event = string(name)
		o = s.intercept(c)
	}
	if o.err != nil {
		s.reportHandler(o.err)
	}
	switch {
	case c.id == noAck || !o.handled: // what nobody handles is not answered
	case o.err != nil:
		s.check(c, c.answer().refuse(o.err, neutralText(o.err)))
	case o.answered:
		s.check(c, c.answer().send(o.results...))
	case !o.deferred:
		s.check(c, c.answer().send())
	}
	returned = true
}

// exited is the end of an event whose handler has called runtime.Goexit, as
// the Fatal methods of tests do. What it costs is the same as a panic.
func (s *Socket) exited(c *call) {
	s.ns.srv.panics.Add(1)
	s.ns.srv.report(s, newPanicError(c.event, errGoexit))
	if c.id != noAck {
		s.check(c, c.answer().refuse(errGoexit, "internal error"))
	}
}

var errGoexit = errors.New("socketio: runtime.Goexit in a handler")

// handle runs the handlers of an event: the socket's own, the namespace's, and
// those of its template. The first result or error is the answer.
func (s *Socket) handle(c *call, name []byte) (o outcome) {
	lists := [3][]*handler{s.own.Load().of(name), s.ns.handlers.of(name)}
	if parent := s.ns.parent; parent != nil {
		lists[2] = parent.handlers.of(name)
	}
	for _, list := range lists {
		for _, h := range list {
			if c.event == "" {
				c.event = h.event
			}
			results, err := s.invoke(h, c)
			if err = o.add(h, results, err); err != nil {
				s.reportHandler(err)
			}
		}
	}
	return o
}

// invoke runs one handler. A panic is its error.
func (s *Socket) invoke(h *handler, c *call) (results []any, err error) {
	defer s.ns.srv.recovered(c.event, func(p *PanicError) { err = p })
	return h.run(c)
}

// reportHandler reports a handler's error, unless it is an answer to the client.
func (s *Socket) reportHandler(err error) {
	if _, ok := asError(err); !ok {
		s.ns.srv.report(s, err)
	}
}

// neutralText is what the client reads in place of an error.
func neutralText(err error) string {
	var decode *DecodeError
	if errors.As(err, &decode) {
		return "bad arguments"
	}
	return "internal error"
}

// check reports an answer that could not be sent for a reason other than that
// the client has gone or somebody was faster.
func (s *Socket) check(c *call, err error) {
	switch err {
	case nil, ErrClosed, ErrSlow, ErrAnswered:
		return
	}
	s.ns.srv.report(s, err)
	_ = c.answer().refuse(err, "internal error")
}

// guard runs a function of the application that is no event handler.
func (s *Socket) guard(what string, fn func()) {
	defer s.ns.srv.recovered(what, func(p *PanicError) { s.ns.srv.report(s, p) })
	fn()
}

// drain works through the inbox until it is empty. s.busy is set, and nobody
// else runs handlers of s.
func (s *Socket) drain() {
	returned := false
	defer func() {
		if !returned { // runtime.Goexit in a handler: this goroutine is lost
			s.conn.srv.engine.Go(s.drain)
		}
	}()
	for {
		t, ok := s.next()
		if !ok {
			break
		}
		if t.fn != nil {
			s.guard("", t.fn)
		} else {
			s.run(t.call, []byte(t.call.event))
		}
	}
	returned = true
}

// next takes the first task of the inbox, or gives up being busy.
func (s *Socket) next() (task, bool) {
	c := s.conn
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(s.inbox) > 0 {
		t := s.inbox[0]
		s.inbox[0] = task{}
		s.inbox = s.inbox[1:]
		c.takenLocked(t)
		if t.call == nil || !s.dropping {
			return t, true
		}
	}
	s.inbox = nil
	s.busy = false
	if s.state.Load() == left && !s.finished {
		s.finished = true
		c.unfinished--
	}
	return task{}, false
}
