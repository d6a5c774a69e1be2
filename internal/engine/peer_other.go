//go:build !linux

package engine

// peerGone can't tell on this system. A peer that is gone is noticed when a ping
// can't be written.
func (t *wsConn) peerGone() bool { return false }
