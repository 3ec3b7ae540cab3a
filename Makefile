# SPDX-License-Identifier: GPL-2.0
#
# The only front door: `make help` lists what it does.  The same file tells
# Kbuild, which sets KERNELRELEASE, how to build the module: it is then seen
# as build/RELEASE/Makefile, next to what was tangled for that kernel.

ifneq ($(KERNELRELEASE),)

obj-m		:= lguest.o
lguest-y	:= main.o switcher.o

# -Wextra is for our code, but four of its warnings are about the kernel's
# own headers and callbacks, which the kernel itself turns off as well.
ccflags-y	:= -Wall -Wextra -Werror -Wno-unused-parameter \
		   -Wno-missing-field-initializers -Wno-sign-compare \
		   -Wno-type-limits

# What the switcher knows of C's structures, the compiler tells it: main.s
# says the offsets, Kbuild's own recipe makes a header of them.  Only then is
# LGUEST_OFFSETS defined: what it guards is no code, and objtool would say so.
targets		+= main.s offsets.h
$(obj)/main.s: ccflags-y += -DLGUEST_OFFSETS
$(obj)/offsets.h: $(obj)/main.s FORCE
	$(call filechk,offsets,LGUEST_OFFSETS_H)
$(obj)/switcher.o: $(obj)/offsets.h

else

# ---------------------------------------------------------------------------
# What a user may set on make's command line

GUEST	= hello
STAGE	=
LAB	=
LAB_FILE = lab-$(LAB).nw
CHUNK	=
DIR	=
LGUEST	=
ARGS	=
MEM	=
CPU	=
SMP	=
KERNEL	= 6.1
APPEND	=
PARAMS	=
ACCEL	= tcg
T	=
TIMELINE =

# Only these targets hand them on: the kernel's own Makefiles should not see
# our names.
run shell gdb trace check check-bochs check-kernels check-debug check-linux: export GUEST := $(GUEST)
run shell gdb trace check check-bochs check-kernels check-debug check-linux: export LGUEST := $(LGUEST)
run shell gdb trace check check-bochs check-kernels check-debug check-linux: export ARGS := $(ARGS)
run shell gdb trace check check-bochs check-kernels check-debug check-linux: export MEM := $(MEM)
run shell gdb trace check check-bochs check-kernels check-debug check-linux: export CPU := $(CPU)
run shell gdb trace check check-bochs check-kernels check-debug check-linux: export SMP := $(SMP)
run shell gdb trace check check-bochs check-kernels check-debug check-linux: export KERNEL := $(KERNEL)
run shell gdb trace check check-bochs check-kernels check-debug check-linux: export APPEND := $(APPEND)
run shell gdb trace: export PARAMS := $(PARAMS)
run shell gdb trace check check-bochs check-kernels check-debug check-linux: export ACCEL := $(ACCEL)
check check-bochs check-kernels check-debug check-linux check-fresh check-mutants fuzz: export T := $(T)

# The machine as it is at the end of a chapter, or with the reader's own chunks:
# how it is tangled, and where its module is.
STAND_INS := --override $(CURDIR)/Documentation/stages.nw
AT_STAGE := $(if $(STAGE),--until $(STAGE) $(STAND_INS))
VARIANT	:= $(if $(STAGE),stages/$(STAGE),$(if $(LAB),labs/$(LAB)))
TANGLED_AS := $(AT_STAGE) $(if $(LAB),--override "$(LAB_FILE)")
run shell gdb trace: export LGUEST_MODULE := $(if $(VARIANT),$(CURDIR)/build/$(VARIANT)/lguest.ko,$(LGUEST_MODULE))

# What must be there before that guest can be.
DEPS_GUEST := $(if $(filter linux linux-pae debian debian-pae,$(GUEST)),deps-linux) \
	$(if $(filter debian debian-pae,$(GUEST)),debian)

# ---------------------------------------------------------------------------

SHELL	:= /bin/sh
MAKEFLAGS += --no-print-directory --no-builtin-rules
.SUFFIXES:
.DELETE_ON_ERROR:
.NOTPARALLEL:
.DEFAULT_GOAL := all

TOP	:= $(CURDIR)
NW	:= lguest.nw
ROOTS	:= lguest.c switcher.S examples/lguest.h
PYTHON	:= /usr/bin/python3

##@ To see it work

.PHONY: all
all: deps-book module launcher guests html ## tangle, build module, launcher, guests and book (the default)

