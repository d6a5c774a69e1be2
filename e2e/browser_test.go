package e2e_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/socketio-go/socketio"
)

// TestChat plays browser/chat.test.mjs: people in Chromium, and one in Node,
// who talk through the chat example. Screenshots are left in artifacts.
func TestChat(t *testing.T) {
	t.Parallel()
	chat := filepath.Join(t.TempDir(), "chat")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", chat, "github.com/socketio-go/socketio/examples/chat")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, c := range []struct{ name, bundle string }{
		{"built-in client", ""},
		{"official bundle", "node_modules/socket.io-client/dist"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			node(t, []string{"CHAT=" + chat, "CHAT_CLIENT=" + c.bundle, "CHROMIUM=" + chromium(t)}, "browser/chat.test.mjs")
		})
	}
}

// TestCluster plays browser/cluster.test.mjs: people in Chromium on the three
// servers of the cluster example. Screenshots are left in artifacts.
func TestCluster(t *testing.T) {
	t.Parallel()
	cluster := filepath.Join(t.TempDir(), "cluster")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", cluster, "github.com/socketio-go/socketio/examples/cluster")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	node(t, []string{"CLUSTER=" + cluster, "ADDRESS=" + freeAddress(t), "CHROMIUM=" + chromium(t)}, "browser/cluster.test.mjs")
}

// TestOrigins plays browser/origins.test.mjs: a page of another origin may
// connect to a server that lists it, and to no other.
func TestOrigins(t *testing.T) {
	t.Parallel()
	foreign := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = io.WriteString(w, "<!doctype html><title>another origin</title>")
	}))
	defer foreign.Close()
	node(t, []string{
		"DEFAULT_URL=" + start(t, nil),
		"LISTING_URL=" + start(t, &socketio.Options{Origins: []string{foreign.URL}}),
		"FOREIGN_URL=" + foreign.URL,
		"CHROMIUM=" + chromium(t),
	}, "browser/origins.test.mjs")
}

// TestSuspendedPage plays browser/suspended.test.mjs: a page that runs nothing
// for longer than a heartbeat may take.
func TestSuspendedPage(t *testing.T) {
	t.Parallel()
	opts := &socketio.Options{PingInterval: time.Second, PingTimeout: time.Second}
	silence := opts.PingInterval + opts.PingTimeout
	node(t, []string{
		"SOCKETIO_URL=" + start(t, opts),
		fmt.Sprintf("SILENCE=%d", silence.Milliseconds()),
		"CHROMIUM=" + chromium(t),
	}, "browser/suspended.test.mjs")
}

func chromium(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		t.Fatal(err)
	}
	return path
}
