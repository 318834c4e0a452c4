#!/bin/sh
# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
# Runs the kit on a program, which gets its paths appended and answers by its exit code:
#     sh run.sh [-l structure|coherence|values] [-p f32|high|fast] [-s PATTERN]
#         reader|writer|editor|engine COMMAND...
# Exit code 0: no fault was found, 1: a MUST case failed, 2: usage, 3: the program is broken.
# Documents are compared byte by byte, in any spelling where there is jq; README.md has the limits.
set -u
level=structure precision=f32 only='*' here=$(CDPATH='' cd "$(dirname "$0")" && pwd)
usage() { sed -n 's/^#     //p' "$0" >&2; exit 2; }
while getopts l:p:s: option; do
    case $option in l) level=$OPTARG ;; p) precision=$OPTARG ;; s) only=$OPTARG ;; *) usage ;; esac
done
case $precision in f32 | high | fast) ;; *) usage ;; esac
shift $((OPTIND - 1))
[ $# -ge 2 ] || usage
class=$1; shift
[ "$class" = reader ] || level=-
tmp=${TMPDIR:-/tmp}/efm3-kit.$$; mkdir -m 700 "$tmp" || exit 2
trap 'rm -rf "$tmp"' EXIT; trap 'exit 130' INT TERM
limit=; command -v timeout >/dev/null && limit='timeout 10'
pass=0 fail=0 should=0 broken=0 unseen=0

say() { printf '%s\n' "$*" | tr -c '[:print:]\n' '?'; }
answered() { # is there an answer at all?
    [ "$class" = reader ] || { [ -e "$1" ]; return; }
    command -v jq >/dev/null || { [ -s "$1" ]; return; }
    jq -es 'length == 1 and (.[0] | type) == "object"' "$1" >/dev/null 2>&1
}
json() { # numbers in one spelling; without jq none can be compared
    jq -S 'def double: {type: "number", value: (.value | tonumber | tostring)};
        def one: if .type == "number" then double elif .type != "integer" then .
            elif (.value | length) < 16 or (.value | length) > 19 then double else . end;
        walk(if type == "object" and (.value | type) == "string" then one else . end)' "$1" 2>&1
}
length() { # J, little-endian
    set -- $(od -An -tu1 -j88 -N4 "$1" 2>/dev/null) 0 0 0 0
    echo $(($1 + 256 * ($2 + 256 * ($3 + 256 * $4))))
}
header() { head -c 88 "$1"; }
table() { tail -c +$((93 + $(length "$1"))) "$1"; }
mirror() { # the digest, where there is one, is the table's
    tail -c +93 "$1" | head -c "$(length "$1")" |
        jq -S --arg own "$(table "$1" | tail -c +5 | sha256sum | cut -c-64)" '
            if .meta.sha256? == $own then del(.meta.sha256) else . end |
            if .meta == {} then del(.meta) else . end' 2>&1
}
floats() { od -An -v -tf4 "$1" | tr -s ' ' '\n' | sed '/^$/d'; }
same() { # PART ANSWER EXPECTED: the part of both is equal
    "$1" "$2" >"$tmp/a"; "$1" "$3" >"$tmp/b"; cmp -s "$tmp/a" "$tmp/b"
}
apart() { # the norm and the cosine of two columns, where 1 - cosine may be $gap
    paste "$tmp/a" "$tmp/b" | awk -v most="$gap" '
        NF != 2 || $1 ~ /nan|inf/ { wrong = "value " NR - 1 " is " $1 ", not " $2; exit }
        { d += $1 * $2; a += $1 * $1; b += $2 * $2 }
        END { if (wrong) { print wrong; exit }
            a = sqrt(a); b = sqrt(b); off = a / b - 1; if (off < 0) off = -off
            room = b > 1 - 1e-5 && b < 1 + 1e-5 ? 1.01e-5 : sqrt(2 * most)
            if (off > room) { print "the norm is " a ", not " b; exit }
            off = 1 - (a * b ? d / (a * b) : 0)
            if (off > most * 1.01) print "1 - cosine is " off ", allowed " most }'
}
judge() { # ANSWER EXPECTED: sets what is wrong
    cmp -s "$1" "$2" && return
    case $class in
    writer) wrong="another file: $(cmp "$1" "$2" 2>&1)" ;;
    engine) floats "$1" >"$tmp/a"; floats "$2" >"$tmp/b"
        case $precision in high) gap=$high ;; fast) gap=$fast ;; *) gap=- ;; esac
        [ "$gap" = - ] || { wrong=$(apart); return; }
        wrong=$(paste "$tmp/a" "$tmp/b" | awk 'function bad(x) { return x ~ /nan|inf/ }
            { d = $1 - $2 }
            NF != 2 || (bad($2) ? !bad($1) : bad($1) || d > 1.01e-5 || d < -1.01e-5) {
            print "value " NR - 1 " is " $1 ", not " $2; exit }') ;;
    editor) same header "$1" "$2" || wrong='the header changed'
        same table "$1" "$2" || wrong='another table of tensors' ;;
    esac
    case $class$wrong in
    reader) part=json ;; editor) part=mirror ;; *) return ;;
    esac
    command -v jq >/dev/null || { wrong=unseen; return; }
    same "$part" "$1" "$2" ||
        wrong="another $part: $(diff "$tmp/a" "$tmp/b" | sed -n '2,4p' | tr -s '\n ' ' ')"
}

while IFS='	' read -r kind id strength at want file second expected high fast; do
    [ "$kind $at" = "$class $level" ] || continue
    case $id in $only) ;; *) continue ;; esac
    rm -f "$tmp/out"; wrong='' answer=$tmp/out
    if [ "$class" = reader ]; then
        answer=$tmp/said
        EFM3_LEVEL=$level $limit "$@" "$here/$file" >"$answer" 2>"$tmp/why" </dev/null
    else
        $limit "$@" "$here/$file" "$here/$second" "$answer" >/dev/null 2>"$tmp/why" </dev/null
    fi
    code=$?
    [ $code != 0 ] || answered "$answer" || code=no
    case "$code $want" in # exactly 0 and 1 are answers; 10 and 127 are not
    '0 refuse') wrong='accepted, but it must be refused' ;;
    '0 '*) [ "$expected" = - ] || judge "$answer" "$here/$expected" ;;
    '1 accept') wrong="refused, but it is right: $(head -c 200 "$tmp/why")" ;;
    '1 '*) [ "$class" = engine ] || [ ! -e "$tmp/out" ] || wrong='refused, but a file was left' ;;
    'no '*) wrong='broken: exit code 0 without an answer' ;;
    *) wrong="broken: exit code $code: $(head -c 200 "$tmp/why")" ;;
    esac
    case $wrong$strength in
    MUST | SHOULD) pass=$((pass + 1)) ;;
    unseen*) unseen=$((unseen + 1)) ;;
    broken*) broken=$((broken + 1)) ;;
    *SHOULD) should=$((should + 1)) ;;
    *) fail=$((fail + 1)) ;;
    esac
    case $wrong in '' | unseen) ;; *) say "$id ($strength): $wrong" ;; esac
done <"$here/index.tsv"

[ $((pass + fail + should + broken + unseen)) != 0 ] || { say "nothing is named $only"; exit 2; }
say "$class: $pass passed, $fail failed, $broken broken; $should SHOULD failed;" \
    "$unseen answers could not be compared without jq"
[ $fail = 0 ] || exit 1
[ $broken = 0 ] || exit 3
