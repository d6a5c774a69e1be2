//go:build linux

// Command bench measures this library beside plain gorilla/websocket and the
// Node server. See README.md.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/socketio-go/socketio/bench/clients"
	"github.com/socketio-go/socketio/bench/loadgen"
	"github.com/socketio-go/socketio/bench/suite"
)

const usage = `usage: go run ./bench <command> [flags]

  run      measure everything, print the tables, write results and plots
  gate     measure the main cases for a minute; fail if a ratio is far off
  client   measure this library's client beside plain gorilla: three minutes
  report   print the tables of a results file again, and redraw its plots
  drive    run one scenario on a server that runs already:
           go run ./bench drive echo '{"Addr":"127.0.0.1:4000","Window":16}'
           The fields are those of loadgen.Config. The scenarios:
`

func main() {
	suite.Drive(os.Args)
	clients.Process(os.Args)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := command(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func command(ctx context.Context, args []string) error {
	if len(args) == 0 {
		args = []string{""}
	}
	switch args[0] {
	case "run":
		return run(ctx, args[1:])
	case "gate":
		return gate(ctx)
	case "client":
		return measureClients(ctx, args[1:])
	case "report":
		return report(args[1:])
	}
	fmt.Fprint(os.Stderr, usage)
	about := loadgen.Scenarios()
	for _, name := range slices.Sorted(maps.Keys(about)) {
		fmt.Fprintf(os.Stderr, "             %-12s %s\n", name, about[name])
	}
	return errors.New("no such command")
}

// moduleDir returns the directory of this module.
func moduleDir(ctx context.Context) (string, error) {
	dir, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", "github.com/socketio-go/socketio/bench").Output()
	return strings.TrimSpace(string(dir)), err
}

// prepare returns a runner with its fixtures built, and what removes these.
func prepare(ctx context.Context, bench string, servers []string) (*suite.Runner, func(), error) {
	if _, err := loadgen.RaiseFileLimit(); err != nil {
		return nil, nil, err
	}
	dir, err := os.MkdirTemp("", "bench-")
	if err != nil {
		return nil, nil, err
	}
	remove := func() { _ = os.RemoveAll(dir) }
	fixtures, err := suite.Build(ctx, bench, dir, servers)
	if err != nil {
		remove()
		return nil, nil, err
	}
	return &suite.Runner{Fixtures: fixtures, Servers: servers, Reps: 1, Progress: suite.NewProgress(os.Stderr)}, remove, nil
}

func run(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("run", flag.ExitOnError)
	reps := flags.Int("reps", 3, "repetitions")
	pattern := flags.String("cases", "", "regular expression of the cases to run; all if empty")
	names := flags.String("servers", strings.Join([]string{suite.Ours, suite.Raw, suite.Node}, ","), "servers to run")
	out := flags.String("out", "", "directory for the results; bench/results if empty")
	plots := flags.String("plots", "", "directory for the plots; docs/img if empty")
	_ = flags.Parse(args) // exits

	bench, err := moduleDir(ctx)
	if err != nil {
		return err
	}
	if *out == "" {
		*out = filepath.Join(bench, "results")
	}
	wanted, err := regexp.Compile(*pattern)
	if err != nil {
		return err
	}
	cases := slices.DeleteFunc(suite.Cases(), func(c suite.Case) bool { return !wanted.MatchString(c.Name) })
	servers := strings.Split(*names, ",")
	runner, remove, err := prepare(ctx, bench, servers)
	if err != nil {
		return err
	}
	defer remove()
	runner.Reps = *reps

	results := &suite.Results{Machine: suite.Describe(ctx, bench, servers)}
	name := filepath.Join(*out, results.Machine.Date.Format("2006-01-02"))
	if err := os.MkdirAll(*out, 0o755); err != nil {
		return err
	}
	file, err := os.Create(name + ".jsonl")
	if err != nil {
		return err
	}
	defer file.Close()
	writer, err := suite.NewWriter(file, results.Machine)
	if err != nil {
		return err
	}
	bad := 0
	err = runner.Run(ctx, cases, func(run suite.Run) error {
		results.Runs = append(results.Runs, run)
		if run.Server == suite.Ours && !run.OK() {
			bad++
		}
		return writer.Write(run)
	})
	if err != nil {
		return err
	}
	if err := publish(results, name+".md", plotsDir(*plots, bench)); err != nil {
		return err
	}
	if bad > 0 {
		return fmt.Errorf("%d runs of ours failed or lost, doubled or disordered messages", bad)
	}
	return nil
}

// plotsDir is where plots go if nothing else is said.
func plotsDir(dir, bench string) string {
	if dir == "" {
		return filepath.Join(bench, "..", "docs", "img")
	}
	return dir
}

// publish prints the tables, writes them to a file and draws the plots.
func publish(results *suite.Results, file, plots string) error {
	text := results.Markdown()
	fmt.Print(text)
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		return err
	}
	if err := os.MkdirAll(plots, 0o755); err != nil {
		return err
	}
	return results.Plot(plots)
}

func gate(ctx context.Context) error {
	bench, err := moduleDir(ctx)
	if err != nil {
		return err
	}
	runner, remove, err := prepare(ctx, bench, []string{suite.Ours, suite.Raw})
	if err != nil {
		return err
	}
	defer remove()
	return suite.Gate(ctx, runner, os.Stdout)
}

func measureClients(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("client", flag.ExitOnError)
	reps := flags.Int("reps", 3, "repetitions")
	_ = flags.Parse(args) // exits

	bench, err := moduleDir(ctx)
	if err != nil {
		return err
	}
	runner, remove, err := prepare(ctx, bench, []string{suite.Ours})
	if err != nil {
		return err
	}
	defer remove()
	runner.Reps = *reps
	return suite.Clients(ctx, runner, os.Stdout)
}

func report(args []string) error {
	flags := flag.NewFlagSet("report", flag.ExitOnError)
	plots := flags.String("plots", "", "directory for the plots; docs/img if empty")
	_ = flags.Parse(args) // exits
	if flags.NArg() != 1 {
		return errors.New("usage: report <file>.jsonl")
	}
	results, err := suite.Read(flags.Arg(0))
	if err != nil {
		return err
	}
	bench, err := moduleDir(context.Background())
	if err != nil {
		return err
	}
	return publish(results, strings.TrimSuffix(flags.Arg(0), ".jsonl")+".md", plotsDir(*plots, bench))
}
