package scripts_test

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/socketio-go/socketio/internal/siotest"
)

// namedTest is how the tables of docs name a test: with its folder, unless that is
// the root or internal/tests.
var namedTest = regexp.MustCompile("`(?:([\\w./-]+):)?([^`]+)`")

// Every row of docs/faults.md and docs/guarantees.md names tests that exist, or
// says why there are none.
func TestFaultsHaveTests(t *testing.T) {
	t.Parallel()
	var files sources
	for document, columns := range map[string]int{"docs/faults.md": 4, "docs/guarantees.md": 3} {
		seen := make(map[string]bool)
		for _, row := range siotest.TableRows(t, filepath.Join(top, document)) {
			if len(row.Cells) != columns {
				t.Errorf("want %d columns: %s", columns, row)
				continue
			}
			id, last := row.Cells[0], row.Cells[columns-1]
			if row.Section == "Pairs" {
				name := row.Cells[1]
				if !strings.HasPrefix(last, "`TestPairs/"+name+"`") {
					t.Errorf("%s: want the test of its pairs first: %s", id, last)
				}
			}
			if seen[id] {
				t.Errorf("two rows are called %s", id)
			}
			seen[id] = true
			found := namedTest.FindAllStringSubmatch(last, -1)
			if len(found) == 0 && !strings.HasSuffix(last, ".") {
				t.Errorf("neither a test nor a reason: %s", row)
			}
			for _, m := range found {
				place, name := m[1], m[2]
				if strings.ContainsAny(name, "'*?+()[]^$\\") && !strings.HasSuffix(place, ".mjs") {
					t.Errorf("%s: %s can't be given to -run as it is", id, name)
				}
				if place == "" {
					place = "."
					if !files.has(t, place, name) {
						place = blackBox
					}
				}
				if !files.has(t, place, name) {
					t.Errorf("%s: there is no test %s in %s", id, name, place)
				}
			}
		}
		if len(seen) == 0 {
			t.Errorf("no rows in %s", document)
		}
	}
}
