// Package suite runs the scenarios of loadgen on this library and on what it
// is compared with, and turns what it finds into tables, plots and a verdict.
//
// Every run has a fresh server process. Servers take turns within a case and
// cases within a repetition, so that a busy minute of the machine hits all of
// them. Unless a case says otherwise, the server has one CPU to itself and the
// generator another: both fighting for the same two makes rates and tail
// latencies jump.
package suite
