package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net/http/httptest"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"

	"github.com/socketio-go/socketio"
)

// A server is one that the command is tried with.
type server struct {
	name  string
	start func(t *testing.T) (url string)
	flags []string
}

var servers = []server{
	{"ours", ours, nil},
	{"node 4.8", process("node", "server.mjs", "4.8"), nil},
	{"node 3.1", process("node", "server.mjs", "3.1"), nil},
	{"python", process("../../.build/python/bin/python", "server.py"), nil},
	{"node 2.5", node2("2.5"), []string{"-eio3"}},
	{"node 3.1, engine.io 3", node2("3.1"), []string{"-eio3"}},
}

// process starts a server of e2e/goclient, which prints its port and ends with its
// standard input.
func process(name string, args ...string) func(t *testing.T) string {
	return func(t *testing.T) string {
		cmd := exec.CommandContext(t.Context(), name, args...)
		cmd.Dir = "../../e2e/goclient"
		return start(t, cmd)
	}
}

// node2 starts a server that speaks Engine.IO 3.
func node2(version string) func(t *testing.T) string {
	return func(t *testing.T) string {
		return start(t, exec.CommandContext(t.Context(), "node", "testdata/server2.mjs", version))
	}
}

func start(t *testing.T, cmd *exec.Cmd) string {
	t.Helper()
	in, _ := cmd.StdinPipe()
	out, _ := cmd.StdoutPipe()
	if err := cmd.Start(); err != nil {
		t.Fatalf("%v; `make setup` installs what is missing", err)
	}
	t.Cleanup(func() {
		in.Close()
		_ = cmd.Wait()
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return "http://127.0.0.1:" + strings.TrimSpace(line)
}

// ours does what e2e/goclient/server.mjs does, as far as it is needed here.
func ours(t *testing.T) string {
	io := socketio.NewServer(&socketio.Options{Logger: slog.New(slog.DiscardHandler)})
	serve := func(n *socketio.Namespace) {
		n.On("echo", func(args socketio.Args) socketio.Args { return args })
		n.On("again", func(s *socketio.Socket, args socketio.Args) error { return s.Emit("again", args) })
		n.On("silence", func(socketio.AckFunc) {})
		n.On("auth", func(s *socketio.Socket) (json.RawMessage, error) {
			var auth json.RawMessage
			err := s.Handshake().Auth.Decode(&auth)
			return auth, err
		})
		n.On("header", func(s *socketio.Socket, name string) string { return s.Handshake().Header.Get(name) })
		n.On("burst", func(s *socketio.Socket, count int) {
			for i := range count {
				s.Emit("n", i)
			}
		})
	}
	serve(io.Of("/"))
	serve(io.Of("/other"))
	auth := io.Of("/auth")
	auth.Use(func(_ context.Context, s *socketio.Socket) error {
		var given struct{ Token string }
		if _ = s.Handshake().Auth.Decode(&given); given.Token != "secret" {
			return &socketio.Error{Message: "not authorized", Data: []byte(`{"code":42}`)}
		}
		return nil
	})
	serve(auth)
	srv := httptest.NewServer(io)
	t.Cleanup(func() {
		io.Close()
		srv.Close()
	})
	return srv.URL
}

// A screen is what a pseudo terminal has shown.
type screen struct {
	t    *testing.T
	tty  interface{ Write([]byte) (int, error) }
	mu   sync.Mutex
	text bytes.Buffer
	seen int
	more chan struct{}
}

func (s *screen) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.text.Write(b)
	select {
	case s.more <- struct{}{}:
	default:
	}
	return len(b), nil
}

// expect waits for text after what was expected before.
func (s *screen) expect(pattern string) { s.t.Helper(); s.seen = s.await(pattern, s.seen) }

// await waits for text, and returns where it ends.
func (s *screen) await(pattern string, from int) (end int) {
	s.t.Helper()
	re := regexp.MustCompile(pattern)
	late, cancel := context.WithTimeout(s.t.Context(), 60*time.Second)
	defer cancel()
	for {
		s.mu.Lock()
		rest := s.text.String()[from:]
		at := re.FindStringIndex(rest)
		s.mu.Unlock()
		if at != nil {
			return from + at[1]
		}
		select {
		case <-s.more:
		case <-late.Done():
			s.t.Fatalf("%q did not come; the screen since then:\n%q", pattern, rest)
		}
	}
}

func (s *screen) enter(line string) {
	s.t.Helper()
	if _, err := s.tty.Write([]byte(line + "\r")); err != nil {
		s.t.Fatal(err)
	}
}

// connect in a pseudo terminal, with all makes of servers.
func TestConnectTerminal(t *testing.T) {
	for _, srv := range servers {
		t.Run(srv.name, func(t *testing.T) {
			t.Parallel()
			url := srv.start(t)
			args := append([]string{"connect", "-transports", "polling,websocket"}, srv.flags...)
			cmd := program(t, append(args, url)...)
			tty, err := pty.StartWithSize(cmd, &pty.Winsize{Rows: 50, Cols: 200})
			if err != nil {
				t.Fatal(err)
			}
			s := &screen{t: t, tty: tty, more: make(chan struct{}, 1)}
			copied := make(chan struct{})
			go func() {
				defer close(copied)
				b := make([]byte, 4096)
				for {
					n, err := tty.Read(b)
					s.Write(b[:n])
					if err != nil {
						return
					}
				}
			}()
			t.Cleanup(func() {
				tty.Close()
				<-copied
			})

			s.expect(`joined / as \S+ over (polling|websocket)`)
			s.await(`\* upgraded to websocket`, 0) // before or after it has joined
			s.enter(`ask echo {"a": [1, "two"]} "three" four`)
			s.expect(`answer to .*echo.* after .*(s|ms|µs)`)
			s.expect(`"a".*: \[1, .*"two".*\].*"three".*"four"`)
			s.enter(`again 1 {"$binary":"AAEC"}`)
			s.expect(`again.* 1 .*<binary 3 bytes>`)
			s.enter("help")
			s.expect(`cut the network connection`)
			s.enter("cut")
			s.expect(`left /: (transport|io)`)
			s.expect(`joined / as \S+`)
			s.enter("status")
			s.expect(`connected over (websocket|polling)`)
			s.enter("join /other")
			s.expect(`joined /other as \S+`)
			s.expect(`/other> `)
			s.enter("burst 2")
			s.expect(`/other.* .*n.* 0`)
			s.expect(`/other.* .*n.* 1`)
			if srv.flags == nil { // namespaces of Engine.IO 3 get no auth
				s.enter("join /auth")
				s.expect(`join: /auth refused: not authorized`)
				s.enter(`join /auth {"token":"secret"}`)
				s.expect(`joined /auth as`)
			}
			s.enter("disconnect")
			s.expect(`left /other: io client disconnect`)
			s.enter("reconnect")
			s.expect(`joined /other as \S+`)
			if srv.name == "ours" {
				_ = cmd.Process.Signal(syscall.SIGTERM)
			} else {
				s.enter("quit")
			}
			s.expect(`bye`)
			if err := cmd.Wait(); err != nil {
				t.Errorf("exit: %v", err)
			}
			s.mu.Lock()
			defer s.mu.Unlock()
			for _, text := range []string{"\x1b[31m", "\x1b[32m", "\x1b[1m"} {
				if !strings.Contains(s.text.String(), text) {
					t.Errorf("no %q", text)
				}
			}
		})
	}
}

// connect, emit, ask and listen from programs.
func TestScripts(t *testing.T) {
	url := ours(t)
	run := func(stdin string, args ...string) (string, string, int) {
		t.Helper()
		return output(t, stdin, args...)
	}
	for _, c := range []struct {
		name           string
		stdin          string
		args           []string
		stdout, stderr string
		code           int
	}{
		{"ask", "", []string{"ask", url, "echo", "1", `{"a":"<ä>"}`, "word", "1e400"}, `[1,{"a":"<ä>"},"word",` + "1e400]\n", "", 0},
		{"no arguments", "", []string{"ask", url, "echo"}, "[]\n", "", 0},
		{"binary", "", []string{"ask", url, "echo", `{"$binary":"AAEC"}`, "@testdata/one.bin"}, `[{"$binary":"AAEC"},{"$binary":"b25l"}]` + "\n", "", 0},
		{"lines", "[1]\n\n[2,{\"$binary\":\"AA==\"}]\n", []string{"ask", url, "echo", "-"}, "[1]\n[2,{\"$binary\":\"AA==\"}]\n", "", 0},
		{"bad line", "[1]\n{}\n", []string{"ask", url, "echo", "-"}, "[1]\n", "line 2 of the standard input: not a JSON array", 2},
		{"auth", "", []string{"ask", "-n", "auth", "-auth", `{"token":"secret"}`, url, "auth"}, "[{\"token\":\"secret\"}]\n", "", 0},
		{"refused", "", []string{"ask", "-n", "/auth", url, "auth"}, "", `/auth refused: not authorized {"code":42}`, 3},
		{"header", "", []string{"ask", "-H", "X-Test: yes", url, "header", "X-Test"}, "[\"yes\"]\n", "", 0},
		{"polling", "", []string{"ask", "-transports", "polling", url, "echo", "1"}, "[1]\n", "", 0},
		{"no answer", "", []string{"ask", "-timeout", "300ms", url, "silence"}, "", "silence: timed out", 4},
		{"no server", "", []string{"ask", "http://127.0.0.1:1", "echo"}, "", "connection refused", 1},
		{"no scheme", "", []string{"ask", "127.0.0.1:1", "echo"}, "", "", 2},
		{"bad auth", "", []string{"ask", "-auth", "x", url, "echo"}, "", "-auth x: not a JSON object", 2},
		{"bad transport", "", []string{"ask", "-transports", "x", url, "echo"}, "", "the transports are websocket and polling", 2},
		{"emit", "", []string{"emit", url, "again", "1"}, "", "", 0},
		{"many", strings.Repeat("[1]\n", 5000), []string{"emit", url, "again", "-"}, "", "", 0},
		{"listen for", "", []string{"listen", "-for", "50ms", url}, "", "", 0},
		{"too few", "", []string{"listen", "-for", "50ms", "-count", "2", url}, "", "0 of 2 events came", 4},
		{"pipe", "ask echo {\"a\": 1}\nburst 1\nask echo {\"$binary\":\"AAEC\"}\nstatus\njoin /auth\n", []string{"connect", url}, `/ n 0`, "", 0},
		{"pipe refused", "", []string{"connect", "-n", "/auth", url}, "* join: /auth refused: not authorized {\"code\":42}\n", "", 3},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			stdout, stderr, code := run(c.stdin, c.args...)
			ok := stdout == c.stdout
			if c.args[0] == "connect" {
				ok = strings.Contains(stdout, c.stdout)
			}
			if !ok || !strings.Contains(stderr, c.stderr) || code != c.code {
				t.Errorf("got %q, %q and exit code %d, want %q, %q and %d", stdout, stderr, code, c.stdout, c.stderr, c.code)
			}
		})
	}
	t.Run("pipe output", func(t *testing.T) {
		t.Parallel()
		stdout, _, code := run("ask echo {\"a\": \"\\u001b[2J\"} {\"$binary\":\"AAEC\"}\njoin /auth\njoin /auth {\"token\":\"secret\"}\n", "connect", url)
		want := regexp.MustCompile(`(?s)^\* joined / as \S+ over websocket\nanswer to echo after \S+ {"a": "\\u001b\[2J"} <binary 3 bytes>\n\* join: /auth refused: not authorized {"code":42}\n\* joined /auth as \S+ over websocket\n`)
		if code != 0 || !want.MatchString(stdout) || strings.Contains(stdout, "\x1b") {
			t.Errorf("exit code %d, %q", code, stdout)
		}
	})
}

// listen prints what others emit.
func TestListen(t *testing.T) {
	t.Parallel()
	io := socketio.NewServer(&socketio.Options{Logger: slog.New(slog.DiscardHandler)})
	io.OnConnect(func(s *socketio.Socket) {
		s.Emit("other", 0)
		s.Emit("n", 1, []byte{0})
		s.Emit("n", "two")
		s.Emit("n", 3)
	})
	srv := httptest.NewServer(io)
	defer srv.Close()
	defer io.Close()
	stdout, stderr, code := output(t, "", "listen", "-count", "2", srv.URL, "n")
	want := `{"namespace":"/","event":"n","args":[1,{"$binary":"AA=="}]}` + "\n" + `{"namespace":"/","event":"n","args":["two"]}` + "\n"
	if stdout != want || code != 0 {
		t.Errorf("%q, %q, exit code %d", stdout, stderr, code)
	}
}
