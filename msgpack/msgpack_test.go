package msgpack_test

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/socketio-go/socketio"
	"github.com/socketio-go/socketio/internal/leak"
	"github.com/socketio-go/socketio/internal/sio"
	"github.com/socketio-go/socketio/msgpack"
)

func TestMain(m *testing.M) { leak.Main(m) }

func unhex(t testing.TB, digits string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(digits, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// captured are packets as socket.io-msgpack-parser writes them.
var captured = []struct {
	name   string
	wire   string
	packet string
	bin    []string
	same   bool // ours are the same bytes
}{
	{"CONNECT with auth", "83a47479706500a46461746181a5746f6b656ea3616263a36e7370a12f", `0{"token":"abc"}`, nil, true},
	{"CONNECT without auth", "83a47479706500a464617461d40000a36e7370a12f", `0`, nil, false},
	{"the answer to CONNECT", "83a47479706500a46461746182a3736964b46f534f304f70616b4d565f336a6e696c41414141a3706964d40000a36e7370a12f",
		`0{"sid":"oSO0OpakMV_3jnilAAAA","pid":null}`, nil, false},
	{"DISCONNECT", "82a47479706501a36e7370a12f", `1`, nil, true},
	{"EVENT", "83a47479706502a46461746192a568656c6c6f01a36e7370a12f", `2["hello",1]`, nil, true},
	{"EVENT that asks for an answer", "85a47479706502a46461746192a568656c6c6f01a76f7074696f6e7381a8636f6d7072657373c3a2696405a36e7370a62f61646d696e",
		`2/admin,5["hello",1]`, nil, false},
	{"ACK", "84a2696405a47479706503a46461746191a26f6ba36e7370a12f", `35["ok"]`, nil, false},
	{"CONNECT_ERROR", "83a47479706504a46461746182a76d657373616765a3626164a464617461d40000a36e7370a12f", `4{"message":"bad","data":null}`, nil, false},
	{"EVENT with binary and a Date", "83a47479706502a46461746195a162c403010203c702000405d40000d7000000018bcfe5687ba36e7370a12f",
		`52-["b",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1},null,"2023-11-14T22:13:20.123Z"]`,
		[]string{"010203", "0405"}, false},
	{"CONNECT_ERROR for no such namespace", "83a47479706504a36e7370a52f6e6f7065a46461746181a76d657373616765b1496e76616c6964206e616d657370616365",
		`4/nope,{"message":"Invalid namespace"}`, nil, false},
}

func TestCaptured(t *testing.T) {
	t.Parallel()
	for _, test := range captured {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			packet, bin, err := msgpack.Codec{}.Decode(unhex(t, test.wire), true)
			if string(packet) != test.packet || fmt.Sprintf("%x", bin) != fmt.Sprint(test.bin) || err != nil {
				t.Errorf("decoded %s %x, %v; want %s %s", packet, bin, err, test.packet, test.bin)
			}
			wire, binary, err := msgpack.Codec{}.Encode(packet, bin)
			if err != nil || !binary {
				t.Fatalf("encoded: %v, binary: %t", err, binary)
			}
			if same := hex.EncodeToString(wire) == test.wire; same != test.same {
				t.Errorf("encoded %x", wire)
			}
			again, bin, err := msgpack.Codec{}.Decode(wire, true)
			if string(again) != test.packet || fmt.Sprintf("%x", bin) != fmt.Sprint(test.bin) || err != nil {
				t.Errorf("encoded and decoded: %s %x, %v", again, bin, err)
			}
		})
	}
}

