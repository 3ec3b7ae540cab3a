#!/bin/sh
# What `make run GUEST=debian` shows: Debian on a disk, and some of its
# programs at work.
#
# Options: --memory=256 --block=build/linux/debian.img --net=user --rng
# Args: console=hvc0 root=/dev/vda quiet
# Machine: 1024

heading() { printf '%-9s' "$1:"; }

heading system
echo "Debian $(cat /etc/debian_version), $(dpkg --print-architecture)," \
	"$(dpkg-query -W | wc -l) packages, Linux $(uname -r)"
heading disk
df -h / | awk 'NR == 2 { print $1 ", " $3 " of " $2 " used" }'
heading network
ip -4 -o address show eth0 | awk '{ print $4 }'
heading perl
perl -e 'print join(" ", map { $_ ** 2 } 1 .. 9), "\n"'
heading python3
python3 -c 'import decimal; print(decimal.Decimal(2) ** 100)'
heading gcc
cat >hello.c <<'END'
#include <stdio.h>

int main(void)
{
	printf("Hello, world! A long has %zu bytes.\n", sizeof(long));
	return 0;
}
END
gcc -O2 -o hello hello.c && ./hello
heading sqlite3
sqlite3 hello.db 'create table t (n); insert into t values (1), (2), (3);
	select sum(n) from t;'
heading ssh
ssh localhost 'echo $SSH_CONNECTION'
