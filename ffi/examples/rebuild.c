/*
 * Encodes six shards into nine, loses three of them, and rebuilds what was lost: by a plan, which
 * says what to read before anything is read.
 *
 *   cc -std=c99 rebuild.c $(pkg-config --cflags --libs restripe) -o rebuild
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <restripe.h>

enum { DATA = 6, PARITY = 3, UNITS = DATA + PARITY, SHARD_LEN = 64 * 1024 };

/* Ends the program with what was wrong, with the numbers. */
static void require(int status) {
    if (status == RESTRIPE_OK) return;
    fprintf(stderr, "rebuild: %s: %s\n", restripe_strerror(status), restripe_error_detail());
    exit(EXIT_FAILURE);
}

int main(void) {
    static uint8_t shards[UNITS][SHARD_LEN], rebuilt[PARITY][SHARD_LEN];
    const uint8_t *data[DATA];
    uint8_t *parity[PARITY];
    for (size_t unit = 0; unit < DATA; unit++) {
        data[unit] = shards[unit];
        for (size_t at = 0; at < SHARD_LEN; at++) shards[unit][at] = (uint8_t)(unit * 31 + at * 7);
    }
    for (size_t unit = 0; unit < PARITY; unit++) parity[unit] = shards[DATA + unit];

    /* The code is made once and kept. */
    restripe_codec *codec = NULL;
    require(restripe_codec_new(DATA, PARITY, &codec));
    require(restripe_encode(codec, data, NULL, DATA, parity, PARITY, SHARD_LEN));
    printf("encoded %d + %d shards on kernel %s\n", DATA, PARITY, restripe_codec_kernel(codec));

    /* Two data units and a parity unit are lost; these are there. */
    const size_t lost[PARITY] = {1, 4, 7};
    const size_t available[UNITS - PARITY] = {0, 2, 3, 5, 6, 8};
    restripe_plan *plan = NULL;
    require(restripe_plan_new(codec, available, UNITS - PARITY, lost, PARITY, &plan));

    /* What the plan reads, in its order. */
    const uint8_t *inputs[UNITS];
    size_t count = restripe_plan_read_count(plan);
    for (size_t input = 0; input < count; input++) {
        restripe_read read;
        require(restripe_plan_read(plan, input, &read));
        printf("reading unit %zu\n", read.unit);
        inputs[input] = shards[read.unit];
    }
    uint8_t *outputs[PARITY] = {rebuilt[0], rebuilt[1], rebuilt[2]};
    require(restripe_plan_apply(plan, inputs, NULL, count, outputs, PARITY, SHARD_LEN));
    for (size_t output = 0; output < PARITY; output++) {
        if (memcmp(rebuilt[output], shards[lost[output]], SHARD_LEN) != 0) {
            fprintf(stderr, "rebuild: unit %zu came back wrong\n", lost[output]);
            return EXIT_FAILURE;
        }
        printf("rebuilt unit %zu\n", lost[output]);
    }
    restripe_plan_free(plan);
    restripe_codec_free(codec);
    return EXIT_SUCCESS;
}
