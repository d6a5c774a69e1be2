package sio_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/socketio-go/socketio/internal/sio"
)

// In packets of two attachments. num is what Placeholder says of the value, and
// -1 where it is none.
var placeholderCases = []struct {
	name string
	in   string
	num  int
	err  error
}{
	{"first attachment", `{"_placeholder":true,"num":0}`, 0, nil},
	{"second attachment", `{"_placeholder":true,"num":1}`, 1, nil},
	{"number first", `{"num":1,"_placeholder":true}`, 1, nil},
	{"white space", ` { "_placeholder" : true , "num" : 1 } `, 1, nil},
	{"more keys", `{"a":{"num":0},"_placeholder":true,"b":[{}],"num":1,"c":"x"}`, 1, nil},
	{"keys in escapes", `{"\u005fplaceholder":true,"n\u0075m":1}`, 1, nil},
	{"all of the keys in escapes", `{"` + escapes("_placeholder") + `":true,"` + escapes("num") + `":1}`, 1, nil},
	{"last of several numbers counts", `{"_placeholder":true,"num":0,"num":1}`, 1, nil},
	{"last of several numbers counts, where others are wrong", `{"_placeholder":true,"num":-1,"num":"0","num":1}`, 1, nil},
	{"last of several marks counts", `{"_placeholder":false,"_placeholder":true,"num":1}`, 1, nil},

	{"one inside", `{"_placeholder":true,"num":0,"a":{"_placeholder":true,"num":1}}`, 0, nil},
	{"one inside, first", `{"a":[{"_placeholder":true,"num":1}],"num":0,"_placeholder":true}`, 0, nil},
	{"wrong inside a placeholder", `{"_placeholder":true,"num":0,"a":{"_placeholder":true}}`, 0, nil},
	{"wrong inside a placeholder, first", `{"a":[{"b":{"_placeholder":true,"num":7}}],"_placeholder":true,"num":1}`, 1, nil},

	{"no object", `["_placeholder",true,"num",0]`, -1, nil},
	{"number", `0`, -1, nil},
	{"empty object", `{}`, -1, nil},
	{"number alone", `{"num":0,"long enough to be one":true}`, -1, nil},
	{"not marked", `{"_placeholder":false,"num":0}`, -1, nil},
	{"not marked, and no number", `{"_placeholder":false,"num":"nothing"}`, -1, nil},
	{"marked by another value", `{"_placeholder":"true","num":0}`, -1, nil},
	{"marked by one", `{"_placeholder":1,"num":9,"longer":""}`, -1, nil},
	{"marked by an object", `{"_placeholder":{"true":true},"num":0}`, -1, nil},
	{"marked and unmarked", `{"_placeholder":true,"_placeholder":false,"num":9}`, -1, nil},
	{"other letters", `{"_Placeholder":true,"num":9}`, -1, nil},
	{"longer key", `{"_placeholders":true,"num":9}`, -1, nil},
	{"long key", `{"` + escapes("_placeholder") + `x":true,"num":9}`, -1, nil},
	{"mark in a string", `{"a":"{\"_placeholder\":true}","num":9}`, -1, nil},
	{"inside another object", `{"a":{"_placeholder":true,"num":0},"num":9}`, -1, nil},
	{"inside an array", `{"a":[{"_placeholder":true,"num":1}]}`, -1, nil},
	{"same attachment twice", `[{"_placeholder":true,"num":1},{"_placeholder":true,"num":1}]`, -1, nil},

	{"no number", `{"_placeholder":true}`, -1, sio.ErrAttachments},
	{"no number, but other keys", `{"_placeholder":true,"a":{"num":0}}`, -1, sio.ErrAttachments},
	{"number out of range", `{"_placeholder":true,"num":2}`, 2, sio.ErrAttachments},
	{"number of two digits", `{"_placeholder":true,"num":10}`, 10, sio.ErrAttachments},
	{"number of nineteen digits", `{"_placeholder":true,"num":1000000000000000000}`, -1, sio.ErrAttachments},
	{"number of forty digits", `{"_placeholder":true,"num":` + strings.Repeat("1", 40) + `}`, -1, sio.ErrAttachments},
	{"negative number", `{"_placeholder":true,"num":-1}`, -1, sio.ErrAttachments},
	{"negative zero", `{"_placeholder":true,"num":-0}`, -1, sio.ErrAttachments},
	{"fraction", `{"_placeholder":true,"num":1.5}`, -1, sio.ErrAttachments},
	{"fraction of an integer", `{"_placeholder":true,"num":1.0}`, -1, sio.ErrAttachments},
	{"exponent", `{"_placeholder":true,"num":1e0}`, -1, sio.ErrAttachments},
	{"great exponent", `{"_placeholder":true,"num":0E0}`, -1, sio.ErrAttachments},
	{"string", `{"_placeholder":true,"num":"0"}`, -1, sio.ErrAttachments},
	{"null", `{"_placeholder":true,"num":null}`, -1, sio.ErrAttachments},
	{"array", `{"_placeholder":true,"num":[0]}`, -1, sio.ErrAttachments},
	{"object", `{"_placeholder":true,"num":{"num":0}}`, -1, sio.ErrAttachments},
	{"number, then none", `{"_placeholder":true,"num":0,"num":null}`, -1, sio.ErrAttachments},
	{"wrong inside another object", `{"a":{"_placeholder":true,"num":2}}`, -1, sio.ErrAttachments},
	{"wrong inside an array", `{"a":[0,[{"_placeholder":true}]]}`, -1, sio.ErrAttachments},
	{"wrong around a placeholder", `{"_placeholder":true,"num":2,"a":{"_placeholder":true,"num":0}}`, 2, sio.ErrAttachments},
	{"wrong inside one that is wrong", `{"_placeholder":true,"num":2,"a":{"_placeholder":true,"num":3}}`, 2, sio.ErrAttachments},
	{"wrong beside a placeholder", `[{"_placeholder":true,"num":0},{"_placeholder":true}]`, -1, sio.ErrAttachments},

	{"number of two zeros", `{"_placeholder":true,"num":00}`, -1, sio.ErrPayload},
	{"word longer than true", `{"_placeholder":truest,"num":0}`, -1, sio.ErrPayload},
	{"nothing closed", `{"_placeholder":true,"num":0 `, -1, sio.ErrPayload},
	{"cut before the value", `{"_placeholder":true,"num":`, -1, sio.ErrPayload},
}

