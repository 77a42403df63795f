/* What stands behind RESTRIPE_UNSTABLE: packets, .meta files, the block sender and rounds. */
#define _POSIX_C_SOURCE 200809L
#define RESTRIPE_UNSTABLE
#include "check.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CHUNK = 512, BLOCK = 3000 };

static const uint32_t CRC = RESTRIPE_CHECKSUM_CRC32C;

static restripe_packet_header header(uint64_t offset, int64_t seqno, uint32_t len) {
    restripe_packet_header made = {offset, seqno, len, 0, 0};
    return made;
}

static void headers_survive_encoding(void) {
    uint8_t bytes[RESTRIPE_PACKET_HEADER_MAX];
    size_t len = 0;
    restripe_packet_header given = header(512, 7, 100), got = header(0, 0, 0);
    given.sync_block = 1;
    OK(restripe_packet_header_encode(&given, 4, bytes, sizeof bytes, &len));
    CHECK(len == RESTRIPE_PACKET_HEADER_MAX);
    OK(restripe_packet_header_decode(bytes + 6, len - 6, &got));
    CHECK(got.offset_in_block == 512 && got.seqno == 7 && got.data_len == 100);
    CHECK(got.sync_block == 1 && got.last_packet_in_block == 0);

    EXPECT(RESTRIPE_ERROR_BUFFER_TOO_SMALL,
           restripe_packet_header_encode(&given, 4, bytes, 30, &len));
    EXPECT(RESTRIPE_ERROR_NULL, restripe_packet_header_encode(NULL, 4, bytes, 33, &len));
    EXPECT(RESTRIPE_ERROR_NULL, restripe_packet_header_encode(&given, 4, NULL, 33, &len));
    for (size_t cut = 0; cut < len - 6; cut++) {
        int status = restripe_packet_header_decode(bytes + 6, cut, &got);
        /* The last two bytes are a field that may be left out. */
        CHECK(status == RESTRIPE_ERROR_BYTES || (status == RESTRIPE_OK && cut == 25));
    }
    given.offset_in_block = UINT64_MAX;
    EXPECT(RESTRIPE_ERROR_VALUE, restripe_packet_header_encode(&given, 4, bytes, 33, &len));
    given = header(0, 0, UINT32_MAX);
    EXPECT(RESTRIPE_ERROR_VALUE, restripe_packet_header_encode(&given, 4, bytes, 33, &len));
}

/* Reads a packet that is in memory, in pieces, and verifies its data. */
static void read_packet(restripe_packet_reader *reader, const uint8_t *bytes, size_t len,
                        size_t piece, restripe_packet *packet) {
    int is_there = 0;
    while (len > 0) {
        size_t taken = 0, some = len < piece ? len : piece;
        OK(restripe_packet_reader_packet(reader, packet, &is_there));
        CHECK(!is_there);
        OK(restripe_packet_reader_push(reader, bytes, some, &taken));
        CHECK(taken == some);
        bytes += taken;
        len -= taken;
    }
    OK(restripe_packet_reader_packet(reader, packet, &is_there));
    CHECK(is_there);
    OK(restripe_checksums_verify(CRC, CHUNK, packet->data, packet->header.data_len,
                                 packet->checksums, packet->checksums_len, NULL));
}

