// Writes golden bytes: every version of every message, filled with varied values and serialized by the reference's own classes.
// tests/wire/regenerate runs it with the reference's jars on the class path: standard input has a class name a line.
//
// Output, big-endian: for each class an int16 length and its name, an int16 count of samples, then each sample:
// int16 version, int32 CRC-32C of its JSON (0: this class has no JSON), int32 length, the bytes. What a version has, and what may
// be null in it, is taken from the class's own SCHEMAS, so that nothing here repeats our schema.

import java.io.BufferedOutputStream;
import java.io.BufferedReader;
import java.io.ByteArrayOutputStream;
import java.io.DataOutputStream;
import java.io.InputStreamReader;
import java.lang.reflect.Field;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.ParameterizedType;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.zip.CRC32C;

import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.protocol.ByteBufferAccessor;
import org.apache.kafka.common.protocol.Message;
import org.apache.kafka.common.protocol.ObjectSerializationCache;
import org.apache.kafka.common.protocol.types.ArrayOf;
import org.apache.kafka.common.protocol.types.BoundField;
import org.apache.kafka.common.protocol.types.CompactArrayOf;
import org.apache.kafka.common.protocol.types.Schema;
import org.apache.kafka.common.protocol.types.TaggedFields;
import org.apache.kafka.common.protocol.types.Type;
import org.apache.kafka.common.record.internal.BaseRecords;
import org.apache.kafka.common.record.internal.MemoryRecords;

public class GoldenBytes {
    // How a sample is filled. PLAIN: as constructed. FULL: everything set. BARE: null, empty and no tag wherever allowed.
    // EXTREME: largest and smallest numbers. LONG: strings and arrays whose lengths take two bytes. MIXED: by chance.
    enum Style { PLAIN, FULL, BARE, EXTREME, LONG, MIXED }

    static final Style[] SAMPLES = {Style.PLAIN, Style.FULL, Style.BARE, Style.EXTREME, Style.LONG, Style.MIXED, Style.MIXED};
    static final String[] WORDS = {"", "a", "orders", "payments-eu", "größe", "価格", "😀 ok", "a\"b\\c", "consumer-1-abcdef"};

    final Random random;
    final Style style;
    int budget = 300; // elements that one sample may still have

    GoldenBytes(Style style, long seed) {
        this.style = style;
        this.random = new Random(seed);
    }

    boolean chance(int percent) {
        return random.nextInt(100) < percent;
    }

    boolean setToNull() {
        return style == Style.BARE || (style == Style.MIXED && chance(30));
    }

    int count(boolean numbers) {
        int n = switch (style) {
            case BARE -> 0;
            case LONG -> numbers && budget > 150 ? 140 : 2;
            case MIXED -> random.nextInt(4);
            default -> 2;
        };
        n = Math.min(n, budget > 0 ? n : 0);
        budget -= n;
        return n;
    }

    long number(int bits, boolean signed) {
        long max = signed ? (1L << (bits - 1)) - 1 : (1L << bits) - 1;
        long min = signed ? -max - 1 : 0;
        if (style == Style.EXTREME) return chance(50) ? max : min;
        if (style == Style.BARE) return 0;
        long value = chance(20) && signed ? -1 : random.nextLong() >>> (64 - bits + random.nextInt(bits));
        return Math.max(min, Math.min(max, value));
    }

    String text() {
        if (style == Style.BARE) return "";
        if (style == Style.LONG && chance(30)) return WORDS[1 + random.nextInt(WORDS.length - 1)].repeat(130);
        return WORDS[random.nextInt(WORDS.length)];
    }

    byte[] bytes() {
        byte[] b = new byte[style == Style.BARE ? 0 : style == Style.LONG && chance(30) ? 200 : random.nextInt(12)];
        for (int i = 0; i < b.length; i++) b[i] = (byte) (b.length > 100 ? i : random.nextInt());
        return b;
    }

    void fill(Object target, Schema schema) throws Exception {
        for (BoundField bound : schema.fields()) {
            if (bound.def.type instanceof TaggedFields) {
                for (Object field : tagged((TaggedFields) bound.def.type)) {
                    var f = (org.apache.kafka.common.protocol.types.Field) field;
                    if (style != Style.BARE && (style != Style.MIXED || chance(50))) set(target, f.name, f.type);
                }
            } else {
                set(target, bound.def.name, bound.def.type);
            }
        }
    }

    static Collection<?> tagged(TaggedFields fields) throws Exception {
        Field map = TaggedFields.class.getDeclaredField("fields");
        map.setAccessible(true);
        return ((Map<?, ?>) map.get(fields)).values();
    }

    void set(Object target, String name, Type type) throws Exception {
        for (Field field : target.getClass().getDeclaredFields()) {
            if (field.getName().equalsIgnoreCase(name.replace("_", ""))) {
                field.setAccessible(true);
                field.set(target, value(field, type));
                return;
            }
        }
        throw new IllegalStateException(target.getClass() + " has no field for " + name);
    }

