package client_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/socketio-go/socketio"
	"github.com/socketio-go/socketio/client"
	"github.com/socketio-go/socketio/internal/bubble"
)

// A belief is what the model knows of a namespace: whether the client is to be
// in it. It may be unknown where a refusal may have come first.
type belief uint8

const (
	out belief = iota
	unknown
	in
)

// A model says which states a client may be in, and what it may report.
type model struct {
	t *testing.T
	h *harness
	c *client.Client

	mu     sync.Mutex // guards the following
	spaces []*space
	states []client.Change
	down   bool      // no connection can be opened
	status int       // of the response to handshakes; 0 if the server handles them
	final  time.Time // when the status was last [http.StatusForbidden]: a response may be under way
	closed bool
	calls  sync.WaitGroup // of Connect
}

// A space is a namespace of the model.
type space struct {
	name    string
	socket  *client.Socket
	want    belief
	refused bool // the server's middleware refuses it
	member  bool // OnConnect has run, and OnDisconnect not

	// What has happened so far, which a Connect may return and OnDisconnect may say.
	disconnects, refusals, finals, leaves int
}

// allowed are the changes of a client's state.
var allowed = map[client.State][]client.State{
	client.Idle:       {client.Connecting, client.Closed},
	client.Connecting: {client.Connected, client.Waiting, client.Idle, client.Closed},
	client.Connected:  {client.Waiting, client.Idle, client.Closed},
	client.Waiting:    {client.Connecting, client.Idle, client.Closed},
}

func newModel(t *testing.T, opts client.Options) *model {
	m := &model{t: t}
	m.h = behind(t, func(io http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			m.mu.Lock()
			status := m.status
			m.mu.Unlock()
			bubble.Sleep(3 * time.Millisecond) // so that things happen meanwhile
			if status != 0 && r.URL.Query().Get("sid") == "" {
				http.Error(w, "no", status)
				return
			}
			io.ServeHTTP(w, r)
		})
	})
	m.c = m.h.client(opts)
	m.c.OnState(m.changed)
	for _, name := range []string{"/", "/other"} {
		s := &space{name: name, socket: m.c.Of(name)}
		m.spaces = append(m.spaces, s)
		m.h.io.Of(name).Use(func(context.Context, *socketio.Socket) error {
			bubble.Sleep(3 * time.Millisecond)
			m.mu.Lock()
			defer m.mu.Unlock()
			if s.refused {
				return socketio.Errorf("refused")
			}
			return nil
		})
		s.socket.OnConnect(func(client.Joined) { m.joined(s) })
		s.socket.OnDisconnect(func(r socketio.Reason) { m.left(s, r) })
	}
	return m
}

// changed checks a change of state.
func (m *model) changed(change client.Change) {
	m.mu.Lock()
	defer m.mu.Unlock()
	last := client.Idle
	if n := len(m.states); n > 0 {
		last = m.states[n-1].To
	}
	m.states = append(m.states, change)
	if change.From != last || !slices.Contains(allowed[change.From], change.To) {
		m.t.Errorf("%v to %v, after %v", change.From, change.To, last)
	}
}

func (m *model) joined(s *space) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if s.member {
		m.t.Errorf("%s: OnConnect twice", s.name)
	}
	s.member = true
}

func (m *model) left(s *space, reason socketio.Reason) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !s.member {
		m.t.Errorf("%s: OnDisconnect without OnConnect", s.name)
	}
	s.member = false
	switch reason {
	case client.ReasonServer:
		if s.leaves == 0 {
			m.t.Errorf("%s: %s", s.name, reason)
		}
	case client.ReasonClient:
		if s.disconnects == 0 && !m.closed {
			m.t.Errorf("%s: %s", s.name, reason)
		}
	case client.ReasonTransport, client.ReasonError, client.ReasonPingTimeout:
	default:
		m.t.Errorf("%s: %s", s.name, reason)
	}
}

