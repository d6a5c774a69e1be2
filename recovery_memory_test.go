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
	"github.com/socketio-go/socketio/internal/siotest"
)

// childrenKept is how many children of a template one client makes in
// TestHeapOfRecovery: 30000 once, by -children=30000.
var childrenKept = flag.Int("children", 2000, "children of a template that are kept for recovery in TestHeapOfRecovery")

// What recovery keeps takes no more memory than the comments of Recovery say.
func TestHeapOfRecovery(t *testing.T) { //nolint:paralleltest // it measures the heap
	const perSession, perChild = 900, 900 // documented as 0.8 KiB each
	var template *socketio.Namespace
	measure := func(name string, opts socketio.Recovery, most int64, fill func(t *testing.T, srv *siotest.Server)) {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				opts.Window = time.Hour
				srv := siotest.ServeInMemory(t, &socketio.Options{PingInterval: time.Hour, Recovery: &opts})
				template = srv.OfMatch(regexp.MustCompile(`^/child-\d+$`).MatchString)
				kept := srv.Join(t, siotest.WebSocket) // so that events are kept
				kept.Join("/child-0", "")
				kept.MemConn().Cut()
				srv.Of("/child-0")
				synctest.Wait()
				before := siotest.HeapBytes()
				fill(t, srv)
				synctest.Wait()
				held := siotest.HeapBytes() - before
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
	measure("sessions", socketio.Recovery{MaxSessions: sessions + 1}, sessions*perSession+noise, func(t *testing.T, srv *siotest.Server) {
		t.Helper()
		for range sessions {
			c := srv.Join(siotest.NoCleanup{TB: t}, siotest.WebSocket)
			c.MemConn().Cut()
			c.Wire.Close()
			synctest.Wait()
		}
		siotest.WantEqual(t, "sessions", socketio.KeptBy(srv.Of("/")).Sessions, sessions+1)
	})
	// One client makes as many children as it can.
	children := *childrenKept
	measure("children of a template", socketio.Recovery{MaxSessions: children}, int64(children)*(perSession+perChild)+noise, func(t *testing.T, srv *siotest.Server) {
		t.Helper()
		const each = 100                                  // MaxNamespaces
		for i := range (children + each - 1) / each * 2 { // twice as many as are kept
			c := srv.Open(siotest.NoCleanup{TB: t}, siotest.WebSocket)
			for j := range each {
				c.Join(fmt.Sprintf("/child-%d", 1+i*each+j), "")
			}
			c.MemConn().Cut()
			c.Wire.Close()
			synctest.Wait()
		}
		siotest.WantEqual(t, "sessions", socketio.KeptBy(srv.Of("/child-0")).Sessions, children)
		siotest.WantEqual(t, "namespaces", len(strings.Fields(srv.NamespaceNames())), children+1)
	})
	const bytes = 2 << 20
	log := socketio.Recovery{MaxBytes: bytes, MaxEvents: 1 << 20}
	for name, emit := range map[string]func(srv *siotest.Server, i int) error{
		"small events": func(srv *siotest.Server, _ int) error { return srv.Emit("a") },
		"events for rooms": func(srv *siotest.Server, i int) error {
			return srv.To(fmt.Sprint("room ", i), "other").Except("nobody").Emit("a", i)
		},
		"events with attachments": func(srv *siotest.Server, i int) error {
			return srv.Emit("a", make([]byte, i%3000), []byte{1}, []byte{2})
		},
		"small events of a template": func(srv *siotest.Server, _ int) error { return template.Emit("a") },
		"events of a template with attachments": func(srv *siotest.Server, i int) error {
			return template.Emit("a", make([]byte, i%3000), []byte{1}, []byte{2})
		},
	} {
		measure(name, log, bytes+noise, func(t *testing.T, srv *siotest.Server) {
			t.Helper()
			kept := func() int { return socketio.KeptBy(srv.Of("/")).Events + socketio.KeptBy(srv.Of("/child-0")).Events }
			for i := range bytes / 200 {
				siotest.WantEqual(t, "emit", emit(srv, i), nil)
			}
			if kept() == bytes/200 {
				t.Error("the log is not full")
			}
		})
	}
}