// What is absent is left out: clients take nil for something else.
func TestEncode(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		packet string
		bin    [][]byte
		want   string
	}{
		{`0{"sid":"x"}`, nil, "83 a47479706500 a46461746181a3736964a178 a36e7370a12f"},
		{`1/a,`, nil, "82 a47479706501 a36e7370a22f61"},
		{`30[]`, nil, "84 a47479706503 a46461746190 a2696400 a36e7370a12f"},
		{`3/a,300["x"]`, nil, "84 a47479706503 a46461746191a178 a26964cd012c a36e7370a22f61"},
		{`51-7["e",{"_placeholder":true,"num":0}]`, [][]byte{{9}}, "84 a47479706502 a46461746192a165c40109 a2696407 a36e7370a12f"},
		{`61-7[{"_placeholder":true,"num":0}]`, [][]byte{{9}}, "84 a47479706503 a46461746191c40109 a2696407 a36e7370a12f"},
		{`4{"message":"m"}`, nil, "83 a47479706504 a46461746181a76d657373616765a16d a36e7370a12f"},
	} {
		got, binary, err := msgpack.Codec{}.Encode([]byte(test.packet), test.bin)
		if want := strings.ReplaceAll(test.want, " ", ""); hex.EncodeToString(got) != want || !binary || err != nil {
			t.Errorf("%s is %x, %t, %v; want %s", test.packet, got, binary, err, want)
		}
	}
	for _, packet := range []string{``, `9`, `2[`, `2["e",]`, `51-["e"`} {
		if got, _, err := (msgpack.Codec{}).Encode([]byte(packet), nil); err == nil {
			t.Errorf("%s is %x", packet, got)
		}
	}
	// What the server itself sends has no limits but its own.
	big := "2[" + strings.Repeat(`"e",`, 10000) + strings.Repeat("[", 2000) + strings.Repeat("]", 2000) + "]"
	if _, _, err := (msgpack.Codec{}).Encode([]byte(big), nil); err != nil {
		t.Error(err)
	}
}

// event is the beginning of an EVENT's map, of that many members, up to its
// data.
func event(members int) string { return fmt.Sprintf("8%da47479706502a36e7370a12fa464617461", members) }