// connect calls Connect, and checks what it returns. timeout is none if 0.
func (m *model) connect(s *space, timeout time.Duration) {
	m.mu.Lock()
	before := *s
	forbidden := m.status == http.StatusForbidden || time.Since(m.final) < time.Second
	switch {
	case m.closed:
	case s.want == in:
	case s.refused, forbidden, timeout > 0:
		s.want = unknown
	default:
		s.want = in
	}
	if s.refused {
		before.refusals--
	}
	if forbidden {
		before.finals--
	}
	m.mu.Unlock()
	ctx, cancel := context.WithCancel(m.t.Context())
	if timeout > 0 {
		ctx, cancel = context.WithTimeout(m.t.Context(), timeout)
	}
	m.calls.Go(func() {
		defer cancel()
		err := s.socket.Connect(ctx)
		m.mu.Lock()
		defer m.mu.Unlock()
		var refused *client.RefusedError
		var handshake *client.HandshakeError
		var gone *socketio.DisconnectError
		ok := false
		switch {
		case err == nil:
			ok = true
		case errors.Is(err, client.ErrClosed):
			ok = m.closed
		case errors.Is(err, client.ErrDisconnected):
			ok = s.disconnects > before.disconnects
		case errors.Is(err, context.DeadlineExceeded):
			ok = timeout > 0
		case errors.As(err, &refused):
			ok = s.refusals > before.refusals && refused.Namespace == s.name
		case errors.As(err, &handshake):
			ok = s.finals > before.finals && handshake.Final
		case errors.As(err, &gone):
			ok = s.leaves > before.leaves
		}
		if !ok {
			m.t.Errorf("%s: Connect returned %v", s.name, err)
		}
	})
	synctest.Wait() // until it has begun
}

func (m *model) disconnect(s *space) {
	m.mu.Lock()
	s.want = out
	s.disconnects++
	m.mu.Unlock()
	if err := s.socket.Disconnect(); err != nil {
		m.t.Error(err)
	}
}

// doubt notes that something may have ended the membership for good.
func (s *space) doubt() {
	if s.want == in {
		s.want = unknown
	}
}

func (m *model) refuse(s *space, refused bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if s.refused = refused; refused {
		s.refusals++
		s.doubt()
	}
}

// answer has the server answer handshakes with a status, or handle them.
func (m *model) answer(status int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.status == http.StatusForbidden {
		m.final = time.Now()
	}
	m.status = status
	for _, s := range m.spaces {
		if status == http.StatusForbidden {
			s.finals++
			s.doubt()
		}
	}
}

// leave has the server leave a namespace.
func (m *model) leave(s *space) {
	m.mu.Lock()
	s.leaves++
	s.doubt()
	m.mu.Unlock()
	for socket := range m.h.io.Of(s.name).LocalSockets() {
		socket.Disconnect()
	}
}

func (m *model) setDown(down bool) {
	m.mu.Lock()
	m.down = down
	m.mu.Unlock()
	m.h.setDown(down)
	if down {
		m.h.cut()
	}
}

func (m *model) close() {
	m.mu.Lock()
	m.closed = true
	for _, s := range m.spaces {
		s.want = out
	}
	m.mu.Unlock()
	if err := m.c.Close(); err != nil {
		m.t.Error(err)
	}
}

