//go:build !linux

package engine

// peerGone is false on this system: a closed connection is found when a ping can't
// be written.
func (t *wsConn) peerGone() bool { return false }
