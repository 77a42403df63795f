/* The stable tier of the interface, used as a program in C uses it. Compiled as C99 and as C++. */
#include "check.h"

enum { K = 6, M = 3, UNITS = K + M, LEN = 4099, CHUNK = 512, SUMS = (LEN + CHUNK - 1) / CHUNK * 4 };

static uint8_t shards[UNITS][LEN];

/* Pointers to the shards: to be read, and to be written. */
static const uint8_t *read_only[UNITS];
static uint8_t *writable[UNITS];

static void set_up(void) {
    for (size_t unit = 0; unit < UNITS; unit++) {
        read_only[unit] = writable[unit] = shards[unit];
        fill(shards[unit], LEN, (unsigned)unit);
    }
}

static restripe_codec *encoded(void) {
    restripe_codec *codec = NULL;
    OK(restripe_codec_new(K, M, &codec));
    OK(restripe_encode(codec, read_only, NULL, K, writable + K, M, LEN));
    return codec;
}

static void says_its_versions(void) {
    char text[32];
    snprintf(text, sizeof text, "%d.%d.%d", RESTRIPE_VERSION_MAJOR, RESTRIPE_VERSION_MINOR,
             RESTRIPE_VERSION_PATCH);
    CHECK(strcmp(text, RESTRIPE_VERSION) == 0);
    CHECK(strcmp(restripe_version(), RESTRIPE_VERSION) == 0);
    CHECK(restripe_abi_version() == RESTRIPE_ABI_VERSION);
    CHECK(strcmp(restripe_strerror(RESTRIPE_OK), "success") == 0);
    CHECK(strcmp(restripe_strerror(RESTRIPE_ERROR_INTERNAL), "defect of restripe") == 0);
    for (int status = 0; status <= RESTRIPE_ERROR_RECONSTRUCTION; status++)
        CHECK(strcmp(restripe_strerror(status), "unknown status") != 0);
    CHECK(strcmp(restripe_strerror(RESTRIPE_ERROR_RECONSTRUCTION + 1), "unknown status") == 0);
    CHECK(strcmp(restripe_strerror(-1), "unknown status") == 0);
}

static void says_what_it_runs_on(void) {
    const char *selected = NULL;
    OK(restripe_kernel_selected(&selected));
    size_t count = 0, found = 0;
    for (; restripe_kernel_name(count) != NULL; count++)
        found += restripe_kernel_name(count) == selected;
    CHECK(count > 0 && found == 1);
    CHECK(strcmp(restripe_kernel_name(count - 1), "scalar") == 0);
    CHECK(restripe_kernel_name((size_t)-1) == NULL);
    CHECK(restripe_cpu_architecture()[0] != 0);
    CHECK(restripe_cpu_brand() != NULL && restripe_cpu_features() != NULL);
    CHECK(restripe_cpu_cache_bytes(99) == 0);
}

