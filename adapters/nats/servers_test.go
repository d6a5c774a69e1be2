package nats

import (
	"context"
	"errors"
	"testing"
	"time"

	natsgo "github.com/nats-io/nats.go"

	"github.com/socketio-go/socketio"
)

// serve returns a server of the cluster that responds to the others.
func serve(t *testing.T, a *Adapter) *socketio.Server {
	t.Helper()
	io := socketio.NewServer(&socketio.Options{Adapter: a})
	t.Cleanup(func() {
		if err := io.Close(); err != nil {
			t.Errorf("closing a server: %v", err)
		}
	})
	io.OnServerSide("ask", func() string { return "answer" })
	ctx, cancel := context.WithTimeout(t.Context(), waitLimit)
	defer cancel()
	if err := io.Ready(ctx); err != nil {
		t.Fatal(err)
	}
	return io
}

func wantAnswers(t *testing.T, io *socketio.Server, n int) {
	t.Helper()
	eventually(t, func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second) // a server that is cut off does not receive the request
		defer cancel()
		replies, err := io.ServerSideEmitWithAck(ctx, "ask")
		return err == nil && len(replies) == n
	}, "the others answer")
}

// A request does not wait for a server that dies longer than its heartbeats.
func TestServerDiesDuringARequest(t *testing.T) {
	t.Parallel()
	b := newBus(t)
	line := newProxy(t, b.addr())
	io := serve(t, b.server(t, quick))
	serve(t, b.server(t, quick))
	serve(t, node(t, connect(t, line.addr()), quick))
	wantAnswers(t, io, 2)
	line.freeze()
	ctx, cancel := context.WithTimeout(t.Context(), waitLimit)
	defer cancel()
	replies, err := io.ServerSideEmitWithAck(ctx, "ask")
	var noResponse *socketio.NoResponseError
	if len(replies) != 1 || ctx.Err() != nil || err != nil && !errors.As(err, &noResponse) {
		t.Errorf("answered with %d replies, %v", len(replies), err)
	}
	line.thaw()
	wantAnswers(t, io, 2)
}

// What a server misses while it is cut off is counted when it receives from the others
// again.
func TestMissedMessagesAreCounted(t *testing.T) {
	t.Parallel()
	b := newBus(t)
	line := newProxy(t, b.addr())
	here := b.server(t, nil)
	io, cut := serve(t, here), serve(t, node(t, connect(t, line.addr()), nil))
	wantAnswers(t, io, 1)
	wantAnswers(t, cut, 1)
	line.cut()
	const n = 20
	for range n {
		if err := io.Emit("missed"); err != nil {
			t.Fatal(err)
		}
	}
	if err := here.conn.Flush(); err != nil { // they have passed the server that is cut off
		t.Fatal(err)
	}
	line.heal()
	wantAnswers(t, io, 1)
	eventually(t, func() bool { return cut.Stats().Cluster.Lost >= n }, "the loss is counted")
	if lost := io.Stats().Cluster.Lost; lost != 0 {
		t.Errorf("the other server has lost %d", lost)
	}
}

func TestEmitter(t *testing.T) {
	t.Parallel()
	b := newBus(t)
	m := join(t, b.server(t, nil)).ready()
	conn := b.connect(t)
	e, ctx := NewEmitter(conn, nil), t.Context()
	if err := errors.Join(
		e.Emit("all", 1, []byte{1}),
		e.To("a").To("b", "c").Except("d").Volatile().Compress(true).Emit("some"),
		e.Compress(false).Emit("plain"),
		e.To("a").Join(ctx, "x", "y"),
		e.Except("a").Leave(ctx, "x"),
		e.Disconnect(ctx),
		e.To().Emit("none"), // an empty list of rooms means no socket, and not all of them
		e.To().Join(ctx, "x"),
		e.To().Leave(ctx, "x"),
		e.To().Disconnect(ctx),
		e.To().Except("a").CloseConnections(ctx),
		e.To("a").CloseConnections(ctx),
		e.ServerSideEmit("servers", map[string]any{"n": 1}),
		e.Of("elsewhere").Emit("not here"),
		e.Of("/").Emit("last"),
	); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`broadcast [] ["all",1,{"_placeholder":true,"num":0}]`,
		`broadcast [a b c] ["some"]`,
		`broadcast [] ["plain"]`,
		`join [a] `,
		`leave [] `,
		`disconnect [] `,
		`disconnect [a] `,
		`emit [] ["servers",{"n":1}]`,
		`broadcast [] ["last"]`,
	} {
		got := receive(t, m.got, want)
		if text := describe(&got); text != want || got.From != "emitter" || got.Seq != 0 {
			t.Errorf("got %s from %q, want %s", text, got.From, want)
		}
	}
	m.wantPeers()
	conn.Close()
	if err := e.Emit("e"); !errors.Is(err, natsgo.ErrConnectionClosed) {
		t.Errorf("emitted over a closed connection: %v", err)
	}
}
