// Command server is a warehouse: shops take items from its stock. It stores
// nothing. After a restart it asks each shop what it has taken.
package main

import (
	"context"
	"errors"
	"flag"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	addr := flag.String("addr", "localhost:3000", "`address` to listen on")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *addr, log.New(os.Stdout, "", 0)); err != nil {
		log.Fatal(err)
	}
}

// run serves until ctx ends.
func run(ctx context.Context, addr string, out *log.Logger) error {
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	io := newWarehouse(out).io
	web := &http.Server{Handler: io, ReadHeaderTimeout: 5 * time.Second}
	served := make(chan error, 1)
	go func() { served <- web.Serve(listener) }() // ends with web.Shutdown
	out.Print("the warehouse is on http://", listener.Addr())
	select {
	case err := <-served:
		return errors.Join(err, io.Close())
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	err = errors.Join(io.Shutdown(grace), web.Shutdown(grace))
	<-served
	return err
}
