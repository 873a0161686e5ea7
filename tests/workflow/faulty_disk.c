/* Preloaded into a stage or its fork server: calls that use files below FAULTY_FOLDER fail now and then. Calls that write fail as on a full or
   dying disk, calls that read as where a file server restarts. FAULTY_ONE_IN, FAULTY_READS_ONE_IN: one such call in so many
   fails, none for 0. FAULTY_SEED: which ones; they differ where a job starts again. FAULTY_ONCE: end of the path of a file
   that can't be read until the job has started again. Long waits are left out. Processes of other programs are left
   alone. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

static const int WRITING[] = {ENOSPC, EIO, EDQUOT, EROFS, ESTALE, EMFILE}, READING[] = {EIO, ESTALE, ETIMEDOUT};
static char folder[PATH_MAX];
static const char *once;
static uint64_t state, one_in, reads_one_in;
static pid_t asked;

/* A fork server gives a stage its environment after the library was loaded, so each call asks until there is one. */
static void start(void) {
    char command[4096] = {0}, log[PATH_MAX] = {0};
    const char *where = getenv("FAULTY_FOLDER"), *rate = getenv("FAULTY_ONE_IN"), *seed = getenv("FAULTY_SEED");
    const char *reads = getenv("FAULTY_READS_ONE_IN"), *tries = getenv("FAITHFUL_PAIRS_TRIES");
    if (folder[0] || !where || !rate || asked == getpid()) return;
    asked = getpid();
    FILE *file = fopen("/proc/self/cmdline", "r");
    if (!file) return;
    size_t length = fread(command, 1, sizeof command - 1, file);
    fclose(file);
    for (size_t i = 0; i < length; i++) if (!command[i]) command[i] = ' ';
    if (!strstr(command, "workflow_scripts.stages.") && !strstr(command, "/python.socket")) return;
    once = tries ? NULL : getenv("FAULTY_ONCE");
    one_in = strtoull(rate, NULL, 10);
    reads_one_in = reads ? strtoull(reads, NULL, 10) : 0;
    state = (strtoull(seed ? seed : "0", NULL, 10) * 4 + (tries ? *tries : '0')) * 2654435761u + 88172645463325252u;
    if (readlink("/proc/self/fd/2", log, sizeof log - 1) < 0) return;
    for (size_t i = 0; log[i]; i++) state = (state ^ (unsigned char)log[i]) * 1099511628211u;
    snprintf(folder, sizeof folder, "%s", where);
}

static int ends(const char *path, const char *end) {
    size_t all = strlen(path), last = strlen(end);
    return last && all >= last && !strcmp(path + all - last, end);
}

static int falls_below(const char *path, uint64_t rate) {
    if (!rate || !path) return 0;
    char full[PATH_MAX];
    if (path[0] != '/') {
        if (!getcwd(full, sizeof full)) return 0;
        if (strlen(full) + strlen(path) + 2 > sizeof full) return 0;
        strcat(strcat(full, "/"), path);
        path = full;
    }
    if (strncmp(path, folder, strlen(folder)) || strstr(path, "/logs/")) return 0;
    state ^= state << 13; state ^= state >> 7; state ^= state << 17;
    return state % rate == 0;
}

static int fails(const char *path) {
    start();
    if (!falls_below(path, one_in)) return 0;
    errno = WRITING[(state >> 32) % (sizeof WRITING / sizeof *WRITING)];
    return 1;
}

static int read_fails(const char *path) {
    start();
    if (once && path && ends(path, once)) {
        errno = EIO;
        return 1;
    }
    if (!falls_below(path, reads_one_in)) return 0;
    errno = READING[(state >> 32) % (sizeof READING / sizeof *READING)];
    return 1;
}

static int at(int descriptor, int (*check)(const char *)) {
    char link[64], path[PATH_MAX];
    start();
    if (!folder[0]) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = 0;
    return check(path);
}

static int fails_at(int descriptor) { return at(descriptor, fails); }
static int read_fails_at(int descriptor) { return at(descriptor, read_fails); }

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

ssize_t write(int d, const void *data, size_t n) { return fails_at(d) ? -1 : REAL(write)(d, data, n); }
ssize_t pwrite(int d, const void *data, size_t n, off_t at) { return fails_at(d) ? -1 : REAL(pwrite)(d, data, n, at); }
ssize_t pwrite64(int d, const void *data, size_t n, off64_t at) {
    return fails_at(d) ? -1 : REAL(pwrite64)(d, data, n, at);
}
ssize_t read(int d, void *data, size_t n) { return read_fails_at(d) ? -1 : REAL(read)(d, data, n); }
ssize_t pread(int d, void *data, size_t n, off_t at) { return read_fails_at(d) ? -1 : REAL(pread)(d, data, n, at); }
ssize_t pread64(int d, void *data, size_t n, off64_t at) {
    return read_fails_at(d) ? -1 : REAL(pread64)(d, data, n, at);
}
int fsync(int d) { return fails_at(d) ? -1 : REAL(fsync)(d); }
int rename(const char *from, const char *to) { return fails(to) ? -1 : REAL(rename)(from, to); }
int link(const char *from, const char *to) { return fails(to) ? -1 : REAL(link)(from, to); }
int linkat(int a, const char *from, int b, const char *to, int flags) {
    return fails(to) ? -1 : REAL(linkat)(a, from, b, to, flags);
}
int mkdir(const char *path, mode_t mode) { return fails(path) ? -1 : REAL(mkdir)(path, mode); }

#define MODE mode_t mode = 0; if (flags & O_CREAT) { va_list more; va_start(more, flags); mode = va_arg(more, mode_t); va_end(more); }
static int not_opened(const char *path, int flags) {
    return flags & O_CREAT ? fails(path) : !(flags & O_DIRECTORY) && read_fails(path);
}
int open(const char *path, int flags, ...) { MODE return not_opened(path, flags) ? -1 : REAL(open)(path, flags, mode); }
int open64(const char *path, int flags, ...) {
    MODE return not_opened(path, flags) ? -1 : REAL(open64)(path, flags, mode);
}
int openat(int d, const char *path, int flags, ...) {
    MODE return not_opened(path, flags) ? -1 : REAL(openat)(d, path, flags, mode);
}
int clock_nanosleep(clockid_t clock, int flags, const struct timespec *wanted, struct timespec *left) {
    struct timespec now = {0, 0};
    if (flags & TIMER_ABSTIME) clock_gettime(clock, &now);
    int skipped = folder[0] && wanted->tv_sec - now.tv_sec >= 1;
    return skipped ? 0 : REAL(clock_nanosleep)(clock, flags, wanted, left);
}
