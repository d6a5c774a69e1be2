package tests_test

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"

	"github.com/socketio-go/socketio"
	"github.com/socketio-go/socketio/internal/siotest"
)

// A handler of package log/slog finds the socket of a line in its context.
type socketLogger struct{ slog.Handler }

func (h socketLogger) Handle(ctx context.Context, r slog.Record) error {
	if s, ok := socketio.SocketFrom(ctx); ok {
		r.AddAttrs(slog.Any("socket", s))
	}
	return h.Handler.Handle(ctx, r)
}

func TestSocketInLogs(t *testing.T) {
	t.Parallel()
	siotest.OnEachTransport(t, func(t *testing.T, transport string) {
		var text bytes.Buffer
		log := slog.New(socketLogger{slog.NewTextHandler(&text, nil)})
		srv := siotest.Serve(t, nil)
		srv.On("log", func(ctx context.Context, s *socketio.Socket) string {
			log.InfoContext(ctx, "handled")
			return s.ID()
		})
		c := srv.Open(t, transport)
		id := c.Join("/", "")
		c.Write(`421["log"]`)
		c.Want(`431["` + id + `"]`)
		line := withoutPorts(text.String())
		want := "msg=handled socket.id=" + id + " socket.namespace=/ socket.transport=" + transport + " socket.remote=127.0.0.1\n"
		if !strings.HasSuffix(line, want) {
			t.Errorf("logged %q, want %q", line, want)
		}
	})
	if _, ok := socketio.SocketFrom(t.Context()); ok {
		t.Error("a context of no socket has one")
	}
	var none *socketio.Socket
	slog.New(slog.DiscardHandler).Info("no socket", "socket", none)
	siotest.WantEqual(t, "a nil socket", none.LogValue().Kind(), slog.KindAny)
}
