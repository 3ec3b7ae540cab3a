// SPDX-License-Identifier: GPL-2.0
/*
 * Random paging: a long walk through the rules of the shadow.
 *
 * The guest has a number of address spaces, more than the host keeps shadows
 * of, made of few pages: each is a page that is mapped somewhere, and most are
 * also somebody's table, of any level. It changes entries, tells the host by
 * all the calls there are, at once, or later through the ring, or not at all,
 * switches, and reads, writes and executes from rings 1 and 3. What must come
 * of each access, the oracle says. As long as the host has not been told of a
 * change, an access may also go by what the tables said since the last telling:
 * that is written down for each entry that is ever changed.
 *
 * The words on the command line are a seed, which decides on everything, the
 * number of operations, "pae", and perhaps from=100, to print each operation
 * from that one on. Half of the guests end with a bad operation, and print what they
 * expect to be killed with. tests/host/random.c starts many of them.
 *
 * Vulnerable: a stale entry, a page of another address space, a missing mark,
 * a fault that the tables do not explain.
 * Expected: what the oracle says, or what it said since the last telling.
 *
 * Args: 1 3000
 * Expect: 0|3 /ok 3000 operations/
 * Args: 2 3000 pae
 * Options: --pae
 * Expect: 0|3 /ok 3000 operations/
 * Args: 27 5000 pae
 * Options: --pae -m 4
 * Expect: 0|3 /ok 5000 operations/
 */
#include "guest.h"

/*
 * All memory is also mapped from kernel_address on, which is common to all
 * address spaces. This guest runs there, so that it need not fault itself in
 * again whenever the host forgets what is below.
 */
#define HIGH_START	0xc0000000u
#define HIGH(x)		(*(typeof(x) *)((uint32_t)&(x) + HIGH_START))
#define AT(pa)		((void *)((uint32_t)(pa) + window))

static uint32_t window;		/* where memory is seen; 0 in linear mode */

#include "oracle.h"

#define USER_PAGE	0xc1000000u	/* behind that, for both rings */
#define NOBODY		0xff

#define PAGES		88		/* all that tables ever name */
#define SPACES		40		/* at most */
#define SLOTS		8		/* entries of a page that are used */
#define PLACES		64		/* addresses that are used, at most */
#define VERSIONS	4		/* of an entry, that are remembered */
#define MOST_STATES	12
#define RING		LHCALL_RING_SIZE

/* In each page, where no entry is that is used: its number, code, words. */
#define MARK		0x500
#define MARK_CODE	0x510
#define MARK_WORDS	0x540
#define WORDS		48
#define TOPS		0x600		/* in PAE, one page has them all */
#define MARK_OF(page)	(0x0600da7au + ((page) << 24))

/* What an entry has said, the newest first, and since when. */
struct log {
	uint64_t value[VERSIONS];
	uint32_t since[VERSIONS];
};

/* What the host may have kept. */
struct state {
	uint8_t page, directory;
	bool writable, user, executable, dirty;
};

/* An address: which slots of tables lead there. */
struct place {
	uint32_t va;
	uint8_t slot[4];	/* by level */
	bool kernel;
};

/* A hypercall, and what it is about: a space, a place, a page, a slot. */
struct call {
	uint32_t nr, arg[4];
	uint8_t space, about;
};

/* One entry on the way to a page. */
struct step {
	uint32_t where;
	uint64_t entry;
	struct log *log;
};

enum kind { ACCESSED, REFUSED, STALE, EDITS, TOLD, QUEUED, SWITCHES, OTHERS,
	    KINDS };

static struct model {
	uint32_t seed, random, count, done, trace;
	uint32_t kinds[KINDS];
	uint32_t time;		/* goes on with each change and each telling */

	uint32_t pa[PAGES];
	uint8_t page_of[16384];	/* by frame: 64 MB */
	uint32_t spaces, current;
	uint32_t recent;	/* place where an entry has changed */
	/* How often it flushes and switches, in a thousand cases. */
	uint32_t flushes, often;
	uint32_t top[SPACES];
	uint32_t indexes[SLOTS];	/* of entries in tables: the slots */
	struct place places[PLACES];
	uint32_t nr_places, nr_user;
	/* The pages from here to there are tables of level 2, and 1. */
	uint32_t first2, end2, first1, end1;
	/*
	 * These have the kernel's part and say the same there: all top tables,
	 * or in PAE a few directories, of which each space has one.
	 */
	uint32_t first_shared, end_shared;

	struct log logs[PAGES][SLOTS], top_logs[SPACES][4];
	uint32_t flushed_all, flushed_user;
	uint32_t pgd_told[SPACES][SLOTS], pte_told[SPACES][PLACES];
	uint32_t pmd_told[PAGES][SLOTS];
	/* What SET_PTE has filled in, and when. */
	struct state filled[SPACES][PLACES];
	uint32_t fill_time[SPACES][PLACES];

	struct state states[MOST_STATES];
	uint32_t nr_states;
	bool too_many;		/* more, or too old to be known */

	struct call pending[RING + 1];
	uint32_t nr_pending, cursor;
	/* What is being done: a format and its numbers. */
	const char *format;
	uint32_t number[8];
} model;

#define m (&HIGH(model))

static uint8_t pool[PAGES - 2][4096] __attribute__((aligned(4096)));
static uint8_t stacks[3][4096] __attribute__((aligned(4096)));
static uint64_t no_tls[3];

/* --- Into rings 1 and 3, and back ------------------------------------------ */

/* For code in assembler, which knows the offsets. */
struct excursion {
	uint32_t eip, esi, eax, edx, ring;
	uint32_t vector, frame[3];
	uint32_t recover;	/* 0: no trap is expected */
} excursion;

#define x (&HIGH(excursion))

#define X(offset)	"excursion + 0xc0000000 + " #offset
#define VECTOR_DONE	256

extern const uint8_t stubs[256][16], excursion_done[];
extern const uint8_t user_page[], user_read[], user_write[], user_fetch[];
extern const uint8_t user_done[];
void excursion_start(void);
void lost(void);

