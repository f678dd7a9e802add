# `make help` lists the targets. Everything built goes to build/.

VERSION := 0.1
PREFIX  ?= /usr/local
SANITIZE ?=

# A sanitised build has a directory of its own, so that its objects never mix with the plain ones.
comma := ,
B := build$(if $(SANITIZE),/$(subst $(comma),-,$(SANITIZE)))

CC = gcc
# A sanitised program is not fast: -O1 is compiled in two thirds of the time, and -O0, for the tests themselves, in a third.
CFLAGS ?= $(if $(SANITIZE),-O1,-O2) -g
# gcc warns of a plain -flto that it will not use all processors.
OPTIMISE = $(patsubst -flto,-flto=auto,$(CFLAGS))
# On by default; the sanitizers bring checks of their own. FORTIFY takes an optimising compiler.
HARDEN = $(if $(SANITIZE),,-fstack-protector-strong $(if $(filter -O1 -O2 -O3 -Os,$(CFLAGS)),-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2))
HARDEN_LINK = $(if $(SANITIZE),,-Wl,-z,relro,-z,now)
SANFLAGS = $(if $(SANITIZE),-fsanitize=$(SANITIZE) -fno-omit-frame-pointer $(NORECOVER))
NORECOVER = $(if $(findstring undefined,$(SANITIZE)),-fno-sanitize-recover=undefined)
BASEFLAGS = -std=gnu11 -Wall -Wextra -D_GNU_SOURCE -DIPCFS_VERSION='"$(VERSION)"' -pthread
# The build's own directory stays out of what it makes, so that two builds are the same to the byte.
COMPILE = $(CC) $(BASEFLAGS) -ffile-prefix-map=$(CURDIR)=. -fPIE $(HARDEN) $(SANFLAGS) $(CPPFLAGS) $(OPTIMISE)
LINK = $(CC) -pthread -pie $(HARDEN_LINK) $(SANFLAGS) $(OPTIMISE) $(LDFLAGS)

# Recursive variables: pkg-config may be missing until a recipe has installed it.
# Only fs/ gets libfuse's flags; that lib/ builds without them is the proof that it does not know FUSE.
FUSE_CFLAGS = $(shell pkg-config --cflags fuse3) -DFUSE_USE_VERSION=314
FUSE_LIBS = $(shell pkg-config --libs fuse3)
# Optional: with it a root daemon drops the capabilities that it does not use.
CAPNG_CFLAGS = $(shell pkg-config --exists libcap-ng && echo -DHAVE_CAPNG && pkg-config --cflags libcap-ng)
CAPNG_LIBS = $(shell pkg-config --exists libcap-ng && pkg-config --libs libcap-ng)
# Optional: with it a service manager is told when the mount answers.
SYSTEMD_CFLAGS = $(shell pkg-config --exists libsystemd && echo -DHAVE_SYSTEMD && pkg-config --cflags libsystemd)
SYSTEMD_LIBS = $(shell pkg-config --exists libsystemd && pkg-config --libs libsystemd)
# Optional: with it ipcfs-top has its live table; without, it prints one.
NCURSES_CFLAGS = $(shell pkg-config --exists ncursesw && echo -DHAVE_NCURSES && pkg-config --cflags ncursesw)
NCURSES_LIBS = $(shell pkg-config --exists ncursesw && pkg-config --libs ncursesw)
# Optional: with it a mount can live in a Redis.
REDIS := $(shell pkg-config --exists hiredis && echo yes)
REDIS_CFLAGS = $(if $(REDIS),-DHAVE_REDIS $(shell pkg-config --cflags hiredis))
REDIS_LIBS = $(if $(REDIS),$(shell pkg-config --libs hiredis))
# All that the front end alone knows.
FS_CFLAGS = $(FUSE_CFLAGS) $(CAPNG_CFLAGS) $(SYSTEMD_CFLAGS)
FS_LIBS = $(FUSE_LIBS) $(CAPNG_LIBS) $(SYSTEMD_LIBS)
CRITERION_CFLAGS = $(shell pkg-config --cflags criterion)
CRITERION_LIBS = $(shell pkg-config --libs criterion)

