package socketio

// run runs the handlers of an event, the socket's own first, and answers.
func (s *Socket) run(c *call, name []byte) {
	own, all := s.own.Load().of(name), s.ns.handlers.of(name)
	if len(own)+len(all) == 0 {
		return // nobody answers
	}
	if c.event == "" {
		c.event = string(name)
	}
	answered, deferred := c.id == noAck, false
	for _, list := range [2][]*handler{own, all} {
		for _, h := range list {
			deferred = deferred || h.acks
			results, err := s.invoke(h, c)
			switch {
			case err != nil:
				s.failed(c, err, &answered)
			case h.result && !answered:
				answered = true
				s.check(c, c.answer().send(results...))
			}
		}
	}
	if !answered && !deferred {
		s.check(c, c.answer().send())
	}
}

// invoke runs one handler. A panic is its error.
func (s *Socket) invoke(h *handler, c *call) (results []any, err error) {
	defer s.ns.srv.recovered(c.event, func(p *PanicError) { err = p })
	return h.run(c)
}

// failed reports a handler's error, and answers with it if nobody has.
func (s *Socket) failed(c *call, err error, answered *bool) {
	neutral := "internal error"
	if _, ok := err.(*DecodeError); ok {
		neutral = "bad arguments"
	}
	if _, ok := asError(err); !ok {
		s.ns.srv.report(s, err)
	}
	if !*answered {
		*answered = true
		s.check(c, c.answer().refuse(err, neutral))
	}
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
		if t.call == nil {
			return t, true
		}
		c.waiting--
		c.bytes -= t.size
		c.freeLocked()
		if !s.dropping {
			return t, true
		}
	}
	s.inbox = nil
	s.busy = false
	return task{}, false
}
