package socketio_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/socketio-go/socketio"
	"github.com/socketio-go/socketio/internal/allocs"
	"github.com/socketio-go/socketio/internal/sio"
)

// A signature is a handler with parameters of some types.
type signature struct {
	run    func(p *sio.Packet, bin [][]byte) (values []any, err error)
	values func() []any // what values of the same types point to
}

func one[A any]() signature {
	return signature{
		func(p *sio.Packet, bin [][]byte) (got []any, err error) {
			err = socketio.RunHandler(func(_ *socketio.Socket, a A) { got = []any{&a} }, p, bin)
			return got, err
		},
		func() []any { return []any{new(A)} },
	}
}

func two[A, B any]() signature {
	return signature{
		func(p *sio.Packet, bin [][]byte) (got []any, err error) {
			err = socketio.RunHandler(func(a A, b B) error { got = []any{&a, &b}; return nil }, p, bin)
			return got, err
		},
		func() []any { return []any{new(A), new(B)} },
	}
}

// A folder has most of what a type can.
type folder struct {
	Name    string `json:"name"`
	Size    uint32 `json:",string"`
	Data    []byte
	At      time.Time         `json:"at,omitzero"`
	Inner   []folder          `json:"inner,omitempty"`
	Parent  *folder           `json:"parent"`
	Tags    map[string]string `json:"tags"`
	Any     any
	Raw     json.RawMessage
	Number  json.Number
	private int //nolint:unused // which is never decoded
	point
}

var signatures = []signature{
	// With a way of their own.
	one[string](),
	one[[]byte](),
	one[int](),
	one[float64](),
	one[json.RawMessage](),
	// By reflection.
	one[any](),
	one[bool](),
	one[int8](),
	one[uint64](),
	one[float32](),
	one[json.Number](),
	one[*string](),
	one[[]any](),
	one[[][]byte](),
	one[[3]int](),
	one[map[string]any](),
	one[map[int]string](),
	one[map[string][]byte](),
	one[point](),
	one[folder](),
	one[*folder](),
	one[time.Time](),
	two[string, any](),
	two[any, []byte](),
	two[int, map[string]*folder](),
	two[json.RawMessage, bool](),
}

type point struct {
	X, Y int
	Note *string `json:"note,omitempty"`
}