# One short line for each file that is made; V=1 shows the commands.
V ?=
Q := $(if $(filter 1,$(V)),,@)
say = @$(if $(Q),printf '  %-5s %s\n' '$(1)' '$(patsubst $(B)/%,%,$(2))',:)

objects = $(patsubst %.c,$(B)/%.o,$(wildcard $(1)))
LIB_SOURCES := $(filter-out $(if $(REDIS),,lib/kinds/redis%),$(wildcard lib/*/*.c lib/*/*/*.c))
LIB_HEADERS := $(wildcard lib/*.h lib/*/*.h lib/*/*/*.h)
REDIS_SCRIPTS := $(wildcard lib/kinds/redis*/*.lua)
REDIS_PLAIN := $(wildcard lib/kinds/redis*/plain/*.lua)
LIB := $(LIB_SOURCES:%.c=$(B)/%.o) $(if $(REDIS),$(B)/lib/kinds/redis/scripts.o)
FS := $(call objects,fs/*.c)
TOP := $(call objects,fs/top/*.c)
UNIT := $(filter-out $(if $(REDIS),,$(B)/tests/unit/redis%),$(call objects,tests/unit/*.c tests/leaks.c tests/no_git.c))
MOUNT := $(call objects,tests/mount/*.c tests/leaks.c tests/no_git.c)
EXAMPLES := $(patsubst examples/%.c,$(B)/examples/%,$(wildcard examples/*.c))
BENCH := $(patsubst tests/bench/%.c,$(B)/bench/%,$(filter-out $(if $(REDIS),,tests/bench/redis_%),$(wildcard tests/bench/*.c)))
FUZZ := $(filter-out replay,$(patsubst tests/fuzz/%.c,%,$(wildcard tests/fuzz/*.c)))
PRELOAD := $(patsubst tests/preload/%.c,$(B)/tests/preload/%.so,$(wildcard tests/preload/*.c))
TESTS := $(if $(UNIT),$(B)/tests/unit-tests) $(if $(MOUNT),$(B)/tests/mount-tests $(PRELOAD)) $(FUZZ:%=$(B)/fuzz/%)

# The front end needs the fs/ objects; until there are some, the library alone is the build.
PROGRAMS := $(if $(FS),$(B)/ipcfs $(B)/ipcfs-top) $(B)/libipc.a $(EXAMPLES)

# The manual: what concerns all kinds is in fs/, and what a kind adds to it in the kind's own folder, in the order of the kinds.
KINDS := $(shell sed -n 's/^\(REDIS_\)\{0,1\}KIND(\(.*\))$$/\2/p' lib/kinds/kinds.list)
MAN_OF_KINDS := $(wildcard lib/kinds/*.1 lib/kinds/*/*.1 $(foreach k,$(KINDS),lib/kinds/$k.7 lib/kinds/$k/$k.7))
MAN := $(patsubst fs/%,$(B)/%,$(wildcard fs/*.[1-8]))

DEPS_BUILD := gcc libc6-dev make pkg-config libfuse3-dev fuse3 libcap-ng-dev libsystemd-dev libncurses-dev libhiredis-dev
DEPS_TEST := libcriterion-dev bash socat netcat-openbsd zsh python3 fish graphviz tmux redis-tools
DEPS_LINT := clang-format clang-tidy cppcheck shellcheck mandoc man-db
DEPS_FUZZ := clang
# beanstalkd is compared with where it is, but not installed: that would start a service. redis-tools starts none, and has the server:
# redis-check-rdb, called redis-server (tests/mount/redis.c).
DEPS_BENCH := bash socat netcat-openbsd python3 gnuplot-nox

.PHONY: all
all: $(PROGRAMS) $(MAN) $(B)/layers

# A sub-make that builds in parallel, unless the caller chose -j itself.
SUBMAKE = $(MAKE) --no-print-directory $(if $(filter -j%,$(MAKEFLAGS)),,-j$(shell nproc))

# --- compiling -------------------------------------------------------------------------------------------------------

# Rewritten only when the flags differ from the last build's; every object depends on it.
$(B)/flags: FORCE
	@mkdir -p $(@D)
	@printf '%s\n' '$(subst ','\'',$(COMPILE) | $(LINK))' | cmp -s - $@ || printf '%s\n' '$(subst ','\'',$(COMPILE) | $(LINK))' > $@
.PHONY: FORCE
FORCE:

# Who waits for a semaphore works on the sem_t in its file, which is glibc's with 64 bits; musl's is another. Said once, in one line.
$(B)/libc: $(B)/flags
	@printf '%s\n' '#include <features.h>' '#if !defined(__GLIBC__) || !defined(__LP64__)' '#error' '#endif' | $(CC) -E - >/dev/null 2>&1 || \
		{ echo 'ipcfs needs glibc on a 64-bit machine (semaphores in /dev/shm have its format), and $(CC) builds for something else' >&2; exit 1; }
	@touch $@

$(B)/%.o: %.c $(B)/flags $(B)/libc
	@mkdir -p $(@D)
	$(call say,cc,$<)
	$(Q)$(COMPILE) $(KNOWS) -MMD -MP -c -o $@ $<

$(LIB): KNOWS = -Ilib $(REDIS_CFLAGS)
$(FS): KNOWS = -Ilib $(FS_CFLAGS)
$(TOP): KNOWS = $(NCURSES_CFLAGS)
$(UNIT): KNOWS = -Ilib $(CRITERION_CFLAGS) $(if $(SANITIZE),-O0)
$(MOUNT): KNOWS = $(CRITERION_CFLAGS) $(if $(SANITIZE),-O0)

# The scripts that run in Redis, as C: lib/kinds/redis/intro.lua says of which parts.
$(B)/lib/kinds/redis/scripts.c: lib/kinds/redis/scripts.sh $(REDIS_SCRIPTS) $(REDIS_PLAIN)
	@mkdir -p $(@D)
	$(call say,lua,$@)
	$(Q)sh $< $(filter-out %/intro.lua %/prelude.lua %/postlude.lua,$(REDIS_SCRIPTS)) > $@
$(B)/lib/kinds/redis/scripts.o: $(B)/lib/kinds/redis/scripts.c $(B)/flags
	$(call say,cc,$<)
	$(Q)$(COMPILE) -Ilib -c -o $@ $<

# Made anew each time: ar would keep the members whose sources are gone.
$(B)/libipc.a: $(LIB)
	@mkdir -p $(@D)
	@rm -f $@
	$(call say,ar,$@)
	$(Q)ar rcsD $@ $(LIB)

# What is below knows nothing of what is above it: the build fails where it does.
$(B)/layers: tests/layers.sh lib/core/LAYERS fs/LAYERS $(LIB) $(LIB_HEADERS) $(FS) $(wildcard fs/*.h fs/*/*.[ch])
	@sh tests/layers.sh $(B)
	@touch $@

$(B)/ipcfs: $(FS) $(B)/libipc.a
	$(call say,link,$@)
	$(Q)$(LINK) -o $@ $(FS) $(B)/libipc.a $(FS_LIBS) $(REDIS_LIBS) $(LDLIBS)
	$(if $(REDIS),,@echo '  note: no hiredis here (libhiredis-dev): built without -o redis=')

# It is linked with nothing of lib: it reads the files of a mount, as anybody can.
$(B)/ipcfs-top: $(TOP)
	$(call say,link,$@)
	$(Q)$(LINK) -o $@ $(TOP) $(NCURSES_LIBS) $(LDLIBS)
	@pkg-config --exists ncursesw || echo "no ncursesw (pkg-config): ipcfs-top has no live table, only -b"

$(B)/examples/%: $(B)/examples/%.o
	$(call say,link,$@)
	$(Q)$(LINK) -o $@ $< $(LDLIBS)

# Of ipcfs-top, what needs no terminal.
TOP_PARTS = $(filter $(patsubst %,$(B)/fs/top/%.o,fit json page sample table),$(TOP))
# Of the front end, what knows nothing of libfuse.
FS_PARTS = $(filter $(patsubst %,$(B)/fs/%.o,pids walker),$(FS))
$(B)/tests/unit-tests: $(UNIT) $(TOP_PARTS) $(FS_PARTS) $(B)/libipc.a
	$(call say,link,$@)
	$(Q)$(LINK) -o $@ $(UNIT) $(TOP_PARTS) $(FS_PARTS) $(B)/libipc.a $(CRITERION_LIBS) $(REDIS_LIBS) $(LDLIBS)

$(B)/tests/mount-tests: $(MOUNT)
	$(call say,link,$@)
	$(Q)$(LINK) -o $@ $(MOUNT) $(CRITERION_LIBS) $(LDLIBS)

# What makes a daemon believe that it is on another kernel. A sanitised daemon is not to be deceived so.
$(B)/tests/preload/%.so: tests/preload/%.c $(B)/flags
	@mkdir -p $(@D)
	$(call say,link,$@)
	$(Q)$(CC) $(BASEFLAGS) $(CPPFLAGS) -O2 -fPIC -shared -o $@ $< -ldl

# In the tests a fuzz target is a plain program that replays the corpus.
$(B)/fuzz/%: $(B)/tests/fuzz/%.o $(B)/tests/fuzz/replay.o $(B)/libipc.a
	@mkdir -p $(@D)
	$(call say,link,$@)
	$(Q)$(LINK) -o $@ $^ $(REDIS_LIBS) $(LDLIBS)
$(B)/tests/fuzz/%.o: KNOWS = -Ilib
# This one feeds the front end.
$(B)/fuzz/request: $(B)/tests/fuzz/request.o $(B)/tests/fuzz/replay.o $(filter-out $(B)/fs/main.o,$(FS)) $(B)/libipc.a
	@mkdir -p $(@D)
	$(call say,link,$@)
	$(Q)$(LINK) -o $@ $^ $(FS_LIBS) $(REDIS_LIBS) $(LDLIBS)
$(B)/tests/fuzz/request.o: KNOWS = -Ilib $(FUSE_CFLAGS)
$(B)/fuzz/top: $(TOP_PARTS)

$(B)/bench/%_fuse: $(B)/tests/bench/%_fuse.o $(B)/libipc.a
	@mkdir -p $(@D)
	$(call say,link,$@)
	$(Q)$(LINK) -o $@ $^ $(FUSE_LIBS) $(REDIS_LIBS) $(LDLIBS)
$(B)/bench/redis_%: $(B)/tests/bench/redis_%.o
	@mkdir -p $(@D)
	$(call say,link,$@)
	$(Q)$(LINK) -o $@ $< $(REDIS_LIBS) $(LDLIBS)
$(B)/bench/%: $(B)/tests/bench/%.o
	@mkdir -p $(@D)
	$(call say,link,$@)
	$(Q)$(LINK) -o $@ $< $(LDLIBS)
$(B)/tests/bench/%_fuse.o: KNOWS = -Ilib $(FUSE_CFLAGS)
$(B)/tests/bench/redis_%.o: KNOWS = $(REDIS_CFLAGS)

$(MAN): $(B)/%: fs/% fs/manual.sh lib/kinds/kinds.list $(MAN_OF_KINDS)
	@mkdir -p $(@D)
	$(call say,man,$@)
	$(Q)sh fs/manual.sh $< $(if $(filter fs/ipcfs.%,$<),$(filter %$(suffix $<),$(MAN_OF_KINDS))) > $@

.PRECIOUS: $(B)/%.o
# Not those of a sanitised build beside it, which may be writing them.
-include $(shell find $(addprefix $(B)/,lib fs tests examples) -name '*.d' -type f 2>/dev/null)

# --- dependencies ----------------------------------------------------------------------------------------------------

# $(call install,PACKAGES) asks dpkg first, and touches neither apt nor sudo when nothing is missing.
# The package lists may be absent or out of date: when the first attempt fails, update them and try once more.
define install
@if ! command -v dpkg-query >/dev/null; then echo "deps: not a Debian system; needed: $(strip $(1))"; exit 0; fi; \
have=" $$(dpkg-query -W -f='$${db:Status-Status}:$${Package} ' $(1) 2>/dev/null)"; missing=; \
for p in $(1); do case "$$have" in *" installed:$$p "*) ;; *) missing="$$missing $$p";; esac; done; \
[ "$$missing" ] || exit 0; \
sudo=; \
if [ "$$(id -u)" != 0 ]; then \
	command -v sudo >/dev/null || { echo "deps: no sudo here; as root: apt-get install$$missing" >&2; exit 1; }; \
	sudo=sudo; \
