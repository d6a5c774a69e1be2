package sio_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/socketio-go/socketio/internal/sio"
)

func addPackets(f *testing.F) {
	f.Helper()
	for _, test := range packetCases {
		f.Add([]byte(test.in))
	}
	for _, test := range packetErrors {
		if len(test.in) < 1000 {
			f.Add([]byte(test.in))
		}
	}
	for _, test := range placeholderCases {
		f.Add([]byte(`52-["a",` + test.in + `]`))
	}
}

func addJSON(f *testing.F) {
	f.Helper()
	for _, in := range slices.Concat(jsonValid, jsonInvalid) {
		f.Add([]byte(in))
	}
}

// FuzzDecode compares the decoder with a slow one made of a regular expression
// and encoding/json.
func FuzzDecode(f *testing.F) {
	addPackets(f)
	f.Fuzz(func(t *testing.T, in []byte) {
		if !utf8.Valid(in) {
			return // refused by the layer below
		}
		var p sio.Packet
		err := p.Decode(in, sio.Limits{})
		want, ok := slowDecode(in)
		if ok != (err == nil) {
			t.Fatalf("%q: %v, want accepted: %t", in, err, ok)
		}
		if got := simplify(&p); ok && !got.equal(want) {
			t.Fatalf("%q\ngot  %+v\nwant %+v", in, got, want)
		}
	})
}

var packetPattern = regexp.MustCompile(`(?s)^(?:([0-4])|([56])0*([1-9]|10)-)(?:(/[^,]*)(?:,|$))?([0-9]*)(.*)$`)

func slowDecode(in []byte) (p packet, ok bool) {
	parts := packetPattern.FindStringSubmatch(string(in))
	if parts == nil {
		return packet{}, false
	}
	typ, _ := strconv.Atoi(parts[1] + parts[2])
	p = packet{Type: sio.Type(typ), Namespace: parts[4], ID: -1}
	p.Attachments, _ = strconv.Atoi(parts[3])
	if p.Namespace == "" {
		p.Namespace = "/"
	}
	if parts[5] != "" {
		id, err := strconv.ParseInt(parts[5], 10, 64)
		if err != nil || id > sio.MaxID {
			return packet{}, false
		}
		switch p.Type {
		case sio.Event, sio.Ack, sio.BinaryEvent, sio.BinaryAck:
			p.ID = id
		}
	}
	payload := []byte(parts[6])
	if len(payload) == 0 {
		return p, p.Attachments == 0 && p.Type != sio.ConnectError
	}
	p.Data = string(bytes.Trim(payload, " \t\r\n"))

	limit := -1
	if p.Attachments > 0 {
		limit = p.Attachments
	}
	if !json.Valid(payload) || slowCheck(payload, limit) != nil {
		return packet{}, false
	}
	switch p.Type {
	case sio.Connect:
		return p, p.Data[0] == '{'
	case sio.ConnectError:
		return p, p.Data[0] == '{' || p.Data[0] == '"'
	case sio.Disconnect:
		return packet{}, false
	}
	var args []json.RawMessage
	if p.Data[0] != '[' || json.Unmarshal(payload, &args) != nil {
		return packet{}, false
	}
	if p.Type == sio.Event || p.Type == sio.BinaryEvent {
		if len(args) == 0 {
			return packet{}, false
		}
		var number json.Number
		if json.Unmarshal(args[0], &p.Name) != nil {
			if json.Unmarshal(args[0], &number) != nil {
				return packet{}, false
			}
			p.Name = number.String()
		} else if args[0][0] != '"' || sio.Reserved(p.Name) {
			return packet{}, false
		}
		args = args[1:]
	}
	for _, arg := range args {
		p.Args = append(p.Args, string(arg))
	}
	return p, len(args) <= sio.DefaultArgs
}

// slowCheck checks the depth of valid JSON, and its placeholders if there are
// attachments.
func slowCheck(payload []byte, attachments int) error {
	d := json.NewDecoder(bytes.NewReader(payload))
	d.UseNumber()
	_, err := slowValue(d, sio.DefaultDepth, attachments)
	return err
}

func slowValue(d *json.Decoder, depth, attachments int) (json.Token, error) {
	token, err := d.Token()
	if err != nil {
		return nil, err
	}
	delim, ok := token.(json.Delim)
	if !ok {
		return token, nil
	}
	if depth == 0 {
		return nil, sio.ErrDepth
	}
	var marked, num json.Token
	var illegal error
	for d.More() {
		var key json.Token
		if delim == '{' {
			if key, err = d.Token(); err != nil {
				return nil, err
			}
		}
		value, err := slowValue(d, depth-1, attachments)
		if errors.Is(err, sio.ErrAttachments) {
			illegal = err
		} else if err != nil {
			return nil, err
		}
		switch key {
		case "_placeholder":
			marked = value
		case "num":
			num = value
		}
	}
	if marked == true && attachments >= 0 {
		literal, _ := num.(json.Number)
		n, err := strconv.ParseUint(literal.String(), 10, 31)
		if illegal = nil; err != nil || int(n) >= attachments { // what is inside is not looked at
			illegal = sio.ErrAttachments
		}
	}
	if _, err = d.Token(); err != nil { // the closing one
		return nil, err
	}
	return delim, illegal
}

