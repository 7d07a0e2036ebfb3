# SPDX-License-Identifier: Apache-2.0
# `make` builds build/libtracebaton.so and build/tracebaton; `make demo` and `make check` install what
# is missing first. V=1 shows commands; CC=, SAN=address,undefined, CROSS_COMPILE=, BUILD=, DESTDIR=,
# PREFIX= as usual.

BUILD   ?= build
PREFIX  ?= /usr/local
VERSION := $(shell sed -n 's/^\#define TB_VERSION "\(.*\)"/\1/p' include/tracebaton.h)
ifeq ($(origin CC),default)
CC := $(CROSS_COMPILE)gcc
endif
Q := $(if $(V),,@)

WARN   := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Werror
COMMON := -std=gnu11 -O2 -g $(WARN) -Isrc -Iinclude -MMD -MP $(if $(SAN),-fsanitize=$(SAN))

# The recipe of one file for every libc. No FORTIFY, no stack protector, no outline atomics: each
# would reference what is not everywhere. Unwind tables stay: a cancelled thread unwinds through us.
SOFLAGS := -fPIC -fvisibility=hidden -fno-plt -ftls-model=initial-exec -U_FORTIFY_SOURCE \
           -D_FORTIFY_SOURCE=0 -fno-stack-protector -fasynchronous-unwind-tables -fexceptions \
           -fno-builtin-printf -fno-strict-aliasing \
           -falign-functions=1 $(if $(findstring clang,$(CC)),,-falign-jumps=1 -falign-loops=1)
ARCH := $(shell $(CC) -dumpmachine 2>/dev/null | cut -d- -f1)
ifeq ($(ARCH),aarch64)
SOFLAGS += -mno-outline-atomics
endif
# What this CPU's instructions lack, from the compiler's own archives, hidden inside our file.
ifeq ($(ARCH),riscv64)
SOLIBS := -l:libatomic.a -lgcc
endif
LDSO := -shared -nostdlib -Wl,-z,now,-z,relro,-z,noexecstack,-z,nodelete,-Bsymbolic \
        -Wl,--hash-style=both -Wl,--build-id -Wl,--exclude-libs,ALL

