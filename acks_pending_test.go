package socketio_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/socketio-go/socketio"
)

// However a question ends, nothing of it is kept.
func TestQuestionsThatEndAreForgotten(t *testing.T) {
	t.Parallel()
	ways := []struct {
		name string
		end  func(t *testing.T, c *client, s *socketio.Socket, cancel func())
		live bool // the socket, afterwards
	}{
		{"answered", func(_ *testing.T, c *client, _ *socketio.Socket, _ func()) { c.write(`430[]`, `431[]`) }, true},
		{"cancelled", func(_ *testing.T, _ *client, _ *socketio.Socket, cancel func()) { cancel(); <-time.After(time.Minute) }, true},
		{"AckTimeout", func(*testing.T, *client, *socketio.Socket, func()) { <-time.After(time.Minute) }, true},
		{"the client leaves", func(_ *testing.T, c *client, _ *socketio.Socket, _ func()) { c.write(`41`) }, false},
		{"Disconnect", func(_ *testing.T, _ *client, s *socketio.Socket, _ func()) { s.Disconnect() }, false},
		{"cut off", func(_ *testing.T, c *client, _ *socketio.Socket, _ func()) { c.conn().Cut() }, false},
	}
	for _, tt := range ways {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				// The client answers no heartbeat while this one reads nothing.
				srv := serveInMemory(t, &socketio.Options{PingInterval: time.Hour})
				c, s := srv.joinSocket(t, webSocket)
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				outcomes := make(chan error, 10)
				go func() {
					_, err := s.EmitWithAck(ctx, "q")
					outcomes <- err
				}()
				c.want(`420["q"]`)
				s.Emit("q", func(_ socketio.Args, err error) { outcomes <- err })
				c.want(`421["q"]`)
				go func() {
					_, err := srv.EmitWithAck(ctx, "all")
					outcomes <- err
				}()
				all := c.wantQuestion(`"all"`)
				answers, waiters := s.Awaited()
				wantEqual(t, "awaited", fmt.Sprint(answers, waiters), "3 2")
				if tt.name == "answered" {
					c.write("43" + all + "[]")
				}
				tt.end(t, c, s, cancel)
				for range 3 {
					<-outcomes
				}
				synctest.Wait()
				answers, waiters = s.Awaited()
				wantEqual(t, "awaited in the end", fmt.Sprint(answers, waiters), "0 0")
				wantEqual(t, "more outcomes", len(outcomes), 0)
				wantEqual(t, "connected", s.Connected(), tt.live)
			})
		})
	}
}
