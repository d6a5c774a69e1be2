// Package origin decides which web pages may connect, and sets the CORS headers.
package origin

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/socketio-go/socketio/internal/engine"
)

// A Policy says which pages may connect. It applies to every request of every
// transport: browsers do not apply CORS to WebSocket. Its methods may be called
// concurrently.
type Policy struct {
	any      bool
	scripts  bool     // pages may poll by script elements
	listed   []string // canonical
	patterns []pattern
}

// A pattern is an origin such as https://*.example.com.
type pattern struct{ prefix, suffix string }

var errRefused = &engine.Forbidden{Message: "Origin not allowed, see Options.Origins"}

// New returns the policy that allows the listed origins, and pages of the own host.
// "*" allows every origin. If scripts is set, a page may poll by script elements,
// as clients of Engine.IO 3 do. The error names the value that is not an origin.
func New(origins []string, scripts bool) (*Policy, error) {
	p := &Policy{scripts: scripts}
	for _, o := range origins {
		if o == "*" {
			p.any = true
			continue
		}
		if isOpaque(o) {
			p.listed = append(p.listed, o)
			continue
		}
		canonical, ok := canonical(o)
		prefix, suffix, wild := strings.Cut(canonical, "*")
		w := pattern{prefix, suffix}
		switch {
		case !ok || wild && !w.valid():
			return nil, errors.New(o + " is not an origin such as https://example.com or https://*.example.com, null or file://")
		case wild:
			p.patterns = append(p.patterns, w)
		default:
			p.listed = append(p.listed, canonical)
		}
	}
	return p, nil
}

// Check decides on a request and sets the CORS headers of its response. Its error is
// an [engine.Forbidden] or [engine.ErrBadRequest]. A request without Origin is not a
// cross-origin request of a page, unless Sec-Fetch-Site says that it is.
func (p *Policy) Check(r *http.Request, h http.Header) error {
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
			return errRefused
		}
		return nil
	case 1:
		return p.checkOrigin(values[0], r, h)
	default:
		return engine.ErrBadRequest
	}
}

// checkScript decides on a request that a page makes with a script element. Such a
// request has no Origin. The oldest browsers send no Sec-Fetch-Site either. So it is
// refused unless it, or its Referer, names a page that may connect.
func (p *Policy) checkScript(r *http.Request, h http.Header) error {
	if r.Header.Get("Sec-Fetch-Site") == "same-origin" {
		return nil
	}
	page, err := url.Parse(r.Referer())
	if err != nil || page.Host == "" {
		return errRefused
	}
	return p.checkOrigin(page.Scheme+"://"+page.Host, r, h)
}

func (p *Policy) checkOrigin(value string, r *http.Request, h http.Header) error {
	for i := range len(value) {
		if value[i] <= ' ' || value[i] > '~' {
			return engine.ErrBadRequest
		}
	}
	origin := value
	if !isOpaque(value) {
		if url := withoutPath(value); url != value {
			// Some programs, but no browser, send the URL of a page or of the endpoint.
			// It is compared with the own host only.
			if origin, ok := canonical(url); !ok || !sameHost(origin, r) {
				return errRefused
			}
			return nil
		}
		var ok bool
		if origin, ok = canonical(value); !ok {
			return errRefused
		}
	}
	switch {
	case sameHost(origin, r):
		return nil
	case slices.Contains(p.listed, origin), slices.ContainsFunc(p.patterns, func(w pattern) bool { return w.match(origin) }):
		h.Set("Access-Control-Allow-Origin", value)
		h.Set("Access-Control-Allow-Credentials", "true")
		p.preflight(r, h)
		return nil
	}
	return errRefused
}

// preflight completes the response to an OPTIONS request from an allowed origin.
func (p *Policy) preflight(r *http.Request, h http.Header) {
	if r.Method != http.MethodOptions {
		return
	}
	h.Set("Access-Control-Allow-Methods", "GET,POST")
	if requested := r.Header.Get("Access-Control-Request-Headers"); requested != "" {
		h.Set("Access-Control-Allow-Headers", requested)
		h.Add("Vary", "Access-Control-Request-Headers")
	}
}

// valid reports whether the wildcard stands for whole labels, and labels follow it.
func (w pattern) valid() bool {
	return (strings.HasSuffix(w.prefix, "://") || strings.HasSuffix(w.prefix, ".")) &&
		strings.HasPrefix(w.suffix, ".") && len(w.suffix) > 1 && !strings.Contains(w.suffix, "*")
}

// match reports whether the origin has whole labels in place of the wildcard.
func (w pattern) match(origin string) bool {
	if len(origin) <= len(w.prefix)+len(w.suffix) || !strings.HasPrefix(origin, w.prefix) || !strings.HasSuffix(origin, w.suffix) {
		return false
	}
	labels := origin[len(w.prefix) : len(origin)-len(w.suffix)]
	return !strings.ContainsAny(labels, "/:@") && !slices.Contains(strings.Split(labels, "."), "")
}

// isOpaque reports whether o is an origin without a host. Browsers send such origins.
// They are allowed only if they are listed.
func isOpaque(o string) bool { return o == "null" || o == "file://" }

// withoutPath returns the URL up to the first slash after its host.
func withoutPath(url string) string {
	scheme, rest, ok := strings.Cut(url, "://")
	if !ok {
		return url
	}
	host, _, _ := strings.Cut(rest, "/")
	return scheme + "://" + host
}

// canonical returns scheme://host[:port] in lower case, without the default port of the
// scheme. ok is false if s is not an origin, or is more than an origin.
func canonical(s string) (origin string, ok bool) {
	u, err := url.Parse(s)
	if err != nil || u.Scheme == "" || u.Hostname() == "" || !strings.EqualFold(u.Scheme+"://"+u.Host, s) {
		return "", false
	}
	if u.Host[0] != '[' && strings.Contains(u.Hostname(), ":") {
		return "", false
	}
	return strings.ToLower(u.Scheme + "://" + withoutPort(u.Host, u.Scheme)), true
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

// sameHost reports whether the host of the request served the page of this origin.
// The scheme is not known behind a proxy that terminates TLS. Programs may send the
// scheme of the WebSocket; browsers never do.
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
