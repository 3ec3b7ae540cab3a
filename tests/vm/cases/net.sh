# Guests with a network: two on a cable, and one with the world behind it.
cable='lguest --net=pair=/tmp/cable'

# both NAME COMMAND...: two of them at a time, as number 1 and number 2.
both()
{
	name=$1; shift
	$cable "$@" >/tmp/said.1 2>&1 &
	first=$!
	$cable "$@" >/tmp/said.2 2>&1 || fail "$name: $(cat /tmp/said.2)"
	wait $first || fail "$name: $(cat /tmp/said.1)"
}

# Pings.
$cable /guests/net 1 >/tmp/said.1 2>&1 &
$cable /guests/net 2 >/tmp/said.2 2>&1 || fail "ping: $(cat /tmp/said.2)"
wait $! || fail "ping: $(cat /tmp/said.1)"
grep -q '^1: 5 of 5 pings were answered, and 5 that came' /tmp/said.1 ||
	fail "ping: $(cat /tmp/said.1)"
grep -q '^2: 5 of 5 pings were answered, and 5 that came' /tmp/said.2 ||
	fail "ping: $(cat /tmp/said.2)"

# Ten thousand frames each way, all of them, in order.
both flood /tests/guest/flood 10000
for n in 1 2; do
	grep -q '^ok 10000 frames sent, 10000 received, 0 bad' /tmp/said.$n ||
		fail "flood: $(cat /tmp/said.$n)"
done

# A peer that is killed: the other goes on alone, and with the next one.
$cable /guests/net 1 >/tmp/said.1 2>&1 &
first=$!
$cable /tests/guest/forever jump >/tmp/said.3 2>&1 &
second=$!
until_true grep -q ready /tmp/said.3
kill -9 $second
wait $second || true
$cable /guests/net 2 >/tmp/said.2 2>&1 || fail "next: $(cat /tmp/said.2)"
wait $first || fail "next: $(cat /tmp/said.1)"
# Who went last may have cleared it away.
rm -f /tmp/cable

# The launcher's own network, also for one who has given up his rights.
for option in --verbose --drop-to=nobody; do
	lguest --net=user $option /guests/net >/tmp/said 2>&1 ||
		fail "user $option: $(cat /tmp/said)"
	grep -q '^1: 5 of 5 pings were answered' /tmp/said ||
		fail "user $option: $(cat /tmp/said)"
done
until_true users_are 0
