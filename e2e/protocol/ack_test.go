package protocol_test

import (
	"context"
	"testing"

	"github.com/socketio-go/socketio"
)

func TestServerAnswers(t *testing.T) {
	t.Parallel()
	h := serve(t, nil)
	for _, transport := range transports {
		for _, c := range []struct {
			name          string
			send, answers []string
		}{
			{"with the arguments", []string{`4212["message-with-ack",1,2]`}, []string{"4312[1,2]"}},
			{"with none", []string{`420["message-with-ack"]`}, []string{"430[]"}},
			{"with the largest id", []string{`429007199254740991["message-with-ack",1]`}, []string{"439007199254740991[1]"}},
			{
				"with binary",
				[]string{`451-13["message-with-ack",{"_placeholder":true,"num":0}]`, "bAQID"},
				[]string{`461-13[{"_placeholder":true,"num":0}]`, "bAQID"},
			},
		} {
			t.Run(transport.name+" "+c.name, func(t *testing.T) {
				s := transport.open(t, h)
				join(t, s, "")
				s.send(c.send...)
				expect(t, s, c.answers...)
			})
		}
	}
}

// asking is a host that asks a client who says "ask", and says "answered" with
// the answer.
func asking(t *testing.T) *host {
	t.Helper()
	h := serve(t, nil)
	h.io.On("ask", func(ctx context.Context, s *socketio.Socket, args socketio.Args) error {
		answer, err := s.EmitWithAck(ctx, "question", args)
		if err != nil {
			return err
		}
		return s.Emit("answered", answer)
	})
	return h
}

func TestServerAsks(t *testing.T) {
	t.Parallel()
	h := asking(t)
	for _, transport := range transports {
		t.Run(transport.name, func(t *testing.T) {
			c := transport.open(t, h)
			join(t, c, "")
			c.send(`42["ask","who?"]`)
			expect(t, c, `420["question","who?"]`) // ids count from 0
			c.send(`430["me",1]`)
			expect(t, c, `42["answered","me",1]`)
			c.send(`451-["ask",{"_placeholder":true,"num":0}]`, "bAQID")
			expect(t, c, `451-1["question",{"_placeholder":true,"num":0}]`, "bAQID")
			c.send(`461-1[{"_placeholder":true,"num":0}]`, "bBAUG")
			expect(t, c, `451-["answered",{"_placeholder":true,"num":0}]`, "bBAUG")
		})
	}
}

func TestAnswersNobodyWaitsForAreIgnored(t *testing.T) {
	t.Parallel()
	h := asking(t)
	w := h.openWebSocket(t)
	join(t, w, "")
	w.send(`42["ask"]`)
	expect(t, w, `420["question"]`)
	w.send(`431["unknown"]`, `430["first"]`, `430["again"]`)
	expect(t, w, `42["answered","first"]`)
	echoes(t, w)
}

func TestAnswerOfOneSocketIsNotAnothersAnswer(t *testing.T) {
	t.Parallel()
	h := asking(t)
	asked, other := h.openWebSocket(t), h.openWebSocket(t)
	join(t, asked, "")
	join(t, other, "")
	asked.send(`42["ask"]`)
	expect(t, asked, `420["question"]`)
	other.send(`430["mine"]`)
	echoes(t, other)
	asked.send(`430["yours"]`)
	expect(t, asked, `42["answered","yours"]`)
}
