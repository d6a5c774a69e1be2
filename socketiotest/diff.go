package socketiotest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/socketio-go/socketio"
)

// valuesOf decodes arguments. Binary data is a []byte in its place, and numbers keep
// all their digits.
func valuesOf(a socketio.Args) []any {
	bin := a.Binary()
	list := make([]any, a.Len())
	for i := range list {
		d := json.NewDecoder(bytes.NewReader(a.Raw(i)))
		d.UseNumber()
		if err := d.Decode(&list[i]); err != nil {
			list[i] = string(a.Raw(i))
		}
		if len(bin) > 0 {
			list[i] = attach(list[i], bin)
		}
	}
	return list
}

// attach puts binary data in the place of its placeholders.
func attach(v any, bin [][]byte) any {
	switch v := v.(type) {
	case map[string]any:
		if num, ok := v["num"].(json.Number); ok && v["_placeholder"] == true {
			if i, err := num.Int64(); err == nil && i >= 0 && int(i) < len(bin) {
				return bin[i]
			}
		}
		for key, member := range v {
			v[key] = attach(member, bin)
		}
	case []any:
		for i, member := range v {
			v[i] = attach(member, bin)
		}
	}
	return v
}

// diff says where arguments differ; "" if they do not.
func diff(want, got []any) string {
	var b strings.Builder
	for i := range max(len(want), len(got)) {
		at := fmt.Sprintf("argument %d", i)
		switch {
		case i >= len(want):
			fmt.Fprintf(&b, "\n\t%s is one too many: %s", at, showValue(got[i]))
		case i >= len(got):
			fmt.Fprintf(&b, "\n\t%s is missing: %s", at, showValue(want[i]))
		default:
			diffValues(&b, at, want[i], got[i])
		}
	}
	return b.String()
}

func diffValues(b *strings.Builder, at string, want, got any) {
	if equal(want, got) {
		return
	}
	switch w := want.(type) {
	case map[string]any:
		if g, ok := got.(map[string]any); ok {
			diffObjects(b, at, w, g)
			return
		}
	case []any:
		if g, ok := got.([]any); ok {
			diffArrays(b, at, w, g)
			return
		}
	case []byte:
		if g, ok := got.([]byte); ok {
			same := 0
			for same < min(len(w), len(g)) && w[same] == g[same] {
				same++
			}
			fmt.Fprintf(b, "\n\t%s: want %s, got %s, which differ at byte %d", at, showValue(w), showValue(g), same)
			return
		}
	}
	fmt.Fprintf(b, "\n\t%s: want %s, got %s", at, showValue(want), showValue(got))
}

// equal compares values. Numbers are equal if they are written alike or are the same
// number.
func equal(want, got any) bool {
	w, ok := want.(json.Number)
	g, also := got.(json.Number)
	if ok && also {
		a, errA := w.Float64()
		b, errB := g.Float64()
		_, intA := w.Int64()
		_, intB := g.Int64()
		return w == g || errA == nil && errB == nil && a == b && (intA != nil || intB != nil)
	}
	switch w := want.(type) {
	case map[string]any:
		g, ok := got.(map[string]any)
		return ok && maps.EqualFunc(w, g, equal)
	case []any:
		g, ok := got.([]any)
		return ok && slices.EqualFunc(w, g, equal)
	}
	return reflect.DeepEqual(want, got)
}

func diffObjects(b *strings.Builder, at string, want, got map[string]any) {
	all := maps.Clone(want)
	maps.Copy(all, got)
	for _, key := range slices.Sorted(maps.Keys(all)) {
		w, wanted := want[key]
		g, is := got[key]
		switch {
		case !is:
			fmt.Fprintf(b, "\n\t%s.%s is missing: %s", at, key, showValue(w))
		case !wanted:
			fmt.Fprintf(b, "\n\t%s.%s is one too many: %s", at, key, showValue(g))
		default:
			diffValues(b, at+"."+key, w, g)
		}
	}
}

func diffArrays(b *strings.Builder, at string, want, got []any) {
	for i := range max(len(want), len(got)) {
		element := fmt.Sprintf("%s[%d]", at, i)
		switch {
		case i >= len(got):
			fmt.Fprintf(b, "\n\t%s is missing: %s", element, showValue(want[i]))
		case i >= len(want):
			fmt.Fprintf(b, "\n\t%s is one too many: %s", element, showValue(got[i]))
		default:
			diffValues(b, element, want[i], got[i])
		}
	}
}

// showValue shows a value as JSON, and binary data by its length and beginning.
func showValue(v any) string {
	if data, ok := v.([]byte); ok {
		const head = 16
		if len(data) <= head {
			return fmt.Sprintf("<%d bytes % x>", len(data), data)
		}
		return fmt.Sprintf("<%d bytes % x…>", len(data), data[:head])
	}
	switch v := v.(type) {
	case map[string]any:
		list := make([]string, 0, len(v))
		for _, key := range slices.Sorted(maps.Keys(v)) {
			list = append(list, fmt.Sprintf("%q:%s", key, showValue(v[key])))
		}
		return shorten("{" + strings.Join(list, ",") + "}")
	case []any:
		list := make([]string, 0, len(v))
		for _, member := range v {
			list = append(list, showValue(member))
		}
		return shorten("[" + strings.Join(list, ",") + "]")
	}
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return fmt.Sprint(v)
	}
	return shorten(strings.TrimSpace(b.String()))
}