// settle waits until nothing changes any more, and checks the state.
func (m *model) settle() {
	bubble.Sleep(5 * time.Minute)
	synctest.Wait()
	m.mu.Lock()
	defer m.mu.Unlock()
	state := m.c.State()
	isIn, mayBeIn := false, false // a namespace
	for _, s := range m.spaces {
		connected := s.socket.Connected()
		isIn, mayBeIn = isIn || s.want == in, mayBeIn || s.want != out
		if connected != s.member {
			m.t.Errorf("%s: connected: %v, reported: %v", s.name, connected, s.member)
		}
		if connected != (s.socket.ID() != "") || connected != (s.socket.Context().Err() == nil) {
			m.t.Errorf("%s: connected: %v, id %q, context: %v", s.name, connected, s.socket.ID(), s.socket.Context().Err())
		}
		switch {
		case connected && (s.want == out || m.down):
			m.t.Errorf("%s: connected, and must not be", s.name)
		case !connected && s.want == in && !m.down && m.status == 0:
			m.t.Errorf("%s: not connected, in the state %v", s.name, state)
		}
	}
	var want []client.State
	switch {
	case m.closed:
		want = []client.State{client.Closed}
	case !mayBeIn:
		want = []client.State{client.Idle}
	case isIn && m.down:
		want = []client.State{client.Waiting, client.Connecting}
	case isIn && m.status == 0:
		want = []client.State{client.Connected}
	default:
		return
	}
	if !slices.Contains(want, state) {
		m.t.Errorf("the state is %v, want %v", state, want)
	}
	if n := len(m.states); n > 0 && m.states[n-1].To != state {
		m.t.Errorf("the state is %v, the last change %+v", state, m.states[n-1])
	}
}

// do does what a byte says.
func (m *model) do(b byte) {
	s := m.spaces[b>>4&1]
	many := int(b >> 5)
	switch b & 15 {
	case 0, 1:
		m.connect(s, 0)
	case 2:
		m.connect(s, time.Duration(1+many)*time.Second)
	case 3:
		m.disconnect(s)
	case 4:
		m.h.cut()
	case 5:
		m.setDown(many > 3)
	case 6:
		m.h.freeze(many > 1)
	case 7:
		m.refuse(s, many > 3)
	case 8:
		m.answer([]int{0, http.StatusServiceUnavailable, 0, http.StatusForbidden}[many&3])
	case 9:
		m.leave(s)
	case 10:
		err := s.socket.Emit("echo", int(b))
		m.mu.Lock()
		if errors.Is(err, client.ErrClosed) != m.closed || err != nil && !m.closed {
			m.t.Errorf("%s: Emit returned %v", s.name, err)
		}
		m.mu.Unlock()
	case 11:
		bubble.Sleep(time.Duration(many*many*many*many) * time.Millisecond)
	case 12:
		synctest.Wait()
	case 13:
		m.disconnect(s)
		m.connect(s, 0)
	case 14:
		m.settle()
	case 15:
		if many == 7 {
			m.close()
		}
	}
}

// end makes everything work, and checks that the client does.
func (m *model) end() {
	m.setDown(false)
	m.answer(0)
	m.h.freeze(false)
	for _, s := range m.spaces {
		m.refuse(s, false)
	}
	m.settle()
	for _, s := range m.spaces {
		m.connect(s, 0)
	}
	m.settle()
	m.close()
	m.calls.Wait()
	m.settle()
}

func play(t *testing.T, way string, ops []byte) {
	synctest.Test(t, func(t *testing.T) {
		m := newModel(t, ways[way])
		for _, b := range ops {
			m.do(b)
		}
		m.end()
	})
}

// FuzzStates has a client connect, be refused, lose its connection, disconnect
// and close in any order. A model says which states, events and errors may follow.
func FuzzStates(f *testing.F) {
	for i := range uint64(20) {
		random := rand.New(rand.NewPCG(i, i))
		ops := make([]byte, 40)
		for j := range ops {
			ops[j] = byte(random.Uint32())
		}
		f.Add(byte(i), ops)
	}
	f.Fuzz(func(t *testing.T, way byte, ops []byte) {
		play(t, []string{"websocket", "polling", "upgrading"}[way%3], ops[:min(len(ops), 200)])
	})
}

// TestStates is FuzzStates with random input.
func TestStates(t *testing.T) {
	for i := range uint64(100) {
		for way := range ways {
			t.Run(fmt.Sprint(way, i), func(t *testing.T) {
				random := rand.New(rand.NewPCG(i, 7))
				ops := make([]byte, 60)
				for j := range ops {
					ops[j] = byte(random.Uint32())
				}
				play(t, way, ops)
			})
		}
	}
}
