package tests_test

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gorilla/websocket"

	"github.com/socketio-go/socketio"
	"github.com/socketio-go/socketio/internal/siotest"
)

// A page asks a server at the given host to open a session.
type asking struct {
	method string // GET if empty
	host   string // example.com if empty
	tls    bool
	header http.Header
	query  string
}

func (a asking) ask(t *testing.T, io http.Handler) *http.Response {
	t.Helper()
	if a.method == "" {
		a.method = http.MethodGet
	}
	if a.host == "" {
		a.host = "example.com"
	}
	if a.query == "" {
		a.query = "EIO=4&transport=polling"
	}
	r := httptest.NewRequestWithContext(t.Context(), a.method, "/socket.io/?"+a.query, nil)
	r.Host = a.host
	if a.tls {
		r.TLS = new(tls.ConnectionState)
	}
	for k, v := range a.header {
		r.Header[k] = v
	}
	w := httptest.NewRecorder()
	io.ServeHTTP(w, r)
	return w.Result()
}

func body(t *testing.T, resp *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func handler(t *testing.T, opts *socketio.Options) *socketio.Server {
	t.Helper()
	io := socketio.NewServer(opts)
	t.Cleanup(func() {
		if err := io.Close(); err != nil {
			t.Error(err)
		}
	})
	return io
}

const (
	allowed = http.StatusOK
	refused = http.StatusForbidden
	invalid = http.StatusBadRequest
)

func TestOrigins(t *testing.T) {
	t.Parallel()
	const (
		site = "https://a.com"
		wild = "https://*.a.com"
	)
	tests := []struct {
		name    string
		origins []string
		host    string // example.com if empty
		origin  string // none if empty
		status  int
		shown   bool // the response lets the page read it
	}{
		{"no origin", nil, "", "", allowed, false},
		{"the same host", nil, "", "https://example.com", allowed, false},
		{"the same host without TLS", nil, "", "http://example.com", allowed, false},
		{"the same host and port", nil, "localhost:3000", "http://localhost:3000", allowed, false},
		{"the same host, http's own port", nil, "example.com:80", "http://example.com", allowed, false},
		{"the same host, https' own port", nil, "example.com:443", "https://example.com", allowed, false},
		{"the same host, its port spelled out", nil, "example.com", "https://example.com:443", allowed, false},
		{"the same host in capitals", nil, "Example.COM", "https://EXAMPLE.com", allowed, false},
		{"the same host by address", nil, "[::1]:3000", "http://[::1]:3000", allowed, false},
		{"another host", nil, "", "https://evil.com", refused, false},
		{"another port", nil, "localhost:3000", "http://localhost:5173", refused, false},
		{"another port, by default", nil, "example.com:8080", "http://example.com", refused, false},
		{"http's port of an https page", nil, "example.com:80", "https://example.com", refused, false},
		{"a host that begins alike", nil, "", "https://example.com.evil.com", refused, false},
		{"a host that ends alike", nil, "", "https://evilexample.com", refused, false},
		{"a subdomain", nil, "", "https://www.example.com", refused, false},
		{"a trailing dot", nil, "", "https://example.com.", refused, false},
		{"null", nil, "", "null", refused, false},
		{"a file", nil, "", "file://", refused, false},
		{"another scheme", nil, "", "ftp://example.com", refused, false},
		{"an extension", nil, "", "chrome-extension://example.com", refused, false},
		{"no scheme", nil, "", "example.com", refused, false},
		{"half a scheme", nil, "", "//example.com", refused, false},
		{"a slash", nil, "", "https://example.com/", allowed, false},
		{"a path", nil, "", "http://example.com/socket.io/?EIO=4#x", allowed, false},
		{"a path and a port", nil, "localhost:3000", "ws://localhost:3000/socket.io/", allowed, false},
		{"the WebSocket's scheme", nil, "", "ws://example.com", allowed, false},
		{"the WebSocket's scheme and TLS", nil, "", "wss://example.com", allowed, false},
		{"the WebSocket's scheme and its own port", nil, "example.com:80", "ws://example.com", allowed, false},
		{"the WebSocket's scheme, TLS and its own port", nil, "", "wss://example.com:443/", allowed, false},
		{"the WebSocket's scheme and another port", nil, "", "ws://example.com:8080", refused, false},
		{"the WebSocket's scheme and another host", nil, "", "wss://evil.com", refused, false},
		{"a path of another host", nil, "", "https://evil.com/", refused, false},
		{"the host in the path of another", nil, "", "https://evil.com/https://example.com", refused, false},
		{"the host behind a path", nil, "", "https://evil.com/@example.com", refused, false},
		{"the host as the user, and a path", nil, "", "https://example.com@evil.com/", refused, false},
		{"the host behind a backslash", nil, "", `https://evil.com\@example.com/`, refused, false},
		{"the host before a backslash", nil, "", `https://example.com\.evil.com/`, refused, false},
		{"a path without a host", nil, "", "https:///", refused, false},
		{"a path of another scheme", nil, "", "ftp://example.com/", refused, false},
		{"a query", nil, "", "https://example.com?", refused, false},
		{"a fragment", nil, "", "https://example.com#x", refused, false},
		{"an empty fragment", nil, "", "https://example.com#", refused, false},
		{"more than a port", nil, "", "ftp://example.com:1:2", refused, false},
		{"a user", nil, "", "https://me@example.com", refused, false},
		{"the host as the user", nil, "", "https://example.com@evil.com", refused, false},
		{"half an address", nil, "", "http://[", refused, false},
		{"no host", nil, "", "https://", refused, false},
		{"no host but a port", nil, "", "https://:443", refused, false},
		{"two in one", nil, "", "https://example.com https://evil.com", invalid, false},
		{"a space", nil, "", " https://example.com", invalid, false},
		{"a control character", nil, "", "https://example.com\x7f", invalid, false},
		{"another alphabet", nil, "", "https://exämple.com", invalid, false},

		{"listed", []string{site}, "", "https://a.com", allowed, true},
		{"listed, in capitals", []string{"HTTPS://A.com"}, "", "https://a.COM", allowed, true},
		{"listed with its port", []string{"https://a.com:443"}, "", "https://a.com", allowed, true},
		{"listed, second", []string{"http://b.com:8080", site}, "", "http://b.com:8080", allowed, true},
		{"listed, and the same host", []string{site}, "", "https://example.com", allowed, false},
		{"listed, and no origin", []string{site}, "", "", allowed, false},
		{"listed by address", []string{"http://[::1]:5173"}, "", "http://[::1]:5173", allowed, true},
		{"not listed", []string{site}, "", "https://b.com", refused, false},
		{"listed with another scheme", []string{site}, "", "http://a.com", refused, false},
		{"listed with another port", []string{site}, "", "https://a.com:8443", refused, false},
		{"listed, a subdomain", []string{site}, "", "https://www.a.com", refused, false},
		{"listed, beginning alike", []string{site}, "", "https://a.com.evil.com", refused, false},
		{"listed, a path", []string{site}, "", "https://a.com/", refused, false},
		{"listed, the WebSocket's scheme", []string{site}, "", "wss://a.com", refused, false},
		{"null beside what is listed", []string{site}, "", "null", refused, false},
		{"null is listed", []string{"null"}, "", "null", allowed, true},
		{"null in capitals", []string{"null"}, "", "NULL", refused, false},
		{"null is listed, a file", []string{"null"}, "", "file://", refused, false},
		{"null is listed, another host", []string{"null"}, "", "https://evil.com", refused, false},
		{"null is listed, a host called so", []string{"null"}, "", "https://null", refused, false},
		{"files are listed", []string{site, "file://"}, "", "file://", allowed, true},
		{"files are listed, null", []string{"file://"}, "", "null", refused, false},
		{"files are listed, one with a name", []string{"file://"}, "", "file:///index.html", refused, false},
		{"files are listed, one of a host", []string{"file://"}, "", "file://evil.com", refused, false},
		{"a wildcard for null", []string{"https://*.com"}, "", "null", refused, false},

		{"a wildcard", []string{wild}, "", "https://www.a.com", allowed, true},
		{"a wildcard for two labels", []string{wild}, "", "https://x.y.a.com", allowed, true},
		{"a wildcard in capitals", []string{wild}, "", "https://WWW.A.com", allowed, true},
		{"a wildcard with a port", []string{"http://*.a.com:8080"}, "", "http://www.a.com:8080", allowed, true},
		{"a wildcard within", []string{"https://app.*.a.com"}, "", "https://app.x.a.com", allowed, true},
		{"a wildcard beside its own word", []string{"https://wildcard.*.com"}, "", "https://wildcard.x.com", allowed, true},
		{"a wildcard is not its own word", []string{"https://wildcard.*.com"}, "", "https://x.wildcard.com", refused, false},
		{"a wildcard for nothing", []string{wild}, "", "https://a.com", refused, false},
		{"a wildcard for an empty label", []string{wild}, "", "https://.a.com", refused, false},
		{"a wildcard with an empty label", []string{wild}, "", "https://x..a.com", refused, false},
		{"a wildcard for half a label", []string{wild}, "", "https://evila.com", refused, false},
		{"a wildcard for half a label within", []string{"https://app.*.a.com"}, "", "https://app.a.com", refused, false},
		{"a wildcard with another scheme", []string{wild}, "", "http://www.a.com", refused, false},
		{"a wildcard with another port", []string{wild}, "", "https://www.a.com:8443", refused, false},
		{"a wildcard for a port", []string{"https://*.a.com"}, "", "https://evil.com:1.a.com", refused, false},
		{"a wildcard for a user", []string{wild}, "", "https://me@www.a.com", refused, false},
		{"a wildcard, beginning alike", []string{wild}, "", "https://www.a.com.evil.com", refused, false},
		{"a wildcard for a path", []string{wild}, "", "https://evil.com/x.a.com", refused, false},

		{"anybody", []string{"*"}, "", "https://evil.com", allowed, true},
		{"anybody from a file", []string{"*"}, "", "null", allowed, true},
		{"anybody beside others", []string{site, "*"}, "", "https://evil.com", allowed, true},
		{"anybody without an origin", []string{"*"}, "", "", allowed, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			io := handler(t, &socketio.Options{Origins: tt.origins})
			h := make(http.Header)
			if tt.origin != "" {
				h["Origin"] = []string{tt.origin}
			}
			resp := asking{host: tt.host, header: h}.ask(t, io)
			siotest.WantEqual(t, "status", resp.StatusCode, tt.status)
			got := resp.Header.Get("Access-Control-Allow-Origin")
			anybody := len(tt.origins) > 0 && tt.origins[len(tt.origins)-1] == "*"
			switch {
			case !tt.shown:
				siotest.WantEqual(t, "shown to", got, "")
			case anybody:
				siotest.WantEqual(t, "shown to", got, "*")
			default:
				siotest.WantEqual(t, "shown to", got, tt.origin)
			}
			credentials := ""
			if tt.shown && !anybody {
				credentials = "true"
			}
			siotest.WantEqual(t, "with credentials", resp.Header.Get("Access-Control-Allow-Credentials"), credentials)
			siotest.WantEqual(t, "varies", resp.Header.Get("Vary") == "Origin", len(tt.origins) > 0 && !anybody)
			switch tt.status {
			case refused:
				siotest.WantEqual(t, "answer", body(t, resp), `{"code":4,"message":"Origin not allowed, see Options.Origins"}`)
			case invalid:
				siotest.WantEqual(t, "answer", body(t, resp), `{"code":3,"message":"Bad request"}`)
			}
		})
	}
}

