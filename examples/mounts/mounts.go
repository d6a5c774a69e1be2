// Command mounts shows the same Socket.IO server under net/http, with and
// without a prefix, and under chi, gin and echo.
//
//	go run . -under chi
package main

import (
	"flag"
	"log"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"
	"github.com/labstack/echo/v4"
	echomiddleware "github.com/labstack/echo/v4/middleware"

	"github.com/socketio-go/socketio"
)

// mounts are the ways to serve io, by name. All but one are at "/socket.io/".
var mounts = map[string]mountFunc{
	"net/http": underNetHTTP,
	"prefix":   underPrefix,
	"chi":      underChi,
	"gin":      underGin,
	"echo":     underEcho,
}

type mountFunc func(io *socketio.Server) http.Handler

func underNetHTTP(io *socketio.Server) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/socket.io/", io)
	return mux
}

// Clients say io({ path: "/app/socket.io/" }).
func underPrefix(io *socketio.Server) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/app/socket.io/", http.StripPrefix("/app", io))
	return mux
}

func underChi(io *socketio.Server) http.Handler {
	r := chi.NewRouter()
	r.Use(middleware.RequestID, middleware.Recoverer)
	r.Handle("/socket.io/*", io)
	return r
}

func underGin(io *socketio.Server) http.Handler {
	gin.SetMode(gin.ReleaseMode)
	r := gin.New()
	r.Use(gin.Recovery())
	r.Any("/socket.io/*any", gin.WrapH(io))
	return r
}

func underEcho(io *socketio.Server) http.Handler {
	e := echo.New()
	e.Use(echomiddleware.Recover())
	e.Any("/socket.io/*", echo.WrapHandler(io))
	return e
}

// newServer returns the server that is mounted: it echoes.
func newServer() *socketio.Server {
	io := socketio.NewServer(nil)
	io.On("echo", func(s *socketio.Socket, text string) error { return s.Emit("echo", text) })
	return io
}

func main() {
	addr := flag.String("addr", ":3000", "address to listen on")
	under := flag.String("under", "net/http", "net/http, prefix, chi, gin or echo")
	flag.Parse()
	mount, ok := mounts[*under]
	if !ok {
		log.Fatalf("there is no mount %q", *under)
	}
	log.Printf("an echo under %s is on http://localhost%s/socket.io/", *under, *addr)
	server := &http.Server{Addr: *addr, Handler: mount(newServer()), ReadHeaderTimeout: 5 * time.Second}
	log.Fatal(server.ListenAndServe())
}
