// SPDX-FileCopyrightText: 2026 EFM3 contributors
// SPDX-License-Identifier: Apache-2.0

// An EFM3 engine to start from, in double precision; the standard library alone.
//
//	go build -o engine engine.go
//	./engine MODEL INPUT OUTPUT [LAYERS]   exit code 1 where MODEL is refused
//	./engine --lines                       answers the lines protocol
//
// INPUT is float32 [3, 112, 112], OUTPUT the embedding; the folder LAYERS gets NAME.f32 a layer.
// Put your own engine in the place of load and forward.
package main

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
)

const side = 112

// refused says which rule the model breaks; the text starts with the rule's code.
type refused string

func (r refused) Error() string { return string(r) }

// need leaves the loader with a refusal unless ok; load turns it into an error.
func need(ok bool, reason string, args ...any) {
	if !ok {
		panic(refused(fmt.Sprintf(reason, args...)))
	}
}

var le = binary.LittleEndian

// layer is a convolution, its BatchNorm, and its PReLU where act; square kernels and maps.
type layer struct {
	name                           string
	cin, cout, kernel, stride, pad int
	depthwise, act                 bool
	startsBlock, adds              bool // adds: the block's input is added to the output

	w, gamma, beta, mean, variance, slope []float64
}

// perGroup is the number of input channels that an output channel reads.
func (l *layer) perGroup() int {
	if l.depthwise {
		return 1
	}
	return l.cin
}

// load gives the layers of a file's bytes with their values; the JSON mirror is skipped.
func load(data []byte) (layers []*layer, err error) {
	defer func() {
		why := recover()
		if r, ok := why.(refused); ok {
			err = r
		} else if why != nil {
			panic(why)
		}
	}()
	need(len(data) >= 92, "C004: the file ends inside its first 92 bytes")
	need(string(data[:4]) == "EFM3", "C002: the file does not start with EFM3")
	need(le.Uint32(data[4:]) == 3, "C003: the version is not 3")
	layers = readArch(data[8:88])
	size := uint64(le.Uint32(data[88:]))
	need(size <= 1<<20, "C005: json_len is over 1 MiB")
	need(size <= uint64(len(data)-92), "C006: the mirror reaches past the end of the file")
	rest := data[92+size:]
	need(len(rest) >= 4, "C007: the file ends before the whole tensor count")
	count := uint32(5 * len(layers))
	for _, l := range layers {
		if l.act {
			count++
		}
	}
	need(le.Uint32(rest) == count, "T001: the layout has %d tensors", count)
	rest = rest[4:]

	tensor := func(name string, values int) []float64 {
		need(len(rest) >= 4, "T013: the file ends before the size of %s", name)
		size := uint64(le.Uint32(rest))
		need(size == 4*uint64(values), "T002: %s has %d bytes, not its shape's", name, size)
		need(size <= uint64(len(rest)-4), "T012: the file ends inside %s", name)
		payload := rest[4 : 4+size]
		rest = rest[4+size:]
		return floats(payload)
	}
	for _, l := range layers {
		l.w = tensor(l.name+".conv.w", l.cout*l.perGroup()*l.kernel*l.kernel)
		l.gamma = tensor(l.name+".bn.w", l.cout)
		l.beta = tensor(l.name+".bn.b", l.cout)
		l.mean = tensor(l.name+".bn.mean", l.cout)
		l.variance = tensor(l.name+".bn.var", l.cout)
		if l.act {
			l.slope = tensor(l.name+".act.w", l.cout)
		}
	}
	need(len(rest) == 0, "T014: bytes follow the last tensor")
	return layers, nil
}

func floats(raw []byte) []float64 {
	out := make([]float64, len(raw)/4)
	for i := range out {
		out[i] = float64(math.Float32frombits(le.Uint32(raw[4*i:])))
	}
	return out
}

func zero(b []byte) bool { return bytes.Count(b, []byte{0}) == len(b) }

