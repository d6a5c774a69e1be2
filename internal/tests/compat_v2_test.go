package tests_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/socketio-go/socketio"
	"github.com/socketio-go/socketio/internal/siotest"
)

// v2 is a server that admits clients of Socket.IO v2.
var v2 = &socketio.Options{AllowEIO3: true}

func TestV2ClientsAreRefusedByDefault(t *testing.T) {
	t.Parallel()
	srv := siotest.Serve(t, nil)
	for _, transport := range []string{siotest.WebSocket, siotest.Polling} {
		r, _ := http.NewRequestWithContext(t.Context(), "GET", srv.URL+"?EIO=3&transport="+transport, nil)
		if transport == siotest.WebSocket {
			r.Header = http.Header{"Upgrade": {"websocket"}, "Connection": {"Upgrade"}, "Sec-Websocket-Version": {"13"}, "Sec-Websocket-Key": {"AAAAAAAAAAAAAAAAAAAAAA=="}}
		}
		resp, err := srv.HTTP.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		var body struct{ Code int }
		if json.NewDecoder(resp.Body).Decode(&body) != nil || body.Code != 5 || resp.StatusCode != 400 {
			t.Errorf("%s: %s, code %d", transport, resp.Status, body.Code)
		}
		resp.Body.Close()
	}
}

func TestV2ClientIsInTheMainNamespace(t *testing.T) {
	t.Parallel()
	srv := siotest.Serve(t, v2)
	connected := make(chan *socketio.Socket, 1)
	srv.OnConnect(func(s *socketio.Socket) {
		connected <- s
		_ = s.Emit("welcome")
	})
	c, sid := srv.OpenV2(t)
	c.Want("40", `42["welcome"]`)
	s := siotest.Receive(t, connected)
	siotest.WantEqual(t, "id", s.ID(), sid)
	siotest.WantEqual(t, "auth", s.Handshake().Auth.Len(), 0)
	siotest.WantEqual(t, "rooms", fmt.Sprint(s.Rooms()), fmt.Sprint([]string{sid}))
	siotest.WantEqual(t, "EIO", s.Handshake().URL.Query().Get("EIO"), "3")
	siotest.WantEqual(t, "answer", c.Ask(`["echo",1,"é"]`), `[1,"é"]`)
	c.Write(`451-["echo",{"_placeholder":true,"num":0}]`, []byte("\x04\x01\x02"))
	_ = srv.To(sid).Emit("by id", []byte{3})
	c.Want(`451-["by id",{"_placeholder":true,"num":0}]`, []byte("\x04\x03"))
	c.Write("41")
	srv.WantDisconnect(t, sid, socketio.ReasonClient)
}

func TestV2ClientSendsBinary(t *testing.T) {
	t.Parallel()
	srv := siotest.Serve(t, v2)
	srv.On("reverse", func(b []byte) []byte { return []byte{b[1], b[0]} })
	c, _ := srv.JoinV2(t)
	c.Write(`451-7["reverse",{"_placeholder":true,"num":0}]`, []byte("\x04\x01\x02"))
	c.Want(`461-7[{"_placeholder":true,"num":0}]`, []byte("\x04\x02\x01"))
}

func TestV2ClientWaitsForMiddleware(t *testing.T) {
	t.Parallel()
	srv := siotest.Serve(t, v2)
	pass := make(chan struct{})
	srv.Use(func(context.Context, *socketio.Socket) error { <-pass; return nil })
	srv.Of("/other")
	c, _ := srv.OpenV2(t)
	c.Write("40/other,")
	c.Want("40/other,") // does not wait for it
	close(pass)
	c.Want("40")
	c.WantNothing()
}

func TestV2ClientRefused(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		err  error
		want string
	}{
		{"with a message", socketio.Errorf("not <you>"), `"not <you>"`},
		{"with data", &socketio.Error{Message: "no", Data: json.RawMessage(`{"code": 1}`)}, `{"code":1}`},
		{"with data that is text", &socketio.Error{Message: "no", Data: json.RawMessage(`"why"`)}, `"why"`},
		{"with data that is not JSON", &socketio.Error{Message: "no", Data: json.RawMessage(`{`)}, `"no"`},
		{"without saying why", errors.New("secret"), `"Connection refused"`},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			srv := siotest.Serve(t, v2)
			refuse := func(context.Context, *socketio.Socket) error { return test.err }
			srv.Use(refuse)
			srv.Of("/private").Use(refuse)
			srv.Of("/public").On("sync", func() {})
			c, _ := srv.OpenV2(t)
			c.Want("44" + test.want)
			c.Write("40/private,")
			c.Want("44/private," + test.want)
			c.Write("40/nowhere?a=1,")
			c.Want(`44/nowhere,"Invalid namespace"`)
			c.Write("40/public,") // the connection is still good
			c.Want("40/public,")
		})
	}
}

