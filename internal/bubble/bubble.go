// Package bubble waits on the fake clock of testing/synctest, and only there: on the
// real clock a test waits for an event.
package bubble

import "time"

// Sleep pauses the goroutine for d of the fake clock. It panics outside a bubble.
func Sleep(d time.Duration) { <-After(d) }

// After returns a channel that receives when d of the fake clock is over. It panics
// outside a bubble.
func After(d time.Duration) <-chan time.Time {
	if time.Now().Year() > 2020 { // the clock of a bubble starts with the year 2000
		panic("bubble: not in a bubble of testing/synctest: wait for an event")
	}
	return time.After(d)
}
