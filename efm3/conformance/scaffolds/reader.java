// SPDX-FileCopyrightText: 2026 EFM3 contributors
// SPDX-License-Identifier: Apache-2.0

// An EFM3 reader to start from, levels `structure` and `coherence`; Java 17, no libraries.
//
//     javac -d classes reader.java && jar cfe reader.jar Reader -C classes .
//     java -jar reader.jar FILE      prints the document; exit code 1 where FILE is refused
//     java -jar reader.jar           the same for standard input
//     java -jar reader.jar --lines   answers the lines protocol
//
// The variable EFM3_LEVEL holds the level. Put your own reader in the place of `read`.

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.zip.CRC32;

final class Reader {
    /** The file breaks a rule; the message starts with the rule's code. */
    @SuppressWarnings("serial")
    static final class Refused extends RuntimeException {
        Refused(String reason) {
            super(reason);
        }
    }

    static void need(boolean ok, String reason, Object... args) {
        if (!ok) throw new Refused(args.length == 0 ? reason : reason.formatted(args));
    }

    /** A value of the document. */
    record Leaf(String type, String value) {
        boolean isInteger() {
            return type.equals("integer");
        }
    }

    static Leaf tag(String type, Object value) {
        return new Leaf(type, String.valueOf(value));
    }

    static Leaf crc32(byte[] data, int from, int length) {
        var crc = new CRC32();
        crc.update(data, from, length);
        return tag("crc32", "%08x".formatted(crc.getValue()));
    }

    record Stage(int t, int n, int s) {}

    /** The header's fields but the stages, and the stages. */
    record Arch(Map<String, Integer> fields, List<Stage> stages) {
        int get(String name) {
            return fields.get(name);
        }
    }

    record Tensor(String name, int... shape) {}

    static final List<String> SMALL =
            List.of("hdr_version", "n_stages", "stem_kernel", "stem_stride");
    static final List<String> WIDE =
            List.of("stem_channels", "block_channels", "final_channels", "embedding_dim");

    /** The document of a file's bytes. */
    static Map<String, Object> read(byte[] data, String level) {
        need(data.length >= 92, "C004: the file ends inside its first 92 bytes");
        var in = ByteBuffer.wrap(data).order(ByteOrder.LITTLE_ENDIAN);
        boolean magic = new String(data, 0, 4, StandardCharsets.ISO_8859_1).equals("EFM3");
        need(magic, "C002: the file does not start with EFM3");
        need(in.getInt(4) == 3, "C003: the version is not 3");
        Arch arch = readArch(in.slice(8, 80).order(ByteOrder.LITTLE_ENDIAN));
        List<Tensor> layout = tensorLayout(arch);

        long size = in.getInt(88) & 0xffffffffL;
        need(size <= 1 << 20, "C005: json_len is over 1 MiB");
        need(size <= data.length - 92, "C006: the mirror reaches past the end of the file");
        int length = (int) size;
        in.position(92 + length);
        need(in.remaining() >= 4, "C007: the file ends before the whole tensor count");
        need(in.getInt() == layout.size(), "T001: the layout has %s tensors", layout.size());
        int table = in.position();
        var tensors = new ArrayList<Object>();
        for (Tensor t : layout) {
            need(in.remaining() >= 4, "T013: the file ends before the size of %s", t.name);
            size = in.getInt() & 0xffffffffL;
            long want = 4;
            var shape = new ArrayList<Object>();
            for (int n : t.shape) {
                want *= n;
                shape.add(tag("u32", n));
            }
            need(size == want, "T002: %s has %s bytes, not its shape's", t.name, size);
            need(size <= in.remaining(), "T012: the file ends inside %s", t.name);
            int at = in.position();
            int end = at + (int) size;
            var row = new LinkedHashMap<String, Object>();
            row.put("name", tag("string", t.name));
            row.put("shape", shape);
            row.put("offset", tag("u64", at));
            row.put("first", tag("f32", "%08x".formatted(in.getInt(at))));
            row.put("last", tag("f32", "%08x".formatted(in.getInt(end - 4))));
            row.put("crc32", crc32(data, at, end - at));
            tensors.add(row);
            in.position(end);
        }
        need(!in.hasRemaining(), "T014: %s bytes follow the last tensor", in.remaining());

        var head = new LinkedHashMap<String, Object>();
        SMALL.forEach(key -> head.put(key, tag("u8", arch.get(key))));
        WIDE.forEach(key -> head.put(key, tag("u16", arch.get(key))));
        head.put("gdc_kernel", tag("u8", arch.get("gdc_kernel")));
        head.put("stages", arch.stages.stream().map(s -> Map.of(
                "t", tag("u8", s.t), "n", tag("u8", s.n), "s", tag("u8", s.s))).toList());
        var document = new LinkedHashMap<String, Object>();
        document.put("version", tag("u32", 3));
        document.put("arch", head);
        document.put("mirror", Map.of("offset", tag("u32", 92), "length", tag("u32", length),
                "crc32", crc32(data, 92, length)));
        document.put("tensors", tensors);
        if (!level.equals("structure")) {
            Map<?, ?> mirror = new Parser(in.slice(92, length)).mirror();
            checkMirror(mirror, arch, in.slice(table, data.length - table));
            document.put("json", mirror);
        }
        return document;
    }

