package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"

	"github.com/socketio-go/socketio/cmd/socketio/internal/contract"
)

// output declares the flag for the file that is written.
func (c *invocation) output() *string {
	return c.flags.String("o", "", "`file` to write; it is left alone if nothing has changed (default standard output)")
}

// load reads the contract of packages and prints the warnings.
func (c *invocation) load(ctx context.Context, patterns []string, nonNull bool) (*contract.Contract, error) {
	got, err := contract.Load(ctx, contract.Options{Patterns: patterns, NonNull: nonNull})
	if err != nil {
		return nil, err
	}
	for _, w := range got.Warnings {
		fmt.Fprintln(c.stderr, "warning:", w.Error())
	}
	if len(got.Namespaces) == 0 {
		return nil, errors.New("no events: declare them as constants of the types socketio.Event and socketio.Call, or name the packages that have them")
	}
	return got, nil
}

// write writes a generated file.
func (c *invocation) write(file string, data []byte) error {
	if file == "" || file == "-" {
		_, err := c.stdout.Write(data)
		return err
	}
	if old, err := os.ReadFile(file); err == nil && bytes.Equal(old, data) {
		return nil // its time is that of the last change
	}
	return os.WriteFile(file, data, 0o666)
}

func (c *invocation) nonNull() *bool {
	return c.flags.Bool("nonnull", false, "slices and maps are never nil: leave null out of their types")
}

func genTS(ctx context.Context, c *invocation) error {
	file, nonNull := c.output(), c.nonNull()
	if err := c.parse(0, -1); err != nil {
		return err
	}
	got, err := c.load(ctx, c.args, *nonNull)
	if err != nil {
		return err
	}
	return c.write(*file, got.TypeScript())
}

func genAsyncAPI(ctx context.Context, c *invocation) error {
	file, nonNull := c.output(), c.nonNull()
	title := c.flags.String("title", "Events", "title of the document")
	version := c.flags.String("version", "1.0.0", "version of the document")
	address := c.flags.String("url", "http://localhost:3000/socket.io/", "`URL` of the server")
	if err := c.parse(0, -1); err != nil {
		return err
	}
	u, err := url.Parse(*address)
	if err != nil || u.Host == "" {
		return &exitError{exitUsage, fmt.Errorf("-url %s: no URL with a host", *address)}
	}
	got, err := c.load(ctx, c.args, *nonNull)
	if err != nil {
		return err
	}
	if u.Path == "" || u.Path == "/" {
		u.Path = "/socket.io/"
	}
	return c.write(*file, got.AsyncAPI(contract.Info{Title: *title, Version: *version, Host: u.Host, Path: u.Path}))
}

func genCheck(ctx context.Context, c *invocation) error {
	nonNull := c.nonNull()
	if err := c.parse(1, -1); err != nil {
		return err
	}
	old, err := os.ReadFile(c.args[0])
	if err != nil {
		return err
	}
	got, err := c.load(ctx, c.args[1:], *nonNull)
	if err != nil {
		return err
	}
	breaks, err := contract.Breaks(old, got.AsyncAPI(contract.Info{}))
	if err != nil {
		return fmt.Errorf("%s: %w", c.args[0], err)
	}
	for _, line := range breaks {
		fmt.Fprintln(c.stdout, line)
	}
	if len(breaks) > 0 {
		return &exitError{exitFailed, nil}
	}
	return nil
}
