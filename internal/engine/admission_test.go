package engine_test

import (
	"bufio"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/socketio-go/socketio/internal/bubble"
	"github.com/socketio-go/socketio/internal/engine"
)

func TestHandshake(t *testing.T) {
	t.Parallel()
	const openPacket = `^0\{"sid":"[\w-]{24}","upgrades":%s,"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000\}$`
	for _, test := range []struct {
		name     string
		config   func(*engine.Config)
		query    string
		upgrades string
	}{
		{"polling", nil, "EIO=4&transport=polling", `\["websocket"\]`},
		{"polling without upgrades", func(c *engine.Config) { c.DisableUpgrade = true }, "EIO=4&transport=polling", `\[\]`},
		{"polling only", func(c *engine.Config) { c.Transports = engine.Polling }, "EIO=4&transport=polling", `\[\]`},
		{"parameters in any order, with others", nil, "t=abc&transport=polling&b64=1&EIO=4", `\["websocket"\]`},
		{"the first of several values counts", nil, "EIO=4&EIO=3&transport=polling&transport=x", `\["websocket"\]`},
		{"an escaped value", nil, "EIO=%34&transport=p%6flling", `\["websocket"\]`},
		{"an empty sid is none", nil, "EIO=4&transport=polling&sid=", `\["websocket"\]`},
		{"an invalid parameter that nobody reads", nil, "%zz=%zz&;&EIO=4&transport=polling", `\["websocket"\]`},
	} {
		specify(t, test.name, setup{config: test.config}, func(h *harness) {
			r := h.do("GET", test.query, "")
			if want := fmt.Sprintf(openPacket, test.upgrades); r.status != 200 || !regexp.MustCompile(want).MatchString(r.body) {
				h.Errorf("answered %d %s, want %s", r.status, r.body, want)
			}
			for key, want := range map[string]string{
				"Content-Type":   "text/plain; charset=UTF-8",
				"Cache-Control":  "no-store",
				"Content-Length": fmt.Sprint(len(r.body)),
				"Set-Cookie":     "",
			} {
				if got := r.header.Get(key); got != want {
					h.Errorf("%s: %s, want %s", key, got, want)
				}
			}
			h.last().wantOpen()
			if got := h.last().Transport(); got != engine.Polling {
				h.Errorf("transport %v", got)
			}
		})
	}

	specify(t, "websocket", setup{}, func(h *harness) {
		ws, r := h.dialWebSocket(nil, "EIO=4&transport=websocket")
		if ws == nil {
			h.Fatalf("%+v", r)
		}
		_, packet := ws.next()
		if want := fmt.Sprintf(openPacket, `\[\]`); !regexp.MustCompile(want).MatchString(packet) {
			h.Errorf("got %s, want %s", packet, want)
		}
		h.last().wantOpen()
		if got := h.last().Transport(); got != engine.WebSocket {
			h.Errorf("transport %v", got)
		}
	})

	specify(t, "ids differ", setup{}, func(h *harness) {
		seen := make(map[string]bool)
		for range 100 {
			seen[h.poll().sid] = true
		}
		if len(seen) != 100 || h.Len() != 100 {
			h.Errorf("%d ids for 100 clients, %d sessions", len(seen), h.Len())
		}
	})

	specify(t, "the request is remembered", setup{}, func(h *harness) {
		h.do("GET", "EIO=4&transport=polling&token=x", "", "X-Key", "value", "Origin", "http://example.com")
		r := h.last().Request()
		got := fmt.Sprint(r.Header.Get("X-Key"), r.Header.Get("Origin"), r.Host, r.URI, r.RemoteAddr, r.TLS)
		if want := "valuehttp://example.comexample.com/engine.io/?EIO=4&transport=polling&token=xclient<nil>"; got != want {
			h.Errorf("%s, want %s", got, want)
		}
	})

	cookie := &http.Cookie{Name: "io", Value: "overwritten", Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode}
	specify(t, "a cookie comes with the polling handshake only", setup{config: func(c *engine.Config) { c.Cookie = cookie }}, func(h *harness) {
		r := h.do("GET", "EIO=4&transport=polling", "")
		sid := h.parseOpen(r.body).SID
		if got, want := r.header.Get("Set-Cookie"), "io="+sid+"; Path=/; HttpOnly; SameSite=Lax"; got != want {
			h.Errorf("Set-Cookie: %s, want %s", got, want)
		}
		p := &poller{h, sid, h.last()}
		p.app.send("x")
		if r := p.get(); r.header.Get("Set-Cookie") != "" {
			h.Error("a cookie with a poll")
		}
		if _, r := h.dialWebSocket(nil, "EIO=4&transport=websocket"); r.header.Get("Set-Cookie") != "" {
			h.Error("a cookie with a WebSocket")
		}
		if cookie.Value != "overwritten" {
			h.Error("the configured cookie has changed")
		}
	})
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	noWebSocket := func(c *engine.Config) { c.Transports = engine.Polling }
	noPolling := func(c *engine.Config) { c.Transports = engine.WebSocket }
	forbid := func(c *engine.Config) { c.AllowRequest = func(*http.Request) error { return errors.New("secret") } }
	webSocket := []string{
		"Connection", "Upgrade", "Upgrade", "websocket",
		"Sec-WebSocket-Version", "13", "Sec-WebSocket-Key", "x3JJHMbDL1EzLkh9GBhXDw==",
	}
	// SID stands for that of a session that is open by polling.
	for _, test := range []struct {
		name   string
		config func(*engine.Config)
		method string
		query  string
		header []string
		body   string
	}{
		{"no query", nil, "GET", "", nil, unknownTransport},
		{"no transport", nil, "GET", "EIO=4", nil, unknownTransport},
		{"unknown transport", nil, "GET", "EIO=4&transport=webtransport", nil, unknownTransport},
		{"a name that means something to JavaScript", nil, "GET", "EIO=4&transport=__proto__", nil, unknownTransport},
		{"another such name", nil, "GET", "EIO=4&transport=constructor", nil, unknownTransport},
		{"two transports, of which the first is none", nil, "GET", "EIO=4&transport=x&transport=polling", nil, unknownTransport},
		{"a transport in capitals", nil, "GET", "EIO=4&transport=POLLING", nil, unknownTransport},
		{"an invalid escape", nil, "GET", "EIO=4&transport=polling%zz", nil, unknownTransport},
		{"polling is not allowed", noPolling, "GET", "EIO=4&transport=polling", nil, unknownTransport},
		{"websocket is not allowed", noWebSocket, "GET", "EIO=4&transport=websocket", webSocket, unknownTransport},
		{"unknown sid, GET", nil, "GET", "EIO=4&transport=polling&sid=x", nil, unknownSession},
		{"unknown sid, POST", nil, "POST", "EIO=4&transport=polling&sid=x", nil, unknownSession},
		{"unknown sid, websocket", nil, "GET", "EIO=4&transport=websocket&sid=x", webSocket, unknownSession},
		{"a sid of 8 kB", nil, "GET", "EIO=4&transport=polling&sid=" + strings.Repeat("x", 8<<10), nil, unknownSession},
		{"a sid that is not ASCII", nil, "GET", "EIO=4&transport=polling&sid=%C3%A9%00%FF", nil, unknownSession},
		{"handshake by POST", nil, "POST", "EIO=4&transport=polling", nil, badMethod},
		{"handshake by PUT", nil, "PUT", "EIO=4&transport=polling", nil, badMethod},
		{"handshake by DELETE", nil, "DELETE", "EIO=4&transport=polling", nil, badMethod},
		{"handshake by TRACE", nil, "TRACE", "EIO=4&transport=polling", nil, badMethod},
		{"handshake by OPTIONS without CORS", nil, "OPTIONS", "EIO=4&transport=polling", nil, badMethod},
		{"handshake by HEAD has no body", nil, "HEAD", "EIO=4&transport=polling", nil, ""},
		{"PUT to a session", nil, "PUT", "EIO=4&transport=polling&sid=SID", nil, badMethod},
		{"websocket without upgrade", nil, "GET", "EIO=4&transport=websocket", nil, badRequest},
		{"websocket without upgrade, with a sid", nil, "GET", "EIO=4&transport=websocket&sid=SID", nil, badRequest},
		{"polling with upgrade", nil, "GET", "EIO=4&transport=polling", webSocket, badRequest},
		{"polling with upgrade, with a sid", nil, "GET", "EIO=4&transport=polling&sid=SID", webSocket, badRequest},
		{"JSONP", nil, "GET", "EIO=4&transport=polling&j=0", nil, badRequest},
		{"no version", nil, "GET", "transport=polling", nil, badVersion},
		{"version 3", nil, "GET", "EIO=3&transport=polling", nil, badVersion},
		{"version 5", nil, "GET", "EIO=5&transport=polling", nil, badVersion},
		{"a version that is no number", nil, "GET", "EIO=4abc&transport=polling", nil, badVersion},
		{"version 3 over websocket", nil, "GET", "EIO=3&transport=websocket", webSocket, badVersion},

		{"the transport is looked at before the session", nil, "PUT", "EIO=3&transport=x&sid=x", nil, unknownTransport},
		{"the session before the method", nil, "PUT", "EIO=3&transport=polling&sid=x", nil, unknownSession},
		{"the method before the upgrade", nil, "PUT", "EIO=3&transport=websocket", nil, badMethod},
		{"the upgrade before the version", nil, "GET", "EIO=3&transport=websocket", nil, badRequest},
		{"the version before the application is asked", forbid, "GET", "EIO=3&transport=polling", nil, badVersion},
	} {
		specify(t, test.name, setup{config: test.config}, func(h *harness) {
			query, open := test.query, 0
			var p *poller
			if strings.Contains(query, "SID") {
				p, open = h.poll(), 1
				query = strings.Replace(query, "SID", p.sid, 1)
			}
			h.wantRefusal(h.do(test.method, query, "", test.header...), 400, test.body)
			if n := h.Len(); n != open {
				h.Errorf("%d sessions, want %d", n, open)
			}
			h.wantRefused(400, test.body)
			if p != nil {
				p.app.send("still alive")
				p.wantGet("4still alive")
			}
		})
	}
}

