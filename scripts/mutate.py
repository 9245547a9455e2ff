#!/usr/bin/env python3
"""mutate.py [--count N] [--seed S] [--e2e FILTER] [PATH...]: breaks the code in N mechanical ways, one at a time, and tells which
of them no test notices.

A mutation is one line: a comparison turned round or off by one, a condition that always or never holds, a call or an assignment
left out, a bound doubled. Each is built in a checkout of its own (build/mutate) and run by the unit tests, then by the
simulation, then, with --e2e, by the end-to-end tests of that name (`*`: all). What all of them let pass is printed as a diff:
it wants a test, or a reason why it does not matter. Results are added to build/mutate/results.jsonl, where those that have been
tried before are found: the same seed goes on where it was ended.

With --planted, bugs that this project once had are put back instead, one at a time (tests/planted), and the simulation has to find
each of them, with its own oracles, in the seeds of the normal run.
"""
import argparse
import json
import os
import pathlib
import random
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
PLACE = ROOT / "build/mutate"
TREE = PLACE / "tree"
DEFAULT = ["src/http1", "src/http2", "src/upstream", "src/proxy", "src/policy"]
# What says something to people, or counts for them, is not worth an hour of a machine.
SKIPPED = re.compile(r"^\s*(//|#|using |namespace |static_assert|CMUX_|log::|[}\]])|fmt::format|make_error|note_error")
TURNED = [(" < ", " <= "), (" <= ", " < "), (" > ", " >= "), (" >= ", " > "), (" == ", " != "), (" != ", " == "),
          (" && ", " || "), (" || ", " && "), (" + 1", ""), (" - 1", ""), ("std::min(", "std::max("), ("std::max(", "std::min(")]
CALL = re.compile(r"^(\s+)(?!return|co_return|if|else|for|while|switch|case|delete)((?:co_await )?[\w.\->:*()\[\]]+\(.*\);)$")
ASSIGNED = re.compile(r"^(\s+)((?:\+\+|--)?[a-z][\w.\->]*(?:_|\.\w+|->\w+)(?: [+\-|]?= .+|\+\+|--)?;)$")
BOUND = re.compile(r"(constexpr .*\bk[A-Z]\w*(?: = |\{))(\d[\d']*)(\b.*)")


def condition(line):
    """The begin and end of what stands in the brackets of an `if` or a `while`, where all of it is on the line."""
    found = re.search(r"\b(?:if|while) \(", line)
    if not found:
        return None
    depth = 1
    for at in range(found.end(), len(line)):
        depth += {"(": 1, ")": -1}.get(line[at], 0)
        if depth == 0:
            return found.end(), at
    return None


def mutations_of(line):
    if SKIPPED.search(line) or not line.strip():
        return
    code = re.sub(r'"(\\.|[^"\\])*"|//.*', lambda m: " " * len(m.group()), line)  # texts and comments stay
    for was, now in TURNED:
        for found in re.finditer(re.escape(was), code):
            yield line[: found.start()] + now + line[found.end():]
    where = condition(code)
    if where and ";" not in code[where[0]:where[1]]:
        inside = line[where[0]:where[1]]
        for always in ("true ||", "false &&"):
            yield f"{line[:where[0]]}{always} ({inside}){line[where[1]:]}"
    for pattern in (CALL, ASSIGNED):
        found = pattern.match(code)
        if found:
            yield found.group(1) + ";"
    found = BOUND.search(code)
    if found:
        yield f"{line[:found.start(2)]}2 * {line[found.start(2):]}"


def candidates(paths):
    for path in paths:
        top = TREE / path
        for file in sorted([top] if top.is_file() else top.rglob("*.cpp")):
            for number, line in enumerate(file.read_text().splitlines(), 1):
                for changed in mutations_of(line):
                    yield {"file": str(file.relative_to(TREE)), "line": number, "was": line, "now": changed}


