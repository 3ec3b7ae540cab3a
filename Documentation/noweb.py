# SPDX-License-Identifier: GPL-2.0-only
"""What the lint and the weaver know of a .nw file, read from noweb's pipeline.

noweb's first stage, `markup`, turns a .nw file into one keyword a line; its
back ends read that.  So nothing here guesses at noweb's syntax.
"""

import os
import re
import subprocess
import sys
from dataclasses import dataclass, field

MARKUP = "/usr/lib/noweb/markup"
ROOTS = ("lguest.c", "switcher.S", "examples/lguest.h")

# The boxes a chapter may hold (`::: name` ... `:::`) and what stands on top.
BOXES = {
    "goal": "Going where?",
    "realworld": "Real world",
    "history": "History",
    "attack": "Attack",
    "exercise": "Exercise",
    "registers": "",
}


class Error(Exception):
    """A message for the user; the program ends."""


@dataclass(eq=False)
class Row:
    """One line of code: its number and its pieces, (is_use, text)."""
    line: int
    pieces: list = field(default_factory=list)

    @property
    def uses(self):
        return [text for is_use, text in self.pieces if is_use]

    @property
    def text(self):
        return "".join(f"<<{t}>>" if is_use else t for is_use, t in self.pieces)


@dataclass(eq=False)
class Chunk:
    """One part of a chunk; `line` is the line of its <<name>>=."""
    name: str
    line: int
    rows: list = field(default_factory=list)
    part: int = 0
    parts: int = 0
    chapter: object = None


@dataclass(eq=False)
class Docs:
    """Prose up to the next chunk: (line number, text) for each line.

    Quoted code is put back as [[code]], but between QUOTE and UNQUOTE, so
    that no one has to find its end again.
    """
    lines: list = field(default_factory=list)


QUOTE, UNQUOTE = "\uf000", "\uf001"
NUMBER = re.compile(f"{QUOTE}=(.*?){UNQUOTE}")


def measured(path):
    """name -> value, from tests/measured beside the book."""
    try:
        with open(os.path.join(os.path.dirname(path), "tests/measured"),
                  encoding="utf-8") as file:
            return dict(line.split()[:2] for line in file
                        if line.strip() and not line.startswith("#"))
    except OSError as err:
        raise Error(f"{err.filename}: {err.strerror}") from None


def resolve_numbers(items, path):
    """[[=name]] in the prose is what was measured."""
    numbers = None
    for item in items:
        for i, (line, text) in enumerate(getattr(item, "lines", ())):
            for name in NUMBER.findall(text):
                numbers = numbers or measured(path)
                if name not in numbers:
                    raise Error(f"{path}:{line}: tests/measured has no {name}")
            item.lines[i] = line, NUMBER.sub(lambda m: numbers[m[1]], text)


