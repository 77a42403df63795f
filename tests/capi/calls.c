/*
 * Sequences of calls with whatever arguments some bytes make: NULL, 0, near SIZE_MAX, units named
 * twice, buffers that overlap, handles of another kind. Every call returns a status, and none of
 * them is that of a defect.
 *
 * What a caller has to promise is kept: pointers that are not NULL point to as much memory as the
 * call says, unless no memory has as much. A program of its own it goes through many sequences; the
 * fuzzer gives it its own.
 */
#define RESTRIPE_UNSTABLE
#include "check.h"

/* Memory that all pointers point into, and how much of it lies behind each at the least. */
enum { MEMORY = 1 << 15, MOST = 1 << 12, LISTS = 4200, KEPT = 4 };

static uint8_t memory[MEMORY];
static const uint8_t *input;
static size_t input_left;

static uint8_t byte(void) {
    if (input_left == 0) return 0;
    input_left--;
    return *input++;
}

/* A length or a count: small, up to MOST, or more than any memory has. */
static size_t number(void) {
    uint8_t choice = byte();
    switch (choice % 8) {
    case 0: return 0;
    case 1: return (size_t)-1 - byte();
    case 2: return ((size_t)-1) / 2 + 1 + byte();
    case 3: return (size_t)byte() << 4;
    case 4: return 512;
    default: return choice / 8 % 16;
    }
}

/* A unit, and other indexes: mostly one there is. */
static size_t index_of(void) {
    uint8_t choice = byte();
    return choice < 250 ? choice % 12 : number();
}

/* Bytes per checksum. */
static size_t chunk_len(void) { return byte() % 2 ? 512 : number(); }

static uint32_t kind(void) {
    uint8_t choice = byte();
    return choice < 240 ? choice % 4 : (uint32_t)number();
}

static uint8_t *place(void) {
    uint8_t choice = byte();
    return choice % 16 == 15 ? NULL : memory + (size_t)choice * (MEMORY - MOST) / 256;
}

/* Lists of pointers and of lengths, longer than any number that memory could have. */
static uint8_t *places[LISTS];
static size_t numbers[LISTS], units[LISTS];
static uint64_t costs[LISTS];

static void lists(void) {
    uint8_t step = byte(), base = byte();
    for (size_t entry = 0; entry < 16; entry++) {
        /* One behind the other, as honest callers have them; sometimes one is not. */
        size_t at = ((size_t)base + entry * (1 + step % 32)) * 64 % (MEMORY - MOST);
        places[entry] = step % 7 == 6 ? place() : memory + at;
        numbers[entry] = step % 5 == 4 ? number() : (size_t)base;
        units[entry] = base % 3 == 2 ? index_of() : (entry + base) % 12;
        costs[entry] = byte();
    }
}

static uint8_t **some_places(void) { return byte() % 32 == 31 ? NULL : places; }
static const uint8_t *const *sources(void) { return (const uint8_t *const *)some_places(); }
static const size_t *lens(void) { return byte() % 4 == 3 ? numbers : NULL; }
static const size_t *some_units(void) { return byte() % 32 == 31 ? NULL : units; }
static const size_t *wanted(size_t k) { return byte() % 32 == 31 ? NULL : units + k % 12; }

/* How many entries a list has: the right number mostly. */
static size_t count(size_t right) { return byte() % 8 ? right : number(); }

/* Handles that were made, one list a kind. */
static restripe_codec *codecs[KEPT];
static restripe_plan *plans[KEPT];
static restripe_packet_reader *readers[KEPT];
static restripe_packet_writer *writers[KEPT];
static restripe_reconstruction *machines[KEPT];
static restripe_source_read *reads[KEPT];
static restripe_job *jobs[KEPT];
static restripe_outgoing_packet *packets[KEPT];
static restripe_delivery *deliveries[KEPT];

static size_t slot(void) { return byte() % KEPT; }

/* One in 64 is a handle of another kind. */
#define GET(list) (byte() % 64 == 63 ? (void *)machines[slot()] : (void *)list[slot()])

/* Puts a new handle where an old one was, which is freed. */
#define KEEP(list, handle, release)                                                                \
    do {                                                                                           \
        size_t at_ = slot();                                                                       \
        release(list[at_]);                                                                        \
        list[at_] = (handle);                                                                      \
    } while (0)

