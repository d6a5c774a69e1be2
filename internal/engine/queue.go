package engine

import (
	"sync"

	"github.com/socketio-go/socketio/internal/rawconn"
)

// A writeState says which goroutine writes the queue of a session. Over polling it
// is never queued: a message stays idle until there is a poll.
//
//	state     corked   writes next                becomes
//	idle      no       none: nothing is queued,   queued, when a message is sent over WebSocket;
//	                   or there is no poll        flushing, when a poll takes messages
//	idle      yes      the reader, at the end     flushing, at the end of the turn;
//	                   of its turn                queued, at a handoff
//	queued    no, yes  a flush worker, or a       flushing, when it takes messages
//	                   reader that helps
//	flushing  no, yes  the goroutine that wrote   idle, when it finds nothing more to write
//	                   before, or the poll        or the session closed
type writeState uint8

const (
	idle writeState = iota
	queued
	flushing
)

// Send queues m. A volatile message is dropped, with [ErrDropped], unless the
// transport can take it at once. Send never blocks; it may be called under locks
// of the receiver.
func (s *Session) Send(m *Message, volatile bool) error {
	s.mu.Lock()
	if s.state != open {
		s.mu.Unlock()
		return ErrClosed
	}
	s.emitted++
	switch {
	case volatile && !s.writableLocked():
		s.volatile++
		s.mu.Unlock()
		return ErrDropped
	case s.queued > 0 && s.queued+m.Size() > s.srv.cfg.MaxQueue:
		s.lost++
		s.slowLocked()
		s.mu.Unlock()
		return ErrSlow
	}
	s.pending++
	s.enqueueLocked(m)
	s.mu.Unlock()
	return nil
}

// writableLocked reports whether a message would be written at once.
func (s *Session) writableLocked() bool {
	return len(s.queue) == 0 && s.write == idle && (s.ws != nil || s.poll != nil)
}

func (s *Session) enqueueLocked(m *Message) {
	s.queue = append(s.queue, m)
	s.queued += m.Size()
	if s.queued > maxCorkedBytes && s.write != flushing && (s.corked || s.write == queued) {
		s.srv.flushPool.overruns.Add(1)
	}
	s.wakeLocked()
}

// wakeLocked starts a flush, unless a goroutine flushes already or will at the end
// of the reader's turn.
func (s *Session) wakeLocked() {
	switch {
	case s.write != idle || s.corked:
	case s.ws != nil:
		if s.sendableLocked() {
			s.write = queued
			s.srv.enqueueFlush(s)
		}
	case s.poll != nil:
		s.poll.wake()
	}
}

// flush writes to the WebSocket until nothing is queued. The caller has taken the
// session from the flush pool or has set the state to flushing. It never blocks:
// when the network takes no more, a goroutine of the session continues.
func (s *Session) flush(f *writeBatch) {
	for s.take(f) {
		for f.fill(s.ws) {
			n, err := s.ws.tryWrite(f.chunk)
			f.chunk = f.chunk[n:]
			if err == rawconn.ErrWouldBlock {
				rest := f.detach()
				s.srv.Go(func() { s.flushBlocking(rest) })
				return
			}
			if err != nil {
				s.Discard(TransportClose)
				f.discardRest(s.ws)
			}
		}
	}
}

// flushBlocking continues a flush with blocking writes of at most minProgress bytes,
// each within WriteTimeout.
func (s *Session) flushBlocking(f *writeBatch) {
	returned := false
	defer func() {
		if !returned { // runtime.Goexit in a connection of the application
			s.Discard(TransportClose)
			f.discardRest(s.ws)
			s.take(f)
		}
		f.release()
	}()
	for {
		for f.fill(s.ws) {
			n, err := s.ws.writeBlocking(f.chunk[:min(len(f.chunk), minProgress)])
			f.chunk = f.chunk[n:]
			if err != nil {
				s.failed(err)
				f.discardRest(s.ws)
				continue
			}
			s.progressed()
		}
		if !s.take(f) {
			returned = true
			return
		}
	}
}

// take counts what f has written and loads the next part of the queue into it. If
// there is nothing to write, it makes the write state idle and reports false.
func (s *Session) take(f *writeBatch) bool {
	s.mu.Lock()
	s.countTakenLocked(f.count-f.lost, f.lost)
	s.queued -= min(f.size, s.queued) // less if the queue has been dropped
	s.countWrittenLocked(f.bytes, f.ping)
	f.size, f.bytes, f.count, f.lost, f.ping = 0, 0, 0, 0, false
	if s.state != closed && s.sendableLocked() {
		s.write = flushing
		s.loadLocked(f)
		s.mu.Unlock()
		return true
	}
	s.write = idle
	last := s.state == closing
	if last {
		s.limitClosingLocked(closeWait)
	}
	s.mu.Unlock()
	if last {
		s.ws.closeWrite()
	}
	return false
}

