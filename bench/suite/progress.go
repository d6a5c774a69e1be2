//go:build linux

package suite

import (
	"fmt"
	"os"
	"time"
)

// A Progress shows runs as they are done, a line each. On a terminal the line
// is there from the beginning of the run.
type Progress struct {
	out      *os.File
	terminal bool
	started  time.Time
	number   int
	total    int
}

// NewProgress returns a Progress that writes to out.
func NewProgress(out *os.File) *Progress {
	info, err := out.Stat()
	return &Progress{
		out:      out,
		terminal: err == nil && info.Mode()&os.ModeCharDevice != 0,
		started:  time.Now(),
	}
}

func (p *Progress) begin(number, total int, run Run) {
	if p == nil {
		return
	}
	p.number, p.total = number, total
	if p.terminal {
		fmt.Fprintf(p.out, "%s …", p.head(run))
	}
}

func (p *Progress) end(run Run) {
	if p == nil {
		return
	}
	if p.terminal {
		fmt.Fprint(p.out, "\r\x1b[K")
	}
	fmt.Fprintf(p.out, "%s %s%s\n", p.head(run), summary(run), p.left())
}

func (p *Progress) head(run Run) string {
	return fmt.Sprintf("[%3d/%d] %-22s %-4s rep %d ", p.number, p.total, run.Case, run.Server, run.Rep)
}

// left says how long the rest will take, if it is worth saying.
func (p *Progress) left() string {
	each := time.Since(p.started) / time.Duration(p.number)
	if left := each * time.Duration(p.total-p.number); left > 2*time.Minute {
		return fmt.Sprintf("  (%.0f min left)", left.Minutes())
	}
	return ""
}

// summary is the gist of a run.
func summary(run Run) string {
	s := ""
	switch {
	case run.Slow != nil:
		s = fmt.Sprintf("%s/s, %s/s with members that do not read", si(run.Slow.Without), si(run.Slow.With))
	case run.Idle != nil:
		s = fmt.Sprintf("%.1f KiB a connection, %.0f µs CPU to connect", run.Idle.RSS, run.Idle.ConnectCPU)
	case run.Cost != nil:
		s = fmt.Sprintf("%6.2f s CPU per 1M  %5s/s", run.Cost.CPU, si(run.Cost.PerSecond))
		if run.Latency != nil {
			s += fmt.Sprintf("  p99 %s", micros(run.Latency.P99))
		}
	}
	if run.Bus != nil {
		s += fmt.Sprintf("  Redis %s µs", digits(run.Bus.CPU))
	}
	if run.Faults != nil && run.Faults.Any() {
		s += fmt.Sprintf("  FAULTS %+v", *run.Faults)
	}
	if run.Error != "" {
		s += "  ERROR " + run.Error
	}
	return s
}
