package contract

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"
	"strings"
)

// A document is an AsyncAPI document as [Contract.AsyncAPI] writes it.
type document struct {
	AsyncAPI string `json:"asyncapi"`
	Channels map[string]struct {
		Address  string                     `json:"address"`
		Messages map[string]documentMessage `json:"messages"`
	} `json:"channels"`
	Operations map[string]struct {
		Action   string      `json:"action"`
		Messages []reference `json:"messages"`
		Reply    *struct {
			Messages []reference `json:"messages"`
		} `json:"reply"`
	} `json:"operations"`
	Components struct {
		Schemas map[string]any `json:"schemas"`
	} `json:"components"`
}

type documentMessage struct {
	Name    string `json:"name"`
	Payload any    `json:"payload"`
}

type reference struct {
	Ref string `json:"$ref"`
}

// An operation is one event in one direction.
type operation struct {
	namespace, name string
	client          bool // clients send it
	payload         any
	answer          any
	answers         bool
}

func (o operation) String() string {
	from := "from the server"
	if o.client {
		from = "from clients"
	}
	return fmt.Sprintf("%s %s (%s)", o.namespace, quote(o.name), from)
}

func parseDocument(data []byte) (*document, error) {
	d := new(document)
	dec := json.NewDecoder(bytes.NewReader(data))
	if err := dec.Decode(d); err != nil {
		return nil, fmt.Errorf("not JSON of AsyncAPI: %w", err)
	}
	if !strings.HasPrefix(d.AsyncAPI, "3.") {
		return nil, fmt.Errorf("AsyncAPI %q, not a document of socketio gen asyncapi", d.AsyncAPI)
	}
	return d, nil
}

// message returns the message that a reference names.
func (d *document) message(r reference) (namespace string, m documentMessage, err error) {
	key, name, ok := strings.Cut(strings.TrimPrefix(r.Ref, "#/channels/"), "/messages/")
	c, known := d.Channels[key]
	m, found := c.Messages[name]
	if !ok || !known || !found {
		return "", m, fmt.Errorf("the reference %q leads nowhere", r.Ref)
	}
	return c.Address, m, nil
}

func (d *document) operations() (map[string]operation, error) {
	list := make(map[string]operation)
	for key, op := range d.Operations {
		if len(op.Messages) != 1 {
			return nil, fmt.Errorf("operation %q has %d messages, not one", key, len(op.Messages))
		}
		namespace, m, err := d.message(op.Messages[0])
		if err != nil {
			return nil, err
		}
		o := operation{namespace: namespace, name: m.Name, client: op.Action == "receive", payload: m.Payload}
		if op.Reply != nil && len(op.Reply.Messages) == 1 {
			_, answer, err := d.message(op.Reply.Messages[0])
			if err != nil {
				return nil, err
			}
			o.answer, o.answers = answer.Payload, true
		}
		list[o.String()] = o
	}
	return list, nil
}

// Breaks returns what breaks the clients of an older contract, a line each. Both are
// AsyncAPI documents of this package.
func Breaks(older, newer []byte) ([]string, error) {
	before, err := parseDocument(older)
	if err != nil {
		return nil, err
	}
	after, err := parseDocument(newer)
	if err != nil {
		return nil, err
	}
	was, err := before.operations()
	if err != nil {
		return nil, err
	}
	is, err := after.operations()
	if err != nil {
		return nil, err
	}
	var lines []string
	for _, key := range slices.Sorted(maps.Keys(was)) {
		old := was[key]
		now, exists := is[key]
		if !exists {
			lines = append(lines, fmt.Sprintf("%s: is gone", old))
			continue
		}
		lines = append(lines, breaksOf(before, after, old, now)...)
	}
	for _, key := range slices.Sorted(maps.Keys(is)) {
		if _, existed := was[key]; !existed && !is[key].client && is[key].answers {
			lines = append(lines, fmt.Sprintf("%s: is new and wants an answer, which older clients do not give", is[key]))
		}
	}
	return lines, nil
}

