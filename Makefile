# The targets a newcomer needs: `make demo` shows the product at work, `make
# test` runs every test. Both install what is missing first.

GO      ?= go
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
LDFLAGS := -s -w -X main.version=$(VERSION)

FUZZTIME ?= 30s
STEPS    ?= 1000
CHAOS    ?= -faults 220 -duration 30m
REPLAY   ?= -schedules 24

.PHONY: build demo test lint web web-build bench bench-latency bench-admin bench-compare bench-decode bench-scale bench-memory soak failover differential chaos replay fuzz api-fuzz deps clean

build: ## bin/towpath, one static binary
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o bin/towpath ./cmd/towpath

demo: ## the product at work on a real database
	@scripts/deps demo
	@$(MAKE) --no-print-directory build
	@$(GO) run ./test/demo

test: ## all checks and tests, on real servers and clients
	@scripts/deps test
	@$(MAKE) --no-print-directory build lint web
	TOWPATH_REQUIRE_SERVERS=1 $(GO) test -race -timeout 40m ./...
	$(GO) test -run Allocations ./internal/source ./internal/entry ./internal/pipeline ./internal/store ./internal/delivery

lint: ## formatting, vet, staticcheck, tidy module files
	@scripts/lint

web: ## types, style and tests of the web pages, and that web/dist is what they build to
	@scripts/web check

web-build: ## builds web/dist, which is committed
	@scripts/web build

bench: build ## Towpath beside Java Canal; BENCH="-runs 3" and more; writes docs/benchmarks.md
	@scripts/deps test
	$(GO) run ./test/bench -out docs/benchmarks.md $(BENCH)

bench-latency: build ## from a commit to the row at the client at a steady rate, beside Java Canal; LATENCY="-rate 500" and more; writes docs/benchmarks.md
	@scripts/deps test
	$(GO) run ./test/bench/latency -out docs/benchmarks.md -plots docs/plots $(LATENCY)

bench-admin: build ## what 50 servers and 1000 instances cost the admin; writes docs/benchmarks.md
	$(GO) run ./test/bench/admin -out docs/benchmarks.md

bench-scale: build ## what more and larger rows, events, tables, batches and destinations cost; SCALE="-case width" and more
	$(GO) run ./test/bench/scale -out docs/benchmarks.md -plots docs/plots $(SCALE)

bench-memory: build ## peak memory and memory over time, beside Java Canal; MEMORY="-case row" and more; writes docs/benchmarks.md
	@scripts/deps test
	$(GO) run ./test/bench/memory -out docs/benchmarks.md -plots docs/plots $(MEMORY)

soak: build ## an hour at full speed, nothing lost and nothing growing; SOAK="-duration 60s" and more; writes docs/benchmarks.md
	@scripts/deps test
	$(GO) run ./test/bench/soak -out docs/benchmarks.md -plots docs/plots $(SOAK)

bench-compare: ## the paths that every row takes beside test/bench/compare/baseline.json; fails when one is slower
	$(GO) run ./test/bench/compare -out docs/benchmarks.md $(COMPARE)

bench-decode: build ## the decoder beside go-mysql's, and clients beside each other; writes docs/benchmarks.md
	@scripts/deps test
	$(GO) run ./test/bench/decode -out docs/benchmarks.md

failover: build ## silence at a client when a server dies, beside Java Canal; writes docs/benchmarks.md
	@scripts/deps test
	$(GO) run ./test/bench/failover -out docs/benchmarks.md

differential: ## everything compared with Java Canal, with a longer generated workload
	@scripts/deps test
	TOWPATH_REQUIRE_SERVERS=1 $(GO) test -count=1 -timeout 120m -v ./test/differential -full -steps $(STEPS)

chaos: ## a cluster in which everything goes wrong, for half an hour; CHAOS="-seed N" and more
	@scripts/deps test
	$(GO) run ./test/chaos $(CHAOS)

replay: ## the stream applied to an empty database, amid changes of tables and faults; REPLAY="-seed N" and more
	@scripts/deps test
	$(GO) run ./test/replay $(REPLAY)

fuzz: ## every fuzz target for FUZZTIME
	@scripts/fuzz $(FUZZTIME)

api-fuzz: build ## every call of the admin, as its OpenAPI description allows and does not, for ten minutes
	@scripts/deps test
	TOWPATH_REQUIRE_SERVERS=1 TOWPATH_API_FUZZ=10m $(GO) test -count=1 -timeout 40m -v -run TestAdminAPIUnderFuzz ./test/e2e

deps: ## what the tests need
	@scripts/deps test

clean:
	rm -rf bin
