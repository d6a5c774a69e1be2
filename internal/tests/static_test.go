package tests_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/socketio-go/socketio"
	"github.com/socketio-go/socketio/browser"
	"github.com/socketio-go/socketio/internal/siotest"
)

// get asks a handler for a path.
func get(t *testing.T, io http.Handler, method, path string, header http.Header) *http.Response {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, path, nil)
	for k, v := range header {
		r.Header[k] = v
	}
	w := httptest.NewRecorder()
	io.ServeHTTP(w, r)
	return w.Result()
}

func TestBrowserClient(t *testing.T) {
	t.Parallel()
	srv := handler(t, nil)
	resp := get(t, srv, http.MethodGet, "/socket.io/socket.io.js", nil)
	siotest.WantEqual(t, "status", resp.StatusCode, http.StatusOK)
	siotest.WantEqual(t, "type", resp.Header.Get("Content-Type"), "application/javascript; charset=utf-8")
	siotest.WantEqual(t, "content", body(t, resp) == string(browser.Client), true)
	siotest.WantEqual(t, "caching", resp.Header.Get("Cache-Control"), "no-cache")
	etag := resp.Header.Get("ETag")
	if len(etag) < 10 || !strings.HasPrefix(etag, `"`) || !strings.HasSuffix(etag, `"`) {
		t.Errorf("ETag is %s", etag)
	}

	resp = get(t, srv, http.MethodHead, "/socket.io/socket.io.js", nil)
	siotest.WantEqual(t, "HEAD", resp.StatusCode, http.StatusOK)
	siotest.WantEqual(t, "its length", resp.ContentLength, int64(len(browser.Client)))
	siotest.WantEqual(t, "its ETag", resp.Header.Get("ETag"), etag)
	siotest.WantEqual(t, "its body", body(t, resp), "")

	for match, status := range map[string]int{
		etag:                    http.StatusNotModified,
		"W/" + etag:             http.StatusNotModified,
		`"old", ` + etag:        http.StatusNotModified,
		"*":                     http.StatusNotModified,
		`"old"`:                 http.StatusOK,
		strings.Trim(etag, `"`): http.StatusOK,
	} {
		resp := get(t, srv, http.MethodGet, "/socket.io/socket.io.js", http.Header{"If-None-Match": {match}})
		siotest.WantEqual(t, "status for "+match, resp.StatusCode, status)
		siotest.WantEqual(t, "body for "+match, body(t, resp) == "", status == http.StatusNotModified)
	}

	for _, path := range []string{"/socket.io/socket.io.js?v=4.8", "/other/path/socket.io.js"} {
		siotest.WantEqual(t, path, get(t, srv, http.MethodGet, path, nil).StatusCode, http.StatusOK)
	}
	resp = get(t, srv, http.MethodGet, "/socket.io/socket.io.js", http.Header{"Range": {"bytes=0-9"}})
	siotest.WantEqual(t, "a range", resp.StatusCode, http.StatusPartialContent)
	siotest.WantEqual(t, "its body", body(t, resp), string(browser.Client[:10]))

	for path, want := range map[string]string{
		"/socket.io/socket.io.min.js":  `{"code":0,"message":"Transport unknown"}`,
		"/socket.io/other.js":          `{"code":0,"message":"Transport unknown"}`,
		"/socket.io/socket.io.js/":     `{"code":0,"message":"Transport unknown"}`,
		"/socket.io/socket.io.js/x":    `{"code":0,"message":"Transport unknown"}`,
		"/socket.io/embed.go":          `{"code":0,"message":"Transport unknown"}`,
		"/socket.io/%2e%2e/browser.go": `{"code":0,"message":"Transport unknown"}`,
	} {
		resp := get(t, srv, http.MethodGet, path, nil)
		siotest.WantEqual(t, path, resp.StatusCode, http.StatusBadRequest)
		siotest.WantEqual(t, path, body(t, resp), want)
	}
	resp = get(t, srv, http.MethodPost, "/socket.io/socket.io.js", nil)
	siotest.WantEqual(t, "POST", resp.StatusCode, http.StatusBadRequest)
}