// breaksOf compares one event.
func breaksOf(before, after *document, old, now operation) (lines []string) {
	report := func(what string) func(path, text string) {
		return func(path, text string) {
			lines = append(lines, fmt.Sprintf("%s: %s%s %s", old, what, path, text))
		}
	}
	// The one that sends is the producer; clients are as they were.
	fromOld := comparison{producer: before, consumer: after, older: true}
	fromNew := comparison{producer: after, consumer: before}
	if old.client {
		fromOld.compare(old.payload, now.payload, report("argument "))
	} else {
		fromNew.compare(now.payload, old.payload, report("argument "))
	}
	switch {
	case old.answers && !now.answers && old.client:
		lines = append(lines, fmt.Sprintf("%s: has no answer any more", old))
	case !old.answers && now.answers && !old.client:
		lines = append(lines, fmt.Sprintf("%s: wants an answer, which older clients do not give", old))
	case old.answers && now.answers && old.client:
		fromNew.compare(now.answer, old.answer, report("answer "))
	case old.answers && now.answers:
		fromOld.compare(old.answer, now.answer, report("answer "))
	}
	return lines
}

// A comparison checks that what a producer sends is what a consumer accepts.
type comparison struct {
	producer, consumer *document
	older              bool // the producer is the older one
	seen               []pair
}

type pair struct{ p, c string }

// compare reports where a value of the schema p is none of the schema c.
func (x *comparison) compare(p, c any, report func(path, text string)) {
	x.seen = nil
	x.value(p, c, "", report)
}

func (d *document) resolve(s any) any {
	for range 100 {
		o, ok := s.(jsonObject)
		if !ok {
			return s
		}
		ref, ok := o["$ref"].(string)
		if !ok {
			return s
		}
		s = d.Components.Schemas[strings.TrimPrefix(ref, "#/components/schemas/")]
	}
	return s
}

func (x *comparison) value(p, c any, path string, report func(path, text string)) {
	if rp, rc := refOf(p), refOf(c); rp != "" && rc != "" {
		if slices.Contains(x.seen, pair{rp, rc}) {
			return // a recursive type
		}
		x.seen = append(x.seen, pair{rp, rc})
		defer func() { x.seen = x.seen[:len(x.seen)-1] }()
	}
	ps, _ := x.producer.resolve(p).(jsonObject)
	cs, _ := x.consumer.resolve(c).(jsonObject)
	if accepts := cs["anyOf"]; len(cs) == 0 || accepts == nil && cs["type"] == nil && cs["enum"] == nil {
		return // anything
	}
	if options, ok := ps["anyOf"].([]any); ok { // each of them
		for _, option := range options {
			x.value(option, c, path, report)
		}
		return
	}
	if options, ok := cs["anyOf"].([]any); ok { // one of them
		x.oneOf(p, ps, options, path, report)
		return
	}
	if text := x.plain(ps, cs); text != "" {
		report(path, text)
		return
	}
	switch cs["type"] {
	case "array":
		x.array(ps, cs, path, report)
	case "object":
		x.object(ps, cs, path, report)
	}
}

func refOf(s any) string {
	o, _ := s.(jsonObject)
	ref, _ := o["$ref"].(string)
	return ref
}

// oneOf reports what the best of several options does not accept.
func (x *comparison) oneOf(p any, ps jsonObject, options []any, path string, report func(path, text string)) {
	type line struct{ path, text string }
	var best []line
	matched := false
	for i, option := range options {
		var lines []line
		x.value(p, option, path, func(path, text string) { lines = append(lines, line{path, text}) })
		if len(lines) == 0 {
			return
		}
		same := typeName(x.consumer.resolve(option)) == typeName(ps)
		if i == 0 || same && !matched {
			best, matched = lines, same
		}
	}
	for _, l := range best {
		report(l.path, l.text)
	}
}

// typeName returns how a schema is called in messages.
func typeName(s any) string {
	o, _ := s.(jsonObject)
	switch {
	case len(o) == 0:
		return "unknown"
	case o["format"] == "binary":
		return "binary"
	case o["type"] != nil:
		return fmt.Sprint(o["type"])
	case o["anyOf"] != nil:
		var names []string
		for _, option := range o["anyOf"].([]any) { //nolint:forcetypeassert // of a document of ours
			names = append(names, typeName(option))
		}
		return strings.Join(names, " | ")
	case o["$ref"] != nil:
		return strings.TrimPrefix(fmt.Sprint(o["$ref"]), "#/components/schemas/")
	}
	return "unknown"
}

// either returns the text for the older producer or that for the newer one.
func (x *comparison) either(older, newer string) string {
	if x.older {
		return older
	}
	return newer
}

