package tests_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/socketio-go/socketio"
	"github.com/socketio-go/socketio/adapter"
	"github.com/socketio-go/socketio/internal/bubble"
	"github.com/socketio-go/socketio/internal/siotest"
)

// A stage is a bus on which the test plays the other servers.
type stage struct {
	mu    sync.Mutex
	seats map[string]*stageSeat // by namespace
	left  []string
	peers adapter.Peers
	fail  error // of Publish and Peers
}

type stageSeat struct {
	*stage
	namespace string
	host      adapter.Host
	published chan *adapter.Message
	changed   chan string
	gone      chan struct{}
	broken    chan struct{} // closed when nothing can be published here
}

func newStage(peers ...string) *stage {
	return &stage{seats: make(map[string]*stageSeat), peers: adapter.Peers{Count: len(peers), IDs: peers}}
}

func (b *stage) Join(namespace string, host adapter.Host) adapter.Member {
	s := &stageSeat{b, namespace, host, make(chan *adapter.Message, 100), make(chan string, 100), make(chan struct{}), make(chan struct{})}
	close(s.gone)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.seats[namespace] = s
	return s
}

func (b *stage) seat(namespace string) *stageSeat {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.seats[namespace]
}

// set changes who is there, and whether anything works.
func (b *stage) set(fail error, peers adapter.Peers) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.fail, b.peers = fail, peers
}

func (s *stageSeat) ID() string { return "self" }

func (s *stageSeat) Ready(context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.fail
}

func (s *stageSeat) Publish(m *adapter.Message) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fail != nil {
		return s.fail
	}
	select {
	case <-s.broken:
		return adapter.ErrBacklog
	default:
	}
	c := *m
	c.Data, c.Binary = bytes.Clone(m.Data), slices.Clone(m.Binary)
	s.published <- &c
	return nil
}

func (s *stageSeat) Peers(context.Context) (adapter.Peers, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.peers, s.fail
}

func (s *stageSeat) Leave() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.left = append(s.left, s.namespace)
	return s.gone
}

func (s *stageSeat) RoomChanged(room string) {
	select {
	case s.changed <- fmt.Sprint(room, " ", s.host.Wants(room)):
	default:
	}
}

// onStage returns a server whose other servers are played by the test.
func onStage(t *testing.T, peers ...string) (*siotest.Server, *stageSeat) {
	t.Helper()
	b := newStage(peers...)
	srv := siotest.Serve(t, &socketio.Options{Adapter: b})
	return srv, b.seat("/")
}

// A server knows its rooms, those of single sockets included.
func TestRoomsForOtherServers(t *testing.T) {
	t.Parallel()
	srv, seat := onStage(t)
	ids := make(chan string, 1)
	srv.OnConnect(func(s *socketio.Socket) {
		s.Join("r")
		ids <- s.ID()
	})
	srv.Join(t, siotest.WebSocket)
	id := siotest.Receive(t, ids)
	rooms := seat.host.(adapter.RoomLister).Rooms()
	siotest.WantEqual(t, "rooms", strings.Join(siotest.Sorted(rooms), " "), strings.Join(siotest.Sorted([]string{"r", id}), " "))
}

// what formats a published message, but for what is random.
func what(m *adapter.Message) string {
	text := fmt.Sprintf("%v to=%q rooms=%v except=%v", m.Kind, m.To, m.Rooms, m.Except)
	if m.Volatile {
		text += " volatile"
	}
	if m.Compress != 0 {
		text += fmt.Sprint(" compress=", m.Compress)
	}
	if m.Targets != nil {
		text += fmt.Sprint(" targets=", m.Targets)
	}
	if m.Close {
		text += " close"
	}
	if m.Kind == adapter.Clients {
		text += fmt.Sprint(" count=", m.Count)
	}
	if m.Failed {
		text += " failed"
	}
	if m.Data != nil && m.Kind != adapter.Fetched {
		text += fmt.Sprintf(" %s %q", m.Data, m.Binary)
	}
	return text
}