    /** The 80 bytes of the arch header. */
    static Arch readArch(ByteBuffer h) {
        var arch = new Arch(new LinkedHashMap<>(), new ArrayList<>());
        for (int i = 0; i < 4; i++) {
            arch.fields.put(SMALL.get(i), h.get(i) & 255);
            arch.fields.put(WIDE.get(i), h.getShort(4 + 2 * i) & 65535);
        }
        arch.fields.put("gdc_kernel", h.get(12) & 255);
        int count = arch.get("n_stages");
        int kernel = arch.get("stem_kernel");
        int stride = arch.get("stem_stride");
        need(h.get(0) == 1, "H001: hdr_version is not 1");
        need(zero(h, 13, 16), "H002: a pad byte is not zero");
        need(count >= 1 && count <= 8, "H003: n_stages is not 1..8");
        need(kernel % 2 == 1 && kernel <= 15, "H004: stem_kernel is not odd, 1..15");
        need(stride >= 1 && stride <= 4, "H005: stem_stride is not 1..4");
        for (int i = 0; i < 4; i++) {
            need(arch.get(WIDE.get(i)) >= 1, "H%03d: %s is 0", 6 + i, WIDE.get(i));
        }
        int blocks = 0;
        int side = (112 + 2 * (kernel / 2) - kernel) / stride + 1;
        for (int i = 0; i < 8; i++) {
            int at = 16 + 8 * i;
            if (i >= count) {
                need(zero(h, at, at + 8), "H018: an unused stage record is not zero");
                continue;
            }
            var stage = new Stage(h.get(at) & 255, h.get(at + 1) & 255, h.get(at + 2) & 255);
            need(stage.t >= 1, "H011: stage %s has t = 0", i + 1);
            need(stage.n >= 1, "H012: stage %s has n = 0", i + 1);
            need(stage.s >= 1 && stage.s <= 4, "H013: stage %s has a stride outside 1..4", i + 1);
            need(zero(h, at + 3, at + 8), "H017: stage %s has a pad that is not zero", i + 1);
            side = (side - 1) / stage.s + 1;
            blocks += stage.n;
            arch.stages.add(stage);
        }
        need(blocks <= 256, "H014: more than 256 blocks");
        need(arch.get("gdc_kernel") == side, "H016: gdc_kernel is not %s, the last side", side);
        return arch;
    }

    static boolean zero(ByteBuffer h, int from, int to) {
        while (from < to) {
            if (h.get(from++) != 0) return false;
        }
        return true;
    }

    /** Name and shape of every tensor, in stored order. */
    static List<Tensor> tensorLayout(Arch arch) {
        var layout = new ArrayList<Tensor>();
        int stem = arch.get("stem_channels");
        int c = stem;
        layer(layout, "stem", c, 3, arch.get("stem_kernel"), true);
        layer(layout, "dw_stem", c, 1, 3, true);
        for (int i = 0; i < arch.stages.size(); i++) {
            Stage stage = arch.stages.get(i);
            int out = i == 0 ? stem : arch.get("block_channels");
            for (int j = 0; j < stage.n; j++) {
                String block = "stage" + (i + 1) + ".block" + j;
                int wide = c * stage.t;
                need(wide <= 65535, "H015: stage %s expands to %s channels", i + 1, wide);
                layer(layout, block + ".expand", wide, c, 1, true);
                layer(layout, block + ".dw", wide, 1, 3, true);
                layer(layout, block + ".project", out, wide, 1, false);
                c = out;
            }
        }
        int last = arch.get("final_channels");
        layer(layout, "final_conv", last, c, 1, true);
        layer(layout, "gdconv", last, 1, arch.get("gdc_kernel"), false);
        layer(layout, "embed_proj", arch.get("embedding_dim"), last, 1, false);
        return layout;
    }

    static void layer(List<Tensor> to, String name, int out, int perGroup, int kernel,
            boolean act) {
        to.add(new Tensor(name + ".conv.w", out, perGroup, kernel, kernel));
        for (String part : List.of("bn.w", "bn.b", "bn.mean", "bn.var", "act.w")) {
            if (act || !part.equals("act.w")) to.add(new Tensor(name + "." + part, out));
        }
    }

    // Level coherence: the JSON mirror.

    /** The mirror's closed grammar, parsed into leaves: what parsers disagree on is refused. */
    static final class Parser {
        final String text;
        int at;
        int depth;

