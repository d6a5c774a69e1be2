package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"image"
	"image/png"
	"io"
	"io/fs"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"reflect"
	"runtime"
	"runtime/pprof"
	"strings"
	"testing"
	"testing/fstest"
	"time"
)

// TestMain fails the run if it leaves a goroutine behind.
func TestMain(m *testing.M) {
	before := runtime.NumGoroutine()
	code := m.Run()
	if code == 0 && !settled(before) {
		fmt.Fprintln(os.Stderr, "goroutines were left behind:")
		pprof.Lookup("goroutine").WriteTo(os.Stderr, 1)
		code = 1
	}
	os.Exit(code)
}

// settled reports whether the number of goroutines comes down to n: those that
// have been told to end may still be on their way.
func settled(n int) bool {
	look := time.NewTicker(5 * time.Millisecond)
	defer look.Stop()
	deadline := time.After(5 * time.Second)
	for runtime.NumGoroutine() > n {
		select {
		case <-look.C:
		case <-deadline:
			return false
		}
	}
	return true
}

// timeout ends a test that the server keeps waiting.
const timeout = 20 * time.Second

// serve runs the chat until the test ends.
func serve(t *testing.T, bundle fs.FS) *httptest.Server {
	t.Helper()
	handler, io := newServer(bundle, log.New(io.Discard, "", 0))
	server := httptest.NewServer(handler)
	server.Client().Timeout = timeout
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), timeout)
		defer cancel()
		if err := io.Shutdown(ctx); err != nil {
			t.Errorf("shutdown: %v", err)
		}
		server.Close()
	})
	return server
}

// join brings somebody into a room.
func join(t *testing.T, server *httptest.Server, name, room string) *client {
	t.Helper()
	c := dial(t, server)
	if refusal := c.call("join", Entry{Person{name, room}, ""}, new(Admission)); refusal != "" {
		t.Fatalf("%s was refused: %s", name, refusal)
	}
	return c
}

func text(text string) map[string]any { return map[string]any{"text": text} }

// hears fails the test unless the next message c gets is from and says that.
func (c *client) hears(from, text string) Message {
	c.t.Helper()
	e := c.next("said")
	var m struct {
		Message
		Photo json.RawMessage `json:"photo"` // a placeholder
	}
	e.decode(c.t, &m)
	if m.From != from || m.Text != text {
		c.t.Fatalf("heard %q from %s, want %q from %s", m.Text, m.From, text, from)
	}
	if m.Photo != nil {
		m.Message.Photo = e.files[0]
	}
	return m.Message
}

func TestJoin(t *testing.T) {
	t.Parallel()
	server := serve(t, nil)
	ada := dial(t, server)

	var rooms []Room
	ada.next("rooms").decode(t, &rooms)
	if want := []Room{{"lobby", 0}, {"random", 0}, {"tea", 0}}; !reflect.DeepEqual(rooms, want) {
		t.Errorf("on connect the rooms are %v, want %v", rooms, want)
	}

	var admission Admission
	if refusal := ada.call("join", Entry{Person{"  Ada \t Lovelace ", "engines"}, ""}, &admission); refusal != "" {
		t.Fatal(refusal)
	}
	if want := (Admission{Person{"Ada Lovelace", "engines"}, maxPhoto}); admission != want {
		t.Errorf("admitted as %v, want %v", admission, want)
	}
	bob := join(t, server, "bob", "engines")

	var roster Roster
	bob.next("people").decode(t, &roster)
	if want := (Roster{"engines", []string{"Ada Lovelace", "bob"}}); !reflect.DeepEqual(roster, want) {
		t.Errorf("bob sees %v, want %v", roster, want)
	}
	var name string
	if ada.next("joined").decode(t, &name); name != "bob" {
		t.Errorf("Ada sees %q join, want bob", name)
	}
	for range 2 { // after her own arrival, and after his
		ada.next("rooms").decode(t, &rooms)
	}
	if want := []Room{{"lobby", 0}, {"random", 0}, {"tea", 0}, {"engines", 2}}; !reflect.DeepEqual(rooms, want) {
		t.Errorf("the rooms are %v, want %v", rooms, want)
	}

	// To join again is to change room or name.
	if refusal := bob.call("join", Entry{Person{"Robert", "tea"}, ""}, &admission); refusal != "" {
		t.Fatal(refusal)
	}
	if ada.next("left").decode(t, &name); name != "bob" {
		t.Errorf("Ada sees %q leave, want bob", name)
	}
	bob.leave()
	ada.next("rooms")
	ada.next("rooms").decode(t, &rooms)
	if want := []Room{{"lobby", 0}, {"random", 0}, {"tea", 0}, {"engines", 1}}; !reflect.DeepEqual(rooms, want) {
		t.Errorf("when bob has gone the rooms are %v, want %v", rooms, want)
	}
	join(t, server, "BOB", "lobby") // both of his names are free
	join(t, server, "robert", "lobby")
}

