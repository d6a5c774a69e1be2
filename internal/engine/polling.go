package engine

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"time"

	"github.com/socketio-go/socketio/internal/eio"
	"github.com/socketio-go/socketio/internal/rawconn"
)

// A poll is a GET that waits for something to send.
type poll struct {
	ready    chan struct{}
	deadline requestDeadline // of its response
	noop     bool            // to be answered with NOOP; guarded by session.mu

	batch    []*Message // what it writes
	messages uint32     // how many of these are written to their end
	ping     bool       // there is a ping in batch
}

// A response carries at most pollPackets packets, as python-engineio reads no
// more by default, and pollBytes, so that a ping need not wait for long behind
// it. One packet may have any size.
const (
	pollPackets = 16
	pollBytes   = 256 << 10
)

// wake makes the poll look at its session again. It never blocks.
func (p *poll) wake() {
	select {
	case p.ready <- struct{}{}:
	default:
	}
}

// noopDelay is how long a poll waits during an upgrade before it is answered with
// NOOP, so that a client can't spin.
const noopDelay = 100 * time.Millisecond

// servePoll answers a GET with what is queued, or the first of it, as soon as
// there is something.
func (s *Session) servePoll(w http.ResponseWriter, r *http.Request, script string) {
	rc := http.NewResponseController(w)
	p := &poll{
		ready:    make(chan struct{}, 1),
		deadline: requestDeadline{session: s, rc: rc, write: true},
	}
	s.mu.Lock()
	end := s.pongOverdueLocked(time.Now()) // which the timer may not have noticed yet
	switch {
	case end != nil:
		s.mu.Unlock()
		end()
		s.srv.refuse(w, r, http.StatusBadRequest, unknownSession, "")
		return
	case s.state == closed:
		s.mu.Unlock()
		s.srv.refuse(w, r, http.StatusBadRequest, unknownSession, "")
		return
	case s.ws != nil:
		s.mu.Unlock()
		s.srv.refuse(w, r, http.StatusBadRequest, badRequest, "")
		return
	case s.poll != nil:
		s.mu.Unlock()
		s.Close(TransportError) // the waiting poll gets CLOSE
		s.srv.refuseBare(w, r, http.StatusBadRequest, "Second poll at a time")
		return
	}
	s.poll = p
	if s.pollWriting == nil {
		s.unconfirmed, s.beforePing = 0, 0 // a client polls when it has read the last response
	}
	if s.sendableLocked() || s.state == closing {
		s.wakeLocked()
	}
	upgrading := s.probed
	s.mu.Unlock()

	// The deadlines of an http.Server would look like an aborted poll.
	_ = rc.SetReadDeadline(time.Time{})
	p.deadline.clear()
	var noop <-chan time.Time
	if upgrading {
		timer := time.NewTimer(noopDelay)
		defer timer.Stop()
		noop = timer.C
	}
	select {
	case <-p.ready:
	case <-noop:
	case <-r.Context().Done():
		s.mu.Lock()
		released := p.noop // the session goes on without it
		s.mu.Unlock()
		if !released {
			s.Discard(TransportError)
		}
	}

	p.deadline.extend(s.srv.cfg.WriteTimeout) // in place of the http.Server's, which counts from the request on
	packet, took := s.takeBatch(p)
	if took == pollRefused {
		s.srv.refuse(w, r, http.StatusBadRequest, badRequest, "")
		return
	}
	size, err := 0, errPanicked // unless it returns
	if took == pollQueued {
		defer func() {
			if err != nil {
				s.failed(err)
			}
			s.pollDone(p, size, err)
			p.deadline.release()
		}()
	}
	buf := rawconn.GetBuffer()
	defer rawconn.PutBuffer(buf)
	f := s.framing(script, p.batch)
	payload := (*buf)[:0]
	if took == pollEmpty {
		payload = f.Append(payload, packet)
	}
	var compression Compression
	for _, m := range p.batch {
		compression = max(compression, m.compression)
		payload = m.appendPayload(payload, f)
	}
	*buf = payload
	body, contentType := bodyOf(w.Header(), f, script, payload)
	var packed bytes.Buffer
	body = gzipInto(&packed, w.Header(), r, body, compression, s.srv.cfg.Compression)
	size = len(body)
	err = s.respond(w, &p.deadline, contentType, body)
}

// What a poll has taken from its session.
type pollResult uint8

