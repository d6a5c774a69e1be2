package socketio_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/socketio-go/socketio"
	"github.com/socketio-go/socketio/internal/bubble"
	"github.com/socketio-go/socketio/internal/siotest"
)

// However a question ends, nothing of it is kept.
func TestQuestionsThatEndAreForgotten(t *testing.T) {
	t.Parallel()
	ways := []struct {
		name string
		end  func(t *testing.T, c *siotest.Client, s *socketio.Socket, cancel func())
		live bool // the socket, afterwards
	}{
		{"answered", func(_ *testing.T, c *siotest.Client, _ *socketio.Socket, _ func()) { c.Write(`430[]`, `431[]`) }, true},
		{"cancelled", func(_ *testing.T, _ *siotest.Client, _ *socketio.Socket, cancel func()) {
			cancel()
			bubble.Sleep(time.Minute)
		}, true},
		{"AckTimeout", func(*testing.T, *siotest.Client, *socketio.Socket, func()) { bubble.Sleep(time.Minute) }, true},
		{"the client leaves", func(_ *testing.T, c *siotest.Client, _ *socketio.Socket, _ func()) { c.Write(`41`) }, false},
		{"Disconnect", func(_ *testing.T, _ *siotest.Client, s *socketio.Socket, _ func()) { s.Disconnect() }, false},
		{"cut off", func(_ *testing.T, c *siotest.Client, _ *socketio.Socket, _ func()) { c.MemConn().Cut() }, false},
	}
	for _, tt := range ways {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				// The client answers no heartbeat while this one reads nothing.
				srv := siotest.ServeInMemory(t, &socketio.Options{PingInterval: time.Hour})
				c, s := srv.JoinSocket(t, siotest.WebSocket)
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				outcomes := make(chan error, 10)
				go func() {
					_, err := s.EmitWithAck(ctx, "q")
					outcomes <- err
				}()
				c.Want(`420["q"]`)
				s.Emit("q", func(_ socketio.Args, err error) { outcomes <- err })
				c.Want(`421["q"]`)
				go func() {
					_, err := srv.EmitWithAck(ctx, "all")
					outcomes <- err
				}()
				all := c.WantAckRequest(`"all"`)
				answers, waiters := s.Awaited()
				siotest.WantEqual(t, "awaited", fmt.Sprint(answers, waiters), "3 2")
				if tt.name == "answered" {
					c.Write("43" + all + "[]")
				}
				tt.end(t, c, s, cancel)
				for range 3 {
					<-outcomes
				}
				synctest.Wait()
				answers, waiters = s.Awaited()
				siotest.WantEqual(t, "awaited in the end", fmt.Sprint(answers, waiters), "0 0")
				siotest.WantEqual(t, "more outcomes", len(outcomes), 0)
				siotest.WantEqual(t, "connected", s.Connected(), tt.live)
			})
		})
	}
}