// A malformed packet costs its sender the connection, and nobody else.
func TestMalformed(t *testing.T) {
	t.Parallel()
	srv := serve(t, nil)
	healthy := srv.dial(t)
	healthy.join()
	for _, test := range []struct{ name, wire string }{
		{"nothing", ""},
		{"no map", "93020101"},
		{"nil", "c0"},
		{"a text", "a568656c6c6f"},
		{"no members", "80"},
		{"no type", "82a36e7370a12fa46461746191a165"},
		{"no namespace", "82a47479706502a46461746191a165"},
		{"a type beyond the last", "83a47479706505a36e7370a12fa46461746191a165"},
		{"a type below the first", "83a474797065ffa36e7370a12fa46461746191a165"},
		{"a type that is nil", "83a474797065c0a36e7370a12fa46461746191a165"},
		{"a type that is a text", "83a474797065a132a36e7370a12fa46461746191a165"},
		{"a type that is a float", "83a474797065cb4000000000000000a36e7370a12fa46461746191a165"},
		{"a binary type", "83a47479706506a36e7370a12fa46461746191a165"},
		{"a namespace that is nil", "83a47479706502a36e7370c0a46461746191a165"},
		{"a namespace that is a number", "83a47479706502a36e737001a46461746191a165"},
		{"an empty namespace", "83a47479706502a36e7370a0a46461746191a165"},
		{"a namespace without a slash", "83a47479706502a36e7370a161a46461746191a165"},
		{"a namespace with a comma", "83a47479706502a36e7370a22f2ca46461746191a165"},
		{"a namespace that is not UTF-8", "83a47479706502a36e7370a22fffa46461746191a165"},
		{"an event without data", "82a47479706502a36e7370a12f"},
		{"an event whose data is undefined", event(3) + "d40000"},
		{"an event whose data is nil", event(3) + "c0"},
		{"an event whose data is a map", event(3) + "80"},
		{"an event whose data is a text", event(3) + "a165"},
		{"an event whose data is binary", event(3) + "c40101"},
		{"an event whose data is a number, which is no id", event(3) + "07"},
		{"a CONNECT whose data is a number", "83a47479706500a46461746107a36e7370a22f78"},
		{"a DISCONNECT whose data is a number", "83a47479706501a46461746107a36e7370a12f"},
		{"an event without a name", event(3) + "90"},
		{"an event whose name is nil", event(3) + "91c0"},
		{"an event whose name is a map", event(3) + "9180"},
		{"an event whose name is binary", event(3) + "91c40101"},
		{"an event with a reserved name", event(3) + "91a7636f6e6e656374"},
		{"data twice", event(4) + "91a165a46461746191a165"},
		{"an answer without data", "83a47479706503a36e7370a12fa2696401"},
		{"an id that is nil", event(4) + "91a165a26964c0"},
		{"an id that is a text", event(4) + "91a165a26964a131"},
		{"an id below zero", event(4) + "91a165a26964ff"},
		{"an id beyond what JavaScript counts", event(4) + "91a165a26964cf0020000000000000"},
		{"an id beyond an int64", event(4) + "91a165a26964cfffffffffffffffff"},
		{"a CONNECT whose data is nil", "83a47479706500a464617461c0a36e7370a22f78"},
		{"a CONNECT whose data is an array", "83a47479706500a46461746190a36e7370a22f78"},
		{"a CONNECT whose data is a text", "83a47479706500a464617461a178a36e7370a22f78"},
		{"a CONNECT with binary", "83a47479706500a46461746181a161c40101a36e7370a22f78"},
		{"a second CONNECT", "82a47479706500a36e7370a12f"},
		{"a DISCONNECT whose data is nil", "83a47479706501a464617461c0a36e7370a12f"},
		{"a CONNECT_ERROR", "83a47479706504a46461746181a76d657373616765a16da36e7370a12f"},
		{"a namespace that is not joined", "83a47479706502a36e7370a22f78a46461746191a165"},
		{"something behind the packet", event(3) + "91a165" + "00"},
		{"half a packet", event(3) + "92a165"},
		{"a key that is a number", "84" + event(3)[2:] + "91a16501a0"},
		{"a member without a value", event(4) + "91a165a16b"},
		{"nonsense in an unknown member", event(4) + "91a165a16bc1"},
		{"a type that does not exist", event(3) + "92a165c1"},
		{"an unknown extension", event(3) + "92a165d40100"},
		{"a map with a key that is a number", event(3) + "92a165810101"},
		{"a huge array", event(3) + "ddffffffffa165"},
		{"a huge map", event(3) + "92a165dfffffffff"},
		{"a huge text", event(3) + "92a165dbffffffff"},
		{"nested too deeply", event(3) + "92a165" + strings.Repeat("91", 1000) + "c0"},
		{"too many binary parts", event(3) + "9ca165" + strings.Repeat("c40100", 11)},
		{"very many binary parts", event(3) + "dc7530a165" + strings.Repeat("c400", 29999)},
		{"too many arguments", event(3) + "dc2710a165" + strings.Repeat("c0", 9999)},
		{"more than an event may be, once decoded", event(3) + "dd000c3500a165" + strings.Repeat("c0", 799999)},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			c := srv.dial(t)
			c.join()
			c.write(test.wire)
			c.wantClosed()
		})
	}
	t.Run("a text message", func(t *testing.T) {
		t.Parallel()
		c := srv.dial(t)
		c.join()
		if err := c.ws.WriteMessage(websocket.TextMessage, []byte(`42["e"]`)); err != nil {
			t.Fatal(err)
		}
		c.wantClosed()
	})
	t.Cleanup(func() { healthy.wantEcho("a161", `"a"`) })
}

// What is unusual but can be understood is accepted.
func TestLenient(t *testing.T) {
	t.Parallel()
	srv := serve(t, nil)
	for _, test := range []struct{ name, wire string }{
		{"unknown members", "86a3666f6f9301c40102c0a47479706502a36e7370a12fa46461746192a46563686fa161a2696405a3626172d40000"},
		{"members in any order", "84a2696405a46461746192a46563686fa161a36e7370a12fa47479706502"},
		{"wide numbers", "84a474797065cf0000000000000002a36e7370a12fa46461746192a46563686fa161a26964d30000000000000005"},
		{"wide lengths", "df00000004d90474797065" + "02db000000036e7370a12fda000464617461dd00000002d9046563686fd90161a2696405"},
		{"data undefined, and then defined", "85a47479706502a36e7370a12fa464617461d40000a46461746192a46563686fa161a2696405"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			c := srv.dial(t)
			c.join()
			c.write(test.wire)
			if got := c.read(); got != `35["a"]` {
				t.Errorf("got %s", got)
			}
		})
	}
	t.Run("an id that is undefined", func(t *testing.T) {
		t.Parallel()
		c := srv.dial(t)
		c.join()
		c.write("84a47479706502a36e7370a12fa46461746192a46563686fa161a26964d40000") // not answered
		c.wantEcho("a162", `"b"`)
	})
}