func TestJoinRefused(t *testing.T) {
	t.Parallel()
	server := serve(t, nil)
	join(t, server, "Ada", "lobby")
	c := dial(t, server)
	long := strings.Repeat("é", maxName+1)
	for _, test := range []struct {
		why        string
		name, room string
		want       string
	}{
		{"no name", "", "lobby", "please choose a name"},
		{"blank name", " \t\u00a0", "lobby", "please choose a name"},
		{"long name", long, "lobby", "a name has at most 24 characters"},
		{"invisible name", "A\u202eda", "lobby", "this name has characters that nobody can see"},
		{"taken name", "Ada", "lobby", "the name Ada is taken"},
		{"taken name in other letters", " aDA", "tea", "the name Ada is taken"},
		{"no room", "Bob", " ", "please choose a room"},
		{"long room", "Bob", long, "a room has at most 24 characters"},
	} {
		if got := c.call("join", Entry{Person{test.name, test.room}, ""}, nil); got != test.want {
			t.Errorf("%s: refused with %q, want %q", test.why, got, test.want)
		}
	}
	if got := c.call("say", text("let me in"), nil); got != "join a room first" {
		t.Errorf("a message before joining: refused with %q", got)
	}
}

// A connection may be dead for a while before the server notices. Its page,
// connected again, must not be told that its own name is taken.
func TestKeyTakesNameBack(t *testing.T) {
	t.Parallel()
	server := serve(t, nil)
	bob := join(t, server, "Bob", "lobby")
	old, back, thief := dial(t, server), dial(t, server), dial(t, server)
	entry := Entry{Person{"Ada", "lobby"}, "secret"}
	if refusal := old.call("join", entry, new(Admission)); refusal != "" {
		t.Fatal(refusal)
	}
	for _, key := range []string{"", "guess"} {
		if got := thief.call("join", Entry{entry.Person, key}, nil); got != "the name Ada is taken" {
			t.Errorf("with key %q: %q", key, got)
		}
	}
	if refusal := back.call("join", entry, new(Admission)); refusal != "" {
		t.Errorf("with the key: %s", refusal)
	}
	for _, change := range []string{"joined", "left", "joined"} {
		var name string
		if bob.next(change).decode(t, &name); name != "Ada" {
			t.Errorf("Bob sees %q, want Ada", name)
		}
	}
	bob.call("say", text("welcome back"), new(Receipt))
	back.hears("Bob", "welcome back")

	for old.poll() == nil { // until it has heard that it is closed
	}

	var roster Roster
	back.next("people").decode(t, &roster)
	if want := []string{"Ada", "Bob"}; !reflect.DeepEqual(roster.Names, want) {
		t.Errorf("in the room are %v, want %v", roster.Names, want)
	}
}

func TestSay(t *testing.T) {
	t.Parallel()
	server := serve(t, nil)
	ada, bob := join(t, server, "Ada", "lobby"), join(t, server, "Bob", "lobby")
	eve := join(t, server, "Eve", "tea")

	var receipt Receipt
	forged := map[string]any{"text": "  <b>hello</b>\n", "from": "Bob", "at": "1815-12-10T00:00:00Z"}
	if refusal := ada.call("say", forged, &receipt); refusal != "" {
		t.Fatal(refusal)
	}
	m := bob.hears("Ada", "<b>hello</b>")
	if m.At.Before(time.Now().Add(-time.Hour)) || !m.At.Equal(receipt.At) {
		t.Errorf("sent at %v, received at %v", receipt.At, m.At)
	}

	// Neither the sender nor another room has heard it: this is their first.
	bob.call("say", text("hi"), &receipt)
	ada.hears("Bob", "hi")
	ada.call("join", Entry{Person{"Ada", "tea"}, ""}, new(Admission))
	ada.call("say", text("tea?"), &receipt)
	eve.hears("Ada", "tea?")
}

func TestSayRefused(t *testing.T) {
	t.Parallel()
	server := serve(t, nil)
	ada, bob := join(t, server, "Ada", "lobby"), join(t, server, "Bob", "lobby")
	for _, test := range []struct {
		why     string
		message any
		want    string
	}{
		{"nothing", map[string]any{}, "there is nothing in this message"},
		{"blanks", text(" \n "), "there is nothing in this message"},
		{"a long text", text(strings.Repeat("é", maxText+1)), "a message has at most 2000 characters"},
		{"an empty photo", map[string]any{"photo": []byte{}}, "this is not a photo"},
		{"a page for a photo", map[string]any{"photo": []byte("<svg onload='alert(1)'/>")}, "this is not a photo"},
		{"a huge photo", map[string]any{"photo": make([]byte, maxPhoto+1)}, "a photo has at most 2 MB"},
		{"to nobody", map[string]any{"text": "psst", "to": "Carol"}, "this person is not here"},
		{"a number", 1815, "bad arguments"},
	} {
		if got := ada.call("say", test.message, nil); got != test.want {
			t.Errorf("%s: refused with %q, want %q", test.why, got, test.want)
		}
	}
	ada.call("say", text("still here"), new(Receipt))
	bob.hears("Ada", "still here")
}

