package adaptertest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/socketio-go/socketio"
)

// recovering returns servers whose clients recover their sessions.
func (t *suite) recovering(n int) *servers {
	t.Helper()
	s := &servers{t: t}
	list := make([]*server, n)
	for i := range list {
		list[i] = newServerWith(t, t.newServer(t), t.namespace, socketio.Options{Recovery: &socketio.Recovery{}})
	}
	s.a, s.b = list[0], list[1]
	if n > 2 {
		s.c = list[2]
	}
	s.wantServers(list...)
	return s
}

// numbered returns the next event, and keeps its offset.
func (c *client) numbered() string {
	c.t.Helper()
	head, binary, _ := strings.Cut(c.event(), "] ")
	var args []json.RawMessage
	if err := json.Unmarshal([]byte(strings.TrimSuffix(head, "]")+"]"), &args); err != nil || len(args) < 2 {
		c.t.Fatalf("%s has received %q", c.name, head)
	}
	if err := json.Unmarshal(args[len(args)-1], &c.offset); err != nil {
		c.t.Fatalf("%s has received %q, without an offset", c.name, head)
	}
	text, _ := json.Marshal(args[:len(args)-1])
	return strings.TrimSpace(string(text) + " " + binary)
}

func (c *client) wantNumbered(want ...string) {
	c.t.Helper()
	for _, event := range want {
		if got := c.numbered(); got != event {
			c.t.Fatalf("%s has received %s, want %s", c.name, got, event)
		}
	}
}

// cut breaks a client's connection, and waits until its server has noticed.
func (srv *server) cut(c *client) {
	srv.t.Helper()
	c.write("1")
	eventually(srv.t, func() bool {
		_, ok := srv.ns.LocalSocket(c.id)
		return !ok
	}, "a server notices that %s is gone", c.name)
}

// recover connects a client again. Its session may still be on its way to the bus.
func (srv *server) recover(c *client) *client {
	srv.t.Helper()
	auth := fmt.Sprintf(`{"pid":%q,"offset":%q}`, c.pid, c.offset)
	var again *client
	eventually(srv.t, func() bool {
		again = srv.open(c.name, auth)
		if again.id != c.id {
			srv.cut(again)
		}
		return again.id == c.id
	}, "%s recovers", c.name)
	again.offset = c.offset
	eventually(srv.t, func() bool { // the response may have arrived already
		s, ok := srv.ns.LocalSocket(c.id)
		return ok && s.Recovered()
	}, "the server knows that %s has recovered", c.name)
	return again
}

func testRecovery(t *suite) {
	s := t.recovering(3)
	c := s.a.connect("ada", "red", "green")
	emit := func(srv *server, event string, args ...any) {
		t.Helper()
		if err := srv.ns.To("red").Emit(event, args...); err != nil {
			t.Fatal(err)
		}
	}
	emit(s.a, "begin")
	c.wantNumbered(`["begin"]`)
	servers := []*server{s.b, s.c, s.a}
	at := s.a
	for round := range 4 {
		at.cut(c)
		other := servers[round%len(servers)]
		var want []string
		for i := range 5 {
			emit(other, "e", round, i)
			want = append(want, fmt.Sprintf(`["e",%d,%d]`, round, i))
			if err := errors.Join(other.ns.To("blue").Emit("not for her"), other.ns.Except("green").Emit("nor this")); err != nil {
				t.Fatal(err)
			}
		}
		emit(other, "bytes", []byte{1, byte(round)})
		at = servers[(round+1)%len(servers)]
		c = at.recover(c)
		c.wantNumbered(want...)
		c.wantNumbered(fmt.Sprintf(`["bytes",{"_placeholder":true,"num":0}] 01%02x`, round))
		socket, ok := at.ns.LocalSocket(c.id)
		if !ok {
			t.Fatal("there is no socket")
		}
		if name, _ := nameKey.Get(socket); name != "ada" {
			t.Errorf("the name is %q", name)
		}
		if rooms := socket.Rooms(); !slices.Contains(rooms, "red") || !slices.Contains(rooms, "green") {
			t.Errorf("in rooms %q", rooms)
		}
		emit(at, "live", round)
		c.wantNumbered(fmt.Sprintf(`["live",%d]`, round))
	}
	at.cut(c)
	lost := at.open("eve", fmt.Sprintf(`{"pid":%q,"offset":%q}`, "malformed", c.offset))
	if lost.id == c.id {
		t.Error("a stranger has recovered a session")
	}
}

func testRecoveryInMiddleware(t *suite) {
	s := t.recovering(2)
	c := s.a.connect("ada")
	if err := s.a.ns.Emit("one"); err != nil {
		t.Fatal(err)
	}
	c.wantNumbered(`["one"]`)
	s.a.cut(c)
	if err := s.a.ns.Emit("two"); err != nil {
		t.Fatal(err)
	}
	witness := s.b.connect("bob")
	s.b.ns.Use(func(context.Context, *socketio.Socket) error {
		err := s.a.ns.Emit("three")
		for err == nil && witness.numbered() != `["three"]` {
			continue
		}
		return err
	})
	c = s.b.recover(c)
	var got []string
	for range 2 {
		got = append(got, c.numbered())
	}
	if err := s.a.ns.Emit("four"); err != nil {
		t.Fatal(err)
	}
	for event := c.numbered(); event != `["four"]`; event = c.numbered() {
		got = append(got, event)
	}
	// There is a "three" for each attempt to recover.
	if got[0] != `["two"]` || slices.ContainsFunc(got[1:], func(event string) bool { return event != `["three"]` }) {
		t.Errorf("got %q", got)
	}
}

func testRecoveryInTheFlow(t *suite) {
	s := t.recovering(3)
	list := []*server{s.a, s.b, s.c}
	at, c := s.a, s.a.connect("ada")
	if err := s.a.ns.Emit("begin"); err != nil {
		t.Fatal(err)
	}
	c.wantNumbered(`["begin"]`)

	const moves, atLeast = 6, 40
	var running sync.WaitGroup
	stop := make(chan struct{})
	end := sync.OnceFunc(func() {
		close(stop)
		running.Wait()
	})
	defer end()
	last := make([]int, len(list))
	for i, srv := range list {
		running.Go(func() {
			pace := time.NewTicker(5 * time.Millisecond) // a busy machine with the race detector keeps up with it
			defer pace.Stop()
			for {
				select {
				case <-pace.C:
				case <-stop:
					return
				}
				last[i]++
				if err := srv.ns.Emit("e", i, last[i]); err != nil {
					t.Errorf("Emit: %v", err)
				}
			}
		})
	}
	got := make([]int, len(list))
	read := func() {
		var from, number int
		event := c.numbered()
		if _, err := fmt.Sscanf(event, `["e",%d,%d]`, &from, &number); err != nil {
			t.Fatalf("received %s", event)
		}
		if got[from]++; number != got[from] {
			t.Fatalf("event %d of server %d came instead of %d", number, from, got[from])
		}
	}
	for i := range moves {
		for range atLeast {
			read()
		}
		at.cut(c)
		at = list[(i+1)%len(list)]
		c = at.recover(c)
	}
	end()
	for !slices.Equal(got, last) {
		read()
	}
}