func TestBadWebSocketHandshake(t *testing.T) {
	t.Parallel()
	const request = "GET /?EIO=4&transport=websocket HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n"
	for _, test := range []struct{ name, headers, body string }{
		{"no Connection: upgrade", "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: x3JJHMbDL1EzLkh9GBhXDw==\r\n", "upgrade"},
		{"no version", "Connection: Upgrade\r\nSec-WebSocket-Key: x3JJHMbDL1EzLkh9GBhXDw==\r\n", "version"},
		{"no key", "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n", "Key"},
	} {
		specify(t, test.name, setup{}, func(h *harness) {
			c := h.raw()
			c.write(request + test.headers + "\r\n")
			r := c.response()
			if r.status != 400 || !strings.HasPrefix(r.body, `{"code":3,"message":"`) || !strings.Contains(r.body, test.body) {
				h.Errorf("answered %+v", r)
			}
			if h.Len() > 0 || len(h.all()) > 0 {
				h.Error("a session was opened")
			}
			h.wantRefused(400, r.body)
		})
	}

	specify(t, "frames sent before the handshake is done", setup{}, func(h *harness) {
		c := h.raw()
		c.write(request + "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: x3JJHMbDL1EzLkh9GBhXDw==\r\n\r\n" +
			"\x81\x81\x00\x00\x00\x004")
		if r := c.response(); r.err == nil {
			h.Errorf("answered %+v, want a closed connection", r)
		}
	})

	specify(t, "a client that does not read the answer", setup{}, func(h *harness) {
		c := h.raw()
		c.mem().In().SetCapacity(0)
		c.write(request + "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: x3JJHMbDL1EzLkh9GBhXDw==\r\n\r\n")
		pass(writeTimeout)
		synctest.Wait()
		if n := h.Wait(canceled()); n > 0 {
			h.Errorf("%d requests are left after WriteTimeout", n)
		}
	})

	specify(t, "a ResponseWriter that can't be hijacked", setup{}, func(h *harness) {
		r := httptest.NewRequest("GET", "/?EIO=4&transport=websocket", nil)
		for key, value := range map[string]string{
			"Connection": "Upgrade", "Upgrade": "websocket",
			"Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "x3JJHMbDL1EzLkh9GBhXDw==",
		} {
			r.Header.Set(key, value)
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != 400 || !strings.HasPrefix(w.Body.String(), `{"code":3,`) {
			h.Errorf("answered %d %s", w.Code, w.Body)
		}
		if got := h.reported(); len(got) != 1 || !strings.Contains(got[0].Error(), "a ResponseWriter without Unwrap") {
			h.Errorf("reported %v", got)
		}
	})

	specify(t, "a ResponseWriter that wraps another", setup{http: func(s *http.Server) {
		inner := s.Handler
		s.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { inner.ServeHTTP(&wrapper{w}, r) })
	}}, func(h *harness) {
		h.ws().send("4hello")
		h.last().wantGot("hello")
	})
}

