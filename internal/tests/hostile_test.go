package tests_test

import (
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"

	"github.com/socketio-go/socketio"
	"github.com/socketio-go/socketio/internal/siotest"
)

const (
	parseError  = socketio.ReasonParse
	forcedClose = socketio.ReasonViolation
)

var nested = strings.Repeat(`[`, 20_000) + strings.Repeat(`]`, 20_000)

// What a client sends that has joined "/". Each closes its connection.
var hostilePackets = []struct {
	name    string
	packets []any
	reason  socketio.Reason
}{
	{"no Socket.IO packet", []any{`4`}, parseError},
	{"no type", []any{`4abc`}, parseError},
	{"type 7", []any{`47`}, parseError},
	{"type 8", []any{`48["message"]`}, parseError},
	{"type 9", []any{`49`}, parseError},

	{"CONNECT, again", []any{`40`}, forcedClose},
	{"CONNECT, again, with a payload", []any{`40{"a":1}`}, forcedClose},
	{"CONNECT with an array", []any{`40/x,[]`}, parseError},
	{"CONNECT with a string", []any{`40/x,"x"`}, parseError},
	{"CONNECT with null", []any{`40/x,null`}, parseError},
	{"CONNECT with garbage", []any{`40/x,{"a"`}, parseError},
	{"CONNECT with more behind", []any{`40/x,{}{}`}, parseError},
	{"CONNECT with garbage behind the comma", []any{`40/x,y`}, parseError},
	{"CONNECT that nests too deeply", []any{`40/x,{"a":` + nested + `}`}, parseError},
	{"CONNECT_ERROR", []any{`44`}, parseError},
	{"CONNECT_ERROR with a payload", []any{`44{"message":"no"}`}, forcedClose},

	{"DISCONNECT with a payload", []any{`41{}`}, parseError},
	{"DISCONNECT from another namespace", []any{`41/x,`}, forcedClose},
	{"DISCONNECT twice", []any{`41`, `41`}, socketio.ReasonClient},
	{"an event after DISCONNECT", []any{`41`, `42["echo"]`}, socketio.ReasonClient},
	{"an event for another namespace", []any{`42/x,["echo"]`}, forcedClose},
	{"an answer from another namespace", []any{`43/x,0[]`}, forcedClose},

	{"an event that is an object", []any{`42{}`}, parseError},
	{"an event that is a string", []any{`42"x"`}, parseError},
	{"an event that is a word", []any{`42null`}, parseError},
	{"an event without a name", []any{`42[]`}, parseError},
	{"an event called null", []any{`42[null]`}, parseError},
	{"an event called true", []any{`42[true]`}, parseError},
	{"an event called by an object", []any{`42[{"toString":"foo"}]`}, parseError},
	{"an event called by an array", []any{`42[["x"]]`}, parseError},
	{"an event cut short", []any{`42[`}, parseError},
	{"an event cut in its name", []any{`42["message`}, parseError},
	{"an event without its end", []any{`42["message"`}, parseError},
	{"an event with more behind", []any{`42["message"]]`}, parseError},
	{"an event with another one behind", []any{`42["message"]["message"]`}, parseError},
	{"an event with a comma too many", []any{`42["message",]`}, parseError},
	{"an event with a word that is none", []any{`42["message",nul]`}, parseError},
	{"an event with NaN", []any{`42["message",NaN]`}, parseError},
	{"an event with a number that is none", []any{`42["message",01]`}, parseError},
	{"an event with a control character", []any{"42[\"message\",\"\x01\"]"}, parseError},
	{"an event with a bad escape", []any{`42["message","\x"]`}, parseError},
	{"an event with letters before it", []any{`42abc["message"]`}, parseError},
	{"an event with a negative id", []any{`42-1["message"]`}, parseError},
	{"an event with a broken id", []any{`421.5["message"]`}, parseError},
	{"an event with an id beyond counting", []any{`429007199254740992["message"]`}, parseError},
	{"an event with an endless id", []any{`42` + strings.Repeat("9", 10_000) + `["message"]`}, parseError},
	{"an event that nests too deeply", []any{`42["echo",` + nested + `]`}, parseError},
	{"an event with too many arguments", []any{`42["echo"` + strings.Repeat(`,0`, 5000) + `]`}, parseError},
	{"an event called connect", []any{`42["connect"]`}, parseError},
	{"an event called connect_error", []any{`42["connect_error"]`}, parseError},
	{"an event called disconnect", []any{`42["disconnect"]`}, parseError},
	{"an event called disconnecting", []any{`42["disconnecting"]`}, parseError},
	{"an event called newListener", []any{`42["newListener"]`}, parseError},
	{"an event called removeListener", []any{`42["\u0072emoveListener"]`}, parseError},

	{"an answer that is an object", []any{`430{}`}, parseError},
	{"an answer that is a string", []any{`430"x"`}, parseError},
	{"an answer cut short", []any{`430[`}, parseError},
	{"an answer with letters", []any{`43x[]`}, parseError},

	{"attachments without a count", []any{`45["message"]`}, parseError},
	{"attachments without a dash", []any{`451["message"]`}, parseError},
	{"no attachments", []any{`450-["message"]`}, parseError},
	{"attachments counted in letters", []any{`45x-["message"]`}, parseError},
	{"attachments counted below zero", []any{`45-1-["message"]`}, parseError},
	{"attachments counted in fractions", []any{`451.0-["message"]`}, parseError},
	{"attachments counted with a sign", []any{`45+1-["message"]`}, parseError},
	{"too many attachments", []any{`4511-["message"]`}, parseError},
	{"attachments without number", []any{`4599999999999999999999-["message"]`}, parseError},
	{"attachments of nothing", []any{`451-`}, parseError},
	{"attachments of an object", []any{`451-{}`}, parseError},
	{"attachments of an answer that is none", []any{`461-7{}`}, parseError},
	{"attachments of an event called connect", []any{`451-["connect",{"_placeholder":true,"num":0}]`}, parseError},
	{"attachments counted with an exponent", []any{`451e3-["message"]`}, parseError},
	{"attachments counted with a space", []any{`45 1-["message"]`}, parseError},
	{"attachments counted by a dash alone", []any{`45-["message"]`}, parseError},
	{"an attachment that nothing announced", []any{[]byte{1}}, parseError},
	{"an attachment too many", []any{`451-["message",{"_placeholder":true,"num":0}]`, []byte{1}, []byte{2}}, parseError},
	{"text in place of an attachment", []any{`451-["message",{"_placeholder":true,"num":0}]`, `42["message"]`}, parseError},
	{"text between attachments", []any{`452-["message"]`, []byte{1}, `41`}, parseError},
	{"a placeholder beyond the attachments", []any{`451-["message",{"_placeholder":true,"num":1}]`}, parseError},
	{"a placeholder of nineteen digits", []any{`451-["message",{"_placeholder":true,"num":1000000000000000000}]`}, parseError},
	{"a placeholder far beyond", []any{`451-["message",{"_placeholder":true,"num":999999999999}]`}, parseError},
	{"a negative placeholder", []any{`451-["message",{"_placeholder":true,"num":-1}]`}, parseError},
	{"a placeholder with a string", []any{`451-["message",{"_placeholder":true,"num":"splice"}]`}, parseError},
	{"a placeholder with a fraction", []any{`451-["message",{"_placeholder":true,"num":0.5}]`}, parseError},
	{"a placeholder with null", []any{`451-["message",{"_placeholder":true,"num":null}]`}, parseError},
	{"a placeholder without a number", []any{`451-["message",{"_placeholder":true}]`}, parseError},
	{"a placeholder deep inside", []any{`451-["message",[{"a":{"_placeholder":true,"num":7}}]]`}, parseError},

	{"CONNECT with an id beyond counting", []any{`40/x,9007199254740992`}, parseError},
	{"an answer with an endless id", []any{`43` + strings.Repeat("9", 30) + `[]`}, parseError},
	{"an answer with a negative id", []any{`43-1[]`}, parseError},
	{"a namespace and garbage", []any{`42/x,y["message"]`}, parseError},
	{"an event behind a byte order mark", []any{"42\ufeff[\"message\"]"}, parseError},
	{"an event with NUL behind it", []any{"42[\"message\"]\x00"}, parseError},
	{"an event whose JSON is all brackets", []any{`42` + strings.Repeat(`[`, 900_000)}, parseError},

	{"an empty Engine.IO packet", []any{``}, parseError},
	{"Engine.IO packet 8", []any{`8x`}, parseError},
	{"Engine.IO packet 9", []any{`9`}, parseError},
	{"an unknown Engine.IO packet", []any{`7`}, parseError},
	{"text that is no packet", []any{`hello`}, parseError},
	{"more text that is no packet", []any{`é`}, parseError},
	{"a heartbeat of the client's own", []any{`2`}, parseError},
	{"a probe out of place", []any{`2probe`}, parseError},
	{"bad base64", []any{`b!!!!`}, parseError},
}

