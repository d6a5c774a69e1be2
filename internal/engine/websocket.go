package engine

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/gorilla/websocket"

	"github.com/socketio-go/socketio/internal/eio"
	"github.com/socketio-go/socketio/internal/rawconn"
)

// A wsConn is a WebSocket transport. gorilla does the handshake, the reading
// and the control protocol; frames are written below it, by the goroutine that
// flushes the session. To gorilla it is the network connection: its reads say when there
// is nothing to read, and its writes go through the session's queue.
type wsConn struct {
	net.Conn // what gorilla may do to it directly: addresses and read deadlines

	session      *Session
	conn         net.Conn      // the same, for writing to it and closing it
	tcp          *net.TCPConn  // below conn; nil if there is none
	raw          *rawconn.Conn // nil if conn can't be used without blocking
	ws           *websocket.Conn
	turn         *Turn // the reader's; only used by the reader
	upgraded     bool  // the handshake is done: writes are frames
	deflates     bool  // permessage-deflate has been negotiated
	limitsWindow bool  // the client limits the compression window of the server
	base64       bool  // a client of Engine.IO 3 that takes no binary here
	closing      sync.Once
	closeFrame   *Message // the close frame to end with; nil means one without a status; guarded by session.mu
}

const (
	// smallBuffer is what gorilla reads into where a rawconn.Conn holds what has
	// come from the network: room for a frame header or a control frame.
	smallBuffer = 128
	// readBuffer is what it reads into otherwise.
	readBuffer = 1 << 10
)

var upgrader = websocket.Upgrader{
	WriteBufferPool: &sync.Pool{},
	CheckOrigin:     func(*http.Request) bool { return true }, // done in admission
}

// upgrade performs the WebSocket handshake. If it fails, the request is answered.
func (s *Session) upgrade(w http.ResponseWriter, r *http.Request) (*wsConn, error) {
	t := &wsConn{session: s, base64: takesNoBinary(r)}
	returned := false
	defer func() {
		if !returned && t.conn != nil {
			t.close()
		}
	}()
	u := upgrader
	u.Error = func(w http.ResponseWriter, r *http.Request, _ int, reason error) {
		s.srv.refuse(w, r, http.StatusBadRequest, badRequest, reason.Error())
	}
	if offered := websocket.Subprotocols(r); len(offered) > 0 {
		u.Subprotocols = offered[:1] // as the Node server does
	}
	if s.srv.cfg.Compression > 0 {
		u.EnableCompression, t.limitsWindow = acceptsDeflate(r)
	}
	ws, err := u.Upgrade(&hijacker{w, t, &u}, r, w.Header().Clone())
	returned = true
	if err != nil {
		if t.conn == nil {
			return nil, err
		}
		t.close()
		return nil, err
	}
	t.ws, t.upgraded = ws, true
	ws.SetReadLimit(s.srv.cfg.MaxPayload)
	ws.SetPingHandler(t.ping)
	ws.SetCloseHandler(t.peerCloses)
	return t, nil
}

// A hijacker hands gorilla the connection of a response wrapped in t, without
// the buffers of net/http.
type hijacker struct {
	http.ResponseWriter
	t        *wsConn
	upgrader *websocket.Upgrader
}

func (h *hijacker) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, brw, err := http.NewResponseController(h.ResponseWriter).Hijack()
	if err != nil {
		err = fmt.Errorf("engine.io: no WebSocket over HTTP/2, or through a ResponseWriter without Unwrap: %w", err)
		return nil, nil, err
	}
	conn = guardConn(h.t.session, conn)
	h.t.Conn, h.t.conn, h.t.tcp = conn, conn, tcpBelow(conn)
	if brw.Reader.Buffered() > 0 {
		// The client did not wait for the handshake and has sent data.
		return h.t, brw, nil
	}
	if h.t.raw = rawconn.New(conn, h.t.beforeWait); h.t.raw != nil {
		h.upgrader.ReadBufferSize = smallBuffer
		brw.Reader = bufio.NewReaderSize(h.t, 0) // not used: gorilla makes one of that size
	} else {
		brw.Reader = bufio.NewReaderSize(h.t, readBuffer)
	}
	return h.t, brw, nil
}

