package client_test

import (
	"bytes"
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"

	"github.com/socketio-go/socketio"
	"github.com/socketio-go/socketio/client"
)

// fuzzed connects to a server that does what script does, uses what it can, and
// fails if anything is left or not accounted for.
func fuzzed(t *testing.T, script func(ws *websocket.Conn)) {
	synctest.Test(t, func(t *testing.T) {
		c, err := client.New("http://server", &client.Options{
			Dial: hostileSocket(t, script), Logger: quiet, MaxAttempts: 2, ConnectTimeout: time.Second,
			Transports: []socketio.Transport{socketio.WebSocket},
		})
		if err != nil {
			t.Fatal(err)
		}
		c.On("x", func(n int, text string, data []byte, rest socketio.Args) (int, error) { return n, nil })
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		_ = c.Connect(ctx)
		_, _ = c.EmitWithAck(ctx, "question", "x")
		c.Close()
		_ = c.Shutdown(ctx)
		s := c.Stats()
		if sum := s.Written + s.Pending + s.Buffered + s.Volatile + s.Dropped.Total(); sum != s.Emitted || s.Pending+s.Buffered != 0 {
			t.Errorf("not accounted for: %+v", s)
		}
	})
}

// FuzzPackets has a server send any packets once it has been joined: one a line,
// binary if its first byte is b.
func FuzzPackets(f *testing.F) {
	for _, s := range []string{`42["x",1,"y"]`, "451-[\"x\",1,\"\",{\"_placeholder\":true,\"num\":0}]\nbdata", `430["y"]`, "41", `40{"sid":"y"}`, `44{"message":"no"}`, "2\n3\n1", `421["x",1]`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		fuzzed(t, func(ws *websocket.Conn) {
			joins(ws)
			for line := range bytes.SplitSeq(data, []byte("\n")) {
				if rest, ok := bytes.CutPrefix(line, []byte("b")); ok {
					_ = ws.WriteMessage(websocket.BinaryMessage, rest)
				} else {
					_ = ws.WriteMessage(websocket.TextMessage, line)
				}
			}
		})
	})
}

// FuzzHandshake has a server send any OPEN packet and any answer to CONNECT.
func FuzzHandshake(f *testing.F) {
	f.Add(goodOpen, `40{"sid":"x"}`)
	f.Add(`0{"sid":"a","pingInterval":1,"pingTimeout":1}`, `44{"message":"no"}`)
	f.Add(`4x`, ``)
	f.Fuzz(func(t *testing.T, open, connect string) {
		fuzzed(t, func(ws *websocket.Conn) {
			text(ws, open)
			text(ws, connect)
		})
	})
}

// FuzzHistories has a client and a server talk over a network that fails; see
// TestHistories.
func FuzzHistories(f *testing.F) {
	f.Add(uint64(1))
	f.Fuzz(func(t *testing.T, seed uint64) { synctest.Test(t, func(t *testing.T) { history(t, seed) }) })
}