        Parser(ByteBuffer bytes) {
            try { // a new decoder reports what is no UTF-8
                text = StandardCharsets.UTF_8.newDecoder().decode(bytes).toString();
            } catch (CharacterCodingException e) {
                throw new Refused("M003: the mirror is not UTF-8");
            }
        }

        Map<?, ?> mirror() {
            need(!text.replace(" ", "").isEmpty(), "M001: the mirror is empty");
            need(!text.startsWith("\ufeff"), "M002: a byte order mark");
            Object value = value();
            need(text.substring(at).replace(" ", "").isEmpty(), "M010: something follows the JSON");
            need(value instanceof Map, "M012: the mirror is not an object");
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

        void must(String word) {
            need(take(word), "M011: no %s at character %s of the mirror", word, at);
        }

        /** A value with the space before it. */
        Object value() {
            space();
            if (text.startsWith("\"", at)) return tag("string", string());
            if (take("{")) {
                var object = new LinkedHashMap<String, Object>();
                list("}", () -> {
                    space();
                    String key = string();
                    need(!object.containsKey(key), "M005: a key stands twice");
                    space();
                    must(":");
                    object.put(key, value());
                });
                return object;
            }
            if (take("[")) {
                var array = new ArrayList<Object>();
                list("]", () -> array.add(value()));
                return array;
            }
            for (String word : List.of("true", "false")) {
                if (take(word)) return tag("bool", word);
            }
            if (take("null")) return tag("null", "");
            boolean none = take("NaN") || take("Infinity") || take("-Infinity");
            need(!none, "M006: NaN or an infinity");
            return number();
        }

        /** What stands between brackets, with commas. */
        void list(String end, Runnable item) {
            need(++depth <= 16, "M004: nested deeper than 16");
            space();
            for (boolean more = !text.startsWith(end, at); more; more = take(",")) {
                item.run();
                space();
            }
            must(end);
            depth--;
        }

        Leaf number() {
            int from = at;
            String type = "integer";
            take("-");
            if (!take("0")) digits();
            if (take(".")) {
                type = "number";
                digits();
            }
            if (take("e") || take("E")) {
                type = "number";
                if (!take("+")) take("-");
                digits();
            }
            Leaf found = tag(type, text.substring(from, at));
            int length = found.value.replace("-", "").length();
            need(!found.isInteger() || length <= 20, "M007: an integer of more than 20 digits");
            boolean fits = !Double.isInfinite(Double.parseDouble(found.value));
            need(fits, "M007: a number overflows a double");
            return found;
        }

        void digits() {
            int from = at;
            while (at < text.length() && text.charAt(at) >= '0' && text.charAt(at) <= '9') at++;
            need(at > from, "M011: no digit at character %s of the mirror", at);
        }

        String string() {
            var out = new StringBuilder();
            must("\"");
            while (!take("\"")) {
                need(at < text.length(), "M011: the mirror ends inside a string");
                char c = text.charAt(at++);
                need(c >= ' ', "M011: a control character in a string");
                out.append(c == '\\' ? escape() : c);
            }
            for (int i = 0; i < out.length(); i++) {
                int c = out.codePointAt(i); // of two halves the first, so that the second is passed
                need(c != 0, "M008: a NUL character");
                need(c < 0xd800 || c > 0xdfff, "M009: a lone surrogate");
                if (c > 0xffff) i++;
            }
            return out.toString();
        }

        char escape() {
            need(text.length() - at >= 5, "M011: the mirror ends inside an escape");
            int letter = "\"\\/bfnrt".indexOf(text.charAt(at++));
            if (letter >= 0) return "\"\\/\b\f\n\r\t".charAt(letter);
            String hex = text.substring(at, at + 4);
            boolean good = text.charAt(at - 1) == 'u' && hex.matches("[0-9a-fA-F]{4}");
            need(good, "M011: an unknown escape");
            at += 4;
            return (char) HexFormat.fromHexDigits(hex);
        }
    }

    static Leaf leaf(Object value) {
        return value instanceof Leaf found ? found : tag("", "");
    }

