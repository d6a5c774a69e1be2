#!/usr/bin/env bash
# Runs the official test suites: those of the protocols against the fixture, or
# that of the official client on the browser client of this repository.
#
#   e2e/suites.sh CHECKOUT [RUNS]
#   e2e/suites.sh --client CHECKOUT [RUNS]
#
# CHECKOUT is a directory with a clone of https://github.com/socketio/socket.io,
# of which docs/ and packages/socket.io-client/test/ are used. It is not
# changed: the suites are copied, given their npm packages and run RUNS times,
# once if not said. They are not ours, so neither they nor the copy belong in
# this repository.
#
# With SUITES_URL set, those of the protocols run against the server there
# instead, such as reference/server.mjs. That of the client has its own server,
# the official one, on port 3210.
set -euo pipefail

suite=protocols
[ "${1:-}" != --client ] || { suite=client; shift; }
checkout=$(realpath "${1:?usage: suites.sh [--client] CHECKOUT [RUNS]}")
runs=${2:-1}
cd "$(dirname "$0")"

work=$(mktemp -d)
fixture=
finish() {
	[ -z "$fixture" ] || kill "$fixture" 2>/dev/null || true
	rm -rf "$work"
}
trap finish EXIT

failed=0
protocols() {
	local suites=(engine.io-protocol/v3-test-suite engine.io-protocol/v4-test-suite socket.io-protocol/v5-test-suite) suite line
	for suite in "${suites[@]}"; do
		mkdir -p "$work/$suite"
		cp -r "$checkout/docs/$suite/." "$work/$suite"
		[ -d "$work/$suite/node_modules" ] || (cd "$work/$suite" && npm ci --no-audit --no-fund >/dev/null)
	done

	if [ -z "${SUITES_URL:-}" ]; then
		go build -o "$work/fixture" ./cmd/fixture
		mkfifo "$work/output"
		"$work/fixture" -addr 127.0.0.1:0 >"$work/output" &
		fixture=$!
		read -r line <"$work/output"
		SUITES_URL=http://${line#listening on }
	fi

	for ((run = 1; run <= runs; run++)); do
		for suite in "${suites[@]}"; do
			printf '== run %d of %d: %s\n' "$run" "$runs" "$suite"
			sed -i "s|http://[a-z0-9.]*:[0-9]*|$SUITES_URL|" "$work/$suite/test-suite.js"
			(cd "$work/$suite" && npx --no-install mocha --reporter dot test-suite.js) || failed=$((failed + 1))
		done
	done
}

# What is left out of the client's suite, by title, and why: 9 of the 97 tests
# that run in Node.js. Two files are left out as a whole: url.ts (9 tests) calls
# a function of the official build, and node.ts (5) is about autoUnref, an option
# for Node.js alone.
left_out=(
	'connect_error event when reaching a Socket.IO server in v2' # calls socket.onpacket; see browserclient/faults.test.mjs
	'close the engine upon decoding exception'                   # emits on the engine; see browserclient/faults.test.mjs
	'overridden setTimeout by default'                           # replaces the timers of the server in the same process, too
	'native setTimeout with useNativeSetTimers'                  # an option for tests with such timers: there is none here
	'should enable compression by default'                       # packets have no options: compression is the browser's business
	'should disable compression'                                 # the same
	'should not ack upon disconnection \(callback\)'             # reads socket.acks, which is private here
	'with an error upon disconnection \(callback & timeout\)'    # the same
	'buffer the event and send it upon reconnection'             # sets the engine's deadline; see browserclient/faults.test.mjs
)

client() {
	local versions=(mocha@10.8.2 tsx@4.19.4 expect.js@0.3.1 @sinonjs/fake-timers@11.2.2 text-blob-builder@0.0.1
		has-cors@1.1.0 base64-arraybuffer@1.0.2 blob@0.1.0 engine.io-client@6.6.3 socket.io@4.8.1 ws@8.18.3)
	mkdir -p "$work/client"
	cp -r "$checkout/packages/socket.io-client/test" "$work/client"
	cp ../browser/socket.io.js "$work/client"
	cd "$work/client"
	echo '{ "private": true }' >package.json
	npm install --no-audit --no-fund --ignore-scripts "${versions[@]}" >/dev/null
	# What a page has and Node.js lacks.
	cat >index.js <<-'JS'
		globalThis.WebSocket = require("ws");
		globalThis.location = new URL("http://localhost:3210/");
		const io = require("./socket.io.js");
		module.exports = { io, Manager: io.Manager, Socket: io.Socket };
	JS
	printf 'import "./test/%s";\n' connection socket connection-state-recovery retry >suite.ts
	local pattern
	pattern=$(IFS='|' && echo "${left_out[*]}")
	for ((run = 1; run <= runs; run++)); do
		printf '== run %d of %d: the client without %d tests, see suites.sh\n' "$run" "$runs" "${#left_out[@]}"
		npx --no-install mocha --reporter dot --import=tsx --require test/support/hooks.ts --timeout 10000 --exit \
			--grep "$pattern" --invert suite.ts || failed=$((failed + 1))
	done
}

"$suite"
[ "$failed" -eq 0 ] || { echo "$failed runs failed" >&2; exit 1; }
echo "all runs passed"
