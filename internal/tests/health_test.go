package tests_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/socketio-go/socketio"
)

// Each state of a server has its health, its status code and its name.
func TestHealth(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newStage()
		entered, leave := make(chan struct{}), make(chan struct{})
		srv := socketio.NewServer(&socketio.Options{
			Adapter: b, MaxHandshakes: 1,
			AllowRequest: func(*http.Request) error {
				entered <- struct{}{}
				<-leave
				return socketio.Errorf("no")
			},
			OnError: func(*socketio.Socket, error) {},
		})
		host := b.seat("/").host
		check := func(status, reason string, want error) {
			t.Helper()
			if err := srv.Health(); want == nil && (err == nil) != (status == "ready") || want != nil && !errors.Is(err, want) {
				t.Errorf("%s: Health() = %v", status, err)
			}
			code := http.StatusServiceUnavailable
			body := `{"status":"` + status + `","reason":"` + reason + `"}`
			if status == "ready" {
				code, body = http.StatusOK, `{"status":"ready"}`
			}
			for path, want := range map[string]struct {
				code int
				body string
			}{
				"/health/ready": {code, body},
				"/health/":      {code, body},
				"/health/live":  {http.StatusOK, `{"status":"live"}`},
			} {
				w := httptest.NewRecorder()
				srv.HealthHandler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
				got := strings.ReplaceAll(strings.TrimSpace(w.Body.String()), `\"`, `'`)
				if w.Code != want.code || got != want.body || w.Header().Get("Cache-Control") != "no-store" {
					t.Errorf("%s: GET %s: %d %s, want %d %s", status, path, w.Code, got, want.code, want.body)
				}
			}
		}

		check("disconnected", "socketio: cluster: namespace '/' is not connected: the adapter is still connecting", nil)
		host.Status(nil)
		check("ready", "", nil)
		lost := errors.New("gone")
		host.Status(lost)
		check("disconnected", "socketio: cluster: namespace '/' is not connected: gone", lost)
		host.Status(nil)
		check("ready", "", nil)

		go func() {
			r := httptest.NewRequest(http.MethodGet, "/socket.io/?EIO=4&transport=polling", nil)
			srv.ServeHTTP(httptest.NewRecorder(), r)
		}()
		<-entered
		check("overloaded", "socketio: too many handshakes are under way", socketio.ErrOverloaded)
		leave <- struct{}{}
		synctest.Wait()
		check("ready", "", nil)

		srv.Drain()
		srv.Drain()
		check("draining", "socketio: the server is draining", socketio.ErrDraining)
		if err := srv.Close(); err != nil {
			t.Error(err)
		}
		check("closed", "socketio: closed", socketio.ErrClosed)

		w := httptest.NewRecorder()
		srv.HealthHandler().ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/health/ready", nil))
		if w.Code != http.StatusMethodNotAllowed {
			t.Errorf("POST: %d", w.Code)
		}
	})
}
