/* Between the program and the system: writes ("write") or fsyncs ("fsync") of the journal and the snapshots, or fsyncs of
   the state folder itself ("fsync-folder"), fail with EIO, or whatever would change something in the state folder fails with EROFS ("read-only"), as long as the file that $FAULT names
   holds that word. A kernel makes a file system read-only under its users when the disk fails; nobody else can while
   a file on it is open for writing. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static int told(const char *what) {
    char word[16] = {0};
    const char *fault = getenv("FAULT");
    int file = fault ? (int)syscall(SYS_openat, AT_FDCWD, fault, O_RDONLY) : -1;
    if (file < 0) return 0;
    ssize_t length = read(file, word, sizeof word - 1);
    close(file);
    return length > 0 && strcmp(word, what) == 0;
}

static int of_the_state(const char *path) {
    return strstr(path, "/journal") != NULL || strstr(path, "/snapshot") != NULL;
}

static int is_the_folder(const char *path) {
    size_t length = strlen(path);
    return length > 6 && strcmp(path + length - 6, "/state") == 0;
}

static int fails(int fd, const char *what) {
    char link[64], path[4096];
    if (!told(what)) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = 0;
    return strcmp(what, "fsync-folder") == 0 ? is_the_folder(path) : of_the_state(path);
}

static int read_only(const char *path) {
    if (strncmp(path, "state", 5) != 0 && strstr(path, "/state") == NULL) return 0;
    if (!told("read-only")) return 0;
    errno = EROFS;
    return 1;
}

ssize_t write(int fd, const void *bytes, size_t count) {
    if (fails(fd, "write")) {
        errno = EIO;
        return -1;
    }
    if (fails(fd, "read-only")) {
        errno = EROFS;
        return -1;
    }
    return syscall(SYS_write, fd, bytes, count);
}

int open64(const char *path, int flags, ...) {
    va_list rest;
    va_start(rest, flags);
    mode_t mode = flags & O_CREAT ? va_arg(rest, mode_t) : 0;
    va_end(rest);
    if ((flags & (O_WRONLY | O_RDWR | O_CREAT | O_TRUNC)) && read_only(path)) return -1;
    return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

int mkdir(const char *path, mode_t mode) {
    return read_only(path) ? -1 : (int)syscall(SYS_mkdirat, AT_FDCWD, path, mode);
}

int unlink(const char *path) {
    return read_only(path) ? -1 : (int)syscall(SYS_unlinkat, AT_FDCWD, path, 0);
}

int rename(const char *from, const char *to) {
    return read_only(to) ? -1 : (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
}

int fdatasync(int fd) {
    if (fails(fd, "fsync")) {
        errno = EIO;
        return -1;
    }
    return (int)syscall(SYS_fdatasync, fd);
}

int fsync(int fd) {
    if (fails(fd, "fsync") || fails(fd, "fsync-folder")) {
        errno = EIO;
        return -1;
    }
    return (int)syscall(SYS_fsync, fd);
}
