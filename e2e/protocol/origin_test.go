package protocol_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/socketio-go/socketio"
)

// fetch sends a request from a page of an origin; "" is no browser.
func (h *host) fetch(t *testing.T, method, query, origin string, header http.Header) answer {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, h.endpoint(query), nil)
	if err != nil {
		t.Fatal(err)
	}
	if header != nil {
		r.Header = header
	}
	if origin != "" {
		r.Header.Set("Origin", origin)
	}
	a, err := h.do(r)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// origin returns the host's own.
func (h *host) origin() string { return strings.TrimSuffix(h.url, "/socket.io/") }

// Ours: one decision for every request of every transport, and the same host
// unless another origin is listed.
func TestOrigins(t *testing.T) {
	t.Parallel()
	own := serve(t, nil)
	listing := serve(t, &socketio.Options{Origins: []string{"https://example.com", "https://*.example.org", "http://localhost:5173"}})
	open := serve(t, &socketio.Options{Origins: []string{"*"}})
	for _, c := range []struct {
		name    string
		host    *host
		origin  string
		allowed bool
	}{
		{"no browser", own, "", true},
		{"the same origin", own, own.origin(), true},
		{"another host", own, "https://example.com", false},
		{"another port", own, "http://127.0.0.1:1", false},
		{"a sandboxed page", own, "null", false},
		{"a file", own, "file://", false},
		{"what is no origin", own, "http://[", false},

		{"the same origin, when others are listed", listing, listing.origin(), true},
		{"listed", listing, "https://example.com", true},
		{"listed, in capitals", listing, "https://EXAMPLE.com", true},
		{"listed, with its port", listing, "http://localhost:5173", true},
		{"listed, with another scheme", listing, "http://example.com", false},
		{"listed, with another port", listing, "https://example.com:8443", false},
		{"below what is listed", listing, "https://www.example.com", false},
		{"with a listed name for a prefix", listing, "https://example.com.evil.net", false},
		{"matched by a wildcard", listing, "https://a.example.org", true},
		{"ends like a wildcard", listing, "https://evilexample.org", false},
		{"what a wildcard hangs on", listing, "https://example.org", false},
		{"a sandboxed page, when others are listed", listing, "null", false},

		{"anybody", open, "https://evil.net", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := c.host.fetch(t, "GET", overPolling, c.origin, nil)
			if got := a.status == http.StatusOK; got != c.allowed {
				t.Errorf("the polling handshake was answered %d %s", a.status, a.body)
			}
			if !c.allowed && a.header.Get("Access-Control-Allow-Origin") != "" {
				t.Errorf("the refusal has CORS headers: %v", a.header)
			}
			header := http.Header{}
			if c.origin != "" {
				header.Set("Origin", c.origin)
			}
			_, a, err := c.host.tryDial(t, overWebSocket, header)
			if got := err == nil; got != c.allowed {
				t.Errorf("the WebSocket handshake was answered %d %s", a.status, a.body)
			}
		})
	}
}

func TestOriginIsCheckedOnEveryRequest(t *testing.T) {
	t.Parallel()
	h := serve(t, nil)
	p := h.openPolling(t)
	join(t, p, "")
	const evil = "https://evil.net"
	for _, method := range []string{"GET", "POST"} {
		if a := h.fetch(t, method, p.query(), evil, nil); a.status != http.StatusForbidden {
			t.Errorf("%s with a session of somebody else was answered %d %s", method, a.status, a.body)
		}
	}
	if _, _, err := h.tryDial(t, overWebSocket+"&sid="+p.sid, http.Header{"Origin": {evil}}); err == nil {
		t.Error("a WebSocket may take over a session of somebody else")
	}
	echoes(t, p)
}

func TestCORSHeaders(t *testing.T) {
	t.Parallel()
	const friend = "https://example.com"
	listing := serve(t, &socketio.Options{Origins: []string{friend}})
	open := serve(t, &socketio.Options{Origins: []string{"*"}})

	t.Run("a listed origin may send credentials", func(t *testing.T) {
		a := listing.fetch(t, "GET", overPolling, friend, nil)
		has(t, a, map[string]string{
			"Access-Control-Allow-Origin":      friend,
			"Access-Control-Allow-Credentials": "true",
			"Vary":                             "Origin",
		})
	})
	t.Run("anybody may, without credentials", func(t *testing.T) {
		a := open.fetch(t, "GET", overPolling, friend, nil)
		has(t, a, map[string]string{
			"Access-Control-Allow-Origin":      "*",
			"Access-Control-Allow-Credentials": "",
		})
	})
	t.Run("errors have them as well", func(t *testing.T) {
		a := listing.fetch(t, "GET", "EIO=4&transport=x", friend, nil)
		a.refused(t, http.StatusBadRequest, 0, "Transport unknown")
		has(t, a, map[string]string{"Access-Control-Allow-Origin": friend, "Vary": "Origin"})
	})
	t.Run("a preflight is answered", func(t *testing.T) {
		a := listing.fetch(t, "OPTIONS", overPolling, friend, http.Header{
			"Access-Control-Request-Method":  {"POST"},
			"Access-Control-Request-Headers": {"content-type,x-custom"},
		})
		if a.status != http.StatusNoContent || a.body != "" {
			t.Errorf("answered %d %q", a.status, a.body)
		}
		has(t, a, map[string]string{
			"Access-Control-Allow-Origin":      friend,
			"Access-Control-Allow-Credentials": "true",
			"Access-Control-Allow-Headers":     "content-type,x-custom",
		})
		if methods := a.header.Get("Access-Control-Allow-Methods"); !strings.Contains(methods, "GET") || !strings.Contains(methods, "POST") {
			t.Errorf("allowed methods: %q", methods)
		}
	})
	t.Run("a preflight of a stranger is refused", func(t *testing.T) {
		a := listing.fetch(t, "OPTIONS", overPolling, "https://evil.net", http.Header{"Access-Control-Request-Method": {"POST"}})
		if a.status != http.StatusForbidden {
			t.Errorf("answered %d %q", a.status, a.body)
		}
	})
}

// has fails the test unless the answer has these headers.
func has(t *testing.T, a answer, headers map[string]string) {
	t.Helper()
	for name, want := range headers {
		if got := strings.Join(a.header.Values(name), ", "); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
}
