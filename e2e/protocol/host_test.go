package protocol_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/socketio-go/socketio"
)

// A host is a listening server that echoes "message" as "message-back" and
// answers "message-with-ack" with its arguments, on "/" and "/custom". On
// "/admin" it refuses who has no token.
type host struct {
	url string // of the endpoint
	io  *socketio.Server

	client     *http.Client
	arrivals   sync.Map // from a request's mark to a channel closed when it is being handled
	departures sync.Map // from a socket's id to a channel with the reason why it left
}

// serve starts a host. A nil opts means the defaults.
func serve(t *testing.T, opts *socketio.Options) *host {
	t.Helper()
	if opts == nil {
		opts = &socketio.Options{}
	}
	h := &host{
		io:     socketio.NewServer(opts),
		client: &http.Client{Transport: &http.Transport{}, Timeout: patience},
	}
	for _, ns := range []*socketio.Namespace{h.io.Of("/"), h.io.Of("/custom")} {
		ns.On("message", func(s *socketio.Socket, args socketio.Args) error { return s.Emit("message-back", args) })
		ns.On("message-with-ack", func(args socketio.Args) socketio.Args { return args })
		ns.On("kick", func(s *socketio.Socket) error { return s.Disconnect() })
		ns.On("close", func(s *socketio.Socket) error { return s.CloseConnection() })
		ns.OnDisconnect(func(s *socketio.Socket, reason socketio.Reason) {
			select {
			case h.departure(s.ID()) <- reason:
			default:
				t.Errorf("OnDisconnect was called twice for one socket")
			}
		})
	}
	h.io.Of("/admin").Use(func(_ context.Context, s *socketio.Socket) error {
		if s.Handshake().Auth.Len() == 0 {
			return &socketio.Error{Message: "not authorized", Data: json.RawMessage(`{"code":"E1"}`)}
		}
		return nil
	})

	mux := http.NewServeMux()
	mux.Handle("/socket.io/", h.io)
	srv := httptest.NewServer(h.noteArrivals(mux))
	h.url = srv.URL + "/socket.io/"
	t.Cleanup(func() {
		h.client.CloseIdleConnections()
		if err := h.io.Close(); err != nil {
			t.Error(err)
		}
		srv.Close()
	})
	return h
}

// noteArrivals tells begin when its request is being handled: a poll when it
// looks out for its end, a POST when its body is read.
func (h *host) noteArrivals(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if arrived, ok := h.arrivals.LoadAndDelete(r.URL.Query().Get("t")); ok {
			arrive := sync.OnceFunc(func() { close(arrived.(chan struct{})) })
			defer arrive()
			r = r.WithContext(watchedContext{r.Context(), arrive})
			r.Body = watchedBody{r.Body, arrive}
		}
		next.ServeHTTP(w, r)
	})
}

type watchedContext struct {
	context.Context
	arrive func()
}

func (c watchedContext) Done() <-chan struct{} {
	c.arrive()
	return c.Context.Done()
}

type watchedBody struct {
	io.ReadCloser
	arrive func()
}

func (b watchedBody) Read(p []byte) (int, error) {
	b.arrive()
	return b.ReadCloser.Read(p)
}

// endpoint returns the URL with a query.
func (h *host) endpoint(query string) string { return h.url + "?" + query }

// wsEndpoint returns the same as a WebSocket's URL.
func (h *host) wsEndpoint(query string) string {
	return "ws" + strings.TrimPrefix(h.endpoint(query), "http")
}

func (h *host) departure(id string) chan socketio.Reason {
	reason, _ := h.departures.LoadOrStore(id, make(chan socketio.Reason, 1))
	return reason.(chan socketio.Reason)
}

// left waits until the socket with this id has left and returns why.
func (h *host) left(t *testing.T, id string) socketio.Reason {
	t.Helper()
	select {
	case reason := <-h.departure(id):
		return reason
	case <-time.After(patience):
		t.Fatal("OnDisconnect was not called")
		return ""
	}
}

// leaves fails the test unless the socket with this id leaves for this reason.
func (h *host) leaves(t *testing.T, id string, want socketio.Reason) {
	t.Helper()
	if got := h.left(t, id); got != want {
		t.Errorf("left because of %q, want %q", got, want)
	}
}
