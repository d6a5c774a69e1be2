package socketio

import (
	"encoding"
	stdjson "encoding/json"
	"reflect"
	"sync"

	"github.com/go-json-experiment/json"
)

// Binary data may be of a named type, such as Photo of underlying type []byte:
// what encoding/json has as base64 is binary here. To see it, json must ask about
// every value, which costs time and memory. So it is asked only for values that may
// have some in them.

// marshals and unmarshals are the methods by which a type says how it is written
// and read itself.
var (
	marshals = []reflect.Type{
		reflect.TypeFor[stdjson.Marshaler](),
		reflect.TypeFor[json.MarshalerTo](),
		reflect.TypeFor[encoding.TextMarshaler](),
		reflect.TypeFor[encoding.TextAppender](),
	}
	unmarshals = []reflect.Type{
		reflect.TypeFor[stdjson.Unmarshaler](),
		reflect.TypeFor[json.UnmarshalerFrom](),
		reflect.TypeFor[encoding.TextUnmarshaler](),
	}
)

func hasMethod(t reflect.Type, methods []reflect.Type) bool {
	for _, m := range methods {
		if t.Implements(m) || reflect.PointerTo(t).Implements(m) {
			return true
		}
	}
	return false
}

var bytesType = reflect.TypeFor[[]byte]()

// isNamedBytes reports whether t holds binary data but is not []byte itself.
func isNamedBytes(t reflect.Type, methods []reflect.Type) bool {
	return t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Uint8 && t != bytesType &&
		!hasMethod(t, methods) && !hasMethod(t.Elem(), methods)
}

// holding says whether values of a type may hold binary data of a named type.
type holding uint8

const (
	never   holding = iota
	perhaps         // there is an interface in it
	always          // a part of it is of such a type
)

// A typeKey is a type and whether it is read.
type typeKey struct {
	t    reflect.Type
	read bool
}

var holdings sync.Map // of a holding by typeKey

// holdingOf returns what is known of a type. It allocates the first time only.
func holdingOf(t reflect.Type, read bool) holding {
	switch t.Kind() {
	case reflect.Struct, reflect.Map, reflect.Slice, reflect.Array, reflect.Pointer:
	case reflect.Interface:
		return perhaps
	default:
		return never
	}
	key := typeKey{t, read}
	if h, ok := holdings.Load(key); ok {
		return h.(holding)
	}
	h := examine(t, read, make(map[reflect.Type]bool))
	holdings.Store(key, h)
	return h
}

func examine(t reflect.Type, read bool, seen map[reflect.Type]bool) (h holding) {
	methods := marshals
	if read {
		methods = unmarshals
	}
	switch {
	case seen[t]:
		return never
	case isNamedBytes(t, methods):
		return always
	case t.Kind() == reflect.Interface:
		return perhaps
	case hasMethod(t, methods):
		for _, m := range methods {
			if (m == reflect.TypeFor[json.MarshalerTo]() || m == reflect.TypeFor[json.UnmarshalerFrom]()) &&
				(t.Implements(m) || reflect.PointerTo(t).Implements(m)) {
				return always // it may have anything written or read
			}
		}
		return never
	}
	seen[t] = true
	switch t.Kind() {
	case reflect.Struct:
		for i := range t.NumField() {
			h = max(h, examine(t.Field(i).Type, read, seen))
		}
	case reflect.Map, reflect.Slice, reflect.Array, reflect.Pointer:
		h = examine(t.Elem(), read, seen)
	default:
	}
	return h
}

// mayDecodeNamedBytes reports whether what dst points to may hold binary data of a
// named type. What an interface gets is never of such a type, unless there is a
// pointer in it.
func mayDecodeNamedBytes(dst any) bool {
	t := reflect.TypeOf(dst)
	return t != nil && holdingOf(t, true) == always
}

// maxLook is how deep holdsNamedBytes looks. What is deeper may as well have some.
const maxLook = 100

// holdsNamedBytes reports whether v may hold binary data of a named type. It
// allocates nothing for the usual values.
func holdsNamedBytes(v any, depth int) bool {
	if depth > maxLook {
		return true
	}
	switch v := v.(type) {
	case nil, string, bool, float64, int, []byte:
		return false
	case []any:
		for _, e := range v {
			if holdsNamedBytes(e, depth+1) {
				return true
			}
		}
		return false
	case map[string]any:
		for _, e := range v {
			if holdsNamedBytes(e, depth+1) {
				return true
			}
		}
		return false
	}
	switch holdingOf(reflect.TypeOf(v), false) {
	case never:
		return false
	case always:
		return true
	default:
		return valueHoldsNamedBytes(reflect.ValueOf(v), depth+1)
	}
}

// valueHoldsNamedBytes is holdsNamedBytes for a value with an interface in it.
func valueHoldsNamedBytes(v reflect.Value, depth int) bool {
	if depth > maxLook {
		return true
	}
	switch h := holdingOf(v.Type(), false); {
	case h != perhaps:
		return h == always
	case !v.CanInterface():
		return true
	}
	switch v.Kind() {
	case reflect.Interface, reflect.Pointer:
		if v.IsNil() {
			return false
		}
		if e := v.Elem(); v.Kind() == reflect.Interface && !e.CanAddr() && e.CanInterface() {
			return holdsNamedBytes(e.Interface(), depth+1)
		}
		return valueHoldsNamedBytes(v.Elem(), depth+1)
	case reflect.Struct:
		for i := range v.NumField() {
			if f := v.Field(i); holdingOf(f.Type(), false) != never && (v.Type().Field(i).IsExported() || v.Type().Field(i).Anonymous) &&
				valueHoldsNamedBytes(f, depth+1) {
				return true
			}
		}
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			if valueHoldsNamedBytes(v.Index(i), depth+1) {
				return true
			}
		}
	default: // a map, which can't be walked through without allocating
		return true
	}
	return false
}