// A wrapper is what logging middleware puts around a ResponseWriter.
type wrapper struct{ http.ResponseWriter }

func (w *wrapper) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func TestOrigin(t *testing.T) {
	t.Parallel()
	config := func(c *engine.Config) {
		c.Origin = func(r *http.Request, response http.Header) error {
			switch r.Header.Get("Origin") {
			case "":
				return nil
			case "https://good.example":
				response.Set("Access-Control-Allow-Origin", "https://good.example")
				if r.Method == http.MethodOptions {
					response.Set("Access-Control-Allow-Methods", "GET,POST")
				}
				return nil
			case "broken":
				return fmt.Errorf("origin: %w", engine.ErrBadRequest)
			case "secret":
				return errors.New("origin: secret")
			}
			return &engine.Forbidden{Message: "not from there"}
		}
	}
	for _, test := range []struct {
		name, method, origin string
		status               int
		body                 string
	}{
		{"allowed", "GET", "https://good.example", 200, ""},
		{"refused in words for the client", "GET", "https://evil.example", 403, `{"code":4,"message":"not from there"}`},
		{"refused in words of ours", "GET", "secret", 403, forbidden},
		{"invalid", "GET", "broken", 400, badRequest},
		{"refused preflight", "OPTIONS", "https://evil.example", 403, `{"code":4,"message":"not from there"}`},
	} {
		for _, transport := range []string{"handshake", "session", "websocket"} {
			specify(t, test.name+", "+transport, setup{config: config}, func(h *harness) {
				p := h.poll()
				p.app.send("hello")
				query := map[string]string{
					"handshake": "EIO=4&transport=polling",
					"session":   p.query(),
					"websocket": "EIO=4&transport=websocket",
				}[transport]
				if test.status == 200 {
					if transport == "websocket" {
						return // shown by the others that nothing else is in the way
					}
					r := h.do(test.method, query, "", "Origin", test.origin)
					if r.status != 200 || r.header.Get("Access-Control-Allow-Origin") != test.origin {
						h.Errorf("answered %+v", r)
					}
					return
				}
				h.wantRefusal(h.do(test.method, query, "", "Origin", test.origin), test.status, test.body)
				if len(h.all()) != 1 {
					h.Error("a session was opened")
				}
				p.wantGet("4hello")
			})
		}
	}
	specify(t, "a preflight is answered before anything else is looked at", setup{config: config}, func(h *harness) {
		r := h.do("OPTIONS", "transport=nonsense", "", "Origin", "https://good.example")
		if r.status != 204 || r.body != "" || r.header.Get("Access-Control-Allow-Methods") != "GET,POST" {
			h.Errorf("answered %+v", r)
		}
	})
	specify(t, "headers go with a refusal and a WebSocket", setup{config: config}, func(h *harness) {
		r := h.do("GET", "transport=nonsense", "", "Origin", "https://good.example")
		if r.status != 400 || r.header.Get("Access-Control-Allow-Origin") == "" {
			h.Errorf("answered %+v", r)
		}
		c := h.raw()
		c.write("GET /?EIO=4&transport=websocket HTTP/1.1", "Host: x", "Origin: https://good.example",
			"Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13",
			"Sec-WebSocket-Key: x3JJHMbDL1EzLkh9GBhXDw==", "", "")
		resp, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			h.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != 101 || resp.Header.Get("Access-Control-Allow-Origin") == "" {
			h.Errorf("answered %d %v", resp.StatusCode, resp.Header)
		}
	})
}

