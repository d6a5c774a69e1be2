package socketio

import (
	"iter"
	"slices"
	"sync"
)

// NamespaceStats is a snapshot of the counters of a namespace. Those of a template are
// the sums of its children, also of those that have been dropped. A child has no
// counters of its own for Connects, Disconnects and Recovery: they are its template's.
type NamespaceStats struct {
	Sockets int // on this server
	Rooms   int // with a socket on this server, without the sockets' own rooms

	Connects    uint64       // sockets that were connected
	Disconnects ReasonCounts // those of them that have disconnected
	Recovery    RecoveryStats
}

// RecoveryStats counts the clients that asked to resume an earlier session, by what
// became of that.
type RecoveryStats struct {
	Recovered uint64
	Expired   uint64 // the session was unknown, or older than Recovery.Window
	Evicted   uint64 // missed events were evicted, or were too many
	Failed    uint64 // the offset was malformed, or the bus failed
}

// Stats returns a snapshot of the counters of n. It does not look at the connections,
// so it is quicker than [Server.Stats].
func (n *Namespace) Stats() (st NamespaceStats) {
	for _, member := range n.expand() {
		sockets, rooms := member.index.Count()
		st.Sockets += sockets
		st.Rooms += rooms
	}
	c := n.counts
	c.mu.Lock()
	defer c.mu.Unlock()
	st.Connects, st.Disconnects, st.Recovery = c.connects, c.disconnects, c.recovery
	return st
}

// namespaceCounts counts what is rare: connects, disconnects and resumed sessions.
type namespaceCounts struct {
	mu          sync.Mutex // guards the following
	connects    uint64
	disconnects ReasonCounts
	recovery    RecoveryStats
}

func (c *namespaceCounts) connected() {
	c.mu.Lock()
	c.connects++
	c.mu.Unlock()
}

func (c *namespaceCounts) disconnected(reason Reason) {
	c.mu.Lock()
	addReason(&c.disconnects, reason, 1)
	c.mu.Unlock()
}

// resumed counts a request to resume a session. why is empty if it was resumed, or if
// there was no request.
func (c *namespaceCounts) resumed(recovered bool, why string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch why {
	case "":
		if recovered {
			c.recovery.Recovered++
		}
	case whyUnknown, whyExpired:
		c.recovery.Expired++
	case whyEvicted, whyTooMany, whyPruned:
		c.recovery.Evicted++
	default:
		c.recovery.Failed++
	}
}

// ReasonCounts has a counter for each [Reason].
type ReasonCounts struct{ n [len(reasons)]uint64 }

// reasons are all reasons, in the order of errors.go.
var reasons = [...]Reason{
	ReasonClient, ReasonServer, ReasonViolation, ReasonConnectTimeout, ReasonPingTimeout, ReasonTransport,
	ReasonError, ReasonParse, ReasonSlow, ReasonShutdown, ReasonReconnect,
}

func addReason(c *ReasonCounts, reason Reason, n uint64) {
	if i := slices.Index(reasons[:], reason); i >= 0 {
		c.n[i] += n
	}
}

// Of returns the count of one reason.
func (c ReasonCounts) Of(reason Reason) uint64 {
	if i := slices.Index(reasons[:], reason); i >= 0 {
		return c.n[i]
	}
	return 0
}

// All iterates over all reasons, also those that have not occurred.
func (c ReasonCounts) All() iter.Seq2[Reason, uint64] {
	return func(yield func(Reason, uint64) bool) {
		for i, reason := range reasons {
			if !yield(reason, c.n[i]) {
				return
			}
		}
	}
}

// Total returns the sum.
func (c ReasonCounts) Total() (sum uint64) {
	for _, n := range c.n {
		sum += n
	}
	return sum
}
