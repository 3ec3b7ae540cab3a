# The module refuses to be removed while a guest runs.
lguest /tests/guest/loop &
until_true has_run $!
until_true users_are 1
if rmmod lguest; then
	fail 'the module was removed under a running guest'
fi
kill -9 $!
wait $! || true
until_true users_are 0
rmmod lguest
insmod /lguest.ko
hello
