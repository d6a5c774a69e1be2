package memnet

import "net/http"

// A Server is an [http.Server] on a network in memory.
type Server struct {
	*Listener

	// Client sends its requests to the server, whatever their host.
	Client *http.Client

	server *http.Server
	done   chan struct{}
}

// Serve starts server.
func Serve(server *http.Server) *Server {
	s := &Server{Listener: Listen(), server: server, done: make(chan struct{})}
	s.Client = &http.Client{Transport: &http.Transport{
		DialContext:        s.DialContext,
		DisableCompression: true,
	}}
	go func() { // Close ends it and waits for it
		defer close(s.done)
		_ = server.Serve(s.Listener)
	}()
	return s
}

// Close closes the server and its connections, but for those that have been
// hijacked. It does not wait for handlers.
func (s *Server) Close() error {
	err := s.server.Close()
	s.Client.CloseIdleConnections()
	<-s.done
	return err
}