func TestPublished(t *testing.T) {
	t.Parallel()
	srv, seat := onStage(t)
	g := gather(t, srv, siotest.WebSocket, "ann: lobby")
	ann := g.sockets["ann"]
	ctx := t.Context()
	id := ann.ID()
	tests := []struct {
		name string
		do   func() error
		want string
	}{
		{"all", func() error { return srv.Emit("e", 1, []byte("b")) }, `broadcast to="" rooms=[] except=[] ["e",1,{"_placeholder":true,"num":0}] ["b"]`},
		{"rooms", func() error { return srv.To("a", "b").Except("c").Emit("e") }, `broadcast to="" rooms=[a b] except=[c] ["e"] []`},
		{"flags", func() error { return srv.Volatile().Compress(false).Emit("e") }, `broadcast to="" rooms=[] except=[] volatile compress=-1 ["e"] []`},
		{"compressed", func() error { return srv.Broadcast().Compress(true).Emit("e") }, `broadcast to="" rooms=[] except=[] compress=1 ["e"] []`},
		{"others", func() error { return ann.To("lobby").Except("x").Emit("e") }, `broadcast to="" rooms=[lobby] except=[x ` + id + `] ["e"] []`},
		{"local", func() error { return srv.Local().Emit("e") }, ""},
		{"oneself", func() error { return ann.Emit("e") }, ""},
		{"oneself, volatile", func() error { return ann.Volatile().Emit("e") }, ""},
		{"join", func() error { return srv.To("a").Join(ctx, "r", "s") }, `join to="" rooms=[a] except=[] targets=[r s]`},
		{"leave", func() error { return srv.Except("a").Leave(ctx, "r") }, `leave to="" rooms=[] except=[a] targets=[r]`},
		{"disconnect", func() error { return srv.To("nobody").Disconnect(ctx) }, `disconnect to="" rooms=[nobody] except=[]`},
		{"close", func() error { return srv.To("nobody").CloseConnections(ctx) }, `disconnect to="" rooms=[nobody] except=[] close`},
		{"local join", func() error { return srv.Local().Join(ctx, "r") }, ""},
		{"empty list", func() error { return srv.To().Emit("e") }, ""},
		{"empty list, volatile", func() error { return ann.To().Volatile().Emit("e") }, ""},
		{"empty list with answers", func() error { _, err := srv.To().EmitWithAck(ctx, "e"); return err }, ""},
		{"join of an empty list", func() error { return srv.To().Join(ctx, "r") }, ""},
		{"leave of an empty list", func() error { return srv.To().Leave(ctx, "lobby") }, ""},
		{"disconnect of an empty list", func() error { return srv.To().Disconnect(ctx) }, ""},
		{"close of an empty list", func() error { return srv.To().CloseConnections(ctx) }, ""},
		{"count of an empty list", func() error { n, err := srv.To().Count(ctx); siotest.WantEqual(t, "count", n, 0); return err }, ""},
		{"sockets of an empty list", func() error { l, err := srv.To().Sockets(ctx); siotest.WantEqual(t, "sockets", len(l), 0); return err }, ""},
		{"but for an empty list", func() error { return srv.Except().Emit("e") }, `broadcast to="" rooms=[] except=[] ["e"] []`},
		{"server side", func() error { return srv.ServerSideEmit("e", 1) }, `emit to="" rooms=[] except=[] ["e",1] []`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			siotest.WantEqual(t, "error", test.do(), nil)
			got := ""
			select {
			case m := <-seat.published:
				got = what(m)
				siotest.WantEqual(t, "no answer is asked for", m.ID, "")
			default:
			}
			switch test.name {
			case "join", "leave", "disconnect", "close": // and whether it is done
				siotest.WantEqual(t, "asked", (<-seat.published).Kind, adapter.Count)
			}
			siotest.WantEqual(t, "published", got, test.want)
		})
	}
	late := srv.Join(t, siotest.WebSocket)
	seat.set(adapter.ErrBacklog, adapter.Peers{})
	err := srv.Emit("still")
	siotest.WantEqual(t, "unpublished", errors.Is(err, socketio.ErrUnpublished) && errors.Is(err, adapter.ErrBacklog), true)
	late.Want(`42["still"]`)
	siotest.WantEqual(t, "lost", srv.Stats().Cluster.Lost, 1)
	seat.set(nil, adapter.Peers{})
}

func TestDelivered(t *testing.T) {
	t.Parallel()
	srv, seat := onStage(t)
	g := gather(t, srv, siotest.WebSocket, "ann: lobby", "bob:")
	ann, bob := g.clients["ann"], g.clients["bob"]
	deliver := func(m adapter.Message) {
		m.From = "other"
		seat.host.Deliver(&m)
	}
	data := []byte(`["e",{"_placeholder":true,"num":0}]`)
	deliver(adapter.Message{Kind: adapter.Broadcast, Rooms: []string{"lobby"}, Data: data, Binary: [][]byte{{1}}})
	ann.Want(`451-["e",{"_placeholder":true,"num":0}]`, []byte{1})
	deliver(adapter.Message{Kind: adapter.Broadcast, Except: []string{"lobby"}, Data: []byte(`["not ann"]`), Compress: adapter.CompressAlways})
	bob.Want(`42["not ann"]`)
	deliver(adapter.Message{Kind: adapter.Broadcast, Rooms: []string{"nowhere"}, Data: []byte(`not looked at`)})
	deliver(adapter.Message{Kind: adapter.Join, Rooms: []string{g.sockets["bob"].ID()}, Targets: []string{"games"}})
	siotest.WantEqual(t, "games", srv.Room("games").LocalLen(), 1)
	deliver(adapter.Message{Kind: adapter.Leave, Targets: []string{"games", "lobby"}})
	siotest.WantEqual(t, "games", srv.Room("games").LocalLen(), 0)
	deliver(adapter.Message{Kind: adapter.Disconnect, Rooms: []string{g.sockets["ann"].ID()}})
	srv.WantDisconnect(t, g.sockets["ann"].ID(), socketio.ReasonServer)
	ann.Want("41")
	ann.Join("/", "")
	deliver(adapter.Message{Kind: adapter.Disconnect, Close: true})
	ann.Want("41")
	ann.WantClosed()
	siotest.WantEqual(t, "received", srv.Stats().Cluster.Received, 7)
}