fi; \
echo "deps: installing$$missing"; \
mkdir -p build; \
get() { $$sudo env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300 "$$@"; }; \
add() { get install -y --no-install-recommends -o Dpkg::Use-Pty=0 $$missing; }; \
{ add || { get update; add; }; } >build/deps.log 2>&1 || { cat build/deps.log >&2; echo "deps: failed" >&2; exit 1; }
endef

DEPS_DEB := $(DEPS_BUILD) debhelper dpkg-dev lintian

.PHONY: deps-deb
deps-deb:
	$(call install,$(DEPS_DEB))
.PHONY: deps deps-build deps-test deps-lint deps-fuzz deps-bench
deps: ## install the Debian packages that building and testing need and that are missing
	$(call install,$(DEPS_BUILD) $(DEPS_TEST))
deps-build:
	$(call install,$(DEPS_BUILD))
deps-test: deps
deps-lint:
	$(call install,$(DEPS_BUILD) $(DEPS_TEST) $(DEPS_LINT))
deps-fuzz:
	$(call install,$(DEPS_BUILD) $(DEPS_FUZZ))
deps-bench:
	$(call install,$(DEPS_BUILD) $(DEPS_BENCH))

# --- run -------------------------------------------------------------------------------------------------------------

MNT ?= $(if $(filter 0,$(shell id -u)),/run/ipc,$(if $(XDG_RUNTIME_DIR),$(XDG_RUNTIME_DIR)/ipc,$(HOME)/ipcfs))

