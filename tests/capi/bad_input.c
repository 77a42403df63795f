/* What a caller can get wrong: every case an error with a message, and none a crash. */
#include "check.h"

enum { K = 4, M = 2, UNITS = K + M, LEN = 96 };

static uint8_t memory[UNITS + 2][LEN];
static const uint8_t *data[UNITS];
static uint8_t *parity[M];
static restripe_codec *codec;
static restripe_plan *plan;

static void set_up(void) {
    for (size_t unit = 0; unit < UNITS; unit++) data[unit] = memory[unit];
    for (size_t unit = 0; unit < M; unit++) parity[unit] = memory[K + unit];
    OK(restripe_codec_new(K, M, &codec));
    size_t available[K] = {1, 2, 3, 4}, wanted = 0;
    OK(restripe_plan_new(codec, available, K, &wanted, 1, &plan));
}

static int encode(size_t len) {
    return restripe_encode(codec, data, NULL, K, parity, M, len);
}

static void null_is_refused(void) {
    size_t units[K] = {0, 1, 2, 3}, number = 0;
    uint64_t value = 0;
    uint32_t small = 0;
    restripe_read read;
    restripe_location location;
    uint8_t byte = 0, *out = memory[UNITS];
    const int status = RESTRIPE_ERROR_NULL;
    EXPECT(status, restripe_codec_new(K, M, NULL));
    EXPECT(status, restripe_codec_new_with(K, M, NULL, NULL));
    EXPECT(status, restripe_kernel_selected(NULL));
    EXPECT(status, restripe_encode(NULL, data, NULL, K, parity, M, LEN));
    EXPECT(status, restripe_encode(codec, NULL, NULL, K, parity, M, LEN));
    EXPECT(status, restripe_encode(codec, data, NULL, K, NULL, M, LEN));
    EXPECT(status, restripe_encode_verified(codec, NULL, NULL, K, parity, M, LEN, 1));
    EXPECT(status, restripe_update(codec, 0, NULL, data[0], parity, M, LEN));
    EXPECT(status, restripe_update(codec, 0, data[0], NULL, parity, M, LEN));
    EXPECT(status, restripe_update(codec, 0, data[0], data[1], NULL, M, LEN));
    EXPECT(status, restripe_accumulate(codec, 0, NULL, LEN, parity, M, LEN));
    EXPECT(status, restripe_reconstruct(codec, NULL, NULL, UNITS, units, &out, NULL, 1, LEN));
    EXPECT(status, restripe_reconstruct(codec, data, NULL, UNITS, NULL, &out, NULL, 1, LEN));
    EXPECT(status, restripe_reconstruct(codec, data, NULL, UNITS, units, NULL, NULL, 1, LEN));
    EXPECT(status, restripe_verify(codec, data, NULL, UNITS, LEN, NULL));
    EXPECT(status, restripe_verify(NULL, data, NULL, UNITS, LEN, &small));
    EXPECT(status, restripe_locate(codec, data, NULL, UNITS, LEN, 32, NULL));
    EXPECT(status, restripe_locations_get(NULL, 0, &location));
    EXPECT(status, restripe_codec_parity_rows(codec, NULL, K * M));
    EXPECT(status, restripe_codec_is_recoverable(codec, NULL, 1, NULL));
    EXPECT(status, restripe_plan_new(codec, NULL, K, units, 1, &plan));
    EXPECT(status, restripe_plan_new(NULL, units, K, units, 1, &plan));
    EXPECT(status, restripe_plan_restrict(plan, units + 1, 2, NULL));
    EXPECT(status, restripe_plan_to_bytes(plan, NULL, 1000, &number));
    EXPECT(status, restripe_plan_to_bytes(plan, memory[0], 1000, NULL));
    EXPECT(status, restripe_plan_from_bytes(NULL, 100, &plan));
    EXPECT(status, restripe_plan_read(plan, 0, NULL));
    EXPECT(status, restripe_plan_read(NULL, 0, &read));
    EXPECT(status, restripe_plan_output(plan, 0, NULL));
    EXPECT(status, restripe_plan_apply(NULL, data, NULL, K, &out, 1, LEN));
    EXPECT(status, restripe_plan_apply(plan, NULL, NULL, K, &out, 1, LEN));
    EXPECT(status, restripe_plan_apply(plan, data, NULL, K, NULL, 1, LEN));
    EXPECT(status, restripe_plan_accumulate(plan, data, NULL, K, NULL, 1, LEN));
    EXPECT(status, restripe_plan_add_input(plan, 0, NULL, LEN, &out, 1, LEN));
    EXPECT(status, restripe_checksum_append(RESTRIPE_CHECKSUM_CRC32, 0, NULL, 1, &small));
    EXPECT(status, restripe_checksum_append(RESTRIPE_CHECKSUM_CRC32, 0, &byte, 1, NULL));
    EXPECT(status, restripe_checksum_combine(RESTRIPE_CHECKSUM_CRC32, 0, 0, 1, NULL));
    EXPECT(status, restripe_checksums_len(RESTRIPE_CHECKSUM_CRC32, 512, 1, NULL));
    EXPECT(status, restripe_checksums_compute(RESTRIPE_CHECKSUM_CRC32, 512, NULL, 1, out, 4));
    EXPECT(status, restripe_checksums_verify(RESTRIPE_CHECKSUM_CRC32, 512, &byte, 1, NULL, 4, NULL));
    EXPECT(status, restripe_striping_unit_len(NULL, 0, &value));
    CHECK(strstr(restripe_error_detail(), "striping is NULL") != NULL);
    data[2] = NULL;
    EXPECT(status, encode(LEN));
    CHECK(strstr(restripe_error_detail(), "data shard 2 is NULL") != NULL);
    data[2] = memory[2];

    /* What asks only, answers with what stands for nothing. */
    CHECK(restripe_codec_data_units(NULL) == 0 && restripe_codec_parity_units(NULL) == 0);
    CHECK(restripe_codec_sub_shards(NULL) == 0 && restripe_codec_matrix(NULL) == 0);
    CHECK(restripe_codec_mds(NULL) == 0 && restripe_codec_kernel(NULL) == NULL);
    CHECK(restripe_plan_read_count(NULL) == 0 && restripe_plan_output_count(NULL) == 0);
    CHECK(restripe_plan_sub_shards(NULL) == 0 && restripe_locations_count(NULL) == 0);
    restripe_codec_free(NULL);
    restripe_plan_free(NULL);
    restripe_locations_free(NULL);
    /* No bytes need no buffers. */
    const uint8_t *none[K] = {NULL, NULL, NULL, NULL};
    uint8_t *nowhere[M] = {NULL, NULL};
    OK(restripe_encode(codec, none, NULL, K, nowhere, M, 0));
    OK(restripe_checksum_append(RESTRIPE_CHECKSUM_CRC32, 0, NULL, 0, &small));
}

