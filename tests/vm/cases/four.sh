# Four guests at once, next to one that never ends, all right to the last bit.
lguest /tests/guest/loop &
loop=$!
until_true has_run $loop
guests=
for n in 1 2 3 4; do
	lguest /tests/guest/registers >/tmp/four.$n 2>&1 &
	guests="$guests $!"
done
n=0
for guest in $guests; do
	n=$((n + 1))
	wait "$guest" || fail "guest $n ended with $?: $(cat /tmp/four.$n)"
	grep -q ok /tmp/four.$n || fail "guest $n: $(cat /tmp/four.$n)"
done
kill -9 $loop
wait $loop || true
until_true users_are 0
