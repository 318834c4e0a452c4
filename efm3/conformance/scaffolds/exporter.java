// SPDX-FileCopyrightText: 2026 EFM3 contributors
// SPDX-License-Identifier: Apache-2.0

// An EFM3 exporter to start from; Java 17, no libraries.
//
//     javac -d classes exporter.java && jar cfe exporter.jar Exporter -C classes .
//     java -jar exporter.jar ARCH.json TENSORS_FOLDER OUT.bin    exit code 1: refused, no file
//     java -jar exporter.jar --lines                             answers the lines protocol
//
// Put your own source of weights in the place of `readNpy`.

import java.io.BufferedReader;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.math.BigDecimal;
import java.math.MathContext;
import java.math.RoundingMode;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

final class Exporter {
    /** No file can be made of this; the message says why. */
    @SuppressWarnings("serial")
    static final class Refused extends RuntimeException {
        Refused(String reason) {
            super(reason);
        }
    }

    static void need(boolean ok, String reason, Object... args) {
        if (!ok) throw new Refused(args.length == 0 ? reason : reason.formatted(args));
    }

    record Stage(int t, int n, int s) {}

    record Arch(String name, double widthMult, int stemKernel, int stemStride, int stem, int block,
            int last, int dim, int gdcKernel, List<Stage> stages) {}

    record Tensor(String name, int... shape) {}

    /** Where the values of a tensor come from: float32, little-endian. */
    interface Source {
        byte[] payload(Tensor tensor) throws IOException;
    }

    /** Refuses what the header can state but no engine could run. */
    static void check(Arch a) {
        need(!a.stages.isEmpty() && a.stages.size() <= 8, "there are not 1..8 stages");
        need(a.stemKernel % 2 == 1, "stem_kernel is even");
        need(a.stages.stream().mapToInt(Stage::n).sum() <= 256, "there are more than 256 blocks");
        int side = (112 - 1) / a.stemStride + 1;
        for (Stage stage : a.stages) side = (side - 1) / stage.s + 1;
        need(a.gdcKernel == side, "gdc_kernel is not %s, the last map's side", side);
        need(a.name.indexOf('\0') < 0, "the name holds a NUL");
        boolean lone = a.name.codePoints().anyMatch(c -> c >= 0xd800 && c <= 0xdfff);
        need(!lone, "the name holds half a character");
        boolean good = a.widthMult > 0 && !Double.isInfinite(a.widthMult);
        need(good, "width_mult is not above zero");
    }

    /** Name and shape of every tensor, in stored order. */
    static List<Tensor> tensorLayout(Arch a) {
        var layout = new ArrayList<Tensor>();
        int c = a.stem;
        layer(layout, "stem", c, 3, a.stemKernel, true);
        layer(layout, "dw_stem", c, 1, 3, true);
        for (int i = 0; i < a.stages.size(); i++) {
            Stage stage = a.stages.get(i);
            int out = i == 0 ? a.stem : a.block;
            for (int j = 0; j < stage.n; j++) {
                String block = "stage" + (i + 1) + ".block" + j;
                int wide = c * stage.t;
                need(wide <= 65535, "stage %s expands to %s channels", i + 1, wide);
                layer(layout, block + ".expand", wide, c, 1, true);
                layer(layout, block + ".dw", wide, 1, 3, true);
                layer(layout, block + ".project", out, wide, 1, false);
                c = out;
            }
        }
        layer(layout, "final_conv", a.last, c, 1, true);
        layer(layout, "gdconv", a.last, 1, a.gdcKernel, false);
        layer(layout, "embed_proj", a.dim, a.last, 1, false);
        return layout;
    }

    static void layer(List<Tensor> to, String name, int out, int perGroup, int kernel,
            boolean act) {
        to.add(new Tensor(name + ".conv.w", out, perGroup, kernel, kernel));
        for (String part : List.of("bn.w", "bn.b", "bn.mean", "bn.var", "act.w")) {
            if (act || !part.equals("act.w")) to.add(new Tensor(name + "." + part, out));
        }
    }

    /** The fewest digits that read back as the value, and of these the nearest. */
    static BigDecimal shortest(double value) {
        var exact = new BigDecimal(value);
        for (int digits = 1; ; digits++) {
            // Above a power of two doubles lie wider: there the next above may read back alone.
            for (var mode : List.of(RoundingMode.HALF_EVEN, RoundingMode.UP)) {
                BigDecimal near = exact.round(new MathContext(digits, mode));
                if (Double.parseDouble(near.toString()) == value) return near;
            }
        }
    }

