// Package adapter is the contract between a server and the bus that connects it to the
// other servers of a cluster.
//
// An adapter moves messages and translates them into the format of the bus. The server
// decides what a message means, which sockets receive an event, how it responds to a
// request, and how long it waits for responses. Package adaptertest has the tests that
// every adapter passes; package emitter emits from programs that are not servers.
package adapter

import (
	"context"
	"errors"
	"time"
)

// An Adapter connects the namespaces of one server to those of the same name on
// others. Its methods are called concurrently.
type Adapter interface {
	// Join makes the server a member of a namespace. It does not wait for the bus:
	// messages that are published before the member is ready wait in its queue. A server
	// has one member in a namespace at a time: it joins again only after it has called
	// Leave. Join must not call host synchronously.
	Join(namespace string, host Host) Member
}

// A Host is the server's side of a member. Its methods may be called concurrently,
// except Deliver. They do not wait for the bus. None is called under a lock that a
// method of Member takes.
type Host interface {
	// Deliver handles a message of another server. It is called for one message at a
	// time, and for the messages of one server in the order in which it published them.
	// It is never called for what this server published with Publish. When Deliver
	// returns, the adapter may reuse m and all that it refers to.
	Deliver(m *Message)
	// Wants reports whether this server has a socket in any of the rooms, or any socket
	// at all if no room is given. An adapter need not decode or deliver a Broadcast
	// without an ID whose rooms are not wanted.
	Wants(rooms ...string) bool
	// Lost counts messages that other servers did not get from this one, or this one
	// from others, as far as the adapter knows, and reports the reason. n is 0 if their
	// number is not known.
	Lost(n int, reason error)
	// Status reports whether the member receives from the other servers and they receive
	// from it: err is nil if so, and otherwise the reason. It is called when that or the
	// reason changes. Until the first call the member is connecting. It is not called
	// when the member leaves.
	Status(err error)
	// Malformed counts a message that was received and not understood, and reports the
	// reason.
	Malformed(reason error)
}

// A RoomLister is a [Host] that knows which rooms its server has in the namespace.
// Servers of other implementations may request them. If the host is not a RoomLister,
// the response is an empty list.
type RoomLister interface {
	Host
	// Rooms returns the names of all rooms, including the own rooms of sockets.
	Rooms() []string
}

// A Member is a server's part in one namespace of the cluster. Its methods are called
// concurrently.
type Member interface {
	// ID is the name by which other servers know this member.
	ID() string
	// Ready waits until this member receives from the other servers and they receive
	// from it: all subscriptions are made, and what it publishes is neither refused nor
	// lost. While that holds, Ready returns nil at once. If ctx ends first, it returns
	// ctx's error, with the reason if one is known. After Leave it returns [ErrLeft],
	// also while the member is leaving.
	Ready(ctx context.Context) error
	// Publish sends m to the other servers, or only to m.To. It does not wait for the
	// bus, and keeps nothing of m. Messages that one goroutine publishes arrive in that
	// order. An error says that m will not be sent: [ErrBacklog] if too many bytes wait
	// for the bus already, [ErrLeft] after Leave, or that the format has no such
	// message.
	Publish(m *Message) error
	// Peers returns the other servers that are believed alive and would respond to a
	// request that is published now. A server that has lost its connection for a moment
	// is one of them. Peers fails if they can't be known, since connections are lost or
	// the bus changes its topology. The request then waits for its context.
	Peers(ctx context.Context) (Peers, error)
	// Leave makes the member leave the namespace, without waiting. It may be called
	// again. Like Join, it must not call the host synchronously. The channel is closed
	// when nothing of the member runs any more, and what it published is on the bus or
	// can't be sent within a few seconds.
	Leave() <-chan struct{}
}

// A RoomWatcher is a [Member] that subscribes only to the rooms that its server has.
type RoomWatcher interface {
	Member
	// RoomChanged says that the room may have got its first socket on this server or
	// lost its last; Host.Wants reports which. It does not wait. The only method of the
	// host that it may call is Wants.
	RoomChanged(room string)
}

// A LogBus is a [Member] of a bus that keeps an event log, in one order for all servers,
// and the saved sessions. So clients recover their sessions on any server. The server
// uses it as a LogBus if recovery is on.
//
// Every log entry has a position, a number that grows, and an offset, by which clients
// know the position. Position 0 is before the first entry.
type LogBus interface {
	Member
	// Append is Publish for a Broadcast without an ID that is kept in the log.
	// Host.Deliver is called for it once, on this server too: with its Position, in the
	// order of the log. If the bus does not take it within about a second, it is
	// delivered without a position, in the order of the calls. In that case no session
	// is restored across the gap.
	//
	// The first message that a LogBus delivers is a Position: the end of the log when
	// the member became ready. A Position may also stand for entries that are not
	// wanted.
	Append(m *Message) error
	// Position returns the position of an offset; Offset is its inverse.
	Position(offset string) (position int64, ok bool)
	Offset(position int64) string
	// SaveSession keeps a session for at most ttl. It does not wait.
	SaveSession(s *Session, ttl time.Duration) error
	// TakeSession returns a saved session and removes it from the bus, so that it is
	// taken once. It returns nil if there is none.
	TakeSession(ctx context.Context, pid string) (*Session, error)
	// ReadAfter returns the entries behind a position, to the end of the log, in order.
	// The error wraps [ErrEvicted] if some of them may have been evicted. Entries that
	// Host.Wants would not want are included.
	ReadAfter(ctx context.Context, position int64) ([]*Message, error)
}

