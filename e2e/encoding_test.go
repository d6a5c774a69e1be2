package e2e_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net/http/httptest"
	"os"
	"os/exec"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/socketio-go/socketio"
	"github.com/socketio-go/socketio/msgpack"
)

// FuzzEncode emits random values: what the official parsers make of the packets is
// what was meant, or Emit has said that it can't be sent.
func FuzzEncode(f *testing.F) {
	decode := officialParsers(f)
	receivers := []*receiver{
		newReceiver(f, "json", &socketio.Options{MaxAttachments: 1000}),
		newReceiver(f, "msgpack", &socketio.Options{Codec: msgpack.Codec{}}),
	}
	random := rand.New(rand.NewPCG(1, 2))
	for range 500 {
		seed := make([]byte, 20+random.IntN(200))
		for i := range seed {
			seed[i] = byte(random.Uint32())
		}
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, seed []byte) {
		var packets []packet
		var wanted [][]any
		for _, r := range receivers {
			g := &generator{seed: seed, pool: [][]byte{[]byte("shared"), {0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, {}}}
			args, meant := g.arguments(0)
			want := append([]any{"v"}, meant...)
			bin, marked := look(want)
			frames, err := r.emit(t, args)
			refused := bin && marked && r.parser == "json"
			if (err != nil) != refused {
				t.Fatalf("%s: %#v: %v, want an error: %t", r.parser, args, err, refused)
			}
			if err != nil {
				continue
			}
			if r.parser == "msgpack" && strings.Contains(fmt.Sprint(want), "__proto__") {
				continue // which the parser makes the prototype
			}
			packets, wanted = append(packets, packet{r.parser, frames}), append(wanted, want)
		}
		if len(packets) == 0 {
			return
		}
		for i, answer := range decode(t, packets) {
			if answer.Error != "" {
				t.Fatalf("%s: %s", packets[i], answer.Error)
			}
			if got, want := normal(t, answer.Data), normal(t, plain(wanted[i])); !reflect.DeepEqual(got, want) {
				t.Fatalf("%s\ngot  %v\nwant %v", packets[i], got, want)
			}
		}
	})
}

// A packet is what one of the parsers is to decode.
type packet struct {
	Parser string `json:"parser"`
	Frames []any  `json:"frames"` // texts, or {"base64": ...}
}

func (p packet) String() string {
	text, _ := json.Marshal(p)
	return string(text)
}

// A decoded is what a parser has made of a packet.
type decoded struct {
	Data  any
	Error string
}

// officialParsers returns a function that has them decode packets.
func officialParsers(f *testing.F) func(t *testing.T, packets []packet) []decoded {
	f.Helper()
	node := exec.Command("node", "parser/decode.mjs")
	node.Stderr = os.Stderr
	in, err := node.StdinPipe()
	if err != nil {
		f.Fatal(err)
	}
	out, err := node.StdoutPipe()
	if err != nil {
		f.Fatal(err)
	}
	if err := node.Start(); err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() {
		_ = in.Close()
		_, _ = io.Copy(io.Discard, out)
		if err := node.Wait(); err != nil {
			f.Error(err)
		}
	})
	answers := bufio.NewReader(out)
	return func(t *testing.T, packets []packet) (list []decoded) {
		t.Helper()
		line, err := json.Marshal(packets)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := in.Write(append(line, '\n')); err != nil {
			t.Fatal(err)
		}
		if line, err = answers.ReadBytes('\n'); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(line, &list); err != nil {
			t.Fatal(err)
		}
		return list
	}
}

// A receiver is a client that sees what is on the wire.
type receiver struct {
	parser string
	io     *socketio.Server
	ws     *websocket.Conn
}

