/* Every message by name or number, for code that handles all alike: log dump, tests, fuzzers. The hot path
 * calls the generated functions of "api/<api>.h" instead.
 *
 * Generated from schema/ for each message X, and for its nested structs X_<struct> init only:
 *   void X_init(struct X *x)                     the schema's defaults
 *   int X_decode(struct X *x, struct reader *r, int16_t version, struct arena *a)
 *        0, OE_SHORT, OE_MALFORMED, OE_LIMIT (arena), OE_UNSUPPORTED (version). Strings and bytes borrow from
 * r's buffer, arrays from the arena. What the version does not have gets its default; unknown tagged fields
 * are skipped. Bytes behind the message stay in r. After an error x must not be used. int X_encode(const
 * struct X *x, struct writer *w, int16_t version) 0 or w's error; OE_UNSUPPORTED. What the version does not
 * have is not written. size_t X_size(const struct X *x, int16_t version)                  bytes that X_encode
 * would write, splices included void X_json(const struct X *x, struct strbuf *out, int16_t version)      as
 * the reference's JSON converters print it An array f has its count in f_n (-1: null). A nullable struct is a
 * pointer. */
#ifndef OTTLA_WIRE_MESSAGE_H
#define OTTLA_WIRE_MESSAGE_H

#include "base/strbuf.h"
#include "wire/reader.h"
#include "wire/writer.h"

enum field_type {
    FIELD_BOOL,
    FIELD_INT8,
    FIELD_INT16,
    FIELD_UINT16,
    FIELD_INT32,
    FIELD_UINT32,
    FIELD_INT64,
    FIELD_FLOAT64,
    FIELD_UUID,
    FIELD_STRING,
    FIELD_BYTES,
    FIELD_RECORDS,
    FIELD_STRUCT,
};

/* One field as it lies in memory. */
struct field {
    const char *name; /* as in JSON */
    int64_t
        value; /* default: of a number itself; else -1 null, 0 empty (a struct: all its fields' defaults) */
    const struct shape *of; /* FIELD_STRUCT */
    uint16_t offset, count; /* bytes into the struct; of an array's count */
    int16_t first, last;    /* versions that have it */
    uint8_t type;           /* enum field_type */
    bool array, pointer, tagged;
};

/* The layout of a struct. */
struct shape {
    const char *name; /* as in the reference, without the message's */
    const struct field *fields;
    uint16_t n, size;
};

enum message_kind {
    MESSAGE_REQUEST,
    MESSAGE_RESPONSE,
    MESSAGE_HEADER,
    MESSAGE_DATA,   /* found by its name */
    MESSAGE_RECORD, /* the rest: found by family, kind and type */
    MESSAGE_KEY,
    MESSAGE_VALUE,
};

struct message {
    const char *name;   /* as in the reference: "FetchRequest" */
    const char *family; /* the schema file: "fetch", "metadata", "group", "txn", "share", "remote_log", … */
    enum message_kind kind;
    int16_t type;        /* API key, record type, or -1 */
    int16_t first, last; /* versions */
    int16_t flexible;    /* first flexible version; INT16_MAX if none is */
    const struct shape *shape;
    void (*init)(void *x);
    int (*decode)(void *x, struct reader *r, int16_t version, struct arena *a);
    int (*encode)(const void *x, struct writer *w, int16_t version);
};

/* Generated: all messages. API messages in the order of the keys, request before response; then by family,
 * type and kind. */
extern const struct message *const messages[];
extern const int messages_n;

/* NULL if there is none. */
const struct message *message_by_name(const char *name);
/* kind: MESSAGE_RECORD, _KEY or _VALUE. NULL if there is none. */
const struct message *message_of_record(const char *family, enum message_kind kind, int16_t type);
/* "REGISTER_BROKER_RECORD" for RegisterBrokerRecord: how the reference's tools name a record. out: NUL-ended,
 * cut to size. */
void message_constant_name(const struct message *m, char *out, size_t size);

/* Prints x, a struct of that shape, in its form of that version. Never fails but for out's limit. */
void shape_json(const struct shape *s, const void *x, struct strbuf *out, int16_t version);
/* Whether the field of x has its default. */
bool field_is_default(const struct field *f, const void *x);
/* Decodes n bytes as that version and prints them: 0, or the error of decode, with nothing printed; the most
 * memory is 64 MiB. *left, if not NULL: the bytes behind the message. */
int message_print(const struct message *m, const void *bytes, size_t n, int16_t version, struct strbuf *out,
                  size_t *left);

#endif
