"""Files are written whole or not at all; links, permissions, pipes and devices stay."""

import os
import signal
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import symgd
from symgd.errors import ArgumentError
from symgd.report import output_files
from symgd.report.output_files import check_page, check_picture, write_whole
from tests.hang_guard import HUNG
from tests.outcome import Outcome

pytestmark = pytest.mark.skipif(os.name == "nt", reason="links, modes and pipes of POSIX")
LARGE = b"x" * 1_000_000


@pytest.fixture
def page(tmp_path):
    path = tmp_path / "page.html"
    path.write_bytes(b"the old page")
    return path


def names(folder):
    return sorted(os.listdir(folder))


def limited(size, *args):
    """A command line of symgd whose files may hold `size` bytes."""
    code = (  # in the child itself: between fork and exec, JAX warns of its threads
        f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({size}, {size}));"
        "from symgd.__main__ import main; main()"
    )
    command = [sys.executable, "-B", "-c", code, *args]
    return subprocess.run(command, capture_output=True, text=True)


@pytest.mark.parametrize("option", ["page.html", "picture.svg", "picture.png"])
def test_full_disk_leaves_the_old_file(option, tmp_path):
    path = tmp_path / option
    path.write_bytes(b"old")
    done = limited(4096, "theta**2", "-q", "--html" if "html" in option else "--plot", str(path))
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == f"symgd: cannot write '{path}': File too large"
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == [option]


def test_full_disk_leaves_no_new_file(tmp_path):
    done = limited(4096, "theta**2", "-q", "--html", str(tmp_path / "new.html"))
    assert done.returncode == 2
    assert names(tmp_path) == []


def test_killed_while_it_writes_the_old_file_is_there(page):
    code = (
        "import os, signal, sys; from pathlib import Path; from symgd.report import output_files;"
        "os.fsync = lambda descriptor: os.kill(os.getpid(), signal.SIGKILL);"
        "output_files.write_whole(Path(sys.argv[1]), b'x' * 1000000)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(page)])
    assert done.returncode == -signal.SIGKILL
    assert page.read_bytes() == b"the old page"


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError(5, "Input/output error")])
def test_an_interruption_leaves_the_old_file_and_nothing_else(error, page, monkeypatch):
    def fsync(descriptor):
        raise error

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises((KeyboardInterrupt, ArgumentError)):
        write_whole(page, LARGE)
    assert page.read_bytes() == b"the old page"
    assert names(page.parent) == ["page.html"]


@pytest.mark.parametrize("mode", [0o600, 0o644, 0o664, 0o755])
def test_permissions_of_an_old_file_stay(page, mode):
    page.chmod(mode)
    write_whole(page, LARGE)
    assert page.read_bytes() == LARGE
    assert stat.S_IMODE(page.stat().st_mode) == mode


@pytest.mark.parametrize("mask", [0o022, 0o077, 0o002])
def test_permissions_of_a_new_file_are_those_of_any_new_file(tmp_path, mask):
    before = os.umask(mask)
    try:
        write_whole(tmp_path / "new.html", LARGE)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "new.html").stat().st_mode) == 0o666 & ~mask


def test_symbolic_links_stay_and_their_target_is_replaced(page):
    folder = page.parent / "links"
    folder.mkdir()
    (folder / "one.html").symlink_to("../page.html")
    (folder / "two.html").symlink_to("one.html")
    write_whole(folder / "two.html", LARGE)
    assert page.read_bytes() == LARGE
    assert (folder / "one.html").is_symlink()
    assert names(folder) == ["one.html", "two.html"]


def test_a_link_to_nothing_makes_its_target(tmp_path):
    (tmp_path / "link.html").symlink_to("new.html")
    write_whole(check_page(tmp_path / "link.html"), LARGE)
    assert (tmp_path / "link.html").is_symlink()
    assert (tmp_path / "new.html").read_bytes() == LARGE


def test_a_pipe_gets_the_page_and_stays_a_pipe(tmp_path):
    pipe = tmp_path / "pipe.html"
    os.mkfifo(pipe)
    read = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()))
    reader.start()
    symgd.descend("theta**2").to_html(pipe)
    reader.join(HUNG)
    assert read[0].endswith(b"</html>\n")
    assert stat.S_ISFIFO(pipe.stat().st_mode)


@pytest.mark.parametrize("through", ["pipe", "file"])
def test_standard_output_gets_the_page_after_the_report(through, tmp_path):
    (tmp_path / "out.html").symlink_to("/dev/stdout")
    command = [sys.executable, "-m", "symgd", "theta**2", "-q", "--html", tmp_path / "out.html"]
    if through == "pipe":
        written = subprocess.run(command, capture_output=True, check=True).stdout
    else:
        with (tmp_path / "all").open("wb") as out:
            subprocess.run(command, stdout=out, check=True)
        written = (tmp_path / "all").read_bytes()
    assert written.startswith(b"theta after 20 steps")
    assert written.endswith(b"</html>\n")


def test_a_device_that_takes_nothing_is_a_message(tmp_path):
    (tmp_path / "full.html").symlink_to("/dev/full")
    done = Outcome("theta**2", "-q", "--html", str(tmp_path / "full.html"))
    assert done.code == 2
    assert "No space left on device" in done.err


def test_a_process_that_is_killed_while_it_writes_leaves_nothing(tmp_path, monkeypatch):
    """At the moment before the file gets its name: where files without names are, there is none."""
    path, seen = tmp_path / "a.html", []
    path.write_bytes(b"old")

    def synchronize(descriptor, real=os.fsync):
        seen.append(names(tmp_path))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", synchronize)
    write_whole(path, LARGE)
    assert path.read_bytes() == LARGE
    if hasattr(os, "O_TMPFILE"):
        assert seen == [["a.html"], ["a.html"]]
    assert names(tmp_path) == ["a.html"]


@pytest.mark.parametrize("check", [check_page, check_picture])
def test_the_check_leaves_the_file_and_the_folder_as_they_are(check, tmp_path):
    path = tmp_path / ("a.html" if check is check_page else "a.png")
    check(path)
    assert names(tmp_path) == []
    path.write_bytes(b"old")
    check(path)
    assert names(tmp_path) == [path.name]
    assert path.read_bytes() == b"old"


def test_what_cannot_be_written_is_refused_before_the_run(tmp_path):
    (tmp_path / "folder.html").mkdir()
    for bad in (tmp_path / "folder.html", tmp_path / "missing" / "a.html", "a\0.html"):
        with pytest.raises(ArgumentError):
            check_page(bad)


def test_nothing_else_of_the_package_opens_files_to_write():
    """Every file goes through `write_whole`; a spool of standard input has no name."""
    package = Path(output_files.__file__).parents[1]
    writes = ("write_bytes(", "write_text(", '"wb"', '"ab"')
    found = [
        path.relative_to(package).as_posix()
        for path in package.rglob("*.py")
        if any(word in path.read_text("utf-8") for word in writes)
    ]
    assert found == ["report/output_files.py"]
