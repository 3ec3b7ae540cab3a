"""What must hold of the woven book in a browser; chromium is one."""
import base64
import functools
import glob
import html
import os
import re

from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

from check_tree import NW, Failure, need, run
from vm import BUILD, TOP

BOOK = os.path.join(TOP, 'build/html')
PICTURES = os.path.join(BUILD, 'pages')
WIDE, PHONE = (1280, 900), (390, 844)
PATIENCE = int(os.environ.get('CASE_TIMEOUT') or 300)   # seconds, at most


class Browser:
    """One chromium, which notes what it asks for and what it complains of."""

    def __init__(self):
        options = webdriver.ChromeOptions()
        options.binary_location = '/usr/bin/chromium'
        for option in ('--headless=new', '--no-sandbox', '--disable-gpu',
                       '--disable-dev-shm-usage', '--hide-scrollbars'):
            options.add_argument(option)
        options.set_capability('goog:loggingPrefs',
                               {'performance': 'ALL', 'browser': 'ALL'})
        self.driver = webdriver.Chrome(
            options=options, service=Service('/usr/bin/chromedriver'))
        self.driver.set_script_timeout(PATIENCE)
        self.asked, self.complaints = set(), []
        self.look()

    def tell(self, command, **parameters):
        return self.driver.execute_cdp_cmd(command, parameters)

    def look(self, size=WIDE, scheme='light', scripts=True):
        """How the next page, and this one, is to be shown."""
        self.tell('Emulation.setDeviceMetricsOverride', width=size[0],
                  height=size[1], deviceScaleFactor=1, mobile=size == PHONE)
        self.tell('Emulation.setEmulatedMedia', features=[
            {'name': 'prefers-color-scheme', 'value': scheme}])
        self.tell('Emulation.setScriptExecutionDisabled', value=not scripts)

    def open(self, name):
        # From elsewhere, or a link within the page would not load it.
        self.driver.get('about:blank')
        self.driver.get('file://%s/%s' % (BOOK, name))
        self.take_notes()

    def take_notes(self):
        for entry in self.driver.get_log('performance'):
            found = re.search(r'"method":"Network\.requestWillBeSent".*?'
                              r'"request":\{.*?"url":"([^"]*)"',
                              entry['message'])
            if found:
                self.asked.add(found.group(1))
        self.complaints += [entry['message'] for entry
                            in self.driver.get_log('browser')]

    def js(self, script, *args):
        return self.driver.execute_script(script, *args)

    def find(self, selector):
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def wait(self, script, what):
        """Until this is true in the page."""
        try:
            return WebDriverWait(self.driver, PATIENCE, .05).until(
                lambda _: self.js('return ' + script))
        except Exception:
            raise Failure('%s: not within %d s' % (what, PATIENCE)) from None

    def keys(self, *keys):
        ActionChains(self.driver).send_keys(*keys).perform()

    def picture(self, name):
        """All of the page, as far down as chromium paints."""
        size = self.tell('Page.getLayoutMetrics')['cssContentSize']
        shot = self.tell('Page.captureScreenshot', format='jpeg', quality=60,
                         captureBeyondViewport=True, optimizeForSpeed=True,
                         clip={'x': 0, 'y': 0, 'scale': 1,
                               'width': size['width'],
                               'height': min(size['height'], 10000)})
        os.makedirs(PICTURES, exist_ok=True)
        with open('%s/%s.jpg' % (PICTURES, name), 'wb') as file:
            file.write(base64.b64decode(shot['data']))