// FuzzMemory checks that no packet allocates out of proportion.
func FuzzMemory(f *testing.F) {
	addPackets(f)
	f.Fuzz(func(t *testing.T, in []byte) {
		if got := allocated(in); got > memoryBound(len(in)) {
			t.Errorf("%d bytes allocated for %q", got, in)
		}
	})
}

func FuzzValid(f *testing.F) {
	addJSON(f)
	f.Fuzz(func(t *testing.T, in []byte) {
		want := json.Valid(in)
		got := sio.Valid(in, len(in)+1)
		if want != (got == nil) {
			// encoding/json has a limit of its own.
			if got == nil && sio.Valid(in, 10_000) != nil {
				return
			}
			t.Fatalf("%q: %v, want valid: %t", in, got, want)
		}
		if limited := sio.Valid(in, 3); want && (limited == nil) != (depth(in) <= 3) {
			t.Fatalf("%q of depth %d: %v", in, depth(in), limited)
		}
	})
}

// depth returns how deep valid JSON is nested.
func depth(in []byte) (deepest int) {
	d := json.NewDecoder(bytes.NewReader(in))
	for open := 0; ; {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return deepest
		}
		switch token {
		case json.Delim('['), json.Delim('{'):
			open++
			deepest = max(deepest, open)
		case json.Delim(']'), json.Delim('}'):
			open--
		}
	}
}

func FuzzElements(f *testing.F) {
	addJSON(f)
	f.Fuzz(func(t *testing.T, in []byte) {
		got, err := sio.Elements(in, nil)
		var want []json.RawMessage
		if json.Unmarshal(in, &want) != nil || want == nil || depth(in) > sio.DefaultDepth {
			if err == nil {
				t.Fatalf("%q: accepted", in)
			}
			return
		}
		if err != nil || !slices.EqualFunc(got, want, func(a []byte, b json.RawMessage) bool { return bytes.Equal(a, b) }) {
			t.Fatalf("%q: %q, %v; want %q", in, got, err, want)
		}
	})
}

func FuzzPlaceholder(f *testing.F) {
	for _, test := range placeholderCases {
		f.Add([]byte(test.in))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		var want int
		ok := false
		if json.Valid(in) && slowCheck(in, 1<<31-1) == nil {
			var object map[string]json.RawMessage
			if json.Unmarshal(in, &object) == nil && string(object["_placeholder"]) == "true" {
				want, _ = strconv.Atoi(string(object["num"]))
				ok = true
			}
		}
		raw := in
		if json.Valid(in) {
			raw = sio.Literal(in)
		}
		if num, got := sio.Placeholder(raw); got != ok || num != want {
			t.Fatalf("%q: %d, %t; want %d, %t", in, num, got, want, ok)
		}
	})
}

// FuzzRoundTrip encodes a packet as the server does and decodes it.
func FuzzRoundTrip(f *testing.F) {
	f.Add(uint8(2), "/chat", 0, int64(12), "message", "hello", uint8(2))
	f.Add(uint8(5), "/", 2, int64(-1), "image \"é\"\n", "\x00", uint8(1))
	f.Add(uint8(6), "/a?x=1", 10, int64(1<<53-1), "", "\xff", uint8(0))
	f.Fuzz(func(t *testing.T, typ uint8, namespace string, attachments int, id int64, name, arg string, count uint8) {
		want := packet{
			Type:        []sio.Type{sio.Event, sio.Ack, sio.BinaryEvent, sio.BinaryAck}[typ%4],
			Namespace:   "/" + string(bytes.ReplaceAll(bytes.ToValidUTF8([]byte(namespace), nil), []byte(","), nil)),
			ID:          max(-1, min(id, sio.MaxID)),
			Attachments: int(uint(attachments)%sio.DefaultAttachments) + 1,
		}
		isEvent := want.Type == sio.Event || want.Type == sio.BinaryEvent
		isBinary := want.Type == sio.BinaryEvent || want.Type == sio.BinaryAck
		if !isBinary {
			want.Attachments = 0
		}
		b := sio.AppendHeader(nil, want.Type, want.Namespace, want.Attachments, want.ID)
		header := len(b)
		b = append(b, '[')
		if isEvent {
			if sio.Reserved(name) {
				return
			}
			want.Name = string([]rune(name))
			b = append(sio.AppendString(b, name), ',')
		}
		b = sio.AppendString(b, arg)
		want.Args = append(want.Args, string(sio.AppendString(nil, arg)))
		for i := range count {
			raw := sio.AppendPlaceholder(nil, int(i)%max(want.Attachments, 1))
			b = append(append(b, ','), raw...)
			want.Args = append(want.Args, string(raw))
		}
		b = append(b, ']')
		want.Data = string(b[header:])

		var p sio.Packet
		if err := p.Decode(b, sio.Limits{}); err != nil || !simplify(&p).equal(want) {
			t.Errorf("%q\ngot  %+v, %v\nwant %+v", b, simplify(&p), err, want)
		}
	})
}

