package tests_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/socketio-go/socketio"
	"github.com/socketio-go/socketio/internal/bubble"
	"github.com/socketio-go/socketio/internal/siotest"
)

func TestAckFunc(t *testing.T) {
	t.Parallel()
	siotest.OnEachTransport(t, func(t *testing.T, transport string) {
		acks := make(chan socketio.AckFunc, 1)
		srv := siotest.Serve(t, nil)
		srv.On("ask", func(ack socketio.AckFunc) { acks <- ack })
		c, s := srv.JoinSocket(t, transport)
		check := func(what string, got, want error) {
			t.Helper()
			if !errors.Is(got, want) {
				t.Errorf("%s: %v, want %v", what, got, want)
			}
		}

		c.Write(`427["ask"]`)
		ack := siotest.Receive(t, acks)
		c.WantNothing() // until it is called, from wherever
		check("the first call", ack("a", []byte{1}), nil)
		check("the second", ack("b"), socketio.ErrAnswered)
		c.Want(`461-7["a",{"_placeholder":true,"num":0}]`, []byte{1})

		c.Write(`428["ask"]`)
		ack = siotest.Receive(t, acks)
		results := make(chan error, 8)
		for range cap(results) {
			go func() { results <- ack() }()
		}
		answered := 0
		for range cap(results) {
			if siotest.Receive(t, results) == nil {
				answered++
			}
		}
		siotest.WantEqual(t, "calls that answered", answered, 1)
		c.Want(`438[]`)

		c.Write(`42["ask"]`) // without asking
		ack = siotest.Receive(t, acks)
		check("nobody asked", ack("x"), nil)
		check("nobody asked, again", ack("x"), nil)
		c.WantNothing()

		c.Write(`429["ask"]`)
		ack = siotest.Receive(t, acks)
		s.Disconnect()
		check("after the end", ack("x"), socketio.ErrClosed)
		c.Want(`41`)
	})
}

func TestAckIDs(t *testing.T) {
	t.Parallel()
	srv := siotest.Serve(t, nil)
	c := srv.Join(t, siotest.WebSocket)
	for id, answer := range map[string]string{"0": "0", "007": "7", "9007199254740991": "9007199254740991"} {
		c.Write(`42` + id + `["echo","x"]`)
		c.Want(`43` + answer + `["x"]`)
	}
	c.Write(`421["echo",1]`, `421["echo",2]`) // the same twice is the client's business
	c.Want(`431[1]`, `431[2]`)
}

func TestEmitWithAck(t *testing.T) {
	t.Parallel()
	siotest.OnEachTransport(t, func(t *testing.T, transport string) {
		srv := siotest.Serve(t, nil)
		c, s := srv.JoinSocket(t, transport)
		for i, answer := range [][]any{
			{`[]`},
			{`[1,"b"]`},
			{`[{"error":{"message":"no"}}]`},
		} {
			got := make(chan string, 1)
			go func() {
				args, err := s.EmitWithAck(t.Context(), "question", i)
				got <- fmt.Sprint(args, err)
			}()
			c.Want(fmt.Sprintf(`42%d["question",%d]`, i, i))
			c.Write(fmt.Sprintf(`43%d%s`, i, answer[0]))
			siotest.WantEqual(t, "answer", siotest.Receive(t, got), answer[0].(string)+" <nil>")
		}
		got := make(chan []byte, 1)
		go func() {
			args, _ := s.EmitWithAck(t.Context(), "binary", []byte{1})
			var b []byte
			args.Decode(&b)
			got <- b
		}()
		c.Want(`451-3["binary",{"_placeholder":true,"num":0}]`, []byte{1})
		c.Write(`461-3[{"_placeholder":true,"num":0}]`, []byte{2, 3})
		siotest.WantEqual(t, "binary answer", string(siotest.Receive(t, got)), "\x02\x03")
	})
}