static void packets_are_written_and_read(void) {
    restripe_packet_writer *writer = NULL;
    restripe_packet_reader *reader = NULL;
    OK(restripe_packet_writer_new(CRC, CHUNK, 4, &writer));
    OK(restripe_packet_reader_new(CRC, CHUNK, &reader));
    uint8_t *checksums = NULL, *data = NULL;
    size_t checksums_len = 0, len = 0;
    OK(restripe_packet_writer_prepare(writer, 1300, &checksums, &checksums_len, &data));
    CHECK(checksums_len == 12);
    fill(data, 1300, 5);
    OK(restripe_checksums_compute(CRC, CHUNK, data, 1300, checksums, checksums_len));
    restripe_packet_header first = header(0, 0, 1300);
    const uint8_t *bytes = NULL;
    OK(restripe_packet_writer_seal(writer, &first, &bytes, &len));
    CHECK(len == 31 + 12 + 1300);
    restripe_packet packet;
    read_packet(reader, bytes, len, 100, &packet);
    CHECK(packet.header.data_len == 1300 && memcmp(packet.data, bytes + 43, 1300) == 0);
    OK(restripe_packet_reader_release(reader));

    /* Data that lies elsewhere, and a socket's way of reading. */
    uint8_t own[700];
    fill(own, sizeof own, 6);
    restripe_packet_header second = header(1300, 1, sizeof own);
    OK(restripe_packet_writer_frame(writer, &second, own, sizeof own, &bytes, &len));
    uint8_t *space = NULL;
    size_t room = 0;
    OK(restripe_packet_reader_space(reader, &space, &room));
    CHECK(room >= 31);
    memcpy(space, bytes, 31);
    OK(restripe_packet_reader_advance(reader, 31));
    size_t taken = 0;
    OK(restripe_packet_reader_push(reader, bytes + 31, len - 31, &taken));
    read_packet(reader, own, sizeof own, sizeof own, &packet);
    CHECK(packet.header.seqno == 1 && memcmp(packet.data, own, sizeof own) == 0);
    OK(restripe_packet_reader_release(reader));

    EXPECT(RESTRIPE_ERROR_COUNT, restripe_packet_reader_advance(reader, (size_t)-1));
    EXPECT(RESTRIPE_ERROR_VALUE,
           restripe_packet_writer_prepare(writer, 5 * CHUNK, &checksums, &checksums_len, &data));
    EXPECT(RESTRIPE_ERROR_LENGTH,
           restripe_packet_writer_seal(writer, &first, &bytes, &len));
    EXPECT(RESTRIPE_ERROR_VALUE, restripe_packet_writer_new(CRC, CHUNK, (size_t)-1, &writer));
    EXPECT(RESTRIPE_ERROR_VALUE, restripe_packet_writer_new(CRC, CHUNK, 0, &writer));
    EXPECT(RESTRIPE_ERROR_VALUE, restripe_packet_reader_new(9, CHUNK, &reader));
    /* Lengths that no packet has. */
    static const uint8_t absurd[8] = {0xFF, 0xFF, 0xFF, 0xFF, 0, 25, 1, 2};
    EXPECT(RESTRIPE_ERROR_BYTES, restripe_packet_reader_push(reader, absurd, 8, &taken));
    EXPECT(RESTRIPE_ERROR_BYTES, restripe_packet_reader_advance(reader, 0));
    OK(restripe_packet_reader_space(reader, &space, &room));
    CHECK(room == 0);
    EXPECT(RESTRIPE_ERROR_HANDLE,
           restripe_packet_reader_advance((restripe_packet_reader *)(void *)writer, 0));
    restripe_packet_reader_free(reader);
    restripe_packet_writer_free(writer);
    restripe_packet_reader_free(NULL);
    restripe_packet_writer_free(NULL);
}

static void meta_headers_are_those_of_hdfs(void) {
    static const uint8_t expected[RESTRIPE_META_HEADER_LEN] = {0, 1, 2, 0, 0, 2, 0};
    uint8_t bytes[RESTRIPE_META_HEADER_LEN];
    uint32_t kind = 0;
    size_t chunk = 0;
    OK(restripe_meta_header_encode(CRC, CHUNK, bytes));
    CHECK(memcmp(bytes, expected, sizeof bytes) == 0);
    OK(restripe_meta_header_decode(bytes, sizeof bytes, &kind, &chunk));
    CHECK(kind == CRC && chunk == CHUNK);
    EXPECT(RESTRIPE_ERROR_COUNT, restripe_meta_header_decode(bytes, 6, &kind, &chunk));
    EXPECT(RESTRIPE_ERROR_NULL, restripe_meta_header_decode(NULL, 7, &kind, &chunk));
    EXPECT(RESTRIPE_ERROR_NULL, restripe_meta_header_encode(CRC, CHUNK, NULL));
    bytes[1] = 2;
    EXPECT(RESTRIPE_ERROR_BYTES, restripe_meta_header_decode(bytes, 7, &kind, &chunk));
}

static int new_file(const uint8_t *bytes, size_t len) {
    FILE *file = tmpfile();
    CHECK(file != NULL);
    int descriptor = dup(fileno(file));
    fclose(file);
    CHECK(descriptor >= 0 && write(descriptor, bytes, len) == (ssize_t)len);
    return descriptor;
}

