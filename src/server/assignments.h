/* Tells the controller in which directory this node has put the logs of partitions (AssignmentsManager of the
 * reference, KIP-858). With one log directory the controller knows; with several it leaves the choice to the
 * node
 * ("unassigned"), and a directory may hold a log that the metadata places elsewhere. Control thread. */
#ifndef OTTLA_SERVER_ASSIGNMENTS_H
#define OTTLA_SERVER_ASSIGNMENTS_H

#include <stdint.h>

struct assignments;
struct image;
struct image_delta;
struct node;
struct topic;
struct uuid;

struct assignments *assignments_create(struct node *n);
void assignments_destroy(struct assignments *a);
/* After the replicas have been loaded, or changed: what differs is sent to the controller from the control
 * loop. */
void assignments_load(struct assignments *a, const struct image *image);
void assignments_apply(struct assignments *a, const struct image_delta *delta);
/* A replica that is moved (replica.moving) shall be known in another directory. */
void assignments_tell(struct assignments *a, const struct topic *t, int32_t index, const struct uuid *dir);

#endif
