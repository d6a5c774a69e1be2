package memnet

import (
	"cmp"
	"io"
	"net"
	"os"
	"slices"
	"sync"
	"syscall"
	"time"
)

// DefaultCapacity is how many bytes a direction of a new connection holds.
const DefaultCapacity = 64 << 10

// A Stream is one direction of a connection, with its faults.
type Stream struct {
	mu       sync.Mutex    // guards the following
	changed  chan struct{} // closed and replaced with every change
	buf      []byte        // sent and not read
	capacity int
	sent     int64 // bytes
	writes   int
	faults   []fault // to come, by position

	rate   int       // bytes per second that can be read; 0 is no limit
	next   time.Time // when the next bytes can be read
	frozen bool
	ended  bool // by the writer
	broken bool
	reads  int     // calls that wait for bytes
	left   [2]bool // which of reader and writer has closed its end

	readDeadline, writeDeadline time.Time
}

// The ends of a stream.
const (
	reader = iota
	writer
)

type fault struct {
	at   int64
	call func()
}

func newStream() *Stream {
	return &Stream{changed: make(chan struct{}), capacity: DefaultCapacity}
}

// Sent returns how many bytes have been written.
func (s *Stream) Sent() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sent
}

// Writes returns how many calls have written them.
func (s *Stream) Writes() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.writes
}

// Waiting returns how many bytes have been written and not read.
func (s *Stream) Waiting() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.buf)
}

// Idle reports whether nothing moves: every byte has been read, and the reader waits
// for more or has closed. A frozen stream is idle.
func (s *Stream) Idle() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.frozen, s.left[reader]:
		return true
	case len(s.buf) > 0:
		return false
	case s.broken, s.ended:
		return s.left[writer]
	}
	return s.reads > 0
}

// SetCapacity sets how many bytes may wait to be read before a write blocks.
func (s *Stream) SetCapacity(n int) { s.change(func() { s.capacity = n }) }

// SetRate bounds the bytes that can be read in a second. Zero is no bound.
func (s *Stream) SetRate(bytes int) {
	s.change(func() { s.rate, s.next = bytes, time.Time{} })
}

// Freeze makes the stream deliver nothing, not even its end, until Thaw. What
// is written waits, until the capacity is exhausted.
func (s *Stream) Freeze() { s.change(func() { s.frozen = true }) }

// Thaw ends a Freeze.
func (s *Stream) Thaw() { s.change(func() { s.frozen = false }) }

// End ends the stream: what has been written is read, then EOF.
func (s *Stream) End() { s.change(func() { s.ended = true }) }

// Cut breaks the stream: what has been written is read, then there is a reset,
// which the writer sees at once.
func (s *Stream) Cut() { s.change(func() { s.broken = true }) }

// At calls fn once n bytes have been written, before any more are. It is
// called on the goroutine that writes, or at once if they have been already.
func (s *Stream) At(n int64, fn func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, fault{n, fn})
	slices.SortStableFunc(s.faults, func(a, b fault) int { return cmp.Compare(a.at, b.at) })
	s.failLocked()
}

func (s *Stream) change(fn func()) {
	s.mu.Lock()
	fn()
	s.changedLocked()
	s.mu.Unlock()
}

func (s *Stream) changedLocked() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// waitLocked waits for a change, or for the earlier of two times that are not
// zero.
func (s *Stream) waitLocked(a, b time.Time) {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		a = b
	}
	changed := s.changed
	s.mu.Unlock()
	defer s.mu.Lock()
	if a.IsZero() {
		<-changed
		return
	}
	timer := time.NewTimer(time.Until(a))
	defer timer.Stop()
	select {
	case <-changed:
	case <-timer.C:
	}
}

func passed(t time.Time) bool { return !t.IsZero() && !time.Now().Before(t) }

func (s *Stream) read(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		var next time.Time
		switch {
		case s.left[reader]:
			return 0, net.ErrClosed
		case passed(s.readDeadline):
			return 0, os.ErrDeadlineExceeded
		case len(p) == 0:
			return 0, nil
		case s.frozen:
		case len(s.buf) > 0 && s.rate > 0 && !s.next.IsZero() && !passed(s.next):
			next = s.next
		case len(s.buf) > 0:
			some := s.buf
			if s.rate > 0 {
				some = some[:min(len(some), max(1, s.rate/10))] // 100ms of it
			}
			n := copy(p, some)
			s.buf = s.buf[n:]
			if s.rate > 0 {
				s.next = time.Now().Add(time.Duration(n) * time.Second / time.Duration(s.rate))
			}
			s.changedLocked()
			return n, nil
		case s.broken:
			return 0, syscall.ECONNRESET
		case s.ended:
			return 0, io.EOF
		}
		s.reads++
		s.waitLocked(s.readDeadline, next)
		s.reads--
	}
}

func (s *Stream) write(p []byte) (n int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.writes++
	for {
		switch {
		case s.left[writer]:
			return n, net.ErrClosed
		case passed(s.writeDeadline):
			return n, os.ErrDeadlineExceeded
		case s.broken:
			return n, syscall.ECONNRESET
		case s.ended || s.left[reader] && !s.frozen:
			return n, syscall.EPIPE
		case len(p) == 0:
			return n, nil
		}
		space := int64(s.capacity - len(s.buf))
		if len(s.faults) > 0 {
			space = min(space, s.faults[0].at-s.sent)
		}
		if space <= 0 {
			s.waitLocked(s.writeDeadline, time.Time{})
			continue
		}
		some := int(min(space, int64(len(p))))
		s.buf = append(s.buf, p[:some]...)
		s.sent += int64(some)
		n, p = n+some, p[some:]
		s.changedLocked()
		s.failLocked()
		if len(p) == 0 {
			return n, nil
		}
	}
}

// failLocked calls the faults that are due.
func (s *Stream) failLocked() {
	for len(s.faults) > 0 && s.faults[0].at <= s.sent {
		call := s.faults[0].call
		s.faults = s.faults[1:]
		s.mu.Unlock()
		call()
		s.mu.Lock()
	}
}

// leave closes the reader's end of its incoming or the writer's end of its
// outgoing stream. It reports whether it was open.
func (s *Stream) leave(end int) (first bool) {
	s.change(func() {
		first = !s.left[end]
		s.left[end] = true
		if end == reader {
			s.buf = nil
		}
	})
	return first
}
