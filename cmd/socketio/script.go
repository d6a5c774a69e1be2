package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/socketio-go/socketio"
	"github.com/socketio-go/socketio/client"
)

// open connects a client and joins the namespaces. It tries once.
func (d *dialer) open(ctx context.Context, url string, before func(*client.Socket)) (*client.Client, error) {
	opts, err := d.options(1)
	if err != nil {
		return nil, err
	}
	cl, err := client.New(url, opts)
	if err != nil {
		return nil, &exitError{exitUsage, err}
	}
	ctx, cancel := context.WithTimeout(ctx, d.timeout)
	defer cancel()
	for _, name := range d.namespaces {
		s := cl.Of(name)
		if before != nil {
			before(s)
		}
		if err := s.Connect(ctx); err != nil {
			cl.Close()
			return nil, failure(url, err)
		}
	}
	return cl, nil
}

// close waits until everything is sent.
func (d *dialer) close(ctx context.Context, cl *client.Client) error {
	ctx, cancel := context.WithTimeout(ctx, d.timeout)
	defer cancel()
	return failure("disconnect", cl.Shutdown(ctx))
}

// eachArguments calls fn with the arguments of the command line, or with those of each
// line of the standard input if they are "-".
func (c *invocation) eachArguments(texts []string, fn func([]any) error) error {
	if len(texts) != 1 || texts[0] != "-" {
		args, err := parseArguments(texts)
		if err != nil {
			return &exitError{exitUsage, err}
		}
		return fn(args)
	}
	lines := bufio.NewScanner(c.stdin)
	lines.Buffer(nil, 64<<20)
	for n := 1; lines.Scan(); n++ {
		if len(lines.Bytes()) == 0 {
			continue
		}
		v, err := parseJSON(lines.Bytes())
		if err != nil {
			return &exitError{exitUsage, fmt.Errorf("line %d of the standard input: %w", n, err)}
		}
		args, ok := v.([]any)
		if !ok {
			return &exitError{exitUsage, fmt.Errorf("line %d of the standard input: not a JSON array of arguments", n)}
		}
		if err := fn(args); err != nil {
			return err
		}
	}
	return lines.Err()
}

// forEachEvent calls fn, connected, for each list of arguments of the event that the
// command line names, and then waits until everything is sent.
func (c *invocation) forEachEvent(ctx context.Context, fn func(d *dialer, s *client.Socket, args []any) error) error {
	d := c.dialer()
	if err := c.parse(2, -1); err != nil {
		return err
	}
	cl, err := d.open(ctx, c.args[0], nil)
	if err != nil {
		return err
	}
	defer cl.Close()
	s := cl.Of(d.namespaces[0])
	if err := c.eachArguments(c.args[2:], func(args []any) error { return fn(d, s, args) }); err != nil {
		return err
	}
	return d.close(ctx, cl)
}

func emit(ctx context.Context, c *invocation) error {
	return c.forEachEvent(ctx, func(_ *dialer, s *client.Socket, args []any) error {
		err := s.Emit(c.args[1], args...)
		for errors.Is(err, client.ErrBufferFull) && s.Connected() {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(10 * time.Millisecond):
				err = s.Emit(c.args[1], args...)
			}
		}
		return failure(c.args[1], err)
	})
}

func ask(ctx context.Context, c *invocation) error {
	return c.forEachEvent(ctx, func(d *dialer, s *client.Socket, args []any) error {
		ctx, cancel := context.WithTimeout(ctx, d.timeout)
		defer cancel()
		answer, err := s.EmitWithAck(ctx, c.args[1], args...)
		if err != nil {
			return failure(c.args[1], err)
		}
		_, err = fmt.Fprintln(c.stdout, asJSONLine(decoded(answer)))
		return err
	})
}

// A line is what listen prints.
type line struct {
	Namespace string `json:"namespace"`
	Event     string `json:"event"`
	Args      any    `json:"args"`
}

func listen(ctx context.Context, c *invocation) error {
	d := c.dialer()
	count := c.flags.Int("count", 0, "end after this `number` of events (default any)")
	during := c.flags.Duration("for", 0, "end after this `time` (default any)")
	if err := c.parse(1, -1); err != nil {
		return err
	}
	wanted := make(map[string]bool)
	for _, name := range c.args[1:] {
		wanted[name] = true
	}
	var mu sync.Mutex
	seen := 0
	done := make(chan error, 1)
	end := func(err error) {
		select {
		case done <- err:
		default:
		}
	}
	cl, err := d.open(ctx, c.args[0], func(s *client.Socket) {
		s.OnAny(func(event string, args socketio.Args) {
			if len(wanted) > 0 && !wanted[event] {
				return
			}
			mu.Lock()
			defer mu.Unlock()
			if *count > 0 && seen == *count {
				return
			}
			seen++
			if _, err := fmt.Fprintln(c.stdout, asJSONLine(line{s.Namespace(), event, inJSON(decoded(args))})); err != nil {
				end(err)
			}
			if seen == *count {
				end(nil)
			}
		})
		s.OnDisconnect(func(reason socketio.Reason) {
			if reason != client.ReasonClient {
				end(&exitError{exitFailed, fmt.Errorf("%s: disconnected: %s", s.Namespace(), reason)})
			}
		})
	})
	if err != nil {
		return err
	}
	defer cl.Close()
	var late <-chan time.Time
	if *during > 0 {
		timer := time.NewTimer(*during)
		defer timer.Stop()
		late = timer.C
	}
	select {
	case err = <-done:
	case <-late:
		if *count > 0 {
			err = &exitError{exitTimeout, fmt.Errorf("%d of %d events came", seen, *count)}
		}
	case <-ctx.Done(): // Ctrl-C
	}
	return err
}
