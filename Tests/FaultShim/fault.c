// Stands between a program and libc (LD_PRELOAD, ld.so(8)): counts the calls that change something below FAULT_ROOT, in all
// threads together, and has one of them fail, or kills the program before it.
//
//   FAULT_ROOT=/path    what is counted: calls on names and descriptors below it
//   FAULT_LOG=/path     one line a call: number, call, path, second path
//   FAULT_AT=n          the call that is hit
//   FAULT_ERRNO=e       it fails with this; without it, the program is killed there
//   FAULT_FROM=1        and so does every later one of the same name
//   FAULT_CALL=name     only calls of this name are hit; openat with O_TMPFILE has the name tmpfile
//   FAULT_NO_FLOCK=1    flock(2) locks nothing, and says that it did
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER;
static int count, at, code, from, log_descriptor = -1, has_begun;
static const char *root, *only;

#define REAL(type, name, ...) \
    static type (*real)(__VA_ARGS__); \
    if (!real) real = (type (*)(__VA_ARGS__))dlsym(RTLD_NEXT, name)

static long raw_write(int descriptor, const void *bytes, size_t size) {
    return syscall(SYS_write, descriptor, bytes, size);
}

static int number(const char *name) {
    const char *text = getenv(name);
    return text ? atoi(text) : 0;
}

static void begin(void) {
    if (has_begun) return;
    has_begun = 1;
    root = getenv("FAULT_ROOT");
    only = getenv("FAULT_CALL");
    at = number("FAULT_AT");
    code = number("FAULT_ERRNO");
    from = number("FAULT_FROM");
    const char *path = getenv("FAULT_LOG");
    if (path) log_descriptor = (int)syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
}

// The path of a name in a folder, or of the descriptor itself where there is none.
static void full(int folder, const char *name, char *out) {
    out[0] = 0;
    if (name && name[0] == '/') {
        snprintf(out, PATH_MAX, "%s", name);
        return;
    }
    char link[64];
    if (folder == AT_FDCWD) snprintf(link, sizeof link, "/proc/self/cwd");
    else snprintf(link, sizeof link, "/proc/self/fd/%d", folder);
    ssize_t size = readlink(link, out, PATH_MAX / 2);
    if (size < 0) size = 0;
    out[size] = 0;
    // What proc(5) appends to the path of a file with no name; a space would end it in the log.
    char *deleted = strstr(out, " (deleted)");
    if (deleted) {
        *deleted = 0;
        size = deleted - out;
    }
    if (name && *name) snprintf(out + size, PATH_MAX / 2, "/%s", name);
}

// Returns the error that the call is to fail with; 0 to go on.
static int hit(const char *call, int folder, const char *name, int other_folder, const char *other) {
    int saved = errno, result = 0;
    char path[PATH_MAX + 1], other_path[PATH_MAX + 1] = "";
    full(folder, name, path);
    if (other) full(other_folder, other, other_path);
    pthread_mutex_lock(&turn);
    begin();
    if (root && (strncmp(path, root, strlen(root)) == 0 || strncmp(other_path, root, strlen(root)) == 0)) {
        int is_one = !only || strcmp(only, call) == 0;
        if (is_one) count++;
        if (log_descriptor >= 0) {
            char line[2 * PATH_MAX + 64];
            int size = snprintf(line, sizeof line, "%d %s %s %s\n", count, call, path, other_path);
            raw_write(log_descriptor, line, (size_t)size);
        }
        if (at && is_one && (count == at || (from && count > at))) {
            if (!code) {
                raise(SIGKILL);
                for (;;) pause();
            }
            result = code;
        }
    }
    pthread_mutex_unlock(&turn);
    errno = saved;
    return result;
}

#define STOP(call, folder, name, other_folder, other) \
    do { \
        int error = hit(call, folder, name, other_folder, other); \
        if (error) { \
            errno = error; \
            return -1; \
        } \
    } while (0)

#define CHANGES (O_CREAT | O_TRUNC)

static int open_mode(int flags, va_list list) { return flags & (O_CREAT | __O_TMPFILE) ? va_arg(list, int) : 0; }

