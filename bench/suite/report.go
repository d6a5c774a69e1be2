//go:build linux

package suite

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/socketio-go/socketio/bench/loadgen"
)

// Markdown returns the results as a report.
func (r *Results) Markdown() string {
	var b strings.Builder
	r.writeMachine(&b)
	r.writeGoals(&b)
	r.writeCases(&b)
	r.writeFaults(&b)
	r.writeSeries(&b, scaleConnections, connectionCounts, "Echo, 1 in flight, by the number of connections", "connections")
	r.writeSeries(&b, scaleRoom, roomSizes, "Broadcast, 4 in flight, by the size of the room", "members")
	r.writeSeries(&b, scaleMembership, membershipSizes, "Leaving and joining a room, by its size", "members")
	r.writeCluster(&b)
	r.writeRooms(&b)
	r.writeIdle(&b)
	r.writeSlow(&b)
	return b.String()
}

func (r *Results) writeMachine(b *strings.Builder) {
	m := r.Machine
	fmt.Fprintf(b, "# Results of %s\n\n", m.Date.Format("2 January 2006, 15:04 MST"))
	fmt.Fprintf(b, "%d CPUs (%s), %s, Linux %s; load average before: %s.\n\n", m.CPUs, m.CPU, m.Memory, m.Kernel, m.Load)
	var versions []string
	for _, name := range slices.Sorted(maps.Keys(m.Versions)) {
		versions = append(versions, name+" "+m.Versions[name])
	}
	fmt.Fprintf(b, "Versions: %s.\n", strings.Join(versions, ", "))
}

func (r *Results) writeGoals(b *strings.Builder) {
	fmt.Fprint(b, "\n## What is to be reached\n\n")
	fmt.Fprint(b, "Medians; in brackets the lowest and the highest run; × is the ratio to raw.\n\n")
	fmt.Fprint(b, "| | unit | raw | Node | ours | ours × raw | Node × raw | limit | target | |\n|---|---|---|---|---|---|---|---|---|---|\n")
	for _, g := range goals {
		s := r.standing(g)
		target := "–"
		if g.target > 0 {
			target = digits(g.target)
		}
		fmt.Fprintf(b, "| %s | %s | %s | %s | %s | %s | %s | %s | %s | %s |\n", g.about, g.unit,
			spread(s.raw), spread(s.node), spread(s.ours), ratio(s.ours, s.raw), ratio(s.node, s.raw), digits(g.limit), target, s.verdict())
	}
}

// spread shows a sample.
func spread(s sample) string {
	switch len(s) {
	case 0:
		return "–"
	case 1:
		return digits(s[0])
	}
	return fmt.Sprintf("%s (%s–%s)", digits(s.median()), digits(s[0]), digits(s[len(s)-1]))
}

func ratio(s, to sample) string {
	if len(s) == 0 || len(to) == 0 || to.median() == 0 {
		return "–"
	}
	return fmt.Sprintf("**%.2f**", s.median()/to.median())
}

func (r *Results) writeCases(b *strings.Builder) {
	fmt.Fprint(b, "\n## Every case\n\n")
	fmt.Fprint(b, "Messages are deliveries in a broadcast. Latencies of cases that keep a window full are those of a saturated server.\n\n")
	fmt.Fprint(b, "| case | server | s CPU per 1M | of it system | messages/s | p50 | p99 | p99.9 | allocations | bytes allocated |\n|---|---|---|---|---|---|---|---|---|---|\n")
	for _, c := range Cases() {
		if c.Scenario == "idle" || c.Scenario == "slow" {
			continue
		}
		for _, server := range []string{Ours, Raw, Node} {
			at := func(figure func(*Run) float64) float64 {
				return r.sample(c.Name, server, func(run *Run) (float64, bool) {
					if run.Cost == nil || run.Latency == nil {
						return 0, false
					}
					return figure(run), true
				}).median()
			}
			if at(func(run *Run) float64 { return run.Cost.Messages }) == 0 {
				continue
			}
			allocs, bytes := "–", "–"
			if n := at(func(run *Run) float64 { return run.Cost.Allocs }); n > 0 {
				allocs, bytes = digits(n), digits(at(func(run *Run) float64 { return run.Cost.AllocBytes }))
			}
			fmt.Fprintf(b, "| %s | %s | %s | %s | %s | %s | %s | %s | %s | %s |\n", c.Name, server,
				digits(at(func(run *Run) float64 { return run.Cost.CPU })),
				digits(at(func(run *Run) float64 { return run.Cost.SystemCPU })),
				si(at(func(run *Run) float64 { return run.Cost.PerSecond })),
				micros(at(func(run *Run) float64 { return run.Latency.P50 })),
				micros(at(func(run *Run) float64 { return run.Latency.P99 })),
				micros(at(func(run *Run) float64 { return run.Latency.P999 })),
				allocs, bytes)
		}
	}
}

