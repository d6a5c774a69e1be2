package main

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/socketio-go/socketio"
)

// The protocol, declared once. The compiler checks every use, and a program
// that talks to this server can declare the same.
const (
	Join   socketio.Call[Entry, Admission] = "join"
	Say    socketio.Call[Message, Receipt] = "say"
	Said   socketio.Event[Message]         = "said"
	People socketio.Event[Roster]          = "people"
	Joined socketio.Event[string]          = "joined"
	Left   socketio.Event[string]          = "left"
	Rooms  socketio.Event[[]Room]          = "rooms"
)

// Me is who a socket is; it is attached when the socket joins a room.
const Me socketio.Key[Person] = "me"

type (
	// A Person is somebody in a room.
	Person struct {
		Name string `json:"name"`
		Room string `json:"room"`
	}

	// An Entry asks to be somebody somewhere. Key is any secret the client
	// made up: who shows it again may take the name back from a connection
	// that is dead without knowing it.
	Entry struct {
		Person
		Key string `json:"key"`
	}

	// An Admission repeats name and room as the server understood them.
	Admission struct {
		Person
		MaxPhoto int `json:"maxPhoto"` // bytes
	}

	// A Message is for the room or, if To is set, for one person.
	Message struct {
		From  string    `json:"from"` // filled in by the server
		To    string    `json:"to,omitempty"`
		Text  string    `json:"text,omitempty"`
		Photo []byte    `json:"photo,omitempty"` // travels as a binary attachment
		At    time.Time `json:"at,omitzero"`     // filled in by the server
	}

	// A Receipt says that the server has a message.
	Receipt struct {
		At time.Time `json:"at"`
	}

	// A Roster lists who is in a room.
	Roster struct {
		Room  string   `json:"room"`
		Names []string `json:"names"`
	}

	// A Room is a name and how many people are there.
	Room struct {
		Name   string `json:"name"`
		People int    `json:"people"`
	}
)

// What people may send.
const (
	maxName  = 24      // characters, of a name or room
	maxText  = 2000    // characters
	maxPhoto = 2 << 20 // bytes
)

// The standing rooms are listed even when empty. Any other room exists while
// somebody is in it.
var standing = []string{"lobby", "random", "tea"}

// A chat knows who is where.
//
// What tells people of a change is emitted under the lock that the change is
// made under, so that everybody hears of changes in the order they happened.
// Emit only queues, so nobody waits for a slow client.
type chat struct {
	io *socketio.Server

	mu     sync.Mutex       // guards the following
	guests map[string]guest // by folded name, so that there is one Ada
}

type guest struct {
	Person
	key    string
	socket *socketio.Socket
}

// greet shows a newcomer where people are.
func (c *chat) greet(s *socketio.Socket) {
	c.mu.Lock()
	defer c.mu.Unlock()
	Rooms.Emit(s, c.rooms())
}

// join gives s a name and a room. It is also how to change either.
func (c *chat) join(_ context.Context, s *socketio.Socket, e Entry) (a Admission, err error) {
	if a.Name, err = clean("name", e.Name); err != nil {
		return a, err
	}
	if a.Room, err = clean("room", e.Room); err != nil {
		return a, err
	}
	a.MaxPhoto = maxPhoto

	var dead *socketio.Socket
	defer func() {
		if dead != nil {
			dead.CloseConnection()
		}
	}()
	c.mu.Lock()
	defer c.mu.Unlock()
	if g, taken := c.guests[fold(a.Name)]; taken && g.socket != s {
		if e.Key == "" || e.Key != g.key {
			return a, socketio.Errorf("the name %s is taken", g.Name)
		}
		dead = g.socket
		c.remove(dead)
	}
	c.remove(s)
	Me.Set(s, a.Person)
	c.guests[fold(a.Name)] = guest{a.Person, e.Key, s}
	if err := s.Join(channel(a.Room)); err != nil {
		return a, err
	}
	People.Emit(s, c.roster(a.Room))
	Joined.Emit(s.To(channel(a.Room)), a.Name)
	Rooms.Emit(c.io, c.rooms())
	return a, nil
}

