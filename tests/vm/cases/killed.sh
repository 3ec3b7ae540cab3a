# 60 guests that die in three ways: the memory comes back.
die()
{
	for n in $(seq "$1"); do
		lguest /tests/guest/syscall >/dev/null 2>&1 &&
			fail 'syscall ended well'
		lguest /tests/guest/lastpage touch >/dev/null 2>&1 ||
			fail 'lastpage did not end well'
		lguest /tests/guest/loop >/dev/null 2>&1 &
		until_true users_are 1
		kill -9 $!
		wait $! || true
		until_true users_are 0
	done
}

die 5
same_memory 120 die 20
