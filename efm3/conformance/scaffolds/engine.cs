// SPDX-FileCopyrightText: 2026 EFM3 contributors
// SPDX-License-Identifier: Apache-2.0

// An EFM3 engine to start from, in double precision; C# 7 on Mono, no packages.
//
//     mcs -optimize -r:System.Numerics.dll -out:engine.exe engine.cs
//     mono engine.exe MODEL INPUT OUTPUT [LAYERS]    exit code 1 where MODEL is refused
//     mono engine.exe --lines                        answers the lines protocol
//
// INPUT is float32 [3, 112, 112], OUTPUT the embedding; the folder LAYERS gets NAME.f32 a layer.
// Put your own engine in the place of `Load` and `Forward`.

using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Text.RegularExpressions;

// The model breaks a rule; the message starts with the rule's code.
class Refused : Exception {
    public Refused(string reason) : base(reason) { }
}

// A convolution, its BatchNorm, and its PReLU where `Act`; square kernels and maps.
class Layer {
    public string Name;
    public int In, Out, Kernel = 1, Stride = 1, Pad;
    public bool Depthwise, Act = true, StartsBlock;
    public bool Adds; // the block's input is added to the output
    public double[] W, Gamma, Beta, Mean, Variance, Slope;

    // How many input channels an output channel reads.
    public int PerGroup => Depthwise ? 1 : In;
}

static class Engine {
    const int Side = 112;

    static void Need(bool ok, string reason) {
        if (!ok) throw new Refused(reason);
    }

    static int U16(byte[] data, int at) => data[at] | data[at + 1] << 8;

    static uint U32(byte[] data, int at) => (uint)(U16(data, at) | U16(data, at + 2) << 16);

    static bool Zero(byte[] data, int from, int to) =>
        data.Skip(from).Take(to - from).All(b => b == 0);

    // The values of a little-endian array, also on a machine of the other order.
    static double[] Floats(byte[] data, int from, int count) {
        var order = BitConverter.IsLittleEndian ? data : (byte[])data.Clone();
        var values = new double[count];
        for (int i = 0; i < count; i++, from += 4) {
            if (order != data) Array.Reverse(order, from, 4);
            values[i] = BitConverter.ToSingle(order, from);
        }
        return values;
    }

    // The layers of a file's bytes with their values; the JSON mirror is skipped.
    static List<Layer> Load(byte[] data) {
        Need(data.Length >= 92, "C004: the file ends inside its first 92 bytes");
        Need(U32(data, 0) == 0x334d4645, "C002: the file does not start with EFM3");
        Need(U32(data, 4) == 3, "C003: the version is not 3");
        var layers = ReadArch(data);
        Need(U32(data, 88) <= 1 << 20, "C005: json_len is over 1 MiB");
        int at = 92 + (int)U32(data, 88);
        Need(at <= data.Length, "C006: the mirror reaches past the end of the file");
        Need(data.Length - at >= 4, "C007: the file ends before the whole tensor count");
        int count = layers.Sum(l => l.Act ? 6 : 5);
        Need(U32(data, at) == count, $"T001: the layout has {count} tensors");
        at += 4;
        Func<string, long, double[]> tensor = (name, values) => {
            Need(data.Length - at >= 4, $"T013: the file ends before the size of {name}");
            long size = U32(data, at);
            Need(size == 4 * values, $"T002: {name} has {size} bytes, not its shape's");
            at += 4;
            Need(size <= data.Length - at, $"T012: the file ends inside {name}");
            at += (int)size;
            return Floats(data, at - (int)size, (int)values);
        };
        foreach (var l in layers) {
            l.W = tensor(l.Name + ".conv.w", (long)l.Out * l.PerGroup * l.Kernel * l.Kernel);
            l.Gamma = tensor(l.Name + ".bn.w", l.Out);
            l.Beta = tensor(l.Name + ".bn.b", l.Out);
            l.Mean = tensor(l.Name + ".bn.mean", l.Out);
            l.Variance = tensor(l.Name + ".bn.var", l.Out);
            if (l.Act) l.Slope = tensor(l.Name + ".act.w", l.Out);
        }
        Need(at == data.Length, "T014: bytes follow the last tensor");
        return layers;
    }

