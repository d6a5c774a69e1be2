package arguments

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// Types checks, at registration, the types into which arguments are decoded. JSON has
// no channels or functions, and no peer can send a value of a type of this library, such
// as a *Socket.
type Types struct {
	Args reflect.Type          // the type that takes several arguments; it can't be in another value
	Own  map[reflect.Type]bool // types of this library that can't be decoded
}

// Undecodable returns why no argument can be decoded into a t, or "" if its type does
// not exclude it.
func (o *Types) Undecodable(t reflect.Type) string {
	path, part := o.misfit(t, make(map[reflect.Type]bool))
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
func (o *Types) misfit(t reflect.Type, seen map[reflect.Type]bool) (path string, part reflect.Type) {
	if o.Own[t] || t == o.Args && len(seen) > 0 {
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
		return o.misfit(t.Elem(), seen)
	case reflect.Map:
		if !keyOfObjects(t.Key()) {
			return "", t.Key()
		}
		return o.misfit(t.Elem(), seen)
	case reflect.Struct:
		return o.misfitField(t, seen)
	}
	return "", nil
}

// misfitField is misfit for the fields of a struct. It ignores interfaces: the
// application may use such a field for its own values.
func (o *Types) misfitField(t reflect.Type, seen map[reflect.Type]bool) (path string, part reflect.Type) {
	for i := range t.NumField() {
		f := t.Field(i)
		embedded := f.Anonymous && (f.Type.Kind() == reflect.Struct || f.Type.Kind() == reflect.Pointer && f.Type.Elem().Kind() == reflect.Struct)
		if !f.IsExported() && !embedded || f.Tag.Get("json") == "-" || f.Type.Kind() == reflect.Interface {
			continue
		}
		if path, part = o.misfit(f.Type, seen); part != nil {
			return strings.TrimSuffix(f.Name+"."+path, "."), part
		}
	}
	return "", nil
}

// EncodesItself reports whether values of type t have a method for encoding.
func EncodesItself(t reflect.Type) bool {
	return slices.ContainsFunc(marshals, t.Implements)
}

// decodesItself reports whether values of type t have a method for decoding.
func decodesItself(t reflect.Type) bool {
	for _, u := range unmarshals {
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
