// SPDX-FileCopyrightText: 2026 EFM3 contributors
// SPDX-License-Identifier: Apache-2.0

// An EFM3 engine to start from, in double precision; Kotlin 1.3 or newer on Java 11 or newer, no
// libraries.
//
//     kotlinc engine.kt -include-runtime -d engine.jar
//     java -jar engine.jar MODEL INPUT OUTPUT [LAYERS]    exit code 1 where MODEL is refused
//     java -jar engine.jar --lines                        answers the lines protocol
//
// INPUT is float32 [3, 112, 112], OUTPUT the embedding; the folder LAYERS gets NAME.f32 a layer.
// Put your own engine in the place of `load` and `forward`.

import java.io.File
import java.nio.ByteBuffer
import java.nio.ByteOrder
import kotlin.math.max
import kotlin.math.sqrt
import kotlin.system.exitProcess

const val SIDE = 112

/** The model breaks a rule; the message starts with the rule's code. */
class Refused(reason: String) : RuntimeException(reason)

fun need(ok: Boolean, reason: () -> String) {
    if (!ok) throw Refused(reason())
}

/** A convolution, its BatchNorm, and its PReLU where `act`; square kernels and maps. */
class Layer(
    val name: String, val cin: Int, val cout: Int,
    val kernel: Int = 1, val stride: Int = 1, val pad: Int = 0,
    val depthwise: Boolean = false, val act: Boolean = true,
    val startsBlock: Boolean = false,
    val adds: Boolean = false // the block's input is added to the output
) {
    /** How many input channels an output channel reads. */
    val perGroup = if (depthwise) 1 else cin
    lateinit var w: DoubleArray
    lateinit var gamma: DoubleArray
    lateinit var beta: DoubleArray
    lateinit var mean: DoubleArray
    lateinit var variance: DoubleArray
    lateinit var slope: DoubleArray
}

fun ByteBuffer.u8(at: Int) = get(at).toInt() and 255
fun ByteBuffer.u16(at: Int) = getShort(at).toInt() and 65535
fun ByteBuffer.u32(at: Int) = getInt(at).toLong() and 0xffffffffL
fun ByteBuffer.isZero(places: IntRange) = places.all { get(it).toInt() == 0 }

/** The layers of a file's bytes with their values; the JSON mirror is skipped. */
fun load(data: ByteArray): List<Layer> {
    need(data.size >= 92) { "C004: the file ends inside its first 92 bytes" }
    val file = ByteBuffer.wrap(data).order(ByteOrder.LITTLE_ENDIAN)
    need(String(data, 0, 4, Charsets.ISO_8859_1) == "EFM3") { "C002: it does not start with EFM3" }
    need(file.u32(4) == 3L) { "C003: the version is not 3" }
    val layers = readArch(file)
    need(file.u32(88) <= 1 shl 20) { "C005: json_len is over 1 MiB" }
    need(file.u32(88) <= data.size - 92) { "C006: the mirror reaches past the end of the file" }
    var at = 92 + file.getInt(88)
    need(data.size - at >= 4) { "C007: the file ends before the whole tensor count" }
    val count = layers.map { if (it.act) 6 else 5 }.sum()
    need(file.u32(at) == count.toLong()) { "T001: the layout has $count tensors" }
    at += 4

    fun tensor(name: String, values: Long): DoubleArray { // at any alignment
        need(data.size - at >= 4) { "T013: the file ends before the size of $name" }
        val size = file.u32(at)
        need(size == 4 * values) { "T002: $name has $size bytes, not its shape's" }
        at += 4
        need(size <= data.size - at) { "T012: the file ends inside $name" }
        val from = at
        at += size.toInt()
        return DoubleArray(values.toInt()) { file.getFloat(from + 4 * it).toDouble() }
    }

    for (l in layers) {
        val outs = l.cout.toLong()
        l.w = tensor("${l.name}.conv.w", outs * l.perGroup * l.kernel * l.kernel)
        l.gamma = tensor("${l.name}.bn.w", outs)
        l.beta = tensor("${l.name}.bn.b", outs)
        l.mean = tensor("${l.name}.bn.mean", outs)
        l.variance = tensor("${l.name}.bn.var", outs)
        if (l.act) l.slope = tensor("${l.name}.act.w", outs)
    }
    need(at == data.size) { "T014: bytes follow the last tensor" }
    return layers
}

