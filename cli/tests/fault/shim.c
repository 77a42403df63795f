/*
 * Faults of the machine, for tests. Loaded into a process by LD_PRELOAD, this counts the system
 * calls that the process makes on anything beneath a folder, and lets one of them go wrong.
 *
 * seccomp hands the calls to a signal handler, so a call is seen whether it is made through the C
 * library or not. Linux on x86-64 only.
 *
 * Environment:
 *   FAULT_FOLDER  the folder, by its path without links
 *   FAULT_CALLS   which calls count: see `groups`
 *   FAULT_NTH     which of them is struck, from 1 on; 0: none
 *   FAULT_ACT     what happens to it: see `acts`
 *   FAULT_ERRNO   the error, for those acts that fail a call
 *   FAULT_RECORD  a file as long as `struct record`, where it is told what happened
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

/* Shared with the test, so that it outlives a process that is killed. */
struct record {
    uint64_t calls;      /* that counted */
    uint64_t struck;     /* that went wrong */
    char path[PATH_MAX]; /* of the file whose contents were changed */
};

/* What a call is to a file. */
enum { LOOKS = 1, READS = 2, WRITES = 4, CREATES = 8, ALTERS = 16 };

/* One kind of call, with the places of its file descriptor and its path among its arguments. */
struct call {
    int number, is;
    signed char fd, path;
};

static const struct call calls[] = {
    {SYS_read, READS, 0, -1},
    {SYS_pread64, READS, 0, -1},
    {SYS_readv, READS, 0, -1},
    {SYS_preadv, READS, 0, -1},
    {SYS_sendfile, READS, 1, -1},
    {SYS_getdents64, LOOKS, 0, -1},
    {SYS_open, LOOKS, -1, 0},   /* CREATES, where the flags say so */
    {SYS_openat, LOOKS, 0, 1},  /* likewise */
    {SYS_stat, LOOKS, -1, 0},
    {SYS_lstat, LOOKS, -1, 0},
    {SYS_fstat, LOOKS, 0, -1},
    {SYS_newfstatat, LOOKS, 0, 1},
    {SYS_statx, LOOKS, 0, 1},
    {SYS_write, WRITES, 0, -1},
    {SYS_pwrite64, WRITES, 0, -1},
    {SYS_writev, WRITES, 0, -1},
    {SYS_pwritev, WRITES, 0, -1},
    {SYS_copy_file_range, WRITES, 2, -1},
    {SYS_fallocate, WRITES, 0, -1},
    {SYS_mkdir, CREATES, -1, 0},
    {SYS_mkdirat, CREATES, 0, 1},
    {SYS_ftruncate, ALTERS, 0, -1},
    {SYS_fsync, ALTERS, 0, -1},
    {SYS_fdatasync, ALTERS, 0, -1},
    {SYS_rename, ALTERS, -1, 0},
    {SYS_renameat, ALTERS, 0, 1},
    {SYS_renameat2, ALTERS, 0, 1},
    {SYS_link, ALTERS, -1, 0},
    {SYS_linkat, ALTERS, 2, 3},
    {SYS_unlink, ALTERS, -1, 0},
    {SYS_unlinkat, ALTERS, 0, 1},
    {SYS_rmdir, ALTERS, -1, 0},
    {SYS_fchmod, ALTERS, 0, -1},
    {SYS_fchown, ALTERS, 0, -1},
    {SYS_utimensat, ALTERS, 0, 1},
    {SYS_flock, ALTERS, 0, -1},
};
enum { CALLS = sizeof(calls) / sizeof(calls[0]) };

static const struct {
    const char *name;
    int is;
} groups[] = {
    {"contents", READS},           /* reads of bytes */
    {"reads", LOOKS | READS},      /* and of names and attributes */
    {"writes", WRITES},            /* writes of bytes */
    {"growth", WRITES | CREATES},  /* and what else takes room on a disk */
    {"changes", WRITES | CREATES | ALTERS}, /* and all that changes anything, or is for good */
};

