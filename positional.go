package socketio

import (
	"reflect"

	"github.com/socketio-go/socketio/internal/arguments"
	"github.com/socketio-go/socketio/internal/plan"
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
type Positional struct {
	positional //nolint:unused // its method marks the structs that embed it
}

type positional = arguments.Positional //nolint:unused // see Positional

// decodeInto decodes the arguments of a typed ack or a server-side event.
func decodeInto[T any](args Args) (v T, err error) {
	err = args.Decode(&v)
	return v, err
}

// decoderOf returns the function that decodes the arguments of a typed event.
func decoderOf[T any]() func(*call) (T, error) {
	if !arguments.IsPositional(reflect.TypeFor[T]()) {
		return first[T]
	}
	return plan.DecodeTyped[T, *call]
}

// checkArguments panics if the arguments of a typed event can't be decoded.
func checkArguments[T any](what string) {
	if problem := shape.CheckTyped(reflect.TypeFor[T]()); problem != "" {
		panic("socketio: " + what + ": " + problem)
	}
}

// checkResult panics if the result of a typed call is an error.
func checkResult[Res any](what string) {
	if problem := plan.CheckResult(reflect.TypeFor[Res]()); problem != "" {
		panic("socketio: " + what + ": " + problem)
	}
}
