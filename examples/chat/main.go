// Command chat is the chat of the Socket.IO tutorial, made good: names, rooms
// and who is in them, who is typing, private messages, photos, and a tick when
// the server has a message. It needs no internet and keeps nothing.
//
// The README beside it lists the events.
package main

import (
	"context"
	"embed"
	"errors"
	"flag"
	"io/fs"
	"log"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/socketio-go/socketio"
)

//go:embed page
var page embed.FS

func main() {
	addr := flag.String("addr", ":3000", "`address` to listen on")
	client := flag.String("client", "", "`directory` of an npm socket.io-client/dist to serve instead of the built-in browser client")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second Ctrl-C does not wait
	if err := run(ctx, *addr, *client, log.New(os.Stdout, "", 0)); err != nil {
		log.Fatal(err)
	}
}

// run serves the chat until ctx ends. It listens before it prints where, so
// that whoever reads the line may connect at once.
func run(ctx context.Context, addr, client string, out *log.Logger) error {
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	out.Print("chat is on ", address(addr, listener))

	var bundle fs.FS
	if client != "" {
		bundle = os.DirFS(client)
	}
	handler, io := newServer(bundle, out)
	web := &http.Server{Handler: handler, ReadHeaderTimeout: 5 * time.Second}
	served := make(chan error, 1)
	go func() { served <- web.Serve(listener) }() // ends with web.Shutdown

	select {
	case err := <-served:
		return errors.Join(err, io.Close())
	case <-ctx.Done():
	}

	// Sockets first: WebSocket connections are no longer known to web.
	grace, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	err = errors.Join(io.Shutdown(grace), web.Shutdown(grace))
	<-served
	return err
}

// newServer returns the page and the Socket.IO server behind it. The server
// is returned too because its owner must shut it down.
func newServer(client fs.FS, out *log.Logger) (http.Handler, *socketio.Server) {
	io := socketio.NewServer(&socketio.Options{
		MaxPayload: 2 * maxPhoto, // base64 makes a photo a third longer on polling
		ClientFS:   client,
		Logger:     slog.Default(),
	})
	c := &chat{io: io, guests: make(map[string]guest)}

	io.OnConnect(func(s *socketio.Socket) {
		out.Print("a user connected: ", s.ID())
		c.greet(s)
	})
	io.OnDisconnect(func(s *socketio.Socket, reason socketio.Reason) {
		out.Printf("user disconnected: %s (%s)", s.ID(), reason)
		c.leave(s)
	})
	Join.On(io, c.join)
	Say.On(io, c.say)
	io.On("typing", c.typing)

	files, err := fs.Sub(page, "page")
	if err != nil {
		panic(err) // the folder is compiled in
	}
	mux := http.NewServeMux()
	mux.Handle("/socket.io/", io)
	mux.Handle("/", secure(http.FileServerFS(files)))
	return mux, io
}

// secure lets the page load nothing but what this server serves, and the
// photos it is sent.
func secure(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", "default-src 'self'; img-src 'self' blob:")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		h.ServeHTTP(w, r)
	})
}

// address returns the URL to open: with the host that was asked for and the
// port that was given.
func address(asked string, l net.Listener) string {
	host, _, _ := net.SplitHostPort(asked)
	if host == "" {
		host = "localhost"
	}
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return "http://" + net.JoinHostPort(host, port)
}