static size_t read_until_end(int descriptor, uint8_t *bytes, size_t capacity) {
    size_t len = 0;
    ssize_t count;
    while ((count = read(descriptor, bytes + len, capacity - len)) > 0) len += (size_t)count;
    CHECK(count == 0);
    return len;
}

static void blocks_are_sent_to_sockets_and_to_files(void) {
    static uint8_t block[BLOCK], sums[RESTRIPE_META_HEADER_LEN + 24], wire[2][2 * BLOCK];
    fill(block, BLOCK, 9);
    OK(restripe_meta_header_encode(CRC, CHUNK, sums));
    OK(restripe_checksums_compute(CRC, CHUNK, block, BLOCK, sums + RESTRIPE_META_HEADER_LEN, 24));
    int data = new_file(block, BLOCK), meta = new_file(sums, sizeof sums);
    int pair[2];
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
    restripe_sent sent;
    OK(restripe_send_block(data, meta, 700, UINT64_MAX, pair[0], NULL, &sent));
    CHECK(sent.chunk_offset == 512 && sent.data_len == BLOCK - 512 && sent.packets == 2);
    close(pair[0]);
    size_t len = read_until_end(pair[1], wire[0], sizeof wire[0]);
    close(pair[1]);

    int file = new_file(NULL, 0);
    restripe_send_options options;
    memset(&options, 0, sizeof options);
    options.size = sizeof options;
    OK(restripe_send_block(data, meta, 700, UINT64_MAX, file, &options, &sent));
    CHECK(sent.zero_copy_len == 0 && lseek(file, 0, SEEK_SET) == 0);
    CHECK(read_until_end(file, wire[1], sizeof wire[1]) == len);
    CHECK(memcmp(wire[0], wire[1], len) == 0);
    restripe_packet_reader *reader = NULL;
    restripe_packet packet;
    size_t first = 31 + 20 + BLOCK - 512;
    OK(restripe_packet_reader_new(CRC, CHUNK, &reader));
    read_packet(reader, wire[0], first, first, &packet);
    CHECK(memcmp(packet.data, block + 512, BLOCK - 512) == 0);
    OK(restripe_packet_reader_release(reader));
    read_packet(reader, wire[0] + first, len - first, 1, &packet);
    CHECK(packet.header.last_packet_in_block && packet.header.offset_in_block == BLOCK);
    restripe_packet_reader_free(reader);

    EXPECT(RESTRIPE_ERROR_RANGE, restripe_send_block(data, meta, 0, BLOCK + 1, file, NULL, &sent));
    EXPECT(RESTRIPE_ERROR_BYTES, restripe_send_block(data, data, 0, 1, file, NULL, &sent));
    EXPECT(RESTRIPE_ERROR_IO, restripe_send_block(-1, meta, 0, 1, file, NULL, &sent));
    EXPECT(RESTRIPE_ERROR_IO, restripe_send_block(data, meta, 0, 1, 987654, NULL, &sent));
    EXPECT(RESTRIPE_ERROR_NULL, restripe_send_block(data, meta, 0, 1, file, NULL, NULL));
    options.flags = 64;
    EXPECT(RESTRIPE_ERROR_VALUE, restripe_send_block(data, meta, 0, 1, file, &options, &sent));
    CHECK(pwrite(data, "x", 1, 5) == 1);
    EXPECT(RESTRIPE_ERROR_CHECKSUM, restripe_send_block(data, meta, 0, 1, file, NULL, &sent));
    options.flags = RESTRIPE_SEND_CORRUPT;
    OK(restripe_send_block(data, meta, 0, 1, file, &options, &sent));
    CHECK(sent.corrupt_packets == 1);
    close(data);
    close(meta);
    close(file);
}

/* A group of 3 + 2 units of one cell and a half, in memory. */
enum { CELL = 1024, UNIT_LEN = 1536, GROUP = 4 * CELL + CELL / 2 };

static uint8_t units[5][2 * CELL];
static restripe_codec *codec;
static restripe_striping striping;

static void make_group(void) {
    OK(restripe_codec_new(3, 2, &codec));
    memset(&striping, 0, sizeof striping);
    striping.size = sizeof striping;
    striping.data_units = 3;
    striping.parity_units = 2;
    striping.cell_size = CELL;
    striping.group_len = GROUP;
    uint64_t len = 0;
    for (size_t unit = 0; unit < 3; unit++) {
        OK(restripe_striping_unit_len(&striping, unit, &len));
        fill(units[unit], (size_t)len, (unsigned)unit);
    }
    const uint8_t *data[3] = {units[0], units[1], units[2]};
    uint8_t *parity[2] = {units[3], units[4]};
    OK(restripe_encode(codec, data, NULL, 3, parity, 2, 2 * CELL));
}

