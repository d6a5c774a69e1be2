//go:build linux

package suite

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"syscall"
	"time"

	"github.com/socketio-go/socketio/bench/loadgen"
)

// A Run is one case on one server, once.
type Run struct {
	Case   string `json:"case"`
	Server string `json:"server"`
	Rep    int    `json:"rep"`
	Pinned bool   `json:"pinned"`
	loadgen.Result
}

// OK reports whether the run ended well, with every message in its place.
func (r *Run) OK() bool { return r.Error == "" && (r.Faults == nil || !r.Faults.Any()) }

// A Runner runs cases.
type Runner struct {
	Fixtures *Fixtures
	Servers  []string
	Reps     int
	Progress *Progress // nil means none is shown

	serverCPU, generatorCPU string
}

// Run runs cases on all servers and calls keep with every run.
func (r *Runner) Run(ctx context.Context, cases []Case, keep func(Run) error) error {
	var err error
	if r.serverCPU, r.generatorCPU, err = cpus(); err != nil {
		return err
	}
	todo := r.plan(cases)
	for i, run := range todo {
		if err := ctx.Err(); err != nil {
			return err
		}
		r.Progress.begin(i+1, len(todo), run.Run)
		run.Result = r.measure(ctx, run)
		r.Progress.end(run.Run)
		if err := keep(run.Run); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// A planned run is one that is still to be done.
type planned struct {
	Run
	from Case
}

// plan puts the runs in the order in which they are done.
func (r *Runner) plan(cases []Case) (list []planned) {
	for rep := range r.Reps {
		for _, c := range cases {
			if rep > 0 && c.Once {
				continue
			}
			for _, server := range r.Servers {
				if c.Servers == nil || slices.Contains(c.Servers, server) {
					list = append(list, planned{Run{Case: c.Name, Server: server, Rep: rep + 1, Pinned: !c.Unpinned}, c})
				}
			}
		}
	}
	return list
}

// runTimeout bounds one run of the generator.
const runTimeout = 4 * time.Minute

// measure starts a server and has another process drive it.
func (r *Runner) measure(ctx context.Context, run planned) (result loadgen.Result) {
	result.Scenario = run.from.Scenario
	var serverCPU, generatorCPU string
	if run.Pinned {
		serverCPU, generatorCPU = r.serverCPU, r.generatorCPU
	}
	cfg := run.from.Config
	var stage stage
	var err error
	if run.from.Measured == "" {
		err = r.Fixtures.alone(ctx, &stage, &cfg, run.Server, serverCPU)
	} else {
		err = r.Fixtures.cluster(ctx, &stage, &cfg, run.Server, run.from.Measured, serverCPU, generatorCPU)
	}
	if err == nil {
		err = drive(ctx, generatorCPU, run.from.Scenario, cfg, &result)
	}
	if err != nil {
		result.Error = err.Error()
	}
	if err := stage.stop(); err != nil {
		result.Error = errors.Join(errors.New(result.Error), err).Error()
	}
	return result
}

// drive runs a scenario in a process of its own; see [Drive].
func drive(ctx context.Context, cpu, scenario string, cfg loadgen.Config, result *loadgen.Result) error {
	config, err := json.Marshal(cfg)
	if err != nil {
		return err
	}
	return self(ctx, cpu, result, []string{"GOGC=400"}, driveCommand, scenario, string(config))
}

// self runs this program again and decodes what it writes.
func self(ctx context.Context, cpu string, result any, env []string, args ...string) error {
	program, err := os.Executable()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, runTimeout)
	defer cancel()
	argv := onCPU(cpu, append([]string{program}, args...))
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Env = append(os.Environ(), env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w: %.500s", args[0], err, stderr.String())
	}
	return json.Unmarshal(stdout.Bytes(), result)
}

const driveCommand = "drive"

// Drive is what a process does whose arguments are args: if a Runner has
// started it, it runs a scenario, writes the result to its standard output and
// ends. It must be called first thing in main.
func Drive(args []string) {
	if len(args) != 4 || args[1] != driveCommand {
		return
	}
	var cfg loadgen.Config
	err := json.Unmarshal([]byte(args[3]), &cfg)
	if err == nil {
		err = json.NewEncoder(os.Stdout).Encode(loadgen.Run(args[2], cfg))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}
