package msgpack_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/socketio-go/socketio/internal/allocs"
	"github.com/socketio-go/socketio/internal/msgpack"
	"github.com/socketio-go/socketio/internal/sio"
)

func TestAppendJSON(t *testing.T) {
	t.Parallel()
	attachments := [][]byte{{1, 2}, {}, make([]byte, 300), make([]byte, 70000)}
	for _, test := range []struct {
		name string
		json string
		want string // in hexadecimal; "..." stands for the rest
	}{
		{"null", `null`, "c0"},
		{"true", `true`, "c3"},
		{"false", ` false `, "c2"},

		{"0", `0`, "00"},
		{"127", `127`, "7f"},
		{"128", `128`, "cc80"},
		{"255", `255`, "ccff"},
		{"256", `256`, "cd0100"},
		{"65535", `65535`, "cdffff"},
		{"65536", `65536`, "ce00010000"},
		{"2³²-1", `4294967295`, "ceffffffff"},
		{"2³²", `4294967296`, "cf0000000100000000"},
		{"2⁶³", `9223372036854775808`, "cf8000000000000000"},
		{"2⁶⁴-1", `18446744073709551615`, "cfffffffffffffffff"},
		{"2⁶⁴", `18446744073709551616`, "cb43f0000000000000"},
		{"-1", `-1`, "ff"},
		{"-32", `-32`, "e0"},
		{"-33", `-33`, "d0df"},
		{"-128", `-128`, "d080"},
		{"-129", `-129`, "d1ff7f"},
		{"-32768", `-32768`, "d18000"},
		{"-32769", `-32769`, "d2ffff7fff"},
		{"-2³¹", `-2147483648`, "d280000000"},
		{"-2³¹-1", `-2147483649`, "d3ffffffff7fffffff"},
		{"-2⁶³", `-9223372036854775808`, "d38000000000000000"},
		{"-2⁶³-1", `-9223372036854775809`, "cbc3e0000000000000"},
		{"minus zero", `-0`, "cb8000000000000000"},
		{"a fraction", `1.5`, "cb3ff8000000000000"},
		{"an exponent", `1e3`, "cb408f400000000000"},
		{"a signed exponent", `-1.5E-3`, "cbbf589374bc6a7efa"},
		{"more than a float can hold", `1e400`, "cb7ff0000000000000"},
		{"less than a float can hold", `1e-400`, "cb0000000000000000"},

		{"an empty string", `""`, "a0"},
		{"31 letters", `"` + strings.Repeat("x", 31) + `"`, "bf78..."},
		{"32 letters", `"` + strings.Repeat("x", 32) + `"`, "d92078..."},
		{"256 letters", `"` + strings.Repeat("x", 256) + `"`, "da010078..."},
		{"65536 letters", `"` + strings.Repeat("x", 65536) + `"`, "db0001000078..."},
		{"escapes", `"\"\\\/\b\f\n\r\t\u0041\u00e9"`, "ab225c2f080c0a0d0941c3a9"},
		{"a pair of surrogates", `"\ud83d\ude00"`, "a4f09f9880"},
		{"a lone surrogate", `"\ud83d"`, "a3efbfbd"},
		{"a surrogate and something else", `"\ud83d\u0041"`, "a4efbfbd41"},
		{"a surrogate and a letter", `"\ude00x"`, "a4efbfbd78"},
		{"letters of several bytes", `"é"`, "a2c3a9"},

		{"an empty array", `[ ]`, "90"},
		{"an array", "[1 ,\t\"a,b]\",\r\n[2,[]],{}]", "9401a4612c625d92029080"},
		{"15 elements", "[" + strings.Repeat("0,", 14) + "0]", "9f00..."},
		{"16 elements", "[" + strings.Repeat("0,", 15) + "0]", "dc001000..."},
		{"65536 elements", "[" + strings.Repeat("0,", 65535) + "0]", "dd0001000000..."},
		{"an empty object", `{}`, "80"},
		{"an object", `{"a":1,"b" : {"c":[true]} }`, "82a16101a16281a16391c3"},
		{"an object with a key to be escaped", `{"\n":1}`, "81a10a01"},
		{"15 members", object(15), "8f..."},
		{"16 members", object(16), "de0010..."},
		{"65536 members", object(65536), "df00010000..."},

		{"an attachment", `{"_placeholder":true,"num":0}`, "c4020102"},
		{"an empty attachment", `{"_placeholder":true,"num":1}`, "c400"},
		{"an attachment of 300 bytes", `{"_placeholder":true,"num":2}`, "c5012c00..."},
		{"an attachment of 70000 bytes", `{"_placeholder":true,"num":3}`, "c60001117000..."},
		{"attachments among others", `[[1],{"a":{"_placeholder":true,"num":0}},{"_placeholder":true,"num":1},[2,3]]`, "94910181a161c4020102c400920203"},
		{"a placeholder with more inside", `[{"_placeholder":true,"num":0,"x":[[1],"}[{"]},[7]]`, "92c40201029107"},
		{"a placeholder with one inside", `[{"x":{"_placeholder":true,"num":1},"_placeholder":true,"num":0},{"a":[{}]}]`, "92c402010281a1619180"},
		{"a placeholder behind objects", `[{"a":{}},{"b":[{"_placeholder":true,"num":0}]}]`, "9281a1618081a16291c4020102"},
		{"data that looks like a placeholder", `[{"\u005fplaceholder":true,"num":0},{"_placeholder":true,"num":0}]`, "9282ac5f706c616365686f6c646572c3a36e756d00c4020102"},
		{"data with a placeholder inside", `{"\u005fplaceholder":true,"num":{"_placeholder":true,"num":1}}`, "82ac5f706c616365686f6c646572c3a36e756dc400"},
		{"the same attachment again", `[{"_placeholder":true,"num":0},{"_placeholder":true,"num":0}]`, "92c4020102c4020102"},
		{"no attachment of that number", `{"_placeholder":true,"num":4}`, "82ac5f706c616365686f6c646572c3a36e756d04"},
		{"no placeholder", `{"_placeholder":1,"num":0}`, "82ac5f706c616365686f6c64657201a36e756d00"},
		{"what may look like one", `{"x":"\"}{","y":0}`, "82a178a3227d7ba17900"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got, err := msgpack.AppendJSON([]byte{0xaa}, []byte(test.json), attachments)
			digits := fmt.Sprintf("%x", got)
			begin, open := strings.CutSuffix(test.want, "...")
			if err != nil || !strings.HasPrefix(digits, "aa"+begin) || !open && digits != "aa"+begin {
				t.Errorf("%.100s, %v; want aa%s", digits, err, test.want)
			}
		})
	}
	t.Run("a placeholder without attachments", func(t *testing.T) {
		t.Parallel()
		got, err := msgpack.AppendJSON(nil, []byte(`{"_placeholder":true,"num":0}`), nil)
		if want := "82ac5f706c616365686f6c646572c3a36e756d00"; fmt.Sprintf("%x", got) != want || err != nil {
			t.Errorf("%x, %v; want %s", got, err, want)
		}
	})
}

