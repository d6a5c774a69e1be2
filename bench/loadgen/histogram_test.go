//go:build linux

package loadgen

import (
	"math"
	"testing"
)

func TestQuantilesAreAtMostThreePercentLow(t *testing.T) {
	t.Parallel()
	var h histogram
	const n = 100_000
	for i := range n {
		h.add(int64(i) * 1000)
	}
	for _, q := range []float64{.5, .9, .99, .999} {
		want := q * n * 1000
		if got := h.quantile(q); got > want || got < want*.968 {
			t.Errorf("quantile %v is %v, want %v", q, got, want)
		}
	}
}

func TestEveryValueHasItsBucket(t *testing.T) {
	t.Parallel()
	for _, v := range []uint64{0, 1, 31, 32, 33, 63, 64, 1000, 1 << 40, math.MaxInt64} {
		i := bucket(v)
		if start := bucketStart(i); start > v {
			t.Errorf("the bucket of %d starts at %d", v, start)
		}
		if i+1 < len(histogram{}.buckets) && bucketStart(i+1) <= v {
			t.Errorf("the bucket after that of %d starts at %d", v, bucketStart(i+1))
		}
	}
}
