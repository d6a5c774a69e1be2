package socketio

import (
	"fmt"
	"reflect"
)

// callback takes a callback off the end of an event's arguments. A type of the
// application with the shape of F is one, too; any other function is an error, and
// so is a nil one.
func callback[F any](event string, args []any) (rest []any, fn F, found bool, err error) {
	last := len(args) - 1
	if last < 0 {
		return args, fn, false, nil
	}
	fn, found = args[last].(F)
	v := reflect.ValueOf(args[last])
	switch {
	case v.Kind() != reflect.Func || !found && encodesItself(v.Type()):
		return args, fn, false, nil
	case v.IsNil():
		return args, fn, false, fmt.Errorf("socketio: event %q: the callback is a nil %T", event, args[last])
	case found:
	case v.CanConvert(reflect.TypeFor[F]()):
		fn, _ = v.Convert(reflect.TypeFor[F]()).Interface().(F)
	default:
		return args, fn, false, fmt.Errorf("socketio: event %q: a %T as the last argument: the callback here is a %s", event, args[last], reflect.TypeFor[F]())
	}
	return args[:last], fn, true, nil
}

// noCallback refuses a function as the last argument where none is called. instead
// says what to do.
func noCallback(what string, args []any, instead string) error {
	last := len(args) - 1
	if last < 0 {
		return nil
	}
	t := reflect.TypeOf(args[last])
	if t == nil || t.Kind() != reflect.Func || encodesItself(t) {
		return nil
	}
	return fmt.Errorf("socketio: %s: a %s as the last argument: no callback is taken here, %s", what, t, instead)
}

// noCallbackOf is noCallback for an event.
func noCallbackOf(event string, args []any, instead string) error {
	return noCallback(fmt.Sprintf("event %q", event), args, instead)
}