static void makes_codes_of_every_kind(void) {
    for (uint32_t matrix = 0; matrix <= RESTRIPE_MATRIX_LOCALLY_REPAIRABLE; matrix++) {
        restripe_codec_options options;
        memset(&options, 0, sizeof options);
        options.size = sizeof options;
        options.matrix = matrix;
        options.kernel = "scalar";
        uint8_t rows[3 * 4] = {1, 1, 1, 1, 1, 2, 4, 8, 1, 3, 9, 27};
        size_t m = matrix == RESTRIPE_MATRIX_XOR ? 1 : matrix == RESTRIPE_MATRIX_JERASURE_R6 ? 2 : 3;
        if (matrix == RESTRIPE_MATRIX_CUSTOM) {
            options.parity_rows = rows;
            options.parity_rows_len = sizeof rows;
            options.flags = RESTRIPE_ACCEPT_UNCHECKED;
        }
        if (matrix == RESTRIPE_MATRIX_LOCALLY_REPAIRABLE) options.local_groups = 2;
        restripe_codec *codec = NULL;
        OK(restripe_codec_new_with(4, m, &options, &codec));
        CHECK(restripe_codec_matrix(codec) == (matrix == 0 ? RESTRIPE_MATRIX_CAUCHY : matrix));
        CHECK(restripe_codec_data_units(codec) == 4 && restripe_codec_parity_units(codec) == m);
        CHECK(strcmp(restripe_codec_kernel(codec), "scalar") == 0);
        CHECK(restripe_codec_mds(codec) >= RESTRIPE_MDS_PROVEN);
        CHECK(restripe_codec_mds(codec) <= RESTRIPE_MDS_UNCHECKED);
        size_t sub = restripe_codec_sub_shards(codec);
        CHECK(sub == (matrix == RESTRIPE_MATRIX_HITCHHIKER_XOR ? 2u : 1u));
        uint8_t got[3 * 4 * 4];
        OK(restripe_codec_parity_rows(codec, got, m * 4 * sub * sub));
        EXPECT(RESTRIPE_ERROR_BUFFER_TOO_SMALL,
               restripe_codec_parity_rows(codec, got, m * 4 * sub * sub - 1));
        if (matrix == RESTRIPE_MATRIX_CUSTOM) CHECK(memcmp(got, rows, sizeof rows) == 0);

        /* A unit is lost and comes back, by a plan: so it goes with every kind. */
        restripe_plan *plan = NULL;
        size_t others[6] = {0, 1, 3, 4, 5, 6}, lost = 2;
        OK(restripe_plan_new(codec, others, m + 3, &lost, 1, &plan));
        static uint8_t four[7][640], rebuilt[640];
        const uint8_t *data[4] = {four[0], four[1], four[2], four[3]};
        uint8_t *parity[3] = {four[4], four[5], four[6]}, *out = rebuilt;
        for (unsigned unit = 0; unit < 4; unit++) fill(four[unit], 640, unit);
        OK(restripe_encode(codec, data, NULL, 4, parity, m, 640));
        const uint8_t *inputs[7 * 2];
        for (size_t i = 0; i < restripe_plan_read_count(plan); i++) {
            restripe_read read;
            OK(restripe_plan_read(plan, i, &read));
            CHECK(read.first_sub + read.count <= sub);
            inputs[i] = four[read.unit] + 640 / sub * read.first_sub;
        }
        OK(restripe_plan_apply(plan, inputs, NULL, restripe_plan_read_count(plan), &out, 1, 640));
        CHECK(memcmp(rebuilt, four[2], 640) == 0);
        restripe_plan_free(plan);
        restripe_codec_free(codec);
    }
}

static void encodes_the_bytes_of_hadoop(void) {
    /* Rows of the Cauchy matrix for 3 + 2 units: 1 / (i xor j). */
    static const uint8_t expected[6] = {0xF4, 0x8E, 0x01, 0x47, 0xA7, 0x7A};
    restripe_codec *codec = NULL;
    OK(restripe_codec_new(3, 2, &codec));
    uint8_t one = 1, zero = 0, parity[2];
    uint8_t *out[2] = {parity, parity + 1};
    for (size_t unit = 0; unit < 3; unit++) {
        const uint8_t *data[3] = {&zero, &zero, &zero};
        data[unit] = &one;
        OK(restripe_encode(codec, data, NULL, 3, out, 2, 1));
        CHECK(parity[0] == expected[unit] && parity[1] == expected[3 + unit]);
    }
    restripe_codec_free(codec);
}

static void rebuilds_what_is_lost(void) {
    set_up();
    restripe_codec *codec = encoded();
    const uint8_t *there[UNITS];
    memcpy(there, read_only, sizeof there);
    there[0] = there[4] = there[8] = NULL;
    static uint8_t rebuilt[3][LEN];
    uint8_t *outputs[3] = {rebuilt[0], rebuilt[1], rebuilt[2]};
    size_t wanted[3] = {8, 0, 4};
    OK(restripe_reconstruct(codec, there, NULL, UNITS, wanted, outputs, NULL, 3, LEN));
    for (size_t i = 0; i < 3; i++) CHECK(memcmp(rebuilt[i], shards[wanted[i]], LEN) == 0);

    /* Only one of them, and only its beginning. */
    size_t short_len = 100;
    memset(rebuilt, 0, sizeof rebuilt);
    OK(restripe_reconstruct(codec, there, NULL, UNITS, wanted + 1, outputs, &short_len, 1, LEN));
    CHECK(memcmp(rebuilt[0], shards[0], 100) == 0 && rebuilt[0][100] == 0);

    there[1] = NULL;
    EXPECT(RESTRIPE_ERROR_TOO_FEW_UNITS,
           restripe_reconstruct(codec, there, NULL, UNITS, wanted, outputs, NULL, 3, LEN));
    CHECK(strstr(restripe_error_detail(), "5 units are available, 6 are required") != NULL);
    int recoverable = -1;
    size_t lost[4] = {0, 1, 4, 8};
    OK(restripe_codec_is_recoverable(codec, lost, 4, &recoverable));
    CHECK(recoverable == 0);
    OK(restripe_codec_is_recoverable(codec, lost, 3, &recoverable));
    CHECK(recoverable == 1);
    restripe_codec_free(codec);
}

