package engine_test

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"

	"github.com/socketio-go/socketio/internal/engine"
)

// v3 is a server that admits clients of Engine.IO 3.
var v3 = setup{config: allowV3}

func allowV3(c *engine.Config) { c.AllowEIO3 = true }

// A v3Poller is a client of Engine.IO 3 that polls.
type v3Poller struct {
	h     *harness
	query string
	app   *app
}

// pollV3 opens a session by polling. extra is what the client adds to the
// query of its first request, and kept to that of all of them.
func (h *harness) pollV3(extra, kept string) *v3Poller {
	h.Helper()
	query := "EIO=3&transport=polling" + kept
	r := h.do("GET", query+extra, "")
	length, packet, ok := strings.Cut(r.body, ":")
	if kept == "" && (r.err != nil || r.status != 200 || !ok || length != fmt.Sprint(len(packet))) {
		h.Fatalf("handshake: %+v", r)
	}
	app := h.last()
	return &v3Poller{h, query + "&sid=" + app.ID(), app}
}

func (p *v3Poller) get() response { return p.h.do("GET", p.query, "") }

func (p *v3Poller) wait() <-chan response {
	c := make(chan response, 1)
	go func() { c <- p.get() }()
	synctest.Wait()
	return c
}

func (p *v3Poller) post(body string, header ...string) response {
	p.h.Helper()
	return p.h.do("POST", p.query, body, header...)
}

func (p *v3Poller) want(r response, status int, body string) {
	p.h.Helper()
	if r.err != nil || r.status != status || r.body != body {
		p.h.Errorf("answered %d %q, %v; want %d %q", r.status, r.body, r.err, status, body)
	}
}

func (p *v3Poller) wantGet(body string) {
	p.h.Helper()
	p.want(p.get(), 200, body)
}

func (p *v3Poller) wantGone() {
	p.h.Helper()
	p.h.wantRefusal(p.get(), 400, unknownSession)
}

// candidate opens a WebSocket to upgrade p to.
func (p *v3Poller) candidate(extra string) *socket {
	p.h.Helper()
	ws, r := p.h.dialWebSocket(nil, "EIO=3&transport=websocket&sid="+p.app.ID()+extra)
	if ws == nil {
		p.h.Fatalf("candidate: %+v", r)
	}
	ws.app = p.app
	return ws
}

// wsV3 opens a session by WebSocket.
func (h *harness) wsV3(extra string) *socket {
	h.Helper()
	ws, r := h.dialWebSocket(nil, "EIO=3&transport=websocket"+extra)
	if ws == nil {
		h.Fatalf("handshake: %+v", r)
	}
	_, packet := ws.next()
	ws.app = h.await(h.parseOpen(packet).SID)
	return ws
}

func (ws *socket) sendBinary(data string) {
	ws.h.Helper()
	if err := ws.WriteMessage(websocket.BinaryMessage, []byte(data)); err != nil {
		ws.h.Errorf("send %q: %v", data, err)
	}
}

// wantBinary reads a binary frame.
func (ws *socket) wantBinary(want string) {
	ws.h.Helper()
	kind, got, err := ws.ReadMessage()
	if err != nil || kind != websocket.BinaryMessage || string(got) != want {
		ws.h.Fatalf("read %d %q, %v; want binary %q", kind, got, err, want)
	}
}

// mixed is a message of all kinds of content: text of one to four bytes a
// character, and attachments, one of which is empty.
func mixed() *engine.Message {
	return engine.NewMessage([]byte("aé漢😀"), [][]byte{{1, 2, 3}, nil})
}

