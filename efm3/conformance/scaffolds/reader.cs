// SPDX-FileCopyrightText: 2026 EFM3 contributors
// SPDX-License-Identifier: Apache-2.0

// An EFM3 reader to start from, levels `structure` and `coherence`; C# 7 on Mono, no packages.
//
//     mcs -optimize -r:System.Numerics.dll -out:reader.exe reader.cs
//     mono reader.exe FILE      prints the document; exit code 1 where FILE is refused
//     mono reader.exe           the same for standard input
//     mono reader.exe --lines   answers the lines protocol
//
// The variable EFM3_LEVEL holds the level. Put your own reader in the place of `Read`.

using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Numerics;
using System.Security.Cryptography;
using System.Text;

using Map = System.Collections.Generic.Dictionary<string, object>;

// The file breaks a rule; the message starts with the rule's code.
class Refused : Exception {
    public Refused(string reason) : base(reason) { }

    public static void Unless(bool ok, string reason) {
        if (!ok) throw new Refused(reason);
    }
}

// A value of the document.
class Leaf {
    public readonly string Type, Value;

    public Leaf(string type, object value) {
        Type = type;
        Value = Convert.ToString(value, CultureInfo.InvariantCulture);
    }

    public bool Is(string type, string value) => Type == type && Value == value;

    // The value as a leaf; one without a type where it is none.
    public static Leaf Of(object value) => value as Leaf ?? new Leaf("", "");

    public static Leaf In(Map map, string key) => Of(map.TryGetValue(key, out var v) ? v : null);
}

class Stage {
    public int T, N, S;
}

class Arch {
    public static readonly string[] Small =
        { "hdr_version", "n_stages", "stem_kernel", "stem_stride" };
    public static readonly string[] Wide =
        { "stem_channels", "block_channels", "final_channels", "embedding_dim" };

    public readonly Dictionary<string, int> Fields = new Dictionary<string, int>();
    public readonly List<Stage> Stages = new List<Stage>();

    // The 80 bytes of the header, which start at byte 8.
    public Arch(byte[] data) {
        for (int i = 0; i < 4; i++) {
            Fields[Small[i]] = data[8 + i];
            Fields[Wide[i]] = data[12 + 2 * i] | data[13 + 2 * i] << 8;
        }
        Fields["gdc_kernel"] = data[20];
        int count = data[9], kernel = data[10], stride = data[11], blocks = 0;
        Refused.Unless(data[8] == 1, "H001: hdr_version is not 1");
        Refused.Unless(Zero(data, 21, 24), "H002: a pad byte is not zero");
        Refused.Unless(count >= 1 && count <= 8, "H003: n_stages is not 1..8");
        bool odd = kernel % 2 == 1 && kernel <= 15;
        Refused.Unless(odd, "H004: stem_kernel is not odd, 1..15");
        Refused.Unless(stride >= 1 && stride <= 4, "H005: stem_stride is not 1..4");
        for (int i = 0; i < 4; i++)
            Refused.Unless(Fields[Wide[i]] >= 1, $"H00{6 + i}: {Wide[i]} is 0");
        int side = (112 + 2 * (kernel / 2) - kernel) / stride + 1;
        for (int i = 1; i <= 8; i++) {
            int at = 16 + 8 * i;
            if (i > count) {
                Refused.Unless(Zero(data, at, at + 8), "H018: an unused stage is not zero");
                continue;
            }
            var stage = new Stage { T = data[at], N = data[at + 1], S = data[at + 2] };
            Refused.Unless(stage.T >= 1, $"H011: stage {i} has t = 0");
            Refused.Unless(stage.N >= 1, $"H012: stage {i} has n = 0");
            bool legal = stage.S >= 1 && stage.S <= 4;
            Refused.Unless(legal, $"H013: stage {i} has a stride outside 1..4");
            Refused.Unless(Zero(data, at + 3, at + 8), $"H017: stage {i} has a pad not zero");
            side = (side - 1) / stage.S + 1;
            blocks += stage.N;
            Stages.Add(stage);
        }
        Refused.Unless(blocks <= 256, "H014: more than 256 blocks");
        Refused.Unless(data[20] == side, $"H016: gdc_kernel is not {side}, the last map's side");
    }

