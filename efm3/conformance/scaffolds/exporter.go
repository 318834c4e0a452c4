// SPDX-FileCopyrightText: 2026 EFM3 contributors
// SPDX-License-Identifier: Apache-2.0

// An EFM3 exporter to start from; the standard library alone.
//
//	go build -o exporter exporter.go
//	./exporter ARCH.json TENSORS_FOLDER OUT.bin   exit code 1: refused, nothing is written
//	./exporter --lines                            answers the lines protocol
//
// Put your own source of weights in the place of readNpy.
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
	"regexp"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// refused says why no file can be made.
type refused string

func (r refused) Error() string { return string(r) }

// need leaves the exporter with a refusal unless ok; export turns it into an error.
func need(ok bool, reason string, args ...any) {
	if !ok {
		panic(refused(fmt.Sprintf(reason, args...)))
	}
}

type stage struct{ t, n, s int }

type arch struct {
	name                                            string
	widthMult                                       float64
	stemKernel, stemStride                          int
	stemChannels, blockChannels, finalChannels, dim int
	gdcKernel                                       int
	stages                                          []stage
}

type tensor struct {
	name  string
	shape []int
}

// check refuses what the header can state but no engine could run.
func check(a *arch) {
	need(len(a.stages) >= 1 && len(a.stages) <= 8, "there are not 1..8 stages")
	need(a.stemKernel%2 == 1, "stem_kernel is even")
	blocks, side := 0, (112-1)/a.stemStride+1
	for _, s := range a.stages {
		blocks += s.n
		side = (side-1)/s.s + 1
	}
	need(blocks <= 256, "there are more than 256 blocks")
	need(a.gdcKernel == side, "gdc_kernel is not %d, the last map's side", side)
	need(!strings.Contains(a.name, "\x00"), "the name holds a NUL")
	need(a.widthMult > 0 && !math.IsInf(a.widthMult, 0), "width_mult is not above zero")
}

// tensorLayout lists name and shape of every tensor, in stored order.
func tensorLayout(a *arch) []tensor {
	var layout []tensor
	layer := func(name string, out, perGroup, kernel int, act bool) {
		layout = append(layout, tensor{name + ".conv.w", []int{out, perGroup, kernel, kernel}})
		for _, part := range []string{"bn.w", "bn.b", "bn.mean", "bn.var", "act.w"} {
			if part != "act.w" || act {
				layout = append(layout, tensor{name + "." + part, []int{out}})
			}
		}
	}
	c := a.stemChannels
	layer("stem", c, 3, a.stemKernel, true)
	layer("dw_stem", c, 1, 3, true)
	for i, s := range a.stages {
		out := a.blockChannels
		if i == 0 {
			out = a.stemChannels
		}
		for j := 0; j < s.n; j++ {
			block, wide := fmt.Sprintf("stage%d.block%d", i+1, j), c*s.t
			need(wide <= 65535, "stage %d expands to %d channels", i+1, wide)
			layer(block+".expand", wide, c, 1, true)
			layer(block+".dw", wide, 1, 3, true)
			layer(block+".project", out, wide, 1, false)
			c = out
		}
	}
	layer("final_conv", a.finalChannels, c, 1, true)
	layer("gdconv", a.finalChannels, 1, a.gdcKernel, false)
	layer("embed_proj", a.dim, a.finalChannels, 1, false)
	return layout
}

// real is the canonical spelling: the fewest digits that read back as the same double, always
// with a point or an exponent.
func real(value float64) string {
	text := strconv.FormatFloat(value, 'e', -1, 64) // 1.5e-07, as it has to be
	digits, exponent, _ := strings.Cut(text, "e")
	digits = strings.Replace(digits, ".", "", 1)
	e, _ := strconv.Atoi(exponent)
	switch {
	case e < -4 || e >= 16:
		return text
	case e < 0:
		return "0." + strings.Repeat("0", -e-1) + digits
	}
	if missing := e + 2 - len(digits); missing > 0 {
		digits += strings.Repeat("0", missing)
	}
	return digits[:e+1] + "." + digits[e+1:]
}

