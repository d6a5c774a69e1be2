package socketiotest

import (
	"bytes"
	"context"
	"fmt"
	"regexp"
	"runtime/pprof"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// leaks finds the goroutines that a server, its handlers and its clients leave. They
// inherit the label of the goroutine that starts them.
type leaks struct {
	id      string
	labels  pprof.LabelSet
	hosts   int // that are open
	allowed []func(stack string) bool
}

// leakLabel is the key of the label.
const leakLabel = "socketiotest"

var lastLabel atomic.Int64

func newLeaks(t testing.TB) *leaks {
	id := fmt.Sprintf("%s#%d", t.Name(), lastLabel.Add(1))
	return &leaks{id: id, labels: pprof.Labels(leakLabel, id)}
}

// start runs fn, whose goroutines must end with the test.
func (l *leaks) start(fn func()) {
	pprof.Do(context.Background(), l.labels, func(context.Context) { fn() })
}

// finish checks that none of the goroutines is left, once the last host is closed.
func (l *leaks) finish(h *Host) {
	h.t.Helper()
	if l.hosts--; l.hosts > 0 {
		return
	}
	look := max(10*time.Millisecond, h.wait/100)
	again := time.NewTicker(look)
	defer again.Stop()
	for left := h.wait; ; left -= look {
		if h.bubble {
			synctest.Wait()
		}
		stacks := l.left()
		if len(stacks) == 0 {
			return
		}
		if left <= 0 {
			h.t.Errorf("socketiotest: goroutines are left %v after the server has closed:\n%s", h.wait, strings.Join(stacks, "\n\n"))
			return
		}
		<-again.C
	}
}

// left returns the stacks of the goroutines that are left.
func (l *leaks) left() (stacks []string) {
	var profile bytes.Buffer
	_ = pprof.Lookup("goroutine").WriteTo(&profile, 1) // a buffer takes everything
	label := fmt.Sprintf("%q:%q", leakLabel, l.id)
next:
	for stack := range strings.SplitSeq(profile.String(), "\n\n") {
		if !strings.Contains(stack, label) {
			continue
		}
		stack = readable(stack)
		for _, allowed := range l.allowed {
			if allowed(stack) {
				continue next
			}
		}
		stacks = append(stacks, stack)
	}
	return stacks
}

var frame = regexp.MustCompile(`(?m)^#\t0x[0-9a-f]+\t(.*?)\+0x[0-9a-f]+\s+(.*)$`)

// readable removes addresses and labels from a stack of a profile.
func readable(stack string) string {
	_, frames, _ := strings.Cut(stack, "\n#\t")
	return strings.TrimRight(frame.ReplaceAllString("#\t"+frames, "\t$1\n\t\t$2"), "\n")
}
