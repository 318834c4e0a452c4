// SPDX-FileCopyrightText: 2026 EFM3 contributors
// SPDX-License-Identifier: Apache-2.0

// An EFM3 reader to start from, levels `structure` and `coherence`; Kotlin 1.3 or newer on Java 11
// or newer, no libraries.
//
//     kotlinc reader.kt -include-runtime -d reader.jar
//     java -jar reader.jar FILE      prints the document; exit code 1 where FILE is refused
//     java -jar reader.jar           the same for standard input
//     java -jar reader.jar --lines   answers the lines protocol
//
// The variable EFM3_LEVEL holds the level. Put your own reader in the place of `read`.

import java.io.File
import java.nio.ByteBuffer
import java.nio.ByteOrder
import java.nio.charset.CharacterCodingException
import java.security.MessageDigest
import java.util.zip.CRC32
import kotlin.system.exitProcess

/** The file breaks a rule; the message starts with the rule's code. */
class Refused(reason: String) : RuntimeException(reason)

fun need(ok: Boolean, reason: () -> String) {
    if (!ok) throw Refused(reason())
}

/** A value of the document. */
data class Leaf(val type: String, val value: String) {
    val isInteger get() = type == "integer"
}

fun tag(type: String, value: Any) = Leaf(type, value.toString())

fun hex(value: Int) = "%08x".format(value)

fun crc32(data: ByteArray, from: Int, length: Int): Leaf {
    val crc = CRC32()
    crc.update(data, from, length)
    return tag("crc32", hex(crc.value.toInt()))
}

class Stage(val t: Int, val n: Int, val s: Int)

class Tensor(val name: String, vararg val shape: Int)

/** The header's fields but the stages, and the stages. */
class Arch(val fields: Map<String, Int>, val stages: List<Stage>) {
    operator fun get(name: String) = fields.getValue(name)
}

val SMALL = listOf("hdr_version", "n_stages", "stem_kernel", "stem_stride")
val WIDE = listOf("stem_channels", "block_channels", "final_channels", "embedding_dim")

fun ByteBuffer.u8(at: Int) = get(at).toInt() and 255
fun ByteBuffer.u16(at: Int) = getShort(at).toInt() and 65535
fun ByteBuffer.u32(at: Int) = getInt(at).toLong() and 0xffffffffL
fun ByteBuffer.isZero(places: IntRange) = places.all { get(it).toInt() == 0 }

/** The document of a file's bytes. */
fun read(data: ByteArray, level: String): Map<String, Any> {
    need(data.size >= 92) { "C004: the file ends inside its first 92 bytes" }
    val file = ByteBuffer.wrap(data).order(ByteOrder.LITTLE_ENDIAN)
    need(String(data, 0, 4, Charsets.ISO_8859_1) == "EFM3") { "C002: it does not start with EFM3" }
    need(file.u32(4) == 3L) { "C003: the version is not 3" }
    val arch = readArch(file)
    val layout = tensorLayout(arch)

    need(file.u32(88) <= 1 shl 20) { "C005: json_len is over 1 MiB" }
    need(file.u32(88) <= data.size - 92) { "C006: the mirror reaches past the end of the file" }
    val length = file.getInt(88)
    var at = 92 + length
    need(data.size - at >= 4) { "C007: the file ends before the whole tensor count" }
    need(file.u32(at) == layout.size.toLong()) { "T001: the layout has ${layout.size} tensors" }
    at += 4
    val table = at
    val tensors = layout.map {
        need(data.size - at >= 4) { "T013: the file ends before the size of ${it.name}" }
        val size = file.u32(at)
        val want = it.shape.fold(4L) { product, n -> product * n }
        need(size == want) { "T002: ${it.name} has $size bytes, not its shape's" }
        at += 4
        need(size <= data.size - at) { "T012: the file ends inside ${it.name}" }
        val from = at
        at += size.toInt()
        mapOf(
            "name" to tag("string", it.name),
            "shape" to it.shape.map { n -> tag("u32", n) },
            "offset" to tag("u64", from),
            "first" to tag("f32", hex(file.getInt(from))),
            "last" to tag("f32", hex(file.getInt(at - 4))),
            "crc32" to crc32(data, from, at - from)
        )
    }
    need(at == data.size) { "T014: ${data.size - at} bytes follow the last tensor" }

    val document = mutableMapOf(
        "version" to tag("u32", 3),
        "arch" to arch.fields.mapValues { (key, n) -> tag(if (key in WIDE) "u16" else "u8", n) } +
            ("stages" to arch.stages.map {
                mapOf("t" to tag("u8", it.t), "n" to tag("u8", it.n), "s" to tag("u8", it.s))
            }),
        "mirror" to mapOf(
            "offset" to tag("u32", 92), "length" to tag("u32", length),
            "crc32" to crc32(data, 92, length)
        ),
        "tensors" to tensors
    )
    if (level != "structure") {
        val mirror = Parser(data, 92, length).mirror()
        checkMirror(mirror, arch, data, table)
        document["json"] = mirror
    }
    return document
}

