// SPDX-FileCopyrightText: 2026 EFM3 contributors
// SPDX-License-Identifier: Apache-2.0

// An EFM3 exporter to start from; Kotlin 1.3 or newer on Java 11 or newer, no libraries.
//
//     kotlinc exporter.kt -include-runtime -d exporter.jar
//     java -jar exporter.jar ARCH.json TENSORS_FOLDER OUT.bin    exit code 1: refused, no file
//     java -jar exporter.jar --lines                             answers the lines protocol
//
// Put your own source of weights in the place of `readNpy`.

import java.io.ByteArrayOutputStream
import java.io.File
import java.math.BigDecimal
import java.math.MathContext
import java.math.RoundingMode
import java.nio.ByteBuffer
import java.nio.ByteOrder
import java.nio.charset.CharacterCodingException
import kotlin.math.abs
import kotlin.system.exitProcess

/** No file can be made of this; the message says why. */
class Refused(reason: String) : RuntimeException(reason)

fun need(ok: Boolean, reason: () -> String) {
    if (!ok) throw Refused(reason())
}

class Stage(val t: Int, val n: Int, val s: Int)

class Tensor(val name: String, vararg val shape: Int)

class Arch(
    val name: String, val widthMult: Double, val stemKernel: Int, val stemStride: Int,
    val stem: Int, val block: Int, val last: Int, val dim: Int, val gdcKernel: Int,
    val stages: List<Stage>
)

/** Refuses what the header can state but no engine could run. */
fun check(a: Arch) {
    need(a.stages.size in 1..8) { "there are not 1..8 stages" }
    need(a.stemKernel % 2 == 1) { "stem_kernel is even" }
    need(a.stages.map { it.n }.sum() <= 256) { "there are more than 256 blocks" }
    val first = (112 - 1) / a.stemStride + 1
    val side = a.stages.fold(first) { side, stage -> (side - 1) / stage.s + 1 }
    need(a.gdcKernel == side) { "gdc_kernel is not $side, the last map's side" }
    need('\u0000' !in a.name) { "the name holds a NUL" }
    // Of two halves the first has the code point of both.
    val whole = a.name.codePoints().noneMatch { it in 0xd800..0xdfff }
    need(whole) { "the name holds half a character" }
    need(a.widthMult > 0 && !a.widthMult.isInfinite()) { "width_mult is not above zero" }
}

/** Name and shape of every tensor, in stored order. */
fun tensorLayout(a: Arch): List<Tensor> {
    val layout = mutableListOf<Tensor>()

    fun layer(name: String, out: Int, perGroup: Int, kernel: Int, act: Boolean = true) {
        layout += Tensor("$name.conv.w", out, perGroup, kernel, kernel)
        val parts = listOf("bn.w", "bn.b", "bn.mean", "bn.var", "act.w")
        parts.take(if (act) 5 else 4).mapTo(layout) { Tensor("$name.$it", out) }
    }

    var c = a.stem
    layer("stem", c, 3, a.stemKernel)
    layer("dw_stem", c, 1, 3)
    a.stages.forEachIndexed { i, stage ->
        val out = if (i == 0) a.stem else a.block
        for (j in 0 until stage.n) {
            val block = "stage${i + 1}.block$j"
            val wide = c * stage.t
            need(wide <= 65535) { "stage ${i + 1} expands to $wide channels" }
            layer("$block.expand", wide, c, 1)
            layer("$block.dw", wide, 1, 3)
            layer("$block.project", out, wide, 1, act = false)
            c = out
        }
    }
    layer("final_conv", a.last, c, 1)
    layer("gdconv", a.last, 1, a.gdcKernel, act = false)
    layer("embed_proj", a.dim, a.last, 1, act = false)
    return layout
}

/** The fewest digits that read back as the value, and of these the nearest. */
fun shortest(value: Double): BigDecimal {
    val exact = BigDecimal(value)
    for (digits in 1..17) {
        // Above a power of two doubles lie wider: there the next above may read back alone.
        for (mode in listOf(RoundingMode.HALF_EVEN, RoundingMode.UP)) {
            val near = exact.round(MathContext(digits, mode))
            if (near.toString().toDouble() == value) return near
        }
    }
    return exact // never: 17 digits are enough
}

/** A real number's canonical spelling: always with a point or an exponent. */
fun real(value: Double): String {
    val near = shortest(value)
    val digits = near.unscaledValue().toString()
    val e = digits.length - 1 - near.scale()
    if (e < -4 || e >= 16) {
        val rest = if (digits.length > 1) "." + digits.drop(1) else ""
        return digits.take(1) + rest + (if (e < 0) "e-" else "e+") + "%02d".format(abs(e))
    }
    if (e < 0) return "0." + "0".repeat(-e - 1) + digits
    val padded = digits.padEnd(e + 2, '0')
    return padded.take(e + 1) + "." + padded.drop(e + 1)
}