func TestGarbageFromTheBus(t *testing.T) {
	t.Parallel()
	srv, seat := onStage(t)
	c := srv.Join(t, siotest.WebSocket)
	tests := map[string]adapter.Message{
		"no kind":                  {},
		"an unknown kind":          {Kind: 200},
		"no event":                 {Kind: adapter.Broadcast},
		"no JSON":                  {Kind: adapter.Broadcast, Data: []byte(`["e"`)},
		"no name":                  {Kind: adapter.Broadcast, Data: []byte(`[]`)},
		"a reserved name":          {Kind: adapter.Broadcast, Data: []byte(`["disconnect"]`)},
		"no UTF-8":                 {Kind: adapter.Broadcast, Data: []byte("[\"e\",\"\xff\"]")},
		"no such attachment":       {Kind: adapter.Broadcast, Data: []byte(`["e",{"_placeholder":true,"num":1}]`), Binary: [][]byte{{1}}},
		"too deep":                 {Kind: adapter.Broadcast, Data: []byte(`["e",` + strings.Repeat("[", 1000) + strings.Repeat("]", 1000) + `]`)},
		"no server-side event":     {Kind: adapter.Emit, Data: []byte(`{`)},
		"a server-side number":     {Kind: adapter.Emit, Data: []byte(`[1]`)},
		"no server-side UTF-8":     {Kind: adapter.Emit, Data: []byte("[\"\xff\"]")},
		"a question without event": {Kind: adapter.Broadcast, ID: "x"},
	}
	n := uint64(0)
	for name, m := range tests {
		seat.host.Deliver(&m)
		if n++; srv.Stats().Cluster.Malformed != n {
			t.Errorf("%s: was not counted", name)
			n = srv.Stats().Cluster.Malformed
		}
		if err := siotest.Receive(t, srv.Errors); !strings.Contains(err.Error(), "malformed message") {
			t.Errorf("%s: %v", name, err)
		}
	}
	seat.host.Deliver(&adapter.Message{Kind: adapter.Clients, ID: "nobody asked", Count: 3})
	c.WantNothing()
}

// Numbered messages are delivered in order and once, and what is missing is
// counted.
func TestNumberedMessages(t *testing.T) {
	t.Parallel()
	srv, seat := onStage(t)
	c := srv.Join(t, siotest.WebSocket)
	for _, n := range []uint64{5, 6, 6, 4, 9, 8, 10} {
		for _, from := range []string{"a", "b"} {
			seat.host.Deliver(&adapter.Message{Kind: adapter.Broadcast, From: from, Seq: n, Data: fmt.Appendf(nil, `[%q,%d]`, from, n)})
		}
	}
	for _, n := range []int{5, 6, 9, 10} {
		c.Want(fmt.Sprintf(`42["a",%d]`, n), fmt.Sprintf(`42["b",%d]`, n))
	}
	siotest.WantEqual(t, "lost", srv.Stats().Cluster.Lost, 4)
}

// answer waits for a question and answers it.
func (s *stageSeat) answer(t *testing.T, answers ...adapter.Message) (asked *adapter.Message) {
	t.Helper()
	asked = siotest.Receive(t, s.published)
	for _, a := range answers {
		a.ID = asked.ID
		s.host.Deliver(&a)
	}
	return asked
}

const details = `[{"id":"s1","handshake":{"headers":{"host":"example.org","x-a":"1, 2","set-cookie":["a","b"]},"time":"?","address":"1.2.3.4","xdomain":true,
	"secure":true,"issued":1700000000000,"url":"/socket.io/?EIO=4","query":{"EIO":"4","n":["1","2"]},"auth":{"token":"t"}},"rooms":["s1",42],"data":{"name":"dan","secret":{"_placeholder":true,"num":0}}}]`