// A client that breaks the protocol loses its connection. Another client of
// the same server notices nothing.
func TestHostilePackets(t *testing.T) {
	t.Parallel()
	siotest.OnEachTransport(t, func(t *testing.T, transport string) {
		srv := siotest.Serve(t, nil)
		srv.Of("/x")
		srv.On("message", func() {})
		healthy := srv.Join(t, transport)
		for i, tt := range hostilePackets {
			t.Run(tt.name, func(t *testing.T) {
				healthy.T = t
				siotest.WantEqual(t, "the other's echo before", healthy.Ask(fmt.Sprintf(`["echo",%d]`, i)), fmt.Sprintf(`[%d]`, i))
				c := srv.Open(t, transport)
				id := c.Join("/", "")
				c.Write(tt.packets...)
				c.WantClosed()
				srv.WantDisconnect(t, id, tt.reason)
				siotest.WantEqual(t, "the other's echo after", healthy.Ask(`["echo","é"]`), `["é"]`)
			})
		}
	})
}

// What a client sends that has joined nothing.
func TestHostilePacketsBeforeConnect(t *testing.T) {
	t.Parallel()
	siotest.OnEachTransport(t, func(t *testing.T, transport string) {
		srv := siotest.Serve(t, nil)
		srv.Of("/x").Use(nil...)
		healthy := srv.Join(t, transport)
		for _, packet := range []any{`41`, `42["echo"]`, `420["echo"]`, `42`, `430[]`, `41/x,`, `42/x,["echo"]`, `42/unknown,["echo"]`,
			`40[]`, `40"x"`, `40null`, `40{"a"`, `40true`, `44{}`, `4abc`, `451-["echo"]`, []byte{1}} {
			c := srv.Open(t, transport)
			if packet == `451-["echo"]` {
				c.Write(packet, []byte{1})
			} else {
				c.Write(packet)
			}
			c.WantClosed()
			siotest.WantEqual(t, siotest.Show(packet)+", the other's echo", healthy.Ask(`["echo",1]`), `[1]`)
		}
		siotest.WantEqual(t, "sockets left", srv.Stats().Sockets, 1)
	})
}

