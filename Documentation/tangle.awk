# SPDX-License-Identifier: GPL-2.0-only
#
# A filter for noweb's pipeline, used by tangle.  It marks the start of every
# chunk with its name or with #line, marks the line after every use with #line
# (notangle's own -L would lose the indentation), lets chunks that come from
# another file than TANGLE_SOURCE replace those of the same name, and leaves
# out what the file TANGLE_ELIDED names: parts of chunks, and uses.

BEGIN {
	names = ENVIRON["TANGLE_FORM"] == "names"
	root = ENVIRON["TANGLE_ROOT"]
	elided = ENVIRON["TANGLE_ELIDED"]
	source = ENVIRON["TANGLE_SOURCE"]
	while (elided && (getline < elided) > 0)
		gone[$0] = 1
}

function fail(message)
{
	print message | "cat >&2"
	failed = 1
}

function mark(text)
{
	if (skip)
		return
	print "@text " text
	print "@nl"
}

function mark_line()
{
	if (!names)
		mark("#line " line " \"" file "\"")
}

/^@file / {
	file = substr($0, 7)
	line = 1
	if (++files[file] > 1)
		fail(file " is named twice")
}

# Hold this back until the name of the chunk is known.
/^@begin code/ {
	begin = $0
	next
}

/^@defn / {
	chunk = substr($0, 7)
	if ("part " file ":" line in gone) {
		skip = 1
	} else if (file != source) {
		if (chunk in override && override[chunk] != file)
			fail("<<" chunk ">> is overridden in both " \
			     override[chunk] " and " file)
		override[chunk] = file
	} else {
		known[chunk] = 1
		skip = chunk in override
	}
	if (!skip)
		print begin
	starting = 1
}

/^@use / { used = 1 }

!skip && !(substr($0, 2) in gone) { print }

/^@nl$/ || /^@index nl$/ {
	line++
	if (starting && names && chunk != root)
		mark("/* <<" chunk ">> */")
	if (starting || used)
		mark_line()
	starting = used = 0
}

/^@end code/ { skip = 0 }

END {
	# A lab may hold files of the launcher, which the book does not.
	for (chunk in override)
		if (!(chunk in known) && chunk !~ /^launcher\//)
			fail(override[chunk] ": there is no <<" chunk \
			     ">> in " source " to override")
	if (failed)
		print "@fatal tangle see above"
}
