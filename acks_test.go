package socketio_test

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
)

func TestAckFunc(t *testing.T) {
	t.Parallel()
	onEachTransport(t, func(t *testing.T, transport string) {
		acks := make(chan socketio.AckFunc, 1)
		srv := serve(t, nil)
		srv.On("ask", func(ack socketio.AckFunc) { acks <- ack })
		c, s := srv.joinSocket(t, transport)
		check := func(what string, got, want error) {
			t.Helper()
			if !errors.Is(got, want) {
				t.Errorf("%s: %v, want %v", what, got, want)
			}
		}

		c.write(`427["ask"]`)
		ack := receive(t, acks)
		c.wantNothing() // until it is called, from wherever
		check("the first call", ack("a", []byte{1}), nil)
		check("the second", ack("b"), socketio.ErrAnswered)
		c.want(`461-7["a",{"_placeholder":true,"num":0}]`, []byte{1})

		c.write(`428["ask"]`)
		ack = receive(t, acks)
		results := make(chan error, 8)
		for range cap(results) {
			go func() { results <- ack() }()
		}
		answered := 0
		for range cap(results) {
			if receive(t, results) == nil {
				answered++
			}
		}
		wantEqual(t, "calls that answered", answered, 1)
		c.want(`438[]`)

		c.write(`42["ask"]`) // without asking
		ack = receive(t, acks)
		check("nobody asked", ack("x"), nil)
		check("nobody asked, again", ack("x"), nil)
		c.wantNothing()

		c.write(`429["ask"]`)
		ack = receive(t, acks)
		s.Disconnect()
		check("after the end", ack("x"), socketio.ErrClosed)
		c.want(`41`)
	})
}

func TestAckIDs(t *testing.T) {
	t.Parallel()
	srv := serve(t, nil)
	c := srv.join(t, webSocket)
	for id, answer := range map[string]string{"0": "0", "007": "7", "9007199254740991": "9007199254740991"} {
		c.write(`42` + id + `["echo","x"]`)
		c.want(`43` + answer + `["x"]`)
	}
	c.write(`421["echo",1]`, `421["echo",2]`) // the same twice is the client's business
	c.want(`431[1]`, `431[2]`)
}

func TestEmitWithAck(t *testing.T) {
	t.Parallel()
	onEachTransport(t, func(t *testing.T, transport string) {
		srv := serve(t, nil)
		c, s := srv.joinSocket(t, transport)
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
			c.want(fmt.Sprintf(`42%d["question",%d]`, i, i))
			c.write(fmt.Sprintf(`43%d%s`, i, answer[0]))
			wantEqual(t, "answer", receive(t, got), answer[0].(string)+" <nil>")
		}
		got := make(chan []byte, 1)
		go func() {
			args, _ := s.EmitWithAck(t.Context(), "binary", []byte{1})
			var b []byte
			args.Decode(&b)
			got <- b
		}()
		c.want(`451-3["binary",{"_placeholder":true,"num":0}]`, []byte{1})
		c.write(`461-3[{"_placeholder":true,"num":0}]`, []byte{2, 3})
		wantEqual(t, "binary answer", string(receive(t, got)), "\x02\x03")
	})
}

func TestEmitWithAckInAHandler(t *testing.T) {
	t.Parallel()
	onEachTransport(t, func(t *testing.T, transport string) {
		srv := serve(t, nil)
		ask := func(ctx context.Context, s *socketio.Socket, depth int) (string, error) {
			args, err := s.EmitWithAck(ctx, "question", depth)
			return args.String(), err
		}
		srv.On("start", ask)
		srv.OnConnect(func(s *socketio.Socket) {
			answer, err := ask(s.Context(), s, 0)
			s.Emit("welcome", answer, err)
		})
		c := srv.open(t, transport)
		c.join("/", "")
		c.want(`420["question",0]`)
		c.write(`430["name"]`)
		c.want(`42["welcome","[\"name\"]",null]`)
		for i := 1; i < 50; i++ {
			c.write(fmt.Sprintf(`42%d["start",%d]`, 100+i, i), fmt.Sprintf(`42%d["echo","behind"]`, 200+i))
			c.want(fmt.Sprintf(`42%d["question",%d]`, i, i))
			c.write(fmt.Sprintf(`43%d["a"]`, i))
			c.want(fmt.Sprintf(`43%d["[\"a\"]"]`, 100+i), fmt.Sprintf(`43%d["behind"]`, 200+i))
		}
	})
}

func TestEmitWithAckEndsInTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := serveInMemory(t, &socketio.Options{AckTimeout: 5 * time.Second})
		c, s := srv.joinSocket(t, webSocket)
		ask := func(ctx context.Context) (time.Duration, error) {
			start := time.Now()
			_, err := s.EmitWithAck(ctx, "question")
			return time.Since(start), err
		}
		took, err := ask(t.Context())
		wantEqual(t, "without a deadline", fmt.Sprint(took, err), "5s context deadline exceeded")
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		took, err = ask(ctx)
		wantEqual(t, "with an earlier one", fmt.Sprint(took, err), "1s context deadline exceeded")
		ctx, cancel = context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		took, err = ask(ctx)
		wantEqual(t, "with a later one", fmt.Sprint(took, err), "10s context deadline exceeded")
		ctx, cancel = context.WithCancel(t.Context())
		time.AfterFunc(2*time.Second, cancel)
		took, err = ask(ctx)
		wantEqual(t, "cancelled", fmt.Sprint(took, err), "2s context canceled")
		took, err = ask(ctx)
		wantEqual(t, "cancelled before", fmt.Sprint(took, err), "0s context canceled")

		c.want(`420["question"]`, `421["question"]`, `422["question"]`, `423["question"]`, `424["question"]`)
		c.write(`430[]`, `431[]`, `434[]`) // late
		c.wantNothing()
	})
}

func TestAcksThatNobodyAwaits(t *testing.T) {
	t.Parallel()
	srv := serve(t, nil)
	srv.Of("/x")
	c, s := srv.joinSocket(t, webSocket)
	c.join("/x", "")
	got := make(chan string, 1)
	go func() {
		args, err := s.EmitWithAck(t.Context(), "question")
		got <- fmt.Sprint(args, err)
	}()
	c.want(`420["question"]`)
	c.write(`431["unknown"]`, `439007199254740991[]`, `43["no id"]`, `43`, `430`, `461-1[{"_placeholder":true,"num":0}]`, []byte("x"),
		`43/x,0["another namespace"]`)
	c.wantNothing()
	c.write(`430["right"]`, `430["again"]`)
	wantEqual(t, "answer", receive(t, got), `["right"] <nil>`)
	c.wantNothing()
	// Without payload, or without an id, it is no answer at all.
	wantEqual(t, "counted", srv.Stats().LateAcks, 6)
}

func TestPendingAcksAreBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := serveInMemory(t, &socketio.Options{AckTimeout: time.Minute})
		c, s := srv.joinSocket(t, webSocket)
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
			c.want(fmt.Sprintf(`42%d["q"]`, i))
		}
		c.want(`42["not asking"]`)
		c.write(`43500[]`)
		c.wantNothing()
		wantEqual(t, "answers", len(answers), 1)
		if err := s.Emit("q", await); err != nil {
			t.Errorf("when one has been answered: %v", err)
		}
		c.want(`421024["q"]`)
		srv.pass(c, 61*time.Second) // all of them time out
		wantEqual(t, "answers", len(answers), 1025)
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
	onEachTransport(t, func(t *testing.T, transport string) {
		synctest.Test(t, func(t *testing.T) {
			srv := serveInMemory(t, nil)
			c, s := srv.joinSocket(t, transport)
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
			c.want(`42["before"]`, `420["first",1]`, `451-1["second",{"_placeholder":true,"num":0}]`, []byte{2}, `422["third"]`, `423["panic"]`, `42["after"]`)
			c.write(`431["b"]`, `431["b again"]`, `430["a"]`, `433[]`)
			c.wantNothing()
			wantEqual(t, "an answer", <-answers, `second["b"] <nil>`)
			wantEqual(t, "an answer", <-answers, `first["a"] <nil>`)
			wantEqual(t, "panic", wantError[*socketio.PanicError](t, srv).Value, "!")
			srv.pass(c, 21*time.Second) // more than the default AckTimeout
			c.write(`432["late"]`)
			c.wantNothing()
			wantEqual(t, "an answer", <-answers, `third[] context deadline exceeded`)
			wantEqual(t, "more answers", len(answers), 0)
		})
	})
}

// A callback runs like a handler: not beside another one, and in its turn.
func TestAckCallbackRunsLikeAHandler(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := serveInMemory(t, nil)
		var log []string
		srv.On("work", func(s *socketio.Socket) {
			s.Emit("q", func(args socketio.Args, _ error) { log = append(log, "answer"+args.String()) })
			<-time.After(time.Second)
			log = append(log, "work done")
		})
		srv.On("next", func() { log = append(log, "next") })
		c := srv.join(t, webSocket)
		c.write(`42["work"]`)
		c.want(`420["q"]`)
		c.write(`42["next"]`, `430[1]`, `42["next"]`)
		<-time.After(2 * time.Second)
		synctest.Wait()
		wantEqual(t, "order", strings.Join(log, ", "), "work done, next, answer[1], next")
	})
}

