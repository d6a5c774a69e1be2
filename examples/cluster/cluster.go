//go:build unix

package main

import (
	"context"
	"embed"
	"fmt"
	"log"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// names are those of the servers. The configurations of nginx know them, too.
var names = []string{"a", "b", "c"}

//go:embed nginx
var configurations embed.FS

// A cluster is all the processes together. They meet at Unix sockets in one
// directory, so only nginx takes a port.
type cluster struct {
	addr          string // of nginx: host:port, or unix:path
	webSocketOnly bool
	down          time.Duration // how long a crashed server stays away
	out           *log.Logger

	dir          string
	redis, nginx string // the programs
}

// run starts the cluster and stops it when ctx ends, or when a part of it that is
// not meant to has ended.
func (c *cluster) run(ctx context.Context) (err error) {
	if c.redis, err = find("redis-server", "redis-server", "redis"); err != nil {
		return err
	}
	if c.nginx, err = find("nginx", "nginx-light", "nginx"); err != nil {
		return err
	}
	if err := c.free(); err != nil {
		return err
	}
	if c.dir, err = os.MkdirTemp("", "cluster-"); err != nil {
		return err
	}
	defer os.RemoveAll(c.dir)

	redis, err := c.startRedis(ctx)
	if err != nil {
		return err
	}
	defer redis.stop()

	// The servers first, then what they need.
	serving, stop := context.WithCancel(ctx)
	var servers sync.WaitGroup
	defer servers.Wait()
	defer stop()
	up, failed := make(chan string), make(chan error, len(names))
	for _, name := range names {
		servers.Go(func() { failed <- c.keep(serving, name, up) }) // ends with serving
	}
	for range names {
		select {
		case name := <-up:
			c.out.Print("server ", name, " is up")
		case err := <-failed:
			return err
		}
	}
	nginx, err := c.startNginx(ctx)
	if err != nil {
		return err
	}
	defer func() {
		stop()
		servers.Wait()
		nginx.stop()
	}()
	c.out.Print("the chat is on ", url(c.addr), "; Ctrl-C ends it")

	for {
		select {
		case name := <-up:
			c.out.Print("server ", name, " is back")
		case err := <-failed:
			return err
		case <-nginx.done:
			return nginx.ended()
		case <-redis.done:
			return redis.ended()
		case <-ctx.Done():
			c.out.Print("stopping")
			return nil
		}
	}
}

// keep runs a server, again whenever it has died, until ctx ends.
func (c *cluster) keep(ctx context.Context, name string, up chan<- string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	argv := []string{self, "-server", name, "-dir", c.dir, fmt.Sprint("-websocket=", c.webSocketOnly)}
	for {
		p, err := start("server "+name, argv...)
		if err != nil {
			return err
		}
		if err := p.await(ctx, "unix", socket(c.dir, name)); err != nil {
			return err
		}
		select {
		case up <- name:
		case <-ctx.Done():
		}
		select {
		case <-p.done:
			c.out.Printf("server %s has died; it is back in %v", name, c.down)
		case <-ctx.Done():
			p.stop()
			return nil
		}
		select {
		case <-time.After(c.down):
		case <-ctx.Done():
			return nil
		}
	}
}

func (c *cluster) startRedis(ctx context.Context) (*process, error) {
	path := socket(c.dir, "redis")
	p, err := startForeign("redis-server", c.redis,
		"--port", "0", "--unixsocket", path, "--dir", c.dir, "--save", "", "--appendonly", "no")
	if err != nil {
		return nil, err
	}
	return p, p.await(ctx, "unix", path)
}

func (c *cluster) startNginx(ctx context.Context) (*process, error) {
	recipe := "nginx/sticky.conf"
	if c.webSocketOnly {
		recipe = "nginx/websocket.conf"
	}
	text, err := configurations.ReadFile(recipe)
	if err != nil {
		return nil, err
	}
	conf := strings.NewReplacer("DIRECTORY", c.dir, "LISTEN", strings.TrimPrefix(c.addr, ":")).Replace(string(text))
	path := filepath.Join(c.dir, "nginx.conf")
	if err := os.WriteFile(path, []byte(conf), 0o600); err != nil {
		return nil, err
	}
	argv := []string{c.nginx, "-p", c.dir, "-c", path, "-e", "stderr"}
	if os.Geteuid() == 0 { // else its workers could not use the directory
		argv = append(argv, "-g", "user root;")
	}
	p, err := startForeign("nginx", argv...)
	if err != nil {
		return nil, err
	}
	return p, p.await(ctx, network(c.addr), strings.TrimPrefix(c.addr, "unix:"))
}

// free reports an address that is in use, which nginx would try in vain for
// seconds.
func (c *cluster) free() error {
	l, err := net.Listen(network(c.addr), strings.TrimPrefix(c.addr, "unix:"))
	if err != nil {
		return fmt.Errorf("%w: choose another address with -addr", err)
	}
	return l.Close()
}

func network(addr string) string {
	if strings.HasPrefix(addr, "unix:") {
		return "unix"
	}
	return "tcp"
}

// url returns what to open.
func url(addr string) string {
	if strings.HasPrefix(addr, ":") {
		addr = "localhost" + addr
	}
	return "http://" + addr
}

// socket returns where a process of the cluster listens.
func socket(dir, name string) string { return filepath.Join(dir, name+".sock") }
