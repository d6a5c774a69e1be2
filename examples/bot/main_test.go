package main

import (
	"bytes"
	"context"
	"fmt"
	goio "io"
	"log"
	"log/slog"
	"net"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"strings"
	"testing"
	"time"

	"github.com/socketio-go/socketio"
	"github.com/socketio-go/socketio/client"
)

// TestMain fails the run if it leaves a goroutine behind.
func TestMain(m *testing.M) {
	before := runtime.NumGoroutine()
	code := m.Run()
	for range 500 {
		if runtime.NumGoroutine() <= before {
			break
		}
		<-time.After(10 * time.Millisecond)
	}
	if code == 0 && runtime.NumGoroutine() > before {
		pprof.Lookup("goroutine").WriteTo(os.Stderr, 1)
		code = 1
	}
	os.Exit(code)
}

// options has a client try again soon.
func options() *client.Options {
	return &client.Options{MaxDelay: 100 * time.Millisecond, Logger: slog.New(slog.DiscardHandler)}
}

// A chat is the program of examples/chat, in a process of its own.
type chat struct {
	t       *testing.T
	program string
	addr    string
	cmd     *exec.Cmd
}

func newChat(t *testing.T) *chat {
	program := filepath.Join(t.TempDir(), "chat")
	build := exec.Command("go", "build", "-o", program, "../chat")
	if output, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0") // to find a free port
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	c := &chat{t: t, program: program, addr: l.Addr().String()}
	t.Cleanup(func() {
		if c.cmd != nil {
			c.kill()
		}
	})
	return c
}

func (c *chat) start() {
	c.cmd = exec.Command(c.program, "-addr", c.addr)
	if err := c.cmd.Start(); err != nil {
		c.t.Fatal(err)
	}
}

func (c *chat) kill() {
	_ = c.cmd.Process.Kill()
	_ = c.cmd.Wait()
	c.cmd = nil
}

// A person is in the room, and hears what is said.
type person struct {
	t     *testing.T
	c     *client.Client
	said  chan Message
	names chan string // of those who join the room
}

func enter(ctx context.Context, t *testing.T, url, name string) *person {
	c, err := client.New(url, options())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close(); _ = c.Shutdown(context.WithoutCancel(ctx)) })
	p := &person{t: t, c: c, said: make(chan Message, 100), names: make(chan string, 100)}
	client.On(c, Said, func(_ context.Context, m Message) error { p.said <- m; return nil })
	c.On("joined", func(name string) { p.names <- name })
	c.On("people", func(roster struct{ Names []string }) {
		for _, name := range roster.Names {
			p.names <- name
		}
	})
	c.OnConnect(func(client.Joined) {
		if _, err := Join.Do(c.Context(), c, Entry{Name: name, Room: "lobby", Key: name}); err != nil {
			t.Log(err) // the server is gone again
		}
	})
	if err := c.Connect(ctx); err != nil {
		t.Fatal(err)
	}
	return p
}

// ask says something once the bot is there, until it has been heard.
func (p *person) ask(ctx context.Context, m Message) Message {
	p.t.Helper()
	for {
		select {
		case name := <-p.names:
			if name != "Robin" {
				continue
			}
			if _, err := Say.Do(ctx, p.c, m); err != nil {
				p.t.Log(err)
			}
		case answer := <-p.said:
			return answer
		case <-ctx.Done():
			p.t.Fatalf("no answer to %q", m.Text)
		}
	}
}

// The bot answers, and does so again after the server was killed and started anew.
func TestRestart(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	c := newChat(t)
	url := "http://" + c.addr
	var out bytes.Buffer
	b := &bot{name: "Robin", room: "lobby", out: log.New(&out, "", 0), now: func() time.Time { return time.Date(2026, 1, 2, 15, 4, 5, 0, time.UTC) }}
	running, stop := context.WithCancel(ctx)
	ended := make(chan error)
	go func() { ended <- b.run(running, url, options()) }() // before the server is there
	c.start()
	ada := enter(ctx, t, url, "Ada")
	for i := range 3 {
		if i > 0 {
			c.kill()
			c.start()
		}
		m := ada.ask(ctx, Message{Text: "Robin, what time is it?"})
		if m.From != "Robin" || m.Text != "It is 15:04:05." || m.To != "" {
			t.Errorf("start %d: %+v", i, m)
		}
	}
	if _, err := Say.Do(ctx, ada.c, Message{Text: "hello", To: "Robin"}); err != nil {
		t.Error(err)
	}
	if m := <-ada.said; m.To == "" || !strings.HasPrefix(m.Text, "Hello Ada!") {
		t.Errorf("the answer to a private message is %+v", m)
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if got := strings.Count(out.String(), "Robin is in the room lobby"); got != 3 {
		t.Errorf("the bot has joined %d times:\n%s", got, out.String())
	}
}

func TestAnswer(t *testing.T) {
	b := &bot{name: "Robin", now: time.Now}
	for _, test := range []struct {
		m       Message
		want    string // the beginning; empty if the bot is silent
		private bool
	}{
		{Message{From: "Ada", Text: "hello"}, "", false},
		{Message{From: "Ada", Text: "hello robin"}, "Hello Ada!", false},
		{Message{From: "Ada", Text: "Robin: roll the dice"}, "I rolled a ", false},
		{Message{From: "Ada", To: "Robin", Text: "the time?"}, "It is ", true},
	} {
		text, private, ok := b.answer(test.m)
		if ok != (test.want != "") || !strings.HasPrefix(text, test.want) || private != test.private {
			t.Errorf("%+v: %q, %v, %v", test.m, text, private, ok)
		}
	}
}

// A chat that refuses the name ends the bot, with the reason.
func TestRefused(t *testing.T) {
	io := socketio.NewServer(&socketio.Options{Logger: slog.New(slog.DiscardHandler)})
	defer io.Close()
	Join.On(io, func(context.Context, *socketio.Socket, Entry) (Admission, error) {
		return Admission{}, socketio.Errorf("the name is taken")
	})
	server := httptest.NewServer(io)
	defer server.Close()
	b := &bot{name: "Robin", room: "lobby", out: log.New(goio.Discard, "", 0), now: time.Now}
	if err := b.run(t.Context(), server.URL, options()); err == nil || !strings.Contains(fmt.Sprint(err), "the name is taken") {
		t.Error(err)
	}
}
