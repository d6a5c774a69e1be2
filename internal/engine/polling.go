package engine

import (
	"bytes"
	"errors"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/socketio-go/socketio/internal/eio"
)

// A poll is a GET that waits for something to send.
type poll struct {
	ready chan struct{}
	abort func() // makes the writing of its response fail; called under the session's mu
	noop  bool   // it is to go home; guarded by the session's mu

	compression Compression // of what it has taken
	messages    uint32
}

// wake makes the poll look at its session again. It never blocks.
func (p *poll) wake() {
	select {
	case p.ready <- struct{}{}:
	default:
	}
}

// A post is a POST whose body is being read.
type post struct {
	abort func() // makes the reading fail; called under the session's mu; nil once it has been read, as it would end the connection
	done  chan struct{}
}

// noopDelay is how long a poll waits for an upgrade to be finished before it
// is sent home, so that a client can't spin.
const noopDelay = 100 * time.Millisecond

// servePoll answers a GET with everything that is queued, as soon as there is
// something.
func (s *Session) servePoll(w http.ResponseWriter, r *http.Request, script string) {
	rc := http.NewResponseController(w)
	p := &poll{
		ready: make(chan struct{}, 1),
		abort: func() { _ = rc.SetWriteDeadline(longAgo) },
	}
	s.mu.Lock()
	switch {
	case s.silentLocked():
		s.mu.Unlock()
		s.abort(PingTimeout)
		refuse(w, http.StatusBadRequest, unknownSession, "")
		return
	case s.state == closed:
		s.mu.Unlock()
		refuse(w, http.StatusBadRequest, unknownSession, "")
		return
	case s.ws != nil:
		s.mu.Unlock()
		refuse(w, http.StatusBadRequest, badRequest, "")
		return
	case s.poll != nil:
		s.mu.Unlock()
		s.Close(TransportError) // the poll that waits is told
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	s.poll = p
	if len(s.queue) > 0 || s.state == closing {
		s.wakeLocked()
	}
	upgrading := s.probed
	s.mu.Unlock()

	// The deadlines of an http.Server would look like an aborted poll.
	_ = rc.SetReadDeadline(time.Time{})
	_ = rc.SetWriteDeadline(time.Time{})
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

	buf := payloads.Get().(*[]byte)
	defer releasePayload(buf)
	s.srv.limitWriting(rc) // from here on, so that it does not undo an abort
	f, took := s.takePayload(p, script, buf)
	if took == refused {
		refuse(w, http.StatusBadRequest, badRequest, "")
		return
	}
	body, contentType := bodyOf(w.Header(), f, script, *buf)
	var packed bytes.Buffer
	body = gzipInto(&packed, w.Header(), r, body, p.compression, s.srv.cfg.Compression)
	err := respond(w, contentType, body)
	if took == nothing {
		return
	}
	if err != nil {
		s.Discard(TransportClose)
	}
	s.pollDone(p, err)
}

// What a poll has taken from its session.
type taken uint8

const (
	nothing taken = iota
	refused       // an upgrade has been completed while the poll waited
	queued        // it is the session's flusher until pollDone
)

// takePayload moves the queue into a payload.
func (s *Session) takePayload(p *poll, script string, buf *[]byte) (f eio.Framing, took taken) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.poll = nil
	f = s.framingLocked(script)
	dst := (*buf)[:0]
	defer func() { *buf = dst }()
	switch {
	case s.state == closed:
		dst = f.Append(dst, closePacket)
		return f, nothing
	case s.ws != nil:
		return f, refused
	case s.state == open && (s.flushing || len(s.queue) == 0):
		dst = f.Append(dst, noopPacket)
		return f, nothing
	}
	if len(s.queue) == 0 {
		// In a payload of its own: clients act on it before they have handled
		// the messages of the same payload.
		last := closePacket
		if s.hungUp {
			last = noopPacket
		}
		dst = f.Append(dst, last)
		s.finishLocked() // now, as the client may ask again as soon as it has read this
		return f, nothing
	}
	s.answer = p
	p.messages = messages(s.queue)
	for _, m := range s.queue {
		p.compression = max(p.compression, m.compression)
		dst = m.appendPayload(dst, f)
	}
	s.clearQueueLocked()
	s.queued = 0
	s.flushing = true
	return f, queued
}

// pollDone says that what a poll has taken is on its way, or lost with the
// session.
func (s *Session) pollDone(p *poll, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil {
		s.settledLocked(p.messages, 0)
	} else {
		s.settledLocked(0, p.messages)
	}
	s.flushing, s.answer = false, nil
	if len(s.queue) > 0 || s.state == closing {
		s.wakeLocked() // the next poll, or the WebSocket that has taken over
	}
}

