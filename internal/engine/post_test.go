package engine_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/socketio-go/socketio/internal/engine"
)

func TestPost(t *testing.T) {
	t.Parallel()
	full := "4" + strings.Repeat("x", maxPayload-1)
	for _, test := range []struct {
		name string
		body string
		got  []string
	}{
		{"one message", "4hello", []string{"hello"}},
		{"several messages", "4a\x1e4\x1ebAQID\x1e4世界", []string{"a", "", "binary \x01\x02\x03", "世界"}},
		{"as much as is allowed", full, []string{full[1:]}},
		{"a pong that nobody awaits", "3", nil},
		{"as many pongs as fit", strings.Repeat("3\x1e", maxPayload/2-1) + "3", nil},
		{"packets that mean nothing here", "0\x1e3probe\x1e5\x1e6\x1e4a", []string{"a"}},
		{"binary messages that share a buffer", "bYQ==\x1ebYg==\x1e4c", []string{"binary a", "binary b", "c"}},
	} {
		specify(t, test.name, setup{}, func(h *harness) {
			p := h.poll()
			r := p.post(test.body)
			p.want(r, 200, "ok")
			if r.header.Get("Content-Type") != "text/html" || r.header.Get("Cache-Control") != "no-store" {
				h.Errorf("%v", r.header)
			}
			p.app.wantGot(test.got...)
			p.app.wantOpen()
		})
	}
	specify(t, "in pieces, chunked", setup{}, func(h *harness) {
		p := h.poll()
		c := h.raw()
		c.write("POST /?" + p.query() + " HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
		for _, b := range []byte("4世\x1e4界") {
			c.write(fmt.Sprintf("1\r\n%c\r\n", rune(0))[:3] + string([]byte{b}) + "\r\n")
			pass(time.Second)
		}
		c.write("0\r\n\r\n")
		p.want(c.response(), 200, "ok")
		p.app.wantGot("世", "界")
	})
	specify(t, "while a poll waits", setup{receive: func(a *app, _ *engine.Turn, data string, _ bool) {
		a.send("echo " + data)
	}}, func(h *harness) {
		p := h.poll()
		poll := p.wait()
		p.want(p.post("4hello"), 200, "ok")
		p.want(<-poll, 200, "4echo hello")
	})
	specify(t, "as soon as the one before is answered", setup{}, func(h *harness) {
		p := h.poll()
		first, second := &stub{ResponseRecorder: httptest.NewRecorder()}, httptest.NewRecorder()
		first.flush = func() {
			h.ServeHTTP(second, httptest.NewRequest("POST", "/?"+p.query(), strings.NewReader("4b")))
		}
		h.ServeHTTP(first, httptest.NewRequest("POST", "/?"+p.query(), strings.NewReader("4a")))
		if first.Body.String() != "ok" || second.Body.String() != "ok" {
			h.Errorf("answered %q, %q", first.Body, second.Body)
		}
		p.app.wantGot("a", "b")
		p.app.wantOpen()
	})
	specify(t, "to a receiver that blocks for longer than an http.Server allows", setup{
		http: func(s *http.Server) { s.ReadTimeout, s.WriteTimeout = time.Second, 2*time.Second },
		receive: func(*app, *engine.Turn, string, bool) {
			pass(10 * time.Second)
		},
	}, func(h *harness) {
		p := h.poll()
		p.want(p.post("4hello"), 200, "ok")
		p.app.wantOpen()
	})
}

func TestPostRefused(t *testing.T) {
	t.Parallel()
	tooLarge := "4" + strings.Repeat("x", maxPayload)
	for _, test := range []struct {
		name   string
		header []string
		body   string
		status int
		closed engine.Reason // none if empty
	}{
		{"too large", nil, tooLarge, 413, ""},
		{"compressed", []string{"Content-Encoding", "gzip"}, "4a", 415, ""},
		{"compressed, and then not", []string{"Content-Encoding", "gzip, identity"}, "4a", 415, ""},
		{"as in protocol 3", []string{"Content-Type", "application/octet-stream"}, "4a", 400, engine.TransportError},
	} {
		specify(t, test.name, setup{}, func(h *harness) {
			p := h.poll()
			poll := p.wait()
			p.want(p.post(test.body, test.header...), test.status, "")
			p.app.wantGot()
			h.wantRefused(test.status, "")
			if test.closed != "" {
				p.want(<-poll, 200, "1")
				p.app.wantClosed(test.closed)
				return
			}
			p.want(p.post("4next"), 200, "ok")
			p.app.wantGot("next")
			p.app.send("hello")
			p.want(<-poll, 200, "4hello")
			p.app.wantOpen()
		})
	}
	specify(t, "too large, chunked", setup{}, func(h *harness) {
		p := h.poll()
		r := h.doContext(h.Context(), "POST", p.query(), io.MultiReader(strings.NewReader(tooLarge)))
		p.want(r, 413, "")
		p.app.wantOpen()
	})
	specify(t, "without end, chunked", setup{}, func(h *harness) {
		p := h.poll()
		c := h.raw()
		c.write("POST /?" + p.query() + " HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
		go func() {
			for {
				if _, err := io.WriteString(c, "a\r\n4xxxxxxxxx\r\n"); err != nil {
					return
				}
			}
		}()
		p.want(c.response(), 413, "")
		p.app.wantOpen()
		c.Close()
	})
	for _, test := range []struct{ name, head, body string }{
		{"of a negative length", "Content-Length: -1", ""},
		{"of no length that is a number", "Content-Length: 1e3", ""},
		{"of two lengths", "Content-Length: 2\r\nContent-Length: 3", "4ab"},
		{"of a length beyond counting", "Content-Length: 99999999999999999999", ""},
	} {
		specify(t, test.name, setup{}, func(h *harness) {
			p := h.poll()
			c := h.raw()
			c.write("POST /?" + p.query() + " HTTP/1.1\r\nHost: x\r\n" + test.head + "\r\n\r\n" + test.body)
			if r := c.response(); r.status != 400 {
				h.Errorf("answered %+v", r)
			}
			p.app.wantGot()
			p.app.wantOpen()
		})
	}
	specify(t, "announced to be larger than anything", setup{}, func(h *harness) {
		p := h.poll()
		c := h.raw()
		c.write("POST /?" + p.query() + " HTTP/1.1\r\nHost: x\r\nContent-Length: 9000000000000000000\r\n\r\n4")
		p.want(c.response(), 413, "")
		p.app.wantOpen()
	})
}

// Over polling, whoever breaks the protocol gets an "ok" and the end.
func TestPostGarbage(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, body string
		got        []string
	}{
		{"nothing", "", nil},
		{"a separator", "\x1e", nil},
		{"a separator at the end", "4a\x1e", nil},
		{"a separator too many", "4a\x1e\x1e4b", []string{"a"}},
		{"no packet", "abc", nil},
		{"an unknown type", "7", nil},
		{"a ping", "2", nil},
		{"a probe", "2probe", nil},
		{"invalid base64", "b!", nil},
		{"invalid UTF-8", "4\xff", nil},
		{"a good packet before and another behind", "4a\x1e7\x1e4b", []string{"a"}},
	} {
		specify(t, test.name, setup{}, func(h *harness) {
			healthy := h.poll()
			p := h.poll()
			p.app.send("never seen")
			p.get()
			poll := p.wait()
			p.want(p.post(test.body), 200, "ok")
			p.want(<-poll, 200, "1")
			p.wantGone()
			p.app.wantGot(test.got...)
			p.app.wantClosed(engine.ParseError)
			healthy.app.wantOpen()
		})
	}
	specify(t, "without a poll that waits", setup{}, func(h *harness) {
		p := h.poll()
		p.app.send("never seen")
		p.want(p.post("7"), 200, "ok")
		p.wantGone()
		h.wantRefusal(p.post("4a"), 400, unknownSession)
		p.app.wantClosed(engine.ParseError)
	})
}

func TestPostInterrupted(t *testing.T) {
	t.Parallel()
	post := func(p *poller) *raw {
		c := p.h.raw()
		c.write("POST /?" + p.query() + " HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n4a")
		synctest.Wait()
		return c
	}
	specify(t, "by another", setup{}, func(h *harness) {
		p := h.poll()
		poll := p.wait()
		c := post(p)
		p.want(p.post("4b"), 400, "")
		if r := c.response(); r.status < 400 || r.body != "" {
			h.Errorf("the first is answered %+v", r)
		}
		p.want(<-poll, 200, "1")
		p.app.wantGot()
		p.app.wantClosed(engine.TransportError)
	})
	specify(t, "by the end of the session", setup{}, func(h *harness) {
		p := h.poll()
		c := post(p)
		p.app.Close(engine.ForcedClose)
		if r := c.response(); r.status < 400 || r.body != "" {
			h.Errorf("answered %+v", r)
		}
		p.wantGet("1")
		p.app.wantClosed(engine.ForcedClose)
	})
	specify(t, "by the client", setup{}, func(h *harness) {
		p := h.poll()
		post(p).mem().Cut()
		p.app.wantReason(engine.TransportError)
		p.wantGet("1")
		p.app.wantClosed(engine.TransportError)
	})
	specify(t, "by the client's silence", setup{}, func(h *harness) {
		p := h.poll()
		pass(time.Second)
		begin := time.Now()
		r := post(p).response()
		p.want(r, 408, "")
		if d := time.Since(begin); d > pingInterval+pingTimeout {
			h.Errorf("answered after %v", d)
		}
		p.app.wantClosed(engine.PingTimeout)
	})
	specify(t, "by a client that sends a byte a second", setup{}, func(h *harness) {
		p := h.poll()
		pass(time.Second)
		begin := time.Now()
		c := h.raw()
		c.write("POST /?" + p.query() + " HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n4")
		go func() {
			for {
				pass(time.Second)
				if _, err := io.WriteString(c, "x"); err != nil {
					return
				}
			}
		}()
		p.want(c.response(), 408, "")
		if d := time.Since(begin); d > pingInterval+pingTimeout {
			h.Errorf("answered after %v", d)
		}
		p.app.wantClosed(engine.PingTimeout)
		c.Close()
	})
	specify(t, "by chunks that are none", setup{}, func(h *harness) {
		p := h.poll()
		c := h.raw()
		c.write("POST /?" + p.query() + " HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n4a")
		p.want(c.response(), 400, "")
		p.app.wantReason(engine.TransportError)
		p.wantGet("1")
	})
	specify(t, "by a body that ends early", setup{}, func(h *harness) {
		p := h.poll()
		c := post(p)
		c.mem().CloseWrite()
		p.want(c.response(), 400, "")
		p.app.wantReason(engine.TransportError)
	})
	specify(t, "just when it begins", setup{}, func(h *harness) {
		p := h.poll()
		var mu sync.Mutex // guards the following
		var deadline time.Time
		discard := sync.OnceFunc(func() { p.app.Discard(engine.ForcedClose) })
		w := &stub{ResponseRecorder: httptest.NewRecorder()}
		w.readDeadline = func(t time.Time) {
			if t.After(time.Now()) {
				discard()
				synctest.Wait()
			}
			mu.Lock()
			defer mu.Unlock()
			deadline = t
		}
		h.ServeHTTP(w, httptest.NewRequest("POST", "/?"+p.query(), readerFunc(func([]byte) (int, error) {
			mu.Lock()
			defer mu.Unlock()
			if deadline.After(time.Now()) {
				h.Errorf("the body may take until %v", deadline)
			}
			return 0, io.ErrUnexpectedEOF
		})))
	})
}

// A body that is not compressed may say so.
func TestPostThatSaysItIsNotCompressed(t *testing.T) {
	t.Parallel()
	for _, coding := range []string{"identity", "Identity", ""} {
		specify(t, coding, setup{}, func(h *harness) {
			p := h.poll()
			p.want(p.post("4a", "Content-Encoding", coding), 200, "ok")
			p.app.wantGot("a")
		})
	}
}
