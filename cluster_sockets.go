package socketio

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/socketio-go/socketio/adapter"
	"github.com/socketio-go/socketio/internal/arguments"
)

// A RemoteSocket describes a socket that may be on another server, at the time of the
// request. To send to it, emit to the room of its ID.
type RemoteSocket struct {
	ID        string
	Handshake Handshake
	Rooms     []string

	values map[string]any // those of another server are of type remoteValue
}

// A remoteValue is a value attached to a socket of another server, as one argument
// that is not decoded yet.
type remoteValue = arguments.List

// socketDetails is how servers describe a socket to each other.
type socketDetails struct {
	ID        string           `json:"id"`
	Handshake handshakeDetails `json:"handshake"`
	Rooms     []text           `json:"rooms"`
	Data      map[string]any   `json:"data"`
}

type handshakeDetails struct {
	Header      map[string]texts `json:"headers"`
	Time        string           `json:"time"`
	RemoteAddr  string           `json:"address"`
	CrossDomain bool             `json:"xdomain"`
	Secure      bool             `json:"secure"`
	Issued      int64            `json:"issued"` // in milliseconds
	URL         string           `json:"url"`
	Query       map[string]texts `json:"query"`
	Auth        json.RawMessage  `json:"auth,omitempty"`
}

// nodeTime is how JavaScript writes a date.
const nodeTime = "Mon Jan 02 2006 15:04:05 GMT-0700 (MST)"

// serveFetchRequest responds to another server with the matching sockets of this one.
func (cn *clusterNamespace) serveFetchRequest(e Emitter, m *adapter.Message) {
	details := make([]any, 0, 16)
	for _, socket := range e.localSockets() {
		details = append(details, socket.details())
	}
	args, err := cn.ns.srv.busArgs(details...)
	if err != nil {
		cn.ns.srv.reportError(nil, err)
	}
	cn.respond(m, adapter.Message{Kind: adapter.Fetched, Data: args.array(), Binary: args.bin})
}

// details describes s to another server, without the values that can't be encoded.
func (s *Socket) details() *socketDetails {
	h := s.Handshake()
	d := &socketDetails{
		ID: s.id,
		Handshake: handshakeDetails{
			Header:      make(map[string]texts, len(h.Header)),
			Time:        h.Time.Format(nodeTime),
			RemoteAddr:  h.RemoteAddr,
			CrossDomain: h.Header.Get("Origin") != "",
			Secure:      h.Secure,
			Issued:      h.Time.UnixMilli(),
			URL:         h.URL.RequestURI(),
			Query:       make(map[string]texts),
			Auth:        h.Auth.Raw(0),
		},
	}
	for name, values := range h.Header {
		d.Handshake.Header[strings.ToLower(name)] = texts{strings.Join(values, ", ")}
	}
	if h.Host != "" {
		d.Handshake.Header["host"] = texts{h.Host} // net/http removes it from the header
	}
	for name, values := range h.URL.Query() {
		d.Handshake.Query[name] = values
	}
	for _, name := range s.Rooms() {
		d.Rooms = append(d.Rooms, text(name))
	}
	d.Data = s.encodable(s.copyValues())
	return d
}

// encodable returns the values that can be sent to other servers. It reports the
// others.
func (s *Socket) encodable(values map[string]any) map[string]any {
	fit := make(map[string]any, len(values))
	for name, v := range values {
		if _, err := s.ns.srv.busArgs(v); err != nil {
			s.ns.srv.reportError(s, fmt.Errorf("socketio: value %q can't be sent to other servers: %w", name, err))
			continue
		}
		fit[name] = v
	}
	return fit
}

// encodeValues encodes the values as one argument. It calls their methods on another
// goroutine, for which it waits.
func (s *Socket) encodeValues(values map[string]any) Args {
	var args Args
	s.ns.srv.isolate(s, "", func() {
		var err error
		if args, err = s.ns.srv.busArgs(s.encodable(values)); err != nil { // not expected: each value can be encoded
			s.ns.srv.reportError(s, err)
		}
	})
	return args
}

// remoteSockets decodes the response of another server's serveFetchRequest.
func remoteSockets(m *adapter.Message) ([]RemoteSocket, error) {
	args, err := receivedArgs(m)
	if err != nil {
		return nil, err
	}
	var list []RemoteSocket
	for i := range args.raw {
		var d struct {
			socketDetails
			Data map[string]json.RawMessage `json:"data"`
		}
		if err := decodeArg(args.raw[i], nil, &d); err != nil {
			return list, err
		}
		list = append(list, d.socket(d.Data, args.bin))
	}
	return list, nil
}

func (d *socketDetails) socket(data map[string]json.RawMessage, bin [][]byte) RemoteSocket {
	h := &d.Handshake
	r := RemoteSocket{
		ID: d.ID,
		Handshake: Handshake{
			Header:     make(http.Header),
			RemoteAddr: h.RemoteAddr,
			Time:       time.UnixMilli(h.Issued),
			Secure:     h.Secure,
		},
		values: make(map[string]any),
	}
	for name, values := range h.Header {
		r.Handshake.Header[http.CanonicalHeaderKey(name)] = values
	}
	r.Handshake.Host = r.Handshake.Header.Get("Host")
	r.Handshake.Header.Del("Host") // as net/http does
	var err error
	if r.Handshake.URL, err = url.ParseRequestURI(h.URL); err != nil {
		r.Handshake.URL = new(url.URL)
	}
	if len(h.Auth) > 0 {
		r.Handshake.Auth = Args{[][]byte{h.Auth}, bin}
	}
	for _, name := range d.Rooms {
		r.Rooms = append(r.Rooms, string(name))
	}
	for name, raw := range data {
		r.values[name] = remoteValue{Raw: [][]byte{raw}, Bin: bin}
	}
	return r
}

// A text is a string that other implementations may write as a number.
type text string

// UnmarshalJSON implements [json.Unmarshaler].
func (t *text) UnmarshalJSON(raw []byte) error {
	if raw[0] == '"' {
		return json.Unmarshal(raw, (*string)(t))
	}
	*t = text(raw)
	return nil
}

// texts are strings, written as a single string if there is one.
type texts []string

// MarshalJSON implements [json.Marshaler].
func (t texts) MarshalJSON() ([]byte, error) {
	if len(t) == 1 {
		return json.Marshal(t[0])
	}
	return json.Marshal([]string(t))
}

// UnmarshalJSON implements [json.Unmarshaler].
func (t *texts) UnmarshalJSON(raw []byte) error {
	if raw[0] == '[' {
		return json.Unmarshal(raw, (*[]string)(t))
	}
	var one text
	err := one.UnmarshalJSON(raw)
	*t = slices.Insert((*t)[:0], 0, string(one))
	return err
}
