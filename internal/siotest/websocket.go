package siotest

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// A WebSocketWire is a WebSocket.
type WebSocketWire struct {
	WS   *websocket.Conn
	wait time.Duration
	mu   chan struct{} // held while writing; not a sync.Mutex, which stops the clock of a bubble
}

// OpenWebSocket dials a WebSocket and reads nothing from it.
func (srv *Server) OpenWebSocket(t testing.TB, url string, h http.Header) *WebSocketWire {
	t.Helper()
	dialer := websocket.Dialer{NetDialContext: srv.Dial}
	ws, resp, err := dialer.DialContext(t.Context(), "ws"+strings.TrimPrefix(url, "http"), h)
	if err != nil {
		t.Fatalf("opening a WebSocket: %v", err)
	}
	resp.Body.Close()
	return &WebSocketWire{ws, srv.WaitLimit, make(chan struct{}, 1)}
}

func (w *WebSocketWire) Write(packets ...any) error {
	w.mu <- struct{}{}
	defer func() { <-w.mu }()
	for _, p := range packets {
		var err error
		switch p := p.(type) {
		case string:
			err = w.WS.WriteMessage(websocket.TextMessage, []byte(p))
		case []byte:
			err = w.WS.WriteMessage(websocket.BinaryMessage, p)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (w *WebSocketWire) Read() (any, error) {
	_ = w.WS.SetReadDeadline(time.Now().Add(w.wait))
	kind, data, err := w.WS.ReadMessage()
	var timeout net.Error
	switch {
	case errors.As(err, &timeout) && timeout.Timeout():
		return nil, ErrTimeout
	case err != nil:
		return nil, fmt.Errorf("%w: %w", ErrEnd, err)
	case kind == websocket.BinaryMessage:
		return data, nil
	}
	return string(data), nil
}

// Close closes the WebSocket without a close frame.
func (w *WebSocketWire) Close() { w.WS.Close() }

// OpenDeflating opens a session over a WebSocket whose client offers
// permessage-deflate, and joins "/".
func (srv *Server) OpenDeflating(t testing.TB) *Client {
	t.Helper()
	dialer := websocket.Dialer{NetDialContext: srv.Dial, EnableCompression: true}
	ws, resp, err := dialer.DialContext(t.Context(), "ws"+strings.TrimPrefix(srv.URL, "http")+"?EIO=4&transport=websocket", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	t.Cleanup(func() { ws.Close() })
	c := &Client{T: t, Wire: &WebSocketWire{ws, srv.WaitLimit, make(chan struct{}, 1)}}
	c.Read() // the open packet
	c.Join("/", "")
	return c
}