func TestRemoteSockets(t *testing.T) {
	t.Parallel()
	srv, seat := onStage(t, "x", "y")
	g := gather(t, srv, siotest.WebSocket, "ann: lobby")
	nameKey.Set(g.sockets["ann"], "ann")
	go seat.answer(t,
		adapter.Message{Kind: adapter.Fetched, From: "x", Data: []byte(details), Binary: [][]byte{{7}}},
		adapter.Message{Kind: adapter.Fetched, From: "x", Data: []byte(details)}, // again
		adapter.Message{Kind: adapter.Fetched, From: "y", Data: []byte(`[]`)})
	list, err := srv.To("lobby").Sockets(t.Context())
	if err != nil || len(list) != 2 {
		t.Fatal(list, err)
	}
	r := list[0]
	h := r.Handshake
	name, _ := nameKey.Get(r)
	secret, _ := secretKey.Get(r)
	_, wrong := socketio.Key[int]("name").Get(r)
	_, missing := socketio.Key[int]("missing").Get(r)
	got := fmt.Sprint(r.ID, r.Rooms, name, fmt.Sprintf("%x", secret), wrong, missing, h.Host, h.Header["X-A"], h.Header["Set-Cookie"], h.URL, h.RemoteAddr, h.Secure, h.Time.Unix(), string(h.Auth.Raw(0)))
	siotest.WantEqual(t, "details", got, `s1[s1 42]dan07false falseexample.org[1, 2] [a b] /socket.io/?EIO=41.2.3.4true 1700000000{"token":"t"}`)
	siotest.WantEqual(t, "the one here", list[1].ID, g.sockets["ann"].ID())

	go seat.answer(t, adapter.Message{Kind: adapter.Clients, From: "x", Count: 5}, adapter.Message{Kind: adapter.Fetched, From: "y", Data: []byte(details)})
	n, err := srv.To("lobby").Count(t.Context())
	siotest.WantEqual(t, "count", n, 7)
	siotest.WantEqual(t, "error", err, nil)

	for _, bad := range []adapter.Message{
		{Kind: adapter.Acked, From: "x", Data: []byte(`[]`)},
		{Kind: adapter.Fetched, From: "x", Data: []byte(`{`)},
		{Kind: adapter.Fetched, From: "x", Data: []byte(`[1]`)},
	} {
		go seat.answer(t, bad, adapter.Message{Kind: adapter.Fetched, From: "y", Data: []byte(`[]`)})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		list, _ := srv.Broadcast().Sockets(ctx)
		cancel()
		siotest.WantEqual(t, "sockets", len(list), 1)
	}
}

// A socket is described to other servers as Node does, with what can be sent.
func TestDescribed(t *testing.T) {
	t.Parallel()
	srv, seat := onStage(t)
	c := srv.Open(t, siotest.WebSocket)
	s := srv.Socket(t, c, c.Join("/", `{"token":"x"}`))
	nameKey.Set(s, "eve")
	secretKey.Set(s, []byte{9})
	socketio.Key[chan int]("not").Set(s, make(chan int))
	seat.host.Deliver(&adapter.Message{Kind: adapter.Fetch, From: "x", ID: "1"})
	m := siotest.Receive(t, seat.published)
	siotest.WantEqual(t, "answer", fmt.Sprint(m.Kind, m.To, m.ID, m.Binary), "fetchedx1[[9]]")
	var list []struct {
		ID        string
		Rooms     []string
		Data      map[string]any
		Handshake struct {
			Headers map[string]string
			URL     string
			Query   map[string]string
			Auth    map[string]string
		}
	}
	if err := json.Unmarshal(m.Data, &list); err != nil || len(list) != 1 {
		t.Fatal(err, string(m.Data))
	}
	d := list[0]
	siotest.WantEqual(t, "details", fmt.Sprint(d.ID == s.ID(), len(d.Rooms), d.Data["name"], len(d.Data), d.Handshake.Query["EIO"], d.Handshake.Auth["token"], d.Handshake.Headers["user-agent"] != "", d.Handshake.Headers["host"] == s.Handshake().Host), "true 1eve24xtrue true")
	if err := siotest.Receive(t, srv.Errors); !strings.Contains(err.Error(), `value "not"`) {
		t.Error(err)
	}
}

