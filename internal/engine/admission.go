package engine

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/socketio-go/socketio/internal/eio"
)

// The codes of a refused request, as clients know them.
const (
	unknownTransport = iota
	unknownSession
	badMethod
	badRequest
	forbidden
	badVersion
)

var refusals = [...]string{
	"Transport unknown",
	"Session ID unknown",
	"Bad handshake method",
	"Bad request",
	"Forbidden",
	"Unsupported protocol version",
}

// A Refusal is an error whose text the client may see.
type Refusal struct {
	Message string
	Err     error // what is reported in its place, if not nil
}

func (e *Refusal) Error() string { return e.Message }

// Unwrap returns Err.
func (e *Refusal) Unwrap() error { return e.Err }

// refuse answers with Engine.IO's error object. An empty message means the
// code's own.
func refuse(w http.ResponseWriter, status, code int, message string) {
	if message == "" {
		message = refusals[code]
	}
	body, _ := json.Marshal(struct {
		Code    int    `json:"code"`
		Message string `json:"message"`
	}{code, message})
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(body)
}

// refuseError is refuse for an error of the application or of the origin
// policy, whose text is shown only if it is a Refusal.
func (srv *Server) refuseError(w http.ResponseWriter, err error) {
	if errors.Is(err, ErrBadRequest) {
		refuse(w, http.StatusBadRequest, badRequest, "")
		return
	}
	message := ""
	var refusal *Refusal
	if errors.As(err, &refusal) {
		message = refusal.Message
		if refusal.Err != nil {
			err = refusal.Err
		}
	}
	srv.report(nil, err)
	refuse(w, http.StatusForbidden, forbidden, message)
}

// ServeHTTP handles every request of every transport: all of them pass the
// same checks, those that belong to a session included.
func (srv *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	srv.tasks.add()
	defer srv.tasks.done()

	if err := srv.cfg.Origin(r, w.Header()); err != nil {
		srv.refuseError(w, err)
		return
	}
	if r.Method == http.MethodOptions && w.Header().Get("Access-Control-Allow-Methods") != "" {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	var transport Transport
	switch queryValue(r, "transport") {
	case "polling":
		transport = Polling
	case "websocket":
		transport = WebSocket
	}
	upgrade := strings.EqualFold(r.Header.Get("Upgrade"), "websocket")
	version := queryValue(r, "EIO")
	isV3 := (version == "3" || version == "") && srv.cfg.AllowEIO3 // old clients do not say it
	_, scriptable := scriptIndex(r, isV3)
	sid := queryValue(r, "sid")
	switch {
	case transport&srv.cfg.Transports == 0:
		refuse(w, http.StatusBadRequest, unknownTransport, "")
	case sid != "":
		srv.serveSession(w, r, sid, transport, upgrade)
	case r.Method != http.MethodGet:
		refuse(w, http.StatusBadRequest, badMethod, "")
	case upgrade != (transport == WebSocket) || !scriptable:
		refuse(w, http.StatusBadRequest, badRequest, "")
	case version != "4" && !isV3:
		refuse(w, http.StatusBadRequest, badVersion, "")
	default:
		srv.serveHandshake(w, r, transport)
	}
}

// serveSession handles a request that names a session.
func (srv *Server) serveSession(w http.ResponseWriter, r *http.Request, sid string, transport Transport, upgrade bool) {
	s := srv.session(sid)
	if s == nil {
		refuse(w, http.StatusBadRequest, unknownSession, "")
		return
	}
	script, scriptable := scriptIndex(r, s.v3)
	switch {
	case upgrade != (transport == WebSocket) || !scriptable:
		refuse(w, http.StatusBadRequest, badRequest, "")
	case upgrade:
		s.serveUpgrade(w, r)
	case r.Method == http.MethodGet:
		s.servePoll(w, r, script)
	case r.Method == http.MethodPost:
		s.servePost(w, r, script)
	default:
		refuse(w, http.StatusBadRequest, badMethod, "")
	}
}

// serveHandshake opens a session.
func (srv *Server) serveHandshake(w http.ResponseWriter, r *http.Request, transport Transport) {
	if srv.Stopped() || !srv.handshakes.TryAcquire(1) {
		w.Header().Set("Retry-After", "1")
		refuse(w, http.StatusServiceUnavailable, forbidden, "Server busy")
		return
	}
	defer srv.handshakes.Release(1)
	if allow := srv.cfg.AllowRequest; allow != nil {
		if err := allow(r); err != nil {
			srv.refuseError(w, err)
			return
		}
	}
	s := newSession(srv, r)
	if transport == Polling {
		script, _ := scriptIndex(r, s.v3)
		srv.openPolling(w, s, script)
	} else {
		srv.openWebSocket(w, r, s)
	}
}

func (srv *Server) openPolling(w http.ResponseWriter, s *Session, script string) {
	if !s.start(nil) {
		refuse(w, http.StatusServiceUnavailable, forbidden, "Server busy")
		return
	}
	if c := srv.cfg.Cookie; c != nil {
		cookie := *c
		cookie.Value = s.id
		http.SetCookie(w, &cookie)
	}
	f := eio.Separated
	if s.v3 {
		f = eio.Counted
	}
	body, contentType := bodyOf(w.Header(), f, script, f.Append(nil, s.openPacket(Polling)))
	srv.limitWriting(http.NewResponseController(w))
	if err := s.respond(w, contentType, body); err != nil {
		s.Discard(TransportClose)
	}
}

func (srv *Server) openWebSocket(w http.ResponseWriter, r *http.Request, s *Session) {
	handshake := frame(opText, string(s.openPacket(WebSocket)))
	first := handshake
	if s.v3 {
		first = nil // servers of its time send it by itself
	}
	t, err := s.upgrade(w, r, first)
	if err != nil {
		return
	}
	if s.v3 && t.writeNow(handshake) != nil {
		t.close()
		return
	}
	if !s.start(t) {
		t.close()
		return
	}
	srv.Go(t.read)
}

// queryValue returns the first value of a query parameter. It does not build a
// map, as every poll comes through here.
func queryValue(r *http.Request, key string) string {
	value, _ := lookupQuery(r.URL.RawQuery, key)
	return value
}

func lookupQuery(query, key string) (string, bool) {
	for query != "" {
		var pair string
		pair, query, _ = strings.Cut(query, "&")
		name, value, _ := strings.Cut(pair, "=")
		if name != key {
			continue
		}
		if strings.ContainsAny(value, "%+") {
			if unescaped, err := url.QueryUnescape(value); err == nil {
				value = unescaped
			}
		}
		return value, true
	}
	return "", false
}
