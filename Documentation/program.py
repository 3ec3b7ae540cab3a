# SPDX-License-Identifier: GPL-2.0-only
"""How weave shows code: its colours, its links, and listings of whole files.

Pygments cuts the code into tokens; here each token that is a name meets its
definition.
"""

import html
import itertools
import os
import re

import noweb
from identifiers import CTAGS, C_KINDS, TAGS
from noweb import run, slug
from pygments.lexer import RegexLexer, bygroups
from pygments.lexers.c_cpp import CLexer
from pygments.lexers.diff import DiffLexer
from pygments.token import (Comment, Keyword, Name, Number, Punctuation,
                            String, Text)

HERE = os.path.dirname(os.path.abspath(__file__))
KERNEL_TYPES = set("bool u8 u16 u32 u64 s8 s16 s32 s64 size_t ssize_t loff_t "
                   "__u8 __u16 __u32 __u64 gfp_t uint8_t uint16_t uint32_t "
                   "uint64_t".split())


# --- colours ---------------------------------------------------------------

class Assembly(RegexLexer):
    """AT&T syntax through the C preprocessor; Pygments' own stumbles over
    preprocessor lines, numeric labels and macro arguments."""
    blank = [
        (r"/\*[\s\S]*?\*/", Comment),
        (r"//.*", Comment),
        (r"[ \t]+", Text),
    ]
    tokens = {
        "root": blank + [
            (r"\n", Text),
            (r"(#[ \t]*(?:define|undef|include|if|ifdef|ifndef|else|elif|endif"
             r"|error)\b)", Comment.Preproc, "rest"),
            (r"#.*", Comment),
            (r"[\w.$]+:", Name.Label),
            (r"\.\w+", Name.Attribute, "rest"),
            (r"[A-Z_][A-Z0-9_]+\b", Name, "rest"),
            (r"[a-z]\w*", Keyword, "rest"),
            (r"", Text, "rest"),
        ],
        "rest": blank + [
            (r"\\\n", Text),
            (r"[\n;]", Text, "#pop"),
            (r"#.*", Comment),
            (r'"(?:\\.|[^"\\])*"', String),
            (r"%\w+", Name.Builtin),
            (r"(\$?)(0x[0-9a-fA-F]+|\d+[bf]?)\b", bygroups(Punctuation,
                                                           Number)),
            (r"\\[\w@()]+", Name.Variable),
            (r"[A-Za-z_]\w*", Name),
            (r".", Punctuation),
        ],
    }


def css_class(kind, text):
    if kind in Comment.Preproc:
        return "p"
    if kind in Comment:
        return "c"
    if kind in Keyword.Type or kind in Name and text in KERNEL_TYPES:
        return "t"
    if kind in Keyword:
        return "k"
    if kind in String:
        return "s"
    if kind in Number:
        return "m"
    if kind in Name.Builtin:
        return "r"
    if kind in Name.Label or kind in Name.Attribute:
        return "l"
    return ""


USE = re.compile("/\\*\ue000(\\d+)\ue001\\*/")
PIECE = re.compile(r'("(?:\\.|[^"\\])*"|/\*.*?\*/|//.*|[A-Za-z_]\w*)', re.S)


def use_mark(number):
    """Stands in the code for a use, until colour() asks what it is."""
    return f"/*\ue000{number}\ue001*/"


def colour(text, lexer, stack, word, use):
    """Code as HTML.  word(name, before, row) says how to show a name that
    stands after `before`, or None; use(number) how to show a use."""
    out, row, before = [], 0, ""
    for _, kind, text in lexer.get_tokens_unprocessed(text, stack):
        css = css_class(kind, text)
        if css in ("c", "s", "m", "r"):
            for i, piece in enumerate(USE.split(text)):
                if i % 2:
                    out.append(("", use(int(piece))))
                else:
                    out.append((css, html.escape(piece, False)))
                    row += piece.count("\n")
            before = ""
            continue
        done = ""
        for i, piece in enumerate(PIECE.split(text)):
            shown = word(piece, before, row) \
                if i % 2 and re.match(r"[A-Za-z_]", piece) else None
            done += shown or html.escape(piece, False)
            row += piece.count("\n")
            before = piece.strip() or before
        out.append((css, done))
    result = ""
    for css, same in itertools.groupby(out, lambda piece: piece[0]):
        text = "".join(piece for _, piece in same)
        # Thousands of them: a short name makes a page lighter.
        result += f'<i class="{css}">{text}</i>' if css and text else text
    return result