func TestSilentServers(t *testing.T) {
	t.Parallel()
	ask := map[string]func(ctx context.Context, srv *siotest.Server) error{
		"sockets": func(ctx context.Context, srv *siotest.Server) error {
			_, err := srv.Broadcast().Sockets(ctx)
			return err
		},
		"server side": func(ctx context.Context, srv *siotest.Server) error {
			replies, err := srv.ServerSideEmitWithAck(ctx, "e")
			if len(replies) != 1 || replies[0].From != "x" {
				return fmt.Errorf("replies %v", replies)
			}
			return err
		},
		"clients": func(ctx context.Context, srv *siotest.Server) error {
			replies, err := srv.EmitWithAck(ctx, "e")
			if len(replies) != 2 {
				return fmt.Errorf("replies %v", replies)
			}
			return err
		},
	}
	answers := map[string][]adapter.Message{
		"sockets":     {{Kind: adapter.Fetched, From: "x", Data: []byte(`[]`)}},
		"server side": {{Kind: adapter.Emitted, From: "x", Data: []byte(`[1]`)}},
		"clients":     {{Kind: adapter.Acked, From: "x", Data: []byte(`[]`)}, {Kind: adapter.Clients, From: "x", Count: 2}, {Kind: adapter.Acked, From: "x", Failed: true}},
	}
	for name, call := range ask {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := newStage("x", "y", "z")
				srv := siotest.ServeInMemory(t, &socketio.Options{Adapter: b})
				seat := b.seat("/")
				go seat.answer(t, answers[name]...)
				ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
				defer cancel()
				time.AfterFunc(2*time.Second, func() { b.set(nil, adapter.Peers{Count: 3, IDs: []string{"new", "y", "x"}}) }) // z has died
				err := call(ctx, srv)
				var silent *socketio.NoResponseError
				if !errors.As(err, &silent) || !errors.Is(err, context.DeadlineExceeded) || !slices.Equal(silent.Servers, []string{"y"}) || silent.Count != 1 {
					t.Errorf("%v", err)
				}

				// When it dies, too, nobody waits any longer.
				began := time.Now()
				go seat.answer(t, answers[name]...)
				time.AfterFunc(2*time.Second, func() { b.set(nil, adapter.Peers{Count: 1, IDs: []string{"x"}}) })
				siotest.WantEqual(t, "error", call(t.Context(), srv), nil)
				if took := time.Since(began); took > 4*time.Second {
					t.Errorf("took %v", took)
				}

				// A bus that counts only.
				b.set(nil, adapter.Peers{Count: 3})
				go seat.answer(t, answers[name]...)
				ctx, cancel = context.WithTimeout(t.Context(), 5*time.Second)
				defer cancel()
				time.AfterFunc(2*time.Second, func() { b.set(nil, adapter.Peers{Count: 2}) })
				err = call(ctx, srv)
				if !errors.As(err, &silent) || silent.Servers != nil || silent.Count != 1 {
					t.Errorf("%v", err)
				}
			})
		})
	}
	t.Run("a broken bus", func(t *testing.T) {
		t.Parallel()
		srv, seat := onStage(t)
		srv.Join(t, siotest.WebSocket)
		broken := errors.New("broken")
		seat.set(broken, adapter.Peers{})
		list, err := srv.Broadcast().Sockets(t.Context())
		siotest.WantEqual(t, "sockets here", len(list), 1)
		siotest.WantEqual(t, "error", errors.Is(err, broken), true)
		siotest.WantEqual(t, "ready", errors.Is(srv.Ready(t.Context()), broken), true)
		_, err = srv.Local().Count(t.Context())
		siotest.WantEqual(t, "local", err, nil)
		seat.set(nil, adapter.Peers{})
		siotest.WantEqual(t, "ready", srv.Ready(t.Context()), nil)
	})
}

func TestAnswersOfOtherServersClients(t *testing.T) {
	t.Parallel()
	srv, seat := onStage(t, "x")
	c := srv.Join(t, siotest.WebSocket)
	srv.ReplyTo(c, "here")
	go seat.answer(t,
		adapter.Message{Kind: adapter.Clients, From: "x", Count: -1},
		adapter.Message{Kind: adapter.Clients, From: "x", Count: 2},
		adapter.Message{Kind: adapter.Clients, From: "y", Count: 1 << 20}, // with the other two, too many
		adapter.Message{Kind: adapter.Acked, From: "x", Data: []byte(`["there"]`)},
		adapter.Message{Kind: adapter.Acked, From: "x", Failed: true})
	replies, err := srv.EmitWithAck(t.Context(), "e")
	siotest.WantEqual(t, "error", err, nil)
	var texts []string
	for _, r := range replies {
		var text string
		_ = r.Args.Decode(&text)
		texts = append(texts, fmt.Sprint(r.From == "x", text, r.Err))
	}
	slices.Sort(texts)
	siotest.WantEqual(t, "replies", strings.Join(texts, "; "), "falsehere<nil>; truesocketio: closed; truethere<nil>")
	for range 2 {
		if err := siotest.Receive(t, srv.Errors); !strings.Contains(err.Error(), "too many clients or acks") {
			t.Error(err)
		}
	}
}

// The children of a template are asked at once, and each waits for those who were
// there to be asked.
func TestQuestionsToATemplate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newStage("x")
		srv := siotest.ServeInMemory(t, &socketio.Options{Adapter: b})
		rooms := srv.OfMatch(func(name string) bool { return strings.HasPrefix(name, "/room-") })
		c := srv.Open(t, siotest.WebSocket)
		for _, name := range []string{"/room-1", "/room-2"} {
			c.Join(name, "")
		}
		for _, slow := range []string{"/room-1", "/room-2"} {
			told := make(chan string, 1)
			go func() {
				n, err := rooms.Broadcast().Count(t.Context())
				told <- fmt.Sprint(n, err)
			}()
			quick := map[string]string{"/room-1": "/room-2", "/room-2": "/room-1"}[slow]
			question := siotest.Receive(t, b.seat(slow).published)
			b.seat(quick).answer(t, adapter.Message{Kind: adapter.Clients, From: "x", Count: 3})
			synctest.Wait()
			b.set(nil, adapter.Peers{Count: 2, IDs: []string{"x", "new"}})
			b.seat(slow).host.Deliver(&adapter.Message{Kind: adapter.Clients, ID: question.ID, From: "x", Count: 4})
			siotest.WantEqual(t, "count", siotest.Receive(t, told), "9 <nil>")
			b.set(nil, adapter.Peers{Count: 1, IDs: []string{"x"}})
		}
	})
}