func TestAllowRequest(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		err    error
		status int
		body   string
	}{
		{"allowed", nil, 200, ""},
		{"refused in words for the client", fmt.Errorf("wrapped: %w", &engine.Forbidden{Message: "no \"token\""}), 403, `{"code":4,"message":"no \"token\""}`},
		{"refused in no words", &engine.Forbidden{}, 403, forbidden},
		{"refused in words for the client, others for the operator", &engine.Forbidden{Message: "no", Err: io.ErrUnexpectedEOF}, 403, `{"code":4,"message":"no"}`},
		{"refused in words of ours", errors.New("secret"), 403, forbidden},
	} {
		specify(t, test.name, setup{config: func(c *engine.Config) {
			c.AllowRequest = func(*http.Request) error { return test.err }
		}}, func(h *harness) {
			r := h.do("GET", "EIO=4&transport=polling", "")
			if test.err == nil {
				p := &poller{h, h.parseOpen(r.body).SID, h.last()}
				p.app.send("hello")
				p.wantGet("4hello")
				return
			}
			h.wantRefusal(r, test.status, test.body)
			if _, r := h.dialWebSocket(nil, "EIO=4&transport=websocket"); r.status != test.status || r.body != test.body {
				h.Errorf("websocket: answered %d %s", r.status, r.body)
			}
			want := test.err
			var shown *engine.Forbidden
			if errors.As(want, &shown) {
				want = shown.Err
			}
			h.wantRefused(test.status, test.body)
			if got := h.reported(); len(got) != 2 || !errors.Is(errors.Unwrap(got[0]), want) {
				h.Errorf("reported %v", got)
			}
			if len(h.all()) != 0 {
				h.Error("a session was opened")
			}
		})
	}
	specify(t, "asked for longer than the client waits", setup{config: func(c *engine.Config) {
		c.AllowRequest = func(r *http.Request) error { <-r.Context().Done(); return r.Context().Err() }
	}}, func(h *harness) {
		for _, request := range []string{
			"GET /?EIO=4&transport=polling HTTP/1.1\r\nHost: x\r\n\r\n",
			"GET /?EIO=4&transport=websocket HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
		} {
			c := h.raw()
			c.write(request)
			pass(time.Hour)
			c.Close()
			synctest.Wait()
			if n := h.Wait(canceled()); n > 0 {
				h.Errorf("%d requests are left", n)
			}
		}
		if len(h.all()) != 0 {
			h.Error("a session was opened")
		}
	})
	specify(t, "asked at the handshake only", setup{config: func(c *engine.Config) {
		first := true
		c.AllowRequest = func(*http.Request) error {
			if !first {
				return errors.New("asked again")
			}
			first = false
			return nil
		}
	}}, func(h *harness) {
		p := h.poll()
		p.want(p.post("4hello"), 200, "ok")
		p.upgrade().send("4bye")
		p.app.wantGot("hello", "bye")
	})
}