static void counts_that_no_code_has_are_refused(void) {
    static const size_t counts[][2] = {{0, 1}, {1, 0}, {0, 0}, {200, 57}, {(size_t)-1, 1},
                                       {1, (size_t)-1}, {(size_t)-1, (size_t)-1}};
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        restripe_codec *none = NULL;
        EXPECT(RESTRIPE_ERROR_UNIT_COUNTS, restripe_codec_new(counts[i][0], counts[i][1], &none));
        CHECK(none == NULL);
    }
    uint8_t *out = memory[UNITS];
    EXPECT(RESTRIPE_ERROR_COUNT, restripe_encode(codec, data, NULL, K - 1, parity, M, LEN));
    EXPECT(RESTRIPE_ERROR_COUNT, restripe_encode(codec, data, NULL, 0, parity, M, LEN));
    EXPECT(RESTRIPE_ERROR_COUNT, restripe_encode(codec, data, NULL, (size_t)-1, parity, M, LEN));
    EXPECT(RESTRIPE_ERROR_COUNT, restripe_encode(codec, data, NULL, K, parity, M + 1, LEN));
    EXPECT(RESTRIPE_ERROR_COUNT, restripe_plan_apply(plan, data, NULL, K + 1, &out, 1, LEN));
    EXPECT(RESTRIPE_ERROR_COUNT, restripe_plan_apply(plan, data, NULL, K, &out, 0, LEN));
    CHECK(strstr(restripe_error_detail(), "0 outputs, expected 1") != NULL);
}