func newReceiver(f *testing.F, parser string, opts *socketio.Options) *receiver {
	f.Helper()
	opts.PingInterval = time.Hour
	opts.MaxPayload = 1 << 24
	r := &receiver{parser: parser, io: socketio.NewServer(opts)}
	joined := make(chan struct{})
	r.io.OnConnect(func(*socketio.Socket) { close(joined) })
	hs := httptest.NewServer(r.io)
	f.Cleanup(func() {
		_ = r.ws.Close()
		if err := r.io.Close(); err != nil {
			f.Error(err)
		}
		hs.Close()
	})
	var err error
	if r.ws, _, err = websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(hs.URL, "http")+"/socket.io/?EIO=4&transport=websocket", nil); err != nil {
		f.Fatal(err)
	}
	connect := []byte("40")
	kind := websocket.TextMessage
	if opts.Codec != nil {
		connect, _, _ = opts.Codec.Encode([]byte("0"), nil)
		kind = websocket.BinaryMessage
	}
	if err := r.ws.WriteMessage(kind, connect); err != nil {
		f.Fatal(err)
	}
	for range 2 { // OPEN, and the answer to CONNECT
		if _, _, err := r.ws.ReadMessage(); err != nil {
			f.Fatal(err)
		}
	}
	<-joined
	return r
}

// emit returns the frames of an event, without Engine.IO's packet type.
func (r *receiver) emit(t *testing.T, args []any) (frames []any, err error) {
	t.Helper()
	if err := r.io.Emit("v", args...); err != nil {
		return nil, err
	}
	kind, data, err := r.ws.ReadMessage()
	if err != nil {
		t.Fatalf("%#v: %v", args, err)
	}
	if kind == websocket.BinaryMessage {
		return []any{base64(data)}, nil
	}
	frames = append(frames, string(data[1:]))
	var n int
	if data[1] == '5' {
		if _, err := fmt.Sscanf(string(data[2:]), "%d-", &n); err != nil {
			t.Fatal(err)
		}
	}
	for range n {
		if kind, data, err = r.ws.ReadMessage(); err != nil || kind != websocket.BinaryMessage {
			t.Fatalf("%#v: a frame of kind %d, %v", args, kind, err)
		}
		frames = append(frames, base64(data))
	}
	return frames, nil
}

func base64(b []byte) any { return map[string]any{"base64": b} }

// A generator makes values of the bytes of a seed.
type generator struct {
	seed []byte
	pool [][]byte
}

func (g *generator) below(n int) int {
	if len(g.seed) == 0 {
		return 0
	}
	c := g.seed[0]
	g.seed = g.seed[1:]
	return int(c) % n
}

// Types of values that an application may have.
type (
	photo  []byte
	letter byte
	marked struct {
		Mark any `json:"_placeholder"`
		Num  any `json:"num,omitempty"`
		Data any `json:"data"`
	}
	album struct {
		Cover photo            `json:"cover"`
		Pages []photo          `json:"pages,omitempty"`
		Named map[string]photo `json:"named,omitempty"`
		Plain []byte           `json:"plain"`
		Any   any              `json:"any"`
		Next  *album           `json:"next,omitempty"`
	}
	written  struct{ json []byte }
	scramble []byte
)

func (w written) MarshalJSON() ([]byte, error) { return w.json, nil }
func (s scramble) MarshalText() ([]byte, error) {
	return slices.Concat([]byte("<"), s, []byte(">")), nil
}

// arguments returns arguments and what a client is to get for them.
func (g *generator) arguments(depth int) (args, meant []any) {
	for range g.below(5) {
		if depth < 2 && g.below(6) == 0 {
			inner, innerMeant := g.arguments(depth + 1)
			whole, err := socketio.EncodeArgs(inner...)
			if bin, mark := look(innerMeant); (err != nil) != (bin && mark) {
				panic(fmt.Sprintf("EncodeArgs(%#v): %v", inner, err))
			}
			if err == nil {
				args = append(args, whole)
				meant = append(meant, innerMeant...)
				continue
			}
		}
		v, m := g.value(0)
		args, meant = append(args, v), append(meant, m)
	}
	return args, meant
}

