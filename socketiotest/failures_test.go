package socketiotest_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/socketio-go/socketio"
	"github.com/socketio-go/socketio/socketiotest"
)

var update = flag.Bool("update", false, "write the golden files")

// A fakeT is the testing.TB of a test that is to fail.
type fakeT struct {
	testing.TB
	mu       sync.Mutex
	log      []string
	cleanups []func()
}

func (f *fakeT) Helper()           {}
func (f *fakeT) Name() string      { return "TestThatFails" }
func (f *fakeT) Cleanup(fn func()) { f.cleanups = append(f.cleanups, fn) }

func (f *fakeT) Errorf(format string, args ...any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.log = append(f.log, fmt.Sprintf(format, args...))
}

func (f *fakeT) Fatalf(format string, args ...any) {
	f.Errorf(format, args...)
	runtime.Goexit()
}

// run runs a test to its end and returns what it has reported.
func (f *fakeT) run(test func(t testing.TB)) string {
	done := make(chan struct{})
	go func() { // it ends before run returns
		defer close(done)
		test(f)
	}()
	<-done
	for len(f.cleanups) > 0 {
		last := f.cleanups[len(f.cleanups)-1]
		f.cleanups = f.cleanups[:len(f.cleanups)-1]
		last()
	}
	return strings.Join(f.log, "\n\n") + "\n"
}

var variable = []struct {
	pattern *regexp.Regexp
	with    string
}{
	{regexp.MustCompile(`"(sid|pid)":"[^"]+"`), `"$1":"…"`},
	{regexp.MustCompile(`socket [A-Za-z0-9_-]{20}`), `socket …`},
	{regexp.MustCompile(`(?s)\ngoroutine \d+ \[.*`), "\n(stack)\n"},
	{regexp.MustCompile(`(?s)(goroutines are left [^\n]*\n\t[^\n]*\n).*`), "$1"}, // the rest of the stack
	{regexp.MustCompile(`TestFailures\.[a-z0-9.]+`), "TestFailures.…"},
}

// Every expectation that fails says what a reader needs. The golden files show how.
func TestFailures(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]func(h *socketiotest.Host, ann, bob *socketiotest.Client){
		"next-other": func(_ *socketiotest.Host, ann, bob *socketiotest.Client) {
			_ = ann.Emit("poke", "bob")
			socketiotest.Next(bob, said)
		},
		"next-type": func(_ *socketiotest.Host, ann, bob *socketiotest.Client) {
			_ = ann.Emit("poke", "bob")
			socketiotest.Next(bob, socketio.Event[int]("poked"))
		},
		"next-none": func(_ *socketiotest.Host, _, bob *socketiotest.Client) { socketiotest.Next(bob, said) },
		"next-unhandled": func(_ *socketiotest.Host, ann, bob *socketiotest.Client) {
			_ = ann.Emit("sya", "hi")
			socketiotest.Next(bob, said)
		},
		"next-kicked": func(_ *socketiotest.Host, _, bob *socketiotest.Client) {
			_ = bob.Emit("kick me")
			socketiotest.Next(bob, said)
		},
		"await-none": func(_ *socketiotest.Host, ann, bob *socketiotest.Client) {
			_ = ann.Emit("poke", "bob")
			socketiotest.Await(bob, said)
		},
		"expect-other": func(_ *socketiotest.Host, ann, bob *socketiotest.Client) {
			socketiotest.Ask(ann, say, "hello")
			bob.Expect("poked", "ann")
		},
		"expect-arguments": func(_ *socketiotest.Host, ann, bob *socketiotest.Client) {
			_ = ann.Emit("poke", map[string]any{"a": 1, "b": []int{1, 2, 3}, "c": "x"}, "extra", []byte("binary"))
			bob.Expect("poked", map[string]any{"a": 2, "b": []int{1, 3}, "d": true}, "extra", []byte("bindery"), "missing")
		},
		"expect-none": func(_ *socketiotest.Host, _, bob *socketiotest.Client) { bob.Expect("said", "hello") },
		"until-none": func(_ *socketiotest.Host, ann, bob *socketiotest.Client) {
			_ = ann.Emit("poke", "bob")
			bob.Until("said")
		},
		"nothing": func(_ *socketiotest.Host, ann, bob *socketiotest.Client) {
			_ = ann.Emit("poke", "bob")
			bob.Nothing()
		},
		"ask-refused": func(_ *socketiotest.Host, ann, _ *socketiotest.Client) { socketiotest.Ask(ann, say, "") },
		"ask-no-ack":  func(_ *socketiotest.Host, ann, _ *socketiotest.Client) { ann.Ask("never") },
		"ask-type": func(_ *socketiotest.Host, ann, _ *socketiotest.Client) {
			socketiotest.Ask(ann, socketio.Call[string, []int]("say"), "hi")
		},
		"ask-error":    func(_ *socketiotest.Host, ann, _ *socketiotest.Client) { socketiotest.AskError(ann, say, "hello") },
		"ask-blocked":  func(_ *socketiotest.Host, ann, _ *socketiotest.Client) { ann.Ask("block") },
		"left":         func(_ *socketiotest.Host, _, bob *socketiotest.Client) { bob.Left() },
		"rejoined":     func(_ *socketiotest.Host, _, bob *socketiotest.Client) { bob.Link().Down(); bob.Rejoined() },
		"rejoined-not": func(_ *socketiotest.Host, _, bob *socketiotest.Client) { _ = bob.Emit("kick me"); bob.Rejoined() },
		"connect":      func(h *socketiotest.Host, _, _ *socketiotest.Client) { h.Connect("eve") },
		"refused":      func(h *socketiotest.Host, _, _ *socketiotest.Client) { h.Refused("carol") },
		"of":           func(_ *socketiotest.Host, ann, _ *socketiotest.Client) { ann.Of("/admin", "eve") },
		"reported":     func(_ *socketiotest.Host, ann, _ *socketiotest.Client) { ann.AskError("fail") },
		"panicked":     func(_ *socketiotest.Host, ann, _ *socketiotest.Client) { ann.AskError("panic") },
		"leak":         func(_ *socketiotest.Host, ann, _ *socketiotest.Client) { ann.Ask("leak") },
		"twenty": func(_ *socketiotest.Host, ann, _ *socketiotest.Client) {
			for i := range 15 {
				ann.Ask("say", fmt.Sprint("message ", i, strings.Repeat(" and more", 40*(i/14))))
			}
			ann.Expect("said")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				io := newChat(socketio.Options{})
				freed := make(chan struct{})
				io.On("poke", func(s *socketio.Socket, args socketio.Args) error { return s.Broadcast().Emit("poked", args) })
				io.On("kick me", func(s *socketio.Socket) { _ = s.Disconnect() })
				io.On("never", func(socketio.AckFunc) {})
				io.On("block", func() { <-freed })
				io.On("fail", func() error { return errors.New("disk full") })
				io.On("panic", func() { panic("out of range") })
				io.On("leak", func() { go func() { <-freed }() })
				f := new(fakeT)
				if name == "ask-blocked" || name == "leak" {
					f.Cleanup(func() { close(freed) })
				}
				got := f.run(func(t testing.TB) {
					h := socketiotest.Serve(t, io)
					test(h, h.Connect("ann"), h.Connect("bob"))
				})
				for _, v := range variable {
					got = v.pattern.ReplaceAllString(got, v.with)
				}
				golden(t, name, got)
			})
		})
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name+".txt")
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("the failure says\n%s\nwant\n%s", got, want)
	}
}