func TestOriginsThatCannotBe(t *testing.T) {
	t.Parallel()
	for _, origin := range []string{"", "example.com", "https://", "https://example.com/", "https://example.com/path", "https://example.com?x",
		"https://me@example.com", "NULL", "file:///", "file:", "http//example.com", "https://exa mple.com", "https://*", "https://*example.com", "https://foo*.example.com",
		"https://*.example.*", "https://*.*.com", "http*://example.com", "*.example.com", "https://example.com:*", "https://example.*"} {
		siotest.WantPanic(t, func() { socketio.NewServer(&socketio.Options{Origins: []string{"https://good.com", origin}}) },
			"socketio: Options.Origins: "+origin+" is not an origin such as https://example.com or https://*.example.com, null or file://")
	}
}

// A browser says where a request without an Origin comes from.
func TestFetchMetadata(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		origins []string
		origin  string
		site    string
		status  int
	}{
		{nil, "", "same-origin", allowed},
		{nil, "", "none", allowed},
		{nil, "", "same-site", refused},
		{nil, "", "cross-site", refused},
		{nil, "https://example.com", "same-origin", allowed},
		{[]string{"https://a.com"}, "", "cross-site", refused},
		{[]string{"https://a.com"}, "https://a.com", "cross-site", allowed},
		{[]string{"*"}, "", "cross-site", allowed},
	} {
		io := handler(t, &socketio.Options{Origins: tt.origins})
		h := http.Header{"Sec-Fetch-Site": {tt.site}}
		if tt.origin != "" {
			h["Origin"] = []string{tt.origin}
		}
		siotest.WantEqual(t, fmt.Sprint(tt), asking{header: h}.ask(t, io).StatusCode, tt.status)
	}
}