// quoted is a JSON string in the canonical spelling: ASCII, the shortest escapes.
func quoted(text string) string {
	var out strings.Builder
	for _, unit := range utf16.Encode([]rune(text)) {
		if i := strings.IndexRune("\"\\\b\f\n\r\t", rune(unit)); i >= 0 {
			out.WriteString(`\` + `"\bfnrt`[i:i+1])
		} else if unit >= ' ' && unit <= '~' {
			out.WriteByte(byte(unit))
		} else {
			fmt.Fprintf(&out, `\u%04x`, unit)
		}
	}
	return `"` + out.String() + `"`
}

// mirrorText is compact ASCII JSON, the keys in their order.
func mirrorText(a *arch) string {
	var stages []string
	for _, s := range a.stages {
		stages = append(stages, fmt.Sprintf(`{"t":%d,"n":%d,"s":%d}`, s.t, s.n, s.s))
	}
	return fmt.Sprintf(`{"name":%s,"width_mult":%s,"stem_channels":%d,"block_channels":%d,`+
		`"final_channels":%d,"embedding_dim":%d,"gdc_kernel":%d,"stages":[%s]}`,
		quoted(a.name), real(a.widthMult), a.stemChannels, a.blockChannels,
		a.finalChannels, a.dim, a.gdcKernel, strings.Join(stages, ","))
}

// write makes the file's bytes; payload gives a tensor's values, float32 little-endian.
func write(a *arch, payload func(tensor) []byte) []byte {
	check(a)
	text := mirrorText(a)
	need(len(text) <= 1<<20, "the mirror is over 1 MiB")
	out := bytes.NewBufferString("EFM3")
	u32 := func(value int) { binary.Write(out, binary.LittleEndian, uint32(value)) }
	u32(3)
	out.Write([]byte{1, byte(len(a.stages)), byte(a.stemKernel), byte(a.stemStride)})
	for _, channels := range []int{a.stemChannels, a.blockChannels, a.finalChannels, a.dim} {
		binary.Write(out, binary.LittleEndian, uint16(channels))
	}
	u32(a.gdcKernel)
	records := make([]byte, 64)
	for i, s := range a.stages {
		copy(records[8*i:], []byte{byte(s.t), byte(s.n), byte(s.s)})
	}
	out.Write(records)
	u32(len(text))
	out.WriteString(text)
	layout := tensorLayout(a)
	u32(len(layout))
	for _, t := range layout {
		values := payload(t)
		u32(len(values))
		out.Write(values)
	}
	return out.Bytes()
}

// readNpy is the payload of FOLDER/NAME.npy, NPY format 1.0.
func readNpy(folder string, t tensor) []byte {
	npy, err := os.ReadFile(filepath.Join(folder, t.name+".npy"))
	need(err == nil, "%s is missing", t.name)
	need(bytes.HasPrefix(npy, []byte("\x93NUMPY\x01\x00")), "%s is not NPY 1.0", t.name)
	need(len(npy) >= 10, "%s is cut", t.name)
	start := 10 + int(binary.LittleEndian.Uint16(npy[8:]))
	need(len(npy) >= start, "%s is cut", t.name)
	header, payload := string(npy[10:start]), npy[start:]
	shape, count := fmt.Sprintf("(%d,)", t.shape[0]), t.shape[0]
	if len(t.shape) == 4 {
		shape = strings.ReplaceAll(strings.Trim(fmt.Sprint(t.shape), "[]"), " ", ", ")
		shape, count = "("+shape+")", count*t.shape[1]*t.shape[2]*t.shape[3]
	}
	need(strings.Contains(header, "'descr': '<f4'"), "%s is not float32", t.name)
	need(strings.Contains(header, "'fortran_order': False"), "%s is not in C order", t.name)
	need(strings.Contains(header, shape), "%s has not the shape %s", t.name, shape)
	need(len(payload) == 4*count, "%s has not as many bytes as its shape says", t.name)
	for i := 0; i < len(payload); i += 4 { // an exponent of ones: NaN or infinity
		finite := binary.LittleEndian.Uint32(payload[i:])>>23&255 != 255
		need(finite, "%s holds NaN or infinity", t.name)
	}
	return payload
}

// ARCH.json as it is written, each value still a text: types count, 8.0 is no 8.
type raw = map[string]json.RawMessage

var (
	integers = regexp.MustCompile(`^[1-9][0-9]{0,4}$`)
	numbers  = regexp.MustCompile(`^[0-9]`)
	inPairs  = regexp.MustCompile(`\\u[dD][89abAB]..\\u[dD][c-fC-F]..|\\[^u]`)
	halves   = regexp.MustCompile(`\\u[dD][89a-fA-F]`)
)

func integer(from raw, key string, most int) int {
	value, _ := strconv.Atoi(string(from[key]))
	good := integers.Match(from[key]) && value <= most
	need(good, "%s is no integer of 1..%d", key, most)
	return value
}

func readArch(text []byte) *arch {
	var in raw
	need(utf8.Valid(text), "the arch is not UTF-8")
	need(json.Unmarshal(text, &in) == nil, "the arch is no JSON object")
	var name string
	need(bytes.HasPrefix(in["name"], []byte(`"`)), "name is no string")
	need(!halves.Match(inPairs.ReplaceAll(in["name"], nil)), "the name holds half a character")
	need(json.Unmarshal(in["name"], &name) == nil, "name is no string")
	need(numbers.Match(in["width_mult"]), "width_mult is no number above zero")
	width, _ := strconv.ParseFloat(string(in["width_mult"]), 64) // infinite where it overflows
	a := &arch{
		name: name, widthMult: width,
		stemKernel:    integer(in, "stem_kernel", 15),
		stemStride:    integer(in, "stem_stride", 4),
		stemChannels:  integer(in, "stem_channels", 65535),
		blockChannels: integer(in, "block_channels", 65535),
		finalChannels: integer(in, "final_channels", 65535),
		dim:           integer(in, "embedding_dim", 65535),
		gdcKernel:     integer(in, "gdc_kernel", 112),
	}
	var stages []raw
	need(json.Unmarshal(in["stages"], &stages) == nil, "stages is no array of objects")
	for _, s := range stages {
		one := stage{integer(s, "t", 255), integer(s, "n", 255), integer(s, "s", 4)}
		need(len(s) == 3, "a stage has more than t, n and s")
		a.stages = append(a.stages, one)
	}
	return a
}

// export writes out from an arch and a folder of tensors; a refused error leaves no file.
func export(archPath, folder, out string) (err error) {
	defer func() {
		why := recover()
		if r, ok := why.(refused); ok {
			err = r
		} else if why != nil {
			panic(why)
		}
	}()
	text, err := os.ReadFile(archPath)
	if err != nil {
		return err
	}
	count := 0
	data := write(readArch(text), func(t tensor) []byte {
		count++
		return readNpy(folder, t)
	})
	files, err := filepath.Glob(filepath.Join(folder, "*.npy"))
	need(len(files) == count, "a tensor is not in the layout")
	if err == nil {
		err = os.WriteFile(out, data, 0o666)
	}
	return err
}

// The interface to the kit.

type object = map[string]any

var hello = object{"version": 1, "ready": true, "implementation": object{
	"name": "my-exporter", "version": "0.1", "language": "go", "classes": []string{"writer"}}}

type request struct {
	Cmd, Arch, Tensors, Out string
	Seq                     int
}

// answer answers a line of the lines protocol.
func answer(ask request) object {
	if ask.Cmd == "start" {
		return hello
	}
	err := export(ask.Arch, ask.Tensors, ask.Out)
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
	if len(os.Args) != 4 {
		broken(fmt.Errorf("usage: exporter ARCH.json TENSORS_FOLDER OUT.bin"))
	}
	err := export(os.Args[1], os.Args[2], os.Args[3])
	if _, ok := err.(refused); ok {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	broken(err)
}
