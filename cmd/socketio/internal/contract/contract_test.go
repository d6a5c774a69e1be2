package contract

import (
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/socketio-go/socketio/internal/leak"
)

func TestMain(m *testing.M) { leak.Main(m) }

var update = flag.Bool("update", false, "write the golden files")

func load(t *testing.T, patterns ...string) *Contract {
	t.Helper()
	c, err := Load(t.Context(), Options{Patterns: patterns})
	if err != nil {
		t.Fatalf("%s:\n%v", strings.Join(patterns, " "), err)
	}
	return c
}

// golden compares what was generated with a file.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, got, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) == string(want) {
		return
	}
	a, b := strings.Split(string(got), "\n"), strings.Split(string(want), "\n")
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			t.Fatalf("%s:%d is\n%s\nnot\n%s\n(-update writes the golden files)", file, i+1, a[i], b[i])
		}
	}
	t.Fatalf("%s has another length (-update writes the golden files)", file)
}

func warnings(c *Contract) []byte {
	if len(c.Warnings) == 0 {
		return nil
	}
	return []byte(c.Warnings.Error() + "\n")
}

// Every row of the table in docs/typescript.md is a type of the package mapped.
func TestGolden(t *testing.T) {
	for name, patterns := range map[string][]string{
		"mapped": {"./testdata/mapped"},
		"uses":   {"./testdata/uses"}, // not shared, whose comments and constants are found nevertheless
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := load(t, patterns...)
			golden(t, name+".ts", c.TypeScript())
			golden(t, name+".json", c.AsyncAPI(Info{Title: name, Version: "1.0.0", Host: "localhost:3000", Path: "/socket.io/"}))
			golden(t, name+".warnings", warnings(c))
		})
	}
}

func TestNonNull(t *testing.T) {
	c, err := Load(t.Context(), Options{Patterns: []string{"./testdata/mapped"}, NonNull: true})
	if err != nil {
		t.Fatal(err)
	}
	text := string(c.TypeScript())
	for _, want := range []string{"slice: Item[];", "inner: number[][];", "named: Names;", "bytes: Binary;", "pointer: string | null;", "map: Record<string, Item | null>;"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q", want)
		}
	}
}

var want = regexp.MustCompile("// want(-above)? `([^`]*)`")

// Every error has the file, the line, and what to do.
func TestRefused(t *testing.T) {
	const file = "testdata/refused/refused.go"
	_, err := Load(t.Context(), Options{Patterns: []string{"./testdata/refused"}})
	problems, ok := err.(Problems) //nolint:errorlint // it is not wrapped
	if !ok {
		t.Fatalf("the error is %v", err)
	}
	found := make(map[int][]string)
	for _, p := range problems {
		if p.Pos.Filename != file || p.Pos.Column == 0 {
			t.Errorf("the position is %v", p.Pos)
		}
		found[p.Pos.Line] = append(found[p.Pos.Line], p.Error())
	}
	source, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for i, line := range strings.Split(string(source), "\n") {
		m := want.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		at := i + 1
		if m[1] != "" {
			at--
		}
		re := regexp.MustCompile(`^` + file + `:\d+:\d+: ` + m[2])
		if got := found[at]; len(got) != 1 || !re.MatchString(got[0]) {
			t.Errorf("line %d: got %q, want %s", at, got, m[2])
		}
		delete(found, at)
	}
	for line, texts := range found {
		t.Errorf("line %d: unexpected %q", line, texts)
	}
}

// A package that does not compile is an error of the compiler's.
func TestDoesNotCompile(t *testing.T) {
	_, err := loadSource(t, "package a\n\nvar X int = \"\"\n")
	if err == nil || !strings.HasPrefix(err.Error(), "testdata/memory/memory.go:3:13: ") {
		t.Fatalf("the error is %v", err)
	}
}

// loadSource loads a package that is nowhere but in memory.
func loadSource(t *testing.T, source string) (*Contract, error) {
	t.Helper()
	file, err := filepath.Abs("testdata/memory/memory.go")
	if err != nil {
		t.Fatal(err)
	}
	return Load(t.Context(), Options{Patterns: []string{"./testdata/memory"}, overlay: map[string][]byte{file: []byte(source)}})
}

// The comments and constants of types of other modules are found, too.
func TestOtherModules(t *testing.T) {
	c, err := loadSource(t, `package memory

import (
	"golang.org/x/tools/go/packages"

	"github.com/socketio-go/socketio"
)

//socketio:from server
const Failed socketio.Event[packages.Error] = "failed"
`)
	if err != nil {
		t.Fatal(err)
	}
	text := string(c.TypeScript())
	for _, want := range []string{
		"export type ErrorKind = 0 | 1 | 2 | 3;", "/** An Error describes a problem with a package's metadata, syntax, or types. */",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
}
