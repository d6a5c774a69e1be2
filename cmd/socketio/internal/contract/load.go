package contract

import (
	"cmp"
	"context"
	"fmt"
	"go/token"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/tools/go/packages"
)

// Options say what to load.
type Options struct {
	Dir      string   // where patterns are resolved; "" is the current directory
	Patterns []string // packages, as for go build
	NonNull  bool     // slices and maps are never nil

	overlay map[string][]byte // files in place of those on disk
}

const (
	socketioPath = "github.com/socketio-go/socketio"
	clientPath   = socketioPath + "/client"
)

// Load type-checks the packages and returns their contract. It runs no code of theirs,
// and does not compile them, which takes much longer.
// If something can't be mapped the error is [Problems].
func Load(ctx context.Context, opts Options) (*Contract, error) {
	dir, err := filepath.Abs(cmp.Or(opts.Dir, "."))
	if err != nil {
		return nil, err
	}
	patterns := opts.Patterns
	if len(patterns) == 0 {
		patterns = []string{"."}
	}
	s, err := newSources(ctx, dir, patterns, opts.overlay)
	if err != nil {
		return nil, err
	}
	for {
		pkgs, err := s.check(ctx)
		if err != nil {
			return nil, err
		}
		c, more, err := newLoader(s, pkgs, opts).contract()
		if len(more) == 0 {
			return c, err
		}
		for _, path := range more { // the comments and constants of types are in the syntax only
			s.wantSource[path] = true
		}
	}
}

// position parses "file:line:column".
func position(text string) (pos token.Position) {
	parts := strings.Split(text, ":")
	for len(parts) > 1 {
		n, err := strconv.Atoi(parts[len(parts)-1])
		if err != nil {
			break
		}
		pos.Column, pos.Line = pos.Line, n
		parts = parts[:len(parts)-1]
	}
	pos.Filename = strings.Join(parts, ":")
	return pos
}

// A loader makes one contract.
type loader struct {
	dir    string
	opts   Options
	fset   *token.FileSet
	pkgs   []*packages.Package // those of which the syntax is loaded
	wanted map[string]bool
	std    map[string]bool // packages of the standard library

	problems Problems
	warnings Problems
	types    *mapper
	flow     *flow
	more     map[string]bool // packages that must be loaded with their syntax
}

func newLoader(s *sources, pkgs []*packages.Package, opts Options) *loader {
	l := &loader{
		dir: s.dir, opts: opts, fset: s.fset, pkgs: pkgs, wanted: make(map[string]bool),
		std: make(map[string]bool), more: make(map[string]bool),
	}
	for _, p := range s.roots {
		l.wanted[p.PkgPath] = true
	}
	for path, p := range s.graph {
		l.std[path] = p.Module == nil
	}
	l.types = newMapper(l)
	l.flow = newFlow(pkgs)
	return l
}

// problem records something that can't be mapped.
func (l *loader) problem(pos token.Pos, fix, format string, args ...any) {
	l.problems = append(l.problems, Problem{l.at(pos), fmt.Sprintf(format, args...), fix})
}

func (l *loader) warn(pos token.Pos, fix, format string, args ...any) {
	l.warnings = append(l.warnings, Problem{l.at(pos), fmt.Sprintf(format, args...), fix})
}

func (l *loader) at(pos token.Pos) token.Position { return relative(l.dir, l.fset.Position(pos)) }

// contract returns the contract, or the packages that must be loaded, too.
func (l *loader) contract() (c *Contract, more []string, err error) {
	found := l.findEvents()
	c = &Contract{Namespaces: l.namespaces(found)}
	c.Decls = l.types.decls()
	if len(l.more) > 0 {
		for path := range l.more {
			more = append(more, path)
		}
		slices.Sort(more)
		return nil, more, nil
	}
	if len(l.problems) > 0 {
		return nil, nil, l.problems.sorted()
	}
	c.Warnings = l.warnings.sorted()
	return c, nil, nil
}
