# Guests with nothing to do cost nothing: no timer is set for them, and their
# launchers get no turn.
turns()
{
	awk '/ctxt_switches/ { n += $2 } END { print n }' "/proc/$1/status"
}

forever halt
halt=$!
n=$(grep -c '\[lguest\]' /proc/timer_list || true)
[ "$n" = 0 ] || fail "$n timers are set for a guest that waits for nothing"
sleep 1
before="$(turns $halt) $(cat /proc/$halt/schedstat)"
sleep 3
after="$(turns $halt) $(cat /proc/$halt/schedstat)"
[ "$before" = "$after" ] ||
	fail "turns, ns, ns waited, slices: $before, then $after"
kill -9 $halt
wait $halt || true
# One that waits for its clock, 4.3 s, has one timer.
forever once
[ "$(grep -c '\[lguest\]' /proc/timer_list)" = 1 ] || fail 'not one timer'
wait $! || fail "once: $(cat /tmp/forever.once)"
grep -q 'ok once' /tmp/forever.once || fail "$(cat /tmp/forever.once)"
until_true users_are 0
