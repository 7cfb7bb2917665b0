/* A Kafka Streams application whose results are known: what it writes is compared with the same computation in memory.
 *
 *     java Application.java BOOTSTRAP classic|streams at_least_once|exactly_once_v2 RECORDS STANDBYS
 *
 * Topology: lines are upper-cased (stateless); their words are counted (repartition topic, changelog), and counted in windows
 * of ten seconds; orders are joined with the table of their users. Two instances of two threads run it; the second comes when
 * half of the records are written, the first goes when all are, so that tasks and their state change hands twice.
 *
 * Exit status 0 and a line of JSON, or 1 and what differs. */
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Random;
import java.util.TreeMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;

import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.StreamsGroupDescription;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.serialization.LongDeserializer;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.Joined;
import org.apache.kafka.streams.kstream.KStream;
import org.apache.kafka.streams.kstream.KTable;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.kstream.TimeWindows;

public class Application {
    static final int PARTITIONS = 3, WINDOW_MS = 10_000, USERS = 20;
    static final String[] WORDS = {"ash", "birch", "cedar", "elm", "fir", "hazel", "larch", "oak", "pine", "rowan", "yew"};
    static final long START_MS = System.currentTimeMillis() / WINDOW_MS * WINDOW_MS - 3_600_000;

    final String bootstrap, protocol, guarantee, id;
    final int records, standbys;
    final Random random = new Random(7);
    final List<Path> folders = new ArrayList<>();
    final Map<String, Long> counts = new TreeMap<>(), windows = new TreeMap<>();
    final Map<String, Long> uppers = new TreeMap<>(), joined = new TreeMap<>(); // how often each text is expected

    Application(String[] args) {
        bootstrap = args[0];
        protocol = args[1];
        guarantee = args[2];
        records = Integer.parseInt(args[3]);
        standbys = Integer.parseInt(args[4]);
        id = "app-" + protocol + "-" + guarantee.replace('_', '-') + "-" + Long.toString(System.nanoTime(), 36);
    }

    String topic(String name) {
        return id + "." + name;
    }

    Topology topology() {
        StreamsBuilder b = new StreamsBuilder();
        KStream<String, String> lines = b.stream(topic("lines"), Consumed.with(Serdes.String(), Serdes.String()));
        lines.mapValues(v -> v.toUpperCase()).to(topic("uppers"), Produced.with(Serdes.String(), Serdes.String()));
        var words = lines.flatMapValues(v -> Arrays.asList(v.split(" ")))
            .groupBy((k, v) -> v, Grouped.with("by-word", Serdes.String(), Serdes.String()));
        words.count(Materialized.as("counted")).toStream().to(topic("counts"), Produced.with(Serdes.String(), Serdes.Long()));
        words.windowedBy(TimeWindows.ofSizeAndGrace(Duration.ofMillis(WINDOW_MS), Duration.ofDays(1)))
            .count(Materialized.as("counted-in-windows"))
            .toStream((k, v) -> k.key() + "@" + (k.window().start() - START_MS))
            .to(topic("windows"), Produced.with(Serdes.String(), Serdes.Long()));
        KTable<String, String> users = b.table(topic("users"), Consumed.with(Serdes.String(), Serdes.String()));
        b.stream(topic("orders"), Consumed.with(Serdes.String(), Serdes.String()))
            .join(users, (order, user) -> order + " of " + user, Joined.with(Serdes.String(), Serdes.String(), Serdes.String()))
            .to(topic("joined"), Produced.with(Serdes.String(), Serdes.String()));
        return b.build();
    }

