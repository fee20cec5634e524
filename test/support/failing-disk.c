/*
 * Preloaded into the daemon: makes system calls on its files fail. The file that CLOUDMAPD_TEST_FAULTS names has a line
 * for each fault, `<call> <errno> <end of the path>`, such as `fsync 5 -wal`; while it is not there nothing fails. Calls
 * are fsync (fdatasync too), write (whatever writes, shortens or removes), open (for writing) and short: half of what
 * is to be written is, until that is too little, then the errno. Each failure is counted by an octet in `<file>.count`.
 * Each fsync and fdatasync of a file is a line with its path in `<file>.syncs`, where there is such a file.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define LEAST_HALF 512

static int ends_with(const char *path, const char *end) {
  size_t length = strlen(path), wanted = strlen(end);
  return length >= wanted && strcmp(path + length - wanted, end) == 0;
}

/* The system calls themselves: what is here must not come back here. */
static void count(const char *faults) {
  char path[4096];
  snprintf(path, sizeof path, "%s.count", faults);
  int fd = syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND, 0644);
  if (fd < 0) return;
  syscall(SYS_write, fd, ".", 1);
  syscall(SYS_close, fd);
}

static void note_sync(const char *synced) {
  const char *faults = getenv("CLOUDMAPD_TEST_FAULTS");
  if (faults == NULL) return;
  char text[4098];
  snprintf(text, sizeof text, "%s.syncs", faults);
  int fd = syscall(SYS_openat, AT_FDCWD, text, O_WRONLY | O_APPEND, 0);
  if (fd < 0) return;
  int length = snprintf(text, sizeof text, "%s\n", synced);
  syscall(SYS_write, fd, text, length);
  syscall(SYS_close, fd);
}

/* The errno that the call is to fail with; 0: it is not to fail. */
static int fault_of(const char *call, const char *path) {
  const char *faults = getenv("CLOUDMAPD_TEST_FAULTS");
  if (faults == NULL) return 0;
  int fd = syscall(SYS_openat, AT_FDCWD, faults, O_RDONLY, 0);
  if (fd < 0) return 0;
  char text[1024];
  long length = syscall(SYS_read, fd, text, sizeof text - 1);
  syscall(SYS_close, fd);
  if (length <= 0) return 0;
  text[length] = 0;
  for (char *line = text; line != NULL; line = strchr(line, '\n')) {
    char name[16], end[256];
    int number;
    if (*line == '\n') line++;
    if (sscanf(line, "%15s %d %255s", name, &number, end) != 3) continue;
    if (strcmp(name, call) == 0 && ends_with(path, end)) return number;
  }
  return 0;
}

static int fails(const char *call, const char *path) {
  int fault = fault_of(call, path);
  if (fault == 0) return 0;
  count(getenv("CLOUDMAPD_TEST_FAULTS"));
  errno = fault;
  return 1;
}

static int path_of(int fd, char *path, size_t size) {
  char link[64];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  long length = syscall(SYS_readlinkat, AT_FDCWD, link, path, size - 1);
  if (length < 0) return -1;
  path[length] = 0;
  return path[0] == '/' ? 0 : -1;
}

static int fails_on(const char *call, int fd) {
  char path[4096];
  int saved = errno;
  int is_file = path_of(fd, path, sizeof path) == 0;
  errno = saved;
  return is_file && fails(call, path);
}

/* How much of it may be written; -1: nothing, with errno. */
static ssize_t allowed(int fd, size_t size) {
  char path[4096];
  int saved = errno;
  if (path_of(fd, path, sizeof path) < 0) {
    errno = saved;
    return size;
  }
  errno = saved;
  if (fails("write", path)) return -1;
  if (fault_of("short", path) == 0) return size;
  if (size / 2 >= LEAST_HALF) return size / 2;
  return fails("short", path) ? -1 : (ssize_t)size;
}

static int sync_by(long call, int fd) {
  if (fails_on("fsync", fd)) return -1;
  char path[4096];
  int saved = errno;
  if (path_of(fd, path, sizeof path) == 0) note_sync(path);
  errno = saved;
  return syscall(call, fd);
}

int fsync(int fd) { return sync_by(SYS_fsync, fd); }

int fdatasync(int fd) { return sync_by(SYS_fdatasync, fd); }

ssize_t write(int fd, const void *data, size_t size) {
  ssize_t some = allowed(fd, size);
  return some < 0 ? -1 : syscall(SYS_write, fd, data, some);
}

ssize_t pwrite64(int fd, const void *data, size_t size, off64_t at) {
  ssize_t some = allowed(fd, size);
  return some < 0 ? -1 : syscall(SYS_pwrite64, fd, data, some, at);
}

ssize_t writev(int fd, const struct iovec *parts, int number) {
  return fails_on("write", fd) ? -1 : syscall(SYS_writev, fd, parts, number);
}

ssize_t pwritev(int fd, const struct iovec *parts, int number, off_t at) {
  return fails_on("write", fd) ? -1 : syscall(SYS_pwritev, fd, parts, number, at, 0);
}

int ftruncate64(int fd, off64_t size) { return fails_on("write", fd) ? -1 : syscall(SYS_ftruncate, fd, size); }

int unlink(const char *path) {
  return fails("write", path) ? -1 : syscall(SYS_unlinkat, AT_FDCWD, path, 0);
}

static int open_at(int folder, const char *path, int flags, mode_t mode) {
  int writes = (flags & O_ACCMODE) != O_RDONLY || (flags & O_CREAT) != 0;
  return writes && fails("open", path) ? -1 : syscall(SYS_openat, folder, path, flags, mode);
}

#define MODE(flags)                                                                                                    \
  mode_t mode = 0;                                                                                                     \
  if ((flags & O_CREAT) != 0 || (flags & O_TMPFILE) == O_TMPFILE) {                                                    \
    va_list list;                                                                                                      \
    va_start(list, flags);                                                                                             \
    mode = va_arg(list, mode_t);                                                                                       \
    va_end(list);                                                                                                      \
  }

int open(const char *path, int flags, ...) {
  MODE(flags)
  return open_at(AT_FDCWD, path, flags, mode);
}

int open64(const char *path, int flags, ...) {
  MODE(flags)
  return open_at(AT_FDCWD, path, flags | O_LARGEFILE, mode);
}

int openat(int folder, const char *path, int flags, ...) {
  MODE(flags)
  return open_at(folder, path, flags, mode);
}
