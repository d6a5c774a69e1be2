package emitter

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/socketio-go/socketio"
	"github.com/socketio-go/socketio/adapter"
	"github.com/socketio-go/socketio/internal/leak"
)

func TestMain(m *testing.M) { leak.Main(m) }

// A sent is a message as a Publisher gets it.
type sent struct {
	namespace string
	m         adapter.Message
	ctx       context.Context
}

// A publisher keeps what it is given.
type publisher struct {
	sent []sent
	err  error
}

func (p *publisher) Publish(ctx context.Context, namespace string, m *adapter.Message) error {
	p.sent = append(p.sent, sent{namespace, *m, ctx})
	return p.err
}

func (p *publisher) take() string {
	var list []string
	for _, s := range p.sent {
		m := s.m
		text := fmt.Sprintf("%s %v %v-%v", s.namespace, m.Kind, m.Rooms, m.Except)
		if m.Data != nil {
			text += " " + string(m.Data)
		}
		if m.Targets != nil {
			text += fmt.Sprint(" targets ", m.Targets)
		}
		if m.Binary != nil {
			text += fmt.Sprint(" binary ", m.Binary)
		}
		for _, flag := range []struct {
			name string
			on   bool
		}{{" close", m.Close}, {" volatile", m.Volatile}, {" compressed", m.Compress > 0}, {" uncompressed", m.Compress < 0}} {
			if flag.on {
				text += flag.name
			}
		}
		list = append(list, text)
	}
	p.sent = nil
	return strings.Join(list, "; ")
}

func TestMessages(t *testing.T) {
	p := new(publisher)
	e, ctx := New(p), t.Context()
	const said socketio.Event[string] = "said"
	var want []string
	for _, test := range []struct {
		err  error
		want string
	}{
		{e.Emit("e"), `/ broadcast []-[] ["e"]`},
		{e.Emit("a\"b", 1, "x", []byte{7}), `/ broadcast []-[] ["a\"b",1,"x",{"_placeholder":true,"num":0}] binary [[7]]`},
		{said.Emit(e.To("a"), "hello"), `/ broadcast [a]-[] ["said","hello"]`},
		{e.Of("chat").To("a", "b").To("c").Except("d").Except("e").Volatile().Compress(true).Emit("e"),
			`/chat broadcast [a b c]-[d e] ["e"] volatile compressed`},
		{e.Of("/chat").Compress(false).Emit("e"), `/chat broadcast []-[] ["e"] uncompressed`},
		{e.ServerSideEmit("e", 1), `/ emit []-[] ["e",1]`},
		{e.To("a").Join(ctx, "x", "y"), `/ join [a]-[] targets [x y]`},
		{e.Except("a").Leave(ctx, "x"), `/ leave []-[a] targets [x]`},
		{e.To("a").Disconnect(ctx), `/ disconnect [a]-[]`},
		{e.To("a").CloseConnections(ctx), `/ disconnect [a]-[] close`},
		{e.To("a").Reconnect(ctx), `/ reconnect [a]-[]`},
	} {
		if test.err != nil {
			t.Errorf("%s: %v", test.want, test.err)
		}
		want = append(want, test.want) // in this order
	}
	if got := p.take(); got != strings.Join(want, "; ") {
		t.Errorf("got\n%s\nwant\n%s", got, strings.Join(want, "; "))
	}
}

// An empty list of rooms means no socket, and not all of them.
func TestAnEmptyListOfRooms(t *testing.T) {
	p := new(publisher)
	e, ctx := New(p), t.Context()
	none := e.To()
	if err := errors.Join(
		none.Emit("e"), none.Except("a").Emit("e"), none.Join(ctx, "x"), none.Leave(ctx, "x"), none.Disconnect(ctx),
		none.CloseConnections(ctx), none.Reconnect(ctx),
	); err != nil {
		t.Error(err)
	}
	if got := p.take(); got != "" {
		t.Errorf("sent %s", got)
	}
	_ = errors.Join(none.To("a").Emit("e"), e.To("a").To().Emit("e"), none.ServerSideEmit("e"))
	if got, want := p.take(), `/ broadcast [a]-[] ["e"]; / broadcast [a]-[] ["e"]; / emit []-[] ["e"]`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestRefusedEvents(t *testing.T) {
	p := new(publisher)
	e := New(p)
	for _, err := range []error{
		e.Emit("connect"), e.Emit("disconnecting"), e.To().Emit("connect"),
		e.ServerSideEmit("connect"), e.ServerSideEmit("connection"), e.ServerSideEmit("new_namespace"), e.ServerSideEmit("error"),
	} {
		if !errors.Is(err, socketio.ErrReserved) {
			t.Errorf("a reserved name: %v", err)
		}
	}
	mark := map[string]any{"_placeholder": true, "num": 0}
	for name, err := range map[string]error{
		"channel":                            e.Emit("e", make(chan int)),
		"function":                           e.Emit("e", func() {}),
		"placeholder":                        e.To("r").Emit("e", mark, []byte{1}),
		"placeholder of a server-side event": e.ServerSideEmit("e", []any{[]byte{1}}, []any{mark}),
	} {
		if err == nil || !strings.Contains(err.Error(), `event "e"`) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if got := p.take(); got != "" {
		t.Errorf("sent %s", got)
	}
}

func TestContexts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := new(publisher)
		e := New(p)
		type key struct{}
		withValue := context.WithValue(t.Context(), key{}, 1)
		withDeadline, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		_ = errors.Join(
			e.Emit("e"), e.WithContext(withValue).Emit("e"), e.Join(t.Context(), "x"),
			e.WithContext(withDeadline).ServerSideEmit("e"), e.Disconnect(withDeadline),
		)
		for i, want := range []time.Duration{DefaultTimeout, DefaultTimeout, DefaultTimeout, time.Hour, time.Hour} {
			if at, ok := p.sent[i].ctx.Deadline(); !ok || time.Until(at) != want {
				t.Errorf("%d: %v, want %v", i, time.Until(at), want)
			}
		}
		if p.sent[1].ctx.Value(key{}) != 1 {
			t.Error("the context has no values")
		}
		p.sent = nil
		cancel()
		for _, err := range []error{e.WithContext(withDeadline).Emit("e"), e.To().Disconnect(withDeadline), e.Join(withDeadline, "x")} {
			if !errors.Is(err, context.Canceled) {
				t.Errorf("a context that has ended: %v", err)
			}
		}
		if got := p.take(); got != "" {
			t.Errorf("sent %s", got)
		}
		p.err = errors.New("away")
		if err := e.Emit("e"); !errors.Is(err, p.err) {
			t.Error(err)
		}
	})
}

// Emitters that are made of one do not change it, nor each other.
func TestEmittersAreValues(t *testing.T) {
	base := New(nil).To("a", "b").Except("x")
	derived := []Emitter{base.To("c"), base.To("d"), base.Except("y").Volatile().Compress(true).Of("z")}
	if got := fmt.Sprint(base.message.Rooms, base.message.Except, base.message.Volatile, base.message.Compress, base.namespace); got != "[a b] [x] false 0/" {
		t.Error(got)
	}
	if got := fmt.Sprint(derived[0].message.Rooms, derived[1].message.Rooms, derived[2].message.Except, derived[2].namespace); got != "[a b c] [a b d] [x y]/z" {
		t.Error(got)
	}
}
