# Guests that never rest, all at once, and the host's watchdog set to half of
# what is usual: it complains of a processor on which nothing else ran for 10 s.
watchdog=/proc/sys/kernel/watchdog_thresh
patience=$(cat $watchdog)
echo 5 >$watchdog
launchers=
for way in jump call fault trap timer; do
	forever $way
	launchers="$launchers $!"
done
# The host goes on meanwhile: its clock ticks, and other guests run.
for n in 1 2 3 4 5 6; do
	hello
	sleep 2
done
for launcher in $launchers; do
	[ -d /proc/$launcher ] || fail "one has ended: $(cat /tmp/forever.*)"
done
kill -9 $launchers
for launcher in $launchers; do
	wait $launcher || true
done
echo "$patience" >$watchdog
until_true users_are 0
hello