def passes(command, seconds):
    """None where it has run too long, which is noticed, too."""
    run = subprocess.Popen(command, cwd=TREE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        return run.wait(seconds) == 0
    except subprocess.TimeoutExpired:
        os.killpg(run.pid, 9)
        run.wait()
        return None


def build(*targets):
    return passes(["scripts/build.sh", "release", *targets], 1800)


def verdict(one, e2e):
    file = TREE / one["file"]
    before = file.read_text()
    lines = before.split("\n")
    lines[one["line"] - 1] = one["now"]
    file.write_text("\n".join(lines))
    try:
        if not build("cmux-unit"):
            return "does not compile"
        if not passes(["build/release/cmux-unit", "-a"], 180):
            return "unit"
        if not build("cmux-sim") or not passes(["build/release/cmux-sim", "--seeds", "400"], 300):
            return "simulation"
        if e2e and (not build("cmuxproxy") or not passes(["build/release/cmux-e2e", "-a", e2e], 900)):
            return "end to end"
        return "survives"
    finally:
        file.write_text(before)


def checkout():
    PLACE.mkdir(parents=True, exist_ok=True)
    head = subprocess.check_output(["git", "rev-parse", "HEAD"], cwd=ROOT, text=True).strip()
    if not TREE.exists():
        subprocess.run(["git", "worktree", "prune"], cwd=ROOT, check=True)
        subprocess.run(["git", "worktree", "add", "--quiet", "--detach", str(TREE), head], cwd=ROOT, check=True)
    subprocess.run(["git", "checkout", "--quiet", "--force", "--detach", head], cwd=TREE, check=True)


def planted():
    """How many bugs were not found."""
    missed = 0
    for bug in sorted((ROOT / "tests/planted").glob("*.diff")):
        subprocess.run(["git", "apply", str(bug)], cwd=TREE, check=True)
        try:
            if not build("cmux-sim"):
                sys.exit(f"mutate: {bug.name} does not compile")
            run = subprocess.run(["build/release/cmux-sim"], cwd=TREE, text=True, capture_output=True, timeout=1800)
        finally:
            subprocess.run(["git", "apply", "--reverse", str(bug)], cwd=TREE, check=True)
        said = (run.stdout + run.stderr).splitlines()
        first = next((line for line in said if line.startswith("seed ")), said[-1] if said else "nothing was said")
        missed += run.returncode == 0
        print(f"{bug.stem}: {'MISSED' if run.returncode == 0 else 'found'}: {first}", flush=True)
    return missed


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=200, help="how many (200)")
    parser.add_argument("--seed", type=int, default=1, help="which ones, of all there are (1)")
    parser.add_argument("--e2e", metavar="FILTER", help="let the end-to-end tests of that name look at what the others let pass")
    parser.add_argument("--planted", action="store_true", help="put the bugs of tests/planted back instead")
    parser.add_argument("paths", nargs="*", default=DEFAULT, metavar="PATH", help=f"files or folders ({' '.join(DEFAULT)})")
    options = parser.parse_args()

    checkout()
    if options.planted:
        if not build("cmux-sim") or not passes(["build/release/cmux-sim"], 1800):
            sys.exit("mutate: the code as it is does not build, or the simulation fails")
        sys.exit(planted() and "mutate: not all were found")
    targets = ["cmux-unit", "cmux-sim"] + (["cmuxproxy", "cmux-e2e", "fixtures"] if options.e2e else [])
    if not build(*targets) or not passes(["build/release/cmux-unit", "-a"], 600):
        sys.exit("mutate: the code as it is does not build, or its tests fail")

    results = PLACE / "results.jsonl"
    known = {}
    if results.exists():
        for line in results.read_text().splitlines():
            entry = json.loads(line)
            known[entry["file"], entry["was"], entry["now"]] = entry["verdict"]
    every = list(candidates(options.paths))
    chosen = random.Random(options.seed).sample(every, min(options.count, len(every)))
    print(f"mutate: {len(chosen)} of {len(every)} ways", flush=True)
    count = {}
    for number, one in enumerate(chosen, 1):
        key = one["file"], one["was"], one["now"]
        said = known.get(key)
        if said is None:
            said = verdict(one, options.e2e)
            with results.open("a") as file:
                file.write(json.dumps({**one, "verdict": said}) + "\n")
        count[said] = count.get(said, 0) + 1
        if said == "survives":
            print(f"{number}: {one['file']}:{one['line']}\n  - {one['was'].strip()}\n  + {one['now'].strip()}", flush=True)
    print("mutate: " + ", ".join(f"{said}: {many}" for said, many in sorted(count.items())))


main()
