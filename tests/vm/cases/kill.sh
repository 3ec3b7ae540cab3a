# A guest in an endless loop can be killed, and costs the host only its time.
lguest /tests/guest/loop >/tmp/loop 2>&1 &
until_true has_run $!
# The host goes on meanwhile: its clock ticks, and other guests run.
hello
before=$(awk '/LOC:/ { print $2 }' /proc/interrupts)
sleep 0.5
after=$(awk '/LOC:/ { print $2 }' /proc/interrupts)
[ "$after" -gt "$before" ] || fail 'the timer of processor 0 has stopped'
kill -9 $!
status=0
wait $! || status=$?
[ $status = 137 ] || fail "its launcher ended with $status: $(cat /tmp/loop)"
until_true users_are 0
# A polite signal ends it as well.
lguest /tests/guest/loop >/tmp/loop 2>&1 &
until_true has_run $!
kill $!
wait $! || true
until_true users_are 0
hello