func object(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `,"k%d":0`, i)
	}
	return "{" + b.String()[1:] + "}"
}

func TestAppendJSONOfNonsense(t *testing.T) {
	t.Parallel()
	for _, in := range []string{
		``, ` `, `nul`, `nulL`, `tru`, `falsch`, `x`, `-`, `+`, `1.2.3`, `.`, `1 2`, `[1]]`, `]`, `}`, `,`,
		`"`, `"x`, `"\`, `"\"`, `"\x"`, `"\u12"`, `"\u12g4"`, `"\u"`,
		`[`, `[1`, `[1,`, `[1,]`, `[,1]`, `[1 2]`, `[1:,2]`, `[}`, `[x]`, `[1,x]`, `["\x"]`,
		`{`, `{"a"`, `{"a":`, `{"a":1`, `{"a":1,`, `{"a":1,}`, `{1:1}`, `{"a" 1}`, `{"a":x}`, `{"\x":1}`, `{"a":1]`,
		`{"_placeholder":true,"num":0`,
	} {
		if got, err := msgpack.AppendJSON(nil, []byte(in), [][]byte{{1}}); !errors.Is(err, msgpack.ErrJSON) || got != nil {
			t.Errorf("%s is %x, %v", in, got, err)
		}
	}
}

// What is nested is not copied for every level.
func TestAppendJSONTakesLinearTime(t *testing.T) {
	t.Parallel()
	const depth, size = 500, 1 << 20
	list := strings.Repeat("0,", 20)
	nested := []byte(strings.Repeat("["+list, depth) + `"` + strings.Repeat("x", size) + `"` + strings.Repeat("]", depth))
	flat := []byte(`"` + strings.Repeat("x", size) + `"`)
	took := func(raw []byte) time.Duration {
		best := time.Hour
		for range 5 {
			begin := time.Now()
			if _, err := msgpack.AppendJSON(make([]byte, 0, 2*size), raw, nil); err != nil {
				t.Fatal(err)
			}
			best = min(best, time.Since(begin))
		}
		return best
	}
	if n, f := took(nested), took(flat); n > 50*f+10*time.Millisecond {
		t.Errorf("nested takes %v, flat takes %v", n, f)
	}
}

