package tests_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/socketio-go/socketio/internal/bubble"
	"github.com/socketio-go/socketio/internal/siotest"

	"github.com/socketio-go/socketio"
)

func TestDebugHandler(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := siotest.ServeInMemory(t, nil)
		srv.OrgTemplate()
		release := make(chan struct{})
		srv.On("wait", func() { <-release })
		blocked := srv.Join(t, siotest.WebSocket)
		blocked.Join("/org-1", "")
		for range 3 {
			blocked.Write(`42["wait"]`)
		}
		var ids []string
		for i := range 25 {
			c, s := srv.JoinSocket(t, siotest.WebSocket)
			c.MemConn().In().SetCapacity(0)
			_ = s.Emit("e", strings.Repeat("x", 1000*(i+1)))
			ids = append(ids, s.ID())
		}
		bubble.Sleep(time.Second) // the turn is handed off after a while
		synctest.Wait()

		var got struct {
			Stats struct {
				Connections int
				Closed      map[string]int
			}
			Namespaces map[string]struct{ Sockets, Connects int }
			Queues     []struct {
				Transport   string
				QueuedBytes int
				Sockets     []struct{ ID, Namespace string }
			}
			Inboxes []struct {
				InboxEvents int
				Sockets     []struct{ Namespace, Event, Handler string }
			}
		}
		w := httptest.NewRecorder()
		srv.DebugHandler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/debug/socketio", nil))
		if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
			t.Fatal(err)
		}
		siotest.WantEqual(t, "connections", got.Stats.Connections, 26)
		siotest.WantEqual(t, "sockets of /", got.Namespaces["/"].Sockets, 26)
		siotest.WantEqual(t, "connects of the template", got.Namespaces["template 1"].Connects, 1)
		siotest.WantEqual(t, "queues", len(got.Queues), 20)
		siotest.WantEqual(t, "the biggest queue", got.Queues[0].Sockets[0].ID, ids[24])
		for i, q := range got.Queues[1:] {
			if q.QueuedBytes > got.Queues[i].QueuedBytes {
				t.Errorf("queue %d has %d bytes, the one before it %d", i+1, q.QueuedBytes, got.Queues[i].QueuedBytes)
			}
		}
		siotest.WantEqual(t, "inboxes", len(got.Inboxes), 1)
		siotest.WantEqual(t, "events in it", got.Inboxes[0].InboxEvents, 2)
		siotest.WantEqual(t, "the event that is handled", got.Inboxes[0].Sockets[0].Event, "wait")
		if handler := got.Inboxes[0].Sockets[0].Handler; !strings.Contains(handler, "TestDebugHandler") {
			t.Errorf("the handler is %q", handler)
		}
		siotest.WantEqual(t, "the handler of another namespace", got.Inboxes[0].Sockets[1].Handler, "")

		w = httptest.NewRecorder()
		srv.DebugHandler().ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/debug/socketio", nil))
		siotest.WantEqual(t, "the status of a POST", w.Code, http.StatusMethodNotAllowed)
		close(release)
		synctest.Wait()
		w = httptest.NewRecorder()
		socketio.NewServer(nil).DebugHandler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/debug/socketio", nil))
		if !strings.Contains(w.Body.String(), `"queues": []`) {
			t.Errorf("of an idle server: %s", w.Body)
		}
	})
}
