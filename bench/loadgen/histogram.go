//go:build linux

package loadgen

import "math/bits"

// A histogram counts durations in nanoseconds: 32 buckets for every power of
// two, so a quantile is at most 3 % too low.
type histogram struct {
	buckets [59 * subBuckets]uint32
	n       uint64
}

const (
	subBits    = 5
	subBuckets = 1 << subBits
)

func (h *histogram) add(ns int64) {
	h.buckets[bucket(uint64(max(ns, 0)))]++
	h.n++
}

func (h *histogram) merge(other *histogram) {
	for i, n := range other.buckets {
		h.buckets[i] += n
	}
	h.n += other.n
}

func (h *histogram) reset() { *h = histogram{} }

// quantile returns the value below which a share q of all values is.
func (h *histogram) quantile(q float64) float64 {
	rank := uint64(q * float64(h.n))
	seen := uint64(0)
	for i, n := range h.buckets {
		if seen += uint64(n); seen > rank {
			return float64(bucketStart(i))
		}
	}
	return 0
}

// bucket returns the index of v's bucket. Values below subBuckets have one
// each; above, the bits behind the highest one choose among subBuckets.
func bucket(v uint64) int {
	if v < subBuckets {
		return int(v)
	}
	shift := bits.Len64(v) - subBits - 1
	return (shift+1)*subBuckets + int(v>>shift) - subBuckets
}

// bucketStart returns the lowest value of a bucket.
func bucketStart(i int) uint64 {
	if i < subBuckets {
		return uint64(i)
	}
	shift := i/subBuckets - 1
	return uint64(i%subBuckets+subBuckets) << shift
}

// Latency holds quantiles in microseconds.
type Latency struct {
	P50  float64 `json:"p50_us"`
	P75  float64 `json:"p75_us"`
	P90  float64 `json:"p90_us"`
	P95  float64 `json:"p95_us"`
	P99  float64 `json:"p99_us"`
	P995 float64 `json:"p99.5_us"`
	P999 float64 `json:"p99.9_us"`
}

func (h *histogram) latency() Latency {
	us := func(q float64) float64 { return h.quantile(q) / 1e3 }
	return Latency{us(.5), us(.75), us(.9), us(.95), us(.99), us(.995), us(.999)}
}
