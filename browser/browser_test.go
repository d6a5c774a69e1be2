package browser_test

import (
	"bytes"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/socketio-go/socketio/browser"
)

func TestClientIsOneFileThatExplainsItself(t *testing.T) {
	t.Parallel()
	source := string(browser.Client)
	head, _, found := strings.Cut(source, "*/")
	if !found {
		t.Fatal("no comment at the top")
	}
	for _, want := range []string{"/*", "socket.io.js", "MIT", "official"} {
		if !strings.Contains(head, want) {
			t.Errorf("the comment at the top lacks %q", want)
		}
	}
	if !strings.Contains(source, "globalThis.io = io;") {
		t.Error("the global function io is not defined")
	}
}

// A page may forbid eval and inline code by its Content-Security-Policy, and a
// classic script must not contain what only modules or build tools understand.
func TestClientRunsAsAClassicScriptUnderAStrictPolicy(t *testing.T) {
	t.Parallel()
	if !utf8.Valid(browser.Client) {
		t.Error("not UTF-8")
	}
	for _, forbidden := range []string{"eval(", "new Function", "document.write", "innerHTML", "\nimport ", "\nexport "} {
		if bytes.Contains(browser.Client, []byte(forbidden)) {
			t.Errorf("contains %q", forbidden)
		}
	}
	if bytes.Contains(browser.Client, []byte("sourceMappingURL")) {
		t.Error("refers to a source map that nobody serves")
	}
}
