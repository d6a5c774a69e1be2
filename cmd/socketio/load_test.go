package main

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/socketio-go/socketio"
)

// A loaded server joins rooms, broadcasts and acknowledges, and counts.
type loaded struct {
	url    string
	io     *socketio.Server
	events atomic.Uint64 // that handlers got
}

func newLoaded(t *testing.T) *loaded {
	s := &loaded{io: socketio.NewServer(&socketio.Options{Logger: slog.New(slog.DiscardHandler)})}
	s.io.On("join", func(c *socketio.Socket, room string) error {
		s.events.Add(1)
		return c.Join(room)
	})
	s.io.On("say", func(c *socketio.Socket, m message) (bool, error) {
		s.events.Add(1)
		if len(m.Pad) != 100 && m.Pad != "" {
			return false, socketio.Errorf("%d bytes", len(m.Pad))
		}
		return true, s.io.To(m.Room).Emit("said", m)
	})
	srv := httptest.NewServer(s.io)
	t.Cleanup(func() {
		s.io.Close()
		srv.Close()
	})
	s.url = srv.URL
	return s
}

func runLoad(t *testing.T, args ...string) (r report, stdout, stderr string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "report.json")
	stdout, stderr, code := output(t, "", append([]string{"load", "-json", file}, args...)...)
	if code != 0 {
		t.Fatalf("exit code %d, %s%s", code, stdout, stderr)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &r); err != nil {
		t.Fatal(err)
	}
	return r, stdout, stderr
}

// near fails unless two counts differ by 3 % at most.
func near(t *testing.T, what string, got, want uint64) {
	t.Helper()
	t.Logf("%s: %d counted, %d by the server", what, got, want)
	if want == 0 || math.Abs(float64(got)-float64(want)) > 0.03*float64(want) {
		t.Errorf("%s: %d, the server says %d", what, got, want)
	}
}

// load counts what the server counts, with 1000 clients.
func TestLoad(t *testing.T) {
	s := newLoaded(t)
	r, stdout, stderr := runLoad(t, "-clients", "1000", "-ramp", "3s", "-for", "2s", "-rate", "1", "-ack",
		"-event", "say", "-join", "join", "-rooms", "500", "-receive", "said", "-size", "100", s.url)
	t.Logf("%s%s", stderr, stdout)

	if r.Clients != 1000 || r.Joined != 1000 || len(r.Errors) > 0 {
		t.Errorf("%d clients, %d joined, errors %v", r.Clients, r.Joined, r.Errors)
	}
	if r.Emitted != r.Answered+r.Unanswered+r.NotEmitted || r.Emitted < 1000 {
		t.Errorf("emitted %d, answered %d, not answered %d, not emitted %d", r.Emitted, r.Answered, r.Unanswered, r.NotEmitted)
	}
	if sent := r.Emitted + 1000; r.PacketsOut["event"] != sent { // and one to join a room each
		t.Errorf("%d events were sent, not %d", r.PacketsOut["event"], sent)
	}
	near(t, "events sent", r.PacketsOut["event"], s.events.Load())
	left := uint64(1000) // a DISCONNECT of each, after the report was made
	near(t, "packets sent", r.PacketsOut["event"]+r.PacketsOut["connect"]+left, s.io.Stats().Received)
	near(t, "packets received", r.PacketsIn["event"]+r.PacketsIn["ack"]+r.PacketsIn["connect"], s.io.Stats().Messages.Written)
	if r.Received["said"] != r.PacketsIn["event"] {
		t.Errorf("%d events, %d packets", r.Received["said"], r.PacketsIn["event"])
	}
	for name, l := range map[string]*latency{"answers": r.Answers, "delivery": r.Delivery, "lateness": r.Lateness} {
		if l == nil || l.Count < 1000 || l.P50 > l.P90 || l.P90 > l.P99 || l.P99 > l.Max || l.P50 <= 0 {
			t.Errorf("%s: %+v", name, l)
		}
	}
	if !strings.Contains(stdout, "answers        p50 ") || !strings.Contains(stderr, " of 1000 joined ") {
		t.Errorf("%s%s", stdout, stderr)
	}
}

