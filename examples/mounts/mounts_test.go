package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gorilla/websocket"

	"github.com/socketio-go/socketio"
)

// TestMounts talks to the server under every mux: by polling, then by the
// WebSocket that the session is upgraded to.
func TestMounts(t *testing.T) {
	t.Parallel()
	for name, mount := range mounts {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := "/socket.io/"
			if name == "prefix" {
				path = "/app/socket.io/"
			}
			talk(t, mount, path)
		})
	}
}

// TestWrappedResponseWriter has middleware around the server that replaces the
// ResponseWriter.
func TestWrappedResponseWriter(t *testing.T) {
	t.Parallel()
	t.Run("that unwraps", func(t *testing.T) {
		t.Parallel()
		talk(t, wrapped(func(w http.ResponseWriter) http.ResponseWriter { return unwrapper{w} }), "/socket.io/")
	})
	t.Run("that hides what is beneath", func(t *testing.T) {
		t.Parallel()
		c := connect(t, wrapped(func(w http.ResponseWriter) http.ResponseWriter { return hider{w} }), "/socket.io/")
		c.echo("polling works")
		_, r, err := websocket.DefaultDialer.Dial(c.webSocketURL(), nil)
		if err == nil {
			t.Fatal("a WebSocket was opened")
		}
		defer r.Body.Close()
		if body, _ := io.ReadAll(r.Body); r.StatusCode != http.StatusBadRequest || !strings.Contains(string(body), `"code":3`) {
			t.Errorf("refused with %s: %s", r.Status, body)
		}
		c.echo("and goes on")
	})
}

type unwrapper struct{ http.ResponseWriter }

func (u unwrapper) Unwrap() http.ResponseWriter { return u.ResponseWriter }

type hider struct{ http.ResponseWriter }

// A client is a session over polling with a socket in "/".
type client struct {
	t   *testing.T
	url string
}

func connect(t *testing.T, mount mountFunc, path string) *client {
	t.Helper()
	server := newServer()
	web := httptest.NewServer(mount(server))
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
		web.Close()
	})
	c := &client{t, web.URL + path + "?EIO=4&transport=polling"}
	_, sid, _ := strings.Cut(c.poll(), `"sid":"`)
	sid, _, _ = strings.Cut(sid, `"`)
	c.url += "&sid=" + sid
	c.post("40")
	if got := c.poll(); !strings.HasPrefix(got, `40{"sid":`) {
		t.Fatalf("CONNECT was answered with %q", got)
	}
	return c
}

func (c *client) echo(text string) {
	c.t.Helper()
	c.post(`42["echo","` + text + `"]`)
	if got, want := c.poll(), `42["echo","`+text+`"]`; got != want {
		c.t.Fatalf("polled %q, want %q", got, want)
	}
}

func (c *client) poll() string {
	c.t.Helper()
	r, err := http.Get(c.url)
	return c.body(r, err)
}

func (c *client) post(body string) {
	c.t.Helper()
	r, err := http.Post(c.url, "text/plain", strings.NewReader(body))
	if got := c.body(r, err); got != "ok" {
		c.t.Fatalf("POST was answered with %q", got)
	}
}

func (c *client) body(r *http.Response, err error) string {
	c.t.Helper()
	if err != nil {
		c.t.Fatal(err)
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	return string(b)
}

func (c *client) webSocketURL() string {
	return strings.Replace(strings.Replace(c.url, "http", "ws", 1), "transport=polling", "transport=websocket", 1)
}

// talk echoes over polling, upgrades, and echoes over the WebSocket.
func talk(t *testing.T, mount mountFunc, path string) {
	t.Helper()
	c := connect(t, mount, path)
	c.echo("by polling")
	ws, r, err := websocket.DefaultDialer.Dial(c.webSocketURL(), nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Body.Close()
	defer ws.Close()
	for _, step := range []struct{ send, want string }{
		{"2probe", "3probe"},
		{"5", ""},
		{`42["echo","by WebSocket"]`, `42["echo","by WebSocket"]`},
	} {
		if err := ws.WriteMessage(websocket.TextMessage, []byte(step.send)); err != nil {
			t.Fatal(err)
		}
		if step.want == "" {
			continue
		}
		if _, got, err := ws.ReadMessage(); err != nil || string(got) != step.want {
			t.Fatalf("%s was answered with %q, %v", step.send, got, err)
		}
	}
}

// wrapped is a mount with middleware that replaces the ResponseWriter.
func wrapped(wrap func(http.ResponseWriter) http.ResponseWriter) mountFunc {
	return func(server *socketio.Server) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { server.ServeHTTP(wrap(w), r) })
	}
}
