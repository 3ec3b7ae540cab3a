# A guest can be killed whatever it does: compute, sleep, call, fault, leave
# everything to the launcher, have its clock ring.
ways='jump halt call fault trap tick timer'
for way in $ways; do
	for signal in KILL TERM; do
		forever $way
		kill -$signal $!
		status=0
		wait $! || status=$?
		[ $status -ge 128 ] ||
			fail "$way, $signal: status $status: $(cat /tmp/forever.$way)"
		until_true users_are 0
	done
done
hello
# All at once, and at any moment of their lives.
for n in $(seq 20); do
	launchers=
	for way in $ways; do
		lguest /tests/guest/forever $way >/dev/null 2>&1 &
		launchers="$launchers $!"
	done
	usleep $((n * 5000))
	kill -9 $launchers
	for launcher in $launchers; do
		wait $launcher || true
	done
done
until_true users_are 0
hello
