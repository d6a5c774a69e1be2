package contract

import (
	"cmp"
	"fmt"
	"go/ast"
	"go/constant"
	"go/token"
	"go/types"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/tools/go/packages"
)

// A found event is a constant of a type Event or Call, or an untyped handler.
type found struct {
	name  string
	kind  string // "Event", "Call", or "" for an untyped handler
	types []types.Type
	fn    *types.Signature // of an untyped handler
	doc   string
	notes directives
	pkg   *types.Package
	pos   token.Pos

	uses  []use
	other bool // it has uses that say nothing of clients and servers
}

// A use is a place that shows the direction of an event, and its namespaces.
type use struct {
	client     bool // the client sends
	namespaces []string
}

// A key identifies a typed event: equal constants are one event.
type key struct{ name, typ string }

// finder finds events.
type finder struct {
	*loader
	typed   map[key]*found
	untyped []*found
	order   []*found
}

func (l *loader) findEvents() []*found {
	f := &finder{loader: l, typed: make(map[key]*found)}
	for _, p := range l.pkgs {
		f.declared(p)
	}
	for _, p := range l.pkgs {
		if l.wanted[p.PkgPath] {
			for _, file := range p.Syntax {
				f.used(p, file)
			}
		}
	}
	var list []*found
	for _, e := range append(f.order, f.untyped...) {
		if _, ignored := e.notes.get("ignore"); !ignored {
			list = append(list, e)
		}
	}
	return list
}

func keyOf(name string, t types.Type) key { return key{name, types.TypeString(t, nil)} }

// declared adds the typed events that a package declares.
func (f *finder) declared(p *packages.Package) {
	var ofPackage directives
	for _, file := range p.Syntax {
		ofPackage = append(ofPackage, f.directivesOf(file.Doc).of("from", "namespace")...)
	}
	for _, file := range p.Syntax {
		ast.Inspect(file, func(n ast.Node) bool {
			group, ok := n.(*ast.GenDecl)
			if !ok || group.Tok != token.CONST {
				return true
			}
			for _, s := range group.Specs {
				if spec, ok := s.(*ast.ValueSpec); ok {
					f.spec(p, group, spec, ofPackage)
				}
			}
			return true
		})
	}
}

func (f *finder) spec(p *packages.Package, group *ast.GenDecl, spec *ast.ValueSpec, ofPackage directives) {
	for _, name := range spec.Names {
		c, ok := p.TypesInfo.Defs[name].(*types.Const)
		if !ok {
			continue
		}
		kind, args := eventType(c.Type())
		if kind == "" {
			continue
		}
		own := f.directivesOf(spec.Doc, spec.Comment)
		notes := slices.Concat(own, f.directivesOf(group.Doc), ofPackage)
		docs := []*ast.CommentGroup{spec.Doc, spec.Comment}
		if !group.Lparen.IsValid() {
			docs = append(docs, group.Doc)
		}
		// The nearest directives of a kind win.
		for _, word := range []string{"from", "namespace"} {
			if nearest := own.of(word); len(nearest) > 0 {
				notes = append(slices.DeleteFunc(notes, func(d directive) bool { return d.word == word }), nearest...)
			}
		}
		e := f.event(constant.StringVal(c.Val()), c.Type(), kind, args)
		if e.pos.IsValid() {
			continue // the same event, declared again
		}
		e.doc, e.notes, e.pkg, e.pos = docOf(docs...), notes, p.Types, name.Pos()
		e.other = !f.wanted[p.PkgPath] // of another package: only if it is used
	}
}

// event returns the typed event, which it adds if it is new.
func (f *finder) event(name string, t types.Type, kind string, args []types.Type) *found {
	k := keyOf(name, t)
	e, ok := f.typed[k]
	if !ok {
		e = &found{name: name, kind: kind, types: args}
		f.typed[k] = e
		f.order = append(f.order, e)
	}
	return e
}

// used adds what the code of a file does with events.
func (f *finder) used(p *packages.Package, file *ast.File) {
	notes := commentsOf(f.fset, file)
	info := p.TypesInfo
	ast.Inspect(file, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		if sel, ok := unindexed(call.Fun).(*ast.SelectorExpr); ok {
			if kind, _ := eventType(info.TypeOf(sel.X)); kind != "" && !info.Types[sel.X].IsType() {
				f.method(p, sel, call)
				return true
			}
			if sel.Sel.Name == "On" && len(call.Args) == 2 {
				f.handler(p, sel, call, notes)
			}
		}
		callee := calleeOf(info, call)
		if callee == nil || callee.Pkg() == nil || callee.Pkg().Path() != clientPath {
			return true
		}
		for i, arg := range call.Args {
			if e := f.constant(p, arg); e != nil {
				f.use(e, info, false, call.Args[max(0, i-1)])
			}
		}
		return true
	})
}

