package plan

import (
	"fmt"
	"reflect"

	"github.com/socketio-go/socketio/internal/arguments"
)

// DecodeTyped decodes the arguments of a typed event: one, or one for each field of a
// struct that is positional.
func DecodeTyped[T any, C Call](c C) (v T, err error) {
	p := new(T)
	list := arguments.Destinations(p)
	if list == nil {
		list = []any{p}
	}
	for i, dst := range list {
		if err := c.Decode(i, dst); err != nil {
			return v, err
		}
	}
	return *p, nil
}

// CheckTyped returns why the arguments of a typed event can't be decoded into a t, or
// "".
func (s *Shape) CheckTyped(t reflect.Type) string {
	switch {
	case t == s.Args:
		return ""
	case t.Kind() == reflect.Pointer && arguments.IsPositional(t.Elem()):
		return fmt.Sprintf("a %s is a pointer: use the struct that embeds Positional", t)
	}
	return s.Undecodable(t)
}

// CheckResult returns why a t can't be the result of a typed call, or "".
func CheckResult(t reflect.Type) string {
	if t.Implements(errorType) {
		return fmt.Sprintf("%s is an error: return it beside the answer", t)
	}
	return ""
}
