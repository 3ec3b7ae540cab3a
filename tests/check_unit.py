"""Parts of the launcher in programs of their own; no machine is needed.

tests/unit holds programs that print TAP. Each is built twice, because the
sanitizers do not go together: -thread watches threads, the other memory and
undefined behaviour. tests/fuzz holds libFuzzer's targets, which get the same
random input each time here; `make fuzz` gives them new input, and time.
"""
import os
import subprocess
import time

from vm import BUILD
from check_machines import names, tap
from check_tree import Failure

RUNS = 100000                           # of a target, here
LIMIT = 2 * int(os.environ.get('CASE_TIMEOUT') or 300)  # seconds


def unit(report, name):
    path = os.path.join(BUILD, 'tests/unit', name)
    if not report.wants('unit/' + name):
        return
    try:
        done = subprocess.run([path], text=True, timeout=LIMIT,
                              stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT)
    except (OSError, subprocess.TimeoutExpired) as error:
        report.result('unit/' + name, False, str(error))
        return
    for entry in tap('unit/' + name, done.returncode, done.stdout):
        report.result(*entry)


def corpus(name):
    """The inputs of a target that are worth keeping."""
    where = os.path.join(BUILD, 'fuzz', name)
    os.makedirs(where, exist_ok=True)
    return where


def fuzzer(name, *options):
    """Run a target; what it said, if it found something."""
    done = subprocess.run([os.path.join(BUILD, 'tests/fuzz', name),
                           '-artifact_prefix=%s-' % corpus(name),
                           '-max_len=4096', *options], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT)
    if done.returncode:
        raise Failure(done.stdout.decode('utf-8', 'replace')[-6000:])


def check(report):
    for name in names('unit', '.c'):
        unit(report, name)
        unit(report, name + '-thread')
    for name in names('fuzz', '.c'):
        report.run('fuzz/%s: %d inputs' % (name, RUNS),
                   lambda n=name: fuzzer(n, '-runs=%d' % RUNS, '-seed=1'))


def fuzz(report):
    """Each target for a while, from what was found before."""
    seconds = int(os.environ.get('FUZZ_SECONDS') or 600)
    for name in names('fuzz', '.c'):
        start = time.monotonic()
        report.run('fuzz/%s: %d s' % (name, seconds), lambda n=name: fuzzer(
            n, '-max_total_time=%d' % seconds, corpus(n)))
        report.note('%s: %d s' % (name, time.monotonic() - start))