int openat(int folder, const char *name, int flags, ...) {
    va_list list;
    va_start(list, flags);
    int mode = open_mode(flags, list);
    va_end(list);
    if (flags & CHANGES) STOP("openat", folder, name, 0, NULL);
    if ((flags & O_TMPFILE) == O_TMPFILE) STOP("tmpfile", folder, NULL, 0, NULL);
    REAL(int, "openat", int, const char *, int, ...);
    return real(folder, name, flags, mode);
}

int openat64(int folder, const char *name, int flags, ...) {
    va_list list;
    va_start(list, flags);
    int mode = open_mode(flags, list);
    va_end(list);
    return openat(folder, name, flags, mode);
}

int mkdirat(int folder, const char *name, mode_t mode) {
    STOP("mkdirat", folder, name, 0, NULL);
    REAL(int, "mkdirat", int, const char *, mode_t);
    return real(folder, name, mode);
}

int mkdir(const char *name, mode_t mode) { return mkdirat(AT_FDCWD, name, mode); }

int renameat(int folder, const char *name, int other_folder, const char *other) {
    STOP("renameat", folder, name, other_folder, other);
    REAL(int, "renameat", int, const char *, int, const char *);
    return real(folder, name, other_folder, other);
}

// renameat2 has no other way in the product.
long syscall(long call, ...) {
    va_list list;
    va_start(list, call);
    long a = va_arg(list, long), b = va_arg(list, long), c = va_arg(list, long), d = va_arg(list, long),
         e = va_arg(list, long), f = va_arg(list, long);
    va_end(list);
    static long (*real)(long, ...);
    if (!real) real = (long (*)(long, ...))dlsym(RTLD_NEXT, "syscall");
    if (call == SYS_renameat2) STOP("renameat2", (int)a, (const char *)b, (int)c, (const char *)d);
    return real(call, a, b, c, d, e, f);
}

int linkat(int folder, const char *name, int other_folder, const char *other, int flags) {
    STOP("linkat", folder, name, other_folder, other);
    REAL(int, "linkat", int, const char *, int, const char *, int);
    return real(folder, name, other_folder, other, flags);
}

int unlinkat(int folder, const char *name, int flags) {
    STOP("unlinkat", folder, name, 0, NULL);
    REAL(int, "unlinkat", int, const char *, int);
    return real(folder, name, flags);
}

int fchmod(int descriptor, mode_t mode) {
    STOP("fchmod", descriptor, NULL, 0, NULL);
    REAL(int, "fchmod", int, mode_t);
    return real(descriptor, mode);
}

int futimens(int descriptor, const struct timespec times[2]) {
    STOP("futimens", descriptor, NULL, 0, NULL);
    REAL(int, "futimens", int, const struct timespec *);
    return real(descriptor, times);
}

int ftruncate(int descriptor, off_t size) {
    STOP("ftruncate", descriptor, NULL, 0, NULL);
    REAL(int, "ftruncate", int, off_t);
    return real(descriptor, size);
}

int fallocate(int descriptor, int mode, off_t offset, off_t size) {
    STOP("fallocate", descriptor, NULL, 0, NULL);
    REAL(int, "fallocate", int, int, off_t, off_t);
    return real(descriptor, mode, offset, size);
}

ssize_t pwrite(int descriptor, const void *bytes, size_t size, off_t offset) {
    STOP("pwrite", descriptor, NULL, 0, NULL);
    REAL(ssize_t, "pwrite", int, const void *, size_t, off_t);
    return real(descriptor, bytes, size, offset);
}

int fsync(int descriptor) {
    STOP("fsync", descriptor, NULL, 0, NULL);
    REAL(int, "fsync", int);
    return real(descriptor);
}

int syncfs(int descriptor) {
    STOP("syncfs", descriptor, NULL, 0, NULL);
    REAL(int, "syncfs", int);
    return real(descriptor);
}

int sync_file_range(int descriptor, off_t offset, off_t size, unsigned flags) {
    STOP("sync_file_range", descriptor, NULL, 0, NULL);
    REAL(int, "sync_file_range", int, off_t, off_t, unsigned);
    return real(descriptor, offset, size, flags);
}

int flock(int descriptor, int operation) {
    STOP("flock", descriptor, NULL, 0, NULL);
    if (getenv("FAULT_NO_FLOCK")) return 0;
    REAL(int, "flock", int, int);
    return real(descriptor, operation);
}
