package arguments

import (
	"encoding"
	stdjson "encoding/json"
	"reflect"
	"sync"

	"github.com/go-json-experiment/json"
)

// Binary data may have a named type, such as Photo with the underlying type []byte.
// encoding/json writes it as base64; here it is binary. To find it, json must call a
// function for every value, which costs time and memory. So that function is set
// only for values that may hold binary data of a named type.

// marshals and unmarshals are the interfaces of types that encode and decode
// themselves.
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

// bytesUse says whether values of a type may hold binary data of a named type.
type bytesUse uint8

const (
	never  bytesUse = iota
	maybe           // it has an interface in it
	always          // a part of it has such a type
)

// A typeKey is a type, for decoding if read is set.
type typeKey struct {
	t    reflect.Type
	read bool
}

var bytesUses sync.Map // of a bytesUse by typeKey

// bytesUseOf returns the use of a type. It allocates only at the first call for it.
func bytesUseOf(t reflect.Type, read bool) bytesUse {
	switch t.Kind() {
	case reflect.Struct, reflect.Map, reflect.Slice, reflect.Array, reflect.Pointer:
	case reflect.Interface:
		return maybe
	default:
		return never
	}
	key := typeKey{t, read}
	if h, ok := bytesUses.Load(key); ok {
		return h.(bytesUse)
	}
	h := examine(t, read, make(map[reflect.Type]bool))
	bytesUses.Store(key, h)
	return h
}

func examine(t reflect.Type, read bool, seen map[reflect.Type]bool) (h bytesUse) {
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
		return maybe
	case hasMethod(t, methods):
		for _, m := range methods {
			if (m == reflect.TypeFor[json.MarshalerTo]() || m == reflect.TypeFor[json.UnmarshalerFrom]()) &&
				(t.Implements(m) || reflect.PointerTo(t).Implements(m)) {
				return always // it may encode or decode anything
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

// mayDecodeNamedBytes reports whether the value that dst points to may hold binary
// data of a named type. A value that is decoded into an interface never has such a
// type, unless the interface holds a pointer.
func mayDecodeNamedBytes(dst any) bool {
	t := reflect.TypeOf(dst)
	return t != nil && bytesUseOf(t, true) == always
}

// maxScanDepth limits how deep holdsNamedBytes looks. Deeper values may hold such
// data.
const maxScanDepth = 100

// holdsNamedBytes reports whether v may hold binary data of a named type. It
// allocates nothing for the usual values.
func holdsNamedBytes(v any, depth int) bool {
	if depth > maxScanDepth {
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
	switch bytesUseOf(reflect.TypeOf(v), false) {
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
	if depth > maxScanDepth {
		return true
	}
	switch h := bytesUseOf(v.Type(), false); {
	case h != maybe:
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
			if f := v.Field(i); bytesUseOf(f.Type(), false) != never && (v.Type().Field(i).IsExported() || v.Type().Field(i).Anonymous) &&
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
	default: // a map: iterating it by reflection allocates
		return true
	}
	return false
}