static void takes_shards_of_unequal_length(void) {
    set_up();
    size_t lens[K] = {LEN, LEN, 1000, 0, 0, 0};
    memset(shards[2] + 1000, 0, LEN - 1000);
    for (size_t unit = 3; unit < K; unit++) memset(shards[unit], 0, LEN);
    restripe_codec *codec = encoded();
    static uint8_t parity[M][LEN];
    uint8_t *out[M] = {parity[0], parity[1], parity[2]};
    const uint8_t *data[K] = {shards[0], shards[1], shards[2], NULL, NULL, NULL};
    OK(restripe_encode(codec, data, lens, K, out, M, LEN));
    CHECK(memcmp(parity, shards[K], sizeof parity) == 0);
    restripe_codec_free(codec);
}

static void changes_parity_with_one_unit(void) {
    set_up();
    restripe_codec *codec = encoded();
    static uint8_t changed[LEN], accumulated[M][LEN];
    fill(changed, LEN, 99);
    OK(restripe_update(codec, 2, shards[2], changed, writable + K, M, LEN));
    memcpy(shards[2], changed, LEN);
    uint32_t consistency = 0;
    OK(restripe_verify(codec, read_only, NULL, UNITS, LEN, &consistency));
    CHECK(consistency == RESTRIPE_CONSISTENT);

    uint8_t *sums[M] = {accumulated[0], accumulated[1], accumulated[2]};
    for (size_t unit = K; unit-- > 0;)
        OK(restripe_accumulate(codec, unit, shards[unit], LEN, sums, M, LEN));
    CHECK(memcmp(accumulated, shards[K], sizeof accumulated) == 0);
    EXPECT(RESTRIPE_ERROR_UNIT, restripe_accumulate(codec, K, shards[0], LEN, sums, M, LEN));
    EXPECT(RESTRIPE_ERROR_UNIT,
           restripe_update(codec, K, shards[0], changed, writable + K, M, LEN));
    restripe_codec_free(codec);
}

static void finds_the_wrong_shard(void) {
    set_up();
    restripe_codec *codec = encoded();
    shards[4][1500] ^= 0x40;
    uint32_t consistency = 0;
    OK(restripe_verify(codec, read_only, NULL, UNITS, LEN, &consistency));
    CHECK(consistency == RESTRIPE_INCONSISTENT);
    restripe_locations *found = NULL;
    OK(restripe_locate(codec, read_only, NULL, UNITS, LEN, CHUNK, &found));
    CHECK(restripe_locations_count(found) == 1);
    restripe_location location;
    OK(restripe_locations_get(found, 0, &location));
    CHECK(location.start == 1024 && location.end == 1536);
    CHECK(location.verdict == RESTRIPE_VERDICT_WRONG && location.holds_up_to >= 1);
    CHECK(location.unit_count == 1 && location.units[0] == 4);
    EXPECT(RESTRIPE_ERROR_RANGE, restripe_locations_get(found, 1, &location));
    restripe_locations_free(found);

    /* With one surplus shard it is seen, and no more; with none, nothing is. */
    const uint8_t *there[UNITS];
    memcpy(there, read_only, sizeof there);
    there[0] = there[1] = NULL;
    OK(restripe_locate(codec, there, NULL, UNITS, LEN, CHUNK, &found));
    OK(restripe_locations_get(found, 0, &location));
    CHECK(location.verdict == RESTRIPE_VERDICT_CANNOT_TELL && location.unit_count == 0);
    restripe_locations_free(found);
    there[2] = NULL;
    OK(restripe_verify(codec, there, NULL, UNITS, LEN, &consistency));
    CHECK(consistency == RESTRIPE_NOTHING_TO_CHECK);
    EXPECT(RESTRIPE_ERROR_TOO_FEW_UNITS,
           restripe_locate(codec, there, NULL, UNITS, LEN, CHUNK, &found));
    EXPECT(RESTRIPE_ERROR_VALUE, restripe_locate(codec, read_only, NULL, UNITS, LEN, 0, &found));
    restripe_codec_free(codec);
}

