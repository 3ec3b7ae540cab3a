"""What the Python programs that boot a machine of their own say: TAP."""
import sys

results = []


def check(name, good, *details):
    """One line, and if it is bad, what we know about it."""
    results.append(bool(good))
    print('%sok %d - %s' % ('' if good else 'not ', len(results), name))
    if not good:
        for detail in details:
            print('# ' + str(detail).replace('\n', '\n# '))
    sys.stdout.flush()


def end_of_checks():
    """The plan, and the status to exit with."""
    print('1..%d' % len(results))
    return 0 if all(results) else 1
