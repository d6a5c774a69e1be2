//go:build linux

package suite

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
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

// gateRounds is how often a case is measured at most. It is odd, so that the
// median is a round's score.
const gateRounds = 7

// Gate measures ours and raw, one right after the other, for a minute or so and
// writes the scores to w. A score is the median of those of the rounds: the servers
// of a round run under about the same load of the machine, but one short round
// still scatters. A case that is above its limit is measured again, the other
// server first, until it is not or gateRounds are over. Gate fails if messages
// were lost, doubled or disordered, or if a score is then beyond 1.5 times the
// limit.
func Gate(ctx context.Context, r *Runner, w io.Writer) error {
	r.Servers, r.Reps = []string{Ours, Raw}, 1
	var rounds rounds
	var failed error
	for again := gateCases(); len(again) > 0 && len(rounds) < gateRounds; again = rounds.above(again) {
		if len(rounds) > 0 {
			fmt.Fprintln(w, "above the limit, measured again:")
		}
		round := new(Results)
		err := r.Run(ctx, again, func(run Run) error {
			round.Runs = append(round.Runs, run)
			if run.Server == Ours && !run.OK() {
				failed = errors.Join(failed, fmt.Errorf("%s: %s", run.Case, summary(run)))
			}
			return nil
		})
		if err != nil {
			return err
		}
		rounds = append(rounds, round)
		slices.Reverse(r.Servers)
	}
	fmt.Fprintln(w)
	for _, g := range goals {
		score, ok := rounds.score(g)
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

// rounds are what was measured, a part of it several times.
type rounds []*Results

// score is the median of the rounds in which a goal was measured.
func (r rounds) score(g goal) (float64, bool) {
	var scores sample
	for _, round := range r {
		if score, ok := round.standing(g).score(); ok {
			scores = append(scores, score)
		}
	}
	slices.Sort(scores)
	return scores.median(), len(scores) > 0
}

// above returns the cases with a score above its limit.
func (r rounds) above(cases []Case) (list []Case) {
	for _, c := range cases {
		if slices.ContainsFunc(goals, func(g goal) bool {
			score, ok := r.score(g)
			return ok && g.from == c.Name && score > g.limit
		}) {
			list = append(list, c)
		}
	}
	return list
}
