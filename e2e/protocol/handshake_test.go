package protocol_test

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/socketio-go/socketio"
)

func TestHandshakeOverPolling(t *testing.T) {
	t.Parallel()
	a := serve(t, nil).request(t, "GET", overPolling, "")
	if a.status != http.StatusOK {
		t.Errorf("status %d", a.status)
	}
	matches(t, a.body, `0\{"sid":"[\w-]{20,}","upgrades":\["websocket"\],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000\}`)
	for name, want := range map[string]string{
		"Content-Type":   "text/plain; charset=UTF-8",
		"Cache-Control":  "no-store",
		"Content-Length": strconv.Itoa(len(a.body)),
		"Set-Cookie":     "",
	} {
		if got := a.header.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
}

func TestHandshakeOverWebSocket(t *testing.T) {
	t.Parallel()
	w := serve(t, nil).dial(t, overWebSocket)
	matches(t, w.next(), `0\{"sid":"[\w-]{20,}","upgrades":\[\],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000\}`)
}

func TestHandshakeTellsTheOptions(t *testing.T) {
	t.Parallel()
	a := serve(t, &socketio.Options{
		PingInterval:   1500 * time.Millisecond,
		PingTimeout:    300 * time.Millisecond,
		MaxPayload:     12345,
		DisableUpgrade: true,
	}).request(t, "GET", overPolling, "")
	matches(t, a.body, `0\{"sid":"[\w-]{20,}","upgrades":\[\],"pingInterval":1500,"pingTimeout":300,"maxPayload":12345\}`)
}

func TestHandshakeIsAcceptedWith(t *testing.T) {
	t.Parallel()
	h := serve(t, nil)
	for name, url := range map[string]string{
		"the version twice":     h.endpoint("EIO=4&EIO=4&transport=polling"),
		"an empty session id":   h.endpoint(overPolling + "&sid="),
		"b64":                   h.endpoint(overPolling + "&b64=1"),
		"a cache buster":        h.endpoint(overPolling + "&t=PkTVw4X"),
		"parameters of its own": h.endpoint(overPolling + "&room=a%20b&x[]=1&__proto__=y"),
		"a path below":          h.url + "foo/?" + overPolling,
	} {
		t.Run(name, func(t *testing.T) {
			r, err := http.NewRequestWithContext(t.Context(), "GET", url, nil)
			if err != nil {
				t.Fatal(err)
			}
			if a, err := h.do(r); err != nil || a.status != http.StatusOK || !strings.HasPrefix(a.body, `0{"sid":`) {
				t.Errorf("answered %d %q, %v", a.status, a.body, err)
			}
		})
	}
}

// The checks come in this order: transport, session id, method, WebSocket
// without upgrade, version.
func TestRequestIsRefused(t *testing.T) {
	t.Parallel()
	h := serve(t, nil)
	for _, c := range []struct {
		name, method, query string
		code                int
		message             string
	}{
		{"no transport", "GET", "EIO=4", 0, "Transport unknown"},
		{"unknown transport", "GET", "EIO=4&transport=carrier-pigeon", 0, "Transport unknown"},
		{"transport named like a property", "GET", "EIO=4&transport=__proto__", 0, "Transport unknown"},
		{"transport named like a method", "GET", "EIO=4&transport=constructor", 0, "Transport unknown"},
		{"transport in capitals", "GET", "EIO=4&transport=POLLING", 0, "Transport unknown"},
		{"transport that is not offered", "GET", "EIO=4&transport=webtransport", 0, "Transport unknown"},
		{"unknown transport and session", "GET", "EIO=4&transport=x&sid=x", 0, "Transport unknown"},
		{"unknown session, polled", "GET", overPolling + "&sid=unknown", 1, "Session ID unknown"},
		{"unknown session, posted to", "POST", overPolling + "&sid=unknown", 1, "Session ID unknown"},
		{"unknown session of a long id", "GET", overPolling + "&sid=" + strings.Repeat("x", 10_000), 1, "Session ID unknown"},
		{"unknown session, no version", "GET", "transport=polling&sid=unknown", 1, "Session ID unknown"},
		{"handshake by POST", "POST", overPolling, 2, "Bad handshake method"},
		{"handshake by PUT", "PUT", overPolling, 2, "Bad handshake method"},
		{"handshake by DELETE", "DELETE", overPolling, 2, "Bad handshake method"},
		{"handshake by OPTIONS, no CORS", "OPTIONS", overPolling, 2, "Bad handshake method"},
		{"handshake by POST, no version", "POST", "transport=polling", 2, "Bad handshake method"},
		{"WebSocket without upgrade", "GET", overWebSocket, 3, "Bad request"},
		{"WebSocket without upgrade or version", "GET", "transport=websocket", 3, "Bad request"},
		{"JSONP, which ours does not speak", "GET", overPolling + "&j=0", 3, "Bad request"},
		{"no version", "GET", "transport=polling", 5, "Unsupported protocol version"},
		{"version that is no number", "GET", "EIO=abc&transport=polling", 5, "Unsupported protocol version"},
		{"version 2", "GET", "EIO=2&transport=polling", 5, "Unsupported protocol version"},
		{"version 3", "GET", "EIO=3&transport=polling", 5, "Unsupported protocol version"},
		{"version 5", "GET", "EIO=5&transport=polling", 5, "Unsupported protocol version"},
		{"version with a tail", "GET", "EIO=4abc&transport=polling", 5, "Unsupported protocol version"},
	} {
		t.Run(c.name, func(t *testing.T) {
			h.request(t, c.method, c.query, "").refused(t, http.StatusBadRequest, c.code, c.message)
		})
	}
	t.Run("handshake by HEAD", func(t *testing.T) {
		if a := h.request(t, "HEAD", overPolling, ""); a.status != http.StatusBadRequest || a.body != "" {
			t.Errorf("answered %d %q", a.status, a.body)
		}
	})
}

// Ours: the answers are those of polling. Node answers in plain text, and to a
// bad version by writing an HTTP response into the WebSocket.
func TestWebSocketRequestIsRefused(t *testing.T) {
	t.Parallel()
	h := serve(t, nil)
	for _, c := range []struct {
		name, query string
		code        int
		message     string
	}{
		{"no transport", "EIO=4", 0, "Transport unknown"},
		{"unknown transport", "EIO=4&transport=abc", 0, "Transport unknown"},
		{"unknown session", overWebSocket + "&sid=unknown", 1, "Session ID unknown"},
		{"transport that has no upgrade", overPolling, 3, "Bad request"},
		{"no version", "transport=websocket", 5, "Unsupported protocol version"},
		{"version that is no number", "EIO=abc&transport=websocket", 5, "Unsupported protocol version"},
		{"version 3", "EIO=3&transport=websocket", 5, "Unsupported protocol version"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, a, err := h.tryDial(t, c.query, nil)
			if err == nil {
				t.Fatal("the WebSocket was opened")
			}
			a.refused(t, http.StatusBadRequest, c.code, c.message)
		})
	}
}

