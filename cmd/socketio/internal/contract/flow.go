package contract

import (
	"go/ast"
	"go/constant"
	"go/types"
	"slices"

	"golang.org/x/tools/go/packages"
)

// A flow knows where the values of variables come from: enough to find the namespace
// that an event is registered in or emitted to. It follows assignments, parameters,
// fields and the elements of range loops, in the packages that are loaded.
type flow struct {
	sources map[types.Object][]source
	funcs   map[types.Object]*ast.FuncType
	infos   map[types.Object]*types.Info
	results map[types.Object][]source // of functions with one result
}

// A source is an expression in a package.
type source struct {
	info *types.Info
	expr ast.Expr
}

func newFlow(pkgs []*packages.Package) *flow {
	f := &flow{
		sources: make(map[types.Object][]source),
		funcs:   make(map[types.Object]*ast.FuncType),
		infos:   make(map[types.Object]*types.Info),
		results: make(map[types.Object][]source),
	}
	for _, p := range pkgs {
		for _, file := range p.Syntax {
			for _, d := range file.Decls {
				if fd, ok := d.(*ast.FuncDecl); ok {
					obj := p.TypesInfo.Defs[fd.Name]
					f.funcs[obj], f.infos[obj] = fd.Type, p.TypesInfo
					f.collectResults(p.TypesInfo, obj, fd)
				}
			}
		}
	}
	for _, p := range pkgs {
		for _, file := range p.Syntax {
			ast.Inspect(file, func(n ast.Node) bool { f.visit(p.TypesInfo, n); return true })
		}
	}
	return f
}

func (f *flow) collectResults(info *types.Info, obj types.Object, fd *ast.FuncDecl) {
	if fd.Body == nil || fd.Type.Results.NumFields() != 1 {
		return
	}
	ast.Inspect(fd.Body, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncLit:
			return false
		case *ast.ReturnStmt:
			if len(n.Results) == 1 {
				f.results[obj] = append(f.results[obj], source{info, n.Results[0]})
			}
		}
		return true
	})
}

func (f *flow) add(obj types.Object, info *types.Info, e ast.Expr) {
	if obj != nil && e != nil {
		f.sources[obj] = append(f.sources[obj], source{info, e})
	}
}

// object returns the variable or field that an expression names.
func object(info *types.Info, e ast.Expr) types.Object {
	switch e := ast.Unparen(e).(type) {
	case *ast.Ident:
		if obj := info.Defs[e]; obj != nil {
			return obj
		}
		return origin(info.Uses[e])
	case *ast.SelectorExpr:
		return origin(info.Uses[e.Sel])
	}
	return nil
}

// origin returns the generic function or field that obj is an instance of.
func origin(obj types.Object) types.Object {
	switch o := obj.(type) {
	case *types.Var:
		return o.Origin()
	case *types.Func:
		return o.Origin()
	}
	return obj
}

func (f *flow) visit(info *types.Info, n ast.Node) {
	switch n := n.(type) {
	case *ast.AssignStmt:
		if len(n.Lhs) == len(n.Rhs) {
			for i, lhs := range n.Lhs {
				f.add(object(info, lhs), info, n.Rhs[i])
			}
		}
	case *ast.ValueSpec:
		if len(n.Names) == len(n.Values) {
			for i, name := range n.Names {
				f.add(info.Defs[name], info, n.Values[i])
			}
		}
	case *ast.RangeStmt:
		if list, ok := ast.Unparen(n.X).(*ast.CompositeLit); ok && n.Value != nil {
			for _, e := range list.Elts {
				if kv, ok := e.(*ast.KeyValueExpr); ok {
					e = kv.Value
				}
				f.add(object(info, n.Value), info, e)
			}
		}
	case *ast.CompositeLit:
		f.fields(info, n)
	case *ast.CallExpr:
		f.call(info, n)
	}
}

func (f *flow) fields(info *types.Info, lit *ast.CompositeLit) {
	t := info.TypeOf(lit)
	if t == nil {
		return
	}
	if p, ok := t.Underlying().(*types.Pointer); ok {
		t = p.Elem()
	}
	s, ok := t.Underlying().(*types.Struct)
	if !ok {
		return
	}
	for i, e := range lit.Elts {
		if kv, ok := e.(*ast.KeyValueExpr); ok {
			f.add(object(info, kv.Key), info, kv.Value)
		} else if i < s.NumFields() {
			f.add(origin(s.Field(i)), info, e)
		}
	}
}

// call binds the parameters of a function of the program to the arguments, and the
// sockets of a handler to where it is registered.
func (f *flow) call(info *types.Info, call *ast.CallExpr) {
	callee := calleeOf(info, call)
	if callee == nil {
		return
	}
	if fn, ok := f.funcs[callee]; ok {
		params := paramsOf(f.infos[callee], fn)
		for i, arg := range call.Args {
			if i < len(params) {
				f.add(params[i], info, arg)
			}
		}
		return
	}
	if callee.Pkg() == nil || callee.Pkg().Path() != socketioPath {
		return
	}
	sel, ok := unindexed(call.Fun).(*ast.SelectorExpr)
	if !ok {
		return
	}
	registrar := sel.X
	if kind, _ := eventType(info.TypeOf(sel.X)); kind != "" && len(call.Args) > 0 {
		registrar = call.Args[0]
	}
	for _, arg := range call.Args {
		for _, p := range f.handlerParams(info, arg) {
			if p != nil && isPointerTo(p.Type(), "Socket") {
				f.add(p, info, registrar)
			}
		}
	}
}

