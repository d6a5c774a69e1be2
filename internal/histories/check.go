package histories

import (
	"errors"
	"fmt"
	"maps"
	"slices"
)

// Check returns what in the history is against the promises, or nil.
func (l *Log) Check() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	known := make(map[Event]*emission)
	var wrong []error
	for _, e := range l.emissions {
		if known[e.Event] != nil {
			wrong = append(wrong, fmt.Errorf("%v was emitted twice: the test is wrong", e.Event))
		}
		known[e.Event] = e
	}
	for _, name := range slices.Sorted(maps.Keys(l.clients)) {
		c := l.clients[name]
		for _, err := range append(c.checkReceived(name, known), c.checkMissed(name, l.emissions)...) {
			wrong = append(wrong, fmt.Errorf("client %s: %w", name, err))
		}
	}
	return errors.Join(wrong...)
}

// checkReceived checks each event that a client has received.
func (c *client) checkReceived(name string, known map[Event]*emission) (wrong []error) {
	last := make(map[string]int) // of each emitter
	seen := make(map[Event]bool)
	for _, r := range c.received {
		e := known[r.Event]
		switch {
		case e == nil:
			wrong = append(wrong, fmt.Errorf("received %v, which nobody emitted", r.Event))
			continue
		case seen[r.Event]:
			wrong = append(wrong, fmt.Errorf("received %v twice", r.Event))
		case r.Number < last[r.Emitter]:
			wrong = append(wrong, fmt.Errorf("received %v after #%d", r.Event, last[r.Emitter]))
		}
		seen[r.Event] = true
		last[r.Emitter] = max(last[r.Emitter], r.Number)
		for _, part := range r.parts {
			if part != r.Event {
				wrong = append(wrong, fmt.Errorf("received %v with a part of %v", r.Event, part))
			}
		}
		life := c.lifeAt(r.at)
		switch {
		case life == nil:
			wrong = append(wrong, fmt.Errorf("received %v before it connected", r.Event))
		case e.to < life.begin:
			wrong = append(wrong, fmt.Errorf("received %v, which was emitted before it connected anew", r.Event))
		case life.targeted(name, e) == no:
			wrong = append(wrong, fmt.Errorf("received %v, which was not for it", r.Event))
		}
	}
	return wrong
}

// checkMissed looks for events that a client lacks.
func (c *client) checkMissed(name string, emissions []*emission) (wrong []error) {
	seen := make(map[Event]int)
	for _, r := range c.received {
		seen[r.Event] = r.at
	}
	for i, life := range c.lives {
		end := never
		if i+1 < len(c.lives) {
			end = c.lives[i+1].begin
		}
		settled := 0 // the last time in this life
		for _, at := range c.settled {
			if at < end {
				settled = at
			}
		}
		for _, e := range emissions {
			if e.from < life.connected || e.to > settled || e.Volatile || e.failed || life.targeted(name, e) != yes {
				continue
			}
			if at := seen[e.Event]; at == 0 || at > settled {
				wrong = append(wrong, fmt.Errorf("never received %v", e.Event))
			}
		}
	}
	return wrong
}

// lifeAt returns the life that a client led at a time, or nil.
func (c *client) lifeAt(at int) (found *life) {
	for _, l := range c.lives {
		if l.connected <= at {
			found = l
		}
	}
	return found
}

// An answer to whether something holds during an operation.
type answer uint8

const (
	no answer = iota
	maybe
	yes
)

func (a answer) not() answer { return yes - a }

// targeted answers whether an event is for a client.
func (l *life) targeted(name string, e *emission) answer {
	switch {
	case e.Only != "":
		if e.Only == name {
			return yes
		}
		return no
	case e.Sender == name:
		return no
	}
	target := yes
	if len(e.Rooms) > 0 {
		target = l.inAny(e.Rooms, e.span)
	}
	return min(target, l.inAny(e.Except, e.span).not())
}

func (l *life) inAny(rooms []string, during span) (a answer) {
	for _, room := range rooms {
		a = max(a, l.in(room, during))
	}
	return a
}

// in answers whether the client was in a room. Its joining and leaving of one
// room are not concurrent with each other.
func (l *life) in(room string, during span) answer {
	a := no
	for _, m := range l.moves {
		if m.room != room || m.from > during.to {
			continue
		}
		after := no
		if m.in {
			after = yes
		}
		if m.to < during.from || a == after {
			a = after
		} else {
			a = maybe // it overlaps
		}
	}
	return a
}