def code_of_chunk(chunk, word, use):
    """The code of one chunk; use(name) shows a use."""
    marks, lines = [], []
    for row in chunk.rows:
        line = ""
        for is_use, text in row.pieces:
            if is_use:
                marks.append(text)
                text = use_mark(len(marks) - 1)
            line += text
        lines.append(line)
    # Most chunks are the inside of something: tell the C lexer so.
    lexer, stack = CLexer(), ("root",) + ("function",) * 30
    if chunk.roots and all(r.endswith(".S") for r in chunk.roots):
        lexer, stack = Assembly(), ("root",)

    def link(name, before, row):
        return word(name, before, chunk.rows[row].line) \
            if row < len(chunk.rows) else None
    return colour("\n".join(lines), lexer, stack, link,
                  lambda number: use(marks[number]))


# --- listings --------------------------------------------------------------

class Listing:
    """A whole file as a page."""

    def __init__(self, name, path, text):
        self.name, self.path, self.text = name, path, text
        self.file = slug(name) + ".html"

    def page(self, about, code, runs):
        """The file with its line numbers; runs are (where they lead, first
        line, last line)."""
        numbers = []
        for href, first, last in runs:
            run_of = "\n".join(f'<b id="L{n}">{n}</b>'
                               for n in range(first, last + 1))
            numbers.append(f'<a href="{href}">{run_of}</a>' if href
                           else run_of)
        numbers = "\n".join(numbers)
        title = self.path.replace("/", "/<wbr>")
        return (f"<h1><code>{title}</code></h1>\n<p>{about}</p>\n"
                f'<div class="listing">\n<pre class="numbers">{numbers}</pre>'
                f'\n<pre class="text" tabindex="0"><code>{code}</code></pre>\n'
                "</div>")


class Example(Listing):
    """A file under examples/ that the book talks about."""

    def __init__(self, base, name):
        with open(f"{base}/examples/{name}", encoding="utf-8") as file:
            super().__init__(name, f"examples/{name}", file.read())
        # What it defines: name -> line.
        self.at, self.tags = {}, set()
        self.lexer = CLexer()
        if name.endswith(".patch"):
            self.lexer = DiffLexer()
            for number, line in enumerate(self.text.split("\n"), 1):
                found = re.match(r"\+(?:SYM_\w+\(|[a-z].*?\b)(\w+)(?:\)|,|\(.*"
                                 r"[^;])$", line)
                if found:
                    self.at.setdefault(found.group(1), number)
            return
        for tag in run(CTAGS + [f"{base}/examples/{name}"], "",
                       name).splitlines():
            word, number, kind = re.match(r'(\S+)\t.*\t(\d+);"\t(\w+)',
                                          tag).groups()
            if kind in C_KINDS and kind != "member":
                self.at.setdefault(word, int(number))
                if kind in TAGS:
                    self.tags.add(word)

    def means(self, name, before):
        return name in self.at and (name in self.tags) == (before in TAGS)

    def html(self, identifiers, others):
        """`others` are the other examples: what is defined there in the
        launcher's one name space, is linked as well."""
        shown = set()

        def word(name, before, row):
            if self.at.get(name) == row + 1 and name not in shown:
                shown.add(name)
                return f'<b id="{name}">{name}</b>'
            if before[-2:] == "->" or before[-1:] == ".":
                return None
            places = [("" if other is self else other.file)
                      for other in [self] + others
                      if other.means(name, before)]
            if places and (places[0] == "" or len(places) == 1):
                return f'<a href="{places[0]}#{name}">{name}</a>'
            found = identifiers.lookup(name, before if before in TAGS else "")
            if found and "examples/lguest.h" in found.chunk.roots:
                return f'<a href="{found.href()}">{name}</a>'
            return None
        patch = self.name.endswith(".patch")
        code = colour(self.text.rstrip("\n"), self.lexer, ("root",),
                      (lambda *_: None) if patch else word, None)
        if patch:
            lines = code.split("\n")
            for name, line in self.at.items():
                lines[line - 1] = f'<span id="{name}">{lines[line - 1]}</span>'
            code = "\n".join(lines)
        return self.page("The whole file, as it is in the tree.", code,
                         [("", 1, self.text.rstrip("\n").count("\n") + 1)])


