//go:build linux

package soak_test

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"runtime"
	"runtime/metrics"
	"runtime/pprof"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/socketio-go/socketio"
)

// serverEnv makes this binary a server; it holds a setup.
const serverEnv = "SOAK_SERVER"

// A setup says how the server in the other process is to be.
type setup struct {
	Addr       string // to listen on; "" means any
	Options    options
	Recovery   time.Duration // the window; 0 means none
	Admit      time.Duration // how long the application takes to admit a client
	SendBuffer int           // bytes that the system keeps for a connection; 0 means as it likes
}

// options are the fields of socketio.Options that tests set.
type options struct {
	PingInterval, PingTimeout, UpgradeTimeout, ConnectTimeout, WriteTimeout time.Duration

	MaxPayload, MaxQueue       int64
	MaxHandshakes, Compression int
}

// A state is what a server tells of itself.
type state struct {
	socketio.Stats

	Goroutines int
	FDs        int
	Heap       uint64            // live, after a garbage collection
	Memory     uint64            // all that the runtime has taken from the system
	Reasons    map[string]uint64 // OnDisconnect
	Errors     map[string]uint64 // OnError, by its beginning
	Connects   uint64            // OnConnect
	Admitting  int64             // the most handshakes that were under way at a time
	WorstSlow  time.Duration     // the longest that a client that did not read was borne with
}

// A host is the application in the server's process.
type host struct {
	io        *socketio.Server
	admitting atomic.Int64
	most      atomic.Int64
	connects  atomic.Uint64

	mu        sync.Mutex // guards the following
	reasons   map[string]uint64
	errors    map[string]uint64
	poured    map[string]time.Time // when a client was first sent more than it reads
	worstSlow time.Duration
}

const maxHeaderBytes = 16 << 10

// serve is the server's process. It says where it listens and ends with stdin.
func serve(spec string) error {
	var s setup
	if err := json.Unmarshal([]byte(spec), &s); err != nil {
		return err
	}
	h := &host{reasons: make(map[string]uint64), errors: make(map[string]uint64), poured: make(map[string]time.Time)}
	opts := &socketio.Options{
		PingInterval:     s.Options.PingInterval,
		PingTimeout:      s.Options.PingTimeout,
		UpgradeTimeout:   s.Options.UpgradeTimeout,
		ConnectTimeout:   s.Options.ConnectTimeout,
		WriteTimeout:     s.Options.WriteTimeout,
		MaxPayload:       s.Options.MaxPayload,
		MaxQueue:         s.Options.MaxQueue,
		MaxHandshakes:    s.Options.MaxHandshakes,
		CompressMinBytes: s.Options.Compression,
		OnError:          h.onError,
		AllowRequest:     func(r *http.Request) error { return h.admit(r.Context(), s.Admit) },
	}
	if s.Recovery > 0 {
		opts.Recovery = &socketio.Recovery{Window: s.Recovery}
	}
	h.io = socketio.NewServer(opts)
	h.register()

	runtime.MemProfileRate = 16 << 10 // for profile

	var l, control net.Listener
	var err error
	for deadline := time.Now().Add(patience); ; { // its predecessor may still be ending
		if l, err = net.Listen("tcp", cmp.Or(s.Addr, "127.0.0.1:0")); err == nil || time.Now().After(deadline) {
			break
		}
		<-time.After(10 * time.Millisecond)
	}
	if err == nil {
		control, err = net.Listen("tcp", "127.0.0.1:0")
	}
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.Handle("/socket.io/", h.io)
	server := &http.Server{
		Handler:           mux,
		ErrorLog:          log.New(io.Discard, "", 0),
		ReadHeaderTimeout: 8 * time.Second,
		IdleTimeout:       time.Hour, // else it may close a connection just as a POST comes,
		MaxHeaderBytes:    maxHeaderBytes,
	}
	if s.SendBuffer > 0 {
		l = narrowed{l, s.SendBuffer}
	}
	go server.Serve(l)
	orders := http.NewServeMux()
	orders.HandleFunc("/state", h.tell)
	orders.HandleFunc("/heap", func(w http.ResponseWriter, _ *http.Request) { pprof.Lookup("heap").WriteTo(w, 0) })
	orders.HandleFunc("/shutdown", func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), patience)
		defer cancel()
		if err := errors.Join(h.io.Shutdown(ctx), server.Shutdown(ctx)); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	})
	go http.Serve(control, orders)
	fmt.Println(l.Addr(), control.Addr())
	_, _ = io.Copy(io.Discard, os.Stdin)
	return nil
}