/* What a call says, which must be a status and no defect. */
static int check(int status) {
    CHECK(status >= RESTRIPE_OK && status <= RESTRIPE_ERROR_RECONSTRUCTION);
    CHECK(status != RESTRIPE_ERROR_INTERNAL);
    return status;
}

static void make_codec(void) {
    restripe_codec *made = NULL;
    restripe_codec_options options;
    memset(&options, 0, sizeof options);
    options.size = byte() % 16 ? sizeof options : 8;
    options.matrix = byte() % 15;
    options.flags = byte() % 8 ? RESTRIPE_ACCEPT_UNCHECKED : (uint32_t)number();
    options.kernel = byte() % 8 ? NULL : "scalar";
    options.parity_rows = byte() % 4 ? NULL : memory;
    options.parity_rows_len = options.parity_rows == NULL ? 0 : number();
    options.local_groups = byte() % 2 ? 0 : byte() % 4;
    size_t data = index_of(), parity = byte() % 5;
    int is_plain = byte() % 4 == 0;
    int status = is_plain ? restripe_codec_new(data, parity, byte() % 32 ? &made : NULL)
                          : restripe_codec_new_with(data, parity, &options, &made);
    if (check(status) == RESTRIPE_OK) KEEP(codecs, made, restripe_codec_free);
}

static void use_codec(void) {
    const restripe_codec *codec = GET(codecs);
    size_t k = restripe_codec_data_units(codec), m = restripe_codec_parity_units(codec);
    size_t len = number();
    uint8_t **out = some_places() == NULL ? NULL : places + k % 16;
    uint32_t consistency = 0;
    int recoverable = 0;
    restripe_locations *locations = NULL;
    restripe_location location;
    switch (byte() % 9) {
    case 0: check(restripe_encode(codec, sources(), lens(), count(k), out, count(m), len)); break;
    case 1:
        check(restripe_encode_verified(codec, sources(), lens(), count(k), out, count(m), len,
                                       byte()));
        break;
    case 2: check(restripe_update(codec, index_of(), place(), place(), out, count(m), len)); break;
    case 3: check(restripe_accumulate(codec, index_of(), place(), number(), out, count(m), len)); break;
    case 4:
        check(restripe_reconstruct(codec, sources(), lens(), count(k + m), some_units(), out, lens(),
                                   count(1), len));
        break;
    case 5: check(restripe_verify(codec, sources(), lens(), count(k + m), len, &consistency)); break;
    case 6:
        if (check(restripe_locate(codec, sources(), lens(), count(k + m), len, number(),
                                  &locations)) == RESTRIPE_OK) {
            check(restripe_locations_get(locations, index_of(), &location));
            restripe_locations_free(locations);
        }
        break;
    case 7: check(restripe_codec_parity_rows(codec, place(), count(k * m))); break;
    default: check(restripe_codec_is_recoverable(codec, some_units(), count(2), &recoverable));
    }
}

static void make_plan(void) {
    const restripe_codec *codec = GET(codecs);
    size_t k = restripe_codec_data_units(codec), len = 0;
    restripe_plan *made = NULL;
    int status;
    switch (byte() % 4) {
    case 0:
        status = restripe_plan_new(codec, some_units(), count(k), wanted(k), count(1),
                                   &made);
        break;
    case 1:
        status = restripe_plan_new_cheapest(codec, some_units(), count(k + 1),
                                            wanted(k), count(1),
                                            byte() % 2 ? costs : NULL, number() % 16, &made);
        break;
    case 2: status = restripe_plan_restrict(GET(plans), some_units(), count(2), &made); break;
    default:
        check(restripe_plan_to_bytes(GET(plans), memory, MOST, &len));
        if (byte() % 2) memory[byte()] ^= byte();
        status = restripe_plan_from_bytes(memory, len <= MOST ? len : MOST, &made);
    }
    if (check(status) == RESTRIPE_OK) KEEP(plans, made, restripe_plan_free);
}

static void use_plan(void) {
    const restripe_plan *plan = GET(plans);
    size_t in = restripe_plan_read_count(plan), len = number();
    size_t out_count = restripe_plan_output_count(plan), unit = 0;
    uint8_t **out = places + 8;
    restripe_read read;
    switch (byte() % 5) {
    case 0: check(restripe_plan_apply(plan, sources(), lens(), count(in), out, count(out_count), len)); break;
    case 1: check(restripe_plan_accumulate(plan, sources(), lens(), count(in), out, count(out_count), len)); break;
    case 2: check(restripe_plan_add_input(plan, index_of(), place(), number(), out, count(out_count), len)); break;
    case 3: check(restripe_plan_read(plan, index_of(), &read)); break;
    default: check(restripe_plan_output(plan, index_of(), &unit));
    }
}

