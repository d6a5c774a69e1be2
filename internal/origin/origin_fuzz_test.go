package origin_test

import (
	"crypto/tls"
	"errors"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/socketio-go/socketio/internal/engine"
	"github.com/socketio-go/socketio/internal/origin"
)

// FuzzOrigin compares the decision on a request with a statement of the rule
// in other words.
func FuzzOrigin(f *testing.F) {
	for _, test := range []struct{ listed, host, origin string }{
		{"", "example.com", "https://example.com"},
		{"", "example.com:443", "https://EXAMPLE.com"},
		{"", "Example.com:80", "http://example.com:80"},
		{"", "localhost:3000", "http://localhost:5173"},
		{"", "[::1]:3000", "http://[::1]:3000"},
		{"", "example.com", "https://example.com@evil.com"},
		{"", "example.com", "https://example.com.evil.com"},
		{"", "example.com", "null"},
		{"null", "example.com", "null"},
		{"file://", "example.com", "file://"},
		{"", "example.com", "wss://example.com:443/socket.io/?EIO=4"},
		{"https://a.com", "example.com", "https://a.com/"},
		{"", "example.com", "https://ex%61mple.com"},
		{"", "example.com:", "https://example.com:"},
		{"*", "example.com", "https://evil.com"},
		{"https://a.com", "example.com", "https://a.com:443"},
		{"https://*.a.com", "example.com", "https://x.y.a.com"},
		{"https://*.a.com", "example.com", "https://evil.com:1.a.com"},
		{"https://app.*.a.com:8443", "example.com", "https://app.x.a.com:8443"},
		{"wss://*.a.com http://b.com", "example.com", "http://b.com:80"},
	} {
		for _, site := range []string{"", "cross-site", "same-origin"} {
			f.Add(test.listed, test.host, test.origin, true, false, site)
		}
		f.Add(test.listed, test.host, test.origin, true, true, "")
		f.Add(test.listed, test.host, test.origin, false, false, "same-site")
	}
	f.Fuzz(func(t *testing.T, listed, host, value string, sent, secure bool, site string) {
		origins := strings.Fields(listed)
		rule, possible := newOriginRule(origins)
		policy, err := origin.New(origins, false)
		if (err == nil) != possible {
			t.Fatalf("New(%q): %v, want an error: %t", origins, err, !possible)
		}
		if err != nil {
			return
		}
		r := httptest.NewRequest(http.MethodGet, "/socket.io/?EIO=4&transport=polling", nil)
		r.Host = host
		r.Header.Set("Sec-Fetch-Site", site)
		if secure {
			r.TLS = new(tls.ConnectionState)
		}
		if sent {
			r.Header.Set("Origin", value)
		}
		h := make(http.Header)
		got := verdict(policy.Check(r, h))

		want := rule.noOrigin(site)
		if rule.all {
			want = "allowed"
		} else if sent {
			want = rule.origin(value, host, secure)
		}
		if got != want {
			t.Errorf("listed %q, host %q, origin %q (%t), TLS %t, %q: %s, want %s", origins, host, value, sent, secure, site, got, want)
		}
		readable := h.Get("Access-Control-Allow-Origin")
		if credentials := h.Get("Access-Control-Allow-Credentials"); readable == "*" && credentials != "" {
			t.Error("every origin may send credentials")
		}
		if want != "allowed" && readable != "" {
			t.Errorf("%s, but %s may read the response", want, readable)
		}
	})
}

func verdict(err error) string {
	var forbidden *engine.Forbidden
	switch {
	case err == nil:
		return "allowed"
	case errors.As(err, &forbidden):
		return "refused"
	case errors.Is(err, engine.ErrBadRequest):
		return "invalid"
	}
	return err.Error()
}

// An originRule states the documented rule with regular expressions.
type originRule struct {
	all      bool
	patterns []*regexp.Regexp
}

// originPattern matches an origin: its scheme, its host and its port.
var originPattern = regexp.MustCompile(`^([a-z][a-z0-9+.-]*)://(\[[0-9a-f:.]+\]|[^[:/?#@%\\^{|}` + "`" + `\x00-\x20\x7f]+)(:[0-9]*)?$`)

func newOriginRule(origins []string) (rule originRule, ok bool) {
	for _, o := range origins {
		if o == "*" {
			rule.all = true
			continue
		}
		text, ok := spellOrigin(o)
		if o == "null" || o == "file://" {
			text, ok = o, true
		}
		if !ok {
			return rule, false
		}
		pattern := regexp.QuoteMeta(text)
		if strings.Contains(text, "*") {
			if !regexp.MustCompile(`^[^*]*(//|\.)\*\.[^*]+$`).MatchString(text) {
				return rule, false
			}
			pattern = strings.Replace(pattern, `\*`, `[^./:@]+(\.[^./:@]+)*`, 1)
		}
		rule.patterns = append(rule.patterns, regexp.MustCompile(`^`+pattern+`$`))
	}
	return rule, true
}

// spellOrigin returns the canonical form of an origin.
func spellOrigin(s string) (string, bool) {
	s = strings.ToLower(s)
	parts := originPattern.FindStringSubmatch(s)
	if parts == nil {
		return "", false
	}
	scheme, host, port := parts[1], parts[2], parts[3]
	if own := map[string]string{"http": ":80", "ws": ":80", "https": ":443", "wss": ":443"}[scheme]; port == own {
		port = ""
	}
	return scheme + "://" + host + port, true
}

func (rule originRule) noOrigin(site string) string {
	if site == "cross-site" || site == "same-site" {
		return "refused"
	}
	return "allowed"
}

func (rule originRule) origin(origin, host string, secure bool) string {
	if regexp.MustCompile(`[^!-~]`).MatchString(origin) {
		return "invalid"
	}
	if origin != "null" && origin != "file://" {
		url := regexp.MustCompile(`^([^:/]*://[^/]*)(/.*)?$`).FindStringSubmatch(origin)
		if url == nil {
			return "refused"
		}
		text, ok := spellOrigin(url[1])
		if !ok {
			return "refused"
		}
		for _, scheme := range []string{"http", "https", "ws", "wss"} {
			if own, ok := spellOrigin(scheme + "://" + host); ok && text == own && (strings.HasSuffix(scheme, "s") && scheme != "ws" || !secure) {
				return "allowed"
			}
		}
		if url[2] != "" {
			return "refused"
		}
		origin = text
	}
	for _, pattern := range rule.patterns {
		if pattern.MatchString(origin) {
			return "allowed"
		}
	}
	return "refused"
}