/** A JSON string's canonical spelling: ASCII, the shortest escapes. */
fun quoted(text: String) = text.asIterable().joinToString("", "\"", "\"") {
    val letter = "\"\\\b\u000c\n\r\t".indexOf(it)
    when {
        letter >= 0 -> "\\" + "\"\\bfnrt"[letter]
        it in ' '..'~' -> it.toString()
        else -> "\\u%04x".format(it - '\u0000')
    }
}

/** The mirror's text: compact ASCII JSON, keys in order. */
fun mirror(a: Arch): String {
    val numbers = listOf(
        "stem_channels" to a.stem, "block_channels" to a.block, "final_channels" to a.last,
        "embedding_dim" to a.dim, "gdc_kernel" to a.gdcKernel
    ).joinToString(",") { (key, n) -> "\"$key\":$n" }
    val stages = a.stages.joinToString(",") { """{"t":${it.t},"n":${it.n},"s":${it.s}}""" }
    return """{"name":${quoted(a.name)},"width_mult":${real(a.widthMult)},""" +
        """$numbers,"stages":[$stages]}"""
}

fun u32(value: Int): ByteArray =
    ByteBuffer.allocate(4).order(ByteOrder.LITTLE_ENDIAN).putInt(value).array()

/** The file's bytes; `payload` gives a tensor's values, float32 little-endian. */
fun write(a: Arch, payload: (Tensor) -> ByteArray): ByteArray {
    check(a)
    val text = mirror(a).toByteArray()
    need(text.size <= 1 shl 20) { "the mirror is over 1 MiB" }
    val head = ByteBuffer.allocate(92).order(ByteOrder.LITTLE_ENDIAN)
    head.put("EFM3".toByteArray()).putInt(3)
    for (n in listOf(1, a.stages.size, a.stemKernel, a.stemStride)) head.put(n.toByte())
    for (n in listOf(a.stem, a.block, a.last, a.dim)) head.putShort(n.toShort())
    head.putInt(a.gdcKernel) // one byte and three zeros
    for (stage in a.stages) {
        for (n in listOf(stage.t, stage.n, stage.s, 0)) head.put(n.toByte())
        head.putInt(0)
    }
    head.putInt(88, text.size)
    val layout = tensorLayout(a)
    val out = ByteArrayOutputStream()
    for (part in listOf(head.array(), text, u32(layout.size))) out.write(part)
    for (tensor in layout) {
        val values = payload(tensor)
        out.write(u32(values.size))
        out.write(values)
    }
    return out.toByteArray()
}

/** The payload of FOLDER/NAME.npy, NPY format 1.0. */
fun readNpy(folder: File, t: Tensor): ByteArray {
    val file = folder.resolve("${t.name}.npy")
    need(file.exists()) { "${t.name} is missing" }
    val npy = file.readBytes()
    val latin = String(npy, Charsets.ISO_8859_1)
    val known = npy.size >= 10 && latin.startsWith("\u0093NUMPY\u0001\u0000")
    need(known) { "${t.name} is not NPY format 1.0" }
    val start = 10 + (npy[8].toInt() and 255) + 256 * (npy[9].toInt() and 255)
    need(npy.size >= start) { "${t.name} is cut" }
    val header = latin.substring(10, start)
    val shape = t.shape.joinToString(", ", "(", if (t.shape.size == 1) ",)" else ")")
    need("'descr': '<f4'" in header) { "${t.name} is not float32 little-endian" }
    need("'fortran_order': False" in header) { "${t.name} is not in C order" }
    need(shape in header) { "${t.name} has not the shape $shape" }
    val size = t.shape.fold(4L) { product, n -> product * n }
    need((npy.size - start).toLong() == size) { "${t.name} has not its shape's bytes" }
    val values = ByteBuffer.wrap(npy, start, npy.size - start).order(ByteOrder.LITTLE_ENDIAN)
    while (values.hasRemaining()) {
        val value = values.getFloat()
        need(!value.isNaN() && !value.isInfinite()) { "${t.name} holds NaN or infinity" }
    }
    return npy.copyOfRange(start, npy.size)
}

// ARCH.json, and the lines of the protocol.

/** A JSON value that is neither object nor array; numbers and strings as texts. */
class Leaf(val type: String, val value: String)

fun leaf(value: Any?) = value as? Leaf ?: Leaf("", "")

