//go:build linux

package suite

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
)

// Results are the runs of one machine on one occasion.
type Results struct {
	Machine Machine
	Runs    []Run
}

// A Writer appends results to a file as JSON lines: the machine, then the
// runs.
type Writer struct{ encoder *json.Encoder }

// NewWriter writes the machine to w.
func NewWriter(w io.Writer, m Machine) (*Writer, error) {
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	return &Writer{encoder}, encoder.Encode(m)
}

// Write writes a run.
func (w *Writer) Write(run Run) error { return w.encoder.Encode(run) }

// Read reads what a Writer has written.
func Read(file string) (*Results, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	decoder := json.NewDecoder(bufio.NewReader(f))
	r := new(Results)
	if err := decoder.Decode(&r.Machine); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	for {
		var run Run
		switch err := decoder.Decode(&run); err {
		case nil:
			r.Runs = append(r.Runs, run)
		case io.EOF:
			return r, nil
		default:
			return nil, fmt.Errorf("%s: %w", file, err)
		}
	}
}

// of returns the runs of a case on a server that did not fail.
func (r *Results) of(name, server string) (runs []Run) {
	for _, run := range r.Runs {
		if run.Case == name && run.Server == server && run.Error == "" {
			runs = append(runs, run)
		}
	}
	return runs
}

// A sample is the same figure of several runs, in ascending order.
type sample []float64

// sample collects a figure. The figure may not be there in some runs.
func (r *Results) sample(name, server string, figure func(*Run) (float64, bool)) sample {
	var s sample
	for _, run := range r.of(name, server) {
		if v, ok := figure(&run); ok {
			s = append(s, v)
		}
	}
	slices.Sort(s)
	return s
}

// median is the middle value, or the mean of the two in the middle.
func (s sample) median() float64 {
	n := len(s)
	if n == 0 {
		return 0
	}
	return (s[(n-1)/2] + s[n/2]) / 2
}

// The figures of a run.
func cpuFigure(r *Run) (float64, bool) {
	if r.Cost == nil {
		return 0, false
	}
	return r.Cost.CPU, true
}

func allocsFigure(r *Run) (float64, bool) {
	if r.Cost == nil || r.Cost.Allocs == 0 {
		return 0, false
	}
	return r.Cost.Allocs, true
}

func p99Figure(r *Run) (float64, bool) {
	if r.Latency == nil {
		return 0, false
	}
	return r.Latency.P99, true
}

func rssFigure(r *Run) (float64, bool) {
	if r.Idle == nil {
		return 0, false
	}
	return r.Idle.RSS, true
}

func connectFigure(r *Run) (float64, bool) {
	if r.Idle == nil {
		return 0, false
	}
	return r.Idle.ConnectCPU, true
}