func TestBrowserClientFromElsewhere(t *testing.T) {
	t.Parallel()
	srv := handler(t, &socketio.Options{Origins: []string{"https://a.com"}})
	resp := get(t, srv, http.MethodGet, "/socket.io/socket.io.js", http.Header{"Origin": {"https://a.com"}})
	siotest.WantEqual(t, "listed", resp.Header.Get("Access-Control-Allow-Origin"), "https://a.com")
	resp = get(t, srv, http.MethodGet, "/socket.io/socket.io.js", http.Header{"Origin": {"https://b.com"}})
	siotest.WantEqual(t, "not listed", resp.Header.Get("Access-Control-Allow-Origin"), "")
	siotest.WantEqual(t, "status", resp.StatusCode, http.StatusOK) // a script element may load it nevertheless
	siotest.WantEqual(t, "no origin", get(t, srv, http.MethodGet, "/socket.io/socket.io.js", http.Header{"Sec-Fetch-Site": {"cross-site"}}).StatusCode, http.StatusOK)
}

func TestClientFS(t *testing.T) {
	t.Parallel()
	file := func(s string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(s)} }
	srv := handler(t, &socketio.Options{ClientFS: fstest.MapFS{
		"socket.io.js":            file("one"),
		"socket.io.min.js":        file("two"),
		"socket.io.js.map":        file("{}"),
		"socket.io.esm.min.js":    file("four"),
		"secret.js":               file("secret"),
		"package.json":            file("secret"),
		"socket.io.dir/secret.js": file("secret"),
	}})
	for path, want := range map[string]string{
		"socket.io.js":         "application/javascript; charset=utf-8 one",
		"socket.io.min.js":     "application/javascript; charset=utf-8 two",
		"socket.io.js.map":     "application/json; charset=utf-8 {}",
		"socket.io.esm.min.js": "application/javascript; charset=utf-8 four",
	} {
		resp := get(t, srv, http.MethodGet, "/socket.io/"+path, nil)
		siotest.WantEqual(t, path, resp.Header.Get("Content-Type")+" "+body(t, resp), want)
		resp = get(t, srv, http.MethodGet, "/socket.io/"+path, http.Header{"If-None-Match": {resp.Header.Get("ETag")}})
		siotest.WantEqual(t, path+" again", resp.StatusCode, http.StatusNotModified)
	}
	for _, path := range []string{"secret.js", "package.json", "socket.io.dir", "socket.io.dir/", "socket.io.dir/secret.js", "socket.io.msgpack.min.js",
		"socket.io.dir%2fsecret.js", "socket.io..", "..", ".", "socket.io.\x00", `socket.io.dir\secret.js`} {
		resp := get(t, srv, http.MethodGet, "/socket.io/"+strings.ReplaceAll(path, "\x00", "%00"), nil)
		if got := body(t, resp); resp.StatusCode != http.StatusBadRequest || got != `{"code":0,"message":"Transport unknown"}` {
			t.Errorf("%q was answered with %d %s", path, resp.StatusCode, got)
		}
	}
}

// The endpoint and the client's file are served side by side, by any mux.
func TestMount(t *testing.T) {
	t.Parallel()
	srv := handler(t, nil)
	mux := http.NewServeMux()
	mux.Handle("/socket.io/", srv)
	mux.Handle("/deep/er/", http.StripPrefix("/deep/er", srv))
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "the page") })
	for _, path := range []string{"/socket.io/", "/socket.io/foo/", "/deep/er/", "/deep/er/foo"} {
		resp := get(t, mux, http.MethodGet, path+"?EIO=4&transport=polling", nil)
		siotest.WantEqual(t, path, strings.HasPrefix(body(t, resp), `0{"sid":"`), true)
	}
	siotest.WantEqual(t, "the page", body(t, get(t, mux, http.MethodGet, "/", nil)), "the page")
	siotest.WantEqual(t, "the client", get(t, mux, http.MethodGet, "/deep/er/socket.io.js", nil).StatusCode, http.StatusOK)
}
