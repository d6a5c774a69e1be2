package socketiotest_test

import (
	"context"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/socketio-go/socketio"
	"github.com/socketio-go/socketio/adapter"
	"github.com/socketio-go/socketio/client"
	"github.com/socketio-go/socketio/socketiotest"
)

// The examples are tests. They run here as TestExamples.
var t *testing.T

func TestExamples(tt *testing.T) {
	for name, example := range map[string]func(){
		"Serve": ExampleServe, "Serve_bubble": ExampleServe_bubble, "Cluster": ExampleCluster, "Next": ExampleNext,
		"Ask": ExampleAsk, "AskError": ExampleAskError, "Await": ExampleAwait, "Host.Refused": ExampleHost_Refused,
		"Client.Expect": ExampleClient_Expect, "Client.Until": ExampleClient_Until, "Client.Nothing": ExampleClient_Nothing,
		"Client.Left": ExampleClient_Left, "Client.Reconnect": ExampleClient_Reconnect, "Client.Of": ExampleClient_Of,
		"Link": ExampleLink, "Allow": ExampleAllow, "Client.answers": ExampleClient_answers, "Host.HTTP": ExampleHost_HTTP,
		"Upgrading": ExampleUpgrading,
	} {
		tt.Run(name, func(sub *testing.T) {
			t = sub
			example()
		})
	}
}

func ExampleServe() {
	h := socketiotest.Serve(t, newChat(socketio.Options{}))
	ann, bob := h.Connect("ann"), h.Connect("bob")
	if n := socketiotest.Ask(ann, say, "hello"); n != 5 {
		t.Errorf("the ack is %d", n)
	}
	bob.Expect("said", message{"ann", "hello"})
}

// A ping timeout takes 45 seconds. In a bubble of testing/synctest they pass at once.
func ExampleServe_bubble() {
	synctest.Test(t, func(t *testing.T) {
		h := socketiotest.Serve(t, newChat(socketio.Options{}))
		ann, bob := h.Connect("ann"), h.Connect("bob")
		bob.Link().Freeze()
		ann.Expect("left", "bob", socketio.ReasonPingTimeout)
	})
}

func ExampleCluster() {
	hosts, bus := socketiotest.Cluster(t, 2, func(_ int, bus adapter.Adapter) http.Handler {
		return newChat(socketio.Options{Adapter: bus})
	})
	ann, bob := hosts[0].Connect("ann"), hosts[1].Connect("bob")
	socketiotest.Ask(ann, say, "hello")
	bob.Expect("said", message{"ann", "hello"})
	bus.Partition(1)
	socketiotest.Ask(ann, say, "are you there?")
	bob.Nothing()
}

func ExampleNext() {
	h := socketiotest.Serve(t, newChat(socketio.Options{}))
	ann, bob := h.Connect("ann"), h.Connect("bob")
	_ = ann.Emit("say", "hello")
	if m := socketiotest.Next(bob, said); m.From != "ann" {
		t.Errorf("bob has received %v", m)
	}
}

func ExampleAwait() {
	h := socketiotest.Serve(t, newChat(socketio.Options{}))
	ann, bob, cat := h.Connect("ann"), h.Connect("bob"), h.Connect("cat")
	_ = cat.Disconnect()
	bob.Until("left") // the two come in any order otherwise
	_ = ann.Emit("say", "hello")
	if m := socketiotest.Await(bob, said); m.Text != "hello" {
		t.Errorf("bob has received %v", m)
	}
}

func ExampleAsk() {
	h := socketiotest.Serve(t, newChat(socketio.Options{}))
	if n := socketiotest.Ask(h.Connect("ann"), say, "hello"); n != 5 {
		t.Errorf("the ack is %d", n)
	}
}

func ExampleAskError() {
	h := socketiotest.Serve(t, newChat(socketio.Options{}))
	if err := socketiotest.AskError(h.Connect("ann"), say, ""); err.Message != "empty" {
		t.Errorf("refused with %v", err)
	}
}

func ExampleHost_Refused() {
	h := socketiotest.Serve(t, newChat(socketio.Options{}))
	if err := h.Refused("eve"); err.Message != "banned" || string(err.Data) != `{"days":3}` {
		t.Errorf("refused with %v", err)
	}
}