// Nothing is lost from the count when all connections are cut at once, and all come back.
func TestLoadStorm(t *testing.T) {
	s := newLoaded(t)
	r, stdout, _ := runLoad(t, "-quiet", "-clients", "50", "-ramp", "100ms", "-for", "4s", "-rate", "20", "-ack", "-event", "say", "-storm", "1500ms", s.url)
	t.Log(stdout)
	if r.Storms < 1 || r.Reconnection == nil || r.Reconnection.Count < 50 || r.Errors["disconnected: transport close"] < 50 {
		t.Errorf("%+v", r)
	}
	if r.Emitted != r.Answered+r.Unanswered+r.NotEmitted {
		t.Errorf("emitted %d, answered %d, not answered %d, not emitted %d", r.Emitted, r.Answered, r.Unanswered, r.NotEmitted)
	}
	var errs uint64
	for reason, n := range r.Errors {
		if strings.HasPrefix(reason, "no answer: ") || strings.HasPrefix(reason, "not emitted: ") {
			errs += n
		}
	}
	if errs != r.Unanswered+r.NotEmitted {
		t.Errorf("%d errors, but %d events without an answer: %v", errs, r.Unanswered+r.NotEmitted, r.Errors)
	}
}

// Errors are counted by reason.
func TestLoadErrors(t *testing.T) {
	busy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) }))
	defer busy.Close()
	for _, c := range []struct {
		url, stdout, stderr string
		code                int
	}{
		{busy.URL, "× attempt failed: status 503", "no client could join", 1},
		{"http://127.0.0.1:1", "× attempt failed: dial: connect: connection refused", "no client could join", 1},
		{"nowhere", "", "", 2},
	} {
		stdout, stderr, code := output(t, "", "load", "-quiet", "-timeout", "300ms", "-clients", "2", "-ramp", "0s", "-for", "300ms", c.url)
		if code != c.code || !strings.Contains(stdout, c.stdout) || !strings.Contains(stderr, c.stderr) {
			t.Errorf("%s: exit code %d, %s%s", c.url, code, stdout, stderr)
		}
	}
	stdout, _, code := output(t, "", "load", "-quiet", "-timeout", "100ms", "-json", "-", "-clients", "1", "-ramp", "0s", "-for", "100ms")
	if code != 1 || !strings.HasPrefix(stdout, "{\n  \"url\": \"http://127.0.0.1:3000\",\n") {
		t.Errorf("without a URL: exit code %d, %s", code, stdout)
	}
}

func TestHistogram(t *testing.T) {
	var h histogram
	if h.latency() != nil {
		t.Error("there are percentiles of nothing")
	}
	for i := range 1000 {
		h.add(time.Duration(i+1) * time.Millisecond)
	}
	l := h.latency()
	for what, pair := range map[string][2]float64{"p50": {l.P50, 500}, "p90": {l.P90, 900}, "p99": {l.P99, 990}, "p99.9": {l.P999, 999}, "max": {l.Max, 1000}} {
		if math.Abs(pair[0]-pair[1]) > 0.03*pair[1] {
			t.Errorf("%s is %v, not %v", what, pair[0], pair[1])
		}
	}
	h.add(-time.Second)
	h.add(1000 * time.Hour)
}

// The report says when the generator is what limits.
func TestLoadLimited(t *testing.T) {
	for _, late := range []float64{1, 200} {
		r := &report{Lateness: &latency{Count: 1, P99: late}}
		r.finish()
		if limited := strings.Contains(r.String(), "the generator is the limit"); limited != (late > lateLimit) {
			t.Errorf("%v ms late: %s", late, fmt.Sprint(r))
		}
	}
}
