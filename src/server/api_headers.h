/* The generated messages of the APIs in api_list.h. */
#ifndef OTTLA_SERVER_API_HEADERS_H
#define OTTLA_SERVER_API_HEADERS_H

#include "api/api_versions.h"
#include "api/create_partitions.h"
#include "api/create_topics.h"
#include "api/delete_groups.h"
#include "api/delete_records.h"
#include "api/delete_topics.h"
#include "api/describe_cluster.h"
#include "api/describe_groups.h"
#include "api/describe_log_dirs.h"
#include "api/describe_quorum.h"
#include "api/describe_topic_partitions.h"
#include "api/fetch.h"
#include "api/find_coordinator.h"
#include "api/heartbeat.h"
#include "api/init_producer_id.h"
#include "api/join_group.h"
#include "api/leave_group.h"
#include "api/list_groups.h"
#include "api/list_offsets.h"
#include "api/metadata.h"
#include "api/offset_commit.h"
#include "api/offset_delete.h"
#include "api/offset_fetch.h"
#include "api/offset_for_leader_epoch.h"
#include "api/produce.h"
#include "api/sync_group.h"

#endif