// What a page of another site can make a browser send is refused, with and
// without the origins that are only sent by programs and by pages from files.
func TestCrossSiteRequests(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		origin string // none if empty
		site   string // Sec-Fetch-Site
		tls    bool
		null   int // the status where "null" is listed; elsewhere it is refused
	}{
		{"fetch", "https://evil.com", "cross-site", true, refused},
		{"fetch of an older browser", "https://evil.com", "", true, refused},
		{"fetch from a subdomain", "https://app.example.com", "same-site", true, refused},
		{"fetch from another port", "https://example.com:8443", "same-site", true, refused},
		{"fetch from the host without TLS", "http://example.com", "cross-site", true, refused},
		{"a WebSocket from the host without TLS", "ws://example.com/", "cross-site", true, refused},
		{"a script, an image or a frame", "", "cross-site", true, refused},
		{"a script of a subdomain", "", "same-site", true, refused},
		{"a sandboxed frame", "null", "cross-site", true, allowed},
		{"a sandboxed frame of an older browser", "null", "", true, allowed},
		{"a data URL", "null", "", false, allowed},
		{"a form after a redirect", "null", "cross-site", false, allowed},
		{"a saved page", "file://", "cross-site", false, refused},
		{"an extension", "chrome-extension://example.com", "none", false, refused},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for _, origins := range [][]string{nil, {"https://a.com", "https://*.a.com"}, {"null"}} {
				io := handler(t, &socketio.Options{Origins: origins})
				want := refused
				if len(origins) == 1 {
					want = tt.null
				}
				h := make(http.Header)
				if tt.origin != "" {
					h["Origin"] = []string{tt.origin}
				}
				if tt.site != "" {
					h["Sec-Fetch-Site"] = []string{tt.site}
				}
				for _, query := range []string{"EIO=4&transport=polling", "EIO=4&transport=websocket", "EIO=4&transport=polling&sid=x"} {
					resp := asking{header: h, tls: tt.tls, query: query}.ask(t, io)
					if got := resp.StatusCode; (got == refused) != (want == refused) {
						t.Errorf("%q listed, %s: status %d, want %d", origins, query, got, want)
					}
					if shown := resp.Header.Get("Access-Control-Allow-Origin"); want == refused && shown != "" {
						t.Errorf("%q listed, %s: shown to %s", origins, query, shown)
					}
				}
			}
		})
	}
}

