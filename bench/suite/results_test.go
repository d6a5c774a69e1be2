//go:build linux

package suite

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/socketio-go/socketio/bench/loadgen"
)

// someResults are three repetitions in which a message of ours costs the given
// part of raw's.
func someResults(part float64) *Results {
	r := &Results{Machine: Machine{Date: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), CPUs: 2, Versions: map[string]string{"go": "go1.26"}}}
	for rep := 1; rep <= 3; rep++ {
		for server, cpu := range map[string]float64{Ours: 4 * part, Raw: 4, Node: 12} {
			for _, c := range Cases() {
				run := Run{Case: c.Name, Server: server, Rep: rep, Pinned: !c.Unpinned}
				run.Scenario = c.Scenario
				run.Faults = new(loadgen.Faults)
				run.Cost = &loadgen.Cost{Messages: 1e6, PerSecond: 1e5, CPU: cpu * float64(rep) / 2}
				run.Latency = &loadgen.Latency{P50: 100, P75: 120, P90: 150, P95: 200, P99: 300, P995: 400, P999: 900}
				switch c.Scenario {
				case "idle":
					run.Idle, run.Left = &loadgen.Idle{RSS: 10, ConnectCPU: cpu}, new(loadgen.Left)
				case "rooms":
					run.Rooms = &loadgen.Rooms{Rooms: 100_000}
				case "cluster":
					run.Bus = &loadgen.Bus{Events: 1000, Publishes: 1, CPU: 3, In: 168, Out: 382}
				case "slow":
					run.Slow = &loadgen.Slow{Without: 2, With: 2}
				}
				r.Runs = append(r.Runs, run)
			}
		}
	}
	return r
}

func TestScoreIsTheRatioOfMedians(t *testing.T) {
	t.Parallel()
	s := someResults(.5).standing(goals[0])
	if score, ok := s.score(); !ok || score != .5 {
		t.Errorf("score %v, %v, want 0.5", score, ok)
	}
	if got := s.verdict(); got != "met, target too" {
		t.Errorf("verdict %q", got)
	}
	if got := someResults(1.2).standing(goals[0]).verdict(); got != "met" {
		t.Errorf("verdict %q between target and limit", got)
	}
	if got := someResults(2).standing(goals[0]).verdict(); !strings.Contains(got, "missed") {
		t.Errorf("verdict %q beyond must", got)
	}
	if got := new(Results).standing(goals[0]).verdict(); got != "not measured" {
		t.Errorf("verdict %q without runs", got)
	}
}

func TestGateMeasuresAgainWhatIsAbove(t *testing.T) {
	t.Parallel()
	if again := (rounds{someResults(.2)}).above(gateCases()); len(again) > 0 {
		t.Errorf("%s is measured again at a fifth of raw's cost", again[0].Name)
	}
	if again := (rounds{someResults(9)}).above(gateCases()); len(again) < 8 {
		t.Errorf("%d cases are measured again at nine times raw's cost", len(again))
	}
	// One disturbed round does not count, nor does one that is too good.
	if again := (rounds{someResults(9), someResults(.2), someResults(.2)}).above(gateCases()); len(again) > 0 {
		t.Errorf("%s is measured again though two rounds of three are good", again[0].Name)
	}
	if again := (rounds{someResults(9), someResults(.2), someResults(9)}).above(gateCases()); len(again) < 8 {
		t.Errorf("%d cases are measured again though two rounds of three are bad", len(again))
	}
}

func TestResultsAreReadAsWritten(t *testing.T) {
	t.Parallel()
	r := someResults(1)
	var b bytes.Buffer
	w, err := NewWriter(&b, r.Machine)
	if err != nil {
		t.Fatal(err)
	}
	for _, run := range r.Runs {
		if err := w.Write(run); err != nil {
			t.Fatal(err)
		}
	}
	file := filepath.Join(t.TempDir(), "results.jsonl")
	if err := os.WriteFile(file, b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	got, err := Read(file)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, r) {
		t.Errorf("read %+v", got.Machine)
	}
}

func TestReportAndPlots(t *testing.T) {
	t.Parallel()
	r := someResults(.5)
	text := r.Markdown()
	for _, want := range []string{
		"| echo, 1 in flight, 50 connections | s CPU per 1M | 4.00 (2.00–6.00) | 12.0 (6.00–18.0) | 2.00 (1.00–3.00) | **0.50** | **3.00** | 1.25 | 1.05 | met, target too |",
		"| connections-9000 |",
		"| a delivery of an event from elsewhere to one of 1000 members | ours | 2.00 (1.00–3.00) µs | 300 µs | – | 1.00 | 3.00 µs | 168 | 382 |",
		"| ours | a CPU each |",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the report does not have %q:\n%s", want, text)
		}
	}
	dir := t.TempDir()
	if err := r.Plot(dir); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.svg"))
	if err != nil || len(files) != 5 {
		t.Errorf("plots: %v, %v", files, err)
	}
	if err := new(Results).Plot(t.TempDir()); err != nil {
		t.Errorf("plots of nothing: %v", err)
	}
}
