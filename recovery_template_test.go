package socketio_test

import (
	"regexp"
	"testing"
	"testing/synctest"
	"time"

	"github.com/socketio-go/socketio"
	"github.com/socketio-go/socketio/internal/bubble"
	"github.com/socketio-go/socketio/internal/siotest"
)

// The children of a template share one log: what is for all of them is in it once,
// and each client is sent what was for its own child.
func TestRecoverySharedByChildren(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := siotest.ServeInMemory(t, &socketio.Options{Recovery: &socketio.Recovery{Window: time.Minute}, PingInterval: time.Hour})
		all := srv.OfMatch(regexp.MustCompile(`^/child-\d$`).MatchString)
		outgoing := 0
		all.OnAnyOutgoing(func(*socketio.Socket, socketio.Message) { outgoing++ })
		empty := srv.Of("/child-9")
		empty.Emit("nobody is there")
		all.Emit("nobody is anywhere")
		srv.Emit("nobody is in the default namespace")
		siotest.WantEqual(t, "kept for nobody", socketio.KeptBy(empty), socketio.Kept{})
		siotest.WantEqual(t, "kept for nobody", socketio.KeptBy(srv.Of("/")), socketio.Kept{})

		one, two := srv.JoinRecoveringIn(t, "/child-1"), srv.JoinRecoveringIn(t, "/child-2")
		all.Emit("zero", []byte{0})
		one.WantEvents(`zero {"_placeholder":true,"num":0} 00`)
		two.WantEvents(`zero {"_placeholder":true,"num":0} 00`)
		siotest.WantEqual(t, "seen by OnAnyOutgoing", outgoing, 2)
		siotest.WantEqual(t, "events kept", socketio.KeptBy(empty).Events, 1)
		two.MemConn().Cut()
		synctest.Wait()
		all.Emit("first", []byte{1})
		srv.Of("/child-1").Emit("for one")
		srv.Of("/child-2").Emit("for two")
		empty.Emit("for nobody")
		all.To("room").Emit("for nobody's room")
		all.Broadcast().Compress(true).Emit("last", 7)
		siotest.WantEqual(t, "events kept", socketio.KeptBy(empty).Events, 6)
		one.WantEvents(`first {"_placeholder":true,"num":0} 01`, "for one", "last 7")

		thief := &siotest.RecoveringClient{Srv: srv, Transport: siotest.WebSocket, Namespace: "/child-1", PID: two.PID, Offset: two.Offset}
		thief.Client = srv.Open(t, siotest.WebSocket)
		thief.Rejoin()
		siotest.WantEqual(t, "recovered in another child", thief.Recovered, false)
		two.WantMissed(`first {"_placeholder":true,"num":0} 01`, "for two", "last 7")
		siotest.WantEqual(t, "recovered", two.Recovered, true)
		for _, c := range []*siotest.RecoveringClient{one, two, thief} {
			c.Write("41" + c.Namespace + ",")
		}
		synctest.Wait()
		siotest.WantEqual(t, "kept when all have left", socketio.KeptBy(empty), socketio.Kept{Timer: true})
		bubble.Sleep(2 * time.Minute)
		synctest.Wait()
		siotest.WantEqual(t, "kept later", socketio.KeptBy(empty), socketio.Kept{})
	})
}

// The bounds hold for a template and its children together.
func TestRecoveryLimitsOfATemplate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := siotest.ServeInMemory(t, &socketio.Options{Recovery: &socketio.Recovery{MaxEvents: 3, MaxSessions: 2}, PingInterval: time.Hour})
		all := srv.OfMatch(regexp.MustCompile(`^/child-\d$`).MatchString)
		var clients []*siotest.RecoveringClient
		for _, name := range []string{"/child-1", "/child-2", "/child-3"} {
			c := srv.JoinRecoveringIn(t, name)
			clients = append(clients, c)
			c.MemConn().Cut()
			synctest.Wait()
		}
		siotest.WantEqual(t, "namespaces kept", srv.NamespaceNames(), "/child-2 /child-3")
		for range 2 {
			srv.Of("/child-2").Emit("two")
			srv.Of("/child-3").Emit("three")
		}
		siotest.WantEqual(t, "kept", socketio.KeptBy(all).Events, 3)
		siotest.WantEqual(t, "sessions kept", socketio.KeptBy(all).Sessions, 2)
		clients[0].WantNotRecovered()
		clients[1].WantNotRecovered() // the first event for it is not kept any more
		clients[2].WantNotRecovered() // nor is it known that this one was not for it
	})
}
