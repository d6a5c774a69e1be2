package engine

import (
	"io"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/socketio-go/socketio/internal/eio"
)

// A poll is a GET that waits for something to send.
type poll struct {
	ready chan struct{}
	noop  bool // it is to go home; guarded by the session's mu
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
	abort func() // makes the reading fail; called under the session's mu
	done  chan struct{}
}

// noopDelay is how long a poll waits for an upgrade to be finished before it
// is sent home, so that a client can't spin.
const noopDelay = 100 * time.Millisecond

// servePoll answers a GET with everything that is queued, as soon as there is
// something.
func (s *Session) servePoll(w http.ResponseWriter, r *http.Request, script string) {
	p := &poll{ready: make(chan struct{}, 1)}
	s.mu.Lock()
	switch {
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
	upgrading := s.candidate != nil
	s.mu.Unlock()

	// The read deadline of an http.Server would look like an aborted poll.
	_ = http.NewResponseController(w).SetReadDeadline(time.Time{})
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
		s.Discard(TransportError)
		return
	}

	buf := payloads.Get().(*[]byte)
	defer releasePayload(buf)
	f, took := s.takePayload(p, script, buf)
	err := s.srv.respond(w, f, script, *buf)
	if err != nil {
		s.Discard(TransportClose)
	}
	s.pollDone(took)
}

// What a poll has taken from its session.
type taken uint8

const (
	nothing  taken = iota
	queued         // it is the session's flusher until pollDone
	lastWord       // and nothing comes after it
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
	case p.noop || s.candidate != nil || s.ws != nil || s.state == open && (s.flushing || len(s.queue) == 0):
		dst = f.Append(dst, noopPacket)
		return f, nothing
	case s.state == closed:
		dst = f.Append(dst, closePacket)
		return f, nothing
	}
	if s.hungUp {
		dst = f.Append(dst, noopPacket)
		return f, lastWord
	}
	for _, m := range s.queue {
		dst = m.appendPayload(dst, f)
	}
	s.clearQueueLocked()
	s.queued = 0
	s.flushing = true
	if s.state == open {
		return f, queued
	}
	dst = f.Append(dst, closePacket)
	return f, lastWord
}

// pollDone says that what a poll has taken is on its way.
func (s *Session) pollDone(took taken) {
	if took == nothing {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.flushing = false
	if took == lastWord {
		s.finishLocked()
	} else if len(s.queue) > 0 || s.state == closing {
		s.wakeLocked() // the next poll, or the WebSocket that has taken over
	}
}

// hangUp ends a session at its client's wish. The poll that belongs to it gets
// a noop; it may still be on its way, as it travels beside the POST.
func (s *Session) hangUp() {
	s.mu.Lock()
	first := s.state == open
	if first {
		s.queue, s.queued = nil, 0
		s.closeLocked()
		s.hungUp = true
		s.heart.Reset(closeWait)
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

// respond writes a polling response. If script is not empty, it is JavaScript.
func (srv *Server) respond(w http.ResponseWriter, f eio.Framing, script string, body []byte) error {
	// In place of the http.Server's own, which counts from the request on.
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(srv.cfg.WriteTimeout))
	h := w.Header()
	switch {
	case script != "":
		body = eio.AppendScript(nil, script, body)
		h["Content-Type"] = javaScript
		h["X-Content-Type-Options"] = noSniff
	case f == eio.CountedBinary:
		h["Content-Type"] = octetStream
	default:
		h["Content-Type"] = textPlain
	}
	h["Cache-Control"] = noStore
	h["Content-Length"] = []string{strconv.Itoa(len(body))}
	_, err := w.Write(body)
	return err
}

var (
	textPlain   = []string{"text/plain; charset=UTF-8"}
	textHTML    = []string{"text/html"}
	javaScript  = []string{"text/javascript; charset=UTF-8"}
	octetStream = []string{"application/octet-stream"}
	noSniff     = []string{"nosniff"}
	noStore     = []string{"no-store"}

	okPayload   = []byte("ok")
	noopPacket  = []byte{byte(eio.Noop)}
	closePacket = []byte{byte(eio.Close)}
)

// servePost reads the packets that a client sends, in a form if it polls by
// scripts.
func (s *Session) servePost(w http.ResponseWriter, r *http.Request, script string) {
	rc := http.NewResponseController(w)
	p := &post{
		abort: func() { _ = rc.SetReadDeadline(time.Unix(1, 0)) },
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
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		s.post = nil // from here on nobody aborts
		s.mu.Unlock()
		close(p.done)
	}()

	max := s.srv.cfg.MaxPayload
	f, readable := s.framingOf(r)
	switch {
	case r.Header.Get("Content-Encoding") != "":
		w.WriteHeader(http.StatusUnsupportedMediaType)
		return
	case !readable:
		w.WriteHeader(http.StatusBadRequest)
		s.Close(TransportError)
		return
	case r.ContentLength > max:
		w.WriteHeader(http.StatusRequestEntityTooLarge)
		return
	}
	_ = rc.SetReadDeadline(time.Now().Add(s.srv.cfg.PingInterval + s.srv.cfg.PingTimeout))
	buf := payloads.Get().(*[]byte)
	defer releasePayload(buf)
	body, err := readAll(io.LimitReader(r.Body, max+1), (*buf)[:0])
	*buf = body
	switch {
	case err != nil:
		status := http.StatusBadRequest
		if isTimeout(err) {
			status = http.StatusRequestTimeout
		}
		w.Header().Set("Connection", "close") // what is left of the body is not awaited
		w.WriteHeader(status)
		s.Close(TransportError)
		return
	case int64(len(body)) > max:
		w.WriteHeader(http.StatusRequestEntityTooLarge)
		return
	}
	_ = rc.SetReadDeadline(time.Time{})
	if script != "" {
		if body, err = eio.DecodeForm(body); err != nil {
			s.abort(ParseError)
		}
	}
	if err == nil {
		s.receivePayload(f, body)
	}
	h := w.Header()
	h["Content-Type"] = textHTML
	h["Cache-Control"] = noStore
	h["Content-Length"] = []string{"2"}
	_, _ = w.Write(okPayload)
}

// receivePayload handles the packets of a body in order.
func (s *Session) receivePayload(f eio.Framing, body []byte) {
	for rest := body; ; {
		var p eio.Packet
		var err error
		p, rest, err = f.Next(rest)
		switch {
		case err != nil:
			s.abort(ParseError)
			return
		case p.Type == eio.Close:
			s.hangUp()
			return
		case !s.receive(nil, p) || rest == nil:
			return
		}
	}
}
