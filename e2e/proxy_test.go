package e2e_test

import (
	"net"
	"net/http"
	"net/http/httptest"
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
// transport. These clients keep no cookies.
func TestBehindNginx(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"connect", "events", "binary", "order", "rooms", "acks"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := startNginx(t, true, start(t, &socketio.Options{}), start(t, &socketio.Options{}))
			node(t, []string{"SOCKETIO_URL=" + url}, filepath.Join("client", name+".test.mjs"))
		})
	}
}

// TestStickySessions plays proxy/sticky.test.mjs: clients that keep the cookie
// of the server that has opened their session, and some that do not.
func TestStickySessions(t *testing.T) {
	t.Parallel()
	node(t, []string{"SOCKETIO_URL=" + startNginx(t, false, named(t, "a"), named(t, "b"))}, "proxy/sticky.test.mjs")
}

// named starts a server that tells its name, by a cookie and by an event, and
// returns its URL.
func named(t *testing.T, name string) string {
	t.Helper()
	io := socketio.NewServer(nil)
	io.On("where", func() string { return name })
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c, err := r.Cookie("server"); err != nil || c.Value != name {
			http.SetCookie(w, &http.Cookie{Name: "server", Value: name, Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode})
		}
		io.ServeHTTP(w, r)
	}))
	t.Cleanup(func() {
		if err := io.Close(); err != nil {
			t.Error(err)
		}
		srv.Close()
	})
	return srv.URL
}

// startNginx starts nginx in front of two servers and returns its URL. Every
// test has its own. By address, clients without a cookie are all served by one of
// them; otherwise they take turns.
func startNginx(t *testing.T, byAddress bool, server1, server2 string) string {
	t.Helper()
	dir := t.TempDir()
	listen := freeAddress(t)
	conf, err := os.ReadFile("proxy/nginx.conf")
	if err != nil {
		t.Fatal(err)
	}
	turns := "# hash"
	if byAddress {
		turns = "hash"
	}
	text := strings.NewReplacer(
		"DIRECTORY", dir,
		"LISTEN", listen,
		"SERVER1", strings.TrimPrefix(server1, "http://"),
		"SERVER2", strings.TrimPrefix(server2, "http://"),
		"# hash", turns,
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
