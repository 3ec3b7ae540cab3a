# Guests that look after their own state are moved from processor to processor
# all the time.
[ "$(nproc)" -gt 1 ] || exit 0
run()
{
	lguest "$@" >"/tmp/migrate.$n" 2>&1 &
	launchers="$launchers $!"
	n=$((n + 1))
}

# any: is one of them still there?
any()
{
	for launcher in $launchers; do
		[ ! -d "/proc/$launcher" ] || return 0
	done
	return 1
}

n=0
launchers=
run /tests/guest/registers
run /tests/guest/interrupted
run /tests/guest/fpu survive
run /tests/guest/timer rearm
moves=0
while any; do
	for launcher in $launchers; do
		taskset -p $((1 + (moves + launcher) % 2)) "$launcher" \
			>/dev/null 2>&1 || true
	done
	moves=$((moves + 1))
	usleep 2000
done
n=0
for launcher in $launchers; do
	wait "$launcher" || fail "guest $n: $(cat /tmp/migrate.$n)"
	grep -q ok "/tmp/migrate.$n" || fail "guest $n: $(cat /tmp/migrate.$n)"
	n=$((n + 1))
done
[ $moves -ge 10 ] || fail "they were moved only $moves times"
echo "moved $moves times"