asm(
".pushsection .text\n"
/* For both rings: what is done, then on to edx. */
"	.balign 4096\n"
"user_page:\n"
"user_read:\n"
"	movl (%esi), %eax\n"
"	jmp *%edx\n"
"user_write:\n"
"	movl %eax, (%esi)\n"
"	jmp *%edx\n"
"user_fetch:\n"
"	jmp *%esi\n"
"user_done:\n"
"	int $0x80\n"
"	.balign 4096\n"
"stubs:\n"
"	vector = 0\n"
"	.rept 256\n"
"	.balign 16\n"
"	movl $vector, " X(20) "\n"
"	jmp excursion_trap\n"
"	vector = vector + 1\n"
"	.endr\n"
"excursion_start:\n"
"	pushal\n"
"	movl %esp, " X(36) "\n"
"	movl " X(4) ", %esi\n"
"	movl " X(8) ", %eax\n"
"	movl " X(12) ", %edx\n"
"	cmpl $3, " X(16) "\n"
"	je 1f\n"
"	jmp *" X(0) "\n"
"1:	pushl $0x7b\n"
"	pushl $0\n"
"	pushl $0x202\n"
"	pushl $0x73\n"
"	pushl " X(0) "\n"
"	iret\n"
"excursion_done:\n"
"	movl $256, " X(20) "\n"
"	jmp 1f\n"
"excursion_trap:\n"
"	popl " X(24) "\n"
"	popl " X(28) "\n"
"	popl " X(32) "\n"
"	cmpl $0, " X(36) "\n"
"	je lost\n"
"1:	movl %eax, " X(8) "\n"
"	movl " X(36) ", %esp\n"
"	movl $0, " X(36) "\n"
"	popal\n"
"	ret\n"
".popsection");

static uint32_t in_user_page(const uint8_t *label)
{
	return USER_PAGE + (uint32_t)(label - user_page);
}

/* Make one access; x->vector, ->frame and ->eax say what came of it. */
static void make_access(uint32_t va, enum access access, uint32_t ring,
			uint32_t value)
{
	x->eip = in_user_page(access == READ ? user_read :
			      access == WRITE ? user_write : user_fetch);
	x->edx = ring == 3 ? in_user_page(user_done) :
			     (uint32_t)&HIGH(excursion_done);
	x->esi = va;
	x->eax = value;
	x->ring = ring;
	HIGH(lguest_data).cr2 = 0xc0ffee00;
	excursion_start();
}

/* --- Chance ----------------------------------------------------------------- */

static uint32_t random32(void)
{
	uint32_t z = m->random += 0x9e3779b9;

	z = (z ^ z >> 16) * 0x85ebca6b;
	z = (z ^ z >> 13) * 0xc2b2ae35;
	return z ^ z >> 16;
}

static uint32_t below(uint32_t limit)
{
	return ((uint64_t)random32() * limit) >> 32;
}

/* In that many of a hundred cases. */
static bool percent(uint32_t chance)
{
	return below(100) < chance;
}

/* --- Saying what is wrong ---------------------------------------------------- */

static const char *hex64(uint64_t value)
{
	static char text[4][20];
	static uint32_t n;
	char *to = text[n++ % 4];

	if (value >> 32)
		snprintf(to, 20, "0x%x%08x", (uint32_t)(value >> 32),
			 (uint32_t)value);
	else
		snprintf(to, 20, "0x%08x", (uint32_t)value);
	return to;
}

static void print_kinds(void)
{
	print("did: %u accesses, %u refused, %u stale, %u edits, %u calls, %u queued, %u switches, %u others\n",
	      m->kinds[ACCESSED], m->kinds[REFUSED], m->kinds[STALE],
	      m->kinds[EDITS], m->kinds[TOLD], m->kinds[QUEUED],
	      m->kinds[SWITCHES], m->kinds[OTHERS]);
}

static void say_what(char *to, size_t size)
{
	const uint32_t *n = m->number;

	snprintf(to, size, m->format, n[0], n[1], n[2], n[3], n[4], n[5],
		 n[6], n[7]);
}

/* Text is made of it only if somebody wants to see it. */
#define note_what(format_, ...)						\
	do {								\
		const uint32_t numbers[8] = { __VA_ARGS__ };		\
									\
		m->format = format_;					\
		memcpy(m->number, numbers, sizeof(numbers));		\
		if (m->done >= m->trace)				\
			show_what();					\
	} while (0)

static void show_what(void)
{
	char text[128];

	say_what(text, sizeof(text));
	print("%u: %s\n", m->done, text);
}

__attribute__((format(printf, 1, 2)))
static _Noreturn void diverged(const char *format, ...)
{
	char text[100], what[128];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	say_what(what, sizeof(what));
	print("seed %u operation %u%s, space %u of %u: %s\n%s\n", m->seed,
	      m->done, paging.pae ? " pae" : "", m->current, m->spaces, what,
	      text);
	shutdown("FAILED %u of seed %u: %s; %s", m->done, m->seed, text, what);
}

/* A trap where none was expected. */
void lost(void)
{
	uint32_t cr2 = HIGH(lguest_data).cr2;

	diverged("lost: trap %u, %#x %#x %#x, cr2 %#x", x->vector, x->frame[0],
		 x->frame[1], x->frame[2], cr2);
}

/* --- Entries and their history ----------------------------------------------- */

static uint32_t page_at(uint64_t pa)
{
	return pa < paging.memory ? m->page_of[pa >> 12] : NOBODY;
}

static void remember(struct log *log, uint64_t entry)
{
	for (uint32_t i = VERSIONS - 1; i; i--) {
		log->value[i] = log->value[i - 1];
		log->since[i] = log->since[i - 1];
	}
	log->value[0] = entry;
	log->since[0] = m->time;
}

static struct log *log_at(uint32_t space, uint32_t place, int level,
			  uint32_t page)
{
	uint32_t slot = m->places[place].slot[level];

	return level == 3 ? &m->top_logs[space][slot] : &m->logs[page][slot];
}

static void check_log(const struct step *step, int level)
{
	if (step->entry != step->log->value[0])
		diverged("entry %#x, level %d, has become %s, not %s",
			 step->where, level, hex64(step->entry),
			 hex64(step->log->value[0]));
}

/* The way to a place, down to "lowest" or where it ends; where it ended. */
static int follow(uint32_t space, uint32_t place, int lowest,
		  struct step *steps)
{
	uint32_t va = m->places[place].va, table = m->top[space];
	int level = top_level();

