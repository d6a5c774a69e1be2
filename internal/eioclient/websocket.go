package eioclient

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/websocket"

	"github.com/socketio-go/socketio/internal/eio"
	"github.com/socketio-go/socketio/internal/rawconn"
)

// A wsConn is a WebSocket. gorilla does the handshake and the reading; frames
// are written below it by the one goroutine that flushes.
type wsConn struct {
	cfg     *Config
	session *Session
	ws      *websocket.Conn
	conn    net.Conn      // what frames are written to: above TLS, if any
	raw     *rawconn.Conn // nil if conn cannot be used without blocking
	turn    *Turn         // the reader's; used by the reader only
	closing sync.Once
}

// A link is the network connection as gorilla reads it.
type link struct {
	net.Conn
	raw   *rawconn.Conn
	ws    *wsConn
	early int // bytes read before there was a session
}

// maxEarly bounds what a server may send before its session is open: the headers
// of its response and the OPEN packet.
const maxEarly = 256 << 10

var errEarly = errors.New("engine.io: the handshake is too long")

// Read reads from the network. What the reader's turn has sent is written
// before it waits.
func (l *link) Read(p []byte) (int, error) {
	n, err := l.read(p)
	if n > 0 {
		if s := l.ws.session; s != nil {
			s.noteRead()
		} else if l.early += n; l.early > maxEarly {
			return 0, errEarly
		}
	}
	return n, err
}

func (l *link) read(p []byte) (int, error) {
	if l.raw != nil {
		return l.raw.Read(p)
	}
	l.ws.beforeWait()
	return l.Conn.Read(p)
}

func (w *wsConn) beforeWait() bool {
	if w.turn != nil {
		w.turn.flush()
	}
	return true
}

// smallBuffer is the size of gorilla's buffers: what was read waits in a rawconn,
// and longer messages pass the buffer by.
const smallBuffer = 128

// writeBuffers holds gorilla's write buffers, which only its close frames use.
var writeBuffers sync.Pool

// dialWebSocket opens a WebSocket; sid is empty for a new session, whose OPEN
// packet is read.
func (c *Config) dialWebSocket(ctx context.Context, sid string) (w *wsConn, h handshake, err error) {
	w = &wsConn{cfg: c}
	var dialed *link
	stop := func() bool { return true } // of making the handshake fail when ctx ends
	u := c.query(WebSocket, sid)
	secure := u.Scheme == "https"
	proxied := false
	dialer := websocket.Dialer{
		NetDialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			conn, err := c.Dial(ctx, network, addr)
			if err != nil {
				return nil, err
			}
			dialed = &link{Conn: conn, ws: w}
			stop = context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
			return dialed, nil
		},
		Proxy: func(r *http.Request) (*url.URL, error) {
			if c.Proxy == nil {
				return nil, nil
			}
			p, err := c.Proxy(r)
			proxied = p != nil
			return p, err
		},
		Jar:               c.Jar,
		EnableCompression: c.Compression,
		ReadBufferSize:    smallBuffer,
		WriteBufferSize:   smallBuffer,
		WriteBufferPool:   &writeBuffers,
	}
	if secure {
		dialer.TLSClientConfig = c.TLS()
	}
	u.Scheme = "ws" + strings.TrimPrefix(u.Scheme, "http")
	ws, resp, err := dialer.DialContext(ctx, u.String(), c.Header.Clone()) //nolint:bodyclose // gorilla has read a refusal to its end
	if !stop() && err == nil {
		err = errors.Join(context.Cause(ctx), ws.Close())
	}
	switch {
	case errors.Is(err, websocket.ErrBadHandshake) && resp != nil:
		e := refused(WebSocket, resp)
		e.Err = err
		return nil, h, e
	case err != nil:
		return nil, h, err
	}
	w.ws, w.conn = ws, ws.NetConn()
	ws.SetReadLimit(c.MaxMessage)
	ws.SetPingHandler(w.ping)
	ws.SetCloseHandler(func(int, string) error { return nil })
	if !secure && !proxied {
		if w.raw = rawconn.New(dialed.Conn, w.beforeWait); w.raw != nil {
			dialed.raw = w.raw
		}
	}
	if sid == "" {
		h, err = w.readOpen(ctx)
	}
	if err != nil {
		w.close()
		return nil, h, err
	}
	return w, h, nil
}

// readOpen reads the OPEN packet.
func (w *wsConn) readOpen(ctx context.Context) (h handshake, err error) {
	buf, p, err := w.readFirst(ctx)
	if err != nil {
		return h, err
	}
	defer rawconn.PutBuffer(buf)
	return parseOpen(p)
}

// maxOpen bounds the first packet of a WebSocket.
const maxOpen = 64 << 10

// readFirst reads a packet before ctx ends. The caller releases buf.
func (w *wsConn) readFirst(ctx context.Context) (buf *[]byte, p eio.Packet, err error) {
	stop := context.AfterFunc(ctx, func() { _ = w.conn.SetReadDeadline(time.Unix(1, 0)) })
	buf, p, err = w.readPacket(maxOpen)
	if !stop() {
		if err == nil {
			rawconn.PutBuffer(buf)
		}
		return nil, p, context.Cause(ctx)
	}
	return buf, p, err
}

// ping answers a ping of WebSocket. One pong at a time waits in the queue.
func (w *wsConn) ping(data string) error {
	s := w.session
	if s == nil {
		return nil
	}
	s.mu.Lock()
	flush := false
	if s.ws == w && s.state == open && !s.wsPonged {
		s.wsPonged = true
		flush = s.enqueueLocked(&Message{frame: opPong, text: []byte(data), size: messageOverhead, Control: true})
	}
	s.mu.Unlock()
	if flush {
		s.Flush()
	}
	return nil
}