.PHONY: run
run: deps-run $(DEPS_GUEST) module launcher guests ## boot a Debian kernel in QEMU, run one guest in it, show what it says
	@tests/vm/vm.py run

.PHONY: shell
shell: deps-run $(DEPS_GUEST) module launcher guests tests ## the same machine, with a shell in it
	@tests/vm/vm.py shell

.PHONY: gdb
gdb: deps-run $(DEPS_GUEST) deps-check module launcher guests ## run a guest that waits for gdb, and gdb
	@tests/vm/vm.py gdb

# The status of the guest is no matter: its trace is drawn, however it ended.
.PHONY: trace
trace: deps-run $(DEPS_GUEST) module launcher guests ## run a guest, and draw when it ran: build/trace.json, build/trace.svg
	@rm -f build/trace.json
	@tests/vm/vm.py trace build/trace.json || [ -s build/trace.json ]
	@Documentation/timeline --title=$(notdir $(GUEST)) $(TIMELINE) \
		build/trace.json build/trace.svg

.PHONY: lab
lab: ## lab-NAME.nw, an exercise: chunks of the book with a hole, for LAB=NAME
	$(lab_named)
	@if [ -e lab-$(LAB).nw ]; then \
		echo "lab-$(LAB).nw is there already, perhaps with your work in it."; \
		echo "To begin anew, move it away first."; exit 1; \
	fi >&2; \
	sed 's,](figures/,](Documentation/figures/,' examples/labs/$(LAB).nw \
		>lab-$(LAB).nw; \
	echo "lab-$(LAB).nw is yours: read it, fill what is marked #error, and then"; \
	echo "    make grade LAB=$(LAB)"

.PHONY: grade
grade: deps-run deps-lab build/lguest guests tests ## build a lab's module, run its tests, tell the score
	@tests/grade $(LAB) "$(LAB_FILE)"

.PHONY: grade-class
grade-class: deps-run build/lguest guests tests ## grade all that is in DIR=, for LAB=: build/labs/NAME/class.csv
	$(lab_named)
	@[ -d "$(DIR)" ] || { echo "DIR= names no directory; in it, there is" \
		"STUDENT.nw or STUDENT/*.nw for each student." >&2; exit 1; }
	@tests/grade --class $(LAB) "$(DIR)"

.PHONY: new-lab
new-lab: ## a frame for a new lab: LAB=its name, CHUNK=what it is about
	@Documentation/new-lab "$(LAB)" "$(CHUNK)"

.PHONY: instructor
instructor: deps-book ## the instructor's guide, with all solutions: build/instructor.html
	@Documentation/instructor $(NW) build/instructor.html
	@echo "  WEAVE   build/instructor.html"

.PHONY: html
html: deps-book tangle ## weave the book: build/html/index.html
	@Documentation/weave $(NW) build/html

.PHONY: pdf
pdf: deps-pdf ## typeset the book: build/lguest.pdf
	@Documentation/weave-pdf $(NW) build/lguest.pdf

##@ To guard it

.PHONY: check
check: deps-book deps-pdf deps-run deps-check deps-linux module launcher guests units tests ## everything that guards the tree; T=pattern runs some of it
	@tests/check

.PHONY: check-kernels
check-kernels: deps-run deps-kernels launcher guests tests ## the tests on 6.1-cloud and 6.12
	@tests/check kernels

.PHONY: check-debug
check-debug: deps-run deps-debug launcher guests tests ## the tests on a kernel that checks locks and memory, which is built first
	@tests/check debug

.PHONY: check-linux
check-linux: deps-run linux debian module launcher guests tests ## Linux on a PC and as a guest, which are built first
	@tests/check linux

.PHONY: check-bochs
check-bochs: deps-run deps-bochs module launcher guests tests ## the tests under Bochs, which is strict, and slow
	@tests/check bochs

.PHONY: check-mutants
.PHONY: check-fresh
check-fresh: deps-debian ## the book's first hour, on a bare Debian that mmdebstrap makes, as root
	@tests/check fresh

check-mutants: deps-run deps-check deps-debug module launcher guests tests ## do the tests notice when a chunk is taken away?
	@tests/check-mutants

.PHONY: fuzz
fuzz: deps-run deps-check units ## random input for the launcher's parsers, FUZZ_SECONDS=600 for each
	@tests/check fuzz

.PHONY: lint
lint: deps-book deps-check tangle ## style: the book's rules, checkpatch, sparse, scripts
	@tests/check lint