func TestV3Admission(t *testing.T) {
	t.Parallel()
	specify(t, "is for those who are allowed only", setup{}, func(h *harness) {
		h.wantRefusal(h.do("GET", "EIO=3&transport=polling", ""), 400, badVersion)
		_, r := h.dialWebSocket(nil, "EIO=3&transport=websocket")
		h.wantRefusal(r, 400, badVersion)
		h.wantRefusal(h.do("GET", "EIO=3&transport=polling&j=0", ""), 400, badRequest)
	})
	specify(t, "lets no other version in", v3, func(h *harness) {
		for _, version := range []string{"EIO=2", "EIO=03", "EIO=3.0", "EIO=5", "EIO=abc"} {
			h.wantRefusal(h.do("GET", "transport=polling&"+version, ""), 400, badVersion)
		}
	})
	specify(t, "lets in who names no version", v3, func(h *harness) {
		for _, version := range []string{"", "&EIO="} {
			r := h.do("GET", "transport=polling"+version, "")
			if _, packet, _ := strings.Cut(r.body, ":"); h.parseOpen(packet).SID == "" || h.last().Protocol() != 3 {
				h.Errorf("%q: answered %+v, protocol %d", version, r, h.last().Protocol())
			}
			ws, _ := h.dialWebSocket(nil, "transport=websocket"+version)
			if _, packet := ws.next(); !strings.HasPrefix(packet, `0{"sid"`) || h.last().Protocol() != 3 {
				h.Errorf("%q: got %s, protocol %d", version, packet, h.last().Protocol())
			}
		}
	})
	specify(t, "says the same as later versions", v3, func(h *harness) {
		for _, query := range []string{"transport=polling", "EIO=&transport=polling"} { // as microcontrollers ask
			if r := h.do("GET", query, ""); r.status != 200 || !strings.Contains(r.body, `:0{"sid":`) || h.last().Protocol() != 3 {
				h.Errorf("%s: answered %+v", query, r)
			}
		}
		r := h.do("GET", "EIO=3&transport=polling", "")
		id := h.last().ID()
		want := `0{"sid":"` + id + `","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000}`
		if want = fmt.Sprintf("%d:%s", len(want), want); r.body != want {
			h.Errorf("opened with %q, want %q", r.body, want)
		}
		if got := r.header.Get("Content-Type"); got != "text/plain; charset=UTF-8" {
			h.Errorf("of type %q", got)
		}
		if got := h.last().Protocol(); got != 3 {
			h.Errorf("protocol %d", got)
		}
		ws := h.wsV3("")
		if got := ws.app.Protocol(); got != 3 {
			h.Errorf("protocol %d by WebSocket", got)
		}
	})
	specify(t, "does not change what others get", v3, func(h *harness) {
		p := h.poll()
		p.app.Send(mixed(), false)
		p.wantGet("4aé漢😀\x1ebAQID\x1eb")
		ws := h.ws()
		ws.app.Send(mixed(), false)
		ws.want("4aé漢😀")
		ws.wantBinary("\x01\x02\x03")
		ws.wantBinary("")
		if got := p.app.Protocol(); got != 4 {
			h.Errorf("protocol %d", got)
		}
		h.wantRefusal(h.do("GET", "EIO=4&transport=polling&j=0", ""), 400, badRequest)
		h.wantRefusal(h.do("GET", p.query()+"&j=0", ""), 400, badRequest)
	})
	specify(t, "puts the handshake before what the application sends", setup{
		config: allowV3,
		opened: func(a *app) { _ = a.send("first") },
	}, func(h *harness) {
		h.wsV3("").want("4first")
		h.ws().want("4first")
		h.pollV3("", "").wantGet("6:4first")
	})
}

