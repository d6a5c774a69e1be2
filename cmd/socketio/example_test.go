package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const example = "../../examples/typed/page/"

// The files of the example are those that go generate makes, and a page that does not
// fit the contract does not compile.
func TestTypedExample(t *testing.T) {
	t.Parallel()
	types, stderr, code := output(t, "", "gen", "ts", "../../examples/typed")
	if code != 0 || stderr != "" {
		t.Fatalf("exit code %d, %s", code, stderr)
	}
	if want, err := os.ReadFile(example + "events.d.ts"); err != nil || types != string(want) {
		t.Errorf("page/events.d.ts is not what go generate writes: %v", err)
	}
	compile := func(types string) (js []byte, out string) {
		t.Helper()
		dir := t.TempDir()
		if err := os.CopyFS(dir, os.DirFS(example)); err != nil {
			t.Fatal(err)
		}
		_ = os.Remove(filepath.Join(dir, "app.js")) // it is made
		config, err := os.ReadFile(example + "tsconfig.json")
		if err != nil {
			t.Fatal(err)
		}
		config = bytes.ReplaceAll(config, []byte("../../../cmd/socketio/node_modules"), []byte(abs(t, "node_modules")))
		for name, data := range map[string][]byte{"events.d.ts": []byte(types), "tsconfig.json": config} {
			if err := os.WriteFile(filepath.Join(dir, name), data, 0o666); err != nil {
				t.Fatal(err)
			}
		}
		text, _ := exec.CommandContext(t.Context(), "node", abs(t, "node_modules/typescript/bin/tsc"), "--project", dir, "--pretty", "false").CombinedOutput()
		js, _ = os.ReadFile(filepath.Join(dir, "app.js"))
		return js, string(text)
	}
	js, out := compile(types)
	if want, err := os.ReadFile(example + "app.js"); err != nil || !bytes.Equal(js, want) || out != "" {
		t.Errorf("page/app.js is not what go generate writes: %v\n%s", err, out)
	}
	for old, changed := range map[string]string{
		"  said: (":                 "  sayed: (",
		"enter: (name: Name":        "enter: (name: number",
		"  text: string;":           "  body: string;",
		`"like" | "laugh" | "wow"`:  `"like" | "laugh" | "wow" | "sad"`,
		"answer: (history: History": "answer: (history: number",
	} {
		if js, out := compile(strings.Replace(types, old, changed, 1)); js != nil || !strings.Contains(out, "app.ts(") {
			t.Errorf("with %q in place of %q the page compiles: %s", changed, old, out)
		}
	}
}