// constant returns the event that an expression is, or nil.
func (f *finder) constant(p *packages.Package, x ast.Expr) *found {
	tv := p.TypesInfo.Types[x]
	kind, args := eventType(tv.Type)
	if kind == "" || tv.Value == nil || tv.Value.Kind() != constant.String {
		return nil
	}
	e := f.event(constant.StringVal(tv.Value), tv.Type, kind, args)
	if !e.pos.IsValid() {
		e.pos, e.pkg = x.Pos(), p.Types
		if obj, ok := object(p.TypesInfo, x).(*types.Const); ok && obj.Pkg() != p.Types && obj.Pkg() != nil {
			f.syntaxOf(obj.Pkg()) // for its comments
		}
	}
	return e
}

// syntaxOf asks for a package to be loaded with its syntax.
func (l *loader) syntaxOf(p *types.Package) {
	if l.std[p.Path()] || slices.ContainsFunc(l.pkgs, func(o *packages.Package) bool { return o.PkgPath == p.Path() }) {
		return
	}
	l.more[p.Path()] = true
}

// method adds the use of a typed event by one of its methods.
func (f *finder) method(p *packages.Package, sel *ast.SelectorExpr, call *ast.CallExpr) {
	e := f.constant(p, sel.X)
	if e == nil {
		return // a variable, such as a parameter of a generic function
	}
	at := 0
	switch sel.Sel.Name {
	case "On":
		f.use(e, p.TypesInfo, true, call.Args[0])
		return
	case "Do", "DoAll":
		at = 1
	case "Emit":
	default: // between servers
		e.other = true
		return
	}
	to := call.Args[at]
	f.use(e, p.TypesInfo, f.sentByClient(p, to), to)
}

func (f *finder) use(e *found, info *types.Info, client bool, where ast.Expr) {
	e.uses = append(e.uses, use{client, f.flow.namespaces(info, where)})
}

// sentByClient reports whether a target is one of package client.
func (f *finder) sentByClient(p *packages.Package, to ast.Expr) bool {
	obj, _, _ := types.LookupFieldOrMethod(p.TypesInfo.TypeOf(to), true, p.Types, "Emit")
	return obj != nil && obj.Pkg() != nil && obj.Pkg().Path() == clientPath
}

// handler adds an untyped handler of the server.
func (f *finder) handler(p *packages.Package, sel *ast.SelectorExpr, call *ast.CallExpr, notes comments) {
	info := p.TypesInfo
	method, ok := info.Uses[sel.Sel].(*types.Func)
	if !ok || method.Pkg() == nil || method.Pkg().Path() != socketioPath {
		return
	}
	name := info.Types[call.Args[0]].Value
	if name == nil || name.Kind() != constant.String {
		return
	}
	line := f.fset.Position(call.Pos()).Line
	ds := f.directivesOf(notes.above[line], notes.beside[line])
	if _, ignored := ds.get("ignore"); ignored {
		return
	}
	for _, file := range p.Syntax {
		if len(ds.of("namespace")) == 0 {
			ds = append(ds, f.directivesOf(file.Doc).of("namespace")...)
		}
	}
	fn, ok := info.TypeOf(call.Args[1]).Underlying().(*types.Signature)
	if !ok {
		f.problem(call.Args[1].Pos(), "pass the function itself, or leave the event out with //socketio:ignore above this line",
			"On(%s): the type of the handler is %s, which does not show its parameters", name, info.TypeOf(call.Args[1]))
		return
	}
	e := &found{
		name: constant.StringVal(name), fn: fn, notes: ds, pkg: p.Types, pos: call.Pos(),
		doc: docOf(notes.above[line], notes.beside[line]),
	}
	f.use(e, info, true, sel.X)
	f.untyped = append(f.untyped, e)
}

// namespaces arranges events by namespace and direction, and maps their types.
func (l *loader) namespaces(events []*found) (list []*Namespace) {
	byName := make(map[string]*Namespace)
	type place struct {
		namespace, name string
		client          bool
	}
	taken := make(map[place]*found)
	for _, e := range events {
		places := l.placesOf(e)
		if len(places) == 0 {
			continue
		}
		mapped := l.mapEvent(e)
		for _, u := range places {
			for _, name := range u.namespaces {
				n := byName[name]
				if n == nil {
					n = &Namespace{Name: name}
					byName[name] = n
					list = append(list, n)
				}
				at := place{name, e.name, u.client}
				if other := taken[at]; other != nil {
					if other != e && (other.kind != "" || e.kind != "" || !types.Identical(other.fn, e.fn)) {
						l.problem(e.pos, "declare it once, with one type; //socketio:ignore leaves one of them out",
							"event %q of %s is declared at %s, too", e.name, name, l.at(other.pos))
					}
					continue
				}
				taken[at] = e
				if u.client {
					n.FromClient = append(n.FromClient, mapped)
				} else {
					n.FromServer = append(n.FromServer, mapped)
				}
			}
		}
	}
	byEvent := func(a, b *Event) int { return cmp.Compare(a.Name, b.Name) }
	for _, n := range list {
		slices.SortFunc(n.FromClient, byEvent)
		slices.SortFunc(n.FromServer, byEvent)
	}
	slices.SortFunc(list, func(a, b *Namespace) int { return cmp.Compare(a.Name, b.Name) })
	return list
}

