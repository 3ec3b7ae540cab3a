#!/usr/bin/python3
"""The launcher and everything that can be wrong with what it is given.

usage: launcher.py [LAUNCHER]

Needs no virtual machine: without /dev/lguest, a launcher that likes its kernel
gets as far as saying that there is no such device. LAUNCHER is build/lguest
unless given. The last test is a fuzzer, on a launcher that is built for it
with the compiler's address and undefined-behaviour checks; SEED and COUNT in
the environment repeat or prolong it. Prints TAP.
"""
import glob
import os
import random
import re
import resource
import struct
import subprocess
import sys
import tempfile

TOP = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
LAUNCHER = os.path.join(TOP, 'build/lguest')
DEVICE = os.path.exists('/dev/lguest')
NO_DEVICE = 'no /dev/lguest'

count = failed = 0


def ok(good, what, *details):
    """One TAP line, and if it is bad, what we know about it."""
    global count, failed
    count += 1
    failed += not good
    print('%sok %d - %s' % ('' if good else 'not ', count, what))
    if not good:
        for detail in details:
            for line in str(detail).splitlines() or ['']:
                print('#   ' + line)
    sys.stdout.flush()


# --- ELF files ---------------------------------------------------------------

PT_LOAD, PT_NOTE = 1, 4
HEADER = '<4sBBBB8xHHIIIIIHHHHHH'
# Byte offsets of fields, to spoil one at a time: (offset, format).
FIELDS = {
    'class': (4, 'B'), 'data': (5, 'B'), 'ident version': (6, 'B'),
    'type': (16, '<H'), 'machine': (18, '<H'), 'version': (20, '<I'),
    'entry': (24, '<I'), 'phoff': (28, '<I'), 'phentsize': (42, '<H'),
    'phnum': (44, '<H'),
    'p_type': (52, '<I'), 'p_offset': (56, '<I'), 'p_paddr': (64, '<I'),
    'p_filesz': (68, '<I'), 'p_memsz': (72, '<I'),
}


def elf(segments=None, entry=0x100000, **changes):
    """A small kernel. Segments are (type, paddr, bytes, memsz)."""
    if segments is None:
        segments = [(PT_LOAD, 0x100000, b'\xeb\xfe' * 32, 4096),
                    (PT_LOAD, 0x200000, b'data' * 16, 64)]
    data = struct.pack(HEADER, b'\x7fELF', 1, 1, 1, 0, 2, 3, 1, entry, 52, 0,
                       0, 52, 32, len(segments), 0, 0, 0)
    where = 52 + 32 * len(segments)
    for kind, paddr, content, memsz in segments:
        data += struct.pack('<8I', kind, where, paddr, paddr, len(content),
                            memsz, 5, 4)
        where += len(content)
    data += b''.join(segment[2] for segment in segments)
    for name, value in changes.items():
        offset, form = FIELDS[name.replace('ident_', 'ident ')]
        data = bytearray(data)
        struct.pack_into(form, data, offset, value)
    return bytes(data)


# --- running it --------------------------------------------------------------

def launch(*args, launcher=None, env=None, limit=None):
    """Returns exit status, standard output, standard error."""
    def set_limit():
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    done = subprocess.run([launcher or LAUNCHER, *args], timeout=300, env=env,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE,
                          preexec_fn=set_limit if limit else None)
    return (done.returncode, done.stdout.decode('latin1'),
            done.stderr.decode('latin1'))


class Kernels:
    """Files in a directory of their own."""

    def __init__(self, directory):
        self.path = os.path.join(directory, 'kernel')

    def write(self, data):
        with open(self.path, 'wb') as file:
            file.write(data)
        return self.path


def refused(result, status, *words):
    """One line, from us, with these words in it, and nothing else."""
    code, out, err = result
    return (code == status and out == '' and err.startswith('lguest: ') and
            err.count('\n') == 1 and err.endswith('\n') and
            all(word in err for word in words))


def accepted(result):
    """As far as it can come without the host module."""
    return refused(result, 1, NO_DEVICE, 'insmod lguest.ko', 'make load')


