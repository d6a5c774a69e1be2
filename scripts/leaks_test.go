package scripts_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The tests of every package fail when a goroutine is left.
func TestEveryPackageLooksForLeaks(t *testing.T) {
	t.Parallel()
	looks := make(map[string]bool) // by folder
	err := filepath.WalkDir(top, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == "node_modules" || d.Name() == "testdata" || strings.HasPrefix(d.Name(), ".") && path != top):
			return filepath.SkipDir
		case !strings.HasSuffix(path, "_test.go"):
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		looks[filepath.Dir(path)] = looks[filepath.Dir(path)] || strings.Contains(string(text), "\nfunc TestMain(m *testing.M)") ||
			strings.Contains(string(text), "socketiotest.Serve(") && strings.HasPrefix(path, "../examples/") // which looks for leaks in each test
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for folder, ok := range looks {
		if !ok {
			t.Errorf("%s has no TestMain", folder)
		}
	}
	if len(looks) < 10 {
		t.Errorf("only %d packages have tests", len(looks))
	}
}
