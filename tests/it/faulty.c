/* Between the program and the system: writes ("write") or fsyncs ("fsync") of the journal fail with EIO, as long as
   the file that $FAULT names holds that word. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static int fails(int fd, const char *what) {
    char link[64], path[4096], word[16] = {0};
    const char *fault = getenv("FAULT");
    int file = fault ? open(fault, O_RDONLY) : -1;
    if (file < 0) return 0;
    ssize_t length = read(file, word, sizeof word - 1);
    close(file);
    if (length <= 0 || strcmp(word, what) != 0) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    length = readlink(link, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = 0;
    return strstr(path, "/journal") != NULL || strstr(path, "/snapshot") != NULL;
}

ssize_t write(int fd, const void *bytes, size_t count) {
    if (fails(fd, "write")) {
        errno = EIO;
        return -1;
    }
    return syscall(SYS_write, fd, bytes, count);
}

int fdatasync(int fd) {
    if (fails(fd, "fsync")) {
        errno = EIO;
        return -1;
    }
    return (int)syscall(SYS_fdatasync, fd);
}

int fsync(int fd) {
    if (fails(fd, "fsync")) {
        errno = EIO;
        return -1;
    }
    return (int)syscall(SYS_fsync, fd);
}
