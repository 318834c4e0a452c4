// SPDX-FileCopyrightText: 2026 EFM3 contributors
// SPDX-License-Identifier: Apache-2.0

// An EFM3 reader to start from, levels structure and coherence; the standard library alone.
//
//	go build -o reader reader.go
//	./reader FILE      prints the document; exit code 1 where FILE is refused
//	./reader           the same for standard input
//	./reader --lines   answers the lines protocol
//
// The variable EFM3_LEVEL holds the level. Put your own reader in the place of read.
package main

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"os"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// refused says which rule the file breaks; the text starts with the rule's code.
type refused string

func (r refused) Error() string { return string(r) }

// need leaves the reader with a refusal unless ok; read turns it into an error.
func need(ok bool, reason string, args ...any) {
	if !ok {
		panic(refused(fmt.Sprintf(reason, args...)))
	}
}

var le = binary.LittleEndian

// leaf is a value of the document, object what holds leaves by name.
type leaf struct {
	Type  string `json:"type"`
	Value string `json:"value"`
}
type object = map[string]any
type stage struct{ t, n, s int }
type arch struct {
	fields map[string]int // of the header but the stages
	stages []stage
}
type tensor struct {
	name  string
	shape []int
}

// What the header holds in one byte each from byte 0 on, and in two bytes each from byte 4 on.
var (
	small = strings.Fields("hdr_version n_stages stem_kernel stem_stride")
	wide  = strings.Fields("stem_channels block_channels final_channels embedding_dim")
)

// read gives the document of a file's bytes, or a refused error.
func read(data []byte, level string) (document object, err error) {
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
	a := readArch(data[8:88])
	layout := tensorLayout(a)

	size := uint64(le.Uint32(data[88:]))
	need(size <= 1<<20, "C005: json_len is over 1 MiB")
	need(size <= uint64(len(data)-92), "C006: the mirror reaches past the end of the file")
	text, rest := data[92:92+size], data[92+size:]
	need(len(rest) >= 4, "C007: the file ends before the whole tensor count")
	need(int(le.Uint32(rest)) == len(layout), "T001: the layout has %d tensors", len(layout))
	rest = rest[4:]
	table := rest
	tensors := []object{}
	for _, t := range layout {
		need(len(rest) >= 4, "T013: the file ends before the size of %s", t.name)
		size, want, shape := uint64(le.Uint32(rest)), uint64(4), []any{}
		for _, n := range t.shape {
			want *= uint64(n)
			shape = append(shape, tag("u32", n))
		}
		need(size == want, "T002: %s has %d bytes, not its shape's", t.name, size)
		need(size <= uint64(len(rest)-4), "T012: the file ends inside %s", t.name)
		payload := rest[4 : 4+size]
		tensors = append(tensors, object{
			"name":   tag("string", t.name),
			"shape":  shape,
			"offset": tag("u64", len(data)-len(rest)+4),
			"first":  tag("f32", fmt.Sprintf("%08x", le.Uint32(payload))),
			"last":   tag("f32", fmt.Sprintf("%08x", le.Uint32(payload[size-4:]))),
			"crc32":  crc(payload),
		})
		rest = rest[4+size:]
	}
	need(len(rest) == 0, "T014: %d bytes follow the last tensor", len(rest))

	head, stages := object{"gdc_kernel": tag("u8", a.fields["gdc_kernel"])}, []any{}
	for i := range small {
		head[small[i]] = tag("u8", a.fields[small[i]])
		head[wide[i]] = tag("u16", a.fields[wide[i]])
	}
	for _, s := range a.stages {
		stages = append(stages, object{"t": tag("u8", s.t), "n": tag("u8", s.n), "s": tag("u8", s.s)})
	}
	head["stages"] = stages
	document = object{
		"version": tag("u32", 3),
		"arch":    head,
		"mirror":  object{"offset": tag("u32", 92), "length": tag("u32", len(text)), "crc32": crc(text)},
		"tensors": tensors,
	}
	if level != "" && level != "structure" {
		mirror := parse(text)
		checkMirror(mirror, a, table)
		document["json"] = mirror
	}
	return document, nil
}

