#!/usr/bin/env python3
"""style.py: what CONTRIBUTING.md says of style and a program can see. Prints a line a finding, and fails when there is one."""
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
LONGEST = 410  # lines of a file: "about 400"

# Where, what, and why not. A line that must have it anyway says so: "style: WHY".
BANNED = [
    (r"(src|tools|fixtures)/.*", r"\bstd::regex\b", "recurses once a character: parse by hand"),
    (r"src/.*", r"\bstd::(cout|cerr|endl)\b|\bf?printf\(", "the log or an error value tells people"),
    (r"src/.*", r"\b(u|nano)?sleep\(|std::this_thread::sleep", "wait for what you need, by an Event or a Deadline"),
    (r"tests/.*", r"std::this_thread::sleep", "wait for what you need, with a limit"),
    (r".*\.hpp", r"^using namespace (?!.*literals;)", "a header decides for all that include it"),
    (r".*", r"\b(TODO|FIXME|XXX)\b", "finish it, or say in an issue what is left"),
    (r"(src|tools)/.*", r"\bassert\(", "gone in release"),
    (r".*", r"\bco_spawn\(", "Scope::spawn owns what it starts"),
    (r".*", r"#include <iostream>", "fmt prints"),
]


def files(*patterns):
    listed = subprocess.run(["git", "ls-files", "--cached", "--others", "--exclude-standard", *patterns], cwd=ROOT, check=True,
                            capture_output=True, text=True).stdout.split()
    return [ROOT / name for name in listed if (ROOT / name).is_file()]


def code(findings):
    for path in files("*.cpp", "*.hpp"):
        name = str(path.relative_to(ROOT))
        lines = path.read_text().splitlines()
        if len(lines) > LONGEST:
            findings.append(f"{name}: {len(lines)} lines; {LONGEST} at the most: it is two files")
        if name.endswith(".hpp") and not lines[0].startswith("// "):
            findings.append(f"{name}:1: a header begins with what it is for")
        if name.endswith(".hpp") and "#pragma once" not in lines:
            findings.append(f"{name}: no #pragma once")
        for number, line in enumerate(lines, 1):
            if "style: " in line:
                continue
            spoken = line.split("//")[0] if not re.search(r"TODO|FIXME|XXX", line) else line
            for where, what, why in BANNED:
                if re.fullmatch(where, name) and re.search(what, spoken):
                    findings.append(f"{name}:{number}: {line.strip()[:60]}: {why}")


def docs(findings):
    for path in files("*.md"):
        name = str(path.relative_to(ROOT))
        text = path.read_text()
        for link in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text):
            if "://" not in link and not link.startswith("mailto:") and not (path.parent / link).exists():
                findings.append(f"{name}: a link to {link}, which is not there")
    for path in files("*.md", "*.sh", "*.py", "*.mjs", "*.cmake", "*.txt"):
        for number, line in enumerate(path.read_text().splitlines(), 1):
            if line != line.rstrip():
                findings.append(f"{path.relative_to(ROOT)}:{number}: ends in spaces")


def main():
    findings = []
    code(findings)
    docs(findings)
    for finding in findings:
        print(finding)
    return 1 if findings else 0


sys.exit(main())