func (r *Results) writeFaults(b *strings.Builder) {
	fmt.Fprint(b, "\n## Messages lost, doubled or out of order\n\n")
	fmt.Fprint(b, "| server | | runs | messages | lost | doubled | out of order | not understood | failed runs |\n|---|---|---|---|---|---|---|---|---|\n")
	var errors []string
	for _, server := range []string{Ours, Raw, Node} {
		for _, pinned := range []bool{true, false} {
			var faults loadgen.Faults
			runs, failed, messages := 0, 0, 0.0
			for _, run := range r.Runs {
				if run.Server != server || run.Pinned != pinned {
					continue
				}
				runs++
				if run.Error != "" {
					failed++
					errors = append(errors, fmt.Sprintf("* %s, %s, repetition %d: %s", run.Case, server, run.Rep, run.Error))
				}
				if run.Cost != nil {
					messages += run.Cost.Messages
				}
				if run.Faults != nil {
					faults.Add(*run.Faults)
				}
			}
			if runs > 0 {
				where := map[bool]string{true: "a CPU each", false: "all CPUs"}[pinned]
				fmt.Fprintf(b, "| %s | %s | %d | %s | %d | %d | %d | %d | %d |\n", server, where, runs, si(messages),
					faults.Lost, faults.Duplicated, faults.Disordered, faults.Unexpected, failed)
			}
		}
	}
	if len(errors) > 0 {
		fmt.Fprintf(b, "\nFailed:\n\n%s\n", strings.Join(errors, "\n"))
	}
}

// writeSeries writes a table of what a message costs at several sizes.
func (r *Results) writeSeries(b *strings.Builder, s series, sizes []int, title, unit string) {
	fmt.Fprintf(b, "\n## %s\n\n", title)
	fmt.Fprintf(b, "| s CPU per 1M, %s |", unit)
	for _, n := range sizes {
		fmt.Fprintf(b, " %d |", n)
	}
	fmt.Fprintf(b, "\n|---|%s\n", strings.Repeat("---|", len(sizes)))
	for _, server := range []string{Ours, Raw, Node} {
		fmt.Fprintf(b, "| %s |", server)
		for _, n := range sizes {
			fmt.Fprintf(b, " %s |", spread(r.sample(sized(s, n), server, cpuFigure)))
		}
		fmt.Fprintln(b)
	}
}

func (r *Results) writeCluster(b *strings.Builder) {
	fmt.Fprint(b, "\n## A cluster on one Redis, with the classic adapter\n\n")
	fmt.Fprint(b, "CPU time of the one server that is measured, and what Redis spends on an event: the bytes are those from the\nserver that publishes and those to all servers.\n\n")
	fmt.Fprint(b, "| | server | server's CPU | p99 | allocations | publishes an event | Redis' CPU an event | bytes in | bytes out |\n|---|---|---|---|---|---|---|---|---|\n")
	for _, c := range []struct{ name, about string }{
		{clusterPublish, "an event that is published for a room elsewhere, 64 in flight"},
		{clusterPublish1, "the same, 1 in flight"},
		{clusterDeliver, "a delivery of an event from elsewhere to one of 1000 members"},
		{clusterUnwanted, "an event from elsewhere for a room without a member, 64 in flight"},
		{clusterUnwanted1, "the same, 1 in flight"},
	} {
		for _, server := range []string{Ours, Node} {
			if len(r.of(c.name, server)) == 0 {
				continue
			}
			at := func(figure func(*Run) float64) float64 {
				return r.sample(c.name, server, func(run *Run) (float64, bool) {
					if run.Cost == nil || run.Latency == nil || run.Bus == nil {
						return 0, false
					}
					return figure(run), true
				}).median()
			}
			allocs := "–"
			if n := at(func(run *Run) float64 { return run.Cost.Allocs }); n > 0 {
				allocs = digits(n)
			}
			fmt.Fprintf(b, "| %s | %s | %s µs | %s | %s | %s | %s µs | %s | %s |\n", c.about, server,
				spread(r.sample(c.name, server, cpuFigure)), micros(at(func(run *Run) float64 { return run.Latency.P99 })), allocs,
				digits(at(func(run *Run) float64 { return run.Bus.Publishes })), digits(at(func(run *Run) float64 { return run.Bus.CPU })),
				digits(at(func(run *Run) float64 { return run.Bus.In })), digits(at(func(run *Run) float64 { return run.Bus.Out })))
		}
	}
}

