// SPDX-FileCopyrightText: 2026 EFM3 contributors
// SPDX-License-Identifier: Apache-2.0

// An EFM3 exporter to start from; C# 7 on Mono, no packages.
//
//     mcs -optimize -r:System.Numerics.dll -out:exporter.exe exporter.cs
//     mono exporter.exe ARCH.json TENSORS_FOLDER OUT.bin    exit code 1: refused, no file
//     mono exporter.exe --lines                             answers the lines protocol
//
// Put your own source of weights in the place of `ReadNpy`.

using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Numerics;
using System.Text;

using Map = System.Collections.Generic.Dictionary<string, object>;

// No file can be made of this; the message says why.
class Refused : Exception {
    public Refused(string reason) : base(reason) { }

    public static void Unless(bool ok, string reason) {
        if (!ok) throw new Refused(reason);
    }
}

class Tensor {
    public string Name;
    public int[] Shape;
}

class Stage {
    public int T, N, S;
}

class Arch {
    public string Name;
    public double WidthMult;
    public int StemKernel, StemStride, Stem, Block, Last, Dim, GdcKernel;
    public List<Stage> Stages = new List<Stage>();

    // Refuses what the header can state but no engine could run.
    public void Check() {
        Refused.Unless(Stages.Count >= 1 && Stages.Count <= 8, "there are not 1..8 stages");
        Refused.Unless(StemKernel % 2 == 1, "stem_kernel is even");
        Refused.Unless(Stages.Sum(s => s.N) <= 256, "there are more than 256 blocks");
        int side = Stages.Aggregate((112 - 1) / StemStride + 1, (a, s) => (a - 1) / s.S + 1);
        Refused.Unless(GdcKernel == side, $"gdc_kernel is not {side}, the last map's side");
        Refused.Unless(Name.IndexOf('\0') < 0, "the name holds a NUL");
        for (int i = 0; i < Name.Length; i++) {
            if (!char.IsSurrogate(Name[i])) continue;
            bool pair = i + 1 < Name.Length && char.IsSurrogatePair(Name[i], Name[++i]);
            Refused.Unless(pair, "the name holds half a character");
        }
        bool good = WidthMult > 0 && !double.IsInfinity(WidthMult);
        Refused.Unless(good, "width_mult is not above zero");
    }

    // Name and shape of every tensor, in stored order.
    public List<Tensor> Layout() {
        var layout = new List<Tensor>();
        Action<string, int, int, int, bool> layer = (name, to, perGroup, kernel, act) => {
            var weights = new[] { to, perGroup, kernel, kernel };
            layout.Add(new Tensor { Name = name + ".conv.w", Shape = weights });
            foreach (var part in new[] { "bn.w", "bn.b", "bn.mean", "bn.var", "act.w" })
                if (act || part != "act.w")
                    layout.Add(new Tensor { Name = $"{name}.{part}", Shape = new[] { to } });
        };
        int c = Stem;
        layer("stem", c, 3, StemKernel, true);
        layer("dw_stem", c, 1, 3, true);
        for (int i = 0; i < Stages.Count; i++) {
            int to = i == 0 ? Stem : Block;
            for (int j = 0; j < Stages[i].N; j++) {
                int wide = c * Stages[i].T;
                Refused.Unless(wide <= 65535, $"stage {i + 1} expands to {wide} channels");
                layer($"stage{i + 1}.block{j}.expand", wide, c, 1, true);
                layer($"stage{i + 1}.block{j}.dw", wide, 1, 3, true);
                layer($"stage{i + 1}.block{j}.project", to, wide, 1, false);
                c = to;
            }
        }
        layer("final_conv", Last, c, 1, true);
        layer("gdconv", Last, 1, GdcKernel, false);
        layer("embed_proj", Dim, Last, 1, false);
        return layout;
    }

