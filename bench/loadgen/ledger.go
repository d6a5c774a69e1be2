//go:build linux

package loadgen

// A ledger checks the sequence numbers that one connection receives.
type ledger struct {
	next     uint32 // one more than the highest number received
	seen     uint64 // bit i: number next-1-i was received
	received uint32
	faults   Faults
}

// Faults count what went wrong with messages. All are zero for a server that
// keeps its promises.
type Faults struct {
	Lost       uint64 `json:"lost"`       // never came, although the connection stayed open
	Duplicated uint64 `json:"duplicated"` // came more than once
	Disordered uint64 `json:"disordered"` // came before or after its turn
	Unexpected uint64 `json:"unexpected"` // could not be read as an answer
}

// Any reports whether there was a fault.
func (f *Faults) Any() bool { return *f != Faults{} }

// Add adds the faults of another connection or run.
func (f *Faults) Add(other Faults) {
	f.Lost += other.Lost
	f.Duplicated += other.Duplicated
	f.Disordered += other.Disordered
	f.Unexpected += other.Unexpected
}

// record notes that seq has arrived. It reports whether it is the first time,
// as far as 64 numbers back.
func (l *ledger) record(seq uint32) (first bool) {
	if seq >= l.next {
		if seq > l.next {
			l.faults.Disordered++
		}
		l.seen = l.seen<<(seq-l.next+1) | 1
		l.next = seq + 1
		l.received++
		return true
	}
	age := l.next - 1 - seq
	if age >= 64 || l.seen&(1<<age) != 0 {
		l.faults.Duplicated++
		return false
	}
	l.seen |= 1 << age
	l.faults.Disordered++
	l.received++
	return true
}

// settle returns the faults once nothing more is to come of what was sent.
func (l *ledger) settle(sent uint32) Faults {
	f := l.faults
	if sent > l.received {
		f.Lost = uint64(sent - l.received)
	}
	return f
}
