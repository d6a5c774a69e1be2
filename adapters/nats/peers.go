package nats

import (
	"bytes"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"
)

// peers are the other members of a namespace.
type peers struct {
	timeout time.Duration

	mu       sync.Mutex            // guards the following
	lastSeen map[string]*time.Time // by name
}

// maxPeers bounds their number.
const maxPeers = 10000

var errPeers = errors.New("socketio: nats: too many senders")

// seen notes a message of a member. It returns false if there are too many members.
func (p *peers) seen(h head) bool {
	if bytes.HasPrefix(h.sender, []byte(emitterPrefix)) {
		return true
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if h.kind == kindBye {
		delete(p.lastSeen, string(h.sender))
		return true
	}
	now := time.Now()
	if last := p.lastSeen[string(h.sender)]; last != nil {
		*last = now
		return true
	}
	if len(p.lastSeen) >= maxPeers {
		return false
	}
	p.lastSeen[string(h.sender)] = &now
	return true
}

// alive returns the names of the members with recent messages, sorted.
func (p *peers) alive() []string {
	p.purge()
	p.mu.Lock()
	defer p.mu.Unlock()
	ids := slices.AppendSeq(make([]string, 0, len(p.lastSeen)), maps.Keys(p.lastSeen)) // not nil: the list is complete
	slices.Sort(ids)
	return ids
}

// purge removes the members without recent messages.
func (p *peers) purge() {
	p.mu.Lock()
	defer p.mu.Unlock()
	maps.DeleteFunc(p.lastSeen, func(_ string, last *time.Time) bool { return time.Since(*last) >= p.timeout })
}