func FuzzAppendString(f *testing.F) {
	for _, test := range stringCases {
		f.Add(test.in)
	}
	f.Fuzz(func(t *testing.T, in string) {
		raw := sio.AppendString(nil, in)
		if other := sio.AppendString(nil, []byte(in)); !bytes.Equal(raw, other) {
			t.Fatalf("%q: %s as a string, %s as bytes", in, raw, other)
		}
		var got string
		if err := json.Unmarshal(raw, &got); err != nil || got != string([]rune(in)) {
			t.Fatalf("%q: %s, which is %q, %v", in, raw, got, err)
		}
	})
}

// FuzzMarks compares what is known of the placeholders in a text with what a slow
// walk through it finds.
func FuzzMarks(f *testing.F) {
	addJSON(f)
	for _, test := range placeholderCases {
		for _, around := range [][2]string{{``, ``}, {`[{"a":`, `},{"_placeholder":true,"num":1}]`}, {`{"_placeholder":true,"num":0,"a":`, `}`}} {
			f.Add([]byte(around[0] + test.in + around[1]))
		}
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		if !json.Valid(in) || sio.Valid(in, 0) != nil {
			return
		}
		v := decodeExactly(t, in)
		if got, want := sio.Marked(in), countMarked(v); !duplicates(in) && got != want {
			t.Fatalf("%q: %d marked objects, want %d", in, got, want)
		}
		raw := sio.Literal(in)
		var want []int
		legal := collectMarks(v, &want)
		var got []int
		last := 0
		for _, m := range new(sio.Finder).Find(raw) {
			if m.From < last || raw[m.From] != '{' || raw[m.To-1] != '}' || !json.Valid(raw[m.From:m.To]) {
				t.Fatalf("%q: a placeholder at %+v", raw, m)
			}
			last = m.To
			got = append(got, m.Num)
		}
		if slices.Sort(want); legal && !duplicates(in) && !slices.Equal(slices.Sorted(slices.Values(got)), want) {
			t.Fatalf("%q: placeholders %v, want %v", raw, got, want)
		}
		// Data that is written as such is none, and means the same.
		plain := bytes.ReplaceAll(in, []byte(`"_placeholder"`), []byte(sio.PlainKey))
		if found := new(sio.Finder).Find(plain); len(found) > 0 {
			t.Fatalf("%q: placeholders %v", plain, found)
		}
		if same := decodeExactly(t, plain); !reflect.DeepEqual(same, v) {
			t.Fatalf("%q is %v; want %v", plain, same, v)
		}
		if got := sio.HasPlain(plain); !duplicates(in) && got != (countMarked(v) > 0) {
			t.Fatalf("%q: has plain data that looks like a placeholder: %t", plain, got)
		}
	})
}

func decodeExactly(t *testing.T, in []byte) (v any) {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(in))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		t.Fatal(err)
	}
	return v
}

// duplicates reports whether a JSON text may have a key twice in an object, which
// encoding/json merges.
func duplicates(in []byte) bool {
	var v any
	return json.Unmarshal(in, &v) != nil || bytes.Count(in, []byte(":")) != countColons(v)
}

func countColons(v any) (n int) {
	switch v := v.(type) {
	case string:
		n += strings.Count(v, ":")
	case []any:
		for _, e := range v {
			n += countColons(e)
		}
	case map[string]any:
		for k, e := range v {
			n += 1 + strings.Count(k, ":") + countColons(e)
		}
	}
	return n
}

func countMarked(v any) (n int) {
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			n += countMarked(e)
		}
	case map[string]any:
		if v["_placeholder"] == true {
			n++
		}
		for _, e := range v {
			n += countMarked(e)
		}
	}
	return n
}

// collectMarks appends the numbers of the outermost placeholders, in no order. It
// reports whether all are legal.
func collectMarks(v any, nums *[]int) bool {
	legal := true
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			legal = collectMarks(e, nums) && legal
		}
	case map[string]any:
		if v["_placeholder"] == true {
			literal, _ := v["num"].(json.Number)
			n, err := strconv.ParseUint(literal.String(), 10, 31)
			*nums = append(*nums, int(n))
			return err == nil
		}
		for _, e := range v {
			legal = collectMarks(e, nums) && legal
		}
	}
	return legal
}