    static bool Zero(byte[] data, int from, int to) =>
        data.Skip(from).Take(to - from).All(b => b == 0);

    // Name and shape of every tensor, in stored order.
    public List<KeyValuePair<string, int[]>> Layout() {
        var layout = new List<KeyValuePair<string, int[]>>();
        Action<string, int[]> tensor = (name, shape) =>
            layout.Add(new KeyValuePair<string, int[]>(name, shape));
        Action<string, int, int, int, bool> layer = (name, to, perGroup, kernel, act) => {
            tensor(name + ".conv.w", new[] { to, perGroup, kernel, kernel });
            foreach (var part in new[] { "bn.w", "bn.b", "bn.mean", "bn.var" })
                tensor($"{name}.{part}", new[] { to });
            if (act) tensor(name + ".act.w", new[] { to });
        };
        int stem = Fields["stem_channels"], last = Fields["final_channels"], c = stem;
        layer("stem", c, 3, Fields["stem_kernel"], true);
        layer("dw_stem", c, 1, 3, true);
        for (int i = 0; i < Stages.Count; i++) {
            int to = i == 0 ? stem : Fields["block_channels"];
            for (int j = 0; j < Stages[i].N; j++) {
                int wide = c * Stages[i].T;
                Refused.Unless(wide <= 65535, $"H015: stage {i + 1} expands to {wide} channels");
                layer($"stage{i + 1}.block{j}.expand", wide, c, 1, true);
                layer($"stage{i + 1}.block{j}.dw", wide, 1, 3, true);
                layer($"stage{i + 1}.block{j}.project", to, wide, 1, false);
                c = to;
            }
        }
        layer("final_conv", last, c, 1, true);
        layer("gdconv", last, 1, Fields["gdc_kernel"], false);
        layer("embed_proj", Fields["embedding_dim"], last, 1, false);
        return layout;
    }
}

// The mirror's closed grammar, parsed into leaves: what JSON parsers disagree on is refused.
class Parser {
    readonly string text;
    int at, depth;

    public Parser(byte[] bytes, int from, int length) {
        try {
            text = new UTF8Encoding(false, true).GetString(bytes, from, length);
        } catch (ArgumentException) {
            throw new Refused("M003: the mirror is not UTF-8");
        }
    }

    public Map Mirror() {
        Refused.Unless(text.Trim(' ') != "", "M001: the mirror is empty");
        Refused.Unless(text[0] != '\ufeff', "M002: a byte order mark");
        var value = Value();
        Refused.Unless(text.Substring(at).Trim(' ') == "", "M010: something follows the object");
        return value as Map ?? throw new Refused("M012: the mirror is not an object");
    }

    bool At(string word) => string.CompareOrdinal(text, at, word, 0, word.Length) == 0;

    // Moves past a word if it stands here.
    bool Take(string word) {
        bool found = At(word);
        if (found) at += word.Length;
        return found;
    }

    void Must(string word) => Refused.Unless(Take(word), $"M011: no {word} at character {at}");

    void Space() {
        while (at < text.Length && " \t\r\n".IndexOf(text[at]) >= 0) at++;
    }

