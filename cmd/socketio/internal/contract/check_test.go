package contract

import (
	"fmt"
	"strings"
	"testing"
)

// Each row is an old and a new declaration of one event, and what breaks.
func TestBreaks(t *testing.T) {
	rows := []struct {
		name     string
		from     string // the side that sends
		old, now string // types of an event, or "Call" and two types
		want     []string
	}{
		{"same", "server", "A", "A", nil},
		{"gone", "server", "string", "", []string{"is gone"}},
		{"gone of clients", "client", "string", "", []string{"is gone"}},
		{"new", "server", "", "string", nil},
		{"new of clients", "client", "", "string", nil},
		{"new call of clients", "client", "", "Call string, int", nil},
		{"new call", "server", "", "Call string, int", []string{"is new and wants an answer, which older clients do not give"}},

		{"other type", "server", "string", "int", []string{"argument 1 was string, is integer"}},
		{"other type of clients", "client", "string", "int", []string{"argument 1 was string, is integer"}},
		{"integer to number", "server", "int", "float64", []string{"argument 1 was integer, is number"}},
		{"integer to number of clients", "client", "int", "float64", nil},
		{"number to integer", "server", "float64", "int", nil},
		{"number to integer of clients", "client", "float64", "int", []string{"argument 1 was number, is integer"}},
		{"smaller range", "server", "int16", "int8", nil},
		{"smaller range of clients", "client", "int16", "int8", []string{"argument 1 must be from -128 to 127 now"}},
		{"larger range", "server", "int8", "int16", []string{"argument 1 was from -128 to 127, may be from -32768 to 32767 now"}},
		{"larger range of clients", "client", "int8", "int16", nil},

		{"argument added", "server", "P1", "P2", nil},
		{"argument added of clients", "client", "P1", "P2", []string{"argument 2 is new: older clients do not send it"}},
		{"argument removed", "server", "P2", "P1", []string{"argument 2 is gone"}},
		{"argument removed of clients", "client", "P2", "P1", nil},
		{"argument changed", "server", "P2", "P3", []string{"argument 2 was string, is boolean"}},

		{"null", "server", "string", "*string", []string{"argument 1 may be null now"}},
		{"null of clients", "client", "string", "*string", nil},
		{"no null", "server", "*string", "string", nil},
		{"no null of clients", "client", "*string", "string", []string{"argument 1 must not be null any more"}},

		{"field added", "server", "A", "A2", nil},
		{"field added of clients", "client", "A", "A2", []string{"argument 1.n is new and required: older clients do not send it"}},
		{"optional field added of clients", "client", "A", "A3", nil},
		{"field removed", "server", "A2", "A", []string{"argument 1.n is gone"}},
		{"field removed of clients", "client", "A2", "A", nil},
		{"field optional", "server", "A2", "A3", []string{"argument 1.n may be left out now"}},
		{"field required of clients", "client", "A3", "A2", []string{"argument 1.n is required now"}},
		{"field nested", "server", "[]map[string]A", "[]map[string]A4", []string{"argument 1[][].s was string, is integer"}},

		{"constant added", "server", "E", "E2", []string{`argument 1 may be "c" now`}},
		{"constant added of clients", "client", "E", "E2", nil},
		{"constant removed", "server", "E2", "E", nil},
		{"constant removed of clients", "client", "E2", "E", []string{`argument 1 must not be "c" any more`}},
		{"constants to any", "server", "E", "string", []string{`argument 1 was one of "a", "b", is any string`}},
		{"any to constants of clients", "client", "string", "E", []string{`argument 1 was any string, is one of "a", "b"`}},
		{"string to time of clients", "client", "string", "time.Time", []string{"argument 1 must have the format date-time now"}},
		{"anything", "server", "string", "any", []string{"argument 1 was string, is unknown"}},
		{"anything of clients", "client", "string", "any", nil},
		{"anything no more of clients", "client", "any", "string", []string{"argument 1 was unknown, is string"}},
		{"to binary", "server", "string", "[]byte", []string{"argument 1 was string, is binary", "argument 1 may be null now"}},
		{"args", "client", "P2", "socketio.Args", nil},
		{"from args", "client", "socketio.Args", "P1", []string{"argument 1 is new: older clients do not send it", "argument 1 was unknown, is integer"}},
		{"array length", "server", "[2]int", "[3]int", []string{"argument 1 has another length"}},
		{"recursive", "server", "T", "T", nil},
		{"recursive field", "server", "T", "T2", []string{"argument 1.v was integer, is string"}},

		{"answer type of clients", "client", "Call string, string", "Call string, int", []string{"answer 1 was string, is integer"}},
		{"answer null of clients", "client", "Call string, string", "Call string, *string", []string{"answer 1 may be null now"}},
		{"answer field of clients", "client", "Call string, A2", "Call string, A", []string{"answer 1.n is gone"}},
		{"answer type", "server", "Call string, string", "Call string, int", []string{"answer 1 was string, is integer"}},
		{"answer accepted", "server", "Call string, string", "Call string, *string", nil},
		{"no answer of clients", "client", "Call string, string", "string", []string{"has no answer any more"}},
		{"answer", "server", "string", "Call string, string", []string{"wants an answer, which older clients do not give"}},
		{"answer of clients", "client", "string", "Call string, string", nil},
	}
	source := func(declared func(i int) string) []byte {
		var b strings.Builder
		b.WriteString(`package memory

import (
	"time"

	"github.com/socketio-go/socketio"
)

var _ time.Time

type A struct { S string ` + "`json:\"s\"`" + ` }
type A2 struct { A; N int ` + "`json:\"n\"`" + ` }
type A3 struct { A; N int ` + "`json:\"n,omitempty\"`" + ` }
type A4 struct { S int ` + "`json:\"s\"`" + ` }
type P1 struct { socketio.Positional; X int }
type P2 struct { socketio.Positional; X int; S string }
type P3 struct { socketio.Positional; X int; S bool }
type T struct { V int ` + "`json:\"v\"`" + `; L *T }
type T2 struct { V string ` + "`json:\"v\"`" + `; L *T2 }
type E string
const Ea, Eb E = "a", "b"
type E2 string
const E2a, E2b, E2c E2 = "a", "b", "c"

`)
		for i := range rows {
			typ := declared(i)
			kind := "Event"
			if call, ok := strings.CutPrefix(typ, "Call "); ok {
				kind, typ = "Call", call
			}
			if typ != "" {
				fmt.Fprintf(&b, "//socketio:from %s\nconst X%d socketio.%s[%s] = \"e%d\"\n", rows[i].from, i, kind, typ, i)
			}
		}
		c, err := loadSource(t, b.String())
		if err != nil {
			t.Fatal(err)
		}
		return c.AsyncAPI(Info{})
	}
	older := source(func(i int) string { return rows[i].old })
	newer := source(func(i int) string { return rows[i].now })
	lines, err := Breaks(older, newer)
	if err != nil {
		t.Fatal(err)
	}
	for i, row := range rows {
		from := "from the server"
		if row.from == "client" {
			from = "from clients"
		}
		prefix := fmt.Sprintf("/ \"e%d\" (%s): ", i, from)
		var got []string
		for _, line := range lines {
			if text, ok := strings.CutPrefix(line, prefix); ok {
				got = append(got, text)
			}
		}
		if fmt.Sprint(got) != fmt.Sprint(row.want) {
			t.Errorf("%s: got %q, want %q", row.name, got, row.want)
		}
	}
	for _, c := range []string{"[]", "{}", `{"asyncapi":"2.0.0"}`, `{"asyncapi":"3.0.0","operations":{"a":{"messages":[{"$ref":"#/x"}]}}}`} {
		if _, err := Breaks([]byte(c), newer); err == nil {
			t.Errorf("%s is no error", c)
		}
	}
	if same, err := Breaks(newer, newer); err != nil || len(same) > 0 {
		t.Errorf("a contract breaks itself: %q, %v", same, err)
	}
}
