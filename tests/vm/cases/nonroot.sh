# Others than root: let in only by the file's mode, and limited in what they
# may pin.
user()
{
	su -s /bin/sh nobody -c "$1" >/tmp/user 2>&1 && status=0 || status=$?
	cat /tmp/user
}

user 'lguest /guests/hello'
[ $status = 1 ] || fail "without permission: status $status, expected 1"
grep -qi 'permission' /tmp/user || fail 'no word of the permission'

trap "chmod 600 /dev/lguest" EXIT
chmod 666 /dev/lguest
user 'ulimit -l 8; lguest /guests/hello'
[ $status = 1 ] || fail "2 pages to pin: status $status, expected 1"
grep -qiE 'memory|RLIMIT_MEMLOCK' /tmp/user || fail 'no word of the limit'

user 'ulimit -l 4096; lguest /guests/hello'
[ $status = 0 ] || fail "4 MB to pin: status $status, expected 0"
grep -q Hello /tmp/user || fail 'no greeting'
users_are 0