func TestV3Poll(t *testing.T) {
	t.Parallel()
	specify(t, "counts UTF-16 code units", v3, func(h *harness) {
		p := h.pollV3("&b64=1", "")
		p.app.Send(mixed(), false)
		p.app.send("b")
		r := p.get()
		p.want(r, 200, "6:4aé漢😀6:b4AQID2:b42:4b")
		if got := r.header.Get("Content-Type"); got != "text/plain; charset=UTF-8" {
			h.Errorf("of type %q", got)
		}
	})
	specify(t, "sends binary data to those who take it", v3, func(h *harness) {
		p := h.pollV3("", "")
		p.app.Send(mixed(), false)
		p.app.send("b")
		r := p.get()
		p.want(r, 200, "\x00\x01\x01\xff4aé漢😀\x01\x04\xff\x04\x01\x02\x03\x01\x01\xff\x04\x00\x02\xff4b")
		if got := r.header.Get("Content-Type"); got != "application/octet-stream" {
			h.Errorf("of type %q", got)
		}
		p.app.send("text alone")
		p.wantGet("11:4text alone")
	})
	specify(t, "goes on with base64 when only the handshake asked for it", v3, func(h *harness) {
		p := h.pollV3("&b64=1", "")
		for range 2 {
			p.app.Send(engine.NewRawMessage([]byte{1, 2, 3}, true), false)
			p.wantGet("6:b4AQID")
		}
	})
	specify(t, "ends with a close packet", v3, func(h *harness) {
		p := h.pollV3("", "")
		p.app.send("last words")
		p.app.Close(engine.ForcedClose)
		p.wantGet("11:4last words")
		p.wantGet("1:1")
		p.wantGone()
		p = h.pollV3("", "")
		poll := p.wait()
		p.app.Close(engine.ForcedClose)
		p.want(<-poll, 200, "1:1")
	})
	specify(t, "closes the session when another one waits", v3, func(h *harness) {
		p := h.pollV3("", "")
		poll := p.wait()
		p.want(p.get(), 400, "")
		p.want(<-poll, 200, "1:1")
		p.wantGone()
		p.app.wantClosed(engine.TransportError)
	})
	specify(t, "is sent home when the client hangs up", v3, func(h *harness) {
		p := h.pollV3("", "")
		poll := p.wait()
		p.want(p.post("1:1"), 200, "ok")
		p.want(<-poll, 200, "1:6")
		p.wantGone()
		p.app.wantClosed(engine.TransportClose)
	})
}

func TestV3Post(t *testing.T) {
	t.Parallel()
	const octets = "application/octet-stream"
	specify(t, "is received in order", v3, func(h *harness) {
		p := h.pollV3("", "")
		p.want(p.post("6:4aé漢😀6:b4AQID2:4b"), 200, "ok")
		p.want(p.post("2:4c", "Content-Type", "text/plain;charset=UTF-8"), 200, "ok")
		p.want(p.post("\x00\x05\xff4😀\x01\x04\xff\x04\x01\x02\x03\x00\x02\xff4d", "Content-Type", octets), 200, "ok")
		p.app.wantGot("aé漢😀", "binary \x01\x02\x03", "b", "c", "😀", "binary \x01\x02\x03", "d")
	})
	for name, body := range map[string]string{
		"a packet of protocol 4":        "4hello",
		"no length":                     "abc",
		"nothing":                       "",
		"an empty packet":               "0:",
		"a length beyond the end":       "2:4a100:4b",
		"a length in bytes":             "5:4😀",
		"half a surrogate pair":         "2:4😀",
		"a length that wraps":           "18446744073709551618:4a",
		"a negative length":             "-1:4a",
		"nothing but digits":            strings.Repeat("9", maxPayload),
		"nothing but colons":            strings.Repeat(":", maxPayload),
		"a heartbeat's answer":          "1:3",
		"an unknown type":               "1:7",
		"invalid UTF-8":                 "2:4\xff",
		"base64 without the type":       "5:bAQID",
		"broken base64":                 "4:b4AQ",
		"binary framing without a type": "\x01\x03\xff\x01\x02\x03",
	} {
		specify(t, "closes the session for "+name, v3, func(h *harness) {
			healthy, p := h.pollV3("", ""), h.pollV3("", "")
			poll := p.wait()
			p.want(p.post(body), 200, "ok")
			p.want(<-poll, 200, "1:1")
			p.wantGone()
			p.app.wantClosed(engine.ParseError)
			healthy.want(healthy.post("2:4a"), 200, "ok")
			healthy.app.wantGot("a")
		})
	}
	for name, body := range map[string]string{
		"text framing":                "6:4hello",
		"nothing":                     "",
		"an empty packet":             "\x00\x00\xff",
		"an unknown kind":             "\x02\x02\xff4a",
		"a length beyond the end":     "\x01\x09\x09\x09\xff\x04",
		"a length of 900 digits":      "\x01" + strings.Repeat("\x01", 900) + "\xff\x04",
		"a length without end":        "\x00" + strings.Repeat("\x01", 900),
		"a binary heartbeat":          "\x01\x01\xff\x02",
		"invalid UTF-8 where is text": "\x00\x02\xff4\xff",
	} {
		specify(t, "closes the session for a binary body with "+name, v3, func(h *harness) {
			p := h.pollV3("", "")
			p.want(p.post(body, "Content-Type", octets), 200, "ok")
			p.wantGone()
			p.app.wantClosed(engine.ParseError)
		})
	}
	specify(t, "handles what comes before a malformed packet", v3, func(h *harness) {
		p := h.pollV3("", "")
		p.post("2:4a2:4b9:4c")
		p.app.wantGot("a", "b")
		p.app.wantClosed(engine.ParseError)
	})
	specify(t, "is limited", v3, func(h *harness) {
		p := h.pollV3("", "")
		fits := fmt.Sprintf("%d:4%s", maxPayload-4, strings.Repeat("x", maxPayload-5))
		p.want(p.post(fits), 200, "ok")
		p.want(p.post(fits+"x"), 413, "")
		p.app.wantOpen()
	})
	specify(t, "full of heartbeats is answered once", setup{config: func(c *engine.Config) {
		c.AllowEIO3, c.MaxPayload = true, 1e6
	}}, func(h *harness) {
		p := h.pollV3("", "")
		p.want(p.post(strings.Repeat("1:2", 333_000)), 200, "ok")
		if n := p.app.Queued(); n > 10 {
			h.Errorf("%d bytes are queued", n)
		}
		p.wantGet("1:3")
		p.post("1:2")
		p.wantGet("1:3")
		p.app.wantOpen()
	})
}