/* What happens to the call that is struck. */
static const char *const acts[] = {
    "fail",    /* it fails */
    "fail-on", /* it fails, and all after it */
    "kill",    /* the process is killed before it */
    "half",    /* it does half of what it is asked, which is no error */
    "flip",    /* before it, somebody changes the first byte that it reads */
    "cut",     /* before it, somebody cuts the file where it reads */
};
enum act { FAIL, FAIL_ON, KILL, HALF, FLIP, CUT, ACTS };

static const char *folder;
static size_t folder_len;
static int counted;
static uint64_t nth;
static enum act act;
static long error;
static struct record *record;

/* The system call itself, which the filter knows by the address behind it. */
long fault_call(long number, long a, long b, long c, long d, long e, long f);
extern const char fault_called[];
__asm__(".text\n"
        ".globl fault_call, fault_called\n"
        ".hidden fault_call, fault_called\n"
        "fault_call:\n"
        "mov %rdi, %rax\n"
        "mov %rsi, %rdi\n"
        "mov %rdx, %rsi\n"
        "mov %rcx, %rdx\n"
        "mov %r8, %r10\n"
        "mov %r9, %r8\n"
        "mov 8(%rsp), %r9\n"
        "syscall\n"
        "fault_called:\n"
        "ret\n");

static long again(long number, const long *args) {
    return fault_call(number, args[0], args[1], args[2], args[3], args[4], args[5]);
}

static int is_beneath(const char *path) {
    return strncmp(path, folder, folder_len) == 0 &&
           (path[folder_len] == '/' || path[folder_len] == '\0');
}

/* The path of an open file; empty where it has none. */
static void path_of(long fd, char *path) {
    char link[32] = "/proc/self/fd/";
    char digits[20];
    size_t count = 0, at = strlen(link);
    path[0] = '\0';
    if (fd < 0) return;
    do digits[count++] = (char)('0' + fd % 10);
    while ((fd /= 10) != 0);
    while (count != 0) link[at++] = digits[--count];
    link[at] = '\0';
    long len = fault_call(SYS_readlink, (long)link, (long)path, PATH_MAX - 1, 0, 0, 0);
    path[len > 0 ? len : 0] = '\0';
}

/* Whether a call is on something beneath the folder; `path` is that of an open file. */
static int concerns(const struct call *call, const long *args, char *path) {
    const char *named = call->path < 0 ? NULL : (const char *)args[(int)call->path];
    path[0] = '\0';
    if (named != NULL && named[0] == '/') return is_beneath(named);
    if (call->fd < 0) return 0;
    path_of((int)args[(int)call->fd], path);
    return is_beneath(path);
}

static int what_is(const struct call *call, const long *args) {
    long flags = call->number == SYS_open ? args[1] : args[2];
    int opens = call->number == SYS_open || call->number == SYS_openat;
    return opens && (flags & (O_CREAT | O_TRUNC)) != 0 ? CREATES : call->is;
}

/* Changes what a call is about to read. False where there is nothing to change. */
static int change(const struct call *call, const long *args, const char *path) {
    long fd = args[(int)call->fd];
    long offset = call->number == SYS_pread64 || call->number == SYS_preadv
                      ? args[3]
                      : fault_call(SYS_lseek, fd, 0, SEEK_CUR, 0, 0, 0);
    long writable = fault_call(SYS_open, (long)path, O_RDWR | O_CLOEXEC, 0, 0, 0, 0);
    unsigned char byte;
    int done = 0;
    if (writable < 0 || offset < 0) return 0;
    if (fault_call(SYS_pread64, writable, (long)&byte, 1, offset, 0, 0) == 1) {
        byte ^= 0x20;
        done = act == CUT ? fault_call(SYS_ftruncate, writable, offset, 0, 0, 0, 0) == 0
                          : fault_call(SYS_pwrite64, writable, (long)&byte, 1, offset, 0, 0) == 1;
    }
    fault_call(SYS_close, writable, 0, 0, 0, 0, 0);
    if (done) strcpy(record->path, path);
    return done;
}