/** Strict JSON. */
class Parser(bytes: ByteArray) {
    private val text = try { // a new decoder reports what is no UTF-8
        Charsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(bytes)).toString()
    } catch (e: CharacterCodingException) {
        throw Refused("this is not UTF-8")
    }
    private var at = 0
    private var depth = 0

    fun map(): Map<*, *> {
        val value = value()
        space()
        need(at == text.length) { "something follows the JSON" }
        return value as? Map<*, *> ?: throw Refused("this is no JSON object")
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

    /** A value with the space before it. */
    private fun value(): Any {
        space()
        if (text.startsWith("\"", at)) return Leaf("string", string())
        if (take("{")) {
            val map = mutableMapOf<String, Any>()
            list("}") {
                space()
                val key = string()
                need(key !in map) { "a key stands twice" }
                space()
                need(take(":")) { "no colon at character $at" }
                map[key] = value()
            }
            return map
        }
        if (take("[")) {
            val array = mutableListOf<Any>()
            list("]") { array += value() }
            return array
        }
        listOf("true", "false", "null").firstOrNull { take(it) }?.let { return Leaf("word", it) }
        val from = at
        var type = "integer"
        take("-")
        if (!take("0")) digits()
        if (take(".")) {
            type = "real"
            digits()
        }
        if (take("e") || take("E")) {
            type = "real"
            take("+") || take("-")
            digits()
        }
        return Leaf(type, text.substring(from, at))
    }

    /** What stands between brackets, with commas. */
    private fun list(end: String, item: () -> Unit) {
        need(++depth <= 64) { "nested deeper than 64" }
        space()
        var more = !text.startsWith(end, at)
        while (more) {
            item()
            space()
            more = take(",")
        }
        need(take(end)) { "no $end at character $at" }
        depth--
    }

    private fun digits() {
        val from = at
        while (at < text.length && text[at] in '0'..'9') at++
        need(at > from) { "no digit at character $at" }
    }

    private fun string(): String {
        val out = StringBuilder()
        need(take("\"")) { "no string at character $at" }
        while (!take("\"")) {
            need(at < text.length && text[at] >= ' ') { "a string does not end at character $at" }
            val c = text[at++]
            out.append(if (c == '\\') escape() else c)
        }
        return out.toString()
    }

    private fun escape(): Char {
        need(text.length - at >= 5) { "the text ends inside an escape" }
        val letter = text[at++]
        val i = "\"\\/bfnrt".indexOf(letter)
        if (i >= 0) return "\"\\/\b\u000c\n\r\t"[i]
        val hex = text.substring(at, at + 4)
        val good = letter == 'u' && hex.all { it in '0'..'9' || it in 'a'..'f' || it in 'A'..'F' }
        need(good) { "an unknown escape" }
        at += 4
        return hex.toInt(16).toChar()
    }
}

fun readArch(text: ByteArray): Arch {
    fun integer(from: Map<*, *>, key: String, most: Int): Int {
        val found = leaf(from[key])
        val value = if (found.type == "integer") found.value.toIntOrNull() ?: 0 else 0
        need(value in 1..most) { "$key is no integer of 1..$most" }
        return value
    }

    val all = Parser(text).map()
    val (name, width) = listOf("name", "width_mult").map { leaf(all[it]) }
    need(name.type == "string") { "name is no string" }
    need(width.type in listOf("integer", "real")) { "width_mult is no number" }
    val stages = all["stages"] as? List<*> ?: throw Refused("stages is no array")
    return Arch(
        name.value, width.value.toDouble(), integer(all, "stem_kernel", 15),
        integer(all, "stem_stride", 4), integer(all, "stem_channels", 65535),
        integer(all, "block_channels", 65535), integer(all, "final_channels", 65535),
        integer(all, "embedding_dim", 65535), integer(all, "gdc_kernel", 112),
        stages.map {
            val stage = it as? Map<*, *> ?: throw Refused("a stage is no object")
            need(stage.size == 3) { "a stage is not t, n and s" }
            Stage(integer(stage, "t", 255), integer(stage, "n", 255), integer(stage, "s", 4))
        }
    )
}

/** Writes OUT from an arch and a folder of tensors. */
fun export(archPath: String, tensors: String, out: String) {
    val folder = File(tensors)
    val arch = readArch(File(archPath).readBytes())
    val data = write(arch) { readNpy(folder, it) }
    val count = folder.list()!!.count { it.endsWith(".npy") }
    need(count == tensorLayout(arch).size) { "a tensor is not in the layout" }
    File(out).writeBytes(data)
}

// The interface to the kit.

const val HELLO = """{"version":1,"ready":true,"implementation":{"name":"my-exporter",""" +
    """"version":"0.1","language":"kotlin","classes":["writer"]}}"""

/** The answer to a line of the lines protocol. */
fun answer(ask: Map<*, *>): String {
    if (leaf(ask["cmd"]).value == "start") return HELLO
    val start = """{"seq":${leaf(ask["seq"]).value}"""
    return try {
        export(leaf(ask["arch"]).value, leaf(ask["tensors"]).value, leaf(ask["out"]).value)
        """$start,"ok":true}"""
    } catch (e: Refused) {
        """$start,"ok":false,"reason":${quoted(e.message.toString())}}"""
    } catch (e: Throwable) { // lack of memory is one
        """$start,"error":${quoted(e.toString())}}"""
    }
}

fun lines() {
    for (line in generateSequence(::readLine)) {
        val ask = Parser(line.toByteArray()).map()
        if (leaf(ask["cmd"]).value == "stop") return
        println(answer(ask))
        System.out.flush()
    }
}

fun main(args: Array<String>) {
    try {
        if (args.toList() == listOf("--lines")) lines() else export(args[0], args[1], args[2])
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
