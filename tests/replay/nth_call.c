/* Preloaded by tests/replay: of the calls of one kind on files below a folder, or of the large allocations, the n-th fails,
   or all from the n-th on. A file whose fsync fails loses its content, as its pages may be dropped then. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <malloc.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

enum {NONE, FSYNC, RENAME, LINK, OPEN, WRITE, MMAP, ALLOCATION};
#define LARGE (1 << 20)
#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static char folder[PATH_MAX];
static int chosen = NONE, for_good, number_of_error;
static long wanted, seen;

/* No call fails for n = 0: they are counted. */
void arm(int kind, long n, int good, int error, const char *below) {
    snprintf(folder, sizeof folder, "%s", below);
    wanted = n; for_good = good; number_of_error = error; seen = 0;
    chosen = kind;
}
long disarm(void) { chosen = NONE; return seen; }

/* NTH_ALLOCATION arms a whole process; it says at its end how many there were. */
__attribute__((constructor)) static void begin(void) {
    if (getenv("NTH_ALLOCATION")) arm(ALLOCATION, atol(getenv("NTH_ALLOCATION")), 0, ENOMEM, "");
}
__attribute__((destructor)) static void end(void) {
    if (getenv("NTH_ALLOCATION")) fprintf(stderr, "large allocations: %ld\n", disarm());
}
void _exit(int status) { /* stages end by it */
    end();
    REAL(_exit)(status);
    __builtin_unreachable();
}

static int now(void) {
    long n = __atomic_add_fetch(&seen, 1, __ATOMIC_SEQ_CST);
    if (!wanted || !(n == wanted || (for_good && n > wanted))) return 0;
    errno = number_of_error;
    return 1;
}
static int fails(int kind, const char *path) {
    char full[PATH_MAX];
    if (chosen != kind || !path) return 0;
    if (path[0] != '/') {
        if (!getcwd(full, sizeof full) || strlen(full) + strlen(path) + 2 > sizeof full) return 0;
        path = strcat(strcat(full, "/"), path);
    }
    return !strncmp(path, folder, strlen(folder)) && now();
}
static int fails_at(int kind, int descriptor) {
    char link[64], path[PATH_MAX];
    if (chosen != kind) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = 0;
    return fails(kind, path);
}
static int too_large(size_t size) { return chosen == ALLOCATION && size >= LARGE && now(); }

static void lose(int descriptor) {
    struct stat status;
    char path[64], zeros[4096] = {0};
    if (fstat(descriptor, &status) || !S_ISREG(status.st_mode)) return;
    snprintf(path, sizeof path, "/proc/self/fd/%d", descriptor);
    fchmod(descriptor, status.st_mode | S_IWUSR);
    int file = REAL(open)(path, O_WRONLY);
    fchmod(descriptor, status.st_mode);
    for (off_t at = 0; file >= 0 && at < status.st_size; at += sizeof zeros) {
        off_t left = status.st_size - at;
        if (REAL(pwrite)(file, zeros, left < (off_t)sizeof zeros ? left : (off_t)sizeof zeros, at) < 0) break;
    }
    if (file >= 0) close(file);
}
int fsync(int d) {
    if (!fails_at(FSYNC, d)) return REAL(fsync)(d);
    lose(d);
    errno = number_of_error;
    return -1;
}
int rename(const char *from, const char *to) { return fails(RENAME, to) ? -1 : REAL(rename)(from, to); }
int link(const char *from, const char *to) { return fails(LINK, to) ? -1 : REAL(link)(from, to); }
int linkat(int a, const char *from, int b, const char *to, int flags) {
    return fails(LINK, to) ? -1 : REAL(linkat)(a, from, b, to, flags);
}
#define MODE mode_t mode = 0; if (flags & O_CREAT) { va_list more; va_start(more, flags); mode = va_arg(more, mode_t); va_end(more); }
int open(const char *path, int flags, ...) { MODE return fails(OPEN, path) ? -1 : REAL(open)(path, flags, mode); }
int open64(const char *path, int flags, ...) { MODE return fails(OPEN, path) ? -1 : REAL(open64)(path, flags, mode); }
int openat(int d, const char *path, int flags, ...) { MODE return fails(OPEN, path) ? -1 : REAL(openat)(d, path, flags, mode); }
ssize_t write(int d, const void *data, size_t n) { return fails_at(WRITE, d) ? -1 : REAL(write)(d, data, n); }
ssize_t pwrite(int d, const void *data, size_t n, off_t at) { return fails_at(WRITE, d) ? -1 : REAL(pwrite)(d, data, n, at); }
ssize_t pwrite64(int d, const void *data, size_t n, off64_t at) {
    return fails_at(WRITE, d) ? -1 : REAL(pwrite64)(d, data, n, at);
}
ssize_t copy_file_range(int a, off64_t *from, int b, off64_t *to, size_t n, unsigned flags) {
    return fails_at(WRITE, b) ? -1 : REAL(copy_file_range)(a, from, b, to, n, flags);
}
ssize_t sendfile64(int to, int from, off64_t *at, size_t n) {
    static ssize_t (*real)(int, int, off64_t *, size_t);
    if (!real) real = dlsym(RTLD_NEXT, "sendfile64");
    return fails_at(WRITE, to) ? -1 : real(to, from, at, n);
}
static int not_mapped(size_t size, int flags, int d) { return flags & MAP_ANONYMOUS ? too_large(size) : fails_at(MMAP, d); }
void *mmap(void *address, size_t n, int protection, int flags, int d, off_t at) {
    return not_mapped(n, flags, d) ? MAP_FAILED : REAL(mmap)(address, n, protection, flags, d, at);
}
void *mmap64(void *address, size_t n, int protection, int flags, int d, off64_t at) {
    return not_mapped(n, flags, d) ? MAP_FAILED : REAL(mmap64)(address, n, protection, flags, d, at);
}

/* dlsym allocates, so the allocator's own names are used. */
extern void *__libc_malloc(size_t), *__libc_calloc(size_t, size_t), *__libc_realloc(void *, size_t), *__libc_memalign(size_t, size_t);
void *malloc(size_t size) { return too_large(size) ? NULL : __libc_malloc(size); }
void *calloc(size_t count, size_t size) { return too_large(count * size) ? NULL : __libc_calloc(count, size); }
void *realloc(void *old, size_t size) { return too_large(size) ? NULL : __libc_realloc(old, size); }
void *aligned_alloc(size_t alignment, size_t size) { return too_large(size) ? NULL : __libc_memalign(alignment, size); }
int posix_memalign(void **made, size_t alignment, size_t size) {
    if (too_large(size)) return ENOMEM;
    void *found = __libc_memalign(alignment, size);
    if (found) *made = found;
    return found ? 0 : ENOMEM;
}