/** The 80 bytes of the arch header, which start at byte 8. */
fun readArch(file: ByteBuffer): Arch {
    val fields = mutableMapOf("gdc_kernel" to file.u8(20))
    SMALL.forEachIndexed { i, key -> fields[key] = file.u8(8 + i) }
    WIDE.forEachIndexed { i, key -> fields[key] = file.u16(12 + 2 * i) }
    val (version, count, kernel, stride) = SMALL.map { fields.getValue(it) }
    need(version == 1) { "H001: hdr_version is not 1" }
    need(file.isZero(21..23)) { "H002: a pad byte is not zero" }
    need(count in 1..8) { "H003: n_stages is not 1..8" }
    need(kernel % 2 == 1 && kernel <= 15) { "H004: stem_kernel is not odd, 1..15" }
    need(stride in 1..4) { "H005: stem_stride is not 1..4" }
    WIDE.forEachIndexed { i, key -> need(fields[key] != 0) { "H00${6 + i}: $key is 0" } }
    val stages = mutableListOf<Stage>()
    var side = (112 + 2 * (kernel / 2) - kernel) / stride + 1
    for (i in 1..8) {
        val at = 16 + 8 * i
        if (i > count) {
            need(file.isZero(at..at + 7)) { "H018: an unused stage record is not zero" }
            continue
        }
        val stage = Stage(file.u8(at), file.u8(at + 1), file.u8(at + 2))
        need(stage.t >= 1) { "H011: stage $i has t = 0" }
        need(stage.n >= 1) { "H012: stage $i has n = 0" }
        need(stage.s in 1..4) { "H013: stage $i has a stride outside 1..4" }
        need(file.isZero(at + 3..at + 7)) { "H017: stage $i has a pad that is not zero" }
        side = (side - 1) / stage.s + 1
        stages += stage
    }
    need(stages.map { it.n }.sum() <= 256) { "H014: more than 256 blocks" }
    need(fields["gdc_kernel"] == side) { "H016: gdc_kernel is not $side, the last map's side" }
    return Arch(fields, stages)
}

/** Name and shape of every tensor, in stored order. */
fun tensorLayout(arch: Arch): List<Tensor> {
    val layout = mutableListOf<Tensor>()

    fun layer(name: String, out: Int, perGroup: Int, kernel: Int, act: Boolean = true) {
        layout += Tensor("$name.conv.w", out, perGroup, kernel, kernel)
        val parts = listOf("bn.w", "bn.b", "bn.mean", "bn.var", "act.w")
        parts.take(if (act) 5 else 4).mapTo(layout) { Tensor("$name.$it", out) }
    }

    var c = arch["stem_channels"]
    layer("stem", c, 3, arch["stem_kernel"])
    layer("dw_stem", c, 1, 3)
    arch.stages.forEachIndexed { i, stage ->
        val out = arch[if (i == 0) "stem_channels" else "block_channels"]
        for (j in 0 until stage.n) {
            val block = "stage${i + 1}.block$j"
            val wide = c * stage.t
            need(wide <= 65535) { "H015: stage ${i + 1} expands to $wide channels" }
            layer("$block.expand", wide, c, 1)
            layer("$block.dw", wide, 1, 3)
            layer("$block.project", out, wide, 1, act = false)
            c = out
        }
    }
    val last = arch["final_channels"]
    layer("final_conv", last, c, 1)
    layer("gdconv", last, 1, arch["gdc_kernel"], act = false)
    layer("embed_proj", arch["embedding_dim"], last, 1, act = false)
    return layout
}

// Level coherence: the JSON mirror.

