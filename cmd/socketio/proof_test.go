package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math"
	"math/big"
	"math/rand/v2"
	"net/http/httptest"
	"net/netip"
	"os/exec"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/socketio-go/socketio"
	"github.com/socketio-go/socketio/cmd/socketio/internal/contract/testdata/mapped"
)

// The official parser accepts the documents.
func TestAsyncAPIParser(t *testing.T) {
	t.Parallel()
	out, err := exec.Command("node", "testdata/parse.mjs", "internal/contract/testdata/mapped.json", "internal/contract/testdata/uses.json").CombinedOutput()
	if err != nil || strings.Count(string(out), "channels") != 2 {
		t.Fatalf("%v\n%s\n`make setup` installs what is missing", err, out)
	}
	t.Logf("%s", out)
}

// valuesOfEach is how many random values of each type are sent.
const valuesOfEach = 40

// Random values of every mapped type, sent by the real server to the official client,
// are valid by the JSON Schemas of the AsyncAPI document, and come back unchanged. The
// schemas and the TypeScript are made of the same types.
func TestValues(t *testing.T) {
	p := &proof{t: t, io: socketio.NewServer(&socketio.Options{Logger: slog.New(slog.DiscardHandler), MaxQueue: 64 << 20})}
	p.rand = rand.New(rand.NewPCG(1, 2))
	event(p, mapped.BasicsEvent)
	event(p, mapped.TagsEvent)
	event(p, mapped.NullsEvent)
	event(p, mapped.BinaryEvent)
	event(p, mapped.TimesEvent)
	event(p, mapped.RawEvent)
	event(p, mapped.EmbeddedEvent)
	event(p, mapped.TreeEvent)
	event(p, mapped.ListEvent)
	event(p, mapped.PairEvent)
	event(p, mapped.EnumsEvent)
	event(p, mapped.MapsEvent)
	event(p, mapped.ArraysEvent)
	event(p, mapped.TextsEvent)
	event(p, mapped.CustomEvent)
	event(p, mapped.InlineEvent)
	event(p, mapped.EmptyEvent)
	event(p, mapped.StringEvent)
	event(p, mapped.NamesEvent)
	event(p, mapped.PointerEvent)
	event(p, mapped.AnyEvent)
	event(p, mapped.BytesEvent)
	event(p, mapped.MoveEvent)
	event(p, mapped.NothingEvent)
	event(p, mapped.OddEvent)
	call(p, mapped.LookupCall)
	call(p, mapped.SplitCall)
	call(p, mapped.NoneCall)

	done := make(chan struct{})
	p.io.OnConnect(func(s *socketio.Socket) {
		go func() {
			defer close(done)
			for _, run := range p.runs {
				run(s)
			}
			s.Emit("end")
		}()
	})
	srv := httptest.NewServer(p.io)
	t.Cleanup(func() {
		p.io.Close()
		srv.Close()
	})
	out, err := exec.CommandContext(t.Context(), "node", "testdata/proof.mjs", srv.URL, "internal/contract/testdata/mapped.json").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	<-done
	if want := fmt.Sprintf("checked %d", 25*valuesOfEach+3*2*valuesOfEach); !strings.Contains(string(out), want) {
		t.Errorf("%s, not %s", out, want)
	}
}

type proof struct {
	t    *testing.T
	io   *socketio.Server
	rand *rand.Rand
	runs []func(*socketio.Socket)
}

// asJSON is how values are compared: as encoding/json writes them.
func asJSON(t *testing.T, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Errorf("%T: %v", v, err)
	}
	return string(text)
}

func event[T any](p *proof, e socketio.Event[T]) {
	returned := make(chan T, valuesOfEach)
	e.On(p.io, func(_ context.Context, _ *socketio.Socket, v T) error {
		returned <- v
		return nil
	})
	p.runs = append(p.runs, func(s *socketio.Socket) {
		late, cancel := context.WithTimeout(p.t.Context(), time.Minute)
		defer cancel()
		for range valuesOfEach {
			v := random[T](p.rand)
			if err := e.Emit(s, v); err != nil {
				p.t.Errorf("%s: %v", e, err)
				continue
			}
			select {
			case got := <-returned:
				if a, b := asJSON(p.t, v), asJSON(p.t, got); a != b {
					p.t.Errorf("%s: sent %s, came back as %s", e, a, b)
				}
			case <-late.Done():
				p.t.Errorf("%s: %s did not come back", e, asJSON(p.t, v))
				return
			}
		}
	})
}

func call[Req, Res any](p *proof, c socketio.Call[Req, Res]) {
	next := make(chan Res, 1)
	c.On(p.io, func(context.Context, *socketio.Socket, Req) (Res, error) { return <-next, nil })
	p.runs = append(p.runs, func(s *socketio.Socket) {
		for range valuesOfEach {
			sent := random[Res](p.rand)
			next <- sent
			ctx, cancel := context.WithTimeout(p.t.Context(), time.Minute)
			got, err := c.Do(ctx, s, random[Req](p.rand))
			cancel()
			if err != nil {
				p.t.Errorf("%s: %v", c, err)
			} else if a, b := asJSON(p.t, sent), asJSON(p.t, got); a != b {
				p.t.Errorf("%s: answered %s, came back as %s", c, a, b)
			}
		}
	})
}

