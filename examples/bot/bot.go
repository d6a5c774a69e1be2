package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log"
	mathrand "math/rand/v2"
	"strings"
	"time"

	"github.com/socketio-go/socketio"
	"github.com/socketio-go/socketio/client"
)

// What the bot uses of the chat's protocol.
const (
	Join socketio.Call[Entry, Admission] = "join"
	Say  socketio.Call[Message, Receipt] = "say"
	Said socketio.Event[Message]         = "said"
)

type (
	// An Entry is a name, a room, and a secret by which the name is taken back from a
	// lost connection.
	Entry struct {
		Name string `json:"name"`
		Room string `json:"room"`
		Key  string `json:"key"`
	}

	// An Admission is name and room as the server has them.
	Admission struct {
		Name string `json:"name"`
		Room string `json:"room"`
	}

	// A Message is for the room or, if To is set, for one person.
	Message struct {
		From string `json:"from,omitempty"`
		To   string `json:"to,omitempty"`
		Text string `json:"text"`
	}

	// A Receipt says that the server has a message.
	Receipt struct {
		At time.Time `json:"at"`
	}
)

// A bot is a member of one room.
type bot struct {
	name, room string
	out        *log.Logger
	now        func() time.Time
}

// open registers what the bot does. stop ends it if the chat refuses it.
func (b *bot) open(c *client.Client, stop context.CancelCauseFunc) {
	key := rand.Text()

	// The server forgets its members when it restarts, so the bot joins the room each
	// time that it is connected. A handler may wait for an answer.
	c.OnConnect(func(client.Joined) {
		in, err := Join.Do(c.Context(), c, Entry{Name: b.name, Room: b.room, Key: key})
		var refused *socketio.Error
		switch {
		case errors.As(err, &refused):
			stop(fmt.Errorf("the chat refuses %s: %w", b.name, err))
		case err != nil: // the connection is lost: OnConnect runs again
			b.out.Print("joining: ", err)
		default:
			b.out.Printf("%s is in the room %s", in.Name, in.Room)
		}
	})
	c.OnDisconnect(func(reason socketio.Reason) { b.out.Print("disconnected: ", reason) })
	client.On(c, Said, func(ctx context.Context, m Message) error {
		text, private, ok := b.answer(m)
		if !ok {
			return nil
		}
		answer := Message{Text: text}
		if private {
			answer.To = m.From
		}
		_, err := Say.Do(ctx, c, answer)
		return err
	})
}

// answer returns what the bot says to a message, if it is addressed.
func (b *bot) answer(m Message) (text string, private, ok bool) {
	said := strings.ToLower(m.Text)
	private = m.To != ""
	if !private && !strings.Contains(said, strings.ToLower(b.name)) {
		return "", false, false
	}
	switch {
	case strings.Contains(said, "time"):
		return "It is " + b.now().Format("15:04:05") + ".", private, true
	case strings.Contains(said, "dice"):
		return fmt.Sprintf("I rolled a %d.", 1+mathrand.IntN(6)), private, true
	}
	return fmt.Sprintf("Hello %s! Ask me for the time, or to roll the dice.", m.From), private, true
}
