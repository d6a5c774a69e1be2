package socketio_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/socketio-go/socketio"
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
		end  func(t *testing.T, srv *testServer, c *client)
	}{
		{"kicked", func(t *testing.T, srv *testServer, c *client) {
			c.join("/admin", "")
			c.write(`42/admin,["kick"]`)
			c.want("41/admin,")
		}},
		{"kicked twice", func(t *testing.T, srv *testServer, c *client) {
			for range 2 {
				c.join("/admin", "")
				c.write(`42/admin,["kick"]`)
				c.want("41/admin,")
			}
		}},
		{"kicked by an emitter", func(t *testing.T, srv *testServer, c *client) {
			c.join("/admin", "")
			wantEqual(t, "disconnect", srv.Of("/admin").Broadcast().Disconnect(t.Context()), nil)
			c.want("41/admin,")
		}},
		{"refused by middleware", func(t *testing.T, srv *testServer, c *client) {
			c.write(`40/admin,{"refuse":true}`)
			c.want(`44/admin,{"message":"refused"}`)
		}},
	}
	for _, end := range ends {
		for _, packets := range inFlight {
			t.Run(end.name+", "+packets.name, func(t *testing.T) {
				t.Parallel()
				srv := serve(t, nil)
				admin := srv.Of("/admin")
				admin.Use(func(_ context.Context, s *socketio.Socket) error {
					if s.Handshake().Auth.String() == `[{"refuse":true}]` {
						return socketio.Errorf("refused")
					}
					return nil
				})
				admin.On("kick", func(s *socketio.Socket) { _ = s.Disconnect() })
				admin.On("x", func() { t.Error("it was handled") })
				c := srv.join(t, webSocket)
				end.end(t, srv, c)
				c.write(packets.packets...)
				c.wantNothing()
				admin.On("sync", func() {})
				c.join("/admin", "")
				c.wantHeard("/admin")
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
			srv := serve(t, nil)
			srv.Of("/admin")
			c := srv.join(t, webSocket)
			c.write(test.packets...)
			for {
				if _, err := c.next(); err != nil {
					break
				}
			}
			wantEqual(t, "bad packets", srv.Stats().BadPackets, 1)
		})
	}
	t.Run("no such namespace", func(t *testing.T) {
		t.Parallel()
		srv := serve(t, nil)
		c := srv.join(t, webSocket)
		c.write("40/nowhere,", `42/nowhere,["x"]`)
		c.want(`44/nowhere,{"message":"Invalid namespace"}`)
		c.wantNothing()
	})
	t.Run("the oldest is forgotten", func(t *testing.T) {
		t.Parallel()
		srv := serve(t, &socketio.Options{MaxNamespaces: 3})
		c := srv.join(t, webSocket)
		for i := range 4 {
			c.write(fmt.Sprintf("40/%d,", i))
			c.want(fmt.Sprintf(`44/%d,{"message":"Invalid namespace"}`, i))
		}
		for i := 1; i < 4; i++ {
			c.write(fmt.Sprintf(`42/%d,["x"]`, i))
		}
		c.wantNothing()
		c.write(`42/0,["x"]`)
		c.wantClosed()
	})
}
