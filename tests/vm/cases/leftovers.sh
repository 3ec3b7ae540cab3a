# Guests with page tables, ended in every way: the memory comes back.  One page
# of tables lost with each of them would be 900 kB.
leftovers()
{
	/tests/host/leftovers >/tmp/leftovers ||
		fail "$(cat /tmp/leftovers)"
}

leftovers			# what the kernel sets aside once and keeps
same_memory 200 leftovers
until_true users_are 0
rmmod lguest
insmod /lguest.ko
hello
