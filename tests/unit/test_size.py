"""The count of lines of code, which is only worth something if it leaves out what it says."""

import size

SOURCE = '''"""What this is,
over two lines."""

# why
import os  # counted


def f(x):
    """Says what it does."""
    text = """two
lines"""
    return os.path.join(
        x,
        text,
    )
'''


def test_docstrings_comments_and_blank_lines_are_no_code():
    assert size.docstring_lines(SOURCE) == {1, 2, 9}
    assert size.code_lines(SOURCE) == 8


def test_rooms_hold_what_their_files_hold(tmp_path):
    for name in ("a.py", "room/b.py", "room/deeper/c.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(SOURCE)
    assert size.rooms(tmp_path) == {".": 8, "room": 16}
    assert size.files(tmp_path)["room/deeper/c.py"] == 8
