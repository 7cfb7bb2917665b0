/* Is the node ready: does it serve all that it has? */
#ifndef OTTLA_HTTP_HEALTH_H
#define OTTLA_HTTP_HEALTH_H

#include <stdbool.h>

struct node;
struct strbuf;

/* {"status":"ready"|"not ready","causes":[…],"checks":{…}}. Any thread. */
bool health_ready(struct node *n, bool leaving, struct strbuf *json);

#endif
