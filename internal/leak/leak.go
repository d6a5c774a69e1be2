// Package leak fails a test binary that leaves goroutines behind:
//
//	func TestMain(m *testing.M) { leak.Main(m) }
package leak

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"
)

// grace is how long a goroutine may take to end after the last test.
const grace = 10 * time.Second

// Main runs the tests and ends the process.
func Main(m *testing.M) { os.Exit(Check(m)) }

// Check runs the tests and returns the code to exit with. It is not zero if a
// test has failed, or if a goroutine is left that was not there before.
func Check(m *testing.M) int { return check(m.Run, grace, os.Stderr) }

func check(run func() int, grace time.Duration, w io.Writer) int {
	before := goroutines()
	code := run()
	left := await(before, grace)
	if len(left) == 0 {
		return code
	}
	fmt.Fprintf(w, "leak: goroutines left after the tests: %d\n", len(left))
	for _, stack := range left {
		fmt.Fprintf(w, "\n%s\n", stack)
	}
	return max(code, 1)
}

// await returns the stacks of the goroutines that are not in before and do not
// end in time.
func await(before map[string]string, grace time.Duration) map[string]string {
	timeout := time.NewTimer(grace)
	defer timeout.Stop()
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	for {
		left := goroutines()
		for id := range before {
			delete(left, id)
		}
		if len(left) == 0 {
			return nil
		}
		select {
		case <-again.C:
		case <-timeout.C:
			return left
		}
	}
}

// goroutines returns the stacks of all goroutines but the caller's and those
// that os/signal keeps for ever, by number.
func goroutines() map[string]string {
	buf := make([]byte, 1<<16)
	n := runtime.Stack(buf, true)
	for n == len(buf) {
		buf = make([]byte, 2*len(buf))
		n = runtime.Stack(buf, true)
	}
	_, others, _ := strings.Cut(string(buf[:n]), "\n\n") // the caller's comes first
	stacks := make(map[string]string)
	for stack := range strings.SplitSeq(others, "\n\n") {
		header, frames, _ := strings.Cut(stack, "\n")
		number, _, ok := strings.Cut(strings.TrimPrefix(header, "goroutine "), " ")
		if !ok || strings.Contains(frames, "os/signal.") || strings.Contains(frames, "runtime.ensureSigM") {
			continue
		}
		stacks[number] = strings.TrimSpace(stack)
	}
	return stacks
}