// readArch turns the 80 bytes of the arch header into layers, in order of execution.
func readArch(h []byte) []*layer {
	count, stemKernel, stemStride := int(h[1]), int(h[2]), int(h[3])
	stem, block := int(le.Uint16(h[4:])), int(le.Uint16(h[6:]))
	final, dim, gdcKernel := int(le.Uint16(h[8:])), int(le.Uint16(h[10:])), int(h[12])
	need(h[0] == 1, "H001: hdr_version is not 1")
	need(zero(h[13:16]), "H002: a pad byte is not zero")
	need(count >= 1 && count <= 8, "H003: n_stages is not 1..8")
	need(stemKernel%2 == 1 && stemKernel <= 15, "H004: stem_kernel is not odd, 1..15")
	need(stemStride >= 1 && stemStride <= 4, "H005: stem_stride is not 1..4")
	need(stem >= 1, "H006: stem_channels is 0")
	need(block >= 1, "H007: block_channels is 0")
	need(final >= 1, "H008: final_channels is 0")
	need(dim >= 1, "H009: embedding_dim is 0")
	var stages [][3]int
	blocks, last := 0, (side+2*(stemKernel/2)-stemKernel)/stemStride+1
	for i := 0; i < 8; i++ {
		r := h[16+8*i : 24+8*i]
		if i >= count {
			need(zero(r), "H018: an unused stage record is not zero")
			continue
		}
		t, n, s := int(r[0]), int(r[1]), int(r[2])
		need(t >= 1, "H011: stage %d has t = 0", i+1)
		need(n >= 1, "H012: stage %d has n = 0", i+1)
		need(s >= 1 && s <= 4, "H013: stage %d has a stride outside 1..4", i+1)
		need(zero(r[3:]), "H017: stage %d has a pad that is not zero", i+1)
		last = (last-1)/s + 1
		blocks += n
		stages = append(stages, [3]int{t, n, s})
	}
	need(blocks <= 256, "H014: more than 256 blocks")
	need(gdcKernel == last, "H016: gdc_kernel is not %d, the last map's side", last)

	var layers []*layer
	add := func(l layer) { layers = append(layers, &l) }
	add(layer{name: "stem", cin: 3, cout: stem, kernel: stemKernel, stride: stemStride,
		pad: stemKernel / 2, act: true})
	add(layer{name: "dw_stem", cin: stem, cout: stem, kernel: 3, stride: 1, pad: 1,
		depthwise: true, act: true})
	c := stem
	for i, stage := range stages {
		t, n, out := stage[0], stage[1], block
		if i == 0 {
			out = stem
		}
		for j := 0; j < n; j++ {
			name, wide, stride := fmt.Sprintf("stage%d.block%d", i+1, j), c*t, 1
			if j == 0 {
				stride = stage[2]
			}
			need(wide <= 65535, "H015: stage %d expands to %d channels", i+1, wide)
			add(layer{name: name + ".expand", cin: c, cout: wide, kernel: 1, stride: 1,
				act: true, startsBlock: true})
			add(layer{name: name + ".dw", cin: wide, cout: wide, kernel: 3, stride: stride, pad: 1,
				depthwise: true, act: true})
			add(layer{name: name + ".project", cin: wide, cout: out, kernel: 1, stride: 1,
				adds: stride == 1 && c == out})
			c = out
		}
	}
	add(layer{name: "final_conv", cin: c, cout: final, kernel: 1, stride: 1, act: true})
	add(layer{name: "gdconv", cin: final, cout: final, kernel: gdcKernel, stride: 1,
		depthwise: true})
	add(layer{name: "embed_proj", cin: final, cout: dim, kernel: 1, stride: 1})
	return layers
}

// tap adds w * plane, shifted by one tap of the kernel, to sum; outside the plane is zero.
func (l *layer) tap(sum []float64, out int, plane []float64, in, i, j int, w float64) {
	for y := 0; y < out; y++ {
		iy := y*l.stride + i - l.pad
		if iy < 0 || iy >= in {
			continue
		}
		for x := 0; x < out; x++ {
			if ix := x*l.stride + j - l.pad; ix >= 0 && ix < in {
				sum[y*out+x] += w * plane[iy*in+ix]
			}
		}
	}
}

