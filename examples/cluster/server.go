//go:build unix

package main

import (
	"context"
	"crypto/tls"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/redis/rueidis"

	"github.com/socketio-go/socketio"
	"github.com/socketio-go/socketio/adapters/redis"
)

//go:embed page
var page embed.FS

// serve is one server of the cluster, until ctx ends.
func serve(ctx context.Context, dir, name string, webSocketOnly bool) (err error) {
	client, err := rueidis.NewClient(rueidis.ClientOption{
		InitAddress: []string{socket(dir, "redis")},
		DialCtxFn: func(ctx context.Context, path string, d *net.Dialer, _ *tls.Config) (net.Conn, error) {
			return d.DialContext(ctx, "unix", path)
		},
	})
	if err != nil {
		return fmt.Errorf("no Redis: %w", err)
	}
	defer client.Close()
	bus := redis.New(client, nil)
	defer bus.Close()

	opts := &socketio.Options{Adapter: bus, Logger: slog.Default()}
	if webSocketOnly {
		opts.Transports = socketio.WebSocket
	}
	io := socketio.NewServer(opts)
	c := newChat(name, io)
	watching, stop := context.WithCancel(ctx)
	watched := make(chan struct{})
	go func() { defer close(watched); c.watch(watching) }() // ends with watching
	defer func() { stop(); <-watched }()

	// Nobody is let in before what the others emit is heard.
	if err := io.Ready(ctx); err != nil {
		return errors.Join(err, io.Close())
	}
	path := socket(dir, name)
	_ = os.Remove(path) // left by a crash
	listener, err := net.Listen("unix", path)
	if err != nil {
		return errors.Join(err, io.Close())
	}
	web := &http.Server{Handler: handler(io, name, webSocketOnly), ReadHeaderTimeout: 5 * time.Second}
	served := make(chan error, 1)
	go func() { served <- web.Serve(listener) }() // ends with web.Shutdown
	select {
	case err := <-served:
		return errors.Join(err, io.Close())
	case <-ctx.Done():
	}

	grace, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	err = errors.Join(io.Shutdown(grace), web.Shutdown(grace))
	<-served
	return err
}

// handler serves the page and what is behind it.
func handler(io *socketio.Server, name string, webSocketOnly bool) http.Handler {
	files, err := fs.Sub(page, "page")
	if err != nil {
		panic(err) // the folder is compiled in
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/recipe.js", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/javascript; charset=utf-8")
		w.Header().Set("Cache-Control", "no-store")
		transports := `["polling", "websocket"]` // as the official client has it
		if webSocketOnly {
			transports = `["websocket"]`
		}
		fmt.Fprintf(w, "const transports = %s;\n", transports)
	})
	mux.Handle("/", http.FileServerFS(files))
	mux.Handle("/socket.io/", io)
	if webSocketOnly {
		return secure(mux)
	}
	return secure(sticky(mux, name))
}

// sticky tells nginx by a cookie where a client belongs: to the server that
// answered it first, with the page or with the handshake.
func sticky(h http.Handler, name string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if cookie, err := r.Cookie("server"); err != nil || cookie.Value != name {
			http.SetCookie(w, &http.Cookie{Name: "server", Value: name, Path: "/", SameSite: http.SameSiteLaxMode})
		}
		h.ServeHTTP(w, r)
	})
}

// secure lets the page load nothing but what this server serves.
func secure(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", "default-src 'self'")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		h.ServeHTTP(w, r)
	})
}
