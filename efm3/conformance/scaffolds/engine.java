// SPDX-FileCopyrightText: 2026 EFM3 contributors
// SPDX-License-Identifier: Apache-2.0

// An EFM3 engine to start from, in double precision; Java 17, no libraries.
//
//     javac -d classes engine.java && jar cfe engine.jar Engine -C classes .
//     java -jar engine.jar MODEL INPUT OUTPUT [LAYERS]    exit code 1 where MODEL is refused
//     java -jar engine.jar --lines                        answers the lines protocol
//
// INPUT is float32 [3, 112, 112], OUTPUT the embedding; the folder LAYERS gets NAME.f32 a layer.
// Put your own engine in the place of `load` and `forward`.

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

final class Engine {
    static final int SIDE = 112;

    /** The model breaks a rule; the message starts with the rule's code. */
    @SuppressWarnings("serial")
    static final class Refused extends RuntimeException {
        Refused(String reason) {
            super(reason);
        }
    }

    static void need(boolean ok, String reason, Object... args) {
        if (!ok) throw new Refused(args.length == 0 ? reason : reason.formatted(args));
    }

    /** A convolution, its BatchNorm, and its PReLU where `act`; square kernels and maps. */
    static final class Layer {
        final String name;
        final int cin;
        final int cout;
        int kernel = 1;
        int stride = 1;
        int pad;
        boolean depthwise;
        boolean act = true;
        boolean startsBlock;
        boolean adds; // the block's input is added to the output
        double[] w;
        double[] gamma;
        double[] beta;
        double[] mean;
        double[] variance;
        double[] slope;

        Layer(String name, int cin, int cout) {
            this.name = name;
            this.cin = cin;
            this.cout = cout;
        }

        Layer kernel(int kernel, int stride, int pad) {
            this.kernel = kernel;
            this.stride = stride;
            this.pad = pad;
            return this;
        }

        Layer depthwise() {
            depthwise = true;
            return this;
        }

        Layer linear() {
            act = false;
            return this;
        }

        int perGroup() {
            return depthwise ? 1 : cin;
        }
    }

    /** The layers of a file's bytes with their values; the JSON mirror is skipped. */
    static List<Layer> load(byte[] data) {
        need(data.length >= 92, "C004: the file ends inside its first 92 bytes");
        var in = ByteBuffer.wrap(data).order(ByteOrder.LITTLE_ENDIAN);
        boolean magic = new String(data, 0, 4, StandardCharsets.ISO_8859_1).equals("EFM3");
        need(magic, "C002: the file does not start with EFM3");
        need(in.getInt(4) == 3, "C003: the version is not 3");
        List<Layer> layers = readArch(in.slice(8, 80).order(ByteOrder.LITTLE_ENDIAN));
        long size = in.getInt(88) & 0xffffffffL;
        need(size <= 1 << 20, "C005: json_len is over 1 MiB");
        need(size <= data.length - 92, "C006: the mirror reaches past the end of the file");
        in.position(92 + (int) size);
        need(in.remaining() >= 4, "C007: the file ends before the whole tensor count");
        int count = layers.stream().mapToInt(l -> l.act ? 6 : 5).sum();
        need(in.getInt() == count, "T001: the layout has %s tensors", count);
        for (Layer l : layers) {
            long weights = (long) l.cout * l.perGroup() * l.kernel * l.kernel;
            l.w = tensor(in, l.name + ".conv.w", weights);
            l.gamma = tensor(in, l.name + ".bn.w", l.cout);
            l.beta = tensor(in, l.name + ".bn.b", l.cout);
            l.mean = tensor(in, l.name + ".bn.mean", l.cout);
            l.variance = tensor(in, l.name + ".bn.var", l.cout);
            if (l.act) l.slope = tensor(in, l.name + ".act.w", l.cout);
        }
        need(!in.hasRemaining(), "T014: bytes follow the last tensor");
        return layers;
    }

    /** The values of the next tensor, at any alignment. */
    static double[] tensor(ByteBuffer in, String name, long values) {
        need(in.remaining() >= 4, "T013: the file ends before the size of %s", name);
        long size = in.getInt() & 0xffffffffL;
        need(size == 4 * values, "T002: %s has %s bytes, not its shape's", name, size);
        need(size <= in.remaining(), "T012: the file ends inside %s", name);
        var out = new double[(int) values];
        for (int i = 0; i < out.length; i++) out[i] = in.getFloat();
        return out;
    }

    static boolean zero(ByteBuffer h, int from, int to) {
        while (from < to) {
            if (h.get(from++) != 0) return false;
        }
        return true;
    }

