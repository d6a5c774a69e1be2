package main

import (
	"time"

	"github.com/socketio-go/socketio"
)

//go:generate go run github.com/socketio-go/socketio/cmd/socketio gen ts -o page/events.d.ts .
//go:generate ../../cmd/socketio/node_modules/.bin/tsc --project page

// The contract of server and page.
const (
	// Enter is the first event of a client. The answer is what was said before.
	Enter socketio.Call[Name, History] = "enter"
	// Say says something to everyone else.
	Say socketio.Call[string, Message] = "say"
	// Said is something that another person has said.
	Said socketio.Event[Message] = "said"
	// Present is how many people are there.
	Present socketio.Event[int] = "present"
	// React adds a reaction to a message, by its number.
	React socketio.Event[Reaction] = "react"
)

// A Name is how a person is called.
type Name string

// A Message is one line of the chat.
type Message struct {
	Number    int        `json:"number"`
	From      Name       `json:"from"`
	Text      string     `json:"text"`
	At        time.Time  `json:"at"`
	Reactions []Reaction `json:"reactions,omitempty"`
}

// A History is the last messages, oldest first.
type History struct {
	Messages []Message `json:"messages,omitempty"`
}

// A Reaction is two arguments: socket.emit("react", number, emotion).
type Reaction struct {
	socketio.Positional
	Number  int     `json:"number"` // of the message
	Emotion Emotion `json:"emotion"`
}

// An Emotion is one of a few.
type Emotion string

// The emotions.
const (
	Like  Emotion = "like"
	Laugh Emotion = "laugh"
	Wow   Emotion = "wow"
)
