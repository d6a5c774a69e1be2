package socketio

import (
	"encoding"
	stdjson "encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
)

// This file checks, at registration, the types into which arguments are decoded.
// JSON has no channels or functions, and no client can send a value of a type of
// this library, such as a *Socket.

var (
	unmarshalers = []reflect.Type{
		reflect.TypeFor[json.UnmarshalerFrom](),
		reflect.TypeFor[stdjson.Unmarshaler](),
		reflect.TypeFor[encoding.TextUnmarshaler](),
	}
	marshalers = []reflect.Type{
		reflect.TypeFor[json.MarshalerTo](),
		reflect.TypeFor[stdjson.Marshaler](),
		reflect.TypeFor[encoding.TextMarshaler](),
	}
	ownTypes = map[reflect.Type]bool{
		reflect.TypeFor[Server]():          true,
		reflect.TypeFor[Namespace]():       true,
		reflect.TypeFor[Room]():            true,
		reflect.TypeFor[Socket]():          true,
		reflect.TypeFor[RemoteSocket]():    true,
		reflect.TypeFor[Handshake]():       true,
		reflect.TypeFor[Emitter]():         true,
		reflect.TypeFor[Message]():         true,
		reflect.TypeFor[Options]():         true,
		reflect.TypeFor[PanicError]():      true,
		reflect.TypeFor[DecodeError]():     true,
		reflect.TypeFor[DisconnectError](): true,
		reflect.TypeFor[NoResponseError](): true,
	}
)

// undecodable returns why no argument can be decoded into a t, or "" if its type does
// not exclude it.
func undecodable(t reflect.Type) string {
	path, part := misfit(t, make(map[reflect.Type]bool))
	switch {
	case part == nil:
		return ""
	case part == t:
		return fmt.Sprintf("a %s can't be decoded", t)
	case path == "":
		return fmt.Sprintf("a %s can't be decoded: it holds a %s", t, part)
	}
	return fmt.Sprintf("a %s can't be decoded: %s is a %s; a field that clients do not send has the tag `json:\"-\"`", t, path, part)
}

// misfit finds a part of t that can't be decoded, and the path of fields to it.
func misfit(t reflect.Type, seen map[reflect.Type]bool) (path string, part reflect.Type) {
	if ownTypes[t] || t == argsType && len(seen) > 0 {
		return "", t
	}
	if seen[t] {
		return "", nil
	}
	seen[t] = true
	if decodesItself(t) {
		return "", nil
	}
	switch t.Kind() {
	case reflect.Chan, reflect.Func, reflect.UnsafePointer, reflect.Complex64, reflect.Complex128:
		return "", t
	case reflect.Interface:
		if t.NumMethod() > 0 {
			return "", t
		}
	case reflect.Pointer, reflect.Slice, reflect.Array:
		return misfit(t.Elem(), seen)
	case reflect.Map:
		if !keyOfObjects(t.Key()) {
			return "", t.Key()
		}
		return misfit(t.Elem(), seen)
	case reflect.Struct:
		return misfitField(t, seen)
	}
	return "", nil
}

// misfitField is misfit for the fields of a struct. It ignores interfaces: the
// application may use such a field for its own values.
func misfitField(t reflect.Type, seen map[reflect.Type]bool) (path string, part reflect.Type) {
	for i := range t.NumField() {
		f := t.Field(i)
		embedded := f.Anonymous && (f.Type.Kind() == reflect.Struct || f.Type.Kind() == reflect.Pointer && f.Type.Elem().Kind() == reflect.Struct)
		if !f.IsExported() && !embedded || f.Tag.Get("json") == "-" || f.Type.Kind() == reflect.Interface {
			continue
		}
		if path, part = misfit(f.Type, seen); part != nil {
			return strings.TrimSuffix(f.Name+"."+path, "."), part
		}
	}
	return "", nil
}

func encodesItself(t reflect.Type) bool {
	return slices.ContainsFunc(marshalers, t.Implements)
}

func decodesItself(t reflect.Type) bool {
	for _, u := range unmarshalers {
		if t.Implements(u) && t.Kind() != reflect.Interface || reflect.PointerTo(t).Implements(u) {
			return true
		}
	}
	return false
}

// keyOfObjects reports whether a map with keys of type t can hold a JSON object.
func keyOfObjects(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.String, reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr,
		reflect.Float32, reflect.Float64, reflect.Bool:
		return true
	}
	return decodesItself(t)
}