	for (;; level--) {
		struct step *step = &steps[level];

		step->where = table + entry_index(va, level) * entry_size();
		step->entry = get_entry(step->where);
		step->log = log_at(space, place, level, page_at(table));
		check_log(step, level);
		if (level == lowest || !(step->entry & ENTRY_P) ||
		    is_bad(step->entry, level))
			return level;
		table = frame_of(step->entry);
	}
}

static uint32_t latest(uint32_t a, uint32_t b)
{
	return a > b ? a : b;
}

/* What SET_PTE and SET_PGD say of the kernel's part, they say of all spaces. */
static uint32_t owner(uint32_t space, uint32_t place)
{
	return m->places[place].kernel ? 0 : space;
}

/* When was the host last told about this place, whatever leads there? */
static uint32_t last_told(uint32_t space, uint32_t place)
{
	const struct place *p = &m->places[place];
	uint32_t who = owner(space, place), told = m->flushed_all;

	if (!p->kernel)
		told = latest(told, m->flushed_user);
	told = latest(told, m->pgd_told[who][p->slot[top_level()]]);
	return latest(told, m->pte_told[who][place]);
}

/* When was it last told of an entry of a directory, by SET_PMD? */
static uint32_t pmd_told(uint32_t page, uint32_t slot)
{
	uint32_t told = m->pmd_told[page][slot];

	if (page < m->first_shared || page >= m->end_shared)
		return told;
	/* Some space may have come by each of them. */
	for (page = m->first_shared; page < m->end_shared; page++)
		if (m->pmd_told[page][slot] < told)
			told = m->pmd_told[page][slot];
	return told;
}

static void add_state(struct state state)
{
	if (m->nr_states == MOST_STATES)
		m->too_many = true;
	else
		m->states[m->nr_states++] = state;
}

/*
 * All that a table's entry has said from one time until another, and what was
 * below it then.
 */
static void collect(uint32_t space, uint32_t place, int level, uint32_t page,
		    uint32_t from, uint32_t until, struct state state)
{
	struct log *log = log_at(space, place, level, page);

	if (paging.pae && level == 2)
		from = latest(from,
			      pmd_told(page, m->places[place].slot[2]));
	for (uint32_t i = 0; i < VERSIONS; i++) {
		uint64_t entry = log->value[i];
		struct state s = state;

		if (log->since[i] < until && entry & ENTRY_P &&
		    !is_bad(entry, level)) {
			s.page = page_at(frame_of(entry));
			if (level < 3) {
				s.writable &= !!(entry & ENTRY_W);
				s.user &= !!(entry & ENTRY_U);
			}
			if (entry & ENTRY_NX)
				s.executable = false;
			s.dirty = entry & ENTRY_D;
			if (level > 1)
				collect(space, place, level - 1, s.page,
					latest(from, log->since[i]), until, s);
			else if (entry & ENTRY_A)
				add_state(s);
		}
		if (log->since[i] <= from)
			return;
		if (log->since[i] < until)
			until = log->since[i];
	}
	m->too_many = true;
}

/* Has nobody told of it since SET_PTE did? */
static bool is_still_filled(uint32_t who, uint32_t place, uint32_t told)
{
	uint32_t time = m->fill_time[who][place];
	uint32_t directory = m->filled[who][place].directory;

	return time && time >= told &&
	       (!paging.pae ||
		time > pmd_told(directory, m->places[place].slot[2]));
}

/* All that the host may go by besides what the tables say now. */
static void collect_states(uint32_t space, uint32_t place)
{
	uint32_t who = owner(space, place), told;
	struct step steps[4];
	bool changed = false;
	int end = follow(space, place, 1, steps);

	m->nr_states = 0;
	m->too_many = false;
	told = last_told(space, place);
	for (int level = top_level(); level >= end; level--)
		changed |= steps[level].log->since[0] > told;
	if (changed)
		collect(space, place, top_level(), page_at(m->top[space]),
			told, m->time + 1,
			(struct state){ .writable = true, .user = true,
					.executable = true });
	if (is_still_filled(who, place, told))
		add_state(m->filled[who][place]);
}

static bool state_permits(enum access access, uint32_t ring, uint32_t page)
{
	for (uint32_t i = 0; i < m->nr_states; i++) {
		const struct state *s = &m->states[i];

		if (s->page == page &&
		    permits(s->writable && s->dirty, s->user, s->executable,
			    access, ring))
			return true;
	}
	return false;
}

/* --- Hypercalls ---------------------------------------------------------------- */

/* SET_PTE fills in what it is given, with what the level above allows now. */
static void model_set_pte(const struct call *call)
{
	uint32_t place = call->about, space = call->space;
	uint64_t entry = call->arg[2] | (paging.pae ?
					 (uint64_t)call->arg[3] << 32 : 0);
	struct step steps[4];
	uint32_t who;

	if (m->places[place].kernel)
		space = m->current;
	if (space == NOBODY)
		return;
	who = owner(space, place);
	m->pte_told[who][place] = m->time;
	m->fill_time[who][place] = 0;
	if (!(entry & ENTRY_A) || !(entry & ENTRY_P))
		return;
	if (follow(space, place, 1, steps) > 1)
		return;
	m->filled[who][place] = (struct state){
		.page = page_at(frame_of(entry)),
		.directory = page_at(steps[2].where & ~0xfff),
		.writable = steps[2].entry & entry & ENTRY_W,
		.user = steps[2].entry & entry & ENTRY_U,
		.executable = !(entry & ENTRY_NX),
		.dirty = entry & ENTRY_D,
	};
	m->fill_time[who][place] = m->time;
}

static void model_set_pgd(const struct call *call)
{
	uint32_t slot = call->about;

	/* The last ones are the kernel's, in both formats. */
	if (paging.pae ? slot == 3 : m->indexes[slot] >= 768)
		m->pgd_told[0][slot] = m->time;
	else if (call->space != NOBODY)
		m->pgd_told[call->space][slot] = m->time;
}

