package socketio_test

import (
	"flag"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/socketio-go/socketio"
)

// childrenKept is how many children of a template one client makes in
// TestHeapOfRecovery: 30000 once, by -children=30000.
var childrenKept = flag.Int("children", 2000, "children of a template that are kept for recovery in TestHeapOfRecovery")

// What recovery keeps takes no more memory than the comments of Recovery say.
func TestHeapOfRecovery(t *testing.T) { //nolint:paralleltest // it measures the heap
	const perSession, perChild = 900, 900 // documented as 0.8 KiB each
	var template *socketio.Namespace
	measure := func(name string, opts socketio.Recovery, most int64, fill func(t *testing.T, srv *testServer)) {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				opts.Window = time.Hour
				srv := serveInMemory(t, &socketio.Options{PingInterval: time.Hour, Recovery: &opts})
				template = srv.OfMatch(regexp.MustCompile(`^/child-\d+$`).MatchString)
				kept := srv.join(t, webSocket) // so that events are kept
				kept.join("/child-0", "")
				kept.conn().Cut()
				srv.Of("/child-0")
				synctest.Wait()
				before := heapNow()
				fill(t, srv)
				synctest.Wait()
				held := heapNow() - before
				t.Logf("%d bytes are held, %d at most", held, most)
				if held > most {
					t.Errorf("%d bytes are held, want at most %d", held, most)
				}
				if held < most/4 {
					t.Errorf("only %d bytes are held, of %d", held, most)
				}
			})
		})
	}
	const noise = 256 << 10
	const sessions = 2000
	measure("sessions", socketio.Recovery{MaxSessions: sessions + 1}, sessions*perSession+noise, func(t *testing.T, srv *testServer) {
		t.Helper()
		for range sessions {
			c := srv.join(forgetful{t}, webSocket)
			c.conn().Cut()
			c.wire.close()
			synctest.Wait()
		}
		wantEqual(t, "sessions", socketio.KeptBy(srv.Of("/")).Sessions, sessions+1)
	})
	// One client makes as many children as it can.
	children := *childrenKept
	measure("children of a template", socketio.Recovery{MaxSessions: children}, int64(children)*(perSession+perChild)+noise, func(t *testing.T, srv *testServer) {
		t.Helper()
		const each = 100                                  // MaxNamespaces
		for i := range (children + each - 1) / each * 2 { // twice as many as are kept
			c := srv.open(forgetful{t}, webSocket)
			for j := range each {
				c.join(fmt.Sprintf("/child-%d", 1+i*each+j), "")
			}
			c.conn().Cut()
			c.wire.close()
			synctest.Wait()
		}
		wantEqual(t, "sessions", socketio.KeptBy(srv.Of("/child-0")).Sessions, children)
		wantEqual(t, "namespaces", len(strings.Fields(srv.names())), children+1)
	})
	const bytes = 2 << 20
	log := socketio.Recovery{MaxBytes: bytes, MaxEvents: 1 << 20}
	for name, emit := range map[string]func(srv *testServer, i int) error{
		"small events": func(srv *testServer, _ int) error { return srv.Emit("a") },
		"events for rooms": func(srv *testServer, i int) error {
			return srv.To(fmt.Sprint("room ", i), "other").Except("nobody").Emit("a", i)
		},
		"events with attachments": func(srv *testServer, i int) error {
			return srv.Emit("a", make([]byte, i%3000), []byte{1}, []byte{2})
		},
		"small events of a template": func(srv *testServer, _ int) error { return template.Emit("a") },
		"events of a template with attachments": func(srv *testServer, i int) error {
			return template.Emit("a", make([]byte, i%3000), []byte{1}, []byte{2})
		},
	} {
		measure(name, log, bytes+noise, func(t *testing.T, srv *testServer) {
			t.Helper()
			kept := func() int { return socketio.KeptBy(srv.Of("/")).Events + socketio.KeptBy(srv.Of("/child-0")).Events }
			for i := range bytes / 200 {
				wantEqual(t, "emit", emit(srv, i), nil)
			}
			if kept() == bytes/200 {
				t.Error("the log is not full")
			}
		})
	}
}
