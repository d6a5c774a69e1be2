package socketio_test

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
func onStage(t *testing.T, peers ...string) (*testServer, *stageSeat) {
	t.Helper()
	b := newStage(peers...)
	srv := serve(t, &socketio.Options{Adapter: b})
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
	srv.join(t, webSocket)
	id := receive(t, ids)
	rooms := seat.host.(adapter.RoomLister).Rooms()
	wantEqual(t, "rooms", strings.Join(sorted(rooms), " "), strings.Join(sorted([]string{"r", id}), " "))
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
	g := gather(t, srv, webSocket, "ann: lobby")
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
		{"count of an empty list", func() error { n, err := srv.To().Count(ctx); wantEqual(t, "count", n, 0); return err }, ""},
		{"sockets of an empty list", func() error { l, err := srv.To().Sockets(ctx); wantEqual(t, "sockets", len(l), 0); return err }, ""},
		{"but for an empty list", func() error { return srv.Except().Emit("e") }, `broadcast to="" rooms=[] except=[] ["e"] []`},
		{"server side", func() error { return srv.ServerSideEmit("e", 1) }, `emit to="" rooms=[] except=[] ["e",1] []`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			wantEqual(t, "error", test.do(), nil)
			got := ""
			select {
			case m := <-seat.published:
				got = what(m)
				wantEqual(t, "no answer is asked for", m.ID, "")
			default:
			}
			switch test.name {
			case "join", "leave", "disconnect", "close": // and whether it is done
				wantEqual(t, "asked", (<-seat.published).Kind, adapter.Count)
			}
			wantEqual(t, "published", got, test.want)
		})
	}
	late := srv.join(t, webSocket)
	seat.set(adapter.ErrBacklog, adapter.Peers{})
	err := srv.Emit("still")
	wantEqual(t, "unpublished", errors.Is(err, socketio.ErrUnpublished) && errors.Is(err, adapter.ErrBacklog), true)
	late.want(`42["still"]`)
	wantEqual(t, "lost", srv.Stats().Cluster.Lost, 1)
	seat.set(nil, adapter.Peers{})
}

func TestDelivered(t *testing.T) {
	t.Parallel()
	srv, seat := onStage(t)
	g := gather(t, srv, webSocket, "ann: lobby", "bob:")
	ann, bob := g.clients["ann"], g.clients["bob"]
	deliver := func(m adapter.Message) {
		m.From = "other"
		seat.host.Deliver(&m)
	}
	data := []byte(`["e",{"_placeholder":true,"num":0}]`)
	deliver(adapter.Message{Kind: adapter.Broadcast, Rooms: []string{"lobby"}, Data: data, Binary: [][]byte{{1}}})
	ann.want(`451-["e",{"_placeholder":true,"num":0}]`, []byte{1})
	deliver(adapter.Message{Kind: adapter.Broadcast, Except: []string{"lobby"}, Data: []byte(`["not ann"]`), Compress: adapter.CompressAlways})
	bob.want(`42["not ann"]`)
	deliver(adapter.Message{Kind: adapter.Broadcast, Rooms: []string{"nowhere"}, Data: []byte(`not looked at`)})
	deliver(adapter.Message{Kind: adapter.Join, Rooms: []string{g.sockets["bob"].ID()}, Targets: []string{"games"}})
	wantEqual(t, "games", srv.Room("games").LocalLen(), 1)
	deliver(adapter.Message{Kind: adapter.Leave, Targets: []string{"games", "lobby"}})
	wantEqual(t, "games", srv.Room("games").LocalLen(), 0)
	deliver(adapter.Message{Kind: adapter.Disconnect, Rooms: []string{g.sockets["ann"].ID()}})
	srv.wantLeft(t, g.sockets["ann"].ID(), socketio.ReasonServer)
	ann.want("41")
	ann.join("/", "")
	deliver(adapter.Message{Kind: adapter.Disconnect, Close: true})
	ann.want("41")
	ann.wantClosed()
	wantEqual(t, "received", srv.Stats().Cluster.Received, 7)
}

func TestGarbageFromTheBus(t *testing.T) {
	t.Parallel()
	srv, seat := onStage(t)
	c := srv.join(t, webSocket)
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
		if err := receive(t, srv.errors); !strings.Contains(err.Error(), "malformed message") {
			t.Errorf("%s: %v", name, err)
		}
	}
	seat.host.Deliver(&adapter.Message{Kind: adapter.Clients, ID: "nobody asked", Count: 3})
	c.wantNothing()
}