static void lengths_that_memory_cannot_have_are_refused(void) {
    const size_t lens[] = {(size_t)-1, (size_t)-2, ((size_t)-1) / 2 + 1, (size_t)-LEN};
    for (size_t i = 0; i < sizeof lens / sizeof lens[0]; i++) {
        uint32_t sum = 0;
        restripe_plan *none = NULL;
        size_t units[2] = {1, 2};
        EXPECT(RESTRIPE_ERROR_LENGTH, encode(lens[i]));
        EXPECT(RESTRIPE_ERROR_LENGTH,
               restripe_checksum_append(RESTRIPE_CHECKSUM_CRC32, 0, data[0], lens[i], &sum));
        EXPECT(RESTRIPE_ERROR_LENGTH, restripe_plan_from_bytes(data[0], lens[i], &none));
        EXPECT(RESTRIPE_ERROR_LENGTH, restripe_plan_new(codec, units, lens[i], units, 1, &none));
        EXPECT(RESTRIPE_ERROR_LENGTH, restripe_plan_restrict(plan, units, lens[i], &none));
    }
    size_t too_long[K] = {LEN, LEN, LEN, LEN + 1};
    const uint8_t *last_elsewhere[K] = {data[0], data[1], data[2], memory[UNITS]};
    EXPECT(RESTRIPE_ERROR_LENGTH,
           restripe_encode(codec, last_elsewhere, too_long, K, parity, M, LEN));
    EXPECT(RESTRIPE_ERROR_LENGTH,
           restripe_accumulate(codec, 0, data[0], LEN + 1, parity, M, LEN));
}

static void units_are_checked(void) {
    restripe_plan *none = NULL;
    size_t repeated[K] = {1, 2, 2, 4}, outside[K] = {1, 2, 3, UNITS}, good[K] = {1, 2, 3, 4};
    size_t wanted = 0, both = 1, far = (size_t)-1;
    EXPECT(RESTRIPE_ERROR_DUPLICATE_UNIT, restripe_plan_new(codec, repeated, K, &wanted, 1, &none));
    EXPECT(RESTRIPE_ERROR_UNIT, restripe_plan_new(codec, outside, K, &wanted, 1, &none));
    EXPECT(RESTRIPE_ERROR_UNIT, restripe_plan_new(codec, good, K, &far, 1, &none));
    EXPECT(RESTRIPE_ERROR_DUPLICATE_UNIT, restripe_plan_new(codec, good, K, &both, 1, &none));
    EXPECT(RESTRIPE_ERROR_TOO_FEW_UNITS, restripe_plan_new(codec, good, K - 1, &wanted, 1, &none));
    uint8_t *outputs[2] = {memory[UNITS], memory[UNITS + 1]};
    size_t twice[2] = {0, 0};
    EXPECT(RESTRIPE_ERROR_UNIT,
           restripe_reconstruct(codec, data, NULL, UNITS, &far, outputs, NULL, 1, LEN));
    EXPECT(RESTRIPE_ERROR_DUPLICATE_UNIT,
           restripe_reconstruct(codec, data, NULL, UNITS, twice, outputs, NULL, 2, LEN));
    CHECK(none == NULL);
}

static void overlap_is_refused(void) {
    uint8_t *inside[M] = {memory[K], memory[2] + LEN - 1};
    EXPECT(RESTRIPE_ERROR_OVERLAP, restripe_encode(codec, data, NULL, K, inside, M, LEN));
    CHECK(strstr(restripe_error_detail(), "parity shard 1 overlaps input 2") != NULL);
    uint8_t *same[M] = {memory[K], memory[K] + LEN - 1};
    EXPECT(RESTRIPE_ERROR_OVERLAP, restripe_encode(codec, data, NULL, K, same, M, LEN));
    CHECK(strstr(restripe_error_detail(), "parity shard 1 overlaps parity shard 0") != NULL);
    uint8_t *input = memory[3];
    EXPECT(RESTRIPE_ERROR_OVERLAP, restripe_plan_apply(plan, data, NULL, K, &input, 1, LEN));
    EXPECT(RESTRIPE_ERROR_OVERLAP, restripe_update(codec, 0, data[K], data[1], parity, M, LEN));
    EXPECT(RESTRIPE_ERROR_OVERLAP, restripe_checksums_compute(RESTRIPE_CHECKSUM_CRC32, LEN, data[0],
                                                              LEN, memory[0] + 8, 4));
    /* Neighbours do not overlap, and inputs may be the same. */
    const uint8_t *one[K] = {data[3], data[3], data[3], data[3]};
    OK(restripe_encode(codec, one, NULL, K, parity, M, LEN));
}