/** The layers of the arch header, whose 80 bytes start at byte 8, in order of execution. */
fun readArch(file: ByteBuffer): List<Layer> {
    val (version, count, stemKernel, stemStride) = List(4) { file.u8(8 + it) }
    val (stem, other, last, dim) = List(4) { file.u16(12 + 2 * it) }
    val gdcKernel = file.u8(20)
    need(version == 1) { "H001: hdr_version is not 1" }
    need(file.isZero(21..23)) { "H002: a pad byte is not zero" }
    need(count in 1..8) { "H003: n_stages is not 1..8" }
    need(stemKernel % 2 == 1 && stemKernel <= 15) { "H004: stem_kernel is not odd, 1..15" }
    need(stemStride in 1..4) { "H005: stem_stride is not 1..4" }
    need(stem >= 1) { "H006: stem_channels is 0" }
    need(other >= 1) { "H007: block_channels is 0" }
    need(last >= 1) { "H008: final_channels is 0" }
    need(dim >= 1) { "H009: embedding_dim is 0" }
    val stages = mutableListOf<Triple<Int, Int, Int>>()
    var side = (SIDE + 2 * (stemKernel / 2) - stemKernel) / stemStride + 1
    for (i in 1..8) {
        val at = 16 + 8 * i
        if (i > count) {
            need(file.isZero(at..at + 7)) { "H018: an unused stage record is not zero" }
            continue
        }
        val (t, n, s) = List(3) { file.u8(at + it) }
        need(t >= 1) { "H011: stage $i has t = 0" }
        need(n >= 1) { "H012: stage $i has n = 0" }
        need(s in 1..4) { "H013: stage $i has a stride outside 1..4" }
        need(file.isZero(at + 3..at + 7)) { "H017: stage $i has a pad that is not zero" }
        side = (side - 1) / s + 1
        stages += Triple(t, n, s)
    }
    need(stages.map { it.second }.sum() <= 256) { "H014: more than 256 blocks" }
    need(gdcKernel == side) { "H016: gdc_kernel is not $side, the last map's side" }

    val layers = mutableListOf(
        Layer("stem", 3, stem, stemKernel, stemStride, stemKernel / 2),
        Layer("dw_stem", stem, stem, kernel = 3, pad = 1, depthwise = true)
    )
    var c = stem
    stages.forEachIndexed { i, (t, n, s) ->
        val out = if (i == 0) stem else other
        for (j in 0 until n) {
            val block = "stage${i + 1}.block$j"
            val stride = if (j == 0) s else 1
            val wide = c * t
            need(wide <= 65535) { "H015: stage ${i + 1} expands to $wide channels" }
            layers += Layer("$block.expand", c, wide, startsBlock = true)
            layers += Layer("$block.dw", wide, wide, 3, stride, 1, depthwise = true)
            val adds = stride == 1 && c == out
            layers += Layer("$block.project", wide, out, act = false, adds = adds)
            c = out
        }
    }
    layers += Layer("final_conv", c, last)
    layers += Layer("gdconv", last, last, gdcKernel, depthwise = true, act = false)
    layers += Layer("embed_proj", last, dim, act = false)
    return layers
}

/** A square map of a feature: values at `from` in x, `side` of them in a row. */
class Plane(val x: DoubleArray, val from: Int, val side: Int)

/** Adds w * a plane, shifted by tap (i, j) of the kernel, to sums; outside the plane is zero. */
fun tap(l: Layer, sum: Plane, plane: Plane, i: Int, j: Int, w: Double) {
    for (row in 0 until sum.side) {
        val iy = row * l.stride + i - l.pad
        if (iy < 0 || iy >= plane.side) continue
        for (col in 0 until sum.side) {
            val ix = col * l.stride + j - l.pad
            if (ix >= 0 && ix < plane.side) {
                val at = sum.from + row * sum.side + col
                sum.x[at] += w * plane.x[plane.from + iy * plane.side + ix]
            }
        }
    }
}

/** A layer's output [cout, side, side] for x [cin, inSide, inSide], BatchNorm folded in. */
fun apply(l: Layer, x: DoubleArray, inSide: Int, side: Int, blockInput: DoubleArray): DoubleArray {
    val area = side * side
    val taps = l.kernel * l.kernel
    val y = DoubleArray(l.cout * area)
    for (o in 0 until l.cout) {
        val scale = l.gamma[o] / sqrt(l.variance[o] + 1e-5)
        y.fill(l.beta[o] - l.mean[o] * scale, o * area, (o + 1) * area)
        val sum = Plane(y, o * area, side)
        for (c in 0 until l.perGroup) {
            val plane = Plane(x, (if (l.depthwise) o else c) * inSide * inSide, inSide)
            for (k in 0 until taps) {
                val w = l.w[(o * l.perGroup + c) * taps + k] * scale
                tap(l, sum, plane, k / l.kernel, k % l.kernel, w)
            }
        }
        for (p in o * area until (o + 1) * area) {
            if (l.act && !(y[p] > 0)) y[p] *= l.slope[o]
            if (l.adds) y[p] += blockInput[p]
        }
    }
    return y
}