func TestWebSocketUpgradeWithoutKeyIsRefused(t *testing.T) {
	t.Parallel()
	h := serve(t, nil)
	r, err := http.NewRequestWithContext(t.Context(), "GET", h.endpoint(overWebSocket), nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header = http.Header{"Connection": {"Upgrade"}, "Upgrade": {"websocket"}, "Sec-Websocket-Version": {"13"}}
	if a, err := h.do(r); err != nil || a.status != http.StatusBadRequest {
		t.Errorf("answered %d %q, %v", a.status, a.body, err)
	}
}

func TestTransportThatIsNotAllowedIsRefused(t *testing.T) {
	t.Parallel()
	polling := serve(t, &socketio.Options{Transports: socketio.Polling})
	matches(t, polling.request(t, "GET", overPolling, "").body, `0\{.*"upgrades":\[\].*\}`)
	if _, a, err := polling.tryDial(t, overWebSocket, nil); err == nil {
		t.Error("the WebSocket was opened")
	} else {
		a.refused(t, http.StatusBadRequest, 0, "Transport unknown")
	}
	websocket := serve(t, &socketio.Options{Transports: socketio.WebSocket})
	websocket.request(t, "GET", overPolling, "").refused(t, http.StatusBadRequest, 0, "Transport unknown")
	echoesAfterJoin(t, websocket.openWebSocket(t))
}

func echoesAfterJoin(t *testing.T, c client) {
	t.Helper()
	join(t, c, "")
	echoes(t, c)
}

// Ours: over WebSocket the status is 403 as well.
func TestApplicationRefusesHandshakes(t *testing.T) {
	t.Parallel()
	asked := 0
	h := serve(t, &socketio.Options{AllowRequest: func(r *http.Request) error {
		asked++ // requests of this test come one by one
		switch r.URL.Query().Get("who") {
		case "stranger":
			return socketio.Errorf("we have not met")
		case "bug":
			return errors.New("a secret")
		}
		return nil
	}})
	h.request(t, "GET", overPolling+"&who=stranger", "").refused(t, http.StatusForbidden, 4, "we have not met")
	h.request(t, "GET", overPolling+"&who=bug", "").refused(t, http.StatusForbidden, 4, "Forbidden")
	if _, a, err := h.tryDial(t, overWebSocket+"&who=stranger", nil); err == nil {
		t.Error("the WebSocket was opened")
	} else {
		a.refused(t, http.StatusForbidden, 4, "we have not met")
	}

	asked = 0
	p := h.openPolling(t)
	join(t, p, "")
	if asked != 1 {
		t.Errorf("the application was asked %d times, want once, at the handshake", asked)
	}
}

func TestCookieComesWithThePollingHandshakeOnly(t *testing.T) {
	t.Parallel()
	h := serve(t, &socketio.Options{Cookie: &http.Cookie{Name: "io", Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode}})
	a := h.request(t, "GET", overPolling, "")
	matches(t, a.header.Get("Set-Cookie"), `io=[\w-]{20,}; Path=/; HttpOnly; SameSite=Lax`)
	sid := strings.TrimPrefix(strings.Split(a.header.Get("Set-Cookie"), ";")[0], "io=")
	if !strings.HasPrefix(a.body, `0{"sid":"`+sid+`"`) {
		t.Errorf("the cookie holds %s, the handshake says %s", sid, a.body)
	}
	p := &polling{t: t, host: h, sid: sid}
	if got := p.post("40").header.Get("Set-Cookie"); got != "" {
		t.Errorf("a POST was answered with the cookie %s", got)
	}
	if got := p.get().header.Get("Set-Cookie"); got != "" {
		t.Errorf("a poll was answered with the cookie %s", got)
	}
}

func TestOtherPathsAreNotTouched(t *testing.T) {
	t.Parallel()
	h := serve(t, nil)
	r, err := http.NewRequestWithContext(t.Context(), "GET", strings.TrimSuffix(h.url, "socket.io/")+"elsewhere/?"+overPolling, nil)
	if err != nil {
		t.Fatal(err)
	}
	if a, err := h.do(r); err != nil || a.status != http.StatusNotFound {
		t.Errorf("answered %d %q, %v", a.status, a.body, err)
	}
}