/* What a call that counts gives, being struck or not. */
static long carry_out(const struct call *call, long *args, const char *path) {
    uint64_t number = __atomic_add_fetch(&record->calls, 1, __ATOMIC_RELAXED);
    if (nth == 0 || number < nth || (number > nth && act != FAIL_ON))
        return again(call->number, args);
    if (act == FLIP || act == CUT) {
        if (!change(call, args, path)) return again(call->number, args);
    } else if (act == HALF) {
        int halves = call->number == SYS_read || call->number == SYS_pread64 ||
                     call->number == SYS_write || call->number == SYS_pwrite64;
        if (!halves || args[2] < 2) return again(call->number, args);
        args[2] /= 2;
    }
    __atomic_add_fetch(&record->struck, 1, __ATOMIC_RELAXED);
    if (act == KILL) {
        long self = fault_call(SYS_getpid, 0, 0, 0, 0, 0, 0);
        fault_call(SYS_kill, self, SIGKILL, 0, 0, 0, 0);
    }
    return act == FAIL || act == FAIL_ON ? -error : again(call->number, args);
}

static void on_call(int signal, siginfo_t *info, void *context) {
    greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;
    long args[6] = {registers[REG_RDI], registers[REG_RSI], registers[REG_RDX],
                    registers[REG_R10], registers[REG_R8],  registers[REG_R9]};
    char path[PATH_MAX];
    const struct call *call = calls;
    (void)signal;
    while (call->number != info->si_syscall) call++;
    if ((what_is(call, args) & counted) != 0 && concerns(call, args, path))
        registers[REG_RAX] = carry_out(call, args, path);
    else
        registers[REG_RAX] = again(call->number, args);
}

static void give_up(const char *why) {
    fprintf(stderr, "fault shim: %s\n", why);
    _exit(99);
}

static const char *setting(const char *name) {
    const char *value = getenv(name);
    if (value == NULL) give_up(name);
    return value;
}

/* Lets the calls of `calls` raise SIGSYS, unless they are made by `fault_call`. */
static void install(void) {
    uint64_t own = (uint64_t)(uintptr_t)fault_called;
    struct sock_filter filter[CALLS + 8];
    struct sock_fprog program = {0, filter};
    unsigned at = 0;
#define LOAD(field) \
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (unsigned)offsetof(struct seccomp_data, field))
#define LOAD_HIGH(field) \
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (unsigned)offsetof(struct seccomp_data, field) + 4)
#define SKIP_UNLESS(value, count) \
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)(value), 0, (count))
    filter[at++] = (struct sock_filter)LOAD(instruction_pointer);
    filter[at++] = (struct sock_filter)SKIP_UNLESS(own, 3);
    filter[at++] = (struct sock_filter)LOAD_HIGH(instruction_pointer);
    filter[at++] = (struct sock_filter)SKIP_UNLESS(own >> 32, 1);
    filter[at++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    filter[at++] = (struct sock_filter)LOAD(nr);
    for (unsigned call = 0; call < CALLS; call++)
        filter[at++] = (struct sock_filter)BPF_JUMP(
            BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)calls[call].number,
            (unsigned char)(CALLS - call), 0);
    filter[at++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    filter[at++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP);
    program.len = (unsigned short)at;
    struct sigaction action;
    memset(&action, 0, sizeof(action));
    action.sa_sigaction = on_call;
    action.sa_flags = SA_SIGINFO | SA_NODEFER;
    if (sigaction(SIGSYS, &action, NULL) != 0) give_up("no handler");
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
        give_up("no filter");
}

__attribute__((constructor)) static void begin(void) {
    const char *name = setting("FAULT_ACT"), *group = setting("FAULT_CALLS");
    folder = setting("FAULT_FOLDER");
    folder_len = strlen(folder);
    nth = strtoull(setting("FAULT_NTH"), NULL, 10);
    error = strtol(setting("FAULT_ERRNO"), NULL, 10);
    while (act < ACTS && strcmp(acts[act], name) != 0) act++;
    if (act == ACTS) give_up("FAULT_ACT names no act");
    for (size_t at = 0; at < sizeof(groups) / sizeof(groups[0]); at++)
        if (strcmp(groups[at].name, group) == 0) counted = groups[at].is;
    if (counted == 0) give_up("FAULT_CALLS names no group");
    int fd = open(setting("FAULT_RECORD"), O_RDWR | O_CLOEXEC);
    record = mmap(NULL, sizeof(*record), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (fd < 0 || record == MAP_FAILED) give_up("no FAULT_RECORD");
    close(fd);
    install();
}
