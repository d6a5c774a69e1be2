package leak

import (
	"bytes"
	"os"
	"os/signal"
	"strings"
	"testing"
	"time"
)

func TestMain(m *testing.M) { Main(m) }

func TestCheck(t *testing.T) { // not parallel: it counts goroutines
	stop := make(chan struct{})
	defer close(stop)
	for _, test := range []struct {
		name  string
		run   func() int
		grace time.Duration
		code  int
		says  string
	}{
		{"nothing left", func() int { return 0 }, 0, 0, ""},
		{"a test has failed", func() int { return 2 }, 0, 2, ""},
		{"a goroutine that is about to end", func() int {
			begun := make(chan struct{})
			go func() {
				close(begun)
				<-time.After(20 * time.Millisecond)
			}()
			<-begun
			return 0
		}, grace, 0, ""},
		{"a goroutine is left", func() int { go forever(stop); return 0 }, time.Millisecond, 1, "left after the tests: 1"},
		{"a goroutine is left and a test has failed", func() int { go forever(stop); return 2 }, time.Millisecond, 2, "left after the tests: "},
		{"the goroutines of os/signal", func() int {
			c := make(chan os.Signal, 1)
			signal.Notify(c, os.Interrupt)
			signal.Stop(c)
			return 0
		}, time.Millisecond, 0, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			var out bytes.Buffer
			if code := check(test.run, test.grace, &out); code != test.code {
				t.Errorf("exit code %d, want %d", code, test.code)
			}
			if !strings.Contains(out.String(), test.says) || (out.Len() > 0) != (test.says != "") {
				t.Errorf("said %q, want %q", out.String(), test.says)
			}
		})
	}
}

func forever(stop chan struct{}) { <-stop }

func TestStacksThatExceedTheBuffer(t *testing.T) {
	stop := make(chan struct{})
	defer close(stop)
	const n = 1000
	for range n {
		go forever(stop)
	}
	if got := len(goroutines()); got < n {
		t.Errorf("%d goroutines seen, want at least %d", got, n)
	}
}
