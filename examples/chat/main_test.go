package main

import (
	"bufio"
	"bytes"
	"context"
	"image"
	"image/png"
	"io"
	"io/fs"
	"log"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/socketio-go/socketio"
	"github.com/socketio-go/socketio/client"
	"github.com/socketio-go/socketio/socketiotest"
)

// serve serves the chat until the test ends.
func serve(t *testing.T, bundle fs.FS) *socketiotest.Host {
	handler, _ := newServer(bundle, log.New(io.Discard, "", 0))
	return socketiotest.Serve(t, handler, socketiotest.AllowType[*socketio.DecodeError]())
}

// join brings somebody into a room, by polling and by WebSocket in turn.
func join(h *socketiotest.Host, name, room string) *socketiotest.Client {
	how := []socketiotest.How{socketiotest.Name(name)}
	if len(name)%2 == 0 {
		how = append(how, socketiotest.Polling())
	}
	c := h.Connect(nil, how...)
	socketiotest.Ask(c, Join, Entry{Person{name, room}, ""})
	return c
}

// hears returns the next message, which must be from and say that.
func hears(t *testing.T, c *socketiotest.Client, from, text string) Message {
	t.Helper()
	m := socketiotest.Await(c, Said)
	if m.From != from || m.Text != text {
		t.Errorf("heard %q from %s, want %q from %s", m.Text, m.From, text, from)
	}
	return m
}

func TestJoin(t *testing.T) {
	t.Parallel()
	h := serve(t, nil)
	ada := h.Connect(nil)
	ada.Expect("rooms", []Room{{"lobby", 0}, {"random", 0}, {"tea", 0}})
	admission := socketiotest.Ask(ada, Join, Entry{Person{"  Ada \t Lovelace ", "engines"}, ""})
	if want := (Admission{Person{"Ada Lovelace", "engines"}, maxPhoto}); admission != want {
		t.Errorf("admitted as %v, want %v", admission, want)
	}
	bob := join(h, "bob", "engines")
	if r := socketiotest.Await(bob, People); r.Room != "engines" || !slices.Equal(r.Names, []string{"Ada Lovelace", "bob"}) {
		t.Errorf("bob sees %v", r)
	}
	ada.Until("joined")
	ada.Expect("rooms", []Room{{"lobby", 0}, {"random", 0}, {"tea", 0}, {"engines", 2}})

	// To join again is to change room or name.
	socketiotest.Ask(bob, Join, Entry{Person{"Robert", "tea"}, ""})
	ada.Expect("left", "bob")
	bob.Close()
	ada.Until("rooms")
	ada.Expect("rooms", []Room{{"lobby", 0}, {"random", 0}, {"tea", 0}, {"engines", 1}})
	join(h, "BOB", "lobby") // both of his names are free
	join(h, "robert", "lobby")
}

func TestJoinRefused(t *testing.T) {
	t.Parallel()
	h := serve(t, nil)
	join(h, "Ada", "lobby")
	c := h.Connect(nil)
	long := strings.Repeat("é", maxName+1)
	for _, test := range []struct{ name, room, want string }{
		{"", "lobby", "please choose a name"},
		{" \t\u00a0", "lobby", "please choose a name"},
		{long, "lobby", "a name has at most 24 characters"},
		{"A\u202eda", "lobby", "this name has characters that nobody can see"},
		{"Ada", "lobby", "the name Ada is taken"},
		{" aDA", "tea", "the name Ada is taken"},
		{"Bob", " ", "please choose a room"},
		{"Bob", long, "a room has at most 24 characters"},
	} {
		if got := socketiotest.AskError(c, Join, Entry{Person{test.name, test.room}, ""}); got.Message != test.want {
			t.Errorf("%q in %q: refused with %q, want %q", test.name, test.room, got.Message, test.want)
		}
	}
	if got := socketiotest.AskError(c, Say, Message{Text: "let me in"}); got.Message != "join a room first" {
		t.Errorf("a message before joining: refused with %q", got.Message)
	}
}

