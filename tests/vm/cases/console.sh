# What is typed comes back: from a pipe, which has more than there is room for,
# and a file, which is always ready.  "." is the end.
echo_of()
{
	sed -n '/^!/,$p' "$1" | sed '1s/^!//' | tr -d '\n' | sed 's/\..*/./'
}

i=0
while [ $i -lt 400 ]; do
	echo "line $i of what somebody types"
	i=$((i + 1))
done >/tmp/typed
printf 'the end.' >>/tmp/typed
tr -d '\n' </tmp/typed >/tmp/wanted

lguest /tests/guest/console </tmp/typed >/tmp/said 2>/tmp/err ||
	fail "a file: $(tail -n 3 /tmp/said /tmp/err)"
echo_of /tmp/said | cmp -s - /tmp/wanted || fail 'a file: not the same'

# A slow writer, and then one that is faster than the guest.
{
	printf 'a'
	sleep 0.3
	printf 'b'
	sleep 0.3
	cat /tmp/typed
} | lguest /tests/guest/console >/tmp/said 2>/tmp/err ||
	fail "a pipe: $(tail -n 3 /tmp/said /tmp/err)"
printf 'ab%s' "$(cat /tmp/wanted)" >/tmp/wanted2
echo_of /tmp/said | cmp -s - /tmp/wanted2 || fail 'a pipe: not the same'

# One that hangs up: the guest waits for more, in vain, and can be killed.
printf 'only this' | lguest /tests/guest/console >/tmp/said 2>/tmp/err &
until_true grep -q 'only this' /tmp/said
sleep 0.3
[ "$(ticks $!)" -lt 300 ] || fail 'it waits busily'
kill -9 $!
until_true users_are 0