// Numbered messages are delivered in order and once, and what is missing is
// counted.
func TestNumberedMessages(t *testing.T) {
	t.Parallel()
	srv, seat := onStage(t)
	c := srv.join(t, webSocket)
	for _, n := range []uint64{5, 6, 6, 4, 9, 8, 10} {
		for _, from := range []string{"a", "b"} {
			seat.host.Deliver(&adapter.Message{Kind: adapter.Broadcast, From: from, Seq: n, Data: fmt.Appendf(nil, `[%q,%d]`, from, n)})
		}
	}
	for _, n := range []int{5, 6, 9, 10} {
		c.want(fmt.Sprintf(`42["a",%d]`, n), fmt.Sprintf(`42["b",%d]`, n))
	}
	wantEqual(t, "lost", srv.Stats().Cluster.Lost, 4)
}

// answer waits for a question and answers it.
func (s *stageSeat) answer(t *testing.T, answers ...adapter.Message) (asked *adapter.Message) {
	t.Helper()
	asked = receive(t, s.published)
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
	g := gather(t, srv, webSocket, "ann: lobby")
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
	wantEqual(t, "details", got, `s1[s1 42]dan07false falseexample.org[1, 2] [a b] /socket.io/?EIO=41.2.3.4true 1700000000{"token":"t"}`)
	wantEqual(t, "the one here", list[1].ID, g.sockets["ann"].ID())

	go seat.answer(t, adapter.Message{Kind: adapter.Clients, From: "x", Count: 5}, adapter.Message{Kind: adapter.Fetched, From: "y", Data: []byte(details)})
	n, err := srv.To("lobby").Count(t.Context())
	wantEqual(t, "count", n, 7)
	wantEqual(t, "error", err, nil)

	for _, bad := range []adapter.Message{
		{Kind: adapter.Acked, From: "x", Data: []byte(`[]`)},
		{Kind: adapter.Fetched, From: "x", Data: []byte(`{`)},
		{Kind: adapter.Fetched, From: "x", Data: []byte(`[1]`)},
	} {
		go seat.answer(t, bad, adapter.Message{Kind: adapter.Fetched, From: "y", Data: []byte(`[]`)})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		list, _ := srv.Broadcast().Sockets(ctx)
		cancel()
		wantEqual(t, "sockets", len(list), 1)
	}
}

// A socket is described to other servers as Node does, with what can be sent.
func TestDescribed(t *testing.T) {
	t.Parallel()
	srv, seat := onStage(t)
	c := srv.open(t, webSocket)
	s := srv.socket(t, c, c.join("/", `{"token":"x"}`))
	nameKey.Set(s, "eve")
	secretKey.Set(s, []byte{9})
	socketio.Key[chan int]("not").Set(s, make(chan int))
	seat.host.Deliver(&adapter.Message{Kind: adapter.Fetch, From: "x", ID: "1"})
	m := receive(t, seat.published)
	wantEqual(t, "answer", fmt.Sprint(m.Kind, m.To, m.ID, m.Binary), "fetchedx1[[9]]")
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
	wantEqual(t, "details", fmt.Sprint(d.ID == s.ID(), len(d.Rooms), d.Data["name"], len(d.Data), d.Handshake.Query["EIO"], d.Handshake.Auth["token"], d.Handshake.Headers["user-agent"] != "", d.Handshake.Headers["host"] == s.Handshake().Host), "true 1eve24xtrue true")
	if err := receive(t, srv.errors); !strings.Contains(err.Error(), `value "not"`) {
		t.Error(err)
	}
}

func TestSilentServers(t *testing.T) {
	t.Parallel()
	ask := map[string]func(ctx context.Context, srv *testServer) error{
		"sockets": func(ctx context.Context, srv *testServer) error { _, err := srv.Broadcast().Sockets(ctx); return err },
		"server side": func(ctx context.Context, srv *testServer) error {
			replies, err := srv.ServerSideEmitWithAck(ctx, "e")
			if len(replies) != 1 || replies[0].From != "x" {
				return fmt.Errorf("replies %v", replies)
			}
			return err
		},
		"clients": func(ctx context.Context, srv *testServer) error {
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
				srv := serveInMemory(t, &socketio.Options{Adapter: b})
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
				wantEqual(t, "error", call(t.Context(), srv), nil)
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
		srv.join(t, webSocket)
		broken := errors.New("broken")
		seat.set(broken, adapter.Peers{})
		list, err := srv.Broadcast().Sockets(t.Context())
		wantEqual(t, "sockets here", len(list), 1)
		wantEqual(t, "error", errors.Is(err, broken), true)
		wantEqual(t, "ready", errors.Is(srv.Ready(t.Context()), broken), true)
		_, err = srv.Local().Count(t.Context())
		wantEqual(t, "local", err, nil)
		seat.set(nil, adapter.Peers{})
		wantEqual(t, "ready", srv.Ready(t.Context()), nil)
	})
}

