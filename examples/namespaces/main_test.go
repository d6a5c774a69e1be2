package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"io/fs"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"runtime/pprof"
	"strings"
	"sync"
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

// A site is the server of one test, whose clock stands still unless moved.
type site struct {
	*httptest.Server
	house *auctioneer

	mu  sync.Mutex // guards now
	now time.Time
}

// serve runs the site until the test ends.
func serve(t *testing.T, bundle fs.FS) *site {
	t.Helper()
	s := &site{now: time.Date(2030, time.May, 1, 12, 0, 0, 0, time.UTC)}
	handler, io, house := newServer(bundle, log.New(io.Discard, "", 0), func() time.Time {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.now
	})
	s.house = house
	s.Server = httptest.NewServer(handler)
	s.Client().Timeout = timeout
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), timeout)
		defer cancel()
		if err := io.Shutdown(ctx); err != nil {
			t.Errorf("shutdown: %v", err)
		}
		s.Close()
	})
	return s
}

// pass moves the clock.
func (s *site) pass(d time.Duration) {
	s.mu.Lock()
	s.now = s.now.Add(d)
	now := s.now
	s.mu.Unlock()
	s.house.tick(now)
}

// enter connects somebody to a namespace.
func enter(t *testing.T, s *site, ns, name string) *socket {
	t.Helper()
	c := dial(t, s.Server).connect(ns, Credentials{name, true})
	if c.refused != nil {
		t.Fatalf("%s was refused: %s", name, c.refused.Message)
	}
	return c
}

// hears fails the test unless the next message c gets is from and says that.
func (c *socket) hears(from, text string) {
	c.t.Helper()
	var gotFrom, gotText string
	if c.next("said", &gotFrom, &gotText); gotFrom != from || gotText != text {
		c.t.Fatalf("heard %q from %s, want %q from %s", gotText, gotFrom, text, from)
	}
}

func TestOneConnection(t *testing.T) {
	t.Parallel()
	s := serve(t, nil)
	session := dial(t, s.Server)
	chat := session.connect("/chat", Credentials{"Ada", true})
	auction := session.connect("/auction", Credentials{"Ada", true})

	var inChat, inAuction Welcome
	chat.next("welcome", &inChat)
	auction.next("welcome", &inAuction)
	if inChat.ID != chat.id || inAuction.ID != auction.id || chat.id == auction.id {
		t.Errorf("the sockets are %s and %s, and welcomed as %s and %s", chat.id, auction.id, inChat.ID, inAuction.ID)
	}
	if inChat.Via == "" || inChat.Via != inAuction.Via {
		t.Errorf("one connection is reached through %q and through %q", inChat.Via, inAuction.Via)
	}

	// To leave one namespace is to stay in the other.
	auction.disconnect()
	bob := enter(t, s, "/chat", "Bob")
	bob.call("say", "still there?", nil)
	chat.hears("Bob", "still there?")
}

func TestAdmission(t *testing.T) {
	t.Parallel()
	s := serve(t, nil)
	for _, test := range []struct {
		why           string
		auth          any
		chat, auction string // refusals
	}{
		{"a name and the terms", Credentials{"Ada", true}, "", ""},
		{"a name alone", Credentials{"Ada", false}, "", "please accept the terms of the auction"},
		{"nothing", map[string]any{}, "please choose a name", "please choose a name"},
		{"a blank name", Credentials{" \t", true}, "please choose a name", "please choose a name"},
		{"a long name", Credentials{strings.Repeat("é", 25), true}, "a name has at most 24 characters", "a name has at most 24 characters"},
		{"an invisible name", Credentials{"A\u202eda", true}, "this name has characters that nobody can see", "this name has characters that nobody can see"},
		{"a number for a name", map[string]any{"name": 1815}, "auth must be {name, terms}", "auth must be {name, terms}"},
	} {
		session := dial(t, s.Server)
		for ns, want := range map[string]string{"/chat": test.chat, "/auction": test.auction} {
			var got string
			if c := session.connect(ns, test.auth); c.refused != nil {
				got = c.refused.Message
			}
			if got != want {
				t.Errorf("%s to %s: refused with %q, want %q", test.why, ns, got, want)
			}
		}
	}
}

// A refusal can be mended on the same connection, and says how.
func TestTermsCanBeAcceptedLater(t *testing.T) {
	t.Parallel()
	session := dial(t, serve(t, nil).Server)
	chat := session.connect("/chat", Credentials{"Ada", false})
	refused := session.connect("/auction", Credentials{"Ada", false}).refused
	if refused == nil || string(refused.Data) != `{"missing":"terms"}` {
		t.Fatalf("refused with %+v", refused)
	}
	auction := session.connect("/auction", Credentials{"Ada", true})
	if auction.refused != nil {
		t.Errorf("refused with the terms accepted: %s", auction.refused.Message)
	}
	if refused := chat.call("say", "hello", nil); refused != nil {
		t.Errorf("the chat was disturbed: %s", refused.Message)
	}
}