func TestV2ClientThatIsNowhere(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := siotest.ServeInMemory(t, &socketio.Options{AllowEIO3: true, ConnectTimeout: time.Second})
		srv.Use(func(context.Context, *socketio.Socket) error { return socketio.Errorf("no") })
		c, _ := srv.OpenV2(t)
		c.Want(`44"no"`)
		begin := time.Now()
		c.WantClosed()
		siotest.WantEqual(t, "time to join something", time.Since(begin), time.Second)
	})
}

func TestV2Namespace(t *testing.T) {
	t.Parallel()
	srv := siotest.Serve(t, v2)
	auths := make(chan string, 1)
	chat := srv.Of("/chat")
	chat.OnConnect(func(s *socketio.Socket) { auths <- s.Handshake().Auth.String() })
	chat.On("who", func(s *socketio.Socket) string { return s.ID() })
	for query, want := range map[string]string{
		"":                       `[]`,
		"?":                      `[]`,
		"?token=abc":             `[{"token":"abc"}]`,
		"?b=2&a=1":               `[{"a":"1","b":"2"}]`,
		"?a=1&a=2":               `[{"a":"2"}]`,
		"?a":                     `[{"a":""}]`,
		"?=1":                    `[{"":"1"}]`,
		"?a=%C3%A9+%26%2C%22<>":  `[{"a":"é &,\"<>"}]`,
		"?a=é":                   `[{"a":"é"}]`,
		"?a=1&b=%zz&c=3":         `[{"a":"1","c":"3"}]`,
		"?a=%ff":                 `[{"a":"�"}]`,
		"?a=b?c=d":               `[{"a":"b?c=d"}]`,
		"?__proto__=1&a.b=2&[]=": `[{"[]":"","__proto__":"1","a.b":"2"}]`,
	} {
		c, sid := srv.JoinV2(t)
		c.Write("40/chat" + query + ",")
		c.Want("40/chat,")
		siotest.WantEqual(t, "auth for "+query, siotest.Receive(t, auths), want)
		c.Write(`42/chat,1["who"]`)
		c.Want(`43/chat,1["/chat#` + sid + `"]`)
		c.Write("41/chat,", "40/chat,") // it may come back
		c.Want("40/chat,")
		siotest.Receive(t, auths)
	}
}

func TestV2NamespaceOfATemplate(t *testing.T) {
	t.Parallel()
	srv := siotest.Serve(t, v2)
	srv.OfMatch(regexp.MustCompile(`^/room-\d$`).MatchString).
		On("where", func(s *socketio.Socket) string { return s.Namespace().Name() })
	c, _ := srv.JoinV2(t)
	c.Write("40/room-1?token=x,")
	c.Want("40/room-1,")
	c.Write(`42/room-1,1["where"]`)
	c.Want(`43/room-1,1["/room-1"]`)
	c.Write("40/room-x?token=x,")
	c.Want(`44/room-x,"Invalid namespace"`)
}

func TestV2ViolationsEndTheConnection(t *testing.T) {
	t.Parallel()
	srv := siotest.Serve(t, v2)
	srv.Of("/chat")
	healthy, _ := srv.JoinV2(t)
	for name, packets := range map[string][]any{
		"a second CONNECT to the main namespace": {"40"},
		"a CONNECT twice":                        {"40/chat,", "40/chat?a=1,"},
		"an event for where it is not":           {`42/chat,["a"]`},
		"a malformed event":                      {"42{}"},
		"an attachment nobody announced":         {[]byte("\x04\x01")},
		"binary data without its type":           {`451-["a",{"_placeholder":true,"num":0}]`, []byte("\x01")},
	} {
		t.Run(name, func(t *testing.T) {
			c, sid := srv.JoinV2(t)
			c.Write(packets...)
			for {
				if _, err := c.Next(); err != nil {
					break
				}
			}
			if left := siotest.Receive(t, srv.Disconnects); left.ID != sid {
				t.Errorf("%s left", left.ID)
			}
		})
	}
	siotest.WantEqual(t, "answer", healthy.Ask(`["echo",1]`), `[1]`)
}

// A v2 client comes back to a namespace with the id it had. The socket that is
// leaving must not take the new one with it.
func TestV2ClientComesBackWithItsID(t *testing.T) {
	t.Parallel()
	srv := siotest.Serve(t, v2)
	chat := srv.Of("/chat")
	var left sync.WaitGroup
	chat.OnDisconnect(func(*socketio.Socket, socketio.Reason) { left.Done() })
	c, sid := srv.JoinV2(t)
	c.Write("40/chat,")
	c.Want("40/chat,")
	for range 200 {
		left.Add(1)
		c.Write("41/chat,", "40/chat,")
		c.Want("40/chat,")
	}
	left.Wait()
	s, ok := chat.LocalSocket("/chat#" + sid)
	if !ok || !s.Connected() {
		t.Fatal("the socket is not there any more")
	}
	_ = chat.To(s.ID()).Emit("once")
	c.Want(`42/chat,["once"]`)
	c.WantNothing()
}

