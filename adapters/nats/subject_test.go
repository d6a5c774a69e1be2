package nats

import (
	"strings"
	"testing"
)

func TestSubjects(t *testing.T) {
	t.Parallel()
	for namespace, want := range map[string]string{
		"/":       "p./.all",
		"/chat-1": "p./chat-1.all",
		"/a.b":    "p./a=2eb.all",
		"/*>= \n": "p./=2a=3e=3d=20=0a.all",
		"/ß":      "p./=c3=9f.all",
	} {
		if got := subject("p", namespace, broadcastSub); got != want {
			t.Errorf("%q: got %q, want %q", namespace, got, want)
		}
	}
	long := map[string]bool{}
	for _, tail := range []string{"x", "y"} {
		s := token("/" + strings.Repeat("n", 1000) + tail)
		if len(s) > maxToken || !validSubject(s) || long[s] {
			t.Errorf("a long name became %q", s)
		}
		long[s] = true
	}
}

func TestPrefixes(t *testing.T) {
	t.Parallel()
	for prefix, want := range map[string]bool{
		"socketio": true, "prod.chat": true, "Straße": true,
		"": false, ".": false, "a.": false, "a..b": false, "a b": false, "a.*": false, ">": false, "a\x00": false,
	} {
		if got := validSubject(prefix); got != want {
			t.Errorf("%q: got %t", prefix, got)
		}
	}
}
