//go:build linux

package loadgen

import (
	"errors"
	"fmt"
	"net"
	"syscall"
	"time"
)

// A loop owns connections and waits for all of them at once. It is for one
// goroutine.
type loop struct {
	epoll   int
	addr    syscall.SockaddrInet4
	host    string
	started time.Time
	now     int64 // nanoseconds since started, as of the last read
	buf     []byte
	events  []syscall.EpollEvent

	conns      []*conn
	ready      int // of conns: joined the namespace and open
	closed     int // of conns: by whichever side
	problem    error
	handshakes histogram
	onMessage  func(c *conn, op byte, payload []byte)
}

var errClosedByServer = errors.New("closed by the server")

func newLoop(addr string) (*loop, error) {
	epoll, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		return nil, err
	}
	l := &loop{
		epoll:     epoll,
		started:   time.Now(),
		buf:       make([]byte, 256<<10),
		events:    make([]syscall.EpollEvent, 512),
		onMessage: func(*conn, byte, []byte) {},
	}
	if err := l.turn(addr); err != nil {
		l.close()
		return nil, err
	}
	return l, nil
}

// turn has the connections to come go to another server.
func (l *loop) turn(addr string) error {
	tcp, err := net.ResolveTCPAddr("tcp4", addr)
	if err != nil {
		return err
	}
	l.host, l.addr.Port = addr, tcp.Port
	copy(l.addr.Addr[:], tcp.IP.To4())
	return nil
}

// close drops every connection without a close frame.
func (l *loop) close() {
	for _, c := range l.conns {
		l.drop(c)
	}
	_ = syscall.Close(l.epoll)
}

// tick refreshes now.
func (l *loop) tick() { l.now = int64(time.Since(l.started)) }

// dial starts one more connection. rcvbuf bounds the bytes that the kernel
// keeps for it, if not 0.
func (l *loop) dial(rcvbuf int) error {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	_ = syscall.SetsockoptInt(fd, syscall.IPPROTO_TCP, syscall.TCP_NODELAY, 1)
	if rcvbuf > 0 {
		_ = syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_RCVBUF, rcvbuf)
	}
	l.tick()
	c := &conn{fd: fd, id: len(l.conns), dialed: l.now, writing: true}
	l.conns = append(l.conns, c)
	if err := syscall.Connect(fd, &l.addr); err != nil && err != syscall.EINPROGRESS {
		l.drop(c)
		return err
	}
	event := syscall.EpollEvent{Events: syscall.EPOLLIN | syscall.EPOLLOUT, Fd: int32(c.id)}
	return syscall.EpollCtl(l.epoll, syscall.EPOLL_CTL_ADD, fd, &event)
}

// connect opens n more connections, at most parallel handshakes at a time.
func (l *loop) connect(n, parallel int, timeout time.Duration) error {
	deadline := time.Now().Add(timeout)
	first := len(l.conns)
	before := l.ready + l.closed
	for begun := 0; ; {
		for begun < n && first+begun-l.ready-l.closed < parallel {
			if err := l.dial(0); err != nil {
				return err
			}
			begun++
		}
		done := l.ready + l.closed - before
		switch {
		case l.problem != nil:
			return l.problem
		case done >= n:
			return nil
		case time.Now().After(deadline):
			return fmt.Errorf("%d of %d connections opened within %v", done, n, timeout)
		}
		if err := l.poll(50 * time.Millisecond); err != nil {
			return err
		}
	}
}

// until polls until done returns true, for at most timeout. It reports whether
// done did.
func (l *loop) until(timeout time.Duration, done func() bool) bool {
	for deadline := time.Now().Add(timeout); !done(); {
		if l.poll(20*time.Millisecond) != nil || time.Now().After(deadline) {
			return false
		}
	}
	return true
}

// run polls for a while, or until a connection is lost.
func (l *loop) run(d time.Duration) {
	l.until(d, func() bool { return l.problem != nil })
}

// poll handles what has happened on the connections, waiting for it for at
// most the given time.
func (l *loop) poll(wait time.Duration) error {
	n, err := syscall.EpollWait(l.epoll, l.events, int(wait.Milliseconds()))
	if err == syscall.EINTR {
		return nil
	}
	if err != nil {
		return err
	}
	for _, event := range l.events[:n] {
		c := l.conns[event.Fd]
		if c.state == dialing {
			l.dialed(c)
			continue
		}
		if event.Events&(syscall.EPOLLIN|syscall.EPOLLERR|syscall.EPOLLHUP) != 0 {
			l.read(c)
		}
		if event.Events&syscall.EPOLLOUT != 0 {
			l.flush(c)
		}
	}
	return nil
}

// dialed sends the request of a connection that TCP has opened.
func (l *loop) dialed(c *conn) {
	errno, err := syscall.GetsockoptInt(c.fd, syscall.SOL_SOCKET, syscall.SO_ERROR)
	if err == nil && errno != 0 {
		err = syscall.Errno(errno)
	}
	if err != nil {
		l.fail(c, err)
		return
	}
	c.state = upgrading
	c.out = fmt.Appendf(nil, upgradeRequest, l.host)
	l.flush(c)
	if len(c.out) == 0 {
		c.out = nil // frames are shorter than the request
	}
}

// read reads once, and answers all that has come with one write.
func (l *loop) read(c *conn) {
	if c.state == closed {
		return
	}
	kept := copy(l.buf, c.rest)
	n, err := syscall.Read(c.fd, l.buf[kept:])
	switch {
	case err == syscall.EAGAIN || err == syscall.EINTR:
		return
	case err != nil:
		l.fail(c, err)
		return
	case n == 0:
		l.fail(c, errClosedByServer)
		return
	}
	l.tick()
	rest, err := l.receive(c, l.buf[:kept+n])
	if err != nil {
		l.fail(c, err)
		return
	}
	if len(rest) == 0 {
		c.rest = nil
	} else {
		c.rest = append([]byte(nil), rest...)
	}
	l.flush(c)
}

// flush writes what the connection has to say, as far as the network takes it.
func (l *loop) flush(c *conn) {
	if c.state == closed {
		return
	}
	if len(c.out) > 0 {
		n, err := syscall.Write(c.fd, c.out)
		if err != nil && err != syscall.EAGAIN {
			l.fail(c, err)
			return
		}
		c.out = append(c.out[:0], c.out[max(n, 0):]...)
	}
	l.watch(c, len(c.out) > 0)
}

// watch says whether a connection waits to be written to.
func (l *loop) watch(c *conn, writing bool) {
	if c.writing == writing {
		return
	}
	c.writing = writing
	event := syscall.EpollEvent{Events: syscall.EPOLLIN, Fd: int32(c.id)}
	if writing {
		event.Events |= syscall.EPOLLOUT
	}
	_ = syscall.EpollCtl(l.epoll, syscall.EPOLL_CTL_MOD, c.fd, &event)
}

// stall stops reading a connection for good, and hearing of its end.
func (l *loop) stall(c *conn) {
	_ = syscall.EpollCtl(l.epoll, syscall.EPOLL_CTL_DEL, c.fd, nil)
}

// fail drops a connection that should have stayed.
func (l *loop) fail(c *conn, err error) {
	if l.problem == nil && c.state != closed {
		l.problem = fmt.Errorf("connection %d, %s: %w", c.id, c.state, err)
	}
	l.drop(c)
}

func (l *loop) drop(c *conn) {
	if c.state == closed {
		return
	}
	if c.state == ready {
		l.ready--
	}
	c.state = closed
	l.closed++
	_ = syscall.Close(c.fd)
}
