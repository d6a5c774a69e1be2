//go:build linux

package clients

import (
	"bytes"
	"context"
	"fmt"

	"github.com/gorilla/websocket"
)

// openRaw connects a client in the arrangement of bench/fixtures/raw: a goroutine
// that reads, one that writes, and a channel between them. So any goroutine may send.
func openRaw(ctx context.Context, addr string, window int, received func() bool) (closer, error) {
	ws, err := dialRaw(ctx, addr)
	if err != nil {
		return nil, err
	}
	send, done := make(chan []byte, 64), make(chan struct{})
	go func() { // ends with the reader
		for {
			select {
			case p := <-send:
				if ws.WriteMessage(websocket.TextMessage, p) != nil {
					_ = ws.Close()
				}
			case <-done:
				return
			}
		}
	}()
	go func() { // ends with the connection
		defer close(done)
		read(ws, received, func(p []byte) error { send <- p; return nil })
	}()
	for range window {
		send <- []byte(echoPacket)
	}
	return ws.Close, nil
}

// openBare connects a client whose only goroutine reads and writes. No other
// goroutine may send.
func openBare(ctx context.Context, addr string, window int, received func() bool) (closer, error) {
	ws, err := dialRaw(ctx, addr)
	if err != nil {
		return nil, err
	}
	write := func(p []byte) error { return ws.WriteMessage(websocket.TextMessage, p) }
	for range window {
		if err := write([]byte(echoPacket)); err != nil {
			return ws.Close, err
		}
	}
	go read(ws, received, write) // ends with the connection
	return ws.Close, nil
}

const echoPacket = `42["echo","` + payload + `"]`

// dialRaw joins the namespace "/".
func dialRaw(ctx context.Context, addr string) (*websocket.Conn, error) {
	ws, _, err := websocket.DefaultDialer.DialContext(ctx, "ws://"+addr+"/socket.io/?EIO=4&transport=websocket", nil)
	if err != nil {
		return nil, err
	}
	if _, _, err = ws.ReadMessage(); err == nil { // OPEN
		err = ws.WriteMessage(websocket.TextMessage, []byte("40"))
	}
	var p []byte
	if err == nil {
		_, p, err = ws.ReadMessage()
	}
	if err == nil && !bytes.HasPrefix(p, []byte("40")) {
		err = fmt.Errorf("CONNECT was answered with %q", p)
	}
	return ws, err
}

// read answers what the server sends until the connection ends.
func read(ws *websocket.Conn, received func() bool, write func([]byte) error) {
	for {
		_, p, err := ws.ReadMessage()
		switch {
		case err != nil:
		case bytes.HasPrefix(p, []byte(`42["echo"`)):
			if received() {
				err = write(p)
			}
		case string(p) == "2":
			err = write([]byte("3"))
		}
		if err != nil {
			return
		}
	}
}