    // The layers of the arch header, whose 80 bytes start at byte 8, in order of execution.
    static List<Layer> ReadArch(byte[] data) {
        int count = data[9], stemKernel = data[10], stemStride = data[11], gdcKernel = data[20];
        int stem = U16(data, 12), other = U16(data, 14), last = U16(data, 16), dim = U16(data, 18);
        Need(data[8] == 1, "H001: hdr_version is not 1");
        Need(Zero(data, 21, 24), "H002: a pad byte is not zero");
        Need(count >= 1 && count <= 8, "H003: n_stages is not 1..8");
        Need(stemKernel % 2 == 1 && stemKernel <= 15, "H004: stem_kernel is not odd, 1..15");
        Need(stemStride >= 1 && stemStride <= 4, "H005: stem_stride is not 1..4");
        Need(stem >= 1, "H006: stem_channels is 0");
        Need(other >= 1, "H007: block_channels is 0");
        Need(last >= 1, "H008: final_channels is 0");
        Need(dim >= 1, "H009: embedding_dim is 0");
        int blocks = 0, side = (Side + 2 * (stemKernel / 2) - stemKernel) / stemStride + 1;
        for (int i = 1; i <= 8; i++) {
            int at = 16 + 8 * i, s = data[at + 2];
            if (i > count) {
                Need(Zero(data, at, at + 8), "H018: an unused stage record is not zero");
                continue;
            }
            Need(data[at] >= 1, $"H011: stage {i} has t = 0");
            Need(data[at + 1] >= 1, $"H012: stage {i} has n = 0");
            Need(s >= 1 && s <= 4, $"H013: stage {i} has a stride outside 1..4");
            Need(Zero(data, at + 3, at + 8), $"H017: stage {i} has a pad that is not zero");
            side = (side - 1) / s + 1;
            blocks += data[at + 1];
        }
        Need(blocks <= 256, "H014: more than 256 blocks");
        Need(gdcKernel == side, $"H016: gdc_kernel is not {side}, the last map's side");

        var layers = new List<Layer> {
            new Layer {
                Name = "stem", In = 3, Out = stem, Kernel = stemKernel, Stride = stemStride,
                Pad = stemKernel / 2,
            },
            new Layer {
                Name = "dw_stem", In = stem, Out = stem, Kernel = 3, Pad = 1, Depthwise = true,
            },
        };
        int c = stem;
        for (int i = 1; i <= count; i++) {
            int at = 16 + 8 * i, to = i == 1 ? stem : other;
            for (int j = 0; j < data[at + 1]; j++) {
                int stride = j == 0 ? data[at + 2] : 1, wide = c * data[at];
                var block = $"stage{i}.block{j}";
                Need(wide <= 65535, $"H015: stage {i} expands to {wide} channels");
                layers.Add(new Layer {
                    Name = block + ".expand", In = c, Out = wide, StartsBlock = true,
                });
                layers.Add(new Layer {
                    Name = block + ".dw", In = wide, Out = wide, Kernel = 3, Stride = stride,
                    Pad = 1, Depthwise = true,
                });
                layers.Add(new Layer {
                    Name = block + ".project", In = wide, Out = to, Act = false,
                    Adds = stride == 1 && c == to,
                });
                c = to;
            }
        }
        layers.Add(new Layer { Name = "final_conv", In = c, Out = last });
        layers.Add(new Layer {
            Name = "gdconv", In = last, Out = last, Kernel = gdcKernel, Depthwise = true,
            Act = false,
        });
        layers.Add(new Layer { Name = "embed_proj", In = last, Out = dim, Act = false });
        return layers;
    }

    // Adds w * the plane at `from`, shifted by tap (i, j) of the kernel, to the sums at `to`.
    static void Tap(Layer l, double[] sum, int to, int side, double[] x, int from, int inSide,
            int i, int j, double w) {
        for (int row = 0; row < side; row++) {
            int iy = row * l.Stride + i - l.Pad;
            if (iy < 0 || iy >= inSide) continue; // outside the plane is zero
            for (int col = 0; col < side; col++) {
                int ix = col * l.Stride + j - l.Pad;
                if (ix < 0 || ix >= inSide) continue;
                sum[to + row * side + col] += w * x[from + iy * inSide + ix];
            }
        }
    }

    // A layer's output [Out, side, side] for x [In, inSide, inSide], BatchNorm folded in.
    static double[] Apply(Layer l, double[] x, int inSide, int side, double[] blockInput) {
        int area = side * side, taps = l.Kernel * l.Kernel;
        var y = new double[l.Out * area];
        for (int o = 0; o < l.Out; o++) {
            double scale = l.Gamma[o] / Math.Sqrt(l.Variance[o] + 1e-5);
            double bias = l.Beta[o] - l.Mean[o] * scale;
            for (int p = o * area; p < (o + 1) * area; p++) y[p] = bias;
            for (int c = 0; c < l.PerGroup; c++) {
                int plane = (l.Depthwise ? o : c) * inSide * inSide;
                for (int k = 0; k < taps; k++) {
                    double w = l.W[(o * l.PerGroup + c) * taps + k] * scale;
                    Tap(l, y, o * area, side, x, plane, inSide, k / l.Kernel, k % l.Kernel, w);
                }
            }
            for (int p = o * area; p < (o + 1) * area; p++) {
                if (l.Act && !(y[p] > 0)) y[p] *= l.Slope[o];
                if (l.Adds) y[p] += blockInput[p];
            }
        }
        return y;
    }

