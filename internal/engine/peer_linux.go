package engine

import (
	"encoding/binary"
	"syscall"
)

// The states of a TCP connection whose peer sends nothing any more, as Linux
// numbers them.
const (
	tcpClose     = 7
	tcpCloseWait = 8
	tcpLastAck   = 9
)

// peerGone reports whether the peer has closed or reset the connection, even if data
// before that is unread. It is false for connections other than TCP and TLS.
func (t *wsConn) peerGone() bool {
	if t.tcp == nil {
		return false
	}
	raw, err := t.tcp.SyscallConn()
	if err != nil {
		return true
	}
	gone := false
	err = raw.Control(func(fd uintptr) {
		v, err := syscall.GetsockoptInt(int(fd), syscall.IPPROTO_TCP, syscall.TCP_INFO)
		if err != nil {
			return
		}
		var info [4]byte // the first four bytes of struct tcp_info
		binary.NativeEndian.PutUint32(info[:], uint32(v))
		gone = info[0] == tcpClose || info[0] == tcpCloseWait || info[0] == tcpLastAck
	})
	return gone || err != nil
}