// readPacket reads the next packet into a buffer, which the caller releases.
func (w *wsConn) readPacket(limit int64) (buf *[]byte, p eio.Packet, err error) {
	kind, r, err := w.ws.NextReader()
	if err != nil {
		return nil, p, err
	}
	buf = rawconn.GetBuffer()
	*buf, err = rawconn.ReadAll(r, (*buf)[:0], limit, ErrMessageTooBig)
	if err == nil {
		p, err = w.cfg.decode(kind, *buf)
	}
	if err != nil {
		rawconn.PutBuffer(buf)
		return nil, p, err
	}
	return buf, p, nil
}

// ErrMessageTooBig says that the server has sent more than MaxMessage.
var ErrMessageTooBig = errors.New("engine.io: the server's message exceeds the limit")

// read is the goroutine of a reader. It ends with the connection, or when
// another goroutine has taken over.
func (w *wsConn) read() {
	s := w.session
	turn := &Turn{session: s}
	w.turn = turn
	returned := false
	defer func() {
		if !returned && turn.state.Load() != over { // runtime.Goexit in the receiver
			s.Discard(TransportError, errGoexit)
		}
	}()
	for {
		buf, p, err := w.readPacket(s.cfg.MaxMessage)
		if err != nil {
			returned = true
			w.ended(err)
			return
		}
		ok := s.receive(turn, p)
		rawconn.PutBuffer(buf)
		if turn.state.Load() == over || !ok {
			returned = true
			return
		}
		if turn.unflushed++; turn.unflushed >= maxCorked {
			turn.flush()
		}
	}
}

var errGoexit = errors.New("engine.io: runtime.Goexit in the receiver")

// ended ends the session when its WebSocket cannot be read any more.
func (w *wsConn) ended(err error) {
	var closeErr *websocket.CloseError
	var netErr net.Error
	switch {
	case errors.As(err, &closeErr):
		w.session.Discard(TransportClose, fmt.Errorf("engine.io: closed by the server: %w", err))
	case errors.As(err, &netErr), errors.Is(err, net.ErrClosed), errors.Is(err, io.EOF):
		w.session.Discard(TransportClose, err)
	case errors.Is(err, ErrMessageTooBig), errors.Is(err, websocket.ErrReadLimit):
		w.session.Discard(TransportError, ErrMessageTooBig)
	default: // a malformed packet or frame
		w.session.Discard(ParseError, err)
	}
}

// frames holds buffers for what is being written.
var frames = sync.Pool{New: func() any { return new(writeBatch) }}

// A writeBatch is what is being written.
type writeBatch struct {
	messages []*Message
	buf      []byte
	next     int // of buf
}

func (b *writeBatch) load(v3 bool) {
	b.buf, b.next = b.buf[:0], 0
	for _, m := range b.messages {
		b.buf = m.appendFrames(b.buf, v3)
	}
}

func (b *writeBatch) release() {
	clear(b.messages)
	b.messages = b.messages[:0]
	if cap(b.buf) <= 2*batchSize {
		frames.Put(b)
	}
}

// flushNow writes until nothing is queued, or until the network takes no more.
func (w *wsConn) flushNow() {
	b := frames.Get().(*writeBatch)
	for {
		if b.messages = w.session.take(b.messages); len(b.messages) == 0 {
			b.release()
			return
		}
		b.load(w.cfg.V3)
		n, err := w.raw.TryWrite(b.buf)
		b.next = n
		switch {
		case err == rawconn.ErrWouldBlock:
			w.session.spawn(func() { w.flushBlocking(b) })
			return
		case err != nil:
			w.session.failed(err)
			w.session.take(nil)
			b.release()
			return
		}
		w.session.wrote(b.messages)
	}
}

// flushBlocking writes the rest of b, if it is not nil, then until nothing is
// queued. Each 64 KiB may take WriteTimeout.
func (w *wsConn) flushBlocking(b *writeBatch) {
	if b == nil {
		b = frames.Get().(*writeBatch)
		if b.messages = w.session.take(b.messages); len(b.messages) == 0 {
			b.release()
			return
		}
		b.load(w.cfg.V3)
	}
	defer b.release()
	for {
		for b.next < len(b.buf) {
			n, err := w.write(b.buf[b.next:min(len(b.buf), b.next+batchSize)])
			b.next += n
			if err != nil {
				w.session.failed(err)
				w.session.take(nil)
				return
			}
		}
		w.session.wrote(b.messages)
		if b.messages = w.session.take(b.messages); len(b.messages) == 0 {
			return
		}
		b.load(w.cfg.V3)
	}
}

// write writes p within WriteTimeout.
func (w *wsConn) write(p []byte) (int, error) {
	_ = w.conn.SetWriteDeadline(time.Now().Add(w.session.cfg.WriteTimeout))
	n, err := w.conn.Write(p)
	_ = w.conn.SetWriteDeadline(time.Time{})
	return n, err
}

// writeClose writes a close frame, after which nothing is written.
func (w *wsConn) writeClose() {
	if _, err := w.write(appendFrame(nil, opClose, websocket.FormatCloseMessage(websocket.CloseNormalClosure, ""))); err != nil {
		w.session.Discard(ForcedClose, nil)
	}
}

// close closes the connection on a goroutine of its own: it may be called under
// locks, and closing waits for a write under way.
func (w *wsConn) close() {
	w.closing.Do(func() {
		if w.session == nil {
			_ = w.conn.Close()
			return
		}
		w.session.spawn(func() { _ = w.conn.Close() })
	})
}