static void plans_are_kept_sent_and_shared(void) {
    set_up();
    restripe_codec *codec = encoded();
    size_t available[K] = {8, 0, 1, 2, 3, 5}, wanted[2] = {4, 7};
    restripe_plan *made = NULL, *plan = NULL;
    OK(restripe_plan_new(codec, available, K, wanted, 2, &made));
    size_t len = 0;
    EXPECT(RESTRIPE_ERROR_BUFFER_TOO_SMALL, restripe_plan_to_bytes(made, NULL, 0, &len));
    uint8_t *bytes = (uint8_t *)malloc(len);
    CHECK(bytes != NULL);
    OK(restripe_plan_to_bytes(made, bytes, len, &len));
    restripe_plan_free(made);
    restripe_codec_free(codec);

    OK(restripe_plan_from_bytes(bytes, len, &plan));
    CHECK(restripe_plan_read_count(plan) == K && restripe_plan_output_count(plan) == 2);
    CHECK(restripe_plan_sub_shards(plan) == 1);
    const uint8_t *inputs[K];
    for (size_t i = 0; i < K; i++) {
        restripe_read read;
        OK(restripe_plan_read(plan, i, &read));
        CHECK(read.unit == available[i] && read.first_sub == 0 && read.count == 1);
        inputs[i] = shards[read.unit];
    }
    size_t unit = 0;
    OK(restripe_plan_output(plan, 1, &unit));
    CHECK(unit == 7);
    EXPECT(RESTRIPE_ERROR_RANGE, restripe_plan_output(plan, 2, &unit));

    static uint8_t rebuilt[2][LEN];
    uint8_t *outputs[2] = {rebuilt[0], rebuilt[1]};
    OK(restripe_plan_apply(plan, inputs, NULL, K, outputs, 2, LEN));
    CHECK(memcmp(rebuilt[0], shards[4], LEN) == 0 && memcmp(rebuilt[1], shards[7], LEN) == 0);

    /* Two machines hold three of the inputs each. */
    restripe_plan *left = NULL, *right = NULL;
    OK(restripe_plan_restrict(plan, available, 3, &left));
    OK(restripe_plan_restrict(plan, available + 3, 3, &right));
    OK(restripe_plan_apply(left, inputs, NULL, 3, outputs, 2, LEN));
    OK(restripe_plan_accumulate(right, inputs + 3, NULL, 3, outputs, 2, LEN));
    CHECK(memcmp(rebuilt[0], shards[4], LEN) == 0 && memcmp(rebuilt[1], shards[7], LEN) == 0);
    memset(rebuilt, 0, sizeof rebuilt);
    for (size_t i = 0; i < K; i++)
        OK(restripe_plan_add_input(plan, i, inputs[i], LEN, outputs, 2, LEN));
    CHECK(memcmp(rebuilt[0], shards[4], LEN) == 0 && memcmp(rebuilt[1], shards[7], LEN) == 0);
    EXPECT(RESTRIPE_ERROR_UNIT,
           restripe_plan_add_input(plan, K, inputs[0], LEN, outputs, 2, LEN));
    restripe_plan_free(left);
    EXPECT(RESTRIPE_ERROR_NOT_READ, restripe_plan_restrict(plan, wanted, 1, &left));

    bytes[len / 2] ^= 1;
    EXPECT(RESTRIPE_ERROR_BYTES, restripe_plan_from_bytes(bytes, len, &left));
    for (size_t cut = 0; cut < len; cut++)
        EXPECT(RESTRIPE_ERROR_BYTES, restripe_plan_from_bytes(bytes, cut, &left));
    restripe_plan_free(right);
    restripe_plan_free(plan);
    free(bytes);
}

static void plans_by_what_reading_costs(void) {
    restripe_codec *codec = NULL;
    OK(restripe_codec_new(2, 2, &codec));
    size_t available[3] = {1, 2, 3}, wanted = 0;
    uint64_t costs[4] = {1, 100, 1, 1};
    restripe_plan *plan = NULL;
    restripe_read read;
    OK(restripe_plan_new_cheapest(codec, available, 3, &wanted, 1, costs, 4, &plan));
    OK(restripe_plan_read(plan, 0, &read));
    CHECK(read.unit == 2);
    restripe_plan_free(plan);
    OK(restripe_plan_new_cheapest(codec, available, 3, &wanted, 1, NULL, 0, &plan));
    OK(restripe_plan_read(plan, 0, &read));
    CHECK(read.unit == 1);
    restripe_plan_free(plan);
    EXPECT(RESTRIPE_ERROR_COUNT,
           restripe_plan_new_cheapest(codec, available, 3, &wanted, 1, costs, 3, &plan));
    restripe_codec_free(codec);
}