func TestEmitWithAckInAHandler(t *testing.T) {
	t.Parallel()
	siotest.OnEachTransport(t, func(t *testing.T, transport string) {
		srv := siotest.Serve(t, nil)
		ask := func(ctx context.Context, s *socketio.Socket, depth int) (string, error) {
			args, err := s.EmitWithAck(ctx, "question", depth)
			return args.String(), err
		}
		srv.On("start", ask)
		srv.OnConnect(func(s *socketio.Socket) {
			answer, err := ask(s.Context(), s, 0)
			s.Emit("welcome", answer, err)
		})
		c := srv.Open(t, transport)
		c.Join("/", "")
		c.Want(`420["question",0]`)
		c.Write(`430["name"]`)
		c.Want(`42["welcome","[\"name\"]",null]`)
		for i := 1; i < 50; i++ {
			c.Write(fmt.Sprintf(`42%d["start",%d]`, 100+i, i), fmt.Sprintf(`42%d["echo","behind"]`, 200+i))
			c.Want(fmt.Sprintf(`42%d["question",%d]`, i, i))
			c.Write(fmt.Sprintf(`43%d["a"]`, i))
			c.Want(fmt.Sprintf(`43%d["[\"a\"]"]`, 100+i), fmt.Sprintf(`43%d["behind"]`, 200+i))
		}
	})
}

func TestEmitWithAckEndsInTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := siotest.ServeInMemory(t, &socketio.Options{AckTimeout: 5 * time.Second})
		c, s := srv.JoinSocket(t, siotest.WebSocket)
		ask := func(ctx context.Context) (time.Duration, error) {
			start := time.Now()
			_, err := s.EmitWithAck(ctx, "question")
			return time.Since(start), err
		}
		took, err := ask(t.Context())
		siotest.WantEqual(t, "without a deadline", fmt.Sprint(took, err), "5s context deadline exceeded")
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		took, err = ask(ctx)
		siotest.WantEqual(t, "with an earlier one", fmt.Sprint(took, err), "1s context deadline exceeded")
		ctx, cancel = context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		took, err = ask(ctx)
		siotest.WantEqual(t, "with a later one", fmt.Sprint(took, err), "10s context deadline exceeded")
		ctx, cancel = context.WithCancel(t.Context())
		time.AfterFunc(2*time.Second, cancel)
		took, err = ask(ctx)
		siotest.WantEqual(t, "cancelled", fmt.Sprint(took, err), "2s context canceled")
		took, err = ask(ctx)
		siotest.WantEqual(t, "cancelled before", fmt.Sprint(took, err), "0s context canceled")

		c.Want(`420["question"]`, `421["question"]`, `422["question"]`, `423["question"]`, `424["question"]`)
		c.Write(`430[]`, `431[]`, `434[]`) // late
		c.WantNothing()
	})
}

func TestAcksThatNobodyAwaits(t *testing.T) {
	t.Parallel()
	srv := siotest.Serve(t, nil)
	srv.Of("/x")
	c, s := srv.JoinSocket(t, siotest.WebSocket)
	c.Join("/x", "")
	got := make(chan string, 1)
	go func() {
		args, err := s.EmitWithAck(t.Context(), "question")
		got <- fmt.Sprint(args, err)
	}()
	c.Want(`420["question"]`)
	c.Write(`431["unknown"]`, `439007199254740991[]`, `43["no id"]`, `43`, `430`, `461-1[{"_placeholder":true,"num":0}]`, []byte("x"),
		`43/x,0["another namespace"]`)
	c.WantNothing()
	c.Write(`430["right"]`, `430["again"]`)
	siotest.WantEqual(t, "answer", siotest.Receive(t, got), `["right"] <nil>`)
	c.WantNothing()
	// Without payload, or without an id, it is no answer at all.
	siotest.WantEqual(t, "counted", srv.Stats().LateAcks, 6)
}

func TestPendingAcksAreBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := siotest.ServeInMemory(t, &socketio.Options{AckTimeout: time.Minute})
		c, s := srv.JoinSocket(t, siotest.WebSocket)
		var answers []error
		await := func(_ socketio.Args, err error) { answers = append(answers, err) }
		for range 1024 {
			if err := s.Emit("q", await); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.Emit("q", await); !errors.Is(err, socketio.ErrTooManyAcks) {
			t.Errorf("one more: %v", err)
		}
		if _, err := s.EmitWithAck(t.Context(), "q"); !errors.Is(err, socketio.ErrTooManyAcks) {
			t.Errorf("EmitWithAck: %v", err)
		}
		if err := s.Emit("not asking"); err != nil {
			t.Errorf("an event that asks nothing: %v", err)
		}
		for i := range 1024 {
			c.Want(fmt.Sprintf(`42%d["q"]`, i))
		}
		c.Want(`42["not asking"]`)
		c.Write(`43500[]`)
		c.WantNothing()
		siotest.WantEqual(t, "answers", len(answers), 1)
		if err := s.Emit("q", await); err != nil {
			t.Errorf("when one has been answered: %v", err)
		}
		c.Want(`421024["q"]`)
		srv.Advance(c, 61*time.Second) // all of them time out
		siotest.WantEqual(t, "answers", len(answers), 1025)
		if n := slices.IndexFunc(answers[1:], func(err error) bool { return !errors.Is(err, context.DeadlineExceeded) }); n >= 0 {
			t.Errorf("an answer is %v", answers[1+n])
		}
		if err := s.Emit("q", await); err != nil {
			t.Errorf("after the timeouts: %v", err)
		}
	})
}

func TestAckCallback(t *testing.T) {
	t.Parallel()
	siotest.OnEachTransport(t, func(t *testing.T, transport string) {
		synctest.Test(t, func(t *testing.T) {
			srv := siotest.ServeInMemory(t, nil)
			c, s := srv.JoinSocket(t, transport)
			answers := make(chan string, 10)
			answer := func(name string) func(socketio.Args, error) {
				return func(args socketio.Args, err error) { answers <- fmt.Sprint(name, args, err) }
			}
			s.Emit("before")
			s.Emit("first", 1, answer("first"))
			s.Emit("second", []byte{2}, answer("second"))
			s.Emit("third", answer("third"))
			s.Emit("panic", func(socketio.Args, error) { panic("!") })
			s.Emit("after")
			c.Want(`42["before"]`, `420["first",1]`, `451-1["second",{"_placeholder":true,"num":0}]`, []byte{2}, `422["third"]`, `423["panic"]`, `42["after"]`)
			c.Write(`431["b"]`, `431["b again"]`, `430["a"]`, `433[]`)
			c.WantNothing()
			siotest.WantEqual(t, "an answer", <-answers, `second["b"] <nil>`)
			siotest.WantEqual(t, "an answer", <-answers, `first["a"] <nil>`)
			siotest.WantEqual(t, "panic", siotest.WantError[*socketio.PanicError](t, srv).Value, "!")
			srv.Advance(c, 21*time.Second) // more than the default AckTimeout
			c.Write(`432["late"]`)
			c.WantNothing()
			siotest.WantEqual(t, "an answer", <-answers, `third[] context deadline exceeded`)
			siotest.WantEqual(t, "more answers", len(answers), 0)
		})
	})
}

// A callback runs like a handler: not beside another one, and in its turn.
func TestAckCallbackRunsLikeAHandler(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := siotest.ServeInMemory(t, nil)
		var log []string
		srv.On("work", func(s *socketio.Socket) {
			s.Emit("q", func(args socketio.Args, _ error) { log = append(log, "answer"+args.String()) })
			bubble.Sleep(time.Second)
			log = append(log, "work done")
		})
		srv.On("next", func() { log = append(log, "next") })
		c := srv.Join(t, siotest.WebSocket)
		c.Write(`42["work"]`)
		c.Want(`420["q"]`)
		c.Write(`42["next"]`, `430[1]`, `42["next"]`)
		bubble.Sleep(2 * time.Second)
		synctest.Wait()
		siotest.WantEqual(t, "order", strings.Join(log, ", "), "work done, next, answer[1], next")
	})
}

