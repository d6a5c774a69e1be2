package tests_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/socketio-go/socketio"
	"github.com/socketio-go/socketio/internal/siotest"
)

// A history is what one client receives of some emitters that count.
type history struct {
	next     map[int]int // by emitter
	complete bool        // nothing may be missing
	received int
}

// check reads packets until the connection ends or end comes: numbers of one
// emitter grow, so nothing comes twice or in the wrong order, and an event's
// attachments follow it at once, with what it says of them.
func (h *history) check(t *testing.T, c *siotest.Client, end string) {
	for {
		packet, err := c.Next()
		if err != nil {
			if end != "" {
				t.Errorf("the connection ended: %v", err)
			}
			return
		}
		text, ok := packet.(string)
		switch {
		case !ok:
			t.Errorf("an attachment of no event: % x", packet)
			return
		case text == end:
			return
		}
		var emitter, n int
		format := `42["count",%d,%d]`
		binary := strings.HasPrefix(text, "45")
		if binary {
			format = `452-["count",%d,%d,{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]`
		}
		if _, err := fmt.Sscanf(text, format, &emitter, &n); err != nil {
			if binary { // something else
				c.Next()
			}
			continue
		}
		if due := h.next[emitter]; n < due || h.complete && n > due {
			t.Errorf("%d of emitter %d comes when %d is due", n, emitter, due)
			return
		}
		h.next[emitter] = n + 1
		h.received++
		for i := range 2 {
			if !binary {
				break
			}
			if packet, err = c.Next(); err != nil {
				return // it ended there
			}
			if want := fmt.Sprint(emitter, n, i); siotest.Show(packet) != siotest.Show([]byte(want)) {
				t.Errorf("attachment %d of %s is %s", i, text, siotest.Show(packet))
				return
			}
		}
	}
}

// count emits numbers as an emitter of a history, every other one with
// attachments.
func count(target socketio.Target, emitter, n int) error {
	if n%2 == 0 {
		return target.Emit("count", emitter, n)
	}
	return target.Emit("count", emitter, n, fmt.Append(nil, emitter, n, 0), fmt.Append(nil, emitter, n, 1))
}

// Broadcasts, joins, leaves, connects and disconnects at the same time: who
// stays receives everything once and in order, the others a part of it.
func TestStorm(t *testing.T) {
	t.Parallel()
	const (
		emitters = 6
		numbers  = 200
	)
	srv := siotest.Serve(t, nil)
	var clients, churn, emit sync.WaitGroup
	stop := make(chan struct{})
	stopped := func() bool {
		select {
		case <-stop:
			return true
		default:
			return false
		}
	}
	stays := make(map[*socketio.Socket]bool)
	closeSome := func(n int) {
		for s := range srv.LocalSockets() {
			if n > 0 && !stays[s] {
				s.CloseConnection()
				n--
			}
		}
	}
	for _, transport := range []string{siotest.WebSocket, siotest.WebSocket, siotest.Polling} { // who stays
		c, s := srv.JoinSocket(t, transport)
		s.Join("room")
		stays[s] = true
		clients.Go(func() {
			h := &history{next: make(map[int]int), complete: true}
			h.check(t, c, `42["end"]`)
			siotest.WantEqual(t, "received", h.received, emitters*numbers)
		})
	}
	for range 4 { // who comes and goes
		clients.Go(func() {
			for i := 0; !stopped(); i++ {
				transport := siotest.WebSocket
				if i%3 == 2 {
					transport = siotest.Polling
				}
				c := srv.Join(t, transport)
				clients.Go(func() {
					h := &history{next: make(map[int]int)}
					h.check(t, c, "")
				})
				switch i % 4 {
				case 0:
					c.Wire.Close()
				case 1:
					c.Wire.Write(`41`, `4bad`) // unless somebody else has closed it
				default:
					closeSome(1)
				}
			}
		})
	}
	for range 2 { // what happens to sockets
		churn.Go(func() {
			random := rand.New(rand.NewPCG(1, 2))
			for !stopped() {
				for s := range srv.LocalSockets() {
					name := fmt.Sprint("other ", random.IntN(4))
					switch random.IntN(4) {
					case 0, 1:
						s.Join(name)
						if random.IntN(2) == 0 {
							s.Leave(name)
						}
					case 2:
						srv.To(name).Volatile().Emit("noise", []byte(name))
					case 3:
						s.Leave("other 0", "other 1", "other 2", "other 3")
					}
				}
			}
		})
	}
	for e := range emitters {
		emit.Go(func() {
			var target socketio.Target = srv
			if e%2 == 0 {
				target = srv.To("room", "other 1", "other 2")
			}
			for n := range numbers {
				if err := count(target, e, n); err != nil {
					t.Error(err)
				}
			}
		})
	}
	emit.Wait()
	close(stop)
	churn.Wait()
	srv.Emit("end")
	done := make(chan struct{})
	go func() {
		clients.Wait()
		close(done)
	}()
	for waiting := true; waiting; { // for who came and may still be there
		closeSome(1000)
		select {
		case <-done:
			waiting = false
		default:
			runtime.Gosched()
		}
	}
	if err := srv.Close(); err != nil {
		t.Error(err)
	}
	st := srv.Stats()
	siotest.WantEqual(t, "what is left", fmt.Sprint(st.Connections, st.Sockets, st.Rooms), "0 0 0")
}

