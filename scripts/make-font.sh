#!/usr/bin/env bash
# Makes assets/fonts/NotoSansCJKsc-Subset.otf: the part of Noto Sans CJK SC Regular that policy documents carry.
#
# Characters: ASCII and Latin-1; all of GB 2312 (6,763 hanzi and its symbols); full-width forms; the 8,105 hanzi of the
# Table of General Standard Chinese Characters (Unihan kTGH), which holds the rare characters of personal and place names,
# those beyond the BMP included; and the traditional characters of IICore (Unihan kIICore, sources T, H and M).
#
# Needs Debian's apt-get (as root) and python3; installs the rest. Same packages in, same bytes out.
set -euo pipefail

repository=$(cd "$(dirname "$0")/.." && pwd)
target=$repository/assets/fonts
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

source_font=/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc
unihan=/usr/share/unicode/Unihan_OtherMappings.txt.bz2
if [ ! -f "$source_font" ] || [ ! -f "$unihan" ] || ! python3 -c 'import ensurepip' 2>/dev/null; then
    apt-get update -q
    apt-get install -qy --no-install-recommends fonts-noto-cjk unicode-data python3-venv
fi
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --disable-pip-version-check fonttools==4.68.0

"$work/venv/bin/python" - "$source_font" "$work" <<'PYTHON'
import bz2, glob, sys
from fontTools.ttLib import TTCollection

source_font, work = sys.argv[1:]

wanted = set(range(0x20, 0x7F)) | set(range(0xA0, 0x100))
for row in range(0xA1, 0xF8):
    for cell in range(0xA1, 0xFF):
        wanted.update(map(ord, bytes([row, cell]).decode("gb2312", "ignore")))
# The web's GBK decoder reads three GB 2312 cells as other characters than Python's does: both are wanted.
wanted |= {0xB7, 0x2014, 0x2015, 0x30FB, 0x20AC, 0x2E3A}
wanted |= set(range(0xFF01, 0xFF5F)) | set(range(0xFFE0, 0xFFE7))
# Units, small Roman numerals and pinyin letters that GBK adds to GB 2312's rows.
wanted.update(map(ord, "㎎㎏㎜㎝㎞㎡㏄㏎㏑㏒㏕㈱㊣ⅰⅱⅲⅳⅴⅵⅶⅷⅸⅹɑɡńňǹḿ"))
wanted |= {0x2010, 0x2011, 0x2012, 0x2013, 0x2022, 0x2030, 0x2116, 0x3007, 0x3013}
for path in glob.glob("/usr/share/unicode/Unihan_*.txt.bz2"):
    for line in bz2.open(path, "rt", encoding="utf-8"):
        if not line.startswith("U+"):
            continue
        code_point, _, rest = line.partition("\t")
        field, _, value = rest.rstrip("\n").partition("\t")
        # kIICore: a priority letter, then the letters of the sources (T Taiwan, H Hong Kong, M Macao).
        if field == "kTGH" or (field == "kIICore" and set(value[1:]) & set("THM")):
            wanted.add(int(code_point[2:], 16))
with open(f"{work}/unicodes.txt", "w") as out:
    out.writelines(f"U+{c:04X}\n" for c in sorted(wanted))

names = [font["name"].getDebugName(4) for font in TTCollection(source_font, lazy=True).fonts]
with open(f"{work}/face", "w") as out:
    out.write(str(names.index("Noto Sans CJK SC")))
PYTHON

# No layout features: the documents set one horizontal line after another, and a width is then the sum of the advances.
mkdir -p "$target"
"$work/venv/bin/pyftsubset" "$source_font" --font-number="$(cat "$work/face")" \
    --unicodes-file="$work/unicodes.txt" --layout-features= --no-hinting \
    --drop-tables+=BASE,VORG,vhea,vmtx,DSIG,GPOS,GSUB,GDEF \
    --name-IDs='*' --name-languages=0x409 --notdef-outline \
    --output-file="$target/NotoSansCJKsc-Subset.otf"

{
    echo "© 2014-2021 Adobe (http://www.adobe.com/). Noto is a trademark of Google Inc."
    echo
    echo "NotoSansCJKsc-Subset.otf is a subset of Noto Sans CJK SC Regular, made by scripts/make-font.sh."
    echo "This Font Software is licensed under the SIL Open Font License, Version 1.1:"
    echo
    sed -n '/^ SIL OPEN FONT LICENSE/,/^License: /{/^License: /d;s/^ //;s/^\.$//;p}' /usr/share/doc/fonts-noto-cjk/copyright
} >"$target/OFL.txt"

ls -l "$target"
sha256sum "$target/NotoSansCJKsc-Subset.otf"
