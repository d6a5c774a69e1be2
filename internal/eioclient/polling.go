package eioclient

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/socketio-go/socketio/internal/eio"
	"github.com/socketio-go/socketio/internal/rawconn"
)

// dialPolling opens a session by polling. rest are the packets behind the OPEN
// packet.
func (c *Config) dialPolling(ctx context.Context) (h handshake, rest []byte, err error) {
	body, err := c.get(ctx, "", func() {})
	if err != nil {
		return h, nil, err
	}
	p, rest, err := c.framing().Next(body)
	if err != nil {
		return h, nil, err
	}
	h, err = parseOpen(p)
	return h, rest, err
}

// get sends one poll. It calls heard for each part of the response.
func (c *Config) get(ctx context.Context, sid string, heard func()) ([]byte, error) {
	if sid != "" {
		var cancel context.CancelFunc
		ctx, cancel = once(ctx)
		defer cancel()
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.query(Polling, sid).String(), nil)
	if err != nil {
		return nil, err
	}
	resp, err := c.do(req) //nolint:bodyclose // it is closed below
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, refused(Polling, resp)
	}
	return rawconn.ReadAll(readerFunc(func(p []byte) (int, error) {
		heard()
		return resp.Body.Read(p)
	}), nil, c.MaxMessage, ErrMessageTooBig)
}

// once returns a context for a request that must not be sent again: net/http repeats a
// GET when a connection breaks before the response, but the messages of that response
// are lost then.
func once(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	var sent atomic.Bool
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		WroteHeaders: func() { sent.Store(true) },
		GetConn: func(string) {
			if sent.Load() {
				cancel()
			}
		},
	}), cancel
}

// A readerFunc is an [io.Reader].
type readerFunc func(p []byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func (c *Config) do(req *http.Request) (*http.Response, error) {
	for name, values := range c.Header {
		if name == "Host" && len(values) > 0 {
			req.Host = values[0]
			continue
		}
		req.Header[name] = values
	}
	resp, err := c.Poller().Do(req)
	var wrapped *url.Error
	if errors.As(err, &wrapped) { // its text has the session id
		err = fmt.Errorf("%s: %w", req.Method, wrapped.Err)
	}
	return resp, err
}

const (
	// idlePolls is how many polls in a row may bring no message before the next
	// one waits: a server that answers at once must not make the client spin.
	idlePolls = 16
	idleDelay = 100 * time.Millisecond
)

// poll is the goroutine that reads while the transport is polling. rest are
// packets that have been read already.
func (s *Session) poll(rest []byte) {
	returned := false
	defer func() {
		if !returned { // runtime.Goexit in the receiver
			s.Discard(TransportError, errGoexit)
			s.pollEnded()
		}
	}()
	s.pollUntil(rest)
	returned = true
}

func (s *Session) pollUntil(rest []byte) {
	idle := 0
	for body := rest; ; {
		heard, ok := s.receivePayload(body)
		if !ok {
			s.pollEnded()
			return
		}
		if idle++; heard {
			idle = 0
		}
		if idle > idlePolls {
			select {
			case <-time.After(idleDelay):
			case <-s.ctx.Done():
			}
		}
		if s.pollEnded() {
			return
		}
		var err error
		if body, err = s.cfg.get(s.ctx, s.open.sid, s.noteRead); err != nil {
			s.Discard(TransportError, err)
			s.pollEnded()
			return
		}
		s.noteRead()
	}
}

// pollEnded reports whether the polling is over, and says so to an upgrade.
func (s *Session) pollEnded() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state != closed && !s.upgrading {
		return false
	}
	s.polling = false
	s.drainedLocked()
	return true
}

// receivePayload handles the packets of a response. heard says that there was a
// message or a ping among them.
func (s *Session) receivePayload(body []byte) (heard, ok bool) {
	for rest := body; rest != nil; {
		var p eio.Packet
		var err error
		if p, rest, err = s.cfg.framing().Next(rest); err != nil {
			s.Discard(ParseError, err)
			return heard, false
		}
		heard = heard || p.Type != eio.Noop
		if !s.receive(nil, p) || !s.isOpen() {
			return heard, false
		}
	}
	return heard, true
}

// flushPolling posts until nothing is queued.
func (s *Session) flushPolling() {
	var batch []*Message
	for {
		if batch = s.take(batch); len(batch) == 0 {
			return
		}
		var packets [][]byte
		for _, m := range batch {
			packets = m.packets(packets, s.cfg.V3)
		}
		for len(packets) > 0 {
			var body []byte
			body, packets = s.payload(packets)
			if err := s.post(body); err != nil {
				s.failed(err)
				s.take(nil)
				return
			}
		}
		s.wrote(batch)
	}
}

// maxPackets is how many packets a payload may have. python-engineio closes the
// session beyond it.
const maxPackets = 16

// payload joins the first packets, as many as the server takes at once.
func (s *Session) payload(packets [][]byte) (body []byte, rest [][]byte) {
	n, size := 1, int64(len(packets[0]))
	for n < min(len(packets), maxPackets) {
		size += 1 + int64(len(packets[n]))
		if s.open.maxPayload > 0 && size > s.open.maxPayload {
			break
		}
		n++
	}
	if !s.cfg.V3 {
		return bytes.Join(packets[:n], []byte{eio.Separator}), packets[n:]
	}
	for _, p := range packets[:n] {
		body = eio.Counted.Append(body, p)
	}
	return body, packets[n:]
}

// post sends one payload. It fails when the network takes nothing for
// WriteTimeout.
func (s *Session) post(body []byte) error {
	ctx, cancel := context.WithCancelCause(s.ctx)
	defer cancel(nil)
	stalled := time.AfterFunc(s.cfg.WriteTimeout, func() { cancel(errStalled) })
	defer stalled.Stop()
	var rest *bytes.Reader
	upload := func() (io.ReadCloser, error) { // net/http asks again only if nothing has been sent
		rest = bytes.NewReader(body)
		return io.NopCloser(readerFunc(func(p []byte) (int, error) {
			n, err := rest.Read(p[:min(len(p), batchSize)])
			if err == nil {
				stalled.Reset(s.cfg.WriteTimeout)
			}
			if rest.Len() == 0 {
				stalled.Stop() // the server may take its time to answer
			}
			return n, err
		})), nil
	}
	stream, _ := upload()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.cfg.query(Polling, s.open.sid).String(), stream)
	if err != nil {
		return err
	}
	req.ContentLength = int64(len(body))
	req.GetBody = upload
	req.Header.Set("Content-Type", "text/plain;charset=UTF-8")
	resp, err := s.cfg.do(req)
	if err != nil {
		if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, context.Canceled) {
			err = cause
		}
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("engine.io: post: %w", refused(Polling, resp))
	}
	_, err = io.Copy(io.Discard, io.LimitReader(resp.Body, maxOpen))
	return err
}

var errStalled = errors.New("engine.io: the server does not read")
