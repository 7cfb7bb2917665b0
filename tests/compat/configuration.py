"""Helpers of the scenarios about configurations."""

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
