/* What commands print: tables for people, JSON for programs, progress on a terminal. */
#ifndef OTTLA_CLI_OUTPUT_H
#define OTTLA_CLI_OUTPUT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/strbuf.h"
#include "wire/types.h"

/* Rows of text cells under headings, columns as wide as their widest cell. */
struct table {
    const char *const *headings; /* "-" in front: numbers, to the right */
    int columns, cells_n, cap;
    char **cells;
};

void table_init(struct table *t, const char *const *headings, int columns);
/* The next cell, row after row. */
void table_add(struct table *t, const char *format, ...) __attribute__((format(printf, 2, 3)));
void table_adds(struct table *t, struct kstr s);
/* Prints to stdout and frees. */
void table_print(struct table *t);

/* JSON in one line, with the commas in their places. */
struct json {
    struct strbuf out;
    bool comma; /* the next value needs one in front */
};

void json_init(struct json *j);
void json_open(struct json *j, char bracket);  /* '{' or '[' */
void json_close(struct json *j, char bracket); /* '}' or ']' */
void json_key(struct json *j, const char *key);
void json_int(struct json *j, const char *key, int64_t v); /* key NULL: in an array */
void json_real(struct json *j, const char *key, double v);
void json_bool(struct json *j, const char *key, bool v);
void json_str(struct json *j, const char *key, struct kstr v);  /* len -1: null */
void json_text(struct json *j, const char *key, const char *v); /* NULL: null */
void json_null(struct json *j, const char *key);
void json_ints(struct json *j, const char *key, const int32_t *v, int32_t n);
/* Prints the line to stdout and frees. */
void json_print(struct json *j);

/* "1,2,3" of n numbers into text; cut when it is too small. Returns text. */
char *format_ints(char *text, size_t size, const int32_t *v, int32_t n);
/* "1.5 MiB". Returns text. */
char *format_bytes(char text[24], double bytes);

/* A line on stderr that is written over, at most ten times a second, only when stderr is a terminal. */
struct progress {
    bool on, shown;
    int64_t next_ms;
};
void progress_init(struct progress *p);
/* Is it time to show something? */
bool progress_due(struct progress *p);
void progress_show(struct progress *p, const char *format, ...) __attribute__((format(printf, 2, 3)));
void progress_end(struct progress *p); /* removes the line */

#endif
