// Package allocs measures for tests what a function allocates.
package allocs

import (
	"math"
	"runtime"
)

// Bytes returns how many bytes fn allocates. What other goroutines allocate at
// that time is counted with it; so while there are more than limit, fn is called
// again, a few times, and the least counts.
func Bytes(limit uint64, fn func()) uint64 {
	least := uint64(math.MaxUint64)
	for range 5 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		fn()
		runtime.ReadMemStats(&after)
		if least = min(least, after.TotalAlloc-before.TotalAlloc); least <= limit {
			break
		}
	}
	return least
}