// Many goroutines broadcast binary data at the same time: each event comes whole,
// with its own attachments right behind it, to every receiver.
func TestBinaryBroadcastsOfManyGoroutines(t *testing.T) {
	t.Parallel()
	const emitters, numbers = 100, 20
	// The receivers are not waited for, so all of it may be queued.
	srv := siotest.Serve(t, &socketio.Options{MaxQueue: 64 << 20})
	var receivers, emit sync.WaitGroup
	for _, transport := range []string{siotest.WebSocket, siotest.WebSocket, siotest.Polling, siotest.Polling} {
		c := srv.Join(t, transport)
		c.WantNothing()
		receivers.Go(func() {
			h := &history{next: make(map[int]int), complete: true}
			h.check(t, c, `42["end"]`)
			siotest.WantEqual(t, "received", h.received, emitters*numbers)
		})
	}
	for e := range emitters {
		emit.Go(func() {
			for n := range numbers {
				if err := count(srv, e, n); err != nil {
					t.Error(err)
				}
			}
		})
	}
	emit.Wait()
	srv.Emit("end")
	receivers.Wait()
}

// When Join has returned a broadcast reaches the socket, when Leave has
// returned none does, whatever happens in the room at the same time.
func TestJoinAndLeaveAreVisible(t *testing.T) {
	t.Parallel()
	srv := siotest.Serve(t, nil)
	c, s := srv.JoinSocket(t, siotest.WebSocket)
	stop := make(chan struct{})
	var others sync.WaitGroup
	for range 2 {
		oc, other := srv.JoinSocket(t, siotest.WebSocket)
		others.Go(func() {
			for {
				if _, err := oc.Next(); err != nil {
					return
				}
			}
		})
		others.Go(func() {
			defer other.CloseConnection()
			for {
				select {
				case <-stop:
					return
				default:
				}
				other.Join("room")
				other.Leave("room")
				srv.To("room").Except(s.ID()).Emit("noise")
			}
		})
	}
	const rounds = 500
	go func() {
		for i := range rounds {
			s.Join("room")
			srv.To("room").Emit("inside", i)
			s.Leave("room")
			srv.To("room").Emit("outside", i)
		}
		s.Emit("end")
	}()
	for i := range rounds {
		c.Want(fmt.Sprintf(`42["inside",%d]`, i))
	}
	c.Want(`42["end"]`)
	close(stop)
	others.Wait()
	siotest.WantEqual(t, "left in the room", srv.Room("room").LocalLen(), 0)
}

