#include "wire/message.h"

#include <ctype.h>
#include <stdlib.h>

enum { PRINT_MEMORY = 64 << 20 };

const struct message *message_by_name(const char *name) {
    for (int i = 0; i < messages_n; i++)
        if (!strcmp(messages[i]->name, name)) return messages[i];
    return NULL;
}

const struct message *message_of_record(const char *family, enum message_kind kind, int16_t type) {
    for (int i = 0; i < messages_n; i++) {
        const struct message *m = messages[i];
        if (m->kind == kind && m->type == type && !strcmp(m->family, family)) return m;
    }
    return NULL;
}

void message_constant_name(const struct message *m, char *out, size_t size) {
    size_t n = 0;
    for (const char *s = m->name; *s && n + 2 < size; s++) {
        if (isupper((unsigned char)*s) && s > m->name && !isupper((unsigned char)s[-1])) out[n++] = '_';
        out[n++] = (char)toupper((unsigned char)*s);
    }
    if (size) out[n] = 0;
}

int message_print(const struct message *m, const void *bytes, size_t n, int16_t version, struct strbuf *out,
                  size_t *left) {
    struct arena a;
    arena_init(&a, PRINT_MEMORY);
    struct reader r = reader_of(bytes, n);
    void *x = arena_calloc(&a, 1, m->shape->size);
    int err = x ? m->decode(x, &r, version, &a) : OE_NOMEM;
    if (!err) shape_json(m->shape, x, out, version);
    if (left) *left = reader_left(&r);
    arena_free(&a);
    return err;
}