# Reports text whose colour is too near to what it stands on: for each pair of
# colours one example.  In a figure a text stands on the last shape painted
# under its middle.
CONTRAST = '''
const canvas = new OffscreenCanvas(1, 1).getContext("2d",
	{ willReadFrequently: true });
const known = new Map(), cache = new Map(), bad = new Map();
let count = 0;
function colour(text) {
	if (!known.has(text)) {
		canvas.clearRect(0, 0, 1, 1);
		canvas.fillStyle = text;
		canvas.fillRect(0, 0, 1, 1);
		const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
		known.set(text, [r, g, b, a / 255]);
	}
	return known.get(text);
}
function over([r, g, b, a], under) {
	return [r, g, b].map((c, i) => c * a + under[i] * (1 - a)).concat(1);
}
function ground(element) {
	if (!element)
		return [255, 255, 255, 1];
	if (!cache.has(element)) {
		const own = colour(getComputedStyle(element).backgroundColor);
		cache.set(element, own[3] === 1 ? own :
			over(own, ground(element.parentElement)));
	}
	return cache.get(element);
}
function light(c) {
	const [r, g, b] = c.map((v) => (v /= 255) <= .04045 ? v / 12.92 :
		((v + .055) / 1.055) ** 2.4);
	return .2126 * r + .7152 * g + .0722 * b;
}
function compare(ink, under, what) {
	const [a, b] = [light(over(ink, under)), light(under)];
	const ratio = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
	count++;
	if (ratio < 4.5)
		bad.set(`${ink} ${under}`, `${ratio.toFixed(2)}:1 for ` +
			what.trim().slice(0, 40));
}
function drawn(text, svg) {
	const box = text.getBoundingClientRect();
	const x = box.x + box.width / 2, y = box.y + box.height / 2;
	let under = ground(svg.parentElement);
	for (const shape of svg.querySelectorAll(
			"rect, circle, ellipse, path, polygon")) {
		const style = getComputedStyle(shape);
		if (style.fill === "none" || !shape.getScreenCTM() ||
		    shape.closest("defs") || !(shape.compareDocumentPosition(text)
				& Node.DOCUMENT_POSITION_FOLLOWING))
			continue;
		const at = new DOMPoint(x, y).matrixTransform(
			shape.getScreenCTM().inverse());
		if (shape.isPointInFill(at)) {
			const fill = [...colour(style.fill)];
			fill[3] *= style.fillOpacity * style.opacity;
			under = over(fill, under);
		}
	}
	return under;
}
const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
for (let text; (text = texts.nextNode());) {
	const element = text.parentElement;
	if (!text.data.trim() || element.matches("script, style") ||
	    !element.checkVisibility())
		continue;
	const style = getComputedStyle(element);
	const svg = element.closest("svg");
	if (svg) {
		compare(colour(style.fill), drawn(element, svg), text.data);
		continue;
	}
	const ink = [...colour(style.color)];
	if (+style.opacity)	/* 0 is what shows when it is looked for */
		ink[3] *= style.opacity;
	compare(ink, ground(element), text.data);
}
for (const [selector, pseudo] of [["a.name", "::before"],
		[".more", "::before"], ["input", "::placeholder"]])
	for (const element of document.querySelectorAll(selector))
		if (element.checkVisibility())
			compare(colour(getComputedStyle(element, pseudo).color),
				ground(element), selector + pseudo);
return [count, [...bad.values()]];
'''

# All text, in the order of the page, but for what scripts add by design.
TEXT = '''
const body = document.body.cloneNode(true);
for (const added of body.querySelectorAll("[role=search], #popup"))
	added.remove();
return body.textContent.replace(/\\s+/g, " ").trim();
'''

# What is wider than the page.
WIDER = '''
const page = document.scrollingElement;
return page.scrollWidth <= innerWidth && page.clientWidth === innerWidth ?
	[] : [`${page.scrollWidth} of ${innerWidth}`].concat(
	[...document.querySelectorAll("main *")].filter((e) =>
		e.getBoundingClientRect().right > innerWidth &&
		!e.closest("pre, .table, .drawing")).slice(0, 3)
		.map((e) => e.outerHTML.slice(0, 80)));
'''


@functools.lru_cache(maxsize=None)
def browser():
    """Started for the first check that wants it."""
    run('Documentation/weave', NW, 'build/html')
    return Browser()


def pages():
    return sorted(os.path.basename(path)
                  for path in glob.glob(BOOK + '/*.html'))


@functools.lru_cache(maxsize=None)
def tour():
    """Every page, as it can look: what is wrong, by kind."""
    wrong = {'light': [], 'dark': [], 'phone': [], 'scripts': []}
    there = browser()
    texts = 0

    def contrast(name, scheme):
        nonlocal texts
        count, bad = there.js(CONTRAST)
        texts += count
        wrong[scheme] += ['%s: %s' % (name, text) for text in bad]

    for name in pages():
        there.look()
        there.open(name)
        need(there.js('return !!document.querySelector("[role=search]")'),
             name + ': its script did not run')
        with_scripts = there.js(TEXT)
        for scheme in ('light', 'dark'):
            there.look(scheme=scheme)
            contrast(name, scheme)
            there.picture('%s-%s' % (name[:-5], scheme))
        there.look(size=PHONE)
        wrong['phone'] += ['%s: %s' % (name, text)
                           for text in there.js(WIDER)]
        there.picture(name[:-5] + '-phone')
        there.look(scripts=False)
        there.open(name)
        need(not there.js('return document.querySelector("[role=search]")'),
             name + ': its script ran')
        if there.js(TEXT) != with_scripts:
            wrong['scripts'].append(name + ' has another text then')
    there.look()
    need(texts > 100000, 'only %d texts were looked at' % texts)
    return wrong


