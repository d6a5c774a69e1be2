package tests_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/big"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/socketio-go/socketio"
	"github.com/socketio-go/socketio/internal/siotest"
)

type (
	tagged struct {
		Name    string `json:"name"`
		Secret  string `json:"-"`
		Dash    int    `json:"-,"` //nolint:staticcheck // a key called "-", as encoding/json has it
		Empty   string `json:",omitempty"`
		Zero    int    `json:"zero,omitempty"`
		Quoted  int    `json:"quoted,string"`
		private int
		embedded
		Ptr *int `json:"ptr"`
	}
	embedded struct {
		Inner string `json:"inner"`
	}
	textual struct{ v string }
	blob    []byte
	octet   byte
	shouted []byte
	cyclic  struct{ Next *cyclic }
	panicky struct{}
	garbage struct{ json string }
	failing struct{}
)

func (t textual) MarshalText() ([]byte, error) { return []byte("<" + t.v + ">"), nil }
func (s shouted) MarshalText() ([]byte, error) { return bytes.ToUpper(s), nil }
func (panicky) MarshalJSON() ([]byte, error)   { panic("marshal") }
func (g garbage) MarshalJSON() ([]byte, error) { return []byte(g.json), nil }
func (failing) MarshalJSON() ([]byte, error)   { return nil, errRefused }

var errRefused = errors.New("not today")

func TestArgumentsAsJSON(t *testing.T) {
	t.Parallel()
	one := 1
	tests := []struct {
		name  string
		value any
		json  string
	}{
		{"nil", nil, `null`},
		{"true", true, `true`},
		{"an integer", -17, `-17`},
		{"the least integer", int64(math.MinInt64), `-9223372036854775808`},
		{"the greatest integer", uint64(math.MaxUint64), `18446744073709551615`},
		{"a small integer", int8(-8), `-8`},
		{"a rune is a number", 'a', `97`},
		{"a whole float", 3.0, `3`},
		{"a negative zero", math.Copysign(0, -1), `-0`},
		{"a fraction", -0.5, `-0.5`},
		{"the last float that counts", float64(1<<53 - 1), `9007199254740991`},
		{"a float beyond", float64(1 << 53), `9007199254740992`},
		{"a great float", 1e20, `100000000000000000000`},
		{"a float with an exponent", 1e21, `1e+21`},
		{"a tiny float", 1e-7, `1e-7`},
		{"a single float", float32(0.1), `0.1`},
		{"a json.Number", json.Number("1e400"), `1e400`},
		{"a big integer", new(big.Int).Lsh(big.NewInt(1), 70), `1180591620717411303424`},

		{"a string", "x", `"x"`},
		{"an empty string", "", `""`},
		{"quotes and backslashes", `a"b\c/`, `"a\"b\\c/"`},
		{"control characters", "\n\t\b\f\r\x01\x1e\x7f", "\"\\n\\t\\b\\f\\r\\u0001\\u001e\x7f\""},
		{"no HTML escapes", "<>&", `"<>&"`},
		{"line separators", "\u2028\u2029", "\"\u2028\u2029\""},
		{"other languages", "é漢😀", `"é漢😀"`},
		{"invalid UTF-8", "a\xffb\xc0\xaf\xed\xa0\x80", "\"a\ufffdb\ufffd\ufffd\ufffd\ufffd\ufffd\""},
		{"invalid UTF-8, inside", []string{"a\xffb"}, "[\"a\ufffdb\"]"},
		{"no HTML escapes, inside", map[string]string{"<k>": "<>&"}, `{"<k>":"<>&"}`},

		{"struct tags", tagged{Name: "n", Secret: "s", Dash: 1, Quoted: 2, private: 3, embedded: embedded{"i"}, Ptr: &one},
			`{"name":"n","-":1,"quoted":"2","inner":"i","ptr":1}`},
		{"a pointer to a struct", &tagged{}, `{"name":"","-":0,"quoted":"0","inner":"","ptr":null}`},
		{"a nil pointer", (*tagged)(nil), `null`},
		{"a nil slice", []int(nil), `null`},
		{"an empty slice", []int{}, `[]`},
		{"a nil map", map[string]int(nil), `null`},
		{"keys are sorted", map[string]int{"b": 2, "a": 1}, `{"a":1,"b":2}`},
		{"numbers as keys", map[int]string{2: "b"}, `{"2":"b"}`},
		{"an array", [2]bool{true}, `[true,false]`},
		{"an array of bytes is no binary", [3]byte{1, 2, 3}, `[1,2,3]`},
		{"any", []any{1, "a", nil, 2.5, map[string]any{"x": []any{}}}, `[1,"a",null,2.5,{"x":[]}]`},
		{"a time", time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), `"2026-01-02T03:04:05Z"`},
		{"a duration", time.Second, `1000000000`},
		{"an address", netip.MustParseAddr("::1"), `"::1"`},
		{"MarshalText", textual{"x"}, `"<x>"`},
		{"MarshalJSON", garbage{`{"fine":true}`}, `{"fine":true}`},

		{"raw JSON", json.RawMessage(`{"a":[1]}`), `{"a":[1]}`},
		{"nil raw JSON", json.RawMessage(nil), `null`},
		{"raw JSON, inside", []json.RawMessage{json.RawMessage(`{"a":1}`), nil}, `[{"a":1},null]`},
		{"nil bytes", []byte(nil), `null`},
		{"nil bytes, inside", []any{[]byte(nil)}, `[null]`},
		{"no Args", socketio.Args{}, ``},
	}
	srv := siotest.Serve(t, nil)
	c, s := srv.JoinSocket(t, siotest.WebSocket)
	for _, tt := range tests {
		if err := s.Emit("v", tt.value); err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		want := `["v",` + tt.json + `]`
		if tt.json == "" {
			want = `["v"]`
		}
		siotest.WantEqual(t, tt.name, siotest.Show(c.Read()), "42"+want)
	}
}