// An answer that waits for a handler to finish is not lost when the socket is
// disconnected meanwhile, as an event is.
func TestAckCallbackWhileDisconnecting(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := siotest.ServeInMemory(t, nil)
		release := make(chan struct{})
		srv.On("block", func() { <-release })
		srv.On("event", func() { t.Error("handled") })
		c, s := srv.JoinSocket(t, siotest.WebSocket)
		answers := make(chan string, 10)
		for range 2 {
			s.Emit("q", func(args socketio.Args, err error) { answers <- fmt.Sprint(args, err) })
		}
		c.Want(`420["q"]`, `421["q"]`)
		c.Write(`42["block"]`, `42["event"]`, `430["in time"]`, `42["event"]`)
		bubble.Sleep(time.Second)
		s.Disconnect()
		close(release)
		srv.WantDisconnect(t, s.ID(), socketio.ReasonServer)
		siotest.WantEqual(t, "an answer", <-answers, `["in time"] <nil>`)
		siotest.WantEqual(t, "an answer", <-answers, `[] socketio: closed`)
	})
}

// An answer that finds no room ends with its connection.
func TestAckCallbackWithoutRoom(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := siotest.ServeInMemory(t, &socketio.Options{MaxInbox: 1, AckTimeout: time.Hour})
		srv.On("block", func(s *socketio.Socket) { <-s.Context().Done() })
		c, s := srv.JoinSocket(t, siotest.WebSocket)
		answers := make(chan string, 10)
		s.Emit("q", func(args socketio.Args, err error) { answers <- fmt.Sprint(args, err) })
		c.Want(`420["q"]`)
		c.Write(`42["block"]`, `42["block"]`, `430["too late"]`)
		bubble.Sleep(time.Second)
		c.MemConn().Cut()
		siotest.WantEqual(t, "an answer", <-answers, `[] socketio: closed`)
		<-s.Context().Done()
	})
}

func TestAnswersFindTheirQuestions(t *testing.T) {
	t.Parallel()
	srv := siotest.Serve(t, nil)
	c, s := srv.JoinSocket(t, siotest.WebSocket)
	const n = 200
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			var got int
			args, err := s.EmitWithAck(t.Context(), "double", i)
			if err != nil || args.Decode(&got) != nil || got != 2*i {
				t.Errorf("%d was answered with %v, %v", i, args, err)
			}
		})
	}
	var answers []any
	for range n {
		var id, i int
		if _, err := fmt.Sscanf(c.Read().(string), `42%d["double",%d]`, &id, &i); err != nil {
			t.Fatal(err)
		}
		answers = append(answers, fmt.Sprintf(`43%d[%d]`, id, 2*i))
	}
	slices.Reverse(answers)
	c.Write(answers...)
	wg.Wait()
}

// An answer that comes at the moment when nobody waits any more is either the
// answer or not, and the socket is as good as before.
func TestAnswerAtTheLastMoment(t *testing.T) {
	t.Parallel()
	srv := siotest.Serve(t, nil)
	c, s := srv.JoinSocket(t, siotest.WebSocket)
	for i := range 100 {
		ctx, cancel := context.WithCancel(t.Context())
		got := make(chan string, 1)
		go func() {
			args, err := s.EmitWithAck(ctx, "q")
			got <- fmt.Sprint(args, err)
		}()
		c.Want(fmt.Sprintf(`42%d["q"]`, i))
		go cancel()
		c.Write(fmt.Sprintf(`43%d[1]`, i))
		if answer := siotest.Receive(t, got); answer != "[1] <nil>" && answer != "[] context canceled" {
			t.Errorf("the answer is %s", answer)
		}
		cancel()
	}
	c.WantNothing()
}

// A burst of events whose handlers each ask the client something is answered,
// although the answers come behind more events than MaxInbox.
func TestAnswersBehindABurst(t *testing.T) {
	t.Parallel()
	siotest.OnEachTransport(t, func(t *testing.T, transport string) {
		const burst = 200
		srv := siotest.Serve(t, nil)
		srv.On("event", func(ctx context.Context, s *socketio.Socket, i int) (string, error) {
			answer, err := s.EmitWithAck(ctx, "question", i)
			return answer.String(), err
		})
		c := srv.Join(t, transport)
		for i := range burst {
			c.Write(fmt.Sprintf(`42%d["event",%d]`, i, i))
		}
		for i := range burst {
			c.Want(fmt.Sprintf(`42%d["question",%d]`, i, i))
			c.Write(fmt.Sprintf(`43%d["yes"]`, i))
			c.Want(fmt.Sprintf(`43%d["[\"yes\"]"]`, i))
		}
	})
}
