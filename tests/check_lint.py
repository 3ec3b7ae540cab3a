"""Does lint notice?  A chapter with one mistake for each of its rules is put
into a copy of the book; it must name each of them, in its line."""
import re

# What stands in the chapter.  A line that ends in %NAME% is the mistake, and
# LINT below says how lint must complain of that line.
CHAPTER = r'''# A chapter of mistakes %chapter%

Three words stand here. And a figure: ![](figures/no-such.svg) %figure%

<<a chunk that nobody uses>>= %unused%
x;
<<no such chunk>> %undefined%
y = (1 << 2) + (3 >> 1); %shifts%
z; <<a chunk that nobody uses twice>> %alone%
#if 1
<<a long chunk>> %condition%
#endif
#define M \
<<a long chunk>> %macro%
@

<<a chunk that nobody uses twice>>= %prose%
blank; %blanks%
é; %ascii%
@

A long chunk follows here, of forty-one lines in all.

<<a long chunk>>= %long%
@LONG@@

Its name is long, is what they say of the next one.

<<a chunk with a name of no fewer than nine words>>= %name%
<<a chunk in a circle>>
@

The next one uses itself, which is not what it should do.

<<a chunk in a circle>>= %circle%
<<a chunk in a circle>>
@

Then there are seven parts, of which six may be.

@PARTS@

::: goal %box%
A box that is open.

SDM vol. 3A, *A chapter of no manual*, "A section of no manual", has no entry.
The next section is about a register, and does not say where to read of it.

## A section without a manual %section%

This is where the processor learns of its new page tables, at last.

<<load a register>>=
movq %rax, %cr3
@

The prose speaks of [[<<a chunk that is not there>>]]. %quote%
'''

LINT = [
    ('L1', 'a chunk that is no root is used', 'unused', 'is never used'),
    ('L4', 'a use names a chunk that there is', 'undefined', 'is not defined'),
    ('L4', 'shifts are not uses', 'shifts', 'if these are shifts'),
    ('L5', 'a use stands alone', 'alone', 'must stand alone'),
    ('L5', 'no use inside #if', 'condition', 'is used inside #if'),
    ('L5', 'no use inside a macro', 'macro', 'is used inside a macro'),
    ('L6', 'prose stands before a chunk', 'prose', 'no sentence stands before'),
    ('L7', 'no chunk is too long', 'long', '41 lines, more than 40'),
    ('L8', 'a chapter explains its code', 'chapter',
     'prose for a line of code in this chapter, less than'),
    ('L9', 'no chunk has too many parts', 'part7', 'has 7 parts, more than 6'),
    ('L10', 'no name is too long', 'name', 'more than 8 words'),
    ('L11', 'code is ASCII', 'ascii', 'code must be ASCII'),
    ('L11', 'no blanks end a line of code', 'blanks', 'blanks at the end'),
    ('L1', 'no chunks go in a circle', 'circle', 'go round in a circle'),
    ('R3', 'a chapter has a real-world box', 'chapter',
     'lacks a box about the real world'),
    ('R3', 'a chapter has further reading', 'chapter', 'lacks further reading'),
    ('R3', 'a chapter has its exercises', 'chapter', '0 exercises, less than'),
    ('R3', 'a chapter leads to the next', 'chapter', 'lacks what comes next'),
    ('R4', 'a chapter has its figures', 'chapter', '1 figures, less than 3'),
    ('R4', 'a figure has a text', 'figure', 'needs a text in'),
    ('R4', 'a figure has a source', 'figure', 'there is no no-such.svg'),
    ('R4', 'a sentence leads to a figure', 'figure', 'no sentence leads to'),
    ('R5', 'what is cited is in the references', 'chapter',
     'cites "A section of no manual", which is not in the references'),
    ('R5', 'the manual stands beside what it explains', 'section',
     'has %cr3 in its code, and cites no manual'),
    ('R7', 'a box is closed', 'box', 'box is not closed'),
    ('N4', 'the prose speaks of chunks that there are', 'quote',
     'the prose speaks of <<a chunk that is not there>>'),
]

# And two that need a book that can be tangled.
WIDE = 'x = "%s";' % ('w' * 80)
COLUMNS = ('L11', 'no line is too wide', 'columns wide in lguest.c')
UNCITED = ('R5', 'what is in the references is cited', 'no chapter cites')


def chapter():
    """Its lines, and the number of each mistake among them."""
    text = CHAPTER.replace('@LONG@', 'line;\n' * 41)
    text = text.replace('@PARTS@', '\n'.join(
        'A part of it is here, and another comes.\n\n'
        '<<a chunk of many parts>>= %%part%d%%\npart;\n@\n' % n
        for n in range(1, 8)))
    out, where = [], {}
    for number, line in enumerate(text.split('\n')):
        match = re.search(r' %(\w+)%$', line)
        if match:
            where[match.group(1)] = number
            line = line[:match.start()]
            line += '  ' if match.group(1) == 'blanks' else ''
        out.append(line)
    return out, where


def plant(book):
    """The book with that chapter before its first appendix; its first line."""
    at = next(i for i, line in enumerate(book)
              if line.startswith('# Appendix'))
    return book[:at] + chapter()[0] + [''] + book[at:], at + 1


def plant_two(book):
    """A line that is too wide, and a title that nobody cites."""
    at = next(i for i, line in enumerate(book)
              if line.startswith('<<end a guest>>='))
    book = book[:at + 2] + [WIDE] + book[at + 2:]
    entry = next(i for i, line in enumerate(book)
                 if line.startswith('# Appendix: references'))
    return book[:entry + 1] + ['', 'Nobody, *A book that nobody cites* (1999).',
                               ''] + book[entry + 1:], at + 3