    // The mirror's text: compact ASCII JSON, keys in order.
    public string Mirror() {
        var stages = Stages.Select(s => $"{{\"t\":{s.T},\"n\":{s.N},\"s\":{s.S}}}");
        return $"{{\"name\":{Json.Quoted(Name)},\"width_mult\":{Decimals.Canonical(WidthMult)},"
            + $"\"stem_channels\":{Stem},\"block_channels\":{Block},\"final_channels\":{Last},"
            + $"\"embedding_dim\":{Dim},\"gdc_kernel\":{GdcKernel},"
            + $"\"stages\":[{string.Join(",", stages)}]}}";
    }
}

// Doubles as decimal digits, exactly: Mono's own conversions err by a bit.
static class Decimals {
    // The canonical spelling: the fewest digits that read back as the value, of these the nearest,
    // always with a point or an exponent.
    public static string Canonical(double value) {
        int e = 0;
        var digits = "";
        for (int n = 1; digits == ""; n++) {
            e = (int)Math.Floor(Math.Log10(value));
            var (q, above) = Scaled(value, n - 1 - e);
            if (q < BigInteger.Pow(10, n - 1)) (q, above) = Scaled(value, n - 1 - --e);
            else if (q >= BigInteger.Pow(10, n)) (q, above) = Scaled(value, n - 1 - ++e);
            // Above a power of two doubles lie wider: there the next above may read back alone.
            foreach (var near in new[] { above ? q + 1 : q, q + 1 }) {
                if (digits != "" || Real($"{near}e{e - n + 1}") != value) continue;
                e += near.ToString().Length - n; // 10 where 1 is the digit
                digits = near.ToString().TrimEnd('0');
            }
        }
        if (e < -4 || e >= 16) {
            var rest = digits.Length > 1 ? "." + digits.Substring(1) : "";
            return $"{digits[0]}{rest}e{(e < 0 ? '-' : '+')}{Math.Abs(e):00}";
        }
        if (e < 0) return "0." + new string('0', -e - 1) + digits;
        digits = digits.PadRight(e + 2, '0');
        return digits.Substring(0, e + 1) + "." + digits.Substring(e + 1);
    }

    // The whole part of value times 10^shift, and whether the nearest integer is the next.
    static (BigInteger, bool) Scaled(double value, int shift) {
        long bits = BitConverter.DoubleToInt64Bits(value), fraction = bits & ((1L << 52) - 1);
        int exponent = (int)(bits >> 52), k = Math.Max(exponent, 1) - 1075;
        BigInteger up = exponent > 0 ? fraction | 1L << 52 : fraction, down = 1;
        if (k > 0) up <<= k;
        else down <<= -k;
        if (shift > 0) up *= BigInteger.Pow(10, shift);
        else down *= BigInteger.Pow(10, -shift);
        var q = BigInteger.DivRem(up, down, out var rest);
        int half = (2 * rest).CompareTo(down);
        return (q, half > 0 || (half == 0 && !q.IsEven));
    }

    // The double nearest to a number above or below zero, of two the even one; where it lies below
    // zero the one of its magnitude. Mono's own double.Parse errs by a bit.
    public static double Real(string number) {
        var parts = number.TrimStart('-').ToLowerInvariant().Split('e');
        var halves = parts[0].Split('.');
        long e = halves.Length > 1 ? -halves[1].Length : 0;
        if (parts.Length > 1) {
            var size = parts[1].TrimStart('+', '-', '0');
            long far = size.Length > 9 ? 1000000000 : long.Parse("0" + size);
            e += parts[1][0] == '-' ? -far : far;
        }
        var digits = string.Concat(halves).TrimStart('0');
        e += digits.Length - digits.TrimEnd('0').Length;
        digits = digits.TrimEnd('0');
        if (digits.Length > 800) { // whether more follow decides, not which
            e += digits.Length - 801;
            digits = digits.Substring(0, 800) + "1";
        }
        if (digits == "" || digits.Length + e < -330) return 0;
        if (digits.Length + e > 310) return double.PositiveInfinity;
        BigInteger up = BigInteger.Parse(digits), down = 1, rest, q, half = (BigInteger)1 << 52;
        if (e > 0) up *= BigInteger.Pow(10, (int)e);
        else down = BigInteger.Pow(10, (int)-e);
        // The number is q + rest / down times 2^k, q of 53 bits, or fewer below all normal doubles.
        int k = (int)(BigInteger.Log(up, 2) - BigInteger.Log(down, 2)) - 54;
        for (k = Math.Max(k, -1074); ; k++) {
            var by = k > 0 ? down << k : down;
            q = BigInteger.DivRem(k < 0 ? up << -k : up, by, out rest);
            if (q >= 2 * half) continue;
            var twice = (2 * rest).CompareTo(by);
            if (twice > 0 || (twice == 0 && !q.IsEven)) q += 1;
            break;
        }
        // Counted in steps of subnormals: an overflow of q is the next exponent, as it has to be.
        var bits = ((BigInteger)(k + 1074) << 52) + q;
        var infinity = (BigInteger)0x7ff << 52;
        return BitConverter.Int64BitsToDouble((long)BigInteger.Min(bits, infinity));
    }
}