/** The embedding, of length 1, of x [3, 112, 112]; `watch` gets each layer's name and output. */
fun forward(
    layers: List<Layer>, input: DoubleArray, watch: (String, DoubleArray) -> Unit
): DoubleArray {
    var x = input
    var side = SIDE
    var blockInput = x
    for (l in layers) {
        if (l.startsBlock) blockInput = x
        val outSide = (side + 2 * l.pad - l.kernel) / l.stride + 1
        x = apply(l, x, side, outSide, blockInput)
        side = outSide
        watch(l.name, x)
    }
    val norm = max(sqrt(x.map { it * it }.sum()), 1e-12) // NaN stays NaN
    return DoubleArray(x.size) { x[it] / norm }
}

// The interface to the kit.

fun save(file: File, values: DoubleArray) {
    val out = ByteBuffer.allocate(4 * values.size).order(ByteOrder.LITTLE_ENDIAN)
    for (v in values) out.putFloat(v.toFloat())
    file.writeBytes(out.array())
}

/** Runs a model file on an input file; the folder of layers may be null. */
fun embed(model: String, input: String, output: String, folder: String?) {
    val layers = load(File(model).readBytes())
    val given = ByteBuffer.wrap(File(input).readBytes()).order(ByteOrder.LITTLE_ENDIAN)
    require(given.remaining() == 4 * 3 * SIDE * SIDE) { "the input has another size" }
    val x = DoubleArray(3 * SIDE * SIDE) { given.getFloat(4 * it).toDouble() }
    save(File(output), forward(layers, x) { name, y ->
        if (folder != null) save(File(folder, "$name.f32"), y)
    })
}

const val HELLO = """{"version":1,"ready":true,"implementation":{"name":"my-engine",""" +
    """"version":"0.1","language":"kotlin","classes":["engine"]}}"""

val MEMBER = Regex(""""(\w+)"\s*:\s*(?:(\d+)|"((?:[^"\\]|\\.)*)")""")
val ESCAPE = Regex("""\\(?:u([0-9a-fA-F]{4})|(.))""")

/** The members of a request: an object of numbers and strings. */
fun request(line: String): Map<String, String> = MEMBER.findAll(line).associate { member ->
    val (key, number, text) = member.destructured
    key to number + ESCAPE.replace(text) { escape ->
        val (hex, letter) = escape.destructured
        val i = if (letter == "") -1 else "bfnrt".indexOf(letter)
        when {
            hex != "" -> hex.toInt(16).toChar().toString()
            i >= 0 -> "\b\u000c\n\r\t".substring(i, i + 1)
            else -> letter
        }
    }
}

fun quoted(text: String) = text.asIterable().joinToString("", "\"", "\"") {
    val plain = it in ' '..'~' && it != '"' && it != '\\'
    if (plain) it.toString() else "\\u%04x".format(it - '\u0000')
}

/** The answer to a line: `start`, `embed`, and `read` for the verdict. */
fun answer(ask: Map<String, String>): String {
    if (ask["cmd"] == "start") return HELLO
    val start = """{"seq":${ask["seq"]}"""
    return try {
        if (ask["cmd"] == "embed") {
            embed(ask["model"]!!, ask["input"]!!, ask["output"]!!, ask["layers"])
        } else {
            load(File(ask["file"]!!).readBytes())
        }
        """$start,"ok":true}"""
    } catch (e: Refused) {
        """$start,"ok":false,"reason":${quoted(e.message.toString())}}"""
    } catch (e: Throwable) { // lack of memory is one
        """$start,"error":${quoted(e.toString())}}"""
    }
}

fun lines() {
    for (line in generateSequence(::readLine)) {
        val ask = request(line)
        if (ask["cmd"] == "stop") return
        println(answer(ask))
        System.out.flush()
    }
}

fun main(args: Array<String>) {
    try {
        if (args.toList() == listOf("--lines")) lines()
        else embed(args[0], args[1], args[2], args.getOrNull(3))
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