static void sums_and_verifies(void) {
    uint32_t sum = 0, first = 0, second = 0;
    const uint8_t *digits = (const uint8_t *)"123456789";
    OK(restripe_checksum_append(RESTRIPE_CHECKSUM_CRC32, 0, digits, 9, &sum));
    CHECK(sum == 0xCBF43926u);
    OK(restripe_checksum_append(RESTRIPE_CHECKSUM_CRC32C, 0, digits, 9, &sum));
    CHECK(sum == 0xE3069283u);
    OK(restripe_checksum_append(RESTRIPE_CHECKSUM_CRC32C, 0, digits, 4, &first));
    OK(restripe_checksum_append(RESTRIPE_CHECKSUM_CRC32C, 0, digits + 4, 5, &second));
    OK(restripe_checksum_combine(RESTRIPE_CHECKSUM_CRC32C, first, second, 5, &sum));
    CHECK(sum == 0xE3069283u);
    OK(restripe_checksum_append(RESTRIPE_CHECKSUM_CRC32C, first, digits + 4, 5, &sum));
    CHECK(sum == 0xE3069283u);
    EXPECT(RESTRIPE_ERROR_VALUE, restripe_checksum_append(3, 0, digits, 9, &sum));

    set_up();
    uint64_t sums_len = 0;
    OK(restripe_checksums_len(RESTRIPE_CHECKSUM_CRC32C, CHUNK, LEN, &sums_len));
    CHECK(sums_len == SUMS);
    uint8_t sums[SUMS];
    size_t bad = 77;
    OK(restripe_checksums_compute(RESTRIPE_CHECKSUM_CRC32C, CHUNK, shards[0], LEN, sums, SUMS));
    OK(restripe_checksums_verify(RESTRIPE_CHECKSUM_CRC32C, CHUNK, shards[0], LEN, sums, SUMS, &bad));
    CHECK(bad == 77);
    shards[0][600] ^= 1;
    EXPECT(RESTRIPE_ERROR_CHECKSUM, restripe_checksums_verify(RESTRIPE_CHECKSUM_CRC32C, CHUNK,
                                                              shards[0], LEN, sums, SUMS, &bad));
    CHECK(bad == 1);
    EXPECT(RESTRIPE_ERROR_CHECKSUM, restripe_checksums_verify(RESTRIPE_CHECKSUM_CRC32C, CHUNK,
                                                              shards[0], LEN, sums, SUMS, NULL));
    EXPECT(RESTRIPE_ERROR_COUNT, restripe_checksums_verify(RESTRIPE_CHECKSUM_CRC32C, CHUNK,
                                                           shards[0], LEN, sums, SUMS - 1, NULL));
    EXPECT(RESTRIPE_ERROR_VALUE, restripe_checksums_len(RESTRIPE_CHECKSUM_CRC32C, 0, LEN, &sums_len));
    EXPECT(RESTRIPE_ERROR_OVERFLOW,
           restripe_checksums_len(RESTRIPE_CHECKSUM_CRC32C, 1, UINT64_MAX, &sums_len));
}

