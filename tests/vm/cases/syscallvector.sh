# The module's parameter for another system call vector, as Plan 9 had one.
#
# Vulnerable: the vector of a host's device or exception is given to guests.
# Expected: 32 to 255 and nothing else; the guest gets it like 0x80, a guest
# that asks for any other vector is killed, and so is one that asks for it when
# the module was loaded without.
rmmod lguest
for vector in 0 31 256 -1 0x1f 0x10080; do
	if insmod /lguest.ko syscall_vector=$vector 2>/dev/null; then
		fail "syscall_vector=$vector was accepted"
	fi
done

# refused VECTOR: a guest that asks for this one.
refused()
{
	status=0
	lguest /tests/guest/softint "$1" >/tmp/refused 2>&1 || status=$?
	[ $status = 3 ] || fail "$1: status $status: $(cat /tmp/refused)"
	grep -q 'bad syscall vector' /tmp/refused ||
		fail "$1: $(cat /tmp/refused)"
}

# 0xec is the host's own timer. It stays the host's, with a gate for guests.
for vector in 0x40 0x20 0xec 0xff; do
	insmod /lguest.ko syscall_vector=$vector
	lguest /tests/guest/softint $vector
	lguest /tests/guest/softint 0x80
	refused 0x41
	hello
	rmmod lguest
done
insmod /lguest.ko
refused 0x40
refused 0x20
hello
