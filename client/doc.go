// Package client connects Go programs to Socket.IO 3 and 4 servers, ours and
// others.
//
//	c, err := client.New("https://example.com", nil)
//	if err != nil {
//		return err
//	}
//	defer c.Close()
//	c.On("said", func(text string) { fmt.Println(text) })
//	if err := c.Connect(ctx); err != nil { // joined "/", or why not
//		return err
//	}
//	answer, err := c.EmitWithAck(ctx, "say", "hello")
//
// A [Client] is one connection, which its namespaces share. [Client.Of] returns
// the [Socket] of a namespace; the Client itself has the methods of that of "/".
//
// # Connecting
//
// [New] does no I/O. [Socket.Connect] joins a namespace and waits until it is
// joined or refused. When the connection is lost, the client comes back by
// itself, with random delays that grow from [Options.MinDelay] to
// [Options.MaxDelay] and begin anew after a connection that was stable. URL,
// headers and auth are asked for at every attempt. [Client.OnState] tells of
// every change.
//
// # Delivery
//
// Events of one goroutine arrive in order, at most once. While a namespace is
// not joined they are buffered, within [Options.MaxBuffer], and sent when it is
// joined, before later ones. Events that were being written when the connection
// was lost may be lost: [Stats] counts them. An event that must not be lost is
// sent with [Socket.Deliver], until the server has answered.
//
// If the server keeps what a client misses (connection state recovery), a socket
// that comes back soon enough receives it first; [Socket.Recovered] says so.
// Every event of such a server carries one string more, its position, as the last
// argument.
//
// # Handlers
//
// The handlers of a socket run one at a time, in order. They may block, and may
// call EmitWithAck: another goroutine reads on meanwhile. When MaxInbox events
// wait, the connection is not read until a handler has returned; the heartbeat
// goes on.
package client
