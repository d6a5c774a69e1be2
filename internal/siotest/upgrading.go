package siotest

import (
	"strings"

	"github.com/gorilla/websocket"
)

// Upgrading is a transport that begins as polling and may be upgraded.
const Upgrading = "upgrading"

// An UpgradingWire polls until it is upgraded.
type UpgradingWire struct {
	*PollingWire

	srv    *Server
	probed chan *WebSocketWire // what it is about to be upgraded to
	mu     chan struct{}       // held while writing, and guards ws against the reader's changing it
	ws     *WebSocketWire      // nil while it polls
}

func newUpgradingWire(srv *Server, w *PollingWire) *UpgradingWire {
	return &UpgradingWire{PollingWire: w, srv: srv, probed: make(chan *WebSocketWire, 1), mu: make(chan struct{}, 1)}
}

// Upgrade opens a WebSocket. The reader turns to it when its poll has returned,
// unless giveUp says that the client thinks better of it.
func (w *UpgradingWire) Upgrade(giveUp bool) error {
	url := "ws" + strings.TrimPrefix(strings.Replace(w.URL, Polling, WebSocket, 1), "http")
	dialer := websocket.Dialer{NetDialContext: w.srv.Dial}
	conn, resp, err := dialer.DialContext(w.Ctx, url, nil)
	if err != nil {
		return err
	}
	resp.Body.Close()
	ws := &WebSocketWire{conn, w.Wait, make(chan struct{}, 1)}
	if err = ws.Write("2probe"); err == nil {
		_, err = ws.Read()
	}
	if err != nil || giveUp {
		ws.Close()
		return err
	}
	w.probed <- ws
	return nil
}

func (w *UpgradingWire) Write(packets ...any) error {
	w.mu <- struct{}{}
	defer func() { <-w.mu }()
	if w.ws != nil {
		return w.ws.Write(packets...)
	}
	return w.PollingWire.Write(packets...)
}

func (w *UpgradingWire) Read() (any, error) {
	for w.ws == nil && len(w.unread) == 0 {
		select {
		case ws := <-w.probed:
			w.mu <- struct{}{}
			err := ws.Write("5")
			w.ws = ws
			<-w.mu
			if err != nil {
				return nil, err
			}
		default:
			if err := w.poll(); err != nil {
				return nil, err
			}
		}
	}
	if len(w.unread) > 0 {
		return w.PollingWire.Read()
	}
	return w.ws.Read()
}

// Upgraded returns the WebSocket, or nil.
func (w *UpgradingWire) Upgraded() *WebSocketWire {
	w.mu <- struct{}{}
	defer func() { <-w.mu }()
	return w.ws
}

// HangUp ends the session on the transport of now: a WebSocket is closed, a close
// packet on it means nothing.
func (w *UpgradingWire) HangUp() {
	w.mu <- struct{}{}
	defer func() { <-w.mu }()
	if w.ws != nil {
		w.ws.Close()
	} else {
		_ = w.PollingWire.Write("1")
	}
}

// Close closes the WebSockets.
func (w *UpgradingWire) Close() {
	select {
	case ws := <-w.probed:
		ws.Close()
	default:
	}
	if ws := w.Upgraded(); ws != nil {
		ws.Close()
	}
}
