package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// The tests run the program itself: this binary, with a variable set.
const asProgram = "SOCKETIO_TEST_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// program returns a command that runs the program.
func program(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), exe, args...)
	cmd.Env = append(os.Environ(), asProgram+"=1", "GORACE=atexit_sleep_ms=0")
	return cmd
}

// output runs the program and returns what it prints and its exit code.
func output(t *testing.T, stdin string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	cmd := program(t, args...)
	var out, errs bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &out, &errs
	_ = cmd.Run() // the exit code tells
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

func TestUsage(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		args   []string
		code   int
		stderr string
	}{
		{nil, 2, "usage: socketio COMMAND"},
		{[]string{"help"}, 0, "gen ts [PACKAGES]"},
		{[]string{"gen"}, 2, "usage: socketio COMMAND"},
		{[]string{"unknown"}, 2, "usage: socketio COMMAND"},
		{[]string{"gen", "ts", "-h"}, 0, "usage: socketio gen ts [FLAGS] [PACKAGES]"},
		{[]string{"gen", "ts", "-unknown"}, 2, "flag provided but not defined"},
		{[]string{"gen", "check"}, 2, "usage: socketio gen check [FLAGS] OLD [PACKAGES]"},
		{[]string{"gen", "ts", "./nowhere"}, 1, "nowhere"},
		{[]string{"gen", "ts", "./internal/contract/testdata/refused"}, 1, "refused.go:12:2: event \"e1\": JSON has no value for a chan int"},
		{[]string{"gen", "ts", "."}, 1, "no events: declare them as constants"},
		{[]string{"gen", "asyncapi", "-url", "x", "."}, 2, "no URL with a host"},
	} {
		stdout, stderr, code := output(t, "", c.args...)
		if code != c.code || !strings.Contains(stderr, c.stderr) || stdout != "" {
			t.Errorf("%q: exit code %d, %q and %q; not %d and %q", c.args, code, stdout, stderr, c.code, c.stderr)
		}
	}
}

// gen writes files, leaves those alone that have not changed, and compares.
func TestGen(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for command, golden := range map[string]string{"ts": "mapped.ts", "asyncapi": "mapped.json"} {
		file := filepath.Join(dir, golden)
		args := []string{"gen", command, "-o", file, "./internal/contract/testdata/mapped"}
		if command == "asyncapi" {
			args = append([]string{"gen", command, "-title", "mapped"}, args[2:]...)
		}
		if stdout, stderr, code := output(t, "", args...); code != 0 || stdout != "" || strings.Count(stderr, "warning: ") != 2 {
			t.Fatalf("%s: exit code %d, %q, %q", command, code, stdout, stderr)
		}
		got, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		want, err := os.ReadFile("internal/contract/testdata/" + golden)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("gen %s wrote another file than %s", command, golden)
		}
		past := time.Unix(1e9, 0)
		if err := os.Chtimes(file, past, past); err != nil {
			t.Fatal(err)
		}
		output(t, "", args...)
		if info, err := os.Stat(file); err != nil || !info.ModTime().Equal(past) {
			t.Errorf("gen %s wrote a file that has not changed", command)
		}
	}
	old := filepath.Join(dir, "mapped.json")
	if stdout, _, code := output(t, "", "gen", "check", old, "./internal/contract/testdata/mapped"); code != 0 || stdout != "" {
		t.Errorf("gen check of the same: exit code %d, %q", code, stdout)
	}
	stdout, _, code := output(t, "", "gen", "check", old, "./internal/contract/testdata/uses")
	if code != 1 || !strings.HasPrefix(stdout, "/ \"an odd name/é\" (from clients): is gone\n") || strings.Count(stdout, "\n") < 50 {
		t.Errorf("gen check of another: exit code %d, %q", code, stdout)
	}
}

// go generate works.
func TestGoGenerate(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(exe, filepath.Join(dir, "socketio")); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "go", "generate", "./testdata/generate")
	cmd.Env = append(os.Environ(), asProgram+"=1", fmt.Sprintf("PATH=%s%c%s", dir, os.PathListSeparator, os.Getenv("PATH")), "OUT="+filepath.Join(dir, "events.ts"))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	got, err := os.ReadFile(filepath.Join(dir, "events.ts"))
	if err != nil || !strings.Contains(string(got), "  said: (value: string) => void;\n") {
		t.Fatalf("%v\n%s", err, got)
	}
}

// The examples of this repository have contracts.
func TestExamples(t *testing.T) {
	t.Parallel()
	for example, want := range map[string]string{
		"chat":       "say: (message: Message, answer: (receipt: Receipt | Failure) => void) => void;",
		"namespaces": "export type AuctionSocket = Socket<AuctionServerToClient, AuctionClientToServer>;",
	} {
		stdout, stderr, code := output(t, "", "gen", "ts", "../../examples/"+example)
		if code != 0 || stderr != "" || !strings.Contains(stdout, want) {
			t.Errorf("%s: exit code %d, %s\n%s", example, code, stderr, stdout)
		}
	}
}