var oddStrings = []string{
	"", "text", "_placeholder", `"_placeholder":true`, `{"_placeholder":true,"num":0}`, "\\u005fplaceholder", "é漢😀", "a\xffb", "\u2028", "\x00\x1e\n\"\\/", "<&>", "num", "451-",
}

var oddNumbers = []float64{
	0, 1, -1, 0.5, 1e21, 1e-7, 5e-324, math.MaxFloat64, 1 << 53, -(1 << 53), 1<<53 - 1, math.MaxInt64, math.MinInt64, math.MaxUint64, 1e20, 0.1, 123456789.125, math.Pi,
}

var oddKeys = []string{"a", "b", "num", "_placeholder", "_Placeholder", "", "1", "0", "é", "toJSON", "constructor", "__proto__", "data", "length", "base64"}

var oddJSON = []string{
	`{"_placeholder":true,"num":0}`, `{"\u005fplaceholder":true,"num":0}`, `{"_placeholder":true}`, ` { "num" : 1 , "_placeholder" : true } `,
	`{"_placeholder":false,"num":0}`, `{"_placeholder":true,"_placeholder":false}`, `{"_placeholder":false,"_placehold\u0065r":true,"num":0}`,
	`{"_placeholder":true,"\u005fplaceholder":null}`, `{"a":{"_placeholder":true,"num":0}}`, `{"_placeholder":{"_placeholder":true}}`, `{"_placeholder":"true"}`,
	`"{\"_placeholder\":true}"`, `"\u005fplaceholder"`, `["_placeholder",true]`, `[1e400,-1e400,1E2,-0,0.10]`, `"\ud83d\ude00\ud800\/"`, `[[],{},[{}]]`, `null`, `{"a":1,"a":{"b":2}}`,
	`{"_placeholder":true,"num":0,"x":{"_placeholder":true,"num":9}}`, `{"":"","_placeholder":1}`, `12345678901234567890`,
}

// value returns a value and what a client is to get for it.
func (g *generator) value(depth int) (v, meant any) {
	kinds := 21
	if depth > 4 {
		kinds = 13
	}
	switch g.below(kinds) {
	case 0:
		return []any{nil, (*int)(nil), []byte(nil), photo(nil), map[string]any(nil), []any(nil), json.RawMessage(nil), (*album)(nil)}[g.below(8)], nil
	case 1:
		b := g.below(2) == 1
		return b, b
	case 2:
		s := oddStrings[g.below(len(oddStrings))]
		return s, string([]rune(s))
	case 3:
		n := oddNumbers[g.below(len(oddNumbers))]
		return n, n
	case 4:
		n := []int64{0, 1, -1, math.MaxInt64, math.MinInt64, 1 << 53, 1<<53 - 1, 255, 256, -129}[g.below(10)]
		return []any{n, int(n)}[g.below(2)], float64(n)
	case 5:
		return []any{uint64(math.MaxUint64), json.Number("18446744073709551615")}[g.below(2)], float64(math.MaxUint64)
	case 6, 7:
		b := g.bytes()
		return b, b
	case 8:
		b := g.bytes()
		return photo(b), b
	case 9:
		return g.raw()
	case 10:
		raw, meant := g.raw()
		return written{raw}, meant
	case 11:
		b := g.bytes()
		list := []letter{1, letter(len(b))}
		return list, []byte{1, byte(len(b))}
	case 12:
		s := scramble(oddStrings[1])
		return []any{s, [2]byte{1, 2}}[0], "<" + string(s) + ">"
	case 13, 14:
		list, meant := []any{}, []any{}
		for range g.below(4) {
			v, m := g.value(depth + 1)
			list, meant = append(list, v), append(meant, m)
		}
		return list, meant
	case 15, 16:
		object, meant := map[string]any{}, map[string]any{}
		for range g.below(4) {
			key := oddKeys[g.below(len(oddKeys))]
			object[key], meant[key] = g.value(depth + 1)
		}
		return object, meant
	case 17:
		m := marked{Mark: g.below(2) == 1}
		object := map[string]any{"_placeholder": m.Mark}
		if g.below(2) == 1 {
			m.Num = 0
			object["num"] = 0.0
		}
		m.Data, object["data"] = g.value(depth + 1)
		return []any{m, &m, []any{m}[0]}[g.below(3)], object
	case 18:
		a := album{Cover: g.bytes(), Plain: g.bytes()}
		object := map[string]any{"cover": []byte(a.Cover), "plain": a.Plain}
		a.Any, object["any"] = g.value(depth + 1)
		if g.below(2) == 1 {
			b := g.bytes()
			a.Pages, a.Named = []photo{b, nil}, map[string]photo{"_placeholder": b}
			object["pages"], object["named"] = []any{b, nil}, map[string]any{"_placeholder": b}
		}
		return []any{a, &a}[g.below(2)], object
	case 19:
		b, c := g.bytes(), g.bytes()
		return []any{[][]byte{b, c, nil}, []photo{b, c, nil}, [3]photo{b, c, nil}}[g.below(3)], []any{b, c, nil}
	default:
		v, meant := g.value(depth + 1)
		return &v, meant
	}
}