static restripe_reconstruction_options usual(void) {
    restripe_reconstruction_options options;
    memset(&options, 0, sizeof options);
    options.size = sizeof options;
    options.seed = 1;
    options.buffer_len = 512;
    return options;
}

/* Drives a reconstruction over the units in memory; gives the last action. `out` gets what is
 * rebuilt or delivered of each unit. */
static restripe_action drive(restripe_reconstruction *machine, const size_t *live,
                             uint8_t out[5][2 * CELL], int spoil) {
    static uint8_t buffers[64][4096];
    size_t lent = 0;
    for (;;) {
        restripe_action action;
        OK(restripe_reconstruction_poll(machine, &action));
        switch (action.kind) {
        case RESTRIPE_ACTION_OPEN:
            OK(restripe_reconstruction_opened(machine, action.token, CRC, CHUNK, RESTRIPE_NEVER,
                                              0));
            break;
        case RESTRIPE_ACTION_LEND:
            CHECK(action.count <= 64 && action.data_len <= 4096);
            EXPECT(RESTRIPE_ERROR_LENGTH,
                   restripe_reconstruction_lend(machine, buffers[0], action.data_len - 1, NULL, 0));
            EXPECT(RESTRIPE_ERROR_NULL,
                   restripe_reconstruction_lend(machine, NULL, action.data_len, NULL, 0));
            EXPECT(RESTRIPE_ERROR_LENGTH,
                   restripe_reconstruction_lend(machine, buffers[0], (size_t)-1, NULL, 0));
            for (; lent < action.count; lent++) {
                OK(restripe_reconstruction_lend(machine, buffers[lent], 4096, buffers[lent], 0));
                if (lent + 1 < action.count) {
                    EXPECT(RESTRIPE_ERROR_OVERLAP,
                           restripe_reconstruction_lend(machine, buffers[lent] + 1,
                                                        action.data_len, NULL, 0));
                }
            }
            EXPECT(RESTRIPE_ERROR_COUNT,
                   restripe_reconstruction_lend(machine, buffers[63], 4096, NULL, 0));
            break;
        case RESTRIPE_ACTION_READ: {
            size_t unit = live[action.source];
            CHECK(action.unit == unit && action.offset + action.data_len <= 2 * CELL);
            CHECK((uint8_t *)action.cookie == action.data);
            memcpy(action.data, units[unit] + action.offset, action.data_len);
            OK(restripe_checksums_compute(CRC, CHUNK, action.data, action.data_len, action.sums,
                                          action.sums_len));
            if (spoil) action.data[0] ^= 1;
            EXPECT(RESTRIPE_ERROR_VALUE,
                   restripe_reconstruction_read_done(machine, action.read, action.data_len + 1, 0));
            OK(restripe_reconstruction_read_done(machine, action.read, action.data_len, 0));
            break;
        }
        case RESTRIPE_ACTION_COMPUTE:
            OK(restripe_job_run(action.job));
            OK(restripe_reconstruction_computed(machine, action.job, 0));
            break;
        case RESTRIPE_ACTION_SEND: {
            uint64_t at = action.offset;
            const uint8_t *part = NULL;
            size_t len = 0;
            for (size_t index = 0; index < action.count; index++) {
                OK(restripe_outgoing_packet_part(action.packet, index, &part, &len));
                memcpy(out[action.unit] + at, part, len);
                at += len;
            }
            CHECK(at == action.offset + action.header.data_len);
            EXPECT(RESTRIPE_ERROR_RANGE,
                   restripe_outgoing_packet_part(action.packet, action.count, &part, &len));
            OK(restripe_reconstruction_sent(machine, action.packet, 0));
            OK(restripe_reconstruction_acked(machine, action.target, action.header.seqno, 0));
            break;
        }
        case RESTRIPE_ACTION_DELIVER:
            memcpy(out[action.unit] + action.offset, action.data, action.data_len);
            OK(restripe_reconstruction_delivered(machine, action.delivery, 0));
            break;
        case RESTRIPE_ACTION_DONE: {
            void *cookie = NULL;
            int is_there = 1;
            CHECK(restripe_reconstruction_is_idle(machine));
            while (is_there) {
                OK(restripe_reconstruction_take_buffer(machine, &cookie, &is_there));
                if (is_there) lent--;
            }
            CHECK(lent == 0);
            return action;
        }
        case RESTRIPE_ACTION_NONE:
            CHECK(!"nothing to do, and not done");
            break;
        default:
            break;
        }
    }
}

