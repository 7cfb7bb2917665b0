/* Files and directories behind a small table of functions, so that storage runs on the machine's disk
 * (fs_real) or on a simulated one that loses power (io/sim_disk.h).
 *
 * Errors everywhere: OE_IO (errno was logged), OE_NOSPC (disk or quota full), OE_NOTFOUND, OE_EXISTS,
 * OE_LIMIT. Any thread, except where two calls on one name race with each other in the obvious way. Paths are
 * NUL-ended.
 *
 * A file is counted: whoever keeps a pointer owns one reference, and the last one closes it. A segment that
 * is deleted while a response still sends from it lives until that response lets go. */
#ifndef OTTLA_IO_FILE_H
#define OTTLA_IO_FILE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

struct fs;
struct file;

enum fs_open_flags { FS_READ = 0, FS_WRITE = 1, FS_CREATE = 2, FS_EXCL = 4, FS_TRUNC = 8 };

struct fs_stat {
    int64_t size, mtime_ms;
    uint64_t inode;
    bool is_dir;
};

enum { FS_BOOT_ID = 40 }; /* bytes of a boot id's text, with the NUL */

struct file_ops {
    int64_t (*pread)(struct file *f, void *to, size_t n, int64_t at);
    int (*pwritev)(struct file *f, struct iovec *iov, int count, int64_t at);
    int (*datasync)(struct file *f);
    int (*truncate)(struct file *f, int64_t size);
    int (*allocate)(struct file *f, int64_t size);
    int64_t (*size)(struct file *f);
    void (*close)(struct file *f); /* frees f */
};

struct fs_ops {
    int (*open)(struct fs *fs, const char *path, unsigned flags, struct file **f);
    int (*rename)(struct fs *fs, const char *from, const char *to);
    int (*unlink)(struct fs *fs, const char *path);
    int (*mkdir)(struct fs *fs, const char *path);
    int (*rmdir)(struct fs *fs, const char *path);
    int (*sync_dir)(struct fs *fs, const char *path);
    int (*sync_all)(struct fs *fs, const char *path);
    int (*list)(struct fs *fs, const char *path, void (*each)(void *to, const char *name, bool is_dir),
                void *to);
    int (*stat)(struct fs *fs, const char *path, struct fs_stat *st);
    int (*lock)(struct fs *fs, const char *path, struct file **lock);
    void (*boot_id)(struct fs *fs, char id[FS_BOOT_ID]);
    int (*set_mtime)(struct fs *fs, const char *path, int64_t mtime_ms);
};

struct fs {
    const struct fs_ops *ops;
};

struct file {
    const struct file_ops *ops;
    _Atomic int refs;
    int fd; /* -1 when simulated */
};

/* The machine's own file system. Never freed. */
struct fs *fs_real(void);

/* A new file has one reference, the caller's. FS_CREATE makes it if it is missing (FS_EXCL: OE_EXISTS if
 * not). */
static inline int fs_open(struct fs *fs, const char *path, unsigned flags, struct file **f) {
    return fs->ops->open(fs, path, flags, f);
}
static inline int fs_rename(struct fs *fs, const char *from, const char *to) {
    return fs->ops->rename(fs, from, to);
}
static inline int fs_unlink(struct fs *fs, const char *path) { return fs->ops->unlink(fs, path); }
static inline int fs_mkdir(struct fs *fs, const char *path) { return fs->ops->mkdir(fs, path); }
static inline int fs_rmdir(struct fs *fs, const char *path) { return fs->ops->rmdir(fs, path); }
/* Makes the names in the directory durable (created, renamed, deleted). */
static inline int fs_sync_dir(struct fs *fs, const char *path) { return fs->ops->sync_dir(fs, path); }
/* Makes everything on the path's file system durable: one call instead of thousands of fsyncs. */
static inline int fs_sync_all(struct fs *fs, const char *path) { return fs->ops->sync_all(fs, path); }
/* Calls `each` for every name but . and .. , in no order. */
static inline int fs_list(struct fs *fs, const char *path,
                          void (*each)(void *to, const char *name, bool is_dir), void *to) {
    return fs->ops->list(fs, path, each, to);
}
static inline int fs_stat(struct fs *fs, const char *path, struct fs_stat *st) {
    return fs->ops->stat(fs, path, st);
}
/* Locks the file for this process (the lock that Kafka takes, too) until the last reference is given up;
 * makes the file if it is missing. OE_AGAIN: another process holds it. */
static inline int fs_lock(struct fs *fs, const char *path, struct file **lock) {
    return fs->ops->lock(fs, path, lock);
}
/* A text that changes when the machine starts anew; "" when unknown. What write() completed before is lost
 * only then. */
static inline void fs_boot_id(struct fs *fs, char id[FS_BOOT_ID]) { fs->ops->boot_id(fs, id); }

/* Says when the file was last changed: one that replaces others keeps their time. */
static inline int fs_set_mtime(struct fs *fs, const char *path, int64_t mtime_ms) {
    return fs->ops->set_mtime(fs, path, mtime_ms);
}

/* The whole file; the caller frees *bytes (NUL-ended beyond *n). OE_LIMIT when it is larger than limit. */
int fs_read_all(struct fs *fs, const char *path, size_t limit, uint8_t **bytes, size_t *n);
/* Replaces the file's content as a whole: path.tmp, fsync, rename, and the directory's fsync. */
int fs_write_atomic(struct fs *fs, const char *path, const void *bytes, size_t n);
/* The same without the fsyncs, for what may be lost: a reader sees the old content or the new one, but after
 * a power cut the file may be either, torn, or gone. */
int fs_replace(struct fs *fs, const char *path, const void *bytes, size_t n);
/* Makes one file's content durable (its name: fs_sync_dir). */
int fs_sync_file(struct fs *fs, const char *path);
/* Deletes a directory and the files (not directories) in it. */
int fs_remove_tree(struct fs *fs, const char *path);

static inline struct file *file_ref(struct file *f) {
    atomic_fetch_add_explicit(&f->refs, 1, memory_order_relaxed);
    return f;
}
/* NULL is allowed. */
static inline void file_unref(struct file *f) {
    if (f && atomic_fetch_sub_explicit(&f->refs, 1, memory_order_acq_rel) == 1) f->ops->close(f);
}
/* The bytes read, fewer than n only at the end of the file, or an error. */
static inline int64_t file_pread(struct file *f, void *to, size_t n, int64_t at) {
    return f->ops->pread(f, to, n, at);
}
/* All bytes or an error (then some may be in the file). iov is used up: its contents are undefined
 * afterwards. */
static inline int file_pwritev(struct file *f, struct iovec *iov, int count, int64_t at) {
    return f->ops->pwritev(f, iov, count, at);
}
static inline int file_pwrite(struct file *f, const void *bytes, size_t n, int64_t at) {
    struct iovec v = {(void *)bytes, n};
    return f->ops->pwritev(f, &v, 1, at);
}
static inline int file_datasync(struct file *f) { return f->ops->datasync(f); }
static inline int file_truncate(struct file *f, int64_t size) { return f->ops->truncate(f, size); }
/* Reserves space, the size grows to at least `size` (zeros). */
static inline int file_allocate(struct file *f, int64_t size) { return f->ops->allocate(f, size); }
/* Bytes, or an error. */
static inline int64_t file_size(struct file *f) { return f->ops->size(f); }
/* For sendfile; -1 when simulated. */
static inline int file_fd(const struct file *f) { return f->fd; }

#endif
