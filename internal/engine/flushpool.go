package engine

import (
	"math"
	"slices"
	"sync"
	"sync/atomic"
)

// A flushPool has the workers that flush sessions for goroutines that must not
// block. They exist only while sessions are queued. A reader whose turn has queued
// sessions helps them: it flushes until those queued before a ticket are taken, so
// it can't send faster than is written.
type flushPool struct {
	max      int
	enqueued atomic.Uint64 // tickets: how many sessions have been queued, ever; added to under mu
	overruns atomic.Uint64 // how often a queue exceeded maxCorkedBytes while it was not being flushed

	mu      sync.Mutex // guards the following
	queue   []*Session
	next    int // the first of queue that has not been taken
	running int
}

// flushChunk is how many sessions a worker takes at a time.
const flushChunk = 16

// enqueueFlush has a worker flush s.
func (srv *Server) enqueueFlush(s *Session) {
	w := &srv.flushPool
	w.mu.Lock()
	w.enqueued.Add(1)
	w.queue = append(w.queue, s)
	start := w.running < w.max
	if start {
		w.running++
	}
	w.mu.Unlock()
	if start {
		srv.Go(srv.flushWorker)
	}
}

// flushWorker flushes until no session is queued.
func (srv *Server) flushWorker() {
	w := &srv.flushPool
	f := writeBatches.Get().(*writeBatch)
	defer f.release()
	for {
		if w.flushSome(f, math.MaxUint64) > 0 {
			continue
		}
		w.mu.Lock()
		if len(w.queue) == 0 { // still
			w.running--
			w.mu.Unlock()
			return
		}
		w.mu.Unlock()
	}
}

// flushUpTo flushes sessions that were queued before a ticket, up to
// maxFlushesBeforeRead. It reports whether all of these have been taken, also by
// others.
func (w *flushPool) flushUpTo(due uint64) bool {
	f := writeBatches.Get().(*writeBatch)
	defer f.release()
	for range maxFlushesBeforeRead / flushChunk {
		if w.flushSome(f, due) == 0 {
			return true
		}
	}
	return false
}

// flushSome flushes up to flushChunk sessions that were queued before a ticket, and
// returns how many.
func (w *flushPool) flushSome(f *writeBatch, due uint64) int {
	var mine [flushChunk]*Session
	w.mu.Lock()
	waiting := w.queue[w.next:]
	taken := w.enqueued.Load() - uint64(len(waiting))
	n := copy(mine[:], waiting[:min(uint64(len(waiting)), max(due, taken)-taken)])
	clear(waiting[:n])
	if w.next += n; 2*w.next >= len(w.queue) {
		w.queue, w.next = slices.Delete(w.queue, 0, w.next), 0
	}
	w.mu.Unlock()
	for _, s := range mine[:n] {
		s.flush(f)
	}
	return n
}
