package contract

import (
	"cmp"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/constant"
	"go/token"
	"go/types"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A site says where a type is used, for messages.
type site struct {
	pos  token.Pos
	what string
	// addressable is set for what a pointer or a slice holds: encoding/json finds
	// methods of pointers there.
	addressable bool
}

func (c site) in(part string) site {
	c.what += ", " + part
	c.addressable = false
	return c
}

// A mapper maps types of Go to what they are on the wire.
type mapper struct {
	*loader
	specs  map[types.Object]declared
	fields map[token.Pos]*ast.Field
	named  map[string]*Decl // by the type, with its package and type arguments
	origin map[*Decl]*types.Named
	fixed  map[*Decl]bool // the name is that of a directive
}

// declared is the syntax of a type.
type declared struct {
	group *ast.GenDecl
	spec  *ast.TypeSpec
}

func newMapper(l *loader) *mapper {
	m := &mapper{
		loader: l, specs: make(map[types.Object]declared), fields: make(map[token.Pos]*ast.Field),
		named: make(map[string]*Decl), origin: make(map[*Decl]*types.Named), fixed: make(map[*Decl]bool),
	}
	for _, p := range l.pkgs {
		for _, file := range p.Syntax {
			ast.Inspect(file, func(n ast.Node) bool {
				switch n := n.(type) {
				case *ast.GenDecl:
					for _, s := range n.Specs {
						if spec, ok := s.(*ast.TypeSpec); ok {
							m.specs[p.TypesInfo.Defs[spec.Name]] = declared{n, spec}
						}
					}
				case *ast.StructType:
					for _, field := range n.Fields.List {
						for _, name := range field.Names {
							m.fields[name.Pos()] = field
						}
						if len(field.Names) == 0 {
							m.fields[embeddedPos(field.Type)] = field
						}
					}
				}
				return true
			})
		}
	}
	return m
}

// embeddedPos returns the position of the name of an embedded type.
func embeddedPos(e ast.Expr) token.Pos {
	switch e := unindexed(e).(type) {
	case *ast.StarExpr:
		return embeddedPos(e.X)
	case *ast.SelectorExpr:
		return e.Sel.Pos()
	default:
		return e.Pos()
	}
}

// typeOf maps a type.
func (m *mapper) typeOf(at site, t types.Type) *Type {
	switch t := types.Unalias(t).(type) {
	case *types.Named:
		return m.namedType(at, t)
	case *types.Basic:
		return m.basic(at, t)
	case *types.Pointer:
		at.addressable = true
		return nullable(m.typeOf(at, t.Elem()))
	case *types.Slice, *types.Map:
		if r := m.underlying(at, t); m.opts.NonNull {
			return r
		} else {
			return nullable(r)
		}
	case *types.Array, *types.Struct, *types.Interface:
		return m.underlying(at, t)
	case *types.TypeParam:
		return m.refuse(at, "use the event where the type is known", "%s is a type parameter", t)
	default:
		return m.refuse(at, "give the field the tag `json:\"-\"`, or use another type", "JSON has no value for a %s", m.name(t))
	}
}

// nullable returns t or null.
func nullable(t *Type) *Type {
	if t.Kind == Nullable || t.Kind == Unknown {
		return t
	}
	return &Type{Kind: Nullable, Elem: t}
}

// refuse records that a type can't be mapped.
func (m *mapper) refuse(at site, fix, format string, args ...any) *Type {
	m.problem(at.pos, fix, "%s: %s", at.what, fmt.Sprintf(format, args...))
	return &Type{Kind: Unknown}
}

// name returns a type as people write it.
func (m *mapper) name(t types.Type) string {
	return types.TypeString(t, func(p *types.Package) string { return p.Name() })
}

// underlying maps a type that has no name, or the meaning of one that has.
func (m *mapper) underlying(at site, t types.Type) *Type {
	switch t := t.(type) {
	case *types.Slice:
		if m.isBytes(t) {
			return &Type{Kind: Binary}
		}
		at.addressable = true
		return &Type{Kind: Array, Elem: m.typeOf(at, t.Elem()), Len: -1}
	case *types.Array:
		return &Type{Kind: Array, Elem: m.typeOf(at, t.Elem()), Len: int(t.Len())}
	case *types.Map:
		at.addressable = false
		return &Type{Kind: Map, Key: m.keyOf(at, t.Key()), Elem: m.typeOf(at, t.Elem())}
	case *types.Struct:
		return &Type{Kind: Object, Fields: m.structFields(at, t)}
	case *types.Interface:
		if t.NumMethods() > 0 || !t.IsMethodSet() {
			return m.refuse(at, "use a concrete type, or any, or say what it is with //socketio:ts", "the values of an interface are not known")
		}
		return &Type{Kind: Unknown}
	case *types.Basic:
		return m.basic(at, t)
	default:
		return m.typeOf(at, t)
	}
}

// isBytes reports whether a slice is sent as an attachment.
func (m *mapper) isBytes(t *types.Slice) bool {
	elem, ok := t.Elem().Underlying().(*types.Basic)
	if !ok || elem.Kind() != types.Uint8 {
		return false
	}
	return methodOf(t.Elem(), true, marshalMethods...) == "" && methodOf(t.Elem(), true, unmarshalMethods...) == ""
}

// keyOf maps the type of a map's keys, which are strings in JSON.
func (m *mapper) keyOf(at site, t types.Type) *Type {
	if methodOf(t, false, "MarshalText") != "" {
		return &Type{Kind: String}
	}
	switch b, _ := t.Underlying().(*types.Basic); {
	case b == nil:
	case b.Info()&types.IsString != 0:
		k := m.typeOf(at, t)
		for k.Kind == Ref {
			k = k.Decl.Type
		}
		if k.Kind == Enum {
			return m.typeOf(at, t)
		}
		return &Type{Kind: String}
	case b.Info()&types.IsInteger != 0:
		return &Type{Kind: String, Pattern: integerPattern}
	}
	return m.refuse(at, "use strings, integers or a type with MarshalText as keys", "a %s can't be the key of an object", m.name(t))
}

const integerPattern = `^-?[0-9]+$`

// bounds are those of integers that JSON numbers hold exactly.
var bounds = map[types.BasicKind][2]string{
	types.Int8: {"-128", "127"}, types.Int16: {"-32768", "32767"}, types.Int32: {"-2147483648", "2147483647"},
	types.Uint8: {"0", "255"}, types.Uint16: {"0", "65535"}, types.Uint32: {"0", "4294967295"},
	types.Uint: {"0", ""}, types.Uint64: {"0", ""}, types.Uintptr: {"0", ""},
}

func (m *mapper) basic(at site, t *types.Basic) *Type {
	switch info := t.Info(); {
	case info&types.IsBoolean != 0:
		return &Type{Kind: Boolean}
	case info&types.IsString != 0:
		return &Type{Kind: String}
	case info&types.IsInteger != 0:
		b := bounds[t.Kind()]
		r := &Type{Kind: Integer, Min: b[0], Max: b[1]}
		if t.Kind() == types.Int64 || t.Kind() == types.Uint64 {
			r.Note = t.Name() + ": exact up to 2^53"
		}
		return r
	case info&types.IsFloat != 0:
		return &Type{Kind: Number}
	}
	return m.refuse(at, "give the field the tag `json:\"-\"`, or use another type", "JSON has no value for a %s", t)
}

// known are types that need no explanation.
var known = map[string]Type{
	"time.Time":                    {Kind: String, Format: "date-time", Note: "RFC 3339"},
	"time.Duration":                {Kind: Integer, Note: "nanoseconds"},
	"encoding/json.RawMessage":     {Kind: Unknown},
	"encoding/json.Number":         {Kind: Number},
	"encoding/json/jsontext.Value": {Kind: Unknown},
	"github.com/go-json-experiment/json/jsontext.Value": {Kind: Unknown},
}

var (
	marshalMethods   = []string{"MarshalJSONTo", "MarshalJSON", "AppendText", "MarshalText"}
	unmarshalMethods = []string{"UnmarshalJSONFrom", "UnmarshalJSON", "UnmarshalText"}
)

// methodOf returns the first of the names that is a method of t.
func methodOf(t types.Type, addressable bool, names ...string) string {
	for _, name := range names {
		obj, _, indirect := types.LookupFieldOrMethod(t, addressable, nil, name)
		fn, ok := obj.(*types.Func)
		if !ok || indirect {
			continue
		}
		// MarshalJSON() ([]byte, error) and so on: one error, last.
		results := fn.Signature().Results()
		if n := results.Len(); n > 0 && types.TypeString(results.At(n-1).Type(), nil) == "error" {
			return name
		}
	}
	return ""
}

// namedType maps a type that has a name.
func (m *mapper) namedType(at site, t *types.Named) *Type {
	obj := t.Obj()
	if obj.Pkg() == nil { // error, comparable
		return m.refuse(at, "send its text", "JSON has no value for an %s", obj.Name())
	}
	path := obj.Pkg().Path()
	if k, ok := known[path+"."+obj.Name()]; ok {
		return &k
	}
	if path == socketioPath && obj.Name() != "Error" {
		return m.refuse(at, "use a type of your own", "a %s is no data", m.name(t))
	}
	m.syntaxOf(obj.Pkg())

	notes, doc := m.declOf(obj)
	_, custom := notes.get("ts")
	if s, ok := t.Underlying().(*types.Slice); ok && !custom && m.isBytes(s) && methodOf(t, true, marshalMethods...) == "" {
		return m.orNull(t, &Type{Kind: Binary})
	}
	if _, ok := t.Underlying().(*types.Interface); ok && !custom {
		return m.underlying(at, t.Underlying())
	}
	if _, ok := t.Underlying().(*types.Basic); ok && m.std[path] && methodOf(t, true, marshalMethods...) == "" {
		return m.underlying(at, t.Underlying())
	}
	id := types.TypeString(t, nil)
	if obj.Parent() != obj.Pkg().Scope() { // declared in a function
		id += fmt.Sprint(obj.Pos())
	}
	if d := m.named[id]; d != nil {
		return m.orNull(t, &Type{Kind: Ref, Decl: d})
	}
	d := &Decl{Name: exported(obj.Name()), Doc: doc, Pos: m.at(obj.Pos())}
	if name, ok := notes.get("name"); ok {
		d.Name, m.fixed[d] = name, true
	}
	if list := t.TypeArgs(); list.Len() > 0 {
		for i := range list.Len() {
			d.Name += m.partOf(list.At(i))
		}
	}
	if !custom {
		if text, done := m.marshaler(at, t); done {
			return text
		}
	}
	m.named[id], m.origin[d] = d, t
	inner := site{pos: obj.Pos(), what: "type " + m.name(t)}
	switch ts, _ := notes.get("ts"); {
	case custom:
		d.Type = m.custom(notes, ts)
	default:
		if d.Type = m.enum(t); d.Type == nil {
			d.Type = m.underlying(inner, t.Underlying())
		}
	}
	if d.Type.Note != "" && d.Type.Kind == Integer {
		m.warn(obj.Pos(), `a string holds all values: use the option "string" of json tags`, "type %s: a number in JavaScript is exact up to 2^53", m.name(t))
	}
	return m.orNull(t, &Type{Kind: Ref, Decl: d})
}

// custom returns the type of directives.
func (m *mapper) custom(notes directives, ts string) *Type {
	schema, _ := notes.get("schema")
	for _, n := range notes {
		if n.word == "schema" && !json.Valid([]byte(n.arg)) {
			m.problem(n.pos, "write one line of JSON", "//socketio:schema is no JSON")
			schema = ""
		}
	}
	return &Type{Kind: Custom, TS: ts, Schema: schema}
}

// orNull adds null to the types of which nil is a value.
func (m *mapper) orNull(t types.Type, r *Type) *Type {
	if r.Kind == Ref && r.Decl.Type != nil && r.Decl.Type.Kind == Custom {
		return r
	}
	switch t.Underlying().(type) {
	case *types.Pointer:
		return nullable(r)
	case *types.Slice, *types.Map:
		if !m.opts.NonNull {
			return nullable(r)
		}
	}
	return r
}

// marshaler maps types that encode themselves. done is false for others.
func (m *mapper) marshaler(at site, t *types.Named) (r *Type, done bool) {
	fix := "write its TypeScript type above its declaration, //socketio:ts string, or above the field that has it"
	method := methodOf(t, at.addressable, marshalMethods...)
	switch onPointer, reads := methodOf(t, true, marshalMethods...), methodOf(t, true, unmarshalMethods...); {
	case method == "MarshalText" || method == "AppendText":
		return &Type{Kind: String}, true
	case method != "":
		return m.refuse(at, fix, "%s encodes itself with %s", m.name(t), method), true
	case onPointer != "":
		return m.refuse(at, fmt.Sprintf("declare %s for %s itself, or use a *%[2]s", onPointer, m.name(t)),
			"%s encodes itself only where it is addressable: %s is a method of *%[1]s", m.name(t), onPointer), true
	case reads != "":
		return m.refuse(at, fix, "%s decodes itself with %s, but does not encode itself", m.name(t), reads), true
	}
	return nil, false
}

// declOf returns the directives and the comment of a type.
func (m *mapper) declOf(obj *types.TypeName) (directives, string) {
	d, ok := m.specs[obj]
	if !ok {
		return nil, ""
	}
	docs := []*ast.CommentGroup{d.spec.Doc, d.spec.Comment}
	if !d.group.Lparen.IsValid() {
		docs = append(docs, d.group.Doc)
	}
	return m.directivesOf(docs...), docOf(docs...)
}

// enum maps a type with constants to their union, or returns nil.
func (m *mapper) enum(t *types.Named) *Type {
	b, ok := t.Underlying().(*types.Basic)
	if !ok || b.Info()&(types.IsString|types.IsInteger|types.IsFloat) == 0 {
		return nil
	}
	scope := t.Obj().Pkg().Scope()
	var list []*types.Const
	for _, name := range scope.Names() {
		if c, ok := scope.Lookup(name).(*types.Const); ok && types.Identical(c.Type(), t) {
			list = append(list, c)
		}
	}
	slices.SortFunc(list, func(a, b *types.Const) int { return cmp.Compare(a.Pos(), b.Pos()) })
	e := &Type{Kind: Enum}
	for _, c := range list {
		value := c.Val().ExactString()
		if c.Val().Kind() == constant.String {
			value = quote(constant.StringVal(c.Val()))
		} else if f, exact := constant.Float64Val(c.Val()); c.Val().Kind() == constant.Float && exact {
			value = strconv.FormatFloat(f, 'g', -1, 64)
		}
		if !slices.Contains(e.Values, value) {
			e.Values = append(e.Values, value)
		}
	}
	if len(e.Values) == 0 {
		return nil
	}
	return e
}

// quote returns a string as JSON and JavaScript write it.
func quote(s string) string {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(s) // a string always encodes
	return strings.TrimSuffix(b.String(), "\n")
}

// exported returns a name with a capital letter.
func exported(name string) string {
	r, size := utf8.DecodeRuneInString(name)
	return string(unicode.ToUpper(r)) + name[size:]
}

// partOf returns what a type argument adds to a name.
func (m *mapper) partOf(t types.Type) string {
	switch t := types.Unalias(t).(type) {
	case *types.Named:
		name := exported(t.Obj().Name())
		for i := range t.TypeArgs().Len() {
			name += m.partOf(t.TypeArgs().At(i))
		}
		return name
	case *types.Basic:
		return exported(t.Name())
	case *types.Pointer:
		return m.partOf(t.Elem()) + "OrNull"
	case *types.Slice:
		return m.partOf(t.Elem()) + "List"
	case *types.Array:
		return m.partOf(t.Elem()) + "Array"
	case *types.Map:
		return m.partOf(t.Key()) + m.partOf(t.Elem()) + "Map"
	case *types.Interface:
		return "Any"
	}
	return "Struct"
}

// decls returns the named types. Names that several have get that of the package in
// front.
func (m *mapper) decls() (list []*Decl) {
	byName := make(map[string][]*Decl)
	for _, d := range m.named {
		byName[d.Name] = append(byName[d.Name], d)
	}
	for name, same := range byName {
		if len(same) == 1 && !generated[name] {
			continue
		}
		for _, d := range same {
			if !m.fixed[d] {
				d.Name = exported(m.origin[d].Obj().Pkg().Name()) + d.Name
			}
		}
	}
	seen := make(map[string]*Decl)
	for _, d := range m.named {
		list = append(list, d)
	}
	slices.SortFunc(list, func(a, b *Decl) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Pos.String(), b.Pos.String()))
	})
	for _, d := range list {
		if other := seen[d.Name]; other != nil || generated[d.Name] || reserved[d.Name] || typeNames[d.Name] {
			where := "the generated file"
			if other != nil {
				where = other.Pos.String()
			}
			m.problem(m.origin[d].Obj().Pos(), "give it another one with //socketio:name above its declaration",
				"type %s: the name %s is that of a type of %s, too", m.name(m.origin[d]), d.Name, where)
		}
		seen[d.Name] = d
	}
	return list
}

// generated are names that the generated file has, or uses in another meaning.
var generated = map[string]bool{
	"Failure": true, "Binary": true, "Socket": true, "ArrayBuffer": true, "Uint8Array": true, "Record": true, "Partial": true,
}
