#!/usr/bin/env python3
"""How long people wait for the tool itself: `serve` until it is ready, `ctx create`, and what `run` and `run --transparent` add to a
command. Medians of process starts, interleaved; nothing but a release build is needed.

usage: python3 bench/start.py [--rounds 40] [--program build/release/cmuxproxy]
"""
import argparse
import os
import pathlib
import statistics
import subprocess
import tempfile
import time

FROM_URL = ["--from-url", "https://cmux-abc-base-3000.cmux.app"]


def timed(argv, environment):
    start = time.perf_counter()
    subprocess.run(argv, env=environment, check=True, stdout=subprocess.DEVNULL)
    return (time.perf_counter() - start) * 1000


def timed_serve(program, environment):
    start = time.perf_counter()
    server = subprocess.Popen([program, "serve", "--listen", "127.0.0.1:0", "--instance", "measured", "--json"], env=environment,
                              stdout=subprocess.PIPE)
    server.stdout.readline()
    time_taken = (time.perf_counter() - start) * 1000
    server.terminate()
    server.wait()
    return time_taken


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--program", default=str(pathlib.Path(__file__).parent.parent / "build/release/cmuxproxy"))
    options = parser.parse_args()
    program = options.program
    with tempfile.TemporaryDirectory() as home:
        environment = {"PATH": os.environ["PATH"], "HOME": home, "CMUXPROXY_RUNTIME_DIR": home + "/run", "CMUXPROXY_STATE_DIR": home,
                       "CMUXPROXY_LOG_LEVEL": "error"}
        run = [program, "run", *FROM_URL]
        kinds = {
            "serve, until it is ready": lambda: timed_serve(program, environment),
            "true, by itself": lambda: timed(["true"], environment),
            "run -- true, with an instance of its own": lambda: timed([*run, "--", "true"], environment),
            "run --transparent -- true, the same": lambda: timed([*run, "--transparent", "--", "true"], environment),
        }
        with_instance = {
            "ctx create": lambda: timed([program, "ctx", "create", *FROM_URL, "--ttl", "5s"], environment),
            "run -- true, with an instance that runs": lambda: timed([*run, "--", "true"], environment),
            "run --transparent -- true, the same ": lambda: timed([*run, "--transparent", "--", "true"], environment),
        }
        for group, before, after in ((kinds, None, None),
                                     (with_instance, ["serve", "--detach", "--listen", "127.0.0.1:0"], ["stop"])):
            if before:
                subprocess.run([program, *before], env=environment, check=True, stdout=subprocess.DEVNULL)
            times = {name: [] for name in group}
            for _ in range(options.rounds + 1):
                for name, measure in group.items():
                    times[name].append(measure())
            for name, values in times.items():
                values = sorted(values[1:])  # the first makes what is kept: the CA, files of roots
                print(f"{name:44} {statistics.median(values):7.1f} ms   (tenth {values[len(values) // 10]:.1f}, ninth tenth "
                      f"{values[len(values) * 9 // 10]:.1f})")
            if after:
                subprocess.run([program, *after], env=environment, check=True, stdout=subprocess.DEVNULL)


main()
