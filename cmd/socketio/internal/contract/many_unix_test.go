//go:build unix

package contract

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"
)

// cpuTime returns that of this process and of those that it has waited for.
func cpuTime(t *testing.T) (sum time.Duration) {
	t.Helper()
	for _, who := range []int{syscall.RUSAGE_SELF, syscall.RUSAGE_CHILDREN} {
		var u syscall.Rusage
		if err := syscall.Getrusage(who, &u); err != nil {
			t.Fatal(err)
		}
		sum += time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	return sum
}

// A package of 200 events takes less than 3 seconds. That is CPU time, with that of
// the go command, as other programs may use the machine.
func TestManyEvents(t *testing.T) {
	var b strings.Builder
	b.WriteString("// Package a has many events.\n//\n//socketio:from both\npackage a\n\nimport \"github.com/socketio-go/socketio\"\n\n")
	for i := range 200 {
		fmt.Fprintf(&b, "type T%d struct {\n\tA string\n\tB []T%d\n\tC map[string]*T0\n}\n\nconst E%[1]d socketio.Call[T%[1]d, []T%[1]d] = \"e%[1]d\"\n\n", i, (i+1)%200)
	}
	load := func() ([]byte, []byte, time.Duration) {
		start := cpuTime(t)
		c, err := loadSource(t, b.String())
		if err != nil {
			t.Fatal(err)
		}
		return c.TypeScript(), c.AsyncAPI(Info{}), cpuTime(t) - start
	}
	ts, doc, took := load() // the go command may compile the library
	again, sameDoc, next := load()
	took = min(took, next)
	if string(ts) != string(again) || string(doc) != string(sameDoc) {
		t.Error("the output is not stable")
	}
	if n := strings.Count(string(ts), "answer:"); n != 400 {
		t.Errorf("%d events, not 400", n)
	}
	t.Logf("200 events took %v of CPU time", took)
	if took > 3*time.Second {
		t.Errorf("200 events took %v of CPU time", took)
	}
}
