// Package contract reads the events of a Go program from its source, and writes them
// down for programs in other languages.
package contract

import (
	"cmp"
	"fmt"
	"go/token"
	"path/filepath"
	"slices"
	"strings"
)

// A Contract is what clients and servers of a program send to each other.
type Contract struct {
	Namespaces []*Namespace // by name
	Decls      []*Decl      // the types that have a name, by name
	Warnings   Problems     // what is mapped, with a caveat
}

// A Namespace has the events of one Socket.IO namespace, by name.
type Namespace struct {
	Name       string
	FromClient []*Event
	FromServer []*Event
}

// An Event is an event in one direction.
type Event struct {
	Name   string
	Doc    string
	Args   []Arg
	Rest   *Arg    // all further arguments; nil if there are none
	Answer *Answer // nil if the sender expects no ack
	Pos    token.Position
}

// An Arg is one argument.
type Arg struct {
	Name string
	Type *Type
}

// An Answer is what an ack carries.
type Answer struct {
	Args []Arg
	Rest *Arg
	// Fails is set if the ack may carry an error instead.
	Fails bool
}

// A Decl is a type with a name.
type Decl struct {
	Name string
	Doc  string
	Type *Type
	Pos  token.Position
}

// A Kind says what a Type is in JSON.
type Kind uint8

// The kinds of types.
const (
	Unknown Kind = iota
	String
	Number
	Integer
	Boolean
	Binary   // an attachment
	Array    // Elem; Len elements unless Len is -1
	Map      // an object with any keys: Key and Elem
	Object   // Fields
	Enum     // one of Values
	Nullable // Elem or null
	Ref      // Decl
	Custom   // TS and Schema are those of a directive
)

// A Type is a type as it is on the wire.
type Type struct {
	Kind   Kind
	Elem   *Type
	Key    *Type
	Len    int
	Fields []Field
	Values []string // in JSON
	Decl   *Decl

	Format, Pattern string // of JSON Schema
	Min, Max        string // of an Integer, "" if JSON has no exact bound
	Note            string // for people
	TS              string
	Schema          string
}

// A Field is a property of an Object.
type Field struct {
	Name     string
	Doc      string
	Type     *Type
	Optional bool
}

// A Problem is something in the source that can't be mapped, and how to fix it.
type Problem struct {
	Pos  token.Position
	Text string
	Fix  string
}

// Error returns the problem in one line, as compilers do.
func (p Problem) Error() string {
	text := p.Text
	if p.Fix != "" {
		text += ": " + p.Fix
	}
	if !p.Pos.IsValid() {
		return text
	}
	return fmt.Sprintf("%s:%d:%d: %s", p.Pos.Filename, p.Pos.Line, p.Pos.Column, text)
}

// Problems are all that were found, in the order of the source.
type Problems []Problem

// Error returns one line for each.
func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.Error()
	}
	return strings.Join(lines, "\n")
}

// sorted returns the problems by position, each once.
func (ps Problems) sorted() Problems {
	slices.SortStableFunc(ps, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Pos.Filename, b.Pos.Filename), cmp.Compare(a.Pos.Line, b.Pos.Line),
			cmp.Compare(a.Pos.Column, b.Pos.Column), cmp.Compare(a.Text, b.Text))
	})
	return slices.Compact(ps)
}

// relative returns a position with a file name relative to dir, where that is shorter.
func relative(dir string, pos token.Position) token.Position {
	if rel, err := filepath.Rel(dir, pos.Filename); err == nil && len(rel) < len(pos.Filename) {
		pos.Filename = rel
	}
	return pos
}
