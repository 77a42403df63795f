/*
 * Products with one coefficient of GF(2^8), by the names of ISA-L.
 */
#ifndef RESTRIPE_ISAL_GF_VECT_MUL_H
#define RESTRIPE_ISAL_GF_VECT_MUL_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Fills the table of 32 bytes of one coefficient. */
void gf_vect_mul_init(unsigned char c, unsigned char *gftbl);

/*
 * The products of len bytes with a coefficient, by its table. Returns 0; or another number, and
 * does nothing, unless len is a multiple of 32.
 */
int gf_vect_mul(int len, unsigned char *gftbl, void *src, void *dest);
int gf_vect_mul_sse(int len, unsigned char *gftbl, void *src, void *dest);
int gf_vect_mul_avx(int len, unsigned char *gftbl, void *src, void *dest);
int gf_vect_mul_base(int len, unsigned char *a, unsigned char *src, unsigned char *dest);

#ifdef __cplusplus
}
#endif

#endif