func ExampleHost_HTTP() {
	mux := http.NewServeMux()
	mux.Handle("/socket.io/", newChat(socketio.Options{}))
	mux.HandleFunc("/health", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	h := socketiotest.Serve(t, mux)
	resp, err := h.HTTP().Get("http://chat/health")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusNoContent {
		t.Error(resp.Status)
	}
}

func ExampleClient_Expect() {
	h := socketiotest.Serve(t, newChat(socketio.Options{}))
	ann, bob := h.Connect("ann"), h.Connect("bob")
	_ = ann.Emit("say", "hello")
	bob.Expect("said", map[string]string{"from": "ann", "text": "hello"})
}

func ExampleClient_Until() {
	h := socketiotest.Serve(t, newChat(socketio.Options{}))
	ann, bob := h.Connect("ann"), h.Connect("bob")
	_ = ann.Emit("say", "hello")
	_ = ann.Disconnect()
	var name string
	if err := bob.Until("left").Decode(&name); err != nil || name != "ann" {
		t.Errorf("%s has left", name)
	}
}

func ExampleClient_Nothing() {
	h := socketiotest.Serve(t, newChat(socketio.Options{}))
	ann, admin := h.Connect("ann"), h.Connect("bob", socketiotest.Namespace("/admin"))
	_ = ann.Emit("say", "hello")
	admin.Nothing() // namespaces are separate
	ann.Nothing()   // and ann does not receive what she says
}

func ExampleClient_Left() {
	io := newChat(socketio.Options{})
	io.On("kick me", func(s *socketio.Socket) error { return s.Disconnect() })
	bob := socketiotest.Serve(t, io).Connect("bob")
	_ = bob.Emit("kick me")
	if reason := bob.Left(); reason != client.ReasonServer {
		t.Errorf("bob has left: %s", reason)
	}
}

func ExampleClient_Reconnect() {
	h := socketiotest.Serve(t, newChat(socketio.Options{Recovery: &socketio.Recovery{}}))
	ann, bob := h.Connect("ann"), h.Connect("bob")
	bob.Link().Down()
	bob.Left()
	socketiotest.Ask(ann, say, "hello")
	bob.Link().Up()
	if j := bob.Rejoined(); !j.Recovered {
		t.Error("bob has not recovered")
	}
	bob.Expect("said", message{"ann", "hello"})
	if j := bob.Reconnect(); !j.Recovered {
		t.Error("bob has not recovered")
	}
}

func ExampleClient_Of() {
	h := socketiotest.Serve(t, newChat(socketio.Options{}))
	ann := h.Connect("ann")
	admin := ann.Of("/admin", "ann")
	ann.Link().Cut() // both lose their connection
	ann.Left()
	admin.Left()
}

// A server may call a client, too: the test registers a handler.
func ExampleClient_answers() {
	bob := socketiotest.Serve(t, newChat(socketio.Options{})).Connect("bob")
	client.Handle(bob, confirm, func(_ context.Context, q string) (bool, error) { return q == "sure?", nil })
	if !socketiotest.Ask(bob, ask, "sure?") {
		t.Error("bob has not confirmed")
	}
}

func ExampleLink() {
	synctest.Test(t, func(t *testing.T) {
		h := socketiotest.Serve(t, newChat(socketio.Options{}))
		ann, bob := h.Connect("ann"), h.Connect("bob")
		bob.Link().CutAfter(10) // in the middle of the next event
		_ = ann.Emit("say", "hello")
		bob.Left()
		bob.Rejoined()
		bob.Link().Freeze()
		<-time.After(time.Minute)
		bob.Link().Thaw()
	})
}

func ExampleAllow() {
	io := newChat(socketio.Options{})
	io.On("panic", func() { panic("out of range") })
	h := socketiotest.Serve(t, io, socketiotest.AllowType[*socketio.PanicError]())
	if err := h.Connect("ann").AskError("panic"); err.Message != "internal error" {
		t.Errorf("the client sees %q", err.Message)
	}
}

func ExampleUpgrading() {
	h := socketiotest.Serve(t, newChat(socketio.Options{}))
	for _, how := range []socketiotest.How{socketiotest.Polling(), socketiotest.Upgrading(), socketiotest.EIO3()} {
		if n := socketiotest.Ask(h.Connect("ann", how), say, "hello"); n != 5 {
			t.Errorf("the ack is %d", n)
		}
	}
}
