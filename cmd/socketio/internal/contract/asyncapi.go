package contract

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Info is what an AsyncAPI document says besides the contract.
type Info struct {
	Title, Version string
	Host, Path     string // of the server
}

// A jsonObject is a JSON object.
type jsonObject = map[string]any

// AsyncAPI returns the contract as an AsyncAPI 3.0 document, in JSON with sorted keys.
func (c *Contract) AsyncAPI(info Info) []byte {
	w := &schemaWriter{schemas: jsonObject{}}
	channels, operations := jsonObject{}, jsonObject{}
	for _, n := range c.Namespaces {
		w.namespace(n, channels, operations)
	}
	for _, d := range c.Decls {
		s := w.schema(d.Type)
		if d.Doc != "" {
			s["description"] = d.Doc
		}
		w.schemas[d.Name] = s
	}
	if w.failure {
		w.schemas["Failure"] = jsonObject{
			"type": "object", "required": []string{"error"},
			"properties": jsonObject{"error": jsonObject{
				"type": "object", "required": []string{"message"},
				"properties": jsonObject{"message": jsonObject{"type": "string"}, "data": jsonObject{}},
			}},
		}
	}
	if w.binary {
		w.schemas["Binary"] = jsonObject{
			"type": "string", "format": "binary",
			"description": "An attachment of the packet. x-socketio of the message lists where they are.",
		}
	}
	doc := jsonObject{
		"asyncapi": "3.0.0",
		"info":     jsonObject{"title": info.Title, "version": info.Version},
		"servers": jsonObject{"main": jsonObject{
			"host": info.Host, "pathname": info.Path, "protocol": "ws",
			"description": "Socket.IO 5 over Engine.IO 4; a channel is a namespace.",
		}},
		"channels": channels, "operations": operations,
		"components": jsonObject{"schemas": w.schemas},
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	_ = enc.Encode(doc) // only maps, slices, strings and numbers
	return b.Bytes()
}

// A schemaWriter makes JSON Schemas, of the draft 7 that AsyncAPI builds on.
type schemaWriter struct {
	schemas         jsonObject
	binary, failure bool
}

// key returns a name for a key of the document.
func keyFor(name string) string {
	var b strings.Builder
	for _, r := range name {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_' || r == '.' {
			b.WriteRune(r)
		} else {
			fmt.Fprintf(&b, "_%x", r)
		}
	}
	return b.String()
}

func channelKey(namespace string) string {
	if namespace == "/" {
		return "root"
	}
	return strings.ReplaceAll(keyFor(strings.ReplaceAll(strings.TrimPrefix(namespace, "/"), "/", ".")), "..", "._2f")
}

func (w *schemaWriter) namespace(n *Namespace, channels, operations jsonObject) {
	key := channelKey(n.Name)
	messages := jsonObject{}
	ref := "#/channels/" + key
	add := func(e *Event, action, prefix string) {
		name := keyFor(prefix + e.Name)
		messages[name] = w.message(e.Name, e.Doc, e.Args, e.Rest, false)
		op := jsonObject{
			"action": action, "channel": jsonObject{"$ref": ref},
			"messages": []any{jsonObject{"$ref": ref + "/messages/" + name}},
		}
		if e.Answer != nil {
			messages[name+".answer"] = w.message("answer to "+e.Name, "", e.Answer.Args, e.Answer.Rest, e.Answer.Fails)
			op["reply"] = jsonObject{
				"channel":  jsonObject{"$ref": ref},
				"messages": []any{jsonObject{"$ref": ref + "/messages/" + name + ".answer"}},
			}
		}
		operations[key+"."+action+"."+keyFor(e.Name)] = op
	}
	both := make(map[string]bool)
	for _, e := range n.FromClient {
		both[e.Name] = true
		add(e, "receive", "")
	}
	for _, e := range n.FromServer {
		prefix := ""
		if both[e.Name] {
			prefix = "server."
		}
		add(e, "send", prefix)
	}
	channels[key] = jsonObject{
		"address": n.Name, "title": "Namespace " + n.Name, "messages": messages,
		"servers": []any{jsonObject{"$ref": "#/servers/main"}},
	}
}

// message returns a message, whose payload is the array of the arguments.
func (w *schemaWriter) message(name, doc string, args []Arg, rest *Arg, fails bool) jsonObject {
	payload := w.tuple(args, rest)
	if fails {
		w.failure = true
		failure := jsonObject{
			"type": "array", "items": []any{jsonObject{"$ref": "#/components/schemas/Failure"}}, "minItems": 1, "maxItems": 1,
		}
		payload = jsonObject{"anyOf": []any{payload, failure}}
	}
	m := jsonObject{"name": name, "payload": payload, "contentType": "application/json"}
	if doc != "" {
		m["description"] = doc
	}
	if paths := binaryPaths(args, rest); len(paths) > 0 {
		m["x-socketio"] = jsonObject{"binary": paths}
	}
	return m
}

