package socketio

import (
	"fmt"
	"reflect"
	"sync"
)

// Positional is embedded in a struct to make each exported field an argument of its own,
// in order. An [Event] or [Call] sends and receives such a struct as several arguments,
// as clients in other languages often do. Everywhere else the struct is an object.
//
//	type Move struct {
//		socketio.Positional
//		X, Y int
//	}
//	const Moved socketio.Event[Move] = "moved" // socket.emit("moved", x, y)
//
// Extra arguments are ignored. A field without an argument has its zero value. The json
// tags of the fields have no effect.
type Positional struct{}

func (Positional) positional() {}

// positionalFields holds, by type, the indexes of the fields that are arguments.
var positionalFields sync.Map // map[reflect.Type][]int

var positionalType = reflect.TypeFor[Positional]()

// fieldsOf returns the fields of a positional struct that are arguments.
func fieldsOf(t reflect.Type) []int {
	if known, ok := positionalFields.Load(t); ok {
		return known.([]int) //nolint:forcetypeassert // it holds nothing else
	}
	fields := []int{}
	for i := range t.NumField() {
		if f := t.Field(i); f.IsExported() && f.Type != positionalType {
			fields = append(fields, i)
		}
	}
	positionalFields.Store(t, fields)
	return fields
}

// isPositional reports whether t is a struct that embeds Positional.
func isPositional(t reflect.Type) bool {
	if t.Kind() != reflect.Struct {
		return false
	}
	f, ok := t.FieldByName("Positional")
	return ok && f.Anonymous && f.Type == positionalType && len(f.Index) == 1
}

// spread returns v, or the fields of v if it is a positional struct.
func spread(v any) []any {
	if _, ok := v.(interface{ positional() }); !ok || !isPositional(reflect.TypeOf(v)) {
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

// destinations returns the pointers into which arguments are decoded for dst, a pointer:
// dst itself, or the fields of a positional struct.
func destinations(dst any) []any {
	if _, ok := dst.(interface{ positional() }); !ok || !isPositional(reflect.TypeOf(dst).Elem()) {
		return []any{dst}
	}
	s := reflect.ValueOf(dst).Elem()
	fields := fieldsOf(s.Type())
	list := make([]any, len(fields))
	for i, field := range fields {
		list[i] = s.Field(field).Addr().Interface()
	}
	return list
}

// decodeInto decodes the arguments of a typed ack or a server-side event.
func decodeInto[T any](args Args) (v T, err error) {
	err = args.Decode(&v)
	return v, err
}

// decoderOf returns the function that decodes the arguments of a typed event.
func decoderOf[T any]() func(*call) (T, error) {
	if !isPositional(reflect.TypeFor[T]()) {
		return first[T]
	}
	return func(c *call) (v T, err error) {
		p := new(T)
		for i, dst := range destinations(p) {
			if err := c.decode(i, dst); err != nil {
				return v, err
			}
		}
		return *p, nil
	}
}

// checkArguments panics if the arguments of a typed event can't be decoded.
func checkArguments[T any](what string) {
	t := reflect.TypeFor[T]()
	if t == argsType { // the arguments are not decoded
		return
	}
	if t.Kind() == reflect.Pointer && isPositional(t.Elem()) {
		panic(fmt.Sprintf("socketio: %s: a %s is a pointer: use the struct that embeds Positional", what, t))
	}
	if problem := undecodable(t); problem != "" {
		panic(fmt.Sprintf("socketio: %s: %s", what, problem))
	}
}
