package main

import (
	"context"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/socketio-go/socketio"
)

// Rooms of the chat. Rooms belong to their namespace: a "hall" of the auction
// would be another one.
var rooms = []string{"hall", "garden"}

// Where is the room a socket of the chat is in.
const Where socketio.Key[string] = "where"

// openChat registers the chat. Its handlers are free-form functions: their
// parameters are the arguments the client sends, what they return is the
// answer.
func openChat(chat *socketio.Namespace) {
	chat.Use(func(_ context.Context, s *socketio.Socket) error {
		_, err := admit(s)
		return err
	})
	chat.OnConnect(func(s *socketio.Socket) {
		move(s, rooms[0])
	})
	chat.OnDisconnect(func(s *socketio.Socket, _ socketio.Reason) {
		move(s, "")
	})

	chat.On("move", func(s *socketio.Socket, room string) (string, error) {
		if !slices.Contains(rooms, room) {
			return "", socketio.Errorf("there is no such room")
		}
		move(s, room)
		return room, nil
	})

	chat.On("say", func(s *socketio.Socket, text string) error {
		text = strings.TrimSpace(text)
		if n := utf8.RuneCountInString(text); n == 0 || n > 500 {
			return socketio.Errorf("say something of 1 to 500 characters")
		}
		name, _ := Name.Get(s)
		where, _ := Where.Get(s)
		return s.To(where).Emit("said", name, text)
	})
}

// move takes s from its room to another and tells both. The last room is none.
func move(s *socketio.Socket, to string) {
	name, _ := Name.Get(s)
	if from, _ := Where.Get(s); from != "" {
		s.Leave(from)
		s.To(from).Emit("left", name)
	}
	Where.Set(s, to)
	if to != "" && s.Join(to) == nil {
		s.To(to).Emit("joined", name)
	}
}
