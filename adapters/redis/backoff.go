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
	lastPause  = 2 * time.Second
)

// A backoff spreads attempts over time. The zero value begins with a short pause.
type backoff struct {
	attempts int
	last     time.Time
}

// next returns how long to pause.
func (b *backoff) next() time.Duration {
	about := min(firstPause<<min(b.attempts, 16), lastPause)
	b.attempts++
	b.last = time.Now()
	return about/2 + rand.N(about)
}

// rest begins with a short pause again, if nothing has failed for a while.
func (b *backoff) rest() {
	if b.attempts > 0 && time.Since(b.last) > 2*lastPause {
		*b = backoff{}
	}
}

// wait pauses, and reports whether ctx is still alive.
func (b *backoff) wait(ctx context.Context) bool {
	timer := time.NewTimer(b.next())
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
