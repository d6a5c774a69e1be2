// Command namespaces runs a chat and a live auction side by side: two
// namespaces, each with its own middleware, handlers and rooms, that share one
// connection per page.
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
	"strings"
	"syscall"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/sync/errgroup"

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

// run serves until ctx ends. It listens before it prints where, so that
// whoever reads the line may connect at once.
func run(ctx context.Context, addr, client string, out *log.Logger) error {
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	out.Print("chat and auction are on ", address(addr, listener))

	var bundle fs.FS
	if client != "" {
		bundle = os.DirFS(client)
	}
	handler, io, house := newServer(bundle, out, time.Now)
	web := &http.Server{Handler: handler, ReadHeaderTimeout: 5 * time.Second}

	// The web server and the auctioneer's clock stand and fall together.
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		house.run(ctx)
		return nil
	})
	group.Go(func() error {
		if err := web.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	})
	group.Go(func() error {
		<-ctx.Done()
		// Sockets first: WebSocket connections are no longer known to web.
		grace, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		return errors.Join(io.Shutdown(grace), web.Shutdown(grace))
	})
	return group.Wait()
}

// newServer returns the page and the Socket.IO server behind it. The caller
// runs the auction's clock and shuts the server down.
func newServer(client fs.FS, out *log.Logger, now func() time.Time) (http.Handler, *socketio.Server, *auctioneer) {
	io := socketio.NewServer(&socketio.Options{ClientFS: client, Logger: slog.Default()})
	chat, auction := io.Of("/chat"), io.Of("/auction")

	for _, ns := range []*socketio.Namespace{chat, auction} {
		ns.OnConnect(func(s *socketio.Socket) {
			out.Printf("a user connected: %s in %s", s.ID(), ns.Name())
			Welcomed.Emit(s, Welcome{s.ID(), s.Handshake().RemoteAddr})
		})
		ns.OnDisconnect(func(s *socketio.Socket, reason socketio.Reason) {
			out.Printf("user disconnected: %s (%s) in %s", s.ID(), reason, ns.Name())
		})
	}
	openChat(chat)
	house := openAuction(auction, catalogue, now)

	files, err := fs.Sub(page, "page")
	if err != nil {
		panic(err) // the folder is compiled in
	}
	mux := http.NewServeMux()
	mux.Handle("/socket.io/", io)
	mux.Handle("/", secure(http.FileServerFS(files)))
	return mux, io, house
}

// Name is who a socket is, in either namespace.
const Name socketio.Key[string] = "name"

// Credentials are what a page sends as auth, to each namespace for itself.
type Credentials struct {
	Name  string `json:"name"`
	Terms bool   `json:"terms"` // the auction's are accepted
}

// admit is the part of the middleware that both namespaces have in common: it
// wants to know a name. There are no passwords here, so a name is who you say
// you are.
func admit(s *socketio.Socket) (Credentials, error) {
	var c Credentials
	if err := s.Handshake().Auth.Decode(&c); err != nil {
		return c, socketio.Errorf("auth must be {name, terms}")
	}
	c.Name = strings.Join(strings.Fields(c.Name), " ")
	switch {
	case c.Name == "":
		return c, socketio.Errorf("please choose a name")
	case utf8.RuneCountInString(c.Name) > 24:
		return c, socketio.Errorf("a name has at most 24 characters")
	case strings.ContainsFunc(c.Name, func(r rune) bool { return !unicode.IsPrint(r) }):
		return c, socketio.Errorf("this name has characters that nobody can see")
	}
	Name.Set(s, c.Name)
	return c, nil
}

// Welcomed is the first event in either namespace.
const Welcomed socketio.Event[Welcome] = "welcome"

// A Welcome tells a client what the server knows about it. Via is the address
// that its connection came from, so it is the same in both namespaces.
type Welcome struct {
	ID  string `json:"id"`
	Via string `json:"via"`
}

// secure lets the page load nothing but what this server serves.
func secure(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", "default-src 'self'")
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
