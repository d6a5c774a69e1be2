package socketio

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

const (
	// connectPatience is how long a namespace may take to join its cluster before
	// that is reported, if the adapter gives no reason earlier.
	connectPatience = 10 * time.Second
	// disconnectedEvery is how often it is reported that a namespace is still cut
	// off from its cluster.
	disconnectedEvery = 30 * time.Second
)

var errConnecting = errors.New("the adapter is still connecting")

// A clusterStatus says whether a namespace hears the other servers of the cluster and
// is heard by them. It reports when that ends, again and again while it lasts, and when
// it is over.
type clusterStatus struct {
	ns *Namespace

	mu       sync.Mutex // guards the following
	err      error      // why not; nil if it does
	since    time.Time  // when that began
	reported bool
	timer    *time.Timer
	left     bool
}

func newClusterStatus(n *Namespace) *clusterStatus {
	c := &clusterStatus{ns: n, err: errConnecting, since: time.Now()}
	c.mu.Lock() // remind may run before AfterFunc has returned
	defer c.mu.Unlock()
	c.timer = time.AfterFunc(connectPatience, c.remind)
	return c
}

// connected reports whether it does.
func (c *clusterStatus) connected() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err == nil && !c.left
}

// set notes a change.
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

// remind reports that it lasts.
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

// leave ends the reports.
func (c *clusterStatus) leave() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.left = true
	c.timer.Stop()
}
