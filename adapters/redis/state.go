package redis

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/rueidis"

	"github.com/socketio-go/socketio/adapter"
)

// A condition is necessary for a member to be connected.
type condition int

const (
	listening  condition = iota // all wanted topics are subscribed
	echoing                     // what it publishes comes back
	reading                     // the stream can be read
	writing                     // the stream can be written
	conditions                  // the number of conditions
)

var (
	errConnecting = errors.New("socketio: redis: not connected yet")
	errNoEcho     = errors.New("socketio: redis: what is published does not come back")
)

// A state says which conditions hold. It is guarded by bus.mu.
type state struct {
	missing [conditions]error // why a condition does not hold, or nil
	ready   chan struct{}     // closed when all of them hold, or the member has left
	closed  bool

	probe       uint64    // the number of the last probe; 0 if it has come back
	probeQueued bool      // it is queued or being sent
	probeSent   time.Time // when Redis received it
	probed      time.Time // when the last one was made
}

func (st *state) begin() {
	st.missing[listening], st.missing[echoing] = errConnecting, errConnecting
	st.ready = make(chan struct{})
}

func (st *state) leave() {
	if !st.closed {
		st.closed = true
		close(st.ready)
	}
}

// reason returns why the member is not ready, or nil.
func (st *state) reason() error {
	var first error
	for _, err := range st.missing {
		switch {
		case err == nil:
		case first == nil, errors.Is(first, errConnecting):
			first = err
		}
	}
	return first
}

// set sets whether a condition holds.
func (st *state) set(c condition, err error) {
	st.missing[c] = err
	switch ready := st.reason() == nil; {
	case ready && !st.closed:
		st.closed = true
		close(st.ready)
	case !ready && st.closed:
		st.closed = false
		st.ready = make(chan struct{})
	}
}

// setCondition sets whether a condition of a member holds, and reports the status.
func (s *member) setCondition(c condition, err error) {
	s.bus.mu.Lock()
	if !s.left {
		s.state.set(c, err)
	}
	s.bus.mu.Unlock()
	s.notifyStatus()
}

// notifyStatus calls Host.Status if the status has changed. The caller holds no lock.
func (s *member) notifyStatus() {
	s.statusMu.Lock()
	defer s.statusMu.Unlock()
	s.bus.mu.Lock()
	reason, left := s.state.reason(), s.left
	s.bus.mu.Unlock()
	if left || reason == errConnecting || reason == s.lastStatus || reason != nil && s.lastStatus != nil && reason.Error() == s.lastStatus.Error() {
		return
	}
	s.lastStatus = reason
	s.deliverMu.RLock()
	defer s.deliverMu.RUnlock()
	if !s.closed {
		s.host.Status(reason)
	}
}

// Ready implements [adapter.Member].
func (s *member) Ready(ctx context.Context) error {
	for {
		s.bus.mu.Lock()
		ready, reason, left := s.state.ready, s.state.reason(), s.left
		s.bus.mu.Unlock()
		switch {
		case left:
			return adapter.ErrLeft
		case reason == nil:
			return nil
		}
		select {
		case <-ready:
		case <-ctx.Done():
			if errors.Is(reason, errConnecting) {
				return fmt.Errorf("socketio: redis: %w", ctx.Err())
			}
			return fmt.Errorf("socketio: redis: %w, because of: %w", ctx.Err(), reason)
		}
	}
}

// subscribed marks all members as listening, except those of failed topics.
func (b *bus) subscribed(failed map[topic]error) {
	var changed []*member
	probe := false
	b.mu.Lock()
	reasons := map[*member]error{}
	for t, err := range failed {
		for _, s := range b.topics[t] {
			reasons[s] = err
		}
	}
	for s := range b.members {
		now, was := reasons[s], s.state.missing[listening]
		if now == nil && was == nil {
			continue
		}
		if now == nil {
			s.state.set(echoing, errConnecting)
			s.state.probe, s.state.probed = 0, time.Time{}
			probe = true
		}
		s.state.set(listening, now)
		changed = append(changed, s)
	}
	b.mu.Unlock()
	for _, s := range changed {
		s.notifyStatus()
	}
	if probe {
		b.probe()
	}
}

