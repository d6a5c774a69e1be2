package adaptertest

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/socketio-go/socketio"
	"github.com/socketio-go/socketio/adapter"
	"github.com/socketio-go/socketio/internal/memnet"
)

// A server is one of a cluster.
type server struct {
	*socketio.Server
	t       testing.TB
	cluster adapter.Adapter
	ns      *socketio.Namespace // of the test
	net     *memnet.Server
	events  chan string // server-side events that it received
}

// servers are three servers of one cluster. Client ada is connected to the first server,
// bob and dan to the second, cem to the third.
type servers struct {
	t                  *suite
	a, b, c            *server
	ada, bob, cem, dan *client
}

func newServers(t *suite) *servers {
	t.Helper()
	s := &servers{t: t}
	for _, srv := range []**server{&s.a, &s.b, &s.c} {
		*srv = newServer(t, t.newServer(t), t.namespace)
	}
	s.wantServers(s.a, s.b, s.c)
	s.ada = s.connect(s.a, "ada", "room1")
	s.bob = s.connect(s.b, "bob", "room1", "room2")
	s.cem = s.connect(s.c, "cem", "room3")
	s.dan = s.connect(s.b, "dan")
	return s
}

// connect connects a client, and waits until its server receives what is published for
// its rooms.
func (s *servers) connect(srv *server, name string, rooms ...string) *client {
	s.t.Helper()
	c := srv.connect(name, rooms...)
	from := s.a
	if srv == s.a {
		from = s.b
	}
	s.waitForRooms(from, c, rooms...)
	return c
}

// waitForRooms waits until c receives what a server emits in each of the rooms.
func (s *servers) waitForRooms(from *server, c *client, rooms ...string) {
	s.t.Helper()
	for _, room := range append([]string{c.id}, rooms...) {
		c.probed = false
		eventually(s.t, func() bool {
			if err := from.ns.To(room).Emit("probe"); err != nil {
				s.t.Fatal(err)
			}
			for _, packet := range c.sync() {
				s.t.Errorf("%s has received %q", c.name, packet)
			}
			return c.probed
		}, "%s receives what is for room %q", c.name, room)
	}
}

// wantDelivered waits until the first server has received everything that the others
// have published so far.
func (s *servers) wantDelivered() {
	s.t.Helper()
	for _, srv := range []*server{s.b, s.c} {
		if err := srv.ns.ServerSideEmit("news", "delivered", []byte{}); err != nil {
			s.t.Fatal(err)
		}
	}
	s.a.wantEvents("delivered ", "delivered ")
}

func newServer(t testing.TB, cluster adapter.Adapter, namespace string) *server {
	t.Helper()
	return newServerWith(t, cluster, namespace, socketio.Options{})
}

func newServerWith(t testing.TB, cluster adapter.Adapter, namespace string, opts socketio.Options) *server {
	t.Helper()
	opts.Adapter = cluster
	opts.OnError = func(_ *socketio.Socket, err error) { t.Logf("OnError: %v", err) }
	srv := &server{
		t:       t,
		cluster: cluster,
		events:  make(chan string, 1000),
		Server:  socketio.NewServer(&opts),
	}
	srv.ns = srv.Of(namespace)
	srv.ns.On("sync", func() {})
	srv.ns.OnServerSide("there?", func() {})
	srv.ns.OnServerSide("news", func(text string, data []byte) { srv.events <- fmt.Sprintf("%s %x", text, data) })
	srv.ns.OnServerSide("ask", func(text string) (string, error) {
		if text == "refuse" {
			return "", &socketio.Error{Message: "no"}
		}
		return text + "!", nil
	})
	mux := http.NewServeMux()
	mux.Handle("/socket.io/", srv.Server)
	srv.net = memnet.Serve(&http.Server{Handler: mux})
	t.Cleanup(func() {
		if err := srv.Close(); err != nil {
			t.Errorf("closing a server: %v", err)
		}
		_ = srv.net.Close()
	})
	ctx, cancel := inTime()
	defer cancel()
	if err := srv.Ready(ctx); err != nil {
		t.Fatalf("Ready: %v", err)
	}
	return srv
}

// wantServers waits until exactly these servers receive from each other.
func (s *servers) wantServers(list ...*server) {
	s.t.Helper()
	for _, srv := range list {
		eventually(s.t, func() bool {
			ctx, cancel := inTime()
			defer cancel()
			replies, err := srv.ns.ServerSideEmitWithAck(ctx, "there?")
			return err == nil && len(replies) == len(list)-1
		}, "a server receives from %d others", len(list)-1)
	}
}

func (s *servers) clients() []*client { return []*client{s.ada, s.bob, s.cem, s.dan} }

// end is the event behind everything that a server has emitted.
const end = `["that's all"]`

// received returns what the clients have received, by their names. Everything was
// emitted by srv.
func (s *servers) received(srv *server) string {
	s.t.Helper()
	if err := srv.ns.Emit("that's all"); err != nil {
		s.t.Fatal(err)
	}
	var list []string
	for _, c := range s.clients() {
		for event := c.event(); event != end; event = c.event() {
			list = append(list, c.name+": "+event)
		}
	}
	return strings.Join(list, "\n")
}

// wantReceived compares what the clients have received.
func (s *servers) wantReceived(srv *server, want ...string) {
	s.t.Helper()
	if got := s.received(srv); got != strings.Join(want, "\n") {
		s.t.Errorf("received\n%s\nwant\n%s", got, strings.Join(want, "\n"))
	}
}

// names returns the clients that have received an event, once, and no other event.
func (s *servers) names(srv *server, event string) string {
	s.t.Helper()
	var names []string
	for line := range strings.SplitSeq(s.received(srv), "\n") {
		name, got, _ := strings.Cut(line, ": ")
		if line != "" && got != event {
			s.t.Errorf("%s has received %s, want %s", name, got, event)
		}
		names = append(names, name)
	}
	return strings.Join(names, " ")
}

// wantEvents checks which server-side events a server received.
func (srv *server) wantEvents(want ...string) {
	srv.t.Helper()
	for _, event := range want {
		select {
		case got := <-srv.events:
			if got != event {
				srv.t.Errorf("a server was sent %q, want %q", got, event)
			}
		case <-time.After(waitLimit):
			srv.t.Fatalf("a server was not sent %q", event)
		}
	}
}

// sorted returns the responses in order.
func sorted(replies []socketio.Reply) []string {
	var list []string
	for _, r := range replies {
		text := string(r.Args.Raw(0))
		for _, b := range r.Args.Binary() {
			text += fmt.Sprintf(" %x", b)
		}
		if r.Err != nil {
			text = r.Err.Error()
		}
		list = append(list, text)
	}
	slices.Sort(list)
	return list
}