// A proxy sends the requests of many clients by one connection. What one of
// them does wrong does not harm those behind it.
func TestHostileClientBehindAProxy(t *testing.T) {
	t.Parallel()
	srv := siotest.Serve(t, nil)
	srv.HTTP.Transport.(*http.Transport).MaxConnsPerHost = 1
	healthy := srv.Join(t, siotest.Polling)
	for _, packet := range []any{`4abc`, `7`, `1`, ``, `40`, `41`, []byte{1}, `2`, `42["x"]` + siotest.Separator} {
		c := srv.Join(t, siotest.Polling)
		c.Wire.Write(packet, packet)
		siotest.WantEqual(t, siotest.Show(packet)+", the other's echo", healthy.Ask(`["echo",1]`), `[1]`)
		w := c.Wire.(*siotest.PollingWire)
		w.Header = http.Header{"Content-Type": {"application/octet-stream"}}
		w.Do(http.MethodPost, []byte(`4`))
		w.Do(http.MethodPut, nil)
		siotest.WantEqual(t, siotest.Show(packet)+", the other's echo", healthy.Ask(`["echo",2]`), `[2]`)
	}
}

// Frames that are no message end the connection as WebSocket's own rules say.
func TestHostileFrames(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		frame string
		code  int
	}{
		{"invalid UTF-8", "\x81\x84\x00\x00\x00\x0042\xff\xff", websocket.CloseInvalidFramePayloadData},
		{"a reserved opcode", "\x83\x80\x00\x00\x00\x00", websocket.CloseProtocolError},
		{"reserved bits", "\xc1\x80\x00\x00\x00\x00", websocket.CloseProtocolError},
		{"no mask", "\x81\x0242", websocket.CloseProtocolError},
		{"a continuation of nothing", "\x80\x80\x00\x00\x00\x00", websocket.CloseProtocolError},
		{"a message longer than memory", "\x81\xff\x7f\xff\xff\xff\xff\xff\xff\xff\x00\x00\x00\x00", websocket.CloseMessageTooBig},
		{"a message with a negative length", "\x81\xff\xff\xff\xff\xff\xff\xff\xff\xff\x00\x00\x00\x00", websocket.CloseMessageTooBig},
	}
	srv := siotest.Serve(t, nil)
	healthy := srv.Join(t, siotest.WebSocket)
	for _, tt := range tests {
		c := srv.Open(t, siotest.WebSocket)
		id := c.Join("/", "")
		ws := c.Wire.(*siotest.WebSocketWire).WS
		if _, err := ws.NetConn().Write([]byte(tt.frame)); err != nil {
			t.Fatal(err)
		}
		_, err := c.Next()
		var closed *websocket.CloseError
		if !errors.As(err, &closed) || closed.Code != tt.code {
			t.Errorf("%s: the connection ended with %v, want code %d", tt.name, err, tt.code)
		}
		srv.WantDisconnect(t, id, socketio.ReasonError)
		siotest.WantEqual(t, "the other's echo", healthy.Ask(`["echo",1]`), `[1]`)
	}
}

