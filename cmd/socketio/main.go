// Command socketio generates types from Go programs that use
// github.com/socketio-go/socketio, and talks to Socket.IO servers from a terminal.
// `socketio help` lists its commands; docs/typescript.md and docs/terminal.md explain
// them.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
)

// The exit codes.
const (
	exitFailed = 1 // the command failed, or gen check has found something
	exitUsage  = 2
)

// A command is one of the program's.
type command struct {
	name  string // its words
	args  string
	about string
	run   func(ctx context.Context, c *invocation) error
}

// An invocation is one call of a command.
type invocation struct {
	flags          *flag.FlagSet
	args           []string
	stdin          io.Reader
	stdout, stderr io.Writer
}

// parse parses the flags that the command has declared and checks the number of
// arguments. Flags come first, as in go build. most is -1 for any number.
func (c *invocation) parse(least, most int) error {
	if err := c.flags.Parse(c.args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return &exitError{0, nil}
		}
		return &exitError{exitUsage, nil} // flag has printed it
	}
	c.args = c.flags.Args()
	if n := len(c.args); n < least || most >= 0 && n > most {
		c.flags.Usage()
		return &exitError{exitUsage, nil}
	}
	return nil
}

// An exitError ends the program with a code. Err is nil if everything was said.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit code %d", e.code)
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

func commands() []command {
	return []command{
		{"gen ts", "[PACKAGES]", "write the TypeScript types of the events of Go packages", genTS},
		{"gen asyncapi", "[PACKAGES]", "write them as an AsyncAPI 3.0 document", genAsyncAPI},
		{"gen check", "OLD [PACKAGES]", "say what breaks clients since the AsyncAPI document OLD", genCheck},
		{"connect", "URL", "talk to a server from a terminal, or from a pipe", connect},
		{"emit", "URL EVENT [ARGUMENT...]", "emit an event; - reads a JSON array of arguments from each line of the standard input", emit},
		{"ask", "URL EVENT [ARGUMENT...]", "emit an event and print the answer, a JSON array", ask},
		{"listen", "URL [EVENT...]", "print events as they come, a JSON object a line", listen},
		{"load", "[URL]", "load a server with many clients (default http://127.0.0.1:3000)", loadTest},
	}
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second Ctrl-C does not wait
	code := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run runs a command and returns the exit code.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	for _, cmd := range commands() {
		words := strings.Fields(cmd.name)
		if len(args) < len(words) || strings.Join(args[:len(words)], " ") != cmd.name {
			continue
		}
		c := &invocation{flags: flag.NewFlagSet(cmd.name, flag.ContinueOnError), args: args[len(words):], stdin: stdin, stdout: stdout, stderr: stderr}
		c.flags.SetOutput(stderr)
		c.flags.Usage = func() {
			fmt.Fprintf(stderr, "usage: socketio %s [FLAGS] %s\n\n%s.\n", cmd.name, cmd.args, capital(cmd.about))
			c.flags.PrintDefaults()
		}
		err := cmd.run(ctx, c)
		var exit *exitError
		switch {
		case err == nil:
			return 0
		case errors.As(err, &exit):
			if exit.err != nil {
				fmt.Fprintln(stderr, exit.err)
			}
			return exit.code
		}
		fmt.Fprintln(stderr, err)
		return exitFailed
	}
	usage(stderr)
	if len(args) == 1 && (args[0] == "help" || args[0] == "-h" || args[0] == "--help") {
		return 0
	}
	return exitUsage
}

func usage(w io.Writer) {
	fmt.Fprint(w, "usage: socketio COMMAND [FLAGS] [ARGUMENTS]\n\n")
	for _, cmd := range commands() {
		fmt.Fprintf(w, "  %-34s %s\n", cmd.name+" "+cmd.args, cmd.about)
	}
	fmt.Fprint(w, "\nsocketio COMMAND -h lists the flags of a command.\n")
}

func capital(s string) string { return strings.ToUpper(s[:1]) + s[1:] }