// Nobody waits for other servers when this one stops.
func TestQuestionsEndWithTheServer(t *testing.T) {
	t.Parallel()
	srv, seat := onStage(t, "silent")
	told := make(chan error, 1)
	siotest.WantEqual(t, "emit", srv.Emit("e", func(_ []socketio.Reply, err error) { told <- err }), nil)
	siotest.Receive(t, seat.published)
	siotest.WantEqual(t, "shutdown", srv.Shutdown(t.Context()), nil)
	err := siotest.Receive(t, told)
	var silent *socketio.NoResponseError
	if !errors.As(err, &silent) || !errors.Is(err, socketio.ErrClosed) {
		t.Errorf("%v", err)
	}
}

// Another server is told how many clients were asked, and what they answer.
func TestAnswersForAnotherServer(t *testing.T) {
	t.Parallel()
	srv, seat := onStage(t)
	g := gather(t, srv, siotest.WebSocket, "ann:", "bob:", "cid:")
	seat.host.Deliver(&adapter.Message{Kind: adapter.Broadcast, From: "x", ID: "1", Timeout: siotest.WaitLimit, Except: []string{g.sockets["cid"].ID()}, Data: []byte(`["e"]`)})
	siotest.WantEqual(t, "first", what(siotest.Receive(t, seat.published)), `clients to="x" rooms=[] except=[] count=2`)
	srv.ReplyTo(g.clients["ann"], "yes")
	siotest.WantEqual(t, "then", what(siotest.Receive(t, seat.published)), `acked to="x" rooms=[] except=[] ["yes"] []`)
	_ = g.sockets["bob"].Disconnect()
	siotest.WantEqual(t, "in the end", what(siotest.Receive(t, seat.published)), `acked to="x" rooms=[] except=[] failed [] []`)
	seat.host.Deliver(&adapter.Message{Kind: adapter.Broadcast, From: "x", ID: "2", Rooms: []string{"nowhere"}, Data: []byte(`["e"]`)})
	siotest.WantEqual(t, "nobody", what(siotest.Receive(t, seat.published)), `clients to="x" rooms=[] except=[] count=0`)
	seat.host.Deliver(&adapter.Message{Kind: adapter.Count, From: "x", ID: "3"})
	siotest.WantEqual(t, "counted", what(siotest.Receive(t, seat.published)), `clients to="x" rooms=[] except=[] count=2`)
}

func TestServerSideEvents(t *testing.T) {
	t.Parallel()
	srv, seat := onStage(t)
	srv.OnServerSide("add", func(a, b int) int { return a + b })
	srv.OnServerSide("bytes", func(ctx context.Context, b []byte) ([]byte, error) { return append(b, 2), ctx.Err() })
	srv.OnServerSide("refuse", func() error { return socketio.Errorf("no") })
	srv.OnServerSide("fail", func() error { return errors.New("secret") })
	srv.OnServerSide("panic", func() { panic("oh") })
	srv.OnServerSide("later", func(ack socketio.AckFunc) { go func() { _ = ack("late"); _ = ack("later still") }() })
	srv.OnServerSide("nothing", func(socketio.Args) {})
	srv.OnServerSide("unencodable", func() any { return make(chan int) })
	off := srv.OnServerSide("removed", func() { t.Error("called") })
	off()
	tests := []struct{ event, want string }{
		{`["add",1,2]`, `[3] []`},
		{`["bytes",{"_placeholder":true,"num":0}]`, `[{"_placeholder":true,"num":0}] ["\x01\x02"]`},
		{`["refuse"]`, `[{"error":{"message":"no"}}] []`},
		{`["fail"]`, `[{"error":{"message":"internal error"}}] []`},
		{`["panic"]`, `[{"error":{"message":"internal error"}}] []`},
		{`["add","x"]`, `[{"error":{"message":"bad arguments"}}] []`},
		{`["later"]`, `["late"] []`},
		{`["nothing",1]`, `[] []`},
		{`["unencodable"]`, `[{"error":{"message":"internal error"}}] []`},
	}
	for _, test := range tests {
		m := &adapter.Message{Kind: adapter.Emit, From: "x", ID: "7", Data: []byte(test.event)}
		if strings.Contains(test.event, "placeholder") {
			m.Binary = [][]byte{{1}}
		}
		seat.host.Deliver(m)
		siotest.WantEqual(t, test.event, what(siotest.Receive(t, seat.published)), `emitted to="x" rooms=[] except=[] `+test.want)
	}
	for _, quiet := range []string{`["nobody"]`, `["removed"]`} {
		seat.host.Deliver(&adapter.Message{Kind: adapter.Emit, From: "x", ID: "8", Data: []byte(quiet)})
	}
	seat.host.Deliver(&adapter.Message{Kind: adapter.Emit, From: "x", Data: []byte(`["add",1,2]`)}) // no answer is wanted
	seat.host.Deliver(&adapter.Message{Kind: adapter.Emit, From: "x", ID: "9", Data: []byte(`["add",2,2]`)})
	siotest.WantEqual(t, "the next answer", what(siotest.Receive(t, seat.published)), `emitted to="x" rooms=[] except=[] [4] []`)

	for _, bad := range []any{nil, 1, func(*socketio.Socket) {}, func(chan int) {}} {
		siotest.WantPanic(t, func() { srv.OnServerSide("e", bad) })
	}
	siotest.WantPanic(t, func() { srv.OnServerSide("connection", func() {}) })
	for _, reserved := range []string{"connect", "connection", "new_namespace", "error"} {
		if err := srv.ServerSideEmit(reserved); !errors.Is(err, socketio.ErrReserved) {
			t.Errorf("%s: %v", reserved, err)
		}
	}
}