def no_fault(kind):
    wrong = tour()[kind]
    need(not wrong, '\n'.join(wrong))


def code_in_pages():
    """anchor -> the text of the chunk there, as the page's source has it."""
    code = {}
    for name in pages():
        with open('%s/%s' % (BOOK, name)) as file:
            for anchor, text in re.findall(
                    r'<div class="chunk" id="([^"]*)".*?<code>(.*?)</code>',
                    file.read(), re.DOTALL):
                code[anchor] = html.unescape(re.sub('<[^>]*>', '', text))
    return code


def whole(code, anchor):
    """All parts of a chunk."""
    parts = [code[anchor]]
    while '%s.%d' % (anchor, len(parts) + 1) in code:
        parts.append(code['%s.%d' % (anchor, len(parts) + 1)])
    return '\n'.join(parts)


# Clicks a button; tells what it showed, and by how much more than the block
# itself its surroundings grew.
EXPAND = '''
const [button, done] = arguments;
const pre = button.closest("pre"), before = pre.scrollHeight;
button.click();
const wait = () => {
	const made = button.block;
	if (!made.textContent)
		return setTimeout(wait, 10);
	done([made.textContent, pre.scrollHeight - before - made.offsetHeight,
	      made.querySelectorAll("[id]").length]);
};
wait();
'''


def expansion():
    """Each use of a chunk, and then the uses in what it shows."""
    there, code, seen, nested = browser(), code_in_pages(), 0, 0
    need(len(code) > 200, 'where are the chunks?')
    for name in pages():
        there.open(name)
        for button in there.driver.find_elements(By.CSS_SELECTOR, '.more'):
            todo = [button]
            while todo:
                button = todo.pop()
                anchor = there.js('return arguments[0].previousSibling.hash',
                                  button)[1:]
                text, grown, anchors = there.driver.execute_async_script(
                    EXPAND, button)
                need(text == whole(code, anchor),
                     '%s: %s shows:\n%s' % (name, anchor, text))
                need(abs(grown) <= 1, '%s: %s leaves a gap of %s pixels' %
                     (name, anchor, grown))
                need(not anchors, '%s: %s has anchors twice' % (name, anchor))
                seen += 1
                if seen % 10 == 0 and not todo:
                    todo = there.js('return [...arguments[0].block.'
                                    'querySelectorAll(".more")]', button)
                    nested += len(todo)
    need(seen > 150 and nested > 9, 'only %d uses, %d nested' % (seen, nested))
    # With the keyboard, and back again.
    there.open('switching.html')
    button = there.find('.more')
    pre = there.js('return arguments[0].closest("pre")', button)
    text = pre.text
    for key, state in ((Keys.ENTER, 'true'), (Keys.SPACE, 'false')):
        there.js('arguments[0].focus()', button)
        there.keys(key)
        need(button.get_attribute('aria-expanded') == state,
             'a key does not make it ' + state)
        there.wait('!!document.querySelector(".expanded").textContent', 'code')
        need((pre.text == text) == (state == 'false'),
             'with aria-expanded %s the text is:\n%s' % (state, pre.text))


def popped_up():
    there = browser()
    return there.js('const p = document.getElementById("popup");'
                    'return p.hidden ? "" : p.innerText')


# Walks over the index with the keyboard's focus: every definition, and what
# popped up for it.
DEFINITIONS = '''
const done = arguments[0], result = [];
const links = [...document.querySelectorAll("dt > a")];
const popup = document.getElementById("popup");
(async () => {
	for (const link of links) {
		link.focus();
		while (popup.hidden)
			await new Promise((r) => setTimeout(r, 1));
		result.push([link.textContent,
			     popup.querySelector("code").textContent]);
	}
	done(result);
})();
'''


