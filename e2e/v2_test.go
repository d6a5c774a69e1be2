package e2e_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/socketio-go/socketio"
)

// TestV2Clients runs v2/*.test.mjs, and of client/ what clients of Socket.IO v2
// have in common with later ones, against a fixture that admits them.
func TestV2Clients(t *testing.T) {
	t.Parallel()
	files := testFiles(t, "v2")
	for _, name := range []string{"acks", "binary", "busy", "disconnect", "events", "limits", "order", "rooms", "volatile"} {
		files = append(files, filepath.Join("client", name+".test.mjs"))
	}
	for _, file := range files {
		opts := &socketio.Options{AllowEIO3: true}
		switch filepath.Base(file) {
		case "heartbeat.test.mjs":
			opts.PingInterval, opts.PingTimeout = 100*time.Millisecond, 3*time.Second
		case "busy.test.mjs":
			opts.PingInterval, opts.PingTimeout = busyInterval, busyTimeout
		}
		t.Run(strings.TrimSuffix(filepath.Base(file), ".test.mjs"), func(t *testing.T) {
			t.Parallel()
			node(t, []string{"SOCKETIO_URL=" + serve(t, opts), "SOCKETIO_CLIENT=2.5"}, file)
		})
	}
}

// TestV2ClientsCompressed runs what is binary and what is large against a
// fixture that compresses everything.
func TestV2ClientsCompressed(t *testing.T) {
	t.Parallel()
	url := serve(t, &socketio.Options{AllowEIO3: true, CompressMinBytes: 1})
	node(t, []string{"SOCKETIO_URL=" + url, "SOCKETIO_CLIENT=2.5"}, "client/binary.test.mjs", "client/events.test.mjs", "client/limits.test.mjs")
}

// TestV2InBrowser plays browser/v2.test.mjs: the v2 client in Chromium over every
// way to poll, from the server's own origin and from others.
func TestV2InBrowser(t *testing.T) {
	t.Parallel()
	foreign := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = io.WriteString(w, "<!doctype html><title>another origin</title>")
	}))
	defer foreign.Close()
	node(t, []string{
		"DEFAULT_URL=" + start(t, &socketio.Options{AllowEIO3: true}),
		"LISTING_URL=" + start(t, &socketio.Options{AllowEIO3: true, Origins: []string{foreign.URL}}),
		"CLOSED_URL=" + start(t, nil),
		"FOREIGN_URL=" + foreign.URL,
		"CHROMIUM=" + chromium(t),
	}, "browser/v2.test.mjs")
}
