// SPDX-License-Identifier: GPL-2.0
/*
 * Hypercalls with arguments at the edge of sense, and beyond.
 *
 * Numbers as arguments: of the call, and what it is given.
 *
 * Vulnerable: a table is left at either end; the host counts to 2^32 (the
 * original hung when SET_STACK had 0xffffffff pages); a gate of another type
 * becomes a call gate, or leads to a task.
 * Expected: killed, and told which value was wrong; what is only odd is fine.
 *
 * Args: 6 256 0x610000 0x8e00
 * Expect: 3 /bad idt vector 256\b/
 * Args: 6 257 0x610000 0x8e00
 * Expect: 3 /bad idt vector 257\b/
 * Args: 6 0x120 0x610000 0x8e00
 * Expect: 3 /bad idt vector 288\b/
 * Args: 6 0x10003 0x610000 0x8e00
 * Expect: 3 /bad idt vector 65539\b/
 * Args: 6 0x80000003 0x610000 0x8e00
 * Expect: 3 /bad idt vector 2147483651\b/
 * Args: 6 0xffffffff 0x610000 0x8e00
 * Expect: 3 /bad idt vector 4294967295\b/
 * Args: 6 256 0 0
 * Expect: 3 /bad idt vector 256\b/
 * Args: 6 3 0x610000 0x8000
 * Expect: 3 /bad gate type 0x0 for vector 3\b/
 * Args: 6 3 0x610000 0x8100
 * Expect: 3 /bad gate type 0x1 for vector 3\b/
 * Args: 6 3 0x610000 0x8200
 * Expect: 3 /bad gate type 0x2 for vector 3\b/
 * Args: 6 3 0x610000 0x8300
 * Expect: 3 /bad gate type 0x3 for vector 3\b/
 * Args: 6 3 0x610000 0x8400
 * Expect: 3 /bad gate type 0x4 for vector 3\b/
 * Args: 6 3 0x610000 0x8500
 * Expect: 3 /bad gate type 0x5 for vector 3\b/
 * Args: 6 3 0x610000 0x8600
 * Expect: 3 /bad gate type 0x6 for vector 3\b/
 * Args: 6 3 0x610000 0x8700
 * Expect: 3 /bad gate type 0x7 for vector 3\b/
 * Args: 6 3 0x610000 0x8800
 * Expect: 3 /bad gate type 0x8 for vector 3\b/
 * Args: 6 3 0x610000 0x8900
 * Expect: 3 /bad gate type 0x9 for vector 3\b/
 * Args: 6 3 0x610000 0x8a00
 * Expect: 3 /bad gate type 0xa for vector 3\b/
 * Args: 6 3 0x610000 0x8b00
 * Expect: 3 /bad gate type 0xb for vector 3\b/
 * Args: 6 3 0x610000 0x8c00
 * Expect: 3 /bad gate type 0xc for vector 3\b/
 * Args: 6 3 0x610000 0x8d00
 * Expect: 3 /bad gate type 0xd for vector 3\b/
 * Args: 6 3 0x610000 0x9000
 * Expect: 3 /bad gate type 0x10 for vector 3\b/
 * Args: 6 3 0x610000 0x9e00
 * Expect: 3 /bad gate type 0x1e for vector 3\b/
 * Args: 6 3 0x610000 0x9f00
 * Expect: 3 /bad gate type 0x1f for vector 3\b/
 * Args: 6 255 0 0x8500
 * Expect: 3 /bad gate type 0x5 for vector 255\b/
 * Args: 6 32 0 0xffffffff
 * Expect: 3 /bad gate type 0x1f for vector 32\b/
 * Args: 6 7 0 0xec00
 * Expect: 3 /bad gate type 0xc for vector 7\b/
 * Args: 6 2 0 0x8500
 * Expect: 0 /ok 6 2 0 0x8500/
 * Args: 6 2 0xffffffff 0xffffffff
 * Expect: 0 /ok 6 2 0xffffffff 0xffffffff/
 * Args: 6 8 0 0x8500
 * Expect: 0 /ok 6 8 0 0x8500/
 * Args: 6 8 0xffffffff 0xffffffff
 * Expect: 0 /ok 6 8 0xffffffff 0xffffffff/
 * Args: 6 15 0 0x8500
 * Expect: 0 /ok 6 15 0 0x8500/
 * Args: 6 15 0xffffffff 0xffffffff
 * Expect: 0 /ok 6 15 0xffffffff 0xffffffff/
 * Args: 6 31 0 0x8500
 * Expect: 0 /ok 6 31 0 0x8500/
 * Args: 6 31 0xffffffff 0xffffffff
 * Expect: 0 /ok 6 31 0xffffffff 0xffffffff/
 * Args: 6 3 0xffffffff 0xffff7fff
 * Expect: 0 /ok 6 3 0xffffffff 0xffff7fff/
 * Args: 6 255 0 0x8f00
 * Expect: 0 /ok 6 255 0 0x8f00/
 * Args: 6 255 0xffffffff 0xffffeeff
 * Expect: 0 /ok 6 255 0xffffffff 0xffffeeff/
 * Args: 7 0x0 0x2000 1
 * Expect: 3 /bad stack segment 0x0000\b/
 * Args: 7 0x2 0x2000 1
 * Expect: 3 /bad stack segment 0x0002\b/
 * Args: 7 0x3 0x2000 1
 * Expect: 3 /bad stack segment 0x0003\b/
 * Args: 7 0x68 0x2000 1
 * Expect: 3 /bad stack segment 0x0068\b/
 * Args: 7 0x6a 0x2000 1
 * Expect: 3 /bad stack segment 0x006a\b/
 * Args: 7 0x6b 0x2000 1
 * Expect: 3 /bad stack segment 0x006b\b/
 * Args: 7 0x7b 0x2000 1
 * Expect: 3 /bad stack segment 0x007b\b/
 * Args: 7 0xffff 0x2000 1
 * Expect: 3 /bad stack segment 0xffff\b/
 * Args: 7 0xfffc 0x2000 1
 * Expect: 3 /bad stack segment 0xfffc\b/
 * Args: 7 0xffff0068 0x2000 1
 * Expect: 3 /bad stack segment 0xffff0068\b/
 * Args: 7 0x69 0x2000 0x3
 * Expect: 3 /bad stack pages 3\b/
 * Args: 7 0x69 0x2000 0x4
 * Expect: 3 /bad stack pages 4\b/
 * Args: 7 0x69 0x2000 0x80000001
 * Expect: 3 /bad stack pages 2147483649\b/
 * Args: 7 0x69 0x2000 0xfffffffe
 * Expect: 3 /bad stack pages 4294967294\b/
 * Args: 7 0x69 0x2000 0xffffffff
 * Expect: 3 /bad stack pages 4294967295\b/
 * Args: 7 0x68 0x2000 0xffffffff
 * Expect: 3 /bad stack segment 0x0068\b/
 * Args: 7 0x69 0x0 0
 * Expect: 0 /ok 7 0x69 0x0 0/
 * Args: 7 0x69 0x0 2
 * Expect: 0 /ok 7 0x69 0x0 2/
 * Args: 7 0x69 0x1 0
 * Expect: 0 /ok 7 0x69 0x1 0/
 * Args: 7 0x69 0x1 2
 * Expect: 0 /ok 7 0x69 0x1 2/
 * Args: 7 0x69 0x4 0
 * Expect: 0 /ok 7 0x69 0x4 0/
 * Args: 7 0x69 0x4 2
 * Expect: 0 /ok 7 0x69 0x4 2/
 * Args: 7 0x69 0xfffffffe 0
 * Expect: 0 /ok 7 0x69 0xfffffffe 0/
 * Args: 7 0x69 0xfffffffe 2
 * Expect: 0 /ok 7 0x69 0xfffffffe 2/
 * Args: 7 0x69 0xffffffff 0
 * Expect: 0 /ok 7 0x69 0xffffffff 0/
 * Args: 7 0x69 0xffffffff 2
 * Expect: 0 /ok 7 0x69 0xffffffff 2/
 * Args: 7 0x69 0x80000000 0
 * Expect: 0 /ok 7 0x69 0x80000000 0/
 * Args: 7 0x69 0x80000000 2
 * Expect: 0 /ok 7 0x69 0x80000000 2/
 * Args: 7 0xfffd 0x2000 1
 * Expect: 0 /ok 7 0xfffd 0x2000 1/
 * Args: 7 1 0x2000 1
 * Expect: 0 /ok 7 1 0x2000 1/
 * Args: 4 0x1
 * Expect: 3 /bad page table address 0x00000001\b/
 * Args: 4 0x4
 * Expect: 3 /bad page table address 0x00000004\b/
 * Args: 4 0x20
 * Expect: 3 /bad page table address 0x00000020\b/
 * Args: 4 0xfff
 * Expect: 3 /bad page table address 0x00000fff\b/
 * Args: 4 0x1001
 * Expect: 3 /bad page table address 0x00001001\b/
 * Args: 4 0x1ffff8
 * Expect: 3 /bad page table address 0x001ffff8\b/
 * Args: 4 0x1000000
 * Expect: 3 /bad page table address 0x01000000\b/
 * Args: 4 0x1000001
 * Expect: 3 /bad page table address 0x01000001\b/
 * Args: 4 0x1001000
 * Expect: 3 /bad page table address 0x01001000\b/
 * Args: 4 0x80000000
 * Expect: 3 /bad page table address 0x80000000\b/
 * Args: 4 0xfffff000
 * Expect: 3 /bad page table address 0xfffff000\b/
 * Args: 4 0xfffffff0
 * Expect: 3 /bad page table address 0xfffffff0\b/
 * Args: 4 0xffffffff
 * Expect: 3 /bad page table address 0xffffffff\b/
 * Args: 5 0 0xffffffff 0xffffffff
 * Expect: 0 /ok 5 0 0xffffffff 0xffffffff/
 * Args: 5 0xffffffff
 * Expect: 0 /ok 5 0xffffffff/
 * Args: 9 0 0xffffffff
 * Expect: 0 /ok 9 0 0xffffffff/
 * Args: 15 0x2000 1024
 * Expect: 3 /bad page directory index 1024\b/
 * Args: 15 0x2000 1025
 * Expect: 3 /bad page directory index 1025\b/
 * Args: 15 0x2000 2147483648
 * Expect: 3 /bad page directory index 2147483648\b/
 * Args: 15 0x2000 4294967295
 * Expect: 3 /bad page directory index 4294967295\b/
 * Args: 15 0x2000 1023
 * Expect: 0 /ok 15 0x2000 1023/
 * Args: 15 0xffffffff 0
 * Expect: 0 /ok 15 0xffffffff 0/
 * Args: 14 0 0 0
 * Expect: 0 /ok 14 0 0 0/
 * Args: 14 0 0x1000 0x10067
 * Expect: 0 /ok 14 0 0x1000 0x10067/
 * Args: 14 0xffffffff 0xffffffff 0xffffffff 0xffffffff
 * Expect: 0 /ok 14 0xffffffff 0xffffffff 0xffffffff 0xffffffff/
 * Args: 13 0 0
 * Expect: 3 /no PAE, in SET_PMD/
 * Args: 13 0x2000 512
 * Expect: 3 /no PAE, in SET_PMD/
 * Args: 15 0x2000 4
 * Options: --pae
 * Expect: 3 /bad page directory index 4\b/
 * Args: 15 0x2000 5
 * Options: --pae
 * Expect: 3 /bad page directory index 5\b/
 * Args: 15 0x2000 1024
 * Options: --pae
 * Expect: 3 /bad page directory index 1024\b/
 * Args: 15 0x2000 4294967295
 * Options: --pae
 * Expect: 3 /bad page directory index 4294967295\b/
 * Args: 13 0x2000 512
 * Options: --pae
 * Expect: 3 /bad middle directory index 512\b/
 * Args: 13 0x2000 513
 * Options: --pae
 * Expect: 3 /bad middle directory index 513\b/
 * Args: 13 0x2000 4294967295
 * Options: --pae
 * Expect: 3 /bad middle directory index 4294967295\b/
 * Args: 15 0x2000 3
 * Options: --pae
 * Expect: 0 /ok 15 0x2000 3/
 * Args: 15 0xffffffff 0
 * Options: --pae
 * Expect: 0 /ok 15 0xffffffff 0/
 * Args: 13 0 0
 * Options: --pae
 * Expect: 0 /ok 13 0 0/
 * Args: 13 0x2000 511
 * Options: --pae
 * Expect: 0 /ok 13 0x2000 511/
 * Args: 13 0xffffffff 0
 * Options: --pae
 * Expect: 0 /ok 13 0xffffffff 0/
 * Args: 14 0 0 0 0
 * Options: --pae
 * Expect: 0 /ok 14 0 0 0 0/
 * Args: 14 0xffffffff 0xffffffff 0xffffffff 0xffffffff
 * Options: --pae
 * Expect: 0 /ok 14 0xffffffff 0xffffffff 0xffffffff 0xffffffff/
 * Args: 4 0x1000000
 * Options: --pae
 * Expect: 3 /bad page table address 0x01000000\b/
 * Args: 4 0x100001f
 * Options: --pae
 * Expect: 3 /bad page table address 0x01000000\b/
 * Args: 4 0xffffffff
 * Options: --pae
 * Expect: 3 /bad page table address 0xffffffe0\b/
 */
#include "probe.h"

void main(const char *command_line)
{
	uint32_t words[5] = { 0 };
	const char *word = command_line;

	lguest_init();
	for (uint32_t i = 0; *word && i < 5; i++, word = next_word(word))
		words[i] = parse_number(word);
	hcall(words[0], words[1], words[2], words[3], words[4]);
	/* And once more, through the switcher. */
	hcall(LHCALL_FLUSH_ASYNC, 0, 0, 0, 0);
	shutdown("ok %s", command_line);
}
