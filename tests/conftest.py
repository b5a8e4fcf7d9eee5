"""What all tests share. This file also puts `tests/` on the path, so that they can import `rehearsal`."""
