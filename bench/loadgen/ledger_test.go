//go:build linux

package loadgen

import "testing"

func TestLedger(t *testing.T) {
	for _, test := range []struct {
		name     string
		received []uint32
		sent     uint32
		want     Faults
	}{
		{"all in order", []uint32{0, 1, 2}, 3, Faults{}},
		{"the last ones are lost", []uint32{0, 1}, 4, Faults{Lost: 2}},
		{"one in the middle is lost", []uint32{0, 2, 3}, 4, Faults{Lost: 1, Disordered: 1}},
		{"two change places", []uint32{0, 2, 1, 3}, 4, Faults{Disordered: 2}},
		{"one comes twice", []uint32{0, 1, 1, 2}, 3, Faults{Duplicated: 1}},
		{"one comes again later", []uint32{0, 1, 2, 3, 1}, 4, Faults{Duplicated: 1}},
		{"one comes twice while another is lost", []uint32{0, 0, 2}, 3, Faults{Lost: 1, Duplicated: 1, Disordered: 1}},
		{"more than 64 are lost at once", []uint32{0, 100}, 101, Faults{Lost: 99, Disordered: 1}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var l ledger
			for _, n := range test.received {
				l.record(n)
			}
			if got := l.settle(test.sent); got != test.want {
				t.Errorf("faults: %+v, want %+v", got, test.want)
			}
		})
	}
}
