package engine

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/socketio-go/socketio/internal/eio"
	"github.com/socketio-go/socketio/internal/rawconn"
)

// A post is a POST whose body is being read.
type post struct {
	deadline requestDeadline // of its body
	done     chan struct{}
}

// servePost reads the packets that a client sends, in a form if it polls by
// scripts.
func (s *Session) servePost(w http.ResponseWriter, r *http.Request, script string) {
	rc := http.NewResponseController(w)
	p := &post{
		deadline: requestDeadline{session: s, rc: rc},
		done:     make(chan struct{}),
	}
	s.mu.Lock()
	switch {
	case s.state != open:
		s.mu.Unlock()
		s.srv.refuse(w, r, http.StatusBadRequest, unknownSession, "")
		return
	case s.ws != nil:
		s.mu.Unlock()
		s.srv.refuse(w, r, http.StatusBadRequest, badRequest, "")
		return
	case s.post != nil:
		s.mu.Unlock()
		s.Close(TransportError)
		s.srv.refuseBare(w, r, http.StatusBadRequest, "Second POST at a time")
		return
	}
	s.post = p
	ended := !s.awaitRoomLocked(r.ContentLength)
	s.mu.Unlock()
	defer p.deadline.release()
	finish := sync.OnceFunc(func() {
		s.mu.Lock()
		s.post = nil
		s.mu.Unlock()
		close(p.done)
	})
	defer finish()
	p.deadline.extend(s.srv.bodyTimeout())

	limit := s.srv.cfg.MaxPayload
	f, readable := s.framingOf(r)
	switch {
	case ended:
		s.srv.refuse(w, r, http.StatusBadRequest, unknownSession, "")
		return
	case !slices.Contains(identities, strings.ToLower(r.Header.Get("Content-Encoding"))):
		s.srv.refuseBare(w, r, http.StatusUnsupportedMediaType, "Compressed body")
		return
	case !readable:
		s.srv.refuseBare(w, r, http.StatusBadRequest, "Binary body")
		s.Close(TransportError)
		return
	case r.ContentLength > limit:
		s.refuseTooBig(w, r)
		return
	}
	buf := rawconn.GetBuffer()
	defer rawconn.PutBuffer(buf)
	body, err := rawconn.ReadAll(&bodyReader{Reader: r.Body, session: s, deadline: &p.deadline}, (*buf)[:0], limit, errTooBig)
	*buf = body
	switch {
	case errors.Is(err, errTooBig):
		s.refuseTooBig(w, r)
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
	p.deadline.release()
	p.deadline.clear()
	if script != "" {
		if body, err = eio.DecodeForm(body); err != nil {
			s.violated(err)
		}
	}
	if err == nil {
		s.receiveBody(f, body)
	}
	finish() // first, as the next POST may come as soon as the client has read "ok"
	d := requestDeadline{session: s, rc: rc, write: true}
	d.extend(s.srv.cfg.WriteTimeout)
	_ = s.respond(w, &d, textHTML, okPayload)
}

// refuseTooBig refuses a body. The session goes on, but what was in it is lost:
// an operator wonders where it is.
func (s *Session) refuseTooBig(w http.ResponseWriter, r *http.Request) {
	s.srv.refuseBare(w, r, http.StatusRequestEntityTooLarge, "Body exceeds MaxPayload")
}

// identities are the values of Content-Encoding that mean none.
var identities = []string{"", "identity"}

// bodyTimeout is how long minProgress bytes of a body may take, or its end.
func (srv *Server) bodyTimeout() time.Duration { return srv.cfg.PingInterval + srv.cfg.PingTimeout }

// A bodyReader reads the body of a POST. It renews the deadline as the body comes.
type bodyReader struct {
	io.Reader
	session  *Session
	deadline *requestDeadline
	n        int // bytes since the deadline was set
}

func (b *bodyReader) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	s := b.session
	s.received.Add(uint32(n))
	if b.n += n; b.n >= minProgress {
		b.n = 0
		b.deadline.extend(s.srv.bodyTimeout())
	}
	return n, err
}

