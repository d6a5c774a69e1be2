// Package adapter is the contract between a server and the bus that connects
// it to the other servers of a cluster.
//
// An adapter moves messages and translates them into the format that the others
// speak. What a message means, who receives an event, what is answered and
// how long answers are awaited, is the server's business. Package adaptertest
// has the tests that every adapter passes.
package adapter

import (
	"context"
	"errors"
	"time"
)

// An Adapter connects the namespaces of one server to those of the same name on
// others. Its methods are called concurrently.
type Adapter interface {
	// Join takes a seat in a namespace. It does not wait for the bus: what is
	// published before the seat is ready waits with everything else. A server
	// has one seat in a namespace at a time: it joins again only after it has
	// called Leave. Nothing of host is called before Join has returned, unless on
	// another goroutine.
	Join(namespace string, host Host) Member
}

// A Host is the server's side of a seat. Its methods may be called
// concurrently, except Deliver, and do not wait for the bus; none is called
// under a lock that a method of Member takes.
type Host interface {
	// Deliver handles a message of another server. It is called for one message
	// at a time, for those of one server in the order in which it published
	// them, and never for what this server published. m and all that it refers to
	// are the adapter's again when Deliver returns.
	Deliver(m *Message)
	// Wants reports whether this server has a socket in any of the rooms, or any
	// socket at all if there is no room. A Broadcast without an ID for rooms
	// that are not wanted need not be decoded or delivered.
	Wants(rooms ...string) bool
	// Lost counts messages that other servers did not get from this one, or this
	// one not from others, as far as the adapter can know, and reports why. n is 0 if
	// it is not known how many.
	Lost(n int, reason error)
	// Status says whether the member hears the other servers and is heard by them: err
	// is nil if so, and otherwise says why not. It is called when that changes, and when
	// the reason does; until the first call the member is connecting. It is not called
	// when the member leaves.
	Status(err error)
	// Malformed counts what was received and not understood, and reports why.
	Malformed(reason error)
}

// A RoomLister is a [Host] that knows which rooms its server has in the
// namespace. Servers of other implementations may ask for that; from a host that is
// none, they hear that there are no rooms.
type RoomLister interface {
	Host
	// Rooms returns the names of all rooms, those of single sockets included.
	Rooms() []string
}

// A Member is a server's seat in one namespace. Its methods are called
// concurrently.
type Member interface {
	// ID is the name by which other servers know this seat.
	ID() string
	// Ready waits until this member hears the other servers and is heard by them:
	// everything is subscribed, and what it publishes is neither refused nor lost. It
	// returns nil at once while that holds, ctx's error, with the reason if one is
	// known, when ctx ends first, and [ErrLeft] after Leave, also while the member is
	// leaving.
	Ready(ctx context.Context) error
	// Publish sends m to the other servers, or to m.To alone. It does not wait
	// for the bus, and keeps nothing of m. What one goroutine publishes arrives
	// in that order. The error says that m will not be sent: [ErrBacklog] when too
	// much is waiting for the bus already, [ErrLeft] after Leave, or that the
	// format can't say it.
	Publish(m *Message) error
	// Peers returns the other servers that are believed alive and would answer
	// what is published now. A server that has lost its connection for a moment is one
	// of them. If that can't be known, for connections are lost or the bus changes its
	// topology, it fails: then a question waits for its context.
	Peers(ctx context.Context) (Peers, error)
	// Leave gives up the seat, without waiting. It may be called again. Like Join, it
	// calls nothing of the host itself. The channel is closed when
	// what was published is on the bus, or can't be sent within a few seconds,
	// and nothing of the seat runs any more.
	Leave() <-chan struct{}
}

// A RoomWatcher is a [Member] that listens only for the rooms of its server.
type RoomWatcher interface {
	Member
	// RoomChanged says that the room may have got its first socket on this
	// server or lost its last: Host.Wants tells. It does not wait, and calls nothing
	// else of the host.
	RoomChanged(room string)
}

// A LogBus is a [Member] of a bus that keeps what is recorded, in one order for
// all servers, and the sessions of clients that were cut off: so that a client
// recovers its session on whatever server it comes back to. A server uses it as
// such if it is asked for recovery.
//
// Every recorded message has a position, a number that grows, and an offset, by
// which clients know the position. Position 0 is before all of them.
type LogBus interface {
	Member
	// Record is Publish for a Broadcast without an ID, which is kept. Host.Deliver
	// is called for it on this server, too, once: with its Position, in the
	// order of the log; or, if the bus does not take it within a second or so, without a position,
	// in the order of recording. In that case no session is restored across
	// the gap.
	//
	// The first message that a Recorder delivers is a Position: the end of the log
	// when the seat became ready. A Position may also stand for recorded messages that are not
	// wanted.
	Append(m *Message) error
	// Position returns the position of an offset; Offset is its inverse.
	Position(offset string) (position int64, ok bool)
	Offset(position int64) string
	// Save keeps a session, without waiting, for at most ttl.
	SaveSession(s *Session, ttl time.Duration) error
	// Take returns a session that was saved, and forgets it: it is taken once. It
	// returns nil if there is none.
	TakeSession(ctx context.Context, pid string) (*Session, error)
	// Since returns the recorded messages behind a position, to the end of the log, in order. The error
	// wraps [ErrEvicted] if some of them may not be kept any more. Those
	// that Host.Wants would not want are among them.
	ReadAfter(ctx context.Context, position int64) ([]*Message, error)
}

