package e2e_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/socketio-go/socketio"
	"github.com/socketio-go/socketio/e2e/fixture"
	"github.com/socketio-go/socketio/msgpack"
)

// The heartbeat of servers whose handlers take longer than it in all, but leave a
// client on a busy machine time to answer. A client closes when it has got no ping for
// the sum of both. Its pong waits behind its own uploads of 900 kB each; while they move
// the server pings again every busyTimeout, so a quarter of the sum is left for delays.
const busyInterval, busyTimeout = time.Second, 3 * time.Second

// TestClients runs client/*.test.mjs: each release of the official client in
// the matrix, over every transport, against a fixture of its own.
func TestClients(t *testing.T) {
	t.Parallel()
	for _, file := range testFiles(t, "client") {
		name := strings.TrimSuffix(filepath.Base(file), ".test.mjs")
		if name == "busy" {
			continue // TestBusyClients
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			opts := &socketio.Options{}
			switch name {
			case "heartbeat":
				opts.PingInterval, opts.PingTimeout = 100*time.Millisecond, 3*time.Second
			case "recovery":
				opts.Recovery = &socketio.Recovery{}
			case "compression":
				opts.CompressMinBytes = 1024
			case "msgpack":
				opts.Codec = msgpack.Codec{}
			}
			env := []string{"SOCKETIO_URL=" + serve(t, opts)}
			if *reference {
				env = append(env, "REFERENCE=1")
			}
			node(t, env, file)
		})
	}
}

// TestBusyClients runs client/busy.test.mjs, before the tests that run in parallel: a
// client whose own process is short of time gives up for that reason.
func TestBusyClients(t *testing.T) {
	env := []string{"SOCKETIO_URL=" + serve(t, &socketio.Options{PingInterval: busyInterval, PingTimeout: busyTimeout})}
	if *reference {
		env = append(env, "REFERENCE=1")
	}
	node(t, env, filepath.Join("client", "busy.test.mjs"))
}

// TestBrowserClientFromNode runs browserclient/*.test.mjs: the client that is
// served to pages, against the fixture.
func TestBrowserClientFromNode(t *testing.T) {
	t.Parallel()
	url := start(t, &socketio.Options{Origins: []string{"*"}})
	node(t, []string{"SOCKETIO_URL=" + url}, testFiles(t, "browserclient")...)
}

// testFiles lists the tests in dir.
func testFiles(t *testing.T, dir string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.test.mjs"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no tests in %s: %v", dir, err)
	}
	return files
}

// node runs test files with Node's test runner. Sockets that the server keeps
// after a test do not keep the runner waiting.
func node(t *testing.T, env []string, files ...string) {
	t.Helper()
	args := []string{"--test", "--test-reporter=spec", "--test-force-exit", "--test-timeout=120000"}
	cmd := exec.CommandContext(t.Context(), "node", append(args, files...)...)
	cmd.Env = append(os.Environ(), env...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("node --test %s: %v\n%s", strings.Join(files, " "), err, out)
	}
	t.Logf("%s", out)
}

// serve starts the server under test and returns its URL.
func serve(t *testing.T, opts *socketio.Options) string {
	t.Helper()
	if !*reference {
		return start(t, opts)
	}
	cmd := exec.CommandContext(t.Context(), "node", "reference/server.mjs")
	cmd.Env = append(os.Environ(), "CONNECT_TIMEOUT=45000")
	if opts.PingInterval > 0 {
		cmd.Env = append(cmd.Env,
			fmt.Sprintf("PING_INTERVAL=%d", opts.PingInterval.Milliseconds()),
			fmt.Sprintf("PING_TIMEOUT=%d", opts.PingTimeout.Milliseconds()))
	} else {
		cmd.Env = append(cmd.Env, "PING_INTERVAL=25000", "PING_TIMEOUT=20000")
	}
	if opts.AllowEIO3 {
		cmd.Env = append(cmd.Env, "ALLOW_EIO3=1")
	}
	if opts.Recovery != nil {
		cmd.Env = append(cmd.Env, "RECOVERY=1")
	}
	if opts.CompressMinBytes > 0 {
		cmd.Env = append(cmd.Env, fmt.Sprintf("COMPRESSION=%d", opts.CompressMinBytes))
	}
	if opts.Codec != nil {
		cmd.Env = append(cmd.Env, "PARSER=socket.io-msgpack-parser")
	}
	cmd.Stderr = t.Output()
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // says that it was killed
	})
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Fatalf("the reference server did not start: %v", err)
	}
	return "http://" + strings.TrimSpace(strings.TrimPrefix(line, "listening on "))
}

// start starts the fixture and returns its URL.
func start(t *testing.T, opts *socketio.Options) string {
	t.Helper()
	srv, err := fixture.Start("127.0.0.1:0", opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := srv.Close(); err != nil {
			t.Error(err)
		}
	})
	return srv.URL
}