func TestBytesAtAnyDepthAreAttachments(t *testing.T) {
	t.Parallel()
	const zero, first, second = `{"_placeholder":true,"num":0}`, `{"_placeholder":true,"num":1}`, `{"_placeholder":true,"num":2}`
	type file struct {
		Name    string            `json:"name"`
		Data    []byte            `json:"data"`
		Thumb   *[]byte           `json:"thumb,omitempty"`
		Pages   [][]byte          `json:"pages,omitempty"`
		Meta    map[string][]byte `json:"meta,omitempty"`
		Any     any               `json:"any,omitempty"`
		Omitted []byte            `json:"omitted,omitempty"`
	}
	a, b, c3 := []byte("a"), []byte{0, 1, 2, 0xff}, []byte{}
	tests := []struct {
		name string
		args []any
		want []any
	}{
		{"bytes", []any{a}, []any{`451-["v",` + zero + `]`, a}},
		{"empty bytes", []any{c3}, []any{`451-["v",` + zero + `]`, c3}},
		{"several", []any{a, "x", b}, []any{`452-["v",` + zero + `,"x",` + first + `]`, a, b}},
		{"the same twice", []any{a, a}, []any{`451-["v",` + zero + `,` + zero + `]`, a}},
		{"the same at any depth", []any{b, a, [][]byte{a, b}, map[string]any{"x": a}}, []any{`452-["v",` + zero + `,` + first + `,[` + first + `,` + zero + `],{"x":` + first + `}]`, b, a}},
		{"equal but not the same", []any{a, []byte("a")}, []any{`452-["v",` + zero + `,` + first + `]`, a, a}},
		{"parts of the same", []any{b, b[:2], b[1:], b[:4:4]}, []any{`453-["v",` + zero + `,` + first + `,` + second + `,` + zero + `]`, b, b[:2], b[1:]}},
		{"nothing twice", []any{c3, []byte{}}, []any{`451-["v",` + zero + `,` + zero + `]`, c3}},
		{"of a named type", []any{blob(a)}, []any{`451-["v",` + zero + `]`, a}},
		{"of a named type, nil", []any{blob(nil), []blob{nil}}, []any{`42["v",null,[null]]`}},
		{"of a named type, anywhere", []any{a, []any{blob(a), map[string]any{"x": blob(b)}}, struct{ B blob }{b}, map[string]blob{"k": b}, &[]blob{b}, struct{ A any }{[]any{blob(b)}}},
			[]any{`452-["v",` + zero + `,[` + zero + `,{"x":` + first + `}],{"B":` + first + `},{"k":` + first + `},[` + first + `],{"A":[` + first + `]}]`, a, b}},
		{"of named bytes", []any{[]octet{1, 2}, []any{[]octet(nil)}}, []any{`451-["v",` + zero + `,[null]]`, []byte{1, 2}}},
		{"of a type with a method", []any{b, net.IP{127, 0, 0, 1}, json.RawMessage(`1`), []any{json.RawMessage(`2`), net.IP{127, 0, 0, 1}, shouted("a")}, shouted("b"), [2]octet{1, 2}},
			[]any{`451-["v",` + zero + `,"127.0.0.1",1,[2,"127.0.0.1","A"],"B",[1,2]]`, b}},
		{"in a slice", []any{[][]byte{a, nil, b}}, []any{`452-["v",[` + zero + `,null,` + first + `]]`, a, b}},
		{"in any", []any{[]any{1, map[string]any{"x": []any{b}}}}, []any{`451-["v",[1,{"x":[` + zero + `]}]]`, b}},
		{"in an array", []any{[1][]byte{b}}, []any{`451-["v",[` + zero + `]]`, b}},
		{"in a struct", []any{file{Name: "n", Data: a, Thumb: &b, Pages: [][]byte{a}}},
			[]any{`452-["v",{"name":"n","data":` + zero + `,"thumb":` + first + `,"pages":[` + zero + `]}]`, a, b}},
		{"in a struct's map and any", []any{&file{Meta: map[string][]byte{"k": b}, Any: a, Omitted: c3}},
			[]any{`452-["v",{"name":"","data":null,"meta":{"k":` + zero + `},"any":` + first + `}]`, b, a}},
	}
	srv := siotest.Serve(t, nil)
	siotest.OnEachTransport(t, func(t *testing.T, transport string) {
		c, s := srv.JoinSocket(t, transport)
		for _, tt := range tests {
			t.Run(tt.name, func(*testing.T) {
				if err := s.Emit("v", tt.args...); err != nil {
					t.Error(err)
				}
				c.Want(tt.want...)
			})
		}
	})
}

