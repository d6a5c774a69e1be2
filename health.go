package socketio

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"path"
)

// ErrDraining is why a server is not healthy after [Server.Drain].
var ErrDraining = errors.New("socketio: the server is draining")

// ErrOverloaded is why a server is not healthy while [Options.MaxHandshakes]
// handshakes are under way.
var ErrOverloaded = errors.New("socketio: too many handshakes are under way")

// Drain makes [Server.Health] return [ErrDraining], so that load balancers send no
// new clients. It changes nothing else: connected clients are served, and new ones
// are accepted. [Server.Shutdown] follows when the load balancers have noticed.
//
// It does not block and may be called again.
func (srv *Server) Drain() { srv.draining.Store(true) }

// Health returns nil if the server should get new clients. Otherwise it returns
// why not:
//
//   - [ErrClosed] after Shutdown or Close has been called,
//   - [ErrDraining] after [Server.Drain],
//   - an error that names a namespace that is not connected to the cluster,
//   - [ErrOverloaded].
//
// It does not block. [Server.Ready] waits until a server is connected to its
// cluster.
func (srv *Server) Health() error {
	switch {
	case srv.engine.Stopped():
		return ErrClosed
	case srv.draining.Load():
		return ErrDraining
	}
	for n := range srv.Namespaces() {
		if n.cluster == nil {
			continue
		}
		if err := n.cluster.status.health(); err != nil {
			return fmt.Errorf("socketio: cluster: namespace %q is not connected: %w", n.name, err)
		}
	}
	if srv.engine.Overloaded() {
		return ErrOverloaded
	}
	return nil
}

// HealthHandler returns a handler for the probes of load balancers and
// orchestrators. The last element of the path decides what it answers:
//
//   - "live": 200, also while the server drains. It fails only if the process does
//     not answer at all, so that a restart is what helps.
//   - any other, such as "ready": 200 if [Server.Health] returns nil, else 503.
//
// The body is a JSON object with "status": "live", "ready", "closed", "draining",
// "disconnected" or "overloaded", and with "reason" if the status is one of the last
// four. The reason may name hosts of the cluster, so mount the handler where only
// probes reach it:
//
//	mux.Handle("/health/", io.HealthHandler())
func (srv *Server) HealthHandler() http.Handler {
	return http.HandlerFunc(srv.serveHealth)
}

func (srv *Server) serveHealth(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
		return
	}
	var answer struct {
		Status string `json:"status"`
		Reason string `json:"reason,omitempty"`
	}
	answer.Status = "live"
	code := http.StatusOK
	if path.Base(r.URL.Path) != "live" {
		err := srv.Health()
		answer.Status = healthStatus(err)
		if err != nil {
			answer.Reason = err.Error()
			code = http.StatusServiceUnavailable
		}
	}
	body, err := json.Marshal(answer)
	if err != nil {
		panic(err) // strings can always be encoded
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(code)
	_, _ = w.Write(append(body, '\n')) // the probe may have gone
}

func healthStatus(err error) string {
	switch err {
	case nil:
		return "ready"
	case ErrClosed:
		return "closed"
	case ErrDraining:
		return "draining"
	case ErrOverloaded:
		return "overloaded"
	}
	return "disconnected"
}