// A Session is what is kept of a client that was cut off.
type Session struct {
	PID    string // a secret, by which the client comes back
	ID     string // of the socket
	Rooms  []string
	Data   []byte // a JSON object, with placeholders for Binary
	Binary [][]byte
	State  []byte // JSON that other implementations don't know, and don't keep; may be nil
}

// Peers are the other servers of a namespace.
type Peers struct {
	Count int
	// IDs are their names, if the bus knows them all; otherwise it is nil.
	IDs []string
}

// Kind says what a message asks for, or what it answers.
type Kind uint8

// The kinds of message. The rooms and exceptions of all but answers say which
// sockets are meant, as those of an emitter do: no room means all of them.
const (
	// Broadcast sends Data, an event, to sockets. With an ID, every server
	// answers with Clients at once and with Acked for every client's answer.
	Broadcast Kind = iota + 1
	// Join makes sockets enter Targets, Leave makes them leave those.
	Join
	Leave
	// Disconnect makes sockets leave the namespace, and their connections be
	// closed if Close is set.
	Disconnect
	// Reconnect closes the connections of sockets so that their clients come back
	// by themselves. Other implementations do not know it; they have to ignore it.
	Reconnect
	// Fetch asks for Fetched, Count for Clients.
	Fetch
	Count
	// Emit hands Data, an event, to the server itself. With an ID, a server
	// that handles it answers with Emitted.
	Emit
	// Position says how far this server has read the log of a [LogBus].
	Position

	// Clients says how many sockets are meant, in Count.
	Clients
	// Acked has a client's answer in Data, unless the client left without one
	// and Failed is set.
	Acked
	// Fetched describes sockets, in Data.
	Fetched
	// Emitted has a server's answer in Data.
	Emitted
)

// IsResponse reports whether k answers a message: one with the same ID.
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

// A Message is what servers tell each other.
type Message struct {
	Kind Kind
	// From is the sending server's ID; it is empty if the format does not tell, and
	// [Emitter] if a program outside the cluster sent it. Publish ignores it.
	From string
	// To is the server that an answer is for.
	To string
	// ID pairs answers with what they answer; it is 16 hexadecimal digits, or
	// whatever another implementation uses.
	ID string
	// Seq, if not 0, numbers what From sends to this namespace, on buses that may
	// repeat messages or change their order: one that comes late or twice is
	// ignored, and gaps are counted as lost. Publish ignores it.
	Seq uint64
	// Position is where a [LogBus] has it in its log.
	Position int64

	Rooms, Except []string
	// Only, of a Broadcast, says that Rooms has the ID of one socket, and that
	// the message is for that socket alone: not for others that have joined a room
	// of that name, and also if the socket has left that room. A format that other
	// implementations share may be unable to tell them; they then take it for a room.
	Only     bool
	Volatile bool
	Compress Compression
	// Timeout is how long answers to ID are awaited.
	Timeout time.Duration

	Targets []string // rooms to enter or leave
	Close   bool     // of Disconnect
	Count   int      // of Clients
	Failed  bool     // of Acked

	// Data is JSON: of Broadcast and Emit, an array of the event's name and its
	// arguments; of Acked and Emitted, an array of the answer's arguments, of
	// which formats may keep only the first; of Fetched, an array of sockets.
	// Binary arguments are placeholders, {"_placeholder":true,"num":0}, for the
	// elements of Binary; several may stand for the same element. Where there are such
	// elements, data that looks like a placeholder has its key written with an
	// escape, "\u005fplaceholder".
	Data   []byte
	Binary [][]byte
}

// ExternalSender is the name of every sender outside the cluster.
const ExternalSender = "emitter"

// Compression says whether an event is to be compressed.
type Compression int8

// The zero Compression leaves it to the receiving server.
const (
	CompressNever  Compression = -1
	CompressAlways Compression = 1
)

// Errors of [Member.Publish].
var (
	ErrBacklog = errors.New("socketio: cluster: too much is waiting for the bus")
	ErrLeft    = errors.New("socketio: cluster: the seat was given up")
	// ErrEvicted is an error of [LogBus].
	ErrEvicted = errors.New("socketio: cluster: not in the log any more")
)
