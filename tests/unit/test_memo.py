"""Results that are kept: computed once for the same arguments, however they are written."""

import pandas as pd
import pytest

from aaclib.memo import remembered


class Asked:
    def __init__(self):
        self.calls = []

    @remembered
    def number(self, a, b=2):
        """What it is."""
        self.calls.append((a, b))
        return [a, b]

    @remembered
    def table(self):
        return pd.DataFrame({"x": [1]})

    @remembered
    def fails(self):
        self.calls.append("fails")
        raise ValueError("no")


class Heir(Asked):
    @remembered
    def number(self, a, b=2):
        return [*super().number(a, b), "heir"]


def test_the_same_arguments_are_computed_once_however_they_are_written():
    asked = Asked()
    assert asked.number(1) is asked.number(1, 2) is asked.number(a=1) is asked.number(1, b=2)
    assert asked.number(2) == [2, 2] and asked.calls == [(1, 2), (2, 2)]


def test_each_object_keeps_its_own_and_an_heir_does_not_take_its_parents():
    one, other = Asked(), Asked()
    assert one.number(1) is not other.number(1)
    heir = Heir()
    assert heir.number(1) == heir.number(1) == [1, 2, "heir"]


def number(asked, a, b=2):
    return ["first", a, b]


def test_functions_of_an_object_are_kept_with_it_and_two_of_one_name_keep_apart():
    first = remembered(number)
    second = remembered(type(number)(number.__code__, globals(), "number", (3,)))  # of the same name and module
    one, other = Asked(), Asked()
    assert first(one, 1) is first(one, a=1) is first(one, 1, 2) and first(one, 1) is not first(other, 1)
    assert (first(one, 1), second(one, 1), one.number(1)) == (["first", 1, 2], ["first", 1, 3], [1, 2])


def test_a_table_may_be_changed_by_its_reader():
    asked = Asked()
    table = asked.table()
    table.loc[0, "x"] = 7
    assert asked.table().x.tolist() == [1]


def test_a_failure_is_not_kept():
    asked = Asked()
    for _ in range(2):
        with pytest.raises(ValueError, match="no"):
            asked.fails()
    assert asked.calls == ["fails", "fails"]


def test_a_kept_method_still_says_what_it_is():
    assert Asked.number.__name__ == "number" and Asked.number.__doc__ == "What it is."