static void codes_and_sums_in_one_pass(void) {
    set_up();
    restripe_codec *codec = encoded();
    static uint8_t parity[M][LEN], sums[UNITS][SUMS], expected[SUMS];
    uint8_t *out[M] = {parity[0], parity[1], parity[2]}, *all_sums[UNITS];
    const uint8_t *read_sums[UNITS];
    for (size_t unit = 0; unit < UNITS; unit++) read_sums[unit] = all_sums[unit] = sums[unit];
    OK(restripe_encode_with_checksums(codec, RESTRIPE_CHECKSUM_CRC32C, CHUNK, read_only, NULL, K,
                                      out, M, LEN, all_sums, all_sums + K));
    CHECK(memcmp(parity, shards[K], sizeof parity) == 0);
    for (size_t unit = 0; unit < UNITS; unit++) {
        OK(restripe_checksums_compute(RESTRIPE_CHECKSUM_CRC32C, CHUNK, shards[unit], LEN, expected,
                                      SUMS));
        CHECK(memcmp(sums[unit], expected, SUMS) == 0);
    }
    OK(restripe_encode_verified(codec, read_only, NULL, K, out, M, LEN, 12345));
    CHECK(memcmp(parity, shards[K], sizeof parity) == 0);

    restripe_plan *plan = NULL;
    size_t available[K] = {1, 2, 3, 4, 5, 6}, wanted = 0;
    OK(restripe_plan_new(codec, available, K, &wanted, 1, &plan));
    static uint8_t rebuilt[LEN], rebuilt_sums[SUMS];
    uint8_t *output = rebuilt, *output_sums = rebuilt_sums;
    OK(restripe_plan_apply_with_checksums(plan, RESTRIPE_CHECKSUM_CRC32C, CHUNK, read_only + 1,
                                          NULL, K, read_sums + 1, &output, 1, LEN, &output_sums));
    CHECK(memcmp(rebuilt, shards[0], LEN) == 0 && memcmp(rebuilt_sums, sums[0], SUMS) == 0);
    shards[3][4000] ^= 1;
    EXPECT(RESTRIPE_ERROR_CHECKSUM,
           restripe_plan_apply_with_checksums(plan, RESTRIPE_CHECKSUM_CRC32C, CHUNK, read_only + 1,
                                              NULL, K, read_sums + 1, &output, 1, LEN,
                                              &output_sums));
    CHECK(strstr(restripe_error_detail(), "unit 3, chunk 7") != NULL);
    /* Checksums may not lie where anything else does. */
    output_sums = rebuilt + 5;
    EXPECT(RESTRIPE_ERROR_OVERLAP,
           restripe_plan_apply_with_checksums(plan, RESTRIPE_CHECKSUM_CRC32C, CHUNK, read_only + 1,
                                              NULL, K, read_sums + 1, &output, 1, LEN,
                                              &output_sums));
    all_sums[K] = sums[0] + 1;
    EXPECT(RESTRIPE_ERROR_OVERLAP,
           restripe_encode_with_checksums(codec, RESTRIPE_CHECKSUM_CRC32C, CHUNK, read_only, NULL,
                                          K, out, M, LEN, all_sums, all_sums + K));
    restripe_plan_free(plan);
    restripe_codec_free(codec);
}

static void knows_where_bytes_lie(void) {
    restripe_striping group;
    memset(&group, 0, sizeof group);
    group.size = sizeof group;
    group.data_units = 3;
    group.parity_units = 2;
    group.cell_size = 10;
    group.group_len = 45;
    static const uint64_t expected[5] = {20, 15, 10, 20, 20};
    uint64_t value = 0, end = 0;
    for (size_t unit = 0; unit < 5; unit++) {
        OK(restripe_striping_unit_len(&group, unit, &value));
        CHECK(value == expected[unit]);
    }
    EXPECT(RESTRIPE_ERROR_UNIT, restripe_striping_unit_len(&group, 5, &value));
    size_t unit = 0;
    OK(restripe_striping_position(&group, 41, &unit, &value));
    CHECK(unit == 1 && value == 11);
    OK(restripe_striping_group_offset(&group, 1, 11, &value));
    CHECK(value == 41);
    EXPECT(RESTRIPE_ERROR_RANGE, restripe_striping_group_offset(&group, 1, 15, &value));
    EXPECT(RESTRIPE_ERROR_UNIT, restripe_striping_group_offset(&group, 3, 0, &value));
    EXPECT(RESTRIPE_ERROR_RANGE, restripe_striping_position(&group, 45, &unit, &value));
    OK(restripe_striping_unit_range(&group, 0, 25, 35, &value, &end));
    CHECK(value == 10 && end == 15);
    EXPECT(RESTRIPE_ERROR_RANGE, restripe_striping_unit_range(&group, 0, 25, 46, &value, &end));
    OK(restripe_striping_stripes(&group, &value));
    CHECK(value == 2);
    OK(restripe_striping_required_units(&group, 10, &unit));
    CHECK(unit == 2);
    group.group_len = 33;
    group.flags = RESTRIPE_WHOLE_PARITY_CELLS;
    OK(restripe_striping_unit_len(&group, 3, &value));
    CHECK(value == 20);
    group.flags = 2;
    EXPECT(RESTRIPE_ERROR_VALUE, restripe_striping_unit_len(&group, 3, &value));
    group.flags = 0;
    group.cell_size = UINT64_MAX;
    EXPECT(RESTRIPE_ERROR_OVERFLOW, restripe_striping_unit_len(&group, 3, &value));
}