func random[T any](r *rand.Rand) (v T) {
	fill(r, reflect.ValueOf(&v).Elem(), 0, false)
	return v
}

var constants = map[reflect.Type][]any{
	reflect.TypeFor[mapped.Color](): {mapped.Red, mapped.Green, mapped.Blue},
	reflect.TypeFor[mapped.Level](): {mapped.Low, mapped.High, mapped.Level(10)},
	reflect.TypeFor[mapped.Ratio](): {mapped.Half, mapped.Whole},
}

// fill sets v to a random value. large permits integers that JavaScript rounds.
func fill(r *rand.Rand, v reflect.Value, depth int, large bool) {
	if list := constants[v.Type()]; list != nil {
		v.Set(reflect.ValueOf(list[r.IntN(len(list))]))
		return
	}
	switch p := v.Addr().Interface().(type) {
	case *time.Time:
		*p = time.Unix(r.Int64N(200_000_000_000), r.Int64N(1e9)).UTC()
		return
	case *netip.Addr:
		*p = netip.AddrFrom4([4]byte{byte(r.IntN(256)), 1, 2, 3})
		return
	case *json.RawMessage:
		*p, _ = json.Marshal(anything(r, 0, false))
		return
	case *json.Number:
		*p = json.Number(fmt.Sprint(r.IntN(1000)))
		return
	case **big.Int:
		if r.IntN(2) == 0 {
			*p = big.NewInt(r.Int64N(1 << 53))
		}
		return
	}
	switch v.Kind() {
	case reflect.Bool:
		v.SetBool(r.IntN(2) == 0)
	case reflect.String:
		v.SetString(text(r))
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		n := int64(r.Uint64()) >> r.IntN(64)
		if bits := v.Type().Bits(); bits < 64 {
			n = n << (64 - bits) >> (64 - bits)
		} else if !large {
			n >>= 11
		}
		v.SetInt(n)
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		n := r.Uint64() >> r.IntN(64)
		if bits := v.Type().Bits(); bits < 64 {
			n = n << (64 - bits) >> (64 - bits)
		} else if !large {
			n >>= 11
		}
		v.SetUint(n)
	case reflect.Float32, reflect.Float64:
		f := []float64{0, 1, -1.5, 0.1, 1e21, 1e-7, math.MaxFloat32, r.NormFloat64()}[r.IntN(8)]
		v.SetFloat(f)
	case reflect.Pointer:
		if r.IntN(3) > 0 && depth < 4 {
			v.Set(reflect.New(v.Type().Elem()))
			fill(r, v.Elem(), depth+1, large)
		}
	case reflect.Interface:
		if a := anything(r, depth, true); a != nil {
			v.Set(reflect.ValueOf(a))
		}
	case reflect.Slice:
		n := r.IntN(5) - 1
		if n < 0 {
			return // nil
		}
		if depth >= 4 {
			n = 0
		}
		v.Set(reflect.MakeSlice(v.Type(), n, n))
		fallthrough
	case reflect.Array:
		for i := range v.Len() {
			fill(r, v.Index(i), depth+1, false)
		}
	case reflect.Map:
		if r.IntN(5) == 0 {
			return
		}
		v.Set(reflect.MakeMap(v.Type()))
		for range r.IntN(4) {
			key, elem := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
			fill(r, key, depth+1, false)
			if depth < 4 {
				fill(r, elem, depth+1, false)
			}
			v.SetMapIndex(key, elem)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			f := v.Type().Field(i)
			if !f.IsExported() && !f.Anonymous || f.Tag.Get("json") == "-" {
				continue
			}
			if f.Anonymous && !f.IsExported() {
				for j := range f.Type.NumField() {
					fill(r, v.Field(i).Field(j), depth+1, false)
				}
				continue
			}
			if r.IntN(5) == 0 && f.Type.Kind() != reflect.String && strings.Contains(f.Tag.Get("json"), "omit") {
				continue // zero
			}
			fill(r, v.Field(i), depth+1, strings.Contains(f.Tag.Get("json"), ",string"))
		}
	}
}

// text returns text that is hard to encode, now and then.
func text(r *rand.Rand) string {
	return []string{"", "a", "ä€😀", "quote \" and \\", "\u2028<>&\x00\x1f", strings.Repeat("x", r.IntN(300)), fmt.Sprint(r.Int64())}[r.IntN(7)]
}

// anything returns a value of JSON, or with attachments in it.
func anything(r *rand.Rand, depth int, binary bool) any {
	switch n := r.IntN(8); {
	case n == 0:
		return nil
	case n == 1:
		return r.IntN(2) == 0
	case n == 2:
		return r.IntN(1 << 30)
	case n == 3 && depth < 4:
		return []any{anything(r, depth+1, binary), "x"}
	case n == 4 && depth < 4:
		return map[string]any{"a": anything(r, depth+1, binary), "b": 1.5}
	case n == 5 && binary:
		return bytes.Repeat([]byte{byte(n)}, r.IntN(50))
	}
	return text(r)
}