static void model_call(const struct call *call)
{
	m->time++;
	switch (call->nr) {
	case LHCALL_NEW_PGTABLE:
		m->current = call->space;
		break;
	case LHCALL_FLUSH_TLB:
		m->flushed_user = m->time;
		if (call->arg[0])
			m->flushed_all = m->time;
		break;
	case LHCALL_SET_PTE:
		model_set_pte(call);
		break;
	case LHCALL_SET_PGD:
		model_set_pgd(call);
		break;
	case LHCALL_SET_PMD:
		if (call->space != NOBODY)
			m->pmd_told[call->space][call->about] = m->time;
		break;
	}
}

static void call_now(const struct call *call)
{
	struct lguest_data *data = &HIGH(lguest_data);

	hcall(call->nr, call->arg[0], call->arg[1], call->arg[2],
	      call->arg[3]);
	for (uint32_t i = 0; i < m->nr_pending; i++)
		model_call(&m->pending[i]);
	m->nr_pending = 0;
	model_call(call);
	for (uint32_t i = 0; i < RING; i++)
		if (data->hcall_status[i] != 0xff)
			diverged("call %u of the ring is not done", i);
}

static void drain(void)
{
	struct call call = { .nr = LHCALL_FLUSH_ASYNC };

	if (m->nr_pending)
		call_now(&call);
}

/* Into the ring, or at once if that is full. */
static void call_later(const struct call *call)
{
	struct lguest_data *data = &HIGH(lguest_data);
	uint32_t n = m->cursor;

	if (data->hcall_status[n] != 0xff)
		return call_now(call);
	data->hcalls[n] = (struct lguest_call){
		call->nr, call->arg[0], call->arg[1], call->arg[2],
		call->arg[3],
	};
	barrier();
	data->hcall_status[n] = 0;
	m->cursor = (n + 1) % RING;
	m->pending[m->nr_pending++] = *call;
	m->kinds[QUEUED]++;
}

static void make_call(const struct call *call)
{
	note_what("call %u(%#x, %#x, %#x, %#x), %u wait", call->nr,
		  call->arg[0], call->arg[1], call->arg[2], call->arg[3],
		  m->nr_pending);
	/* Batches, some longer than the ring. */
	if (m->nr_pending ? !percent(4) : percent(20))
		call_later(call);
	else
		call_now(call);
}

/* --- What entries say ------------------------------------------------------------ */

static uint64_t bad_frame(int level)
{
	uint64_t end = level == 1 ? paging.devices : paging.memory;
	uint64_t good = m->pa[below(PAGES)];

	switch (below(paging.pae ? 8 : 3)) {
	case 0:
		return end;
	case 1:
		return 0xfffff000;
	case 2:
		return end + (random32() & 0x3ffff000);
	/* If these lose their upper bits, they are good. */
	case 3:
		return good | 1ull << 32;
	case 4:
		return good | 1ull << 40;
	case 5:
		return good | 1ull << 51;
	case 6:
		return good | 0x000fffff00000000ull;
	default:
		return (uint64_t)random32() << 20 | 1ull << 51;
	}
}

/* Everything that kills: bits that may not be, frames that are none. */
static uint64_t make_bad(uint64_t entry, int level)
{
	uint32_t bits = paging.pae ? 64 : 12, bit;

	entry |= ENTRY_P;
	if (percent(40))
		return (entry & 0xfff0000000000fffull) | bad_frame(level);
	do {
		bit = below(bits);
	} while ((bit > 11 && bit < 52) || may_say(level) >> bit & 1);
	return entry | 1ull << bit;
}

static uint64_t random_pte(void)
{
	uint64_t entry = m->pa[below(PAGES)];

	if (percent(10))
		return ((uint64_t)random32() << 32 | random32()) & ~1ull;
	entry |= ENTRY_P | (random32() & (ENTRY_W | ENTRY_U | ENTRY_USED));
	if (percent(60))
		entry |= ENTRY_W | ENTRY_U;
	if (percent(40))
		entry |= random32() & ENTRY_IGNORED;
	if (paging.pae && percent(20))
		entry |= ENTRY_NX;
	return entry;
}

static uint64_t random_table_entry(int level)
{
	uint32_t first = level == 3 ? m->first2 : m->first1;
	uint32_t end = level == 3 ? m->end2 : m->end1;
	uint64_t entry = m->pa[first + below(end - first)];

	if (percent(6))
		return ((uint64_t)random32() << 32 | random32()) & ~1ull;
	/* Any page is a table, if somebody says so. */
	if (percent(6))
		entry = m->pa[below(PAGES)];
	entry |= ENTRY_P;
	if (level == 2) {
		entry |= random32() & (ENTRY_W | ENTRY_U | ENTRY_USED);
		if (percent(75))
			entry |= ENTRY_W | ENTRY_U;
	}
	return entry;
}

static uint64_t random_entry(int level)
{
	uint64_t entry = level == 1 ? random_pte() : random_table_entry(level);

	return paging.pae ? entry : (uint32_t)entry;
}

/* --- Operations -------------------------------------------------------------------- */

/* Often the one that has changed last: that is where mistakes are. */
static uint32_t random_place(void)
{
	if (percent(35))
		return m->recent;
	return percent(60) ? below(m->nr_user) : below(m->nr_places);
}

static uint32_t random_space(void)
{
	return percent(60) ? m->current : below(m->spaces);
}

/*
 * Is this entry one of the kernel's part? Any table may have some: of the
 * 32-bit format's top tables, each can be a table of level 1 as well.
 */
static bool is_shared(uint32_t place, int level, const struct step *step)
{
	uint32_t page = page_at(step->where & ~0xfff);

	return level < 3 && page >= m->first_shared && page < m->end_shared &&
	       (paging.pae ||
		m->indexes[m->places[place].slot[level]] >= 768);
}

/* Write an entry. Those of the kernel's part must be the same everywhere. */
static void set_entry(uint32_t place, int level, const struct step *step,
		      uint64_t entry)
{
	uint32_t slot = m->places[place].slot[level];

	m->time++;
	if (!is_shared(place, level, step)) {
		put_entry(step->where, entry);
		remember(step->log, entry);
		return;
	}
	for (uint32_t i = m->first_shared; i < m->end_shared; i++) {
		put_entry(m->pa[i] + (step->where & 0xfff), entry);
		remember(&m->logs[i][slot], entry);
	}
}