func TestV3Script(t *testing.T) {
	t.Parallel()
	form := func(payload string) string { return url.Values{"d": {payload}}.Encode() }
	specify(t, "hands what it is sent to a function of the page", v3, func(h *harness) {
		r := h.do("GET", "EIO=3&transport=polling&j=12&b64=1", "")
		if !strings.HasPrefix(r.body, `___eio[12]("1`) || !strings.HasSuffix(r.body, `}");`) {
			h.Errorf("opened with %q", r.body)
		}
		for key, want := range map[string]string{
			"Content-Type":           "text/javascript; charset=UTF-8",
			"X-Content-Type-Options": "nosniff",
			"Cache-Control":          "no-store",
			"Content-Length":         fmt.Sprint(len(r.body)),
		} {
			if got := r.header.Get(key); got != want {
				h.Errorf("%s: %s, want %s", key, got, want)
			}
		}
		p := &v3Poller{h, "EIO=3&transport=polling&j=12&sid=" + h.last().ID(), h.last()}
		p.app.Send(engine.NewMessage([]byte("</script>\u2028\""), [][]byte{{1, 2, 3}}), false)
		p.wantGet(`___eio[12]("12:4\u003c/script\u003e\u2028\"6:b4AQID");`)
		p.app.Close(engine.ForcedClose)
		p.wantGet(`___eio[12]("1:1");`)
	})
	specify(t, "never contains binary data", v3, func(h *harness) {
		p := h.pollV3("", "&j=0")
		p.app.Send(mixed(), false)
		p.wantGet(`___eio[0]("6:4aé漢😀6:b4AQID2:b4");`)
	})
	specify(t, "posts forms", v3, func(h *harness) {
		p := h.pollV3("", "&j=0")
		r := p.post(form(`9:4a\nb\\nc😀`), "Content-Type", "application/x-www-form-urlencoded")
		p.want(r, 200, "ok")
		p.want(p.post(form("6:b4AQID2:4b")), 200, "ok")
		p.app.wantGot("a\nb\\nc😀", "binary \x01\x02\x03", "b")
		p.post(form("1:1"))
		p.wantGet(`___eio[0]("1:6");`)
		p.app.wantClosed(engine.TransportClose)
	})
	for name, body := range map[string]string{
		"nothing":                      "",
		"no payload":                   "x=2%3A4a",
		"an escape cut short":          "d=2%3A4%4",
		"a payload that is not a form": "2:4a",
		"a crafted length":             form("99999999999:4a"),
		"an empty payload":             "d=",
	} {
		specify(t, "closes the session for a form with "+name, v3, func(h *harness) {
			p := h.pollV3("", "&j=0")
			p.post(body)
			p.app.wantClosed(engine.ParseError)
		})
	}
	specify(t, "is known by a number", v3, func(h *harness) {
		p := h.pollV3("", "")
		for _, j := range []string{"", "abc", "0](alert)(", "-1", "1234567890", "%0a"} {
			h.wantRefusal(h.do("GET", "EIO=3&transport=polling&j="+j, ""), 400, badRequest)
			h.wantRefusal(h.do("GET", p.query+"&j="+j, ""), 400, badRequest)
			h.wantRefusal(h.do("POST", p.query+"&j="+j, "d=2:4a"), 400, badRequest)
		}
		p.app.wantOpen()
	})
	specify(t, "may come from another page", setup{}, func(h *harness) {
		for query, want := range map[string]bool{"j=0": true, "a=1&j": true, "x=j": false, "jj=0": false, "": false} {
			r, _ := http.NewRequest("GET", endpoint+query, nil)
			if got := engine.IsScript(r); got != want {
				h.Errorf("%q is a script: %t", query, got)
			}
		}
	})
}