func TestAnswersOfOtherServersClients(t *testing.T) {
	t.Parallel()
	srv, seat := onStage(t, "x")
	c := srv.join(t, webSocket)
	srv.answer(c, "here")
	go seat.answer(t,
		adapter.Message{Kind: adapter.Clients, From: "x", Count: -1},
		adapter.Message{Kind: adapter.Clients, From: "x", Count: 2},
		adapter.Message{Kind: adapter.Clients, From: "y", Count: 1 << 20}, // with the other two, too many
		adapter.Message{Kind: adapter.Acked, From: "x", Data: []byte(`["there"]`)},
		adapter.Message{Kind: adapter.Acked, From: "x", Failed: true})
	replies, err := srv.EmitWithAck(t.Context(), "e")
	wantEqual(t, "error", err, nil)
	var texts []string
	for _, r := range replies {
		var text string
		_ = r.Args.Decode(&text)
		texts = append(texts, fmt.Sprint(r.From == "x", text, r.Err))
	}
	slices.Sort(texts)
	wantEqual(t, "replies", strings.Join(texts, "; "), "falsehere<nil>; truesocketio: closed; truethere<nil>")
	for range 2 {
		if err := receive(t, srv.errors); !strings.Contains(err.Error(), "too many clients or acks") {
			t.Error(err)
		}
	}
}

// answer answers the next event of a client.
func (srv *testServer) answer(c *client, value string) {
	go func() {
		text, _ := c.read().(string)
		id := strings.TrimPrefix(text[:strings.IndexByte(text, '[')], "42")
		c.write(fmt.Sprintf("43%s[%q]", id, value))
	}()
}

// The children of a template are asked at once, and each waits for those who were
// there to be asked.
func TestQuestionsToATemplate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newStage("x")
		srv := serveInMemory(t, &socketio.Options{Adapter: b})
		rooms := srv.OfMatch(func(name string) bool { return strings.HasPrefix(name, "/room-") })
		c := srv.open(t, webSocket)
		for _, name := range []string{"/room-1", "/room-2"} {
			c.join(name, "")
		}
		for _, slow := range []string{"/room-1", "/room-2"} {
			told := make(chan string, 1)
			go func() {
				n, err := rooms.Broadcast().Count(t.Context())
				told <- fmt.Sprint(n, err)
			}()
			quick := map[string]string{"/room-1": "/room-2", "/room-2": "/room-1"}[slow]
			question := receive(t, b.seat(slow).published)
			b.seat(quick).answer(t, adapter.Message{Kind: adapter.Clients, From: "x", Count: 3})
			synctest.Wait()
			b.set(nil, adapter.Peers{Count: 2, IDs: []string{"x", "new"}})
			b.seat(slow).host.Deliver(&adapter.Message{Kind: adapter.Clients, ID: question.ID, From: "x", Count: 4})
			wantEqual(t, "count", receive(t, told), "9 <nil>")
			b.set(nil, adapter.Peers{Count: 1, IDs: []string{"x"}})
		}
	})
}

// Nobody waits for other servers when this one stops.
func TestQuestionsEndWithTheServer(t *testing.T) {
	t.Parallel()
	srv, seat := onStage(t, "silent")
	told := make(chan error, 1)
	wantEqual(t, "emit", srv.Emit("e", func(_ []socketio.Reply, err error) { told <- err }), nil)
	receive(t, seat.published)
	wantEqual(t, "shutdown", srv.Shutdown(t.Context()), nil)
	err := receive(t, told)
	var silent *socketio.NoResponseError
	if !errors.As(err, &silent) || !errors.Is(err, socketio.ErrClosed) {
		t.Errorf("%v", err)
	}
}