// handlerParams returns the parameters of a function literal or of a function of the
// program.
func (f *flow) handlerParams(info *types.Info, e ast.Expr) []types.Object {
	if lit, ok := ast.Unparen(e).(*ast.FuncLit); ok {
		return paramsOf(info, lit.Type)
	}
	if obj := object(info, e); obj != nil && f.funcs[obj] != nil {
		return paramsOf(f.infos[obj], f.funcs[obj])
	}
	return nil
}

func paramsOf(info *types.Info, fn *ast.FuncType) (list []types.Object) {
	for _, field := range fn.Params.List {
		if len(field.Names) == 0 {
			list = append(list, nil)
		}
		for _, name := range field.Names {
			list = append(list, info.Defs[name])
		}
	}
	return list
}

// calleeOf returns the function or method that is called.
func calleeOf(info *types.Info, call *ast.CallExpr) types.Object {
	switch fn := unindexed(call.Fun).(type) {
	case *ast.Ident:
		return origin(info.Uses[fn])
	case *ast.SelectorExpr:
		return origin(info.Uses[fn.Sel])
	}
	return nil
}

// unindexed returns e without parentheses and type arguments.
func unindexed(e ast.Expr) ast.Expr {
	e = ast.Unparen(e)
	switch i := e.(type) {
	case *ast.IndexExpr:
		return ast.Unparen(i.X)
	case *ast.IndexListExpr:
		return ast.Unparen(i.X)
	}
	return e
}

// namespaces returns the names of the namespaces that the value of e may belong to, as
// far as the source shows.
func (f *flow) namespaces(info *types.Info, e ast.Expr) (names []string) {
	f.follow(source{info, e}, make(map[any]bool), func(name string) { names = append(names, name) })
	slices.Sort(names)
	return slices.Compact(names)
}

func (f *flow) follow(s source, seen map[any]bool, found func(string)) {
	e := ast.Unparen(s.expr)
	if seen[e] {
		return
	}
	seen[e] = true
	if isPointerTo(s.info.TypeOf(e), "Server") {
		found("/")
		return
	}
	switch e := e.(type) {
	case *ast.UnaryExpr:
		f.follow(source{s.info, e.X}, seen, found)
	case *ast.StarExpr:
		f.follow(source{s.info, e.X}, seen, found)
	case *ast.CallExpr:
		f.followCall(s.info, e, seen, found)
	case *ast.Ident, *ast.SelectorExpr:
		obj := object(s.info, e)
		if obj == nil || seen[obj] {
			return
		}
		seen[obj] = true
		for _, from := range f.sources[obj] {
			f.follow(from, seen, found)
		}
	}
}

func (f *flow) followCall(info *types.Info, call *ast.CallExpr, seen map[any]bool, found func(string)) {
	callee := calleeOf(info, call)
	if callee == nil {
		return
	}
	for _, r := range f.results[callee] {
		f.follow(r, seen, found)
	}
	sel, ok := unindexed(call.Fun).(*ast.SelectorExpr)
	if !ok || callee.Pkg() == nil || callee.Pkg().Path() != socketioPath && callee.Pkg().Path() != clientPath {
		return
	}
	switch {
	case callee.Name() == "Of" && len(call.Args) == 1:
		if v := info.Types[call.Args[0]].Value; v != nil && v.Kind() == constant.String {
			name := constant.StringVal(v)
			if name == "" || name[0] != '/' {
				name = "/" + name
			}
			found(name)
		}
	case callee.Name() == "OfMatch":
	case isPointerTo(info.TypeOf(sel.X), "Server") || isClient(info.TypeOf(sel.X)):
		found("/")
	default: // To, Room, Volatile and so on
		f.follow(source{info, sel.X}, seen, found)
	}
}

// isPointerTo reports whether t is a pointer to a type of the library.
func isPointerTo(t types.Type, name string) bool {
	p, ok := types.Unalias(t).(*types.Pointer)
	return ok && isNamed(p.Elem(), socketioPath, name)
}

func isClient(t types.Type) bool {
	p, ok := types.Unalias(t).(*types.Pointer)
	return ok && isNamed(p.Elem(), clientPath, "Client")
}

func isNamed(t types.Type, path, name string) bool {
	n, ok := types.Unalias(t).(*types.Named)
	return ok && n.Obj().Name() == name && n.Obj().Pkg() != nil && n.Obj().Pkg().Path() == path
}

// eventType returns "Event" or "Call" and the type arguments, or "".
func eventType(t types.Type) (kind string, args []types.Type) {
	for _, kind := range []string{"Event", "Call"} {
		if t != nil && isNamed(t, socketioPath, kind) {
			list := types.Unalias(t).(*types.Named).TypeArgs() //nolint:forcetypeassert // isNamed
			for i := range list.Len() {
				args = append(args, list.At(i))
			}
			return kind, args
		}
	}
	return "", nil
}
