package socketio

import (
	"fmt"
	"reflect"

	"github.com/socketio-go/socketio/internal/arguments"
)

// callback removes a callback from the end of an event's arguments. A named type of
// the application with the underlying type F is a callback too. Any other function,
// or a nil one, is an error.
func callback[F any](event string, args []any) (rest []any, fn F, found bool, err error) {
	last := len(args) - 1
	if last < 0 {
		return args, fn, false, nil
	}
	fn, found = args[last].(F)
	v := reflect.ValueOf(args[last])
	switch {
	case v.Kind() != reflect.Func || !found && arguments.EncodesItself(v.Type()):
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

// noCallback returns an error if the last argument is a function, where no callback
// is supported. instead says what to do.
func noCallback(what string, args []any, instead string) error {
	last := len(args) - 1
	if last < 0 {
		return nil
	}
	t := reflect.TypeOf(args[last])
	if t == nil || t.Kind() != reflect.Func || arguments.EncodesItself(t) {
		return nil
	}
	return fmt.Errorf("socketio: %s: a %s as the last argument: no callback is taken here, %s", what, t, instead)
}

// noCallbackOf is noCallback for an event.
func noCallbackOf(event string, args []any, instead string) error {
	return noCallback(fmt.Sprintf("event %q", event), args, instead)
}
