# A guest that never stops must not stop the host from changing its own code,
# or from taking a processor offline.  The kernel waits for each task to pass a
# safe point when it removes a probe that was optimized into a jump; a task
# that stays in LGUEST_RUN must pass one too.  The case's time limit ends it if
# the host waits for ever.
tracing=/sys/kernel/tracing
probe=$tracing/events/kprobes/lguest_test/enable
cpu1=/sys/devices/system/cpu/cpu1/online
mountpoint -q $tracing || mount -t tracefs tracefs $tracing
mountpoint -q /sys/kernel/debug || mount -t debugfs debugfs /sys/kernel/debug

# An instruction in the middle of a function, so that it can be optimized.
set_probe()
{
	for offset in 5 7 8 9 10 11 12 13 14 15 16 17 18; do
		echo "p:lguest_test do_sys_openat2+$offset" \
			>$tracing/kprobe_events 2>/dev/null || continue
		echo 1 >$probe
		sleep 1
		if grep -q OPTIMIZED /sys/kernel/debug/kprobes/list; then
			echo "a probe at do_sys_openat2+$offset, optimized"
			return
		fi
		echo 0 >$probe
		echo >$tracing/kprobe_events
	done
	fail 'no instruction of do_sys_openat2 can be optimized'
}

lguest /tests/guest/loop &
launcher=$!
until_true has_run $launcher
set_probe
echo 0 >$probe
echo >$tracing/kprobe_events
echo 'the probe is gone'
if [ -e $cpu1 ]; then
	echo 0 >$cpu1
	echo 'a processor went offline'
	echo 1 >$cpu1
fi
hello
[ -d /proc/$launcher ] || fail 'the guest ended by itself'
kill -9 $launcher