// plain compares what is no array and no object.
func (x *comparison) plain(p, c jsonObject) string {
	pt, ct := typeName(p), typeName(c)
	switch {
	case pt == ct || pt == "integer" && ct == "number":
	case pt == "null":
		return x.either("must not be null any more", "may be null now")
	case x.older:
		return fmt.Sprintf("was %s, is %s", pt, ct)
	default:
		return fmt.Sprintf("was %s, is %s", ct, pt)
	}
	accepted, limited := c["enum"].([]any)
	sent, limits := p["enum"].([]any)
	if limited {
		if !limits {
			return x.either(fmt.Sprintf("was any %s, is one of %s", pt, values(accepted)), fmt.Sprintf("was one of %s, is any %s", values(accepted), pt))
		}
		var extra []any
		for _, v := range sent {
			if !slices.ContainsFunc(accepted, func(o any) bool { return reflect.DeepEqual(v, o) }) {
				extra = append(extra, v)
			}
		}
		if len(extra) > 0 {
			return x.either(fmt.Sprintf("must not be %s any more", values(extra)), fmt.Sprintf("may be %s now", values(extra)))
		}
		return ""
	}
	for _, word := range []string{"format", "pattern"} {
		if c[word] != nil && c[word] != p[word] && !limits {
			return x.either(fmt.Sprintf("must have the %s %v now", word, c[word]), fmt.Sprintf("had the %s %v", word, c[word]))
		}
	}
	pmin, pmax := bound(p, "minimum", math.Inf(-1)), bound(p, "maximum", math.Inf(1))
	cmin, cmax := bound(c, "minimum", math.Inf(-1)), bound(c, "maximum", math.Inf(1))
	if pmin < cmin || pmax > cmax {
		return x.either(fmt.Sprintf("must be from %v to %v now", cmin, cmax), fmt.Sprintf("was from %v to %v, may be from %v to %v now", cmin, cmax, pmin, pmax))
	}
	return ""
}

func bound(s jsonObject, word string, otherwise float64) float64 {
	if v, ok := s[word].(float64); ok {
		return v
	}
	return otherwise
}

func values(list []any) string {
	text, _ := json.Marshal(list)
	return strings.Trim(strings.ReplaceAll(string(text), ",", ", "), "[]")
}

// array compares arrays and tuples.
func (x *comparison) array(p, c jsonObject, path string, report func(path, text string)) {
	atLeast, most := int(bound(p, "minItems", 0)), bound(p, "maxItems", math.Inf(1))
	pitems, ptuple := p["items"].([]any)
	citems, ctuple := c["items"].([]any)
	need := int(bound(c, "minItems", 0))
	if ctuple {
		for i := atLeast; i < need; i++ {
			report(join(path, fmt.Sprint(i+1)), x.either("is new: older clients do not send it", "is gone"))
		}
	} else if need > atLeast || most > bound(c, "maxItems", math.Inf(1)) && path != "" {
		report(path, "has another length")
		return
	}
	item := func(s jsonObject, list []any, tuple bool, i int) any {
		switch {
		case tuple && i < len(list):
			return list[i]
		case tuple:
			return s["additionalItems"]
		}
		return s["items"]
	}
	if !ptuple && !ctuple {
		if p["items"] != nil && c["items"] != nil {
			x.value(p["items"], c["items"], path+"[]", report)
		}
		return
	}
	for i := range max(len(pitems), len(citems)) {
		a, b := item(p, pitems, ptuple, i), item(c, citems, ctuple, i)
		if b == nil || b == false || a == nil || a == false {
			continue // more than the receiver reads, or less, which was reported
		}
		x.value(a, b, join(path, fmt.Sprint(i+1)), report)
	}
}

func join(path, part string) string {
	if path == "" {
		return part
	}
	return path + "." + part
}

// object compares objects and maps.
func (x *comparison) object(p, c jsonObject, path string, report func(path, text string)) {
	sent, _ := p["properties"].(jsonObject)
	read, _ := c["properties"].(jsonObject)
	always := make(map[string]bool)
	if list, ok := p["required"].([]any); ok {
		for _, name := range list {
			always[fmt.Sprint(name)] = true
		}
	}
	if list, ok := c["required"].([]any); ok {
		for _, name := range list {
			switch name := fmt.Sprint(name); {
			case sent[name] == nil:
				report(path+"."+name, x.either("is new and required: older clients do not send it", "is gone"))
			case !always[name]:
				report(path+"."+name, x.either("is required now", "may be left out now"))
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(read)) {
		if sent[name] != nil {
			x.value(sent[name], read[name], path+"."+name, report)
		}
	}
	if a, ok := p["additionalProperties"].(jsonObject); ok {
		if b, ok := c["additionalProperties"].(jsonObject); ok {
			x.value(a, b, path+"[]", report)
			if names, ok := c["propertyNames"]; ok && p["propertyNames"] != nil {
				x.value(p["propertyNames"], names, path+" keys", report)
			}
		}
	}
}
