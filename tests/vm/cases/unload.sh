# The module comes and goes, and leaves nothing behind.
[ "$(stat -c '%F %a %u' /dev/lguest)" = 'character special file 600 0' ] ||
	fail "/dev/lguest is $(stat -c '%F %a %u' /dev/lguest)"
hello
rmmod lguest
[ ! -e /dev/lguest ] || fail '/dev/lguest is still there'
[ ! -e /sys/module/lguest ] || fail '/sys/module/lguest is still there'
if grep -w lguest /proc/kallsyms /proc/modules /proc/misc /proc/vmallocinfo; then
	fail 'its traces are still there'
fi
insmod /lguest.ko
hello
