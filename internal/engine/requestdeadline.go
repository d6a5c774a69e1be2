package engine

import (
	"net/http"
	"time"
)

// A requestDeadline is the read or the write deadline of one request. Its methods
// call the ResponseWriter, which may be of a type of the application and may block,
// so they must not be called under a lock, but for abortLocked.
type requestDeadline struct {
	session *Session
	rc      *http.ResponseController
	write   bool

	aborted  chan struct{} // closed when the deadline has been set for the last time; nil before abortLocked
	released bool          // both are guarded by session.mu
}

func (d *requestDeadline) set(t time.Time) error {
	if d.write {
		return d.rc.SetWriteDeadline(t)
	}
	return d.rc.SetReadDeadline(t)
}

// abortLocked makes the reading or the writing fail, unless it has been released.
// The caller holds session.mu.
func (d *requestDeadline) abortLocked() {
	if d.released || d.aborted != nil {
		return
	}
	done := make(chan struct{})
	d.aborted = done
	d.session.srv.Go(func() {
		defer close(done)
		_ = d.session.srv.guard(func() error { return d.set(pastDeadline) }, func() {})
	})
}

func (d *requestDeadline) isAborted() bool {
	d.session.mu.Lock()
	defer d.session.mu.Unlock()
	return d.aborted != nil
}

// extend gives the reading or the writing so much time from now on. It does not
// undo an abort, neither before nor during the call.
func (d *requestDeadline) extend(timeout time.Duration) {
	if d.isAborted() {
		return
	}
	_ = d.set(time.Now().Add(timeout))
	if d.isAborted() {
		_ = d.set(pastDeadline)
	}
}

// release waits for an abort that is under way and prevents any other, as it would
// end the connection, or the next request on it. The handler of the request must not
// return before.
func (d *requestDeadline) release() {
	d.session.mu.Lock()
	d.released = true
	aborted := d.aborted
	d.session.mu.Unlock()
	if aborted != nil {
		<-aborted
	}
}

// clear removes the deadline, once it is released.
func (d *requestDeadline) clear() { _ = d.set(time.Time{}) }

var pastDeadline = time.Unix(1, 0)
