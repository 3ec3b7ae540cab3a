# The module's parameter for the number of address spaces that a guest's
# shadows are kept of.
#
# Vulnerable: none, or a number that makes the module allocate what it likes;
# with few shadows, a guest sees another program's pages.
# Expected: 1 to 256 and nothing else; guests end as well with one as with many.
rmmod lguest
for bad in 0 257 1000000 4294967295 -1 many; do
	if insmod /lguest.ko shadows=$bad 2>/dev/null; then
		fail "shadows=$bad was accepted"
	fi
done
[ "$(dmesg | grep -c 'lguest: .*shadows must be from 1 to 256')" -ge 2 ] ||
	fail "nobody says why: $(dmesg | tail -n 3)"
for shadows in 1 2 4 256; do
	insmod /lguest.ko shadows=$shadows
	[ "$(cat /sys/module/lguest/parameters/shadows)" = $shadows ] ||
		fail "the parameter says something else"
	/tests/host/spaces >/tmp/spaces || fail "shadows=$shadows:
$(cat /tmp/spaces)"
	echo "shadows=$shadows"
	grep -E 'programs|a turn' /tmp/spaces
	COUNT=10000 /tests/host/random >/tmp/random || fail "shadows=$shadows:
$(cat /tmp/random)"
	lguest /guests/user >/tmp/user 2>&1 || fail "user: $(cat /tmp/user)"
	hello
	rmmod lguest
done
insmod /lguest.ko
