package main

import (
	"bufio"
	"context"
	"io"
	"io/fs"
	"log"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/socketio-go/socketio"
	"github.com/socketio-go/socketio/client"
	"github.com/socketio-go/socketio/socketiotest"
)

// A site is the server of one test, whose clock stands still unless moved.
type site struct {
	*socketiotest.Host
	house *auctioneer

	mu  sync.Mutex // guards now
	now time.Time
}

// serve runs the site until the test ends.
func serve(t *testing.T, bundle fs.FS) *site {
	s := &site{now: time.Date(2030, time.May, 1, 12, 0, 0, 0, time.UTC)}
	handler, _, house := newServer(bundle, log.New(io.Discard, "", 0), func() time.Time {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.now
	})
	s.house = house
	s.Host = socketiotest.Serve(t, handler, socketiotest.AllowType[*socketio.DecodeError]())
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
func (s *site) enter(ns, name string) *socketiotest.Client {
	return s.Connect(Credentials{name, true}, socketiotest.Namespace(ns), socketiotest.Name(name))
}

func TestOneConnection(t *testing.T) {
	t.Parallel()
	s := serve(t, nil)
	chat := s.enter("/chat", "Ada")
	auction := chat.Of("/auction", Credentials{"Ada", true})
	var inChat, inAuction Welcome
	_ = chat.Until("welcome").Decode(&inChat)
	_ = auction.Until("welcome").Decode(&inAuction)
	if inChat.ID != chat.ID() || inAuction.ID != auction.ID() || chat.ID() == auction.ID() {
		t.Errorf("the sockets are %s and %s, and welcomed as %s and %s", chat.ID(), auction.ID(), inChat.ID, inAuction.ID)
	}
	if inChat.Via == "" || inChat.Via != inAuction.Via {
		t.Errorf("one connection is reached through %q and through %q", inChat.Via, inAuction.Via)
	}
	// To leave one namespace is to stay in the other.
	auction.Disconnect()
	bob := s.enter("/chat", "Bob")
	bob.Ask("say", "still there?")
	chat.Until("joined")
	chat.Expect("said", "Bob", "still there?")
}

func TestAdmission(t *testing.T) {
	t.Parallel()
	s := serve(t, nil)
	for _, test := range []struct {
		auth          any
		chat, auction string // refusals
	}{
		{Credentials{"Ada", false}, "", "please accept the terms of the auction"},
		{nil, "please choose a name", "please choose a name"},
		{Credentials{" \t", true}, "please choose a name", "please choose a name"},
		{Credentials{strings.Repeat("é", 25), true}, "a name has at most 24 characters", "a name has at most 24 characters"},
		{Credentials{"A\u202eda", true}, "this name has characters that nobody can see", "this name has characters that nobody can see"},
		{map[string]any{"name": 1815}, "auth must be {name, terms}", "auth must be {name, terms}"},
	} {
		for ns, want := range map[string]string{"/chat": test.chat, "/auction": test.auction} {
			if want == "" {
				s.Connect(test.auth, socketiotest.Namespace(ns))
			} else if got := s.Refused(test.auth, socketiotest.Namespace(ns)); got.Message != want {
				t.Errorf("%v to %s: refused with %q, want %q", test.auth, ns, got.Message, want)
			}
		}
	}
}

// A refusal can be mended on the same connection, and says how.
func TestTermsCanBeAcceptedLater(t *testing.T) {
	t.Parallel()
	chat := serve(t, nil).Connect(Credentials{"Ada", false}, socketiotest.Namespace("/chat"))
	if refused := chat.OfRefused("/auction", Credentials{"Ada", false}); string(refused.Data) != `{"missing":"terms"}` {
		t.Fatalf("refused with %+v", refused)
	}
	chat.Of("/auction", Credentials{"Ada", true})
	chat.Ask("say", "hello")
}

func TestChat(t *testing.T) {
	t.Parallel()
	s := serve(t, nil)
	ada, bob, eve := s.enter("/chat", "Ada"), s.enter("/chat", "Bob"), s.enter("/chat", "Eve")
	eve.Ask("move", "garden")
	ada.Until("welcome")
	ada.Expect("joined", "Bob")
	ada.Expect("joined", "Eve")
	ada.Expect("left", "Eve")
	ada.Ask("say", " <b>hello</b> ")
	bob.Until("left")
	bob.Expect("said", "Ada", "<b>hello</b>")
	bob.Ask("move", "garden")
	eve.Until("welcome")
	eve.Expect("joined", "Bob")
	bob.Ask("say", "nice here")
	eve.Expect("said", "Bob", "nice here") // and not what was said in the hall

	for _, test := range []struct{ event, arg, want string }{
		{"move", "cellar", "there is no such room"},
		{"move", bob.ID(), "there is no such room"},
		{"say", " ", "say something of 1 to 500 characters"},
		{"say", strings.Repeat("é", 501), "say something of 1 to 500 characters"},
	} {
		if got := ada.AskError(test.event, test.arg); got.Message != test.want {
			t.Errorf("%s %.10q: refused with %v, want %q", test.event, test.arg, got, test.want)
		}
	}
	bob.Close()
	eve.Expect("left", "Bob")
}

func TestBids(t *testing.T) {
	t.Parallel()
	s := serve(t, nil)
	ada, bob := s.enter("/auction", "Ada"), s.enter("/auction", "Bob")
	for _, test := range []struct {
		why     string
		bidder  *socketiotest.Client
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
		if test.refusal == "" {
			if lot := socketiotest.Ask(test.bidder, Place, test.bid); lot.Price != test.bid.Amount || lot.Minimum != lot.Price+lot.Step {
				t.Errorf("%s: the lot is %+v", test.why, lot)
			}
		} else if got := socketiotest.AskError(test.bidder, Place, test.bid); got.Message != test.refusal || string(got.Data) != test.data {
			t.Errorf("%s: refused with %+v, want %q %s", test.why, got, test.refusal, test.data)
		}
	}
	if got := ada.AskError("bid", map[string]any{"lot": "globe", "amount": "1e3"}); got.Message != "bad arguments" {
		t.Errorf("text for an amount: %+v", got)
	}
}

// Those who watch a lot see its bids and its clock.
func TestOnlyWatchersSeeBids(t *testing.T) {
	t.Parallel()
	s := serve(t, nil)
	ada, bob := s.enter("/auction", "Ada"), s.enter("/auction", "Bob")
	socketiotest.AskError(ada, Watch, "moon")
	for _, id := range []string{"globe", "radio"} { // the second instead of the first
		if lot := socketiotest.Ask(ada, Watch, id); lot.ID != id || lot.Seconds == 0 {
			t.Errorf("watching %s: %+v", id, lot)
		}
	}
	socketiotest.Ask(bob, Place, Bid{"globe", 80})
	socketiotest.Ask(bob, Place, Bid{"radio", 60})
	if lot := socketiotest.Await(ada, Rose); lot.ID != "radio" || lot.Price != 60 || lot.Bidder != "Bob" {
		t.Errorf("Ada sees %+v, want the radio rise to Bob's 60", lot)
	}
	s.Settle() // seconds are volatile
	s.pass(0)
	ada.Expect("clock", "radio", 120)
	bob.Drain()
	s.pass(time.Second)
	bob.Nothing()
}

func TestClockClosesAndOpensLots(t *testing.T) {
	t.Parallel()
	s := serve(t, nil)
	ada, bob := s.enter("/auction", "Ada"), s.enter("/auction", "Bob")
	lot := func(c *socketiotest.Client, id string) (found Lot) {
		for _, l := range socketiotest.Await(c, Lots) {
			if l.ID == id {
				found = l
			}
		}
		return found
	}
	for _, c := range []*socketiotest.Client{ada, bob} {
		if l := lot(c, "gopher"); l.Closed || l.Minimum != 20 {
			t.Errorf("the first lot is %+v", l)
		}
	}
	socketiotest.Ask(ada, Place, Bid{"gopher", 25})
	s.pass(59 * time.Second)
	if l := socketiotest.Ask(ada, Watch, "gopher"); l.Seconds != 1 || l.Closed {
		t.Errorf("after 59 of 60 seconds the lot is %+v", l)
	}
	// A bid at the last moment gives everybody time to answer.
	if l := socketiotest.Ask(bob, Place, Bid{"gopher", 30}); l.Seconds != 10 {
		t.Errorf("the last bid: %+v", l)
	}
	s.pass(9 * time.Second)
	socketiotest.Ask(ada, Place, Bid{"gopher", 35})
	s.pass(10 * time.Second)
	if won := socketiotest.Await(ada, Won); won.ID != "gopher" {
		t.Errorf("Ada won %+v, want the gopher", won)
	}
	for _, c := range []*socketiotest.Client{ada, bob} {
		if l := lot(c, "gopher"); !l.Closed || l.Bidder != "Ada" || l.Price != 35 || l.Seconds != 15 {
			t.Errorf("the gopher closed as %+v", l)
		}
	}
	if refused := socketiotest.AskError(bob, Place, Bid{"gopher", 500}); refused.Message != "this lot is closed" {
		t.Errorf("a bid for a closed lot: %v", refused)
	}
	bob.Nothing() // he has not won
	s.pass(15 * time.Second)
	if l := lot(ada, "gopher"); l.Closed || l.Bidder != "" || l.Price != 0 || l.Minimum != 20 || l.Seconds != 60 {
		t.Errorf("the gopher opened as %+v", l)
	}
	if l := lot(bob, "globe"); !l.Closed || l.Bidder != "" {
		t.Errorf("the globe closed as %+v", l)
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
		answer, err := serve(t, test.bundle).HTTP().Get("http://site" + test.path)
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
	url, ok := strings.CutPrefix(line(), "chat and auction are on ")
	if !ok || !strings.HasPrefix(url, "http://127.0.0.1:") {
		t.Fatalf("the first line ends in %q", url)
	}
	if err := run(ctx, strings.TrimPrefix(url, "http://"), "", log.New(io.Discard, "", 0)); err == nil {
		t.Error("listening on a busy port is no error")
	}
	auth := func(context.Context, string) (any, error) { return Credentials{"Ada", false}, nil }
	c, err := client.New(url, &client.Options{Auth: auth})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.Of("/chat").Connect(ctx); err != nil {
		t.Fatal(err)
	}
	id := c.Of("/chat").ID()
	if got, want := line(), "a user connected: "+id+" in /chat"; got != want {
		t.Errorf("the second line is %q, want %q", got, want)
	}
	stop()
	if got, want := line(), "user disconnected: "+id+" (server shutting down) in /chat"; got != want {
		t.Errorf("the last line is %q, want %q", got, want)
	}
	if err := <-ended; err != nil {
		t.Errorf("the program ended with %v", err)
	}
}
