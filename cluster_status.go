package socketio

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

const (
	// connectReportDelay is how long a namespace may take to connect to its cluster
	// before that is reported, unless the adapter reports an error earlier.
	connectReportDelay = 10 * time.Second
	// disconnectedEvery is how often a namespace is reported that is still not
	// connected to its cluster.
	disconnectedEvery = 30 * time.Second
)

var errConnecting = errors.New("the adapter is still connecting")

// A clusterStatus says whether a namespace is connected: it receives from the other
// servers of the cluster and can send to them. It reports when the connection is
// lost, periodically while it is lost, and when it is restored.
type clusterStatus struct {
	ns *Namespace

	mu       sync.Mutex // guards the following
	err      error      // why it is not connected; nil if it is
	since    time.Time  // when err was first set
	reported bool
	timer    *time.Timer
	left     bool
}

func newClusterStatus(n *Namespace) *clusterStatus {
	c := &clusterStatus{ns: n, err: errConnecting, since: time.Now()}
	c.mu.Lock() // remind may run before AfterFunc has returned
	defer c.mu.Unlock()
	c.timer = time.AfterFunc(connectReportDelay, c.remind)
	return c
}

// health returns why the namespace is not connected, or nil.
func (c *clusterStatus) health() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.left {
		return ErrClosed
	}
	return c.err
}

// set sets the error of the connection; nil means connected.
func (c *clusterStatus) set(err error) {
	now := time.Now()
	c.mu.Lock()
	if c.left {
		c.mu.Unlock()
		return
	}
	was, took, reported := c.err, now.Sub(c.since), c.reported
	c.err = err
	if err == nil {
		c.timer.Stop()
		c.reported = false
	} else {
		if was == nil {
			c.since = now
		}
		c.reported = true
		c.timer.Reset(disconnectedEvery)
	}
	c.mu.Unlock()
	switch {
	case err != nil:
		c.report(0, err)
	case reported:
		c.ns.srv.log.info("socketio: cluster: connected again",
			slog.String("namespace", c.ns.name), slog.Duration("after", took.Round(time.Millisecond)))
	}
}

// remind reports that the namespace is still not connected.
func (c *clusterStatus) remind() {
	c.mu.Lock()
	if c.left || c.err == nil {
		c.mu.Unlock()
		return
	}
	err, took := c.err, time.Since(c.since)
	c.reported = true
	c.timer.Reset(disconnectedEvery)
	c.mu.Unlock()
	c.ns.srv.engine.Go(func() { c.report(took, err) })
}

func (c *clusterStatus) report(took time.Duration, err error) {
	if took > 0 {
		err = fmt.Errorf("socketio: cluster: namespace %q is not connected, since %v: %w", c.ns.name, took.Round(time.Second), err)
	} else {
		err = fmt.Errorf("socketio: cluster: namespace %q is not connected: %w", c.ns.name, err)
	}
	c.ns.srv.reportError(nil, err)
}

// leave ends the reports: the namespace leaves the cluster.
func (c *clusterStatus) leave() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.left = true
	c.timer.Stop()
}
