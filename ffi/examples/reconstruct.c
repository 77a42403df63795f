/*
 * Rebuilds two lost blocks of a striped group from files, in rounds. It makes the blocks first, each
 * with a .meta file of checksums as HDFS has them, loses two, and has them rebuilt by a
 * reconstruction: a state machine that says what to do and does no input or output itself.
 *
 *   cc -std=c99 reconstruct.c $(pkg-config --cflags --libs restripe) -o reconstruct
 *   ./reconstruct FOLDER
 *
 * This driver does one thing at a time. One that reads, computes and sends at once does the same
 * actions on several threads and queues their answers.
 */
#define _POSIX_C_SOURCE 200809L
#define RESTRIPE_UNSTABLE

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <restripe.h>

enum { DATA = 3, PARITY = 2, UNITS = DATA + PARITY };
enum { CELL = 64 * 1024, GROUP_LEN = 1000 * 1000, CHUNK = 512 };

static const uint32_t KIND = RESTRIPE_CHECKSUM_CRC32C;

/* Ends the program with what was wrong, with the numbers. */
static void require(int status) {
    if (status == RESTRIPE_OK) return;
    fprintf(stderr, "reconstruct: %s: %s\n", restripe_strerror(status), restripe_error_detail());
    exit(EXIT_FAILURE);
}

static void require_system(int condition, const char *what) {
    if (condition) return;
    fprintf(stderr, "reconstruct: %s: %s\n", what, strerror(errno));
    exit(EXIT_FAILURE);
}

static uint64_t now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static void *allocate(size_t len) {
    void *memory = malloc(len);
    require_system(memory != NULL, "memory");
    return memory;
}

/* Opens the file of a unit: its data, or its checksums. */
static int open_file(const char *folder, const char *name, size_t unit, int flags) {
    char path[4096];
    snprintf(path, sizeof path, "%s/%s%zu", folder, name, unit);
    return open(path, flags, 0644);
}

static void write_all(int file, const uint8_t *bytes, size_t len) {
    while (len > 0) {
        ssize_t count = write(file, bytes, len);
        require_system(count > 0, "write");
        bytes += count;
        len -= (size_t)count;
    }
}

static size_t checksums_len(uint64_t data_len) {
    uint64_t len = 0;
    require(restripe_checksums_len(KIND, CHUNK, data_len, &len));
    return (size_t)len;
}

static void write_meta_header(int meta) {
    uint8_t header[RESTRIPE_META_HEADER_LEN];
    require(restripe_meta_header_encode(KIND, CHUNK, header));
    write_all(meta, header, sizeof header);
}

/* Writes all blocks of a group of GROUP_LEN bytes; the memory of each is the caller's to free. */
static void make_blocks(const char *folder, const restripe_codec *codec,
                        const restripe_striping *striping, uint8_t *blocks[UNITS]) {
    uint64_t lens[UNITS], longest = 0;
    for (size_t unit = 0; unit < UNITS; unit++) {
        require(restripe_striping_unit_len(striping, unit, &lens[unit]));
        if (lens[unit] > longest) longest = lens[unit];
    }
    /* Where a unit ends before the longest one it counts as zeros. */
    for (size_t unit = 0; unit < UNITS; unit++) {
        blocks[unit] = allocate((size_t)longest);
        memset(blocks[unit], 0, (size_t)longest);
    }
    for (uint64_t at = 0; at < GROUP_LEN; at++) {
        size_t unit = 0;
        uint64_t offset = 0;
        require(restripe_striping_position(striping, at, &unit, &offset));
        blocks[unit][offset] = (uint8_t)(at * 7 + at / 251);
    }
    require(restripe_encode(codec, (const uint8_t *const *)blocks, NULL, DATA, blocks + DATA,
                            PARITY, (size_t)longest));
    for (size_t unit = 0; unit < UNITS; unit++) {
        size_t len = (size_t)lens[unit], sums_len = checksums_len(lens[unit]);
        uint8_t *sums = allocate(sums_len);
        require(restripe_checksums_compute(KIND, CHUNK, blocks[unit], len, sums, sums_len));
        int data = open_file(folder, "block", unit, O_WRONLY | O_CREAT | O_TRUNC);
        int meta = open_file(folder, "meta", unit, O_WRONLY | O_CREAT | O_TRUNC);
        require_system(data >= 0 && meta >= 0, folder);
        write_all(data, blocks[unit], len);
        write_meta_header(meta);
        write_all(meta, sums, sums_len);
        close(data);
        close(meta);
        free(sums);
    }
}

