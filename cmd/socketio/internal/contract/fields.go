package contract

import (
	"cmp"
	"go/types"
	"reflect"
	"slices"
	"strings"
)

// A candidate is a field that may be a property.
type candidate struct {
	name      string
	tagged    bool
	depth     int
	order     []int // its path of fields, by which properties are sorted
	v         *types.Var
	tag       tag
	byPointer bool // a nil pointer to an embedded struct leaves it out
}

// A tag is what a json tag says.
type tag struct {
	name                        string
	skip                        bool
	omitempty, omitzero, string bool
}

func (m *mapper) tagOf(v *types.Var, text string) (t tag) {
	value := reflect.StructTag(text).Get("json")
	if value == "-" {
		return tag{skip: true}
	}
	name, options, _ := strings.Cut(value, ",")
	if strings.ContainsAny(name, `'"\`+"`") {
		m.problem(v.Pos(), "use letters, digits and punctuation", "field %s: the name in its json tag is not valid", v.Name())
	}
	t.name = name
	for option := range strings.SplitSeq(options, ",") {
		switch option {
		case "":
		case "omitempty":
			t.omitempty = true
		case "omitzero":
			t.omitzero = true
		case "string":
			t.string = true
		default:
			m.problem(v.Pos(), "the options are omitempty, omitzero and string", "field %s: the option %q of its json tag is not mapped", v.Name(), option)
		}
	}
	return t
}

// structFields returns the properties of a struct, by the rules of encoding/json.
func (m *mapper) structFields(at site, s *types.Struct) []Field {
	var fields []Field
	for _, c := range m.candidates(s) {
		f := Field{Name: c.name, Doc: "", Optional: c.byPointer}
		syntax := m.fields[c.v.Pos()]
		var notes directives
		if syntax != nil {
			f.Doc = docOf(syntax.Doc, syntax.Comment)
			notes = m.directivesOf(syntax.Doc, syntax.Comment)
		}
		in := site{pos: c.v.Pos(), what: "field " + c.v.Name()}
		if !in.pos.IsValid() {
			in.pos = at.pos
		}
		if ts, ok := notes.get("ts"); ok {
			f.Type = m.custom(notes, ts)
		} else {
			f.Type = m.typeOf(in, c.v.Type())
			if c.tag.string {
				f.Type = stringified(f.Type)
			}
			m.warnInteger(c.v, f.Type)
		}
		m.omit(&f, c)
		fields = append(fields, f)
	}
	return fields
}

// warnInteger warns of integers that JavaScript rounds.
func (m *mapper) warnInteger(v *types.Var, t *Type) {
	for t.Elem != nil {
		t = t.Elem
	}
	if t.Kind == Integer && strings.HasSuffix(t.Note, "2^53") {
		m.warn(v.Pos(), `if there are larger ones, the option "string" of its json tag makes it a string`,
			"field %s: a number in JavaScript is exact up to 2^53", v.Name())
	}
}

// omit applies omitempty and omitzero. What is left out is not null.
func (m *mapper) omit(f *Field, c candidate) {
	t := c.v.Type().Underlying()
	null := func() {
		if f.Type.Kind == Nullable {
			f.Type = f.Type.Elem
		}
	}
	if c.tag.omitempty {
		switch t := t.(type) {
		case *types.Struct:
		case *types.Array:
			f.Optional = f.Optional || t.Len() == 0
		default:
			f.Optional = true
			null()
		}
	}
	if c.tag.omitzero {
		f.Optional = true
		if obj, _, _ := types.LookupFieldOrMethod(c.v.Type(), true, nil, "IsZero"); obj == nil {
			null()
		}
	}
}

// stringified applies the option "string".
func stringified(t *Type) *Type {
	switch t.Kind {
	case Nullable:
		return nullable(stringified(t.Elem))
	case Integer:
		return &Type{Kind: String, Pattern: integerPattern, Note: "an integer"}
	case Number:
		return &Type{Kind: String, Note: "a number"}
	case Boolean:
		return &Type{Kind: Enum, Values: []string{`"true"`, `"false"`}}
	case Enum:
		e := &Type{Kind: Enum}
		for _, v := range t.Values {
			e.Values = append(e.Values, quote(v))
		}
		return e
	case String:
		return &Type{Kind: String, Note: "JSON of a string"}
	case Ref:
		if inner := stringified(t.Decl.Type); inner != t.Decl.Type {
			return inner
		}
	}
	return t
}

