# A processor goes and comes while guests compute, sleep and have their clocks
# ring; one of them was at home there.
cpu1=/sys/devices/system/cpu/cpu1/online
[ -e $cpu1 ] || exit 0
launchers=
for way in halt call fault trap tick timer; do
	forever $way
	launchers="$launchers $!"
done
taskset -c 1 lguest /tests/guest/forever jump >/tmp/forever.jump 2>&1 &
jump=$!
until_true grep -q ready /tmp/forever.jump
for n in 1 2 3 4 5 6 7 8; do
	echo 0 >$cpu1
	hello
	goes_on tick
	goes_on timer
	computes $jump
	echo 1 >$cpu1
	[ $((n % 2)) = 0 ] || taskset -p 2 $jump >/dev/null
	goes_on tick
	goes_on timer
	computes $jump
done
kill -9 $launchers $jump
for launcher in $launchers $jump; do
	wait $launcher || true
done
until_true users_are 0
hello
