// Command rooms is a small program of a new user: people log in, join rooms, see who is
// there and who is typing, write to a room or to one person, and moderators kick.
// rooms_test.go tests all of it with package socketiotest.
package main

import (
	"context"
	"errors"
	"log"
	"net/http"
	"slices"

	"github.com/socketio-go/socketio"
)

// The protocol.
const (
	Join    socketio.Call[string, []string] = "join" // a room; the result is who is there
	Say     socketio.Event[string]          = "say"
	Said    socketio.Event[Message]         = "said"
	Whisper socketio.Call[Private, bool]    = "whisper"
	Typing  socketio.Event[bool]            = "typing"
	Types   socketio.Event[Typist]          = "types"
	Kick    socketio.Call[string, bool]     = "kick"
	Here    socketio.Event[[]string]        = "here" // who is in the room now
)

type (
	// A Message is what somebody has said.
	Message struct {
		From    string `json:"from"`
		Text    string `json:"text"`
		Private bool   `json:"private,omitempty"`
	}

	// Private is a message for one person.
	Private struct{ To, Text string }

	// Typist says who types, or has stopped.
	Typist struct {
		Name string
		On   bool
	}

	user struct {
		Name      string `json:"name"`
		Moderator bool   `json:"moderator"`
	}
)

const (
	me    socketio.Key[user]   = "me"
	where socketio.Key[string] = "where"
)

// tokens says who may log in. A program has a database.
var tokens = map[string]user{
	"t-ann": {"ann", true}, "t-bob": {"bob", false}, "t-cat": {"cat", false},
}

// newServer returns the server.
func newServer() *socketio.Server {
	io := socketio.NewServer(nil)
	r := rooms{io}
	io.Use(r.login)
	io.OnDisconnect(func(s *socketio.Socket, _ socketio.Reason) { r.leave(s) })
	Join.On(io, r.join)
	Say.On(io, r.say)
	Whisper.On(io, r.whisper)
	Typing.On(io, r.typing)
	Kick.On(io, r.kick)
	return io
}

type rooms struct{ io *socketio.Server }

func (r rooms) login(_ context.Context, s *socketio.Socket) error {
	var auth struct{ Token string }
	if err := s.Handshake().Auth.Decode(&auth); err != nil {
		return socketio.Errorf("malformed auth")
	}
	u, ok := tokens[auth.Token]
	if !ok {
		return socketio.Errorf("log in first")
	}
	me.Set(s, u)
	return nil
}

// names returns who is in a room.
func (r rooms) names(room string) []string {
	var list []string
	for s := range r.io.Room(room).LocalSockets() {
		u, _ := me.Get(s)
		list = append(list, u.Name)
	}
	slices.Sort(list)
	return list
}

func (r rooms) join(_ context.Context, s *socketio.Socket, room string) ([]string, error) {
	if room == "" {
		return nil, socketio.Errorf("which room?")
	}
	r.leave(s)
	room = "room:" + room // the id of a socket is a room, too
	where.Set(s, room)
	err := s.Join(room)
	here := r.names(room)
	return here, errors.Join(err, Here.Emit(s.To(room), here))
}

func (r rooms) leave(s *socketio.Socket) {
	if room, ok := where.Get(s); ok {
		s.Leave(room)
		_ = Here.Emit(s.To(room), r.names(room))
	}
}

func (r rooms) say(_ context.Context, s *socketio.Socket, text string) error {
	room, ok := where.Get(s)
	if !ok {
		return socketio.Errorf("join a room first")
	}
	u, _ := me.Get(s)
	return Said.Emit(s.To(room), Message{From: u.Name, Text: text})
}

func (r rooms) typing(_ context.Context, s *socketio.Socket, on bool) error {
	u, _ := me.Get(s)
	room, _ := where.Get(s)
	return Types.Emit(s.To(room).Volatile(), Typist{u.Name, on})
}

// find returns the socket of a person.
func (r rooms) find(name string) (*socketio.Socket, error) {
	for s := range r.io.LocalSockets() {
		if u, _ := me.Get(s); u.Name == name {
			return s, nil
		}
	}
	return nil, socketio.Errorf("%s is not here", name)
}

func (r rooms) whisper(_ context.Context, s *socketio.Socket, p Private) (bool, error) {
	to, err := r.find(p.To)
	if err != nil {
		return false, err
	}
	u, _ := me.Get(s)
	return true, Said.Emit(to, Message{u.Name, p.Text, true})
}

func (r rooms) kick(_ context.Context, s *socketio.Socket, name string) (bool, error) {
	if u, _ := me.Get(s); !u.Moderator {
		return false, socketio.Errorf("moderators only")
	}
	to, err := r.find(name)
	if err != nil {
		return false, err
	}
	return true, to.Disconnect()
}

func main() {
	http.Handle("/socket.io/", newServer())
	log.Fatal(http.ListenAndServe("localhost:3000", nil))
}
