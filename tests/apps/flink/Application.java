// A Flink job in a cluster of its own: reads a topic of lines "KEY NUMBER", keeps a sum for each key, and writes
// "KEY NUMBER SUM", each exactly once. It fails once in the middle, after a checkpoint, and goes on from there.
//
// Application BOOTSTRAP INPUT OUTPUT RECORDS

import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.functions.OpenContext;
import org.apache.flink.api.common.functions.RichMapFunction;
import org.apache.flink.api.common.serialization.SimpleStringSchema;
import org.apache.flink.api.common.state.CheckpointListener;
import org.apache.flink.api.common.state.ValueState;
import org.apache.flink.api.common.state.ValueStateDescriptor;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.connector.base.DeliveryGuarantee;
import org.apache.flink.connector.kafka.sink.KafkaRecordSerializationSchema;
import org.apache.flink.connector.kafka.sink.KafkaSink;
import org.apache.flink.connector.kafka.source.KafkaSource;
import org.apache.flink.connector.kafka.source.enumerator.initializer.OffsetsInitializer;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;

public class Application {
    static final AtomicInteger SEEN = new AtomicInteger();
    static final AtomicInteger SINCE_CHECKPOINT = new AtomicInteger(-1); // -1: before the first one
    static final AtomicBoolean FAILED = new AtomicBoolean();

    /** The sum of each key; the failure. */
    static class Sum extends RichMapFunction<String, String> implements CheckpointListener {
        private final int records;
        private transient ValueState<Long> sum;

        Sum(int records) {
            this.records = records;
        }

        @Override
        public void open(OpenContext context) {
            sum = getRuntimeContext().getState(new ValueStateDescriptor<>("sum", Long.class));
        }

        @Override
        public String map(String line) throws Exception {
            Thread.sleep(1);
            boolean after = SINCE_CHECKPOINT.get() >= 0 && SINCE_CHECKPOINT.incrementAndGet() > 50;
            if (SEEN.incrementAndGet() > records / 3 && after && FAILED.compareAndSet(false, true)) {
                throw new IllegalStateException("the failure in the middle");
            }
            long total = Long.parseLong(line.split(" ")[1]) + (sum.value() == null ? 0 : sum.value());
            sum.update(total);
            return line + " " + total;
        }

        @Override
        public void notifyCheckpointComplete(long checkpoint) {
            SINCE_CHECKPOINT.set(0);
        }
    }

    public static void main(String[] args) throws Exception {
        Configuration settings = new Configuration();
        settings.setString("execution.checkpointing.interval", "500ms");
        settings.setString("restart-strategy.type", "fixed-delay");
        settings.setString("restart-strategy.fixed-delay.attempts", "3");
        settings.setString("restart-strategy.fixed-delay.delay", "100ms");
        settings.setString("taskmanager.memory.managed.size", "16m");
        settings.setString("taskmanager.memory.network.min", "16m");
        settings.setString("taskmanager.memory.network.max", "16m");
        StreamExecutionEnvironment flink = StreamExecutionEnvironment.createLocalEnvironment(2, settings);
        KafkaSource<String> source =
            KafkaSource.<String>builder()
                .setBootstrapServers(args[0])
                .setTopics(args[1])
                .setGroupId(args[2] + "-group")
                .setStartingOffsets(OffsetsInitializer.earliest())
                .setBounded(OffsetsInitializer.latest())
                .setProperty("isolation.level", "read_committed")
                .setValueOnlyDeserializer(new SimpleStringSchema())
                .build();
        KafkaSink<String> sink =
            KafkaSink.<String>builder()
                .setBootstrapServers(args[0])
                .setRecordSerializer(
                    KafkaRecordSerializationSchema.builder()
                        .setTopic(args[2])
                        .setValueSerializationSchema(new SimpleStringSchema())
                        .build())
                .setDeliveryGuarantee(DeliveryGuarantee.EXACTLY_ONCE)
                .setTransactionalIdPrefix(args[2])
                .setProperty("transaction.timeout.ms", "60000")
                .build();
        flink.fromSource(source, WatermarkStrategy.noWatermarks(), "in")
            .keyBy(line -> line.split(" ")[0])
            .map(new Sum(Integer.parseInt(args[3])))
            .sinkTo(sink);
        flink.execute();
        if (!FAILED.get()) {
            throw new IllegalStateException("the job never failed: nothing was shown");
        }
        System.out.println("records seen: " + SEEN.get());
        System.exit(0);
    }
}
