#!/usr/bin/env bash
# Runs the official protocol test suites against the fixture.
#
#   e2e/suites.sh CHECKOUT [RUNS]
#
# CHECKOUT is a directory with a clone of https://github.com/socketio/socket.io,
# of which docs/ is used. It is not changed: the suites are copied, pointed to
# the fixture's port, given their npm packages and run RUNS times, once if not
# said. They are not ours, so neither they nor the copy belong in this repository.
#
# With SUITES_URL set, they run against the server there instead, such as
# reference/server.mjs.
set -euo pipefail

checkout=$(realpath "${1:?usage: suites.sh CHECKOUT [RUNS]}")
runs=${2:-1}
cd "$(dirname "$0")"

work=$(mktemp -d)
fixture=
finish() {
	[ -z "$fixture" ] || kill "$fixture" 2>/dev/null || true
	rm -rf "$work"
}
trap finish EXIT

suites=(engine.io-protocol/v3-test-suite engine.io-protocol/v4-test-suite socket.io-protocol/v5-test-suite)
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

failed=0
for ((run = 1; run <= runs; run++)); do
	for suite in "${suites[@]}"; do
		printf '== run %d of %d: %s\n' "$run" "$runs" "$suite"
		sed -i "s|http://[a-z0-9.]*:[0-9]*|$SUITES_URL|" "$work/$suite/test-suite.js"
		(cd "$work/$suite" && npx --no-install mocha --reporter dot test-suite.js) || failed=$((failed + 1))
	done
done
[ "$failed" -eq 0 ] || { echo "$failed of $((${#suites[@]} * runs)) runs failed" >&2; exit 1; }
echo "all runs passed"