def popups():
    """By mouse and by keyboard; Escape, or going away, ends it."""
    there = browser()
    there.open('identifiers.html')
    there.keys(Keys.TAB)                # now the focus is the keyboard's
    found = there.driver.execute_async_script(DEFINITIONS)
    for name, text in found:
        first = text.split('\n')[0]
        need(re.search(r'\b(%s|%s)\b' % (name, name.split('_', 1)[-1]), first),
             'what pops up for %s: %s' % (name, text))
        need(text.count('\n') <= 12, name + ' pops up too large')
    need(len(found) > 300, 'where are the definitions?')
    there.open('hypercalls.html')
    link = there.find('.chunk code a[href^="the-life-of-a-guest.html#id-"]')
    title = there.find('h1')
    mouse = ActionChains(there.driver)
    for away in ('mouse', 'escape', 'stay'):
        mouse.move_to_element(title).perform()
        there.wait('document.getElementById("popup").hidden', 'no pop-up')
        there.js('arguments[0].scrollIntoView({block: "center"})', link)
        mouse.move_to_element(link).perform()
        there.wait('!document.getElementById("popup").hidden', 'a pop-up')
        need(link.text in popped_up(), 'it says: ' + popped_up())
        need(link.get_attribute('aria-describedby') == 'popup',
             'the link does not say that it is described')
        for scheme in ('light', 'dark'):
            there.look(scheme=scheme)
            need(not there.js(CONTRAST)[1], there.js(CONTRAST)[1])
        there.look()
        if away == 'mouse':
            mouse.move_to_element(title).perform()
        elif away == 'escape':
            there.keys(Keys.ESCAPE)
            need(not popped_up(), 'Escape does not close it')
    target = link.get_attribute('href')
    mouse.click(link).perform()
    there.wait('location.href === "%s"' % target, 'the click')


def type_in(words):
    """Into the search box, by keyboard; the results as (title, text, href)."""
    there = browser()
    there.keys('/')
    ActionChains(there.driver).key_down(Keys.CONTROL).send_keys('a').key_up(
        Keys.CONTROL).send_keys(words).perform()
    there.wait('document.querySelector(".count").checkVisibility()',
               'an answer')
    return there.js(
        'return [...document.querySelectorAll("#found a")].map((a) => '
        '[a.querySelector("b").textContent, a.textContent, a.href])')


# Asks for every name that the book's data have, one after another.
ASK_ALL = '''
const box = document.querySelector("[role=search] input"), lost = [];
let count = 0;
for (const [href, kind, name] of bookPassages) {
	if (kind.startsWith("chapter") || kind.startsWith("section") || !kind)
		continue;
	count++;
	box.value = name;
	box.dispatchEvent(new Event("input"));
	const found = [...document.querySelectorAll("#found a")];
	if (!found.slice(0, 8).some((a) => a.getAttribute("href") === href))
		lost.push(name);
}
return [count, lost];
'''