func TestV3Heartbeat(t *testing.T) {
	t.Parallel()
	specify(t, "is begun by the client", v3, func(h *harness) {
		p, ws := h.pollV3("", ""), h.wsV3("")
		for range 5 {
			pass(pingInterval)
			p.want(p.post("1:2"), 200, "ok")
			p.wantGet("1:3")
			ws.send("2")
			ws.want("3")
		}
		for _, a := range []*app{p.app, ws.app} {
			a.wantOpen()
			if got := a.heartbeats(); got != 5 {
				h.Errorf("the application was told of %d heartbeats", got)
			}
		}
	})
	specify(t, "is answered without its content", v3, func(h *harness) {
		ws := h.wsV3("")
		ws.send("2probe")
		ws.want("3")
	})
	specify(t, "that does not come ends the session", v3, func(h *harness) {
		p, ws := h.pollV3("", ""), h.wsV3("")
		poll := p.wait()
		pass(pingInterval + pingTimeout - time.Millisecond)
		p.app.wantOpen()
		ws.app.wantOpen()
		pass(time.Millisecond)
		p.app.wantClosed(engine.PingTimeout)
		p.want(<-poll, 200, "1:1")
		ws.app.wantReason(engine.PingTimeout)
		ws.wantClose(websocket.CloseNoStatusReceived, time.Second) // nothing before it: the server sends no heartbeat
	})
	specify(t, "is what counts, not messages", v3, func(h *harness) {
		ws := h.wsV3("")
		pass(pingInterval + pingTimeout - time.Second)
		ws.send("4hello")
		ws.app.wantGot("hello")
		pass(time.Second)
		ws.app.wantReason(engine.PingTimeout)
	})
	specify(t, "counts from the last one", v3, func(h *harness) {
		ws := h.wsV3("")
		pass(pingInterval)
		ws.send("2")
		ws.want("3")
		pass(pingInterval + pingTimeout - time.Millisecond)
		ws.app.wantOpen()
		pass(time.Millisecond)
		ws.app.wantReason(engine.PingTimeout)
	})
	specify(t, "is not the server's to be answered", v3, func(h *harness) {
		ws := h.wsV3("")
		ws.send("3")
		ws.wantClose(websocket.CloseNoStatusReceived, time.Second)
		ws.app.wantClosed(engine.ParseError)
	})
	specify(t, "may wait while the application does not read", v3, func(h *harness) {
		ws := h.wsV3("")
		pass(pingInterval)
		ws.send("2")
		ws.want("3")
		ws.app.Pause(nil)
		pass(pingTimeout)
		ws.app.Resume()
		pass(pingInterval + pingTimeout - time.Millisecond) // the next one was due within that
		ws.app.wantOpen()
		ws.send("2")
		ws.want("3")
		ws.app.Pause(nil)
		pass(pingInterval + pingTimeout - time.Second)
		ws.app.wantOpen()
		ws.app.Resume()
		pass(pingInterval + pingTimeout)
		ws.app.wantReason(engine.PingTimeout)
	})
	specify(t, "by WebSocket, a flood of them, is answered once in a while", v3, func(h *harness) {
		ws := h.wsV3("")
		ws.mem().In().SetCapacity(0) // the client does not read
		for range 10 * maxQueue {
			ws.send("2")
		}
		synctest.Wait()
		ws.app.wantOpen()
		if n := ws.app.Queued(); n > maxQueue {
			h.Errorf("%d bytes are queued", n)
		}
	})
}