.PHONY: run
run: ## install, build, and mount at MNT (default: ipc in the runtime directory); says what to try
	@$(SUBMAKE) deps-build
	@$(SUBMAKE) all
	@set -e; d='$(MNT)'; \
	at() { findmnt -n -o SOURCE,FSTYPE -M "$$d" | grep -q ipcfs; }; \
	if at && ! ls "$$d" >/dev/null 2>&1; then fusermount3 -uz "$$d"; fi; \
	mkdir -p "$$d"; d=$$(cd "$$d" && pwd -P); \
	if at; then echo "ipcfs is mounted at $$d already"; else $(B)/ipcfs "$$d"; echo "ipcfs is mounted at $$d"; fi; \
	printf '%s\n' '' 'Try:' "    cat $$d/README" \
		"    mkfifo $$d/pipe/greeting; echo hello > $$d/pipe/greeting & cat $$d/pipe/greeting" \
		"    echo 'first job' > $$d/mq/jobs; cat $$d/mq/jobs@one" \
		'' "Unmount with: fusermount3 -u $$d"

# --- tests -----------------------------------------------------------------------------------------------------------

# Nothing recovers from a finding: the daemon's exit status tells the harness.
check: export ASAN_OPTIONS ?= exitcode=99:abort_on_error=0:detect_stack_use_after_return=1
check: export UBSAN_OPTIONS ?= print_stacktrace=1
check: export TSAN_OPTIONS ?= exitcode=99
check: export IPCFS = $(abspath $(B)/ipcfs)

