//go:build race

package tests_test

// poolLoss is how many times the allocations of ordinary code are permitted.
// Under the race detector a sync.Pool forgets a quarter of what it is given.
const poolLoss = 3
