//go:build unix

package main

import (
	"context"
	"log"
	"os"
	"reflect"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/socketio-go/socketio"
)

// The protocol.
const (
	Enter socketio.Call[string, string] = "enter" // a name, answered with the server's
	Say   socketio.Event[string]        = "say"
	Crash socketio.Event[string]        = "crash" // the server that the sender is on
	Said  socketio.Event[Message]       = "said"
	Here  socketio.Event[[]Server]      = "here"
)

// Me is who a socket is. It travels with the sockets that the servers describe to
// each other.
const Me socketio.Key[Person] = "me"

type (
	// A Person has entered the chat on some server.
	Person struct {
		ID     string `json:"id"` // of the socket
		Name   string `json:"name"`
		Server string `json:"server"`
	}

	// A Message is for everybody on every server.
	Message struct {
		From Person `json:"from"`
		Text string `json:"text"`
	}

	// A Server is a part of the cluster.
	Server struct {
		Name   string   `json:"name"`
		Up     bool     `json:"up"`
		People []Person `json:"people"`
	}
)

// What people may send.
const (
	maxName = 24   // characters
	maxText = 1000 // characters
)

// A chat is what one server of the cluster does. What it emits goes to everybody;
// it knows no other servers than those that answer.
type chat struct {
	name string
	io   *socketio.Server

	changed chan struct{} // somebody came or went; capacity 1
}

func newChat(name string, io *socketio.Server) *chat {
	c := &chat{name: name, io: io, changed: make(chan struct{}, 1)}
	Enter.On(io, c.enter)
	Say.On(io, c.say)
	Crash.On(io, c.crash)
	io.OnDisconnect(func(*socketio.Socket, socketio.Reason) { c.change() })

	// Between servers.
	io.OnServerSide("name", func() string { return name })
	io.OnServerSide("changed", c.wake)
	return c
}

// enter gives s a name, its first or another.
func (c *chat) enter(_ context.Context, s *socketio.Socket, name string) (string, error) {
	name = strings.Join(strings.Fields(name), " ")
	if n := utf8.RuneCountInString(name); n == 0 || n > maxName {
		return "", socketio.Errorf("a name has 1 to %d characters", maxName)
	}
	Me.Set(s, Person{s.ID(), name, c.name})
	c.change()
	return c.name, nil
}

// say passes a message on to everybody on every server.
func (c *chat) say(_ context.Context, s *socketio.Socket, text string) error {
	me, ok := Me.Get(s)
	if text = strings.TrimSpace(text); !ok || text == "" || utf8.RuneCountInString(text) > maxText {
		return nil
	}
	return Said.Emit(c.io, Message{me, text})
}

// crash ends the process as a crash does: nobody is told, nothing is closed. In an
// example anybody may.
func (c *chat) crash(_ context.Context, _ *socketio.Socket, by string) error {
	log.Printf("%s crashes server %s", by, c.name)
	os.Exit(3)
	return nil
}

// change has all servers look who is here.
func (c *chat) change() {
	c.wake()
	_ = c.io.ServerSideEmit("changed") // those who miss it look soon anyway
}

func (c *chat) wake() {
	select {
	case c.changed <- struct{}{}:
	default: // it will look anyway
	}
}

// watch keeps the people of this server told who is on which server. A server that
// has crashed says nothing, so it looks every second, too.
func (c *chat) watch(ctx context.Context) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	var told []Server
	for {
		select {
		case <-ctx.Done():
			return
		case <-c.changed:
		case <-tick.C:
		}
		if here := c.here(ctx); !reflect.DeepEqual(here, told) {
			_ = Here.Emit(c.io.Local(), here)
			told = here
		}
	}
}

// here asks all servers who is on them. Errors are of servers that do not answer:
// what the others say is shown.
func (c *chat) here(ctx context.Context) []Server {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	up := []string{c.name}
	replies, _ := c.io.ServerSideEmitWithAck(ctx, "name")
	for _, r := range replies {
		var name string
		if r.Args.Decode(&name) == nil {
			up = append(up, name)
		}
	}
	people := make(map[string][]Person)
	sockets, _ := c.io.Broadcast().Sockets(ctx)
	for _, s := range sockets {
		if p, ok := Me.Get(s); ok {
			people[p.Server] = append(people[p.Server], p)
		}
	}
	var servers []Server
	for _, name := range names {
		here := people[name]
		slices.SortFunc(here, func(p, q Person) int { return strings.Compare(p.Name+"\x00"+p.ID, q.Name+"\x00"+q.ID) })
		servers = append(servers, Server{name, slices.Contains(up, name), here})
	}
	return servers
}
