/*
 * P and Q of RAID, by the names of ISA-L.
 *
 * array has vects pointers to buffers of len bytes. The functions return 0, and another number
 * where the arguments are not as described or a check fails.
 */
#ifndef RESTRIPE_ISAL_RAID_H
#define RESTRIPE_ISAL_RAID_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The last buffer becomes the sum of the others; there are three at least. */
int xor_gen(int vects, int len, void **array);
int xor_gen_base(int vects, int len, void **array);
int xor_gen_sse(int vects, int len, void **array);
int xor_gen_avx(int vects, int len, void **array);

/* Whether all buffers sum to zero; there are two at least. */
int xor_check(int vects, int len, void **array);
int xor_check_base(int vects, int len, void **array);
int xor_check_sse(int vects, int len, void **array);

/*
 * The last two buffers become P (the sum) and Q (the sum with coefficients 1, 2, 4 and so on) of
 * the others; there are four at least. len is a multiple of 32 (_sse, _avx: 16; _base: 1).
 */
int pq_gen(int vects, int len, void **array);
int pq_gen_base(int vects, int len, void **array);
int pq_gen_sse(int vects, int len, void **array);
int pq_gen_avx(int vects, int len, void **array);
int pq_gen_avx2(int vects, int len, void **array);

/* Whether the last two are P and Q of the others. len is a multiple of 16 (_base: 1). */
int pq_check(int vects, int len, void **array);
int pq_check_base(int vects, int len, void **array);
int pq_check_sse(int vects, int len, void **array);

#ifdef __cplusplus
}
#endif

#endif