static class Json {
    // A string's canonical spelling: ASCII, the shortest escapes.
    public static string Quoted(string text) {
        var to = new StringBuilder("\"");
        foreach (char c in text) {
            int letter = "\"\\\b\f\n\r\t".IndexOf(c);
            if (letter >= 0) to.Append('\\').Append("\"\\bfnrt"[letter]);
            else if (c >= ' ' && c <= '~') to.Append(c);
            else to.Append($"\\u{(int)c:x4}");
        }
        return to.Append('"').ToString();
    }

    // The member of an object as a leaf; one without a type where it is none.
    public static Leaf Leaf(Map map, string key) =>
        (map.TryGetValue(key, out var v) ? v as Leaf : null) ?? new Leaf { Type = "", Text = "" };

    public static int Integer(Map map, string key, int most) {
        var found = Leaf(map, key);
        bool good = found.Type == "integer" && int.TryParse(found.Text, out int value)
            && value >= 1 && value <= most;
        Refused.Unless(good, $"{key} is no integer of 1..{most}");
        return int.Parse(found.Text);
    }
}

// A JSON value that is neither object nor array; numbers and strings as texts.
class Leaf {
    public string Type, Text;
}

// Strict JSON.
class Parser {
    readonly string text;
    int at, depth;

    public Parser(byte[] bytes) {
        try {
            text = new UTF8Encoding(false, true).GetString(bytes);
        } catch (ArgumentException) {
            throw new Refused("this is not UTF-8");
        }
    }

    public Map Object() {
        var value = Value();
        Space();
        Refused.Unless(at == text.Length, "something follows the JSON");
        return value as Map ?? throw new Refused("this is no JSON object");
    }

    bool At(string word) => string.CompareOrdinal(text, at, word, 0, word.Length) == 0;

    // Moves past a word if it stands here.
    bool Take(string word) {
        bool found = At(word);
        if (found) at += word.Length;
        return found;
    }

    void Must(string word) => Refused.Unless(Take(word), $"no {word} at character {at}");

    void Space() {
        while (at < text.Length && " \t\r\n".IndexOf(text[at]) >= 0) at++;
    }

    // A value with the space before it.
    object Value() {
        Space();
        if (At("\"")) return new Leaf { Type = "string", Text = String() };
        if (Take("{")) {
            var map = new Map();
            List("}", () => {
                Space();
                var key = String();
                Refused.Unless(!map.ContainsKey(key), "a key stands twice");
                Space();
                Must(":");
                map[key] = Value();
            });
            return map;
        }
        if (Take("[")) {
            var array = new List<object>();
            List("]", () => array.Add(Value()));
            return array;
        }
        if (Take("true") || Take("false") || Take("null")) return new Leaf { Type = "word" };
        int from = at;
        var type = "integer";
        Take("-");
        if (!Take("0")) Digits();
        if (Take(".")) {
            type = "real";
            Digits();
        }
        if (Take("e") || Take("E")) {
            type = "real";
            if (!Take("+")) Take("-");
            Digits();
        }
        return new Leaf { Type = type, Text = text.Substring(from, at - from) };
    }

