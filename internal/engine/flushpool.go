package engine

import (
	"math"
	"slices"
	"sync"
	"sync/atomic"
)

// flushPool are the workers that flush sessions on behalf of those who must not
// wait. They exist only while there is something to do. A reader whose turn has
// made sessions dirty works with them, so that who sends to many can't send
// faster than it is written; it compares the counters with what they were.
type flushPool struct {
	max      int
	enqueued atomic.Uint64 // how many sessions have been dirty, ever; added to under mu
	overruns atomic.Uint64 // how often one had more than maxCorkedBytes to send while nobody flushed it

	mu      sync.Mutex // guards the following
	queue   []*Session
	next    int // the first of dirty that nobody has taken
	running int
}

// flushChunk is how many sessions a worker takes at a time, few enough for the
// others to find something too.
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

// flushWorker is a worker.
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

// flushUpTo flushes up to maxHelp sessions of those that were the first due to become
// dirty. It reports whether all of these have been taken, by whomever.
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

// flushSome flushes some of the sessions that were the first due to become dirty,
// and returns how many.
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
