package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"github.com/socketio-go/socketio"
)

// binaryKey is the only key of an object that stands for binary data in JSON: its value
// is base64.
const binaryKey = "$binary"

// parseArgument returns an argument from the command line: JSON, "@file" for binary
// data, or text if it is neither.
func parseArgument(text string) (any, error) {
	if name, ok := strings.CutPrefix(text, "@"); ok {
		return os.ReadFile(name)
	}
	v, err := parseJSON([]byte(text))
	if err != nil {
		return text, nil //nolint:nilerr // it is a plain word
	}
	return v, nil
}

func parseArguments(texts []string) ([]any, error) {
	args := make([]any, len(texts))
	for i, text := range texts {
		v, err := parseArgument(text)
		if err != nil {
			return nil, err
		}
		args[i] = v
	}
	return args, nil
}

// parseJSON decodes JSON, with binary data in it.
func parseJSON(text []byte) (any, error) {
	var v any
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	if err := dec.Decode(&v); err != nil {
		return nil, err
	}
	if dec.More() {
		return nil, fmt.Errorf("more than one value in %s", text)
	}
	return withBinary(v)
}

// withBinary replaces the objects that stand for binary data.
func withBinary(v any) (any, error) {
	switch v := v.(type) {
	case map[string]any:
		if text, ok := v[binaryKey].(string); ok && len(v) == 1 {
			return base64.StdEncoding.DecodeString(text)
		}
		for k, e := range v {
			e, err := withBinary(e)
			if err != nil {
				return nil, err
			}
			v[k] = e
		}
	case []any:
		for i, e := range v {
			e, err := withBinary(e)
			if err != nil {
				return nil, err
			}
			v[i] = e
		}
	}
	return v, nil
}

// decoded returns arguments as values: numbers as they were written, []byte for
// attachments.
func decoded(args socketio.Args) []any {
	list := make([]any, args.Len())
	dst := make([]any, args.Len())
	for i := range list {
		dst[i] = &list[i]
	}
	if err := args.Decode(dst...); err != nil {
		for i := range list {
			list[i] = args.Raw(i)
		}
	}
	return list
}

// asJSONLine returns arguments as a JSON array, with base64 for binary data.
func asJSONLine(v any) string {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(inJSON(v)) // it was JSON
	return strings.TrimSuffix(b.String(), "\n")
}

func inJSON(v any) any {
	switch v := v.(type) {
	case []byte:
		return map[string]string{binaryKey: base64.StdEncoding.EncodeToString(v)}
	case []any:
		list := make([]any, len(v))
		for i, e := range v {
			list[i] = inJSON(e)
		}
		return list
	case map[string]any:
		m := make(map[string]any, len(v))
		for k, e := range v {
			m[k] = inJSON(e)
		}
		return m
	}
	return v
}

// words splits a line into words and JSON values.
func words(line string) (list []string) {
	for {
		line = strings.TrimLeft(line, " \t")
		if line == "" {
			return list
		}
		dec := json.NewDecoder(strings.NewReader(line))
		var v json.RawMessage
		end := -1
		if err := dec.Decode(&v); err == nil {
			end = int(dec.InputOffset())
		}
		if end < 0 || end < len(line) && line[end] != ' ' && line[end] != '\t' {
			if end = strings.IndexAny(line, " \t"); end < 0 {
				end = len(line)
			}
		}
		list = append(list, line[:end])
		line = line[end:]
	}
}
