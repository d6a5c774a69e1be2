package redis

import (
	"context"
	"math/rand/v2"
	"time"
)

// Pauses between attempts to connect begin around the first and double up to the
// last. Each is anything from half to one and a half of that, so that servers that
// lost their connections together don't come back together.
const (
	firstPause = 200 * time.Millisecond
	lastPause  = 5 * time.Second
)

// A backoff spreads attempts over time. The zero value begins with a short pause.
type backoff struct{ attempts int }

// wait pauses, and reports whether ctx is still alive.
func (b *backoff) wait(ctx context.Context) bool {
	about := min(firstPause<<min(b.attempts, 16), lastPause)
	b.attempts++
	timer := time.NewTimer(about/2 + rand.N(about))
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
