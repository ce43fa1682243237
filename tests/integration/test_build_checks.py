"""The checks of the build find the fault that is planted, and pass without it."""
import pathlib
import subprocess

import pytest

TOOLS = pathlib.Path(__file__).resolve().parent.parent.parent / "tools"


def run(tool, *args):
    return subprocess.run([TOOLS / tool, *map(str, args)], capture_output=True, text=True)


def write(folder, files):
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def compiled(folder, calls):
    """One object for each file; a file defines a function of its own name and calls those of the others."""
    objects = []
    (folder / "x.p").mkdir()
    for name, others in calls.items():
        source = folder / f"{name}.c"
        body = "".join(f"void {o}(void);\n" for o in others) + f"void {name}(void);\nvoid {name}(void)\n{{\n"
        source.write_text(body + "".join(f"    {o}();\n" for o in others) + "}\n")
        objects.append(folder / "x.p" / f"{name}.c.o")
        subprocess.run(["gcc", "-c", source, "-o", objects[-1]], check=True)
    return objects


RING = {"a": ["b"], "b": ["c"], "c": ["d"], "d": ["a"], "e": ["a"]}


def test_a_ring_of_four_files_is_refused(tmp_path):
    got = run("check-rings", *compiled(tmp_path, RING))
    assert got.returncode == 1
    assert "4 files" in got.stderr and "e.c" not in got.stderr


def test_rings_are_seen_through_archives(tmp_path):
    objects = compiled(tmp_path, RING)
    subprocess.run(["ar", "csrDT", tmp_path / "x.a", *objects], check=True, stderr=subprocess.DEVNULL)
    assert run("check-rings", tmp_path / "x.a").returncode == 1


def test_a_family_of_three_passes(tmp_path):
    objects = compiled(tmp_path, {"a": ["b"], "b": ["c"], "c": ["a"], "d": ["a"]})
    got = run("check-rings", "--stamp", tmp_path / "stamp", *objects)
    assert got.returncode == 0, got.stderr
    assert (tmp_path / "stamp").exists()
    assert run("check-rings", "--most", "2", *objects).returncode == 1


def test_layers_point_one_way(tmp_path):
    write(tmp_path, {"net/a.c": '#include "base/a.h"\n', "base/a.h": ""})
    assert run("check-layers", tmp_path).returncode == 0
    write(tmp_path, {"base/b.c": '#include "net/a.h"\n'})
    got = run("check-layers", tmp_path)
    assert got.returncode == 1 and "base may not use net" in got.stderr
    write(tmp_path, {"base/b.c": "", "stray/c.c": ""})
    assert "no folder of the layer list" in run("check-layers", tmp_path).stderr


@pytest.mark.parametrize("call", ["strcpy(a, b)", "sprintf (a, b)", "time(NULL)", "strtok(a, b)", "x = atoi(a)"])
def test_a_refused_call_is_found(tmp_path, call):
    write(tmp_path, {"base/a.c": f"void f(void)\n{{\n    {call};\n}}\n"})
    got = run("check-calls", tmp_path)
    assert got.returncode == 1 and "base/a.c:3: " in got.stderr


@pytest.mark.parametrize("text", ["/* strcpy(a, b) */", 's = "system(x)";', "x->time(y);", "loop_time(l);", "t.signal(3);"])
def test_what_only_looks_like_a_refused_call_passes(tmp_path, text):
    write(tmp_path, {"base/a.c": text + "\n"})
    got = run("check-calls", tmp_path)
    assert got.returncode == 0, got.stderr


def test_the_wall_clock_is_for_files_that_stamp(tmp_path):
    write(tmp_path, {"plugin/autoscaler/kpa/decide.c": "int64_t n = clock_wall_ns();\n"})
    assert run("check-calls", tmp_path).returncode == 1
