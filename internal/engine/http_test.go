package engine_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/socketio-go/socketio/internal/engine"
)

// What net/http does with the header of a request before it is ours.
func TestHeaders(t *testing.T) {
	t.Parallel()
	const request = "GET /?EIO=4&transport=polling HTTP/1.1\r\nHost: x\r\n"
	for _, test := range []struct {
		name    string
		request string
		status  int
	}{
		{"of more than a megabyte", request + "X: " + strings.Repeat("x", 1<<20+8<<10) + "\r\n\r\n", 431},
		{"of ten thousand lines", request + strings.Repeat("X: x\r\n", 10_000) + "\r\n", 200}, // far from a megabyte
		{"with a control character in the Origin", request + "Origin: http://x\x01y\r\n\r\n", 400},
		{"with a lone line feed in the Origin", request + "Origin: http://x\nSet-Cookie\r\n\r\n", 400},
		{"with a control character in a cookie", request + "Cookie: a=\x00b\r\n\r\n", 400},
		{"with a control character in the query", "GET /?EIO=4&transport=pol\x01ling HTTP/1.1\r\nHost: x\r\n\r\n", 400},
		{"with an escaped line in the transport", "GET /?EIO=4&transport=x%0d%0aSet-Cookie:%20evil HTTP/1.1\r\nHost: x\r\n\r\n", 400},
		{"with an escaped line in the session", "GET /?EIO=4&transport=polling&sid=x%0d%0aSet-Cookie:%20evil HTTP/1.1\r\nHost: x\r\n\r\n", 400},
	} {
		specify(t, test.name, setup{}, func(h *harness) {
			c := h.raw()
			go func() { _, _ = io.WriteString(c, test.request) }() // net/http may not read all of it
			r := c.response()
			if r.status != test.status || test.status != 200 && strings.Contains(r.body, "evil") || r.header.Get("Set-Cookie") != "" {
				h.Errorf("answered %d %v %.100q, want %d", r.status, r.header, r.body, test.status)
			}
			if opened := len(h.all()) > 0; opened != (test.status == 200) {
				h.Errorf("a session was opened: %t", opened)
			}
		})
	}
	specify(t, "that comes slowly, within ReadHeaderTimeout", setup{http: func(s *http.Server) {
		s.ReadHeaderTimeout = 5 * time.Second
	}}, func(h *harness) {
		c := h.raw()
		begin := time.Now()
		go func() {
			for i := range len(request) {
				if _, err := io.WriteString(c, request[i:i+1]); err != nil {
					return
				}
				pass(time.Second)
			}
		}()
		if r := c.response(); r.status == 200 || time.Since(begin) > 6*time.Second {
			h.Errorf("answered %+v after %v", r, time.Since(begin))
		}
		if len(h.all()) > 0 {
			h.Error("a session was opened")
		}
	})
}

// HTTP/2 has no Upgrade, but polling works over it, within the limits that an
// http.Server sets to a request.
func TestHTTP2(t *testing.T) {
	t.Parallel()
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	specify(t, "polling", setup{http: func(s *http.Server) {
		s.Protocols = protocols
		s.ReadTimeout, s.WriteTimeout = time.Second, 2*time.Second
	}}, func(h *harness) {
		h.client.Transport.(*http.Transport).Protocols = protocols
		p := h.poll()
		poll := p.wait()
		pass(10 * time.Second)
		p.want(p.post("4hello"), 200, "ok")
		p.app.wantGot("hello")
		p.app.send("world")
		p.want(<-poll, 200, "4world")
		h.wantRefusal(p.post(strings.Repeat("x", maxPayload+1)), 413, "")
		p.app.wantOpen()

		ctx, cancel := context.WithCancel(h.Context())
		poll = p.waitContext(ctx)
		cancel()
		<-poll
		p.app.wantClosed(engine.TransportError)
	})
}

// A client that opens requests and resets them, again and again, leaves nothing.
func TestHTTP2Resets(t *testing.T) {
	t.Parallel()
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	specify(t, "of polls", setup{http: func(s *http.Server) { s.Protocols = protocols }}, func(h *harness) {
		h.client.Transport.(*http.Transport).Protocols = protocols
		for range 100 {
			p := h.poll()
			ctx, cancel := context.WithCancel(h.Context())
			poll := p.waitContext(ctx)
			cancel()
			<-poll
			p.app.wantClosed(engine.TransportError)
		}
		if n := h.Wait(canceled()); n > 0 {
			h.Errorf("%d requests are left", n)
		}
	})
}

func TestWebSocketUpgradeOverHTTP2IsRefused(t *testing.T) {
	t.Parallel()
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	specify(t, "as no upgrade", setup{http: func(s *http.Server) { s.Protocols = protocols }}, func(h *harness) {
		h.client.Transport.(*http.Transport).Protocols = protocols
		h.wantRefusal(h.do("GET", "EIO=4&transport=websocket", ""), 400, badRequest)
	})
	specify(t, "by CONNECT, where net/http has been told to offer it", setup{}, func(h *harness) {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("CONNECT", "/?EIO=4&transport=websocket", nil))
		if w.Code != 400 || w.Body.String() != badMethod {
			h.Errorf("answered %d %s", w.Code, w.Body)
		}
	})
}
