/*
 * liberasurecode, which loads libisal.so.2 by its name, encodes; every pattern of up to m lost
 * fragments is decoded and rebuilt. The fragments go to the standard output, so that two runs with
 * two libraries can be compared.
 *
 * Usage: liberasurecode FOLDER
 * FOLDER is where the libisal.so.2 must lie that was loaded in the end.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <liberasurecode/erasurecode.h>

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                        \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)

/* Where a library was loaded from, by the kernel's own account of the process. */
static void check_loaded_from(const char *folder) {
    FILE *maps = fopen("/proc/self/maps", "r");
    char line[4096];
    int found = 0;
    CHECK(maps != NULL);
    while (fgets(line, sizeof line, maps) != NULL) {
        const char *path = strchr(line, '/');
        if (path == NULL || strstr(path, "/libisal.so") == NULL) continue;
        found = 1;
        if (strncmp(path, folder, strlen(folder)) != 0) {
            fprintf(stderr, "libisal was loaded from elsewhere than %s: %s", folder, path);
            exit(1);
        }
    }
    fclose(maps);
    CHECK(found);
}

static unsigned bits(unsigned mask) {
    unsigned count = 0;
    for (; mask != 0; mask &= mask - 1) count++;
    return count;
}

/* One object, all its losses. Returns how many were decoded. */
static unsigned long lose_and_decode(int desc, int k, int m, const char *object, uint64_t len) {
    char **data = NULL, **parity = NULL, *fragments[32], *available[32];
    uint64_t fragment_len = 0;
    unsigned long decoded = 0;
    CHECK(liberasurecode_encode(desc, object, len, &data, &parity, &fragment_len) == 0);
    for (int unit = 0; unit < k + m; unit++) {
        fragments[unit] = unit < k ? data[unit] : parity[unit - k];
        CHECK(fwrite(fragments[unit], 1, fragment_len, stdout) == fragment_len);
    }
    char *rebuilt = (char *)malloc(fragment_len);
    CHECK(rebuilt != NULL);
    for (unsigned lost = 1; lost < 1u << (k + m); lost++) {
        if (bits(lost) > (unsigned)m) continue;
        int count = 0;
        for (int unit = 0; unit < k + m; unit++)
            if ((lost >> unit & 1) == 0) available[count++] = fragments[unit];
        char *out = NULL;
        uint64_t out_len = 0;
        CHECK(liberasurecode_decode(desc, available, count, fragment_len, 1, &out, &out_len) == 0);
        CHECK(out_len == len && memcmp(out, object, len) == 0);
        CHECK(liberasurecode_decode_cleanup(desc, out) == 0);
        for (int unit = 0; unit < k + m; unit++) {
            if ((lost >> unit & 1) == 0) continue;
            memset(rebuilt, 0, fragment_len);
            CHECK(liberasurecode_reconstruct_fragment(desc, available, count, fragment_len, unit,
                                                      rebuilt) == 0);
            CHECK(memcmp(rebuilt, fragments[unit], fragment_len) == 0);
        }
        decoded++;
    }
    free(rebuilt);
    CHECK(liberasurecode_encode_cleanup(desc, data, parity) == 0);
    return decoded;
}

int main(int argc, char **argv) {
    static const struct {
        int k, m;
    } codes[] = {{2, 1}, {3, 2}, {4, 4}, {6, 3}, {10, 4}};
    static const ec_backend_id_t backends[] = {EC_BACKEND_ISA_L_RS_VAND,
                                               EC_BACKEND_ISA_L_RS_CAUCHY};
    static char object[40009];
    unsigned long decoded = 0;
    uint32_t state = 1;
    CHECK(argc == 2);
    for (size_t at = 0; at < sizeof object; at++) {
        state = state * 1664525u + 1013904223u;
        object[at] = (char)(state >> 24);
    }
    for (size_t backend = 0; backend < sizeof backends / sizeof backends[0]; backend++) {
        for (size_t code = 0; code < sizeof codes / sizeof codes[0]; code++) {
            struct ec_args args;
            memset(&args, 0, sizeof args);
            args.k = codes[code].k;
            args.m = codes[code].m;
            args.w = 8;
            args.hd = codes[code].m + 1;
            args.ct = CHKSUM_CRC32;
            int desc = liberasurecode_instance_create(backends[backend], &args);
            CHECK(desc > 0);
            decoded += lose_and_decode(desc, args.k, args.m, object, 1);
            decoded += lose_and_decode(desc, args.k, args.m, object, sizeof object);
            check_loaded_from(argv[1]);
            CHECK(liberasurecode_instance_destroy(desc) == 0);
        }
    }
    fprintf(stderr, "liberasurecode with %s: %lu losses decoded\n", argv[1], decoded);
    return 0;
}