// readArch reads the 80 bytes of the arch header.
func readArch(h []byte) *arch {
	a := &arch{fields: map[string]int{"gdc_kernel": int(h[12])}}
	for i := range small {
		a.fields[small[i]] = int(h[i])
		a.fields[wide[i]] = int(le.Uint16(h[4+2*i:]))
	}
	count, kernel, stride := int(h[1]), int(h[2]), int(h[3])
	need(h[0] == 1, "H001: hdr_version is not 1")
	need(zero(h[13:16]), "H002: a pad byte is not zero")
	need(count >= 1 && count <= 8, "H003: n_stages is not 1..8")
	need(kernel%2 == 1 && kernel <= 15, "H004: stem_kernel is not odd, 1..15")
	need(stride >= 1 && stride <= 4, "H005: stem_stride is not 1..4")
	for i, name := range wide {
		need(a.fields[name] >= 1, "H%03d: %s is 0", 6+i, name)
	}
	blocks, side := 0, (112+2*(kernel/2)-kernel)/stride+1
	for i := 0; i < 8; i++ {
		r := h[16+8*i : 24+8*i]
		if i >= count {
			need(zero(r), "H018: an unused stage record is not zero")
			continue
		}
		s := stage{int(r[0]), int(r[1]), int(r[2])}
		need(s.t >= 1, "H011: stage %d has t = 0", i+1)
		need(s.n >= 1, "H012: stage %d has n = 0", i+1)
		need(s.s >= 1 && s.s <= 4, "H013: stage %d has a stride outside 1..4", i+1)
		need(zero(r[3:]), "H017: stage %d has a pad that is not zero", i+1)
		side = (side-1)/s.s + 1
		blocks += s.n
		a.stages = append(a.stages, s)
	}
	need(blocks <= 256, "H014: more than 256 blocks")
	need(int(h[12]) == side, "H016: gdc_kernel is not %d, the last map's side", side)
	return a
}

func zero(b []byte) bool { return bytes.Count(b, []byte{0}) == len(b) }

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
	f := a.fields
	c := f["stem_channels"]
	layer("stem", c, 3, f["stem_kernel"], true)
	layer("dw_stem", c, 1, 3, true)
	for i, s := range a.stages {
		out := f["block_channels"]
		if i == 0 {
			out = f["stem_channels"]
		}
		for j := 0; j < s.n; j++ {
			block, wide := fmt.Sprintf("stage%d.block%d", i+1, j), c*s.t
			need(wide <= 65535, "H015: stage %d expands to %d channels", i+1, wide)
			layer(block+".expand", wide, c, 1, true)
			layer(block+".dw", wide, 1, 3, true)
			layer(block+".project", out, wide, 1, false)
			c = out
		}
	}
	layer("final_conv", f["final_channels"], c, 1, true)
	layer("gdconv", f["final_channels"], 1, f["gdc_kernel"], false)
	layer("embed_proj", f["embedding_dim"], f["final_channels"], 1, false)
	return layout
}

// Level coherence: the JSON mirror, parsed into leaves.

type parser struct {
	text      string
	at, depth int
}

// parse follows the mirror's closed grammar: what JSON parsers disagree on is refused.
func parse(text []byte) object {
	need(strings.Trim(string(text), " ") != "", "M001: the mirror is empty")
	need(!bytes.HasPrefix(text, []byte("\xef\xbb\xbf")), "M002: a byte order mark")
	need(utf8.Valid(text), "M003: the mirror is not UTF-8")
	p := &parser{text: string(text)}
	p.space()
	value := p.value()
	need(strings.Trim(p.text[p.at:], " ") == "", "M010: something follows the JSON object")
	mirror, ok := value.(object)
	need(ok, "M012: the mirror is not an object")
	return mirror
}

func (p *parser) space() {
	for p.at < len(p.text) && strings.IndexByte(" \t\r\n", p.text[p.at]) >= 0 {
		p.at++
	}
}

