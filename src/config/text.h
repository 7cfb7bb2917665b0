/* Small pieces of text handling that the parts of config/ share, with Java's rules. What they return lives in
 * the arena; configurations are small control-plane data, so running out of memory aborts. Any thread. */
#ifndef OTTLA_CONFIG_TEXT_H
#define OTTLA_CONFIG_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/def.h"

struct arena;

void *text_alloc(struct arena *a, size_t n);
char *text_copy(struct arena *a, const char *s);
char *text_copy_n(struct arena *a, const char *s, size_t n);
char *text_format(struct arena *a, const char *format, ...) __attribute__((format(printf, 2, 3)));
char *text_upper(struct arena *a, const char *s);
char *text_lower(struct arena *a, const char *s);
/* Without what is below or equal to a space at both ends (String.trim). */
char *text_trim(struct arena *a, const char *s);
/* Split at commas with white space around them; "" is the empty list, "a,,b" has an empty item. The array may
 * be changed. */
struct config_list text_list(struct arena *a, const char *s);
/* The items with commas between them. */
const char *text_join(struct arena *a, struct config_list list);
bool text_list_has(struct config_list list, const char *s);
/* A decimal integer with an optional sign and nothing else, within low..high. */
bool text_integer(const char *s, int64_t low, int64_t high, int64_t *value);
/* An ISO 8601 duration PnDTnHnMn.nS, in milliseconds. */
bool text_duration(const char *s, int64_t *ms);
/* "host:port" or "[v6]:port", with or without a "name://" before it, as the reference's HOST_PORT_PATTERN
 * takes it apart. False: not of that form. *host may be "". */
bool text_host_port(struct arena *a, const char *s, const char **host, int32_t *port);

#endif
