package prometheus_test

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/socketio-go/socketio"
	"github.com/socketio-go/socketio/internal/siotest"
)

func TestRules(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"check", "rules", "rules.yml"}, {"test", "rules", "rules_test.yml"}} {
		if out, err := exec.Command("promtool", args...).CombinedOutput(); err != nil {
			t.Errorf("promtool %v: %v\n%s", args, err, out)
		}
	}
}

// Every query of the dashboard and every rule has a result for a server under load,
// whether Prometheus keeps classic or native histograms.
func TestDashboard(t *testing.T) {
	t.Parallel()
	for name, flags := range map[string][]string{"classic": nil, "native": {"--enable-feature=native-histograms"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := serve(t, clustered(socketio.Options{PingInterval: 100 * time.Millisecond}), nil)
			target := httptest.NewServer(promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{}))
			defer target.Close()
			p := startPrometheus(t, target.URL, flags...)
			c, s := m.JoinSocket(t, siotest.WebSocket)
			upgrade(t, m)

			left := dashboardQueries(t)
			left = append(left, `{__name__=~"job_instance.*"}`)
			began := time.Now()
			siotest.WaitFor(t, "results of all queries", func() bool {
				for range 10 {
					c.Ask(`["echo"]`)
				}
				_ = s.Emit("question", func(socketio.Args, error) {})
				c.Write(fmt.Sprintf("43%s[]", c.WantAckRequest("question")))
				var without []string
				for _, query := range left {
					if !p.hasResult(t, query) {
						without = append(without, query)
					}
				}
				if left = without; time.Since(began) > 30*time.Second {
					t.Fatalf("no results of %q", left)
				}
				return len(left) == 0
			})
			if got := p.query(t, `job_instance:socketio_messages_unaccounted:sum != 0`); len(got) > 0 {
				t.Errorf("messages are unaccounted for: %s", got)
			}
			histogram := p.query(t, `socketio_handler_duration_seconds{event="echo"}`)
			if (len(histogram) > 0) != (name == "native") {
				t.Errorf("native histograms: %s", histogram)
			}
		})
	}
}

// upgrade upgrades a polling client.
func upgrade(t *testing.T, m *measured) {
	t.Helper()
	c := m.Join(t, siotest.Upgrading)
	if err := c.Wire.(*siotest.UpgradingWire).Upgrade(false); err != nil {
		t.Fatal(err)
	}
	go func() { // it answers heartbeats until the server closes
		for {
			if _, err := c.Next(); err != nil {
				return
			}
		}
	}()
}

// dashboardQueries returns the queries of the dashboard, with its variables replaced.
func dashboardQueries(t *testing.T) (queries []string) {
	t.Helper()
	text, err := os.ReadFile("dashboard.json")
	if err != nil {
		t.Fatal(err)
	}
	var dashboard struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(text, &dashboard); err != nil {
		t.Fatal(err)
	}
	variables := strings.NewReplacer("$job", ".*", "$instance", ".*", "$namespace", ".*", "$__rate_interval", "5s")
	for _, panel := range dashboard.Panels {
		for _, target := range panel.Targets {
			queries = append(queries, variables.Replace(target.Expr))
		}
	}
	if len(queries) < 30 {
		t.Fatalf("%d queries", len(queries))
	}
	return queries
}

// A promServer is a Prometheus that scrapes a server.
type promServer struct{ url string }

func startPrometheus(t *testing.T, target string, flags ...string) promServer {
	t.Helper()
	dir := t.TempDir()
	rules, err := filepath.Abs("rules.yml")
	if err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(dir, "prometheus.yml")
	text := fmt.Sprintf("global: {scrape_interval: 500ms, scrape_timeout: 500ms, evaluation_interval: 500ms}\nrule_files: [%q]\n"+
		"scrape_configs: [{job_name: socketio, metrics_path: /, static_configs: [{targets: [%q]}]}]\n", rules, strings.TrimPrefix(target, "http://"))
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	l.Close()
	cmd := exec.Command("prometheus", append(flags, "--config.file="+config, "--storage.tsdb.path="+filepath.Join(dir, "data"), "--web.listen-address="+addr)...)
	var logged strings.Builder
	cmd.Stdout, cmd.Stderr = &logged, &logged
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
		if t.Failed() {
			t.Log(logged.String())
		}
	})
	p := promServer{"http://" + addr}
	siotest.WaitFor(t, "Prometheus to be ready", func() bool {
		resp, err := http.Get(p.url + "/-/ready")
		if err != nil {
			return false
		}
		resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	})
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	return p
}

// query returns the samples that a query results in.
func (p promServer) query(t *testing.T, query string) []json.RawMessage {
	t.Helper()
	resp, err := http.Get(p.url + "/api/v1/query?query=" + url.QueryEscape(query))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var got struct {
		Status, Error string
		Data          struct{ Result []json.RawMessage }
	}
	if err := json.NewDecoder(resp.Body).Decode(&got); err != nil {
		t.Fatal(err)
	}
	if got.Status != "success" {
		t.Fatalf("%s: %s", query, got.Error)
	}
	return got.Data.Result
}

func (p promServer) hasResult(t *testing.T, query string) bool { return len(p.query(t, query)) > 0 }
