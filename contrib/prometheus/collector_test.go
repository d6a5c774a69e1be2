package prometheus_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	prom "github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/socketio-go/socketio"
	"github.com/socketio-go/socketio/adapter/adaptertest"
	"github.com/socketio-go/socketio/contrib/prometheus"
	"github.com/socketio-go/socketio/internal/memnet"
	"github.com/socketio-go/socketio/internal/siotest"
)

// A measured server is a server with all metrics.
type measured struct {
	*siotest.Server
	registry *prom.Registry
}

func serve(t *testing.T, opts socketio.Options, metrics *prometheus.Options) *measured {
	t.Helper()
	h := prometheus.NewHistograms(metrics)
	opts.Hooks = h.Hooks(nil)
	m := &measured{Server: siotest.Serve(t, &opts), registry: prom.NewRegistry()}
	h.Measure(m.Of("/"), m.OrgTemplate(), m.Of("/admin"))
	m.registry.MustRegister(prometheus.NewCollector(m.Server.Server, metrics), h,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// scrape returns the metrics as text.
func (m *measured) scrape() string {
	w := httptest.NewRecorder()
	promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{}).ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	return w.Body.String()
}

// series returns the sorted series of the library, without their values.
func (m *measured) series() (list []string) {
	for line := range strings.Lines(m.scrape()) {
		if name, _, ok := strings.Cut(line, " "); ok && strings.HasPrefix(name, "socketio_") {
			list = append(list, name)
		}
	}
	slices.Sort(list)
	return list
}

func (m *measured) wantMetrics(t *testing.T, want ...string) {
	t.Helper()
	text := m.scrape()
	for _, line := range want {
		if !strings.Contains(text, line) {
			name, _, _ := strings.Cut(line, "{")
			got := regexp.MustCompile(`(?m)^`+name+`.*$`).FindAllString(text, -1)
			t.Errorf("no %q, but %q", line, got)
		}
	}
}

func clustered(opts socketio.Options) socketio.Options {
	opts.Adapter = adaptertest.NewBus(1, adaptertest.Faults{}).Server()
	return opts
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	m := serve(t, clustered(socketio.Options{}), nil)
	m.On("refuse", func() error { return socketio.Errorf("no") })
	m.On("fail", func() error { return errors.New("no") })
	m.On("panic", func() { panic("no") })
	m.On("number", func(int) {})
	m.Of("/admin").Use(func(context.Context, *socketio.Socket) error { return socketio.Errorf("no") })
	c := m.Join(t, siotest.WebSocket)
	c.Join("/org-1", "")
	c.Write("40/admin,")
	c.Read()
	for _, event := range []string{`"echo"`, `"refuse"`, `"fail"`, `"panic"`, `"number","x"`} {
		c.Ask("[" + event + "]")
	}
	c.Write(`42["made up"]`)
	c.WantNothing()
	for s := range m.LocalSockets() {
		go func() { _, _ = s.EmitWithAck(context.Background(), "question") }() //nolint:usetesting // it ends with the socket
	}
	c.Write(fmt.Sprintf("43%s[]", c.WantAckRequest("question")))
	c.WantNothing()

	m.wantMetrics(t,
		`socketio_connections{protocol="4",transport="websocket"} 1`,
		`socketio_sockets{namespace="/"} 1`,
		`socketio_sockets{namespace="_template1"} 1`,
		`socketio_connects_total{namespace="/"} 1`,
		`socketio_handler_duration_seconds_count{event="echo",namespace="/",result="ok"} 1`,
		`socketio_handler_duration_seconds_count{event="refuse",namespace="/",result="refused"} 1`,
		`socketio_handler_duration_seconds_count{event="fail",namespace="/",result="error"} 1`,
		`socketio_handler_duration_seconds_count{event="panic",namespace="/",result="panic"} 1`,
		`socketio_handler_duration_seconds_count{event="number",namespace="/",result="bad_arguments"} 1`,
		`socketio_handler_duration_seconds_count{event="_other",namespace="/",result="ok"} 1`,
		`socketio_ack_duration_seconds_count{event="question",namespace="/",result="ok"} 1`,
		`socketio_connect_duration_seconds_count{namespace="/admin",result="refused"} 1`,
		`socketio_panics_total 1`,
		`socketio_cluster_ready 1`,
		`socketio_build_info{goversion="`+runtime.Version()+`"`,
	)
	check := exec.Command("promtool", "check", "metrics")
	check.Stdin = strings.NewReader(regexp.MustCompile(`(?m)^.*\b(go|process)_.*\n`).ReplaceAllString(m.scrape(), ""))
	if out, err := check.CombinedOutput(); err != nil || len(bytes.TrimSpace(out)) > 0 {
		t.Errorf("promtool check metrics: %v\n%s", err, out)
	}
}

func TestMetricsAreCached(t *testing.T) {
	t.Parallel()
	m := serve(t, socketio.Options{}, nil)
	began := time.Now()
	m.wantMetrics(t, `socketio_sockets{namespace="/"} 0`)
	m.Join(t, siotest.WebSocket)
	if text := m.scrape(); time.Since(began) < time.Second && !strings.Contains(text, `socketio_sockets{namespace="/"} 0`) {
		t.Error("it was read again within a second")
	}
}

// Clients choose names of events and of children of templates, and none of them is a
// label. Names that the application makes are bounded.
func TestSeriesAreBounded(t *testing.T) {
	t.Parallel()
	m := serve(t, socketio.Options{}, &prometheus.Options{Template: func(*socketio.Namespace) string { return "orgs" }})
	c := m.Join(t, siotest.WebSocket)
	c.Join("/org-1", "")
	c.Ask(`["echo"]`)
	c.Write(`42["first"]`, `42/org-1,["first"]`)
	c.WantNothing()
	before := m.series()
	for i := range 300 {
		c.Write(fmt.Sprintf(`42["invented %d"]`, i), fmt.Sprintf(`42/org-1,["invented %d"]`, i), fmt.Sprintf(`40/nowhere-%d,`, i))
		c.Read()
		if i < 30 {
			c.Join(fmt.Sprintf("/org-%d", i+2), "")
		}
	}
	c.WantNothing()
	if got := m.series(); !slices.Equal(got, before) {
		t.Errorf("a client has added series: %d, then %d", len(before), len(got))
	}

	for i := range 300 {
		m.Of(fmt.Sprintf("/made-%d", i))
		event := fmt.Sprintf("handled %d", i)
		m.On(event, func() {})
		c.Ask(fmt.Sprintf("[%q]", event))
	}
	text := ""
	siotest.WaitFor(t, "the cached metrics to expire", func() bool { // the cached ones expire
		text = m.scrape()
		return strings.Contains(text, `socketio_sockets{namespace="_other"}`)
	})
	for pattern, most := range map[string]int{
		`(?m)^socketio_sockets\{`:                            prometheus.MaxNamespaces + 1,
		`(?m)^socketio_handler_duration_seconds_count\{.*/"`: prometheus.MaxEvents + 1,
	} {
		if got := len(regexp.MustCompile(pattern).FindAllString(text, -1)); got != most {
			t.Errorf("%s: %d series, want %d", pattern, got, most)
		}
	}
}

// connect connects sockets in memory.
func connect(b *testing.B, io *socketio.Server, n int) {
	b.Helper()
	l := memnet.Listen()
	hs := &httptest.Server{Listener: l, Config: &http.Server{Handler: io}}
	hs.Start()
	b.Cleanup(hs.Close)
	dialer := websocket.Dialer{NetDialContext: l.DialContext, ReadBufferSize: 512, WriteBufferSize: 512}
	for range n {
		c, _, err := dialer.Dial("ws://server/socket.io/?EIO=4&transport=websocket", nil)
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { c.Close() })
		if err := c.WriteMessage(websocket.TextMessage, []byte("40")); err != nil {
			b.Fatal(err)
		}
		for range 2 { // OPEN and CONNECT
			if _, _, err := c.ReadMessage(); err != nil {
				b.Fatal(err)
			}
		}
	}
}

func BenchmarkScrape(b *testing.B) {
	const connections = 10_000
	io := socketio.NewServer(&socketio.Options{PingInterval: time.Hour, PingTimeout: time.Hour})
	defer io.Close()
	connect(b, io, connections)
	for b.Loop() {
		registry := prom.NewRegistry() // a new collector has nothing in its cache
		registry.MustRegister(prometheus.NewCollector(io, nil))
		if _, err := registry.Gather(); err != nil {
			b.Fatal(err)
		}
	}
	b.StopTimer()
	if n := io.Stats().Sockets; n != connections {
		b.Errorf("%d sockets", n)
	}
}
