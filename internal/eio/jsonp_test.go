package eio_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/socketio-go/socketio/internal/eio"
)

func TestAppendScript(t *testing.T) {
	t.Parallel()
	for payload, want := range map[string]string{
		"6:4hello":   `___eio[3]("6:4hello");`,
		`9:4["a\n"]`: `___eio[3]("9:4[\"a\\n\"]");`,
		"2:4\n":      `___eio[3]("2:4\n");`,
		"6:4</scr":   `___eio[3]("6:4\u003c/scr");`,
		"4:4é😀":      `___eio[3]("4:4é😀");`,
		// Line ends for JavaScript, but not for JSON.
		"3:4\u2028\u2029": `___eio[3]("3:4\u2028\u2029");`,
	} {
		if got := eio.AppendScript(nil, "3", []byte(payload)); string(got) != want {
			t.Errorf("AppendScript(%q) = %s, want %s", payload, got, want)
		}
	}
}

var forms = []struct {
	name, in, want string
	err            error
}{
	{"payload", "d=6%3A4hello", "6:4hello", nil},
	{"spaces", "d=12%3A4hello+world", "12:4hello world", nil},
	{"characters of several bytes", "d=4%3A4%C3%A9%F0%9F%98%80", "4:4é😀", nil},
	{"hexadecimal digits of both cases", "d=%c3%A9%C3%a9", "éé", nil},
	{"nothing escaped", "d=6:4hello", "6:4hello", nil},
	{"other fields", "a=1&d=2%3A4a&b=2", "2:4a", nil},
	{"two payloads", "d=2%3A4a&d=2%3A4b", "2:4a", nil},
	{"a field whose name ends so", "id=x&d=2%3A4a", "2:4a", nil},
	{"no content", "d=", "", nil},
	{"line break", `d=%5Cn`, "\n", nil},
	{"escaped line break", `d=%5C%5Cn`, `\n`, nil},
	{"escaped backslash before an n", `d=%5C%5C%5Cn`, `\\n`, nil},
	{"backslashes before something else", `d=%5C%5C%22%5C`, `\\"\`, nil},
	{"several line breaks", `d=a%5Cnb%5C%5Cnc%5Cn`, "a\nb\\nc\n", nil},
	{"nothing", "", "", eio.ErrForm},
	{"no payload", "a=1&b=2", "", eio.ErrForm},
	{"no value", "d", "", eio.ErrForm},
	{"bad escape", "d=%zz", "", eio.ErrForm},
	{"escape cut short", "d=%4", "", eio.ErrForm},
	{"escape cut by another field", "d=%&d=1", "", eio.ErrForm},
}

func TestDecodeForm(t *testing.T) {
	t.Parallel()
	for _, test := range forms {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got, err := eio.DecodeForm([]byte(test.in))
			if string(got) != test.want || !errors.Is(err, test.err) {
				t.Errorf("DecodeForm(%q) = %q, %v; want %q, %v", test.in, got, err, test.want, test.err)
			}
		})
	}
}

// slowDecodeForm is net/url and the two regular expressions of the Node server.
func slowDecodeForm(form string) (string, bool) {
	for pair := range strings.SplitSeq(form, "&") {
		if value, ok := strings.CutPrefix(pair, "d="); ok {
			value, err := url.QueryUnescape(value)
			if err != nil {
				return "", false
			}
			value = regexp.MustCompile(`\\?\\n`).ReplaceAllStringFunc(value, func(match string) string {
				if len(match) == len(`\\n`) {
					return match
				}
				return "\n"
			})
			return strings.ReplaceAll(value, `\\n`, `\n`), true
		}
	}
	return "", false
}

func FuzzDecodeForm(f *testing.F) {
	for _, test := range forms {
		f.Add([]byte(test.in))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		want, ok := slowDecodeForm(string(in))
		got, err := eio.DecodeForm(bytes.Clone(in))
		if ok != (err == nil) || string(got) != want {
			t.Errorf("DecodeForm(%q) = %q, %v; want %q, %t", in, got, err, want, ok)
		}
	})
}

// FuzzForm sends a payload as a page does.
func FuzzForm(f *testing.F) {
	f.Add("6:4hello")
	f.Add(`42["a\n","\\n"]`)
	f.Add("é😀 & + % \n")
	f.Fuzz(func(t *testing.T, payload string) {
		if strings.Contains(payload, "\\\n") {
			return // can't be told from what \n becomes; JSON contains neither
		}
		area := strings.ReplaceAll(payload, `\n`, "\\\n")
		area = strings.ReplaceAll(area, "\n", `\n`)
		got, err := eio.DecodeForm([]byte(url.Values{"d": {area}}.Encode()))
		if err != nil || string(got) != payload {
			t.Errorf("%q arrives as %q, %v", payload, got, err)
		}
	})
}

func FuzzScript(f *testing.F) {
	f.Add("6:4hello")
	f.Add("</script>\u2028\u2029\n\"'\\")
	f.Fuzz(func(t *testing.T, payload string) {
		payload = strings.ToValidUTF8(payload, "\ufffd")
		script := string(eio.AppendScript(nil, "0", []byte(payload)))
		text, ok := strings.CutPrefix(script, "___eio[0](")
		text, ok2 := strings.CutSuffix(text, ");")
		var got string
		if err := json.Unmarshal([]byte(text), &got); !ok || !ok2 || err != nil || got != payload {
			t.Errorf("%q became %s", payload, script)
		}
		if strings.ContainsAny(script, "<>&\n\r\u2028\u2029") {
			t.Errorf("%q is not safe in a page", script)
		}
	})
}
