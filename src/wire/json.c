/* Prints any message from its shape, as the reference's generated JsonConverter classes do: fields in the
 * schema's order, a tagged field only when it is not its default, uuids and bytes in base64, record data as
 * its size. Depth is bounded by the schema. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "wire/message.h"

static int32_t field_count(const struct field *f, const void *x) {
    int32_t n;
    memcpy(&n, (const char *)x + f->count, sizeof n);
    return n;
}

static const void *field_pointer(const struct field *f, const void *x) {
    const void *p;
    memcpy(&p, (const char *)x + f->offset, sizeof p);
    return p;
}

static int64_t number(enum field_type type, const void *at) {
    switch (type) {
    case FIELD_BOOL: return *(const bool *)at;
    case FIELD_INT8: return *(const int8_t *)at;
    case FIELD_INT16: return *(const int16_t *)at;
    case FIELD_UINT16: return *(const uint16_t *)at;
    case FIELD_INT32: return *(const int32_t *)at;
    case FIELD_UINT32: return *(const uint32_t *)at;
    default: return *(const int64_t *)at;
    }
}

static bool shape_is_default(const struct shape *s, const void *x) {
    for (int i = 0; i < s->n; i++)
        if (!field_is_default(&s->fields[i], x)) return false;
    return true;
}

bool field_is_default(const struct field *f, const void *x) {
    const void *at = (const char *)x + f->offset;
    if (f->array) return field_count(f, x) == f->value;
    switch ((enum field_type)f->type) {
    case FIELD_UUID: return uuid_is_zero(at);
    case FIELD_STRING: return ((const struct kstr *)at)->len == f->value;
    case FIELD_BYTES: return ((const struct kbytes *)at)->len == f->value;
    case FIELD_RECORDS: return ((const struct krecords *)at)->len == f->value;
    case FIELD_FLOAT64: return *(const double *)at == 0;
    case FIELD_STRUCT:
        if (f->pointer) at = field_pointer(f, x);
        if (f->value < 0 || !at) return f->value < 0 && !at;
        return shape_is_default(f->of, at);
    default: return number(f->type, at) == f->value;
    }
}

static void add_base64(struct strbuf *out, const struct kbytes *b) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    strbuf_adds(out, "\"");
    for (int32_t i = 0; i < b->len; i += 3) {
        int32_t left = b->len - i;
        uint32_t v = (uint32_t)b->p[i] << 16 | (left > 1 ? (uint32_t)b->p[i + 1] << 8 : 0) |
                     (left > 2 ? b->p[i + 2] : 0);
        char four[4] = {digits[v >> 18], digits[v >> 12 & 63], left > 1 ? digits[v >> 6 & 63] : '=',
                        left > 2 ? digits[v & 63] : '='};
        strbuf_add(out, four, sizeof four);
    }
    strbuf_adds(out, "\"");
}

/* The shortest decimal that reads back as d, with a point, as Java prints it in the usual range. */
static void add_double(struct strbuf *out, double d) {
    char text[40];
    if (!isfinite(d)) {
        strbuf_adds(out, isnan(d) ? "\"NaN\"" : d > 0 ? "\"Infinity\"" : "\"-Infinity\"");
        return;
    }
    for (int digits = 1; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, d);
        double back;
        if (sscanf(text, "%lf", &back) == 1 && back == d) break;
    }
    if (fabs(d) < 1e7 && strchr(text, 'e')) snprintf(text, sizeof text, "%.1f", d);
    strbuf_adds(out, text);
    if (!strpbrk(text, ".e")) strbuf_adds(out, ".0");
}

static void add_value(const struct field *f, const void *at, struct strbuf *out, int16_t version) {
    char text[UUID_TEXT];
    switch ((enum field_type)f->type) {
    case FIELD_BOOL: strbuf_adds(out, *(const bool *)at ? "true" : "false"); break;
    case FIELD_FLOAT64: add_double(out, *(const double *)at); break;
    case FIELD_UUID: strbuf_addf(out, "\"%s\"", uuid_format(at, text)); break;
    case FIELD_STRING: {
        const struct kstr *s = at;
        if (s->len < 0)
            strbuf_adds(out, "null");
        else
            strbuf_add_json(out, s->s, (size_t)s->len);
        break;
    }
    case FIELD_BYTES: {
        const struct kbytes *b = at;
        if (b->len < 0)
            strbuf_adds(out, "null");
        else
            add_base64(out, b);
        break;
    }
    case FIELD_RECORDS: {
        const struct krecords *r = at;
        if (r->len < 0)
            strbuf_adds(out, "null");
        else
            strbuf_addf(out, "%" PRId32, r->len);
        break;
    }
    case FIELD_STRUCT: shape_json(f->of, at, out, version); break;
    default: strbuf_addf(out, "%" PRId64, number(f->type, at)); break;
    }
}

/* Bytes from one element of an array to the next. */
static size_t element_size(const struct field *f) {
    static const uint8_t sizes[] = {[FIELD_BOOL] = sizeof(bool),
                                    [FIELD_INT8] = 1,
                                    [FIELD_INT16] = 2,
                                    [FIELD_UINT16] = 2,
                                    [FIELD_INT32] = 4,
                                    [FIELD_UINT32] = 4,
                                    [FIELD_INT64] = 8,
                                    [FIELD_FLOAT64] = 8,
                                    [FIELD_UUID] = sizeof(struct uuid),
                                    [FIELD_STRING] = sizeof(struct kstr),
                                    [FIELD_BYTES] = sizeof(struct kbytes),
                                    [FIELD_RECORDS] = sizeof(struct krecords)};
    return f->type == FIELD_STRUCT ? f->of->size : sizes[f->type];
}

static void add_field(const struct field *f, const void *x, struct strbuf *out, int16_t version) {
    const char *at = (const char *)x + f->offset;
    if (f->array || f->pointer) at = field_pointer(f, x);
    if (f->array ? field_count(f, x) < 0 : f->pointer && !at) {
        strbuf_adds(out, "null");
    } else if (f->array) {
        size_t size = element_size(f);
        strbuf_adds(out, "[");
        for (int32_t i = 0, n = field_count(f, x); i < n && strbuf_ok(out); i++) {
            if (i) strbuf_adds(out, ",");
            add_value(f, at + (size_t)i * size, out, version);
        }
        strbuf_adds(out, "]");
    } else {
        add_value(f, at, out, version);
    }
}

/* Record data is printed as its size, under a name that says so. */
static bool is_record_data(const struct field *f, const void *x) {
    return f->type == FIELD_RECORDS && ((const struct krecords *)((const char *)x + f->offset))->len >= 0;
}

void shape_json(const struct shape *s, const void *x, struct strbuf *out, int16_t version) {
    const char *separator = "";
    strbuf_adds(out, "{");
    for (int i = 0; i < s->n; i++) {
        const struct field *f = &s->fields[i];
        if (version < f->first || version > f->last || (f->tagged && field_is_default(f, x))) continue;
        strbuf_addf(out, "%s\"%s%s\":", separator, f->name, is_record_data(f, x) ? "SizeInBytes" : "");
        add_field(f, x, out, version);
        separator = ",";
    }
    strbuf_adds(out, "}");
}
