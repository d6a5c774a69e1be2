package e2e_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestParserRecordings has npm's parsers decode their corpus again. The codecs
// of the library are compared with what is recorded.
func TestParserRecordings(t *testing.T) {
	t.Parallel()
	recorded := []string{"../internal/sio/testdata/parser.jsonl", "../internal/eio/testdata/parser.jsonl"}
	args := []string{"parser/record.mjs"}
	for i := range recorded {
		args = append(args, filepath.Join(t.TempDir(), string(rune('a'+i))))
	}
	if out, err := exec.CommandContext(t.Context(), "node", args...).CombinedOutput(); err != nil {
		t.Fatalf("node %s: %v\n%s", args[0], err, out)
	}
	for i, file := range recorded {
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(args[1+i])
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s is not what the parsers make of the corpus: record it anew, see README.md", file)
		}
	}
}