// bytes returns binary data, some of which is in many places.
func (g *generator) bytes() []byte {
	b := g.pool[g.below(len(g.pool))]
	switch g.below(4) {
	case 0:
		return slices.Clone(b)
	case 1:
		return b[:g.below(len(b)+1)]
	case 2:
		return b[g.below(len(b)+1):]
	default:
		return b
	}
}

func (g *generator) raw() (json.RawMessage, any) {
	text := oddJSON[g.below(len(oddJSON))]
	if g.below(3) == 0 {
		text = `[` + text + `,` + oddJSON[g.below(len(oddJSON))] + `]`
	}
	return json.RawMessage(text), parse(text)
}

// parse is JSON.parse.
func parse(text string) any {
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		panic(fmt.Sprintf("%s: %v", text, err))
	}
	return numbers(v)
}

func numbers(v any) any {
	switch v := v.(type) {
	case json.Number:
		f, _ := v.Float64() // infinity is what JavaScript has, too
		return f
	case []any:
		for i := range v {
			v[i] = numbers(v[i])
		}
	case map[string]any:
		for k := range v {
			v[k] = numbers(v[k])
		}
	}
	return v
}

// look reports whether there is binary data in v, and an object that looks like a
// placeholder.
func look(v any) (bin, mark bool) {
	switch v := v.(type) {
	case []byte:
		return v != nil, false
	case []any:
		for _, e := range v {
			b, m := look(e)
			bin, mark = bin || b, mark || m
		}
	case map[string]any:
		mark = v["_placeholder"] == true
		for _, e := range v {
			b, m := look(e)
			bin, mark = bin || b, mark || m
		}
	}
	return bin, mark
}

// plain is what parser/decode.mjs makes of a value.
func plain(v any) any {
	switch v := v.(type) {
	case float64:
		if math.IsInf(v, 0) {
			return []any{"number", map[bool]string{true: "Infinity", false: "-Infinity"}[v > 0]}
		}
	case []byte:
		if v == nil {
			return nil
		}
		return []any{"binary", v}
	case []any:
		list := []any{"list"}
		for _, e := range v {
			list = append(list, plain(e))
		}
		return list
	case map[string]any:
		object := []any{"object"}
		for k, e := range v {
			object = append(object, []any{k, plain(e)})
		}
		return object
	}
	return v
}

// normal is v as JSON has it, with the members of objects in order.
func normal(t *testing.T, v any) any {
	t.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	var out any
	if err := json.Unmarshal(raw, &out); err != nil {
		t.Fatal(err)
	}
	return inOrder(out)
}

func inOrder(v any) any {
	list, ok := v.([]any)
	if !ok {
		return v
	}
	for i := range list {
		list[i] = inOrder(list[i])
	}
	if len(list) > 0 && list[0] == "object" {
		slices.SortFunc(list[1:], func(a, b any) int { return strings.Compare(a.([]any)[0].(string), b.([]any)[0].(string)) })
	}
	return list
}
