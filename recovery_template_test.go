package socketio_test

import (
	"regexp"
	"testing"
	"testing/synctest"
	"time"

	"github.com/socketio-go/socketio"
)

// arriveIn joins a child of a template for the first time.
func (srv *testServer) arriveIn(t *testing.T, namespace string) *returner {
	t.Helper()
	c := &returner{srv: srv, transport: webSocket, namespace: namespace, client: srv.open(t, webSocket)}
	c.joinAgain()
	return c
}

// The children of a template share one log: what is for all of them is in it once,
// and each client is sent what was for its own child.
func TestRecoverySharedByChildren(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := serveInMemory(t, &socketio.Options{Recovery: &socketio.Recovery{Window: time.Minute}, PingInterval: time.Hour})
		all := srv.OfMatch(regexp.MustCompile(`^/child-\d$`).MatchString)
		outgoing := 0
		all.OnAnyOutgoing(func(*socketio.Socket, socketio.Message) { outgoing++ })
		empty := srv.Of("/child-9")
		empty.Emit("nobody is there")
		all.Emit("nobody is anywhere")
		srv.Emit("nobody is in the default namespace")
		wantEqual(t, "kept for nobody", socketio.KeptBy(empty), socketio.Kept{})
		wantEqual(t, "kept for nobody", socketio.KeptBy(srv.Of("/")), socketio.Kept{})

		one, two := srv.arriveIn(t, "/child-1"), srv.arriveIn(t, "/child-2")
		all.Emit("zero", []byte{0})
		one.wantEvents(`zero {"_placeholder":true,"num":0} 00`)
		two.wantEvents(`zero {"_placeholder":true,"num":0} 00`)
		wantEqual(t, "seen by OnAnyOutgoing", outgoing, 2)
		wantEqual(t, "events kept", socketio.KeptBy(empty).Events, 1)
		two.conn().Cut()
		synctest.Wait()
		all.Emit("first", []byte{1})
		srv.Of("/child-1").Emit("for one")
		srv.Of("/child-2").Emit("for two")
		empty.Emit("for nobody")
		all.To("room").Emit("for nobody's room")
		all.Broadcast().Compress(true).Emit("last", 7)
		wantEqual(t, "events kept", socketio.KeptBy(empty).Events, 6)
		one.wantEvents(`first {"_placeholder":true,"num":0} 01`, "for one", "last 7")

		thief := &returner{srv: srv, transport: webSocket, namespace: "/child-1", pid: two.pid, offset: two.offset}
		thief.client = srv.open(t, webSocket)
		thief.joinAgain()
		wantEqual(t, "recovered in another child", thief.recovered, false)
		two.wantMissed(`first {"_placeholder":true,"num":0} 01`, "for two", "last 7")
		wantEqual(t, "recovered", two.recovered, true)
		for _, c := range []*returner{one, two, thief} {
			c.write("41" + c.namespace + ",")
		}
		synctest.Wait()
		wantEqual(t, "kept when all have left", socketio.KeptBy(empty), socketio.Kept{Timer: true})
		<-time.After(2 * time.Minute)
		synctest.Wait()
		wantEqual(t, "kept later", socketio.KeptBy(empty), socketio.Kept{})
	})
}

// The bounds hold for a template and its children together.
func TestRecoveryLimitsOfATemplate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := serveInMemory(t, &socketio.Options{Recovery: &socketio.Recovery{MaxEvents: 3, MaxSessions: 2}, PingInterval: time.Hour})
		all := srv.OfMatch(regexp.MustCompile(`^/child-\d$`).MatchString)
		var clients []*returner
		for _, name := range []string{"/child-1", "/child-2", "/child-3"} {
			c := srv.arriveIn(t, name)
			clients = append(clients, c)
			c.conn().Cut()
			synctest.Wait()
		}
		wantEqual(t, "namespaces kept", srv.names(), "/child-2 /child-3")
		for range 2 {
			srv.Of("/child-2").Emit("two")
			srv.Of("/child-3").Emit("three")
		}
		wantEqual(t, "kept", socketio.KeptBy(all).Events, 3)
		wantEqual(t, "sessions kept", socketio.KeptBy(all).Sessions, 2)
		clients[0].wantFresh()
		clients[1].wantFresh() // the first event for it is not kept any more
		clients[2].wantFresh() // nor is it known that this one was not for it
	})
}
