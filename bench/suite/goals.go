//go:build linux

package suite

// A goal is a line of the main table: a figure that is to be low.
type goal struct {
	about    string
	unit     string
	from     string // the case
	figure   func(*Run) (float64, bool)
	absolute bool    // it is judged as it is; else by its ratio to raw's
	limit    float64 // fails beyond it
	target   float64 // 0 if there is only a limit
}

const perMillion = "s CPU per 1M"

var goals = []goal{
	{about: "echo, 1 in flight, 50 connections", unit: perMillion, from: echoW1, figure: cpuFigure, limit: 1.25, target: 1.05},
	{about: "echo, 16 in flight", unit: perMillion, from: echoW16, figure: cpuFigure, limit: .5, target: .3},
	{about: "ack, 1 in flight", unit: perMillion, from: ackW1, figure: cpuFigure, limit: 1.25, target: 1.05},
	{about: "ack, 16 in flight", unit: perMillion, from: ackW16, figure: cpuFigure, limit: .5, target: .3},
	{about: "1 KiB binary, 4 in flight", unit: perMillion, from: binaryCase, figure: cpuFigure, limit: .95, target: .7},
	{about: "broadcast to 1000, 4 in flight", unit: perMillion, from: broadcast, figure: cpuFigure, limit: .35, target: .27},
	{about: "broadcast to 1000, 1 in flight", unit: perMillion, from: broadcast1, figure: cpuFigure, limit: .85, target: .72},
	{about: "broadcast to 1000, the next once all have it", unit: perMillion, from: broadcast1All, figure: cpuFigure, limit: .85, target: .72},
	{about: "long-polling echo", unit: perMillion, from: polling, figure: cpuFigure, limit: 1.35, target: 1.15},
	{about: "CPU per connect", unit: "µs", from: idle, figure: connectFigure, limit: 1.35, target: 1.1},
	{about: "p99 of an echo at 4000 messages a second", unit: "µs", from: echoRate, figure: p99Figure, limit: 1},
	{about: "idle connection, RSS", unit: "KiB", from: idle, figure: rssFigure, absolute: true, limit: 11, target: 9.5},
	{about: "allocations per echo of a string", from: echoW16, figure: allocsFigure, absolute: true, limit: 6},
	{about: "allocations per delivery of a broadcast", from: broadcast, figure: allocsFigure, absolute: true, limit: .05},
}

// A standing is how a goal was met.
type standing struct {
	goal
	ours, raw, node sample
}

func (r *Results) standing(g goal) standing {
	return standing{
		goal: g,
		ours: r.sample(g.from, Ours, g.figure),
		raw:  r.sample(g.from, Raw, g.figure),
		node: r.sample(g.from, Node, g.figure),
	}
}

// score is what limit and target are compared with. It is not known if a run that
// it takes is missing.
func (s standing) score() (score float64, ok bool) {
	switch {
	case len(s.ours) == 0:
		return 0, false
	case s.absolute:
		return s.ours.median(), true
	case len(s.raw) == 0 || s.raw.median() == 0:
		return 0, false
	}
	return s.ours.median() / s.raw.median(), true
}

// verdict says in a word how a goal was met.
func (s standing) verdict() string {
	score, ok := s.score()
	switch {
	case !ok:
		return "not measured"
	case score > s.limit:
		return "**missed**"
	case s.target > 0 && score > s.target:
		return "met"
	case s.target > 0:
		return "met, target too"
	}
	return "met"
}
