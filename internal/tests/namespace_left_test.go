package tests_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/socketio-go/socketio"
	"github.com/socketio-go/socketio/internal/siotest"
)

// A packet that was on its way when the server ended a namespace is dropped, with
// whatever it consists of; one for a namespace that was never joined is a violation.
func TestPacketsForANamespaceThatWasLeft(t *testing.T) {
	t.Parallel()
	inFlight := []struct {
		name    string
		packets []any
	}{
		{"an event", []any{`42/admin,["x",1]`}},
		{"an event that asks for an answer", []any{`42/admin,7["x",1]`}},
		{"binary data", []any{`451-/admin,["x",{"_placeholder":true,"num":0}]`, []byte{1}}},
		{"an answer", []any{`43/admin,7[]`}},
		{"a binary answer", []any{`461-/admin,7[{"_placeholder":true,"num":0}]`, []byte{1}}},
		{"a DISCONNECT", []any{"41/admin,"}},
		{"many", []any{`42/admin,["x"]`, `42/admin,["x"]`, "41/admin,"}},
	}
	ends := []struct {
		name string
		end  func(t *testing.T, srv *siotest.Server, c *siotest.Client)
	}{
		{"kicked", func(t *testing.T, srv *siotest.Server, c *siotest.Client) {
			c.Join("/admin", "")
			c.Write(`42/admin,["kick"]`)
			c.Want("41/admin,")
		}},
		{"kicked twice", func(t *testing.T, srv *siotest.Server, c *siotest.Client) {
			for range 2 {
				c.Join("/admin", "")
				c.Write(`42/admin,["kick"]`)
				c.Want("41/admin,")
			}
		}},
		{"kicked by an emitter", func(t *testing.T, srv *siotest.Server, c *siotest.Client) {
			c.Join("/admin", "")
			siotest.WantEqual(t, "disconnect", srv.Of("/admin").Broadcast().Disconnect(t.Context()), nil)
			c.Want("41/admin,")
		}},
		{"refused by middleware", func(t *testing.T, srv *siotest.Server, c *siotest.Client) {
			c.Write(`40/admin,{"refuse":true}`)
			c.Want(`44/admin,{"message":"refused"}`)
		}},
	}
	for _, end := range ends {
		for _, packets := range inFlight {
			t.Run(end.name+", "+packets.name, func(t *testing.T) {
				t.Parallel()
				srv := siotest.Serve(t, nil)
				admin := srv.Of("/admin")
				admin.Use(func(_ context.Context, s *socketio.Socket) error {
					if s.Handshake().Auth.String() == `[{"refuse":true}]` {
						return socketio.Errorf("refused")
					}
					return nil
				})
				admin.On("kick", func(s *socketio.Socket) { _ = s.Disconnect() })
				admin.On("x", func() { t.Error("it was handled") })
				c := srv.Join(t, siotest.WebSocket)
				end.end(t, srv, c)
				c.Write(packets.packets...)
				c.WantNothing()
				admin.On("sync", func() {})
				c.Join("/admin", "")
				c.WantHandled("/admin")
			})
		}
	}
	for _, test := range []struct {
		name    string
		packets []any
	}{
		{"never joined", []any{`42/admin,["x"]`}},
		{"left by the client", []any{"40/admin,", "41/admin,", `42/admin,["x"]`}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			srv := siotest.Serve(t, nil)
			srv.Of("/admin")
			c := srv.Join(t, siotest.WebSocket)
			c.Write(test.packets...)
			for {
				if _, err := c.Next(); err != nil {
					break
				}
			}
			siotest.WantEqual(t, "bad packets", srv.Stats().BadPackets, 1)
		})
	}
	t.Run("no such namespace", func(t *testing.T) {
		t.Parallel()
		srv := siotest.Serve(t, nil)
		c := srv.Join(t, siotest.WebSocket)
		c.Write("40/nowhere,", `42/nowhere,["x"]`)
		c.Want(`44/nowhere,{"message":"Invalid namespace"}`)
		c.WantNothing()
	})
	t.Run("the oldest is forgotten", func(t *testing.T) {
		t.Parallel()
		srv := siotest.Serve(t, &socketio.Options{MaxNamespaces: 3})
		c := srv.Join(t, siotest.WebSocket)
		for i := range 4 {
			c.Write(fmt.Sprintf("40/%d,", i))
			c.Want(fmt.Sprintf(`44/%d,{"message":"Invalid namespace"}`, i))
		}
		for i := 1; i < 4; i++ {
			c.Write(fmt.Sprintf(`42/%d,["x"]`, i))
		}
		c.WantNothing()
		c.Write(`42/0,["x"]`)
		c.WantClosed()
	})
}
