package scripts_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/socketio-go/socketio/internal/siotest"
)

// proof is how docs/parity.md names a test.
var proof = regexp.MustCompile("`([\\w./-]+(?:_test\\.go|\\.test\\.mjs)):([^`]+)`")

// Every row of docs/parity.md is proved by tests that exist, or has a reason.
func TestParityIsProved(t *testing.T) {
	t.Parallel()
	var files sources
	proofs, reasons := 0, 0
	for _, row := range siotest.TableRows(t, filepath.Join(top, "docs/parity.md")) {
		last := row.Cells[len(row.Cells)-1]
		if row.Section == "Left out" {
			if len(row.Cells) != 2 || !strings.HasSuffix(last, ".") {
				t.Errorf("no reason: %s", row)
			}
			reasons++
			continue
		}
		found := proof.FindAllStringSubmatch(last, -1)
		if len(row.Cells) != 3 || len(found) == 0 || strings.Trim(proof.ReplaceAllString(last, ""), ", ") != "" {
			t.Errorf("no proof: %s", row)
		}
		for _, m := range found {
			proofs++
			place := m[1]
			if _, err := os.Stat(filepath.Join(top, place)); err != nil && !strings.Contains(place, "/") {
				place = filepath.Join(blackBox, place)
			}
			if !files.has(t, place, m[2]) {
				t.Errorf("there is no test %s in %s", m[2], m[1])
			}
		}
	}
	if proofs < 100 || reasons == 0 {
		t.Errorf("found only %d proofs and %d reasons", proofs, reasons)
	}
}

// top is the folder of the repository.
const top = ".."

// blackBox is the folder of the tests that documents name without a folder, unless
// they are in the root.
const blackBox = "internal/tests"

// sources are the files in which tests were looked for.
type sources map[string]string

// has looks for a test or example of Go, or the title of one of Node, in a
// file or in the tests of a folder. A Go test may be followed by the names of
// its subtests, which are in the file as strings.
func (s *sources) has(t *testing.T, place, name string) bool {
	t.Helper()
	if strings.HasSuffix(place, ".mjs") || strings.HasSuffix(place, ".go") {
		return s.inFile(t, filepath.Join(top, place), name)
	}
	all, err := filepath.Glob(filepath.Join(top, place, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range all {
		if s.inFile(t, file, name) {
			return true
		}
	}
	return false
}

func (s *sources) inFile(t *testing.T, place, name string) bool {
	t.Helper()
	text, ok := (*s)[place]
	if !ok {
		data, err := os.ReadFile(place)
		if err != nil {
			t.Errorf("%v", err)
		}
		if *s == nil {
			*s = make(sources)
		}
		text = string(data)
		(*s)[place] = text
	}
	if strings.HasSuffix(place, ".mjs") {
		return strings.Contains(text, `test("`+name+`", `)
	}
	name, subtests, _ := strings.Cut(name, "/")
	if !strings.Contains(text, "\nfunc "+name+"(") {
		return false
	}
	for subtest := range strings.SplitSeq(subtests, "/") {
		if !strings.Contains(text, `"`+subtest) {
			return false
		}
	}
	return true
}
