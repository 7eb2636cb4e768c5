# Cloison. `make` builds into build/; see README.md. Variables: BUILD, CC, SAN=address,undefined, DESTDIR, PREFIX.
BUILD  ?= build
CC     ?= gcc
ifeq ($(origin CC),default)
CC     := gcc
endif
PREFIX ?= /usr/local
SAN    ?=
ARCH   := $(shell $(CC) -dumpmachine | cut -d- -f1)

# A row of a table may leave its last columns out: they are zero.
WARN   := -Wall -Wextra -Wno-missing-field-initializers -Wpedantic -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wformat=2 -Werror
HARDEN := -fstack-protector-strong -fno-delete-null-pointer-checks
ifeq ($(findstring clang,$(CC)),) # clang 14 wants another flag for it
HARDEN += -ftrivial-auto-var-init=zero
endif
LINK   := -Wl,-z,relro,-z,now,-z,noexecstack,-z,separate-code,--as-needed
ifeq ($(ARCH),x86_64)
HARDEN += -fcf-protection=full
endif
ifeq ($(ARCH),aarch64)
HARDEN += -mbranch-protection=standard
endif
ifeq ($(SAN),)
HARDEN += -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3 -fstack-clash-protection
# The worker opens no file after its start, its libraries included: it is one static-pie.
WORKER_LINK := -static-pie
ALLOCATOR   := -ljemalloc_pic
PIE         := -pie
else
HARDEN += -fsanitize=$(SAN) -fno-sanitize-recover=all -fno-omit-frame-pointer -DCLOISON_SANITIZED
WORKER_LINK := -pie
PIE         := -pie
ALLOCATOR   :=
endif
# `make V=1` shows the commands.
V ?=
Q  := $(if $(V),,@)
OPT    ?= -O2
CFLAGS  = -std=c17 -D_GNU_SOURCE $(OPT) -g -fPIE $(WARN) $(HARDEN) $(EXTRA_CFLAGS)
LDFLAGS = $(LINK) $(EXTRA_LDFLAGS)

# H5: the libraries of each program
WORKER_LIBS := -levent_openssl -levent_core -lssl -lcrypto -llmdb -ljansson -lcsv -lseccomp -largon2 \
               -lmd -licui18n -licuuc -licudata -lstdc++ $(ALLOCATOR) -lm -ldl -lpthread

COURIER_LIBS := -lcurl -lexpat -lcrypto

# Each component is an archive of all its objects but main.o, so that tests link the very code that ships.
policy     := $(wildcard policy/*.c)
supervisor := $(wildcard supervisor/*.c)
router     := $(wildcard supervisor/router/*.c)
steward    := $(wildcard supervisor/steward/*.c)
courier    := $(wildcard supervisor/courier/*.c)
cli        := $(wildcard supervisor/cli/*.c)
backup     := $(wildcard supervisor/backup/*.c)
worker     := $(wildcard worker/*.c worker/*/*.c)

objects = $(patsubst %.c,$(BUILD)/obj/%.o,$(1))
mains   = $(filter %/main.o,$(call objects,$(1)))
parts   = $(filter-out %/main.o,$(call objects,$(1)))

BINARIES := cloisond cloison-router cloison-steward cloison-courier cloison-worker cloison-loader cloison
all: $(addprefix $(BUILD)/,$(BINARIES))

define archive
$(BUILD)/lib$(1).a: $(call parts,$($(1)))
	@rm -f $$@; ar rcs $$@ $$^
endef
$(foreach c,policy supervisor router steward courier cli worker backup,$(eval $(call archive,$(c))))
# LMDB as the worker has it: it sees no secret and takes its memory outside the arena. (The unit tests have the shared library.)
$(BUILD)/obj/lmdb.o: $(shell $(CC) -print-file-name=liblmdb.a)
	@mkdir -p $(@D)
	$(Q)$(LD) -r -o $@ --whole-archive $< && objcopy $(foreach f,malloc calloc realloc free,--redefine-sym $(f)=arena_outside_$(f)) $@