.PHONY: sync
sync: deps-build ## are the tangled files what lguest.nw says?
	@for root in $(ROOTS); do \
		Documentation/tangle $$root $(NW) | cmp -s - $$root || { \
			echo "$$root is not what $(NW) says: run make" >&2; \
			exit 1; }; \
	done
	@echo "$(ROOTS): in step with $(NW)"

##@ To build its parts

# What we last wrote is kept in build/tangled.  A file that is neither that,
# nor git's, nor what is about to be written, was edited by hand: keep it.
.PHONY: tangle
tangle: deps-build ## write lguest.c, switcher.S and examples/lguest.h from lguest.nw
	@set -e; for root in $(ROOTS); do \
		last=build/tangled/$$root; new=$$last.$$$$; \
		mkdir -p $$(dirname $$last); \
		Documentation/tangle $$root $(NW) >$$new; \
		if [ -e $$root ] && ! cmp -s $$root $$new && \
		   ! cmp -s $$root $$last && \
		   ! git show HEAD:./$$root 2>/dev/null | cmp -s - $$root; then \
			n=1; kept=build/edited/$$root; \
			while [ -e $$kept.$$n ] && ! cmp -s $$root $$kept.$$n; \
				do n=$$((n + 1)); done; \
			mkdir -p $$(dirname $$kept); cp $$root $$kept.$$n; \
			echo "$$root was edited by hand, but it is tangled from $(NW)."; \
			echo "Your text is saved in $$kept.$$n; what you changed:"; \
			[ -e $$last ] || cp $$new $$last; \
			diff -u $$last $$root | sed -n '3,40s/^/    /p'; \
			echo "The chunks' names stand in $$root as comments.  Make the change in"; \
			echo "$(NW), in the chunk above it; then: rm -f $$root && make"; \
			exit 1; \
		fi >&2; \
		if ! cmp -s $$root $$new; then \
			mkdir -p $$(dirname $$root); \
			cp $$new $$root.tmp; chmod 444 $$root.tmp; \
			mv -f $$root.tmp $$root; echo "  TANGLE  $$root"; \
		elif [ -w $$root ]; then chmod 444 $$root; fi; \
		mv -f $$new $$last; \
	done

