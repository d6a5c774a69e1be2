package tests_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"weak"

	"github.com/socketio-go/socketio"
	"github.com/socketio-go/socketio/internal/siotest"
)

// However many CONNECTs come while the middleware of the first one runs, there
// is never a second socket.
func TestConnectFlood(t *testing.T) {
	t.Parallel()
	siotest.OnEachTransport(t, func(t *testing.T, transport string) {
		synctest.Test(t, func(t *testing.T) {
			srv := siotest.ServeInMemory(t, nil)
			release := make(chan struct{})
			var asked, connected atomic.Int32
			slow := srv.Of("/slow")
			slow.Use(func(context.Context, *socketio.Socket) error {
				asked.Add(1)
				<-release
				return nil
			})
			slow.OnConnect(func(*socketio.Socket) { connected.Add(1) })
			slow.OnDisconnect(func(*socketio.Socket, socketio.Reason) { connected.Add(1) })
			healthy := srv.Join(t, transport)
			c := srv.Open(t, transport)
			id := c.Join("/", "")
			flood := make([]any, 1000)
			for i := range flood {
				flood[i] = `40/slow,`
			}
			_ = c.Wire.Write(flood...) // the server closes in the midst of it
			srv.WantDisconnect(t, id, socketio.ReasonViolation)
			c.WantClosed()
			siotest.WantEqual(t, "another client's echo", healthy.Ask(`["echo",1]`), `[1]`)
			close(release)
			synctest.Wait()
			if n := asked.Load(); n > 1 { // none, if the socket has left before
				t.Errorf("middleware ran %d times", n)
			}
			siotest.WantEqual(t, "how often OnConnect and OnDisconnect ran", connected.Load(), 0)
			siotest.WantEqual(t, "sockets", srv.Stats().Sockets, 1)
			siotest.WantEqual(t, "bad packets", srv.Stats().BadPackets, 1)
		})
	})
}

// Names that a client makes up cost no more than MaxNamespaces at a time, and
// nothing when it has left them.
func TestNamesFlood(t *testing.T) {
	t.Parallel()
	srv := siotest.Serve(t, nil)
	org := srv.OrgTemplate()
	gone := make(chan struct{}, 1000)
	org.OnDisconnect(func(*socketio.Socket, socketio.Reason) { gone <- struct{}{} })
	c := srv.Open(t, siotest.WebSocket)
	for i := range 1000 { // all at once: the first hundred are in
		name := fmt.Sprint("/org-", i)
		c.Write("40" + name + ",")
		if i < 100 {
			c.WantConnect(name)
		} else {
			c.Want("44" + name + `,{"message":"Too many namespaces"}`)
		}
	}
	c.WantHandled("/org-0")
	siotest.WantEqual(t, "namespaces", len(strings.Fields(srv.NamespaceNames())), 100)
	c.Wire.Close()
	for range 100 {
		siotest.Receive(t, gone)
	}
	siotest.WantEqual(t, "namespaces", srv.NamespaceNames(), "")

	// One after the other.
	c = srv.Open(t, siotest.WebSocket)
	const rounds = 3000
	made := make([]weak.Pointer[socketio.Namespace], 0, rounds)
	org.OnConnect(func(s *socketio.Socket) { made = append(made, weak.Make(s.Namespace())) })
	for i := range rounds {
		name := fmt.Sprint("/org-", i)
		c.Join(name, "")
		c.Write("41" + name + ",")
		siotest.Receive(t, gone)
	}
	runtime.GC()
	kept := 0
	for _, n := range made {
		if n.Value() != nil {
			kept++
		}
	}
	siotest.WantEqual(t, "namespaces made", len(made), rounds)
	if kept > rounds/10 { // pools may hold some
		t.Errorf("%d of %d namespaces are still in memory", kept, rounds)
	}
	siotest.WantEqual(t, "namespaces", srv.NamespaceNames(), "")
	siotest.WantEqual(t, "sockets", srv.Stats().Sockets, 0)
}

// What comes as auth is bounded like everything else.
func TestHostileAuth(t *testing.T) {
	t.Parallel()
	srv := siotest.Serve(t, &socketio.Options{MaxPayload: 10_000})
	srv.Of("/x").OnConnect(func(s *socketio.Socket) { s.Emit("auth", s.Handshake().Auth) })
	longest := `{"a":"` + strings.Repeat("x", 10_000-len(`40/x,{"a":""}`)) + `"}`
	deepest := `{"a":` + strings.Repeat("[", 511) + strings.Repeat("]", 511) + `}`
	for _, tt := range []struct {
		name    string
		packets []any
		auth    string // empty if the connection is closed
	}{
		{"as long as it may be", []any{`40/x,` + longest}, longest},
		{"longer", []any{`40/x,` + longest + " "}, ""},
		{"as deep as it may be", []any{`40/x,` + deepest}, deepest},
		{"deeper", []any{`40/x,{"b":` + deepest + `}`}, ""},
		{"what looks like an attachment", []any{`40/x,{"_placeholder":true,"num":0}`}, `{"_placeholder":true,"num":0}`},
		{"an attachment", []any{`40/x,{"_placeholder":true,"num":0}`, []byte{1}}, ""},
		{"an attachment that is announced", []any{`401-/x,{"_placeholder":true,"num":0}`, []byte{1}}, ""},
		{"what JavaScript has in every object", []any{`40/x,{"__proto__":{"admin":true},"constructor":1}`}, `{"__proto__":{"admin":true},"constructor":1}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := srv.Join(t, siotest.WebSocket)
			c.Write(tt.packets...)
			if tt.auth == "" {
				for {
					if _, err := c.Next(); errors.Is(err, siotest.ErrTimeout) {
						t.Fatal("the connection was not closed")
					} else if err != nil {
						return
					}
				}
			}
			c.WantConnect("/x")
			c.Want(`42/x,["auth",` + tt.auth + `]`)
			c.WantNothing()
		})
	}
}