static void use_checksums(void) {
    uint32_t sum = 0;
    uint64_t len = 0;
    size_t chunk = number();
    switch (byte() % 5) {
    case 0: check(restripe_checksum_append(kind(), byte(), place(), number(), &sum)); break;
    case 1: check(restripe_checksum_combine(kind(), byte(), byte(), number(), &sum)); break;
    case 2: check(restripe_checksums_len(kind(), chunk, number(), &len)); break;
    case 3: check(restripe_checksums_compute(kind(), chunk, place(), number(), place(), number())); break;
    default: check(restripe_checksums_verify(kind(), chunk, place(), number(), place(), number(), NULL));
    }
}

static restripe_striping some_striping(void) {
    restripe_striping striping;
    memset(&striping, 0, sizeof striping);
    striping.size = byte() % 32 ? sizeof striping : number() % 4096;
    if (striping.size > sizeof striping) striping.size = 0;
    striping.data_units = index_of();
    striping.parity_units = byte() % 5;
    striping.flags = byte() % 8 ? 0 : byte() % 3;
    striping.cell_size = byte() % 2 ? 1024 : number();
    striping.group_len = byte() % 2 ? 3000 : number();
    return striping;
}

static void use_striping(void) {
    restripe_striping striping = some_striping();
    uint64_t a = 0, b = 0;
    size_t unit = 0;
    switch (byte() % 6) {
    case 0: check(restripe_striping_unit_len(&striping, index_of(), &a)); break;
    case 1: check(restripe_striping_stripes(&striping, &a)); break;
    case 2: check(restripe_striping_position(&striping, number(), &unit, &a)); break;
    case 3: check(restripe_striping_group_offset(&striping, index_of(), number(), &a)); break;
    case 4: check(restripe_striping_unit_range(&striping, index_of(), number(), number(), &a, &b)); break;
    default: check(restripe_striping_required_units(&striping, number(), &unit));
    }
}

static void use_packets(void) {
    restripe_packet_reader *reader = GET(readers), *new_reader = NULL;
    restripe_packet_writer *writer = GET(writers), *new_writer = NULL;
    restripe_packet_header header = {number(), byte(), (uint32_t)number(), byte() % 2, byte() % 2};
    restripe_packet packet;
    const uint8_t *bytes = NULL;
    uint8_t *sums = NULL, *data = NULL;
    size_t len = 0;
    int is_there = 0;
    switch (byte() % 10) {
    case 0:
        if (check(restripe_packet_reader_new(kind(), chunk_len(), &new_reader)) == RESTRIPE_OK)
            KEEP(readers, new_reader, restripe_packet_reader_free);
        break;
    case 1:
        if (check(restripe_packet_writer_new(kind(), chunk_len(), number(), &new_writer)) == RESTRIPE_OK)
            KEEP(writers, new_writer, restripe_packet_writer_free);
        break;
    case 2: check(restripe_packet_reader_push(reader, place(), number(), &len)); break;
    case 3: check(restripe_packet_reader_advance(reader, number())); break;
    case 4:
        if (check(restripe_packet_reader_packet(reader, &packet, &is_there)) == RESTRIPE_OK && is_there)
            check(restripe_checksums_verify(kind(), chunk_len(), packet.data, packet.header.data_len,
                                            packet.checksums, packet.checksums_len, NULL));
        break;
    case 5: check(restripe_packet_reader_release(reader)); break;
    case 6: check(restripe_packet_writer_prepare(writer, number(), &sums, &len, &data)); break;
    case 7: check(restripe_packet_writer_seal(writer, &header, &bytes, &len)); break;
    case 8: {
        size_t data_len = byte() % 2 ? byte() : number();
        header.data_len = byte() % 4 ? (uint32_t)data_len : header.data_len;
        const uint8_t *own = place();
        if (check(restripe_packet_writer_frame(writer, &header, own, data_len, &bytes, &len)) ==
            RESTRIPE_OK) {
            size_t taken = 0;
            check(restripe_packet_reader_push(reader, bytes, len, &taken));
            check(restripe_packet_reader_push(reader, own, data_len, &taken));
            if (check(restripe_packet_reader_packet(reader, &packet, &is_there)) == RESTRIPE_OK &&
                is_there)
                fill(memory, packet.checksums_len % 64, packet.header.data_len);
        }
        break;
    }
    default: check(restripe_packet_header_decode(place(), number(), &header));
    }
}