    // A value with the space before it.
    object Value() {
        Space();
        if (At("\"")) return new Leaf("string", String());
        if (Take("{")) {
            var map = new Map();
            List("}", () => {
                Space();
                var key = String();
                Refused.Unless(!map.ContainsKey(key), "M005: a key stands twice");
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
        if (Take("true")) return new Leaf("bool", "true");
        if (Take("false")) return new Leaf("bool", "false");
        if (Take("null")) return new Leaf("null", "");
        bool none = Take("NaN") || Take("Infinity") || Take("-Infinity");
        Refused.Unless(!none, "M006: NaN or an infinity");
        return Number();
    }

    // What stands between brackets, with commas.
    void List(string end, Action item) {
        Refused.Unless(++depth <= 16, "M004: nested deeper than 16");
        Space();
        for (bool more = !At(end); more; more = Take(",")) {
            item();
            Space();
        }
        Must(end);
        depth--;
    }

    Leaf Number() {
        int from = at;
        var type = "integer";
        Take("-");
        if (!Take("0")) Digits();
        if (Take(".")) {
            type = "number";
            Digits();
        }
        if (Take("e") || Take("E")) {
            type = "number";
            if (!Take("+")) Take("-");
            Digits();
        }
        var found = text.Substring(from, at - from);
        bool shortEnough = type == "number" || found.TrimStart('-').Length <= 20;
        Refused.Unless(shortEnough, "M007: an integer of more than 20 digits");
        Refused.Unless(!double.IsInfinity(Real(found)), "M007: a number overflows a double");
        return new Leaf(type, found);
    }

    void Digits() {
        int from = at;
        while (at < text.Length && text[at] >= '0' && text[at] <= '9') at++;
        Refused.Unless(at > from, $"M011: no digit at character {at}");
    }

    string String() {
        var found = new StringBuilder();
        Must("\"");
        while (!Take("\"")) {
            Refused.Unless(at < text.Length, "M011: the mirror ends inside a string");
            char c = text[at++];
            Refused.Unless(c >= ' ', "M011: a control character in a string");
            found.Append(c == '\\' ? Escape() : c);
        }
        var value = found.ToString();
        Refused.Unless(value.IndexOf('\0') < 0, "M008: a NUL character");
        for (int i = 0; i < value.Length; i++) {
            if (!char.IsSurrogate(value[i])) continue;
            bool pair = i + 1 < value.Length && char.IsSurrogatePair(value[i], value[++i]);
            Refused.Unless(pair, "M009: a lone surrogate");
        }
        return value;
    }

    char Escape() {
        Refused.Unless(text.Length - at >= 5, "M011: the mirror ends inside an escape");
        int letter = "\"\\/bfnrt".IndexOf(text[at++]);
        if (letter >= 0) return "\"\\/\b\f\n\r\t"[letter];
        var hex = text.Substring(at, 4);
        bool good = text[at - 1] == 'u' && hex.All(Uri.IsHexDigit);
        Refused.Unless(good, "M011: an unknown escape");
        at += 4;
        return (char)Convert.ToInt32(hex, 16);
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

static class Reader {
    static void Need(bool ok, string reason) => Refused.Unless(ok, reason);

    static uint U32(byte[] data, int at) =>
        (uint)(data[at] | data[at + 1] << 8 | data[at + 2] << 16 | data[at + 3] << 24);

    static readonly uint[] Table = Enumerable.Range(0, 256).Select(i => {
        var crc = (uint)i;
        for (int k = 0; k < 8; k++) crc = (crc & 1) != 0 ? 0xedb88320 ^ crc >> 1 : crc >> 1;
        return crc;
    }).ToArray();

    static Leaf Crc32(byte[] data, int from, int length) {
        uint crc = uint.MaxValue;
        for (int i = from; i < from + length; i++) crc = Table[(crc ^ data[i]) & 255] ^ crc >> 8;
        return new Leaf("crc32", (~crc).ToString("x8"));
    }

    // The document of a file's bytes.
    static Map Read(byte[] data, string level) {
        Need(data.Length >= 92, "C004: the file ends inside its first 92 bytes");
        Need(U32(data, 0) == 0x334d4645, "C002: the file does not start with EFM3");
        Need(U32(data, 4) == 3, "C003: the version is not 3");
        var arch = new Arch(data);
        var layout = arch.Layout();
        Need(U32(data, 88) <= 1 << 20, "C005: json_len is over 1 MiB");
        int length = (int)U32(data, 88), at = 92 + length;
        Need(length <= data.Length - 92, "C006: the mirror reaches past the end of the file");
        Need(data.Length - at >= 4, "C007: the file ends before the whole tensor count");
        Need(U32(data, at) == layout.Count, $"T001: the layout has {layout.Count} tensors");
        at += 4;
        int table = at;
        var tensors = new List<object>();
        foreach (var entry in layout) {
            Need(data.Length - at >= 4, $"T013: the file ends before the size of {entry.Key}");
            long size = U32(data, at), want = entry.Value.Aggregate(4L, (a, n) => a * n);
            Need(size == want, $"T002: {entry.Key} has {size} bytes, not its shape's");
            at += 4;
            Need(size <= data.Length - at, $"T012: the file ends inside {entry.Key}");
            int end = at + (int)size;
            tensors.Add(new Map {
                ["name"] = new Leaf("string", entry.Key),
                ["shape"] = entry.Value.Select(n => (object)new Leaf("u32", n)).ToList(),
                ["offset"] = new Leaf("u64", at),
                ["first"] = new Leaf("f32", U32(data, at).ToString("x8")),
                ["last"] = new Leaf("f32", U32(data, end - 4).ToString("x8")),
                ["crc32"] = Crc32(data, at, end - at),
            });
            at = end;
        }
        Need(at == data.Length, $"T014: {data.Length - at} bytes follow the last tensor");

        var head = arch.Fields.ToDictionary(field => field.Key, field => (object)new Leaf(
            Arch.Wide.Contains(field.Key) ? "u16" : "u8", field.Value));
        head["stages"] = arch.Stages.Select(s => (object)new Map {
            ["t"] = new Leaf("u8", s.T), ["n"] = new Leaf("u8", s.N), ["s"] = new Leaf("u8", s.S),
        }).ToList();
        var document = new Map {
            ["version"] = new Leaf("u32", 3), ["arch"] = head, ["tensors"] = tensors,
            ["mirror"] = new Map {
                ["offset"] = new Leaf("u32", 92), ["length"] = new Leaf("u32", length),
                ["crc32"] = Crc32(data, 92, length),
            },
        };
        if (level != "structure") {
            var mirror = new Parser(data, 92, length).Mirror();
            CheckMirror(mirror, arch, data, table);
            document["json"] = mirror;
        }
        return document;
    }

    // The mirror agrees with the header, and its digest with the table.
    static void CheckMirror(Map mirror, Arch arch, byte[] data, int table) {
        var integers = Arch.Wide.Concat(new[] { "gdc_kernel" }).ToList();
        foreach (var key in integers.Concat(new[] { "name", "width_mult", "stages" }))
            Need(mirror.ContainsKey(key), $"M020: the mirror has no {key}");
        Need(Leaf.In(mirror, "name").Type == "string", "M021: name is no string");
        var width = Leaf.In(mirror, "width_mult");
        bool number = width.Type == "integer" || width.Type == "number";
        Need(number, "M021: width_mult is no number");
        bool above = width.Value[0] != '-' && Parser.Real(width.Value) > 0;
        Need(above, "M026: width_mult is not above zero");
        foreach (var key in integers) {
            var found = Leaf.In(mirror, key);
            Need(found.Type == "integer", $"M021: {key} is no integer");
            Need(found.Value == $"{arch.Fields[key]}", $"M022: {key} is not the header's");
        }
        var stages = mirror["stages"] as List<object>;
        Need(stages != null, "M021: stages is no array");
        Need(stages.Count == arch.Stages.Count, "M023: another number of stages");
        for (int i = 0; i < stages.Count; i++) {
            var one = stages[i] as Map;
            Need(one != null && one.Count == 3, "M024: a stage is not t, n, s");
            var want = new[] { arch.Stages[i].T, arch.Stages[i].N, arch.Stages[i].S };
            for (int k = 0; k < 3; k++) {
                var found = Leaf.In(one, "tns".Substring(k, 1));
                Need(found.Type == "integer", "M024: a stage is not t, n, s");
                Need(found.Value == $"{want[k]}", "M025: a stage is not the header's");
            }
        }
        if (!mirror.ContainsKey("meta")) return;
        var meta = mirror["meta"] as Map;
        Need(meta != null, "M040: meta is not an object");
        if (meta.ContainsKey("sha256")) {
            var digest = Leaf.In(meta, "sha256");
            bool good = digest.Type == "string" && digest.Value.Length == 64
                && digest.Value.All("0123456789abcdef".Contains);
            Need(good, "M041: the digest is not 64 lower-case hex digits");
            using (var sha = SHA256.Create()) {
                var own = sha.ComputeHash(data, table, data.Length - table);
                bool same = digest.Value == string.Concat(own.Select(b => b.ToString("x2")));
                Need(same, "M042: the digest is not the table's");
            }
        }
        var picture = Leaf.In(meta, "picture");
        bool known = picture.Is("string", "upright") || picture.Is("string", "turned-180");
        Need(known || !meta.ContainsKey("picture"), "M043: meta.picture is unknown");
    }

    // The interface to the kit.

    // A value as JSON, in ASCII.
    static string Json(object value) {
        if (value is Leaf leaf)
            return $"{{\"type\":{Json(leaf.Type)},\"value\":{Json(leaf.Value)}}}";
        if (value is Map map)
            return "{" + string.Join(",", map.Select(p => $"{Json(p.Key)}:{Json(p.Value)}")) + "}";
        if (value is List<object> list) return "[" + string.Join(",", list.Select(Json)) + "]";
        return "\"" + string.Concat(((string)value).Select(c =>
            c >= ' ' && c <= '~' && c != '"' && c != '\\' ? $"{c}" : $"\\u{(int)c:x4}")) + "\"";
    }

    const string Hello = "{\"version\":1,\"ready\":true,\"implementation\":{\"name\":\"my-reader\","
        + "\"version\":\"0.1\",\"language\":\"c#\",\"classes\":[\"reader\"],"
        + "\"levels\":[\"structure\",\"coherence\"]}}";

    // The answer to a line of the lines protocol.
    static string Answer(Map ask) {
        if (Leaf.In(ask, "cmd").Value == "start") return Hello;
        var start = "{\"seq\":" + Leaf.In(ask, "seq").Value;
        try {
            var data = File.ReadAllBytes(Leaf.In(ask, "file").Value);
            var document = Json(Read(data, Leaf.In(ask, "level").Value));
            return $"{start},\"ok\":true,\"document\":{document}}}";
        } catch (Refused e) {
            return $"{start},\"ok\":false,\"reason\":{Json(e.Message)}}}";
        } catch (Exception e) { // lack of memory is one
            return $"{start},\"error\":{Json(e.Message)}}}";
        }
    }

    static void Lines() {
        for (string line; (line = Console.ReadLine()) != null;) {
            var bytes = Encoding.UTF8.GetBytes(line);
            var ask = new Parser(bytes, 0, bytes.Length).Mirror();
            if (Leaf.In(ask, "cmd").Value == "stop") return;
            Console.WriteLine(Answer(ask));
            Console.Out.Flush();
        }
    }

    static byte[] StandardInput() {
        var all = new MemoryStream();
        Console.OpenStandardInput().CopyTo(all);
        return all.ToArray();
    }

    static int Main(string[] args) {
        try {
            if (args.Length > 0 && args[0] == "--lines") {
                Lines();
                return 0;
            }
            var data = args.Length > 0 ? File.ReadAllBytes(args[0]) : StandardInput();
            var level = Environment.GetEnvironmentVariable("EFM3_LEVEL") ?? "structure";
            Console.WriteLine(Json(Read(data, level)));
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
