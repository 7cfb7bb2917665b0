// Prints the reference's error codes and APIs for schema_against_jars.py, a fact a line, parts separated by tabs.

import org.apache.kafka.common.errors.RetriableException;
import org.apache.kafka.common.protocol.ApiKeys;
import org.apache.kafka.common.protocol.Errors;

public class PrintFacts {
    public static void main(String[] args) {
        for (Errors e : Errors.values()) {
            int retriable = e.exception() instanceof RetriableException ? 1 : 0;
            System.out.println("error\t" + e.code() + "\t" + e.name() + "\t" + retriable + "\t"
                + (e == Errors.NONE ? "" : e.message()));
        }
        for (ApiKeys a : ApiKeys.values()) {
            if (!a.hasValidVersion()) continue;
            System.out.println("api\t" + a.id + "\t" + a.oldestVersion() + "\t" + a.messageType.highestSupportedVersion(false)
                + "\t" + a.messageType.highestSupportedVersion(true));
            for (short v = a.oldestVersion(); v <= a.messageType.highestSupportedVersion(true); v++) {
                System.out.println("header\t" + a.id + "\t" + v + "\t" + a.requestHeaderVersion(v) + "\t"
                    + a.responseHeaderVersion(v));
            }
        }
    }
}
