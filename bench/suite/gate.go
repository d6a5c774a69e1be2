//go:build linux

package suite

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/socketio-go/socketio/bench/loadgen"
)

// gateSlack is how far beyond the limit a score may be before the
// gate fails: busy machines scatter.
const gateSlack = 1.5

// gateCases are short versions of the basic cases.
func gateCases() []Case {
	var cases []Case
	for _, c := range basic {
		if c.Config.Rate > 0 {
			continue // a latency needs a quiet machine
		}
		c.Config.WarmUp, c.Config.Duration = 500*time.Millisecond, 1500*time.Millisecond
		if c.Scenario == "idle" {
			c.Config = loadgen.Config{Connections: 3000, Settle: time.Second, After: time.Second}
		}
		cases = append(cases, c)
	}
	return cases
}

// Gate measures ours and raw side by side for a minute or so and writes the
// scores to w. It fails if messages were lost, doubled or disordered, or if a
// score is beyond 1.5 times the limit and two more measurements do
// not mend it.
func Gate(ctx context.Context, r *Runner, w io.Writer) error {
	r.Servers, r.Reps = []string{Ours, Raw}, 1
	results := new(Results)
	var failed error
	keep := func(run Run) error {
		results.Runs = append(results.Runs, run)
		if run.Server == Ours && !run.OK() {
			failed = errors.Join(failed, fmt.Errorf("%s: %s", run.Case, summary(run)))
		}
		return nil
	}
	cases := gateCases()
	if err := r.Run(ctx, cases, keep); err != nil {
		return err
	}
	if again := results.beyond(cases); len(again) > 0 {
		fmt.Fprintln(w, "beyond 1.5 times the limit, measured twice more:")
		r.Reps = 2
		if err := r.Run(ctx, again, keep); err != nil {
			return err
		}
	}
	fmt.Fprintln(w)
	for _, g := range goals {
		s := results.standing(g)
		score, ok := s.score()
		if !ok {
			continue
		}
		mark := "ok"
		switch {
		case score > gateSlack*g.limit:
			mark = "FAILED"
			failed = errors.Join(failed, fmt.Errorf("%s: %.2f, limit %.2f", g.about, score, g.limit))
		case score > g.limit:
			mark = "above"
		}
		scale := "x raw"
		if g.absolute {
			scale = g.unit
		}
		fmt.Fprintf(w, "%-44s %6.2f %-6s limit %5.2f  %s\n", g.about, score, scale, g.limit, mark)
	}
	return failed
}

// beyond returns the cases whose scores make the gate fail.
func (r *Results) beyond(cases []Case) (list []Case) {
	for _, c := range cases {
		for _, g := range goals {
			if score, ok := r.standing(g).score(); ok && g.from == c.Name && score > gateSlack*g.limit {
				list = append(list, c)
				break
			}
		}
	}
	return list
}
