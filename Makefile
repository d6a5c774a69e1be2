# What a developer runs. `make help` lists it; CI runs `make test`.

SHELL         := bash
.SHELLFLAGS   := -euo pipefail -c
MAKEFLAGS     += --no-builtin-rules --no-print-directory
.DEFAULT_GOAL := help
.NOTPARALLEL:

LINT_VERSION := v2.15.0
LINT         := $(CURDIR)/.build/golangci-lint-$(LINT_VERSION)

GOVULNCHECK := golang.org/x/vuln/cmd/govulncheck@v1.9.0

# The campaigns of the targets that are named for them. Those of `make test` are shorter.
FUZZTIME ?= 30s
SEEDS    ?= 10000
SOAKTIME ?= 10m
FAILOVERS ?= 20

.PHONY: help
help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: test
test: FUZZTIME = 5s
test: SEEDS    = 1000
test: setup lint docs race platforms histories fuzz gate ## everything CI runs, after installing what is missing
	@modules=$$(go list -m | sed 's|.*/||' | paste -sd ' '); \
	echo "make test: passed: lint with vet and the import walls, docs, go test -race in: $$modules, platforms, $(SEEDS) histories of the server and of the client, fuzzing, cost beside plain gorilla"

.PHONY: test-go
test-go: ## the library's own tests, without the race detector: quick
	go test -shuffle=on ./...

.PHONY: race
race: ## the tests of every module, under the race detector
	@scripts/each-module go test -race -vet=off -shuffle=on -timeout=30m ./...

# Tests that compare bytes in memory, which are fewer with 32 bits.
SIZES_OF_64_BITS := ^(TestHeap|TestHooksPackets|TestRecoveryLimits)

.PHONY: platforms
platforms: ## the library's tests with 32 bits and one processor, then with eight
	GOARCH=386 go test -vet=off -cpu=1 -timeout=30m $$(go list ./... | grep -vE '/(soak|socketio|tests)$$')
	GOARCH=386 go test -vet=off -cpu=1 -timeout=30m -skip '$(SIZES_OF_64_BITS)' . ./internal/tests
	go test -vet=off -cpu=8 -timeout=30m . ./internal/tests ./internal/engine

.PHONY: cross
cross: ## the library and its tests compile for arm64, which no file treats differently
	GOARCH=arm64 go vet ./...

.PHONY: vet
vet: ## go vet in every module, which lint does as well: quick
	@scripts/each-module go vet ./...

.PHONY: lint
lint: $(LINT) ## golangci-lint in every module, with the import walls; go.mod is tidy
	@scripts/each-module go mod tidy -diff
	@scripts/each-module $(LINT) run --allow-parallel-runners ./...

.PHONY: fmt
fmt: $(LINT) ## format the Go code
	@scripts/each-module $(LINT) fmt ./...

.PHONY: docs
docs: ## the documents: Go code, links, layout, words; the subjects of commits
	@scripts/check-docs

.PHONY: histories
histories: ## SEEDS=10000 random histories of the server and as many of the client, under the race detector; 1000 in make test
	@mkdir -p .build
	@go test -race -c -o .build/histories-server ./internal/tests
	@go test -race -c -o .build/histories-client ./client
	@for side in server client; do seq -f "$$side %.0f" 1 $$(($(SEEDS) / 8)) $(SEEDS); done | xargs -P "$$(nproc)" -L 1 sh -c \
		'.build/histories-$$0 -test.run="^TestHistories\$$" -test.timeout=30m -seed=$$1 -seeds=$$(($(SEEDS) / 8)) && echo "histories of the $$0 from seed $$1: passed"'

.PHONY: fuzz
fuzz: ## every fuzz target, FUZZTIME=30s each, three at a time for every processor; 5s in make test
	@scripts/fuzz $(FUZZTIME)

.PHONY: soak
soak: .build/soak ## floods, churn, crowds and a mixed load at full size, SOAKTIME=10m for the load
	@$< -test.timeout=0 -test.run='^Test(Soak|Floods|Churn|Idle|WorstClients|Shutdown)' -for=$(SOAKTIME)

.PHONY: chaos
chaos: .build/soak ## connections and servers cut, frozen and killed at random, SOAKTIME=10m
	@$< -test.timeout=0 -test.run='^Test(Chaos|OneThatNeverReads|ReconnectStorm)' -for=$(SOAKTIME)

.PHONY: .build/soak
.build/soak:
	@mkdir -p .build
	@go test -c -o $@ ./internal/soak

.PHONY: failovers
failovers: ## FAILOVERS=20 of each kind in a row, in Redis Cluster and behind Sentinel: half an hour
	cd adapters/redis && go test -race -timeout=2h -run='^TestFailovers' -v . -args -failovers=$(FAILOVERS)

.PHONY: cover
cover: ## statement coverage of the library, as a page in .build
	@mkdir -p .build
	go test -shuffle=on -coverpkg=./... -coverprofile=.build/cover.out ./...
	@go tool cover -html=.build/cover.out -o .build/cover.html
	@go tool cover -func=.build/cover.out | tail -n 1
	@echo "page: .build/cover.html"

.PHONY: bench
bench: ## measure beside plain gorilla and the Node server: takes long, wants an idle machine
	go run ./bench run

.PHONY: gate
gate: ## the CPU time of the main cases beside plain gorilla, a minute; fails if it is far off
	go run ./bench gate

.PHONY: vuln
vuln: ## known vulnerabilities in what every module uses; asks vuln.go.dev, or GOVULNDB
	@scripts/each-module go run $(GOVULNCHECK) $${GOVULNDB:+-db=$$GOVULNDB} ./...

.PHONY: setup
setup: ## install what the tests need and this machine lacks
	@scripts/setup

.PHONY: clean
clean: ## remove what these targets made
	rm -rf .build e2e/artifacts e2e/node_modules cmd/socketio/node_modules bench/fixtures/node/node_modules

$(LINT):
	@echo "installing golangci-lint $(LINT_VERSION) from source, once: a minute or two"
	@mkdir -p $(@D)
	@GOBIN=$(@D) go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(LINT_VERSION)
	@mv $(@D)/golangci-lint $@