func TestChat(t *testing.T) {
	t.Parallel()
	s := serve(t, nil)
	ada, bob, eve := enter(t, s, "/chat", "Ada"), enter(t, s, "/chat", "Bob"), enter(t, s, "/chat", "Eve")
	var room, name string
	if refused := eve.call("move", "garden", &room); refused != nil || room != "garden" {
		t.Errorf("moved to %q, %v", room, refused)
	}
	for _, event := range []string{"joined", "joined", "left"} {
		ada.next(event, &name)
	}
	if name != "Eve" {
		t.Errorf("Ada sees %s leave, want Eve", name)
	}

	ada.call("say", " <b>hello</b> ", nil)
	bob.hears("Ada", "<b>hello</b>")
	bob.call("move", "garden", &room)
	if eve.next("joined", &name); name != "Bob" {
		t.Errorf("Eve sees %s join, want Bob", name)
	}
	bob.call("say", "nice here", nil)
	eve.hears("Bob", "nice here") // and not what was said in the hall

	for _, test := range []struct{ event, arg, want string }{
		{"move", "cellar", "there is no such room"},
		{"move", bob.id, "there is no such room"},
		{"say", " ", "say something of 1 to 500 characters"},
		{"say", strings.Repeat("é", 501), "say something of 1 to 500 characters"},
	} {
		if got := ada.call(test.event, test.arg, &room); got == nil || got.Message != test.want {
			t.Errorf("%s %.10q: refused with %v, want %q", test.event, test.arg, got, test.want)
		}
	}

	bob.leave()
	if eve.next("left", &name); name != "Bob" {
		t.Errorf("Eve sees %s leave, want Bob", name)
	}
}

func TestBids(t *testing.T) {
	t.Parallel()
	s := serve(t, nil)
	ada, bob := enter(t, s, "/auction", "Ada"), enter(t, s, "/auction", "Bob")
	for _, test := range []struct {
		why     string
		bidder  *socket
		bid     Bid
		refusal string
		data    string
	}{
		{"below the start", ada, Bid{"globe", 79}, "the next bid is 80 or more", `{"minimum":80}`},
		{"negative", ada, Bid{"globe", -80}, "the next bid is 80 or more", `{"minimum":80}`},
		{"the start", ada, Bid{"globe", 80}, "", ""},
		{"against oneself", ada, Bid{"globe", 200}, "yours is the highest bid already", ""},
		{"less than a step more", bob, Bid{"globe", 89}, "the next bid is 90 or more", `{"minimum":90}`},
		{"more", bob, Bid{"globe", 150}, "", ""},
		{"too much", ada, Bid{"globe", highest + 1}, "nobody has more than 1000000", ""},
		{"for another lot", bob, Bid{"gopher", 20}, "", ""},
		{"for nothing", ada, Bid{"moon", 80}, "there is no such lot", ""},
	} {
		var lot Lot
		got := test.bidder.call("bid", test.bid, &lot)
		switch {
		case test.refusal == "" && got != nil:
			t.Errorf("%s: refused with %q", test.why, got.Message)
		case test.refusal == "" && (lot.Price != test.bid.Amount || lot.Minimum != lot.Price+lot.Step):
			t.Errorf("%s: the lot is %+v", test.why, lot)
		case test.refusal != "" && (got == nil || got.Message != test.refusal || string(got.Data) != test.data):
			t.Errorf("%s: refused with %+v, want %q %s", test.why, got, test.refusal, test.data)
		}
	}
	if refused := ada.call("bid", map[string]any{"lot": "globe", "amount": "1e3"}, nil); refused == nil || refused.Message != "bad arguments" {
		t.Errorf("text for an amount: %+v", refused)
	}
}

func TestOnlyWatchersSeeBids(t *testing.T) {
	t.Parallel()
	s := serve(t, nil)
	ada, bob := enter(t, s, "/auction", "Ada"), enter(t, s, "/auction", "Bob")
	var lot Lot
	if refused := ada.call("watch", "moon", &lot); refused == nil {
		t.Error("Ada watches what does not exist")
	}
	for _, id := range []string{"globe", "radio"} { // the second instead of the first
		if refused := ada.call("watch", id, &lot); refused != nil || lot.ID != id || lot.Seconds == 0 {
			t.Errorf("watching %s: %+v %v", id, lot, refused)
		}
	}
	bob.call("bid", Bid{"globe", 80}, &lot)
	bob.call("bid", Bid{"radio", 60}, &lot)
	if ada.next("rose", &lot); lot.ID != "radio" || lot.Price != 60 || lot.Bidder != "Bob" {
		t.Errorf("Ada sees %+v, want the radio rise to Bob's 60", lot)
	}
}