func TestV3WebSocket(t *testing.T) {
	t.Parallel()
	specify(t, "marks binary messages with their type", setup{config: allowV3, receive: func(a *app, _ *engine.Turn, data string, binary bool) {
		_ = a.Send(engine.NewRawMessage([]byte(data), binary), false)
	}}, func(h *harness) {
		ws := h.wsV3("")
		ws.sendBinary("\x04\x01\x02\x03")
		ws.wantBinary("\x04\x01\x02\x03")
		ws.sendBinary("\x04")
		ws.wantBinary("\x04")
		ws.send("4aé漢😀")
		ws.want("4aé漢😀")
		ws.send("b4AQID")
		ws.wantBinary("\x04\x01\x02\x03")
		ws.app.wantGot("binary \x01\x02\x03", "binary ", "aé漢😀", "binary \x01\x02\x03")
	})
	specify(t, "sends base64 to those who take no binary data", v3, func(h *harness) {
		ws := h.wsV3("&b64=1")
		ws.app.Send(mixed(), false)
		ws.want("4aé漢😀", "b4AQID", "b4")
	})
	specify(t, "shares a broadcast with all kinds of clients", setup{config: func(c *engine.Config) {
		c.AllowEIO3, c.MaxQueue = true, 1e6
	}}, func(h *harness) {
		old, older, oldest, current := h.wsV3(""), h.wsV3(""), h.wsV3("&b64=1"), h.ws()
		polls, pollsText := h.pollV3("", ""), h.pollV3("&b64=1", "")
		large := strings.Repeat("x", 1<<16) // in a frame whose header differs
		for _, content := range []string{"", "x", strings.Repeat("x", 125), strings.Repeat("x", 65535), large} {
			m := engine.NewMessage([]byte("text"), [][]byte{[]byte(content), []byte("y")})
			for _, a := range h.all() {
				a.Send(m, false)
			}
			for _, ws := range []*socket{old, older} {
				ws.want("4text")
				ws.wantBinary("\x04" + content)
				ws.wantBinary("\x04y")
			}
			current.want("4text")
			current.wantBinary(content)
			current.wantBinary("y")
			oldest.want("4text")
			if _, got := oldest.next(); !strings.HasPrefix(got, "b4") {
				h.Errorf("binary data came as %q", got)
			}
			oldest.want("b4eQ==")
			if got := polls.get().body; !strings.HasSuffix(got, "\xff\x04"+content+"\x01\x02\xff\x04y") {
				h.Errorf("polled %q", got)
			}
			if got := pollsText.get().body; !strings.HasSuffix(got, "6:b4eQ==") {
				h.Errorf("polled %q", got)
			}
		}
	})
	for name, send := range map[string]func(*socket){
		"an empty text":               func(ws *socket) { ws.send("") },
		"an unknown type":             func(ws *socket) { ws.send("7") },
		"a letter":                    func(ws *socket) { ws.send("abc") },
		"base64 without the type":     func(ws *socket) { ws.send("bAQID") },
		"broken base64":               func(ws *socket) { ws.send("b4A") },
		"no binary data":              func(ws *socket) { ws.sendBinary("") },
		"binary data without a type":  func(ws *socket) { ws.sendBinary("\x01\x02\x03") },
		"the digit of a binary type":  func(ws *socket) { ws.sendBinary("4hello") },
		"a binary heartbeat":          func(ws *socket) { ws.sendBinary("\x02") },
		"a type beyond all there are": func(ws *socket) { ws.sendBinary("\xff") },
	} {
		specify(t, "is closed for "+name, v3, func(h *harness) {
			healthy, ws := h.wsV3(""), h.wsV3("")
			send(ws)
			ws.wantClose(websocket.CloseNoStatusReceived, time.Second)
			ws.app.wantClosed(engine.ParseError)
			healthy.send("4hello")
			healthy.app.wantGot("hello")
		})
	}
	specify(t, "ignores what it may", v3, func(h *harness) {
		ws := h.wsV3("")
		for _, packet := range []string{"0", "1", "5", "6"} {
			ws.send(packet)
		}
		ws.send("4hello")
		ws.app.wantGot("hello")
		ws.app.wantOpen()
	})
}

