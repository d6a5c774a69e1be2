package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// abs returns the absolute path of a file of this package.
func abs(t *testing.T, name string) string {
	t.Helper()
	path, err := filepath.Abs(name)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// tsc type-checks files with the types of one version of the client. It returns the
// lines with errors, by file.
func tsc(t *testing.T, client string, files ...string) (lines map[string][]int, output string) {
	t.Helper()
	for i, file := range files {
		files[i] = abs(t, file)
	}
	config, err := json.Marshal(map[string]any{
		"compilerOptions": map[string]any{
			"strict": true, "noEmit": true, "target": "es2022", "module": "esnext", "moduleResolution": "bundler",
			"lib": []string{"es2022", "dom", "dom.iterable"}, "types": []string{}, "skipLibCheck": true,
			"paths": map[string][]string{"socket.io-client": {abs(t, "node_modules/"+client)}},
		},
		"files": files,
	})
	if err != nil {
		t.Fatal(err)
	}
	project := filepath.Join(t.TempDir(), "tsconfig.json")
	if err := os.WriteFile(project, config, 0o666); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("node", abs(t, "node_modules/typescript/bin/tsc"), "--project", project, "--pretty", "false")
	out, err := cmd.CombinedOutput()
	lines = make(map[string][]int)
	for _, m := range regexp.MustCompile(`(?m)^(.+)\((\d+),\d+\): error TS`).FindAllStringSubmatch(string(out), -1) {
		n, _ := strconv.Atoi(m[2])
		if name := filepath.Base(m[1]); !slices.Contains(lines[name], n) {
			lines[name] = append(lines[name], n)
		}
	}
	if err != nil && len(lines) == 0 {
		t.Fatalf("tsc: %v\n%s\n`make setup` installs what is missing", err, out)
	}
	return lines, string(out)
}

// Programs that must compile do, and those that must not do not, with the types of the
// official client.
func TestTypeScript(t *testing.T) {
	for _, c := range []struct {
		client   string
		accepted []string
	}{
		{"socket.io-client", []string{"testdata/ts/accepted.ts", "testdata/ts/newest.ts"}},
		{"socket.io-client-4.0", []string{"testdata/ts/accepted.ts"}},
	} {
		t.Run(c.client, func(t *testing.T) {
			t.Parallel()
			lines, out := tsc(t, c.client, append(c.accepted, "testdata/ts/refused.ts")...)
			source, err := os.ReadFile("testdata/ts/refused.ts")
			if err != nil {
				t.Fatal(err)
			}
			var want []int
			for i, line := range strings.Split(string(source), "\n") {
				if strings.Contains(line, "// error: ") {
					want = append(want, i+1)
				}
			}
			slices.Sort(lines["refused.ts"])
			if got := lines["refused.ts"]; fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("errors in lines %v of refused.ts, not %v\n%s", got, want, out)
			}
			delete(lines, "refused.ts")
			if len(lines) > 0 {
				t.Errorf("what must compile does not:\n%s", out)
			}
		})
	}
}