// What occurs again is repeated, up to a bound.
func TestAppendJSONRepeats(t *testing.T) {
	t.Parallel()
	const n = 1000
	list := `[` + strings.Repeat(placeholder+`,`, n) + placeholder + `]`
	for size, want := range map[int]error{0: nil, 1: nil, sio.MaxRepeated / n: nil, sio.MaxRepeated/n + 1: msgpack.ErrRepeated} {
		out, err := msgpack.AppendJSON(nil, []byte(list), [][]byte{make([]byte, size), {1}})
		if !errors.Is(err, want) || want == nil && len(out) < size*n {
			t.Errorf("%d bytes: %d, %v; want %v", size, len(out), err, want)
		}
	}
	if _, err := msgpack.AppendJSON(nil, []byte(`[`+placeholder+`]`), [][]byte{make([]byte, 2*sio.MaxRepeated)}); err != nil {
		t.Error(err) // what occurs once may be of any size
	}
}

func FuzzAppendJSON(f *testing.F) {
	for _, seed := range []string{
		`[1,-2.5e3,"a\u00e9\ud83d\ude00",{"b":[true,false,null]},{"_placeholder":true,"num":0}]`,
		`{"_placeholder":true,"num":1,"x":[[]]}`, `"\`, `[[[[`, `{"a":{"b":{}}}`, `1e400`, `-0`,
	} {
		f.Add([]byte(seed))
	}
	attachments := [][]byte{{1, 2, 3}, {}}
	f.Fuzz(func(t *testing.T, raw []byte) {
		var (
			encoded []byte
			err     error
		)
		limit := 50*uint64(len(raw)) + 4096
		if n := allocs.Bytes(limit, func() { encoded, err = msgpack.AppendJSON(nil, raw, attachments) }); n > limit {
			t.Fatalf("%d bytes allocated, not %d, for %q", n, limit, raw)
		}
		if err != nil {
			if sio.Valid(raw, 1<<15) == nil {
				t.Fatalf("valid JSON is refused: %v", err)
			}
			return
		}
		if sio.Valid(raw, 1<<15) != nil || !utf8.Valid(raw) {
			return // it may accept more than JSON, but must not panic
		}
		d := msgpack.Decoder{Data: encoded, Depth: 1 << 15}
		back, err := d.ToJSON(nil)
		if err != nil || len(d.Data) > 0 {
			t.Fatalf("%s: %v, %d bytes left", raw, err, len(d.Data))
		}
		if err := sio.Valid(back, 1<<15); err != nil {
			t.Fatalf("%s became %s: %v", raw, back, err)
		}
		// Numbers may be written otherwise, and what was a placeholder has got a
		// number of its own.
		if len(d.Attachments) > 0 || strings.Contains(string(raw), "_placeholder") || strings.Contains(string(raw), `\`) {
			return
		}
		var before, after any
		if json.Unmarshal(raw, &before) != nil {
			return // a number beyond float64
		}
		if err := json.Unmarshal(back, &after); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(before, after) {
			t.Fatalf("%s became %s", raw, back)
		}
	})
}

func FuzzToJSON(f *testing.F) {
	for _, digits := range []string{
		"93c40101d40000d7000000018bcfe5687b", "dd00000001c0", "82a161c3a16290", "cb3ff8000000000000", "9191919190", "c7010000",
	} {
		f.Add(bytes(f, digits))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		var (
			d   msgpack.Decoder
			out []byte
			err error
		)
		limit := 100*uint64(len(in)) + 4096
		if n := allocs.Bytes(limit, func() {
			d = msgpack.Decoder{Data: in, Depth: 100}
			out, err = d.ToJSON(nil)
		}); n > limit {
			t.Fatalf("%d bytes allocated for %x", n, in)
		}
		if err != nil {
			return
		}
		if err := sio.Valid(out, 101); err != nil {
			t.Fatalf("%x became %s: %v", in, out, err)
		}
		if len(out) > 16*len(in)+64 {
			t.Fatalf("%d bytes became %d", len(in), len(out))
		}
		again, err := msgpack.AppendJSON(nil, out, d.Attachments)
		if err != nil {
			t.Fatalf("%x became %s: %v", in, out, err)
		}
		second := msgpack.Decoder{Data: again, Depth: 101}
		if back, err := second.ToJSON(nil); err != nil {
			t.Fatalf("%x became %s and %x: %s, %v", in, out, again, back, err)
		}
	})
}