/* The open files of a source or a target. */
struct files {
    size_t unit;
    int data;
    int meta;
};

static void close_files(struct files *files) {
    if (files->data >= 0) close(files->data);
    if (files->meta >= 0) close(files->meta);
    files->data = files->meta = -1;
}

static void open_source(restripe_reconstruction *machine, const char *folder, uint64_t token,
                        struct files *source) {
    uint8_t header[RESTRIPE_META_HEADER_LEN];
    uint32_t kind = 0;
    size_t bytes_per_checksum = 0;
    struct stat status;
    source->data = open_file(folder, "block", source->unit, O_RDONLY);
    source->meta = open_file(folder, "meta", source->unit, O_RDONLY);
    int is_open = source->data >= 0 && source->meta >= 0 && fstat(source->data, &status) == 0 &&
                  pread(source->meta, header, sizeof header, 0) == (ssize_t)sizeof header;
    if (!is_open) {
        require(restripe_reconstruction_open_failed(machine, token, strerror(errno), now()));
    } else if (restripe_meta_header_decode(header, sizeof header, &kind, &bytes_per_checksum) !=
               RESTRIPE_OK) {
        const char *why = restripe_error_detail();
        require(restripe_reconstruction_open_failed(machine, token, why, now()));
    } else {
        require(restripe_reconstruction_opened(machine, token, kind, bytes_per_checksum,
                                               (uint64_t)status.st_size, now()));
    }
}

/* Reads as many bytes as there are before the file's end; -1 for a failure. */
static ssize_t read_at(int file, uint8_t *bytes, size_t len, uint64_t offset) {
    size_t done = 0;
    while (done < len) {
        ssize_t count = pread(file, bytes + done, len - done, (off_t)(offset + done));
        if (count < 0) return -1;
        if (count == 0) break;
        done += (size_t)count;
    }
    return (ssize_t)done;
}

static void read_source(restripe_reconstruction *machine, const restripe_action *action,
                        const struct files *source) {
    uint64_t sums_at = RESTRIPE_META_HEADER_LEN + checksums_len(action->offset);
    ssize_t data = read_at(source->data, action->data, action->data_len, action->offset);
    ssize_t sums = read_at(source->meta, action->sums, action->sums_len, sums_at);
    if (data < 0 || sums < 0) {
        require(restripe_reconstruction_read_failed(machine, action->read, strerror(errno), now()));
    } else {
        require(restripe_reconstruction_read_done(machine, action->read, (size_t)data, now()));
    }
}

/* Writes a packet to its target's files, and acknowledges it. */
static void store_packet(restripe_reconstruction *machine, const restripe_action *action,
                         const struct files *target) {
    for (size_t index = 0; index < action->count; index++) {
        const uint8_t *part = NULL;
        size_t len = 0;
        require(restripe_outgoing_packet_part(action->packet, index, &part, &len));
        write_all(target->data, part, len);
    }
    size_t sums_len = checksums_len(action->header.data_len);
    write_all(target->meta, action->sums + action->sums_len - sums_len, sums_len);
    require(restripe_reconstruction_sent(machine, action->packet, now()));
    require(restripe_reconstruction_acked(machine, action->target, action->header.seqno, now()));
}

static void lend(restripe_reconstruction *machine, size_t count, size_t len) {
    for (size_t buffer = 0; buffer < count; buffer++) {
        uint8_t *memory = allocate(len);
        require(restripe_reconstruction_lend(machine, memory, len, memory, now()));
    }
}

/* Frees the buffers that are home again. */
static void take_back(restripe_reconstruction *machine) {
    void *memory = NULL;
    int is_there = 1;
    while (is_there) {
        require(restripe_reconstruction_take_buffer(machine, &memory, &is_there));
        if (is_there) free(memory);
    }
}