    /** The layers of the arch header's 80 bytes, in order of execution. */
    static List<Layer> readArch(ByteBuffer h) {
        int count = h.get(1) & 255;
        int stemKernel = h.get(2) & 255;
        int stemStride = h.get(3) & 255;
        int stem = h.getShort(4) & 65535;
        int other = h.getShort(6) & 65535;
        int last = h.getShort(8) & 65535;
        int dim = h.getShort(10) & 65535;
        int gdcKernel = h.get(12) & 255;
        need(h.get(0) == 1, "H001: hdr_version is not 1");
        need(zero(h, 13, 16), "H002: a pad byte is not zero");
        need(count >= 1 && count <= 8, "H003: n_stages is not 1..8");
        need(stemKernel % 2 == 1 && stemKernel <= 15, "H004: stem_kernel is not odd, 1..15");
        need(stemStride >= 1 && stemStride <= 4, "H005: stem_stride is not 1..4");
        need(stem >= 1, "H006: stem_channels is 0");
        need(other >= 1, "H007: block_channels is 0");
        need(last >= 1, "H008: final_channels is 0");
        need(dim >= 1, "H009: embedding_dim is 0");
        var stages = new int[count][];
        int blocks = 0;
        int side = (SIDE + 2 * (stemKernel / 2) - stemKernel) / stemStride + 1;
        for (int i = 0; i < 8; i++) {
            int at = 16 + 8 * i;
            if (i >= count) {
                need(zero(h, at, at + 8), "H018: an unused stage record is not zero");
                continue;
            }
            int t = h.get(at) & 255;
            int n = h.get(at + 1) & 255;
            int s = h.get(at + 2) & 255;
            need(t >= 1, "H011: stage %s has t = 0", i + 1);
            need(n >= 1, "H012: stage %s has n = 0", i + 1);
            need(s >= 1 && s <= 4, "H013: stage %s has a stride outside 1..4", i + 1);
            need(zero(h, at + 3, at + 8), "H017: stage %s has a pad that is not zero", i + 1);
            side = (side - 1) / s + 1;
            blocks += n;
            stages[i] = new int[] {t, n, s};
        }
        need(blocks <= 256, "H014: more than 256 blocks");
        need(gdcKernel == side, "H016: gdc_kernel is not %s, the last map's side", side);

        var layers = new ArrayList<Layer>();
        layers.add(new Layer("stem", 3, stem).kernel(stemKernel, stemStride, stemKernel / 2));
        layers.add(new Layer("dw_stem", stem, stem).kernel(3, 1, 1).depthwise());
        int c = stem;
        for (int i = 0; i < count; i++) {
            int out = i == 0 ? stem : other;
            for (int j = 0; j < stages[i][1]; j++) {
                String block = "stage" + (i + 1) + ".block" + j;
                int stride = j == 0 ? stages[i][2] : 1;
                int wide = c * stages[i][0];
                need(wide <= 65535, "H015: stage %s expands to %s channels", i + 1, wide);
                var expand = new Layer(block + ".expand", c, wide);
                var project = new Layer(block + ".project", wide, out).linear();
                expand.startsBlock = true;
                project.adds = stride == 1 && c == out;
                layers.add(expand);
                layers.add(new Layer(block + ".dw", wide, wide).kernel(3, stride, 1).depthwise());
                layers.add(project);
                c = out;
            }
        }
        layers.add(new Layer("final_conv", c, last));
        layers.add(new Layer("gdconv", last, last).kernel(gdcKernel, 1, 0).depthwise().linear());
        layers.add(new Layer("embed_proj", last, dim).linear());
        return layers;
    }

    /** Adds w * the plane at `from`, shifted by tap (i, j), to the sums at `to`. */
    static void tap(Layer l, double[] sum, int to, int side, double[] x, int from, int inSide,
            int i, int j, double w) {
        for (int row = 0; row < side; row++) {
            int iy = row * l.stride + i - l.pad;
            if (iy < 0 || iy >= inSide) continue; // outside the plane is zero
            for (int col = 0; col < side; col++) {
                int ix = col * l.stride + j - l.pad;
                if (ix >= 0 && ix < inSide) {
                    sum[to + row * side + col] += w * x[from + iy * inSide + ix];
                }
            }
        }
    }

    /** A layer's output [cout, side, side] for x [cin, inSide, inSide], BatchNorm folded in. */
    static double[] apply(Layer l, double[] x, int inSide, int side, double[] blockInput) {
        int area = side * side;
        int taps = l.kernel * l.kernel;
        var y = new double[l.cout * area];
        for (int o = 0; o < l.cout; o++) {
            double scale = l.gamma[o] / Math.sqrt(l.variance[o] + 1e-5);
            Arrays.fill(y, o * area, (o + 1) * area, l.beta[o] - l.mean[o] * scale);
            for (int c = 0; c < l.perGroup(); c++) {
                int plane = (l.depthwise ? o : c) * inSide * inSide;
                for (int k = 0; k < taps; k++) {
                    double w = l.w[(o * l.perGroup() + c) * taps + k] * scale;
                    tap(l, y, o * area, side, x, plane, inSide, k / l.kernel, k % l.kernel, w);
                }
            }
            for (int p = o * area; p < (o + 1) * area; p++) {
                if (l.act && !(y[p] > 0)) y[p] *= l.slope[o];
                if (l.adds) y[p] += blockInput[p];
            }
        }
        return y;
    }