    /** A real number's canonical spelling: always with a point or an exponent. */
    static String real(double value) {
        BigDecimal near = shortest(value);
        String digits = near.unscaledValue().toString();
        int e = digits.length() - 1 - near.scale();
        if (e < -4 || e >= 16) {
            String rest = digits.length() > 1 ? "." + digits.substring(1) : "";
            return "%c%se%c%02d".formatted(digits.charAt(0), rest, e < 0 ? '-' : '+', Math.abs(e));
        }
        if (e < 0) return "0." + "0".repeat(-e - 1) + digits;
        digits += "0".repeat(Math.max(0, e + 2 - digits.length()));
        return digits.substring(0, e + 1) + "." + digits.substring(e + 1);
    }

    /** A JSON string's canonical spelling: ASCII, the shortest escapes. */
    static String quoted(String text) {
        var out = new StringBuilder("\"");
        for (char c : text.toCharArray()) {
            int letter = "\"\\\b\f\n\r\t".indexOf(c);
            if (letter >= 0) out.append('\\').append("\"\\bfnrt".charAt(letter));
            else if (c >= ' ' && c <= '~') out.append(c);
            else out.append("\\u%04x".formatted((int) c));
        }
        return out.append('"').toString();
    }

    /** The mirror's text: compact ASCII JSON, keys in order. */
    static String mirror(Arch a) {
        String stages = a.stages.stream().map(s -> "{\"t\":%d,\"n\":%d,\"s\":%d}".formatted(
                s.t, s.n, s.s)).collect(Collectors.joining(","));
        return ("{\"name\":%s,\"width_mult\":%s,\"stem_channels\":%d,\"block_channels\":%d,"
                + "\"final_channels\":%d,\"embedding_dim\":%d,\"gdc_kernel\":%d,\"stages\":[%s]}")
                .formatted(quoted(a.name), real(a.widthMult), a.stem, a.block, a.last, a.dim,
                        a.gdcKernel, stages);
    }

    static byte[] u32(int value) {
        return ByteBuffer.allocate(4).order(ByteOrder.LITTLE_ENDIAN).putInt(value).array();
    }

    /** The file's bytes. */
    static byte[] write(Arch a, Source source) throws IOException {
        check(a);
        byte[] text = mirror(a).getBytes(StandardCharsets.US_ASCII);
        need(text.length <= 1 << 20, "the mirror is over 1 MiB");
        var head = ByteBuffer.allocate(92).order(ByteOrder.LITTLE_ENDIAN);
        head.put("EFM3".getBytes(StandardCharsets.US_ASCII)).putInt(3);
        head.put((byte) 1).put((byte) a.stages.size());
        head.put((byte) a.stemKernel).put((byte) a.stemStride);
        for (int channels : new int[] {a.stem, a.block, a.last, a.dim}) {
            head.putShort((short) channels);
        }
        head.putInt(a.gdcKernel); // one byte and three zeros
        for (Stage s : a.stages) {
            head.put((byte) s.t).put((byte) s.n).put((byte) s.s).put(new byte[5]);
        }
        head.putInt(88, text.length);
        List<Tensor> layout = tensorLayout(a);
        var out = new ByteArrayOutputStream();
        out.write(head.array());
        out.write(text);
        out.write(u32(layout.size()));
        for (Tensor tensor : layout) {
            byte[] payload = source.payload(tensor);
            out.write(u32(payload.length));
            out.write(payload);
        }
        return out.toByteArray();
    }

