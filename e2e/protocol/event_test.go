package protocol_test

import (
	"strings"
	"testing"
)

func TestMalformedEventClosesTheConnection(t *testing.T) {
	t.Parallel()
	main := []string{"", "/custom"}
	const attachment = "bAQID"
	violate(t, []violation{
		{"no packet type", main, []string{"4"}},
		{"a letter for a type", main, []string{"4abc"}},
		{"an unknown type", main, []string{"47"}},
		{"another unknown type", main, []string{`49["message"]`}},
		{"a refusal, which servers send", main, []string{"44"}},
		{"a refusal with a message", main, []string{`44{"message":"no"}`}},

		{"an object for a payload", main, []string{"42{}"}},
		{"a string for a payload", main, []string{`42"x"`}},
		{"an empty payload", main, []string{"42[]"}},
		{"null for a name", main, []string{"42[null]"}},
		{"an object for a name", main, []string{`42[{"a":1}]`}},
		{"an array for a name", main, []string{`42[["message"]]`}},
		{"true for a name", main, []string{"42[true]"}},
		{"an array that does not end", main, []string{"42["}},
		{"an array that ends too early", main, []string{`42["message"`}},
		{"something behind the array", main, []string{`42["message"]x`}},
		{"two arrays", main, []string{`42["message"]["message"]`}},
		{"broken JSON in an argument", main, []string{`42["message",{"a":}]`}},
		{"NaN", main, []string{`42["message",NaN]`}},
		{"a comma too many", main, []string{`42["message",]`}},
		{"arrays nested 20 000 deep", main, []string{`42["message",` + strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000) + "]"}},

		{"letters for an ack id", main, []string{`42abc["message"]`}},
		{"a negative ack id", main, []string{`42-1["message"]`}},
		{"a fraction for an ack id", main, []string{`421.5["message"]`}},
		{"an object for an answer", main, []string{"430{}"}},
		{"a disconnect with a payload", main, []string{"41{}"}},

		{"the name connect", main, []string{`42["connect"]`}},
		{"the name connect_error", main, []string{`42["connect_error"]`}},
		{"the name disconnect", main, []string{`42["disconnect"]`}},
		{"the name disconnecting", main, []string{`42["disconnecting"]`}},
		{"the name newListener", main, []string{`42["newListener"]`}},
		{"the name removeListener", main, []string{`42["removeListener"]`}},

		{"a binary event without a count", main, []string{`45["message"]`}},
		{"a binary event with a count of letters", main, []string{`45x-["message"]`}},
		{"a binary event with a negative count", main, []string{`45-1-["message"]`}},
		{"a binary event with a fraction for a count", main, []string{`451.0-["message"]`}},
		{"a binary event with a count and no dash", main, []string{`451["message"]`}},
		{"a binary event with no attachments", main, []string{`450-["message"]`}},
		{"a binary event with too many attachments", main, []string{`4511-["message"]`}},
		{"a binary event with a count beyond any integer", main, []string{`4599999999999999999999-["message"]`}},
		{"a placeholder out of range", main, []string{`451-["message",{"_placeholder":true,"num":1}]`, attachment}},
		{"a placeholder with a negative number", main, []string{`451-["message",{"_placeholder":true,"num":-1}]`, attachment}},
		{"a placeholder with a fraction", main, []string{`451-["message",{"_placeholder":true,"num":0.5}]`, attachment}},
		{"a placeholder with a string", main, []string{`451-["message",{"_placeholder":true,"num":"0"}]`, attachment}},
		{"an attachment nobody announced", main, []string{attachment}},
		{"an attachment too many", main, []string{`451-["nobody-listens",{"_placeholder":true,"num":0}]`, attachment, attachment}},
		{"an event where an attachment is due", main, []string{`451-["message",{"_placeholder":true,"num":0}]`, `42["message"]`}},
		{"a disconnect where an attachment is due", main, []string{`451-["message",{"_placeholder":true,"num":0}]`, "41"}},
	})
}