/* Does what the machine asks for until it is done. */
static void drive(restripe_reconstruction *machine, const char *folder, struct files *sources,
                  struct files *targets) {
    for (;;) {
        restripe_action action;
        require(restripe_reconstruction_poll(machine, &action));
        switch (action.kind) {
        case RESTRIPE_ACTION_OPEN:
            open_source(machine, folder, action.token, &sources[action.source]);
            break;
        case RESTRIPE_ACTION_LEND:
            lend(machine, action.count, action.data_len);
            break;
        case RESTRIPE_ACTION_READ:
            read_source(machine, &action, &sources[action.source]);
            break;
        case RESTRIPE_ACTION_COMPUTE:
            require(restripe_job_run(action.job));
            require(restripe_reconstruction_computed(machine, action.job, now()));
            break;
        case RESTRIPE_ACTION_SEND:
            store_packet(machine, &action, &targets[action.target]);
            break;
        case RESTRIPE_ACTION_CLOSE:
            close_files(&sources[action.source]);
            break;
        case RESTRIPE_ACTION_FINISH_TARGET:
        case RESTRIPE_ACTION_DROP_TARGET:
            close_files(&targets[action.target]);
            break;
        case RESTRIPE_ACTION_DONE:
            if (action.status != RESTRIPE_OK) {
                fprintf(stderr, "reconstruct: %s\n", action.message);
                exit(EXIT_FAILURE);
            }
            return;
        case RESTRIPE_ACTION_NONE:
            /* Everything was answered at once, so there is nothing to wait for. */
            fprintf(stderr, "reconstruct: nothing to do, and not done\n");
            exit(EXIT_FAILURE);
        default: /* a cancelled read has been answered already */
            break;
        }
    }
}

/* Compares a rebuilt block with what it was. */
static void compare(const char *folder, size_t unit, const uint8_t *block, uint64_t len) {
    uint8_t *bytes = allocate((size_t)len + 1);
    int data = open_file(folder, "block", unit, O_RDONLY);
    require_system(data >= 0, "rebuilt block");
    int is_same = read_at(data, bytes, (size_t)len + 1, 0) == (ssize_t)len &&
                  memcmp(bytes, block, (size_t)len) == 0;
    close(data);
    free(bytes);
    if (!is_same) {
        fprintf(stderr, "reconstruct: block %zu came back wrong\n", unit);
        exit(EXIT_FAILURE);
    }
    printf("block %zu is back, %llu bytes\n", unit, (unsigned long long)len);
}

int main(int count, char **arguments) {
    if (count != 2) {
        fprintf(stderr, "usage: reconstruct FOLDER\n");
        return 2;
    }
    const char *folder = arguments[1];
    restripe_striping striping;
    memset(&striping, 0, sizeof striping);
    striping.size = sizeof striping;
    striping.data_units = DATA;
    striping.parity_units = PARITY;
    striping.cell_size = CELL;
    striping.group_len = GROUP_LEN;

    restripe_codec *codec = NULL;
    uint8_t *blocks[UNITS];
    require(restripe_codec_new(DATA, PARITY, &codec));
    make_blocks(folder, codec, &striping, blocks);

    /* Blocks 1 and 3 are lost: what is rebuilt goes to where they were. */
    const size_t live[UNITS - PARITY] = {0, 2, 4}, lost[PARITY] = {1, 3};
    struct files sources[UNITS - PARITY], targets[PARITY];
    for (size_t source = 0; source < UNITS - PARITY; source++) {
        sources[source] = (struct files){live[source], -1, -1};
    }
    for (size_t target = 0; target < PARITY; target++) {
        int flags = O_WRONLY | O_CREAT | O_TRUNC;
        targets[target].unit = lost[target];
        targets[target].data = open_file(folder, "block", lost[target], flags);
        targets[target].meta = open_file(folder, "meta", lost[target], flags);
        require_system(targets[target].data >= 0 && targets[target].meta >= 0, folder);
        write_meta_header(targets[target].meta);
    }

    restripe_reconstruction_options options;
    memset(&options, 0, sizeof options);
    options.size = sizeof options;
    options.seed = now();
    restripe_reconstruction *machine = NULL;
    require(restripe_reconstruction_new(codec, &striping, live, UNITS - PARITY, lost, PARITY,
                                        &options, now(), &machine));
    drive(machine, folder, sources, targets);

    restripe_progress progress;
    require(restripe_reconstruction_progress(machine, &progress));
    printf("%llu rounds, %llu bytes read\n", (unsigned long long)progress.rounds,
           (unsigned long long)progress.read);
    take_back(machine);
    restripe_reconstruction_free(machine);
    restripe_codec_free(codec);
    for (size_t target = 0; target < PARITY; target++) {
        uint64_t len = 0;
        require(restripe_striping_unit_len(&striping, lost[target], &len));
        compare(folder, lost[target], blocks[lost[target]], len);
    }
    for (size_t source = 0; source < UNITS - PARITY; source++) close_files(&sources[source]);
    for (size_t unit = 0; unit < UNITS; unit++) free(blocks[unit]);
    return EXIT_SUCCESS;
}