    /** The payload of FOLDER/NAME.npy, NPY format 1.0. */
    static byte[] readNpy(Path folder, Tensor t) throws IOException {
        Path file = folder.resolve(t.name + ".npy");
        need(Files.exists(file), "%s is missing", t.name);
        var npy = ByteBuffer.wrap(Files.readAllBytes(file)).order(ByteOrder.LITTLE_ENDIAN);
        boolean known = npy.remaining() >= 10 && "\u0093NUMPY\1\0".equals(
                new String(npy.array(), 0, 8, StandardCharsets.ISO_8859_1));
        need(known, "%s is not NPY format 1.0", t.name);
        int start = 10 + (npy.getShort(8) & 65535);
        need(npy.remaining() >= start, "%s is cut", t.name);
        String header = new String(npy.array(), 10, start - 10, StandardCharsets.ISO_8859_1);
        String shape = IntStream.of(t.shape).mapToObj(String::valueOf).collect(
                Collectors.joining(", ", "(", t.shape.length == 1 ? ",)" : ")"));
        need(header.contains("'descr': '<f4'"), "%s is not float32 little-endian", t.name);
        need(header.contains("'fortran_order': False"), "%s is not in C order", t.name);
        need(header.contains(shape), "%s has not the shape %s", t.name, shape);
        long count = IntStream.of(t.shape).asLongStream().reduce(1, (a, b) -> a * b);
        need(npy.limit() - start == 4 * count, "%s has not its shape's bytes", t.name);
        for (int at = start; at < npy.limit(); at += 4) {
            need(Float.isFinite(npy.getFloat(at)), "%s holds NaN or infinity", t.name);
        }
        return Arrays.copyOfRange(npy.array(), start, npy.limit());
    }

    // ARCH.json, and the lines of the protocol.

    /** A JSON value that is neither object nor array; numbers and strings as texts. */
    record Leaf(String type, String value) {}

    static Leaf leaf(Object value) {
        return value instanceof Leaf found ? found : new Leaf("", "");
    }

    /** Strict JSON. */
    static final class Parser {
        final String text;
        int at;
        int depth;

        Parser(byte[] bytes) {
            var decoder = StandardCharsets.UTF_8.newDecoder(); // a new one reports what is none
            try {
                text = decoder.decode(ByteBuffer.wrap(bytes)).toString();
            } catch (CharacterCodingException e) {
                throw new Refused("this is not UTF-8");
            }
        }

        Map<?, ?> object() {
            Object value = value();
            space();
            need(at == text.length() && value instanceof Map, "this is no JSON object");
            return (Map<?, ?>) value;
        }

        void space() {
            while (at < text.length() && " \t\r\n".indexOf(text.charAt(at)) >= 0) at++;
        }

        /** Moves past a word if it stands here. */
        boolean take(String word) {
            boolean found = text.startsWith(word, at);
            if (found) at += word.length();
            return found;
        }

        /** A value with the space before it. */
        Object value() {
            space();
            if (text.startsWith("\"", at)) return new Leaf("string", string());
            if (take("{")) {
                var object = new LinkedHashMap<String, Object>();
                list("}", () -> {
                    space();
                    String key = string();
                    need(!object.containsKey(key), "a key stands twice");
                    space();
                    need(take(":"), "no colon at character %s", at);
                    object.put(key, value());
                });
                return object;
            }
            if (take("[")) {
                var array = new ArrayList<Object>();
                list("]", () -> array.add(value()));
                return array;
            }
            for (String word : List.of("true", "false", "null")) {
                if (take(word)) return new Leaf("word", word);
            }
            int from = at;
            take("-");
            if (!take("0")) digits();
            String type = "integer";
            if (take(".")) {
                type = "real";
                digits();
            }
            if (take("e") || take("E")) {
                type = "real";
                if (!take("+")) take("-");
                digits();
            }
            return new Leaf(type, text.substring(from, at));
        }

        /** What stands between brackets, with commas. */
        void list(String end, Runnable item) {
            need(++depth <= 64, "nested deeper than 64");
            space();
            for (boolean more = !text.startsWith(end, at); more; more = take(",")) {
                item.run();
                space();
            }
            need(take(end), "no %s at character %s", end, at);
            depth--;
        }

        void digits() {
            int from = at;
            while (at < text.length() && text.charAt(at) >= '0' && text.charAt(at) <= '9') at++;
            need(at > from, "no digit at character %s", at);
        }

        String string() {
            var out = new StringBuilder();
            need(take("\""), "no string at character %s", at);
            while (!take("\"")) {
                boolean good = at < text.length() && text.charAt(at) >= ' ';
                need(good, "a string does not end at character %s", at);
                char c = text.charAt(at++);
                out.append(c == '\\' ? escape() : c);
            }
            return out.toString();
        }