    // The embedding, of length 1, of x [3, 112, 112]; `watch` gets each layer's name and output.
    static double[] Forward(List<Layer> layers, double[] x, Action<string, double[]> watch) {
        int side = Side;
        double[] blockInput = null;
        foreach (var l in layers) {
            if (l.StartsBlock) blockInput = x;
            int outSide = (side + 2 * l.Pad - l.Kernel) / l.Stride + 1;
            x = Apply(l, x, side, outSide, blockInput);
            side = outSide;
            watch(l.Name, x);
        }
        double norm = Math.Max(Math.Sqrt(x.Sum(v => v * v)), 1e-12); // NaN stays NaN
        return Array.ConvertAll(x, v => v / norm);
    }

    // The interface to the kit.

    static void Save(string path, double[] values) {
        using (var to = new BinaryWriter(File.Create(path))) // little-endian on every machine
            foreach (double v in values) to.Write((float)v);
    }

    // Runs a model file on an input file; the folder of layers may be null.
    static void Embed(string model, string input, string output, string folder) {
        var layers = Load(File.ReadAllBytes(model));
        var given = File.ReadAllBytes(input);
        if (given.Length != 4 * 3 * Side * Side) throw new IOException("another size of input");
        Save(output, Forward(layers, Floats(given, 0, given.Length / 4), (name, y) => {
            if (folder != null) Save(Path.Combine(folder, name + ".f32"), y);
        }));
    }

    const string Hello = "{\"version\":1,\"ready\":true,\"implementation\":{\"name\":"
        + "\"my-engine\",\"version\":\"0.1\",\"language\":\"c#\",\"classes\":[\"engine\"]}}";

    static readonly Regex Member = new Regex(@"""(\w+)""\s*:\s*(?:(\d+)|""((?:[^""\\]|\\.)*)"")");
    static readonly Regex Escape = new Regex(@"\\(?:u([0-9a-fA-F]{4})|(.))");

    // The members of a request: an object of numbers and strings.
    static Dictionary<string, string> Request(string line) => Member.Matches(line).Cast<Match>()
        .ToDictionary(m => m.Groups[1].Value, m => m.Groups[2].Value + Escape.Replace(
            m.Groups[3].Value, escape => {
                var hex = escape.Groups[1].Value;
                if (hex != "") return ((char)Convert.ToInt32(hex, 16)).ToString();
                int letter = "bfnrt".IndexOf(escape.Groups[2].Value[0]);
                return letter < 0 ? escape.Groups[2].Value : "\b\f\n\r\t".Substring(letter, 1);
            }));

    static string Quoted(string text) => "\"" + string.Concat(text.Select(c =>
        c >= ' ' && c <= '~' && c != '"' && c != '\\' ? $"{c}" : $"\\u{(int)c:x4}")) + "\"";

    // The answer to a line: `start`, `embed`, and `read` for the verdict.
    static string Answer(Dictionary<string, string> ask) {
        if (ask["cmd"] == "start") return Hello;
        var start = "{\"seq\":" + ask["seq"];
        try {
            if (ask["cmd"] != "embed") Load(File.ReadAllBytes(ask["file"]));
            else Embed(ask["model"], ask["input"], ask["output"], ask["layers"]);
            return start + ",\"ok\":true}";
        } catch (Refused e) {
            return $"{start},\"ok\":false,\"reason\":{Quoted(e.Message)}}}";
        } catch (Exception e) { // lack of memory is one
            return $"{start},\"error\":{Quoted(e.Message)}}}";
        }
    }

    static void Lines() {
        for (string line; (line = Console.ReadLine()) != null;) {
            var ask = Request(line);
            if (ask["cmd"] == "stop") return;
            Console.WriteLine(Answer(ask));
            Console.Out.Flush();
        }
    }

    static int Main(string[] args) {
        try {
            if (args.Length == 1 && args[0] == "--lines") Lines();
            else Embed(args[0], args[1], args[2], args.Length > 3 ? args[3] : null);
            return 0;
        } catch (Refused e) {
            Console.Error.WriteLine(e.Message);
            return 1;
        } catch (OutOfMemoryException e) {
            Console.Error.WriteLine(e.Message);
            return 71;
        } catch (Exception e) {
            Console.Error.WriteLine(e);
            return 70;
        }
    }
}
