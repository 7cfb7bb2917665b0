import java.io.BufferedReader;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.lang.reflect.InvocationTargetException;
import java.util.Base64;
import org.apache.kafka.common.utils.Exit;

/**
 * Runs many of Kafka's tools in one process. A line of standard input is a class, what the tool reads and its arguments, each in
 * base64; a line of output is "@", exit status, standard output and standard error, the latter two in base64. What a tool prints
 * after it has asked to exit is dropped, as it would be in a process of its own.
 */
public class KafkaTools {
    static class Exited extends Error {
    }

    static Integer status;
    static byte[] out, err;
    static ByteArrayOutputStream outBytes, errBytes;

    static void ended(int code) {
        if (status != null) return;
        System.out.flush();
        System.err.flush();
        status = code;
        out = outBytes.toByteArray();
        err = errBytes.toByteArray();
    }

    static void exit(int code, String message) {
        ended(code);
        throw new Exited();
    }

    static void call(String[] words) throws Exception {
        String[] args = new String[words.length - 2];
        for (int i = 0; i < args.length; i++) args[i] = decode(words[i + 2]);
        System.setIn(new ByteArrayInputStream(Base64.getDecoder().decode(words[1])));
        try {
            Class.forName(decode(words[0])).getMethod("main", String[].class).invoke(null, (Object) args);
            ended(0);
        } catch (InvocationTargetException e) {
            if (!(e.getCause() instanceof Exited)) e.getCause().printStackTrace();
            ended(1);
        }
    }

    static String decode(String text) {
        return new String(Base64.getDecoder().decode(text));
    }

    public static void main(String[] args) throws Exception {
        PrintStream real = System.out, realErr = System.err;
        Exit.setExitProcedure(KafkaTools::exit);
        Exit.setHaltProcedure(KafkaTools::exit);
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in));
        Base64.Encoder encoder = Base64.getEncoder();
        for (String line; (line = in.readLine()) != null;) {
            status = null;
            outBytes = new ByteArrayOutputStream();
            errBytes = new ByteArrayOutputStream();
            System.setOut(new PrintStream(outBytes, true));
            System.setErr(new PrintStream(errBytes, true));
            call(line.split(" ", -1));
            System.setOut(real);
            System.setErr(realErr);
            real.println("@ " + status + " " + encoder.encodeToString(out) + " " + encoder.encodeToString(err));
            real.flush();
        }
    }
}