// interrupted marks the members of topics as not listening. It reports the gap to those
// that were connected.
func (b *bus) interrupted(topics map[topic]struct{}, reason error) {
	b.gaps.Add(1)
	b.troubled()
	b.mu.Lock()
	affected := map[*member]bool{} // whether it was connected
	for t := range topics {
		for _, s := range b.topics[t] {
			if _, ok := affected[s]; !ok {
				affected[s] = s.state.missing[listening] == nil && s.state.missing[echoing] == nil
				s.state.set(listening, reason)
			}
		}
	}
	b.mu.Unlock()
	for s, was := range affected {
		if was {
			s.lost(0, reason)
		}
		s.notifyStatus()
	}
}

// troubled notes that servers may not receive from each other now.
func (b *bus) troubled() { b.trouble.Store(time.Now().UnixNano()) }

// troubleTimeout is how long after the last trouble servers may need to reconnect.
const troubleTimeout = 3*lastPause + dialTimeout

func (b *bus) inTrouble() bool { return time.Since(time.Unix(0, b.trouble.Load())) < troubleTimeout }

// reconnectDemoted closes connections to nodes that are not masters any more; with force
// it closes all of them.
func (b *bus) reconnectDemoted(force bool) {
	b.out.reconnect()
	b.mu.Lock()
	watchers := b.watchers
	b.mu.Unlock()
	for _, watch := range watchers {
		watch(force)
	}
	wake(b.send)
}

// Probes are messages of a member to itself. They prove that what it publishes arrives
// where it listens.
const (
	probePrefix  = "probe "
	probeTimeout = 3 * time.Second
)

// probe sends probes: for all members without proof, and for the one of the others whose
// last probe is the oldest.
func (b *bus) probe() {
	now := time.Now()
	b.mu.Lock()
	var list []*member
	var next *member
	for s := range b.members {
		switch st := &s.state; {
		case st.missing[listening] != nil || st.probeQueued:
		case st.missing[echoing] != nil:
			if now.Sub(st.probed) >= checkInterval/2 {
				list = append(list, s)
			}
		case next == nil || st.probed.Before(next.state.probed):
			next = s
		}
	}
	if next != nil && now.Sub(next.state.probed) >= checkInterval/2 {
		list = append(list, next)
	}
	for _, s := range list {
		b.probes++
		s.state.probe, s.state.probeQueued, s.state.probeSent, s.state.probed = b.probes, true, time.Time{}, now
	}
	b.mu.Unlock()
	for _, s := range list {
		s.sendProbe()
	}
}

func (s *member) sendProbe() {
	b := s.bus
	b.mu.Lock()
	number := s.state.probe
	b.mu.Unlock()
	c := b.message(s.ownTopic.name, []byte(probePrefix+strconv.FormatUint(number, 10)))
	c.control = true
	c.done = func(_ rueidis.RedisMessage, err error) {
		b.mu.Lock()
		s.state.probeQueued, s.state.probeSent = false, time.Now()
		b.mu.Unlock()
		if _, refused := rueidis.IsRedisErr(err); refused {
			s.setCondition(echoing, fmt.Errorf("socketio: redis: publishing: %w", err))
		}
	}
	if s.enqueue(c) != nil {
		b.mu.Lock()
		s.state.probeQueued = false
		b.mu.Unlock()
	}
}

// echo reports whether a message on the member's own channel is a probe.
func (s *member) echo(message string) bool {
	text, ok := strings.CutPrefix(message, probePrefix)
	if !ok {
		return false
	}
	number, err := strconv.ParseUint(text, 10, 64)
	s.bus.mu.Lock()
	ours := err == nil && number == s.state.probe && number > 0
	if ours {
		s.state.probe = 0
	}
	s.bus.mu.Unlock()
	if ours {
		s.setCondition(echoing, nil)
	}
	return true
}

// probeOverdue returns the members whose probe has not come back.
func (b *bus) probeOverdue() (list []*member) {
	b.mu.Lock()
	for s := range b.members {
		st := &s.state
		if st.missing[listening] == nil && st.probe > 0 && !st.probeQueued && time.Since(st.probeSent) > probeTimeout &&
			(st.missing[echoing] == nil || errors.Is(st.missing[echoing], errConnecting)) {
			list = append(list, s)
		}
	}
	b.mu.Unlock()
	return list
}