const (
	pollEmpty   pollResult = iota
	pollRefused            // an upgrade has been completed while the poll waited
	pollQueued             // the write state is flushing until pollDone
)

// takeBatch takes the messages that a poll is answered with, or returns a packet of
// the engine if there are none.
func (s *Session) takeBatch(p *poll) (packet []byte, took pollResult) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.poll = nil
	s.pongFrame = nil
	switch {
	case s.state == closed:
		return closePacket, pollEmpty
	case s.ws != nil:
		return nil, pollRefused
	case s.state == open && (s.write != idle || !s.sendableLocked()):
		return noopPacket, pollEmpty
	}
	if !s.sendableLocked() {
		// In a payload of its own: clients act on it before they have handled
		// the messages of the same payload.
		last := closePacket
		if s.closedByClient {
			last = noopPacket
		}
		s.finishLocked() // now, because the client may poll again as soon as it has read this
		return last, pollEmpty
	}
	s.pollWriting = p
	s.loadPollLocked(p)
	s.write = flushing
	return nil, pollQueued
}

// loadPollLocked moves control packets and the first of the queue into p. The last
// message may be divided.
func (s *Session) loadPollLocked(p *poll) {
	p.ping = s.control.ping || s.control.pong
	p.batch = s.control.appendTo(p.batch)
	s.control = controlFrames{}
	packets, size := len(p.batch), 0
	n := 0
	for n < len(s.queue) && packets < pollPackets && size < pollBytes {
		m := s.queue[n]
		if size > 0 && size+m.Len() > pollBytes {
			break
		}
		first, rest, frames := m.split(pollPackets-packets, pollBytes)
		p.batch = append(p.batch, first)
		packets += frames
		size += first.Len()
		s.queued -= m.Size()
		if rest != nil {
			s.queue[n] = rest
			s.queued += rest.Size()
			break
		}
		p.messages++
		n++
	}
	s.shiftLocked(n)
}

// pollDone counts what a poll has written, or has lost with the session.
func (s *Session) pollDone(p *poll, size int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil {
		s.countTakenLocked(p.messages, 0)
	} else {
		s.countTakenLocked(0, p.messages)
	}
	if s.pollWriting == p { // else the session is closing and another poll has taken messages
		s.write, s.pollWriting = idle, nil
	}
	s.countWrittenLocked(int64(size), p.ping)
	if s.sendableLocked() || s.state == closing {
		s.wakeLocked() // the next poll, or the WebSocket that has taken over
	}
}

// errSlow is an error like that of a deadline that has passed.
var errSlow = fmt.Errorf("engine.io: response not taken in time: %w", os.ErrDeadlineExceeded)

// hasProgressed gives the rest of a response WriteTimeout again. It reports false
// if the session has ended.
func (s *Session) hasProgressed(d *requestDeadline) bool {
	s.mu.Lock()
	ended := s.state == closed
	s.progressedLocked()
	s.mu.Unlock()
	if ended {
		return false
	}
	d.extend(s.srv.cfg.WriteTimeout)
	return true
}

// respond writes a polling response as far as the network. The caller has set
// the deadline, which is extended after every minProgress bytes.
func (s *Session) respond(w http.ResponseWriter, d *requestDeadline, contentType []string, body []byte) error {
	h := w.Header()
	h["Content-Type"] = contentType
	h["Cache-Control"] = noStore
	h["Content-Length"] = []string{strconv.Itoa(len(body))}
	began := time.Now()
	for {
		n, err := w.Write(body[:min(len(body), minProgress)])
		if err != nil {
			if time.Since(began) >= s.srv.cfg.WriteTimeout {
				err = errSlow // HTTP/2 does not say so
			}
			return err
		}
		if body = body[n:]; len(body) == 0 {
			break
		}
		if !s.hasProgressed(d) {
			return ErrClosed
		}
		began = time.Now()
	}
	err := d.rc.Flush()
	d.release()
	d.clear() // the connection's next request may be another client's
	if errors.Is(err, http.ErrNotSupported) {
		return nil
	}
	return err
}

var (
	textPlain   = []string{"text/plain; charset=UTF-8"}
	textHTML    = []string{"text/html"}
	noStore     = []string{"no-store"}
	okPayload   = []byte("ok")
	noopPacket  = []byte{byte(eio.Noop)}
	closePacket = []byte{byte(eio.Close)}
)