static void make_machine(void) {
    restripe_reconstruction *made = NULL;
    restripe_reconstruction_options options;
    restripe_striping striping = some_striping();
    const restripe_codec *codec = GET(codecs);
    memset(&options, 0, sizeof options);
    options.size = sizeof options;
    options.buffer_len = byte() % 2 ? 512 : number();
    options.max_memory = byte() % 4 ? 0 : number();
    options.packet_len = byte() % 4 ? 0 : number();
    options.extra_sources = byte() % 8 ? 0 : byte() % 4;
    options.flags = byte() % 16 ? 0 : byte();
    if (byte() % 4) {
        striping.size = sizeof striping;
        striping.data_units = restripe_codec_data_units(codec);
        striping.parity_units = restripe_codec_parity_units(codec);
    }
    size_t k = restripe_codec_data_units(codec), m = restripe_codec_parity_units(codec);
    size_t first = byte();
    for (size_t entry = 0; entry < k && entry < 16 && first % 8 != 7; entry++)
        units[entry] = (first + entry) % (k + m);
    int status = byte() % 2
                     ? restripe_reconstruction_new(codec, &striping, some_units(), count(k), NULL, 0,
                                                   &options, byte(), &made)
                     : restripe_reconstruction_new_of_range(codec, &striping, some_units(), count(k),
                                                            byte() % 2 ? 0 : number(),
                                                            byte() % 2 ? 3000 : number(), &options,
                                                            byte(), &made);
    if (check(status) == RESTRIPE_OK) KEEP(machines, made, restripe_reconstruction_free);
}

/* Buffers that are lent: as many bytes as may be asked for here. */
static uint8_t lent[64][8192];

static void poll_machine(restripe_reconstruction *machine, uint64_t now) {
    restripe_action action;
    const uint8_t *part = NULL;
    size_t len = 0;
    /* Most things are answered at once and truly; others are kept, or lost. */
    int is_kept = byte() % 16 == 15;
    memset(&action, 0, sizeof action);
    if (check(restripe_reconstruction_poll(machine, &action)) != RESTRIPE_OK) return;
    switch (action.kind) {
    case RESTRIPE_ACTION_OPEN:
        if (byte() % 16 != 15)
            check(restripe_reconstruction_opened(machine, action.token, 2, 512, RESTRIPE_NEVER, now));
        else
            check(restripe_reconstruction_open_failed(machine, action.token, "no", now));
        break;
    case RESTRIPE_ACTION_LEND:
        for (size_t at = 0; at < action.count && at < 64 && action.data_len <= sizeof lent[0]; at++)
            check(restripe_reconstruction_lend(machine, lent[at], sizeof lent[0], NULL, now));
        break;
    case RESTRIPE_ACTION_READ:
        memset(action.data, byte(), action.data_len);
        if (byte() % 16 != 15)
            check(restripe_checksums_compute(2, 512, action.data, action.data_len, action.sums,
                                             action.sums_len));
        if (is_kept) KEEP(reads, action.read, restripe_source_read_discard);
        else check(restripe_reconstruction_read_done(machine, action.read, action.data_len, now));
        break;
    case RESTRIPE_ACTION_COMPUTE:
        if (is_kept) {
            KEEP(jobs, action.job, restripe_job_discard);
        } else {
            check(restripe_job_run(action.job));
            check(restripe_reconstruction_computed(machine, action.job, now));
        }
        break;
    case RESTRIPE_ACTION_SEND:
        for (size_t index = 0; index <= action.count; index++)
            check(restripe_outgoing_packet_part(action.packet, index, &part, &len));
        if (is_kept) {
            KEEP(packets, action.packet, restripe_outgoing_packet_discard);
        } else {
            check(restripe_reconstruction_sent(machine, action.packet, now));
            check(restripe_reconstruction_acked(machine, action.target, action.header.seqno, now));
        }
        break;
    case RESTRIPE_ACTION_DELIVER:
        if (is_kept) KEEP(deliveries, action.delivery, restripe_delivery_discard);
        else check(restripe_reconstruction_delivered(machine, action.delivery, now));
        break;
    default: break;
    }
}