func TestBytesAtAnyDepthAreAnswers(t *testing.T) {
	t.Parallel()
	srv := siotest.Serve(t, nil)
	srv.On("v", func() any { return map[string]any{"x": []byte{1, 2}} })
	c := srv.Join(t, siotest.WebSocket)
	c.Write(`427["v"]`)
	c.Want(`461-7[{"x":{"_placeholder":true,"num":0}}]`, []byte{1, 2})
}

func TestArgumentsThatCannotBeEncoded(t *testing.T) {
	t.Parallel()
	loop := &cyclic{}
	loop.Next = loop
	ring := map[string]any{}
	ring["ring"] = ring
	tests := []struct {
		name  string
		value any
	}{
		{"a channel", make(chan int)},
		{"a channel inside", map[string]any{"x": []any{make(chan int)}}},
		{"a complex number", 1i},
		{"not a number", math.NaN()},
		{"infinity", math.Inf(1)},
		{"infinity inside", []float64{math.Inf(-1)}},
		{"a cycle of pointers", loop},
		{"a cycle of maps", ring},
		{"a key that is no text", map[complex128]int{1: 1}},
		{"MarshalJSON that panics", panicky{}},
		{"MarshalJSON that panics inside", []any{[]byte("x"), panicky{}}},
		{"MarshalJSON that fails", failing{}},
		{"MarshalJSON that returns garbage", garbage{`{"a":`}},
		{"MarshalJSON that returns two values", garbage{`1,2`}},
		{"MarshalJSON that returns nothing", garbage{``}},
		{"raw garbage", json.RawMessage(`{"a":`)},
		{"raw nothing", json.RawMessage{}},
		{"two raw values", json.RawMessage(`1,2`)},
		{"raw invalid UTF-8", json.RawMessage("\"a\xff\"")},
		{"raw invalid UTF-8 inside", []json.RawMessage{json.RawMessage("\"a\xff\"")}},
		{"MarshalJSON that returns invalid UTF-8", garbage{"\"a\xff\""}},
		{"a number that is none", json.Number("1x")},
		{"raw garbage inside", []json.RawMessage{json.RawMessage(`]`)}},
	}
	srv := siotest.Serve(t, nil)
	acked := make(chan error, 1)
	var value any
	srv.On("ask", func(ack socketio.AckFunc) { acked <- ack(1, value) })
	c, s := srv.JoinSocket(t, siotest.WebSocket)
	for _, tt := range tests {
		check := func(how string, err error) {
			t.Helper()
			const text = `socketio: event "v", argument 1: `
			if err == nil || !strings.HasPrefix(err.Error(), text) {
				t.Errorf("%s, %s: %v, want %s", tt.name, how, err, text)
			}
		}
		check("Emit", s.Emit("v", []byte("x"), tt.value))
		check("broadcast", srv.Emit("v", "x", tt.value))
		check("volatile", s.Volatile().Emit("v", "x", tt.value))
		check("with a callback", s.Emit("v", "x", tt.value, func(socketio.Args, error) { t.Error("called back") }))
		_, err := s.EmitWithAck(t.Context(), "v", "x", tt.value)
		check("EmitWithAck", err)
		value = tt.value
		c.Write(`427["ask"]`)
		if err := siotest.Receive(t, acked); err == nil || !strings.HasPrefix(err.Error(), `socketio: ack, argument 1: `) {
			t.Errorf("%s, AckFunc: %v", tt.name, err)
		}
	}
	c.WantNothing()
	if err := s.Emit("v", failing{}); !errors.Is(err, errRefused) {
		t.Errorf("the error of MarshalJSON is hidden in %v", err)
	}
}

