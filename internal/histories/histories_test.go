package histories_test

import (
	"strings"
	"sync"
	"testing"

	"github.com/socketio-go/socketio/internal/histories"
)

// A script writes a history step by step.
type script struct{ log histories.Log }

func (s *script) connect(name string) { s.log.Connect(name)(false) }
func (s *script) recover(name string) { s.log.Connect(name)(true) }
func (s *script) join(name string)    { s.log.Join(name, "room")(true) }
func (s *script) leave(name string)   { s.log.Leave(name, "room")(true) }
func (s *script) get(name string, numbers ...int) {
	for _, n := range numbers {
		s.log.Receive(name, histories.Event{Emitter: "e", Number: n})
	}
}

// emit emits an event with the next number.
func (s *script) emit(number int, change ...func(*histories.Emission)) {
	s.begin(number, change...)(true)
}

func (s *script) begin(number int, change ...func(*histories.Emission)) (done func(bool)) {
	e := histories.Emission{Event: histories.Event{Emitter: "e", Number: number}}
	for _, fn := range change {
		fn(&e)
	}
	return s.log.Emit(e)
}

func toRoom(e *histories.Emission)     { e.Rooms = []string{"room"} }
func exceptRoom(e *histories.Emission) { e.Except = []string{"room"} }
func onlyA(e *histories.Emission)      { e.Only = "a" }
func fromA(e *histories.Emission)      { e.Sender = "a" }
func volatile(e *histories.Emission)   { e.Volatile = true }

