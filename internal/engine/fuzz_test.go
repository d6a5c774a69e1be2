package engine_test

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"

	"github.com/socketio-go/socketio/internal/engine"
)

// FuzzWebSocketBytes sends bytes into an open WebSocket. Whatever they are,
// the server answers in frames, and nothing is left in the end.
func FuzzWebSocketBytes(f *testing.F) {
	for _, in := range []string{
		"",
		rawFrame(final|text, "4hello"),
		rawFrame(final|text, "4a") + rawFrame(final|text, "4b") + rawFrame(final|binry, "c"),
		rawFrame(text, "4he") + rawFrame(final|pings, "p") + rawFrame(0, "") + rawFrame(final, "llo"),
		rawFrame(final|text, "bAQID") + rawFrame(final|text, "3") + rawFrame(final|text, "2"),
		rawFrame(final|text, "4\xff"),
		rawFrame(final|text, strings.Repeat("x", maxPayload+1)),
		strings.Repeat(rawFrame(final|pings, "p"), 10) + rawFrame(final|closes, "\x03\xe8bye"),
		rawFrame(final|text, "4") + rawFrame(final|closes, "") + rawFrame(final|text, "4behind"),
		rawFrame(final|closes, "\x03"),
		"\x81\xff\x7f\xff\xff\xff\xff\xff\xff\xff\x00\x00\x00\x00x",
		"\x81\x84\x01\x02\x03\x04\x35\x02\x03\x04",
		"GET / HTTP/1.1\r\n\r\n",
	} {
		f.Add([]byte(in), 0)
		f.Add([]byte(in), 1)
	}
	f.Fuzz(func(t *testing.T, in []byte, piece int) {
		synctest.Test(t, func(t *testing.T) {
			h := start(t, setup{receive: echo})
			defer h.stop()
			ws := h.ws()
			go func() {
				defer ws.mem().CloseWrite()
				for len(in) > 0 {
					n := len(in)
					if piece > 0 {
						n = min(n, piece)
					}
					if _, err := ws.NetConn().Write(in[:n]); err != nil {
						return
					}
					in = in[n:]
					pass(time.Microsecond)
				}
			}()
			ws.SetReadDeadline(time.Now().Add(time.Hour))
			for {
				_, _, err := ws.ReadMessage()
				if err == nil {
					continue
				}
				var closeErr *websocket.CloseError
				if !errors.As(err, &closeErr) && !errors.Is(err, io.EOF) && !strings.Contains(err.Error(), "broken pipe") {
					t.Errorf("the server sent what is no WebSocket: %v", err)
				}
				break
			}
			ws.Close()
			<-ws.app.ended
			synctest.Wait()
			if n := h.Wait(canceled()); n > 0 {
				t.Errorf("%d sessions, requests or goroutines are left", n)
			}
			if reasons := ws.app.reasons(); len(reasons) != 1 || reasons[0] == engine.PingTimeout {
				t.Errorf("closed: %q", reasons)
			}
		})
	})
}
