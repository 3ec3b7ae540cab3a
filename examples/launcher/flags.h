/* SPDX-License-Identifier: GPL-2.0 */
/* The processor's flags, by the names of the manual. */
#ifndef FLAGS_H
#define FLAGS_H

#define FLAG_CF		(1u << 0)
#define FLAG_PF		(1u << 2)
#define FLAG_AF		(1u << 4)
#define FLAG_ZF		(1u << 6)
#define FLAG_SF		(1u << 7)
#define FLAG_DF		(1u << 10)
#define FLAG_OF		(1u << 11)
#define FLAG_RF		(1u << 16)

#define FLAGS_OF_SUMS	(FLAG_CF | FLAG_PF | FLAG_AF | FLAG_ZF | FLAG_SF | \
			 FLAG_OF)

#endif
