#!/usr/bin/python3
"""Traces of the launcher's, from guests that end in every way there is.

Each must be JSON. In the vCPU's thread either the guest runs or the launcher
does, so their spans must follow each other without a gap and add up to the
whole; in no thread may two spans overlap without one being in the other.

Vulnerable: a time is missing, or counted twice; who is killed leaves half a
file. Prints TAP.
"""
import io
import json
import os
import re
import sys
import tarfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True
from tap import check, end_of_checks  # noqa: E402
from vm import VM, VMError  # noqa: E402

JOB = r'''
mkdir /tmp/traces
traced()
{
	name=$1; shift
	lguest --trace=/tmp/traces/$name "$@" >/tmp/out 2>&1 </dev/null
	echo "@@ $name $?"
}
# ended SIGNAL NAME ...: in the middle of its run.
ended()
{
	signal=$1 name=$2; shift 2
	lguest --trace=/tmp/traces/$name "$@" >/tmp/out 2>&1 </dev/null &
	sleep 4
	kill -$signal $!
	wait $!
	echo "@@ $name $?"
	# The trace's writer needs a moment.
	while pidof lguest-trace >/dev/null; do sleep 0.1; done
}
load
traced hello /guests/hello
traced tasks /guests/tasks
traced killed /tests/guest/noinit
dd if=/dev/zero of=/tmp/disk bs=1024 count=1024 2>/dev/null
traced disk --block=/tmp/disk /guests/disk
ended TERM term /tests/guest/forever tick
ended KILL kill /tests/guest/forever tick
ended HUP restart /tests/guest/restart
stty -F /dev/ttyS2 raw -echo
tar c -z -C /tmp/traces -f /dev/ttyS2 .
'''

# How each ends: the launcher's status, and the reason of the last exit.
ENDS = {'hello': (0, 'power-off'), 'tasks': (0, 'power-off'),
        'killed': (3, 'killed'), 'restart': (129, 'restart'),
        'disk': (0, 'power-off'), 'term': (143, None), 'kill': (137, None)}

def ns(us):
    """Times are whole nanoseconds; in this form they can be compared."""
    return round(us * 1000)


def ends(span):
    return ns(span['ts']) + ns(span['dur'])


def gaps(spans):
    """Where one does not begin when the one before it has ended."""
    return [(a, b) for a, b in zip(spans, spans[1:])
            if ends(a) != ns(b['ts'])]


def crossed(spans):
    """Spans of a thread that overlap and are not one in the other."""
    found, inside = [], []
    for span in sorted(spans, key=lambda s: (ns(s['ts']), -ends(s))):
        while inside and ends(inside[-1]) <= ns(span['ts']):
            inside.pop()
        if inside and ends(span) > ends(inside[-1]):
            found.append((inside[-1], span))
        inside.append(span)
    return found


def judge(name, text):
    """What must hold of any trace; its spans and events."""
    try:
        events = json.loads(text)['traceEvents']
    except ValueError as error:
        check('%s: it is JSON' % name, False, error, text[-300:])
        return [], []
    check('%s: it is JSON, with %d events' % (name, len(events)), True)
    spans = [e for e in events if e['ph'] == 'X']
    worlds = [s for s in spans if s['name'] in ('guest', 'launcher')]
    worlds.sort(key=lambda s: ns(s['ts']))
    names = [s['name'] for s in worlds]
    check('%s: guest and launcher take turns' % name, worlds and
          all(a != b for a, b in zip(names, names[1:])), names[:20])
    check('%s: without a gap' % name, not gaps(worlds), gaps(worlds)[:3])
    if not worlds:
        return [], []
    whole = ends(worlds[-1]) - ns(worlds[0]['ts'])
    parts = sum(ns(s['dur']) for s in worlds)
    check('%s: they add up, to %d ns' % (name, whole), whole == parts, parts)
    wrong = [pair for tid in {s['tid'] for s in spans}
             for pair in crossed([s for s in spans if s['tid'] == tid])]
    check('%s: spans nest' % name, not wrong, wrong[:3])
    reason = ENDS[name][1]
    last = [s for s in worlds if s['name'] == 'guest'][-1]
    check('%s: the end' % name,
          reason is None or last['args']['exit'] == reason, last)
    return spans, events


def more(name, spans, events):
    """What must hold of this one."""
    if name == 'tasks':
        outs = [s for s in spans if s['name'] == 'guest' and
                s['args']['insn'][:2] in ('ee', 'e6')]
        check('tasks: each character is an exit, from ring 1',
              len(outs) > 10 and all(s['args']['ring'] == 1 for s in outs),
              spans[:5])
        check('tasks: the guest was entered at least once each time',
              all(s['args']['visits'] > 0 for s in outs), outs[:3])
    if name == 'disk':
        work = [s for s in spans if s['name'].startswith('block')]
        lines = [e for e in events if e['name'] == 'interrupt']
        check('disk: the disk has worked, in another thread, and interrupted',
              work and lines and work[0]['tid'] != spans[0]['tid'] and
              all(line['args']['line'] > 0 for line in lines),
              work[:2], lines[:2])


def main():
    vm = VM('6.1', cpu='max', smp=2, label='trace')
    vm.wire = 'file'
    why = None
    try:
        vm.start(JOB)
        vm.finish()
    except VMError as error:
        why = str(error)
    finally:
        vm.stop()
    said = vm.output.decode('utf-8', 'replace').replace('\r', '')
    check('the machine', not why, why, said)
    statuses = {name: int(status) for name, status in
                re.findall(r'@@ (\w+) (\d+)', said)}
    with tarfile.open(fileobj=io.BytesIO(vm.outbox)) as tar:
        for name, (status, _) in ENDS.items():
            check('%s: status %d' % (name, status),
                  statuses.get(name) == status, said)
            text = tar.extractfile('./' + name).read().decode()
            more(name, *judge(name, text))
    return end_of_checks()


if __name__ == '__main__':
    sys.exit(main())