# --- tests -------------------------------------------------------------------

def test_usage(kernels):
    good = kernels.write(elf())
    code, out, err = launch('--help')
    ok(code == 0 and out.startswith('usage: lguest') and err == '' and
       '--pae' in out and '-m, --memory=MB' in out, '--help', code, out, err)
    code, out, err = launch('--version')
    ok(code == 0 and out.startswith('lguest ') and err == '', '--version',
       code, out, err)
    for args in ([], ['-v'], ['-m', '16'], ['--unknown'], ['-x', good],
                 ['-m'], ['--memory'], ['--pae'], ['--pae=yes', good]):
        code, out, err = launch(*args)
        ok(code == 2 and out == '' and 'usage: lguest' in err and
           'lguest --help' in err, 'wrong usage: lguest ' + ' '.join(args),
           code, out, err)
    for size in ('', ' ', 'x', '16x', '1e3', '0x10', '-1', '+1', '0', '3073',
                 '4096', '4294967296', '18446744073709551632', '9' * 40):
        result = launch('-m', size, good)
        ok(refused(result, 2, '-m ' + size), '-m %r is refused' % size,
           *result)


def test_not_elf(kernels, directory):
    path = os.path.join(directory, 'missing')
    result = launch(path)
    ok(refused(result, 4, path, 'No such file'), 'a missing file', *result)
    result = launch('')
    ok(refused(result, 4, 'No such file'), 'no name', *result)
    result = launch(directory)
    ok(refused(result, 4, directory, 'directory'), 'a directory', *result)
    path = os.path.join(directory, 'fifo')
    os.mkfifo(path)
    result = launch(path)
    ok(refused(result, 4, path, 'regular file'), 'a pipe that nobody writes',
       *result)
    result = launch('/dev/zero')
    ok(refused(result, 4, '/dev/zero', 'regular file'), 'a device', *result)
    for data, word, what in (
            (b'', 'empty', 'an empty file'),
            (b'#!/bin/sh\nexit 0\n', 'script', 'a script'),
            (b'#!', 'script', 'two bytes of a script'),
            (b'hello', 'not an ELF', 'a short text'),
            (b'\0' * 100000, 'not an ELF', 'zeros'),
            (bytes(range(1, 127)) * 40, 'not an ELF', 'noise')):
        path = kernels.write(data)
        result = launch(path)
        ok(refused(result, 4, path, word), what, *result)
    path = kernels.write(elf())
    if os.geteuid() == 0:
        ok(True, 'a file without permission # SKIP root may read all')
    else:
        os.chmod(path, 0)
        result = launch(path)
        ok(refused(result, 4, path, 'Permission denied'),
           'a file without permission', *result)
        os.chmod(path, 0o600)


def test_good(kernels):
    path = kernels.write(elf())
    if DEVICE:
        ok(True, 'good kernels # SKIP this machine has a /dev/lguest')
        return
    for args in ([], ['-m', '3'], ['-m3'], ['--memory=1024'], ['-v'],
                 ['--pae'], ['--pae', '-m', '3072']):
        code, out, err = launch(*args, path)
        ok(code == 1 and out == '' and NO_DEVICE in err,
           'a good kernel: lguest ' + ' '.join(args), code, out, err)
    result = launch(path, '-m', 'junk', '--help')
    ok(accepted(result), "options after the kernel are the guest's", *result)
    code, out, err = launch('-v', path, 'a', 'b  c')
    ok('0x00100000' in err and '0x00200000' in err and '"a b  c"' in err,
       '-v tells what is where', code, out, err)
    result = launch(path, 'x' * 4095)
    ok(accepted(result), 'a command line of 4095 characters', *result)
    # Sections and program headers of other types do not matter.
    path = kernels.write(elf([(PT_NOTE, 0, b'x' * 20, 20),
                              (PT_LOAD, 0x2000, b'\xf4' * 8, 8),
                              (PT_LOAD, 0xffffffff, b'', 0)], 0x2007))
    result = launch(path)
    ok(accepted(result), 'a note, an empty segment, and one at 0x2000',
       *result)
    path = kernels.write(elf([(PT_LOAD, 0xfff000, b'\xf4' * 4096, 4096)],
                             0xffffff))
    result = launch(path)
    ok(accepted(result), 'a segment up to the last byte of memory', *result)