// tcpBelow returns the TCP connection that conn is, or that TLS uses.
func tcpBelow(conn net.Conn) *net.TCPConn {
	if c, ok := conn.(interface{ NetConn() net.Conn }); ok {
		conn = c.NetConn()
	}
	tcp, _ := conn.(*net.TCPConn)
	return tcp
}

// Read reads from the network. What the reader's turn has sent is flushed
// before it waits.
func (t *wsConn) Read(p []byte) (int, error) {
	n, err := t.readFrom(p)
	t.session.received.Add(uint32(n))
	return n, err
}

func (t *wsConn) readFrom(p []byte) (int, error) {
	if t.raw != nil {
		return t.raw.Read(p)
	}
	for !t.beforeWait() {
	}
	return t.conn.Read(p)
}

// beforeWait is called before a read blocks. It reports whether the reader may wait,
// as it has nothing more to flush.
func (t *wsConn) beforeWait() bool { return t.turn == nil || t.turn.flushOthers() }

// Write takes what gorilla writes: the handshake, then whole control frames.
func (t *wsConn) Write(p []byte) (int, error) {
	if !t.upgraded {
		t.deflates = bytes.Contains(p, []byte("\r\nSec-WebSocket-Extensions: permessage-deflate"))
		head := p
		if t.limitsWindow {
			head = bytes.Replace(head, []byte(deflateAnswer), []byte(deflateAnswer+windowAnswer), 1)
		}
		if _, err := t.writeBlocking(head); err != nil {
			return 0, err
		}
		return len(p), nil
	}
	t.control(&Message{wire: append([]byte(nil), p...), control: true})
	return len(p), nil
}

// SetWriteDeadline does nothing: gorilla sets one for every frame, but it does
// not write to the network.
func (t *wsConn) SetWriteDeadline(time.Time) error { return nil }

// Close is how gorilla closes the connection when the handshake fails.
func (t *wsConn) Close() error { t.close(); return nil }

// close closes the connection. It does so on a goroutine of its own, as it may
// be called under locks, and Close waits for a read or write under way.
func (t *wsConn) close() {
	t.closing.Do(func() {
		t.session.srv.Go(func() { _ = t.conn.Close() })
	})
}

// closeWrite ends the sending direction after the close frame, so that the peer need
// not wait until the connection is closed.
func (t *wsConn) closeWrite() {
	if c, ok := t.conn.(interface{ CloseWrite() error }); ok {
		_ = c.CloseWrite()
	}
}

// writeBlocking writes p within WriteTimeout. It removes the deadline,
// because tryWrite fails once it has passed.
func (t *wsConn) writeBlocking(p []byte) (int, error) {
	_ = t.conn.SetWriteDeadline(time.Now().Add(t.session.srv.cfg.WriteTimeout))
	n, err := t.conn.Write(p)
	_ = t.conn.SetWriteDeadline(time.Time{})
	return n, err
}

// tryWrite writes as much of p as is possible without waiting.
func (t *wsConn) tryWrite(p []byte) (int, error) {
	if t.raw == nil {
		return 0, rawconn.ErrWouldBlock
	}
	return t.raw.TryWrite(p)
}

// control takes a control frame that gorilla writes: a pong, of which only the
// last that waits is sent, or a close frame, with which it ends a connection that
// breaks the protocol, and which is kept for the end.
func (t *wsConn) control(m *Message) {
	s := t.session
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case m.wire[0] == finalFrame|opClose:
		t.closeFrame = m
	case s.state == open && s.ws == t: // the candidate is not the transport: its pings are not answered
		s.pongFrame = m
		s.wakeLocked()
	}
}

