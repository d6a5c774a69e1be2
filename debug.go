package socketio

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"time"
)

// debugTop is how many connections each list of DebugHandler has.
const debugTop = 20

// DebugHandler returns a handler that shows the state of the server as a JSON object,
// for people who look for what is slow:
//
//   - "stats": [Server.Stats],
//   - "namespaces": [Namespace.Stats] by name, with those of templates as "template 1"
//     and so on; children of templates are not listed,
//   - "queues": the 20 connections with the most bytes that wait to be written,
//   - "inboxes": the 20 connections with the most events that wait for their handlers,
//     with the handlers that they wait for.
//
// It is read-only. It shows addresses, ids and names of functions, so mount it where
// only operators reach it:
//
//	mux.Handle("/debug/socketio", io.DebugHandler())
//
// A request looks at every connection, as Stats does.
func (srv *Server) DebugHandler() http.Handler {
	return http.HandlerFunc(srv.serveDebug)
}

func (srv *Server) serveDebug(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
		return
	}
	body, err := json.MarshalIndent(srv.debugState(), "", "  ")
	if err != nil {
		panic(err) // strings and numbers can always be encoded
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_, _ = w.Write(append(body, '\n')) // the client may have disconnected
}

type debugState struct {
	Stats      Stats                     `json:"stats"`
	Namespaces map[string]NamespaceStats `json:"namespaces"`
	Queues     []debugConnection         `json:"queues"`
	Inboxes    []debugConnection         `json:"inboxes"`
}

// A debugConnection describes a connection.
type debugConnection struct {
	Remote      string        `json:"remote"`
	Transport   string        `json:"transport"`
	QueuedBytes int64         `json:"queuedBytes"`
	InboxEvents int           `json:"inboxEvents"`
	Sockets     []debugSocket `json:"sockets"`

	conn *conn
}

// A debugSocket describes a socket. Event and Handler are those of the handler that
// runs, or empty.
type debugSocket struct {
	ID        string `json:"id"`
	Namespace string `json:"namespace"`
	Event     string `json:"event,omitempty"`
	Handler   string `json:"handler,omitempty"`
}

func (srv *Server) debugState() debugState {
	st := debugState{Stats: srv.Stats(), Namespaces: make(map[string]NamespaceStats)}
	for n := range srv.Namespaces() {
		if n.parent == nil {
			st.Namespaces[n.name] = n.Stats()
		}
	}
	number := 0
	for n := range srv.Templates() {
		number++
		st.Namespaces[fmt.Sprint("template ", number)] = n.Stats()
	}
	var all []debugConnection
	for _, session := range srv.engine.Sessions() {
		c, _ := session.Receiver().(*conn)
		if c == nil {
			continue
		}
		c.mu.Lock()
		waiting := int(c.waiting)
		c.mu.Unlock()
		if queued := session.Queued(); queued > 0 || waiting > 0 {
			all = append(all, debugConnection{QueuedBytes: queued, InboxEvents: waiting, conn: c})
		}
	}
	st.Queues = most(all, func(d debugConnection) int64 { return d.QueuedBytes })
	st.Inboxes = most(all, func(d debugConnection) int64 { return int64(d.InboxEvents) })
	return st
}

// most returns the connections with the highest counts, the highest first, without
// those whose count is 0.
func most(all []debugConnection, count func(debugConnection) int64) []debugConnection {
	list := slices.DeleteFunc(slices.Clone(all), func(d debugConnection) bool { return count(d) == 0 })
	slices.SortStableFunc(list, func(a, b debugConnection) int { return cmp.Compare(count(b), count(a)) })
	list = list[:min(len(list), debugTop)]
	for i := range list {
		list[i].describe()
	}
	if list == nil {
		list = []debugConnection{} // [] in JSON
	}
	return list
}

func (d *debugConnection) describe() {
	described := d.conn.describe()
	d.Remote, d.Transport = described.RemoteAddr, described.Transport.String()
	busy := d.conn.busySockets()
	d.Sockets = []debugSocket{}
	for _, s := range d.conn.list() {
		socket := debugSocket{ID: s.logID(), Namespace: s.ns.name}
		if slices.Contains(busy, s) {
			running := newStuckError(s, time.Time{})
			socket.Event, socket.Handler = shorten(running.Event, maxLogText), running.Handler
		}
		d.Sockets = append(d.Sockets, socket)
	}
}

// MarshalJSON returns an object with the counts by reason, without those that are 0.
func (c ReasonCounts) MarshalJSON() ([]byte, error) {
	counts := make(map[Reason]uint64)
	for reason, n := range c.All() {
		if n > 0 {
			counts[reason] = n
		}
	}
	return json.Marshal(counts)
}