/* The first GiB has the kernel's code, and so have few tables of PAE. */
static bool is_fixed(uint32_t place, int level)
{
	return level == 3 && (m->places[place].slot[3] == 0 ||
			      m->places[place].slot[3] == 3);
}

/* The table of level 2 on the way to a place, or any. */
static uint32_t directory_for(uint32_t space, uint32_t place)
{
	struct step steps[4];

	if (follow(space, place, 2, steps) == 2)
		return page_at(steps[2].where & ~0xfff);
	return m->first2 + below(m->end2 - m->first2);
}

/* For SET_PTE: the truth, nothing, or a lie; but nothing that kills. */
static uint64_t entry_to_tell(uint32_t space, uint32_t place)
{
	struct step steps[4];

	if (m->places[place].kernel)
		space = m->current;
	if (follow(space, place, 1, steps) > 1 || is_bad(steps[1].entry, 1) ||
	    percent(20))
		return 0;
	return percent(85) ? steps[1].entry : random_entry(1);
}

/* SET_PMD, for all tables that must say the same. */
static void tell_of_directory(uint32_t page, const struct place *place)
{
	uint32_t from = page, until = page + 1;

	if (page >= m->first_shared && page < m->end_shared) {
		from = m->first_shared;
		until = m->end_shared;
	}
	for (page = from; page < until; page++) {
		struct call call = {
			.nr = LHCALL_SET_PMD,
			.space = page, .about = place->slot[2],
			.arg = { m->pa[page] | (random32() & 0xfff),
				 entry_index(place->va, 2) },
		};

		m->kinds[TOLD]++;
		make_call(&call);
	}
}

/* How the host is told of what was done to an entry. */
static void tell(uint32_t space, uint32_t place, int level)
{
	struct place *p = &m->places[place];
	uint32_t noise = random32();
	struct call call = { .space = space, .arg = { m->top[space] } };
	uint64_t entry;

	/* Bits that do not count, and whole arguments that do not. */
	if (paging.pae)
		call.arg[0] |= noise & 31;
	if (p->kernel && percent(30))
		call.arg[0] = noise;
	if (below(1000) < m->flushes) {
		call.nr = LHCALL_FLUSH_TLB;
		call.arg[0] = percent(70) ? 0 : random32();
	} else if (level == top_level()) {
		call.nr = LHCALL_SET_PGD;
		call.about = p->slot[level];
		call.arg[1] = entry_index(p->va, level);
	} else if (level == 1) {
		entry = entry_to_tell(space, place);
		call.nr = LHCALL_SET_PTE;
		call.about = place;
		call.arg[1] = p->va | (noise & 0xfff);
		call.arg[2] = entry;
		call.arg[3] = entry >> 32;
	} else {
		return tell_of_directory(directory_for(space, place), p);
	}
	m->kinds[TOLD]++;
	make_call(&call);
}

/*
 * Would a SET_PTE that waits be led to a bad entry of an upper level? Those
 * with a new entry that has been used look there.
 */
static bool would_kill(uint32_t where, uint64_t entry)
{
	uint64_t old = get_entry(where);
	bool kills = false;

	put_entry(where, entry);
	for (uint32_t i = 0; i < m->nr_pending && !kills; i++) {
		const struct call *call = &m->pending[i];
		struct outcome o;

		if (call->nr != LHCALL_SET_PTE || call->space == NOBODY ||
		    !(call->arg[2] & ENTRY_A))
			continue;
		o = oracle(m->top[call->space], m->places[call->about].va,
			   READ, 1);
		kills = o.verdict == KILLS && o.level > 1;
	}
	put_entry(where, old);
	return kills;
}

static void edit(void)
{
	uint32_t space = random_space(), place = random_place();
	int level = percent(60) ? 1 : percent(70) ? 2 : top_level();
	struct step steps[4];
	uint64_t entry, old;

	level = follow(space, place, level, steps);
	if (is_fixed(place, level))
		return;
	old = steps[level].entry;
	entry = random_entry(level);
	/* Often only some flags change, as they do in life. */
	if (old & ENTRY_P && !is_bad(old, level) && percent(40))
		entry = frame_of(old) | (entry & ~0x000ffffffffff000ull);
	if (percent(4))
		entry = make_bad(entry, level);
	if (is_shared(place, level, &steps[level]) ||
	    would_kill(steps[level].where, entry))
		drain();
	note_what("space %u, %#x, level %u at %#x: %#x %08x, not %#x %08x",
		  space, m->places[place].va, level, steps[level].where,
		  entry >> 32, entry, old >> 32, old);
	set_entry(place, level, &steps[level], entry);
	m->recent = place;
	m->kinds[EDITS]++;
	if (percent(75))
		tell(space, place, level);
}

static uint32_t word_of(uint32_t page, uint32_t offset)
{
	return *(volatile uint32_t *)AT(m->pa[page] + offset);
}

/* Which page is behind the address, by what came of the access? */
static uint32_t page_reached(enum access access, uint32_t offset,
			     uint32_t value, uint32_t likely)
{
	uint32_t page = (x->eax - MARK_OF(0)) >> 24;

	if (access != WRITE)
		return page < PAGES && x->eax == MARK_OF(page) ? page : NOBODY;
	if (likely < PAGES && word_of(likely, offset) == value)
		return likely;
	for (page = 0; page < PAGES; page++)
		if (word_of(page, offset) == value)
			return page;
	return NOBODY;
}

static void check_fault(const struct outcome *must, uint32_t va)
{
	uint32_t cr2 = HIGH(lguest_data).cr2;

	if (must->verdict != FAULTS)
		diverged("page fault, error %#x, cr2 %#x, but it is allowed",
			 x->frame[0], cr2);
	if (x->frame[0] != must->error || cr2 != va)
		diverged("page fault, error %#x, cr2 %#x, not %#x, %#x",
			 x->frame[0], cr2, must->error, va);
	m->kinds[REFUSED]++;
}

static void check_success(const struct outcome *must, enum access access,
			  uint32_t ring, uint32_t page)
{
	uint64_t entry = get_entry(must->where);
	bool was_now = must->verdict == ALLOWED && entry == must->after &&
		       page == page_at(must->pa & ~0xfff);

	if (!was_now && (entry != must->entry ||
			 !state_permits(access, ring, page)))
		diverged("page %u, entry %s; expected %s, page %u, entry %s",
			 page, hex64(entry),
			 must->verdict == ALLOWED ? "success" : "fault",
			 page_at(must->pa & ~0xfff), hex64(must->after));
	if (!was_now)
		m->kinds[STALE]++;
}