func TestSeveralOrigins(t *testing.T) {
	t.Parallel()
	io := handler(t, nil)
	h := http.Header{"Origin": {"https://example.com", "https://example.com"}}
	siotest.WantEqual(t, "status", asking{header: h}.ask(t, io).StatusCode, http.StatusBadRequest)
}

// Every request is asked for its origin, not the first alone, and of a
// WebSocket too.
func TestOriginOfEveryRequest(t *testing.T) {
	t.Parallel()
	srv := siotest.Serve(t, nil)
	evil := http.Header{"Origin": {"https://evil.com"}}
	c := srv.Join(t, siotest.Polling)
	w := c.Wire.(*siotest.PollingWire)
	c.WantNothing()
	w.Header = evil
	for _, method := range []string{http.MethodPost, http.MethodGet} {
		if _, err := w.Do(method, []byte(`42["echo"]`)); err == nil || !strings.Contains(err.Error(), "403") {
			t.Errorf("%s: %v", method, err)
		}
	}
	w.Header = nil
	c.WantNothing() // the session does not suffer from what somebody else has sent

	for _, query := range []string{"?EIO=4&transport=websocket", strings.TrimPrefix(w.URL, srv.URL) + "&transport=websocket"} {
		dialer := websocket.Dialer{NetDialContext: srv.Dial}
		query = strings.Replace(query, "transport=polling&", "", 1)
		_, resp, err := dialer.DialContext(t.Context(), "ws"+strings.TrimPrefix(srv.URL, "http")+query, evil)
		if err == nil || resp == nil || resp.StatusCode != http.StatusForbidden {
			t.Errorf("WebSocket %s: %v", query, err)
		}
	}
}