func (h *host) admit(ctx context.Context, d time.Duration) error {
	defer h.admitting.Add(-1)
	n := h.admitting.Add(1)
	for most := h.most.Load(); n > most && !h.most.CompareAndSwap(most, n); most = h.most.Load() {
	}
	if d > 0 {
		pause(ctx, d)
	}
	return nil
}

func (h *host) onError(_ *socketio.Socket, err error) {
	text := err.Error()
	if i := strings.IndexAny(text, `"0123456789`); i > 0 { // without what differs
		text = text[:i]
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.errors[text]++
}

func (h *host) register() {
	io := h.io
	io.OnConnect(func(s *socketio.Socket) { h.connects.Add(1) })
	io.OnDisconnect(func(s *socketio.Socket, reason socketio.Reason) {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.reasons[string(reason)]++
		if since, ok := h.poured[s.ID()]; ok {
			h.worstSlow = max(h.worstSlow, time.Since(since))
			delete(h.poured, s.ID())
		}
	})
	io.OfMatch(func(name string) bool { return strings.HasPrefix(name, "/many-") })
	io.Of("/a")
	io.Of("/b")
	io.On("echo", func(args socketio.Args) socketio.Args { return args })
	io.On("sync", func() {})
	io.On("join", func(s *socketio.Socket, rooms ...string) error { return s.Join(rooms...) })
	io.On("leave", func(s *socketio.Socket, rooms ...string) { s.Leave(rooms...) })
	// An event is numbered by who says it. A binary one says again whose it is.
	io.On("say", func(s *socketio.Socket, emitter string, number int, room string, others, binary bool) error {
		e := io.Broadcast()
		switch {
		case others && room != "":
			e = s.To(room)
		case others:
			e = s.Broadcast()
		case room != "":
			e = io.To(room)
		}
		if binary {
			return e.Emit("said", emitter, number, []byte(fmt.Sprint(emitter, " ", number)))
		}
		return e.Emit("said", emitter, number)
	})
	// What a latency is measured with.
	io.On("stamp", func(at int64, filler string) error { return io.To("room").Emit("stamp", at, filler) })
	io.On("pour", func(s *socketio.Socket, count, size int) {
		h.mu.Lock()
		if _, ok := h.poured[s.ID()]; !ok && s.Context().Err() == nil {
			h.poured[s.ID()] = time.Now()
		}
		h.mu.Unlock()
		for i := range count {
			if s.Emit("poured", strings.Repeat(strconv.Itoa(i%10), size)) != nil {
				return
			}
		}
	})
	// What the network takes is not in the queue, so it is filled behind that.
	io.On("brim", func(s *socketio.Socket, size int) {
		const piece = 8 << 10
		others := h.io.Stats().QueuedBytes // which do not change any more
		full := time.Now()
		for s.Connected() && time.Since(full) < 100*time.Millisecond {
			if h.io.Stats().QueuedBytes < others+int64(size) {
				_ = s.Emit("poured", strings.Repeat("x", piece))
				full = time.Now()
			} else { // though the network may still take some of it
				pause(s.Context(), 10*time.Millisecond)
			}
		}
	})
	io.On("block", func(ctx context.Context) { <-ctx.Done() })
	io.On("fill", func(string) {})
}

func (h *host) tell(w http.ResponseWriter, r *http.Request) {
	var mem runtime.MemStats
	if r.FormValue("gc") != "" {
		for range 3 { // what only pools and finalizers hold, too
			runtime.GC()
		}
	}
	runtime.ReadMemStats(&mem)
	memory := []metrics.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}
	metrics.Read(memory)
	fds, _ := os.ReadDir("/proc/self/fd")
	h.mu.Lock()
	defer h.mu.Unlock()
	json.NewEncoder(w).Encode(state{
		Stats:      h.io.Stats(),
		Goroutines: runtime.NumGoroutine(),
		FDs:        len(fds),
		Heap:       mem.HeapAlloc,
		Memory:     memory[0].Value.Uint64() - memory[1].Value.Uint64(),
		Reasons:    h.reasons,
		Errors:     h.errors,
		Connects:   h.connects.Load(),
		Admitting:  h.most.Load(),
		WorstSlow:  h.worstSlow,
	})
}

// A narrowed listener bounds what the system keeps to be sent.
type narrowed struct {
	net.Listener
	size int
}

func (l narrowed) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err == nil {
		err = c.(*net.TCPConn).SetWriteBuffer(l.size)
	}
	return c, err
}