func TestV2ClientIsNotRecovered(t *testing.T) {
	t.Parallel()
	srv := siotest.Serve(t, &socketio.Options{AllowEIO3: true, Recovery: &socketio.Recovery{}})
	srv.Of("/chat").OnConnect(func(s *socketio.Socket) { _ = s.Emit("recovered", s.Recovered()) })

	// What a later client comes back with is in nobody's hands but its own.
	current := srv.Open(t, siotest.WebSocket)
	current.Write("40/chat,")
	text, _ := current.Read().(string)
	var answer struct{ SID, PID string }
	if err := json.Unmarshal([]byte(strings.TrimPrefix(text, "40/chat,")), &answer); err != nil || answer.PID == "" {
		t.Fatalf("%s: %v", text, err)
	}
	current.Read()
	current.Wire.Close()

	c, sid := srv.JoinV2(t)
	c.Write("40/chat?pid=" + answer.PID + ",")
	c.Want("40/chat,")
	text, _ = c.Read().(string)
	if !strings.HasPrefix(text, `42/chat,["recovered",false,`) {
		t.Errorf("got %s", text)
	}
	if _, ok := srv.Of("/chat").LocalSocket("/chat#" + sid); !ok {
		t.Error("it has another id")
	}
}

func TestV2ClientsShutDown(t *testing.T) {
	t.Parallel()
	srv := siotest.Serve(t, v2)
	c, sid := srv.JoinV2(t)
	done := make(chan error, 1)
	go func() { done <- srv.Shutdown(t.Context()) }()
	c.WantClosed()
	if err := siotest.Receive(t, done); err != nil {
		t.Error(err)
	}
	srv.WantDisconnect(t, sid, socketio.ReasonShutdown)
}

func TestV2IDIsNotLogged(t *testing.T) {
	t.Parallel()
	var log strings.Builder
	srv := siotest.Serve(t, &socketio.Options{AllowEIO3: true, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	srv.Of("/chat").On("fail", func() error { return errors.New("broken") })
	c, sid := srv.JoinV2(t)
	c.Write("40/chat,", `42/chat,1["fail"]`)
	c.Want("40/chat,", `43/chat,1[{"error":{"message":"internal error"}}]`)
	siotest.Receive(t, srv.Errors)
	if got := log.String(); strings.Contains(got, sid) || !strings.Contains(got, "/chat#"+sid[:8]+"…") {
		t.Errorf("logged %s", got)
	}
}

// Pages that poll by scripts send no Origin.
func TestScriptOrigins(t *testing.T) {
	t.Parallel()
	const listed = "https://listed.example"
	for _, test := range []struct {
		name      string
		header    http.Header
		allowed   bool // by the default
		byListing bool
		byAll     bool
	}{
		{"a page of the server's own, said by the browser", http.Header{"Sec-Fetch-Site": {"same-origin"}}, true, true, true},
		{"a page of the server's own, by its address", http.Header{"Referer": {"http://%s/page"}}, true, true, true},
		{"a listed page", http.Header{"Sec-Fetch-Site": {"cross-site"}, "Referer": {listed + "/page?a=b"}}, false, true, true},
		{"a listed page in an old browser", http.Header{"Referer": {listed + "/"}}, false, true, true},
		{"a listed page that posts a form", http.Header{"Origin": {listed}}, false, true, true},
		{"another page", http.Header{"Sec-Fetch-Site": {"cross-site"}, "Referer": {"https://evil.example/"}}, false, false, true},
		{"another page in an old browser", http.Header{"Referer": {"https://evil.example/"}}, false, false, true},
		{"a page whose address looks like a listed one", http.Header{"Referer": {"https://listed.example.evil/"}}, false, false, true},
		{"a page with a listed one in its address", http.Header{"Referer": {"https://evil.example/" + listed}}, false, false, true},
		{"a page with a listed one as its user", http.Header{"Referer": {"https://listed.example@evil.example/"}}, false, false, true},
		{"another page that hides its address", http.Header{"Sec-Fetch-Site": {"cross-site"}}, false, false, true},
		{"a page of the same site that hides its address", http.Header{"Sec-Fetch-Site": {"same-site"}}, false, false, true},
		{"a page that says nothing at all", http.Header{}, false, false, true},
		{"an address that is none", http.Header{"Referer": {"about:blank"}}, false, false, true},
		{"an address that can't be parsed", http.Header{"Referer": {"http://[::1"}}, false, false, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			for _, c := range []struct {
				origins []string
				want    bool
			}{{nil, test.allowed}, {[]string{listed}, test.byListing}, {[]string{"*"}, test.byAll}} {
				srv := siotest.Serve(t, &socketio.Options{AllowEIO3: true, Origins: c.origins})
				r, _ := http.NewRequestWithContext(t.Context(), "GET", srv.URL+"?EIO=3&transport=polling&j=0", nil)
				for key, values := range test.header {
					r.Header.Set(key, strings.ReplaceAll(values[0], "%s", r.URL.Host))
				}
				resp, err := srv.HTTP.Do(r)
				if err != nil {
					t.Fatal(err)
				}
				resp.Body.Close()
				want := http.StatusForbidden
				if c.want {
					want = http.StatusOK
				}
				if resp.StatusCode != want {
					t.Errorf("with origins %q: %s, want %d", c.origins, resp.Status, want)
				}
			}
		})
	}
}
