# make run    build, start a sandbox relay and the companion, show what happens
# make test   everything that must be green before a change lands
# The other targets stand beside them; each says what it does.

SHELL := /bin/bash
BIN   := bin
GO    := go
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
LDFLAGS := -s -w -X main.version=$(VERSION)

# Packages that draw need Fyne. It does not compile for macOS without cgo, and
# the desktop app itself compiles nowhere without.
DRAWS = servicesmtp.net/companion/(ui|ui/look|assets/iconset|cmd/companion)$$
NO_WINDOW = $(shell $(GO) list ./... | grep -vE '$(DRAWS)')
NO_CGO = $(shell $(GO) list ./... | grep -vE 'cmd/companion$$')
# Without this tag Fyne checks that its widgets are touched on one goroutine only.
RELEASE_TAGS = migrated_fynedo

# Packages with goroutines are tested with the race detector; that needs cgo.
# Those that take longest come first: at the end no processor waits for them.
RACE_PKGS = $(shell $(GO) list ./cmd/... ./server/... ./app/... ./internal/... ./relayclient/... ./assets/... ./ui/...)

.PHONY: help run run-cluster build window debug screenshots bench-window package windows test unit vet e2e chaos lint bench fuzz generate clean setup-run setup-package setup-windows setup-test

help: ## list the targets
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "%-12s %s\n", $$1, $$2}'

run: setup-run build ## sandbox: relay and companion on this machine, mail ends in a folder; with a display, the window
	@if [ -n "$$DISPLAY$$WAYLAND_DISPLAY" ]; then scripts/setup window && $(MAKE) --no-print-directory window; fi
	@scripts/run

run-cluster: setup-test build ## sandbox: two relays on one private PostgreSQL, to try what happens when one dies
	@scripts/run-cluster

build: ## bin/companionctl and bin/relayd, without cgo
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o $(BIN)/ ./cmd/companionctl ./cmd/relayd

window: ## bin/companion, the desktop app, with cgo
	CGO_ENABLED=1 $(GO) build -trimpath -tags $(RELEASE_TAGS) -ldflags '$(LDFLAGS)' -o $(BIN)/ ./cmd/companion

package: setup-package build window ## dist/: the desktop app and companionctl, to install on this system
	@scripts/package $(VERSION)

windows: setup-windows ## bin/windows/: the three programs for Windows, cross-built (the first time takes minutes)
	@scripts/windows $(VERSION) $(RELEASE_TAGS)

# The same with Fyne's checks that widgets are touched on one goroutine only.
debug:
	CGO_ENABLED=1 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o $(BIN)/companion-debug ./cmd/companion

test: setup-test vet unit e2e ## all tests

unit: ## tests of the packages, with the race detector
	CGO_ENABLED=1 $(GO) test -race -shuffle=on -timeout 15m $(RACE_PKGS)
	$(GO) test -shuffle=on . ./app/spool ./server/account ./server/queue ./server/steward # the last four once more: under the detector they try a sample only

vet: ## go vet for the three systems
	@for os in linux windows; do echo "vet $$os"; CGO_ENABLED=0 GOOS=$$os $(GO) vet $(NO_CGO) || exit 1; done
	@echo "vet darwin"; CGO_ENABLED=0 GOOS=darwin $(GO) vet $(NO_WINDOW)
	$(GO) vet ./cmd/companion
	$(GO) vet -tags screenshots,figures ./e2e/ui

e2e: build window debug ## the built programs with real mail programs, and the window with mouse and keyboard
	COMPANION_BIN=$(CURDIR)/$(BIN) $(GO) test -shuffle=on -count=1 -timeout 15m ./e2e/...

# Those that README shows.
SHOWN = overview-light-en job-light-en connect-light-en overview-dark-it
screenshots: setup-test build window debug ## bin/pictures/: every view, light and dark, English and Italian, 100 % and 200 %
	SCREENSHOTS=$(CURDIR)/$(BIN)/pictures COMPANION_BIN=$(CURDIR)/$(BIN) $(GO) test -tags screenshots -run Screenshots -count=1 -timeout 30m ./e2e/ui
	@mkdir -p docs/pictures && for p in $(SHOWN); do cp $(BIN)/pictures/$$p.png docs/pictures/; done

bench-window: setup-test build window debug ## what the window costs: start, idle, a list of 100,000 messages
	COMPANION_BIN=$(CURDIR)/$(BIN) $(GO) test -tags figures -run Figures -count=1 -timeout 30m -v ./e2e/ui | grep -v '^[=-]'

CHAOS_FLAGS ?= -kills 300 -restarts 10 -recipients 20000 -relay-kills 50
chaos: setup-test build ## kill -9 again and again, cut connections, and count: nothing lost, doubled or damaged (CHAOS_FLAGS)
	COMPANION_BIN=$(CURDIR)/$(BIN) $(GO) test -count=1 -timeout 60m -v ./e2e/chaos -args $(CHAOS_FLAGS)

lint: ## the pinned golangci-lint
	$(GO) run github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0 run ./...

bench: setup-test build ## figures beside Postfix, in one run (BENCH_FLAGS)
	$(GO) run ./bench -bin $(BIN) $(BENCH_FLAGS)

FUZZTIME ?= 60s
fuzz: ## every fuzz target for FUZZTIME each
	@scripts/fuzz $(FUZZTIME)

generate: ## openapi.yaml and the client
	$(GO) generate ./...

setup-run: ; @scripts/setup run
setup-package: ; @[ "$$(uname)" != Linux ] || scripts/setup package
setup-windows: ; @scripts/setup windows
setup-test: ; @scripts/setup test

clean: ## remove what was built and the sandbox's folder
	rm -rf $(BIN) dist .sandbox
