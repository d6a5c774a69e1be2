package nats

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	natsgo "github.com/nats-io/nats.go"

	"github.com/socketio-go/socketio/adapter"
)

// A condition is necessary for a member to be connected.
type condition int

const (
	attached   condition = iota // it is subscribed, and allowed to publish
	logging                     // the log can be read
	conditions                  // the number of conditions
)

var (
	errConnecting   = errors.New("socketio: nats: not connected yet")
	errDisconnected = errors.New("socketio: nats: the connection is lost")
)

// A link says which conditions hold.
type link struct {
	mu      sync.Mutex // guards the following
	missing [conditions]error
	changed chan struct{} // closed and replaced when missing changes; closed when the member leaves
	left    bool
	seen    error // the last error of the connection that was handled
	busy    bool  // keepAttaching runs
	again   bool  // and has to start again
	tasks   sync.WaitGroup

	statusMu   sync.Mutex // held while the status is reported; guards the following
	lastStatus error
}

func (l *link) begin(log bool) {
	l.changed = make(chan struct{})
	l.missing[attached], l.lastStatus = errConnecting, errConnecting
	if log {
		l.missing[logging] = errConnecting
	}
}

// reason returns why the member is not ready, or nil. The caller holds mu.
func (l *link) reason() error {
	var first error
	for _, err := range l.missing {
		if err != nil && (first == nil || first == errConnecting) {
			first = err
		}
	}
	return first
}

// setCondition sets whether a condition holds, and reports the status.
func (s *member) setCondition(c condition, err error) {
	l := &s.link
	l.mu.Lock()
	if l.missing[c] = err; !l.left {
		close(l.changed)
		l.changed = make(chan struct{})
	}
	l.mu.Unlock()

	l.statusMu.Lock()
	defer l.statusMu.Unlock()
	l.mu.Lock()
	reason, left := l.reason(), l.left
	l.mu.Unlock()
	if left || reason == errConnecting || reason == l.lastStatus || reason != nil && l.lastStatus != nil && reason.Error() == l.lastStatus.Error() {
		return
	}
	l.lastStatus = reason
	s.host.Status(reason)
}

// leave ends the calls that wait for a change.
func (l *link) leave() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.left = true
	close(l.changed)
}

// end waits until nothing runs any more. The member has left, and its ctx has ended.
func (l *link) end() {
	l.tasks.Wait()
	l.statusMu.Lock() // waits until Status has returned
	defer l.statusMu.Unlock()
}

// Ready implements [adapter.Member].
func (s *member) Ready(ctx context.Context) error {
	l := &s.link
	for {
		l.mu.Lock()
		changed, reason, left := l.changed, l.reason(), l.left
		l.mu.Unlock()
		switch {
		case left:
			return adapter.ErrLeft
		case reason == nil:
			return nil
		case s.a.failed.Load():
			return fmt.Errorf("socketio: nats: %w", natsgo.ErrConnectionClosed)
		case isPermanent(reason):
			return reason
		}
		select {
		case <-changed:
		case <-s.a.failure:
		case <-ctx.Done():
			if reason == errConnecting {
				return fmt.Errorf("socketio: nats: %w", ctx.Err())
			}
			return fmt.Errorf("socketio: nats: %w, because of: %w", ctx.Err(), reason)
		}
	}
}

// attach starts a goroutine that checks whether the member is subscribed and may
// publish. With resubscribe it subscribes again.
func (s *member) attach(resubscribe bool) {
	l := &s.link
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.left:
	case l.busy:
		l.again = true
	default:
		l.busy = true
		l.tasks.Go(func() { s.keepAttaching(resubscribe) }) // ends with a result, or with the member
	}
}

func (s *member) keepAttaching(resubscribe bool) {
	l := &s.link
	for {
		err := s.tryAttaching(resubscribe)
		if s.ctx.Err() != nil {
			return
		}
		l.mu.Lock()
		again := l.again
		l.busy, l.again = again, false
		l.mu.Unlock()
		if !again {
			s.setCondition(attached, err)
			if err == nil && !s.a.online.Load() { // it was lost just now
				s.setCondition(attached, errDisconnected)
			}
			return
		}
	}
}

// tryAttaching returns why the member is not connected, or nil.
func (s *member) tryAttaching(resubscribe bool) error {
	if err := s.flush(); err != nil {
		return err
	}
	var before error // reconnecting clears the last error
	if resubscribe {
		before = s.a.conn.LastError()
		for i, recipient := range [...]string{broadcastSub, s.id} {
			if old := s.subs[i].Load(); old != nil {
				_ = old.Unsubscribe() // it was refused
			}
			sub, err := s.a.conn.ChanSubscribe(s.prefix+recipient, s.a.inbound)
			if err != nil {
				return fmt.Errorf("socketio: nats: subscribing: %w", err)
			}
			s.subs[i].Store(sub)
		}
	}
	if err := s.flush(); err != nil {
		return err
	}
	subscribed := s.refused(before)
	s.outbox.open()
	s.announce()
	if err := s.outbox.flushed(s.ctx); err != nil {
		return err
	}
	if err := s.flush(); err != nil {
		return err
	}
	if subscribed != nil {
		return subscribed
	}
	if err := s.refused(before); err != nil {
		return err
	}
	select { // wait for the announcements of the others
	case <-time.After(announcements):
	case <-s.left:
	}
	if !s.a.online.Load() {
		return errDisconnected
	}
	return nil
}

// refused returns the last error of the connection if it is about the subjects of this
// member, unless it is before. The NATS server sends such errors before it responds to a
// flush.
func (s *member) refused(before error) error {
	err := s.a.conn.LastError()
	if err == before || !errors.Is(err, natsgo.ErrPermissionViolation) || !strings.Contains(err.Error(), `"`+s.prefix) {
		return nil
	}
	s.link.mu.Lock()
	s.link.seen = err
	s.link.mu.Unlock()
	return fmt.Errorf("socketio: nats: %w", err)
}

// checkPermissions checks periodically whether subscribing or publishing is refused.
func (s *member) checkPermissions() {
	l := &s.link
	l.mu.Lock()
	seen, missing, busy := l.seen, l.missing[attached], l.busy
	l.mu.Unlock()
	switch {
	case busy:
	case missing != nil && missing != errConnecting && s.a.online.Load():
		s.attach(true)
	case missing == nil:
		if err := s.refused(seen); err != nil {
			s.setCondition(attached, err)
		}
	}
}
