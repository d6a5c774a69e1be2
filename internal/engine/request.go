package engine

import (
	"context"
	"crypto/tls"
	"net/http"
	"reflect"
	"strings"
)

// A Request is what a session keeps of the request that opened it.
type Request struct {
	Header     http.Header // without what only the WebSocket handshake needs
	Host       string
	URI        string
	RemoteAddr string
	TLS        *tls.ConnectionState // nil without TLS
}

// A packedRequest is a Request in one piece of memory, as it is kept for every
// session and seldom asked for.
type packedRequest struct {
	text string // host, URI, address, and every name and value, each ended by a NUL
	tls  *tls.ConnectionState
	ctx  context.Context // for the values of the request's
}

// handshakeOnly are the headers that mean nothing after the handshake.
var handshakeOnly = map[string]bool{
	"Connection":               true,
	"Upgrade":                  true,
	"Sec-Websocket-Key":        true,
	"Sec-Websocket-Version":    true,
	"Sec-Websocket-Extensions": true,
}

// maxHeaderFields bounds the header fields that are kept: unpacking a megabyte of
// tiny ones takes 29 MiB. Node.js keeps as many by default, and drops the rest, too.
const maxHeaderFields = 2000

// packRequest keeps r. net/http lets no NUL into any of it.
func packRequest(r *http.Request) packedRequest {
	var b strings.Builder
	add := func(s string) {
		b.WriteString(s)
		b.WriteByte(0)
	}
	b.Grow(256)
	add(r.Host)
	add(r.RequestURI)
	add(r.RemoteAddr)
	n := 0
	for name, values := range r.Header {
		if handshakeOnly[name] {
			continue
		}
		for _, v := range values {
			if n++; n > maxHeaderFields {
				break
			}
			add(name)
			add(v)
		}
	}
	return packedRequest{strings.Clone(b.String()), r.TLS, valuesOf(r.Context())}
}

func (p *packedRequest) unpack() *Request {
	parts := strings.Split(p.text, "\x00")
	r := &Request{
		Header:     make(http.Header),
		Host:       parts[0],
		URI:        parts[1],
		RemoteAddr: parts[2],
		TLS:        p.tls,
	}
	for list := parts[3:]; len(list) >= 2; list = list[2:] {
		r.Header[list[0]] = append(r.Header[list[0]], list[1])
	}
	return r
}

// remoteAddr is unpack for the address alone.
func (p *packedRequest) remoteAddr() string {
	_, text, _ := strings.Cut(p.text, "\x00")
	_, text, _ = strings.Cut(text, "\x00")
	text, _, _ = strings.Cut(text, "\x00")
	return text
}

// cancelCtx is the type of contexts that only add cancellation.
var cancelCtx = func() reflect.Type {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return reflect.TypeOf(ctx)
}()

// valuesOf returns a context with the values of ctx, perhaps without its
// cancellation. net/http wraps the context of a request in two that add only
// that. They are most of what a session would keep, so they are left out.
func valuesOf(ctx context.Context) context.Context {
	for reflect.TypeOf(ctx) == cancelCtx {
		inner := reflect.ValueOf(ctx).Elem().FieldByName("Context")
		if !inner.IsValid() || !inner.CanInterface() {
			break
		}
		parent, ok := inner.Interface().(context.Context)
		if !ok {
			break
		}
		ctx = parent //nolint:fatcontext // it is unwrapped, not wrapped again
	}
	return ctx
}