func TestArgumentsMayBeChangedAfterEmit(t *testing.T) {
	t.Parallel()
	srv := siotest.Serve(t, nil)
	siotest.OnEachTransport(t, func(t *testing.T, transport string) {
		c, s := srv.JoinSocket(t, transport)
		data := []byte{1, 2}
		raw := json.RawMessage(`{"a":1}`)
		p := &point{X: 1}
		s.Emit("v", data, raw, p, []any{data})
		srv.To(s.ID()).Emit("v", data, raw, p)
		data[0], raw[5], p.X = 9, '9', 9
		c.Want(`451-["v",{"_placeholder":true,"num":0},{"a":1},{"X":1,"Y":0},[{"_placeholder":true,"num":0}]]`, []byte{1, 2})
		c.Want(`451-["v",{"_placeholder":true,"num":0},{"a":1},{"X":1,"Y":0}]`, []byte{1, 2})
	})
}

// Application code runs while arguments are encoded: it may emit, too.
func TestMarshalJSONMayEmit(t *testing.T) {
	t.Parallel()
	srv := siotest.Serve(t, nil)
	c, s := srv.JoinSocket(t, siotest.WebSocket)
	s.Emit("outer", []byte("x"), emitting{s}, []byte("z"))
	c.Want(`451-["inner",{"_placeholder":true,"num":0}]`, []byte("y"))
	c.Want(`452-["outer",{"_placeholder":true,"num":0},true,{"_placeholder":true,"num":1}]`, []byte("x"), []byte("z"))
}

type emitting struct{ s *socketio.Socket }

func (e emitting) MarshalJSON() ([]byte, error) {
	return []byte("true"), e.s.Emit("inner", []byte("y"))
}

func TestReservedNamesCannotBeEmitted(t *testing.T) {
	t.Parallel()
	srv := siotest.Serve(t, nil)
	c, s := srv.JoinSocket(t, siotest.WebSocket)
	for _, name := range []string{"connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"} {
		_, askErr := s.EmitWithAck(t.Context(), name)
		for how, err := range map[string]error{
			"socket":    s.Emit(name),
			"callback":  s.Emit(name, func(socketio.Args, error) {}),
			"volatile":  s.Volatile().Emit(name),
			"namespace": srv.Emit(name),
			"room":      srv.Room("r").Emit(name),
			"ask":       askErr,
			"event":     socketio.Event[int](name).Emit(s, 1),
		} {
			if !errors.Is(err, socketio.ErrReserved) || err.Error() != fmt.Sprintf("socketio: reserved event name %q", name) {
				t.Errorf("%s: %v", how, err)
			}
		}
	}
	c.WantNothing()
}

func TestLargeArguments(t *testing.T) {
	t.Parallel()
	srv := siotest.Serve(t, nil)
	siotest.OnEachTransport(t, func(t *testing.T, transport string) {
		c, s := srv.JoinSocket(t, transport)
		text := strings.Repeat("0123456789", 30_000)
		data := []byte(strings.Repeat("x", 200_000))
		for range 2 {
			if err := s.Emit("v", text, data, data[:70_000]); err != nil {
				t.Fatal(err)
			}
			c.Want(`452-["v","`+text+`",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]`, data, data[:70_000])
		}
	})
}

func TestEmitToSomebodyWhoHasLeft(t *testing.T) {
	t.Parallel()
	srv := siotest.Serve(t, nil)
	c, s := srv.JoinSocket(t, siotest.WebSocket)
	s.Disconnect()
	c.Want(`41`)
	_, err := s.EmitWithAck(context.Background(), "v") //nolint:usetesting // the context does not matter
	for how, err := range map[string]error{
		"Emit":       s.Emit("v"),
		"callback":   s.Emit("v", func(socketio.Args, error) { t.Error("called back") }),
		"ask":        err,
		"Volatile":   s.Volatile().Emit("v"),
		"Join":       s.Join("room"),
		"Room.Join":  srv.Room("room").Join(s),
		"Disconnect": s.Disconnect(),
		"Close":      s.CloseConnection(),
	} {
		if !errors.Is(err, socketio.ErrClosed) {
			t.Errorf("%s: %v, want ErrClosed", how, err)
		}
	}
	if err := srv.To(s.ID()).Emit("v"); err != nil {
		t.Errorf("a broadcast to nobody: %v", err)
	}
	siotest.WantEqual(t, "members of the room", srv.Room("room").LocalLen(), 0)
}
