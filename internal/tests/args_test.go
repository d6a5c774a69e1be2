package tests_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/socketio-go/socketio"
	"github.com/socketio-go/socketio/internal/siotest"
)

// argsOf returns what a handler receives as Args.
func argsOf(t *testing.T, args string, attachments ...any) socketio.Args {
	t.Helper()
	srv := siotest.Serve(t, nil)
	got := make(chan socketio.Args, 1)
	srv.On("args", func(args socketio.Args) { got <- args })
	c := srv.Join(t, siotest.WebSocket)
	c.Ask(`["args"`+args+`]`, attachments...)
	return siotest.Receive(t, got)
}

func TestArgs(t *testing.T) {
	t.Parallel()
	args := argsOf(t, `, 1,"b",{"c": [3]},{"_placeholder":true,"num":0}`, []byte("bin"))
	siotest.WantEqual(t, "length", args.Len(), 4)
	for i, want := range []string{`1`, `"b"`, `{"c": [3]}`, `{"_placeholder":true,"num":0}`} {
		siotest.WantEqual(t, "raw", string(args.Raw(i)), want)
	}
	siotest.WantEqual(t, "binary", fmt.Sprintf("%q", args.Binary()), `["bin"]`)
	for _, i := range []int{-1, 4, math.MaxInt} {
		if raw := args.Raw(i); raw != nil {
			t.Errorf("argument %d is %s", i, raw)
		}
	}
	siotest.WantEqual(t, "text", args.String(), `[1,"b",{"c": [3]},{"_placeholder":true,"num":0}]`)
	siotest.WantEqual(t, "text", fmt.Sprint(args), args.String())

	var n int
	var s string
	var c struct{ C []int }
	var b []byte
	extra := "untouched"
	if err := args.Decode(&n, &s, &c, &b, &extra); err != nil {
		t.Fatal(err)
	}
	siotest.WantEqual(t, "decoded", fmt.Sprintf("%d %s %v %s %s", n, s, c.C, b, extra), "1 b [3] bin untouched")
	var any0, any3 any
	var raw json.RawMessage
	if err := args.Decode(&any0, new(string), &raw, &any3); err != nil {
		t.Fatal(err)
	}
	siotest.WantEqual(t, "decoded", fmt.Sprintf("%v %s %s", any0, raw, any3), `1 {"c": [3]} bin`)
	if err := args.Decode(); err != nil {
		t.Error(err)
	}

	err := args.Decode(&n, &n)
	var decode *socketio.DecodeError
	if !errors.As(err, &decode) || decode.Arg != 1 || decode.Event != "" || !strings.HasPrefix(err.Error(), "socketio: argument 1: ") {
		t.Errorf("error is %v", err)
	}
	if err := args.Decode(n); err == nil {
		t.Error("decoded into what is no pointer")
	}
	if err := args.Decode(nil); err == nil {
		t.Error("decoded into nil")
	}
}

func TestNoArgs(t *testing.T) {
	t.Parallel()
	for _, args := range []socketio.Args{{}, argsOf(t, ``)} {
		siotest.WantEqual(t, "length", args.Len(), 0)
		siotest.WantEqual(t, "raw", args.Raw(0) == nil, true)
		siotest.WantEqual(t, "text", args.String(), `[]`)
		if err := args.Decode(new(int)); err != nil {
			t.Error(err)
		}
	}
}

