// Package loadgen drives a Socket.IO server from outside and measures what
// that costs the server.
//
// It is one goroutine with an epoll loop and hand-written frames; no library
// takes part, so that the generator's own share of a machine stays small and
// is the same for every server. All that one read brings is answered with one
// write: with a window of 16, requests travel in batches. Frames are masked
// with a key that is not zero, as some servers skip the unmasking for zero.
// Long-polling uses goroutines and blocking connections instead, since its
// cost is nearly all the server's.
//
// Every message carries a sequence number. What is lost, doubled or out of
// order is counted in every scenario, from the first message to the last.
//
// What a server has to do to be measured is said in bench/README.md. The
// package needs Linux.
package loadgen