func TestBusy(t *testing.T) {
	t.Parallel()
	const busy = `{"code":4,"message":"Server busy"}`
	var release chan struct{}
	specify(t, "too many handshakes at a time", setup{config: func(c *engine.Config) {
		c.MaxHandshakes = 2
		release = make(chan struct{})
		c.AllowRequest = func(r *http.Request) error {
			if strings.Contains(r.URL.RawQuery, "slow") {
				<-release
			}
			return nil
		}
	}}, func(h *harness) {
		answers := make(chan response, 2)
		for range 2 {
			go func() { answers <- h.do("GET", "EIO=4&transport=polling&slow", "") }()
		}
		synctest.Wait()
		r := h.do("GET", "EIO=4&transport=polling", "")
		h.wantRefusal(r, 503, busy)
		if r.header.Get("Retry-After") == "" {
			h.Error("no Retry-After")
		}
		if ws, r := h.dialWebSocket(nil, "EIO=4&transport=websocket"); ws != nil || r.status != 503 {
			h.Errorf("websocket: %+v", r)
		}
		close(release)
		for range 2 {
			if r := <-answers; r.status != 200 {
				h.Errorf("%+v", r)
			}
		}
		h.poll()
		h.ws()
	})

	specify(t, "stopped", setup{}, func(h *harness) {
		p := h.poll()
		h.Stop()
		h.wantRefusal(h.do("GET", "EIO=4&transport=polling", ""), 503, busy)
		if ws, r := h.dialWebSocket(nil, "EIO=4&transport=websocket"); ws != nil || r.status != 503 {
			h.Errorf("websocket: %+v", r)
		}
		h.wantRefusal(h.do("GET", "EIO=4&transport=polling&sid=x", ""), 400, unknownSession)
		p.app.send("hello")
		p.wantGet("4hello")
	})

	for _, transport := range []string{"polling", "websocket"} {
		var stop func()
		specify(t, "stopped during a handshake, "+transport, setup{config: func(c *engine.Config) {
			c.AllowRequest = func(*http.Request) error { stop(); return nil }
		}}, func(h *harness) {
			stop = h.Stop
			if transport == "polling" {
				h.wantRefusal(h.do("GET", "EIO=4&transport=polling", ""), 503, busy)
			} else {
				ws, _ := h.dialWebSocket(nil, "EIO=4&transport=websocket")
				ws.wantEnd(0)
			}
			if len(h.all()) > 0 {
				h.Error("a session was opened")
			}
		})
	}
}

