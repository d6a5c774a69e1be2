// Package soak has no code of its own, only tests: a server in a process of
// its own and, over TCP, crowds of clients that are healthy, slow, gone or
// hostile. They run for seconds among the other tests, and at their full size
// and as long as wanted with `make soak` and `make chaos`. They need Linux.
package soak