// leave forgets s, which has disconnected.
func (c *chat) leave(s *socketio.Socket) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.remove(s) {
		Rooms.Emit(c.io, c.rooms())
	}
}

// remove takes s out of its room and reports whether it was in one. c.mu is
// held.
func (c *chat) remove(s *socketio.Socket) bool {
	me, _ := Me.Get(s)
	if c.guests[fold(me.Name)].socket != s {
		return false
	}
	delete(c.guests, fold(me.Name))
	s.Leave(channel(me.Room))
	Left.Emit(c.io.To(channel(me.Room)), me.Name)
	return true
}

// say passes a message on. What it returns is the tick beside the message.
func (c *chat) say(_ context.Context, s *socketio.Socket, m Message) (Receipt, error) {
	me, ok := Me.Get(s)
	if !ok {
		return Receipt{}, socketio.Errorf("join a room first")
	}
	if err := m.check(); err != nil {
		return Receipt{}, err
	}
	m.From, m.At = me.Name, time.Now()
	if m.To == "" {
		return Receipt{m.At}, Said.Emit(s.To(channel(me.Room)), m)
	}
	c.mu.Lock()
	to, here := c.guests[fold(m.To)]
	c.mu.Unlock()
	if !here || Said.Emit(to.socket, m) != nil {
		return Receipt{}, socketio.Errorf("this person is not here")
	}
	return Receipt{m.At}, nil
}

func (m *Message) check() error {
	m.Text = strings.TrimSpace(m.Text)
	switch {
	case m.Text == "" && m.Photo == nil:
		return socketio.Errorf("there is nothing in this message")
	case utf8.RuneCountInString(m.Text) > maxText:
		return socketio.Errorf("a message has at most %d characters", maxText)
	case len(m.Photo) > maxPhoto:
		return socketio.Errorf("a photo has at most %d MB", maxPhoto>>20)
	case m.Photo != nil && !strings.HasPrefix(http.DetectContentType(m.Photo), "image/"):
		return socketio.Errorf("this is not a photo")
	}
	return nil
}

// typing tells the room that s is typing, or no longer. Whoever cannot be told
// at once need not know.
func (c *chat) typing(s *socketio.Socket, on bool) {
	if me, ok := Me.Get(s); ok {
		s.To(channel(me.Room)).Volatile().Emit("typing", me.Name, on)
	}
}

// roster lists who is in a room. c.mu is held.
func (c *chat) roster(room string) Roster {
	r := Roster{Room: room}
	for _, name := range slices.Sorted(maps.Keys(c.guests)) {
		if g := c.guests[name]; g.Room == room {
			r.Names = append(r.Names, g.Name)
		}
	}
	return r
}

// rooms lists the standing rooms and those with people. c.mu is held.
func (c *chat) rooms() []Room {
	people := make(map[string]int)
	for _, g := range c.guests {
		people[g.Room]++
	}
	var list []Room
	for _, name := range standing {
		list = append(list, Room{name, people[name]})
		delete(people, name)
	}
	for _, name := range slices.Sorted(maps.Keys(people)) {
		list = append(list, Room{name, people[name]})
	}
	return list
}

// channel returns the Socket.IO room behind a room of the chat. The prefix
// keeps people out of the room that every socket has under its own id.
func channel(room string) string { return "room:" + room }

// fold makes one of names that differ in case only.
func fold(name string) string { return strings.ToLower(name) }

// clean returns what somebody typed without needless space, or an error for
// them to read.
func clean(what, typed string) (string, error) {
	s := strings.Join(strings.Fields(typed), " ")
	switch {
	case s == "":
		return "", socketio.Errorf("please choose a %s", what)
	case utf8.RuneCountInString(s) > maxName:
		return "", socketio.Errorf("a %s has at most %d characters", what, maxName)
	case strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }):
		return "", socketio.Errorf("this %s has characters that nobody can see", what)
	}
	return s, nil
}