.PHONY: test
test: ## install, build, run all tests; T='suite/name' selects; SANITIZE=address,undefined sanitises
	@$(SUBMAKE) deps-test
	@$(SUBMAKE) tests
	@$(MAKE) --no-print-directory check

.PHONY: tests
tests: all $(TESTS)
	@:

.PHONY: check
check:
	@sh tests/check.sh $(B) '$(T)'

.PHONY: test-programs
test-programs: ## programs that Debian packages, each on a mount; installs them where it is run as root
	@$(SUBMAKE) deps-build
	@$(SUBMAKE) all
	@bash tests/programs/run.sh $(B)/ipcfs

SECONDS ?= 60

.PHONY: soak
soak: ## all kinds at once among signals and kills for SECONDS (60), and JOBS (100000) with ack; every message is counted
	@$(SUBMAKE) deps-test
	@$(SUBMAKE) all
	@IPCFS=$(abspath $(B)/ipcfs) python3 -B tests/soak.py $(SECONDS)
	@IPCFS=$(abspath $(B)/ipcfs) python3 -B tests/soak_jobs.py $(JOBS)

.PHONY: soak-redis
soak-redis: ## JOBS (100000) with ack in a Redis, over four mounts, among kills; then connections cut at bytes all over each operation
	@$(SUBMAKE) deps-test
	@$(SUBMAKE) all
	@IPCFS=$(abspath $(B)/ipcfs) python3 -B tests/soak_redis.py $(JOBS)
	@IPCFS=$(abspath $(B)/ipcfs) python3 -B tests/redis_cuts.py 100