// apply is the layer's output [cout, out, out] for x [cin, in, in], BatchNorm folded in.
func (l *layer) apply(x []float64, in, out int, blockInput []float64) []float64 {
	area, taps, perGroup := out*out, l.kernel*l.kernel, l.perGroup()
	y := make([]float64, l.cout*area)
	for o := 0; o < l.cout; o++ {
		sum := y[o*area : (o+1)*area]
		scale := l.gamma[o] / math.Sqrt(l.variance[o]+1e-5)
		bias := l.beta[o] - l.mean[o]*scale
		for p := range sum {
			sum[p] = bias
		}
		for c := 0; c < perGroup; c++ {
			from := c
			if l.depthwise {
				from = o
			}
			plane := x[from*in*in : (from+1)*in*in]
			for k, w := range l.w[(o*perGroup+c)*taps : (o*perGroup+c+1)*taps] {
				l.tap(sum, out, plane, in, k/l.kernel, k%l.kernel, w*scale)
			}
		}
		for p, v := range sum {
			if l.act && !(v > 0) {
				v *= l.slope[o]
			}
			if l.adds {
				v += blockInput[o*area+p]
			}
			sum[p] = v
		}
	}
	return y
}

// forward is the embedding, of length 1, of x [3, 112, 112]; watch gets each layer's output.
func forward(layers []*layer, x []float64, watch func(string, []float64) error) ([]float64, error) {
	var blockInput []float64
	in := side
	for _, l := range layers {
		if l.startsBlock {
			blockInput = x
		}
		out := (in+2*l.pad-l.kernel)/l.stride + 1
		x = l.apply(x, in, out, blockInput)
		in = out
		if err := watch(l.name, x); err != nil {
			return nil, err
		}
	}
	squares := 0.0
	for _, v := range x {
		squares += v * v
	}
	norm := math.Max(math.Sqrt(squares), 1e-12) // NaN stays NaN
	for i := range x {
		x[i] /= norm
	}
	return x, nil
}

// The interface to the kit.

type object = map[string]any

var hello = object{"version": 1, "ready": true, "implementation": object{
	"name": "my-engine", "version": "0.1", "language": "go", "classes": []string{"engine"}}}

type request struct {
	Cmd, File, Model, Input, Output, Layers string
	Seq                                     int
}

func save(path string, values []float64) error {
	out := make([]byte, 4*len(values))
	for i, v := range values {
		le.PutUint32(out[4*i:], math.Float32bits(float32(v)))
	}
	return os.WriteFile(path, out, 0o666)
}

// embed runs a model on an input and writes the embedding, and the layers into a folder.
func embed(ask request) error {
	model, err := os.ReadFile(ask.Model)
	if err != nil {
		return err
	}
	layers, err := load(model)
	if err != nil {
		return err
	}
	input, err := os.ReadFile(ask.Input)
	if err == nil && len(input) != 4*3*side*side {
		err = fmt.Errorf("the input is not 3 x %d x %d float32", side, side)
	}
	if err != nil {
		return err
	}
	embedding, err := forward(layers, floats(input), func(name string, y []float64) error {
		if ask.Layers == "" {
			return nil
		}
		return save(filepath.Join(ask.Layers, name+".f32"), y)
	})
	if err != nil {
		return err
	}
	return save(ask.Output, embedding)
}

// answer answers a line of the lines protocol: start, embed, and read for the verdict.
func answer(ask request) object {
	var err error
	switch ask.Cmd {
	case "start":
		return hello
	case "embed":
		err = embed(ask)
	default:
		var data []byte
		if data, err = os.ReadFile(ask.File); err == nil {
			_, err = load(data)
		}
	}
	if _, ok := err.(refused); ok {
		return object{"seq": ask.Seq, "ok": false, "reason": err.Error()}
	} else if err != nil {
		return object{"seq": ask.Seq, "error": err.Error()}
	}
	return object{"seq": ask.Seq, "ok": true}
}

// broken ends with an exit code that is neither done nor refused.
func broken(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(70)
	}
}

func main() {
	if len(os.Args) == 2 && os.Args[1] == "--lines" {
		for in, out := bufio.NewReader(os.Stdin), json.NewEncoder(os.Stdout); ; {
			line, err := in.ReadBytes('\n')
			if err == io.EOF {
				return
			}
			var ask request
			broken(json.Unmarshal(line, &ask))
			if ask.Cmd == "stop" {
				return
			}
			broken(out.Encode(answer(ask)))
		}
	}
	if len(os.Args) < 4 {
		broken(fmt.Errorf("usage: engine MODEL INPUT OUTPUT [LAYERS]"))
	}
	ask := request{Model: os.Args[1], Input: os.Args[2], Output: os.Args[3]}
	if len(os.Args) > 4 {
		ask.Layers = os.Args[4]
	}
	err := embed(ask)
	if _, ok := err.(refused); ok {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	broken(err)
}
