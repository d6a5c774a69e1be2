package siotest

import (
	"os"
	"strings"
	"testing"
)

// A TableRow is a row of a table of a document, under its heading.
type TableRow struct {
	Section string
	Cells   []string
}

func (r TableRow) String() string { return strings.Join(r.Cells, " | ") }

// TableRows returns the rows of all tables of a document, without their heads.
func TableRows(t *testing.T, document string) []TableRow {
	t.Helper()
	text, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	var all []TableRow
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
		row := TableRow{Section: section}
		for cell := range strings.SplitSeq(strings.Trim(line, "|"), "|") {
			row.Cells = append(row.Cells, strings.TrimSpace(cell))
		}
		all = append(all, row)
	}
	return all
}