SECONDS_EACH ?= 60

.PHONY: fuzz
fuzz: ## run each fuzz target for SECONDS_EACH (60); new inputs stay in build/
	@$(SUBMAKE) deps-fuzz
	@$(SUBMAKE) $(FUZZ:%=build/fuzz-clang/%)
	@set -e; for f in $(FUZZ); do \
		mkdir -p build/fuzz-clang/corpus/$$f; \
		seeds=tests/fuzz/corpus/$$f; [ -d $$seeds ] || seeds=; \
		build/fuzz-clang/$$f -max_total_time=$(SECONDS_EACH) -print_final_stats=1 \
			-artifact_prefix=build/fuzz-clang/$$f- build/fuzz-clang/corpus/$$f $$seeds; \
	done

build/fuzz-clang/%: tests/fuzz/%.c $(LIB_SOURCES) $(LIB_HEADERS)
	@mkdir -p $(@D)
	clang $(BASEFLAGS) -Ilib -O1 -g -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined \
		$(if $(filter %/request,$@),$(FUSE_CFLAGS)) -o $@ $< $(LIB_SOURCES) \
		$(if $(filter %/top,$@),$(TOP_PARTS:$(B)/%.o=%.c)) \
		$(if $(filter %/request,$@),$(filter-out fs/main.c,$(wildcard fs/*.c)) $(FUSE_LIBS))
build/fuzz-clang/request: $(wildcard fs/*.c fs/*.h)

.PHONY: bench
bench: ## build and run the benchmarks; QUICK=1 for a short run, ONLY=mq,sock for some, COMPARE=old.json for what moved
	@$(SUBMAKE) deps-bench
	@$(SUBMAKE) all $(BENCH)
	@IPCFS=$(abspath $(B)/ipcfs) BENCH=$(abspath $(B)/bench) QUICK=$(QUICK) ONLY=$(ONLY) COMPARE=$(COMPARE) python3 -B tests/bench/run.py

.PHONY: bench-table
bench-table: ## print README's table of costs from what the last whole `make bench` has measured
	@python3 -B tests/bench/readme.py $(B)/bench.json

# --- lint ------------------------------------------------------------------------------------------------------------

SOURCES = $(LIB_SOURCES) $(wildcard fs/*.c fs/*/*.c tests/*.c tests/*/*.c examples/*.c)
HEADERS = $(LIB_HEADERS) $(wildcard fs/*.h fs/*/*.h tests/*.h tests/*/*.h tests/lint/*/*.h examples/*.h)
SCRIPTS = $(wildcard fs/*.sh tests/*.sh tests/*/*.sh examples/*.sh fs/completion/*.bash .ci/run)

.PHONY: lint lint-format lint-limits lint-tidy lint-cppcheck lint-scripts lint-manual
lint: ## clang-format, clang-tidy, cppcheck, shellcheck and mandoc over everything; and nothing longer than it may be
	@$(SUBMAKE) deps-lint
	@$(MAKE) --no-print-directory -k lint-format lint-limits lint-tidy lint-cppcheck lint-scripts lint-manual
lint-format:
	@echo clang-format
	@[ -z '$(SOURCES)$(HEADERS)' ] || clang-format --dry-run -Werror $(SOURCES) $(HEADERS)
lint-limits:
	@echo limits
	@sh tests/limits.sh
# tests/lint has the headers that stand for others here.
lint-tidy:
	@echo clang-tidy
	@printf '%s\n' $(SOURCES) | xargs -r -P$$(nproc) -I{} \
		clang-tidy --quiet {} -- $(BASEFLAGS) -Itests/lint -Ilib $(FS_CFLAGS) $(NCURSES_CFLAGS) $(REDIS_CFLAGS) 2>&1 | \
		{ ! grep -v -e '^[0-9]* warnings\? generated' -e '^Suppressed ' -e '^Use -header-filter'; }
lint-cppcheck:
	@echo cppcheck
	@[ -z '$(SOURCES)' ] || cppcheck -q --std=c11 --enable=warning,style,performance,portability --inline-suppr \
		--error-exitcode=1 --suppressions-list=.cppcheck -Ilib -D_GNU_SOURCE -D__GLIBC__=2 -D__WORDSIZE=64 -DIPCFS_VERSION='""' \
		'-DTestSuite(...)=' '-DTest(s,n,...)=void s##n(void)' -j2 $(SOURCES)
lint-scripts:
	@echo shellcheck
	@[ -z '$(SCRIPTS)' ] || shellcheck $(SCRIPTS)
# Both renderers; which other pages this machine has is not our fault.
lint-manual: $(MAN)
	@echo mandoc, man
	@! { mandoc -Tlint $(MAN) 2>&1 | grep -v -e 'referenced manual not found' -e 'outdated mandoc.db'; }
	@! { for m in $(MAN); do man --warnings -E UTF-8 -l $$m 2>&1 >/dev/null; done | grep .; }

# --- the rest --------------------------------------------------------------------------------------------------------

# The GNU directory variables; all but the last two follow PREFIX.
prefix ?= $(PREFIX)
bindir ?= $(prefix)/bin
sbindir ?= $(prefix)/sbin
datadir ?= $(prefix)/share
mandir ?= $(datadir)/man
docdir ?= $(datadir)/doc/ipcfs
bashcompdir ?= $(datadir)/bash-completion/completions
zshcompdir ?= $(datadir)/zsh/$(if $(filter /usr,$(prefix)),vendor-completions,site-functions)
fishcompdir ?= $(datadir)/fish/vendor_completions.d
fishfunctiondir ?= $(datadir)/fish/vendor_functions.d
systemdsystemunitdir ?= $(prefix)/lib/systemd/system
systemduserunitdir ?= $(prefix)/lib/systemd/user
sysconfdir ?= $(prefix)/etc
UNITS := $(wildcard fs/systemd/*.service fs/systemd/user/*.service)

# FILE DIRECTORY MODE [NAME]: one line for each thing that is installed, which uninstall reads too.
define INSTALLED
$(B)/ipcfs $(bindir) 755
$(B)/ipcfs-top $(bindir) 755
$(foreach m,$(MAN),$(m) $(mandir)/man$(patsubst .%,%,$(suffix $(m))) 644
)fs/completion/ipcfs.bash $(bashcompdir) 644 ipcfs
$(foreach z,$(wildcard fs/completion/_*),$(z) $(zshcompdir) 644
)fs/completion/ipcfs.bash $(bashcompdir) 644 ipcfs-top
fs/completion/ipcfs.fish $(fishcompdir) 644
fs/completion/ipcfs-top.fish $(fishcompdir) 644
fs/completion/ipcfs_facets.fish $(fishfunctiondir) 644
$(B)/ipcfs.service $(systemdsystemunitdir) 644
$(B)/user/ipcfs.service $(systemduserunitdir) 644
$(foreach e,$(wildcard examples/*.* examples/etc/*),$(e) $(docdir)/$(dir $(e)) 644
)README.md $(docdir) 644
endef
export INSTALLED

$(B)/%.service: fs/systemd/%.service FORCE
	@mkdir -p $(@D)
	@sed 's|@bindir@|$(bindir)|' $< > $@

.PHONY: install uninstall
install: all $(UNITS:fs/systemd/%=$(B)/%) ## install programs, manual, completion, units and examples under DESTDIR/PREFIX
	@printf '%s\n' "$$INSTALLED" | while read -r file dir mode name; do [ "$$file" ] || continue; \
		install -D -m "$$mode" "$$file" "$(DESTDIR)$$dir/$${name:-$${file##*/}}" || exit 1; done
	@install -d $(DESTDIR)$(sbindir)
	@for helper in mount.ipcfs mount.fuse.ipcfs; do ln -sf ../bin/ipcfs $(DESTDIR)$(sbindir)/$$helper; done
	@ln -sf mount.ipcfs.8 $(DESTDIR)$(mandir)/man8/mount.fuse.ipcfs.8
uninstall: ## remove what install puts there
	@printf '%s\n' "$$INSTALLED" | while read -r file dir mode name; do [ "$$file" ] || continue; \
		rm -f "$(DESTDIR)$$dir/$${name:-$${file##*/}}"; done
	@rm -f $(DESTDIR)$(sbindir)/mount.ipcfs $(DESTDIR)$(sbindir)/mount.fuse.ipcfs $(DESTDIR)$(mandir)/man8/mount.fuse.ipcfs.8
	@rmdir -p --ignore-fail-on-non-empty $(DESTDIR)$(docdir)/examples/etc 2>/dev/null || true

# --- packages --------------------------------------------------------------------------------------------------------

export SOURCE_DATE_EPOCH ?= $(shell git log -1 --format=%ct 2>/dev/null || stat -c %Y Makefile)
DIST := ipcfs-$(VERSION)

.PHONY: dist deb
dist: ## build/ipcfs-VERSION.tar.gz, which builds the same without git
	@mkdir -p build
	@{ if [ -e .git ]; then git ls-files; else find . -path ./build -prune -o -type f -print | sed "s|^\./||"; fi; } | LC_ALL=C sort | \
		tar -c -T - --transform 's|^|$(DIST)/|' --mtime=@$(SOURCE_DATE_EPOCH) --owner=0 --group=0 --numeric-owner \
		--mode=u+rw,go+r,go-w --format=gnu | gzip -9n > build/$(DIST).tar.gz
	@echo build/$(DIST).tar.gz
deb: dist ## build/ipcfs_VERSION.deb, checked by lintian
	@$(SUBMAKE) deps-deb
	@rm -rf build/deb && mkdir -p build/deb
	@cp build/$(DIST).tar.gz build/deb/ipcfs_$(VERSION).orig.tar.gz
	@tar -x -C build/deb -f build/$(DIST).tar.gz && cp -r build/deb/$(DIST)/fs/debian build/deb/$(DIST)/debian
	@cd build/deb/$(DIST) && env -u MAKEFLAGS -u MAKELEVEL -u INSTALLED dpkg-buildpackage -b -us -uc >../log 2>&1 || { cat ../log; exit 1; }
	@lintian --fail-on error build/deb/*.changes
	@cp build/deb/ipcfs_*.deb build/ && ls build/ipcfs_*.deb

.PHONY: test-dist
test-dist: dist ## build the tarball twice in other places, and compare
	@sh tests/dist.sh build/$(DIST).tar.gz

.PHONY: test-package
test-package: deb ## install the package in a root directory of its own, mount there, and remove it
	$(call install,mmdebstrap)
	@bash tests/package.sh build/ipcfs_$(VERSION)-1_*.deb

.PHONY: clean
clean: ## remove build/
	rm -rf build

.PHONY: help
help: ## this list
	@echo "make             build $(B)/ipcfs, $(B)/libipc.a and the examples"
	@sed -n 's/^\([a-z]*\):[^#]*## \(.*\)/\1\t\2/p' $(firstword $(MAKEFILE_LIST)) | while IFS='	' read -r t h; do \
		printf 'make %-11s %s\n' "$$t" "$$h"; done
