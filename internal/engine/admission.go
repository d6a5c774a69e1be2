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

// A Forbidden is an error of the application or of the origin policy whose text
// the client may see.
type Forbidden struct {
	Message string
	Err     error // the reason for the operator, if it is another
}

func (e *Forbidden) Error() string { return e.Message }

// Unwrap returns Err.
func (e *Forbidden) Unwrap() error { return e.Err }

// A RefusedError says that a request was refused. It holds nothing secret.
type RefusedError struct {
	Status  int    // of the response
	Code    int    // of Engine.IO
	Message string // that the client got, or what is wrong if it got none
	Request *http.Request
	Err     error // the application's reason, if there is one
}

func (e *RefusedError) Error() string { return e.Message }

// Unwrap returns Err.
func (e *RefusedError) Unwrap() error { return e.Err }

// refuse answers with Engine.IO's error object. An empty message means the
// code's own.
func (srv *Server) refuse(w http.ResponseWriter, r *http.Request, status, code int, message string) {
	srv.refuseWith(w, r, &RefusedError{Status: status, Code: code, Message: message})
}

func (srv *Server) refuseWith(w http.ResponseWriter, r *http.Request, e *RefusedError) {
	if e.Message == "" {
		e.Message = refusals[e.Code]
	}
	e.Request = r
	srv.report(nil, e)
	body, _ := json.Marshal(struct {
		Code    int    `json:"code"`
		Message string `json:"message"`
	}{e.Code, e.Message})
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(e.Status)
	_, _ = w.Write(body)
}

// refuseBare answers with a status alone. problem is for the operator.
func (srv *Server) refuseBare(w http.ResponseWriter, r *http.Request, status int, problem string) {
	srv.report(nil, &RefusedError{Status: status, Code: badRequest, Message: problem, Request: r})
	w.WriteHeader(status)
}

// refuseError is refuse for an error of the application or of the origin
// policy, whose text is shown only if it is a [Forbidden].
func (srv *Server) refuseError(w http.ResponseWriter, r *http.Request, err error) {
	if errors.Is(err, ErrBadRequest) {
		srv.refuse(w, r, http.StatusBadRequest, badRequest, "")
		return
	}
	e := &RefusedError{Status: http.StatusForbidden, Code: forbidden, Err: err}
	var shown *Forbidden
	if errors.As(err, &shown) {
		e.Message, e.Err = shown.Message, shown.Err
	}
	srv.refuseWith(w, r, e)
}

// ServeHTTP handles every request of every transport: all of them pass the
// same checks, those that belong to a session included.
func (srv *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	srv.tasks.add()
	defer srv.tasks.done()

	if err := srv.cfg.Origin(r, w.Header()); err != nil {
		srv.refuseError(w, r, err)
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
	version := protocolOf(r)
	isV3 := version == "3" && srv.cfg.AllowEIO3
	_, scriptable := scriptIndex(r, isV3)
	sid := queryValue(r, "sid")
	switch {
	case transport&srv.cfg.Transports == 0:
		srv.refuse(w, r, http.StatusBadRequest, unknownTransport, "")
	case sid != "":
		srv.serveSession(w, r, sid, transport, upgrade)
	case r.Method != http.MethodGet:
		srv.refuse(w, r, http.StatusBadRequest, badMethod, "")
	case upgrade != (transport == WebSocket) || !scriptable:
		srv.refuse(w, r, http.StatusBadRequest, badRequest, "")
	case version != "4" && !isV3:
		srv.refuse(w, r, http.StatusBadRequest, badVersion, "")
	default:
		srv.serveHandshake(w, r, transport)
	}
}

// serveSession handles a request that names a session.
func (srv *Server) serveSession(w http.ResponseWriter, r *http.Request, sid string, transport Transport, upgrade bool) {
	s := srv.session(sid)
	if s == nil {
		srv.refuse(w, r, http.StatusBadRequest, unknownSession, "")
		return
	}
	returned := false
	defer func() {
		if !returned { // a body or a response has panicked
			s.Discard(TransportError)
		}
	}()
	script, scriptable := scriptIndex(r, s.v3)
	switch {
	case upgrade != (transport == WebSocket) || !scriptable:
		srv.refuse(w, r, http.StatusBadRequest, badRequest, "")
	case upgrade:
		s.serveUpgrade(w, r)
	case r.Method == http.MethodGet:
		s.servePoll(w, r, script)
	case r.Method == http.MethodPost:
		s.servePost(w, r, script)
	default:
		srv.refuse(w, r, http.StatusBadRequest, badMethod, "")
	}
	returned = true
}

// Overloaded reports whether Config.MaxHandshakes handshakes are under way.
func (srv *Server) Overloaded() bool {
	if srv.handshakes.TryAcquire(1) {
		srv.handshakes.Release(1)
		return false
	}
	return true
}

// serveHandshake opens a session.
func (srv *Server) serveHandshake(w http.ResponseWriter, r *http.Request, transport Transport) {
	if srv.Stopped() || !srv.handshakes.TryAcquire(1) {
		w.Header().Set("Retry-After", "1")
		srv.refuse(w, r, http.StatusServiceUnavailable, forbidden, "Server busy")
		return
	}
	defer srv.handshakes.Release(1)
	if allow := srv.cfg.AllowRequest; allow != nil {
		if err := allow(r); err != nil {
			srv.refuseError(w, r, err)
			return
		}
	}
	s := newSession(srv, r)
	if transport == Polling {
		script, _ := scriptIndex(r, s.v3)
		srv.openPolling(w, r, s, script)
	} else {
		srv.openWebSocket(w, r, s)
	}
}

func (srv *Server) openPolling(w http.ResponseWriter, r *http.Request, s *Session, script string) {
	if !s.start(nil) {
		srv.refuse(w, r, http.StatusServiceUnavailable, forbidden, "Server busy")
		return
	}
	err := errPanicked // unless it returns
	defer func() {
		if err != nil {
			s.Discard(TransportClose)
		}
	}()
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
	d := requestDeadline{session: s, rc: http.NewResponseController(w), write: true}
	d.extend(srv.cfg.WriteTimeout)
	err = s.respond(w, &d, contentType, body)
}

func (srv *Server) openWebSocket(w http.ResponseWriter, r *http.Request, s *Session) {
	t, err := s.upgrade(w, r)
	if err != nil {
		return
	}
	// In a write of its own: some clients drop what they read with the response.
	if t.writeNow(frame(opText, string(s.openPacket(WebSocket)))) != nil || !s.start(t) {
		t.close()
		return
	}
	srv.Go(t.read)
}

// protocolOf returns the version of Engine.IO that a request names. Clients of
// the first Socket.IO 1 name none, and speak version 3.
func protocolOf(r *http.Request) string {
	if version := queryValue(r, "EIO"); version != "" {
		return version
	}
	return "3"
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
