#include "config/client_match.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/regex.h"
#include "config/text.h"

struct client_match {
    struct regex *patterns[CLIENT_ATTRIBUTES]; /* NULL: the attribute does not matter */
};

static const char *const names[CLIENT_ATTRIBUTES] = {
    [CLIENT_INSTANCE_ID] = "client_instance_id",       [CLIENT_ID] = "client_id",
    [CLIENT_SOFTWARE_NAME] = "client_software_name",   [CLIENT_SOFTWARE_VERSION] = "client_software_version",
    [CLIENT_SOURCE_ADDRESS] = "client_source_address", [CLIENT_SOURCE_PORT] = "client_source_port"};

static int attribute_of(const char *name) {
    for (int i = 0; i < CLIENT_ATTRIBUTES; i++)
        if (!strcmp(name, names[i])) return i;
    return -1;
}

/* "name=pattern"; empty parts at the end do not count, as in String.split. Of two for one attribute the last
 * is taken. */
static int add(struct client_match *m, struct arena *a, const char *item) {
    size_t length = strlen(item);
    while (length && item[length - 1] == '=') length--;
    const char *equals = memchr(item, '=', length);
    if (!equals || memchr(equals + 1, '=', length - (size_t)(equals + 1 - item))) return OE_INVALID;
    int i = attribute_of(text_trim(a, text_copy_n(a, item, (size_t)(equals - item))));
    if (i < 0) return OE_INVALID;
    const char *text = text_trim(a, text_copy_n(a, equals + 1, length - (size_t)(equals + 1 - item)));
    struct regex *r;
    if (regex_compile(REGEX_JAVA, text, strlen(text), &r, NULL)) return OE_INVALID;
    regex_free(m->patterns[i]);
    m->patterns[i] = r;
    return 0;
}

int client_match_compile(struct config_list items, struct client_match **out, const char **illegal) {
    struct client_match *m = xcalloc(1, sizeof *m);
    struct arena a;
    int err = 0;
    arena_init(&a, SIZE_MAX);
    for (int32_t i = 0; !err && i < items.n; i++) {
        err = add(m, &a, items.items[i]);
        if (err) *illegal = items.items[i];
    }
    arena_free(&a);
    if (err) {
        client_match_free(m);
        m = NULL;
    }
    *out = m;
    return err;
}

bool client_match(const struct client_match *m, const char *const attributes[CLIENT_ATTRIBUTES]) {
    for (int i = 0; i < CLIENT_ATTRIBUTES; i++)
        if (m->patterns[i] &&
            (!attributes[i] || !regex_matches(m->patterns[i], attributes[i], strlen(attributes[i]))))
            return false;
    return true;
}

void client_match_free(struct client_match *m) {
    for (int i = 0; m && i < CLIENT_ATTRIBUTES; i++) regex_free(m->patterns[i]);
    free(m);
}