def prose_words():
    """For some pages a word of a paragraph that is nowhere else in the book,
    nor one that begins like it: the search takes those for the same."""
    texts, whole_book = {}, ''
    for name in pages():
        with open('%s/%s' % (BOOK, name)) as file:
            text = file.read()
        whole_book += re.sub(r'<[^>]*>', ' ', text).lower()
        texts[name] = re.findall(r'\b[a-z]{8,}\b', ' '.join(re.findall(
            r'<p>([^<>]*)', text)))
    for name in ('chunks.html', 'identifiers.html'):    # no prose to search
        del texts[name]
    for name, words in texts.items():
        rare = [word for word in words
                if len(re.findall(r'\b' + word[:-3], whole_book)) == 1]
        if rare:
            yield name, rare[len(rare) // 2]


def search():
    there = browser()
    there.open('index.html')
    answer = type_in('lguest_data')
    need(answer and answer[0][0] == 'lguest_data',
         'no lguest_data: %s' % answer[:3])
    for scheme in ('light', 'dark'):
        there.look(scheme=scheme)
        need(not there.js(CONTRAST)[1], there.js(CONTRAST)[1])
        there.picture('search-' + scheme)
    there.look()
    count, lost = there.js(ASK_ALL)
    need(count > 500, 'only %d names' % count)
    need(not lost, 'not found by their names: ' + ', '.join(lost))
    words = list(prose_words())
    need(len(words) >= 5, 'only these rare words: %s' % words)
    for name, word in words[:8]:
        answer = type_in(word)
        need(any(href.split('#')[0].endswith('/' + name) and word in
                 text.lower() for _, text, href in answer[:5]),
             '%s of %s: %s' % (word, name, answer[:5]))
    # Down to the second, up to the first, and there.
    name, chunk = 'two-worlds.html', there.js(
        'return bookPassages.find((p) => p[1] === "chunk" && '
        'p[0].startsWith("two-worlds"))')
    answer = type_in(chunk[2][1:-1])
    there.keys(Keys.ARROW_DOWN, Keys.ARROW_DOWN, Keys.ARROW_UP)
    need(there.js('return document.activeElement.href') == answer[0][2],
         'the arrows lead elsewhere')
    there.keys(Keys.ENTER)
    there.wait('location.href.endsWith("%s")' % chunk[0], 'Enter')
    need(there.find('[id="%s"] .name' % chunk[0].split('#')[1]).text ==
         chunk[2], name + ' has no such chunk')
    type_in('xyzzyplugh')
    need('Nothing' in there.find('.count').text, 'found what is not there')
    there.keys(Keys.ESCAPE)
    need(there.find('.count').get_attribute('hidden'), 'Escape does nothing')


def keyboard():
    """Tab goes from the skip link on, and each stop can be seen."""
    there = browser()
    there.open('paging.html')
    before = -1
    for stop in range(25):
        there.keys(Keys.TAB)
        at, text, width, height, seen = there.js(
            'const e = document.activeElement, r = e.getBoundingClientRect();'
            'const s = getComputedStyle(e); '
            'return [[...document.querySelectorAll("*")].indexOf(e), '
            'e.outerHTML.slice(0, 80), r.width, r.height, '
            's.outlineStyle !== "none" && s.opacity === "1"]')
        need(at > before, 'Tab does not go on from ' + text)
        need(width > 4 and height > 4 and seen, 'not seen: ' + text)
        need(stop or 'class="skip"' in text, 'Tab begins at ' + text)
        before = at
    there.open('paging.html')
    there.keys('/')
    box = there.find('[role=search] input')
    need(there.driver.switch_to.active_element == box,
         '/ does not lead to the search')
    there.keys('a/b')
    need(box.get_attribute('value') == 'a/b', '/ cannot be typed')


# What is there for the screen alone, and is still shown; and a page whose
# colour would be printed.
PRINTED = '''
return [...document.querySelectorAll(".rail, .top, .around, .permalink, .note")]
	.filter(e => e.getClientRects().length)
	.map(e => e.outerHTML.slice(0, 60))
	.concat(getComputedStyle(document.documentElement).backgroundColor ===
		"rgb(255, 255, 255)" ? [] : ["the page is not white"]);
'''


def paper():
    """Printed: nothing that can only be clicked, and nothing cut off."""
    there = browser()
    wrong = []
    for name in pages():
        there.look(size=(720, 1000))
        there.open(name)
        there.tell('Emulation.setEmulatedMedia', media='print')
        wrong += ['%s: %s' % (name, text) for text in
                  there.js(PRINTED) + there.js(WIDER)]
    there.tell('Emulation.setEmulatedMedia', media='')
    there.look()
    need(not wrong, '\n'.join(wrong))


def quiet():
    """After all of the above."""
    there = browser()
    tour()
    there.take_notes()
    asked = [url for url in there.asked if url != 'about:blank']
    need(len(asked) > 50, 'only %d requests were seen' % len(asked))
    base = 'file://%s/' % BOOK
    strange = [url for url in asked if not url.startswith(base)]
    need(not strange, 'it asks for ' + ', '.join(strange))
    need(not there.complaints, '\n'.join(there.complaints))


def check(report):
    try:
        report.run('book: a chunk expands where it is used', expansion)
        report.run('book: a definition pops up', popups)
        report.run('book: search finds', search)
        report.run('book: the keyboard is enough', keyboard)
        report.run('book: contrast in the light',
                   lambda: no_fault('light'))
        report.run('book: contrast in the dark', lambda: no_fault('dark'))
        report.run('book: a phone is wide enough', lambda: no_fault('phone'))
        report.run('book: it can be printed', paper)
        report.run('book: scripts only add', lambda: no_fault('scripts'))
        report.run('book: asks for nothing else, complains of nothing', quiet)
    finally:
        if browser.cache_info().currsize:
            browser().driver.quit()
