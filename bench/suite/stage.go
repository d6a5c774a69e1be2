//go:build linux

package suite

import (
	"context"
	"errors"
	"slices"

	"github.com/socketio-go/socketio/bench/loadgen"
)

// A stage is all the servers of one run, in the order in which they were started.
type stage []*server

// add keeps a server that was started.
func (s *stage) add(srv *server, err error) (*server, error) {
	if err == nil {
		*s = append(*s, srv)
	}
	return srv, err
}

// stop ends all servers. The error says which had ended before.
func (s *stage) stop() (err error) {
	for _, srv := range slices.Backward(*s) {
		err = errors.Join(err, srv.stop())
	}
	return err
}

// alone starts the one server of a run.
func (f *Fixtures) alone(ctx context.Context, s *stage, cfg *loadgen.Config, name, cpu string) error {
	srv, err := s.add(f.start(ctx, name, cpu, ""))
	if err != nil {
		return err
	}
	cfg.Addr = srv.addr
	cfg.Debug, cfg.PID = srv.debug, srv.cmd.Process.Pid
	return nil
}

// cluster starts a Redis and a server for each role. The one that is measured has
// cpu to itself; all others run on the generator's.
func (f *Fixtures) cluster(ctx context.Context, s *stage, cfg *loadgen.Config, name string, measured role, cpu, others string) error {
	redis, err := s.add(startRedis(ctx, others))
	if err != nil {
		return err
	}
	cfg.Redis = redis.addr
	roles := []role{publishes, delivers}
	if measured == bystands {
		roles = append(roles, bystands)
	}
	for _, r := range roles {
		on := others
		if r == measured {
			on = cpu
		}
		srv, err := s.add(f.start(ctx, name, on, redis.addr))
		if err != nil {
			return err
		}
		switch r {
		case publishes:
			cfg.Addr = srv.addr
		case delivers:
			cfg.Remote = srv.addr
		}
		if r == measured {
			cfg.Debug, cfg.PID = srv.debug, srv.cmd.Process.Pid
		}
	}
	return nil
}
