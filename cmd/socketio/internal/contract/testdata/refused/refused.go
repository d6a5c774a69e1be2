// Package refused has one fault in each line with a comment.
package refused

import (
	"io"

	"github.com/socketio-go/socketio"
)

//socketio:from server
const (
	E1  socketio.Event[chan int]         = "e1"  // want `event "e1": JSON has no value for a chan int: give the field the tag`
	E2  socketio.Event[func()]           = "e2"  // want `event "e2": JSON has no value for a func\(\)`
	E3  socketio.Event[complex128]       = "e3"  // want `event "e3": JSON has no value for a complex128`
	E4  socketio.Event[io.Reader]        = "e4"  // want `event "e4": the values of an interface are not known: use a concrete type, or any, or say what it is with //socketio:ts`
	E5  socketio.Event[error]            = "e5"  // want `event "e5": JSON has no value for an error: send its text`
	E6  socketio.Event[map[bool]int]     = "e6"  // want `event "e6": a bool can't be the key of an object: use strings, integers or a type with MarshalText`
	E7  socketio.Event[Marshals]         = "e7"  // want `event "e7": refused.Marshals encodes itself with MarshalJSON: write its TypeScript type above its declaration, //socketio:ts string`
	E8  socketio.Event[ByPointer]        = "e8"  // want `event "e8": refused.ByPointer encodes itself only where it is addressable: MarshalText is a method of \*refused.ByPointer: declare MarshalText for refused.ByPointer itself, or use a \*refused.ByPointer`
	E9  socketio.Event[Reads]            = "e9"  // want `event "e9": refused.Reads decodes itself with UnmarshalJSON, but does not encode itself`
	E10 socketio.Event[*Move]            = "e10" // want `event "e10": \*refused.Move is a pointer: use the struct that embeds Positional`
	E11 socketio.Event[*socketio.Socket] = "e11" // want `event "e11": a socketio.Socket is no data: use a type of your own`
	E12 socketio.Event[Fields]           = "e12"
	E13 socketio.Event[string]           = "e13"
	E14 socketio.Event[A]                = "e14"
	E15 socketio.Event[B]                = "e15"
	E16 socketio.Call[string, chan int]  = "e16" // want `event "e16", answer: JSON has no value for a chan int`
)

const Nowhere socketio.Event[string] = "nowhere" // want `event "nowhere": nothing shows which side sends it: name the packages that use it, too, or write //socketio:from client, server or both above it`

//socketio:from server
const Twice socketio.Event[int] = "e13" // want `event "e13" of / is declared at testdata/refused/refused.go:\d+:\d+, too: declare it once`

//socketio:from nobody // want `//socketio:from nobody // want .*: write client, server or both`
//socketio:frum client // want `unknown directive //socketio:frum: the directives are from`
//socketio:namespace chat // want `//socketio:namespace chat .*: the name of a namespace begins with a slash`
//socketio:from client
const Directives socketio.Event[string] = "directives"

type Fields struct {
	Chan   chan int                         `json:"chan"`       // want `field Chan: JSON has no value for a chan int`
	Format string                           `json:"f,format:x"` // want `field Format: the option "format:x" of its json tag is not mapped: the options are omitempty, omitzero and string`
	Quoted string                           `json:"'a'"`        // want `field Quoted: the name in its json tag is not valid`
	Deep   []map[string]*struct{ F func() } // want `field F: JSON has no value for a func\(\)`
	Args   socketio.Args                    // want `field Args: a socketio.Args is no data`
	Fine   ByPtr2
	NoJSON int `json:"noJSON"` //socketio:ts X
}

type ByPtr2 struct {
	//socketio:ts string
	//socketio:schema {
	F int // want-above `//socketio:schema is no JSON: write one line of JSON`
}

type Marshals int

func (Marshals) MarshalJSON() ([]byte, error) { return nil, nil }

type ByPointer struct{}

func (*ByPointer) MarshalText() ([]byte, error) { return nil, nil }

type Reads struct{}

func (*Reads) UnmarshalJSON([]byte) error { return nil }

type Move struct {
	socketio.Positional
	X int
}

//socketio:name Same
type A struct{}

//socketio:name Same
type B struct{} // want `type refused.B: the name Same is that of a type of testdata/refused/refused.go:\d+:\d+, too: give it another one with //socketio:name`

func serve(s *socketio.Server, handler any) {
	s.On("dynamic", handler)          // want `On\("dynamic"\): the type of the handler is any, which does not show its parameters: pass the function itself`
	s.On("pair", func(a chan int) {}) // want `event "pair", argument a: JSON has no value for a chan int`
}