// Another server is told how many clients were asked, and what they answer.
func TestAnswersForAnotherServer(t *testing.T) {
	t.Parallel()
	srv, seat := onStage(t)
	g := gather(t, srv, webSocket, "ann:", "bob:", "cid:")
	seat.host.Deliver(&adapter.Message{Kind: adapter.Broadcast, From: "x", ID: "1", Timeout: patience, Except: []string{g.sockets["cid"].ID()}, Data: []byte(`["e"]`)})
	wantEqual(t, "first", what(receive(t, seat.published)), `clients to="x" rooms=[] except=[] count=2`)
	srv.answer(g.clients["ann"], "yes")
	wantEqual(t, "then", what(receive(t, seat.published)), `acked to="x" rooms=[] except=[] ["yes"] []`)
	_ = g.sockets["bob"].Disconnect()
	wantEqual(t, "in the end", what(receive(t, seat.published)), `acked to="x" rooms=[] except=[] failed [] []`)
	seat.host.Deliver(&adapter.Message{Kind: adapter.Broadcast, From: "x", ID: "2", Rooms: []string{"nowhere"}, Data: []byte(`["e"]`)})
	wantEqual(t, "nobody", what(receive(t, seat.published)), `clients to="x" rooms=[] except=[] count=0`)
	seat.host.Deliver(&adapter.Message{Kind: adapter.Count, From: "x", ID: "3"})
	wantEqual(t, "counted", what(receive(t, seat.published)), `clients to="x" rooms=[] except=[] count=2`)
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
		wantEqual(t, test.event, what(receive(t, seat.published)), `emitted to="x" rooms=[] except=[] `+test.want)
	}
	for _, quiet := range []string{`["nobody"]`, `["removed"]`} {
		seat.host.Deliver(&adapter.Message{Kind: adapter.Emit, From: "x", ID: "8", Data: []byte(quiet)})
	}
	seat.host.Deliver(&adapter.Message{Kind: adapter.Emit, From: "x", Data: []byte(`["add",1,2]`)}) // no answer is wanted
	seat.host.Deliver(&adapter.Message{Kind: adapter.Emit, From: "x", ID: "9", Data: []byte(`["add",2,2]`)})
	wantEqual(t, "the next answer", what(receive(t, seat.published)), `emitted to="x" rooms=[] except=[] [4] []`)

	for _, bad := range []any{nil, 1, func(*socketio.Socket) {}, func(chan int) {}} {
		wantPanic(t, func() { srv.OnServerSide("e", bad) })
	}
	wantPanic(t, func() { srv.OnServerSide("connection", func() {}) })
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
	receive(t, holding)
	for n := range 1100 {
		seat.host.Deliver(&adapter.Message{Kind: adapter.Emit, Data: fmt.Appendf(nil, `["n",%d]`, n)})
	}
	lost := srv.Stats().Cluster.Lost
	wantEqual(t, "lost", lost, 1100-1024)
	close(hold)
	for n := range 1100 - int(lost) {
		wantEqual(t, "event", receive(t, done), n)
	}
}

// Namespaces take their place in the cluster when they come to be and give it
// up when they go, with the server at the latest.
func TestSeatsOfNamespaces(t *testing.T) {
	t.Parallel()
	b := newStage()
	srv := serve(t, &socketio.Options{Adapter: b})
	srv.Of("/static")
	org := srv.org()
	c := srv.open(t, webSocket)
	c.join("/org-1", "")
	if b.seat("/static") == nil || b.seat("/org-1") == nil || b.seat("") != nil {
		t.Error(b.seats)
	}
	wantEqual(t, "to all children", org.ServerSideEmit("e"), nil)
	receive(t, b.seat("/org-1").published)
	c.write("41/org-1,")
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	wantEqual(t, "shutdown", srv.Shutdown(ctx), nil)
	b.mu.Lock()
	slices.Sort(b.left)
	wantEqual(t, "left", strings.Join(slices.Compact(b.left), " "), "/ /org-1 /static")
	b.mu.Unlock()
	srv.Of("/too-late")
	wantEqual(t, "no seat", b.seat("/too-late") == nil, true)

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
	wantEqual(t, "close", slow.Close(), nil)
}

// Who listens for rooms is told of those that may have come or gone.
func TestRoomWatcher(t *testing.T) {
	t.Parallel()
	srv, seat := onStage(t)
	c, s := srv.joinSocket(t, webSocket)
	wantEqual(t, "its own", receive(t, seat.changed), s.ID()+" true")
	_ = s.Join("a", "b", "a")
	wantEqual(t, "joined", receive(t, seat.changed), "a true")
	wantEqual(t, "joined", receive(t, seat.changed), "b true")
	s.Leave("a", "nowhere")
	wantEqual(t, "left", receive(t, seat.changed), "a false")
	c.wire.close()
	wantEqual(t, "left", receive(t, seat.changed), "b false")
	wantEqual(t, "its own", receive(t, seat.changed), s.ID()+" false")
}

