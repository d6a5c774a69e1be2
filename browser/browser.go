// Package browser holds the Socket.IO client for web pages that servers offer
// next to their endpoint: plain JavaScript in one file, without a build step.
// Its first lines say what it is and how a page uses it.
package browser

import _ "embed"

// Client is the source of the client, a classic script in UTF-8 that defines
// the global function io. Do not modify it: all servers of a process share it.
//
//go:embed socket.io.js
var Client []byte
