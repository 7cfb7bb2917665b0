"""Helpers of the scenarios about configurations."""

from lib.case import wait_for

TOPIC, BROKER, LOGGER, METRICS, GROUP = 2, 4, 8, 16, 32
# Broker configurations that name this node's place.
PLACE = {
    "listeners",
    "advertised.listeners",
    "log.dirs",
    "log.dir",
    "controller.quorum.voters",
    "metadata.log.dir",
}
SET, DELETE, APPEND, SUBTRACT = range(4)


def describe(peer, v, kind, name, keys=None, **fields):
    answer = peer.call(
        "DescribeConfigs",
        v,
        resources=[{"resourceType": kind, "resourceName": name, "configurationKeys": keys}],
        **fields,
    )
    for result in answer["results"] if answer != "closed" else ():
        for config in result["configs"] or ():
            if config["name"] in PLACE:
                config["value"] = "<place>"
                config["synonyms"] = [{**s, "value": "<place>"} for s in config.get("synonyms", [])]
    return answer


def settled(peer):
    """Waits until what was changed can be seen: the metadata has an order, so a last change of its own says so
    (the reference answers a change before its broker has heard of it)."""
    peer.settled += 1
    name, key, value = f"settled-{peer.prefix}", "consumer.session.timeout.ms", str(45000 + peer.settled)
    change = {"name": key, "configOperation": SET, "value": value}
    resources = [{"resourceType": GROUP, "resourceName": name, "configs": [change]}]
    peer.must("IncrementalAlterConfigs", 1, resources=resources)

    def there():
        configs = describe(peer, 4, GROUP, name, [key])["results"][0]["configs"]
        return configs[0]["value"] == value

    wait_for(there, f"{peer.kind}: the metadata", pause=0.01)


def listed(peer, kind, count, v=1):
    """The resources that this scenario has configured, once they are so many."""

    def own():
        answer = peer.must("ListConfigResources", v, **({"resourceTypes": [kind]} if v else {}))
        found = [r for r in answer["configResources"] if r["resourceName"].startswith(peer.prefix)]
        return {"resources": found} if len(found) == count else None

    return wait_for(own, f"{peer.kind}: {count} resources of type {kind}")