// A Session is what is kept of a disconnected client.
type Session struct {
	PID    string // the secret by which the client resumes it
	ID     string // the socket's ID
	Rooms  []string
	Data   []byte // a JSON object, with placeholders for Binary
	Binary [][]byte
	State  []byte // JSON that other implementations ignore and drop; may be nil
}

// Peers are the other servers of a namespace.
type Peers struct {
	Count int
	// IDs are their names, if the bus knows them all; otherwise it is nil.
	IDs []string
}

// Kind says what a message requests, or which response it is.
type Kind uint8

// The kinds of message. Rooms and Except of all but responses say which sockets a
// message is for, as those of an emitter do. No room means all sockets.
const (
	// Broadcast sends an event, in Data, to sockets. With an ID it is a request: every
	// server responds with Clients at once, and with Acked for the ack of every client.
	Broadcast Kind = iota + 1
	// Join makes sockets join the rooms in Targets, Leave makes them leave those.
	Join
	Leave
	// Disconnect disconnects sockets from the namespace, and closes their connections if
	// Close is set.
	Disconnect
	// Reconnect closes the connections of sockets so that their clients reconnect. Other
	// implementations do not know it; they must ignore it.
	Reconnect
	// Fetch requests Fetched, Count requests Clients.
	Fetch
	Count
	// Emit sends an event, in Data, to the servers themselves. With an ID, a server that
	// handles it responds with Emitted.
	Emit
	// Position reports how far this server has read the log of a [LogBus].
	Position

	// Clients is the number of matching sockets, in Count.
	Clients
	// Acked is a client's ack, in Data. If Failed is set, the client has disconnected
	// without an ack.
	Acked
	// Fetched describes sockets, in Data.
	Fetched
	// Emitted is a server's response to Emit, in Data.
	Emitted
)

// IsResponse reports whether k is a response. It has the ID of the request.
func (k Kind) IsResponse() bool { return k >= Clients && k <= Emitted }

// String returns the kind's name.
func (k Kind) String() string {
	names := [...]string{"unknown", "broadcast", "join", "leave", "disconnect", "reconnect", "fetch", "count", "emit", "position",
		"clients", "acked", "fetched", "emitted"}
	if int(k) >= len(names) {
		k = 0
	}
	return names[k]
}

// A Message is what servers send each other.
type Message struct {
	Kind Kind
	// From is the sending server's ID. It is empty if the format does not carry it, and
	// [ExternalSender] for a program outside the cluster. Publish ignores it.
	From string
	// To is the server that a response is for.
	To string
	// ID pairs responses with requests. It has 16 hexadecimal digits, or is what another
	// implementation uses.
	ID string
	// Seq, if not 0, numbers the messages of From in this namespace, on buses that may
	// repeat or reorder messages. One that comes late or twice is ignored, and gaps are
	// counted as lost. Publish ignores it.
	Seq uint64
	// Position is that of the entry in the log of a [LogBus].
	Position int64

	Rooms, Except []string
	// Only, of a Broadcast, says that Rooms has the ID of one socket, and that the
	// message is only for that socket. Other sockets in a room of that name do not
	// receive it, and the socket receives it also if it has left that room. A format of
	// other implementations may be unable to carry this; their servers then take it for
	// a room.
	Only     bool
	Volatile bool
	Compress Compression
	// Timeout is how long the sender waits for responses.
	Timeout time.Duration

	Targets []string // rooms to join or leave
	Close   bool     // of Disconnect
	Count   int      // of Clients
	Failed  bool     // of Acked

	// Data is JSON. Of Broadcast and Emit it is an array of the event's name and its
	// arguments; of Acked and Emitted an array of the response's arguments, of which
	// formats may keep only the first; of Fetched an array of sockets. Placeholders,
	// {"_placeholder":true,"num":0}, stand for the elements of Binary; several may stand
	// for the same element. If there are such elements, data that looks like a
	// placeholder has its key written with an escape, "\u005fplaceholder".
	Data   []byte
	Binary [][]byte
}

// ExternalSender is the name of every external sender: a program outside the cluster.
const ExternalSender = "emitter"

// Compression says whether an event is compressed.
type Compression int8

// The zero Compression leaves the decision to the receiving server.
const (
	CompressNever  Compression = -1
	CompressAlways Compression = 1
)

// Errors of [Member.Publish].
var (
	ErrBacklog = errors.New("socketio: cluster: too much is waiting for the bus")
	ErrLeft    = errors.New("socketio: cluster: left the namespace")
	// ErrEvicted is an error of [LogBus]: entries may have been evicted.
	ErrEvicted = errors.New("socketio: cluster: not in the log any more")
)
