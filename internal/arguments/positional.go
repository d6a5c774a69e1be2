package arguments

import (
	"reflect"
	"sync"
)

// Positional marks the type that a program offers for structs that stand for several
// arguments. That type embeds it, and nothing else. A struct that embeds the program's
// type under the name Positional is positional: its other exported fields are arguments
// of their own, in order.
type Positional struct{}

func (Positional) positional() {}

// marked is implemented by a struct in which a Positional is embedded, at any depth.
type marked interface{ positional() }

// positionalFields holds, by type, the indexes of the fields that are arguments.
var positionalFields sync.Map // map[reflect.Type][]int

// fieldsOf returns the fields of a positional struct that are arguments.
func fieldsOf(t reflect.Type) []int {
	if known, ok := positionalFields.Load(t); ok {
		return known.([]int) //nolint:forcetypeassert // it holds nothing else
	}
	fields := []int{}
	for i := range t.NumField() {
		if f := t.Field(i); f.IsExported() && !isMarker(f.Type) {
			fields = append(fields, i)
		}
	}
	positionalFields.Store(t, fields)
	return fields
}

// isMarker reports whether t is the program's type.
func isMarker(t reflect.Type) bool {
	return t.Kind() == reflect.Struct && t.NumField() == 1 && t.Field(0).Type == reflect.TypeFor[Positional]()
}

// IsPositional reports whether t is a positional struct.
func IsPositional(t reflect.Type) bool {
	if t.Kind() != reflect.Struct {
		return false
	}
	f, ok := t.FieldByName("Positional")
	return ok && f.Anonymous && isMarker(f.Type) && len(f.Index) == 1
}

// Spread returns the arguments that v stands for.
func Spread(v any) []any {
	if _, ok := v.(marked); !ok || !IsPositional(reflect.TypeOf(v)) {
		return []any{v}
	}
	s := reflect.ValueOf(v)
	fields := fieldsOf(s.Type())
	args := make([]any, len(fields))
	for i, field := range fields {
		args[i] = s.Field(field).Interface()
	}
	return args
}

// Destinations returns pointers to the fields of the positional struct that dst points
// to, or nil if dst points to anything else.
func Destinations(dst any) []any {
	if _, ok := dst.(marked); !ok || !IsPositional(reflect.TypeOf(dst).Elem()) {
		return nil
	}
	s := reflect.ValueOf(dst).Elem()
	fields := fieldsOf(s.Type())
	list := make([]any, len(fields))
	for i, field := range fields {
		list[i] = s.Field(field).Addr().Interface()
	}
	return list
}