// A message in the smallest of fragments takes no more memory than a whole one,
// and ends with the byte that is too much. It does not run beside other tests,
// whose memory would be counted.
func TestFragmentsWithoutEnd(t *testing.T) {
	const limit = 200_000
	srv := siotest.Serve(t, &socketio.Options{MaxPayload: limit})
	healthy := srv.Join(t, siotest.WebSocket)
	frames := []byte("\x01\x81\x00\x00\x00\x004")
	for range limit {
		frames = append(frames, "\x00\x81\x00\x00\x00\x00x"...)
	}
	c := srv.Open(t, siotest.WebSocket)
	id := c.Join("/", "")
	runtime.GC() // the buffers of the tests before
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if _, err := c.Wire.(*siotest.WebSocketWire).WS.NetConn().Write(frames); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Next(); !websocket.IsCloseError(unwrapClose(err), websocket.CloseMessageTooBig) {
		t.Errorf("answered with %v", err)
	}
	srv.WantDisconnect(t, id, socketio.ReasonError)
	runtime.ReadMemStats(&after)
	// A growing buffer is copied.
	if spent := after.TotalAlloc - before.TotalAlloc; spent > 6*limit {
		t.Errorf("%d bytes of memory for a message of %d", spent, limit)
	}
	healthy.WantNothing()
}

