# SPDX-License-Identifier: GPL-2.0-only
"""What the program defines, and where in the .nw file: universal-ctags looks
at what is tangled, and #line leads back."""

import os
import re
import sys
import tempfile

sys.dont_write_bytecode = True
import noweb  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))

CTAGS = ["ctags", "-f", "-", "--fields=nKe", "--kinds-C=+lz",
         "--excmd=number", "-I",
         "__init,__exit,__user,__iomem,__packed,noinstr"]
C_KINDS = {"macro", "enumerator", "function", "enum", "struct", "typedef",
           "union", "variable", "member"}
ASM_KINDS = {"label": "label", "macro": "macro", "define": "macro"}
TAGS = {"struct", "union", "enum"}


class Tangled:
    """One root of the program, as the compiler sees it: its lines, and of
    each the place that it comes from, (file, line)."""

    def __init__(self, path, root, overrides=(), elided=()):
        self.root, self.assembly = root, root.endswith(".S")
        self.lines, self.places = [], []
        options = [word for name in overrides for word in ("--override", name)]
        file, line = path, 1
        for text in noweb.run(
                [f"{HERE}/tangle", "--line", "--elided", *options, root, path],
                "".join(f"{line}\n" for line in elided), path).splitlines():
            found = re.match(r'\s*#line (\d+) "(.*)"', text)
            if found:
                line, file = int(found.group(1)), found.group(2)
            else:
                self.lines.append(text)
                self.places.append((file, line))
                line += 1

    def tags(self):
        """(name, kind, index of its first line, of its last) for each tag."""
        with tempfile.TemporaryDirectory() as tmp:
            name = f"{tmp}/tangled.{'s' if self.assembly else 'c'}"
            with open(name, "w", encoding="utf-8") as out:
                out.write("\n".join(self.lines) + "\n")
            tags = noweb.run(CTAGS + [name], "", self.root)
        for tag in tags.splitlines():
            name, first, kind, last = re.match(
                r'(\S+)\t.*\t(\d+);"\t(\w+)(?:.*\tend:(\d+))?', tag).groups()
            if not name.startswith("__anon"):
                yield name, kind, int(first) - 1, int(last or first) - 1

    def definitions(self):
        """(name, kind, index, word): `word` is what stands in the line if it
        is not the name itself."""
        for name, kind, index, _ in self.tags():
            if self.assembly:
                # A word at the left margin may be a macro that is used.
                kind = ASM_KINDS.get(kind) if kind != "label" or \
                    f"{name}:" in self.lines[index] else None
            if kind in C_KINDS or self.assembly and kind:
                yield name, kind, index, None
        # What the kernel's macros define, ctags does not see: labels, and
        # the offsets for the assembler, perhaps by a macro of our own that
        # puts a word before the name.
        prefix = {"DEFINE": "", "OFFSET": ""}
        for index, text in enumerate(self.lines):
            if self.assembly:
                for name in re.findall(
                        r"\bSYM_\w*(?:START|LABEL|ENTRY)\w*\((\w+)", text):
                    yield name, "label", index, None
                continue
            macro = re.match(r"#define (\w+)\((\w+)\)\s+"
                             r"(?:DEFINE|OFFSET)\((\w+?)##\2\b", text)
            if macro:
                prefix[macro.group(1)] = macro.group(3)
            elif not text.startswith("#"):
                for macro, word in re.findall(r"\b(\w+)\((\w+)", text):
                    if macro in prefix:
                        yield prefix[macro] + word, "offset", index, word


class Definition:
    def __init__(self, name, kind, line):
        self.name, self.kind, self.line = name, kind, line
        self.id, self.chunk, self.used, self.shown = None, None, [], False

    def href(self):
        return f"{self.chunk.page.file}#{self.id}"


class Identifiers:
    """What is defined in which line of the .nw file."""

    def __init__(self, path, by_name):
        self.by_name, self.at, self.members = {}, {}, set()
        for root in noweb.ROOTS:
            if root in by_name:
                tangled = Tangled(path, root)
                for name, kind, index, word in tangled.definitions():
                    self.add(name, kind, tangled.places[index][1], word)
        chunk_at = {r.line: c for cs in by_name.values() for c in cs
                    for r in c.rows}
        self.in_line = {}
        for same in self.by_name.values():
            for n, found in enumerate(same, 1):
                self.in_line.setdefault(found.line, []).append(found)
                found.id = f"id-{found.name}" + (f".{n}" if n > 1 else "")
                found.chunk = chunk_at[found.line]

    def add(self, name, kind, line, word=None):
        place = word or name, line
        if kind == "member":
            self.members.add(place)
        elif place not in self.at:
            self.at[place] = Definition(name, kind, line)
            self.by_name.setdefault(name, []).append(self.at[place])

    def lookup(self, name, after=""):
        """The definition meant by name, if the word before it is `after`."""
        for found in self.by_name.get(name, ()):
            if (found.kind in TAGS) == (after in TAGS):
                return found
        return None

    def meant(self, name, before, line):
        """The definition that a word in this line means, or None."""
        if (name, line) in self.at:
            return self.at[name, line]
        if before[-2:] == "->" or before[-1:] == "." \
                or (name, line) in self.members:
            return None
        return self.lookup(name, before if before in TAGS else "")
