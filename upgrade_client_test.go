package socketio_test

import (
	"strings"

	"github.com/gorilla/websocket"
)

// upgrading is a transport that begins as polling and may be upgraded.
const upgrading = "upgrading"

// An upgradingWire polls until it is upgraded.
type upgradingWire struct {
	*pollingWire

	srv    *testServer
	probed chan *socketWire // what it is about to be upgraded to
	mu     chan struct{}    // held while writing, and guards ws against the reader's changing it
	ws     *socketWire      // nil while it polls
}

func newUpgradingWire(srv *testServer, w *pollingWire) *upgradingWire {
	return &upgradingWire{pollingWire: w, srv: srv, probed: make(chan *socketWire, 1), mu: make(chan struct{}, 1)}
}

// upgrade opens a WebSocket. The reader turns to it when its poll has returned,
// unless giveUp says that the client thinks better of it.
func (w *upgradingWire) upgrade(giveUp bool) error {
	url := "ws" + strings.TrimPrefix(strings.Replace(w.url, polling, webSocket, 1), "http")
	dialer := websocket.Dialer{NetDialContext: w.srv.dial}
	conn, _, err := dialer.DialContext(w.ctx, url, nil)
	if err != nil {
		return err
	}
	ws := &socketWire{conn, w.wait, make(chan struct{}, 1)}
	if err = ws.write("2probe"); err == nil {
		_, err = ws.read()
	}
	if err != nil || giveUp {
		ws.close()
		return err
	}
	w.probed <- ws
	return nil
}

func (w *upgradingWire) write(packets ...any) error {
	w.mu <- struct{}{}
	defer func() { <-w.mu }()
	if w.ws != nil {
		return w.ws.write(packets...)
	}
	return w.pollingWire.write(packets...)
}

func (w *upgradingWire) read() (any, error) {
	for w.ws == nil && len(w.unread) == 0 {
		select {
		case ws := <-w.probed:
			w.mu <- struct{}{}
			err := ws.write("5")
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
		return w.pollingWire.read()
	}
	return w.ws.read()
}

// upgraded returns the WebSocket, or nil.
func (w *upgradingWire) upgraded() *socketWire {
	w.mu <- struct{}{}
	defer func() { <-w.mu }()
	return w.ws
}

// hangUp ends the session on the transport of now: a WebSocket is closed, a close
// packet on it means nothing.
func (w *upgradingWire) hangUp() {
	w.mu <- struct{}{}
	defer func() { <-w.mu }()
	if w.ws != nil {
		w.ws.close()
	} else {
		w.pollingWire.write("1")
	}
}

func (w *upgradingWire) close() {
	select {
	case ws := <-w.probed:
		ws.close()
	default:
	}
	if ws := w.upgraded(); ws != nil {
		ws.close()
	}
}