    Object value(Field field, Type type) throws Exception {
        if (type.isNullable() && setToNull()) return null;
        if (type instanceof ArrayOf || type instanceof CompactArrayOf) return array(field, type);
        return scalar(field.getType(), type);
    }

    @SuppressWarnings({"unchecked", "rawtypes"})
    Object array(Field field, Type type) throws Exception {
        Type element = type.arrayElementType().orElseThrow();
        Class<?> elementClass;
        Collection to;
        if (field.getType() == List.class) {
            elementClass = (Class<?>) ((ParameterizedType) field.getGenericType()).getActualTypeArguments()[0];
            to = new ArrayList();
        } else {
            elementClass = (Class<?>) ((ParameterizedType) field.getType().getGenericSuperclass()).getActualTypeArguments()[0];
            to = (Collection) field.getType().getConstructor(int.class).newInstance(0);
        }
        for (int i = count(!(element instanceof Schema)); i > 0; i--) to.add(scalar(elementClass, element));
        return to;
    }

    Object scalar(Class<?> c, Type type) throws Exception {
        if (type instanceof Schema) {
            var constructor = c.getDeclaredConstructor();
            constructor.setAccessible(true);
            Object made = constructor.newInstance();
            if (style != Style.PLAIN) fill(made, (Schema) type);
            return made;
        }
        if (c == String.class) return text();
        if (c == byte[].class) return bytes();
        if (c == ByteBuffer.class) return ByteBuffer.wrap(bytes());
        if (c == BaseRecords.class) return MemoryRecords.readableRecords(ByteBuffer.wrap(bytes()));
        if (c == Uuid.class) return style == Style.BARE ? Uuid.ZERO_UUID : new Uuid(random.nextLong(), random.nextLong());
        if (c == boolean.class) return style != Style.BARE && chance(60);
        if (c == double.class) return number(20, true) / 8.0;
        if (c == byte.class || c == Byte.class) return (byte) number(8, true);
        if (c == short.class || c == Short.class) return (short) number(16, true);
        if (c == int.class || c == Integer.class) return type == Type.UINT16 ? (int) number(16, false) : (int) number(32, true);
        if (c == long.class || c == Long.class) return type == Type.UNSIGNED_INT32 ? number(32, false) : number(64, true);
        throw new IllegalStateException("no value for " + c);
    }

    static byte[] serialize(Message message, short version) {
        ObjectSerializationCache cache = new ObjectSerializationCache();
        ByteBuffer buffer = ByteBuffer.allocate(message.size(cache, version));
        message.write(new ByteBufferAccessor(buffer), cache, version);
        if (buffer.hasRemaining()) throw new IllegalStateException("size is wrong");
        return buffer.array();
    }

    static int jsonCrc(Message message, short version) throws Exception {
        Method write;
        try {
            write = Class.forName(message.getClass().getName() + "JsonConverter")
                .getMethod("write", message.getClass(), short.class, boolean.class);
        } catch (ClassNotFoundException e) {
            return 0;
        }
        CRC32C crc = new CRC32C();
        String json = write.invoke(null, message, version, false).toString();
        if (System.getenv("GOLDEN_JSON") != null) System.err.println(message.getClass().getSimpleName() + " " + version + " " + json);
        crc.update(json.getBytes(StandardCharsets.UTF_8));
        return (int) crc.getValue();
    }

    static void sample(Class<?> c, short version, Schema schema, int number, DataOutputStream out) throws Exception {
        Message message = (Message) c.getConstructor().newInstance();
        GoldenBytes filler = new GoldenBytes(SAMPLES[number], c.getSimpleName().hashCode() * 31L + version * 100L + number);
        if (filler.style != Style.PLAIN) filler.fill(message, schema);
        byte[] bytes = serialize(message, version);
        out.writeShort(version);
        out.writeInt(jsonCrc(message, version));
        out.writeInt(bytes.length);
        out.write(bytes);
    }

    public static void main(String[] args) throws Exception {
        var names = new BufferedReader(new InputStreamReader(System.in));
        var out = new DataOutputStream(new BufferedOutputStream(System.out));
        for (String name = names.readLine(); name != null; name = names.readLine()) {
            Class<?> c = Class.forName(name);
            Schema[] schemas = (Schema[]) c.getField("SCHEMAS").get(null);
            var samples = new ByteArrayOutputStream();
            short count = 0;
            short lowest = c.getField("LOWEST_SUPPORTED_VERSION").getShort(null);
            short highest = c.getField("HIGHEST_SUPPORTED_VERSION").getShort(null);
            for (short version = lowest; version <= highest; version++) {
                for (int number = 0; number < SAMPLES.length; number++) {
                    try {
                        sample(c, version, schemas[version], number, new DataOutputStream(samples));
                        count++;
                    } catch (InvocationTargetException e) {
                        throw new IllegalStateException(name + " " + version + " " + SAMPLES[number], e.getCause());
                    }
                }
            }
            out.writeUTF(c.getSimpleName());
            out.writeShort(count);
            samples.writeTo(out);
        }
        out.flush();
    }
}