/* Make an access, if it can be told what must come of it. Did it succeed? */
static bool access_place(uint32_t place, enum access access, uint32_t ring)
{
	uint32_t offset = access == READ ? MARK : access == FETCH ? MARK_CODE :
			  MARK_WORDS + below(WORDS) * 4;
	uint32_t va = m->places[place].va + offset;
	uint32_t value = 0x40000000 | m->done;
	struct step steps[4];
	struct outcome must;
	int end;

	must = oracle(m->top[m->current], va, access, ring);
	note_what("access %u to %#x from ring %u", access, va, ring);
	collect_states(m->current, place);
	/* What is in a table by chance may be bad, or a device's. */
	if (must.verdict == KILLS || must.verdict == DEVICE || m->too_many)
		return false;
	make_access(va, access, ring, value);
	if (x->vector == 14)
		check_fault(&must, va);
	else if (x->vector != (ring == 3 ? 0x80 : VECTOR_DONE))
		diverged("trap %u, %#x %#x %#x", x->vector, x->frame[0],
			 x->frame[1], x->frame[2]);
	else
		check_success(&must, access, ring,
			      page_reached(access, offset, value,
					   page_at(must.pa & ~0xfff)));
	/* What the host has marked. */
	end = must.level;
	if (get_entry(must.where) != must.entry) {
		struct log *log = log_at(m->current, place, end,
					 page_at(must.where & ~0xfff));

		if (end > 1)
			diverged("a directory was marked");
		m->time++;
		remember(log, must.after);
	}
	follow(m->current, place, end, steps);
	m->kinds[ACCESSED]++;
	return x->vector != 14;
}

static void switch_space(void)
{
	uint32_t space = below(m->spaces);
	struct call call = {
		.nr = LHCALL_NEW_PGTABLE, .space = space,
		.arg = { m->top[space] | (paging.pae ? random32() & 31 : 0) },
	};

	m->kinds[SWITCHES]++;
	make_call(&call);
}

/* Calls that have nothing to do with all this. */
static void other_call(void)
{
	static const uint32_t descriptors[] = {
		0, 0x00cff200, 0x00cf9200, 0x00cffa00, 0x00cfb200, 0x0040b200,
	};
	uint32_t n;
	struct call call = { .space = m->current };

	switch (below(8)) {
	case 0:
		call.nr = LHCALL_LOAD_GDT_ENTRY;
		call.arg[0] = 17 + below(14);
		call.arg[1] = random32();
		call.arg[2] = HIGH(descriptors)[below(6)];
		break;
	case 1:
		call.nr = LHCALL_LOAD_TLS;
		call.arg[0] = (uint32_t)no_tls;
		call.arg[1] = random32();
		break;
	case 2:
		call.nr = LHCALL_SET_STACK;
		n = below(3);
		call.arg[0] = KERNEL_DS;
		call.arg[1] = (uint32_t)&HIGH(stacks)[n] + 4096 - 4 * below(9);
		call.arg[2] = n;
		break;
	case 3:
		call.nr = LHCALL_SET_CLOCKEVENT;
		call.arg[0] = percent(20) ? 0 : below(3000000);
		break;
	case 4:
		call.nr = LHCALL_SEND_INTERRUPTS;
		break;
	case 5:
		call.nr = LHCALL_LOAD_IDT_ENTRY;
		call.arg[0] = 33 + below(31);
		call.arg[1] = KERNEL_CS << 16 | (random32() & 0xffff);
		call.arg[2] = percent(30) ? 0 :
			      (random32() & 0xffff6000) | GATE_TRAP;
		break;
	case 6:
		/* Tables that nobody has, or has any more. */
		call.nr = LHCALL_SET_PTE + below(2);
		call.space = NOBODY;
		call.about = 0;
		call.arg[0] = paging.memory + (random32() & 0xffffff);
		call.arg[1] = call.nr == LHCALL_SET_PGD ? below(3) : 0x1000;
		call.arg[2] = random32();
		break;
	default:
		call.nr = LHCALL_FLUSH_ASYNC;
		break;
	}
	m->kinds[OTHERS]++;
	make_call(&call);
}

static void operation(void)
{
	uint32_t what = below(97);

	if (below(1000) < m->often)
		switch_space();
	else if (what < 55)
		access_place(random_place(), below(3), percent(60) ? 1 : 3);
	else if (what < 85)
		edit();
	else if (what < 93)
		tell(random_space(), random_place(),
		     1 + below(top_level()));
	else
		other_call();
}

/* --- The end ------------------------------------------------------------------- */

/* Has anything changed that nobody has touched? */
static void check_all(void)
{
	for (uint32_t space = 0; space < m->spaces; space++)
		for (uint32_t place = 0; place < m->nr_places; place++) {
			struct step steps[4];

			follow(space, place, 1, steps);
		}
	for (uint32_t page = 0; page < PAGES; page++)
		if (word_of(page, MARK) != MARK_OF(page))
			diverged("page %u has %#x for a mark", page,
				 word_of(page, MARK));
}

__attribute__((format(printf, 1, 2)))
static void expect(const char *format, ...)
{
	char text[160];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	print("ok %u operations, seed %u\nexpect: killed: %s\n", m->count,
	      m->seed, text);
}

/* Sometimes the last call waits, between others. */
static _Noreturn void last_call(uint32_t nr, uint32_t arg1, uint32_t arg2,
				uint32_t arg3, uint32_t arg4)
{
	struct call call = { .nr = nr, .arg = { arg1, arg2, arg3, arg4 } };

	if (percent(50)) {
		call_later(&call);
		for (uint32_t n = below(70); n; n--) {
			call.nr = LHCALL_FLUSH_ASYNC;
			call_later(&call);
		}
		hcall(LHCALL_SEND_INTERRUPTS, 0, 0, 0, 0);
	} else {
		hcall(nr, arg1, arg2, arg3, arg4);
	}
	shutdown("FAILED seed %u: not killed by call %u", m->seed, nr);
}

