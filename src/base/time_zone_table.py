#!/usr/bin/env python3
"""Writes time_zone_table.cc from the time zone database of this machine (Debian: package tzdata):

    python3 src/base/time_zone_table.py > src/base/time_zone_table.cc
"""
import pathlib

root = pathlib.Path("/usr/share/zoneinfo")
not_zones = {"localtime", "posixrules", "Factory"}  # this machine's choice, a default of old programs, "not set"

zones = {}
for path in root.rglob("*"):
    name = path.relative_to(root).as_posix()
    if not path.is_file() or name in not_zones or name.startswith(("posix/", "right/")):
        continue
    content = path.read_bytes()
    if content[:4] == b"TZif" and content[4:5] >= b"2":
        zones[name] = content.rstrip(b"\n").rsplit(b"\n", 1)[1].decode("ascii")

version = (root / "tzdata.zi").read_text().split("\n", 1)[0].removeprefix("# version ")
print(f"""// The zones of the IANA time zone database and the rule that each follows at present: version {version}.
//
// Written by src/base/time_zone_table.py, which says how to bring it up to date: change nothing here.

#include "base/time_zone_table.h"

namespace tocsin {{

namespace {{

// clang-format off
constexpr TimeZoneRow rows[] = {{""")
for name, rule in sorted(zones.items()):
    print(f'    {{"{name}", "{rule}"}},')
print("""};
// clang-format on

}  // namespace

std::span<const TimeZoneRow> time_zone_rows() {
  return rows;
}

}  // namespace tocsin""")
