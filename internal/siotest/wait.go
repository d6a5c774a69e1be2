package siotest

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// WaitLimit is how long a test waits for what must happen before it gives up.
const WaitLimit = 20 * time.Second

// Receive returns what comes from ch.
func Receive[T any](t testing.TB, ch <-chan T) T {
	t.Helper()
	select {
	case v := <-ch:
		return v
	case <-time.After(WaitLimit):
		t.Fatal("waited in vain")
		panic("unreachable")
	}
}

// WaitFor waits until done returns true. It is for a state that no event announces.
func WaitFor(t testing.TB, what string, done func() bool) {
	t.Helper()
	for limit := time.Now().Add(WaitLimit); !done(); <-time.After(time.Millisecond) {
		if time.Now().After(limit) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// WantEqual compares what a test is about.
func WantEqual[T comparable](t testing.TB, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

// Sorted returns a sorted copy.
func Sorted(list []string) []string {
	list = slices.Clone(list)
	slices.Sort(list)
	return list
}

// WantPanic checks that fn panics with a text that contains each of texts.
func WantPanic(t *testing.T, fn func(), texts ...string) {
	t.Helper()
	defer func() {
		t.Helper()
		v := recover()
		if v == nil {
			t.Error("no panic")
			return
		}
		for _, text := range texts {
			if !strings.Contains(fmt.Sprint(v), text) {
				t.Errorf("panic %q lacks %q", v, text)
			}
		}
	}()
	fn()
}
