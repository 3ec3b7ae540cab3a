# Nothing that a disk has acknowledged is lost when the launcher is killed.
# Twice, somewhere in 64 MB; the rest is written in peace.
rm -f /tmp/blocks.img
truncate -s 64M /tmp/blocks.img
disk()
{
	lguest --block=/tmp/blocks.img /tests/guest/blocks "$@"
}

flushed()
{
	sed -n 's/^flushed \([0-9]*\)$/\1/p' /tmp/said | tail -n 1
}

is_at()
{
	[ "$(flushed)" -ge "$1" ]
}

from=0
for stop in 144 560; do
	lguest --block=/tmp/blocks.img /tests/guest/blocks write $from \
		>/tmp/said 2>/tmp/err &
	until_true is_at $stop
	kill -9 $!
	wait $! || true
	until_true users_are 0
	from=$(flushed)
	disk check "$from" >/tmp/said 2>&1 || fail "killed: $(cat /tmp/said)"
	grep -q '^ok' /tmp/said || fail "killed at $from: $(cat /tmp/said)"
	[ "$from" -lt 1024 ] || fail 'it was never killed'
done
disk write "$from" >/tmp/said 2>&1 || fail "the rest: $(tail /tmp/said)"
disk check 1024 >/tmp/said 2>&1 || fail "at the end: $(cat /tmp/said)"
grep -q '^ok' /tmp/said || fail "at the end: $(cat /tmp/said)"

# Two at a time would be its end.
disk write 0 >/tmp/said 2>/tmp/err &
until_true is_at 16
if disk check 16 >/tmp/second 2>&1; then
	fail 'a second guest may write to it'
fi
grep -q 'in use by another guest' /tmp/second ||
	fail "a second guest: $(cat /tmp/second)"
kill -9 $!
wait $! || true
until_true users_are 0

# A disk for reading is that, for two; and one that shrinks gives errors.
lguest --block=/tmp/blocks.img,ro /tests/guest/blocks write 0 \
	>/tmp/said 2>&1 || true
grep -q 'FAILED request 1 of block 0: status 1' /tmp/said ||
	fail "read-only: $(cat /tmp/said)"
truncate -s 1M /tmp/blocks.img
disk check 1024 >/tmp/said 2>&1 || true
grep -q 'FAILED request 0 of block 16: status 1' /tmp/said ||
	fail "truncated: $(cat /tmp/said)"
rm -f /tmp/blocks.img