// hangUp ends a session at its client's wish. The poll that belongs to it gets
// a noop; it may still be on its way, as it travels beside the POST.
func (s *Session) hangUp() {
	s.mu.Lock()
	first := s.state == open
	if first {
		s.reason = TransportClose
		s.dropQueueLocked()
		s.closeLocked()
		s.hungUp = true
		s.boundLocked(closeWait)
	}
	s.mu.Unlock()
	if first {
		s.recv.Closed(TransportClose)
	}
}

// payloads holds buffers for polling bodies.
var payloads = sync.Pool{New: func() any { return new([]byte) }}

func releasePayload(buf *[]byte) {
	if cap(*buf) <= maxScratch {
		payloads.Put(buf)
	}
}

// limitWriting gives a response WriteTimeout, in place of the http.Server's
// own deadline, which counts from the request on.
func (srv *Server) limitWriting(rc *http.ResponseController) {
	_ = rc.SetWriteDeadline(time.Now().Add(srv.cfg.WriteTimeout))
}

// respond writes a polling response as far as the network.
func respond(w http.ResponseWriter, contentType []string, body []byte) error {
	h := w.Header()
	h["Content-Type"] = contentType
	h["Cache-Control"] = noStore
	h["Content-Length"] = []string{strconv.Itoa(len(body))}
	if _, err := w.Write(body); err != nil {
		return err
	}
	rc := http.NewResponseController(w)
	err := rc.Flush()
	_ = rc.SetWriteDeadline(time.Time{}) // the connection's next request may be for somebody else
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
	longAgo     = time.Unix(1, 0)
)

// servePost reads the packets that a client sends, in a form if it polls by
// scripts.
func (s *Session) servePost(w http.ResponseWriter, r *http.Request, script string) {
	rc := http.NewResponseController(w)
	p := &post{
		abort: func() { _ = rc.SetReadDeadline(longAgo) },
		done:  make(chan struct{}),
	}
	s.mu.Lock()
	switch {
	case s.state != open:
		s.mu.Unlock()
		refuse(w, http.StatusBadRequest, unknownSession, "")
		return
	case s.ws != nil:
		s.mu.Unlock()
		refuse(w, http.StatusBadRequest, badRequest, "")
		return
	case s.post != nil:
		s.mu.Unlock()
		s.Close(TransportError)
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	s.post = p
	_ = rc.SetReadDeadline(time.Now().Add(s.srv.cfg.PingInterval + s.srv.cfg.PingTimeout))
	s.mu.Unlock()
	finish := sync.OnceFunc(func() {
		s.mu.Lock()
		s.post = nil
		s.mu.Unlock()
		close(p.done)
	})
	defer finish()

	limit := s.srv.cfg.MaxPayload
	f, readable := s.framingOf(r)
	switch {
	case r.Header.Get("Content-Encoding") != "":
		w.WriteHeader(http.StatusUnsupportedMediaType)
		return
	case !readable:
		w.WriteHeader(http.StatusBadRequest)
		s.Close(TransportError)
		return
	case r.ContentLength > limit:
		s.refuseTooBig(w)
		return
	}
	buf := payloads.Get().(*[]byte)
	defer releasePayload(buf)
	body, err := readAll(r.Body, (*buf)[:0], limit)
	*buf = body
	switch {
	case errors.Is(err, errTooBig):
		s.refuseTooBig(w)
		return
	case err != nil:
		status := http.StatusBadRequest
		if isTimeout(err) {
			status = http.StatusRequestTimeout
		}
		w.Header().Set("Connection", "close") // what is left of the body is not awaited
		w.WriteHeader(status)
		s.Close(TransportError)
		return
	}
	s.mu.Lock()
	p.abort = nil
	s.mu.Unlock()
	_ = rc.SetReadDeadline(time.Time{})
	if script != "" {
		if body, err = eio.DecodeForm(body); err != nil {
			s.violated(err)
		}
	}
	if err == nil {
		s.receivePayload(f, body)
	}
	finish() // first, as the next POST may come as soon as the client has read "ok"
	s.srv.limitWriting(rc)
	_ = respond(w, textHTML, okPayload)
}

// refuseTooBig refuses a body. The session goes on, but what was in it is lost:
// an operator wonders where it is.
func (s *Session) refuseTooBig(w http.ResponseWriter) {
	s.srv.report(s, errTooBig)
	w.WriteHeader(http.StatusRequestEntityTooLarge)
}

// receivePayload handles the packets of a body in order.
func (s *Session) receivePayload(f eio.Framing, body []byte) {
	for rest := body; ; {
		var p eio.Packet
		var err error
		p, rest, err = f.Next(rest)
		switch {
		case err != nil:
			s.violated(err)
			return
		case p.Type == eio.Close:
			s.hangUp()
			return
		case !s.receive(nil, p) || rest == nil:
			return
		}
	}
}
