// Linux calls that the Glibc module lacks, because glibc declares them for _GNU_SOURCE alone, or not at all.
#ifndef MODELSYNC_CLINUX_H
#define MODELSYNC_CLINUX_H
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <linux/openat2.h>
#include <pthread.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

// An enumerator of the type that setpriority(2) takes in C++ alone.
static const int modelsync_PRIO_PROCESS = 0;
static const unsigned int modelsync_RENAME_NOREPLACE = RENAME_NOREPLACE;
static const unsigned int modelsync_RENAME_EXCHANGE = RENAME_EXCHANGE;
static const int modelsync_FALLOC_FL_KEEP_SIZE = FALLOC_FL_KEEP_SIZE;
// Of open(2), a file with no name; of linkat(2), the descriptor's own file; of fcntl(2), a lock that is the open file's.
static const int modelsync_O_TMPFILE = 020000000 | O_DIRECTORY;
static const int modelsync_AT_EMPTY_PATH = 0x1000;
static const int modelsync_F_OFD_SETLK = 37;
// UTIME_OMIT of utimensat(2), a macro with a cast.
static const long modelsync_UTIME_OMIT = (1L << 30) - 2L;

// fallocate(2)
extern int fallocate(int descriptor, int mode, off_t offset, off_t length);
// sync_file_range(2)
extern int sync_file_range(int descriptor, off_t offset, off_t count, unsigned int flags);
// syncfs(2)
extern int syncfs(int descriptor);
// pthread_setname_np(3)
extern int pthread_setname_np(pthread_t thread, const char *_Nonnull name);

// sched_getaffinity(2) and sched_setaffinity(2), the system calls: one bit a core, and the first tells the bytes that it wrote.
static inline long modelsync_get_affinity(pid_t thread, size_t bytes, unsigned long *_Nonnull mask) {
    return syscall(SYS_sched_getaffinity, thread, bytes, mask);
}
static inline long modelsync_set_affinity(pid_t thread, size_t bytes, const unsigned long *_Nonnull mask) {
    return syscall(SYS_sched_setaffinity, thread, bytes, mask);
}

// getcpu(2): the core that the caller is on, or -1
static inline int modelsync_current_core(void) {
    unsigned int core;
    return syscall(SYS_getcpu, &core, NULL, NULL) == 0 ? (int)core : -1;
}

// gettid(2)
static inline pid_t modelsync_thread_id(void) { return (pid_t)syscall(SYS_gettid); }

// openat2(2), of a file to read below a folder: with no symbolic link and no `..` on the way, and with its time of last
// access left alone (O_NOATIME, for owners).
static inline int modelsync_open_below(int folder, const char *_Nonnull path, int flags) {
    const struct open_how how = {
        .flags = (unsigned long long)flags | 01000000,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS,
    };
    return (int)syscall(SYS_openat2, folder, path, &how, sizeof how);
}

// sync_file_range(2), SYNC_FILE_RANGE_WRITE
static inline int modelsync_start_writeback(int descriptor, off_t offset, off_t count) {
    return sync_file_range(descriptor, offset, count, 2);
}

// sync_file_range(2), SYNC_FILE_RANGE_WAIT_BEFORE, of the whole file
static inline int modelsync_wait_for_writeback(int descriptor) {
    return sync_file_range(descriptor, 0, 0, 1);
}

// renameat2(2)
static inline int modelsync_renameat2(int old_folder, const char *_Nonnull old_name, int new_folder,
                                      const char *_Nonnull new_name, unsigned int flags) {
    return (int)syscall(SYS_renameat2, old_folder, old_name, new_folder, new_name, flags);
}
#endif