// FuzzHandlerArgs has handlers of all signatures called with what a client
// sends. Without attachments they get what encoding/json makes of it.
func FuzzHandlerArgs(f *testing.F) {
	for i, args := range []string{
		`"text"`, `"\u00e9\ud83d\ude00\n"`, `12`, `-0`, `1e400`, `1.50`, `true`, `null`, `[]`, `{}`, ``,
		`{"_placeholder":true,"num":0}`, `[{"num":1,"_placeholder":true,"x":"{}"}]`, `{"a":{"_placeholder":true,"num":0}}`,
		`"aGk="`, `[104,105]`, `[1,2,3,4]`, `{"1":"a","2":null}`, `{"X":1,"y":2,"note":"n"}`, `"2026-01-02T03:04:05.6+07:00"`,
		`{"name":"a","Size":"12","Data":"aGk=","at":"2026-01-02T03:04:05Z","inner":[{"name":"b"}],"parent":{"parent":null},` +
			`"tags":{"k":"v"},"Any":[1,{}],"Raw":[ 1 ],"Number":1.50,"X":3,"private":1}`,
		`{"Data":{"_placeholder":true,"num":0},"Any":{"_placeholder":true,"num":1},"Raw":{"_placeholder":true,"num":0}}`,
		`"a",{"b":[1,2]}`, `{"a":"a","a":"b","A":"c"}`, strings.Repeat("[", 100) + strings.Repeat("]", 100),
	} {
		for j := range 4 {
			f.Add(uint8(7*i+j), args, uint8(j), []byte("binary"))
		}
		f.Add(uint8(0), args, uint8(0), []byte(nil))
		f.Add(uint8(5), args, uint8(0), []byte(nil))
		f.Add(uint8(19), args, uint8(2), []byte(nil))
	}
	f.Fuzz(func(t *testing.T, which uint8, args string, attachments uint8, content []byte) {
		text := []byte(`2["event",` + args + `]`)
		var bin [][]byte
		if n := attachments % (sio.DefaultAttachments + 1); n > 0 {
			text = fmt.Appendf(nil, `5%d-["event",%s]`, n, args)
			for i := range n {
				bin = append(bin, append([]byte{}, content[:len(content)*int(i)/int(n)]...))
			}
		}
		if args == "" {
			text = bytes.Replace(text, []byte(","), nil, 1)
		}
		var p sio.Packet
		if !utf8.Valid(text) || p.Decode(text, sio.Limits{Literal: true}) != nil {
			return // refused by the layers below
		}
		s := signatures[int(which)%len(signatures)]
		values, err := s.run(&p, bin)
		var decode *socketio.DecodeError
		if err != nil && !errors.As(err, &decode) {
			t.Fatalf("%s: %T, %v", text, err, err)
		}
		limit := 200*uint64(len(text)) + 1<<14
		if n := allocs.Bytes(limit, func() { s.run(&p, bin) }); n > limit {
			t.Errorf("%d bytes allocated for %d: %s", n, len(text), text)
		}
		wantPassedOn(t, &p, bin)
		if len(bin) == 0 {
			wantSameAsStd(t, &p, s.values(), values, err)
		}

		// What was decoded does not change with the buffer that it was read from.
		original := bytes.Clone(text)
		clear(text)
		if err := p.Decode(original, sio.Limits{Literal: true}); err != nil {
			t.Fatal(err)
		}
		again, againErr := s.run(&p, bin)
		if (err == nil) != (againErr == nil) || !reflect.DeepEqual(values, again) {
			t.Errorf("%s: %+v, %v; after the buffer was used again %+v, %v", original, again, againErr, values, err)
		}
	})
}

// wantSameAsStd compares what a handler got with what encoding/json says.
func wantSameAsStd(t *testing.T, p *sio.Packet, want, got []any, err error) {
	t.Helper()
	var wantErr error
	for i, dst := range want {
		if i < len(p.Args) && wantErr == nil {
			wantErr = json.Unmarshal(p.Args[i], dst)
		}
	}
	switch {
	case (err == nil) != (wantErr == nil):
		t.Errorf("%s: %v; encoding/json says: %v", p.Data, err, wantErr)
	case err == nil && !reflect.DeepEqual(got, want):
		t.Errorf("%s: %s, want %s", p.Data, spell(got), spell(want))
	}
}

func spell(values []any) string {
	var list []string
	for _, v := range values {
		list = append(list, fmt.Sprintf("%#v", reflect.ValueOf(v).Elem()))
	}
	return strings.Join(list, ", ")
}

// wantPassedOn passes arguments on behind another one with an attachment: they
// must stay what they were.
func wantPassedOn(t *testing.T, p *sio.Packet, bin [][]byte) {
	t.Helper()
	args := socketio.ArgsFromWire(p.Args, bin)
	passed, err := socketio.EncodeArgs([]byte("another"), args)
	if len(bin) == 0 && (err == nil) != (sio.Marked(p.Data) == 0) {
		t.Fatalf("%s became %s: %v", args, passed, err) // only what looks like a placeholder can't be passed on
	}
	if len(bin) == 0 && err != nil {
		return
	}
	if err != nil || passed.Len() != args.Len()+1 {
		t.Fatalf("%s became %s: %v", args, passed, err)
	}
	if len(bin) == 0 {
		return
	}
	for i := range args.Len() {
		before, after := make([]any, args.Len()), make([]any, args.Len()+1)
		wantErr := args.Decode(pointers(before)[:i+1]...)
		err := passed.Decode(pointers(after)[:i+2]...)
		if (err == nil) != (wantErr == nil) || !reflect.DeepEqual(after[1:], before) {
			t.Errorf("%s became %s: %v, %v and %v, %v", args, passed, before, wantErr, after, err)
		}
	}
}

func pointers(values []any) (list []any) {
	for i := range values {
		list = append(list, &values[i])
	}
	return list
}