// A backlog is what POSTs have brought while the receiver was full: MaxPayload
// bytes at most, beyond which the next POST waits. A goroutine works through it.
type backlog struct {
	bodies  []body
	size    int64         // what the bodies hold
	closes  bool          // the last packet closes the session
	changed chan struct{} // closed at the next change; nil while nobody waits
}

type body struct {
	framing eio.Framing
	data    []byte
	size    int64 // of what data is a part of
}

func (b *backlog) addLocked(f eio.Framing, data []byte) {
	b.bodies = append(b.bodies, body{f, data, int64(len(data))})
	b.size += int64(len(data))
	b.closes = closesLast(f, data)
}

// closesLast reports whether the last packet of a payload closes the session, as
// far as that can be told without decoding it.
func closesLast(f eio.Framing, payload []byte) bool {
	if f == eio.Separated {
		return bytes.HasSuffix(payload, separatedClose) || bytes.Equal(payload, closePacket)
	}
	return bytes.Equal(payload, f.Append(nil, closePacket))
}

var separatedClose = append([]byte{eio.Separator}, closePacket...)

// awaitLocked waits for a change, with the lock released.
func (b *backlog) awaitLocked(mu *sync.Mutex) {
	if b.changed == nil {
		b.changed = make(chan struct{})
	}
	changed := b.changed
	mu.Unlock()
	<-changed
	mu.Lock()
}

func (b *backlog) changedLocked() {
	if b.changed != nil {
		close(b.changed)
		b.changed = nil
	}
}

// awaitRoomLocked waits until the body of a POST, of so many bytes or -1, fits into
// the backlog. It reports whether the session is still open.
func (s *Session) awaitRoomLocked(size int64) bool {
	limit := s.srv.cfg.MaxPayload
	if size < 0 || size > limit {
		size = limit
	}
	for s.backlog != nil && s.backlog.size+size > limit && s.state == open {
		s.backlog.awaitLocked(&s.mu)
	}
	return s.state == open
}

// awaitBacklog waits until all that POSTs have brought has been received.
func (s *Session) awaitBacklog() {
	s.mu.Lock()
	for s.backlog != nil && s.state != closed {
		s.backlog.awaitLocked(&s.mu)
	}
	s.mu.Unlock()
}

// receiveBody receives the packets of a body, or puts into the backlog what the
// receiver might not take at once.
func (s *Session) receiveBody(f eio.Framing, data []byte) {
	if s.isBacklogged() && s.addToBacklog(f, bytes.Clone(data), false) {
		return
	}
	for !s.recv.Full() {
		var ok bool
		if data, ok = s.receivePacket(f, data); !ok || data == nil {
			return
		}
	}
	s.addToBacklog(f, bytes.Clone(data), true)
	s.srv.Go(s.receiveBacklog)
}

func (s *Session) isBacklogged() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.backlog != nil
}

// addToBacklog puts a body into a backlog that is being worked through, or into one
// that is about to be.
func (s *Session) addToBacklog(f eio.Framing, data []byte, start bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if start {
		s.backlog = new(backlog)
	}
	if s.backlog == nil {
		return false
	}
	s.backlog.addLocked(f, data)
	return true
}

// receiveBacklog works through the backlog.
func (s *Session) receiveBacklog() {
	s.mu.Lock()
	b := s.backlog
	for ok := true; ok && len(b.bodies) > 0; {
		next := b.bodies[0]
		s.mu.Unlock()
		for rest := next.data; ok; {
			if rest, ok = s.receivePacket(next.framing, rest); rest == nil {
				break
			}
		}
		s.mu.Lock()
		b.bodies = slices.Delete(b.bodies, 0, 1)
		b.size -= next.size
		b.changedLocked()
	}
	s.backlog = nil
	b.changedLocked()
	s.mu.Unlock()
}

// receivePacket handles the first packet of a payload and returns what follows it.
// It reports whether that is to be handled.
func (s *Session) receivePacket(f eio.Framing, payload []byte) (rest []byte, ok bool) {
	p, rest, err := f.Next(payload)
	switch {
	case err != nil:
		s.violated(err)
		return nil, false
	case p.Type == eio.Close:
		s.closeByClient()
		return nil, false
	}
	return rest, s.receive(nil, p)
}