// What looks wrong but is not: no client is cut off for it.
func TestOddPackets(t *testing.T) {
	t.Parallel()
	srv := siotest.Serve(t, nil)
	srv.On("1", func() string { return "one" })
	srv.On("error", func() string { return "no error" })
	srv.On("last", func(args socketio.Args) string { return string(args.Raw(args.Len() - 1)) })
	siotest.OnEachTransport(t, func(t *testing.T, transport string) {
		c := srv.Join(t, transport)
		for _, packet := range []string{`42`, `421`, `43`, `430`, `43[]`, `439007199254740991[]`, `42/,["nobody"]`, ` 42["x"]`[1:], `42 [ "nobody" ] `, `42["nobody",{"a":1,"a":2}]`} {
			c.Write(packet)
			c.WantNothing()
		}
		siotest.WantEqual(t, "a number as the name", c.Ask(`[1]`), `["one"]`)
		siotest.WantEqual(t, "an event called error", c.Ask(`["error",1]`), `["no error"]`)
		siotest.WantEqual(t, "what JavaScript has in every object", c.Ask(`["echo",{"__proto__":{"a":1},"constructor":2}]`), `[{"__proto__":{"a":1},"constructor":2}]`)
		siotest.WantEqual(t, "keys that are alike", c.Ask(`["echo",{"a":1,"a":2,"A":3}]`), `[{"a":1,"a":2,"A":3}]`)
		c.Write(`42["` + strings.Repeat("n", 900_000) + `"]`) // an event that nobody handles
		c.WantNothing()
		siotest.WantEqual(t, "a number of a million digits", c.Ask(`["echo",`+strings.Repeat("7", 900_000)+`]`), `[`+strings.Repeat("7", 900_000)+`]`)
		c.Write(`451-9["echo",{"a":1,"_placeholder":true,"num":0,"b":[]}]`, []byte{1}) // more keys make no difference
		c.Want(`461-9[{"a":1,"_placeholder":true,"num":0,"b":[]}]`, []byte{1})
		siotest.WantEqual(t, "a lone surrogate", c.Ask(`["echo","\ud800"]`), `["\ud800"]`)
		siotest.WantEqual(t, "a placeholder in a text event", c.Ask(`["echo",{"_placeholder":true,"num":-1}]`), `[{"_placeholder":true,"num":-1}]`)
		siotest.WantEqual(t, "4096 arguments", c.Ask(`["last"`+strings.Repeat(",7", 4096)+`]`), `["7"]`)
		c.Write(`4510-7["echo",0]`, []byte{}, []byte{1}, []byte{2}, []byte{3}, []byte{4}, []byte{5}, []byte{6}, []byte{7}, []byte{8}, []byte{9})
		c.Want(`4610-7[0]`)
		for i := range 10 {
			c.Want(append([]byte{}, []byte{byte(i)}[:min(i, 1)]...))
		}
		c.Write(`451-8["echo",{"_placeholder":true,"num":0}]`, `3`, []byte{1}) // a heartbeat may come between
		c.Want(`461-8[{"_placeholder":true,"num":0}]`, []byte{1})
		if transport == siotest.WebSocket { // packets that mean nothing there
			for _, packet := range []string{`0`, `0{"sid":"x"}`, `1`, `3`, `3probe`, `5`, `6`} {
				c.Write(packet)
				c.WantNothing()
			}
		}
	})
}

func TestOptionsBoundPackets(t *testing.T) {
	t.Parallel()
	srv := siotest.Serve(t, &socketio.Options{MaxAttachments: 2, MaxPayload: 1000})
	c := srv.Join(t, siotest.WebSocket)
	c.Write(`452-7["echo",0]`, []byte{1}, []byte{2})
	c.Want(`462-7[0]`, []byte{1}, []byte{2})
	c.Write(`453-7["echo"]`)
	c.WantClosed()

	c = srv.Join(t, siotest.WebSocket)
	longest := `42["echo","` + strings.Repeat("x", 1000-13) + `"]`
	siotest.WantEqual(t, "length", len(longest), 1000)
	c.Write(longest)
	c.WantNothing()
	c.Write(longest + " ")
	c.WantClosed()
	wantTooBig := func() {
		t.Helper()
		if err := siotest.Receive(t, srv.Errors); !strings.Contains(err.Error(), "exceeds MaxPayload") {
			t.Errorf("OnError was told %v", err)
		}
	}
	<-srv.Errors // of the attachments
	wantTooBig()
	siotest.WantEqual(t, "bad packets", srv.Stats().BadPackets, 2)

	c = srv.Join(t, siotest.Polling)
	c.Write(longest) // the answer to sync below proves that it was taken
	c.WantNothing()
	if err := c.Wire.Write(longest + " "); err == nil || !strings.Contains(err.Error(), "413") {
		t.Errorf("a body too big was answered with %v", err)
	}
	wantTooBig()
	c.WantNothing() // and the session lives
}