func TestPreflight(t *testing.T) {
	t.Parallel()
	io := handler(t, &socketio.Options{Origins: []string{"https://a.com"}})
	preflight := func(io http.Handler, origin, headers string) *http.Response {
		h := http.Header{"Origin": {origin}, "Access-Control-Request-Method": {"POST"}}
		if headers != "" {
			h["Access-Control-Request-Headers"] = []string{headers}
		}
		return asking{method: http.MethodOptions, header: h}.ask(t, io)
	}
	resp := preflight(io, "https://a.com", "x-token, content-type")
	siotest.WantEqual(t, "status", resp.StatusCode, http.StatusNoContent)
	for k, v := range map[string]string{
		"Access-Control-Allow-Origin":      "https://a.com",
		"Access-Control-Allow-Credentials": "true",
		"Access-Control-Allow-Methods":     "GET,POST",
		"Access-Control-Allow-Headers":     "x-token, content-type",
		"Vary":                             "Origin, Access-Control-Request-Headers",
	} {
		siotest.WantEqual(t, k, strings.Join(resp.Header[k], ", "), v)
	}
	resp = preflight(io, "https://a.com", "")
	siotest.WantEqual(t, "status", resp.StatusCode, http.StatusNoContent)
	siotest.WantEqual(t, "headers", resp.Header.Get("Access-Control-Allow-Headers"), "")
	resp = preflight(io, "https://evil.com", "x-token")
	siotest.WantEqual(t, "status", resp.StatusCode, http.StatusForbidden)
	for k := range resp.Header {
		if strings.HasPrefix(k, "Access-Control-") {
			t.Errorf("an unlisted origin is told %s: %s", k, resp.Header.Get(k))
		}
	}
	resp = preflight(handler(t, &socketio.Options{Origins: []string{"*"}}), "https://evil.com", "x-token")
	siotest.WantEqual(t, "status", resp.StatusCode, http.StatusNoContent)
	siotest.WantEqual(t, "origin", resp.Header.Get("Access-Control-Allow-Origin"), "*")
	siotest.WantEqual(t, "credentials", resp.Header.Get("Access-Control-Allow-Credentials"), "")
	resp = preflight(io, "https://example.com", "") // the same host sends none
	siotest.WantEqual(t, "status", resp.StatusCode, http.StatusBadRequest)
	siotest.WantEqual(t, "answer", body(t, resp), `{"code":2,"message":"Bad handshake method"}`)
}