// tuple returns the schema of arguments.
func (w *schemaWriter) tuple(args []Arg, rest *Arg) jsonObject {
	s := jsonObject{"type": "array"}
	var items []any
	for _, a := range args {
		item := w.schema(a.Type)
		if _, isRef := item["$ref"]; !isRef {
			item["title"] = a.Name
		}
		items = append(items, item)
	}
	if len(items) > 0 {
		s["items"], s["minItems"] = items, len(items)
	}
	switch {
	case rest != nil && len(items) > 0:
		s["additionalItems"] = w.schema(rest.Type)
	case rest != nil:
		s["items"] = w.schema(rest.Type)
	case len(items) > 0:
		s["additionalItems"] = false
	default:
		s["maxItems"] = 0
	}
	return s
}

// schema returns the schema of a type.
func (w *schemaWriter) schema(t *Type) jsonObject {
	s := jsonObject{}
	if t.Note != "" {
		s["description"] = t.Note
	}
	switch t.Kind {
	case String:
		s["type"] = "string"
		if t.Format != "" {
			s["format"] = t.Format
		}
		if t.Pattern != "" {
			s["pattern"] = t.Pattern
		}
	case Number:
		s["type"] = "number"
	case Integer:
		s["type"] = "integer"
		if t.Min != "" {
			s["minimum"] = json.Number(t.Min)
		}
		if t.Max != "" {
			s["maximum"] = json.Number(t.Max)
		}
	case Boolean:
		s["type"] = "boolean"
	case Binary:
		w.binary = true
		s["$ref"] = "#/components/schemas/Binary"
	case Array:
		s["type"], s["items"] = "array", w.schema(t.Elem)
		if t.Len >= 0 {
			s["minItems"], s["maxItems"] = t.Len, t.Len
		}
	case Map:
		s["type"], s["additionalProperties"] = "object", w.schema(t.Elem)
		if t.Key.Kind != String || t.Key.Pattern != "" {
			s["propertyNames"] = w.schema(t.Key)
		}
	case Object:
		w.object(t, s)
	case Enum:
		var values []any
		for _, v := range t.Values {
			values = append(values, json.RawMessage(v))
		}
		s["enum"] = values
		s["type"] = "number"
		if strings.HasPrefix(t.Values[0], `"`) {
			s["type"] = "string"
		}
	case Nullable:
		return jsonObject{"anyOf": []any{w.schema(t.Elem), jsonObject{"type": "null"}}}
	case Ref:
		s["$ref"] = "#/components/schemas/" + t.Decl.Name
	case Custom:
		if t.Schema != "" {
			_ = json.Unmarshal([]byte(t.Schema), &s) // the directive was checked
		}
	}
	return s
}

func (w *schemaWriter) object(t *Type, s jsonObject) {
	properties, required := jsonObject{}, []string{}
	for _, f := range t.Fields {
		p := w.schema(f.Type)
		if _, isRef := p["$ref"]; f.Doc != "" && !isRef {
			p["description"] = f.Doc
		}
		properties[f.Name] = p
		if !f.Optional {
			required = append(required, f.Name)
		}
	}
	s["type"], s["properties"] = "object", properties
	if len(required) > 0 {
		slices.Sort(required)
		s["required"] = required
	}
}

// Bounds of the list of paths, of which types that refer to each other have any number.
const (
	maxPaths = 100
	maxSteps = 10_000
)

// A pathFinder finds where in the arguments attachments are: "0.photo", "1.*.data",
// where * stands for every element or key. It does not enter a type again within
// itself, so a tree has the paths of its first level only.
type pathFinder struct {
	paths  []string
	steps  int
	within []*Decl
}

func binaryPaths(args []Arg, rest *Arg) []string {
	var f pathFinder
	for i, a := range args {
		f.find(a.Type, strconv.Itoa(i))
	}
	if rest != nil {
		f.find(rest.Type, "*")
	}
	return f.paths
}

func (f *pathFinder) find(t *Type, path string) {
	f.steps++
	if f.steps > maxSteps || len(f.paths) == maxPaths {
		return
	}
	switch t.Kind {
	case Binary:
		f.paths = append(f.paths, path)
	case Nullable:
		f.find(t.Elem, path)
	case Array, Map:
		f.find(t.Elem, path+".*")
	case Object:
		for _, field := range t.Fields {
			f.find(field.Type, path+"."+field.Name)
		}
	case Ref:
		if !slices.Contains(f.within, t.Decl) && holdsBinary(t, make(map[*Decl]bool)) {
			f.within = append(f.within, t.Decl)
			f.find(t.Decl.Type, path)
			f.within = f.within[:len(f.within)-1]
		}
	}
}

// holdsBinary reports whether a value of the type may have an attachment.
func holdsBinary(t *Type, seen map[*Decl]bool) bool {
	switch t.Kind {
	case Binary:
		return true
	case Nullable, Array, Map:
		return holdsBinary(t.Elem, seen)
	case Object:
		return slices.ContainsFunc(t.Fields, func(f Field) bool { return holdsBinary(f.Type, seen) })
	case Ref:
		if seen[t.Decl] {
			return false
		}
		seen[t.Decl] = true
		return holdsBinary(t.Decl.Type, seen)
	}
	return false
}