// A connection may be dead for a while before the server notices. Its page,
// connected again, must not be told that its own name is taken.
func TestKeyTakesNameBack(t *testing.T) {
	t.Parallel()
	h := serve(t, nil)
	bob := join(h, "Bob", "lobby")
	old, back, thief := h.Connect(nil), h.Connect(nil), h.Connect(nil)
	ada := Person{"Ada", "lobby"}
	socketiotest.Ask(old, Join, Entry{ada, "secret"})
	for _, key := range []string{"", "guess"} {
		if got := socketiotest.AskError(thief, Join, Entry{ada, key}); got.Message != "the name Ada is taken" {
			t.Errorf("with key %q: %q", key, got.Message)
		}
	}
	socketiotest.Ask(back, Join, Entry{ada, "secret"})
	for _, change := range []string{"joined", "left", "joined"} {
		var name string
		if args := bob.Until(change); args.Decode(&name) != nil || name != "Ada" {
			t.Errorf("Bob sees %s%v, want Ada", change, args)
		}
	}
	if reason := old.Left(); reason != client.ReasonServer {
		t.Errorf("the old connection has ended: %s", reason)
	}
	if r := socketiotest.Await(back, People); !slices.Equal(r.Names, []string{"Ada", "Bob"}) {
		t.Errorf("in the room are %v", r.Names)
	}
	socketiotest.Ask(bob, Say, Message{Text: "welcome back"})
	hears(t, back, "Bob", "welcome back")
}

func TestSay(t *testing.T) {
	t.Parallel()
	h := serve(t, nil)
	ada, bob, eve := join(h, "Ada", "lobby"), join(h, "Bobb", "lobby"), join(h, "Eve", "tea")
	forged := Message{Text: "  <b>hello</b>\n", From: "Bob", At: time.Date(1815, 12, 10, 0, 0, 0, 0, time.UTC)}
	receipt := socketiotest.Ask(ada, Say, forged)
	if m := hears(t, bob, "Ada", "<b>hello</b>"); time.Since(m.At) > time.Hour || !m.At.Equal(receipt.At) {
		t.Errorf("sent at %v, received at %v", receipt.At, m.At)
	}
	// Neither the sender nor another room has heard it: this is their first.
	socketiotest.Ask(bob, Say, Message{Text: "hi"})
	hears(t, ada, "Bobb", "hi")
	socketiotest.Ask(ada, Join, Entry{Person{"Ada", "tea"}, ""})
	socketiotest.Ask(ada, Say, Message{Text: "tea?"})
	hears(t, eve, "Ada", "tea?")
}

func TestSayRefused(t *testing.T) {
	t.Parallel()
	h := serve(t, nil)
	ada, bob := join(h, "Ada", "lobby"), join(h, "Bob", "lobby")
	for _, test := range []struct {
		message any
		want    string
	}{
		{Message{}, "there is nothing in this message"},
		{Message{Text: " \n "}, "there is nothing in this message"},
		{Message{Text: strings.Repeat("é", maxText+1)}, "a message has at most 2000 characters"},
		{map[string]any{"photo": []byte{}}, "this is not a photo"},
		{Message{Photo: []byte("<svg onload='alert(1)'/>")}, "this is not a photo"},
		{Message{Photo: make([]byte, maxPhoto+1)}, "a photo has at most 2 MB"},
		{Message{Text: "psst", To: "Carol"}, "this person is not here"},
		{1815, "bad arguments"},
	} {
		if got := ada.AskError("say", test.message); got.Message != test.want {
			t.Errorf("%.50v: refused with %q, want %q", test.message, got.Message, test.want)
		}
	}
	socketiotest.Ask(ada, Say, Message{Text: "still here"})
	hears(t, bob, "Ada", "still here")
}

func TestPhoto(t *testing.T) {
	t.Parallel()
	h := serve(t, nil)
	ada, bob := join(h, "Ada", "lobby"), join(h, "Bobb", "lobby")
	var photo bytes.Buffer
	if err := png.Encode(&photo, image.NewGray(image.Rect(0, 0, 64, 64))); err != nil {
		t.Fatal(err)
	}
	socketiotest.Ask(ada, Say, Message{Text: "my cat", Photo: photo.Bytes()})
	if got := hears(t, bob, "Ada", "my cat").Photo; !bytes.Equal(got, photo.Bytes()) {
		t.Errorf("the photo has %d bytes, want the %d sent", len(got), photo.Len())
	}
}