// Handlers of server-side events that are too slow lose events, which is
// counted; and one that ends its goroutine does not end the handling.
func TestSlowServerSideHandler(t *testing.T) {
	t.Parallel()
	srv, seat := onStage(t)
	holding, hold, done := make(chan struct{}), make(chan struct{}), make(chan int, 2000)
	srv.OnServerSide("hold", func() { close(holding); <-hold })
	srv.OnServerSide("exit", func() { runtime.Goexit() })
	srv.OnServerSide("n", func(n int) { done <- n })
	for _, name := range []string{`["exit"]`, `["hold"]`} {
		seat.host.Deliver(&adapter.Message{Kind: adapter.Emit, Data: []byte(name)})
	}
	siotest.Receive(t, holding)
	for n := range 1100 {
		seat.host.Deliver(&adapter.Message{Kind: adapter.Emit, Data: fmt.Appendf(nil, `["n",%d]`, n)})
	}
	lost := srv.Stats().Cluster.Lost
	siotest.WantEqual(t, "lost", lost, 1100-1024)
	close(hold)
	for n := range 1100 - int(lost) {
		siotest.WantEqual(t, "event", siotest.Receive(t, done), n)
	}
}

// Namespaces take their place in the cluster when they come to be and give it
// up when they go, with the server at the latest.
func TestClusterMembersOfNamespaces(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newStage()
		srv := siotest.ServeInMemory(t, &socketio.Options{Adapter: b})
		srv.Of("/static")
		org := srv.OrgTemplate()
		c := srv.Open(t, siotest.WebSocket)
		c.Join("/org-1", "")
		if b.seat("/static") == nil || b.seat("/org-1") == nil || b.seat("") != nil {
			t.Error(b.seats)
		}
		siotest.WantEqual(t, "to all children", org.ServerSideEmit("e"), nil)
		siotest.Receive(t, b.seat("/org-1").published)
		c.Write("41/org-1,")
		ctx, cancel := context.WithTimeout(t.Context(), siotest.WaitLimit)
		defer cancel()
		siotest.WantEqual(t, "shutdown", srv.Shutdown(ctx), nil)
		b.mu.Lock()
		slices.Sort(b.left)
		siotest.WantEqual(t, "left", strings.Join(slices.Compact(b.left), " "), "/ /org-1 /static")
		b.mu.Unlock()
		srv.Of("/too-late")
		siotest.WantEqual(t, "no seat", b.seat("/too-late") == nil, true)

		// What can't be put on the bus is not waited for longer than ctx.
		stuck := newStage()
		slow := socketio.NewServer(&socketio.Options{Adapter: stuck})
		stuck.seat("/").gone = make(chan struct{})
		ended, stop := context.WithCancel(t.Context())
		stop()
		if slow.Shutdown(ended) == nil {
			t.Error("it did not say that something was left")
		}
		close(stuck.seat("/").gone)
		siotest.WantEqual(t, "close", slow.Close(), nil)
	})
}

// Who listens for rooms is told of those that may have come or gone.
func TestRoomWatcher(t *testing.T) {
	t.Parallel()
	srv, seat := onStage(t)
	c, s := srv.JoinSocket(t, siotest.WebSocket)
	siotest.WantEqual(t, "its own", siotest.Receive(t, seat.changed), s.ID()+" true")
	_ = s.Join("a", "b", "a")
	siotest.WantEqual(t, "joined", siotest.Receive(t, seat.changed), "a true")
	siotest.WantEqual(t, "joined", siotest.Receive(t, seat.changed), "b true")
	s.Leave("a", "nowhere")
	siotest.WantEqual(t, "left", siotest.Receive(t, seat.changed), "a false")
	c.Wire.Close()
	siotest.WantEqual(t, "left", siotest.Receive(t, seat.changed), "b false")
	siotest.WantEqual(t, "its own", siotest.Receive(t, seat.changed), s.ID()+" false")
}

