package socketio_test

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/socketio-go/socketio"
	"github.com/socketio-go/socketio/internal/sio"
	"github.com/socketio-go/socketio/internal/siotest"
)

// The tables of docs/limits.md name every numeric option with its default, and
// the limits that are not options with their value.
func TestLimitsPage(t *testing.T) {
	t.Parallel()
	fixed := map[string]int64{
		"arguments of an event":        sio.DefaultArgs,
		"nesting of their JSON":        sio.DefaultDepth,
		"acks that a socket waits for": socketio.MaxPendingAcks,
		"the name of a namespace":      socketio.MaxNamespaceName,
	}
	documented := make(map[string]bool)
	for _, row := range siotest.TableRows(t, "docs/limits.md") {
		what, option, text := row.Cells[0], strings.Trim(row.Cells[1], "`"), row.Cells[2]
		if option == "–" {
			want, ok := fixed[what]
			if got, err := limitOf(text, 0); !ok || err != nil || got != want {
				t.Errorf("%s: the page says %s, the code %d (%v)", what, text, want, err)
			}
			delete(fixed, what)
			continue
		}
		documented[option] = true
		// Other defaults follow from MaxPayload.
		for _, maxPayload := range []int64{0, 1000, 2e6} {
			defaults := socketio.WithDefaults(&socketio.Options{MaxPayload: maxPayload, Recovery: &socketio.Recovery{}})
			field := optionField(reflect.ValueOf(defaults), option)
			if !field.IsValid() {
				t.Errorf("there is no option %s", option)
				break
			}
			if option == "MaxPayload" && maxPayload > 0 {
				continue
			}
			if got, err := limitOf(text, defaults.MaxPayload); err != nil || got != field.Int() {
				t.Errorf("%s, with MaxPayload %d: the page says %s, the code %d (%v)", option, defaults.MaxPayload, text, field.Int(), err)
			}
			if row.Section == "Sizes and numbers" && field.Type() == reflect.TypeFor[int64]() && row.Cells[3] != "bytes" {
				t.Errorf("%s: the unit is bytes, the page says %q", option, row.Cells[3])
			}
		}
	}
	for what := range fixed {
		t.Errorf("the page does not have: %s", what)
	}
	for _, of := range []reflect.Type{reflect.TypeFor[socketio.Options](), reflect.TypeFor[socketio.Recovery]()} {
		for field := range of.Fields() {
			name := field.Name
			if of.Name() == "Recovery" {
				name = "Recovery." + name
			}
			// Compression is a choice, not a limit.
			if field.Type.Kind() >= reflect.Int && field.Type.Kind() <= reflect.Int64 && name != "CompressMinBytes" && !documented[name] {
				t.Errorf("the page does not have %s", name)
			}
		}
	}
}

// optionField returns a field of Options, or one of Recovery.
func optionField(options reflect.Value, name string) reflect.Value {
	if name, ok := strings.CutPrefix(name, "Recovery."); ok {
		return options.FieldByName("Recovery").Elem().FieldByName(name)
	}
	return options.FieldByName(name)
}

// limitOf evaluates a default as the page writes it: "64", "16 MiB", "2m",
// "4 × MaxPayload", or "… or …, the larger".
func limitOf(text string, maxPayload int64) (int64, error) {
	if alternatives, ok := strings.CutSuffix(text, ", the larger"); ok {
		largest := int64(0)
		for one := range strings.SplitSeq(alternatives, " or ") {
			n, err := limitOf(one, maxPayload)
			if err != nil {
				return 0, err
			}
			largest = max(largest, n)
		}
		return largest, nil
	}
	if d, err := time.ParseDuration(text); err == nil {
		return int64(d), nil
	}
	number, unit, _ := strings.Cut(text, " ")
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil {
		return 0, err
	}
	switch unit {
	case "":
		return n, nil
	case "MiB":
		return n << 20, nil
	case "× MaxPayload":
		return n * maxPayload, nil
	}
	return 0, fmt.Errorf("unit %q", unit)
}