func TestCheck(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		play func(s *script)
		want string // "" if nothing is wrong
	}{
		{"nothing happened", func(s *script) {}, ""},
		{"everything arrived", func(s *script) {
			s.connect("a")
			s.emit(1)
			s.emit(2)
			s.get("a", 1, 2)
			s.log.Settle("a")
		}, ""},
		{"an event is lost", func(s *script) {
			s.connect("a")
			s.emit(1)
			s.emit(2)
			s.get("a", 2)
			s.log.Settle("a")
		}, "client a: never received e #1"},
		{"an event comes after the client had settled", func(s *script) {
			s.connect("a")
			s.emit(1)
			s.log.Settle("a")
			s.get("a", 1)
		}, "client a: never received e #1"},
		{"an event is still on its way", func(s *script) {
			s.connect("a")
			s.log.Settle("a")
			s.emit(1)
		}, ""},
		{"an event comes twice", func(s *script) {
			s.connect("a")
			s.emit(1)
			s.get("a", 1, 1)
		}, "client a: received e #1 twice"},
		{"events are out of order", func(s *script) {
			s.connect("a")
			s.emit(1)
			s.emit(2)
			s.get("a", 2, 1)
		}, "client a: received e #1 after #2"},
		{"different emitters have no order", func(s *script) {
			s.connect("a")
			s.emit(2)
			s.log.Emit(histories.Emission{Event: histories.Event{Emitter: "f", Number: 1}})(true)
			s.get("a", 2)
			s.log.Receive("a", histories.Event{Emitter: "f", Number: 1})
			s.log.Settle("a")
		}, ""},
		{"an event comes from nowhere", func(s *script) {
			s.connect("a")
			s.get("a", 7)
		}, "client a: received e #7, which nobody emitted"},
		{"an event is emitted twice", func(s *script) {
			s.emit(1)
			s.emit(1)
		}, "e #1 was emitted twice: the test is wrong"},
		{"an event comes too early", func(s *script) {
			s.emit(1)
			s.get("a", 1)
		}, "client a: received e #1 before it connected"},
		{"binary parts are mixed up", func(s *script) {
			s.connect("a")
			s.emit(1)
			s.emit(2)
			one, two := histories.Event{Emitter: "e", Number: 1}, histories.Event{Emitter: "e", Number: 2}
			s.log.Receive("a", one, one, two)
		}, "client a: received e #1 with a part of e #2"},
		{"a volatile event need not come", func(s *script) {
			s.connect("a")
			s.emit(1, volatile)
			s.log.Settle("a")
		}, ""},
		{"an event that could not be emitted need not come", func(s *script) {
			s.connect("a")
			s.begin(1)(false)
			s.log.Settle("a")
		}, ""},

		{"a room's event does not come after the join", func(s *script) {
			s.connect("a")
			s.join("a")
			s.emit(1, toRoom)
			s.log.Settle("a")
		}, "client a: never received e #1"},
		{"a room's event comes before the join", func(s *script) {
			s.connect("a")
			s.emit(1, toRoom)
			s.join("a")
			s.get("a", 1)
		}, "client a: received e #1, which was not for it"},
		{"a room's event comes after the leave", func(s *script) {
			s.connect("a")
			s.join("a")
			s.leave("a")
			s.emit(1, toRoom)
			s.get("a", 1)
		}, "client a: received e #1, which was not for it"},
		{"a room's event was emitted before the leave", func(s *script) {
			s.connect("a")
			s.join("a")
			s.emit(1, toRoom)
			s.leave("a")
			s.get("a", 1)
			s.log.Settle("a")
		}, ""},
		{"a join that failed is none", func(s *script) {
			s.connect("a")
			s.log.Join("a", "room")(false)
			s.emit(1, toRoom)
			s.get("a", 1)
		}, "client a: received e #1, which was not for it"},
		{"a concurrent join may come first", func(s *script) {
			s.connect("a")
			done := s.log.Join("a", "room")
			s.emit(1, toRoom)
			s.emit(2, toRoom)
			s.get("a", 2)
			s.log.Settle("a")
			done(true)
		}, ""},
		{"a concurrent leave may come first", func(s *script) {
			s.connect("a")
			s.join("a")
			emitted := s.begin(1, toRoom)
			s.leave("a")
			emitted(true)
			s.log.Settle("a")
		}, ""},
		{"joining twice is joining once", func(s *script) {
			s.connect("a")
			s.join("a")
			done := s.log.Join("a", "room")
			s.emit(1, toRoom)
			done(true)
			s.log.Settle("a")
		}, "client a: never received e #1"},
		{"an excepted room gets it", func(s *script) {
			s.connect("a")
			s.join("a")
			s.emit(1, exceptRoom)
			s.get("a", 1)
		}, "client a: received e #1, which was not for it"},
		{"who is not excepted lacks it", func(s *script) {
			s.connect("a")
			s.join("a")
			s.leave("a")
			s.emit(1, exceptRoom)
			s.log.Settle("a")
		}, "client a: never received e #1"},
		{"the sender gets it", func(s *script) {
			s.connect("a")
			s.emit(1, fromA)
			s.get("a", 1)
		}, "client a: received e #1, which was not for it"},
		{"another than the only one gets it", func(s *script) {
			s.connect("a")
			s.connect("b")
			s.emit(1, onlyA)
			s.get("a", 1)
			s.get("b", 1)
			s.log.Settle("a")
			s.log.Settle("b")
		}, "client b: received e #1, which was not for it"},

		{"a recovered client has a gap", func(s *script) {
			s.connect("a")
			s.emit(1)
			s.emit(2)
			s.recover("a")
			s.get("a", 2)
			s.log.Settle("a")
		}, "client a: never received e #1"},
		{"a recovered client has everything", func(s *script) {
			s.connect("a")
			s.join("a")
			s.emit(1, toRoom)
			s.get("a", 1)
			s.emit(2, toRoom)
			s.recover("a")
			s.emit(3, toRoom)
			s.get("a", 2, 3)
			s.log.Settle("a")
		}, ""},
		{"a client that begins anew may have a gap, and is in no room", func(s *script) {
			s.connect("a")
			s.join("a")
			s.emit(1)
			s.connect("a")
			s.emit(2, toRoom)
			s.emit(3)
			s.get("a", 3)
			s.log.Settle("a")
		}, ""},
		{"a client that begins anew gets what is old", func(s *script) {
			s.connect("a")
			s.emit(1)
			s.connect("a")
			s.get("a", 1)
		}, "client a: received e #1, which was emitted before it connected anew"},
		{"a client that had settled before it began anew", func(s *script) {
			s.connect("a")
			s.emit(1)
			s.log.Settle("a")
			s.connect("a")
			s.log.Settle("a")
		}, "client a: never received e #1"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var s script
			test.play(&s)
			got := ""
			if err := s.log.Check(); err != nil {
				got = err.Error()
			}
			if got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestOnlyThoseWhoHaveConnectedMove(t *testing.T) {
	t.Parallel()
	defer func() {
		if r := recover(); r == nil || !strings.Contains(r.(string), "a moves") {
			t.Errorf("recovered %v", r)
		}
	}()
	new(script).join("a")
}

func TestConcurrentUse(t *testing.T) {
	t.Parallel()
	var s script
	s.connect("a")
	var wg sync.WaitGroup
	for _, emitter := range []string{"x", "y"} {
		wg.Go(func() {
			for i := range 100 {
				e := histories.Event{Emitter: emitter, Number: i}
				s.log.Emit(histories.Emission{Event: e})(true)
				s.log.Receive("a", e, e)
			}
		})
	}
	wg.Wait()
	s.log.Settle("a")
	if err := s.log.Check(); err != nil {
		t.Error(err)
	}
}
