package tests_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/socketio-go/socketio"
	"github.com/socketio-go/socketio/internal/siotest"
)

// What clients do at will neither fills the log nor hides what is rare, and
// OnError is told of all.
func TestLogIsNotFlooded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log := make(lines, 1000)
		srv := siotest.ServeInMemory(t, &socketio.Options{Logger: slog.New(slog.NewTextHandler(log, nil))})
		srv.On("number", func(int) {})
		srv.On("fail", func() error { return errors.New("it failed") })
		srv.On("panic", func() { panic("help") })
		logged := func(text string) (n int, last string) {
			for range len(log) {
				if line := <-log; strings.Contains(line, text) {
					n, last = n+1, line
				}
			}
			return n, last
		}
		told := func() (n int) {
			for range len(srv.Errors) {
				<-srv.Errors
				n++
			}
			return n
		}
		c := srv.Join(t, siotest.WebSocket)
		for range 200 {
			c.Write(`42["number","x"]`)
		}
		c.Write(`42["panic"]`, `42["fail"]`)
		c.WantNothing()
		siotest.WantEqual(t, "OnError was told", told(), 202)
		for range len(log) - 2 {
			if line := <-log; !strings.Contains(line, "argument 0") {
				t.Errorf("logged %s", line)
			}
		}
		n, _ := logged("panic=help")
		siotest.WantEqual(t, "lines of the panic", n, 1)
		for range 200 {
			c.Write(`42["fail"]`)
		}
		c.WantNothing()
		n, _ = logged("it failed")
		siotest.WantEqual(t, "lines of errors", n, 19)
		siotest.WantEqual(t, "OnError was told", told(), 200)

		srv.Advance(c, time.Second)
		c.Write(`42["number","x"]`, `42["fail"]`)
		c.WantNothing()
		siotest.WantEqual(t, "lines a second later", len(log), 2)
		siotest.WantEqual(t, "withheld arguments", strings.Contains(<-log, " withheld=180\n"), true)
		siotest.WantEqual(t, "withheld errors", strings.Contains(<-log, " withheld=181\n"), true)
		c.Write(`42["fail"]`)
		c.WantNothing()
		siotest.WantEqual(t, "told once", strings.Contains(<-log, "withheld"), false)

		for range 100 {
			bad := srv.Open(t, siotest.WebSocket)
			bad.Write(`4abc`)
			bad.WantClosed()
		}
		synctest.Wait()
		n, _ = logged("unknown packet type")
		siotest.WantEqual(t, "lines of bad packets", n, 20)
	})
}

// What a client sends comes into the log in part and quoted, if at all.
func TestLogOfWhatClientsSend(t *testing.T) {
	t.Parallel()
	log := make(lines, 100)
	srv := siotest.Serve(t, &socketio.Options{Logger: slog.New(slog.NewTextHandler(log, nil))})
	srv.On("number", func(int) {})
	srv.On("echo it", func(text string) error { return errors.New(text) })
	srv.Intercept(func(ctx context.Context, s *socketio.Socket, m *socketio.Message, next socketio.Next) ([]any, error) {
		if strings.HasPrefix(m.Event, "panic") {
			panic("in an interceptor")
		}
		return next(ctx, m)
	})
	c := srv.Join(t, siotest.WebSocket)
	long := strings.Repeat("é", 200_000)
	for _, event := range []string{
		`["number",` + strings.Repeat("1", 300_000) + `]`,
		`["number",{"` + long + `":1}]`,
		`["number","\nlevel=ERROR msg=forged"]`,
		`["echo it","\nlevel=ERROR msg=forged ` + long + `"]`,
		`["panic\nlevel=ERROR msg=forged ` + long + `"]`,
	} {
		c.Write("42" + event)
		line := siotest.Receive(t, log)
		if len(line) > 2000 || strings.Count(line, "\n") != 1 || !strings.Contains(line, "level=") {
			t.Errorf("%.40s… logged %d bytes: %.200s", event, len(line), fmt.Sprintf("%q", line))
		}
	}
	c.WantNothing()
}