// A test that passes reports nothing to its testing.TB.
func TestNothingReported(t *testing.T) {
	t.Parallel()
	f := new(fakeT)
	if got := f.run(func(t testing.TB) {
		h := socketiotest.Serve(t, newChat(socketio.Options{}), socketiotest.Allow(func(err error) bool { return true }))
		ann := h.Connect("ann")
		socketiotest.Ask(ann, say, "hello")
	}); got != "\n" {
		t.Error(got)
	}
}

func TestAllowType(t *testing.T) {
	t.Parallel()
	io := newChat(socketio.Options{})
	io.On("panic", func() { panic("out of range") })
	h := socketiotest.Serve(t, io, socketiotest.AllowType[*socketio.PanicError]())
	h.Connect("ann").AskError("panic")
}

// The server must be found; otherwise Serve says what to pass.
func TestServerNotFound(t *testing.T) {
	t.Parallel()
	handler := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	golden(t, "no-server", new(fakeT).run(func(t testing.TB) { socketiotest.Serve(t, handler) }))
	io := newChat(socketio.Options{})
	h := socketiotest.Serve(t, http.HandlerFunc(io.ServeHTTP), socketiotest.Server(io))
	h.Connect("ann")
}

// A server whose handler does not return does not close in time.
func TestNotClosed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		io := newChat(socketio.Options{})
		freed := make(chan struct{})
		f := new(fakeT)
		f.Cleanup(func() { close(freed) })
		io.On("block", func() { <-freed })
		got := f.run(func(t testing.TB) {
			h := socketiotest.Serve(t, io)
			_ = h.Connect("ann").Emit("block")
			h.Settle()
		})
		if !strings.Contains(got, "socketiotest: the server did not close within 1m0s") {
			t.Error(got)
		}
	})
}

// A test that hangs ends with what every client waits for, in a bubble and outside. A
// child process shows it.
func TestHang(t *testing.T) {
	if how := os.Getenv("SOCKETIOTEST_HANG"); how != "" {
		hang := func(t *testing.T) {
			io := newChat(socketio.Options{})
			io.On("never", func(socketio.AckFunc) {})
			h := socketiotest.Serve(t, io, socketiotest.Within(10*time.Second), socketiotest.Patience(time.Minute))
			ann, bob := h.Connect("ann"), h.Connect("bob")
			socketiotest.Ask(ann, say, "hello")
			_ = bob.Emit("never", func(socketio.Args, error) {})
			select {}
		}
		if how == "bubble" {
			synctest.Test(t, hang)
		}
		hang(t)
	}
	t.Parallel()
	for _, how := range []string{"bubble", "clock"} {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		cmd := exec.CommandContext(ctx, os.Args[0], "-test.run=^TestHang$")
		cmd.Env = append(os.Environ(), "SOCKETIOTEST_HANG="+how)
		out, err := cmd.CombinedOutput()
		if err == nil {
			t.Errorf("%s: the test has ended", how)
		}
		for _, want := range []string{
			"panic: socketiotest: TestHang has not ended after 10s",
			`ann: connected`,
			`bob: connected; waits for the ack of "never"(); has not expected "said"({"from":"ann","text":"hello"})`,
			`event "said"({"from":"ann","text":"hello"})`,
		} {
			if !strings.Contains(string(out), want) {
				t.Errorf("%s: the output is without %s:\n%s", how, want, out)
			}
		}
	}
}
