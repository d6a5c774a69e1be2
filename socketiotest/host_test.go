package socketiotest_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/socketio-go/socketio"
	"github.com/socketio-go/socketio/client"
	"github.com/socketio-go/socketio/msgpack"
	"github.com/socketio-go/socketio/socketiotest"
)

var quiet = slog.New(slog.DiscardHandler)

const (
	say     socketio.Call[string, int]     = "say"
	said    socketio.Event[message]        = "said"
	confirm socketio.Call[string, bool]    = "confirm"
	ask     socketio.Call[string, bool]    = "ask"
	moved   socketio.Event[move]           = "moved"
	photo   socketio.Event[map[string]any] = "photo"
)

type message struct {
	From string `json:"from"`
	Text string `json:"text"`
}

type move struct {
	socketio.Positional
	X, Y int
}

// newChat returns the server of these tests.
func newChat(opts socketio.Options) *socketio.Server {
	opts.Logger = quiet
	opts.AllowEIO3 = true
	io := socketio.NewServer(&opts)
	name := func(s *socketio.Socket) string {
		if name := s.Handshake().URL.Query().Get("token"); name != "" {
			return name
		}
		var auth struct{ Token string }
		_ = s.Handshake().Auth.Decode(&auth)
		return auth.Token
	}
	for _, n := range []*socketio.Namespace{io.Of("/"), io.Of("/admin")} {
		n.Use(func(_ context.Context, s *socketio.Socket) error {
			if name(s) == "eve" {
				return (&socketio.Error{Message: "banned"}).WithData(map[string]int{"days": 3})
			}
			return nil
		})
		say.On(n, func(_ context.Context, s *socketio.Socket, text string) (int, error) {
			if text == "" {
				return 0, socketio.Errorf("empty")
			}
			return len(text), said.Emit(s.Broadcast(), message{name(s), text})
		})
		ask.On(n, func(ctx context.Context, s *socketio.Socket, q string) (bool, error) {
			return confirm.Do(ctx, s, q)
		})
		n.OnDisconnect(func(s *socketio.Socket, reason socketio.Reason) {
			_ = s.Broadcast().Emit("left", name(s), reason)
		})
	}
	return io
}

// everywhere runs a test in a bubble, outside of one, and over TCP.
func everywhere(t *testing.T, test func(t *testing.T, opts ...socketiotest.Option)) {
	t.Helper()
	t.Run("bubble", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) { test(t) })
	})
	t.Run("clock", func(t *testing.T) {
		t.Parallel()
		test(t, socketiotest.Patience(30*time.Second))
	})
	t.Run("TCP", func(t *testing.T) {
		t.Parallel()
		test(t, socketiotest.TCP(), socketiotest.Patience(30*time.Second))
	})
}

func TestTransports(t *testing.T) {
	t.Parallel()
	for name, how := range map[string][]socketiotest.How{
		"WebSocket":                  nil,
		"polling":                    {socketiotest.Polling()},
		"upgrading":                  {socketiotest.Upgrading()},
		"WebSocket with Engine.IO 3": {socketiotest.EIO3()},
		"polling with Engine.IO 3":   {socketiotest.EIO3(), socketiotest.Polling()},
		"upgrading with Engine.IO 3": {socketiotest.EIO3(), socketiotest.Upgrading()},
		"WebSocket with MessagePack": {socketiotest.MsgPack()},
		"polling with MessagePack":   {socketiotest.MsgPack(), socketiotest.Polling()},
		"a namespace":                {socketiotest.Namespace("/admin")},
		"a namespace, Engine.IO 3":   {socketiotest.Namespace("/admin"), socketiotest.EIO3()},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			everywhere(t, func(t *testing.T, opts ...socketiotest.Option) {
				var o socketio.Options
				if name == "WebSocket with MessagePack" || name == "polling with MessagePack" {
					o.Codec = msgpack.Codec{}
				}
				testTransport(t, socketiotest.Serve(t, newChat(o), opts...), how)
			})
		})
	}
}

func testTransport(t *testing.T, h *socketiotest.Host, how []socketiotest.How) {
	ann, bob := h.Connect("ann", how...), h.Connect("bob", how...)
	client.Handle(bob, confirm, func(_ context.Context, q string) (bool, error) { return q == "sure?", nil })
	if n := socketiotest.Ask(ann, say, "hello"); n != 5 {
		t.Errorf("the ack is %d", n)
	}
	if got := socketiotest.Next(bob, said); got != (message{"ann", "hello"}) {
		t.Errorf("bob has received %v", got)
	}
	if err := socketiotest.AskError(ann, say, ""); err.Message != "empty" {
		t.Errorf("refused with %v", err)
	}
	if !socketiotest.Ask(bob, ask, "sure?") {
		t.Error("bob has not confirmed")
	}
	if args := ann.Ask("say", "four"); args.Len() != 1 || string(args.Raw(0)) != "4" {
		t.Errorf("the ack is %v", args)
	}
	bob.Expect("said", message{"ann", "four"})
	ann.Nothing()
	bob.Nothing()
	if err := h.Refused("eve", how...); err.Message != "banned" && string(err.Data) != `{"days":3}` {
		t.Errorf("refused with %v", err)
	}
	bob.Disconnect()
	ann.Expect("left", "bob", socketio.ReasonClient)
	if r := bob.Left(); r != client.ReasonClient {
		t.Errorf("bob has left because of %s", r)
	}
}

func TestReconnect(t *testing.T) {
	t.Parallel()
	for name, how := range map[string][]socketiotest.How{"WebSocket": nil, "polling": {socketiotest.Polling()}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			everywhere(t, func(t *testing.T, opts ...socketiotest.Option) {
				h := socketiotest.Serve(t, newChat(socketio.Options{Recovery: &socketio.Recovery{}}), opts...)
				ann, bob := h.Connect("ann", how...), h.Connect("bob", how...)
				id := bob.ID()
				socketiotest.Ask(ann, say, "before")
				bob.Expect("said", message{"ann", "before"})
				bob.Link().Down()
				bob.Left()
				socketiotest.Ask(ann, say, "meanwhile")
				bob.Link().Up()
				if j := bob.Rejoined(); !j.Recovered || j.ID != id {
					t.Errorf("joined again as %+v, want the session of %s", j, id)
				}
				bob.Expect("said", message{"ann", "meanwhile"})
				if j := bob.Reconnect(); !j.Recovered {
					t.Errorf("joined again as %+v", j)
				}
				bob.Nothing()
			})
		})
	}
}

func TestPingTimeout(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := socketiotest.Serve(t, newChat(socketio.Options{}))
		ann, bob := h.Connect("ann"), h.Connect("bob")
		bob.Link().Freeze()
		ann.Expect("left", "bob", "ping timeout")
		ann.Nothing()
		if r := bob.Left(); r != client.ReasonPingTimeout {
			t.Errorf("bob has left because of %s", r)
		}
	})
}

func TestMux(t *testing.T) {
	t.Parallel()
	mux := http.NewServeMux()
	mux.Handle("/chat/", newChat(socketio.Options{}))
	mux.HandleFunc("/hello", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") })
	h := socketiotest.Serve(t, mux, socketiotest.Path("/chat/"))
	ann := h.Connect("ann")
	socketiotest.Ask(ann, say, "hello")
	resp, err := h.HTTP().Get("http://example.com/hello")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if text, err := io.ReadAll(resp.Body); err != nil || string(text) != "hello" {
		t.Errorf("%q, %v", text, err)
	}
}
