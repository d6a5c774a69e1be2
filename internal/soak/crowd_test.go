//go:build linux

package soak_test

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"
)

// A crowd is clients of one server.
type crowd []*session

// gather joins n clients, all of which must get in.
func gather(t *testing.T, net *network, n int, transport func(i int) int, fn func(i int, text string)) crowd {
	t.Helper()
	c := make(crowd, n)
	var mu sync.Mutex // guards the following
	var failed error
	each(n, 64, func(i int) {
		s, err := net.join(transport(i), "", func(text, _ string) { fn(i, text) })
		mu.Lock()
		defer mu.Unlock()
		c[i], failed = s, errors.Join(failed, err)
	})
	t.Cleanup(c.leave)
	if failed != nil {
		t.Fatalf("connecting: %.500v", failed)
	}
	return c
}

// leave ends all connections.
func (c crowd) leave() {
	each(len(c), 64, func(i int) {
		if c[i] != nil {
			c[i].leave(false)
		}
	})
}

// settle waits until everybody has received what was sent before.
func (c crowd) settle(t *testing.T) {
	t.Helper()
	each(len(c), 64, func(i int) {
		if _, err := c[i].ask("sync"); err != nil {
			t.Errorf("client %d: %v: %v", i, err, c[i].why())
		}
	})
}

// why returns why the session has ended.
func (s *session) why() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// A stopwatch collects durations.
type stopwatch struct {
	mu   sync.Mutex // guards the following
	list []time.Duration
}

func (w *stopwatch) add(d time.Duration) {
	w.mu.Lock()
	w.list = append(w.list, d)
	w.mu.Unlock()
}

// take returns what has been collected since the last time, sorted.
func (w *stopwatch) take() []time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	list := w.list
	w.list = nil
	slices.Sort(list)
	return list
}

// quantile returns the value below which a share q of a sorted list is.
func quantile[T any](sorted []T, q float64) (v T) {
	if len(sorted) == 0 {
		return v
	}
	return sorted[min(int(q*float64(len(sorted))), len(sorted)-1)]
}

func onlyWebSocket(int) int { return webSocket }

// mixed has three in ten poll and one of these move to WebSocket.
func mixed(i int) int {
	switch i % 10 {
	case 0, 1:
		return polling
	case 2:
		return upgrading
	}
	return webSocket
}

func microseconds(d time.Duration) string { return fmt.Sprint(d.Round(10 * time.Microsecond)) }
