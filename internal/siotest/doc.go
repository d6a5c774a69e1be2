// Package siotest is the harness of the library's own tests: servers, on the
// loopback interface or in memory, and raw clients that read and write packets.
package siotest
