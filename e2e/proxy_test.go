package e2e_test

import (
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/socketio-go/socketio"
)

// TestBehindNginx runs tests of the official clients through a real nginx,
// with the configuration that docs/deployment.md recommends, over every
// transport.
func TestBehindNginx(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"connect", "events", "binary", "order", "rooms", "acks"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			node(t, []string{"SOCKETIO_URL=" + startNginx(t)}, filepath.Join("client", name+".test.mjs"))
		})
	}
}

// startNginx starts nginx in front of two fixtures and returns its URL. Every
// test has its own, and comes from one address, so it is served by one of them.
func startNginx(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	listen := freeAddress(t)
	conf, err := os.ReadFile("proxy/nginx.conf")
	if err != nil {
		t.Fatal(err)
	}
	text := strings.NewReplacer(
		"DIRECTORY", dir,
		"LISTEN", listen,
		"SERVER1", strings.TrimPrefix(start(t, &socketio.Options{}), "http://"),
		"SERVER2", strings.TrimPrefix(start(t, &socketio.Options{}), "http://"),
	).Replace(string(conf))
	path := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	args := []string{"-p", dir, "-c", path}
	if os.Geteuid() == 0 { // else its workers could not use the directory
		args = append(args, "-g", "user root;")
	}
	cmd := exec.CommandContext(t.Context(), nginxCommand(), args...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.Stderr = t.Output()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		_ = cmd.Wait() // says that it was interrupted
	})
	awaitServer(t, "http://"+listen+"/socket.io/socket.io.js")
	return "http://" + listen
}

// nginxCommand finds nginx where Debian puts it, outside a user's PATH.
func nginxCommand() string {
	if path, err := exec.LookPath("nginx"); err == nil {
		return path
	}
	return "/usr/sbin/nginx"
}

// freeAddress returns an address that nobody listened on a moment ago.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// awaitServer returns when url is served.
func awaitServer(t *testing.T, url string) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		r, err := http.Get(url) //nolint:noctx // the loop ends with the test
		if err == nil {
			r.Body.Close()
			if r.StatusCode == http.StatusOK {
				http.DefaultClient.CloseIdleConnections()
				return
			}
		}
		select {
		case <-tick.C:
		case <-t.Context().Done():
			t.Fatal("nginx did not start: ", err)
		}
	}
}
