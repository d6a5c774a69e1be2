//go:build linux

package clients

import (
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/socketio-go/socketio"
	"github.com/socketio-go/socketio/internal/leak"
)

func TestMain(m *testing.M) { leak.Main(m) }

func TestRun(t *testing.T) {
	io := socketio.NewServer(nil)
	defer io.Close()
	io.On("echo", func(s *socketio.Socket, text string) error { return s.Emit("echo", text) })
	srv := httptest.NewServer(io)
	defer srv.Close()
	addr := strings.TrimPrefix(srv.URL, "http://")
	for _, kind := range []string{Ours, Raw, Bare} {
		for _, window := range []int{0, 1, 16} {
			r, err := Run(Config{Kind: kind, Addr: addr, Connections: 3, Window: window, Duration: 50 * time.Millisecond})
			if err != nil || (r.Messages > 0) != (window > 0) {
				t.Errorf("%s, %d in flight: %+v, %v", kind, window, r, err)
			}
		}
	}
	if _, err := Run(Config{Kind: "no such"}); err == nil {
		t.Error("an unknown kind is no error")
	}
}
