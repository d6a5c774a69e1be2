package socketio_test

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// proof is how docs/parity.md names a test.
var proof = regexp.MustCompile("`([\\w./-]+(?:_test\\.go|\\.test\\.mjs)):([^`]+)`")

// Every row of docs/parity.md is proved by tests that exist, or has a reason.
func TestParityIsProved(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("docs/parity.md")
	if err != nil {
		t.Fatal(err)
	}
	files := make(map[string]string)
	section, rows, proofs, reasons := "", 0, 0, 0
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
		cells := strings.Split(strings.Trim(line, "|"), "|")
		last := strings.TrimSpace(cells[len(cells)-1])
		if section == "Left out" {
			if len(cells) != 2 || !strings.HasSuffix(last, ".") {
				t.Errorf("no reason: %s", line)
			}
			reasons++
			continue
		}
		found := proof.FindAllStringSubmatch(last, -1)
		if len(cells) != 3 || len(found) == 0 || strings.Trim(proof.ReplaceAllString(last, ""), ", ") != "" {
			t.Errorf("no proof: %s", line)
		}
		for _, m := range found {
			proofs++
			if !hasTest(t, files, m[1], m[2]) {
				t.Errorf("there is no test %s in %s", m[2], m[1])
			}
		}
	}
	if proofs < 100 || reasons == 0 {
		t.Errorf("found only %d proofs and %d reasons", proofs, reasons)
	}
}

// hasTest looks for a test or example of Go, or the title of one of Node.
func hasTest(t *testing.T, files map[string]string, file, name string) bool {
	t.Helper()
	text, ok := files[file]
	if !ok {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Errorf("%v", err)
		}
		text = string(data)
		files[file] = text
	}
	if strings.HasSuffix(file, ".mjs") {
		return strings.Contains(text, `test("`+name+`", `)
	}
	return strings.Contains(text, "\nfunc "+name+"(")
}