static void lost_units_are_rebuilt(void) {
    static uint8_t out[5][2 * CELL];
    const size_t live[3] = {1, 2, 4};
    restripe_reconstruction_options options = usual();
    restripe_reconstruction *machine = NULL;
    OK(restripe_reconstruction_new(codec, &striping, live, 3, NULL, 0, &options, 0, &machine));
    CHECK(restripe_reconstruction_target_count(machine) == 2);
    size_t unit = 0;
    OK(restripe_reconstruction_target_unit(machine, 1, &unit));
    CHECK(unit == 3);
    EXPECT(RESTRIPE_ERROR_RANGE, restripe_reconstruction_target_unit(machine, 2, &unit));
    CHECK(drive(machine, live, out, 0).status == RESTRIPE_OK);
    for (size_t lost = 0; lost < 5; lost += 3) {
        uint64_t len = 0;
        OK(restripe_striping_unit_len(&striping, lost, &len));
        CHECK(memcmp(out[lost], units[lost], (size_t)len) == 0);
    }
    restripe_progress progress;
    OK(restripe_reconstruction_progress(machine, &progress));
    CHECK(progress.rebuilt_targets == 2 && progress.failed_sources == 0 && progress.rounds > 1);
    uint32_t kind = 0;
    size_t chunk = 0;
    OK(restripe_reconstruction_checksum(machine, &kind, &chunk));
    CHECK(kind == CRC && chunk == CHUNK);
    restripe_reconstruction_free(machine);
}

static void ranges_are_delivered(void) {
    static uint8_t out[5][2 * CELL];
    const size_t live[3] = {0, 2, 3};
    restripe_reconstruction_options options = usual();
    restripe_reconstruction *machine = NULL;
    OK(restripe_reconstruction_new_of_range(codec, &striping, live, 3, 100, GROUP - 7, &options, 0,
                                            &machine));
    CHECK(drive(machine, live, out, 0).status == RESTRIPE_OK);
    for (uint64_t at = 100; at < GROUP - 7; at++) {
        size_t unit = 0;
        uint64_t offset = 0;
        OK(restripe_striping_position(&striping, at, &unit, &offset));
        CHECK(out[unit][offset] == units[unit][offset]);
    }
    restripe_reconstruction_free(machine);
}

static void failures_say_why(void) {
    static uint8_t out[5][2 * CELL];
    const size_t live[3] = {1, 2, 4};
    restripe_reconstruction_options options = usual();
    restripe_reconstruction *machine = NULL;
    OK(restripe_reconstruction_new(codec, &striping, live, 3, NULL, 0, &options, 0, &machine));
    restripe_action last = drive(machine, live, out, 1);
    CHECK(last.status == RESTRIPE_ERROR_RECONSTRUCTION);
    CHECK(strstr(last.message, "does not have its checksum") != NULL);
    restripe_reconstruction_free(machine);
}

