package socketio_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// proof is how docs/parity.md names a test.
var proof = regexp.MustCompile("`([\\w./-]+(?:_test\\.go|\\.test\\.mjs)):([^`]+)`")

// Every row of docs/parity.md is proved by tests that exist, or has a reason.
func TestParityIsProved(t *testing.T) {
	t.Parallel()
	var files sources
	proofs, reasons := 0, 0
	for _, row := range tableRows(t, "docs/parity.md") {
		last := row.cells[len(row.cells)-1]
		if row.section == "Left out" {
			if len(row.cells) != 2 || !strings.HasSuffix(last, ".") {
				t.Errorf("no reason: %s", row)
			}
			reasons++
			continue
		}
		found := proof.FindAllStringSubmatch(last, -1)
		if len(row.cells) != 3 || len(found) == 0 || strings.Trim(proof.ReplaceAllString(last, ""), ", ") != "" {
			t.Errorf("no proof: %s", row)
		}
		for _, m := range found {
			proofs++
			if !files.has(t, m[1], m[2]) {
				t.Errorf("there is no test %s in %s", m[2], m[1])
			}
		}
	}
	if proofs < 100 || reasons == 0 {
		t.Errorf("found only %d proofs and %d reasons", proofs, reasons)
	}
}

// A tableRow is a row of a table of a document, under its heading.
type tableRow struct {
	section string
	cells   []string
}

func (r tableRow) String() string { return strings.Join(r.cells, " | ") }

// tableRows returns the rows of all tables of a document, without their heads.
func tableRows(t *testing.T, document string) []tableRow {
	t.Helper()
	text, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	var all []tableRow
	section, rows := "", 0
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if title, ok := strings.CutPrefix(line, "## "); ok {
			section, rows = title, 0
		}
		if !strings.HasPrefix(line, "|") {
			continue
		}
		if rows++; rows <= 2 { // the head
			continue
		}
		row := tableRow{section: section}
		for cell := range strings.SplitSeq(strings.Trim(line, "|"), "|") {
			row.cells = append(row.cells, strings.TrimSpace(cell))
		}
		all = append(all, row)
	}
	return all
}

// sources are the files in which tests were looked for.
type sources map[string]string

// has looks for a test or example of Go, or the title of one of Node, in a
// file or in the tests of a folder. A Go test may be followed by the names of
// its subtests, which are in the file as strings.
func (s *sources) has(t *testing.T, place, name string) bool {
	t.Helper()
	if !strings.HasSuffix(place, ".go") && !strings.HasSuffix(place, ".mjs") {
		all, err := filepath.Glob(filepath.Join(place, "*_test.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range all {
			if s.has(t, file, name) {
				return true
			}
		}
		return false
	}
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
