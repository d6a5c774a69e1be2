package socketio

import (
	"cmp"
	"math"
	"slices"
)

// A trail knows in which rooms a socket was at which position.
type trail struct {
	since     int64             // the position up to which its client has all that was for it
	stays     map[string][]stay // by room, in order, without touching each other
	ended     int               // how many of them have
	forgotten int64             // stays that ended before may not be known
	pruneAt   int               // how many of those are worth a look at what can be forgotten
}

// A stay in a room is after one position, up to and including another.
type stay struct{ from, to int64 }

// stillIn is the end of a stay that has not ended.
const stillIn = math.MaxInt64

func (t *trail) in(room string, at int64) bool {
	stays := t.stays[room]
	i, _ := slices.BinarySearchFunc(stays, at, func(s stay, at int64) int { return cmp.Compare(s.to, at) })
	return i < len(stays) && stays[i].from < at
}

// rooms returns those that the socket is in.
func (t *trail) rooms() (names []string) {
	for name, stays := range t.stays {
		if stays[len(stays)-1].to == stillIn {
			names = append(names, name)
		}
	}
	return names
}

// joined notes that a socket has entered rooms.
func (t *trail) joined(rooms []string, at int64) {
	if t.stays == nil {
		t.stays = make(map[string][]stay)
	}
	for _, room := range rooms {
		stays := t.stays[room]
		n := len(stays)
		switch {
		case n > 0 && stays[n-1].to == stillIn:
		case n > 0 && stays[n-1].to == at: // nothing has happened since it left
			stays[n-1].to = stillIn
			t.ended--
		default:
			t.stays[room] = append(stays, stay{at, stillIn})
		}
	}
}

// left notes that a socket has left rooms, and forgets stays that ended before
// the log begins, now and then.
func (t *trail) left(rooms []string, at, first int64) {
	for _, room := range rooms {
		stays := t.stays[room]
		n := len(stays)
		switch {
		case n == 0 || stays[n-1].to != stillIn:
		case stays[n-1].from < at:
			stays[n-1].to = at
			t.ended++
		case n > 1: // nothing has happened since it joined
			t.stays[room] = stays[:n-1]
		default:
			delete(t.stays, room)
		}
	}
	if t.ended < max(t.pruneAt, 16) {
		return
	}
	t.ended = 0
	t.forgotten = max(t.forgotten, first)
	for room, stays := range t.stays {
		stays = slices.DeleteFunc(stays, func(s stay) bool { return s.to < first })
		for _, s := range stays {
			if s.to != stillIn {
				t.ended++
			}
		}
		if t.stays[room] = stays; len(stays) == 0 {
			delete(t.stays, room)
		}
	}
	t.pruneAt = 2 * t.ended
}