SRC   := $(wildcard src/core/*.c src/inlet/*.c src/engine/*.c src/bridge/*.c src/sys/*.c src/hooks/*.c)
OBJ   := $(SRC:src/%.c=$(BUILD)/so/%.o)
TOOL  := $(wildcard src/tool/*.c)
TOBJ  := $(TOOL:src/%.c=$(BUILD)/tool/%.o) \
         $(patsubst src/%.c,$(BUILD)/tool/%.o,$(wildcard src/core/*.c) src/engine/policy.c)
CORE  := $(wildcard src/core/*.c)
UNIT  := $(patsubst tests/unit/%.c,$(BUILD)/tests/unit/%,$(wildcard tests/unit/test_*.c))

SO := $(BUILD)/libtracebaton.so

.PHONY: image-files all check prove demo bench bench-build install uninstall clean format runtime runtime-registry matrix soak fuzz unit
all: $(SO) $(BUILD)/tracebaton

$(BUILD)/exports.map: src/hooks/hooks.def src/hooks/api.def
	@mkdir -p $(@D)
	$(Q){ echo '{ global:'; sed -n 's/^HOOK([a-z]*, [a-z_]*, \([a-z0-9_]*\),.*/  \1;/p' $<; \
	      sed -n 's/^API(.*, \([a-z0-9_]*\), (.*/  \1;/p' src/hooks/api.def; \
	      echo '  local: *; };'; } > $@

$(SO): $(OBJ) $(BUILD)/exports.map
	@echo "  LD      $@"
	$(Q)$(CC) $(LDSO) $(if $(SAN),-fsanitize=$(SAN)) -Wl,--version-script=$(BUILD)/exports.map -o $@.tmp $(OBJ) $(SOLIBS)
	$(Q)mv -f $@.tmp $@

$(BUILD)/so/sys/mem.o: SOFLAGS += -fno-builtin $(if $(findstring clang,$(CC)),,-fno-tree-loop-distribute-patterns)
# The bytes of heads pass through these; everything else is to be small (one file, every runtime).
HOT := core/http1 core/http1_line core/http1_field core/head sys/mem hooks/recv \
       hooks/send engine/fdtab engine/flow sys/arena
COLD := $(filter-out $(HOT:%=$(BUILD)/so/%.o),$(OBJ))
SMALL := $(shell $(CC) -Oz -x c -E /dev/null >/dev/null 2>&1 && echo -Oz || echo -Os)
$(COLD): SOFLAGS += $(SMALL)
# What runs inside the runtime, as one literal; comments and indentation stay behind.
$(BUILD)/so/bridge/node.o: $(BUILD)/gen/node_shim.h
$(BUILD)/so/bridge/node.o: SOFLAGS += -I$(BUILD)/gen
$(BUILD)/gen/node_shim.h: src/bridge/node_shim.js Makefile
	@mkdir -p $(@D)
	$(Q)sed -e '/^ *\/\*.*\*\/ *$$/d' -e '/^ *\/\*/,/\*\/ *$$/d' -e 's/^ *//' -e '/^$$/d' $< | base64 | tr -d '\n' | \
	    sed -e 's/.*/#define NODE_SHIM "&"/' > $@.tmp && mv -f $@.tmp $@

$(BUILD)/so/bridge/ruby.o: $(BUILD)/gen/ruby_shim.h
$(BUILD)/so/bridge/ruby.o: SOFLAGS += -I$(BUILD)/gen
$(BUILD)/gen/ruby_shim.h: src/bridge/ruby_shim.rb Makefile
	@mkdir -p $(@D)
	$(Q)sed -e '/^ *#/d' -e 's/^ *//' -e '/^$$/d' -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/.*/"&\\n"/' $< > $@.tmp && mv -f $@.tmp $@

$(BUILD)/so/bridge/python_threads.o: $(BUILD)/gen/python_shim.h
$(BUILD)/so/bridge/python_threads.o: SOFLAGS += -I$(BUILD)/gen
$(BUILD)/gen/python_shim.h: src/bridge/python_shim.py Makefile
	@mkdir -p $(@D)
	$(Q)sed -e '/^ *#/d' -e '/^$$/d' -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/.*/"&\\n"/' $< > $@.tmp && mv -f $@.tmp $@

$(BUILD)/so/%.o: src/%.c
	@mkdir -p $(@D)
	@echo "  CC      $<"
	$(Q)$(CC) $(COMMON) $(SOFLAGS) -c -o $@ $<

$(BUILD)/tool/%.o: src/%.c
	@mkdir -p $(@D)
	@echo "  CC      $< (tool)"
	$(Q)$(CC) $(COMMON) -c -o $@ $<

$(BUILD)/tracebaton: $(TOBJ)
	@echo "  LD      $@"
	$(Q)$(CC) $(if $(SAN),-fsanitize=$(SAN)) -o $@ $(TOBJ) $(TOOL_LIBS)

# Unit tests link the rooms they test, and Check; sanitizers are always on: SAN's, or the usual two.
COMMA := ,
UNITSAN := $(or $(SAN),address$(COMMA)undefined)
CHECK_CFLAGS = $(shell pkg-config --cflags check)
CHECK_LIBS   = $(shell pkg-config --libs check)
UNITFLAGS := $(COMMON) -O1 -fsanitize=$(UNITSAN) -fno-sanitize-recover=undefined
UNITSRC   := $(wildcard src/core/*.c src/inlet/*.c src/engine/*.c) $(filter-out src/sys/mem.c,$(wildcard src/sys/*.c))
$(BUILD)/tests/unit/rooms.a: $(UNITSRC:src/%.c=$(BUILD)/unit/%.o)
	@mkdir -p $(@D)
	$(Q)rm -f $@; $(CROSS_COMPILE)ar rcs $@ $^
$(BUILD)/unit/%.o: src/%.c
	@mkdir -p $(@D)
	$(Q)$(CC) $(UNITFLAGS) -c -o $@ $<
$(BUILD)/tests/unit/%: tests/unit/%.c $(BUILD)/tests/unit/rooms.a
	@mkdir -p $(@D)
	@echo "  CC      $<"
	$(Q)$(CC) $(UNITFLAGS) $(CHECK_CFLAGS) -Itests -o $@ $< $(BUILD)/tests/unit/rooms.a $(CHECK_LIBS) -lpthread
unit: $(UNIT)

$(BUILD)/tests/bench: tests/bench/bench.c
	@mkdir -p $(@D)
	$(Q)$(CC) -O2 -Wall -Isrc -o $@ $<
bench: all $(BUILD)/tests/bench
	$(Q)packaging/setup bench
	$(Q)BUILD=$(BUILD) tests/bench/run $(BENCH)

check:
	$(Q)packaging/setup build check
	$(Q)$(MAKE) --no-print-directory all unit
	$(Q)BUILD=$(BUILD) tests/run

# The proofs of `make check` to greater bounds, and every mutant that they must refute.
prove:
	$(Q)packaging/setup build check
	$(Q)BUILD=$(BUILD) tests/proof/run deep

demo:
	$(Q)packaging/setup build demo
	$(Q)$(MAKE) --no-print-directory all
	$(Q)BUILD=$(BUILD) examples/demo/run

runtime: all
	$(Q)packaging/setup check
	$(Q)BUILD=$(BUILD) tests/runtime/run.py --table

# Half an hour, two programs.
soak: all
	$(Q)packaging/setup check
	$(Q)BUILD=$(BUILD) SOAK_SECONDS=$(or $(SOAK_SECONDS),900) tests/soak/run

# The same file under other releases' libcs and on other CPUs; writes the README's table.
# Long: FUZZ_SECONDS for each target.
fuzz:
	$(Q)packaging/setup build check
	$(Q)BUILD=$(BUILD) FUZZ_SECONDS=$${FUZZ_SECONDS:-1800} tests/fuzz/run

matrix: all
	$(Q)packaging/setup build check
	$(Q)BUILD=$(BUILD) tests/matrix/run --readme

runtime-registry: all
	$(Q)tests/runtime-registry/run

# What packaging/image/Dockerfile copies.
image-files: $(SO)
	@mkdir -p $(BUILD)/image
	$(Q)$(CC) -std=gnu11 -O2 -Wall -Wextra -Werror -static -o $(BUILD)/image/install packaging/image/install.c
	$(Q)cp $(SO) $(BUILD)/image/

install: all
	install -D -m 755 $(SO) $(DESTDIR)$(PREFIX)/lib/tracebaton/libtracebaton.so
	install -D -m 755 $(BUILD)/tracebaton $(DESTDIR)$(PREFIX)/bin/tracebaton
	install -D -m 644 packaging/man/tracebaton.1 $(DESTDIR)$(PREFIX)/share/man/man1/tracebaton.1
	install -D -m 644 packaging/completion/tracebaton.bash $(DESTDIR)$(PREFIX)/share/bash-completion/completions/tracebaton
	install -D -m 644 include/tracebaton.h $(DESTDIR)$(PREFIX)/include/tracebaton.h

uninstall:
	rm -f $(DESTDIR)$(PREFIX)/lib/tracebaton/libtracebaton.so $(DESTDIR)$(PREFIX)/bin/tracebaton \
	      $(DESTDIR)$(PREFIX)/share/man/man1/tracebaton.1 \
	      $(DESTDIR)$(PREFIX)/share/bash-completion/completions/tracebaton $(DESTDIR)$(PREFIX)/include/tracebaton.h
	-rmdir $(DESTDIR)$(PREFIX)/lib/tracebaton

format:
	clang-format -i $$(git ls-files 'src/*.[ch]' 'tests/*.[ch]' 'include/*.h' 'packaging/*.c')

clean:
	rm -rf $(BUILD)

# Named one by one: the sources of other people's suites lie under BUILD, too, and have files of this name.
-include $(wildcard $(BUILD)/so/*/*.d $(BUILD)/tool/*/*.d $(BUILD)/unit/*/*.d $(BUILD)/tests/unit/*.d)
