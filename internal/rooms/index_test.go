package rooms_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/socketio-go/socketio/internal/rooms"
)

type socket struct {
	id     string
	member rooms.Member[*socket]
}

func newSocket(id string) *socket { return &socket{id: id} }

func newIndex() *rooms.Index[*socket] {
	return rooms.New(func(s *socket) string { return s.id }, func(s *socket) *rooms.Member[*socket] { return &s.member })
}

func wantEqual[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

// A model is the specification of an index: sets of names, simple and slow.
type model struct {
	sockets map[string]bool            // connected, by id
	gone    map[string]bool            // for good
	rooms   map[string]map[string]bool // of each socket, its own among them
}

func newModel(ids []string) *model {
	m := &model{make(map[string]bool), make(map[string]bool), make(map[string]map[string]bool)}
	for _, id := range ids {
		m.rooms[id] = map[string]bool{id: true}
	}
	return m
}

func (m *model) join(id string, rooms []string) {
	if !m.gone[id] {
		for _, r := range rooms {
			m.rooms[id][r] = true
		}
	}
}

func (m *model) leave(id string, rooms []string) {
	if !m.gone[id] {
		for _, r := range rooms {
			delete(m.rooms[id], r)
		}
	}
}

// in reports whether a socket is in one of the rooms. Its own room exists only
// while it is connected.
func (m *model) in(id string, rooms []string) bool {
	return !m.gone[id] && slices.ContainsFunc(rooms, func(r string) bool {
		return m.rooms[id][r] && (r != id || m.sockets[id])
	})
}

func (m *model) collect(rooms, except []string, sender string) string {
	var list []string
	for id := range m.rooms {
		if to := m.in(id, rooms) || len(rooms) == 0 && m.sockets[id]; to && !m.in(id, except) && id != sender {
			list = append(list, id)
		}
	}
	return text(list)
}

// names returns the rooms that exist. An own room counts only if another socket is in
// it.
func (m *model) names() string {
	names := make(map[string]bool)
	for id, rooms := range m.rooms {
		for r := range rooms {
			if !m.gone[id] && r != id {
				names[r] = true
			}
		}
	}
	return text(slices.Collect(maps.Keys(names)))
}

func text(list []string) string { return strings.Join(slices.Sorted(slices.Values(list)), " ") }

func ids(sockets []*socket) string {
	var list []string
	for _, s := range sockets {
		list = append(list, s.id)
	}
	return text(list)
}

// After any operations the index equals the model.
func TestIndexIsWhatTheModelSays(t *testing.T) {
	t.Parallel()
	for seed := range uint64(30) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			random := rand.New(rand.NewPCG(seed, seed))
			var sids []string
			sockets := make(map[string]*socket)
			for i := range 8 {
				id := fmt.Sprint("s", i)
				sids = append(sids, id)
				sockets[id] = newSocket(id)
			}
			names := append([]string{"a", "b", "c", "d", "empty"}, sids...)
			pick := func() string { return sids[random.IntN(len(sids))] }
			some := func() []string {
				list := make([]string, random.IntN(4))
				for i := range list {
					list[i] = names[random.IntN(len(names))]
				}
				return list
			}
			x, m := newIndex(), newModel(sids)
			for step := range 400 {
				id, rooms := pick(), some()
				s := sockets[id]
				switch op := random.IntN(20); {
				case op < 2:
					wantEqual(t, "added", x.Add(s, func() {}), !m.gone[id])
					if !m.gone[id] {
						m.sockets[id] = true
					}
				case op < 10:
					_, ok := x.Join(s, rooms)
					wantEqual(t, "joined", ok, !m.gone[id])
					m.join(id, rooms)
				case op < 18:
					x.Leave(s, rooms)
					m.leave(id, rooms)
				case op == 18 && step > 100:
					x.Remove(s)
					m.gone[id] = true
					delete(m.sockets, id)
				}

				id, rooms, except := pick(), some(), some()
				sender := ""
				if random.IntN(2) == 0 {
					sender = id
				}
				wantEqual(t, "receivers", ids(x.Collect(nil, rooms, except, sockets[sender])), m.collect(rooms, except, sender))
				wantEqual(t, "rooms of a socket", text(x.RoomsOf(sockets[id])), text(slices.Collect(maps.Keys(m.rooms[id]))))
				wantEqual(t, "rooms", text(x.Rooms()), m.names())
				n, r := x.Count()
				wantEqual(t, "counts", fmt.Sprint(n, r), fmt.Sprint(len(m.sockets), len(strings.Fields(m.names()))))
				name := names[random.IntN(len(names))]
				wantEqual(t, "sockets of a room", x.Len(name), len(strings.Fields(m.collect([]string{name}, nil, ""))))
				found, ok := x.Socket(id)
				wantEqual(t, "found", ok && found == sockets[id], m.sockets[id])
				if t.Failed() {
					t.Fatalf("in step %d", step)
				}
			}
		})
	}
}

