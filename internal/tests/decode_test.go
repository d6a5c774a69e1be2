package tests_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/socketio-go/socketio"
	"github.com/socketio-go/socketio/internal/siotest"
)

func TestAttachmentsAtAnyDepthAreBytes(t *testing.T) {
	t.Parallel()
	const zero, first = `{"_placeholder":true,"num":0}`, `{"_placeholder":true,"num":1}`
	type file struct {
		Name  string            `json:"name"`
		Data  []byte            `json:"data"`
		Thumb *[]byte           `json:"thumb"`
		Pages [][]byte          `json:"pages"`
		Meta  map[string][]byte `json:"meta"`
		Any   any               `json:"any"`
		Raw   json.RawMessage   `json:"raw"`
	}
	a, b := []byte("aa"), []byte("bb")
	// Each handler says what it was given.
	tests := []struct {
		name    string
		handler any
		args    string
		bin     []any
		answer  string
	}{
		{"bytes", func(v []byte) string { return string(v) }, zero, []any{a}, `["aa"]`},
		{"bytes, by reflection", func(_ int, v []byte) string { return string(v) }, `1,` + zero, []any{a}, `["aa"]`},
		{"empty bytes", func(v []byte) bool { return v != nil && len(v) == 0 }, zero, []any{[]byte{}}, `[true]`},
		{"any", func(v any) string { return fmt.Sprintf("%T %s", v, v) }, zero, []any{a}, `["[]uint8 aa"]`},
		{"a slice", func(v [][]byte) string { return fmt.Sprintf("%s", v) }, `[` + first + `,null,` + zero + `]`, []any{a, b}, `["[bb  aa]"]`},
		{"any slice", func(v []any) string { return fmt.Sprintf("%s", v) }, `["x",` + zero + `,[` + first + `]]`, []any{a, b}, `["[x aa [bb]]"]`},
		{"a map", func(v map[string]any) string { return fmt.Sprintf("%s", v) }, `{"k" : ` + zero + `,"l":{"m":` + first + `}}`, []any{a, b}, `["map[k:aa l:map[m:bb]]"]`},
		{"a map of bytes", func(v map[string][]byte) string { return fmt.Sprintf("%s", v) }, `{"k":` + zero + `}`, []any{a}, `["map[k:aa]"]`},
		{"a struct", func(v file) string { return fmt.Sprintf("%s %s %s %s", v.Data, *v.Thumb, v.Pages, v.Any) },
			`{"data":` + zero + `,"thumb":` + first + `,"pages":[` + zero + `],"any":` + first + `}`, []any{a, b}, `["aa bb [aa] bb"]`},
		{"a pointer to a struct", func(v *file) string { return fmt.Sprintf("%s %s", v.Name, v.Meta) },
			`{"name":"n","meta":{"k":` + zero + `}}`, []any{a}, `["n map[k:aa]"]`},
		{"variadic bytes", func(v ...[]byte) string { return fmt.Sprintf("%s", v) }, first + `,` + zero, []any{a, b}, `["[bb aa]"]`},
		{"base64 beside an attachment", func(v, w []byte) string { return string(v) + string(w) }, `"aGk=",` + zero, []any{a}, `["hiaa"]`},
		{"raw JSON shows the placeholder", func(v file) string { return strings.ReplaceAll(string(v.Raw), `"`, "'") },
			`{"raw":` + zero + `}`, []any{a}, `["{'_placeholder':true,'num':0}"]`},
		{"white space in a placeholder", func(v any) string { return fmt.Sprintf("%s", v) }, ` { "_placeholder" : true , "num" : 0 } `, []any{a}, `["aa"]`},
		{"a placeholder the other way round", func(v any) string { return fmt.Sprintf("%s", v) }, `{"num":0,"_placeholder":true}`, []any{a}, `["aa"]`},
		{"a placeholder with more in it", func(v any) string { return fmt.Sprintf("%s", v) }, `{"_placeholder":true,"num":0,"x":"{}"}`, []any{a}, `["aa"]`},
		{"the same attachment twice", func(v, w []byte) string { return string(v) + string(w) }, zero + `,` + zero, []any{a}, `["aaaa"]`},
		{"an attachment nobody names", func(v any) string { return fmt.Sprint(v) }, `1`, []any{a}, `["1"]`},
		{"a placeholder in a string", func(v any) string { return strings.ReplaceAll(fmt.Sprint(v), `"`, "'") },
			`["{\"_placeholder\":true,\"num\":0}"]`, []any{a}, `["[{'_placeholder':true,'num':0}]"]`},
		{"a placeholder that is not true", func(v map[string]any) string { return fmt.Sprint(v) }, `{"_placeholder":false,"num":0}`, []any{a}, `["map[_placeholder:false num:0]"]`},
		{"without attachments it is data", func(v any) string { return fmt.Sprint(v) }, zero, nil, `["map[_placeholder:true num:0]"]`},
		{"an attachment for a string", func(v string) string { return v }, zero, []any{a}, `[{"error":{"message":"bad arguments"}}]`},
		{"an attachment for a number", func(v int) int { return v }, zero, []any{a}, `[{"error":{"message":"bad arguments"}}]`},
	}
	srv := siotest.Serve(t, nil)
	for _, tt := range tests {
		srv.On(tt.name, tt.handler)
	}
	siotest.OnEachTransport(t, func(t *testing.T, transport string) {
		c := srv.Join(t, transport)
		for _, tt := range tests {
			siotest.WantEqual(t, tt.name, c.Ask(fmt.Sprintf("[%q,%s]", tt.name, tt.args), tt.bin...), tt.answer)
		}
	})
}