// Attachments that do not come end the connection; nobody else waits for them.
func TestAttachmentsThatDoNotCome(t *testing.T) {
	t.Parallel()
	siotest.OnEachTransport(t, func(t *testing.T, transport string) {
		synctest.Test(t, func(t *testing.T) {
			srv := siotest.ServeInMemory(t, nil)
			c := srv.Open(t, transport)
			id := c.Join("/", "")
			start := time.Now()
			c.Write(`452-["echo"]`, []byte{1})
			srv.Emit("heard")
			c.Want(`42["heard"]`)
			c.WantClosed() // though the client answers heartbeats
			if d := time.Since(start); d < 25*time.Second || d > 50*time.Second {
				t.Errorf("closed after %v", d)
			}
			srv.WantDisconnect(t, id, parseError)
			if err := <-srv.Errors; err.Error() != "socketio: attachments did not arrive in time" {
				t.Errorf("OnError was told %v", err)
			}
		})
	})
}

// Attachments that come slowly are waited for.
func TestAttachmentsThatComeLate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := siotest.ServeInMemory(t, nil)
		c := srv.Join(t, siotest.WebSocket)
		for range 10 {
			c.Write(`452-7["echo",0]`)
			srv.Advance(c, 12*time.Second)
			c.Write([]byte{1})
			srv.Advance(c, 12*time.Second)
			c.Write([]byte{2})
			c.Want(`462-7[0]`, []byte{1}, []byte{2})
		}
	})
}

// A connection that ends between attachments leaves nothing behind.
func TestEndBetweenAttachments(t *testing.T) {
	t.Parallel()
	srv := siotest.Serve(t, nil)
	srv.On("binary", func([]byte) { t.Error("handled") })
	for range 10 {
		c := srv.Open(t, siotest.WebSocket)
		id := c.Join("/", "")
		c.Write(`452-["binary",{"_placeholder":true,"num":0}]`, []byte{1})
		c.Wire.Close()
		srv.WantDisconnect(t, id, socketio.ReasonTransport)
	}
}

// OnError is told why a connection was closed, once.
func TestBadPacketsAreReported(t *testing.T) {
	t.Parallel()
	srv := siotest.Serve(t, nil)
	srv.Of("/x")
	for packet, text := range map[any]string{
		`42[`:              "socket.io: invalid payload at byte 2",
		`42["connect"]`:    "socket.io: invalid event name",
		`4511-["x"]`:       "socket.io: illegal attachments: more than 10",
		`40`:               "socketio: second CONNECT to a namespace",
		`42/x,["x"]`:       "socketio: packet for a namespace that is not joined",
		`44{}`:             "socketio: packet that only a server sends",
		`bAQID`:            "socketio: attachment without an event",
		`4` + nested:       "socket.io: unknown packet type",
		`42["x",` + nested: "socket.io: payload nested too deeply at byte ",
	} {
		before := srv.Stats().BadPackets
		c := srv.Join(t, siotest.WebSocket)
		c.Write(packet, packet, packet)
		c.WantClosed()
		if err := siotest.Receive(t, srv.Errors); !strings.HasPrefix(err.Error(), text) {
			t.Errorf("%.20s: OnError was told %q, want %q", packet, err, text)
		}
		siotest.WantEqual(t, "bad packets", srv.Stats().BadPackets, before+1)
		siotest.WantEqual(t, "more errors", len(srv.Errors), 0)
	}
}

func TestSizeOfANamespaceName(t *testing.T) {
	t.Parallel()
	srv := siotest.Serve(t, nil)
	c := srv.Join(t, siotest.WebSocket)
	name := "/" + strings.Repeat("x", 900_000)
	c.Write(`40` + name)
	c.Want(`44` + name + `,{"message":"Invalid namespace"}`)
	c.WantNothing()
}