// controlFrames are the heartbeats to write. They are written before the queue, so
// that a long queue does not delay them. Each kind waits at most once, so a flood of
// pings does not fill memory. The answer to a WebSocket ping is kept likewise.
type controlFrames struct {
	ping bool // our heartbeat
	pong bool // the answer to a client's heartbeat, of Engine.IO 3
}

func (c controlFrames) appendTo(batch []*Message) []*Message {
	if c.ping {
		batch = append(batch, pingMessage)
	}
	if c.pong {
		batch = append(batch, pongMessage)
	}
	return batch
}

// sendableLocked reports whether there is something to send.
func (s *Session) sendableLocked() bool {
	return len(s.queue) > 0 || s.pongFrame != nil || s.control != controlFrames{}
}

// loadLocked moves control frames and the first messages of the queue into f. They
// are few, because the lock is held and because the next ping waits for them.
func (s *Session) loadLocked(f *writeBatch) {
	f.batch, f.next, f.ping = f.batch[:0], 0, s.control.ping || s.control.pong
	if s.pongFrame != nil {
		f.batch = append(f.batch, s.pongFrame)
		s.pongFrame = nil
	}
	f.batch = s.control.appendTo(f.batch)
	s.control = controlFrames{}
	n := 0
	for _, m := range s.queue[:min(len(s.queue), maxBatch)] {
		if f.bytes += int64(m.Len()); n > 0 && f.bytes > chunkSize {
			f.bytes -= int64(m.Len())
			break
		}
		n++
		f.size += m.Size()
		if !m.control {
			f.count++
		}
	}
	f.batch = append(f.batch, s.queue[:n]...)
	s.shiftLocked(n)
}

// shiftLocked removes the first n messages of the queue. An empty one keeps a
// little room for the next.
func (s *Session) shiftLocked(n int) {
	clear(s.queue[:n])
	switch {
	case n < len(s.queue):
		s.queue = s.queue[n:]
	case cap(s.queue) > 64:
		s.queue = nil
	default:
		s.queue = s.queue[:0]
	}
}

const (
	maxBatch    = 512      // messages in a write batch, unless chunkSize bytes are reached before
	chunkSize   = 64 << 10 // small messages are copied together up to this size
	largeFrame  = 8 << 10  // larger ones are written as they are
	minProgress = 16 << 10 // bytes that must move within WriteTimeout, PingTimeout or bodyTimeout
)

// A writeBatch holds what one session is writing.
type writeBatch struct {
	batch []*Message
	next  int    // the first of batch that is not in chunk
	size  int64  // bytes of memory that batch holds
	bytes int64  // bytes of batch on the wire
	count uint32 // messages in batch, without control frames
	lost  uint32 // those of them that could not be written
	ping  bool   // there is a ping in batch
	chunk []byte
	buf   []byte
}

var writeBatches = sync.Pool{New: func() any { return new(writeBatch) }}

// fill puts the next bytes to be written to t into chunk. It reports whether
// there are any.
func (f *writeBatch) fill(t *wsConn) bool {
	if len(f.chunk) > 0 {
		return true
	}
	left := f.batch[f.next:]
	if len(left) == 0 {
		return false
	}
	first := t.wireOf(left[0])
	if len(left) == 1 || len(first) > largeFrame {
		f.chunk = first
		f.next++
		return true
	}
	f.buf = f.buf[:0]
	for _, m := range left {
		wire := t.wireOf(m)
		if len(wire) > largeFrame || len(f.buf)+len(wire) > chunkSize {
			break
		}
		f.buf = append(f.buf, wire...)
		f.next++
	}
	f.chunk = f.buf
	return true
}

// detach moves what is left into another batch.
func (f *writeBatch) detach() *writeBatch {
	rest := writeBatches.Get().(*writeBatch)
	*f, *rest = *rest, *f
	return rest
}

// discardRest drops the messages that were not written to their end, after a failed
// write to t.
func (f *writeBatch) discardRest(t *wsConn) {
	first := f.next
	for rest := len(f.chunk); rest > 0; {
		first--
		rest -= len(t.wireOf(f.batch[first]))
	}
	for _, m := range f.batch[first:] {
		if !m.control {
			f.lost++
		}
	}
	f.chunk, f.next = nil, len(f.batch)
}

func (f *writeBatch) release() {
	clear(f.batch)
	*f = writeBatch{batch: f.batch[:0], buf: f.buf[:0]}
	if cap(f.batch) <= 1024 {
		writeBatches.Put(f)
	}
}
