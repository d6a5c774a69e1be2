package tests_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/socketio-go/socketio/internal/bubble"
	"github.com/socketio-go/socketio/internal/siotest"

	"github.com/socketio-go/socketio"
)

func TestStatsOfConnections(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := siotest.ServeInMemory(t, &socketio.Options{AllowEIO3: true})
		ws := srv.Join(t, siotest.WebSocket)
		srv.Open(t, siotest.Polling)
		srv.JoinV2(t)
		siotest.WantEqual(t, "transports", srv.Stats().Transports, socketio.TransportStats{Polling: 1, WebSocket: 1, WebSocketV2: 1})

		ws.Write("4broken")
		ws.WantClosed()
		synctest.Wait()
		st := srv.Stats()
		siotest.WantEqual(t, "transports", st.Transports, socketio.TransportStats{Polling: 1, WebSocketV2: 1})
		siotest.WantEqual(t, "malformed", st.Closed.Of(socketio.ReasonParse), 1)
		_ = srv.Close()
		st = srv.Stats()
		siotest.WantEqual(t, "shut down", st.Closed.Of(socketio.ReasonShutdown), 2)
		siotest.WantEqual(t, "closed", st.Closed.Total(), 3)
		siotest.WantEqual(t, "closed for an unknown reason", st.Closed.Of("unknown"), 0)
	})
}

// A connection that is closing, because its client does not read the close frame, is
// still open for the engine; its packets are counted once.
func TestStatsOfPackets(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := siotest.ServeInMemory(t, nil)
		srv.On("e", func() {})
		c, s := srv.JoinSocket(t, siotest.WebSocket)
		before := srv.Stats().Received
		c.Write(`42["e"]`, `42["e"]`)
		synctest.Wait()
		want := before + 2
		siotest.WantEqual(t, "received", srv.Stats().Received, want)
		c.MemConn().Freeze()
		s.CloseConnection()
		synctest.Wait()
		siotest.WantEqual(t, "connections", srv.Stats().Connections, 1)
		siotest.WantEqual(t, "received while closing", srv.Stats().Received, want)
		bubble.Sleep(time.Minute)
		siotest.WantEqual(t, "connections in the end", srv.Stats().Connections, 0)
		siotest.WantEqual(t, "received in the end", srv.Stats().Received, want)
	})
}

func TestStatsOfInboxes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := siotest.ServeInMemory(t, &socketio.Options{MaxInbox: 2})
		release := make(chan struct{})
		srv.On("wait", func() { <-release })
		c := srv.Join(t, siotest.WebSocket)
		for range 5 { // one is handled, two are in the inbox, one waits for space in it
			c.Write(`42["wait"]`)
		}
		bubble.Sleep(time.Second) // the turn is handed off after a while
		synctest.Wait()
		st := srv.Stats()
		siotest.WantEqual(t, "events in inboxes", st.InboxEvents, 2)
		siotest.WantEqual(t, "paused readers", st.PausedReaders, 1)
		close(release)
		synctest.Wait()
		st = srv.Stats()
		siotest.WantEqual(t, "events in inboxes", st.InboxEvents, 0)
		siotest.WantEqual(t, "paused readers", st.PausedReaders, 0)
	})
}

func TestStatsOfNamespaces(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := siotest.ServeInMemory(t, nil)
		template := srv.OrgTemplate()
		c := srv.Open(t, siotest.WebSocket)
		c.Join("/", "")
		c.Join("/org-1", "")
		c.Join("/org-2", "")
		for s := range template.LocalSockets() {
			s.Join("room")
		}
		c.Write("41/org-1,", "41/org-2,")
		c.Join("/org-3", "")
		synctest.Wait()

		for got := range srv.Templates() {
			siotest.WantEqual(t, "the template", got, template)
		}
		siotest.WantEqual(t, "the template of a child", srv.Of("/org-3").Template(), template)
		siotest.WantEqual(t, "the template of a static namespace", srv.Of("/").Template(), nil)
		st := template.Stats() // also of children that are no more
		siotest.WantEqual(t, "sockets", st.Sockets, 1)
		siotest.WantEqual(t, "rooms", st.Rooms, 0)
		siotest.WantEqual(t, "connects", st.Connects, 3)
		siotest.WantEqual(t, "disconnects", st.Disconnects.Of(socketio.ReasonClient), 2)
		c.Wire.Close()
		synctest.Wait()
		st = srv.Of("/").Stats()
		siotest.WantEqual(t, "sockets", st.Sockets, 0)
		siotest.WantEqual(t, "connects", st.Connects, 1)
		siotest.WantEqual(t, "disconnects", st.Disconnects.Of(socketio.ReasonTransport), 1)
		for reason, n := range template.Stats().Disconnects.All() {
			if n != template.Stats().Disconnects.Of(reason) {
				t.Errorf("%s: All has %d", reason, n)
			}
		}
	})
}

func TestStatsOfRecovery(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := siotest.ServeInMemory(t, &socketio.Options{Recovery: &socketio.Recovery{MaxEvents: 2}})
		r := srv.JoinRecovering(t, siotest.WebSocket)
		for range 2 {
			r.Disconnect()
			r.Reconnect()
		}
		r.Disconnect()
		for range 3 {
			_ = srv.Emit("missed")
		}
		r.Reconnect()
		r.PID = "unknown"
		r.Disconnect()
		r.Reconnect()
		synctest.Wait()
		siotest.WantEqual(t, "outcomes", srv.Of("/").Stats().Recovery, socketio.RecoveryStats{Recovered: 2, Evicted: 1, Expired: 1})
	})
}
