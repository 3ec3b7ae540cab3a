# The freezer stops guests, those that compute and those that sleep, and they
# go on when it lets them.
group=/sys/fs/cgroup/lguest
[ -e /sys/fs/cgroup/cgroup.procs ] ||
	mount -t cgroup2 cgroup2 /sys/fs/cgroup
mkdir $group
launchers=
for way in jump halt call fault trap tick timer; do
	forever $way
	launchers="$launchers $!"
	echo $! >$group/cgroup.procs
	[ $way != jump ] || jump=$!
done
frozen()
{
	grep -q "^frozen $1" $group/cgroup.events
}

for n in 1 2 3; do
	echo 1 >$group/cgroup.freeze
	until_true frozen 1
	before="$(dots tick) $(dots timer) $(ticks $jump)"
	sleep 1
	after="$(dots tick) $(dots timer) $(ticks $jump)"
	[ "$before" = "$after" ] || fail "frozen, but $before, then $after"
	echo 0 >$group/cgroup.freeze
	until_true frozen 0
	goes_on tick
	goes_on timer
	computes $jump
done
# What is frozen can be killed as well.
echo 1 >$group/cgroup.freeze
until_true frozen 1
kill -9 $launchers
for launcher in $launchers; do
	wait $launcher || true
done
until_true users_are 0
echo 0 >$group/cgroup.freeze
rmdir $group
hello
