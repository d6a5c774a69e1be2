package client_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/socketio-go/socketio"
	"github.com/socketio-go/socketio/client"
	"github.com/socketio-go/socketio/internal/bubble"
)

// What Auth, Header and the URL carry, and the ids with which a session can be
// resumed, are in no log and in no error, whatever fails.
func TestNoSecretsInLogsAndErrors(t *testing.T) {
	everyWay(t, func(t *testing.T, opts client.Options) {
		var mu sync.Mutex // guards the following
		var said bytes.Buffer
		secrets := map[string]bool{"PASSWORD": true, "TOKEN": true, "AUTH": true, "HEADER": true}
		say := func(v ...any) {
			mu.Lock()
			defer mu.Unlock()
			fmt.Fprintln(&said, v...)
		}
		answer := http.HandlerFunc(nil) // in place of the server's
		h := behind(t, func(io http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				mu.Lock()
				if sid := r.URL.Query().Get("sid"); sid != "" {
					secrets[sid] = true
				}
				instead := answer
				mu.Unlock()
				if instead != nil {
					instead(w, r)
					return
				}
				io.ServeHTTP(w, r)
			})
		})
		refuse := func(with http.HandlerFunc) {
			mu.Lock()
			answer = with
			mu.Unlock()
		}
		h.io.Use(func(_ context.Context, s *socketio.Socket) error {
			var auth struct{ Token string }
			_ = s.Handshake().Auth.Decode(&auth)
			if auth.Token != "AUTH" {
				t.Errorf("the token is %q", auth.Token)
			}
			if s.Handshake().Header.Get("Authorization") != "Bearer HEADER" {
				t.Errorf("the header is %q", s.Handshake().Header)
			}
			return nil
		})
		h.io.Of("/refused").Use(func(context.Context, *socketio.Socket) error { return socketio.Errorf("no") })
		logs := new(lockedBuffer)
		opts.Dial = h.dial
		opts.Logger = slog.New(slog.NewTextHandler(logs, &slog.HandlerOptions{Level: slog.LevelDebug}))
		opts.Auth = func(context.Context, string) (any, error) { return map[string]string{"token": "AUTH"}, nil }
		opts.Header = func(context.Context) (http.Header, error) {
			return http.Header{"Authorization": {"Bearer HEADER"}}, nil
		}
		opts.OnError = func(_ *client.Socket, err error) { say(err) }
		opts.MaxAttempts = 3
		opts.Hooks = &client.Hooks{PacketIn: func(p client.Packet) {
			var ids struct{ SID, PID string }
			if p.Type != "connect" || json.Unmarshal([]byte(p.Data), &ids) != nil || ids.SID == "" || ids.PID == "" {
				return
			}
			mu.Lock()
			defer mu.Unlock()
			secrets[ids.SID], secrets[ids.PID] = true, true
		}}
		c, err := client.New("http://me:PASSWORD@server/?token=TOKEN", &opts)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Shutdown(context.WithoutCancel(t.Context()))
		defer c.Close()
		c.OnState(func(change client.Change) { say(change.Err) })
		c.On("n", func(int) {})
		connect := func(s interface{ Connect(context.Context) error }) {
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
			defer cancel()
			say(s.Connect(ctx))
		}
		for _, status := range []int{http.StatusBadRequest, http.StatusForbidden, http.StatusBadGateway, http.StatusFound} {
			refuse(func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/elsewhere", status) })
			connect(c)
		}
		refuse(nil)
		h.setDown(true)
		connect(c)
		h.setDown(false)
		connect(c)
		if !c.Connected() {
			t.Fatal("not connected")
		}
		connect(c.Of("/refused"))
		h.io.Emit("n", "no number") // the handler cannot decode it
		for range 3 {
			h.cut()
			connect(c)
		}
		h.freeze(true)
		bubble.Sleep(2 * time.Minute)
		h.cut()
		connect(c)
		refuse(func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", http.StatusBadRequest) })
		h.cut()
		bubble.Sleep(5 * time.Minute)
		for _, raw := range []string{"http://me:PASSWORD@server:x/?token=TOKEN", "gopher://me:PASSWORD@server/?token=TOKEN", "http://me:PASSWORD@/?token=TOKEN", "http://me:PASSWORD@ser ver/?token=TOKEN"} {
			_, err := client.New(raw, nil)
			if err == nil {
				t.Errorf("%s is accepted", raw)
			}
			say(err)
		}
		mu.Lock()
		defer mu.Unlock()
		all := said.String() + logs.String()
		if !strings.Contains(all, "handshake") || !strings.Contains(logs.String(), "level=WARN") {
			t.Errorf("nothing has been said:\n%s", all)
		}
		if len(secrets) < 6 {
			t.Errorf("no ids of sessions are known: %v", secrets)
		}
		for secret := range secrets {
			if strings.Contains(all, secret) {
				t.Errorf("%s in:\n%s", secret, all)
			}
		}
	})
}

// A lockedBuffer may be written to concurrently.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