// What other servers send to a client that is cut off is kept for it, if the bus
// does not do that; and nothing is listened for longer than that.
func TestRecoveryOfEventsFromTheBus(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newStage()
		srv := serveInMemory(t, &socketio.Options{Adapter: b, Recovery: &socketio.Recovery{}})
		seat := b.seat("/")
		deliver := func(event string, rooms ...string) {
			m := &adapter.Message{Kind: adapter.Broadcast, From: "other", Rooms: rooms, Data: fmt.Appendf(nil, "[%q]", event)}
			if seat.host.Wants(rooms...) {
				seat.host.Deliver(m)
			}
		}
		c := srv.arrive(t, webSocket)
		s, _ := srv.LocalSocket(c.id)
		_ = s.Join("r")
		c.conn().Cut()
		synctest.Wait()
		deliver("room", "r")
		deliver("all")
		deliver("own", c.id)
		srv.Use(func(context.Context, *socketio.Socket) error {
			deliver("late room", "r")
			deliver("late all")
			deliver("late own", c.id)
			deliver("nobody", "nowhere")
			return nil
		})
		c.wantMissed("room", "all", "own", "late room", "late all", "late own")
		wantEqual(t, "wanted", seat.host.Wants(c.id) && seat.host.Wants("r"), true)
		s, _ = srv.LocalSocket(c.id)
		s.Leave("r")
		wantEqual(t, "the room is wanted", seat.host.Wants("r"), false)
		_ = s.Join("r")
		for len(seat.changed) > 0 {
			<-seat.changed
		}
		c.conn().Cut()
		synctest.Wait()
		wantEqual(t, "left", receive(t, seat.changed), "r true")
		wantEqual(t, "left", receive(t, seat.changed), c.id+" true")
		<-time.After(3 * time.Minute)
		rooms := []string{receive(t, seat.changed), receive(t, seat.changed)}
		wantEqual(t, "given up", strings.Join(sorted(rooms), ", "), strings.Join(sorted([]string{"r false", c.id + " false"}), ", "))
		wantEqual(t, "all are wanted", seat.host.Wants(), false)
	})
}

// A bus that takes nothing keeps an event from the other servers only, not from
// further namespaces of a template.
func TestUnpublishedToATemplate(t *testing.T) {
	t.Parallel()
	b := newStage()
	srv := serve(t, &socketio.Options{Adapter: b})
	org := srv.org()
	c := srv.open(t, webSocket)
	for _, name := range []string{"/org-1", "/org-2", "/org-3"} {
		c.join(name, "")
	}
	b.set(adapter.ErrBacklog, adapter.Peers{})
	err := org.Emit("e")
	b.set(nil, adapter.Peers{})
	wantEqual(t, "unpublished", errors.Is(err, socketio.ErrUnpublished), true)
	var got []string
	for range 3 {
		text, _ := c.read().(string)
		got = append(got, text)
	}
	wantEqual(t, "received", strings.Join(sorted(got), " "), `42/org-1,["e"] 42/org-2,["e"] 42/org-3,["e"]`)
}

// Questions to several namespaces fail one by one.
func TestUnaskedNamespaces(t *testing.T) {
	t.Parallel()
	b := newStage()
	srv := serve(t, &socketio.Options{Adapter: b})
	org := srv.org()
	for i := range 50 {
		srv.Of(fmt.Sprint("/org-", i))
		if i%2 == 0 {
			close(b.seat(fmt.Sprint("/org-", i)).broken)
		}
	}
	_, err := org.EmitWithAck(t.Context(), "e")
	wantEqual(t, "unpublished", errors.Is(err, socketio.ErrUnpublished), true)
}

// Shutdown waits for the places of namespaces that end with their last client, too.
func TestShutdownWaitsForLeavingNamespaces(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newStage()
		srv := serveInMemory(t, &socketio.Options{Adapter: b})
		srv.org()
		c := srv.open(t, webSocket)
		c.join("/org-1", "")
		seat := b.seat("/org-1")
		seat.gone = make(chan struct{})
		c.conn().Cut()
		ended := make(chan error)
		go func() { ended <- srv.Shutdown(t.Context()) }()
		synctest.Wait()
		select {
		case <-ended:
			t.Error("it did not wait")
			close(seat.gone)
		default:
			close(seat.gone)
			wantEqual(t, "shutdown", <-ended, nil)
		}
	})
}