static void options_are_checked(void) {
    restripe_codec_options good;
    memset(&good, 0, sizeof good);
    good.size = sizeof good;
    restripe_codec *none = NULL;
    restripe_codec_options bad = good;
    bad.size = 0;
    EXPECT(RESTRIPE_ERROR_VALUE, restripe_codec_new_with(K, M, &bad, &none));
    bad.size = (size_t)-1;
    EXPECT(RESTRIPE_ERROR_VALUE, restripe_codec_new_with(K, M, &bad, &none));
    bad = good;
    bad.matrix = 14;
    EXPECT(RESTRIPE_ERROR_VALUE, restripe_codec_new_with(K, M, &bad, &none));
    bad.matrix = 257;
    EXPECT(RESTRIPE_ERROR_VALUE, restripe_codec_new_with(K, M, &bad, &none));
    bad = good;
    bad.flags = 2;
    EXPECT(RESTRIPE_ERROR_VALUE, restripe_codec_new_with(K, M, &bad, &none));
    bad = good;
    bad.kernel = "abacus";
    EXPECT(RESTRIPE_ERROR_KERNEL, restripe_codec_new_with(K, M, &bad, &none));
    CHECK(strstr(restripe_error_detail(), "abacus") != NULL);
    bad = good;
    bad.local_groups = 1;
    EXPECT(RESTRIPE_ERROR_VALUE, restripe_codec_new_with(K, M, &bad, &none));
    bad.matrix = RESTRIPE_MATRIX_LOCALLY_REPAIRABLE;
    bad.local_groups = M + 1;
    EXPECT(RESTRIPE_ERROR_VALUE, restripe_codec_new_with(K, M, &bad, &none));
    bad = good;
    bad.threads = (size_t)-1;
    EXPECT(RESTRIPE_ERROR_VALUE, restripe_codec_new_with(K, M, &bad, &none));
    bad = good;
    bad.matrix = RESTRIPE_MATRIX_CUSTOM;
    EXPECT(RESTRIPE_ERROR_LENGTH, restripe_codec_new_with(K, M, &bad, &none));
    bad.parity_rows_len = K * M;
    EXPECT(RESTRIPE_ERROR_NULL, restripe_codec_new_with(K, M, &bad, &none));
    static const uint8_t same[K * M] = {1, 1, 1, 1, 1, 1, 1, 1};
    bad.parity_rows = same;
    EXPECT(RESTRIPE_ERROR_NOT_MDS, restripe_codec_new_with(K, M, &bad, &none));
    bad.matrix = RESTRIPE_MATRIX_CAUCHY;
    EXPECT(RESTRIPE_ERROR_VALUE, restripe_codec_new_with(K, M, &bad, &none));
    bad = good;
    bad.matrix = RESTRIPE_MATRIX_XOR;
    EXPECT(RESTRIPE_ERROR_UNIT_COUNTS, restripe_codec_new_with(K, M, &bad, &none));
    CHECK(none == NULL);

    /* Fields that a later header has at the end may be zero, and nothing else. */
    struct {
        restripe_codec_options options;
        uint64_t later;
    } grown;
    memset(&grown, 0, sizeof grown);
    grown.options.size = sizeof grown;
    OK(restripe_codec_new_with(K, M, &grown.options, &none));
    restripe_codec_free(none);
    grown.later = 1;
    EXPECT(RESTRIPE_ERROR_VALUE, restripe_codec_new_with(K, M, &grown.options, &none));
}

static void a_handle_of_another_kind_is_refused(void) {
    restripe_codec *wrong = (restripe_codec *)(void *)plan;
    EXPECT(RESTRIPE_ERROR_HANDLE, restripe_encode(wrong, data, NULL, K, parity, M, LEN));
    CHECK(strcmp(restripe_error_detail(), "this is no codec, or it was freed") == 0);
    CHECK(restripe_codec_data_units(wrong) == 0);
    restripe_codec_free(wrong);
    CHECK(restripe_plan_read_count(plan) == K);
}

int main(void) {
    set_up();
    null_is_refused();
    counts_that_no_code_has_are_refused();
    lengths_that_memory_cannot_have_are_refused();
    units_are_checked();
    overlap_is_refused();
    options_are_checked();
    a_handle_of_another_kind_is_refused();
    restripe_plan_free(plan);
    restripe_codec_free(codec);
    return 0;
}