/** The mirror's closed grammar, parsed into leaves: what JSON parsers disagree on is refused. */
class Parser(bytes: ByteArray, from: Int, length: Int) {
    private val text = try { // a new decoder reports what is no UTF-8
        Charsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(bytes, from, length)).toString()
    } catch (e: CharacterCodingException) {
        throw Refused("M003: the mirror is not UTF-8")
    }
    private var at = 0
    private var depth = 0

    fun mirror(): Map<*, *> {
        need(text.any { it != ' ' }) { "M001: the mirror is empty" }
        need(!text.startsWith('\ufeff')) { "M002: a byte order mark" }
        val value = value()
        need(text.drop(at).all { it == ' ' }) { "M010: something follows the JSON object" }
        return value as? Map<*, *> ?: throw Refused("M012: the mirror is not an object")
    }

    private fun space() {
        while (at < text.length && text[at] in " \t\r\n") at++
    }

    /** Moves past a word if it stands here. */
    private fun take(word: String): Boolean {
        val found = text.startsWith(word, at)
        if (found) at += word.length
        return found
    }

    private fun must(word: String) = need(take(word)) { "M011: no $word at character $at" }

    /** A value with the space before it. */
    private fun value(): Any {
        space()
        if (text.startsWith("\"", at)) return tag("string", string())
        if (take("{")) {
            val map = mutableMapOf<String, Any>()
            list("}") {
                space()
                val key = string()
                need(key !in map) { "M005: a key stands twice" }
                space()
                must(":")
                map[key] = value()
            }
            return map
        }
        if (take("[")) {
            val array = mutableListOf<Any>()
            list("]") { array += value() }
            return array
        }
        listOf("true", "false").firstOrNull { take(it) }?.let { return tag("bool", it) }
        if (take("null")) return tag("null", "")
        need(listOf("NaN", "Infinity", "-Infinity").none { take(it) }) { "M006: NaN or infinity" }
        return number()
    }

    /** What stands between brackets, with commas. */
    private fun list(end: String, item: () -> Unit) {
        need(++depth <= 16) { "M004: nested deeper than 16" }
        space()
        var more = !text.startsWith(end, at)
        while (more) {
            item()
            space()
            more = take(",")
        }
        must(end)
        depth--
    }

    private fun number(): Leaf {
        val from = at
        var type = "integer"
        take("-")
        if (!take("0")) digits()
        if (take(".")) {
            type = "number"
            digits()
        }
        if (take("e") || take("E")) {
            type = "number"
            take("+") || take("-")
            digits()
        }
        val found = tag(type, text.substring(from, at))
        need(!found.isInteger || found.value.trim('-').length <= 20) { "M007: over 20 digits" }
        need(!found.value.toDouble().isInfinite()) { "M007: a number overflows a double" }
        return found
    }

    private fun digits() {
        val from = at
        while (at < text.length && text[at] in '0'..'9') at++
        need(at > from) { "M011: no digit at character $at of the mirror" }
    }

    private fun string(): String {
        val out = StringBuilder()
        must("\"")
        while (!take("\"")) {
            need(at < text.length) { "M011: the mirror ends inside a string" }
            val c = text[at++]
            need(c >= ' ') { "M011: a control character in a string" }
            out.append(if (c == '\\') escape() else c)
        }
        need('\u0000' !in out) { "M008: a NUL character" }
        // Of two halves the first has the code point of both.
        need(out.codePoints().noneMatch { it in 0xd800..0xdfff }) { "M009: a lone surrogate" }
        return out.toString()
    }

    private fun escape(): Char {
        need(text.length - at >= 5) { "M011: the mirror ends inside an escape" }
        val letter = text[at++]
        val i = "\"\\/bfnrt".indexOf(letter)
        if (i >= 0) return "\"\\/\b\u000c\n\r\t"[i]
        val hex = text.substring(at, at + 4)
        val good = letter == 'u' && hex.all { it in '0'..'9' || it in 'a'..'f' || it in 'A'..'F' }
        need(good) { "M011: an unknown escape" }
        at += 4
        return hex.toInt(16).toChar()
    }
}

fun leaf(value: Any?) = value as? Leaf ?: tag("", "")