// take moves past word if it stands here.
func (p *parser) take(word string) bool {
	found := strings.HasPrefix(p.text[p.at:], word)
	if found {
		p.at += len(word)
	}
	return found
}

func (p *parser) must(word string) {
	need(p.take(word), "M011: no %s at byte %d of the mirror", word, p.at)
}

func (p *parser) value() any {
	switch {
	case strings.HasPrefix(p.text[p.at:], `"`):
		return tag("string", p.str())
	case p.take("{"):
		out := object{}
		p.list("}", func() {
			key := p.str()
			_, twice := out[key]
			need(!twice, "M005: a key stands twice")
			p.space()
			p.must(":")
			p.space()
			out[key] = p.value()
		})
		return out
	case p.take("["):
		out := []any{}
		p.list("]", func() { out = append(out, p.value()) })
		return out
	case p.take("true"):
		return tag("bool", true)
	case p.take("false"):
		return tag("bool", false)
	case p.take("null"):
		return tag("null", "")
	}
	need(!p.take("NaN") && !p.take("Infinity") && !p.take("-Infinity"), "M006: NaN or infinity")
	return p.number()
}

// list reads what stands between brackets, with commas.
func (p *parser) list(end string, item func()) {
	p.depth++
	need(p.depth <= 16, "M004: nested deeper than 16")
	p.space()
	for more := !strings.HasPrefix(p.text[p.at:], end); more; more = p.take(",") {
		p.space()
		item()
		p.space()
	}
	p.must(end)
	p.depth--
}

func (p *parser) digits() {
	from := p.at
	for p.at < len(p.text) && p.text[p.at] >= '0' && p.text[p.at] <= '9' {
		p.at++
	}
	need(p.at > from, "M011: no digit at byte %d of the mirror", p.at)
}

func (p *parser) number() leaf {
	from, kind := p.at, "integer"
	p.take("-")
	if !p.take("0") {
		p.digits()
	}
	if p.take(".") {
		kind = "number"
		p.digits()
	}
	if p.take("e") || p.take("E") {
		kind = "number"
		_ = p.take("+") || p.take("-")
		p.digits()
	}
	n := tag(kind, p.text[from:p.at])
	need(kind != "integer" || len(strings.Trim(n.Value, "-")) <= 20, "M007: over 20 digits")
	need(!math.IsInf(n.real(), 0), "M007: a number overflows a double")
	return n
}

func (p *parser) str() string {
	p.must(`"`)
	var out strings.Builder
	for !p.take(`"`) {
		need(p.at < len(p.text), "M011: the mirror ends inside a string")
		r, size := utf8.DecodeRuneInString(p.text[p.at:])
		need(r >= 0x20, "M011: a control character in a string")
		p.at += size
		if r == '\\' {
			r = p.escape()
		}
		need(r != 0, "M008: a NUL character")
		out.WriteRune(r)
	}
	return out.String()
}

