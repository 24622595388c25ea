# Larder's build. What there is to make:
#   all (default)  build/larder-server           run       install what is missing, build, serve on PORT
#   test           unit and integration tests    unit, integration        one half of them
#   check          style, layers, warnings, lint bench, fuzz, soak, install, clean
# Variables: SANITIZE=address,undefined or thread   DEBUG=1   WERROR=1   V=1   CC=   CFLAGS_EXTRA=
#   BUILD=folder   PREFIX= DESTDIR=   FUZZ_SECONDS=   SOAK_MINUTES=   ROOMS="base ds" (build and test only these)
#   TLS= (build without OpenSSL)   HTTP2= (build without nghttp2)
#   TESTS="ds/test_dict" (run only these unit tests)   SUITES="test_basic" (only these integration tests)
BUILD ?= build
PREFIX ?= /usr/local
PORT ?= 6379
FUZZ_SECONDS ?= 60
SOAK_MINUTES ?= 5
JOBS ?= $(shell nproc)
ifeq ($(origin CC),default)
CC = gcc
endif
include deps/deps.mk

# Builds of different flavours have folders of their own, so that their objects never mix.
comma := ,
FLAVOUR := $(subst $(comma),-,$(SANITIZE))$(if $(DEBUG),debug)
OUT := $(BUILD)$(if $(FLAVOUR),/$(FLAVOUR))
CLANG := $(findstring clang,$(CC))

RELEASE = -O3
LTO = $(if $(CLANG),,-flto=auto)
MEMORY_LIBS = $(LUA_LIBS) $(URING_LIBS) $(TLS_LIBS) $(HTTP2_LIBS) $(JEMALLOC_LIBS)
ifneq ($(DEBUG),)
RELEASE = -O0 -DLARDER_DEBUG
LTO =
endif
ifneq ($(SANITIZE),)
# The sanitizers watch the C library's allocator, not jemalloc.
SANITIZER = -fsanitize=$(SANITIZE) -fno-sanitize-recover=all -fno-omit-frame-pointer -DMEM_LIBC
RELEASE = -O1 -DLARDER_DEBUG
LTO =
MEMORY_LIBS = $(LUA_LIBS) $(URING_LIBS) $(TLS_LIBS) $(HTTP2_LIBS) -lm -ldl -pthread
endif

WARNINGS = -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith \
    -Wcast-qual -Wwrite-strings -Wvla $(if $(WERROR),-Werror)
COMMON = -std=gnu11 -g -pthread -D_GNU_SOURCE -Isrc $(XXHASH_CFLAGS) $(URING_CFLAGS) $(LUA_CFLAGS) \
    $(TLS_CFLAGS) $(HTTP2_CFLAGS) $(WARNINGS) $(SANITIZER) $(CFLAGS_EXTRA)
SERVER_FLAGS = $(COMMON) $(RELEASE) $(LTO)
# Unit tests: checks on, constants shrunk so that the rare paths run all the time.
UNIT_FLAGS = $(COMMON) -Itests -Ibench -O1 -DLARDER_DEBUG -DLARDER_TEST_SMALL
INTEGRATION_FLAGS = $(COMMON) -Itests-integration -O1