// A private message reaches one person, in another room too. Who knows the id of a
// socket, which is also a room, does not get in.
func TestPrivate(t *testing.T) {
	t.Parallel()
	h := serve(t, nil)
	ada, eve, bob := join(h, "Ada", "lobby"), join(h, "Eve", "lobby"), join(h, "Bob", "tea")
	spy := join(h, "Mallory", bob.ID())
	socketiotest.Ask(spy, Say, Message{Text: "can you hear me?"})
	socketiotest.Ask(ada, Say, Message{Text: "psst", To: "bob"})
	if to := hears(t, bob, "Ada", "psst").To; to == "" {
		t.Error("Bob cannot see that the message is private")
	}
	socketiotest.Ask(ada, Say, Message{Text: "hello all"})
	hears(t, eve, "Ada", "hello all") // and nothing before
}

func TestTyping(t *testing.T) {
	t.Parallel()
	h := serve(t, nil)
	ada, bob := join(h, "Ada", "lobby"), join(h, "Bobb", "lobby")
	bob.Drain() // it is volatile: Bob hears of it while he polls
	if err := ada.Emit("typing", true); err != nil {
		t.Fatal(err)
	}
	bob.Expect("typing", "Ada", true)
}

func TestPage(t *testing.T) {
	t.Parallel()
	bundle := fstest.MapFS{"socket.io.js": {Data: []byte("// the official client")}}
	for _, test := range []struct {
		path   string
		bundle fs.FS
		want   string
	}{
		{"/", nil, `<script src="/socket.io/socket.io.js"`},
		{"/app.js", nil, "const socket = io();"},
		{"/style.css", nil, "color-scheme"},
		{"/icon.svg", nil, "<svg"},
		{"/socket.io/socket.io.js", nil, "io"},
		{"/socket.io/socket.io.js", bundle, "// the official client"},
	} {
		answer, err := serve(t, test.bundle).HTTP().Get("http://chat" + test.path)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(answer.Body)
		answer.Body.Close()
		if err != nil || answer.StatusCode != http.StatusOK || !strings.Contains(string(body), test.want) {
			t.Errorf("GET %s: %s, without %q", test.path, answer.Status, test.want)
		}
		if policy := answer.Header.Get("Content-Security-Policy"); test.path == "/" && !strings.Contains(policy, "default-src 'self'") {
			t.Errorf("the page may load from elsewhere: %q", policy)
		}
	}
}

// The program says where it is, who comes and who goes, and ends when it is
// told to. Another one cannot take its port.
func TestRun(t *testing.T) {
	t.Parallel()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	reader, writer := io.Pipe()
	ended := make(chan error)
	go func() {
		err := run(ctx, "127.0.0.1:0", "", log.New(writer, "", 0))
		writer.Close()
		ended <- err
	}()
	lines := bufio.NewScanner(reader)
	line := func() string { lines.Scan(); return lines.Text() }
	url, ok := strings.CutPrefix(line(), "chat is on ")
	if !ok || !strings.HasPrefix(url, "http://127.0.0.1:") {
		t.Fatalf("the first line ends in %q", url)
	}
	if err := run(ctx, strings.TrimPrefix(url, "http://"), "", log.New(io.Discard, "", 0)); err == nil {
		t.Error("listening on a busy port is no error")
	}
	c, err := client.New(url, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.Connect(ctx); err != nil {
		t.Fatal(err)
	}
	if got, want := line(), "a user connected: "+c.ID(); got != want {
		t.Errorf("the second line is %q, want %q", got, want)
	}
	id := c.ID()
	stop()
	if got, want := line(), "user disconnected: "+id+" (server shutting down)"; got != want {
		t.Errorf("the last line is %q, want %q", got, want)
	}
	if err := <-ended; err != nil {
		t.Errorf("the program ended with %v", err)
	}
}
