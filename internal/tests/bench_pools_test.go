//go:build !race

package tests_test

// poolLoss is how many times the allocations of ordinary code are permitted.
const poolLoss = 1
