# The few commands of the project; the build itself is Meson's. `make run` and `make test` do all the set-up.
#
#   make run                 install what is missing, build, start a node on 127.0.0.1:9092 with data in ./data
#   make test                install, build, run every test; TESTS="unit clients/kcat" runs some; what has not begun after
#                            TEST_MINUTES=40 counts as failed
#   make test-apps           whole applications (tests/apps), minutes each, 20 at most; TESTS="apps/streams" runs some
#   make check               what a compiler does not see: borders, lengths, banned functions, clang-format, clang-tidy, cppcheck
#   make build               the release binary build/ottla
#   make bench               ottla, Apache Kafka and the floor under the same load, and the ratios; QUICK=1: a few short scenarios
#   make soak                one node under everything at once for MINUTES (30), and what must hold then
#   make fuzz                fuzz each target for SECONDS=60; TARGETS="tests/fuzz/fuzz_messages.c": only these
#   make install             PREFIX=/usr/local, DESTDIR=
#   make deps                the packages of packages.txt; DEPS=0 skips them everywhere
#   make format              rewrite the C sources as .clang-format says
#   make clean               remove what was built (not ./data)
#
# WERROR=true makes warnings errors in a new build folder (.ci/run does; a compiler that is newer than we are may warn of more).
# SAN=address|undefined|thread builds into build-$(SAN), without packages of its own; `make test SAN=address` runs the unit, wire,
# crash and fuzz tests under it. CC=clang takes another compiler (into a build folder that does not exist yet).
PREFIX ?= /usr/local
DEPS ?= 1
QUICK ?=
SECONDS ?= 60
CHECK_SECONDS ?= 60
TEST_MINUTES ?= 40
FORMAT ?= 1
SAN ?=
WERROR ?= false
TESTS ?=
TARGETS ?=

ifneq ($(filter-out address undefined thread,$(SAN)),)
$(error SAN is address, undefined or thread)
endif
B := build$(addprefix -,$(SAN))
SETUP := --buildtype=debugoptimized --prefix=$(PREFIX) -Dwerror=$(WERROR) $(if $(SAN),-Db_sanitize=$(SAN) -Db_lundef=false)
ifeq ($(origin CC),default)
CC_SETUP :=
else
CC_SETUP := CC="$(CC)"
endif
ifneq ($(SAN),)
SAN_ENV := SLOWER=10 ASAN_OPTIONS=abort_on_error=1:detect_leaks=1 UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 TSAN_OPTIONS=halt_on_error=1
TESTS := $(or $(TESTS),unit wire crash fuzz)
endif

.PHONY: all build run test test-apps check bench soak fuzz install deps deps-build deps-check deps-test format lint clean
all: build

deps: deps-build deps-check deps-test
deps-build deps-check deps-test:
ifneq ($(DEPS),0)
	@tools/deps $(@:deps-%=%)
endif

# Symbols for a debugger go to build/ottla.debug, which gdb finds by itself.
build: deps-build
	@test -f $(B)/build.ninja || $(CC_SETUP) meson setup $(B) $(SETUP)
	@ninja -C $(B)
ifeq ($(SAN),)
	@tools/split-debug $(B)/ottla
endif

run: build
	@tools/run $(B)/ottla

test: build deps-test
	@$(SAN_ENV) tests/run --build $(B) --minutes $(if $(SAN),90,$(TEST_MINUTES)) $(TESTS)

test-apps: build deps-test
	@tests/run --build $(B) $(or $(TESTS),apps)

check: build deps-check
	@tools/lint --self-test
	@tools/lint --build $(B) --seconds $(CHECK_SECONDS) --format $(if $(filter 1,$(FORMAT)),error,warning)

bench: build
	@bench/compare $(if $(QUICK),--quick) $(BENCH)

soak: build
	@tests/soak $(if $(MINUTES),--minutes $(MINUTES)) $(SOAK)

fuzz: deps-build deps-check
	@tests/fuzz/run $(SECONDS) $(TARGETS)

install: build
	@meson install -C $(B) --no-rebuild

format: deps-check
	@git ls-files '*.[ch]' | xargs clang-format -i

clean:
	@rm -rf build build-address build-undefined build-thread build-fuzz