        char escape() {
            need(text.length() - at >= 5, "the text ends inside an escape");
            int letter = "\"\\/bfnrt".indexOf(text.charAt(at++));
            if (letter >= 0) return "\"\\/\b\f\n\r\t".charAt(letter);
            String hex = text.substring(at, at + 4);
            boolean good = text.charAt(at - 1) == 'u' && hex.matches("[0-9a-fA-F]{4}");
            need(good, "an unknown escape");
            at += 4;
            return (char) HexFormat.fromHexDigits(hex);
        }
    }

    static int integer(Map<?, ?> from, String key, int most) {
        Leaf found = leaf(from.get(key));
        boolean good = found.type.equals("integer") && found.value.matches("[1-9][0-9]{0,4}")
                && Integer.parseInt(found.value) <= most;
        need(good, "%s is no integer of 1..%s", key, most);
        return Integer.parseInt(found.value);
    }

    static Arch readArch(byte[] text) {
        Map<?, ?> in = new Parser(text).object();
        Leaf name = leaf(in.get("name"));
        Leaf width = leaf(in.get("width_mult"));
        need(name.type.equals("string"), "name is no string");
        need(List.of("integer", "real").contains(width.type), "width_mult is no number");
        need(in.get("stages") instanceof List, "stages is no array");
        var stages = new ArrayList<Stage>();
        for (Object value : (List<?>) in.get("stages")) {
            need(value instanceof Map<?, ?> m && m.size() == 3, "a stage is not t, n and s");
            var s = (Map<?, ?>) value;
            stages.add(new Stage(integer(s, "t", 255), integer(s, "n", 255), integer(s, "s", 4)));
        }
        return new Arch(name.value, Double.parseDouble(width.value),
                integer(in, "stem_kernel", 15), integer(in, "stem_stride", 4),
                integer(in, "stem_channels", 65535), integer(in, "block_channels", 65535),
                integer(in, "final_channels", 65535), integer(in, "embedding_dim", 65535),
                integer(in, "gdc_kernel", 112), stages);
    }

    /** Writes OUT from an arch and a folder of tensors. */
    static void export(String archPath, String tensors, String out) throws IOException {
        Path folder = Path.of(tensors);
        Arch arch = readArch(Files.readAllBytes(Path.of(archPath)));
        byte[] data = write(arch, tensor -> readNpy(folder, tensor));
        try (var files = Files.newDirectoryStream(folder, "*.npy")) {
            int count = 0;
            for (Path file : files) count++;
            need(count == tensorLayout(arch).size(), "a tensor is not in the layout");
        }
        Files.write(Path.of(out), data);
    }

    // The interface to the kit.

    static final String HELLO = """
            {"version":1,"ready":true,"implementation":{"name":"my-exporter","version":"0.1",\
            "language":"java","classes":["writer"]}}""";

    /** The answer to a line of the lines protocol. */
    static String answer(Map<?, ?> ask) {
        if (leaf(ask.get("cmd")).value.equals("start")) return HELLO;
        String start = "{\"seq\":" + leaf(ask.get("seq")).value;
        try {
            export(leaf(ask.get("arch")).value, leaf(ask.get("tensors")).value,
                    leaf(ask.get("out")).value);
            return start + ",\"ok\":true}";
        } catch (Refused e) {
            return start + ",\"ok\":false,\"reason\":" + quoted(e.getMessage()) + "}";
        } catch (Exception | OutOfMemoryError e) {
            return start + ",\"error\":" + quoted(e.toString()) + "}";
        }
    }

    static void lines() throws IOException {
        var in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        var out = new PrintStream(System.out, true);
        for (String line; (line = in.readLine()) != null; ) {
            Map<?, ?> ask = new Parser(line.getBytes(StandardCharsets.UTF_8)).object();
            if (leaf(ask.get("cmd")).value.equals("stop")) return;
            out.println(answer(ask));
        }
    }

    public static void main(String[] args) {
        int code = 0;
        try {
            if (args.length == 1 && args[0].equals("--lines")) lines();
            else export(args[0], args[1], args[2]);
        } catch (Refused e) {
            System.err.println(e.getMessage());
            code = 1;
        } catch (OutOfMemoryError e) {
            System.err.println(e);
            code = 71;
        } catch (Throwable e) { // Java ends with 1 on its own, and 1 would say refused
            e.printStackTrace();
            code = 70;
        }
        System.exit(code);
    }
}
