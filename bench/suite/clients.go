//go:build linux

package suite

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/socketio-go/socketio/bench/clients"
)

// A clientGoal is a figure of the client, with its limit.
type clientGoal struct {
	about  string
	config clients.Config
	figure func(clients.Result) float64
	unit   string
	limit  float64
	ratio  bool // the limit is of the ratio to raw
}

func clientCPU(r clients.Result) float64 { return r.CPU }

var clientGoals = []clientGoal{
	{
		about:  "echo, 1 in flight, 50 clients",
		config: clients.Config{Connections: 50, Window: 1, WarmUp: time.Second, Duration: 3 * time.Second},
		figure: clientCPU, unit: "s CPU per 1M", limit: 1.15, ratio: true,
	},
	{
		about:  "echo, 16 in flight, 50 clients",
		config: clients.Config{Connections: 50, Window: 16, WarmUp: time.Second, Duration: 3 * time.Second},
		figure: clientCPU, unit: "s CPU per 1M", limit: 0.5, ratio: true,
	},
	{
		about:  "idle client, RSS, 5000 in one process",
		config: clients.Config{Connections: 5000, WarmUp: time.Second, Duration: time.Second},
		figure: func(r clients.Result) float64 { return r.RSS }, unit: "KiB", limit: 12,
	},
}

// Clients measures this library's client beside those of plain gorilla/websocket,
// each in a process of its own on one CPU, against our server on another. It
// writes a table to w, and fails if a client failed or lost an event.
func Clients(ctx context.Context, r *Runner, w io.Writer) error {
	serverCPU, clientsCPU, err := cpus()
	if err != nil {
		return err
	}
	fmt.Fprint(w, "| | unit | bare | raw | ours | ours × bare | ours × raw | limit | |\n|---|---|---|---|---|---|---|---|---|\n")
	var failed error
	for _, g := range clientGoals {
		figures := make(map[string]sample)
		for rep := range r.Reps {
			order := []string{clients.Ours, clients.Raw, clients.Bare}
			if rep%2 == 1 {
				slices.Reverse(order)
			}
			for _, kind := range order {
				cfg := g.config
				cfg.Kind = kind
				result, err := r.client(ctx, serverCPU, clientsCPU, cfg)
				if ctx.Err() != nil {
					return ctx.Err()
				}
				if err != nil {
					failed = errors.Join(failed, fmt.Errorf("%s, %s: %w", g.about, kind, err))
					continue
				}
				figures[kind] = append(figures[kind], g.figure(result))
			}
		}
		for _, figures := range figures {
			slices.Sort(figures)
		}
		bare, raw, ours := figures[clients.Bare], figures[clients.Raw], figures[clients.Ours]
		if len(bare) == 0 || len(raw) == 0 || len(ours) == 0 {
			continue
		}
		score, verdict := ours.median(), "met"
		if g.ratio {
			score /= raw.median()
		}
		if score > g.limit {
			verdict = "missed"
		}
		fmt.Fprintf(w, "| %s | %s | %s | %s | %s | %s | %s | %s | %s |\n", g.about, g.unit,
			spread(bare), spread(raw), spread(ours), ratio(ours, bare), ratio(ours, raw), digits(g.limit), verdict)
	}
	return failed
}

// client runs clients in a process of their own, against a server of their own.
func (r *Runner) client(ctx context.Context, serverCPU, clientsCPU string, cfg clients.Config) (result clients.Result, err error) {
	srv, err := r.Fixtures.start(ctx, Ours, serverCPU, "")
	if err != nil {
		return result, err
	}
	cfg.Addr = srv.addr
	config, err := json.Marshal(cfg)
	if err == nil {
		err = self(ctx, clientsCPU, &result, nil, clients.Command, string(config))
	}
	return result, errors.Join(err, srv.stop())
}
