package sio_test

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/socketio-go/socketio/internal/sio"
)

var jsonValid = []string{
	`{}`, `[]`, `""`, `0`, `true`, `false`, `null`,
	`-0`, `10`, `-1.5`, `0.0`, `1e5`, `1E+5`, `1.5e-10`, `1e400`,
	`"a"`, `"é漢😀"`, "\"\x7f\u2028\"", `"\"\\\/\b\f\n\r\t"`, `"\u00e9\uD83D\uDE00"`, `"\ud800"`, `"\u0000"`,
	`"1234567"`, `"12345678"`, `"123456789"`, `"1234567\n"`, `"12345678\n90123456\u00e9"`,
	`[1]`, `[1,2]`, `[[],[[]],{}]`, `[{"a":[{"b":{}}]}]`,
	`{"":0}`, `{"a":1,"b":2}`, `{"a":{"b":{"c":[]}}}`, `{"a":1,"a":2}`, `{"\u0061":1}`,
	" \t\r\n[ 1 , { \"a\" : 2 } , [ ] , { } ] \t\r\n",
}

var jsonInvalid = []string{
	``, ` `, `x`, `[`, `]`, `{`, `}`, `,`, `:`, `"`, `[1`, `[1,`, `[1,]`, `[,1]`, `[,]`, `[1 2]`, `[1}`, `[1:2]`, `{]`, `[}`,
	`{1:2}`, `{a:1}`, `{"a"}`, `{"a":}`, `{"a":1`, `{"a":1,`, `{"a":1,}`, `{"a" 1}`, `{"a",1}`, `{"a":1]`, `{"a":1 "b":2}`,
	`{,"a":1}`, `{"a":1,,"b":2}`, `{"a`, `{"a":1,"b`, `{"a":1,2}`, `{'a':1}`,
	`01`, `-`, `+1`, `-a`, `.5`, `1.`, `1.e5`, `1e`, `1e+`, `1a`, `0x10`, `--1`, `1_000`, `NaN`, `Infinity`, `-Infinity`,
	`t`, `tru`, `truE`, `True`, `truee`, `fals`, `nul`, `nulll`, `undefined`,
	`"a`, `"\`, `"\"`, `"\x41"`, `"\u"`, `"\u12"`, `"\u123"`, `"\u12g4"`, `"\U0041"`, `'a'`,
	"\"\n\"", "\"\x00\"", "\"\x1f\"", "\"12345678\n\"", "\"1234567\x1f9\"", `"a"b`,
	"\x00", "1\x00", "\ufeff1", "[1]\x00", `[1]]`, `{}{}`, `1 2`, "\v1", "\u00a01", `// comment`, `/**/1`,
}

func TestValid(t *testing.T) {
	t.Parallel()
	for _, in := range jsonValid {
		if err := sio.Valid([]byte(in), 0); err != nil {
			t.Errorf("%q: %v", in, err)
		}
		if !json.Valid([]byte(in)) {
			t.Errorf("%q is wrong in the table", in)
		}
	}
	for _, in := range jsonInvalid {
		if err := sio.Valid([]byte(in), 0); !errors.Is(err, sio.ErrPayload) {
			t.Errorf("%q: %v, want %v", in, err, sio.ErrPayload)
		}
		if json.Valid([]byte(in)) {
			t.Errorf("%q is wrong in the table", in)
		}
	}
}

// Control characters, quotes and escapes are found eight bytes at a time; this
// puts each byte at each place.
func TestEveryByteAtEveryPlaceInAString(t *testing.T) {
	t.Parallel()
	for n := range 20 {
		for place := range n {
			for c := range 256 {
				in := []byte(`"` + strings.Repeat("\x80", n) + `"`)
				in[1+place] = byte(c)
				if got, want := sio.Valid(in, 0) == nil, json.Valid(in); got != want {
					t.Fatalf("%q: %t, want %t", in, got, want)
				}
			}
		}
	}
}

func TestValidBoundsTheDepth(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		in    string
		depth int
		ok    bool
	}{
		{`1`, 1, true},
		{`[]`, 1, true},
		{`{}`, 1, true},
		{`[[]]`, 1, false},
		{`[[]]`, 2, true},
		{`{"a":{}}`, 1, false},
		{`{"a":{}}`, 2, true},
		{`[[],[],{"a":[]}]`, 2, false},
		{`[[],[],{"a":[]}]`, 3, true},
		{strings.Repeat("[", 512) + strings.Repeat("]", 512), 0, true},
		{strings.Repeat("[", 513) + strings.Repeat("]", 513), 0, false},
		{strings.Repeat("[", 513), 512, false},
	} {
		err := sio.Valid([]byte(test.in), test.depth)
		if test.ok && err != nil || !test.ok && !errors.Is(err, sio.ErrDepth) {
			t.Errorf("%.50s with depth %d: %v", test.in, test.depth, err)
		}
	}
}

func TestElements(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		in   string
		want []string
	}{
		{`[]`, nil},
		{` [ ] `, nil},
		{`[1]`, []string{`1`}},
		{`[[]]`, []string{`[]`}},
		{` [ 1 , "a,b" , [ 2 , 3 ] , { "c" : [ 4 ] } , null ] `, []string{`1`, `"a,b"`, `[ 2 , 3 ]`, `{ "c" : [ 4 ] }`, `null`}},
		{`[` + strings.Repeat("1,", 9999) + `1]`, slices.Repeat([]string{`1`}, 10_000)},
	} {
		got, err := sio.Elements([]byte(test.in), [][]byte{[]byte("first")})
		if err != nil || len(got) == 0 || string(got[0]) != "first" {
			t.Errorf("%.100s: %q, %v", test.in, got, err)
			continue
		}
		if !slices.EqualFunc(got[1:], test.want, func(a []byte, b string) bool { return string(a) == b }) {
			t.Errorf("%.100s: %q, want %q", test.in, got[1:], test.want)
		}
	}
}

func TestElementsRefuses(t *testing.T) {
	t.Parallel()
	for _, in := range []string{``, `{}`, `"a"`, `1`, `null`, `[1`, `[1,]`, `[1]x`, `[1,{"a":x}]`} {
		got, err := sio.Elements([]byte(in), [][]byte{[]byte("first")})
		if !errors.Is(err, sio.ErrPayload) || len(got) != 1 {
			t.Errorf("%s: %q, %v", in, got, err)
		}
	}
}
