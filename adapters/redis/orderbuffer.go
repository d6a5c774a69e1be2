package redis

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/socketio-go/socketio/adapter"
)

// barrierTimeout bounds how long requests wait for the stream.
const barrierTimeout = 3 * time.Second

// An orderBuffer delays requests that came over Pub/Sub until the entries appended
// before them have been read. For instance, a server makes sockets join a room, and then
// sends a request to that room. A request waits until the stream is read up to its end
// at the time of the request.
type orderBuffer struct {
	member *streamsMember
	closed chan struct{} // closed when the member leaves
	once   sync.Once     // closes it

	mu       sync.Mutex // guards the following
	payloads [][]byte
	size     int
	busy     bool // release runs
}

// add keeps a copy of a request.
func (h *orderBuffer) add(payload []byte) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.size += len(payload); h.size > h.member.bus.backlog && len(h.payloads) > 0 {
		h.size -= len(payload)
		h.member.host.Lost(1, adapter.ErrBacklog)
		return
	}
	h.payloads = append(h.payloads, slices.Clone(payload))
	if !h.busy {
		h.busy = h.member.run(h.release)
	}
}

// release delivers the requests.
func (h *orderBuffer) release() {
	for {
		h.mu.Lock()
		payloads := h.payloads
		h.payloads, h.size, h.busy = nil, 0, len(payloads) > 0
		h.mu.Unlock()
		if len(payloads) == 0 {
			return
		}
		h.waitForStream()
		for _, payload := range payloads {
			h.member.handleInOrder(func() { h.member.handle(h.member.decoder.envelope(payload)) })
		}
	}
}

// waitForStream waits until everything that the stream has now is read, within
// barrierTimeout.
func (h *orderBuffer) waitForStream() {
	ctx, cancel := context.WithTimeout(h.member.bus.ctx, barrierTimeout)
	defer cancel()
	s := h.member.stream
	reply, err := h.member.request(ctx, s.newest())
	if err != nil {
		return
	}
	newest, err := firstEntry(reply)
	if err != nil {
		return
	}
	reached := s.reaches(newest)
	select {
	case <-reached:
	case <-h.closed:
	case <-ctx.Done():
	}
}

func (h *orderBuffer) close() { h.once.Do(func() { close(h.closed) }) }

// A waiter waits until an entry has been read.
type waiter struct {
	id   entryID
	done chan struct{}
}

// reaches returns a channel that is closed when everything up to id has been
// delivered.
func (s *stream) reaches(id entryID) <-chan struct{} {
	done := make(chan struct{})
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.reached.compare(id) >= 0 {
		close(done)
	} else {
		s.waiters = append(s.waiters, waiter{id, done})
	}
	return done
}

// reach says that everything up to the last entry has been delivered.
func (s *stream) reach() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reached = s.last
	s.waiters = slices.DeleteFunc(s.waiters, func(w waiter) bool {
		if s.reached.compare(w.id) < 0 {
			return false
		}
		close(w.done)
		return true
	})
}
