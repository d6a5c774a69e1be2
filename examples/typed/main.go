// Command typed runs a small chat whose events are declared once, in Go: events.go. The
// page is TypeScript that is checked against the same declarations.
package main

import (
	"context"
	"embed"
	"flag"
	"io/fs"
	"log"
	"net/http"
	"os"
	"os/signal"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/socketio-go/socketio"
)

//go:embed page
var page embed.FS

func main() {
	addr := flag.String("addr", "localhost:3000", "`address` to listen on")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()

	handler, io := newServer()
	srv := &http.Server{Addr: *addr, Handler: handler, ReadHeaderTimeout: 5 * time.Second}
	context.AfterFunc(ctx, func() {
		grace, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		_ = io.Shutdown(grace) // clients that do not answer are cut off
		_ = srv.Shutdown(grace)
	})
	log.Printf("open http://%s", *addr)
	if err := srv.ListenAndServe(); ctx.Err() == nil {
		log.Fatal(err)
	}
}

// MyName is attached to the sockets of people who have entered.
const MyName socketio.Key[Name] = "name"

const (
	maxText = 500 // bytes
	kept    = 50  // messages
)

// A chat keeps the last messages.
type chat struct {
	io *socketio.Server

	mu       sync.Mutex
	people   int
	next     int
	messages []Message
}

func newServer() (http.Handler, *socketio.Server) {
	io := socketio.NewServer(nil)
	c := &chat{io: io, next: 1}
	Enter.On(io, c.enter)
	Say.On(io, c.say)
	React.On(io, c.react)
	io.OnDisconnect(func(s *socketio.Socket, _ socketio.Reason) {
		if _, entered := MyName.Get(s); entered {
			c.count(-1)
		}
	})

	files, err := fs.Sub(page, "page")
	if err != nil {
		panic(err) // the folder is compiled in
	}
	mux := http.NewServeMux()
	mux.Handle("/socket.io/", io)
	mux.Handle("/", http.FileServerFS(files))
	return mux, io
}

func (c *chat) count(change int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.people += change
	Present.Emit(c.io, c.people)
}

func (c *chat) enter(_ context.Context, s *socketio.Socket, name Name) (History, error) {
	name = Name(strings.TrimSpace(string(name)))
	if name == "" || len(name) > 40 {
		return History{}, socketio.Errorf("a name has 1 to 40 bytes")
	}
	if _, entered := MyName.Get(s); !entered {
		defer c.count(1)
	}
	MyName.Set(s, name)
	c.mu.Lock()
	defer c.mu.Unlock()
	return History{slices.Clone(c.messages)}, nil
}

func (c *chat) say(_ context.Context, s *socketio.Socket, text string) (Message, error) {
	name, entered := MyName.Get(s)
	switch {
	case !entered:
		return Message{}, socketio.Errorf("please enter first")
	case strings.TrimSpace(text) == "" || len(text) > maxText:
		return Message{}, socketio.Errorf("a message has 1 to %d bytes", maxText)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	m := Message{Number: c.next, From: name, Text: text, At: time.Now().UTC()}
	c.next++
	c.messages = append(c.messages, m)
	c.messages = c.messages[max(0, len(c.messages)-kept):]
	return m, Said.Emit(s.Broadcast(), m) // under the lock, so that all see one order
}

func (c *chat) react(_ context.Context, s *socketio.Socket, r Reaction) error {
	if _, entered := MyName.Get(s); !entered || !slices.Contains([]Emotion{Like, Laugh, Wow}, r.Emotion) {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	i := slices.IndexFunc(c.messages, func(m Message) bool { return m.Number == r.Number })
	if i < 0 || len(c.messages[i].Reactions) >= 100 {
		return nil
	}
	c.messages[i].Reactions = append(slices.Clip(c.messages[i].Reactions), r)
	return React.Emit(c.io, r)
}
