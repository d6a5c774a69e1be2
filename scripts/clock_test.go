package scripts_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// A wall clock that is set, or that jumps, has no effect: all that the library
// does with times is to compare those of this process, and these carry the
// monotonic clock unless one of the following takes it away.
func TestWallClockDoesNotMatter(t *testing.T) {
	t.Parallel()
	wall := []string{"Unix", "UnixMilli", "UnixMicro", "UnixNano", "UTC", "AddDate", "Truncate", "GobEncode", "MarshalBinary"}
	read := 0
	for _, pattern := range []string{"*.go", "internal/engine/*.go"} { // who reads a clock
		files, err := filepath.Glob(filepath.Join(top, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range files {
			if strings.HasSuffix(name, "_test.go") || filepath.Base(name) == "cluster_sockets.go" { // which tells other servers when a client came
				continue
			}
			fset := token.NewFileSet()
			file, err := parser.ParseFile(fset, name, nil, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			read++
			ast.Inspect(file, func(n ast.Node) bool {
				method, ok := n.(*ast.SelectorExpr)
				if !ok || !slices.Contains(wall, method.Sel.Name) {
					return true
				}
				if of, ok := method.X.(*ast.Ident); !ok || of.Name != "time" { // time.Unix makes a time
					t.Errorf("%s: %s", fset.Position(method.Pos()), method.Sel.Name)
				}
				return true
			})
		}
	}
	if read < 30 {
		t.Errorf("only %d files were read", read)
	}
}