# The second tangling, with #line, is what is compiled.
# A function that a lab's chunks do not use any more is no error; and with one
# compiler at a time, a student's error is shown once.
# $(call module,NAME OF A KERNEL)
define module
	@set -e; krel=$$(tests/vm/kernel.py release $1); \
	headers=$$(tests/vm/kernel.py headers $1); \
	$(if $(STAGE),report=$$(Documentation/stage $(STAND_INS) \
		$(STAGE) $(TOP)/$(NW)); echo "$$report" | sed -n \
		'1s|$$|; for reading: run no guest that you do not trust|p';) \
	where=build/$(or $(VARIANT),$$krel); \
	dir=$(TOP)/$$where; mkdir -p $$dir; \
	ln -sfn $(TOP)/Makefile $$dir/Makefile; \
	for pair in lguest.c:main.c switcher.S:switcher.S; do \
		new=$$dir/$${pair#*:}.new; old=$$dir/$${pair#*:}; \
		Documentation/tangle --line $(TANGLED_AS) $${pair%:*} \
			$(TOP)/$(NW) >$$new; \
		if cmp -s $$new $$old; then rm $$new; else mv $$new $$old; fi; \
	done; \
	unset MAKEFLAGS MFLAGS MAKELEVEL; echo "  KBUILD  $$where/lguest.ko"; \
	$(MAKE) -s $(if $(LAB),,-j2) -C $$headers M=$$dir CONFIG_DEBUG_INFO_BTF_MODULES= \
		$(if $(LAB),KCFLAGS=-Wno-error=unused-function) modules
endef

# Which lab?  And has the reader begun with it?
define lab_named
	@[ -n "$(LAB)" ] && [ -f "examples/labs/$(LAB).nw" ] || { \
		echo "LAB=$(LAB) names no lab; these are there:"; \
		for file in examples/labs/*.nw; do sed "1!d;s|^# |    $$(basename \
			$$file .nw): |" $$file; done; \
		exit 1; } >&2
endef

.PHONY: deps-lab
deps-lab:
	@[ -z "$(STAGE)" ] || { echo "STAGE= is one machine, and LAB= another:" \
		"say one of them." >&2; exit 1; }
	$(if $(wildcard $(LAB_FILE)),,$(lab_named))
	@[ -f "$(LAB_FILE)" ] || { echo "There is no $(LAB_FILE) yet:" \
		"make lab LAB=$(LAB) writes it." >&2; exit 1; }
	@lab=examples/labs/$(LAB).nw; [ ! -f $$lab ] || grep '^<<.*>>=$$' $$lab | \
	while read -r chunk; do grep -qxF "$$chunk" "$(LAB_FILE)" || { \
		echo "$(LAB_FILE) has no $$chunk, which $$lab has:" \
			"the book's own would be built." >&2; exit 1; }; done

.PHONY: module
module: $(if $(LAB),deps-lab) deps-build $(if $(filter debug,$(KERNEL)),deps-debug) tangle ## build/RELEASE/lguest.ko, for KERNEL=
	$(call module,$(KERNEL))

# User space and guests.  Everything is small: one compiler run each.
WARN	 := -Wall -Wextra -Werror
CFLAGS	 := -O2 -g -std=gnu11
GUEST_CFLAGS := -m32 -march=i686 -O2 -g -std=gnu11 -ffreestanding -fno-pic \
	-fno-stack-protector -fno-asynchronous-unwind-tables \
	-fcf-protection=none -mno-sse -mno-mmx -mno-80387 -msoft-float \
	-fno-delete-null-pointer-checks -Iexamples -Iexamples/guests/lib \
	-idirafter /usr/include/$(shell gcc -print-multiarch 2>/dev/null)
GUEST_LDFLAGS := -nostdlib -static -no-pie -Wl,--build-id=none \
	-Wl,-T,examples/guests/lib/guest.ld
GUEST_LIB := $(wildcard examples/guests/lib/*.[cS])
GUEST_DEPS := $(GUEST_LIB) $(wildcard examples/guests/lib/*.h) \
	examples/guests/lib/guest.ld

LAUNCHER := $(wildcard examples/launcher/*.c)
# Zydis has no archive to be linked statically, so the launcher is not.
LAUNCHER_LIBS := -Wl,--as-needed -lZydis -lseccomp -lslirp
GUESTS	 := $(patsubst examples/guests/%.c,build/guests/%,$(wildcard examples/guests/*.c))
GTESTS	 := $(patsubst tests/guest/%.c,build/tests/guest/%,$(wildcard tests/guest/*.c))
UTESTS	 := $(patsubst tests/unit/%.c,build/tests/unit/%,$(wildcard tests/unit/*.c))
FUZZERS	 := $(patsubst tests/fuzz/%.c,build/tests/fuzz/%,$(wildcard tests/fuzz/*.c))
HTESTS	 := $(patsubst tests/host/%.c,build/tests/host/%,$(wildcard tests/host/*.c))
SELFTEST := $(wildcard tests/linux/selftest/*.c)

.PHONY: launcher
launcher: deps-build tangle build/lguest $(if $(LAB),deps-lab-launcher) ## build/lguest, which starts guests
# A lab may have files of the launcher in it, as chunks with their names; then
# it has a launcher of its own, beside its module.
.PHONY: deps-lab-launcher
deps-lab-launcher: deps-lab
	@set -e; dir=build/labs/$(LAB); mkdir -p $$dir; rm -f $$dir/lguest; \
	mine=$$(sed -n 's|^<<launcher/\(.*\.c\)>>=$$|\1|p' "$(LAB_FILE)"); \
	[ -n "$$mine" ] || exit 0; \
	echo "  CC      $$dir/lguest"; files="$(LAUNCHER)"; \
	for name in $$mine; do \
		Documentation/tangle --line launcher/$$name "$(LAB_FILE)" \
			>$$dir/$$name; \
		files="$$(echo "$$files" | sed "s|examples/launcher/$$name||") \
			$$dir/$$name"; \
	done; \
	gcc $(CFLAGS) $(WARN) -Wno-error=unused-function -pthread -Iexamples \
		-Iexamples/launcher -o $$dir/lguest $$files $(LAUNCHER_LIBS)
.PHONY: guests
guests: deps-build tangle $(GUESTS) ## build/guests/*, from examples/guests
.PHONY: units
units: deps-check tangle $(UTESTS) $(UTESTS:%=%-thread) $(FUZZERS) ## build/tests/unit/*, build/tests/fuzz/*: parts of the launcher, tested
.PHONY: tests
tests: deps-build tangle $(GTESTS) $(HTESTS) build/tests/linux/selftest ## build/tests/*, guests and programs that test

# The files that tangle writes, for make to compare times with.
examples/lguest.h: | tangle ;
Makefile: ;

build/lguest: $(LAUNCHER) $(wildcard examples/launcher/*.h) examples/lguest.h Makefile
	@echo "  CC      $@"; mkdir -p $(@D)
	@gcc $(CFLAGS) $(WARN) -pthread -Iexamples -o $@ $(LAUNCHER) \
		$(LAUNCHER_LIBS)

define guest
	@echo "  CC      $@"; mkdir -p $(@D)
	@gcc $(GUEST_CFLAGS) $(WARN) $(GUEST_LDFLAGS) -o $@ $< $(GUEST_LIB)
endef

build/guests/%: examples/guests/%.c $(GUEST_DEPS) examples/lguest.h Makefile
	$(guest)
build/tests/guest/%: tests/guest/%.c $(wildcard tests/guest/*.h) $(GUEST_DEPS) examples/lguest.h Makefile
	$(guest)
build/tests/host/%: tests/host/%.c $(wildcard tests/host/*.h) tests/guest/oracle.h examples/lguest.h Makefile
	@echo "  CC      $@"; mkdir -p $(@D)
	@gcc $(CFLAGS) $(WARN) -static -pthread -Iexamples -o $@ $<

# A program for a 32-bit Linux, with all that it needs.
build/tests/linux/selftest: $(SELFTEST) tests/linux/selftest/selftest.h Makefile
	@echo "  CC      $@"; mkdir -p $(@D)
	@gcc -m32 $(CFLAGS) $(WARN) -D_GNU_SOURCE -D_TIME_BITS=64 \
		-D_FILE_OFFSET_BITS=64 -static -pthread -o $@ $(SELFTEST)

# Parts of the launcher in programs that test them.  The source names them:
# "Uses: ring.c".  Sanitizers watch; -thread has the one that watches threads.
# $(call unit,COMPILER,SANITIZERS)
define unit
	@echo "  CC      $@"; mkdir -p $(@D)
	@$1 -O1 -g -std=gnu11 $(WARN) -fsanitize=$2 -fno-sanitize-recover=all \
		-fno-omit-frame-pointer -pthread -Iexamples -Iexamples/launcher \
		-Itests/unit -o $@ $< $$(sed -n 's/^ \* Uses: //p' $< | \
		tr ' ' '\n' | sed 's,^,examples/launcher/,') $(LAUNCHER_LIBS)
endef

UNIT_DEPS := $(LAUNCHER) $(wildcard examples/launcher/*.h tests/unit/*.h) \
	examples/lguest.h Makefile

build/tests/unit/%-thread: tests/unit/%.c $(UNIT_DEPS)
	$(call unit,gcc,thread)
build/tests/unit/%: tests/unit/%.c $(UNIT_DEPS)
	$(call unit,gcc,address$(comma)undefined)
build/tests/fuzz/%: tests/fuzz/%.c $(UNIT_DEPS)
	$(call unit,clang,fuzzer$(comma)address$(comma)undefined)
comma	:= ,

# Linux as a guest: see examples/linux, tests/vm/kernel_build.py.
.PHONY: linux
linux: deps-linux ## build/linux/bzImage and bzImage-pae, guests: Linux 6.1 for i386
	@for name in linux linux-pae; do \
		tests/vm/kernel.py image $$name || exit 1; done

.PHONY: debian
debian: deps-debian ## build/linux/debian.img, a disk for that: Debian for i386
	@tests/vm/debian_root.py

##@ On this very machine, for the brave

.PHONY: load
load: tangle ## build the module for the running kernel, and load it
	$(call module,running)
	@echo "Loading build/$$(uname -r)/lguest.ko into the kernel of THIS machine."
	@echo "A fault in it stops the machine; its guests are not contained against"
	@echo "speculative execution.  /dev/lguest is for root.  make unload removes it."
	insmod build/$$(uname -r)/lguest.ko

.PHONY: unload
unload: ## remove the module from the running kernel
	rmmod lguest

##@ Housekeeping

# What each thing needs.  Nothing is installed that is already there.
DEPS_build	:= gcc libc6-dev gcc-multilib binutils make noweb python3 libelf1 \
		   libssl3 linux-headers-amd64 libzydis-dev libseccomp-dev libslirp-dev
DEPS_run	:= $(DEPS_build) qemu-system-x86 busybox-static xz-utils
DEPS_book	:= $(DEPS_build) pandoc python3-pygments graphviz universal-ctags \
		   libjs-lunr
DEPS_pdf	:= $(DEPS_book) texlive-latex-base texlive-latex-recommended \
		   texlive-fonts-recommended lmodern librsvg2-bin fonts-dejavu-core \
		   poppler-utils
DEPS_check	:= $(DEPS_build) tidy sparse perl shellcheck git mandoc clang \
		   libclang-rt-14-dev gdb chromium chromium-driver python3-selenium
DEPS_kernels	:= $(DEPS_build) linux-headers-cloud-amd64
DEPS_debug	:= $(DEPS_build) flex bison bc libelf-dev xz-utils
DEPS_linux	:= $(DEPS_debug) patch
DEPS_debian	:= $(DEPS_linux) mmdebstrap arch-test e2fsprogs
DEPS_bochs	:= $(DEPS_build) bochs bochs-term bochsbios vgabios isolinux \
		   syslinux-common xorriso

define deps
	@missing=; for package in $1; do \
		case "$$(dpkg-query -W -f '$${db:Status-Status}' $$package 2>/dev/null)" in \
		installed*) ;; *) missing="$$missing $$package" ;; esac; \
	done; \
	[ -n "$$missing" ] || exit 0; \
	if [ "$$(id -u)" != 0 ]; then \
		echo "Some packages are missing.  As root, run:"; \
		echo "    apt-get install -y --no-install-recommends$$missing"; \
		exit 1; \
	fi >&2; \
	echo "installing$$missing" >&2; \
	export DEBIAN_FRONTEND=noninteractive; \
	apt-get -qq update && \
	log=$$(apt-get -qq -y --no-install-recommends -o Dpkg::Use-Pty=0 \
		install $$missing) || { echo "$$log"; exit 1; } >&2
endef

.PHONY: deps deps-build deps-run deps-book deps-pdf deps-check deps-kernels deps-debug deps-linux deps-debian deps-bochs
deps: deps-run deps-book deps-pdf deps-check deps-linux ## install what is missing (Debian packages, as root)
deps-build deps-run deps-book deps-pdf deps-check deps-kernels deps-debug deps-linux deps-debian deps-bochs: deps-%:
	$(call deps,$(DEPS_$*))

.PHONY: clean
clean: ## remove what was built; kernels stay
	@if [ -d build ]; then find build -mindepth 1 -maxdepth 1 \
		! -name vm ! -name linux ! -name edited -exec rm -rf {} +; \
	rm -rf build/vm/logs; fi

.PHONY: distclean
distclean: ## remove all of build/, kernels and saved edits too
	rm -rf build

.PHONY: help
help: ## this list
	@awk -F ':.*## ' '/^##@/ { printf "\n%s\n", substr($$0, 5) } \
		/^[a-z-]+:.*## / { printf "  %-15s%s\n", $$1, $$2 }' Makefile
	@sed -n 's/^#: \{0,1\}//p' Makefile

#:
#: Variables, for run, shell, lab and grade
#:   GUEST=hello    a name from examples/guests, the path of any ELF or bzImage,
#:                  or linux, debian; linux-pae, debian-pae
#:   STAGE=         the machine as it is at the end of a chapter: switching, traps,
#:                  interrupts-and-time, ... (a name that is none lists them)
#:   LAB=           the machine with your chunks, of lab-NAME.nw (which make lab LAB=NAME
#:                  writes, and LAB_FILE= names if it is another)
#:   DIR=           for grade-class: a directory with a STUDENT.nw for each student
#:   CHUNK=         for new-lab: the name of a chunk of the book
#:   LGUEST=        options for the launcher; files named in them (--x=FILE) travel
#:   ARGS=          the guest's own command line
#:   KERNEL=6.1     the machine's kernel: 6.1, 6.1-cloud, 6.12, debug
#:   MEM=512        its memory, in MB
#:   CPU=max        its processor, as QEMU calls it
#:   SMP=1          how many of them
#:   APPEND=        more for the kernel's command line
#:   TIMELINE=      how trace draws it: --first=100 --rows=20
#:   PARAMS=        parameters for the module, such as shadows=4
#:   ACCEL=tcg      or kvm, which is never chosen silently
#: Variables, for the checks
#:   T=pattern      only the cases whose name matches
#:   SEED= COUNT=   repeat or prolong what is random: host/random, fuzz, hypercall
#:   FUZZ_SECONDS=600  for each target of make fuzz
#:   VM_TIMEOUT=2000 CASE_TIMEOUT=300   seconds, for a machine and for a case in it
#:
#: make says 2 for every failure; the status of the guest itself (0 powered off,
#: 1 error, 2 usage, 3 killed by the host, 4 bad kernel file) is in its message,
#: and is the exit status of tests/vm/vm.py run.

endif
