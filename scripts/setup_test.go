// Package scripts_test runs the scripts with fakes of the programs that they call.
package scripts_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// lists and dpkg are what apt-get says when another process holds the lock.
const (
	lists = "E: Could not get lock /var/lib/apt/lists/lock. It is held by process 1 (apt-get)\nE: Unable to lock directory /var/lib/apt/lists/"
	dpkg  = "E: Could not get lock /var/lib/dpkg/lock-frontend. It is held by process 1 (apt-get)\nE: Unable to acquire the dpkg frontend lock (/var/lib/dpkg/lock-frontend), is another process using it?"
)

// TestSetupWaitsForTheLocksOfApt runs setup with an apt-get that fails in the given ways, one after
// another, and then succeeds.
func TestSetupWaitsForTheLocksOfApt(t *testing.T) {
	const waits = "setup: another apt is running, waiting for it"
	for _, c := range []struct {
		name     string
		failures map[string][]string // of each command of apt-get, in order
		patience string              // in seconds
		fails    string
		waits    int // how many commands say that they wait
	}{
		{name: "free"},
		{name: "lists", failures: map[string][]string{"update": {lists, lists, lists}}, waits: 1},
		{name: "dpkg", failures: map[string][]string{"install": {dpkg}}, waits: 1},
		{name: "both", failures: map[string][]string{"update": {lists}, "install": {dpkg, dpkg}}, waits: 2},
		{name: "held for ever", failures: map[string][]string{"update": {lists, lists}}, patience: "0", fails: lists},
		{name: "no network", failures: map[string][]string{"update": {"E: Failed to fetch"}}, fails: "E: Failed to fetch"},
		{name: "locked, then no network", failures: map[string][]string{"install": {dpkg, "E: Failed to fetch"}}, waits: 1, fails: "E: Failed to fetch"},
	} {
		t.Run(c.name, func(t *testing.T) {
			bin, state := fakes(t), t.TempDir()
			for command, failures := range c.failures {
				for i, failure := range failures {
					write(t, filepath.Join(state, command+"."+strings.Repeat("i", i)), failure, 0o600)
				}
			}
			cmd := exec.CommandContext(t.Context(), "bash", "setup")
			cmd.Env = []string{"PATH=" + bin, "STATE=" + state, "APT_PATIENCE=" + c.patience, "PYTHON_ENV=" + filepath.Join(state, "python")}
			out, err := cmd.CombinedOutput()
			if failed := err != nil; failed != (c.fails != "") || !strings.Contains(string(out), c.fails) {
				t.Errorf("failed: %v, want %q\n%s", err, c.fails, out)
			}
			if n := strings.Count(string(out), waits); n != c.waits {
				t.Errorf("said %d times that it waits, want %d\n%s", n, c.waits, out)
			}
			if installed := strings.Contains(string(out), "installed redis-server"); installed != (c.fails == "") {
				t.Errorf("installed: %t\n%s", installed, out)
			}
		})
	}
}

// fakes makes a directory of programs for PATH in which only redis-server is missing.
func fakes(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"awk", "bash", "cat", "chmod", "dirname", "env", "grep", "head", "mkdir", "mktemp", "rm"} {
		path, err := exec.LookPath(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(path, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	for name, body := range map[string]string{
		"go": "echo gcc", "gcc": "", "npm": "", "chromium": "", "nginx": "", "promtool": "", "sleep": "",
		"node": "echo 99", "python3": `[ "$2" != venv ] || { mkdir -p "$3/bin" && cat "$(dirname "$0")/gcc" >"$3/bin/python" && chmod +x "$3/bin/python"; }`, "id": "echo 0",
		"apt-get": `
for command; do
	case $command in update | install) break ;; esac
done
for failure in "$STATE/$command".*; do
	[ -e "$failure" ] || break
	cat "$failure" >&2
	rm "$failure"
	exit 100
done
[ "$command" = update ] || echo "installed ${*: -1}"`,
	} {
		write(t, filepath.Join(dir, name), "#!"+filepath.Join(dir, "bash")+"\n"+body+"\n", 0o700)
	}
	return dir
}

func write(t *testing.T, path, content string, mode os.FileMode) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), mode); err != nil {
		t.Fatal(err)
	}
}
