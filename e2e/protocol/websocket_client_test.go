package protocol_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// A wsSession is a session over WebSocket.
type wsSession struct {
	t    *testing.T
	conn *websocket.Conn
	sid  string
}

const overWebSocket = "EIO=4&transport=websocket"

// dial opens a WebSocket and nothing more.
func (h *host) dial(t *testing.T, query string) *wsSession {
	t.Helper()
	conn, response, err := h.tryDial(t, query, nil)
	if err != nil {
		t.Fatalf("dialling %s: %v: %+v", query, err, response)
	}
	return &wsSession{t: t, conn: conn}
}

// tryDial opens a WebSocket or returns the answer to the attempt.
func (h *host) tryDial(t *testing.T, query string, header http.Header) (*websocket.Conn, answer, error) {
	t.Helper()
	dialer := websocket.Dialer{HandshakeTimeout: patience}
	conn, response, err := dialer.DialContext(t.Context(), h.wsEndpoint(query), header)
	if err != nil {
		if response == nil {
			return nil, answer{}, err
		}
		body, _ := io.ReadAll(response.Body) // gorilla keeps what there was of it
		return nil, answer{response.StatusCode, response.Header, string(body)}, err
	}
	t.Cleanup(func() { conn.Close() })
	return conn, answer{}, nil
}

// openWebSocket opens a session.
func (h *host) openWebSocket(t *testing.T) *wsSession {
	t.Helper()
	w := h.dial(t, overWebSocket)
	var open struct{ SID string }
	if err := json.Unmarshal([]byte(strings.TrimPrefix(w.next(), "0")), &open); err != nil {
		t.Fatal(err)
	}
	w.sid = open.SID
	return w
}

func (w *wsSession) reportTo(t *testing.T) { w.t = t }

func (w *wsSession) send(packets ...string) {
	w.t.Helper()
	for _, packet := range packets {
		kind, data := websocket.TextMessage, []byte(packet)
		if encoded, binary := strings.CutPrefix(packet, "b"); binary {
			kind = websocket.BinaryMessage
			var err error
			if data, err = base64.StdEncoding.DecodeString(encoded); err != nil {
				w.t.Fatal(err)
			}
		}
		w.write(kind, data)
	}
}

// write sends one message as it is.
func (w *wsSession) write(kind int, data []byte) {
	w.t.Helper()
	if err := w.conn.WriteMessage(kind, data); err != nil {
		w.t.Fatal(err)
	}
}

// read returns the next message as it is.
func (w *wsSession) read() (kind int, data []byte, err error) {
	if err := w.conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
		return 0, nil, err
	}
	return w.conn.ReadMessage()
}

func (w *wsSession) next() string {
	w.t.Helper()
	kind, data, err := w.read()
	if err != nil {
		w.t.Fatalf("reading the next packet: %v", err)
	}
	if kind == websocket.BinaryMessage {
		return "b" + base64.StdEncoding.EncodeToString(data)
	}
	return string(data)
}

func (w *wsSession) ended() {
	w.t.Helper()
	w.closed(websocket.CloseNoStatusReceived)
}

// closed fails the test unless the server closes the WebSocket with the given
// code and sends nothing more.
func (w *wsSession) closed(code int) {
	w.t.Helper()
	_, data, err := w.read()
	var closed *websocket.CloseError
	switch {
	case err == nil:
		w.t.Fatalf("received %q, want the WebSocket closed", data)
	case !errors.As(err, &closed) || closed.Code != code:
		w.t.Fatalf("ended by %v, want close code %d", err, code)
	}
}
