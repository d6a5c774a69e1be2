package main

import (
	"context"
	"errors"
	"log"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"testing"
	"time"

	"github.com/socketio-go/socketio"
	"github.com/socketio-go/socketio/client"
	"github.com/socketio-go/socketio/examples/shared/stock"
)

// TestMain fails the run if it leaves a goroutine behind.
func TestMain(m *testing.M) {
	before := runtime.NumGoroutine()
	code := m.Run()
	for range 500 {
		if runtime.NumGoroutine() <= before {
			break
		}
		<-time.After(10 * time.Millisecond)
	}
	if code == 0 && runtime.NumGoroutine() > before {
		pprof.Lookup("goroutine").WriteTo(os.Stderr, 1)
		code = 1
	}
	os.Exit(code)
}

// A warehouse is the program of examples/shared/server, in a process of its own.
type warehouse struct {
	t       *testing.T
	program string
	addr    string
	cmd     *exec.Cmd
}

func newWarehouse(t *testing.T) *warehouse {
	w := &warehouse{t: t, program: filepath.Join(t.TempDir(), "server")}
	if output, err := exec.Command("go", "build", "-o", w.program, "../server").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0") // to find a free port
	if err != nil {
		t.Fatal(err)
	}
	w.addr = l.Addr().String()
	l.Close()
	t.Cleanup(func() {
		if w.cmd != nil {
			w.kill()
		}
	})
	return w
}

func (w *warehouse) start() {
	w.cmd = exec.Command(w.program, "-addr", w.addr)
	if err := w.cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
}

func (w *warehouse) kill() {
	_ = w.cmd.Process.Kill()
	_ = w.cmd.Wait()
	w.cmd = nil
}

// open returns a shop that is connected.
func open(ctx context.Context, t *testing.T, addr, name string) *shop {
	s, err := newShop("http://"+addr, name, log.New(&logWriter{t}, "", 0), &client.Options{
		MaxDelay: 100 * time.Millisecond, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.c.Close(); _ = s.c.Shutdown(context.WithoutCancel(ctx)) })
	if err := s.c.Connect(ctx); err != nil {
		t.Fatal(err)
	}
	return s
}

type logWriter struct{ t *testing.T }

func (l *logWriter) Write(p []byte) (int, error) {
	l.t.Logf("%s", p)
	return len(p), nil
}

// Two shops take apples. The warehouse is killed, and knows what they have taken
// when it runs again.
func TestShops(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	w := newWarehouse(t)
	w.start()
	a, b := open(ctx, t, w.addr, "a"), open(ctx, t, w.addr, "b")
	for range 10 {
		for _, s := range []*shop{a, b} {
			if err := s.take(ctx, stock.Order{Item: "apples", Pieces: 2}); err != nil {
				t.Fatal(err)
			}
		}
	}
	w.kill()
	levels := make(chan int, 100)
	client.On(a.c, stock.Changed, func(_ context.Context, level stock.Level) error {
		if level.Item == "apples" {
			levels <- level.Left
		}
		return nil
	})
	w.start()
	for left := 0; left != 60; { // until both have been asked
		select {
		case left = <-levels:
		case <-ctx.Done():
			t.Fatal("60 apples are not left")
		}
	}
	var refused *socketio.Error
	if err := a.take(ctx, stock.Order{Item: "apples", Pieces: 61}); !errors.As(err, &refused) || refused.Message != "60 of apples are left" {
		t.Error(err)
	}
	if err := b.take(ctx, stock.Order{Item: "plums", Pieces: 1}); !errors.As(err, &refused) || refused.Message != "there is no such item" {
		t.Error(err)
	}
	if err := b.take(ctx, stock.Order{Item: "apples", Pieces: 60}); err != nil {
		t.Error(err)
	}
}

func TestShopWithoutName(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	w := newWarehouse(t)
	w.start()
	s, err := newShop("http://"+w.addr, "", log.New(&logWriter{t}, "", 0), &client.Options{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer s.c.Shutdown(ctx)
	var refused *client.RefusedError
	if err := s.sell(ctx, "apples", time.Hour); !errors.As(err, &refused) || refused.Err.Message != "a shop has a name" {
		t.Error(err)
	}
}