/* A place in the space in use that leads down to a level, or NOBODY. */
static uint32_t place_with(int level)
{
	struct step steps[4];

	for (uint32_t i = 0; i < 1000; i++) {
		uint32_t place = random_place();

		if (!is_fixed(place, level) &&
		    follow(m->current, place, level, steps) == level)
			return place;
	}
	return NOBODY;
}

/* An access to an entry that is bad. */
static void end_by_access(void)
{
	enum access access = below(ACCESSES);
	uint32_t ring = percent(50) ? 1 : 3;
	int level = 1 + below(top_level());
	uint32_t place = place_with(level), va;
	struct step steps[4];
	uint64_t entry;

	if (place == NOBODY)
		return;
	follow(m->current, place, level, steps);
	entry = make_bad(random_entry(level), level);
	set_entry(place, level, &steps[level], entry);
	flush_tlb(true);
	va = m->places[place].va + MARK;
	expect("bad page %s entry %s for 0x%08x$", level_names[level],
	       hex64(entry), va);
	make_access(va, access, ring, 0);
	shutdown("FAILED seed %u: not killed by an access", m->seed);
}

/* SET_PTE for an entry that is bad, or with a bad one above it. */
static void end_by_set_pte(void)
{
	uint32_t place = place_with(1), va;
	uint64_t entry = random_pte() | ENTRY_P | ENTRY_A, bad;
	int level = 1 + below(top_level());
	struct step steps[4];

	if (place == NOBODY || is_fixed(place, level))
		return;
	va = m->places[place].va;
	if (!access_place(place, READ, 1))
		return;
	follow(m->current, place, 1, steps);
	entry = paging.pae ? entry : (uint32_t)entry;
	bad = make_bad(level == 1 ? entry : random_entry(level), level);
	expect("bad page %s entry %s for 0x%08x, in SET_PTE", level_names[level],
	       hex64(bad), va);
	/* Now its table is in the shadow for certain. */
	make_access(va + MARK, READ, 1, 0);
	if (level == 1)
		entry = bad;
	else
		set_entry(place, level, &steps[level], bad);
	last_call(LHCALL_SET_PTE, m->top[m->current], va, entry, entry >> 32);
}

/* No handler, or no stack for it. */
static void end_by_fault(void)
{
	if (percent(50)) {
		expect("page fault at 0x20000000, .*error 0x6$");
		hcall(LHCALL_LOAD_IDT_ENTRY, 14, 0, 0, 0);
	} else {
		expect("no stack at 0x200007e8 for vector 14$");
		hcall(LHCALL_SET_STACK, KERNEL_DS, 0x20000800, 1, 0);
	}
	make_access(0x20000000, WRITE, 3, 0);
	shutdown("FAILED seed %u: not killed by a fault", m->seed);
}

static void end_by_paging_call(void)
{
	uint32_t entries = paging.pae ? 4 : 1024, top = m->top[m->current];
	uint32_t index = percent(50) ? 0 : random32() >> 1;
	uint32_t memory = paging.memory;

	switch (below(3)) {
	case 0:
		index += entries;
		expect("bad page directory index %u, in SET_PGD", index);
		last_call(LHCALL_SET_PGD, top, index, 0, 0);
	case 1:
		index += 512;
		if (paging.pae)
			expect("bad middle directory index %u, in SET_PMD",
			       index);
		else
			expect("no PAE, in SET_PMD");
		last_call(LHCALL_SET_PMD, top, index, 0, 0);
	default:
		top = memory + below(0u - memory);
		if (percent(50))
			top = paging.pae ? memory : below(memory);
		/* Not aligned, or beyond memory. */
		top = paging.pae ? top & ~31u : top | 1 << below(12);
		expect("bad page table address 0x%08x, in NEW_PGTABLE", top);
		last_call(LHCALL_NEW_PGTABLE, top, 0, 0, 0);
	}
}

static void end_by_other_call(void)
{
	static const uint32_t retired[] = { 3, 8, 11, 12, 17, 20, 0xffffffff };
	uint32_t nr = retired[below(7)], pages = 3 + (random32() >> 1);

	switch (below(3)) {
	case 0:
		expect("bad hypercall %u .0x1, 0x2, 0x3, 0x4.$", nr);
		last_call(nr, 1, 2, 3, 4);
	case 1:
		expect("bad stack pages %u, in SET_STACK", pages);
		last_call(LHCALL_SET_STACK, KERNEL_DS, 0, pages, 0);
	default:
		expect("already have lguest_data, in LGUEST_INIT");
		last_call(LHCALL_LGUEST_INIT, 0, 0, 0, 0);
	}
}

static _Noreturn void end(void)
{
	drain();
	check_all();
	print_kinds();
	while (percent(50)) {
		switch (below(8)) {
		case 0:
			end_by_fault();
			break;
		case 1:
			end_by_other_call();
			break;
		case 2:
			end_by_paging_call();
			break;
		case 3:
		case 4:
			end_by_set_pte();
			break;
		default:
			end_by_access();
		}
	}
	shutdown("ok %u operations, seed %u", m->count, m->seed);
}

/* --- The beginning ------------------------------------------------------------ */

static void choose_places(void)
{
	/* The last two of the first are the kernel's directory entries. */
	static const uint16_t indexes32[] = {
		16, 17, 256, 511, 767, 800, 1023,
	};
	static const uint16_t indexes_pae[] = { 16, 17, 100, 511 };
	uint32_t n = paging.pae ? 4 : 7, tops = paging.pae ? 4 * n : n;

	for (uint32_t i = 0; i < n; i++)
		m->indexes[i] = paging.pae ? indexes_pae[i] : indexes32[i];
	/* From the lowest to the highest, so the kernel's come last. */
	for (uint32_t i = 0; i < tops * n; i++) {
		uint32_t gib = i / n / n, upper = i / n % n, lower = i % n;
		struct place *place = &m->places[i];

		place->slot[1] = lower;
		place->slot[2] = upper;
		place->slot[3] = gib;
		place->va = m->indexes[lower] << 12;
		place->va |= m->indexes[upper] << (paging.pae ? 21 : 22);
		place->va |= gib << 30;
		place->kernel = place->va >= HIGH_START;
		m->nr_user += !place->kernel;
	}
	m->nr_places = tops * n;
}

