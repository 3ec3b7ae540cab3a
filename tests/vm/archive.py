"""Archives in cpio's `newc` format, as a kernel unpacks them when it starts."""
import os
import stat


def cpio(files):
    """An archive in cpio's `newc` format, the same bytes every time.

    `files` maps paths to bytes (a file), None (a directory), or a pair
    (bytes, mode)."""
    out = []
    whole = {}
    for path in files:                  # every parent directory
        while path:
            whole.setdefault(path, files.get(path))
            path = os.path.dirname(path)
    entries = sorted(whole.items()) + [('TRAILER!!!', b'')]
    for number, (path, data) in enumerate(entries, 1):
        mode = 0o755
        if isinstance(data, tuple):
            data, mode = data
        mode |= stat.S_IFDIR if data is None else stat.S_IFREG
        data = data or b''
        name = path.encode() + b'\0'
        fields = (number, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0,
                  len(name), 0)
        head = b'070701' + b''.join(b'%08X' % f for f in fields) + name
        out += [head, bytes(-len(head) % 4), data, bytes(-len(data) % 4)]
    return b''.join(out)


def read(path):
    with open(path, 'rb') as file:
        return file.read()
