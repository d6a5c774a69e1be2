package tests_test

import (
	"bytes"
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/socketio-go/socketio"
	"github.com/socketio-go/socketio/internal/siotest"
)

// Answers to questions that were never asked cost nothing but their reading, for
// which gorilla allocates once.
func TestStrayAnswersCostNothing(t *testing.T) { // not parallel: it counts what is allocated
	server := socketio.NewServer(nil)
	server.On("sync", func() {})
	client := dialLoopback(t, startLoopback(t, server))
	const batch, batches = 500, 20
	requests := append(bytes.Repeat(maskedText(`43987654321["nobody asked"]`), batch), maskedText(`421["sync"]`)...)
	got := allocations(t, batch*batches, func() {
		for range batches {
			client.exchange(t, requests, frameLen(len(`431[]`)))
		}
	})
	t.Logf("%.4f allocations per answer", got)
	if got > 1*poolLoss+0.1 {
		t.Errorf("%.4f allocations per answer", got)
	}
	if n := server.Stats().LateAcks; n != 4*batch*batches { // as often as allocations plays
		t.Errorf("%d stray answers are counted", n)
	}
}

// Of those who are asked some answer, some leave, and some do neither.
func TestSomeAnswerSomeLeaveSomeDoNeither(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := siotest.ServeInMemory(t, nil)
		g := gather(t, srv, siotest.WebSocket, "ann:", "bob:", "cid:", "dan:", "eve:")
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		start := time.Now()
		done := ask(ctx, srv.Of("/"), "q")
		for name, c := range g.clients {
			id := c.WantAckRequest(`"q"`)
			switch name {
			case "ann":
				c.Write("43" + id + "[1]")
			case "bob":
				c.Write("41")
			case "cid":
				c.MemConn().Cut()
			case "dan":
				c.MemConn().Freeze()
			}
		}
		r := <-done
		siotest.WantEqual(t, "waited", time.Since(start), 5*time.Second)
		siotest.WantEqual(t, "error", r.err, context.DeadlineExceeded)
		siotest.WantEqual(t, "replies", len(r.list), 5)
		for name, want := range map[string]error{"ann": nil, "bob": socketio.ErrClosed, "cid": socketio.ErrClosed,
			"dan": context.DeadlineExceeded, "eve": context.DeadlineExceeded} {
			siotest.WantEqual(t, name, r.of(t, g.sockets[name]).Err, want)
		}
		siotest.WantEqual(t, "ann's answer", r.of(t, g.sockets["ann"]).Args.String(), "[1]")
	})
}