class Committed(Listing):
    """A file of the program as it is committed, and where each of its lines
    comes from."""

    def __init__(self, path, root, by_name):
        super().__init__(root, root,
                         run([f"{HERE}/tangle", root, path], "", path))
        self.origins = []       # of each line: the chunk, the line of the .nw
        self.first, self.line_of = {}, {}
        expected = self.expand(by_name, root)
        known, chunk = next(expected), None
        for number, text in enumerate(self.text.splitlines(), 1):
            origin = 0
            if known and text.strip() == known[0]:
                _, chunk, origin = known
                known = next(expected, None)
                self.first.setdefault(chunk, number)
                self.line_of[origin] = number
            elif text and self.first and number > 6:
                raise noweb.Error(f"{path}: line {number} of {root} comes "
                                  "from no chunk")
            self.origins.append((chunk, origin))
        if known:
            raise noweb.Error(f"{path}: {root} lacks {known[0]}")

    def expand(self, by_name, name):
        """Text, chunk and line of what tangle writes, but empty lines."""
        for chunk in by_name[name]:
            if name != self.name:
                yield f"/* <<{name}>> */", chunk, 0
            for row in chunk.rows:
                for use in row.uses:
                    yield from self.expand(by_name, use)
                if not row.uses and row.text.strip():
                    yield row.text.strip(), chunk, row.line

    def html(self, identifiers, others):
        """`others` are the other files of the program."""
        lines = self.text.splitlines()
        comments = {n: line.strip() for n, line in enumerate(lines)
                    if re.fullmatch(r"\s*/\* <<.*>> \*/", line)}
        for n, comment in comments.items():
            lines[n] = lines[n].replace(comment, use_mark(n))
        defined = set()

        def word(name, before, row):
            line = self.origins[row][1]
            found = identifiers.meant(name, before, line)
            if not found:
                return None
            if found.line == line and found not in defined:
                defined.add(found)
                return f'<a class="def" href="{found.href()}">{name}</a>'
            for other in [self] + others:
                if found.line in other.line_of:
                    file = "" if other is self else other.file
                    return (f'<a href="{file}#L{other.line_of[found.line]}">'
                            f"{name}</a>")
            raise noweb.Error(f"{found.name} is defined in no file")

        def use(n):
            chunk = self.origins[n][0]
            return (f'<a class="c" href="{chunk.page.file}#{chunk.id}">'
                    f"{html.escape(comments[n], False)}</a>")
        code = colour("\n".join(lines),
                      Assembly() if self.name.endswith(".S") else CLexer(),
                      ("root",), word, use)
        runs, number = [], 1
        for chunk, same in itertools.groupby(self.origins, lambda o: o[0]):
            last = number + len(list(same)) - 1
            runs.append((chunk and f"{chunk.page.file}#{chunk.id}",
                         number, last))
            number = last + 1
        return self.page("The file that the kernel's build compiles, but for "
                         "the comments with the names of chunks. A name and "
                         "a line's number lead to the chunk in the book.",
                         code, runs)