// Arguments of every kind reach handlers as their types, and come back.
func TestArguments(t *testing.T) {
	t.Parallel()
	type document struct {
		Name string    `json:"name"`
		Data []byte    `json:"data"`
		At   time.Time `json:"at"`
		None *string   `json:"none"`
		Num  float64   `json:"num"`
	}
	srv := serve(t, nil)
	srv.On("document", func(d document) document { return d })
	srv.On("any", func(v any) any { return v })
	srv.On("ask me", func(s *socketio.Socket, name string) (string, error) {
		answer, err := s.EmitWithAck(t.Context(), "question", []byte(name))
		if err != nil {
			return "", err
		}
		var text string
		return text, answer.Decode(&text)
	})
	c := srv.dial(t)
	c.join()

	c.ask("document", "85a46e616d65a161a464617461c40201ffa26174d7000000018bcfe5687ba46e6f6e65d40000a36e756dcb3ff8000000000000")
	want := `61-1[{"name":"a","data":{"_placeholder":true,"num":0},"at":"2023-11-14T22:13:20.123Z","none":null,"num":1.5}] 01ff`
	if got := c.read(); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	c.ask("any", "93c4010181a161c7010002d40000")
	if got, want := c.read(), `62-1[[{"_placeholder":true,"num":0},{"a":{"_placeholder":true,"num":1}},null]] 01 02`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	c.ask("ask me", "a161")
	if got, want := c.read(), `51-0["question",{"_placeholder":true,"num":0}] 61`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	c.write("84a47479706503a36e7370a12fa46461746191a3796573a2696400")
	if got, want := c.read(), `31["yes"]`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// The format knows no placeholders: what looks like one is data, beside binary data
// too, whatever the application has it decoded into, and so are keys in texts.
func TestDataThatLooksLikeAPlaceholder(t *testing.T) {
	t.Parallel()
	const (
		key    = "ac5f706c616365686f6c646572"
		seven  = "82" + key + "c3a36e756d07"
		zero   = "82" + key + "c3a36e756d00"
		inside = "81a161" + zero
		around = "83" + key + "c3a161c40109a36e756d00"
		text   = "b2225f706c616365686f6c646572223a20746f" // "_placeholder": to
		binary = "c40101"
	)
	type lookalike struct {
		Mark bool   `json:"_placeholder"`
		Data []byte `json:"a,omitempty"`
		Num  int    `json:"num"`
	}
	srv := serve(t, nil)
	args := make(chan socketio.Args, 1)
	srv.On("take", func(rest socketio.Args) { args <- rest })
	srv.On("any", func(v []any) any { return v })
	srv.On("raw", func(v json.RawMessage) any { return v })
	srv.On("struct", func(v lookalike) any { return []any{v, []byte{1}} })
	srv.On("ack", func(v any, ack socketio.AckFunc) error { return ack([]byte{9}, v) })
	srv.Intercept(func(ctx context.Context, s *socketio.Socket, m *socketio.Message, next socketio.Next) ([]any, error) {
		more, err := socketio.EncodeArgs(m.Args, []byte("more"))
		if err != nil || m.Event == "take" || m.Event == "echo" {
			return next(ctx, m)
		}
		return next(ctx, &socketio.Message{Event: m.Event, Args: more, Ack: m.Ack})
	})
	c := srv.dial(t)
	c.join()
	const answered = "84a47479706503a46461746191" // then the id and the namespace
	wantWire := func(name, want string) {
		t.Helper()
		_, message, err := c.ws.ReadMessage()
		if got := hex.EncodeToString(message); err != nil || got != want+"a2696401a36e7370a12f" {
			t.Errorf("%s: got %s, %v; want %s", name, got, err, want)
		}
	}
	for _, list := range []string{seven, seven + binary, binary + zero, inside + binary, zero + zero + binary, around, text + binary} {
		for _, event := range []string{"echo", "any"} {
			n := map[string]int{seven: 1, around: 1, zero + zero + binary: 3}[list]
			if n == 0 {
				n = 2
			}
			array := fmt.Sprintf("9%x%s", n, list)
			c.ask(event, array)
			wantWire(event+" "+list, answered+array)
			c.write(fmt.Sprintf("83a47479706502a36e7370a12fa46461746192a474616b65%s", array))
			var v any
			passed := <-args
			if err := passed.Decode(&v); err != nil {
				t.Fatal(err)
			}
			for i, emit := range []func() error{
				func() error { return srv.Emit("v", v) },
				func() error { return srv.Emit("v", passed) },
				func() error { return srv.To("r").Except("s").Emit("v", []byte("x"), v) },
				func() error { return srv.Local().Emit("v", []any{v}, passed) },
			} {
				if err := emit(); err != nil {
					t.Fatal(i, list, err)
				}
				want := []string{array, array, "", "91" + array + array}[i]
				if want == "" {
					continue // for nobody
				}
				_, message, err := c.ws.ReadMessage()
				head := fmt.Sprintf("83a47479706502a4646174619%xa176", 2+i/3)
				if got := hex.EncodeToString(message); err != nil || got != head+want+"a36e7370a12f" {
					t.Errorf("%d %s: got %s, %v", i, list, got, err)
				}
			}
		}
	}
	c.ask("raw", inside)
	wantWire("raw", answered+inside)
	c.ask("struct", around)
	wantWire("struct", answered+"92"+around+"c40101")
	c.ask("ack", around)
	wantWire("ack", "84a47479706503a46461746192c40109"+around)
}

// Recovery knows positions, whatever the codec.
func TestRecovery(t *testing.T) {
	t.Parallel()
	srv := serve(t, &socketio.Recovery{})
	left := make(chan struct{}, 1)
	srv.OnDisconnect(func(*socketio.Socket, socketio.Reason) { left <- struct{}{} })
	c := srv.dial(t)
	first := c.join()
	srv.Emit("numbers", []byte{1})
	var offset string
	if got := c.read(); !strings.HasPrefix(got, `51-["numbers",{"_placeholder":true,"num":0},"`) {
		t.Errorf("got %s", got)
	} else {
		offset, _, _ = strings.Cut(strings.TrimPrefix(got, `51-["numbers",{"_placeholder":true,"num":0},"`), `"`)
	}
	c.ws.Close()
	<-left
	srv.Emit("numbers", []byte{2})
	again := srv.dial(t)
	connect, _, err := msgpack.Codec{}.Encode(fmt.Appendf(nil, `0{"pid":%q,"offset":%q}`, first.PID, offset), nil)
	if err != nil {
		t.Fatal(err)
	}
	again.write(hex.EncodeToString(connect))
	if got := again.read(); !strings.HasPrefix(got, `51-["numbers",{"_placeholder":true,"num":0},"`) || !strings.HasSuffix(got, " 02") {
		t.Errorf("got %s", got)
	}
	if got, want := again.read(), fmt.Sprintf(`0{"sid":%q,"pid":%q}`, first.SID, first.PID); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

type server struct {
	*socketio.Server
	url string
}

// serve starts a server that answers "echo" with its arguments.
func serve(t *testing.T, recovery *socketio.Recovery) *server {
	t.Helper()
	io := socketio.NewServer(&socketio.Options{Codec: msgpack.Codec{}, Recovery: recovery})
	io.On("echo", func(args socketio.Args) socketio.Args { return args })
	hs := httptest.NewServer(io)
	t.Cleanup(func() {
		if err := io.Close(); err != nil {
			t.Error(err)
		}
		hs.Close()
	})
	return &server{io, "ws" + strings.TrimPrefix(hs.URL, "http")}
}

type client struct {
	t  testing.TB
	ws *websocket.Conn
}

func (srv *server) dial(t testing.TB) *client {
	t.Helper()
	ws, resp, err := websocket.DefaultDialer.DialContext(t.Context(), srv.url+"/socket.io/?EIO=4&transport=websocket", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	t.Cleanup(func() { ws.Close() })
	_ = ws.SetReadDeadline(time.Now().Add(20 * time.Second))
	if _, open, err := ws.ReadMessage(); err != nil || !strings.HasPrefix(string(open), "0{") {
		t.Fatalf("opened with %s, %v", open, err)
	}
	return &client{t, ws}
}

// join joins "/".
func (c *client) join() (answer struct{ SID, PID string }) {
	c.t.Helper()
	c.write("83a47479706500a464617461d40000a36e7370a12f")
	got := c.read()
	if err := json.Unmarshal([]byte(got[1:]), &answer); err != nil || got[0] != '0' || answer.SID == "" {
		c.t.Fatalf("CONNECT was answered with %s", got)
	}
	return answer
}

func (c *client) write(digits string) {
	c.t.Helper()
	if err := c.ws.WriteMessage(websocket.BinaryMessage, unhex(c.t, digits)); err != nil {
		c.t.Fatal(err)
	}
}

// read returns a packet with its attachments in hexadecimal.
func (c *client) read() string {
	c.t.Helper()
	kind, message, err := c.ws.ReadMessage()
	if err != nil || kind != websocket.BinaryMessage {
		c.t.Fatalf("got a message of kind %d, %v", kind, err)
	}
	packet, bin, err := msgpack.Codec{}.Decode(message, true)
	if err != nil {
		c.t.Fatalf("got %x: %v", message, err)
	}
	for _, b := range bin {
		packet = fmt.Appendf(packet, " %x", b)
	}
	return string(packet)
}

// ask emits an event with one argument and the id 1.
func (c *client) ask(event, argument string) {
	c.t.Helper()
	c.write(fmt.Sprintf("84a47479706502a36e7370a12fa46461746192%x%x%sa2696401", 0xa0|len(event), event, argument))
}

func (c *client) wantEcho(argument, want string) {
	c.t.Helper()
	c.ask("echo", argument)
	if got := c.read(); got != "31["+want+"]" {
		c.t.Errorf("got %s, want %s", got, want)
	}
}

func (c *client) wantClosed() {
	c.t.Helper()
	if kind, message, err := c.ws.ReadMessage(); !websocket.IsCloseError(err, websocket.CloseNoStatusReceived) {
		c.t.Errorf("got %d %x, %v; want the end", kind, message, err)
	}
}

func FuzzDecode(f *testing.F) {
	for _, test := range captured {
		f.Add(unhex(f, test.wire))
	}
	f.Add(unhex(f, event(3)+"07"))
	f.Add(unhex(f, event(3)+"92a165"+strings.Repeat("91", 20)+"c0"))
	f.Fuzz(func(t *testing.T, message []byte) {
		packet, bin, err := msgpack.Codec{}.Decode(message, true)
		if err != nil {
			if packet != nil || bin != nil {
				t.Fatalf("%x: %s %x with %v", message, packet, bin, err)
			}
			return
		}
		if len(packet) > 20*len(message)+64 || len(bin) > len(message)/2 {
			t.Fatalf("%d bytes became %d and %d attachments", len(message), len(packet), len(bin))
		}
		var p sio.Packet
		if p.Decode(packet, sio.Limits{Attachments: 1 << 20, Args: 1 << 20}) != nil || p.Attachments != len(bin) {
			return // which the server checks
		}
		again, _, err := msgpack.Codec{}.Encode(packet, bin)
		if err != nil {
			t.Fatalf("%x is %s %x: %v", message, packet, bin, err)
		}
		second, parts, err := msgpack.Codec{}.Decode(again, true)
		if err != nil {
			t.Fatalf("%x is %s %x, and is %x: %v", message, packet, bin, again, err)
		}
		third, _, err := msgpack.Codec{}.Encode(second, parts)
		if err != nil || string(third) != string(again) {
			t.Fatalf("%x is %s %x, and is %x, and is %x: %v", message, packet, bin, again, third, err)
		}
	})
}
