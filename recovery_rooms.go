package socketio

import (
	"cmp"
	"math"
	"slices"
)

// A roomHistory records in which rooms a socket was, by position in the log.
type roomHistory struct {
	since        int64                 // the position up to which its client has received all of its events
	intervals    map[string][]interval // by room, in order, separated by gaps
	closed       int                   // how many intervals have ended
	prunedBefore int64                 // intervals that ended before it may be missing
	pruneAt      int                   // leave prunes when closed reaches it; at least 16
}

// An interval begins after position from, and includes position to.
type interval struct{ from, to int64 }

// openEnd is the end of an interval that has not ended.
const openEnd = math.MaxInt64

func (t *roomHistory) in(room string, at int64) bool {
	intervals := t.intervals[room]
	i, _ := slices.BinarySearchFunc(intervals, at, func(s interval, at int64) int { return cmp.Compare(s.to, at) })
	return i < len(intervals) && intervals[i].from < at
}

// rooms returns the rooms that the socket is in.
func (t *roomHistory) rooms() (names []string) {
	for name, intervals := range t.intervals {
		if intervals[len(intervals)-1].to == openEnd {
			names = append(names, name)
		}
	}
	return names
}

// join notes that the socket has joined rooms.
func (t *roomHistory) join(rooms []string, at int64) {
	if t.intervals == nil {
		t.intervals = make(map[string][]interval)
	}
	for _, room := range rooms {
		intervals := t.intervals[room]
		n := len(intervals)
		switch {
		case n > 0 && intervals[n-1].to == openEnd:
		case n > 0 && intervals[n-1].to == at: // no event since it left
			intervals[n-1].to = openEnd
			t.closed--
		default:
			t.intervals[room] = append(intervals, interval{at, openEnd})
		}
	}
}

// leave notes that the socket has left rooms. From time to time it prunes intervals
// that ended before first, the first position of the log.
func (t *roomHistory) leave(rooms []string, at, first int64) {
	for _, room := range rooms {
		intervals := t.intervals[room]
		n := len(intervals)
		switch {
		case n == 0 || intervals[n-1].to != openEnd:
		case intervals[n-1].from < at:
			intervals[n-1].to = at
			t.closed++
		case n > 1: // no event since it joined
			t.intervals[room] = intervals[:n-1]
		default:
			delete(t.intervals, room)
		}
	}
	if t.closed < max(t.pruneAt, 16) {
		return
	}
	t.closed = 0
	t.prunedBefore = max(t.prunedBefore, first)
	for room, intervals := range t.intervals {
		intervals = slices.DeleteFunc(intervals, func(s interval) bool { return s.to < first })
		for _, s := range intervals {
			if s.to != openEnd {
				t.closed++
			}
		}
		if t.intervals[room] = intervals; len(intervals) == 0 {
			delete(t.intervals, room)
		}
	}
	t.pruneAt = 2 * t.closed
}
