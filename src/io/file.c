#include "io/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"

/* What errno means to callers; what nobody expects is logged. */
static int fs_error(const char *what, const char *path) {
    int e = errno;
    if (e == ENOENT) return OE_NOTFOUND;
    if (e == EEXIST || e == ENOTEMPTY) return OE_EXISTS;
    LOG_LIMITED(LOG_ERROR, "disk", "%s %s: %s", what, path, strerror(e));
    return e == ENOSPC || e == EDQUOT ? OE_NOSPC : OE_IO;
}

static int64_t real_pread(struct file *f, void *to, size_t n, int64_t at) {
    size_t done = 0;
    while (done < n) {
        ssize_t k = pread(f->fd, (char *)to + done, n - done, at + (int64_t)done);
        if (k < 0 && errno == EINTR) continue;
        if (k < 0) return fs_error("reading", "a file");
        if (!k) break;
        done += (size_t)k;
    }
    return (int64_t)done;
}

static int real_pwritev(struct file *f, struct iovec *iov, int count, int64_t at) {
    while (count > 0) {
        if (!iov->iov_len) {
            iov++, count--;
            continue;
        }
        ssize_t k = pwritev(f->fd, iov, count < IOV_MAX ? count : IOV_MAX, at);
        if (k < 0 && errno == EINTR) continue;
        if (k < 0) return fs_error("writing", "a file");
        if (!k) return OE_IO;
        at += k;
        for (; count && (size_t)k >= iov->iov_len; iov++, count--) k -= (ssize_t)iov->iov_len;
        if (count) {
            iov->iov_base = (char *)iov->iov_base + k;
            iov->iov_len -= (size_t)k;
        }
    }
    return 0;
}

static int real_datasync(struct file *f) { return fdatasync(f->fd) ? fs_error("fdatasync of", "a file") : 0; }

static int real_truncate(struct file *f, int64_t size) {
    return ftruncate(f->fd, size) ? fs_error("truncating", "a file") : 0;
}

static int real_allocate(struct file *f, int64_t size) {
    int e = posix_fallocate(f->fd, 0, size);
    if (!e) return 0;
    errno = e;
    return fs_error("allocating", "a file");
}

static int64_t real_size(struct file *f) {
    struct stat st;
    return fstat(f->fd, &st) ? fs_error("examining", "a file") : st.st_size;
}

static void real_close(struct file *f) {
    close(f->fd);
    free(f);
}

static const struct file_ops real_file_ops = {real_pread,    real_pwritev, real_datasync, real_truncate,
                                              real_allocate, real_size,    real_close};

static struct file *real_file(int fd) {
    struct file *f = xmalloc(sizeof *f);
    f->ops = &real_file_ops;
    f->fd = fd;
    atomic_init(&f->refs, 1);
    return f;
}

static int real_open(struct fs *fs, const char *path, unsigned flags, struct file **f) {
    int how = O_CLOEXEC | (flags & FS_WRITE ? O_RDWR : O_RDONLY) | (flags & FS_CREATE ? O_CREAT : 0) |
              (flags & FS_EXCL ? O_EXCL : 0) | (flags & FS_TRUNC ? O_TRUNC : 0);
    int fd = open(path, how, 0644);
    if (fd < 0) return fs_error("opening", path);
    *f = real_file(fd);
    return 0;
}

static int real_rename(struct fs *fs, const char *from, const char *to) {
    return rename(from, to) ? fs_error("renaming", from) : 0;
}
static int real_unlink(struct fs *fs, const char *path) {
    return unlink(path) ? fs_error("deleting", path) : 0;
}
static int real_mkdir(struct fs *fs, const char *path) {
    return mkdir(path, 0755) ? fs_error("making", path) : 0;
}
static int real_rmdir(struct fs *fs, const char *path) {
    return rmdir(path) ? fs_error("deleting", path) : 0;
}

static int with_dir(const char *path, int (*sync)(int fd)) {
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return fs_error("opening", path);
    int e = sync(fd) ? fs_error("syncing", path) : 0;
    close(fd);
    return e;
}
static int real_sync_dir(struct fs *fs, const char *path) { return with_dir(path, fsync); }
static int real_sync_all(struct fs *fs, const char *path) { return with_dir(path, syncfs); }

static int real_list(struct fs *fs, const char *path, void (*each)(void *to, const char *name, bool is_dir),
                     void *to) {
    DIR *d = opendir(path);
    if (!d) return fs_error("listing", path);
    for (struct dirent *e; (errno = 0, e = readdir(d));) {
        if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, "..")) continue;
        bool is_dir = e->d_type == DT_DIR;
        if (e->d_type == DT_UNKNOWN || e->d_type == DT_LNK) {
            struct stat st;
            is_dir = !fstatat(dirfd(d), e->d_name, &st, 0) && S_ISDIR(st.st_mode);
        }
        each(to, e->d_name, is_dir);
    }
    int err = errno ? fs_error("listing", path) : 0;
    closedir(d);
    return err;
}

