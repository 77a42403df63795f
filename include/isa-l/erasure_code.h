/*
 * Erasure codes over GF(2^8), by the names of ISA-L.
 *
 * Lengths are bytes, of any number; buffers may have any alignment. Outputs overlap neither inputs
 * nor each other. All functions may be called by several threads at the same time. The names that
 * end in an instruction set do the same as those without.
 */
#ifndef RESTRIPE_ISAL_ERASURE_CODE_H
#define RESTRIPE_ISAL_ERASURE_CODE_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#include "gf_vect_mul.h"

/*
 * A table is 32 bytes for every coefficient: its products with 0 to 15, then with 0, 16, 32 to 240.
 * Tables lie row by row: coefficient (r, c) of k columns is number r * k + c. Every function below
 * takes the tables of every other.
 */

/* Fills k * rows tables from as many coefficients at a. */
void ec_init_tables(int k, int rows, unsigned char *a, unsigned char *gftbls);
void ec_init_tables_base(int k, int rows, unsigned char *a, unsigned char *gftbls);

/* Each of the rows outputs becomes the sum of the products of the k inputs with its coefficients. */
void ec_encode_data(int len, int k, int rows, unsigned char *gftbls, unsigned char **data,
    unsigned char **coding);
void ec_encode_data_base(int len, int k, int rows, unsigned char *gftbls, unsigned char **data,
    unsigned char **coding);
void ec_encode_data_sse(int len, int k, int rows, unsigned char *gftbls, unsigned char **data,
    unsigned char **coding);
void ec_encode_data_avx(int len, int k, int rows, unsigned char *gftbls, unsigned char **data,
    unsigned char **coding);
void ec_encode_data_avx2(int len, int k, int rows, unsigned char *gftbls, unsigned char **data,
    unsigned char **coding);

/* Adds the products of input vec_i of k to the rows outputs. */
void ec_encode_data_update(int len, int k, int rows, int vec_i, unsigned char *g_tbls,
    unsigned char *data, unsigned char **coding);
void ec_encode_data_update_base(int len, int k, int rows, int vec_i, unsigned char *g_tbls,
    unsigned char *data, unsigned char **coding);
void ec_encode_data_update_sse(int len, int k, int rows, int vec_i, unsigned char *g_tbls,
    unsigned char *data, unsigned char **coding);
void ec_encode_data_update_avx(int len, int k, int rows, int vec_i, unsigned char *g_tbls,
    unsigned char *data, unsigned char **coding);
void ec_encode_data_update_avx2(int len, int k, int rows, int vec_i, unsigned char *g_tbls,
    unsigned char *data, unsigned char **coding);

/* One output from vlen inputs. */
void gf_vect_dot_prod(int len, int vlen, unsigned char *gftbls, unsigned char **src,
    unsigned char *dest);
void gf_vect_dot_prod_base(int len, int vlen, unsigned char *gftbls, unsigned char **src,
    unsigned char *dest);
void gf_vect_dot_prod_sse(int len, int vlen, unsigned char *gftbls, unsigned char **src,
    unsigned char *dest);
void gf_vect_dot_prod_avx(int len, int vlen, unsigned char *gftbls, unsigned char **src,
    unsigned char *dest);
void gf_vect_dot_prod_avx2(int len, int vlen, unsigned char *gftbls, unsigned char **src,
    unsigned char *dest);

/* Two to six outputs from vlen inputs. */
void gf_2vect_dot_prod_sse(int len, int vlen, unsigned char *gftbls, unsigned char **src,
    unsigned char **dest);
void gf_2vect_dot_prod_avx(int len, int vlen, unsigned char *gftbls, unsigned char **src,
    unsigned char **dest);
void gf_2vect_dot_prod_avx2(int len, int vlen, unsigned char *gftbls, unsigned char **src,
    unsigned char **dest);
void gf_3vect_dot_prod_sse(int len, int vlen, unsigned char *gftbls, unsigned char **src,
    unsigned char **dest);
void gf_3vect_dot_prod_avx(int len, int vlen, unsigned char *gftbls, unsigned char **src,
    unsigned char **dest);
void gf_3vect_dot_prod_avx2(int len, int vlen, unsigned char *gftbls, unsigned char **src,
    unsigned char **dest);
void gf_4vect_dot_prod_sse(int len, int vlen, unsigned char *gftbls, unsigned char **src,
    unsigned char **dest);
void gf_4vect_dot_prod_avx(int len, int vlen, unsigned char *gftbls, unsigned char **src,
    unsigned char **dest);
void gf_4vect_dot_prod_avx2(int len, int vlen, unsigned char *gftbls, unsigned char **src,
    unsigned char **dest);