// A handler passes its Args on, behind and before other arguments and
// attachments.
func TestArgsPassedOn(t *testing.T) {
	t.Parallel()
	const zero, first, second = `{"_placeholder":true,"num":0}`, `{"_placeholder":true,"num":1}`, `{"_placeholder":true,"num":2}`
	a, b, own := []byte("a"), []byte("b"), []byte("own")
	tests := []struct {
		name string
		args string
		bin  []any
		pass func(socketio.Args) []any
		want []any
	}{
		{"as they are", `1,{"a": 2}`, nil, func(v socketio.Args) []any { return []any{v} }, []any{`42["out",1,{"a": 2}]`}},
		{"none at all", ``, nil, func(v socketio.Args) []any { return []any{1, v, 2} }, []any{`42["out",1,2]`}},
		{"none at all, alone", ``, nil, func(v socketio.Args) []any { return []any{v, v} }, []any{`42["out"]`}},
		{"among others", `1,2`, nil, func(v socketio.Args) []any { return []any{0, v, 3} }, []any{`42["out",0,1,2,3]`}},
		{"with attachments", zero + `,` + first, []any{a, b}, func(v socketio.Args) []any { return []any{v} },
			[]any{`452-["out",` + zero + `,` + first + `]`, a, b}},
		{"before an attachment", zero, []any{a}, func(v socketio.Args) []any { return []any{v, own} },
			[]any{`452-["out",` + zero + `,` + first + `]`, a, own}},
		{"behind an attachment", zero + `,` + first, []any{a, b}, func(v socketio.Args) []any { return []any{own, v} },
			[]any{`453-["out",` + zero + `,` + first + `,` + second + `]`, own, a, b}},
		{"twice", `"x",` + zero, []any{a}, func(v socketio.Args) []any { return []any{v, v} },
			[]any{`451-["out","x",` + zero + `,"x",` + zero + `]`, a}},
		{"nested, behind an attachment", `[{"k":{"l":` + first + `}},"s",` + zero + `]`, []any{a, b}, func(v socketio.Args) []any { return []any{own, v} },
			[]any{`453-["out",` + zero + `,[{"k":{"l":` + second + `}},"s",` + first + `]]`, own, a, b}},
		{"the same one twice, behind an attachment", zero + `,` + zero, []any{a}, func(v socketio.Args) []any { return []any{own, v} },
			[]any{`452-["out",` + zero + `,` + first + `,` + first + `]`, own, a}},
		{"white space, behind an attachment", `[ { "num" : 0 , "_placeholder" : true } ]`, []any{a}, func(v socketio.Args) []any { return []any{own, v} },
			[]any{`452-["out",` + zero + `,[ ` + first + ` ]]`, own, a}},
		{"more in the placeholder, behind an attachment", `{"_placeholder":true,"x":["y"],"num":0}`, []any{a}, func(v socketio.Args) []any { return []any{own, v} },
			[]any{`452-["out",` + zero + `,` + first + `]`, own, a}},
		{"what looks like a placeholder, behind an attachment", `"{\"_placeholder\":true,\"num\":0}",{"_placeholder":false,"num":0},{"{":"}"},` + zero, []any{a},
			func(v socketio.Args) []any { return []any{own, v} },
			[]any{`452-["out",` + zero + `,"{\"_placeholder\":true,\"num\":0}",{"_placeholder":false,"num":0},{"{":"}"},` + first + `]`, own, a}},
		{"data that looks like a placeholder", `1,"x"`, nil, func(v socketio.Args) []any { return []any{own, v} },
			[]any{`451-["out",` + zero + `,1,"x"]`, own}},
		{"attachments nobody names", `1`, []any{a}, func(v socketio.Args) []any { return []any{v, own} },
			[]any{`452-["out",1,` + first + `]`, a, own}},
		{"among bytes in structures", zero, []any{a}, func(v socketio.Args) []any { return []any{map[string]any{"o": own}, v, []any{own, v.Len()}, own} },
			[]any{`452-["out",{"o":` + zero + `},` + first + `,[` + zero + `,1],` + zero + `]`, own, a}},
		{"more in the placeholder, one of them inside", `{"x":[{"_placeholder":true,"num":1}],"_placeholder":true,"num":0},{"y":{"_placeholder":true,"num":7},"_placeholder":true,"num":1}`, []any{a, b},
			func(v socketio.Args) []any { return []any{own, v} }, []any{`453-["out",` + zero + `,` + first + `,` + second + `]`, own, a, b}},
		{"escapes in the placeholder", `{"\u005fplaceholder":true,"n\u0075m":0}`, []any{a}, func(v socketio.Args) []any { return []any{v} },
			[]any{`451-["out",` + zero + `]`, a}},
		{"nothing is written anew where the numbers stay", `[ {"num":0,"_placeholder":true, "x":[]} ]`, []any{a}, func(v socketio.Args) []any { return []any{1, v} },
			[]any{`451-["out",1,[ {"num":0,"_placeholder":true, "x":[]} ]]`, a}},
	}
	srv := siotest.Serve(t, nil)
	for _, tt := range tests {
		srv.On(tt.name, func(s *socketio.Socket, args socketio.Args) {
			if err := s.Emit("out", tt.pass(args)...); err != nil {
				t.Error(err)
			}
		})
	}
	siotest.OnEachTransport(t, func(t *testing.T, transport string) {
		c := srv.Join(t, transport)
		for _, tt := range tests {
			event := fmt.Sprintf(`[%q`, tt.name)
			if tt.args != "" {
				event += "," + tt.args
			}
			head := "42"
			if len(tt.bin) > 0 {
				head = fmt.Sprintf("45%d-", len(tt.bin))
			}
			c.Write(append([]any{head + event + "]"}, tt.bin...)...)
			for i, want := range tt.want {
				siotest.WantEqual(t, fmt.Sprintf("%s, packet %d", tt.name, i), siotest.Show(c.Read()), siotest.Show(want))
			}
		}
	})
}