// Rooms that come and go leave nothing behind.
func TestIndexForgets(t *testing.T) {
	t.Parallel()
	x := newIndex()
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for i := range 500 {
				s := newSocket(fmt.Sprint(g, " ", i))
				x.Add(s, func() {})
				x.Join(s, []string{"all", fmt.Sprint("group ", g), s.id})
				x.Leave(s, []string{fmt.Sprint("group ", g)})
				if n := len(x.Collect(nil, []string{"all"}, nil, nil)); n < 1 || n > 4 {
					t.Errorf("%d sockets in a room of at most 4", n)
				}
				x.Remove(s)
				x.Remove(s)
				x.Join(s, []string{"too late"})
			}
		})
	}
	wg.Wait()
	n, r := x.Count()
	wantEqual(t, "what is left", fmt.Sprint(n, r), "0 0")
}

// The cost of a disconnection depends on the socket's rooms only, and the cost of joining
// and leaving on neither the size of the room nor the number of rooms.
func TestIndexOfManyTakesLinearTime(t *testing.T) { // not parallel: it compares times
	const (
		many  = 20_000
		few   = 20
		times = 200
		most  = 50 // as long as with few; a walk over many would take a thousand times as long
	)
	// busy is in many rooms, and one room has many sockets.
	type crowd struct {
		*rooms.Index[*socket]
		busy, one *socket
	}
	gather := func(n int) crowd {
		c := crowd{Index: newIndex(), busy: newSocket("busy")}
		c.Add(c.busy, func() {})
		for i := range n {
			c.one = newSocket(fmt.Sprint("s", i))
			c.Add(c.one, func() {})
			c.Join(c.one, []string{"all", fmt.Sprint("room ", i)})
			c.Join(c.busy, []string{fmt.Sprint("room ", i)})
		}
		wantEqual(t, "rooms of one socket", len(c.RoomsOf(c.busy)), n+1)
		wantEqual(t, "sockets of one room", c.Len("all"), n)
		return c
	}
	crowds := map[int]crowd{many: gather(many), few: gather(few)}
	for _, tt := range []struct {
		name string
		do   func(crowd)
	}{
		{"one of a large room", func(c crowd) { c.Leave(c.one, []string{"all"}); c.Join(c.one, []string{"all"}) }},
		{"one of many rooms", func(c crowd) { c.Leave(c.busy, []string{"room 0"}); c.Join(c.busy, []string{"room 0"}) }},
		{"a socket comes to a large room and disconnects", func(c crowd) {
			s := newSocket("another")
			c.Add(s, func() {})
			c.Join(s, []string{"all"})
			c.Remove(s)
		}},
	} {
		least := map[int]time.Duration{}
		for range 10 { // the shortest is without other load
			for n, c := range crowds {
				began := time.Now()
				for range times {
					tt.do(c)
				}
				if d := time.Since(began); least[n] == 0 || d < least[n] {
					least[n] = d
				}
			}
		}
		t.Logf("%s: %v of many, %v of few", tt.name, least[many], least[few])
		if least[many] > most*least[few] {
			t.Errorf("%s: %v of many, %v of few", tt.name, least[many], least[few])
		}
	}
	// One socket leaves many rooms, or as many in small portions.
	leave := func(n int) (took time.Duration) {
		c := crowds[n]
		for range many / n {
			s := newSocket("another")
			c.Add(s, func() {})
			for i := range n {
				c.Join(s, []string{fmt.Sprint("room ", i)})
			}
			began := time.Now()
			c.Remove(s)
			took += time.Since(began)
		}
		return took
	}
	at, portions := min(leave(many), leave(many), leave(many)), min(leave(few), leave(few), leave(few))
	t.Logf("%d rooms of one socket: %v, in portions: %v", many, at, portions)
	if at > most*portions {
		t.Errorf("%d rooms of one socket: %v, in portions: %v", many, at, portions)
	}
}

// Collect does not allocate, unless it is for several rooms, of which a socket may be in
// more than one.
func TestCollectAllocations(t *testing.T) { // not parallel: it counts what is allocated
	x := newIndex()
	var sender *socket
	for i := range 1000 {
		sender = newSocket(fmt.Sprint(i))
		x.Add(sender, func() {})
		x.Join(sender, []string{"all", fmt.Sprint("room ", i%10), fmt.Sprint("half ", i%2)})
	}
	dst := make([]*socket, 0, 1000)
	for _, tt := range []struct {
		name          string
		rooms, except []string
		sender        *socket
		found         int
		most          float64
	}{
		{"every socket", nil, nil, nil, 1000, 0},
		{"the others", nil, nil, sender, 999, 0},
		{"a room", []string{"room 1"}, nil, nil, 100, 0},
		{"the others of a room", []string{"all"}, nil, sender, 999, 0},
		{"a socket", []string{"7"}, nil, nil, 1, 0},
		{"all but a room", nil, []string{"half 0"}, nil, 500, 3},
		{"a room but for others", []string{"half 0"}, []string{"room 0", "room 2", "room 4"}, nil, 200, 5},
		{"several rooms", []string{"room 1", "half 1"}, nil, nil, 500, 30},
	} {
		found := 0
		allocations := testing.AllocsPerRun(10, func() {
			found = len(x.Collect(dst, tt.rooms, tt.except, tt.sender))
		})
		wantEqual(t, tt.name+", found", found, tt.found)
		if allocations > tt.most {
			t.Errorf("%s: %v allocations, want at most %v", tt.name, allocations, tt.most)
		}
	}
}