func TestEventsThatLookWrongAreAccepted(t *testing.T) {
	t.Parallel()
	h := serve(t, nil)
	for _, c := range []struct {
		name    string
		send    []string
		answers []string
	}{
		{"no payload", []string{"42"}, nil},
		{"an ack id and no payload", []string{"421"}, nil},
		{"an answer without payload", []string{"43"}, nil},
		{"an answer to nothing", []string{"430[]"}, nil},
		{"an answer to nothing, with a large id", []string{"439007199254740991[1]"}, nil},
		{"a number for a name", []string{"42[1]"}, nil},
		{"a name nobody knows", []string{`42["nobody-listens",1]`}, nil},
		{"a name nobody knows, with an ack id", []string{`427["nobody-listens",1]`}, nil},
		{"the name error", []string{`42["error",1]`}, nil},
		{"an empty name", []string{`42["",1]`}, nil},
		{"names of properties", []string{`42["__proto__"]`, `42["constructor"]`, `42["toString"]`}, nil},
		{"an ack id with leading zeros", []string{`42007["message-with-ack",1]`}, []string{"437[1]"}},
		{"white space in the payload", []string{`42[ "message" , 1 ]`}, []string{`42["message-back",1]`}},
		{"an argument that looks like a placeholder", []string{`42["message",{"_placeholder":true,"num":0}]`}, []string{`42["message-back",{"_placeholder":true,"num":0}]`}},
		{ // Node sends the attachment twice
			"one attachment in two places",
			[]string{`451-["message",{"_placeholder":true,"num":0},{"_placeholder":true,"num":0}]`, "bAQID"},
			[]string{`451-["message-back",{"_placeholder":true,"num":0},{"_placeholder":true,"num":0}]`, "bAQID"},
		},
		{
			"a heartbeat between the attachments",
			[]string{`451-["message",{"_placeholder":true,"num":0}]`, "3", "bAQID"},
			[]string{`451-["message-back",{"_placeholder":true,"num":0}]`, "bAQID"},
		},
	} {
		for _, transport := range transports {
			t.Run(c.name+", "+transport.name, func(t *testing.T) {
				s := transport.open(t, h)
				join(t, s, "")
				s.send(c.send...)
				expect(t, s, c.answers...)
				echoes(t, s)
			})
		}
	}
}

// Ours: numbers keep every digit. Node has but floats.
func TestArgumentsComeBackAsTheyWere(t *testing.T) {
	t.Parallel()
	h := serve(t, nil)
	for name, args := range map[string]string{
		"none":                         ``,
		"several":                      `,1,"2",{"3":[true]},null,false`,
		"numbers":                      `,0,-0.5,1e21,123456789012345678,1.7976931348623157e308`,
		"escapes":                      `,"\"\\\b\f\n\r\t\u0000\u001e"`,
		"markup, which is not escaped": `,"<a href='x'>&</a>"`,
		"letters beyond ASCII":         `,"é漢😀"`,
		"line separators, in UTF-8":    ",\"a\u2028b\u2029c\"",
		"keys in their order":          `,{"b":1,"a":2,"__proto__":3}`,
		"arrays nested 500 deep":       "," + strings.Repeat("[", 500) + strings.Repeat("]", 500),
	} {
		t.Run(name, func(t *testing.T) {
			w := h.openWebSocket(t)
			join(t, w, "")
			w.send(`42["message"` + args + `]`)
			expect(t, w, `42["message-back"`+args+`]`)
		})
	}
}

func TestBinaryEventStaysInOnePiece(t *testing.T) {
	t.Parallel()
	h := serve(t, nil)
	const event = `453-["message",{"a":{"_placeholder":true,"num":0}},[[{"_placeholder":true,"num":1}]],"x",{"_placeholder":true,"num":2}]`
	for _, transport := range transports {
		t.Run(transport.name, func(t *testing.T) {
			c := transport.open(t, h)
			join(t, c, "")
			c.send(event, "bAA==", "b", "bAAEC", `42["message","behind"]`)
			expect(t, c, strings.Replace(event, "message", "message-back", 1), "bAA==", "b", "bAAEC", `42["message-back","behind"]`)
		})
	}
}

func TestEventOfANamespace(t *testing.T) {
	t.Parallel()
	h := serve(t, nil)
	for _, transport := range transports {
		t.Run(transport.name, func(t *testing.T) {
			c := transport.open(t, h)
			join(t, c, "/custom")
			c.send(`42/custom,["message",1]`)
			expect(t, c, `42/custom,["message-back",1]`)
			c.send(`451-/custom,["message",{"_placeholder":true,"num":0}]`, "bAQID")
			expect(t, c, `451-/custom,["message-back",{"_placeholder":true,"num":0}]`, "bAQID")
			c.send(`42/custom,12["message-with-ack",1]`)
			expect(t, c, `43/custom,12[1]`)
		})
	}
}

func TestEventRightBeforeDisconnectIsHandled(t *testing.T) {
	t.Parallel()
	h := serve(t, nil)
	listener := h.openWebSocket(t)
	join(t, listener, "")
	h.io.On("last-words", func(words string) error { return h.io.Emit("heard", words) })
	for _, transport := range transports {
		t.Run(transport.name, func(t *testing.T) {
			c := transport.open(t, h)
			join(t, c, "")
			c.send(`42["last-words","adieu"]`, "41")
			expect(t, listener, `42["heard","adieu"]`)
		})
	}
}