    KafkaStreams start(String name) throws Exception {
        Path folder = Files.createTempDirectory("streams-" + name);
        folders.add(folder);
        Properties p = new Properties();
        p.put(StreamsConfig.APPLICATION_ID_CONFIG, id);
        p.put(StreamsConfig.CLIENT_ID_CONFIG, id + "-" + name);
        p.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, bootstrap);
        p.put(StreamsConfig.DEFAULT_KEY_SERDE_CLASS_CONFIG, Serdes.String().getClass());
        p.put(StreamsConfig.DEFAULT_VALUE_SERDE_CLASS_CONFIG, Serdes.String().getClass());
        p.put(StreamsConfig.STATE_DIR_CONFIG, folder.toString());
        p.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, 2);
        p.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, 200);
        p.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, guarantee);
        p.put("group.protocol", protocol);
        p.put(StreamsConfig.consumerPrefix("auto.offset.reset"), "earliest");
        if (protocol.equals("classic")) {
            p.put(StreamsConfig.NUM_STANDBY_REPLICAS_CONFIG, standbys);
            p.put(StreamsConfig.consumerPrefix("session.timeout.ms"), 10_000);
        }
        KafkaStreams s = new KafkaStreams(topology(), p);
        CountDownLatch running = new CountDownLatch(1);
        s.setStateListener((now, before) -> {
            if (now == KafkaStreams.State.RUNNING) running.countDown();
        });
        s.setUncaughtExceptionHandler(e -> {
            e.printStackTrace();
            return org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse.SHUTDOWN_CLIENT;
        });
        s.start();
        if (!running.await(60, TimeUnit.SECONDS)) throw new IllegalStateException(name + " is " + s.state() + " after 60 s");
        return s;
    }

    void createTopics(Admin admin) throws Exception {
        List<NewTopic> topics = new ArrayList<>();
        for (String name : List.of("lines", "uppers", "counts", "windows", "users", "orders", "joined"))
            topics.add(new NewTopic(topic(name), PARTITIONS, (short) 1));
        admin.createTopics(topics).all().get();
        if (!protocol.equals("streams")) return;
        List<AlterConfigOp> ops = new ArrayList<>();
        for (var e : Map.of("streams.num.standby.replicas", "" + standbys).entrySet())
            ops.add(new AlterConfigOp(new ConfigEntry(e.getKey(), e.getValue()), AlterConfigOp.OpType.SET));
        Map<ConfigResource, Collection<AlterConfigOp>> change = new HashMap<>();
        change.put(new ConfigResource(ConfigResource.Type.GROUP, id), ops);
        admin.incrementalAlterConfigs(change).all().get();
    }

    static void add(Map<String, Long> to, String key) {
        to.merge(key, 1L, Long::sum);
    }

    void produceUsers(KafkaProducer<String, String> producer) {
        for (int u = 0; u < USERS; u++)
            producer.send(new ProducerRecord<>(topic("users"), null, START_MS - 1000, "u" + u, "user " + u));
        producer.flush();
    }

    void produce(KafkaProducer<String, String> producer, int from, int to) {
        for (int i = from; i < to; i++) {
            long at = START_MS + i * 100L;
            StringBuilder line = new StringBuilder("n" + i);
            for (int w = random.nextInt(4); w >= 0; w--) line.append(' ').append(WORDS[random.nextInt(WORDS.length)]);
            producer.send(new ProducerRecord<>(topic("lines"), null, at, "k" + random.nextInt(50), line.toString()));
            add(uppers, line.toString().toUpperCase());
            for (String word : line.toString().split(" ")) {
                add(counts, word);
                add(windows, word + "@" + (at - START_MS) / WINDOW_MS * WINDOW_MS);
            }
            int user = random.nextInt(USERS + 5); // some are unknown
            producer.send(new ProducerRecord<>(topic("orders"), null, at, "u" + user, "order " + i));
            if (user < USERS) add(joined, "order " + i + " of user " + user);
        }
        producer.flush();
    }

    <V> List<ConsumerRecord<String, V>> readAll(String name, Class<?> value) {
        Properties p = new Properties();
        p.put("bootstrap.servers", bootstrap);
        p.put("key.deserializer", StringDeserializer.class);
        p.put("value.deserializer", value);
        p.put("isolation.level", "read_committed");
        List<ConsumerRecord<String, V>> all = new ArrayList<>();
        try (KafkaConsumer<String, V> c = new KafkaConsumer<>(p)) {
            List<TopicPartition> partitions = new ArrayList<>();
            for (int i = 0; i < PARTITIONS; i++) partitions.add(new TopicPartition(topic(name), i));
            c.assign(partitions);
            c.seekToBeginning(partitions);
            Map<TopicPartition, Long> ends = c.endOffsets(partitions);
            while (partitions.stream().anyMatch(t -> c.position(t) < ends.get(t))) c.poll(Duration.ofMillis(100)).forEach(all::add);
        }
        return all;
    }

    Map<String, Long> last(String name) {
        Map<String, Long> m = new TreeMap<>();
        for (ConsumerRecord<String, Long> r : this.<Long>readAll(name, LongDeserializer.class)) m.put(r.key(), r.value());
        return m;
    }

    Map<String, Long> times(String name) {
        Map<String, Long> m = new TreeMap<>();
        for (ConsumerRecord<String, String> r : this.<String>readAll(name, StringDeserializer.class)) add(m, r.value());
        return m;
    }

    /* What is wrong, or null. With at_least_once a text may come more than once, and counts may be too high by what was
     * counted twice; nothing was killed here, so that they are not. */
    String difference() {
        String d = differs("counts", counts, last("counts"), false);
        if (d == null) d = differs("windows", windows, last("windows"), false);
        if (d == null) d = differs("uppers", uppers, times("uppers"), guarantee.equals("at_least_once"));
        if (d == null) d = differs("joined", joined, times("joined"), guarantee.equals("at_least_once"));
        return d;
    }

    static String differs(String what, Map<String, Long> wanted, Map<String, Long> got, boolean atLeast) {
        for (String k : wanted.keySet()) {
            long n = got.getOrDefault(k, 0L);
            if (atLeast ? n < wanted.get(k) : n != wanted.get(k)) return what + ": " + k + " is " + n + ", not " + wanted.get(k);
        }
        for (String k : got.keySet()) if (!wanted.containsKey(k)) return what + ": " + k + " should not be there";
        return null;
    }

    void waitFor(String what, int seconds) throws Exception {
        long end = System.nanoTime() + seconds * 1_000_000_000L;
        String d;
        while ((d = difference()) != null) {
            if (System.nanoTime() > end) throw new IllegalStateException(what + " after " + seconds + " s: " + d);
            Thread.sleep(300);
        }
    }

    /* A streams group is described with its tasks, each active once. */
    String describe(Admin admin) throws Exception {
        if (!protocol.equals("streams")) return "";
        StreamsGroupDescription g = admin.describeStreamsGroups(List.of(id)).all().get().get(id);
        List<String> active = new ArrayList<>();
        int standby = 0;
        for (var m : g.members()) {
            for (var t : m.assignment().activeTasks()) for (int p : t.partitions()) active.add(t.subtopologyId() + "_" + p);
            for (var t : m.assignment().standbyTasks()) standby += t.partitions().size();
        }
        if (active.stream().distinct().count() != active.size()) throw new IllegalStateException("twice active: " + active);
        if (active.size() != 3 * PARTITIONS) throw new IllegalStateException("active are " + active);
        return g.groupState() + ", " + g.members().size() + " members, " + active.size() + " active, " + standby + " standby";
    }

    void deleteFolders() throws Exception {
        for (Path folder : folders)
            try (Stream<Path> all = Files.walk(folder)) {
                for (Path p : all.sorted(Comparator.reverseOrder()).toList()) Files.deleteIfExists(p);
            }
    }

    void run() throws Exception {
        Properties p = new Properties();
        p.put("bootstrap.servers", bootstrap);
        try (Admin admin = Admin.create(p);
             KafkaProducer<String, String> producer = new KafkaProducer<>(p, new StringSerializer(), new StringSerializer())) {
            createTopics(admin);
            produceUsers(producer);
            KafkaStreams first = start("first");
            produce(producer, 0, records / 2);
            waitFor("one instance", 90);
            KafkaStreams second = start("second");
            produce(producer, records / 2, records);
            waitFor("two instances", 90);
            String described = describe(admin);
            first.close(Duration.ofSeconds(30));
            produce(producer, records, records + records / 4);
            waitFor("the second instance alone", 90);
            second.close(Duration.ofSeconds(30));
            String d = difference();
            if (d != null) throw new IllegalStateException("in the end: " + d);
            System.out.printf("{\"application\": \"%s\", \"words\": %d, \"windows\": %d, \"joined\": %d, \"group\": \"%s\"}%n", id,
                counts.size(), windows.size(), joined.size(), described);
        } finally {
            deleteFolders();
        }
    }

    public static void main(String[] args) {
        try {
            new Application(args).run();
            System.out.flush();
            Runtime.getRuntime().halt(0);
        } catch (Throwable e) {
            e.printStackTrace();
            Runtime.getRuntime().halt(1);
        }
    }
}
