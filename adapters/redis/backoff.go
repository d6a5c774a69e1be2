package redis

import (
	"context"
	"math/rand/v2"
	"time"
)

// Pauses between attempts to connect begin at firstPause and double up to lastPause.
// Each is random, from half to one and a half of that, so that servers that lost their
// connections together do not reconnect together.
const (
	firstPause = 200 * time.Millisecond
	lastPause  = 2 * time.Second
)

// A backoff spreads attempts over time. The zero value begins with a short pause.
type backoff struct {
	attempts int
	last     time.Time
}

// next returns the next pause.
func (b *backoff) next() time.Duration {
	about := min(firstPause<<min(b.attempts, 16), lastPause)
	b.attempts++
	b.last = time.Now()
	return about/2 + rand.N(about)
}

// rest resets the pauses if nothing has failed for a while.
func (b *backoff) rest() {
	if b.attempts > 0 && time.Since(b.last) > 2*lastPause {
		*b = backoff{}
	}
}

// wait pauses. It returns false if ctx has ended.
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