# Without Lua there are no scripts.
ROOMS ?= $(filter-out $(if $(LUA_LIBS),,script),$(notdir $(patsubst %/,%,$(wildcard src/*/))))
MAIN := src/server/main.c
CHECK_MAIN := src/server/check_main.c
LUA_COMMANDS := $(wildcard src/command/script*.c src/command/function*.c)
SOURCES := $(filter-out $(MAIN) $(CHECK_MAIN) $(if $(LUA_LIBS),,$(LUA_COMMANDS)),$(foreach room,$(ROOMS),$(wildcard src/$(room)/*.c)))
TESTS ?= $(patsubst tests/%.c,%,$(foreach room,$(ROOMS) bench,$(wildcard tests/$(room)/test_*.c)))
TEST_HELPERS := $(filter-out tests/fuzz/%,$(foreach file,$(wildcard tests/*.c tests/*/*.c),$\
    $(if $(filter test_%,$(notdir $(file))),,$(file))))
SUITES ?= $(patsubst tests-integration/%.c,%,$(wildcard tests-integration/test_*.c)) \
    $(patsubst tests-integration/%,%,$(wildcard tests-integration/*/run.sh))
HARNESS := $(filter-out tests-integration/test_%.c tests-integration/with_server.c,$\
    $(wildcard tests-integration/*.c))
BENCHMARKS := $(patsubst bench/%.c,$(OUT)/bench/%,$(wildcard bench/*.c))
LOAD := $(patsubst %.c,$(OUT)/%.o,$(wildcard bench/load/*.c))
PIECES := $(patsubst %.c,$(OUT)/%.o,$(wildcard bench/pieces/*.c))
FUZZERS := $(patsubst tests/fuzz/%.c,$(OUT)/fuzz/%,$(filter-out $(if $(LUA_LIBS),,%/fuzz_libraries.c),$\
    $(wildcard tests/fuzz/fuzz_*.c)))
# What each of them is made of: files of src.
FUZZ_request := base/* proto/*
FUZZ_http := base/* proto/*
FUZZ_libraries := base/* script/lib*
FUZZ_decode := base/* ds/* types/* persist/*code* persist/compact persist/listpack persist/lzf \
    persist/rdb_bytes

SERVER := $(OUT)/larder-server
CHECKER := $(OUT)/larder-check
BENCHMARK := $(OUT)/bench/larder-benchmark
# The page's files as they are: src/http/page.c.
PAGE := $(if $(filter http,$(ROOMS)),src/http/page_files)
OBJECTS := $(SOURCES:%.c=$(OUT)/%.o) $(PAGE:%=$(OUT)/%.o)
UNIT_OBJECTS := $(SOURCES:%.c=$(OUT)/unit/%.o) $(PAGE:%=$(OUT)/%.o) $(TEST_HELPERS:%.c=$(OUT)/unit/%.o) \
    $(patsubst %.c,$(OUT)/unit/%.o,$(wildcard bench/load/*.c))
UNIT_PROGRAMS := $(TESTS:%=$(OUT)/unit/tests/%)
WITH_SERVER := $(OUT)/tests-integration/with_server
INTEGRATION := $(patsubst %,$(OUT)/tests-integration/%,$(filter-out %.sh,$(SUITES)))
SCRIPTS := $(patsubst %,tests-integration/%,$(filter %.sh,$(SUITES)))
ALL_OBJECTS := $(OBJECTS) $(UNIT_OBJECTS) $(UNIT_PROGRAMS:%=%.o) $(INTEGRATION:%=%.o) \
    $(patsubst %.c,$(OUT)/%.o,$(HARNESS) $(MAIN) $(CHECK_MAIN) $(wildcard tests-integration/with_server.c)) \
    $(patsubst %.c,$(OUT)/%.o,$(wildcard bench/*.c bench/*/*.c))
RUN = env BUILD=$(BUILD) LARDER_SERVER=$(or $(LARDER_SERVER),$(SERVER)) WITH_SERVER=$(WITH_SERVER) \
    LARDER_BENCHMARK=$(BENCHMARK) LARDER_CHECK=$(CHECKER) utils/run-tests
AGAIN = $(MAKE) --no-print-directory $(if $(findstring jobserver,$(MAKEFLAGS)),,-j$(JOBS))
Q = $(if $(V),,@)
say = $(if $(V),,@printf '  %-5s %s\n' '$(1)' '$@')

all: $(if $(wildcard $(MAIN)),$(SERVER) $(CHECKER),$(OUT)/liblarder.a)
library: $(OUT)/liblarder.a
unit-build: $(UNIT_PROGRAMS)
integration-build: all $(INTEGRATION) $(WITH_SERVER) $(BENCHMARK)

run:
	@deps/install.sh build
	@$(AGAIN) all
	$(SERVER) --port $(PORT)

# Each ends with the line `N passed, N failed` and fails when anything failed.
test:
	@deps/install.sh build test
	@$(AGAIN) unit-build integration-build
	@$(RUN) -j $(JOBS) $(UNIT_PROGRAMS) $(INTEGRATION) $(SCRIPTS)
unit: unit-build
	@$(RUN) -j $(JOBS) $(UNIT_PROGRAMS)
integration: integration-build
	@$(RUN) -j $(JOBS) $(INTEGRATION) $(SCRIPTS)
check:
	@deps/install.sh build test check
	@utils/check $(BUILD)/check
# Compiles everything and links nothing, for warnings.
objects: $(ALL_OBJECTS)
bench-build: all $(BENCHMARKS)
bench: bench-build
	$(if $(wildcard bench/run),bench/run $(OUT))
fuzz: $(FUZZERS)
	@for fuzzer in $^; do utils/run-fuzzer $$fuzzer $(FUZZ_SECONDS) || exit 1; done
# Mixed commands at the limit of memory under the sanitizers.
soak:
	@$(AGAIN) SANITIZE=address,undefined all
	@utils/soak $(BUILD)/address-undefined/larder-server $(SOAK_MINUTES)
install: all $(BENCHMARK)
	install -D -m 755 $(SERVER) $(DESTDIR)$(PREFIX)/bin/larder-server
	install -D -m 755 $(BENCHMARK) $(DESTDIR)$(PREFIX)/bin/larder-benchmark
	install -D -m 755 $(CHECKER) $(DESTDIR)$(PREFIX)/bin/larder-check
	$(if $(wildcard utils/larder.conf),$\
	    install -D -m 644 utils/larder.conf $(DESTDIR)$(PREFIX)/share/larder/larder.conf)
	$(foreach page,$(wildcard utils/man/*.[1-9]),install -D -m 644 $(page) \
	    $(DESTDIR)$(PREFIX)/share/man/man$(subst .,,$(suffix $(page)))/$(notdir $(page));)
	utils/install-service '$(PREFIX)' '$(DESTDIR)'
clean:
	rm -rf $(BUILD)
.PHONY: all library unit-build integration-build run test unit integration check objects bench bench-build fuzz soak \
    install clean always
.SECONDARY:

# Changed flags rebuild everything that was built with the old ones.
$(OUT)/flags: always
	@mkdir -p $(OUT)
	@echo '$(CC) $(SERVER_FLAGS) $(UNIT_FLAGS)' | cmp -s - $@ || \
	    echo '$(CC) $(SERVER_FLAGS) $(UNIT_FLAGS)' > $@

$(OUT)/%.o: %.c $(OUT)/flags
	$(call say,CC)
	@mkdir -p $(dir $@)
	$(Q)$(CC) $(SERVER_FLAGS) -MMD -MP -c -o $@ $<
$(OUT)/src/http/page_files.c: utils/embed src/http/page.html src/http/page.css src/http/page.js
	@mkdir -p $(dir $@)
	$(Q)$^ >$@
$(OUT)/src/http/page_files.o: $(OUT)/src/http/page_files.c
	$(call say,CC)
	$(Q)$(CC) $(SERVER_FLAGS) -c -o $@ $<
$(OUT)/unit/%.o: %.c $(OUT)/flags
	$(call say,CC)
	@mkdir -p $(dir $@)
	$(Q)$(CC) $(UNIT_FLAGS) -MMD -MP -c -o $@ $<
$(OUT)/tests-integration/%.o: tests-integration/%.c $(OUT)/flags
	$(call say,CC)
	@mkdir -p $(dir $@)
	$(Q)$(CC) $(INTEGRATION_FLAGS) -MMD -MP -c -o $@ $<
$(OUT)/liblarder.a: $(OBJECTS)
$(OUT)/unit/liblarder.a: $(UNIT_OBJECTS)
%/liblarder.a:
	$(call say,AR)
	@rm -f $@
	$(Q)$(if $(CLANG),ar,gcc-ar) rcs $@ $^
$(SERVER): $(MAIN:%.c=$(OUT)/%.o) $(OUT)/liblarder.a
$(CHECKER): $(CHECK_MAIN:%.c=$(OUT)/%.o) $(OUT)/liblarder.a
$(SERVER) $(CHECKER):
	$(call say,LINK)
	$(Q)$(CC) $(SERVER_FLAGS) -o $@ $^ $(MEMORY_LIBS)
$(OUT)/unit/tests/%: $(OUT)/unit/tests/%.o $(OUT)/unit/liblarder.a
	$(call say,LINK)
	$(Q)$(CC) $(UNIT_FLAGS) -o $@ $^ $(CMOCKA_LIBS) $(MEMORY_LIBS)
$(OUT)/tests-integration/%: $(OUT)/tests-integration/%.o $(HARNESS:%.c=$(OUT)/%.o)
	$(call say,LINK)
	$(Q)$(CC) $(INTEGRATION_FLAGS) -o $@ $^ $(CMOCKA_LIBS) $(HIREDIS_LIBS) $(TLS_LIBS) $(HTTP2_LIBS)
$(OUT)/bench/%.o: private COMMON += -Ibench
$(BENCHMARK): $(LOAD)
$(OUT)/bench/micro: $(PIECES)
$(OUT)/bench/%: $(OUT)/bench/%.o $(OUT)/liblarder.a
	$(call say,LINK)
	$(Q)$(CC) $(SERVER_FLAGS) -o $@ $(filter %.o,$^) $(filter %.a,$^) $(MEMORY_LIBS)
FUZZ_FLAGS = -std=gnu11 -g -O1 -D_GNU_SOURCE -Isrc $(LUA_CFLAGS) -DMEM_LIBC -DLARDER_DEBUG \
    -fsanitize=fuzzer$(1),address,undefined -fno-sanitize-recover=all
$(OUT)/fuzz/%.o: %.c
	$(call say,CC)
	@mkdir -p $(dir $@)
	$(Q)clang $(call FUZZ_FLAGS,-no-link) -MMD -MP -c -o $@ $<
$(FUZZERS): $(OUT)/fuzz/%: $(OUT)/fuzz/tests/fuzz/%.o
	$(call say,LINK)
	$(Q)clang $(FUZZ_FLAGS) -o $@ $^ $(LUA_LIBS) -lm -pthread
$(foreach fuzzer,$(FUZZERS),$(eval $(fuzzer): $(patsubst %,$(OUT)/fuzz/%.o,$(basename $(wildcard \
    $(patsubst %,src/%.c,$(FUZZ_$(patsubst fuzz_%,%,$(notdir $(fuzzer))))))))))

-include $(wildcard $(ALL_OBJECTS:.o=.d) $(OUT)/fuzz/*/*/*.d)
