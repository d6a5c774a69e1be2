package tests_test

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/socketio-go/socketio/adapter"
)

// A logBus is a bus in memory that records: every seat reads one log, in order,
// on a goroutine of its own. Each node of the cluster joins through node.
type logBus struct {
	mu       sync.Mutex
	changed  *sync.Cond
	log      []*adapter.Message // position i+1; those of other kinds have their place, too
	first    int64              // what is before has been forgotten
	sessions map[string]*adapter.Session
	seats    []*logSeat
	down     bool          // nothing is taken
	fails    int           // which of the next calls of Since
	late     bool          // who joins does not learn where the log is
	hung     bool          // sessions are not found, nor is it known that there are none
	takes    chan struct{} // if not nil, Take waits until it is closed
	gap      int64         // what was not taken is behind this position
}

func newLogBus() *logBus {
	b := &logBus{sessions: make(map[string]*adapter.Session)}
	b.changed = sync.NewCond(&b.mu)
	return b
}

// forget drops the log so far.
func (b *logBus) forget() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.first = int64(len(b.log))
}

func (b *logBus) setDown(down bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.down = down
}

// hold stops the reading of the nth seat, or lets it go on.
func (b *logBus) hold(n int, held bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.seats[n].held = held
	b.changed.Broadcast()
}

// wait waits until every seat has dealt with what is in the log now.
func (b *logBus) wait() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for end := len(b.log); slices.ContainsFunc(b.seats, func(s *logSeat) bool { return !s.left && s.handled < end }); {
		b.changed.Wait()
	}
}

// Join implements [adapter.Adapter].
func (b *logBus) Join(namespace string, host adapter.Host) adapter.Member {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := &logSeat{bus: b, id: fmt.Sprint("node", len(b.seats)), namespace: namespace, host: host, next: len(b.log), handled: len(b.log), done: make(chan struct{})}
	b.seats = append(b.seats, s)
	go s.read(int64(len(b.log)))
	return s
}

type logSeat struct {
	bus       *logBus
	id        string
	namespace string
	host      adapter.Host
	next      int
	handled   int  // of the log
	held      bool // it does not read
	left      bool
	done      chan struct{}
}

func (s *logSeat) read(begin int64) {
	defer close(s.done)
	s.bus.mu.Lock()
	for s.bus.late && !s.left {
		s.bus.changed.Wait()
	}
	s.bus.mu.Unlock()
	s.host.Deliver(&adapter.Message{Kind: adapter.Position, Position: begin})
	for {
		s.bus.mu.Lock()
		s.handled = s.next
		s.bus.changed.Broadcast()
		for (s.held || s.next == len(s.bus.log)) && !s.left {
			s.bus.changed.Wait()
		}
		if s.left {
			s.bus.mu.Unlock()
			return
		}
		m := *s.bus.log[s.next]
		s.next++
		s.bus.mu.Unlock()
		namespace, kind, _ := bytes.Cut([]byte(m.To), []byte(" "))
		to := string(kind)
		m.To = to
		if string(namespace) != s.namespace || to != "" && to != s.id || m.Position == 0 && m.From == s.id {
			continue
		}
		s.host.Deliver(&m)
	}
}

func (s *logSeat) append(m *adapter.Message, record bool) error {
	s.bus.mu.Lock()
	defer s.bus.mu.Unlock()
	switch {
	case s.left:
		return adapter.ErrLeft
	case s.bus.down:
		if record {
			s.bus.gap = int64(len(s.bus.log)) + 1
		}
		return adapter.ErrBacklog
	}
	c := *m
	c.From, c.To = s.id, s.namespace+" "+m.To
	c.Rooms, c.Except, c.Targets = slices.Clone(m.Rooms), slices.Clone(m.Except), slices.Clone(m.Targets)
	c.Data = bytes.Clone(m.Data)
	c.Binary = nil
	for _, b := range m.Binary {
		c.Binary = append(c.Binary, bytes.Clone(b))
	}
	if record {
		c.Position = int64(len(s.bus.log)) + 1
	}
	s.bus.log = append(s.bus.log, &c)
	s.bus.changed.Broadcast()
	return nil
}

func (s *logSeat) ID() string                       { return s.id }
func (s *logSeat) Ready(context.Context) error      { return nil }
func (s *logSeat) Publish(m *adapter.Message) error { return s.append(m, false) }
func (s *logSeat) Append(m *adapter.Message) error  { return s.append(m, true) }

func (s *logSeat) Peers(context.Context) (adapter.Peers, error) {
	s.bus.mu.Lock()
	defer s.bus.mu.Unlock()
	p := adapter.Peers{IDs: []string{}}
	for _, other := range s.bus.seats {
		if other != s && !other.left && other.namespace == s.namespace {
			p.IDs = append(p.IDs, other.id)
		}
	}
	p.Count = len(p.IDs)
	return p, nil
}

func (s *logSeat) Leave() <-chan struct{} {
	s.bus.mu.Lock()
	defer s.bus.mu.Unlock()
	s.left = true
	s.bus.changed.Broadcast()
	return s.done
}

func (s *logSeat) Position(offset string) (int64, bool) {
	n, err := strconv.ParseInt(strings.TrimPrefix(offset, "log-"), 10, 64)
	return n, err == nil && n >= 0
}

func (s *logSeat) Offset(position int64) string { return "log-" + strconv.FormatInt(position, 10) }

func (s *logSeat) SaveSession(session *adapter.Session, _ time.Duration) error {
	s.bus.mu.Lock()
	defer s.bus.mu.Unlock()
	s.bus.sessions[session.PID] = session
	return nil
}

func (s *logSeat) TakeSession(ctx context.Context, pid string) (*adapter.Session, error) {
	s.bus.mu.Lock()
	defer s.bus.mu.Unlock()
	if s.bus.hung {
		s.bus.mu.Unlock()
		<-ctx.Done()
		s.bus.mu.Lock()
		return nil, ctx.Err()
	}
	if takes := s.bus.takes; takes != nil {
		s.bus.mu.Unlock()
		select {
		case <-takes:
		case <-ctx.Done():
		}
		s.bus.mu.Lock()
	}
	session := s.bus.sessions[pid]
	delete(s.bus.sessions, pid)
	return session, nil
}

func (s *logSeat) ReadAfter(_ context.Context, position int64) (list []*adapter.Message, err error) {
	s.bus.mu.Lock()
	defer s.bus.mu.Unlock()
	s.bus.fails--
	if position < max(s.bus.first, s.bus.gap) || s.bus.fails == 0 {
		return nil, adapter.ErrEvicted
	}
	for _, m := range s.bus.log[min(position, int64(len(s.bus.log))):] {
		if m.Position > 0 && m.To == s.namespace+" " {
			list = append(list, m)
		}
	}
	return list, nil
}
