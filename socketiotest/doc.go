// Package socketiotest tests programs that use socketio, without ports. Real clients talk to
// a real server over a network in memory, which tests can freeze, slow and cut. It works
// in a bubble of testing/synctest, where a ping timeout takes no time, and outside of one.
//
//	func TestSay(t *testing.T) {
//		synctest.Test(t, func(t *testing.T) {
//			h := socketiotest.Serve(t, newChat())
//			ann, bob := h.Connect("ann"), h.Connect("bob")
//			if n := socketiotest.Ask(ann, chat.Say, "hello"); n != 5 {
//				t.Errorf("the ack is %d", n)
//			}
//			bob.Expect("said", "ann", "hello")
//			bob.Link().Freeze()
//			ann.Expect("left", "bob") // after the ping timeout
//			ann.Nothing()
//		})
//	}
//
// # Expectations
//
// [Next], [Await], [Ask] and [AskError] are typed; the methods [Client.Expect],
// [Client.Until], [Client.Ask] and [Client.AskError] are not. An expectation that fails ends
// the test. The failure says what differs, which handlers run, and which packets the client
// has sent and received last. An expectation that would wait for ever fails after the
// [Patience], and says what every client waits for.
//
// # Checks at the end
//
// When a test ends, [Serve] closes the clients and the server. The test fails if the server
// does not close in time, if goroutines are left, if the server does not account for every
// message, or if it has reported an error that the test did not [Allow].
//
// # No fake sockets
//
// There is no way to make a [socketio.Socket] without a server and a client. A handler has
// effects that only clients see, in an order that only a server can decide: rooms, acks,
// backpressure, disconnection. A fake socket has another order or none, so tests with it
// pass while programs fail. A server in memory starts in microseconds.
package socketiotest