def test_closed(kernels):
    """Nothing may get the number of a file that was closed."""
    path = kernels.write(elf())
    for close in ('<&-', '>&-', '2>&-', '<&- >&- 2>&-'):
        done = subprocess.run(['sh', '-c', 'exec "$0" -v "$1" ' + close,
                               LAUNCHER, path], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        ok(done.returncode == 1 and (b'/dev/lguest' in done.stderr or
                                     '2>' in close) and
           (b'/dev/lguest' not in done.stdout),
           'started with ' + close, done)
    trace = path + '.trace'
    subprocess.run(['sh', '-c', 'exec "$0" --trace="$1" "$2" 2>&-', LAUNCHER,
                    trace, path], check=False)
    with open(trace) as file:
        text = file.read()
    ok('lguest:' not in text, 'a trace does not get our messages', text)


def bzimage():
    """A small kernel of protocol 2.07."""
    data = bytearray(1024) + b'\xeb\xfe' * 256
    struct.pack_into('<BHI', data, 0x1f1, 1, 0, 32)
    struct.pack_into('<H', data, 0x1fe, 0xaa55)
    struct.pack_into('<4sH', data, 0x202, b'HdrS', 0x207)
    struct.pack_into('<BHI', data, 0x211, 1, 0, 0x100000)
    struct.pack_into('<I', data, 0x22c, 0x37ffffff)
    return bytes(data)


def test_devices(kernels):
    """What fields are checked is the business of unit/load."""
    path = kernels.write(bzimage())
    ok(accepted(launch(path)), 'a bzImage', *launch(path))
    result = launch('--initrd', path, '--rng', '--block', path + ',ro', path)
    ok(accepted(result), 'an initrd, a disk, random numbers', *result)
    result = launch('--initrd', path + 'x', path)
    ok(refused(result, 4, path + 'x', 'No such file'), 'no such initrd',
       *result)
    result = launch('--initrd', '/', path)
    ok(refused(result, 4, 'directory'), 'a directory as initrd', *result)
    result = launch('--drop-to', 'no-such-user', path)
    ok(refused(result, 2, 'no such user'), 'no such user', *result)
    result = launch('--drop-to', 'root', path)
    ok(refused(result, 2, 'root'), 'a user who may do everything', *result)
    result = launch(*['--rng'] * 30, path)
    ok(accepted(result), '30 devices', *result)
    result = launch(*['--rng'] * 31, path)
    ok(refused(result, 2, 'too many devices'), '31 devices', *result)


def test_limits(kernels):
    path = kernels.write(elf())
    result = launch(path, *['x' * 1000] * 5)
    ok(refused(result, 2, 'command line'), 'a long command line', *result)
    result = launch(path, 'x' * 4096)
    ok(refused(result, 2, 'command line'), '4096 characters', *result)
    result = launch('-m', '3072', path, limit=256 << 20)
    ok(refused(result, 1, '3072 MB', 'smaller -m'), 'not enough memory',
       *result)


def test_truncated(kernels):
    whole = elf()
    bad = []
    for length in range(len(whole)):
        result = launch(kernels.write(whole[:length]))
        if not refused(result, 4, kernels.path):
            bad.append((length, result))
        elif length >= 4 and 'truncated' not in result[2]:
            bad.append((length, result))
    ok(not bad, 'truncated after each of %d bytes' % len(whole), *bad)


def test_spoilt(kernels):
    for field, value, word in (
            ('class', 2, '64-bit'), ('class', 0, '32-bit'),
            ('class', 255, '32-bit'), ('data', 2, 'little-endian'),
            ('ident version', 0, 'version'), ('version', 2, 'version'),
            ('type', 1, 'object file'), ('type', 3, 'relocatable'),
            ('type', 4, 'type is 4'), ('type', 0, 'type is 0'),
            ('type', 0xffff, 'type is 65535'),
            ('machine', 62, 'machine 62'), ('machine', 40, 'machine 40'),
            ('machine', 6, 'machine 6'), ('machine', 0, 'machine 0'),
            ('phentsize', 0, 'absurd'), ('phentsize', 31, 'absurd'),
            ('phentsize', 56, 'absurd'), ('phentsize', 0xffff, 'absurd'),
            ('phnum', 0, 'no program headers'), ('phnum', 0xffff, 'absurd'),
            ('phnum', 0xfffe, 'absurd'), ('phnum', 64, 'truncated'),
            ('phoff', 0xffffffff, 'truncated'),
            ('phoff', 0xffffffe0, 'truncated'), ('phoff', 190, 'truncated'),
            ('p_offset', 0xffffffff, 'truncated'),
            ('p_offset', 0xffffffc0, 'truncated'),
            ('p_offset', 200, 'truncated'),
            ('p_filesz', 0xffffffff, 'absurd'),
            ('p_filesz', 4097, 'absurd'), ('p_filesz', 4096, 'truncated'),
            ('p_memsz', 63, 'absurd'), ('p_memsz', 0, 'nothing is loaded'),
            ('p_memsz', 0xffffffff, "no guest's memory"),
            ('p_memsz', 0x01000000, 'try -m 17'),
            ('p_paddr', 0, 'boot parameters'),
            ('p_paddr', 0x1000, 'boot parameters'),
            ('p_paddr', 0x1fff, 'boot parameters'),
            ('p_paddr', 0x2000, 'nothing is loaded'),
            ('p_paddr', 0xfff001, 'try -m 17'),
            ('p_paddr', 0x01000000, 'try -m 17'),
            ('p_paddr', 0x40000000, 'try -m 1025'),
            ('p_paddr', 0xbffff000, 'try -m 3072'),
            ('p_paddr', 0xbffff001, "no guest's memory"),
            ('p_paddr', 0xc0000000, "no guest's memory"),
            ('p_paddr', 0xfffff000, "no guest's memory"),
            ('p_paddr', 0xffffffff, "no guest's memory"),
            ('entry', 0, 'nothing is loaded'),
            ('entry', 0xfffff, 'nothing is loaded'),
            ('entry', 0x101000, 'nothing is loaded'),
            ('entry', 0xffffffff, 'nothing is loaded')):
        path = kernels.write(elf(**{field.replace(' ', '_'): value}))
        result = launch(path)
        ok(refused(result, 4, path, word), '%s is %#x' % (field, value),
           *result)
    for segments, word in (
            ([], 'no program headers'),
            ([(PT_NOTE, 0x100000, b'x' * 64, 64)], 'no segment to load'),
            ([(PT_LOAD, 0x100000, b'', 0)], 'no segment to load')):
        path = kernels.write(elf(segments))
        result = launch(path)
        ok(refused(result, 4, path, word), 'segments: %r' % (segments,),
           *result)
    many = elf([(PT_LOAD, 0x100000, b'', 0xf00000)] * 65)
    path = kernels.write(many)
    result = launch(path)
    ok(refused(result, 4, path, 'absurd'), '65 segments', *result)


# --- the fuzzer --------------------------------------------------------------

EDGES = (0, 1, 2, 3, 4, 31, 32, 33, 52, 63, 64, 65, 0x7f, 0xff, 0xfff, 0x1000,
         0x1fff, 0x2000, 0xfffff, 0x100000, 0xffffff, 0x1000000, 0x7fffffff,
         0x80000000, 0xbfffffff, 0xc0000000, 0xfffff000, 0xfffffffe,
         0xffffffff)


def mutate(rng):
    """A valid file, spoilt in a few places."""
    segments = [(rng.choice((PT_LOAD, PT_LOAD, PT_LOAD, PT_NOTE)),
                 rng.randrange(0x2000, 0x1000000),
                 bytes(rng.randrange(256)),
                 rng.randrange(256, 0x10000))
                for _ in range(rng.randrange(1, 5))]
    data = bytearray(elf(segments, segments[0][1]))
    for _ in range(rng.randrange(1, 6)):
        how = rng.randrange(5)
        if how == 0:                    # a bit
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        elif how == 1:                  # a whole field
            offset, form = rng.choice(list(FIELDS.values()))
            value = rng.choice(EDGES) + rng.choice((0, 0, 1, -1))
            size = struct.calcsize(form)
            if offset + size <= len(data):
                struct.pack_into(form, data, offset,
                                 value & ((1 << 8 * size) - 1))
        elif how == 2:                  # a word of a program header
            offset = 52 + 4 * rng.randrange(8 * len(segments))
            if offset + 4 <= len(data):
                struct.pack_into('<I', data, offset,
                                 (rng.choice(EDGES) if rng.randrange(2) else
                                  rng.randrange(1 << 32)) & 0xffffffff)
        elif how == 3:                  # the end
            del data[rng.randrange(1, len(data) + 1):]
        else:                           # more
            data += bytes(rng.randrange(1, 100))
    return bytes(data)


def libraries():
    """What the Makefile links it to."""
    with open(TOP + '/Makefile') as file:
        return re.search(r'^LAUNCHER_LIBS := (.*)', file.read(),
                         re.MULTILINE).group(1).split()


def build_checked():
    """The launcher with the compiler's checks, or None."""
    where = os.path.join(TOP, 'build/tests/launcher-asan')
    os.makedirs(os.path.dirname(where), exist_ok=True)
    done = subprocess.run(
        ['gcc', '-O1', '-g', '-std=gnu11', '-fsanitize=address,undefined',
         '-fno-sanitize-recover=all', '-I' + os.path.join(TOP, 'examples'),
         '-pthread', '-o', where] +
        glob.glob(TOP + '/examples/launcher/*.c') + libraries(),
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode:
        ok(False, 'the launcher builds with -fsanitize', done.stdout.decode())
        return None
    return where


def test_fuzz(kernels):
    checked = build_checked()
    if not checked:
        return
    number = int(os.environ.get('COUNT') or 3000)
    first = int(os.environ.get('SEED') or random.randrange(1 << 32))
    print('# SEED=%d COUNT=%d repeats this' % (first, number))
    env = dict(os.environ, UBSAN_OPTIONS='exitcode=99',
               ASAN_OPTIONS='exitcode=99:detect_leaks=0')
    bad, ends = [], {}
    for seed in range(first, first + number):
        path = kernels.write(mutate(random.Random(seed)))
        result = launch(path, launcher=checked, env=env)
        ends[result[0]] = ends.get(result[0], 0) + 1
        if not (refused(result, 4, path) or accepted(result)):
            bad.append('SEED=%d COUNT=1: %r' % (seed, result))
    ok(not bad, '%d spoilt kernels, exit statuses: %s'
       % (number, ', '.join('%d of %d' % (n, status)
                            for status, n in sorted(ends.items()))),
       *bad[:10])


def main():
    global LAUNCHER
    if len(sys.argv) > 2 or sys.argv[1:] in (['-h'], ['--help']):
        sys.exit(__doc__)
    if len(sys.argv) == 2:
        LAUNCHER = os.path.abspath(sys.argv[1])
    if not os.path.exists(LAUNCHER):
        sys.exit('Bail out! no %s: run make launcher' % LAUNCHER)
    with tempfile.TemporaryDirectory() as directory:
        kernels = Kernels(directory)
        test_usage(kernels)
        test_not_elf(kernels, directory)
        test_good(kernels)
        test_closed(kernels)
        test_devices(kernels)
        test_limits(kernels)
        test_truncated(kernels)
        test_spoilt(kernels)
        if DEVICE:
            ok(True, 'spoilt kernels # SKIP this machine has a /dev/lguest')
        else:
            test_fuzz(kernels)
    print('1..%d' % count)
    return failed != 0


if __name__ == '__main__':
    sys.exit(main())