/* `memory` has two data shards and the two parities to be computed; the second data shard ends early,
 * in the middle of a chunk. */
static void sums_with_several_threads(const restripe_codec *many, const restripe_codec *one,
                                      uint8_t *memory, size_t len) {
    enum { ODD = 700 };
    const size_t lens[2] = {len, len / 2 + 5};
    const size_t sums_len = (len + ODD - 1) / ODD * 4;
    const size_t short_len = (lens[1] + ODD - 1) / ODD * 4;
    const uint8_t *data[2] = {memory, memory + len};
    uint8_t *sums = (uint8_t *)malloc(6 * sums_len);
    CHECK(sums != NULL);
    const restripe_codec *codecs[2] = {many, one};
    for (size_t which = 0; which < 2; which++) {
        uint8_t *parity = memory + (2 + which) * len, *base = sums + which * 3 * sums_len;
        uint8_t *data_sums[2] = {base, base + sums_len}, *parity_sums = base + 2 * sums_len;
        OK(restripe_encode_with_checksums(codecs[which], RESTRIPE_CHECKSUM_CRC32C, ODD, data, lens,
                                          2, &parity, 1, len, data_sums, &parity_sums));
    }
    CHECK(memcmp(memory + 2 * len, memory + 3 * len, len) == 0);
    for (size_t shard = 0; shard < 3; shard++) {
        size_t at = shard * sums_len;
        CHECK(memcmp(sums + at, sums + at + 3 * sums_len, shard == 1 ? short_len : sums_len) == 0);
    }
    free(sums);
    const uint8_t *all[3] = {memory, memory + len, memory + 2 * len};
    const size_t all_lens[3] = {len, lens[1], len};
    uint32_t consistency = 0;
    OK(restripe_verify(many, all, all_lens, 3, len, &consistency));
    CHECK(consistency == RESTRIPE_CONSISTENT);
    memory[2 * len + len - 1] ^= 1;
    OK(restripe_verify(many, all, all_lens, 3, len, &consistency));
    CHECK(consistency == RESTRIPE_INCONSISTENT);
    /* What was there before is what the caller goes on with. */
    uint8_t *parity = memory + 2 * len;
    OK(restripe_encode(one, data, NULL, 2, &parity, 1, len));
}

static void uses_several_threads(void) {
    enum { LARGE = 1 << 20 };
    restripe_codec_options options;
    memset(&options, 0, sizeof options);
    options.size = sizeof options;
    options.threads = 3;
    restripe_codec *many = NULL, *one = NULL;
    OK(restripe_codec_new_with(2, 1, &options, &many));
    OK(restripe_codec_new(2, 1, &one));
    uint8_t *memory = (uint8_t *)malloc(4 * LARGE);
    CHECK(memory != NULL);
    fill(memory, 2 * LARGE, 5);
    const uint8_t *data[2] = {memory, memory + LARGE};
    uint8_t *parity = memory + 2 * LARGE, *expected = memory + 3 * LARGE;
    OK(restripe_encode(many, data, NULL, 2, &parity, 1, LARGE));
    OK(restripe_encode(one, data, NULL, 2, &expected, 1, LARGE));
    CHECK(memcmp(parity, expected, LARGE) == 0);
    sums_with_several_threads(many, one, memory, LARGE);
    restripe_plan *plan = NULL;
    size_t available[2] = {1, 2}, wanted = 0;
    OK(restripe_plan_new(many, available, 2, &wanted, 1, &plan));
    restripe_codec_free(many);
    const uint8_t *inputs[2] = {memory + LARGE, parity};
    OK(restripe_plan_apply(plan, inputs, NULL, 2, &expected, 1, LARGE));
    CHECK(memcmp(expected, memory, LARGE) == 0);
    restripe_plan_free(plan);
    restripe_codec_free(one);
    free(memory);
}

int main(void) {
    says_its_versions();
    says_what_it_runs_on();
    makes_codes_of_every_kind();
    encodes_the_bytes_of_hadoop();
    rebuilds_what_is_lost();
    takes_shards_of_unequal_length();
    changes_parity_with_one_unit();
    finds_the_wrong_shard();
    plans_are_kept_sent_and_shared();
    plans_by_what_reading_costs();
    sums_and_verifies();
    codes_and_sums_in_one_pass();
    knows_where_bytes_lie();
    uses_several_threads();
    return 0;
}