func (r *Results) writeRooms(b *strings.Builder) {
	fmt.Fprint(b, "\n## Many rooms of one socket each\n\n")
	fmt.Fprint(b, "| server | rooms | CPU of a join, first tenth | last tenth | heap a room | CPU of an event to a room | CPU of leaving a room by disconnecting |\n|---|---|---|---|---|---|---|\n")
	for _, server := range []string{Ours, Node} {
		for _, run := range r.of(roomsCase, server) {
			m := run.Rooms
			fmt.Fprintf(b, "| %s | %d | %s µs | %s µs | %.0f B | %s µs | %s µs |\n", server, m.Rooms,
				digits(m.FirstJoin), digits(m.LastJoin), m.Heap, digits(m.Emit), digits(m.Leave))
		}
	}
}

func (r *Results) writeIdle(b *strings.Builder) {
	fmt.Fprint(b, "\n## 5000 idle connections, then dropped without a close frame\n\n")
	fmt.Fprint(b, "KiB a connection; what is left is looked at 5 s later.\n\n")
	fmt.Fprint(b, "| server | RSS | RSS after GC | heap | stack | goroutines | handshake p99 | goroutines left | heap left | RSS left |\n|---|---|---|---|---|---|---|---|---|---|\n")
	for _, server := range []string{Ours, Raw, Node} {
		at := func(figure func(*Run) float64) string {
			return digits(r.sample(idle, server, func(run *Run) (float64, bool) { return figure(run), true }).median())
		}
		if len(r.of(idle, server)) == 0 {
			continue
		}
		fmt.Fprintf(b, "| %s | %s | %s | %s | %s | %s | %s ms | %s | %s KiB | %s KiB |\n", server,
			at(func(run *Run) float64 { return run.Idle.RSS }),
			at(func(run *Run) float64 { return run.Idle.RSSAfterGC }),
			at(func(run *Run) float64 { return run.Idle.Heap }),
			at(func(run *Run) float64 { return run.Idle.Stack }),
			at(func(run *Run) float64 { return run.Idle.Goroutines }),
			at(func(run *Run) float64 { return run.Idle.ConnectP99 / 1000 }),
			at(func(run *Run) float64 { return run.Left.Goroutines }),
			at(func(run *Run) float64 { return run.Left.Heap }),
			at(func(run *Run) float64 { return run.Left.RSS }))
	}
}

func (r *Results) writeSlow(b *strings.Builder) {
	fmt.Fprint(b, "\n## A room of 200 with 3 members that never read\n\n")
	fmt.Fprint(b, "| server | deliveries/s without | with | CPU a delivery | p99 | RSS meanwhile |\n|---|---|---|---|---|---|\n")
	for _, server := range []string{Ours, Raw, Node} {
		for _, run := range r.Runs {
			if run.Case != slow || run.Server != server {
				continue
			}
			if m := run.Slow; m == nil {
				fmt.Fprintf(b, "| %s | %s | | | | |\n", server, run.Error)
			} else if run.Error != "" {
				fmt.Fprintf(b, "| %s | %s | %s | | | |\n", server, si(m.Without), run.Error)
			} else {
				fmt.Fprintf(b, "| %s | %s | %s (×%.2f) | ×%.2f | ×%.2f | %+.0f MiB |\n", server, si(m.Without), si(m.With), m.With/m.Without, m.CPU, m.P99, m.RSS/1024)
			}
		}
	}
}