// A page must be able to read why it is refused.
func TestCORSOfErrors(t *testing.T) {
	t.Parallel()
	io := handler(t, &socketio.Options{Origins: []string{"https://a.com"}})
	h := http.Header{"Origin": {"https://a.com"}}
	for _, query := range []string{"EIO=4&transport=carrier-pigeon", "EIO=3&transport=polling", "EIO=4&transport=polling&sid=unknown"} {
		resp := asking{header: h, query: query}.ask(t, io)
		siotest.WantEqual(t, "status", resp.StatusCode, http.StatusBadRequest)
		siotest.WantEqual(t, "shown to", resp.Header.Get("Access-Control-Allow-Origin"), "https://a.com")
	}
}

func TestCookie(t *testing.T) {
	t.Parallel()
	opts := &socketio.Options{Cookie: &http.Cookie{Name: "io", Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode}}
	io := handler(t, opts)
	resp := asking{}.ask(t, io)
	sid, _, _ := strings.Cut(strings.TrimPrefix(body(t, resp), `0{"sid":"`), `"`)
	siotest.WantEqual(t, "cookie", resp.Header.Get("Set-Cookie"), "io="+sid+"; Path=/; HttpOnly; SameSite=Lax")
	siotest.WantEqual(t, "the option itself", opts.Cookie.Value, "")
	resp = asking{method: http.MethodPut, query: "EIO=4&transport=polling&sid=" + sid}.ask(t, io)
	siotest.WantEqual(t, "cookie of later requests", resp.Header.Get("Set-Cookie"), "")
	siotest.WantEqual(t, "cookie unless asked for", asking{}.ask(t, handler(t, nil)).Header.Get("Set-Cookie"), "")
}

func TestAllowRequest(t *testing.T) {
	t.Parallel()
	secret := errors.New("password is 1234")
	tests := []struct {
		name    string
		allow   func(*http.Request) error
		status  int
		message string
		told    func(error) bool
	}{
		{"allowed", func(r *http.Request) error {
			if r.Header.Get("X-Token") != "good" {
				return secret
			}
			return nil
		}, http.StatusOK, "", nil},
		{"an *Error", func(*http.Request) error { return socketio.Errorf("not you") }, http.StatusForbidden, "not you", nil},
		{"a wrapped *Error", func(*http.Request) error { return fmt.Errorf("%w: %w", secret, socketio.Errorf("not you")) }, http.StatusForbidden, "not you", nil},
		{"another error", func(*http.Request) error { return secret }, http.StatusForbidden, "Forbidden",
			func(err error) bool { return errors.Is(err, secret) }},
		{"a panic", func(*http.Request) error { panic(secret) }, http.StatusForbidden, "Forbidden",
			func(err error) bool { var p *socketio.PanicError; return errors.As(err, &p) && p.Value == any(secret) }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			told := make(chan error, 10)
			io := handler(t, &socketio.Options{AllowRequest: tt.allow, OnError: func(_ *socketio.Socket, err error) { told <- err }})
			resp := asking{header: http.Header{"X-Token": {"good"}}}.ask(t, io)
			siotest.WantEqual(t, "status", resp.StatusCode, tt.status)
			if tt.message != "" {
				siotest.WantEqual(t, "answer", body(t, resp), fmt.Sprintf(`{"code":4,"message":%q}`, tt.message))
				siotest.WantEqual(t, "type", resp.Header.Get("Content-Type"), "application/json")
			}
			if tt.told != nil {
				if err := siotest.Receive(t, told); !tt.told(err) {
					t.Errorf("OnError was told %v", err)
				}
			}
		})
	}
}

// It is asked at the handshake, of either transport, and not again.
func TestAllowRequestIsAskedOnce(t *testing.T) {
	t.Parallel()
	asked := make(chan string, 100)
	srv := siotest.Serve(t, &socketio.Options{AllowRequest: func(r *http.Request) error {
		asked <- r.URL.Query().Get("transport")
		return nil
	}})
	srv.Join(t, siotest.Polling).WantNothing()
	srv.Join(t, siotest.WebSocket).WantNothing()
	siotest.WantEqual(t, "asked", len(asked), 2)
	siotest.WantEqual(t, "first", <-asked, "polling")
	siotest.WantEqual(t, "second", <-asked, "websocket")
}