func TestV3Upgrade(t *testing.T) {
	t.Parallel()
	specify(t, "moves a session without losing or reordering anything", v3, func(h *harness) {
		p := h.pollV3("", "")
		poll := p.wait()
		p.app.send("a")
		p.want(<-poll, 200, "2:4a")
		poll = p.wait()
		ws := p.candidate("")
		ws.send("2probe")
		ws.want("3probe")
		p.want(<-poll, 200, "1:6")
		p.app.Send(mixed(), false)
		p.post("1:2")
		p.app.send("b")
		p.post("2:4x")
		ws.send("5")
		ws.send("4y")
		ws.want("3", "4aé漢😀")
		ws.wantBinary("\x04\x01\x02\x03")
		ws.wantBinary("\x04")
		ws.want("4b")
		p.app.wantGot("x", "y")
		h.wantRefusal(p.get(), 400, badRequest)
		ws.send("2")
		ws.want("3")
		p.app.wantOpen()
	})
	specify(t, "to a WebSocket asks anew for base64", v3, func(h *harness) {
		for _, c := range []struct {
			poll, ws string
			want     func(*socket)
		}{
			{"&b64=1", "", func(ws *socket) { ws.wantBinary("\x04\x01") }},
			{"", "&b64=1", func(ws *socket) { ws.want("b4AQ==") }},
		} {
			p := h.pollV3(c.poll, "")
			ws := p.candidate(c.ws)
			ws.send("2probe")
			ws.want("3probe")
			ws.send("5")
			p.app.Send(engine.NewRawMessage([]byte{1}, true), false)
			c.want(ws)
		}
	})
	specify(t, "that fails leaves the session where it was", v3, func(h *harness) {
		p := h.pollV3("", "")
		for _, packet := range []string{"4a", "2", "3probe", "abc"} {
			ws := p.candidate("")
			ws.send(packet)
			ws.wantClose(websocket.CloseNoStatusReceived, time.Second)
		}
		p.app.send("a")
		p.wantGet("2:4a")
		p.app.wantOpen()
	})
	specify(t, "keeps the heartbeat of the session", v3, func(h *harness) {
		p := h.pollV3("", "")
		pass(pingInterval)
		ws := p.candidate("")
		ws.send("2probe") // of the candidate, not of the session
		ws.want("3probe")
		ws.send("5")
		pass(pingTimeout)
		ws.app.wantReason(engine.PingTimeout)
	})
}

// All clients get what was sent, in order, whatever they understand.
func TestV3OrderUnderLoad(t *testing.T) {
	t.Parallel()
	specify(t, "is kept", setup{config: func(c *engine.Config) { c.AllowEIO3, c.MaxQueue = true, 1<<20 }}, func(h *harness) {
		const n = 500
		ws, p := h.wsV3(""), h.pollV3("&b64=1", "")
		go func() {
			for i := range n {
				m := engine.NewMessage([]byte(fmt.Sprint(i)), [][]byte{{byte(i)}})
				ws.app.Send(m, false)
				p.app.Send(m, false)
				if i%7 == 0 {
					pass(time.Millisecond)
				}
			}
		}()
		for i := range n {
			ws.want(fmt.Sprintf("4%d", i))
			ws.wantBinary("\x04" + string([]byte{byte(i)}))
		}
		var texts []string
		for len(texts) < n {
			for part := range strings.SplitSeq(p.get().body, "==") {
				// "2:4" + number + "6:b4" + base64
				if text, _, ok := strings.Cut(part, "6:b4"); ok {
					_, text, _ = strings.Cut(text, ":4")
					texts = append(texts, text)
				}
			}
		}
		for i, text := range texts {
			if text != fmt.Sprint(i) {
				h.Fatalf("message %d is %q: %q", i, text, slices.Clone(texts[:i+1]))
			}
		}
	})
}
