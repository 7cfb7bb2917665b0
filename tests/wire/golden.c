#include "golden.h"

#include <stdio.h>
#include <stdlib.h>

static uint8_t *read_file(const char *path, size_t *size) {
    FILE *f = fopen(path, "rb");
    if (!f || fseek(f, 0, SEEK_END)) {
        perror(path);
        exit(1);
    }
    *size = (size_t)ftell(f);
    rewind(f);
    uint8_t *bytes = malloc(*size);
    if (!bytes || fread(bytes, 1, *size, f) != *size) {
        fprintf(stderr, "%s: cannot be read\n", path);
        exit(1);
    }
    fclose(f);
    return bytes;
}

/* The class FetchRequestData is the message FetchRequest; QuorumStateData has its name from the schema. */
static const struct message *message_of_class(struct kstr class_name) {
    char name[128];
    snprintf(name, sizeof name, "%.*s", (int)class_name.len, class_name.s);
    const struct message *m = message_by_name(name);
    if (!m && class_name.len > 4) {
        name[class_name.len - 4] = 0;
        m = message_by_name(name);
    }
    return m;
}

int golden_each(const char *path, void (*check)(const struct golden_sample *sample, void *context),
                void *context) {
    size_t size;
    uint8_t *file = read_file(path, &size);
    struct reader r = reader_of(file, size);
    int total = 0;
    while (reader_left(&r)) {
        struct kstr name = read_string(&r, false, false);
        struct golden_sample s = {.message = message_of_class(name)};
        int samples = read_i16(&r);
        if (!s.message || r.err) {
            fprintf(stderr, "no message for class %.*s\n", (int)name.len, name.s);
            exit(1);
        }
        for (; s.number < samples; s.number++, total++) {
            s.version = read_i16(&r);
            s.json_crc = read_u32(&r);
            struct kbytes b = read_bytes(&r, false, false);
            if (r.err) exit(1);
            s.bytes = b.p;
            s.len = b.len;
            check(&s, context);
        }
    }
    free(file);
    return total;
}