// An answer that waits for a handler to finish is not lost when the socket is
// disconnected meanwhile, as an event is.
func TestAckCallbackWhileDisconnecting(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := serveInMemory(t, nil)
		release := make(chan struct{})
		srv.On("block", func() { <-release })
		srv.On("event", func() { t.Error("handled") })
		c, s := srv.joinSocket(t, webSocket)
		answers := make(chan string, 10)
		for range 2 {
			s.Emit("q", func(args socketio.Args, err error) { answers <- fmt.Sprint(args, err) })
		}
		c.want(`420["q"]`, `421["q"]`)
		c.write(`42["block"]`, `42["event"]`, `430["in time"]`, `42["event"]`)
		<-time.After(time.Second)
		s.Disconnect()
		close(release)
		srv.wantLeft(t, s.ID(), socketio.ReasonServer)
		wantEqual(t, "an answer", <-answers, `["in time"] <nil>`)
		wantEqual(t, "an answer", <-answers, `[] socketio: closed`)
	})
}

// An answer that finds no room ends with its connection.
func TestAckCallbackWithoutRoom(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := serveInMemory(t, &socketio.Options{MaxInbox: 1, AckTimeout: time.Hour})
		srv.On("block", func(s *socketio.Socket) { <-s.Context().Done() })
		c, s := srv.joinSocket(t, webSocket)
		answers := make(chan string, 10)
		s.Emit("q", func(args socketio.Args, err error) { answers <- fmt.Sprint(args, err) })
		c.want(`420["q"]`)
		c.write(`42["block"]`, `42["block"]`, `430["too late"]`)
		<-time.After(time.Second)
		c.conn().Cut()
		wantEqual(t, "an answer", <-answers, `[] socketio: closed`)
		<-s.Context().Done()
	})
}

func TestAnswersFindTheirQuestions(t *testing.T) {
	t.Parallel()
	srv := serve(t, nil)
	c, s := srv.joinSocket(t, webSocket)
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
		if _, err := fmt.Sscanf(c.read().(string), `42%d["double",%d]`, &id, &i); err != nil {
			t.Fatal(err)
		}
		answers = append(answers, fmt.Sprintf(`43%d[%d]`, id, 2*i))
	}
	slices.Reverse(answers)
	c.write(answers...)
	wg.Wait()
}

// An answer that comes at the moment when nobody waits any more is either the
// answer or not, and the socket is as good as before.
func TestAnswerAtTheLastMoment(t *testing.T) {
	t.Parallel()
	srv := serve(t, nil)
	c, s := srv.joinSocket(t, webSocket)
	for i := range 100 {
		ctx, cancel := context.WithCancel(t.Context())
		got := make(chan string, 1)
		go func() {
			args, err := s.EmitWithAck(ctx, "q")
			got <- fmt.Sprint(args, err)
		}()
		c.want(fmt.Sprintf(`42%d["q"]`, i))
		go cancel()
		c.write(fmt.Sprintf(`43%d[1]`, i))
		if answer := receive(t, got); answer != "[1] <nil>" && answer != "[] context canceled" {
			t.Errorf("the answer is %s", answer)
		}
		cancel()
	}
	c.wantNothing()
}

// A burst of events whose handlers each ask the client something is answered,
// although the answers come behind more events than MaxInbox.
func TestAnswersBehindABurst(t *testing.T) {
	t.Parallel()
	onEachTransport(t, func(t *testing.T, transport string) {
		const burst = 200
		srv := serve(t, nil)
		srv.On("event", func(ctx context.Context, s *socketio.Socket, i int) (string, error) {
			answer, err := s.EmitWithAck(ctx, "question", i)
			return answer.String(), err
		})
		c := srv.join(t, transport)
		for i := range burst {
			c.write(fmt.Sprintf(`42%d["event",%d]`, i, i))
		}
		for i := range burst {
			c.want(fmt.Sprintf(`42%d["question",%d]`, i, i))
			c.write(fmt.Sprintf(`43%d["yes"]`, i))
			c.want(fmt.Sprintf(`43%d["[\"yes\"]"]`, i))
		}
	})
}