    // What stands between brackets, with commas.
    void List(string end, Action item) {
        Refused.Unless(++depth <= 64, "nested deeper than 64");
        Space();
        for (bool more = !At(end); more; more = Take(",")) {
            item();
            Space();
        }
        Must(end);
        depth--;
    }

    void Digits() {
        int from = at;
        while (at < text.Length && text[at] >= '0' && text[at] <= '9') at++;
        Refused.Unless(at > from, $"no digit at character {at}");
    }

    string String() {
        var found = new StringBuilder();
        Must("\"");
        while (!Take("\"")) {
            bool good = at < text.Length && text[at] >= ' ';
            Refused.Unless(good, $"a string does not end at character {at}");
            char c = text[at++];
            found.Append(c == '\\' ? Escape() : c);
        }
        return found.ToString();
    }

    char Escape() {
        Refused.Unless(text.Length - at >= 5, "the text ends inside an escape");
        int letter = "\"\\/bfnrt".IndexOf(text[at++]);
        if (letter >= 0) return "\"\\/\b\f\n\r\t"[letter];
        var hex = text.Substring(at, 4);
        Refused.Unless(text[at - 1] == 'u' && hex.All(Uri.IsHexDigit), "an unknown escape");
        at += 4;
        return (char)Convert.ToInt32(hex, 16);
    }
}

static class Exporter {
    static void Need(bool ok, string reason) => Refused.Unless(ok, reason);

    // The file's bytes; `payload` gives a tensor's values, float32 little-endian.
    static byte[] Write(Arch a, Func<Tensor, byte[]> payload) {
        a.Check();
        var text = Encoding.ASCII.GetBytes(a.Mirror());
        Need(text.Length <= 1 << 20, "the mirror is over 1 MiB");
        var file = new MemoryStream();
        var to = new BinaryWriter(file); // little-endian on every machine
        to.Write(Encoding.ASCII.GetBytes("EFM3"));
        to.Write(3);
        var small = new[] { 1, a.Stages.Count, a.StemKernel, a.StemStride };
        to.Write(Array.ConvertAll(small, n => (byte)n));
        foreach (int n in new[] { a.Stem, a.Block, a.Last, a.Dim }) to.Write((ushort)n);
        to.Write(a.GdcKernel); // one byte and three zeros
        foreach (var s in a.Stages) {
            to.Write(s.T | s.N << 8 | s.S << 16); // three bytes and a zero
            to.Write(0);
        }
        to.Write(new byte[64 - 8 * a.Stages.Count]);
        to.Write(text.Length);
        to.Write(text);
        var layout = a.Layout();
        to.Write(layout.Count);
        foreach (var tensor in layout) {
            var values = payload(tensor);
            to.Write(values.Length);
            to.Write(values);
        }
        return file.ToArray();
    }

    // The payload of FOLDER/NAME.npy, NPY format 1.0.
    static byte[] ReadNpy(string folder, Tensor t) {
        var path = Path.Combine(folder, t.Name + ".npy");
        Need(File.Exists(path), $"{t.Name} is missing");
        var npy = File.ReadAllBytes(path);
        var latin = Encoding.GetEncoding("iso-8859-1");
        bool known = npy.Length >= 10 && latin.GetString(npy, 0, 8) == "\u0093NUMPY\u0001\0";
        Need(known, $"{t.Name} is not NPY format 1.0");
        int start = 10 + npy[8] + 256 * npy[9];
        Need(npy.Length >= start, $"{t.Name} is cut");
        var header = latin.GetString(npy, 10, start - 10);
        var shape = $"({string.Join(", ", t.Shape)}{(t.Shape.Length == 1 ? "," : "")})";
        Need(header.Contains("'descr': '<f4'"), $"{t.Name} is not float32 little-endian");
        Need(header.Contains("'fortran_order': False"), $"{t.Name} is not in C order");
        Need(header.Contains(shape), $"{t.Name} has not the shape {shape}");
        long size = t.Shape.Aggregate(4L, (a, n) => a * n);
        Need(npy.Length - start == size, $"{t.Name} has not as many bytes as its shape says");
        for (int at = start; at < npy.Length; at += 4) { // an exponent of ones
            bool finite = (npy[at + 3] & 0x7f) != 0x7f || (npy[at + 2] & 0x80) == 0;
            Need(finite, $"{t.Name} holds NaN or infinity");
        }
        return npy.Skip(start).ToArray();
    }