func TestPhoto(t *testing.T) {
	t.Parallel()
	server := serve(t, nil)
	ada, bob := join(t, server, "Ada", "lobby"), join(t, server, "Bob", "lobby")
	var photo bytes.Buffer
	if err := png.Encode(&photo, image.NewGray(image.Rect(0, 0, 64, 64))); err != nil {
		t.Fatal(err)
	}
	message := map[string]any{"text": "my cat", "photo": photo.Bytes()}
	if refusal := ada.call("say", message, new(Receipt)); refusal != "" {
		t.Fatal(refusal)
	}
	if got := bob.hears("Ada", "my cat").Photo; !bytes.Equal(got, photo.Bytes()) {
		t.Errorf("the photo has %d bytes, want the %d sent", len(got), photo.Len())
	}
}

func TestPrivate(t *testing.T) {
	t.Parallel()
	server := serve(t, nil)
	ada, eve := join(t, server, "Ada", "lobby"), join(t, server, "Eve", "lobby")
	bob := join(t, server, "Bob", "tea") // another room is no obstacle

	if refusal := ada.call("say", map[string]any{"text": "psst", "to": "bob"}, new(Receipt)); refusal != "" {
		t.Fatal(refusal)
	}
	if to := bob.hears("Ada", "psst").To; to == "" {
		t.Error("Bob cannot see that the message is private")
	}
	ada.call("say", text("hello all"), new(Receipt))
	eve.hears("Ada", "hello all") // and nothing before
}

// A socket's id is also a room. Who knows it must not get in and talk.
func TestOwnRoomIsOutOfReach(t *testing.T) {
	t.Parallel()
	server := serve(t, nil)
	ada, bob := join(t, server, "Ada", "lobby"), join(t, server, "Bob", "lobby")
	eve := join(t, server, "Eve", bob.id)
	eve.call("say", text("can you hear me?"), new(Receipt))
	ada.call("say", text("hello"), new(Receipt))
	bob.hears("Ada", "hello") // and nothing before
}

func TestTyping(t *testing.T) {
	t.Parallel()
	server := serve(t, nil)
	ada, bob := join(t, server, "Ada", "lobby"), join(t, server, "Bob", "lobby")
	polled := make(chan error)
	for {
		// It is volatile: Bob only hears of it while he is polling.
		go func() { polled <- bob.poll() }()
		for waiting := true; waiting; {
			ada.emit("typing", true)
			select {
			case err := <-polled:
				if err != nil {
					t.Fatal(err)
				}
				waiting = false
			default:
			}
		}
		for len(bob.packets) > 0 {
			bob.read()
		}
		if e, ok := bob.take("typing"); ok {
			var name string
			var on bool
			if e.decode(t, &name, &on); name != "Ada" || !on {
				t.Errorf("Bob sees typing %s %v, want Ada true", name, on)
			}
			return
		}
	}
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
		server := serve(t, test.bundle)
		answer, err := server.Client().Get(server.URL + test.path)
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
// told to.
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
	line := func() string {
		lines.Scan()
		return lines.Text()
	}

	url, ok := strings.CutPrefix(line(), "chat is on ")
	if !ok || !strings.HasPrefix(url, "http://127.0.0.1:") {
		t.Fatalf("the first line ends in %q", url)
	}
	connections := &http.Transport{}
	defer connections.CloseIdleConnections()
	c := connect(t, &http.Client{Transport: connections, Timeout: timeout}, url)
	if got, want := line(), "a user connected: "+c.id; got != want {
		t.Errorf("the second line is %q, want %q", got, want)
	}
	gone := make(chan bool)
	go func() {
		defer close(gone)
		for c.poll() == nil { // until the server ends the session
		}
	}()
	stop()
	if got, want := line(), "user disconnected: "+c.id+" (server shutting down)"; got != want {
		t.Errorf("the last line is %q, want %q", got, want)
	}
	if err := <-ended; err != nil {
		t.Errorf("the program ended with %v", err)
	}
	<-gone
}

func TestRunRefusesBusyPort(t *testing.T) {
	t.Parallel()
	server := serve(t, nil)
	busy := strings.TrimPrefix(server.URL, "http://")
	if err := run(t.Context(), busy, "", log.New(io.Discard, "", 0)); err == nil {
		t.Error("listening on a busy port is no error")
	}
}