// candidates returns the fields that are properties: of those with one name the least
// nested, of those the one with a tag, or none.
func (m *mapper) candidates(s *types.Struct) (chosen []candidate) {
	type embedded struct {
		s         *types.Struct
		order     []int
		byPointer bool
	}
	byName := make(map[string][]candidate)
	visited := make(map[*types.Struct]bool)
	for level, depth := []embedded{{s: s}}, 0; len(level) > 0; depth++ {
		var next []embedded
		for _, e := range level {
			visited[e.s] = true
		}
		for _, e := range level {
			for i := range e.s.NumFields() {
				v := e.s.Field(i)
				t := m.tagOf(v, e.s.Tag(i))
				inner, pointer := embeddedStruct(v)
				if t.skip || !v.Exported() && inner == nil {
					continue
				}
				order := append(slices.Clone(e.order), i)
				if inner != nil && t.name == "" {
					if !visited[inner] {
						next = append(next, embedded{inner, order, e.byPointer || pointer})
					}
					continue
				}
				if !v.Exported() {
					continue
				}
				name := cmp.Or(t.name, v.Name())
				byName[name] = append(byName[name], candidate{name, t.name != "", depth, order, v, t, e.byPointer})
			}
		}
		level = next
	}
	for _, same := range byName {
		slices.SortFunc(same, func(a, b candidate) int {
			tagged := func(c candidate) int {
				if c.tagged {
					return 0
				}
				return 1
			}
			return cmp.Or(cmp.Compare(a.depth, b.depth), cmp.Compare(tagged(a), tagged(b)))
		})
		if len(same) > 1 && same[0].depth == same[1].depth && same[0].tagged == same[1].tagged {
			continue
		}
		chosen = append(chosen, same[0])
	}
	slices.SortFunc(chosen, func(a, b candidate) int { return slices.Compare(a.order, b.order) })
	return chosen
}

// embeddedStruct returns the struct that a field embeds, or nil.
func embeddedStruct(v *types.Var) (s *types.Struct, pointer bool) {
	if !v.Anonymous() {
		return nil, false
	}
	t := types.Unalias(v.Type())
	if p, ok := t.(*types.Pointer); ok {
		t, pointer = p.Elem(), true
	}
	s, _ = t.Underlying().(*types.Struct)
	return s, pointer
}

// arguments maps what a typed event carries.
func (m *mapper) arguments(at site, t types.Type) (args []Arg, rest *Arg) {
	if isNamed(t, socketioPath, "Args") {
		return nil, &Arg{"args", &Type{Kind: Unknown}}
	}
	if s, ok := t.Underlying().(*types.Struct); ok && isPositional(s) {
		for v := range s.Fields() {
			if v.Exported() && !isNamed(v.Type(), socketioPath, "Positional") {
				args = append(args, Arg{nameOf(lowerFirst(v.Name()), len(args)), m.fieldType(v)})
			}
		}
		distinct(args, nil)
		return args, nil
	}
	if p, ok := types.Unalias(t).(*types.Pointer); ok {
		if s, ok := p.Elem().Underlying().(*types.Struct); ok && isPositional(s) {
			m.refuse(at, "use the struct that embeds Positional", "%s is a pointer", m.name(t))
			return nil, nil
		}
	}
	name := "value"
	inner := types.Unalias(t)
	if p, ok := inner.(*types.Pointer); ok {
		inner = types.Unalias(p.Elem())
	}
	if n, ok := inner.(*types.Named); ok {
		name = nameOf(lowerFirst(n.Obj().Name()), 0)
	}
	return []Arg{{name, m.typeOf(at, t)}}, nil
}

// fieldType maps a field that is an argument of its own.
func (m *mapper) fieldType(v *types.Var) *Type {
	if syntax := m.fields[v.Pos()]; syntax != nil {
		notes := m.directivesOf(syntax.Doc, syntax.Comment)
		if ts, ok := notes.get("ts"); ok {
			return m.custom(notes, ts)
		}
	}
	return m.typeOf(site{pos: v.Pos(), what: "field " + v.Name()}, v.Type())
}

// result maps the result of an untyped handler.
func (m *mapper) result(at site, t types.Type) (args []Arg, rest *Arg) {
	if isNamed(t, socketioPath, "Args") {
		return m.arguments(at, t)
	}
	return []Arg{{"answer", m.typeOf(at, t)}}, nil
}

func isPositional(s *types.Struct) bool {
	for v := range s.Fields() {
		if v.Anonymous() && v.Name() == "Positional" && isNamed(v.Type(), socketioPath, "Positional") {
			return true
		}
	}
	return false
}
