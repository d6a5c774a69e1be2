package tests_test

import (
	"strings"
	"testing"
	"testing/synctest"

	"github.com/socketio-go/socketio"
	"github.com/socketio-go/socketio/internal/siotest"
)

// What becomes of messages, seen from the application. The engine's tests have
// every way in which they can get lost, and every server under test must account
// for all of its messages when it closes.
func TestMessageStats(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		act  func(t *testing.T, srv *siotest.Server, c *siotest.Client, s *socketio.Socket)
		want socketio.MessageStats // that has been added
	}{
		{"an event for many counts once for each", func(t *testing.T, srv *siotest.Server, _ *siotest.Client, _ *socketio.Socket) {
			for range 9 {
				srv.Join(t, siotest.WebSocket)
			}
			_ = srv.Emit("e")
		}, socketio.MessageStats{Emitted: 19, Written: 19}},
		{"who has left is told, and no more", func(_ *testing.T, _ *siotest.Server, _ *siotest.Client, s *socketio.Socket) {
			_ = s.Disconnect()
			_ = s.Emit("e")
		}, socketio.MessageStats{Emitted: 1, Written: 1}},
		{"a refusal", func(_ *testing.T, _ *siotest.Server, c *siotest.Client, _ *socketio.Socket) {
			c.Write("40/nowhere,")
		}, socketio.MessageStats{Emitted: 1, Written: 1}},
		{"an answer", func(_ *testing.T, _ *siotest.Server, c *siotest.Client, _ *socketio.Socket) {
			c.Ask(`["sync"]`)
		}, socketio.MessageStats{Emitted: 1, Written: 1}},
		{"volatile", func(_ *testing.T, _ *siotest.Server, c *siotest.Client, s *socketio.Socket) {
			c.MemConn().In().SetCapacity(0)
			_ = s.Emit("e")
			_ = s.Volatile().Emit("e")
		}, socketio.MessageStats{Emitted: 2, Pending: 1, DroppedVolatile: 1}},
		{"slow", func(_ *testing.T, _ *siotest.Server, c *siotest.Client, s *socketio.Socket) {
			c.MemConn().In().SetCapacity(0)
			for range 10 {
				_ = s.Emit("e", strings.Repeat("x", 400))
			}
		}, socketio.MessageStats{Emitted: 3, DroppedSlow: 3}},
		{"closed", func(_ *testing.T, srv *siotest.Server, c *siotest.Client, s *socketio.Socket) {
			c.MemConn().In().SetCapacity(0)
			_ = s.Emit("e")
			_ = srv.Close()
		}, socketio.MessageStats{Emitted: 1, DroppedClosed: 1}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				srv := siotest.ServeInMemory(t, &socketio.Options{MaxQueue: 1000})
				c, s := srv.JoinSocket(t, siotest.WebSocket)
				synctest.Wait()
				before := srv.Stats().Messages
				test.act(t, srv, c, s)
				synctest.Wait()
				got := srv.Stats().Messages
				got.Emitted -= before.Emitted
				got.Written -= before.Written
				siotest.WantEqual(t, "messages", got, test.want)
			})
		})
	}
	siotest.SpecifyRecovery(t, "what a recovered client is sent again", socketio.Options{}, func(t *testing.T, srv *siotest.Server) {
		r := srv.JoinRecovering(t, siotest.WebSocket)
		r.Disconnect()
		_ = srv.To(r.ID).Emit("missed") // to nobody, for now
		r.WantMissed("missed")
		synctest.Wait()
		siotest.WantEqual(t, "messages", srv.Stats().Messages, socketio.MessageStats{Emitted: 3, Written: 3})
	})
}
