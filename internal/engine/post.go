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
		w.Header().Set("Connection", "close") // the rest of the body is not read
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
	finish() // first, because the next POST may come as soon as the client has read "ok"
	d := requestDeadline{session: s, rc: rc, write: true}
	d.extend(s.srv.cfg.WriteTimeout)
	_ = s.respond(w, &d, textHTML, okPayload)
}

// refuseTooBig refuses a body. The session goes on, but the packets in it are lost, so
// it is reported.
func (s *Session) refuseTooBig(w http.ResponseWriter, r *http.Request) {
	s.srv.refuseBare(w, r, http.StatusRequestEntityTooLarge, "Body exceeds MaxPayload")
}

// identities are the values of Content-Encoding that mean none.
var identities = []string{"", "identity"}

// bodyTimeout is how long each minProgress bytes of a body may take.
func (srv *Server) bodyTimeout() time.Duration { return srv.cfg.PingInterval + srv.cfg.PingTimeout }

// A bodyReader reads the body of a POST, and extends its deadline as bytes arrive.
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

// A postQueue holds the bodies of POSTs that wait because the receiver is full, at
// most MaxPayload bytes. Beyond that the next POST waits. One goroutine handles it.
type postQueue struct {
	bodies  []postBody
	size    int64         // what the bodies hold
	closes  bool          // the last packet is CLOSE
	changed chan struct{} // closed at the next change; nil while there is no waiter
}

type postBody struct {
	framing eio.Framing
	data    []byte
	size    int64 // of the whole body
}

func (b *postQueue) addLocked(f eio.Framing, data []byte) {
	b.bodies = append(b.bodies, postBody{f, data, int64(len(data))})
	b.size += int64(len(data))
	b.closes = closesLast(f, data)
}

// closesLast reports whether the last packet of a payload closes the session, as
// far as is known without decoding it.
func closesLast(f eio.Framing, payload []byte) bool {
	if f == eio.Separated {
		return bytes.HasSuffix(payload, separatedClose) || bytes.Equal(payload, closePacket)
	}
	return bytes.Equal(payload, f.Append(nil, closePacket))
}

var separatedClose = append([]byte{eio.Separator}, closePacket...)

// awaitLocked waits for a change, with the lock released.
func (b *postQueue) awaitLocked(mu *sync.Mutex) {
	if b.changed == nil {
		b.changed = make(chan struct{})
	}
	changed := b.changed
	mu.Unlock()
	<-changed
	mu.Lock()
}

func (b *postQueue) changedLocked() {
	if b.changed != nil {
		close(b.changed)
		b.changed = nil
	}
}

// awaitRoomLocked waits until the body of a POST, of so many bytes or -1, fits into
// the queue. It reports whether the session is still open.
func (s *Session) awaitRoomLocked(size int64) bool {
	limit := s.srv.cfg.MaxPayload
	if size < 0 || size > limit {
		size = limit
	}
	for s.postQueue != nil && s.postQueue.size+size > limit && s.state == open {
		s.postQueue.awaitLocked(&s.mu)
	}
	return s.state == open
}

// awaitPostQueue waits until the queue of POSTs is empty.
func (s *Session) awaitPostQueue() {
	s.mu.Lock()
	for s.postQueue != nil && s.state != closed {
		s.postQueue.awaitLocked(&s.mu)
	}
	s.mu.Unlock()
}

// receiveBody passes up the packets of a body, and queues what is left when the
// receiver is full.
func (s *Session) receiveBody(f eio.Framing, data []byte) {
	if s.hasQueuedPosts() && s.enqueueBody(f, bytes.Clone(data), false) {
		return
	}
	for !s.recv.Full() {
		var ok bool
		if data, ok = s.receivePacket(f, data); !ok || data == nil {
			return
		}
	}
	s.enqueueBody(f, bytes.Clone(data), true)
	s.srv.Go(s.receiveQueued)
}

func (s *Session) hasQueuedPosts() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.postQueue != nil
}

// enqueueBody queues a body. It fails if there is no queue, unless start makes one.
func (s *Session) enqueueBody(f eio.Framing, data []byte, start bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if start {
		s.postQueue = new(postQueue)
	}
	if s.postQueue == nil {
		return false
	}
	s.postQueue.addLocked(f, data)
	return true
}

// receiveQueued passes up the queued bodies.
func (s *Session) receiveQueued() {
	s.mu.Lock()
	b := s.postQueue
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
	s.postQueue = nil
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