// escapes writes each letter of s as an escape.
func escapes(s string) string {
	var b strings.Builder
	for _, c := range []byte(s) {
		b.WriteString(`\u00`)
		b.WriteByte("0123456789ABCDEF"[c>>4])
		b.WriteByte("0123456789ABCDEF"[c&0xf])
	}
	return b.String()
}

func TestPlaceholder(t *testing.T) {
	t.Parallel()
	for _, test := range placeholderCases {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			raw := []byte(test.in)
			if !errors.Is(test.err, sio.ErrPayload) {
				raw = sio.Literal(raw)
			}
			num, ok := sio.Placeholder(raw)
			if test.num < 0 && (ok || num != 0) || test.num >= 0 && (!ok || num != test.num) {
				t.Errorf("Placeholder(%s) = %d, %t; want %d", test.in, num, ok, test.num)
			}
		})
	}
}

func TestDecodeChecksPlaceholdersAtAnyDepth(t *testing.T) {
	t.Parallel()
	for _, test := range placeholderCases {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			for _, around := range [][2]string{
				{``, ``},
				{`[`, `]`},
				{`{"a":`, `}`},
				{`{"num":`, `}`},
				{`{"_placeholder":`, `}`},
				{`{"_placeholder":true,"num":0,"a":[0,`, `]}`},
				{strings.Repeat(`[{"a":`, 200), strings.Repeat(`}]`, 200)},
			} {
				in := `52-["a",` + around[0] + test.in + around[1] + `]`
				want := test.err
				if strings.HasPrefix(around[0], `{"_placeholder":true,"num":0,`) && errors.Is(want, sio.ErrAttachments) {
					want = nil // what is inside a placeholder is not looked at
				}
				var p sio.Packet
				if err := p.Decode([]byte(in), sio.Limits{}); !errors.Is(err, want) {
					t.Errorf("%.200s: %v, want %v", in, err, want)
				}
			}
		})
	}
}

func TestPlaceholdersArePlainDataWithoutAttachments(t *testing.T) {
	t.Parallel()
	for _, test := range placeholderCases {
		if errors.Is(test.err, sio.ErrPayload) {
			continue
		}
		for _, in := range []string{`2["a",` + test.in + `]`, `30[` + test.in + `]`} {
			var p sio.Packet
			if err := p.Decode([]byte(in), sio.Limits{}); err != nil {
				t.Errorf("%s: %v", in, err)
			}
		}
	}
}

func TestAppendPlaceholder(t *testing.T) {
	t.Parallel()
	for _, num := range []int{0, 1, 10, 12345} {
		raw := sio.AppendPlaceholder([]byte{}, num)
		if got, ok := sio.Placeholder(raw); !ok || got != num {
			t.Errorf("%s is %d, %t", raw, got, ok)
		}
	}
	if got := string(sio.AppendPlaceholder([]byte("x"), 3)); got != `x{"_placeholder":true,"num":3}` {
		t.Error(got)
	}
}
