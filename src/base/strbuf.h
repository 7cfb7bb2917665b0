/* A growing buffer of bytes with a stated maximum. Also used for text: it is always ended by a NUL that is
 * not counted. One owner. When the maximum or memory is reached, `failed` is set, further appends do nothing,
 * and strbuf_ok() says so: check once at the end. */
#ifndef OTTLA_BASE_STRBUF_H
#define OTTLA_BASE_STRBUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct strbuf {
    char *s;                /* NULL until the first append */
    size_t len, cap, limit; /* bytes */
    bool failed;
};

void strbuf_init(struct strbuf *b, size_t limit);
void strbuf_free(struct strbuf *b);
void strbuf_reset(struct strbuf *b); /* keeps the memory */
/* Room for n more bytes at the returned address (then add to len), or NULL. */
void *strbuf_reserve(struct strbuf *b, size_t n);
void strbuf_add(struct strbuf *b, const void *bytes, size_t n);
void strbuf_adds(struct strbuf *b, const char *s);
void strbuf_addf(struct strbuf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The text as JSON between quotes, control characters and invalid UTF-8 escaped. */
void strbuf_add_json(struct strbuf *b, const char *s, size_t n);
/* The memory, NUL-ended, which the caller now owns and frees; never NULL unless failed. */
char *strbuf_detach(struct strbuf *b);
static inline bool strbuf_ok(const struct strbuf *b) { return !b->failed; }
static inline const char *strbuf_str(const struct strbuf *b) { return b->s ? b->s : ""; }

#endif
