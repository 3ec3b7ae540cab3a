# The module is removed right behind guests that were killed with their clocks
# set, or ringing, or asleep.  One page lost each time would be 120 kB.
rounds()
{
	for n in $(seq "$1"); do
		insmod /lguest.ko
		launchers=
		for way in once timer tick halt; do
			forever $way
			launchers="$launchers $!"
		done
		# On a slow machine one may have rung and ended.
		kill -9 $launchers 2>/dev/null || true
		for launcher in $launchers; do
			wait $launcher || true
		done
		until_true users_are 0
		rmmod lguest
		if grep -q '\[lguest\]' /proc/timer_list; then
			fail 'a timer is left of a module that is gone'
		fi
	done
}

rmmod lguest
rounds 5
same_memory 100 rounds 30
insmod /lguest.ko