// A socket that leaves while it joins is nowhere in the end.
func TestJoinWhileLeaving(t *testing.T) {
	t.Parallel()
	srv := siotest.Serve(t, nil)
	const rounds = 60
	for i := range rounds {
		c, s := srv.JoinSocket(t, siotest.WebSocket)
		var wg sync.WaitGroup
		for g := range 3 {
			wg.Go(func() {
				for j := range 50 {
					if err := s.Join("room", fmt.Sprint(g, j)); err != nil && !errors.Is(err, socketio.ErrClosed) {
						t.Error(err)
					}
				}
			})
		}
		wg.Go(func() {
			switch i % 3 {
			case 0:
				s.Disconnect()
			case 1:
				c.Wire.Close()
			default:
				c.Write(`41`)
			}
		})
		wg.Wait()
		if d := siotest.Receive(t, srv.Disconnects); d.ID != s.ID() {
			t.Errorf("%s left, not %s", d.ID, s.ID())
		}
		if err := s.Join("room"); !errors.Is(err, socketio.ErrClosed) {
			t.Errorf("Join after the end: %v", err)
		}
	}
	st := srv.Stats()
	siotest.WantEqual(t, "sockets and rooms left", fmt.Sprint(st.Sockets, st.Rooms), "0 0")
}

// Questions end when the client does, all of them, each once.
func TestQuestionsWhileLeaving(t *testing.T) {
	t.Parallel()
	srv := siotest.Serve(t, nil)
	for i := range 30 {
		c, s := srv.JoinSocket(t, siotest.WebSocket)
		var asked sync.WaitGroup
		var called atomic.Int32
		const each = 20
		emitted := make(chan int32, 3)
		for range 3 {
			asked.Go(func() {
				var n int32
				for range each {
					if s.Emit("q", func(_ socketio.Args, err error) {
						called.Add(1)
						if err != nil && !errors.Is(err, socketio.ErrClosed) {
							t.Errorf("a question ended with %v", err)
						}
					}) == nil {
						n++
					}
					if _, err := s.EmitWithAck(context.Background(), "q"); err != nil && !errors.Is(err, socketio.ErrClosed) { //nolint:usetesting // ends with the socket
						t.Errorf("a question ended with %v", err)
					}
				}
				emitted <- n
			})
		}
		answers := 0
		for {
			packet, err := c.Next()
			if err != nil {
				break
			}
			var id int
			if _, err := fmt.Sscanf(packet.(string), `42%d["q"]`, &id); err == nil && c.Wire.Write(fmt.Sprintf(`43%d[]`, id)) == nil {
				answers++
			}
			if answers >= 3*i {
				s.CloseConnection()
			}
		}
		asked.Wait()
		<-s.Context().Done()
		if d := siotest.Receive(t, srv.Disconnects); d.ID != s.ID() {
			t.Errorf("%s left, not %s", d.ID, s.ID())
		}
		total := <-emitted + <-emitted + <-emitted
		siotest.WantEqual(t, "callbacks called before OnDisconnect", called.Load(), total)
	}
}

// A server that shuts down while it broadcasts sends whole events or none.
func TestShutdownDuringBroadcasts(t *testing.T) {
	t.Parallel()
	for range 5 {
		srv := siotest.Serve(t, nil)
		var clients, emitters sync.WaitGroup
		for i := range 6 {
			transport := siotest.WebSocket
			if i%3 == 2 {
				transport = siotest.Polling
			}
			c := srv.Join(t, transport)
			clients.Go(func() {
				h := &history{next: make(map[int]int), complete: true}
				h.check(t, c, "")
			})
		}
		stop := make(chan struct{})
		for e := range 3 {
			emitters.Go(func() {
				for n := 0; ; n++ {
					select {
					case <-stop:
						return
					default:
						if err := count(srv, e, n); err != nil {
							t.Error(err)
						}
					}
				}
			})
		}
		if err := srv.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
		close(stop)
		emitters.Wait()
		clients.Wait()
	}
}