func TestAbandonedHandshake(t *testing.T) {
	t.Parallel()
	specify(t, "a session that nobody polls", setup{}, func(h *harness) {
		a := h.poll().app
		pass(pingInterval + pingTimeout - 1)
		a.wantOpen()
		pass(1)
		a.wantClosed(engine.PingTimeout)
	})
	specify(t, "many sessions that nobody polls", setup{}, func(h *harness) {
		for range 1000 {
			h.poll()
		}
		if n := h.Len(); n != 1000 {
			h.Errorf("%d sessions", n)
		}
		pass(pingInterval + pingTimeout)
		synctest.Wait()
		if n := h.Len(); n > 0 {
			h.Errorf("%d sessions are left", n)
		}
	})
	specify(t, "a client that goes before it is answered", setup{opened: func(a *app) {
		bubble.Sleep(time.Second)
	}}, func(h *harness) {
		c := h.raw()
		c.write("GET /?EIO=4&transport=polling HTTP/1.1\r\nHost: x\r\n\r\n")
		synctest.Wait()
		c.mem().Cut()
		pass(time.Second)
		h.last().wantClosed(engine.TransportClose)
	})
}

func TestSessionIDs(t *testing.T) {
	t.Parallel()
	specify(t, "mean nothing to another server", setup{}, func(h *harness) {
		other := start(h, setup{})
		defer other.stop()
		p := h.poll()
		p.app.send("secret")
		for _, method := range []string{"GET", "POST"} {
			other.wantRefusal(other.do(method, p.query(), "4x"), 400, unknownSession)
		}
		p.wantGet("4secret")
	})
	forbidding := func(c *engine.Config) {
		c.Origin = func(r *http.Request, _ http.Header) error {
			if r.Header.Get("Origin") != "" {
				return errors.New("refused")
			}
			return nil
		}
	}
	specify(t, "are not in what is reported", setup{config: forbidding}, func(h *harness) {
		p := h.poll()
		h.wantRefusal(h.do("GET", p.query(), "", "Origin", "https://evil.example"), 403, forbidden)
		p.want(p.post(strings.Repeat("x", maxPayload+1)), 413, "")
		p.post("nonsense " + p.sid)
		h.do("GET", p.query(), "")
		if got := h.reported(); len(got) != 4 {
			h.Errorf("reported %v", got)
		}
	})
	t.Run("are 144 random bits", func(t *testing.T) {
		t.Parallel()
		const n = 100_000
		seen := make(map[string]bool, n)
		var ones [18 * 8]int
		for range n {
			id := engine.NewID()
			b, err := base64.RawURLEncoding.DecodeString(id)
			if err != nil || len(b) != 18 || seen[id] {
				t.Fatalf("%q, %v, seen before: %t", id, err, seen[id])
			}
			seen[id] = true
			for bit := range ones {
				ones[bit] += int(b[bit/8] >> (bit % 8) & 1)
			}
		}
		for bit, k := range ones { // 2000 is twelve standard deviations
			if k < n/2-2000 || k > n/2+2000 {
				t.Errorf("bit %d is set in %d of %d", bit, k, n)
			}
		}
	})
}

func FuzzQuery(f *testing.F) {
	for _, query := range []string{
		"", "EIO=4&transport=polling", "transport=websocket&sid=%41+b", "a&=&&sid", "sid=%zz&sid=x", "%73id=x", "sid=a=b;c",
	} {
		f.Add(query, "sid")
	}
	srv := engine.New(engine.Config{
		Transports:    engine.Polling | engine.WebSocket,
		Origin:        func(*http.Request, http.Header) error { return nil },
		MaxHandshakes: 1,
	})
	srv.Stop()
	f.Fuzz(func(t *testing.T, query, key string) {
		// Names are compared as they are: no client escapes them.
		values, err := url.ParseQuery(query)
		if plain := !strings.ContainsAny(key, "%+&=;") && !escapedName.MatchString(query); err == nil && plain && key != "" {
			if got, ok := engine.LookupQuery(query, key); got != values.Get(key) || ok != values.Has(key) {
				t.Errorf("%q in %q: %q, %t; want %q, %t", key, query, got, ok, values.Get(key), values.Has(key))
			}
		}
		r := httptest.NewRequest("GET", "/", nil)
		r.URL.RawQuery = query
		w := httptest.NewRecorder()
		srv.ServeHTTP(w, r)
		if w.Code != 400 && w.Code != 503 || !strings.HasPrefix(w.Body.String(), `{"code":`) {
			t.Errorf("%q: answered %d %s", query, w.Code, w.Body)
		}
	})
}

var escapedName = regexp.MustCompile(`(^|&)[^=&]*[%+]`)
