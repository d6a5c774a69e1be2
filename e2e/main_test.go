// Package e2e_test runs the official clients and a real browser against the
// fixture and the examples.
package e2e_test

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

// reference turns the tests of the official clients on themselves.
var reference = flag.Bool("reference", false, "run the clients against the official Node server in place of ours")

// oldestNode is the first release whose test runner has all we use.
const oldestNode = 20

func TestMain(m *testing.M) {
	if err := lacking(); err != nil {
		fmt.Fprintf(os.Stderr, "the end-to-end tests cannot run: %v\nInstall what is missing with `make setup` in the root of the repository.\n", err)
		os.Exit(1)
	}
	goleak.VerifyTestMain(m)
}

// lacking says what this machine lacks. A test that cannot run has failed.
func lacking() error {
	out, err := exec.Command("node", "--version").Output()
	if err != nil {
		return fmt.Errorf("Node.js is not installed: %w", err)
	}
	version := strings.TrimSpace(string(out))
	major, _, _ := strings.Cut(strings.TrimPrefix(version, "v"), ".")
	if n, err := strconv.Atoi(major); err != nil || n < oldestNode {
		return fmt.Errorf("Node.js %s is too old, %d or later is needed", version, oldestNode)
	}
	if _, err := os.Stat("node_modules/.package-lock.json"); err != nil {
		return errors.New("the npm packages are not installed")
	}
	if _, err := exec.LookPath("chromium"); err != nil {
		return fmt.Errorf("Chromium is not installed: %w", err)
	}
	return nil
}