// escape reads what follows a backslash, the second of two surrogates included.
func (p *parser) escape() rune {
	for i, letter := range `"\/bfnrt` {
		if p.take(string(letter)) {
			return rune("\"\\/\b\f\n\r\t"[i])
		}
	}
	r := p.unit()
	if !utf16.IsSurrogate(r) {
		return r
	}
	need(r < 0xdc00 && p.take(`\`), "M009: a lone surrogate")
	r = utf16.DecodeRune(r, p.unit())
	need(r != utf8.RuneError, "M009: a lone surrogate")
	return r
}

func (p *parser) unit() rune {
	p.must("u")
	need(len(p.text)-p.at >= 4, "M011: the mirror ends inside an escape")
	four, err := hex.DecodeString(p.text[p.at : p.at+4])
	need(err == nil, "M011: an escape without four hex digits")
	p.at += 4
	return rune(binary.BigEndian.Uint16(four))
}

// checkMirror compares the mirror with the header, and its digest with the table.
func checkMirror(mirror object, a *arch, table []byte) {
	integers := append([]string{"gdc_kernel"}, wide...)
	for _, key := range append([]string{"name", "width_mult", "stages"}, integers...) {
		_, there := mirror[key]
		need(there, "M020: the mirror has no %s", key)
	}
	name, _ := mirror["name"].(leaf)
	width, _ := mirror["width_mult"].(leaf)
	need(name.Type == "string", "M021: name is no string")
	need(width.Type == "integer" || width.Type == "number", "M021: width_mult is no number")
	need(width.real() > 0, "M026: width_mult is not above zero")
	for _, key := range integers {
		n, _ := mirror[key].(leaf)
		need(n.Type == "integer", "M021: %s is no integer", key)
		need(n.Value == strconv.Itoa(a.fields[key]), "M022: %s is not the header's", key)
	}
	stages, isArray := mirror["stages"].([]any)
	need(isArray, "M021: stages is no array")
	need(len(stages) == len(a.stages), "M023: another number of stages")
	for i, s := range a.stages {
		one, _ := stages[i].(object)
		need(len(one) == 3, "M024: a stage is not t, n, s")
		for key, want := range map[string]int{"t": s.t, "n": s.n, "s": s.s} {
			n, _ := one[key].(leaf)
			need(n.Type == "integer", "M024: a stage is not t, n, s")
			need(n.Value == strconv.Itoa(want), "M025: %s of a stage is not the header's", key)
		}
	}
	meta, isObject := mirror["meta"].(object)
	_, hasMeta := mirror["meta"]
	need(isObject || !hasMeta, "M040: meta is not an object")
	if value, there := meta["sha256"]; there {
		digest, _ := value.(leaf)
		good := len(digest.Value) == 64 && strings.Trim(digest.Value, "0123456789abcdef") == ""
		need(good && digest.Type == "string", "M041: the digest is not 64 lower-case hex digits")
		own := fmt.Sprintf("%x", sha256.Sum256(table))
		need(digest.Value == own, "M042: the digest is not the table's")
	}
	picture, there := meta["picture"]
	known := picture == tag("string", "upright") || picture == tag("string", "turned-180")
	need(!there || known, "M043: meta.picture is unknown")
}

// The document.

func tag(kind string, value any) leaf { return leaf{kind, fmt.Sprint(value)} }

// real is the nearest double of a number.
func (l leaf) real() float64 {
	value, _ := strconv.ParseFloat(l.Value, 64)
	return value
}

func crc(data []byte) leaf {
	return tag("crc32", fmt.Sprintf("%08x", crc32.ChecksumIEEE(data)))
}

// The interface to the kit.

var hello = object{"version": 1, "ready": true, "implementation": object{
	"name": "my-reader", "version": "0.1", "language": "go", "classes": []string{"reader"},
	"levels": []string{"structure", "coherence"}}}

type request struct {
	Cmd, File, Level string
	Seq              int
}

// answer answers a line of the lines protocol.
func answer(ask request) object {
	if ask.Cmd == "start" {
		return hello
	}
	data, err := os.ReadFile(ask.File)
	if err != nil {
		return object{"seq": ask.Seq, "error": err.Error()}
	}
	document, err := read(data, ask.Level)
	if err != nil {
		return object{"seq": ask.Seq, "ok": false, "reason": err.Error()}
	}
	return object{"seq": ask.Seq, "ok": true, "document": document}
}

// broken ends with an exit code that is neither done nor refused.
func broken(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(70)
	}
}

func main() {
	out := json.NewEncoder(os.Stdout)
	if len(os.Args) > 1 && os.Args[1] == "--lines" {
		for in := bufio.NewReader(os.Stdin); ; {
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
	in := os.Stdin
	if len(os.Args) > 1 {
		file, err := os.Open(os.Args[1])
		broken(err)
		in = file
	}
	data, err := io.ReadAll(in)
	broken(err)
	document, err := read(data, os.Getenv("EFM3_LEVEL"))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	broken(out.Encode(document))
}
