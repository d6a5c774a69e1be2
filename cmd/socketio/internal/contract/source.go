package contract

import (
	"context"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"maps"
	"runtime"
	"slices"
	"strings"

	"golang.org/x/tools/go/packages"
)

// sources are packages that are type-checked from their source: those that were named,
// the other ones of the main modules, and some more. The rest is read from export data
// of the go command, which compiles what has changed: packages that use the library
// should not be among it, as each typed event costs the compiler time.
type sources struct {
	dir        string
	overlay    map[string][]byte
	fset       *token.FileSet
	roots      []*packages.Package
	graph      map[string]*packages.Package // without syntax and types
	wantSource map[string]bool
}

func newSources(ctx context.Context, dir string, patterns []string, overlay map[string][]byte) (*sources, error) {
	s := &sources{
		dir: dir, overlay: overlay, fset: token.NewFileSet(), graph: make(map[string]*packages.Package),
		wantSource: make(map[string]bool),
	}
	roots, err := packages.Load(&packages.Config{
		Context: ctx, Dir: dir, Overlay: overlay,
		Mode: packages.NeedName | packages.NeedFiles | packages.NeedCompiledGoFiles | packages.NeedImports | packages.NeedDeps | packages.NeedModule,
	}, patterns...)
	if err != nil {
		return nil, err
	}
	if len(roots) == 0 {
		return nil, fmt.Errorf("no packages match %s", strings.Join(patterns, " "))
	}
	var problems Problems
	for _, p := range roots {
		for _, e := range p.Errors {
			problems = append(problems, Problem{Pos: relative(dir, position(e.Pos)), Text: e.Msg})
		}
	}
	if len(problems) > 0 {
		return nil, problems.sorted()
	}
	s.roots = roots
	packages.Visit(roots, nil, func(p *packages.Package) { s.graph[p.PkgPath] = p })

	ofLibrary := make(map[string]bool)
	for _, path := range []string{socketioPath, clientPath} {
		if p := s.graph[path]; p != nil {
			packages.Visit([]*packages.Package{p}, nil, func(p *packages.Package) { ofLibrary[p.PkgPath] = true })
		}
	}
	for path, p := range s.graph {
		if p.Module != nil && p.Module.Main && !ofLibrary[path] {
			s.wantSource[path] = true
		}
	}
	for _, p := range roots {
		s.wantSource[p.PkgPath] = true
	}
	return s, nil
}

// fromSource returns the packages that are read from source, each after those that it
// imports: those that are wanted, and all that import one of them.
func (s *sources) fromSource() (list []*packages.Package) {
	known := make(map[*packages.Package]bool)
	var visit func(p *packages.Package) bool
	visit = func(p *packages.Package) bool {
		if source, ok := known[p]; ok {
			return source
		}
		source := s.wantSource[p.PkgPath]
		for _, path := range slices.Sorted(maps.Keys(p.Imports)) {
			if visit(p.Imports[path]) {
				source = true
			}
		}
		known[p] = source
		if source {
			list = append(list, p)
		}
		return source
	}
	for _, p := range s.roots {
		visit(p)
	}
	return list
}

// check type-checks the packages.
func (s *sources) check(ctx context.Context) ([]*packages.Package, error) {
	list := s.fromSource()
	known, err := s.read(ctx, list)
	if err != nil {
		return nil, err
	}
	var problems Problems
	for i, p := range list {
		checked, errs := s.typeCheck(p, known)
		problems = append(problems, errs...)
		known[p.PkgPath] = checked.Types
		list[i] = checked
	}
	if len(problems) > 0 {
		return nil, problems.sorted()
	}
	slices.SortFunc(list, func(a, b *packages.Package) int { return strings.Compare(a.PkgPath, b.PkgPath) })
	return list, nil
}

// read returns the types of what packages import, from export data.
func (s *sources) read(ctx context.Context, list []*packages.Package) (map[string]*types.Package, error) {
	source := make(map[string]bool)
	for _, p := range list {
		source[p.PkgPath] = true
	}
	known := map[string]*types.Package{"unsafe": types.Unsafe}
	var paths []string
	for _, p := range list {
		for _, dep := range p.Imports {
			if !source[dep.PkgPath] && dep.PkgPath != "unsafe" {
				paths = append(paths, dep.PkgPath)
			}
		}
	}
	slices.Sort(paths)
	if paths = slices.Compact(paths); len(paths) == 0 {
		return known, nil
	}
	pkgs, err := packages.Load(&packages.Config{
		Context: ctx, Dir: s.dir, Fset: s.fset,
		Mode: packages.NeedName | packages.NeedImports | packages.NeedExportFile | packages.NeedTypes | packages.NeedTypesSizes,
	}, paths...)
	if err != nil {
		return nil, err
	}
	for _, p := range pkgs {
		for _, e := range p.Errors {
			return nil, fmt.Errorf("package %s: %w", p.PkgPath, e)
		}
		known[p.PkgPath] = p.Types
	}
	return known, nil
}

// typeCheck returns a package with its syntax and types.
func (s *sources) typeCheck(p *packages.Package, known map[string]*types.Package) (*packages.Package, Problems) {
	var problems Problems
	checked := &packages.Package{
		PkgPath: p.PkgPath, Name: p.Name, Module: p.Module, Fset: s.fset,
		TypesInfo: &types.Info{
			Types: make(map[ast.Expr]types.TypeAndValue), Defs: make(map[*ast.Ident]types.Object),
			Uses: make(map[*ast.Ident]types.Object), Instances: make(map[*ast.Ident]types.Instance),
			Selections: make(map[*ast.SelectorExpr]*types.Selection),
		},
	}
	for _, file := range p.CompiledGoFiles {
		var source any
		if text, ok := s.overlay[file]; ok {
			source = text
		}
		f, err := parser.ParseFile(s.fset, file, source, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			problems = append(problems, Problem{Text: err.Error()})
			continue
		}
		checked.Syntax = append(checked.Syntax, f)
	}
	conf := types.Config{
		Importer: importer{p.Imports, known}, Sizes: types.SizesFor("gc", runtime.GOARCH),
		IgnoreFuncBodies: !slices.Contains(s.roots, p),
		Error: func(err error) {
			if e, ok := err.(types.Error); ok && !e.Soft { //nolint:errorlint // it is never wrapped
				problems = append(problems, Problem{Pos: relative(s.dir, s.fset.Position(e.Pos)), Text: e.Msg})
			}
		},
	}
	if p.Module != nil && p.Module.GoVersion != "" {
		conf.GoVersion = "go" + p.Module.GoVersion
	}
	checked.Types, _ = conf.Check(p.PkgPath, s.fset, checked.Syntax, checked.TypesInfo) // Error has it
	return checked, problems
}

// An importer imports packages that were checked or read.
type importer struct {
	imports map[string]*packages.Package // of the package that imports
	known   map[string]*types.Package
}

// Import implements [types.Importer].
func (im importer) Import(path string) (*types.Package, error) {
	if p := im.imports[path]; p != nil {
		path = p.PkgPath
	}
	if p := im.known[path]; p != nil {
		return p, nil
	}
	return nil, fmt.Errorf("package %s is not known", path)
}