static int real_stat(struct fs *fs, const char *path, struct fs_stat *st) {
    struct stat s;
    if (stat(path, &s)) return fs_error("examining", path);
    *st = (struct fs_stat){.size = s.st_size,
                           .mtime_ms = (int64_t)s.st_mtim.tv_sec * 1000 + s.st_mtim.tv_nsec / 1000000,
                           .inode = s.st_ino,
                           .is_dir = S_ISDIR(s.st_mode)};
    return 0;
}

static int real_lock(struct fs *fs, const char *path, struct file **lock) {
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0) return fs_error("opening", path);
    struct flock fl = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    if (fcntl(fd, F_SETLK, &fl)) {
        int e = errno == EAGAIN || errno == EACCES ? OE_AGAIN : fs_error("locking", path);
        close(fd);
        return e;
    }
    *lock = real_file(fd);
    return 0;
}

static void real_boot_id(struct fs *fs, char id[FS_BOOT_ID]) {
    memset(id, 0, FS_BOOT_ID);
    int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    if (fd < 0) return;
    ssize_t n = read(fd, id, FS_BOOT_ID - 1);
    close(fd);
    id[n > 0 ? strcspn(id, "\n") : 0] = 0;
}

static int real_set_mtime(struct fs *fs, const char *path, int64_t ms) {
    struct timespec t = {ms / 1000, ms % 1000 * 1000000};
    if (t.tv_nsec < 0) t.tv_nsec += 1000000000, t.tv_sec--;
    return utimensat(AT_FDCWD, path, (struct timespec[]){{.tv_nsec = UTIME_OMIT}, t}, 0)
               ? fs_error("changing the time of", path)
               : 0;
}

static const struct fs_ops real_fs_ops = {real_open,  real_rename,   real_unlink,   real_mkdir,
                                          real_rmdir, real_sync_dir, real_sync_all, real_list,
                                          real_stat,  real_lock,     real_boot_id,  real_set_mtime};

struct fs *fs_real(void) {
    static struct fs real = {&real_fs_ops};
    return &real;
}

int fs_read_all(struct fs *fs, const char *path, size_t limit, uint8_t **bytes, size_t *n) {
    struct file *f = NULL;
    uint8_t *p = NULL;
    int err = fs_open(fs, path, FS_READ, &f);
    if (err) return err;
    int64_t size = file_size(f), got = 0;
    if (size < 0)
        err = (int)size;
    else if ((uint64_t)size > limit)
        err = OE_LIMIT;
    else if (!(p = malloc((size_t)size + 1)))
        err = OE_NOMEM;
    else if ((got = file_pread(f, p, (size_t)size, 0)) < 0)
        err = (int)got;
    file_unref(f);
    if (err) {
        free(p);
        return err;
    }
    p[got] = 0;
    *bytes = p;
    *n = (size_t)got;
    return 0;
}

static int replace(struct fs *fs, const char *path, const void *bytes, size_t n, bool sync) {
    struct file *f = NULL;
    char *tmp = xasprintf("%s.tmp", path);
    int err = fs_open(fs, tmp, FS_WRITE | FS_CREATE | FS_TRUNC, &f);
    if (!err) err = file_pwrite(f, bytes, n, 0);
    if (!err && sync) err = file_datasync(f);
    file_unref(f);
    if (!err) err = fs_rename(fs, tmp, path);
    free(tmp);
    return err;
}

int fs_replace(struct fs *fs, const char *path, const void *bytes, size_t n) {
    return replace(fs, path, bytes, n, false);
}

int fs_write_atomic(struct fs *fs, const char *path, const void *bytes, size_t n) {
    char *dir = xstrdup(path), *slash = strrchr(dir, '/');
    ASSERT(slash && slash > dir);
    *slash = 0;
    int err = replace(fs, path, bytes, n, true);
    if (!err) err = fs_sync_dir(fs, dir);
    free(dir);
    return err;
}

int fs_sync_file(struct fs *fs, const char *path) {
    struct file *f = NULL;
    int err = fs_open(fs, path, FS_WRITE, &f);
    if (!err) err = file_datasync(f);
    file_unref(f);
    return err;
}

struct names {
    struct fs *fs;
    const char *dir;
    int err;
};

static void remove_one(void *to, const char *name, bool is_dir) {
    struct names *n = to;
    char *path = xasprintf("%s/%s", n->dir, name);
    int err = is_dir ? OE_EXISTS : fs_unlink(n->fs, path);
    if (err && err != OE_NOTFOUND && !n->err) n->err = err;
    free(path);
}

int fs_remove_tree(struct fs *fs, const char *path) {
    struct names n = {fs, path, 0};
    int err = fs_list(fs, path, remove_one, &n);
    if (err) return err == OE_NOTFOUND ? 0 : err;
    if (n.err) return n.err;
    err = fs_rmdir(fs, path);
    return err == OE_NOTFOUND ? 0 : err;
}
