package sio_test

import (
	"bufio"
	"encoding/json"
	"os"
	"reflect"
	"regexp"
	"strconv"
	"testing"

	"github.com/socketio-go/socketio/internal/sio"
)

// A reference is what npm's socket.io-parser makes of a packet. The e2e module
// records it.
type reference struct {
	In  string
	Out *struct {
		Type        sio.Type
		NSP         string
		ID          string
		Attachments int
		Data        json.RawMessage // attachment 0 is {"$bin":0}; empty if there is none
	}
}

// A verdict compares our decoder with the reference.
type verdict string

const (
	same     verdict = "same"
	stricter verdict = "we refuse what it accepts"
	laxer    verdict = "we accept what it refuses"
	other    verdict = "we read something else"
)

// deviations are where we differ, and why.
var deviations = []struct {
	why     string
	verdict verdict
	in      *regexp.Regexp
	used    bool
}{
	{why: "white space, or nothing, counts as the digit 0 in JavaScript: for a type", verdict: stricter,
		in: regexp.MustCompile(`^(\s|$)`)},
	{why: "white space counts as a digit in JavaScript: before JSON it makes an id of 0, which nobody has meant", verdict: other,
		in: regexp.MustCompile(`^([23]|[56]\d+-)(/[^,]*,)?\s+[\[]`)},
	{why: "white space counts as a digit in JavaScript: in and behind an id", verdict: stricter,
		in: regexp.MustCompile(`^([0-4]|[56]\d+-)(/[^,]*,)?\d*[\s\x{feff}]+`)},
	{why: "a count of attachments is digits", verdict: stricter,
		in: regexp.MustCompile(`^[56](\+|\s*\d+[.ex]|\s)`)},
	{why: "an id beyond 2^53-1 is no integer that JavaScript can count", verdict: stricter,
		in: regexp.MustCompile(`^\d(/[^,]*,)?\d{16,}`)},
	{why: "a packet nested deeper than 512 is an attack on the stack", verdict: stricter,
		in: regexp.MustCompile(`\[{512}`)},
	{why: "a packet of more than 4096 arguments is an attack on memory", verdict: stricter,
		in: regexp.MustCompile(`^2\["a"(,1)+\]$`)},
	{why: "attachments without a payload to be in belong nowhere", verdict: stricter,
		in: regexp.MustCompile(`^[56]\d+-(/[^,]*,?)?\d*$`)},
	{why: "a refusal says why", verdict: stricter,
		in: regexp.MustCompile(`^4(/[^,]*,?)?\d*$`)},
	{why: "the number of an attachment is digits; half of one is undefined in JavaScript", verdict: stricter,
		in: regexp.MustCompile(`_placeholder":true,"num":(-?0[.e]|-0|1e0)`)},
}

// TestReference compares the decoder with npm's on a recorded corpus.
func TestReference(t *testing.T) {
	f, err := os.Open("testdata/parser.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	count := make(map[verdict]int)
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var ref reference
		if err := json.Unmarshal(lines.Bytes(), &ref); err != nil {
			t.Fatal(err)
		}
		got, detail := ref.judge(t)
		count[got]++
		if got == same {
			continue
		}
		known := false
		for i := range deviations {
			if d := &deviations[i]; d.verdict == got && d.in.MatchString(ref.In) {
				known, d.used = true, true
				break
			}
		}
		if !known {
			t.Errorf("%.200q: %s: %s", ref.In, got, detail)
		}
	}
	for _, d := range deviations {
		if !d.used {
			t.Errorf("no input deviates because of: %s", d.why)
		}
	}
	if count[same] < 500 {
		t.Errorf("only %d inputs are read alike", count[same])
	}
	t.Log(count)
}

func (ref *reference) judge(t *testing.T) (v verdict, detail string) {
	var p sio.Packet
	err := p.Decode([]byte(ref.In), sio.Limits{})
	want := ref.Out
	switch {
	case err != nil && want == nil:
		return same, ""
	case err != nil:
		return stricter, err.Error()
	case want == nil:
		return laxer, string(p.Data)
	}
	typ, id := p.Type, ""
	switch p.Type {
	case sio.BinaryEvent:
		typ = sio.Event
	case sio.BinaryAck:
		typ = sio.Ack
	case sio.Connect, sio.Disconnect, sio.ConnectError:
		id = want.ID // they have none, and nobody looks at it
	}
	if p.ID >= 0 {
		id = strconv.FormatInt(p.ID, 10)
	}
	switch {
	case typ != want.Type, string(p.Namespace) != want.NSP, id != want.ID, p.Attachments != want.Attachments:
		return other, p.Type.String() + " " + string(p.Namespace) + " " + id
	case (p.Data == nil) != (want.Data == nil):
		return other, string(p.Data)
	case p.Data == nil:
		return same, ""
	}
	data, wantData := parse(t, p.Data), parse(t, want.Data)
	if p.Attachments > 0 {
		data = attach(data)
	}
	if !reflect.DeepEqual(data, wantData) {
		return other, string(p.Data)
	}
	if typ == sio.Event {
		data = data.([]any)[1:]
		if name, ok := wantData.([]any)[0].(string); ok && name != string(p.Name) {
			return other, "its name is " + string(p.Name)
		}
	}
	if list, ok := data.([]any); ok && len(list) != len(p.Args) {
		return other, "it has " + strconv.Itoa(len(p.Args)) + " arguments"
	}
	return same, ""
}

// parse decodes JSON. What JavaScript takes for infinity it records as null.
func parse(t *testing.T, raw []byte) (v any) {
	t.Helper()
	raw = regexp.MustCompile(`-?\b1e400\b`).ReplaceAll(raw, []byte("null"))
	if err := json.Unmarshal(raw, &v); err != nil {
		t.Fatalf("%s: %v", raw, err)
	}
	return v
}

// attach puts what the reference has for an attachment in place of its
// placeholder.
func attach(v any) any {
	switch v := v.(type) {
	case []any:
		for i := range v {
			v[i] = attach(v[i])
		}
	case map[string]any:
		if v["_placeholder"] == true {
			return map[string]any{"$bin": v["num"]}
		}
		for key := range v {
			v[key] = attach(v[key])
		}
	}
	return v
}