def slug(text):
    """The name of a page or an anchor."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-") or "x"


def run(command, text, what):
    """A program that complains, even if it succeeds, stops the weaving."""
    try:
        done = subprocess.run(command, input=text, capture_output=True,
                              text=True)
    except FileNotFoundError:
        raise Error(f"{what}: {command[0]} is not installed") from None
    if done.returncode or done.stderr.strip():
        raise Error(f"{what}: {command[0]}: {done.stderr.strip()}")
    return done.stdout


def read(path):
    """The Docs and Chunks of a .nw file, in order."""
    done = subprocess.run([MARKUP, "-t", path], capture_output=True)
    if done.returncode or done.stderr:
        message = done.stderr.decode().strip()
        if "unescaped <<" in message:
            message += ": put it into [[...]] or write @<<"
        raise Error(message or f"{path}: markup failed")
    try:
        stream = done.stdout.decode("utf-8")
    except UnicodeDecodeError as err:
        line = done.stdout[:err.start].count(b"\n@nl") + 1
        raise Error(f"{path}:{line}: not UTF-8 (line is approximate)")

    items, item, line, docs_line = [], None, 1, ""
    for entry in stream.split("\n"):
        key, _, rest = entry.partition(" ")
        if key == "@begin" and rest.startswith("docs"):
            item, docs_line = Docs(), ""
            items.append(item)
        elif key == "@begin":
            item = None
        elif key == "@defn":
            item = Chunk(rest, line)
            items.append(item)
        elif key == "@text" or key == "@use":
            if isinstance(item, Chunk):
                if rest:
                    item.rows[-1].pieces.append((key == "@use", rest))
            else:
                docs_line += f"<<{rest}>>" if key == "@use" else rest
        elif key == "@quote":
            docs_line += QUOTE
        elif key == "@endquote":
            docs_line += UNQUOTE
        elif key == "@nl" or entry == "@index nl":
            if isinstance(item, Docs):
                item.lines.append((line, docs_line))
                docs_line = ""
            line += 1
            if isinstance(item, Chunk) and key == "@nl":
                item.rows.append(Row(line))
        elif key == "@end":
            # The row begun after the last newline of a chunk is no row.
            if isinstance(item, Chunk) and item.rows:
                if not item.rows[-1].pieces:
                    item.rows.pop()
            elif isinstance(item, Docs) and docs_line:
                item.lines.append((line, docs_line))
                docs_line = ""
        elif key == "@fatal":
            raise Error(f"{path}: {rest}")

    resolve_numbers(items, path)
    by_name = parts(items)
    for chunks in by_name.values():
        for n, chunk in enumerate(chunks, 1):
            chunk.part, chunk.parts = n, len(chunks)
    return items


def parts(items):
    """name -> the chunk's parts, in the order of the file."""
    by_name = {}
    for item in items:
        if isinstance(item, Chunk):
            by_name.setdefault(item.name, []).append(item)
    return by_name


def reachable(by_name, root):
    """The names that end in root, itself included."""
    seen, todo = set(), [root]
    while todo:
        name = todo.pop()
        if name in seen or name not in by_name:
            continue
        seen.add(name)
        todo += [u for c in by_name[name] for r in c.rows for u in r.uses]
    return seen


def declared(what, docs):
    """(line, name) for each `<!-- what: name -->` in the prose."""
    comment = re.compile(r"<!-- *%s: *(.*?) *-->\s*$" % what)
    for line, text in docs.lines:
        found = comment.match(text)
        if found:
            yield line, found.group(1)


@dataclass(eq=False)
class Chapter:
    title: str
    line: int
    items: list = field(default_factory=list)


CODE_FENCE = re.compile(r"\s{0,3}(```+|~~~+)")


def unfenced(lines):
    """(line, text, in_code) where in_code tells of ``` and ~~~ blocks."""
    fence = None
    for line, text in lines:
        found = CODE_FENCE.match(text)
        if fence is None and found:
            fence = found.group(1)
            yield line, text, True
        elif fence and found and found.group(1).startswith(fence) \
                and not text.strip(" `~"):
            fence = None
            yield line, text, True
        else:
            yield line, text, fence is not None


def chapters(items):
    """Cut the book at its `# ` headings.  What precedes the first is chapter
    number 0, with an empty title."""
    result = [Chapter("", 1)]
    for item in items:
        if isinstance(item, Chunk):
            item.chapter = result[-1]
            result[-1].items.append(item)
            continue
        rest = Docs()
        for line, text, in_code in unfenced(item.lines):
            if not in_code and re.match(r"# +\S", text):
                result[-1].items.append(rest)
                title = text[1:].strip()
                result.append(Chapter(title, line))
                rest = Docs()
            rest.lines.append((line, text))
        result[-1].items.append(rest)
    return result


def main(function):
    """Run a program's main function; an Error becomes a message."""
    try:
        sys.exit(function())
    except Error as err:
        print(err, file=sys.stderr)
        sys.exit(1)
