/* Authorized operations, as bit fields of AclOperation codes: what answers show while there is no authorizer
 * (everything that the resource knows). Reference: AclEntry.supportedOperations. */
#ifndef OTTLA_SERVER_OPERATIONS_H
#define OTTLA_SERVER_OPERATIONS_H

enum acl_operation {
    ACL_READ = 3,
    ACL_WRITE,
    ACL_CREATE,
    ACL_DELETE,
    ACL_ALTER,
    ACL_DESCRIBE,
    ACL_CLUSTER_ACTION,
    ACL_DESCRIBE_CONFIGS,
    ACL_ALTER_CONFIGS,
    ACL_IDEMPOTENT_WRITE,
};

enum {
    OPERATIONS_TOPIC = 1 << ACL_READ | 1 << ACL_WRITE | 1 << ACL_CREATE | 1 << ACL_DESCRIBE |
                       1 << ACL_DELETE | 1 << ACL_ALTER | 1 << ACL_DESCRIBE_CONFIGS | 1 << ACL_ALTER_CONFIGS,
    OPERATIONS_GROUP = 1 << ACL_READ | 1 << ACL_DESCRIBE | 1 << ACL_DELETE | 1 << ACL_DESCRIBE_CONFIGS |
                       1 << ACL_ALTER_CONFIGS,
    OPERATIONS_CLUSTER = 1 << ACL_CREATE | 1 << ACL_CLUSTER_ACTION | 1 << ACL_DESCRIBE_CONFIGS |
                         1 << ACL_ALTER_CONFIGS | 1 << ACL_IDEMPOTENT_WRITE | 1 << ACL_ALTER |
                         1 << ACL_DESCRIBE,
};

#endif