func TestClockClosesAndOpensLots(t *testing.T) {
	t.Parallel()
	s := serve(t, nil)
	ada, bob := enter(t, s, "/auction", "Ada"), enter(t, s, "/auction", "Bob")
	lots := func(c *socket) map[string]Lot {
		var list []Lot
		c.next("lots", &list)
		byID := make(map[string]Lot)
		for _, l := range list {
			byID[l.ID] = l
		}
		return byID
	}
	for _, c := range []*socket{ada, bob} {
		if first := lots(c); len(first) != len(catalogue) || first["gopher"].Closed || first["gopher"].Minimum != 20 {
			t.Errorf("the first lots are %v", first)
		}
	}

	var lot Lot
	ada.call("bid", Bid{"gopher", 25}, &lot)
	s.pass(59 * time.Second)
	ada.call("watch", "gopher", &lot)
	if lot.Seconds != 1 || lot.Closed {
		t.Errorf("after 59 of 60 seconds the lot is %+v", lot)
	}

	// A bid at the last moment gives everybody time to answer.
	if refused := bob.call("bid", Bid{"gopher", 30}, &lot); refused != nil || lot.Seconds != 10 {
		t.Errorf("the last bid: %v, %+v", refused, lot)
	}
	s.pass(9 * time.Second)
	if refused := ada.call("bid", Bid{"gopher", 35}, &lot); refused != nil {
		t.Errorf("within the time added: %s", refused.Message)
	}

	s.pass(10 * time.Second)
	for _, c := range []*socket{ada, bob} {
		if l := lots(c)["gopher"]; !l.Closed || l.Bidder != "Ada" || l.Price != 35 || l.Seconds != 15 {
			t.Errorf("the gopher closed as %+v", l)
		}
	}
	if ada.next("won", &lot); lot.ID != "gopher" {
		t.Errorf("Ada won %+v, want the gopher", lot)
	}
	if refused := bob.call("bid", Bid{"gopher", 500}, &lot); refused == nil || refused.Message != "this lot is closed" {
		t.Errorf("a bid for a closed lot: %v", refused)
	}
	if bob.take("won") {
		t.Error("Bob won too")
	}

	s.pass(15 * time.Second) // the globe closes meanwhile
	for _, c := range []*socket{ada, bob} {
		list := lots(c)
		if l := list["gopher"]; l.Closed || l.Bidder != "" || l.Price != 0 || l.Minimum != 20 || l.Seconds != 60 {
			t.Errorf("the gopher opened as %+v", l)
		}
		if l := list["globe"]; !l.Closed || l.Bidder != "" {
			t.Errorf("the globe closed as %+v", l)
		}
	}
}

func TestClockIsShownToWatchers(t *testing.T) {
	t.Parallel()
	s := serve(t, nil)
	ada := enter(t, s, "/auction", "Ada")
	var lot Lot
	ada.call("watch", "radio", &lot)
	polled := make(chan error)
	for {
		// Seconds are volatile: Ada only hears of those that pass while she is polling.
		go func() { polled <- ada.poll() }()
		for waiting := true; waiting; {
			s.pass(0)
			select {
			case err := <-polled:
				if err != nil {
					t.Fatal(err)
				}
				waiting = false
			default:
				runtime.Gosched()
			}
		}
		for len(ada.packets) > 0 {
			ada.read()
		}
		var id string
		var seconds int
		if ada.take("clock", &id, &seconds) {
			if id != "radio" || seconds != 120 {
				t.Errorf("the clock of %s shows %d, want radio and 120", id, seconds)
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
		{"/app.js", nil, `io("/auction"`},
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
		text, err := io.ReadAll(answer.Body)
		answer.Body.Close()
		if err != nil || answer.StatusCode != http.StatusOK || !strings.Contains(string(text), test.want) {
			t.Errorf("GET %s: %s, without %q", test.path, answer.Status, test.want)
		}
		if policy := answer.Header.Get("Content-Security-Policy"); test.path == "/" && policy != "default-src 'self'" {
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

	url, ok := strings.CutPrefix(line(), "chat and auction are on ")
	if !ok || !strings.HasPrefix(url, "http://127.0.0.1:") {
		t.Fatalf("the first line ends in %q", url)
	}
	connections := &http.Transport{}
	defer connections.CloseIdleConnections()
	session := open(t, &http.Client{Transport: connections, Timeout: timeout}, url)
	id := session.connect("/chat", Credentials{"Ada", false}).id
	if got, want := line(), "a user connected: "+id+" in /chat"; got != want {
		t.Errorf("the second line is %q, want %q", got, want)
	}
	gone := make(chan bool)
	go func() {
		defer close(gone)
		for session.poll() == nil { // until the server ends the session
		}
	}()
	stop()
	if got, want := line(), "user disconnected: "+id+" (server shutting down) in /chat"; got != want {
		t.Errorf("the last line is %q, want %q", got, want)
	}
	if err := <-ended; err != nil {
		t.Errorf("the program ended with %v", err)
	}
	<-gone
}

func TestRunRefusesBusyPort(t *testing.T) {
	t.Parallel()
	busy := strings.TrimPrefix(serve(t, nil).URL, "http://")
	if err := run(t.Context(), busy, "", log.New(io.Discard, "", 0)); err == nil {
		t.Error("listening on a busy port is no error")
	}
}
