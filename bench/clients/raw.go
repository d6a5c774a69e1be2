//go:build linux

package clients

import (
	"bytes"
	"context"
	"fmt"

	"github.com/gorilla/websocket"
)

// openRaw connects a client that has neither JSON nor a queue, and answers on
// the goroutine that reads.
func openRaw(ctx context.Context, addr string, window int, received func() bool) (closer, error) {
	ws, _, err := websocket.DefaultDialer.DialContext(ctx, "ws://"+addr+"/socket.io/?EIO=4&transport=websocket", nil)
	if err != nil {
		return nil, err
	}
	text := func(s string) error { return ws.WriteMessage(websocket.TextMessage, []byte(s)) }
	if _, _, err = ws.ReadMessage(); err == nil { // OPEN
		err = text("40")
	}
	var p []byte
	if err == nil {
		_, p, err = ws.ReadMessage()
	}
	if err == nil && !bytes.HasPrefix(p, []byte("40")) {
		err = fmt.Errorf("CONNECT was answered with %q", p)
	}
	for range window {
		if err == nil {
			err = text(`42["echo","` + payload + `"]`)
		}
	}
	if err != nil {
		return ws.Close, err
	}
	go func() { // ends with the connection
		for err := error(nil); err == nil; {
			var p []byte
			switch _, p, err = ws.ReadMessage(); {
			case err != nil:
			case bytes.HasPrefix(p, []byte(`42["echo"`)):
				if received() {
					err = ws.WriteMessage(websocket.TextMessage, p)
				}
			case string(p) == "2":
				err = text("3")
			}
		}
	}()
	return ws.Close, nil
}