    static Arch ReadArch(byte[] text) {
        var all = new Parser(text).Object();
        Leaf name = Json.Leaf(all, "name"), width = Json.Leaf(all, "width_mult");
        Need(name.Type == "string", "name is no string");
        Need(width.Type == "integer" || width.Type == "real", "width_mult is no number");
        Need(width.Text[0] != '-', "width_mult is not above zero");
        var stages = all.ContainsKey("stages") ? all["stages"] as List<object> : null;
        Need(stages != null, "stages is no array");
        var arch = new Arch {
            Name = name.Text, WidthMult = Decimals.Real(width.Text),
            StemKernel = Json.Integer(all, "stem_kernel", 15),
            StemStride = Json.Integer(all, "stem_stride", 4),
            Stem = Json.Integer(all, "stem_channels", 65535),
            Block = Json.Integer(all, "block_channels", 65535),
            Last = Json.Integer(all, "final_channels", 65535),
            Dim = Json.Integer(all, "embedding_dim", 65535),
            GdcKernel = Json.Integer(all, "gdc_kernel", 112),
        };
        foreach (var stage in stages) {
            var s = stage as Map;
            Need(s != null && s.Count == 3, "a stage is not t, n and s");
            arch.Stages.Add(new Stage {
                T = Json.Integer(s, "t", 255), N = Json.Integer(s, "n", 255),
                S = Json.Integer(s, "s", 4),
            });
        }
        return arch;
    }

    // Writes OUT from an arch and a folder of tensors.
    static void Export(string archPath, string folder, string to) {
        var arch = ReadArch(File.ReadAllBytes(archPath));
        var data = Write(arch, tensor => ReadNpy(folder, tensor));
        int count = Directory.GetFiles(folder, "*.npy").Length;
        Need(count == arch.Layout().Count, "a tensor is not in the layout");
        File.WriteAllBytes(to, data);
    }

    // The interface to the kit.

    const string Hello = "{\"version\":1,\"ready\":true,\"implementation\":{\"name\":"
        + "\"my-exporter\",\"version\":\"0.1\",\"language\":\"c#\",\"classes\":[\"writer\"]}}";

    // The answer to a line of the lines protocol.
    static string Answer(Map ask) {
        if (Json.Leaf(ask, "cmd").Text == "start") return Hello;
        var start = "{\"seq\":" + Json.Leaf(ask, "seq").Text;
        try {
            Export(Json.Leaf(ask, "arch").Text, Json.Leaf(ask, "tensors").Text,
                Json.Leaf(ask, "out").Text);
            return start + ",\"ok\":true}";
        } catch (Refused e) {
            return $"{start},\"ok\":false,\"reason\":{Json.Quoted(e.Message)}}}";
        } catch (Exception e) { // lack of memory is one
            return $"{start},\"error\":{Json.Quoted(e.Message)}}}";
        }
    }

    static void Lines() {
        for (string line; (line = Console.ReadLine()) != null;) {
            var ask = new Parser(Encoding.UTF8.GetBytes(line)).Object();
            if (Json.Leaf(ask, "cmd").Text == "stop") return;
            Console.WriteLine(Answer(ask));
            Console.Out.Flush();
        }
    }

    static int Main(string[] args) {
        try {
            if (args.Length == 1 && args[0] == "--lines") Lines();
            else Export(args[0], args[1], args[2]);
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