# What a web page is made of lies in the worker's binary.
STATIC := $(wildcard worker/web/static/*)
$(BUILD)/obj/worker/web/assets.o: $(STATIC)

$(BUILD)/cloisond: $(call mains,$(supervisor)) $(BUILD)/libsupervisor.a $(BUILD)/libpolicy.a
	$(Q)echo '  $(notdir $@)'; $(CC) $(CFLAGS) $(PIE) -o $@ $^ $(LDFLAGS) -lconfuse -levent_core -lseccomp -lmd
$(BUILD)/cloison-router: $(call mains,$(router)) $(BUILD)/librouter.a $(BUILD)/libpolicy.a
	$(Q)echo '  $(notdir $@)'; $(CC) $(CFLAGS) $(PIE) -o $@ $^ $(LDFLAGS) -levent_core -lseccomp -lmd
$(BUILD)/cloison-steward: $(call mains,$(steward)) $(BUILD)/libsteward.a $(BUILD)/libpolicy.a
	$(Q)echo '  $(notdir $@)'; $(CC) $(CFLAGS) $(PIE) -o $@ $^ $(LDFLAGS) -levent_core -ljansson -lseccomp -lmd
$(BUILD)/cloison-courier: $(call mains,$(courier)) $(BUILD)/libcourier.a $(BUILD)/libbackup.a $(BUILD)/libpolicy.a
	$(Q)echo '  $(notdir $@)'; $(CC) $(CFLAGS) $(PIE) -o $@ $^ $(LDFLAGS) $(COURIER_LIBS) -lseccomp -lmd -lpthread
$(BUILD)/cloison: $(call mains,$(cli)) $(BUILD)/libcli.a $(BUILD)/libbackup.a $(BUILD)/libpolicy.a
	$(Q)echo '  $(notdir $@)'; $(CC) $(CFLAGS) $(PIE) -o $@ $^ $(LDFLAGS) -ljansson -lcrypto -lmd -lmaxminddb
$(BUILD)/cloison-worker: $(BUILD)/obj/worker/main.o $(BUILD)/libworker.a $(BUILD)/libpolicy.a $(BUILD)/obj/lmdb.o
	$(Q)echo '  $(notdir $@)'; $(CC) $(CFLAGS) $(WORKER_LINK) -o $@ $^ $(LDFLAGS) $(WORKER_LIBS) 2>&1 | grep -v -e 'statically linked applications requires' -e 'in function' || test -x $@

# No allocator of secrets: it sees none.
$(BUILD)/cloison-loader: $(BUILD)/obj/worker/loader/main.o $(BUILD)/libworker.a $(BUILD)/libpolicy.a
	$(Q)echo '  $(notdir $@)'; $(CC) $(CFLAGS) $(PIE) -o $@ $^ $(LDFLAGS) $(WORKER_LIBS)

$(BUILD)/obj/%.o: %.c
	@mkdir -p $(@D)
	$(Q)echo '  $(notdir $@)'; $(CC) $(CFLAGS) -MMD -MP -c -o $@ $<

# Unit tests: one program a file, linked with whatever archives it needs.
UNIT := $(patsubst tests/unit/%.c,$(BUILD)/unit/%,$(wildcard tests/unit/*_test.c))
unit: $(UNIT)
$(BUILD)/unit/%: tests/unit/%.c $(addprefix $(BUILD)/lib,worker.a supervisor.a router.a steward.a courier.a cli.a backup.a policy.a)
	@mkdir -p $(@D)
	$(Q)echo '  $(notdir $@)'; $(CC) $(CFLAGS) -MMD -MP -MF $@.d $(PIE) -o $@ $(filter %.c %.a,$^) $(LDFLAGS) -lcmocka $(COURIER_LIBS) $(WORKER_LIBS) -lconfuse -lmd -lmaxminddb

# The hostile worker of tests/attacks, started through the very jail of the real one.
HOSTILE := $(patsubst %.c,$(BUILD)/obj/%.o,$(wildcard tests/attacks/hostile/*.c))
attackers: $(BUILD)/attacks/hostile $(BUILD)/attacks/hostile-courier
$(BUILD)/attacks/hostile: $(HOSTILE) $(BUILD)/libpolicy.a
	@mkdir -p $(@D)
	$(Q)echo '  $(notdir $@)'; $(CC) $(CFLAGS) $(PIE) -o $@ $^ $(LDFLAGS) -lseccomp -lmd -lpthread

# The same of the courier.
$(BUILD)/attacks/hostile-courier: $(BUILD)/obj/tests/attacks/hostile_courier/courier.o $(BUILD)/libcourier.a $(BUILD)/libbackup.a $(BUILD)/libpolicy.a
	@mkdir -p $(@D)
	$(Q)echo '  $(notdir $@)'; $(CC) $(CFLAGS) $(PIE) -o $@ $^ $(LDFLAGS) $(COURIER_LIBS) -lseccomp -lmd -lpthread

# The clock that tests/clock.py sets.
$(BUILD)/system/%.so: tests/system/%.c
	@mkdir -p $(@D)
	$(Q)echo '  $(notdir $@)'; $(CC) $(CFLAGS) -fPIC -shared -o $@ $< $(LDFLAGS)

# What tests/system/test_store.py drives the courier's stores by.
$(BUILD)/system/%: tests/system/%.c $(BUILD)/libcourier.a $(BUILD)/libpolicy.a
	@mkdir -p $(@D)
	$(Q)echo '  $(notdir $@)'; $(CC) $(CFLAGS) -MMD -MP -MF $@.d $(PIE) -o $@ $(filter %.c %.a,$^) $(LDFLAGS) $(COURIER_LIBS) -lseccomp -lmd -lpthread

# Programs that tests/bench runs.
BENCH := $(patsubst tests/bench/%.c,$(BUILD)/bench/%,$(wildcard tests/bench/*.c))
bench: $(BENCH)
$(BUILD)/bench/%: tests/bench/%.c $(BUILD)/libworker.a $(BUILD)/libpolicy.a
	@mkdir -p $(@D)
	$(Q)echo '  $(notdir $@)'; $(CC) $(CFLAGS) -MMD -MP -MF $@.d $(PIE) -o $@ $(filter %.c %.a,$^) $(LDFLAGS) $(WORKER_LIBS)

# Fuzzers: the same archives built by clang into build/fuzz; see tests/run.
FUZZ := $(patsubst tests/fuzz/%.c,$(BUILD)/fuzz/%,$(wildcard tests/fuzz/*_fuzz.c))
fuzzers:
	$(MAKE) BUILD=$(BUILD)/clang CC=clang SAN=address,undefined EXTRA_CFLAGS='-fsanitize=fuzzer-no-link -Wno-unknown-warning-option -Wno-format-nonliteral -Wno-missing-prototypes' fuzzers-here
fuzzers-here: $(FUZZ)
$(BUILD)/fuzz/%: tests/fuzz/%.c $(addprefix $(BUILD)/lib,worker.a supervisor.a router.a steward.a courier.a cli.a backup.a policy.a)
	@mkdir -p $(@D)
	$(Q)echo '  $(notdir $@)'; $(CC) $(CFLAGS) -MMD -MP -MF $@.d -fsanitize=fuzzer -o $@ $(filter %.c %.a,$^) $(LDFLAGS) $(COURIER_LIBS) $(WORKER_LIBS) -lconfuse -lmd -lmaxminddb

# Reads who includes whom, clang-tidy and cppcheck as configured, the man pages.
lint:
	@tests/lint/run

# The table of promises in policy/README.md, from policy/promises.def and the claims in the sources.
promises:
	@tests/lint/promises --write

SBIN    := $(DESTDIR)$(PREFIX)/sbin
LIBEXEC := $(DESTDIR)$(PREFIX)/libexec/cloison
MAN     := $(DESTDIR)$(PREFIX)/share/man
SYSTEMD := $(DESTDIR)$(PREFIX)/lib
install: all
	install -d $(SBIN) $(DESTDIR)$(PREFIX)/bin $(LIBEXEC) $(MAN)/man1 $(MAN)/man5 $(MAN)/man8 $(DESTDIR)/etc/cloison \
	    $(SYSTEMD)/systemd/system $(SYSTEMD)/sysusers.d $(SYSTEMD)/tmpfiles.d $(DESTDIR)$(PREFIX)/share/doc/cloison
	install -m 0755 $(BUILD)/cloisond $(SBIN)/
	install -m 0755 $(BUILD)/cloison $(DESTDIR)$(PREFIX)/bin/
	install -m 0755 $(BUILD)/cloison-router $(BUILD)/cloison-steward $(BUILD)/cloison-courier $(BUILD)/cloison-worker $(BUILD)/cloison-loader $(LIBEXEC)/
	install -m 0644 deploy/man/*.1 $(MAN)/man1/
	install -m 0644 deploy/man/*.5 $(MAN)/man5/
	install -m 0644 deploy/man/*.8 $(MAN)/man8/
	sed 's|@PREFIX@|$(PREFIX)|g' deploy/systemd/cloisond.service >$(SYSTEMD)/systemd/system/cloisond.service
	install -m 0644 deploy/systemd/cloison.sysusers $(SYSTEMD)/sysusers.d/cloison.conf
	install -m 0644 deploy/systemd/cloison.tmpfiles $(SYSTEMD)/tmpfiles.d/cloison.conf
	cp -r deploy/haproxy deploy/nginx $(DESTDIR)$(PREFIX)/share/doc/cloison/
	test -e $(DESTDIR)/etc/cloison/cloison.conf || sed 's|@PREFIX@|$(PREFIX)|g' deploy/cloison.conf >$(DESTDIR)/etc/cloison/cloison.conf

clean:
	rm -rf $(BUILD)

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
.PHONY: all lint promises install unit attackers bench fuzzers fuzzers-here clean
.DELETE_ON_ERROR:
