package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/socketio-go/socketio"
	"github.com/socketio-go/socketio/internal/eioclient"
	"github.com/socketio-go/socketio/internal/sio"
)

// joinLocked begins to join over the connection, or to open one.
func (s *Socket) joinLocked() {
	c := s.client
	s.state = joining
	if c.conn == nil {
		c.startLocked()
		return
	}
	k := c.conn
	s.life, s.stop = &life{s: s, k: k}, make(chan struct{})
	stop, before := s.stop, k.abandoned[s.namespace]
	c.spawn(func() {
		if before == nil || k.settled(before, stop) {
			s.join(k, stop)
		}
	})
}

// settled waits for the answer to an earlier CONNECT, because servers accept no
// second one before it. It reports whether joining goes on.
func (k *conn) settled(before, stop chan struct{}) bool {
	timer := time.NewTimer(k.c.opts.ConnectTimeout)
	defer timer.Stop()
	select {
	case <-before:
		return true
	case <-stop:
	case <-timer.C:
		k.session.Discard(eioclient.TransportError, errNoAnswer)
	}
	return false
}

var errNoAnswer = errors.New("client: the server did not answer CONNECT within ConnectTimeout")

// join is the goroutine that joins: it asks for what to authenticate with, sends
// CONNECT and waits for the answer.
func (s *Socket) join(k *conn, stop chan struct{}) {
	c := s.client
	for attempt := 1; ; attempt++ {
		payload, err := s.authenticate()
		if err == nil {
			answer := make(chan *socketio.Error, 1)
			if !s.sendConnect(k, stop, payload, answer) {
				return
			}
			timer := time.NewTimer(c.opts.ConnectTimeout)
			select {
			case <-stop:
				timer.Stop()
				return
			case <-timer.C:
				k.session.Discard(eioclient.TransportError, errNoAnswer)
				return
			case e := <-answer:
				timer.Stop()
				if e == nil {
					return
				}
				refusal := &RefusedError{Namespace: s.namespace, Err: e}
				if !s.again(refusal) {
					s.refused(k, refusal)
					return
				}
				err = refusal
			}
		} else {
			c.report(s, err)
		}
		c.mu.Lock()
		s.lastErr = err
		c.mu.Unlock()
		timer := time.NewTimer(c.delay(attempt))
		select {
		case <-stop:
			timer.Stop()
			return
		case <-timer.C:
		}
	}
}

// again asks the application whether to try again.
func (s *Socket) again(refusal *RefusedError) (again bool) {
	fn := s.client.opts.RetryRefused
	if fn == nil {
		return false
	}
	err := s.client.call("RetryRefused", func() error { again = fn(refusal); return nil })
	return err == nil && again
}

// authenticate returns the payload of CONNECT, without what recovers a session.
func (s *Socket) authenticate() (auth map[string]json.RawMessage, err error) {
	fn := s.client.opts.Auth
	if fn == nil {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(s.client.ctx, s.client.opts.ConnectTimeout)
	defer cancel()
	var v any
	err = s.client.call("Auth", func() (err error) { v, err = fn(ctx, s.namespace); return err })
	if err != nil {
		return nil, fmt.Errorf("client: Options.Auth: %w", err)
	}
	if v == nil {
		return nil, nil
	}
	var raw []byte
	err = s.client.call("Auth", func() (err error) { raw, err = json.Marshal(v); return err })
	if err == nil {
		err = json.Unmarshal(raw, &auth)
	}
	if err != nil {
		return nil, errors.New("client: Options.Auth returned a value that is not encoded as a JSON object")
	}
	return auth, nil
}

// sendConnect sends CONNECT. It reports whether joining over k goes on.
func (s *Socket) sendConnect(k *conn, stop chan struct{}, auth map[string]json.RawMessage, answer chan *socketio.Error) bool {
	c := s.client
	c.mu.Lock()
	pid, offset := s.pid, s.offset
	c.mu.Unlock()
	if pid != "" {
		if auth == nil {
			auth = make(map[string]json.RawMessage)
		}
		auth["pid"], _ = json.Marshal(pid)
		if offset != "" {
			auth["offset"], _ = json.Marshal(offset)
		}
	}
	if c.opts.EIO3 && s.namespace == "/" {
		return s.awaitMain(k, stop, answer)
	}
	var payload []byte
	namespace := s.namespace
	switch {
	case auth == nil:
	case c.opts.EIO3:
		namespace += v2Query(auth)
	default:
		payload, _ = json.Marshal(auth) // strings and raw JSON always encode
	}
	m, err := c.control(sio.Connect, namespace, payload)
	c.mu.Lock()
	if s.stop != stop {
		c.mu.Unlock()
		return false
	}
	s.answer = answer
	flush := false
	if err == nil {
		flush, err = k.session.Queue(m, false)
	}
	c.mu.Unlock()
	if flush {
		k.session.Flush()
	}
	if err != nil && err != eioclient.ErrClosed { // else Closed ends it
		c.report(s, err)
		k.session.Discard(eioclient.TransportError, err)
	}
	return err == nil
}

// refused ends joining for good.
func (s *Socket) refused(k *conn, refusal *RefusedError) {
	c := s.client
	c.mu.Lock()
	if s.life == nil || s.life.k != k || s.state != joining {
		c.mu.Unlock()
		return
	}
	told := len(s.waiters) > 0
	s.leaveLocked(ReasonServer, refusal)
	after := c.releaseLocked()
	c.mu.Unlock()
	if !told { // no Connect returns it
		c.report(s, refusal)
	}
	runAll(after)
}
