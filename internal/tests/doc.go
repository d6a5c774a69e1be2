// Package tests holds the tests of the library's behaviour: they use what package
// socketio exports, as applications do. The prefix of a file is its topic. What such
// a test needs, servers and raw clients, is in package siotest.
package tests