    /** Gets each layer's name and output. */
    interface Watch {
        void layer(String name, double[] y) throws IOException;
    }

    /** The embedding, of length 1, of x [3, 112, 112]. */
    static double[] forward(List<Layer> layers, double[] x, Watch watch) throws IOException {
        int side = SIDE;
        double[] blockInput = null;
        for (Layer l : layers) {
            if (l.startsBlock) blockInput = x;
            int outSide = (side + 2 * l.pad - l.kernel) / l.stride + 1;
            x = apply(l, x, side, outSide, blockInput);
            side = outSide;
            watch.layer(l.name, x);
        }
        double squares = Arrays.stream(x).map(v -> v * v).sum();
        double norm = Math.max(Math.sqrt(squares), 1e-12); // NaN stays NaN
        return Arrays.stream(x).map(v -> v / norm).toArray();
    }

    // The interface to the kit.

    static void save(Path path, double[] values) throws IOException {
        var out = ByteBuffer.allocate(4 * values.length).order(ByteOrder.LITTLE_ENDIAN);
        for (double v : values) out.putFloat((float) v);
        Files.write(path, out.array());
    }

    /** Runs a model file on an input file; the folder of layers may be null. */
    static void embed(String model, String input, String output, String folder)
            throws IOException {
        List<Layer> layers = load(Files.readAllBytes(Path.of(model)));
        var given = ByteBuffer.wrap(Files.readAllBytes(Path.of(input)));
        var x = new double[3 * SIDE * SIDE];
        if (given.remaining() != 4 * x.length) throw new IOException("the input has another size");
        given.order(ByteOrder.LITTLE_ENDIAN);
        for (int i = 0; i < x.length; i++) x[i] = given.getFloat();
        save(Path.of(output), forward(layers, x, (name, y) -> {
            if (folder != null) save(Path.of(folder, name + ".f32"), y);
        }));
    }

    static final String HELLO = """
            {"version":1,"ready":true,"implementation":{"name":"my-engine","version":"0.1",\
            "language":"java","classes":["engine"]}}""";

    static final Pattern MEMBER = Pattern.compile(
            "\"(\\w+)\"\\s*:\\s*(?:(\\d+)|\"((?:[^\"\\\\]|\\\\.)*)\")");
    static final Pattern ESCAPE = Pattern.compile("\\\\(?:u([0-9a-fA-F]{4})|(.))");

    /** The members of a request: an object of numbers and strings. */
    static Map<String, String> request(String line) {
        var out = new HashMap<String, String>();
        MEMBER.matcher(line).results().forEach(member -> {
            String text = member.group(2) != null ? member.group(2) : member.group(3);
            out.put(member.group(1), ESCAPE.matcher(text).replaceAll(escape -> {
                if (escape.group(1) != null) {
                    int unit = Integer.parseInt(escape.group(1), 16);
                    return Matcher.quoteReplacement(String.valueOf((char) unit));
                }
                int letter = "bfnrt".indexOf(escape.group(2));
                return Matcher.quoteReplacement(
                        letter < 0 ? escape.group(2) : "\b\f\n\r\t".substring(letter, letter + 1));
            }));
        });
        return out;
    }

    static String quoted(String text) {
        var out = new StringBuilder("\"");
        for (char c : text.toCharArray()) {
            boolean plain = c >= ' ' && c <= '~' && c != '"' && c != '\\';
            out.append(plain ? String.valueOf(c) : "\\u%04x".formatted((int) c));
        }
        return out.append('"').toString();
    }

    /** The answer to a line: `start`, `embed`, and `read` for the verdict. */
    static String answer(Map<String, String> ask) {
        if (ask.get("cmd").equals("start")) return HELLO;
        String start = "{\"seq\":" + ask.get("seq");
        try {
            if (ask.get("cmd").equals("embed")) {
                embed(ask.get("model"), ask.get("input"), ask.get("output"), ask.get("layers"));
            } else {
                load(Files.readAllBytes(Path.of(ask.get("file"))));
            }
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
            Map<String, String> ask = request(line);
            if (ask.get("cmd").equals("stop")) return;
            out.println(answer(ask));
        }
    }

    public static void main(String[] args) {
        int code = 0;
        try {
            if (args.length == 1 && args[0].equals("--lines")) lines();
            else embed(args[0], args[1], args[2], args.length > 3 ? args[3] : null);
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
