// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a script can add to the woven book.  Without it nothing is missing:
 * a use of a chunk and an identifier are links.  With it, the code of a chunk
 * can be shown where it is used, a definition pops up at its name, and there
 * is a search.
 *
 * Data comes in scripts of weave's, at first need: a page that was opened as
 * a file may not read other files, but it may run them.
 */
"use strict";

{
const scripts = {};

function load(file)
{
	scripts[file] ??= new Promise((done, failed) => {
		const script = make("script", { src: file });

		script.onload = done;
		script.onerror = failed;
		document.head.append(script);
	});
	return scripts[file];
}

function make(tag, attributes, ...inside)
{
	const element = document.createElement(tag);

	for (const name in attributes)
		element.setAttribute(name, attributes[name]);
	element.append(...inside);
	return element;
}

/* A copy of code must not have the anchors of the original. */
function withoutAnchors(code)
{
	for (const element of code.querySelectorAll("[id]"))
		element.removeAttribute("id");
	return code;
}

/* --- the code of a chunk where it is used -------------------------------- */

function addButtons(code)
{
	for (const use of code.querySelectorAll("a.use")) {
		const button = make("button", {
			type: "button", class: "more", "aria-expanded": false,
			"aria-label": `Code of ${use.textContent}`,
		});

		button.onclick = () => toggle(use, button);
		use.after(button);
	}
}

function toggle(use, button)
{
	const open = button.getAttribute("aria-expanded") === "true";

	button.block ??= expand(use, button);
	button.block.hidden = open;
	button.setAttribute("aria-expanded", !open);
}

/* The use is alone in its line; the block stands below that line. */
function expand(use, button)
{
	const block = make("span", { class: "expanded", role: "group",
				     "aria-label": use.textContent });
	const before = document.createRange();
	const rest = button.nextSibling;

	before.setStart(use.closest("code"), 0);
	before.setEndBefore(use);
	const indent = before.toString().match(/[ \t]*$/)[0];
	const tabs = indent.replace(/ /g, "").length;
	block.style.marginLeft = `${8 * tabs + indent.length - tabs}ch`;

	if (rest && rest.nodeType === Node.TEXT_NODE && rest.data[0] === "\n") {
		rest.splitText(1);
		rest.after(block);
	} else {
		button.after(block);
	}
	load("code.js").then(() => {
		const parts = [];
		const first = use.hash.slice(1);

		for (let id = first, n = 2; id in bookCode; id = `${first}.${n++}`)
			parts.push(bookCode[id][3]);
		block.innerHTML = parts.join("\n");
		addButtons(withoutAnchors(block));
	});
	return block;
}

/* --- a definition at its name --------------------------------------------- */

const popup = make("div", {
	id: "popup", class: "popup", role: "tooltip", hidden: "",
});
const LINES = 12;
let shownFor = null, soon = 0;

function definitionAt(target)
{
	const link = target.closest && target.closest("a[href*='#id-']");

	/* The links to the index are the definitions themselves. */
	return link && !popup.contains(link) &&
	       !link.pathname.endsWith("/identifiers.html") ? link : null;
}

/* Where the character is: the text node, and its place therein. */
function locate(code, index)
{
	const texts = document.createTreeWalker(code, NodeFilter.SHOW_TEXT);

	for (let text; (text = texts.nextNode()); index -= text.length)
		if (index <= text.length)
			return [text, index];
	return [code, code.childNodes.length];
}

/* Its line, and those after it until what it opens is closed. */
function definition(code, id)
{
	const found = code.querySelector(`[id="${id}"]`);
	const range = document.createRange();

	range.setStart(code, 0);
	range.setEndBefore(found);
	const start = range.toString().lastIndexOf("\n") + 1;
	const lines = code.textContent.slice(start).split("\n");
	let depth = 0, n = 0;

	while (n < Math.min(LINES, lines.length)) {
		const line = lines[n++];

		depth += line.split(/[({]/).length - line.split(/[)}]/).length;
		if (depth <= 0 && !line.endsWith("\\"))
			break;
	}
	const end = start + lines.slice(0, n).join("\n").length;

	range.setStart(...locate(code, start));
	range.setEnd(...locate(code, end));
	return [range.cloneContents(), depth > 0 ? "\n\u2026" : ""];
}

async function show(link)
{
	const id = link.hash.slice(1);

	shownFor = link;
	await load("code.js");
	const chunk = Object.values(bookCode).find(
		(found) => found[3].includes(`id="${id}"`));
	if (!chunk || shownFor !== link)
		return;
	const code = make("code", {});

	code.innerHTML = chunk[3];
	code.replaceChildren(...definition(code, id));
	popup.replaceChildren(
		make("p", {}, make("i", {}, `\u27e8${chunk[2]}\u27e9`),
		     ` ${chunk[1]}`),
		make("pre", {}, withoutAnchors(code)));
	popup.hidden = false;
	link.setAttribute("aria-describedby", "popup");

	/* Below the name, or above it; never over it. */
	const at = link.getClientRects()[0];
	const width = document.documentElement.clientWidth;
	const above = at.bottom + popup.offsetHeight + 8 > innerHeight &&
		      at.top > popup.offsetHeight + 8;

	popup.style.top = scrollY + (above ? at.top - popup.offsetHeight - 4
				     : at.bottom + 4) + "px";
	popup.style.left = scrollX + Math.max(8, Math.min(at.left,
		width - popup.offsetWidth - 8)) + "px";
}

function hide()
{
	clearTimeout(soon);
	if (shownFor)
		shownFor.removeAttribute("aria-describedby");
	shownFor = null;
	popup.hidden = true;
}

function showSoon(link, delay)
{
	hide();
	soon = setTimeout(show, delay, link);
}

document.addEventListener("pointerover", (event) => {
	const link = definitionAt(event.target);

	if (event.pointerType !== "mouse")
		return;
	clearTimeout(soon);
	if (popup.contains(event.target) || link && link === shownFor)
		return;
	if (link)
		showSoon(link, 300);
	else	/* There is time to move into the pop-up. */
		soon = setTimeout(hide, 200);
});
document.addEventListener("focusin", (event) => {
	const link = definitionAt(event.target);

	if (link && link.matches(":focus-visible"))
		showSoon(link, 0);
	else
		hide();
});

/* --- search ------------------------------------------------------------- */

const box = make("input", {
	type: "search", placeholder: "Search ( / )", autocomplete: "off",
	"aria-label": "Search the book", "aria-controls": "found",
});
const found = make("ol", { id: "found", "aria-label": "Found", hidden: "" });
const count = make("p", { role: "status", class: "count", hidden: "" });
let index = null;

async function prepare()
{
	await Promise.all([load("lunr.min.js"), load("search.js")]);
	lunr.tokenizer.separator = /\W+/;
	index ??= lunr(function () {
		this.ref("n");
		this.field("name", { boost: 10 });
		this.field("words", { boost: 4 });
		this.field("text");
		bookPassages.forEach(([, , name, text], n) =>
			this.add({ n, name, text,
				   words: name.replace(/_/g, " ") }));
	});
	search();
}

/* Some of the text around the first of the words, by their stems: "ceremoni"
 * is the one of "ceremony". */
function context(text, stems)
{
	const begin = stems.map((stem) => stem.replace(/i$/, "[iy]")).join("|");
	const all = new RegExp(`\\b(?:${begin})\\w*`, "i");
	const at = Math.max(0, text.search(all) - 50);
	const piece = (at ? "\u2026" : "") + text.slice(at, at + 130) +
		      (at + 130 < text.length ? "\u2026" : "");
	const hit = piece.match(all);

	return hit ? [piece.slice(0, hit.index), make("mark", {}, hit[0]),
		      piece.slice(hit.index + hit[0].length)] : [piece];
}

/* All of the words must be there, or words that begin like them. */
function search()
{
	if (!index)	/* it calls again when it is ready */
		return;
	const words = box.value.toLowerCase().match(/\w+/g) || [];
	const stems = words.filter(lunr.stopWordFilter).map(
		(word) => String(lunr.stemmer(new lunr.Token(word))));
	const hits = stems.length ? index.query((query) => {
		for (const stem of stems) {
			query.term(stem, { boost: 10, usePipeline: false });
			query.term(stem, {
				usePipeline: false,
				presence: lunr.Query.presence.REQUIRED,
				wildcard: lunr.Query.wildcard.TRAILING,
			});
		}
	}) : [];

	found.replaceChildren(...hits.slice(0, 20).map(({ ref }) => {
		const [href, kind, name, text] = bookPassages[ref];

		return make("li", {}, make("a", { href }, make("b", {}, name),
			` ${kind}`, make("span", {}, ...context(text, stems))));
	}));
	count.textContent = `${hits.length || "Nothing"} found`;
	count.hidden = found.hidden = !stems.length;
}

/* Up and down go through the box and what was found. */
function move(event)
{
	const stops = [box, ...found.querySelectorAll("a")];
	const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
	const at = stops.indexOf(document.activeElement);

	if (step) {
		(stops[at + step] || stops[at]).focus();
		event.preventDefault();
	} else if (event.key === "Enter" && at === 0 && stops[1]) {
		stops[1].click();
	} else if (event.key === "Escape") {
		box.value = "";
		search();
		box.focus();
	}
}

const form = make("div", { role: "search" }, box, count, found);

box.onfocus = prepare;
box.oninput = search;
form.onkeydown = move;

document.addEventListener("keydown", (event) => {
	if (event.key === "Escape")
		hide();
	if (event.key === "/" && !event.ctrlKey && !event.altKey &&
	    !event.metaKey && document.activeElement !== box) {
		event.preventDefault();
		box.focus();
	}
});

document.querySelector(".rail").prepend(form);
document.body.append(popup);
addButtons(document.querySelector("main"));
}
