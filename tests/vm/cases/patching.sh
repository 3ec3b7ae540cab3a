# A guest that never stops must not stop the host from changing its own code,
# or from taking a processor offline.  The kernel waits for each task to pass a
# safe point when it removes a probe that was optimized into a jump; a task
# that stays in LGUEST_RUN must pass one too.  How long that takes depends on
# the machine, so a process that computes without end is measured beside it.
tracing=/sys/kernel/tracing
probe=$tracing/events/kprobes/lguest_test/enable
cpu1=/sys/devices/system/cpu/cpu1/online
rounds=3
[ -e $tracing/kprobe_events ] || mount -t tracefs tracefs $tracing
[ -d /sys/kernel/debug/kprobes ] || mount -t debugfs debugfs /sys/kernel/debug

# An instruction in the middle of a function, so that it can be optimized.
find_offset()
{
	for offset in 5 7 8 9 10 11 12 13 14 15 16 17 18; do
		echo "p:lguest_test do_sys_openat2+$offset" \
			>$tracing/kprobe_events 2>/dev/null || continue
		echo 1 >$probe
		sleep 1
		optimized=$(grep -c OPTIMIZED /sys/kernel/debug/kprobes/list || :)
		echo 0 >$probe
		echo >$tracing/kprobe_events
		[ "$optimized" = 0 ] || return 0
	done
	fail 'no instruction of do_sys_openat2 can be optimized'
}

change_the_host()
{
	echo "p:lguest_test do_sys_openat2+$offset" >$tracing/kprobe_events
	echo 1 >$probe
	sleep 1
	echo 0 >$probe
	echo >$tracing/kprobe_events
	[ -e $cpu1 ] || return 0
	echo 0 >$cpu1
	echo 1 >$cpu1
}

now()
{
	cut -d. -f1 /proc/uptime
}

# seconds_beside COMMAND...: what the rounds take while it runs.
seconds_beside()
{
	"$@" >/dev/null 2>&1 &
	busy=$!
	until_true has_run $busy
	start=$(now)
	for _ in $(seq $rounds); do
		change_the_host
	done
	seconds=$(($(now) - start))
	[ -d /proc/$busy ] || fail "$1 ended by itself"
	kill -9 $busy
	echo "$seconds s beside $1"
}

find_offset
seconds_beside sh -c 'while :; do :; done'
# Without the safe point it takes minutes or never ends.
limit=$((10 * seconds + 60))
seconds_beside lguest /tests/guest/loop
[ "$seconds" -le "$limit" ] || fail "more than $limit s: it was waited for"
hello