func TestNumbersKeepTheirText(t *testing.T) {
	t.Parallel()
	srv := siotest.Serve(t, nil)
	srv.On("number", func(n json.Number, list []json.Number, s struct{ N json.Number }) string {
		return fmt.Sprint(n, list, s)
	})
	srv.On("number with attachment", func(n json.Number, b []byte) string { return string(n) + string(b) })
	srv.On("no number", func(json.Number) {})
	c := srv.Join(t, siotest.WebSocket)
	siotest.WantEqual(t, "answer", c.Ask(`["number",1e400,[-0,12345678901234567890],{"n":1.50}]`), `["1e400[-0 12345678901234567890] {1.50}"]`)
	siotest.WantEqual(t, "answer", c.Ask(`["number with attachment",1.0,{"_placeholder":true,"num":0}]`, []byte("x")), `["1.0x"]`)
	for _, arg := range []string{`"x"`, `{}`, `true`} {
		siotest.WantEqual(t, arg, c.Ask(`["no number",`+arg+`]`), `[{"error":{"message":"bad arguments"}}]`)
	}
	// They are passed on unchanged, whatever they are.
	for _, n := range []string{`1e400`, `-0`, `1.50`, `12345678901234567890`, `1E+2`, strings.Repeat("9", 10_000)} {
		siotest.WantEqual(t, "echo", c.Ask(`["echo",`+n+`]`), "["+n+"]")
	}
}

func TestKeysAreFoundAsInEncodingJSON(t *testing.T) {
	t.Parallel()
	srv := siotest.Serve(t, nil)
	srv.On("point", func(p point) point { return p })
	srv.On("tagged", func(v tagged) string { return fmt.Sprint(v.Name, v.Dash, v.Quoted, v.Inner, v.Secret == "") })
	c := srv.Join(t, siotest.WebSocket)
	siotest.WantEqual(t, "case does not matter", c.Ask(`["point",{"x":1,"Y":2}]`), `[{"X":1,"Y":2}]`)
	siotest.WantEqual(t, "the last of several counts", c.Ask(`["point",{"X":1,"x":2}]`), `[{"X":2,"Y":0}]`)
	siotest.WantEqual(t, "unknown keys are ignored", c.Ask(`["point",{"z":1,"constructor":{"prototype":1}}]`), `[{"X":0,"Y":0}]`)
	siotest.WantEqual(t, "tags", c.Ask(`["tagged",{"name":"n","-":1,"quoted":"2","inner":"i","Secret":"s"}]`), `["n1 2itrue"]`)
}

// What a handler was given is its own, not a view of the reader's buffer.
func TestDecodedValuesAreTheHandlersOwn(t *testing.T) {
	t.Parallel()
	srv := siotest.Serve(t, nil)
	type all struct {
		S string
		R json.RawMessage
		M map[string]any
		B []byte
	}
	kept := make(chan func() string, 10)
	srv.On("typed", func(v all) {
		kept <- func() string { return fmt.Sprintf("%s %s %v %s", v.S, v.R, v.M, v.B) }
	})
	srv.On("string", func(_ *socketio.Socket, v string) { kept <- func() string { return v } })
	srv.On("raw", func(_ *socketio.Socket, v json.RawMessage) { kept <- func() string { return string(v) } })
	srv.On("args", func(_ *socketio.Socket, v socketio.Args) { kept <- v.String })
	srv.On("bytes", func(_ *socketio.Socket, v []byte) { kept <- func() string { return string(v) } })
	c := srv.Join(t, siotest.WebSocket)
	c.Write(`451-["typed",{"S":"abc","R":[1,2],"M":{"k":"vv"},"B":{"_placeholder":true,"num":0}}]`, []byte("bin"),
		`42["string","abc"]`, `42["raw",{"a":"bc"}]`, `42["args","abc",[1]]`, `451-["bytes",{"_placeholder":true,"num":0}]`, []byte("bin"))
	c.WantNothing()
	for range 20 { // the buffers are used again
		c.Ask(`["echo","` + strings.Repeat("X", 200) + `",{"_placeholder":true,"num":0}]`)
		c.Write(`451-["nobody",{"_placeholder":true,"num":0}]`, []byte("XXXXXXXXXX"))
	}
	for _, want := range []string{`abc [1,2] map[k:vv] bin`, `abc`, `{"a":"bc"}`, `["abc",[1]]`, `bin`} {
		siotest.WantEqual(t, "kept", siotest.Receive(t, kept)(), want)
	}
}

func TestDeepArguments(t *testing.T) {
	t.Parallel()
	srv := siotest.Serve(t, nil)
	srv.On("any", func(v any) any { return v })
	c := srv.Join(t, siotest.WebSocket)
	deep := strings.Repeat("[", 511) + strings.Repeat("]", 511) // the event is the 512th level
	siotest.WantEqual(t, "echo", c.Ask(`["echo",`+deep+`]`), "["+deep+"]")
	siotest.WantEqual(t, "decoded", c.Ask(`["any",`+deep+`]`), "["+deep+"]")
	siotest.WantEqual(t, "with an attachment", c.Ask(`["any",[`+deep[1:510]+deep[512:1021]+`,1]]`, []byte("x")), "[["+deep[1:510]+deep[512:1021]+",1]]")
	c.Write(`42["any",[` + deep + `]]`)
	c.WantClosed()
}