/* The first and the last page of memory, and what is ours, in any order. */
static void choose_pages(void)
{
	memset(m->page_of, NOBODY, sizeof(m->page_of));
	for (uint32_t i = 0; i < PAGES; i++)
		m->pa[i] = i == 0 ? 0 : i == 1 ? paging.memory - 4096 :
			   (uint32_t)pool[i - 2];
	for (uint32_t i = 0; i < PAGES; i++) {
		uint32_t other = below(PAGES), pa = m->pa[i];

		m->pa[i] = m->pa[other];
		m->pa[other] = pa;
	}
	for (uint32_t i = 0; i < PAGES; i++)
		m->page_of[m->pa[i] >> 12] = i;
}

static void write_mark(uint32_t page)
{
	uint8_t *at = AT(m->pa[page]);
	uint32_t mark = MARK_OF(page);

	memset(at, 0, 4096);
	*(uint32_t *)(at + MARK) = mark;
	at[MARK_CODE] = 0xb8;			/* movl $mark, %eax */
	memcpy(at + MARK_CODE + 1, &mark, sizeof(mark));
	at[MARK_CODE + 5] = 0xff;		/* jmp *%edx */
	at[MARK_CODE + 6] = 0xe2;
}

static void set_first(struct log *log, uint32_t where, uint64_t entry)
{
	put_entry(where, entry);
	log->value[0] = entry;
}

static void fill_page(uint32_t page)
{
	int level = page >= m->first2 && page < m->end2 ? 2 : 1;
	uint32_t slots = paging.pae ? 4 : 7;

	for (uint32_t i = 0; i < slots; i++) {
		uint64_t entry = random_entry(level);

		/* The kernel's part is the same everywhere. */
		if (page > m->first_shared && page < m->end_shared &&
		    (paging.pae || m->indexes[i] >= 768))
			entry = m->logs[m->first_shared][i].value[0];
		set_first(&m->logs[page][i],
			  m->pa[page] + m->indexes[i] * entry_size(), entry);
	}
}

/* What leads to the kernel itself, from a table that does. */
static void copy_entries(uint32_t to, uint32_t from, uint32_t first,
			 uint32_t count)
{
	uint32_t size = entry_size();

	memcpy(AT(to + first * size), AT(from + first * size), count * size);
}

static void fill_tops(uint32_t home)
{
	for (uint32_t i = 0; i < m->spaces; i++) {
		if (!paging.pae) {
			m->top[i] = m->pa[i];
			copy_entries(m->top[i], home, 0, 1);
			copy_entries(m->top[i], home, 768, 5);
			continue;
		}
		m->top[i] = m->pa[PAGES - 1] + TOPS + 32 * i;
		for (uint32_t gib = 0; gib < 4; gib++) {
			uint64_t entry = gib == 0 ? m->pa[below(3)] | 1 :
					 gib == 3 ? m->pa[3 + below(3)] | 1 :
					 random_entry(3);

			set_first(&m->top_logs[i][gib], m->top[i] + 8 * gib,
				  entry);
		}
	}
	if (!paging.pae)
		return;
	/* Those of the first GiB, and those of the last. */
	for (uint32_t page = 0; page < 3; page++) {
		copy_entries(m->pa[page], frame_of(get_entry(home)), 0, 2);
		copy_entries(m->pa[3 + page], frame_of(get_entry(home + 24)),
			     0, 9);
	}
}

static uint32_t home;		/* the first page table */

static _Noreturn void run(void)
{
	/* A flush hides much, and so does a space that is used for long. */
	static const uint32_t flushes[] = { 0, 1, 5, 50 };
	static const uint32_t often[] = { 5, 20, 50, 250 };

	m->flushes = HIGH(flushes)[below(4)];
	m->often = HIGH(often)[below(4)];
	m->spaces = 6 + below(SPACES - 5);
	choose_places();
	choose_pages();
	m->first2 = 0;
	m->end2 = paging.pae ? 12 : m->spaces;
	m->first_shared = paging.pae ? 3 : 0;
	m->end_shared = paging.pae ? 6 : m->spaces;
	m->first1 = m->end2;
	m->end1 = m->end2 + 24;
	for (uint32_t page = 0; page < PAGES; page++)
		write_mark(page);
	for (uint32_t page = 0; page < PAGES; page++)
		fill_page(page);
	fill_tops(home);
	new_pgtable(m->top[0]);
	for (; m->done < m->count; m->done++)
		operation();
	end();
}

static void make_home(void)
{
	uint32_t flags = ENTRY_P | ENTRY_W | ENTRY_USED;

	home = new_table();
	for (uint32_t pa = 0; pa < 0x400000; pa += 4096)
		map(home, pa, pa, flags);
	for (uint32_t pa = 0; pa < paging.memory; pa += 4096)
		map(home, HIGH_START + pa, pa, flags);
	map(home, USER_PAGE, (uint32_t)user_page, ENTRY_P | ENTRY_U);
	new_pgtable(home);
	window = HIGH_START;
}

static void load_gates(void)
{
	for (uint32_t vector = 0; vector < 32; vector++)
		set_gate(vector, &HIGH(stubs)[vector], GATE_INTERRUPT);
	set_gate(0x80, &HIGH(stubs)[0x80], GATE_INTERRUPT | GATE_USER);
}

void main(const char *command_line)
{
	const char *word = command_line;

	model.seed = parse_number(command_line);
	model.random = model.seed * 0x9e3779b1;
	set_format(command_line);
	while (*word && *word++ != ' ')
		;
	model.count = model.trace = parse_number(word);
	/* from=100 prints what is done from there on. */
	while (*word)
		if (*word++ == '=')
			model.trace = parse_number(word);
	if (paging.memory > 0x1000000)
		shutdown("FAILED more than 16 MB of memory");
	lguest_init();
	load_user_segments();
	load_gates();
	set_stack(KERNEL_DS, (uint32_t)&HIGH(stacks)[1], 1);
	make_home();
	/* From here on, code and stack are above kernel_address. */
	asm volatile("movl %0, %%ds; movl %0, %%es; movl %2, %%esp; jmp *%1"
		     : : "r" (USER_DS), "r" ((uint32_t)run + HIGH_START),
		       "r" ((uint32_t)stack_top + HIGH_START));
	__builtin_unreachable();
}
