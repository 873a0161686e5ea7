/* A file system whose reads take a while: preloaded, it delays each read of a file below $SLOW_FOLDER by $SLOW_MS.
 *
 *     cc -shared -fPIC -O2 -o slow_reads.so slow_reads.c -ldl
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static void delay(int descriptor) {
    const char *folder = getenv("SLOW_FOLDER"), *wanted = getenv("SLOW_MS");
    char link[64], path[PATH_MAX];
    if (folder == NULL || wanted == NULL) return;
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t size = readlink(link, path, sizeof path - 1);
    if (size <= 0) return;
    path[size] = 0;
    if (strncmp(path, folder, strlen(folder)) != 0) return;
    long microseconds = (long)(atof(wanted) * 1000);
    struct timespec pause = {microseconds / 1000000, microseconds % 1000000 * 1000};
    nanosleep(&pause, NULL);
}

#define SLOW(name, arguments, ...)                                     \
    ssize_t name arguments {                                           \
        static ssize_t(*real) arguments = NULL;                        \
        if (real == NULL) real = (ssize_t(*) arguments)dlsym(RTLD_NEXT, #name); \
        delay(descriptor);                                             \
        return real(__VA_ARGS__);                                      \
    }

SLOW(read, (int descriptor, void *buffer, size_t size), descriptor, buffer, size)
SLOW(pread, (int descriptor, void *buffer, size_t size, off_t at), descriptor, buffer, size, at)
SLOW(pread64, (int descriptor, void *buffer, size_t size, off64_t at), descriptor, buffer, size, at)