static void use_machine(void) {
    size_t at = slot();
    restripe_reconstruction *machine = GET(machines);
    uint64_t now = (uint64_t)byte() << (byte() % 57), due = 0;
    uint8_t choice = byte();
    restripe_progress progress;
    void *cookie = NULL;
    int is_there = 0;
    switch (choice % 14) {
    case 0: check(restripe_reconstruction_opened(machine, byte(), kind(), number(), number(), now)); break;
    case 1:
        if (check(choice & 128 ? restripe_reconstruction_read_done(machine, reads[at], number(), now)
                               : restripe_reconstruction_read_failed(machine, reads[at], NULL, now)) ==
            RESTRIPE_OK)
            reads[at] = NULL;
        break;
    case 2:
        if (check(restripe_reconstruction_read_cancelled(machine, reads[at], now)) == RESTRIPE_OK)
            reads[at] = NULL;
        break;
    case 3:
        check(restripe_job_run(jobs[at]));
        if (check(restripe_reconstruction_computed(machine, jobs[at], now)) == RESTRIPE_OK)
            jobs[at] = NULL;
        break;
    case 4:
        if (check(restripe_reconstruction_sent(machine, packets[at], now)) == RESTRIPE_OK)
            packets[at] = NULL;
        break;
    case 5:
        if (check(restripe_reconstruction_delivered(machine, deliveries[at], now)) == RESTRIPE_OK)
            deliveries[at] = NULL;
        break;
    case 6: check(restripe_reconstruction_acked(machine, index_of(), (int64_t)number(), now)); break;
    case 7: check(restripe_reconstruction_target_failed(machine, number(), "no", now)); break;
    case 8: check(restripe_reconstruction_timer(machine, now)); break;
    case 9:
        check(restripe_reconstruction_timeout(machine, &due));
        check(restripe_reconstruction_progress(machine, &progress));
        check(restripe_reconstruction_take_buffer(machine, &cookie, &is_there));
        break;
    case 10:
        if (choice > 200) check(restripe_reconstruction_cancel(machine, now));
        break;
    default:
        for (int often = 0; often < 24; often++) poll_machine(machine, now);
    }
}

static void free_all(void) {
    for (size_t at = 0; at < KEPT; at++) {
        restripe_reconstruction_free(machines[at]);
        restripe_source_read_discard(reads[at]);
        restripe_job_discard(jobs[at]);
        restripe_outgoing_packet_discard(packets[at]);
        restripe_delivery_discard(deliveries[at]);
        restripe_packet_reader_free(readers[at]);
        restripe_packet_writer_free(writers[at]);
        restripe_plan_free(plans[at]);
        restripe_codec_free(codecs[at]);
        machines[at] = NULL;
        reads[at] = NULL;
        jobs[at] = NULL;
        packets[at] = NULL;
        deliveries[at] = NULL;
        readers[at] = NULL;
        writers[at] = NULL;
        plans[at] = NULL;
        codecs[at] = NULL;
    }
}

/* One sequence of calls, out of `len` bytes. */
void restripe_test_calls(const uint8_t *bytes, size_t len);

void restripe_test_calls(const uint8_t *bytes, size_t len) {
    input = bytes;
    input_left = len;
    for (size_t at = 0; at < KEPT; at++) {
        OK(restripe_codec_new(2 + at, 1 + at, &codecs[at]));
        OK(restripe_packet_reader_new(2, 512, &readers[at]));
        OK(restripe_packet_writer_new(2, 512, 1 + at, &writers[at]));
    }
    lists();
    while (input_left > 0) {
        switch (byte() % 12) {
        case 0: lists(); break;
        case 1: make_codec(); break;
        case 2: make_plan(); break;
        case 3:
        case 4: use_codec(); break;
        case 5: use_plan(); break;
        case 6: use_checksums(); break;
        case 7: use_striping(); break;
        case 8: use_packets(); break;
        case 9: make_machine(); break;
        default: use_machine();
        }
    }
    free_all();
}

#ifndef RESTRIPE_FUZZER
int main(void) {
    const char *scale = getenv("RESTRIPE_TEST_SCALE");
    int is_small = scale != NULL && strcmp(scale, "small") == 0;
    int is_full = scale != NULL && strcmp(scale, "full") == 0;
    unsigned sequences = is_small ? 300 : is_full ? 1000000 : 8000;
    for (unsigned seed = 0; seed < sequences; seed++) {
        uint8_t bytes[600];
        fill(bytes, sizeof bytes, seed);
        restripe_test_calls(bytes, sizeof bytes);
    }
    return 0;
}
#endif