func TestArgsAsAnswers(t *testing.T) {
	t.Parallel()
	srv := siotest.Serve(t, nil)
	srv.On("result", func(args socketio.Args) socketio.Args { return args })
	srv.On("ack", func(args socketio.Args, ack socketio.AckFunc) { ack(args, []byte("own")) })
	srv.On("behind", func(args socketio.Args, ack socketio.AckFunc) { ack([]byte("own"), args) })
	c := srv.Join(t, siotest.WebSocket)
	a := []byte("a")
	c.Write(`451-7["result",1,{"_placeholder":true,"num":0}]`, a)
	c.Want(`461-7[1,{"_placeholder":true,"num":0}]`, a)
	c.Write(`451-8["ack",{"_placeholder":true,"num":0}]`, a)
	c.Want(`462-8[{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]`, a, []byte("own"))
	c.Write(`451-9["behind",[{"_placeholder":true,"num":0}]]`, a)
	c.Want(`462-9[{"_placeholder":true,"num":0},[{"_placeholder":true,"num":1}]]`, []byte("own"), a)
	siotest.WantEqual(t, "none", c.Ask(`["result"]`), `[]`)
	c.Write(`4210["ack"]`)
	c.Want(`461-10[{"_placeholder":true,"num":0}]`, []byte("own"))
}

// Args may be kept: they go to others long after their event.
func TestArgsOutliveTheirEvent(t *testing.T) {
	t.Parallel()
	siotest.OnEachTransport(t, func(t *testing.T, transport string) {
		srv := siotest.Serve(t, nil)
		var kept socketio.Args
		srv.On("keep", func(args socketio.Args) { kept = args })
		srv.On("give", func() { srv.Emit("kept", kept) })
		c := srv.Join(t, transport)
		c.Write(`452-["keep","text",{"_placeholder":true,"num":1},{"_placeholder":true,"num":0}]`, []byte("one"), []byte("two"))
		for range 10 {
			c.Ask(`["echo","` + strings.Repeat("X", 100) + `"]`)
			c.Write(`451-["nobody",{"_placeholder":true,"num":0}]`, []byte("XXX"))
		}
		c.Write(`42["give"]`)
		c.Want(`452-["kept","text",{"_placeholder":true,"num":1},{"_placeholder":true,"num":0}]`, []byte("one"), []byte("two"))
	})
}
