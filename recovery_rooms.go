package socketio

import (
	"cmp"
	"math"
	"slices"
)

// A roomHistory knows in which rooms a socket was at which position.
type roomHistory struct {
	since        int64                 // the position up to which its client has all that was for it
	intervals    map[string][]interval // by room, in order, without touching each other
	closed       int                   // how many of them have
	prunedBefore int64                 // stays that ended before may not be known
	pruneAt      int                   // how many of those are worth a look at what can be forgotten
}

// An interval in a room is after one position, up to and including another.
type interval struct{ from, to int64 }

// openEnd is the end of a stay that has not ended.
const openEnd = math.MaxInt64

func (t *roomHistory) in(room string, at int64) bool {
	stays := t.intervals[room]
	i, _ := slices.BinarySearchFunc(stays, at, func(s interval, at int64) int { return cmp.Compare(s.to, at) })
	return i < len(stays) && stays[i].from < at
}

// rooms returns those that the socket is in.
func (t *roomHistory) rooms() (names []string) {
	for name, stays := range t.intervals {
		if stays[len(stays)-1].to == openEnd {
			names = append(names, name)
		}
	}
	return names
}

// join notes that a socket has entered rooms.
func (t *roomHistory) join(rooms []string, at int64) {
	if t.intervals == nil {
		t.intervals = make(map[string][]interval)
	}
	for _, room := range rooms {
		stays := t.intervals[room]
		n := len(stays)
		switch {
		case n > 0 && stays[n-1].to == openEnd:
		case n > 0 && stays[n-1].to == at: // nothing has happened since it left
			stays[n-1].to = openEnd
			t.closed--
		default:
			t.intervals[room] = append(stays, interval{at, openEnd})
		}
	}
}

// leave notes that a socket has left rooms, and forgets stays that ended before
// the log begins, now and then.
func (t *roomHistory) leave(rooms []string, at, first int64) {
	for _, room := range rooms {
		stays := t.intervals[room]
		n := len(stays)
		switch {
		case n == 0 || stays[n-1].to != openEnd:
		case stays[n-1].from < at:
			stays[n-1].to = at
			t.closed++
		case n > 1: // nothing has happened since it joined
			t.intervals[room] = stays[:n-1]
		default:
			delete(t.intervals, room)
		}
	}
	if t.closed < max(t.pruneAt, 16) {
		return
	}
	t.closed = 0
	t.prunedBefore = max(t.prunedBefore, first)
	for room, stays := range t.intervals {
		stays = slices.DeleteFunc(stays, func(s interval) bool { return s.to < first })
		for _, s := range stays {
			if s.to != openEnd {
				t.closed++
			}
		}
		if t.intervals[room] = stays; len(stays) == 0 {
			delete(t.intervals, room)
		}
	}
	t.pruneAt = 2 * t.closed
}