// ping answers a WebSocket ping.
func (t *wsConn) ping(data string) error {
	t.control(frame(opPong, data))
	return nil
}

// peerCloses prepares the answer to a close frame.
func (t *wsConn) peerCloses(code int, _ string) error {
	if code != websocket.CloseNoStatusReceived {
		t.control(frame(opClose, string(websocket.FormatCloseMessage(code, ""))))
	}
	return nil
}

// read is the goroutine of a reader: it reads until the connection ends or a handoff.
func (t *wsConn) read() {
	turn := &Turn{ws: t}
	t.turn = turn
	for {
		buf, p, err := t.readPacket()
		if err != nil {
			t.ended(err)
			return
		}
		ok := t.session.receive(turn, p)
		rawconn.PutBuffer(buf)
		if turn.state.Load() == over {
			return
		}
		if !ok {
			t.drain()
			return
		}
		if turn.unflushed++; turn.mustFlush() {
			turn.flushAll()
		}
	}
}

// readPacket reads the next packet into a buffer, which the caller releases.
func (t *wsConn) readPacket() (buf *[]byte, p eio.Packet, err error) {
	kind, r, err := t.ws.NextReader()
	if err != nil {
		return nil, p, err
	}
	buf = rawconn.GetBuffer()
	*buf, err = rawconn.ReadAll(r, (*buf)[:0], t.session.srv.cfg.MaxPayload, errTooBig)
	if err == nil {
		p, err = t.session.decode(*buf, kind == websocket.BinaryMessage)
	}
	if err != nil {
		rawconn.PutBuffer(buf)
		return nil, p, err
	}
	return buf, p, nil
}

// errTooBig says that there was more than the limit.
var errTooBig = errors.New("engine.io: message exceeds MaxPayload")

// ended ends the session after a read error of its WebSocket.
func (t *wsConn) ended(err error) {
	s := t.session
	var closeErr *websocket.CloseError
	var netErr net.Error
	switch {
	case errors.As(err, &closeErr) && closeErr.Code != websocket.CloseAbnormalClosure:
		if !s.Close(TransportClose) {
			s.Discard(TransportClose) // the peer has answered our close frame
			return
		}
	case errors.As(err, &closeErr) || errors.As(err, &netErr) || errors.Is(err, net.ErrClosed) || errors.Is(err, io.EOF):
		s.Discard(TransportClose)
		return
	case errors.Is(err, eio.ErrUTF8):
		t.control(frame(opClose, string(websocket.FormatCloseMessage(websocket.CloseInvalidFramePayloadData, ""))))
		s.Close(TransportError)
	case errors.Is(err, errTooBig), errors.Is(err, websocket.ErrReadLimit):
		t.control(frame(opClose, string(websocket.FormatCloseMessage(websocket.CloseMessageTooBig, ""))))
		s.srv.report(s, &ViolationError{errTooBig})
		s.Close(TransportError)
	case errors.Is(err, eio.ErrEmpty), errors.Is(err, eio.ErrType), errors.Is(err, eio.ErrBase64):
		s.violated(err)
	default: // a malformed frame
		s.Close(TransportError)
	}
	t.drain()
}

// drain reads what the peer still sends, so that closing the connection does
// not reset it before the peer has read its close frame.
func (t *wsConn) drain() {
	t.turn.flushAll()
	_ = t.conn.SetReadDeadline(time.Now().Add(closeWait))
	_, _ = io.Copy(io.Discard, t.conn)
	t.session.Discard(TransportClose)
}

// wireOf returns the frames of m in the form that was negotiated.
func (t *wsConn) wireOf(m *Message) []byte {
	if t.session.v3 {
		m = m.toV3(t.base64)
	}
	if t.deflates {
		return m.compressed(t.session.srv.cfg.Compression)
	}
	return m.wire
}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}
