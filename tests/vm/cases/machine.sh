# The machine is what it is said to be: a test on the wrong one proves little.
# WANTED is a list of flags of /proc/cpuinfo, or CPUS=number, or pti.
flags=$(sed -n 's/^flags.*: //p' /proc/cpuinfo | head -n 1)
for want in $WANTED; do
	case $want in
	cpus=*)
		[ "$(grep -c ^processor /proc/cpuinfo)" = "${want#*=}" ] ||
			fail "not $want" ;;
	pti)
		dmesg | grep -q 'page tables isolation: enabled' ||
			fail 'no pti' ;;
	ibt)
		dmesg | grep -qi 'Indirect Branch Tracking enabled' ||
			fail 'no indirect branch tracking' ;;
	no-*)
		case " $flags " in
		*" ${want#no-} "*) fail "it has ${want#no-}" ;;
		esac ;;
	*)
		case " $flags " in
		*" $want "*) ;;
		*) fail "it has no $want: $flags" ;;
		esac ;;
	esac
done
