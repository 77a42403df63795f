/* What the programs in C share: a check that says what it found, and memory with a pattern. */
#ifndef CHECK_H
#define CHECK_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "restripe.h"

/* Ends the program where a condition does not hold. */
#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: %s (last error: %s)\n", __FILE__, __LINE__, #condition,        \
                    restripe_error_detail());                                                      \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)

/* Ends the program unless a call returns the status expected. */
#define EXPECT(status, call)                                                                       \
    do {                                                                                           \
        int got_ = (call);                                                                         \
        if (got_ != (status)) {                                                                    \
            fprintf(stderr, "%s:%d: %s gave %d (%s: %s), expected %d\n", __FILE__, __LINE__, #call, \
                    got_, restripe_strerror(got_), restripe_error_detail(), (status));             \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)

#define OK(call) EXPECT(RESTRIPE_OK, call)

/* Bytes that differ from unit to unit and from place to place. */
static inline void fill(uint8_t *bytes, size_t len, unsigned seed) {
    uint32_t state = 2654435761u * (seed + 1);
    for (size_t i = 0; i < len; i++) {
        state = state * 1664525u + 1013904223u;
        bytes[i] = (uint8_t)(state >> 24);
    }
}

#endif
