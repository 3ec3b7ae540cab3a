# What the cases share.  A case is a shell script that runs in the machine, as
# root, with the module loaded.  It fails when a command fails; what it prints
# is shown then.  It leaves the module loaded, and no guest behind.
set -e

fail()
{
	echo "FAILED: $*"
	exit 1
}

# users: how many guests hold the module.
users()
{
	cat /sys/module/lguest/refcnt
}

# until_true COMMAND: the case's own time limit ends it if that never happens.
until_true()
{
	while ! "$@" >/dev/null 2>&1; do
		sleep 0.05
	done
}

users_are()
{
	[ "$(users)" = "$1" ]
}

# ticks PID: the processor time that a process has had.
ticks()
{
	awk '{ print $14 + $15 }' "/proc/$1/stat"
}

has_run()
{
	[ "$(ticks "$1")" -ge 20 ]
}

# hello: a guest still works.
hello()
{
	lguest /guests/hello >/tmp/hello 2>&1 || fail "hello: $(cat /tmp/hello)"
	grep -q 'Hello' /tmp/hello || fail "hello: $(cat /tmp/hello)"
}

# What the kernel has handed out, in kB, by kind; free memory comes first, with
# the free pages that each processor keeps at hand (MemFree leaves them out).
memory()
{
	sync
	echo 3 >/proc/sys/vm/drop_caches
	awk '$1 == "count:" { free += 4 * $2 }
	     $1 == "MemFree:" { free += $2 }
	     $1 == "Slab:" || $1 == "PageTables:" || $1 == "Percpu:" ||
	     $1 == "KernelStack:" || $1 == "VmallocUsed:" ||
	     $1 == "AnonPages:" || $1 == "Unevictable:" ||
	     $1 == "Mlocked:" { kinds = kinds " " $1 $2 }
	     END { print free kinds }' /proc/zoneinfo /proc/meminfo
}

# same_memory LIMIT COMMAND...: run it; free memory comes back, but for LIMIT
# kB.  The kernel frees some things late: give it some time.
same_memory()
{
	limit=$1
	shift
	before=$(memory)
	"$@"
	for try in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
		after=$(memory)
		lost=$((${before%% *} - ${after%% *}))
		[ "$lost" -gt "$limit" ] || break
		sleep 0.5
	done
	echo "free memory, kB, and some of its users (after $try looks):"
	echo "before: $before"
	echo "after:  $after"
	[ "$lost" -le "$limit" ] || fail "$lost kB of memory did not come back"
}

# forever WAY: a guest that never ends, in the background: $! is its launcher,
# /tmp/forever.WAY what it says.  It is on its way when this returns.
forever()
{
	lguest /tests/guest/forever "$1" >"/tmp/forever.$1" 2>&1 &
	until_true grep -q ready "/tmp/forever.$1"
}

# dots WAY: how far one that prints dots has come.
dots()
{
	wc -c <"/tmp/forever.$1"
}

# more_than N FUNCTION ARGUMENT: has it grown?
more_than()
{
	[ "$("$2" "$3")" -gt "$1" ]
}

# goes_on WAY: it prints more of them.
goes_on()
{
	until_true more_than "$(dots "$1")" dots "$1"
}

# computes PID: it gets more processor time.
computes()
{
	[ -e "/proc/$1/stat" ] ||
		fail "process $1 is gone: $(tail -n 2 /tmp/forever.*)"
	until_true more_than "$(ticks "$1")" ticks "$1"
}
