package tests_test

import (
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/socketio-go/socketio"
	"github.com/socketio-go/socketio/internal/bubble"
	"github.com/socketio-go/socketio/internal/siotest"
)

// That a namespace is cut off from its cluster is reported when it begins, when the
// reason changes, again while it lasts, and when it is over.
func TestClusterStatus(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var reported []string
		reports := func() string {
			synctest.Wait()
			mu.Lock()
			defer mu.Unlock()
			defer func() { reported = nil }()
			return strings.Join(reported, "; ")
		}
		var logged strings.Builder
		b := newStage()
		srv := socketio.NewServer(&socketio.Options{
			Adapter: b, Logger: slog.New(slog.NewTextHandler(&logged, nil)),
			OnError: func(_ *socketio.Socket, err error) {
				mu.Lock()
				defer mu.Unlock()
				reported = append(reported, strings.TrimPrefix(err.Error(), `socketio: cluster: namespace "/" is not connected`))
			},
		})
		connected := func() bool { return srv.Stats().Cluster.Connected }
		host := b.seat("/").host

		siotest.WantEqual(t, "connected at first", connected(), false)
		bubble.Sleep(time.Minute)
		siotest.WantEqual(t, "reported", reports(), ", since 10s: the adapter is still connecting; , since 40s: the adapter is still connecting")
		host.Status(nil)
		siotest.WantEqual(t, "connected", connected(), true)
		bubble.Sleep(time.Hour)
		siotest.WantEqual(t, "reported", reports(), "")
		siotest.WantEqual(t, "it is logged that it is over", strings.Count(logged.String(), "connected again"), 1)

		host.Status(errors.New("gone"))
		siotest.WantEqual(t, "connected", connected(), false)
		siotest.WantEqual(t, "reported", reports(), ": gone")
		bubble.Sleep(10 * time.Second)
		host.Status(errors.New("refused"))
		siotest.WantEqual(t, "reported", reports(), ": refused")
		bubble.Sleep(65 * time.Second)
		siotest.WantEqual(t, "reported", reports(), ", since 40s: refused; , since 1m10s: refused")
		host.Status(nil)
		siotest.WantEqual(t, "it is logged how long it took", strings.Contains(logged.String(), "after=1m15s"), true)

		host.Status(errors.New("gone"))
		siotest.WantEqual(t, "reported", reports(), ": gone")
		if err := srv.Close(); err != nil {
			t.Error(err)
		}
		host.Status(errors.New("late"))
		bubble.Sleep(time.Hour)
		siotest.WantEqual(t, "reported after the end", reports(), "")
		siotest.WantEqual(t, "connected at the end", connected(), false)
		siotest.WantEqual(t, "Ready at the end", srv.Ready(t.Context()), socketio.ErrClosed)
	})
}