// What other servers send to a client that is cut off is kept for it, if the bus
// does not do that; and nothing is listened for longer than that.
func TestRecoveryOfEventsFromTheBus(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newStage()
		srv := siotest.ServeInMemory(t, &socketio.Options{Adapter: b, Recovery: &socketio.Recovery{}})
		seat := b.seat("/")
		deliver := func(event string, rooms ...string) {
			m := &adapter.Message{Kind: adapter.Broadcast, From: "other", Rooms: rooms, Data: fmt.Appendf(nil, "[%q]", event)}
			if seat.host.Wants(rooms...) {
				seat.host.Deliver(m)
			}
		}
		c := srv.JoinRecovering(t, siotest.WebSocket)
		s, _ := srv.LocalSocket(c.ID)
		_ = s.Join("r")
		c.MemConn().Cut()
		synctest.Wait()
		deliver("room", "r")
		deliver("all")
		deliver("own", c.ID)
		srv.Use(func(context.Context, *socketio.Socket) error {
			deliver("late room", "r")
			deliver("late all")
			deliver("late own", c.ID)
			deliver("nobody", "nowhere")
			return nil
		})
		c.WantMissed("room", "all", "own", "late room", "late all", "late own")
		siotest.WantEqual(t, "wanted", seat.host.Wants(c.ID) && seat.host.Wants("r"), true)
		s, _ = srv.LocalSocket(c.ID)
		s.Leave("r")
		siotest.WantEqual(t, "the room is wanted", seat.host.Wants("r"), false)
		_ = s.Join("r")
		for len(seat.changed) > 0 {
			<-seat.changed
		}
		c.MemConn().Cut()
		synctest.Wait()
		siotest.WantEqual(t, "left", siotest.Receive(t, seat.changed), "r true")
		siotest.WantEqual(t, "left", siotest.Receive(t, seat.changed), c.ID+" true")
		bubble.Sleep(3 * time.Minute)
		rooms := []string{siotest.Receive(t, seat.changed), siotest.Receive(t, seat.changed)}
		siotest.WantEqual(t, "given up", strings.Join(siotest.Sorted(rooms), ", "), strings.Join(siotest.Sorted([]string{"r false", c.ID + " false"}), ", "))
		siotest.WantEqual(t, "all are wanted", seat.host.Wants(), false)
	})
}

// A bus that takes nothing keeps an event from the other servers only, not from
// further namespaces of a template.
func TestUnpublishedToATemplate(t *testing.T) {
	t.Parallel()
	b := newStage()
	srv := siotest.Serve(t, &socketio.Options{Adapter: b})
	org := srv.OrgTemplate()
	c := srv.Open(t, siotest.WebSocket)
	for _, name := range []string{"/org-1", "/org-2", "/org-3"} {
		c.Join(name, "")
	}
	b.set(adapter.ErrBacklog, adapter.Peers{})
	err := org.Emit("e")
	b.set(nil, adapter.Peers{})
	siotest.WantEqual(t, "unpublished", errors.Is(err, socketio.ErrUnpublished), true)
	var got []string
	for range 3 {
		text, _ := c.Read().(string)
		got = append(got, text)
	}
	siotest.WantEqual(t, "received", strings.Join(siotest.Sorted(got), " "), `42/org-1,["e"] 42/org-2,["e"] 42/org-3,["e"]`)
}

// Questions to several namespaces fail one by one.
func TestUnaskedNamespaces(t *testing.T) {
	t.Parallel()
	b := newStage()
	srv := siotest.Serve(t, &socketio.Options{Adapter: b})
	org := srv.OrgTemplate()
	for i := range 50 {
		srv.Of(fmt.Sprint("/org-", i))
		if i%2 == 0 {
			close(b.seat(fmt.Sprint("/org-", i)).broken)
		}
	}
	_, err := org.EmitWithAck(t.Context(), "e")
	siotest.WantEqual(t, "unpublished", errors.Is(err, socketio.ErrUnpublished), true)
}

// Shutdown waits for the places of namespaces that end with their last client, too.
func TestShutdownWaitsForLeavingNamespaces(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newStage()
		srv := siotest.ServeInMemory(t, &socketio.Options{Adapter: b})
		srv.OrgTemplate()
		c := srv.Open(t, siotest.WebSocket)
		c.Join("/org-1", "")
		seat := b.seat("/org-1")
		seat.gone = make(chan struct{})
		c.MemConn().Cut()
		ended := make(chan error)
		go func() { ended <- srv.Shutdown(t.Context()) }()
		synctest.Wait()
		select {
		case <-ended:
			t.Error("it did not wait")
			close(seat.gone)
		default:
			close(seat.gone)
			siotest.WantEqual(t, "shutdown", <-ended, nil)
		}
	})
}