/** The mirror agrees with the header, and its digest with the table. */
fun checkMirror(mirror: Map<*, *>, arch: Arch, data: ByteArray, table: Int) {
    val integers = WIDE + "gdc_kernel"
    for (key in integers + listOf("name", "width_mult", "stages")) {
        need(key in mirror) { "M020: the mirror has no $key" }
    }
    need(leaf(mirror["name"]).type == "string") { "M021: name is no string" }
    val width = leaf(mirror["width_mult"])
    need(width.isInteger || width.type == "number") { "M021: width_mult is no number" }
    need(width.value.toDouble() > 0) { "M026: width_mult is not above zero" }
    for (key in integers) {
        val found = leaf(mirror[key])
        need(found.isInteger) { "M021: $key is no integer" }
        need(found.value == "${arch[key]}") { "M022: $key is not the header's" }
    }
    val stages = mirror["stages"] as? List<*> ?: throw Refused("M021: stages is no array")
    need(stages.size == arch.stages.size) { "M023: another number of stages" }
    for ((value, stage) in stages.zip(arch.stages)) {
        val one = value as? Map<*, *> ?: throw Refused("M024: a stage is no object")
        need(one.size == 3) { "M024: a stage is not t, n, s" }
        for ((key, want) in listOf("t" to stage.t, "n" to stage.n, "s" to stage.s)) {
            val found = leaf(one[key])
            need(found.isInteger) { "M024: a stage is not t, n, s" }
            need(found.value == "$want") { "M025: $key of a stage is not the header's" }
        }
    }
    if ("meta" !in mirror) return
    val meta = mirror["meta"] as? Map<*, *> ?: throw Refused("M040: meta is not an object")
    if ("sha256" in meta) {
        val digest = leaf(meta["sha256"])
        val good = digest.type == "string" && Regex("[0-9a-f]{64}").matches(digest.value)
        need(good) { "M041: the digest is not 64 lower-case hex digits" }
        val own = MessageDigest.getInstance("SHA-256")
        own.update(data, table, data.size - table)
        val text = own.digest().joinToString("") { "%02x".format(it) }
        need(digest.value == text) { "M042: the digest is not the table's" }
    }
    val known = listOf(tag("string", "upright"), tag("string", "turned-180"))
    need("picture" !in meta || meta["picture"] in known) { "M043: meta.picture is unknown" }
}

// The interface to the kit.

/** A value as JSON, in ASCII. */
fun json(value: Any?): String = when (value) {
    is Leaf -> json(mapOf("type" to value.type, "value" to value.value))
    is Map<*, *> -> value.entries.joinToString(",", "{", "}") { (k, v) -> "${json(k)}:${json(v)}" }
    is List<*> -> value.joinToString(",", "[", "]") { json(it) }
    is String -> value.asIterable().joinToString("", "\"", "\"") {
        val plain = it in ' '..'~' && it != '"' && it != '\\'
        if (plain) it.toString() else "\\u%04x".format(it - '\u0000')
    }
    else -> value.toString()
}

val HELLO = mapOf(
    "version" to 1, "ready" to true,
    "implementation" to mapOf(
        "name" to "my-reader", "version" to "0.1", "language" to "kotlin",
        "classes" to listOf("reader"), "levels" to listOf("structure", "coherence")
    )
)

/** The answer to a line of the lines protocol. */
fun answer(ask: Map<*, *>): Map<String, Any> {
    if (leaf(ask["cmd"]).value == "start") return HELLO
    val seq = "seq" to leaf(ask["seq"]).value.toLong()
    return try {
        val document = read(File(leaf(ask["file"]).value).readBytes(), leaf(ask["level"]).value)
        mapOf(seq, "ok" to true, "document" to document)
    } catch (e: Refused) {
        mapOf(seq, "ok" to false, "reason" to e.message.toString())
    } catch (e: Throwable) { // lack of memory is one
        mapOf(seq, "error" to e.toString())
    }
}

fun lines() {
    for (line in generateSequence(::readLine)) {
        val bytes = line.toByteArray()
        val ask = Parser(bytes, 0, bytes.size).mirror()
        if (leaf(ask["cmd"]).value == "stop") return
        println(json(answer(ask)))
        System.out.flush()
    }
}

fun main(args: Array<String>) {
    try {
        if (args.firstOrNull() == "--lines") return lines()
        val data = if (args.isEmpty()) System.`in`.readBytes() else File(args[0]).readBytes()
        println(json(read(data, System.getenv("EFM3_LEVEL") ?: "structure")))
    } catch (e: Refused) {
        System.err.println(e.message)
        exitProcess(1)
    } catch (e: OutOfMemoryError) {
        System.err.println(e)
        exitProcess(71)
    } catch (e: Throwable) { // Java ends with 1 on its own, and 1 would say refused
        e.printStackTrace()
        exitProcess(70)
    }
}