    /** The mirror agrees with the header, and its digest with the table. */
    static void checkMirror(Map<?, ?> mirror, Arch arch, ByteBuffer table) {
        var integers = new ArrayList<>(WIDE);
        integers.add("gdc_kernel");
        var keys = new ArrayList<>(integers);
        keys.addAll(List.of("name", "width_mult", "stages"));
        keys.forEach(key -> need(mirror.containsKey(key), "M020: the mirror has no %s", key));
        need(leaf(mirror.get("name")).type.equals("string"), "M021: name is no string");
        Leaf width = leaf(mirror.get("width_mult"));
        need(width.isInteger() || width.type.equals("number"), "M021: width_mult is no number");
        need(Double.parseDouble(width.value) > 0, "M026: width_mult is not above zero");
        for (String key : integers) {
            Leaf found = leaf(mirror.get(key));
            need(found.isInteger(), "M021: %s is no integer", key);
            need(found.value.equals("" + arch.get(key)), "M022: %s is not the header's", key);
        }
        need(mirror.get("stages") instanceof List, "M021: stages is no array");
        var stages = (List<?>) mirror.get("stages");
        need(stages.size() == arch.stages.size(), "M023: another number of stages");
        for (int i = 0; i < stages.size(); i++) {
            Stage s = arch.stages.get(i);
            need(stages.get(i) instanceof Map<?, ?> m && m.size() == 3, "M024: not t, n, s");
            var one = (Map<?, ?>) stages.get(i);
            Map.of("t", s.t, "n", s.n, "s", s.s).forEach((key, want) -> {
                Leaf found = leaf(one.get(key));
                need(found.isInteger(), "M024: a stage is not t, n, s");
                need(found.value.equals("" + want), "M025: %s of a stage is not the header's", key);
            });
        }
        if (!mirror.containsKey("meta")) return;
        need(mirror.get("meta") instanceof Map, "M040: meta is not an object");
        var meta = (Map<?, ?>) mirror.get("meta");
        if (meta.containsKey("sha256")) {
            Leaf digest = leaf(meta.get("sha256"));
            boolean good = digest.type.equals("string") && digest.value.matches("[0-9a-f]{64}");
            need(good, "M041: the digest is not 64 lower-case hex digits");
            need(digest.value.equals(sha256(table)), "M042: the digest is not the table's");
        }
        var known = List.of(tag("string", "upright"), tag("string", "turned-180"));
        boolean good = !meta.containsKey("picture") || known.contains(leaf(meta.get("picture")));
        need(good, "M043: meta.picture is unknown");
    }

    static String sha256(ByteBuffer data) {
        try {
            var digest = MessageDigest.getInstance("SHA-256");
            digest.update(data);
            return HexFormat.of().formatHex(digest.digest());
        } catch (GeneralSecurityException e) {
            throw new IllegalStateException(e);
        }
    }

    // The interface to the kit.

    /** A value as JSON, in ASCII. */
    static String json(Object value) {
        if (value instanceof Leaf leaf) {
            return json(Map.of("type", leaf.type, "value", leaf.value));
        } else if (value instanceof Map<?, ?> map) {
            return map.entrySet().stream()
                    .map(entry -> json(entry.getKey()) + ":" + json(entry.getValue()))
                    .collect(Collectors.joining(",", "{", "}"));
        } else if (value instanceof List<?> list) {
            return list.stream().map(Reader::json).collect(Collectors.joining(",", "[", "]"));
        } else if (value instanceof String text) {
            var out = new StringBuilder("\"");
            for (char c : text.toCharArray()) {
                boolean plain = c >= ' ' && c <= '~' && c != '"' && c != '\\';
                out.append(plain ? String.valueOf(c) : "\\u%04x".formatted((int) c));
            }
            return out.append('"').toString();
        }
        return String.valueOf(value);
    }

    static final Map<String, Object> HELLO = Map.of("version", 1, "ready", true,
            "implementation", Map.of("name", "my-reader", "version", "0.1", "language", "java",
                    "classes", List.of("reader"), "levels", List.of("structure", "coherence")));

    /** The answer to a line of the lines protocol. */
    static Map<String, Object> answer(Map<?, ?> ask) {
        if (leaf(ask.get("cmd")).value.equals("start")) return HELLO;
        long seq = Long.parseLong(leaf(ask.get("seq")).value);
        try {
            byte[] data = Files.readAllBytes(Path.of(leaf(ask.get("file")).value));
            return Map.of("seq", seq, "ok", true, "document",
                    read(data, leaf(ask.get("level")).value));
        } catch (Refused e) {
            return Map.of("seq", seq, "ok", false, "reason", e.getMessage());
        } catch (Exception | OutOfMemoryError e) {
            return Map.of("seq", seq, "error", e.toString());
        }
    }

    static void lines() throws IOException {
        var in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        var out = new PrintStream(System.out, true);
        for (String line; (line = in.readLine()) != null; ) {
            Map<?, ?> ask = new Parser(StandardCharsets.UTF_8.encode(line)).mirror();
            if (leaf(ask.get("cmd")).value.equals("stop")) return;
            out.println(json(answer(ask)));
        }
    }

    public static void main(String[] args) {
        int code = 0;
        try {
            if (args.length > 0 && args[0].equals("--lines")) {
                lines();
            } else {
                byte[] data = args.length > 0
                        ? Files.readAllBytes(Path.of(args[0])) : System.in.readAllBytes();
                String level = System.getenv().getOrDefault("EFM3_LEVEL", "structure");
                System.out.println(json(read(data, level)));
            }
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
