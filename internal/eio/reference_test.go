package eio_test

import (
	"bufio"
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"testing"

	"github.com/socketio-go/socketio/internal/eio"
)

// TestReference compares the decoding of payloads with what npm's
// engine.io-parser makes of them, as the e2e module records it: the same packets
// up to the first that is refused.
func TestReference(t *testing.T) {
	f, err := os.Open("testdata/parser.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	deviations := []struct {
		why  string
		in   *regexp.Regexp
		used bool
	}{
		{why: "a separator at the end is seen at once", in: regexp.MustCompile(`\x1e$`)},
		{why: "base64 that is not whole is refused; Node takes what it can of it", in: regexp.MustCompile(`(^|\x1e)b`)},
	}
	alike := 0
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var ref struct {
			In  string
			Out []*struct {
				Text   string
				Base64 []byte
			}
		}
		if err := json.Unmarshal(lines.Bytes(), &ref); err != nil {
			t.Fatal(err)
		}
		var want []eio.Packet
		refused := false
		for _, p := range ref.Out {
			switch {
			case p == nil:
				refused = true
			case p.Text != "":
				want = append(want, text(eio.Type(p.Text[0]), p.Text[1:]))
			default:
				want = append(want, binary(string(p.Base64)))
			}
		}
		got, err := packets([]byte(ref.In))
		if refused == (err != nil) && slices.EqualFunc(got, want, equal) {
			alike++
			continue
		}
		known := false
		for i := range deviations {
			if d := &deviations[i]; err != nil && d.in.MatchString(ref.In) && len(got) <= len(want) && slices.EqualFunc(got, want[:len(got)], equal) {
				known, d.used = true, true
				break
			}
		}
		if !known {
			t.Errorf("%q: %+v, %v; Node has %+v, refused: %t", ref.In, got, err, want, refused)
		}
	}
	for _, d := range deviations {
		if !d.used {
			t.Errorf("no input deviates because of: %s", d.why)
		}
	}
	if alike < 150 {
		t.Errorf("only %d payloads are read alike", alike)
	}
	t.Log(alike)
}
