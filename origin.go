package socketio

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/socketio-go/socketio/internal/engine"
)

// An originPolicy decides which pages may connect. It is asked about every
// request of every transport, as browsers do not apply CORS to WebSocket.
type originPolicy struct {
	any      bool
	scripts  bool     // pages may poll by scripts
	listed   []string // canonical
	patterns []originPattern
}

// An originPattern is an origin such as https://*.example.com.
type originPattern struct{ prefix, suffix string }

var errOriginRefused = &engine.Forbidden{Message: "Origin not allowed, see Options.Origins"}

// newOriginPolicy panics if an origin can't be one.
func newOriginPolicy(origins []string) *originPolicy {
	p := &originPolicy{}
	for _, o := range origins {
		if o == "*" {
			p.any = true
			continue
		}
		if opaqueOrigin(o) {
			p.listed = append(p.listed, o)
			continue
		}
		canonical, err := canonicalOrigin(o)
		prefix, suffix, wild := strings.Cut(canonical, "*")
		w := originPattern{prefix, suffix}
		switch {
		case err != nil || wild && !w.valid():
			panic("socketio: Options.Origins: " + o + " is not an origin such as https://example.com or https://*.example.com, null or file://")
		case wild:
			p.patterns = append(p.patterns, w)
		default:
			p.listed = append(p.listed, canonical)
		}
	}
	return p
}

// check decides on a request and sets the CORS headers of its response. A
// request without Origin is no cross-origin request of a page, unless the
// browser says so.
func (p *originPolicy) check(r *http.Request, h http.Header) error {
	if p.any {
		h.Set("Access-Control-Allow-Origin", "*")
		p.preflight(r, h)
		return nil
	}
	if len(p.listed)+len(p.patterns) > 0 {
		h.Add("Vary", "Origin")
	}
	switch values := r.Header["Origin"]; len(values) {
	case 0:
		if p.scripts && engine.IsScript(r) {
			return p.checkScript(r, h)
		}
		switch r.Header.Get("Sec-Fetch-Site") {
		case "cross-site", "same-site":
			return errOriginRefused
		}
		return nil
	case 1:
		return p.checkOrigin(values[0], r, h)
	default:
		return engine.ErrBadRequest
	}
}

// checkScript decides on a request that a page makes by adding a script to
// itself. It has no Origin, and the oldest browsers do not say at all where it
// comes from, so it is refused unless the page is known.
func (p *originPolicy) checkScript(r *http.Request, h http.Header) error {
	if r.Header.Get("Sec-Fetch-Site") == "same-origin" {
		return nil
	}
	page, err := url.Parse(r.Referer())
	if err != nil || page.Host == "" {
		return errOriginRefused
	}
	return p.checkOrigin(page.Scheme+"://"+page.Host, r, h)
}

func (p *originPolicy) checkOrigin(value string, r *http.Request, h http.Header) error {
	for i := range len(value) {
		if value[i] <= ' ' || value[i] > '~' {
			return engine.ErrBadRequest
		}
	}
	origin := value
	if !opaqueOrigin(value) {
		if url := withoutPath(value); url != value {
			// The URL of a page or of the endpoint, as programs send it. No browser
			// does, so it is compared with the own host only.
			if origin, err := canonicalOrigin(url); err != nil || !sameHost(origin, r) {
				return errOriginRefused
			}
			return nil
		}
		var err error
		if origin, err = canonicalOrigin(value); err != nil {
			return errOriginRefused
		}
	}
	switch {
	case sameHost(origin, r):
		return nil
	case slices.Contains(p.listed, origin), slices.ContainsFunc(p.patterns, func(w originPattern) bool { return w.match(origin) }):
		h.Set("Access-Control-Allow-Origin", value)
		h.Set("Access-Control-Allow-Credentials", "true")
		p.preflight(r, h)
		return nil
	}
	return errOriginRefused
}

// preflight completes the answer to an OPTIONS request of an allowed origin.
func (p *originPolicy) preflight(r *http.Request, h http.Header) {
	if r.Method != http.MethodOptions {
		return
	}
	h.Set("Access-Control-Allow-Methods", "GET,POST")
	if asked := r.Header.Get("Access-Control-Request-Headers"); asked != "" {
		h.Set("Access-Control-Allow-Headers", asked)
		h.Add("Vary", "Access-Control-Request-Headers")
	}
}

// valid reports whether the wildcard is a label of its own, before others.
func (w originPattern) valid() bool {
	return (strings.HasSuffix(w.prefix, "://") || strings.HasSuffix(w.prefix, ".")) &&
		strings.HasPrefix(w.suffix, ".") && len(w.suffix) > 1 && !strings.Contains(w.suffix, "*")
}

// match reports whether whole labels stand in place of the wildcard.
func (w originPattern) match(origin string) bool {
	if len(origin) <= len(w.prefix)+len(w.suffix) || !strings.HasPrefix(origin, w.prefix) || !strings.HasSuffix(origin, w.suffix) {
		return false
	}
	labels := origin[len(w.prefix) : len(origin)-len(w.suffix)]
	return !strings.ContainsAny(labels, "/:@") && !slices.Contains(strings.Split(labels, "."), "")
}

// opaqueOrigin reports whether o is one of the origins without a host that
// browsers send. They are allowed only if they are listed.
func opaqueOrigin(o string) bool { return o == "null" || o == "file://" }

// withoutPath returns the URL up to the first slash behind its host.
func withoutPath(url string) string {
	scheme, rest, ok := strings.Cut(url, "://")
	if !ok {
		return url
	}
	host, _, _ := strings.Cut(rest, "/")
	return scheme + "://" + host
}

var errNoOrigin = errors.New("socketio: not an origin")

// canonicalOrigin returns scheme://host[:port] in lower case, without the
// scheme's own port.
func canonicalOrigin(s string) (string, error) {
	u, err := url.Parse(s)
	if err != nil || u.Scheme == "" || u.Hostname() == "" || !strings.EqualFold(u.Scheme+"://"+u.Host, s) {
		return "", errNoOrigin // or there is more than that
	}
	if u.Host[0] != '[' && strings.Contains(u.Hostname(), ":") {
		return "", errNoOrigin
	}
	return strings.ToLower(u.Scheme + "://" + withoutPort(u.Host, u.Scheme)), nil
}

func withoutPort(host, scheme string) string {
	switch strings.ToLower(scheme) {
	case "http", "ws":
		return strings.TrimSuffix(host, ":80")
	case "https", "wss":
		return strings.TrimSuffix(host, ":443")
	}
	return host
}

// sameHost reports whether a page of this origin was served by the host that
// the request is for. Behind a proxy that ends TLS the scheme is not known.
// Programs may send the scheme of the WebSocket, browsers never do.
func sameHost(origin string, r *http.Request) bool {
	scheme, host, _ := strings.Cut(origin, "://")
	switch scheme {
	case "https", "wss":
	case "http", "ws":
		if r.TLS != nil {
			return false
		}
	default:
		return false
	}
	return host == strings.ToLower(withoutPort(r.Host, scheme))
}