void gf_5vect_dot_prod_sse(int len, int vlen, unsigned char *gftbls, unsigned char **src,
    unsigned char **dest);
void gf_5vect_dot_prod_avx(int len, int vlen, unsigned char *gftbls, unsigned char **src,
    unsigned char **dest);
void gf_5vect_dot_prod_avx2(int len, int vlen, unsigned char *gftbls, unsigned char **src,
    unsigned char **dest);
void gf_6vect_dot_prod_sse(int len, int vlen, unsigned char *gftbls, unsigned char **src,
    unsigned char **dest);
void gf_6vect_dot_prod_avx(int len, int vlen, unsigned char *gftbls, unsigned char **src,
    unsigned char **dest);
void gf_6vect_dot_prod_avx2(int len, int vlen, unsigned char *gftbls, unsigned char **src,
    unsigned char **dest);

/* Adds the products of input vec_i of vec to one output. */
void gf_vect_mad(int len, int vec, int vec_i, unsigned char *gftbls, unsigned char *src,
    unsigned char *dest);
void gf_vect_mad_base(int len, int vec, int vec_i, unsigned char *gftbls, unsigned char *src,
    unsigned char *dest);
void gf_vect_mad_sse(int len, int vec, int vec_i, unsigned char *gftbls, unsigned char *src,
    unsigned char *dest);
void gf_vect_mad_avx(int len, int vec, int vec_i, unsigned char *gftbls, unsigned char *src,
    unsigned char *dest);
void gf_vect_mad_avx2(int len, int vec, int vec_i, unsigned char *gftbls, unsigned char *src,
    unsigned char *dest);

/* And to two to six outputs. */
void gf_2vect_mad_sse(int len, int vec, int vec_i, unsigned char *gftbls, unsigned char *src,
    unsigned char **dest);
void gf_2vect_mad_avx(int len, int vec, int vec_i, unsigned char *gftbls, unsigned char *src,
    unsigned char **dest);
void gf_2vect_mad_avx2(int len, int vec, int vec_i, unsigned char *gftbls, unsigned char *src,
    unsigned char **dest);
void gf_3vect_mad_sse(int len, int vec, int vec_i, unsigned char *gftbls, unsigned char *src,
    unsigned char **dest);
void gf_3vect_mad_avx(int len, int vec, int vec_i, unsigned char *gftbls, unsigned char *src,
    unsigned char **dest);
void gf_3vect_mad_avx2(int len, int vec, int vec_i, unsigned char *gftbls, unsigned char *src,
    unsigned char **dest);
void gf_4vect_mad_sse(int len, int vec, int vec_i, unsigned char *gftbls, unsigned char *src,
    unsigned char **dest);
void gf_4vect_mad_avx(int len, int vec, int vec_i, unsigned char *gftbls, unsigned char *src,
    unsigned char **dest);
void gf_4vect_mad_avx2(int len, int vec, int vec_i, unsigned char *gftbls, unsigned char *src,
    unsigned char **dest);
void gf_5vect_mad_sse(int len, int vec, int vec_i, unsigned char *gftbls, unsigned char *src,
    unsigned char **dest);
void gf_5vect_mad_avx(int len, int vec, int vec_i, unsigned char *gftbls, unsigned char *src,
    unsigned char **dest);
void gf_5vect_mad_avx2(int len, int vec, int vec_i, unsigned char *gftbls, unsigned char *src,
    unsigned char **dest);
void gf_6vect_mad_sse(int len, int vec, int vec_i, unsigned char *gftbls, unsigned char *src,
    unsigned char **dest);
void gf_6vect_mad_avx(int len, int vec, int vec_i, unsigned char *gftbls, unsigned char *src,
    unsigned char **dest);
void gf_6vect_mad_avx2(int len, int vec, int vec_i, unsigned char *gftbls, unsigned char *src,
    unsigned char **dest);

/* The product of two elements of the field. */
unsigned char gf_mul(unsigned char a, unsigned char b);

/* The inverse of an element; 0 for 0. */
unsigned char gf_inv(unsigned char a);

/*
 * Writes m rows of k coefficients: the identity, then element (i, j) = 2^((i - k) j). Not every k
 * rows of it can be inverted for larger k and m - k.
 */
void gf_gen_rs_matrix(unsigned char *a, int m, int k);

/* The same with element (i, j) = 1 / (i xor j): any k rows of it can be inverted. m is 256 at most. */
void gf_gen_cauchy1_matrix(unsigned char *a, int m, int k);

/*
 * Inverts an n x n matrix into out. Returns 0, or -1 where it has no inverse. What in holds
 * afterwards is not said.
 */
int gf_invert_matrix(unsigned char *in, unsigned char *out, const int n);

#ifdef __cplusplus
}
#endif

#endif