static void what_is_wrong_is_refused(void) {
    const size_t live[3] = {1, 2, 4}, twice[2] = {0, 0}, beyond = 5;
    restripe_reconstruction_options options = usual();
    restripe_reconstruction *machine = NULL, *other = NULL;
    EXPECT(RESTRIPE_ERROR_TOO_FEW_UNITS, restripe_reconstruction_new(
        codec, &striping, live, 2, NULL, 0, &options, 0, &machine));
    EXPECT(RESTRIPE_ERROR_DUPLICATE_UNIT, restripe_reconstruction_new(
        codec, &striping, live, 3, twice, 2, &options, 0, &machine));
    EXPECT(RESTRIPE_ERROR_UNIT, restripe_reconstruction_new(
        codec, &striping, live, 3, &beyond, 1, &options, 0, &machine));
    EXPECT(RESTRIPE_ERROR_NULL, restripe_reconstruction_new(
        codec, &striping, NULL, 3, NULL, 0, &options, 0, &machine));
    EXPECT(RESTRIPE_ERROR_NULL, restripe_reconstruction_new(
        codec, &striping, live, 3, NULL, 0, NULL, 0, &machine));
    EXPECT(RESTRIPE_ERROR_RANGE, restripe_reconstruction_new_of_range(
        codec, &striping, live, 3, 5, GROUP + 1, &options, 0, &machine));
    options.extra_sources = 3;
    EXPECT(RESTRIPE_ERROR_VALUE, restripe_reconstruction_new(
        codec, &striping, live, 3, NULL, 0, &options, 0, &machine));
    CHECK(machine == NULL);

    /* Answers nobody asked for, with numbers that nothing has, change nothing. */
    options = usual();
    OK(restripe_reconstruction_new(codec, &striping, live, 3, NULL, 0, &options, UINT64_MAX,
                                   &machine));
    OK(restripe_reconstruction_new(codec, &striping, live, 3, NULL, 0, &options, 0, &other));
    OK(restripe_reconstruction_open_failed(machine, UINT64_MAX, NULL, 0));
    OK(restripe_reconstruction_opened(machine, UINT64_MAX, CRC, CHUNK, 0, 0));
    OK(restripe_reconstruction_acked(machine, (size_t)-1, INT64_MIN, 0));
    OK(restripe_reconstruction_target_failed(machine, (size_t)-1, "nothing", 0));
    OK(restripe_reconstruction_timer(machine, 0));
    uint8_t memory[16];
    EXPECT(RESTRIPE_ERROR_COUNT,
           restripe_reconstruction_lend(machine, memory, sizeof memory, NULL, 0));
    EXPECT(RESTRIPE_ERROR_NULL, restripe_reconstruction_read_done(machine, NULL, 0, 0));
    EXPECT(RESTRIPE_ERROR_NULL, restripe_job_run(NULL));
    EXPECT(RESTRIPE_ERROR_NULL, restripe_reconstruction_poll(machine, NULL));
    EXPECT(RESTRIPE_ERROR_NULL, restripe_reconstruction_sent(machine, NULL, 0));

    /* What one gave out, another does not take. */
    static uint8_t buffers[64][4096];
    restripe_action action;
    size_t lent = 0;
    int reads = 0;
    do {
        OK(restripe_reconstruction_poll(other, &action));
        if (action.kind == RESTRIPE_ACTION_OPEN) {
            OK(restripe_reconstruction_opened(other, action.token, CRC, CHUNK, RESTRIPE_NEVER, 0));
        } else if (action.kind == RESTRIPE_ACTION_LEND) {
            for (; lent < action.count; lent++)
                OK(restripe_reconstruction_lend(other, buffers[lent], 4096, NULL, 0));
        } else if (action.kind == RESTRIPE_ACTION_READ) {
            EXPECT(RESTRIPE_ERROR_HANDLE,
                   restripe_reconstruction_read_done(machine, action.read, 0, 0));
            CHECK(strstr(restripe_error_detail(), "another reconstruction") != NULL);
            /* Not brought back at all: its reconstruction is freed first. */
            if (reads++ > 0) OK(restripe_reconstruction_read_failed(other, action.read, "x", 0));
            else restripe_source_read_discard(action.read);
        }
    } while (action.kind != RESTRIPE_ACTION_NONE && action.kind != RESTRIPE_ACTION_DONE);
    CHECK(reads > 0);
    OK(restripe_reconstruction_cancel(machine, 0));
    uint64_t at = 0;
    OK(restripe_reconstruction_timeout(machine, &at));
    CHECK(at == RESTRIPE_NEVER);
    restripe_reconstruction_free(other);
    restripe_reconstruction_free(machine);
    restripe_reconstruction_free(NULL);
    restripe_job_discard(NULL);
    restripe_outgoing_packet_discard(NULL);
    restripe_delivery_discard(NULL);
    CHECK(restripe_reconstruction_target_count(NULL) == 0);
    CHECK(restripe_reconstruction_is_idle(NULL) == 0);
}

int main(void) {
    headers_survive_encoding();
    packets_are_written_and_read();
    meta_headers_are_those_of_hdfs();
    blocks_are_sent_to_sockets_and_to_files();
    make_group();
    lost_units_are_rebuilt();
    ranges_are_delivered();
    failures_say_why();
    what_is_wrong_is_refused();
    restripe_codec_free(codec);
    return 0;
}