// placesOf returns the directions and namespaces of an event: those of directives, else
// those that its uses show, else "/".
func (l *loader) placesOf(e *found) (list []use) {
	if from, ok := e.notes.get("from"); ok {
		var namespaces []string
		for _, u := range e.uses {
			namespaces = append(namespaces, u.namespaces...)
		}
		e.uses = nil
		if from != "server" {
			e.uses = append(e.uses, use{true, namespaces})
		}
		if from != "client" {
			e.uses = append(e.uses, use{false, namespaces})
		}
	}
	if len(e.uses) == 0 {
		if !e.other {
			l.problem(e.pos, "name the packages that use it, too, or write //socketio:from client, server or both above it",
				"event %q: nothing shows which side sends it", e.name)
		}
		return nil
	}
	fixed := e.notes.all("namespace")
	for _, client := range []bool{true, false} {
		used, namespaces := false, []string(nil)
		for _, u := range e.uses {
			if u.client == client {
				used = true
				namespaces = append(namespaces, u.namespaces...)
			}
		}
		switch {
		case !used:
			continue
		case len(fixed) > 0:
			namespaces = fixed
		case len(namespaces) == 0:
			namespaces = []string{"/"}
		}
		slices.Sort(namespaces)
		list = append(list, use{client, slices.Compact(namespaces)})
	}
	return list
}

// mapEvent maps the types of an event.
func (l *loader) mapEvent(e *found) *Event {
	m := &Event{Name: e.name, Doc: e.doc, Pos: l.at(e.pos)}
	at := site{pos: e.pos, what: "event " + quote(e.name)}
	switch e.kind {
	case "Event":
		m.Args, m.Rest = l.types.arguments(at, e.types[0])
	case "Call":
		m.Args, m.Rest = l.types.arguments(at, e.types[0])
		a := &Answer{Fails: true}
		a.Args, a.Rest = l.types.arguments(at.in("answer"), e.types[1])
		m.Answer = a
	default:
		l.mapHandler(e, m, at)
	}
	return m
}

// mapHandler maps the parameters and the result of an untyped handler.
func (l *loader) mapHandler(e *found, m *Event, at site) {
	params := e.fn.Params()
	from, to := 0, params.Len()
	if from < to && isNamed(params.At(from).Type(), "context", "Context") {
		from++
	}
	if from < to && isPointerTo(params.At(from).Type(), "Socket") {
		from++
	}
	acks := from < to && isNamed(params.At(to-1).Type(), socketioPath, "AckFunc")
	if acks {
		to--
	}
	unknown := &Arg{Name: "args", Type: &Type{Kind: Unknown}}
	switch {
	case from == to:
	case isNamed(params.At(to-1).Type(), socketioPath, "Args"):
		to--
		m.Rest = unknown
	case e.fn.Variadic():
		to--
		elem := params.At(to).Type().(*types.Slice).Elem() //nolint:forcetypeassert // a variadic parameter
		m.Rest = &Arg{nameOf(params.At(to).Name(), to-from), l.types.typeOf(at, elem)}
	}
	for i := from; i < to; i++ {
		v := params.At(i)
		m.Args = append(m.Args, Arg{nameOf(v.Name(), i-from), l.types.typeOf(at.in("argument "+cmp.Or(v.Name(), "?")), v.Type())})
	}
	distinct(m.Args, m.Rest)

	results := e.fn.Results()
	n := results.Len()
	fails := n > 0 && types.Identical(results.At(n-1).Type(), types.Universe.Lookup("error").Type())
	if fails {
		n--
	}
	_, answers := e.notes.get("answers")
	switch {
	case acks:
		m.Answer = &Answer{Rest: &Arg{"answer", &Type{Kind: Unknown}}}
	case answers && n == 1:
		m.Answer = &Answer{Fails: true}
		m.Answer.Args, m.Answer.Rest = l.types.result(at.in("answer"), results.At(0).Type())
	case answers:
		m.Answer = &Answer{Fails: fails}
	}
}

// nameOf returns a parameter's name, or one made of its number.
func nameOf(name string, i int) string {
	switch {
	case name == "" || name == "_":
		return fmt.Sprintf("arg%d", i)
	case reserved[name]:
		return name + "_"
	}
	return name
}

// distinct makes the names of parameters differ.
func distinct(args []Arg, rest *Arg) {
	seen := map[string]bool{"answer": true}
	fix := func(name *string) {
		for seen[*name] {
			*name += "_"
		}
		seen[*name] = true
	}
	for i := range args {
		fix(&args[i].Name)
	}
	if rest != nil {
		fix(&rest.Name)
	}
}

// lowerFirst returns a Go identifier as JavaScript writes it: userID for UserID, id for ID.
func lowerFirst(s string) string {
	n := 0
	for i, r := range s {
		if !unicode.IsUpper(r) {
			if n > 1 && unicode.IsLetter(r) {
				_, size := utf8.DecodeLastRuneInString(s[:i])
				n = i - size
				return strings.ToLower(s[:n]) + s[n:]
			}
			break
		}
		n = i + utf8.RuneLen(r)
	}
	return strings.ToLower(s[:n]) + s[n:]
}
