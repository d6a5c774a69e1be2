package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/socketio-go/socketio"
	"github.com/socketio-go/socketio/client"
)

// More exit codes, of what talks to servers.
const (
	exitRefused = 3 // the server refused the connection or the namespace
	exitTimeout = 4 // it did not connect or answer in time
)

// A dialer has the flags of a connection.
type dialer struct {
	namespaces list
	auth       string
	headers    list
	transports string
	eio3       bool
	insecure   bool
	timeout    time.Duration

	mu    sync.Mutex
	auths map[string]json.RawMessage // by namespace
}

// A list is a flag that may be repeated.
type list []string

func (l *list) String() string     { return strings.Join(*l, ", ") }
func (l *list) Set(s string) error { *l = append(*l, s); return nil }

func (c *invocation) dialer() *dialer {
	d := &dialer{auths: make(map[string]json.RawMessage)}
	d.flags(c.flags)
	return d
}

func (d *dialer) flags(fs *flag.FlagSet) {
	fs.Var(&d.namespaces, "n", "`namespace` to join; may be repeated with connect and listen (default /)")
	fs.StringVar(&d.auth, "auth", "", "`JSON` object that the server's middleware gets")
	fs.Var(&d.headers, "H", "`header` of all requests, \"Name: value\"; may be repeated")
	fs.StringVar(&d.transports, "transports", "websocket,polling", "websocket, polling, or both in the `order` to try them; polling,websocket upgrades")
	fs.BoolVar(&d.eio3, "eio3", false, "speak Engine.IO 3, for servers of Socket.IO 2")
	fs.BoolVar(&d.insecure, "insecure", false, "accept any certificate of the server")
	fs.DurationVar(&d.timeout, "timeout", 20*time.Second, "how long to wait for the connection, and for an answer")
}

// options returns the client's options. Attempts is 0 for any number.
func (d *dialer) options(attempts int) (*client.Options, error) {
	usage := func(format string, args ...any) error { return &exitError{exitUsage, fmt.Errorf(format, args...)} }
	if len(d.namespaces) == 0 {
		d.namespaces = list{"/"}
	}
	for i, n := range d.namespaces {
		if !strings.HasPrefix(n, "/") {
			d.namespaces[i] = "/" + n
		}
		if d.auth != "" {
			d.auths[d.namespaces[i]] = json.RawMessage(d.auth)
		}
	}
	if d.auth != "" && (!json.Valid([]byte(d.auth)) || !strings.HasPrefix(strings.TrimSpace(d.auth), "{")) {
		return nil, usage("-auth %s: not a JSON object", d.auth)
	}
	header := make(http.Header)
	for _, h := range d.headers {
		name, value, ok := strings.Cut(h, ":")
		if !ok {
			return nil, usage("-H %s: not \"Name: value\"", h)
		}
		header.Add(strings.TrimSpace(name), strings.TrimSpace(value))
	}
	opts := &client.Options{
		EIO3: d.eio3, MaxAttempts: attempts, ConnectTimeout: d.timeout, AckTimeout: d.timeout,
		MinDelay: 200 * time.Millisecond, MaxDelay: 5 * time.Second,
		Header: func(context.Context) (http.Header, error) { return header, nil },
		Auth: func(_ context.Context, namespace string) (any, error) {
			d.mu.Lock()
			defer d.mu.Unlock()
			if a := d.auths[namespace]; a != nil {
				return a, nil
			}
			return nil, nil
		},
		Logger: slog.New(slog.DiscardHandler),
	}
	if d.insecure {
		opts.TLS = &tls.Config{InsecureSkipVerify: true}
	}
	for name := range strings.SplitSeq(d.transports, ",") {
		switch strings.TrimSpace(name) {
		case "websocket":
			opts.Transports = append(opts.Transports, socketio.WebSocket)
		case "polling":
			opts.Transports = append(opts.Transports, socketio.Polling)
		default:
			return nil, usage("-transports %s: the transports are websocket and polling", d.transports)
		}
	}
	opts.DisableUpgrade = len(opts.Transports) == 1
	return opts, nil
}

// setAuth sets what the middleware of a namespace gets.
func (d *dialer) setAuth(namespace string, auth json.RawMessage) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.auths[namespace] = auth
}

// failure gives an error of package client its exit code.
func failure(what string, err error) error {
	var refused *client.RefusedError
	var handshake *client.HandshakeError
	code := exitFailed
	switch {
	case err == nil:
		return nil
	case errors.As(err, &refused):
		code = exitRefused
		text := refused.Err.Message
		if len(refused.Err.Data) > 0 {
			text += " " + string(refused.Err.Data)
		}
		err = fmt.Errorf("%s refused: %s", refused.Namespace, text)
	case errors.As(err, &handshake) && handshake.Final:
		code = exitRefused
	case errors.Is(err, context.DeadlineExceeded):
		code = exitTimeout
		err = errors.New("timed out")
	}
	return &exitError{code, fmt.Errorf("%s: %w", what, err)}
}
