"""Tables and sentences where the clips are few."""

from types import SimpleNamespace

import pytest
from made_results import Made, made_numbers  # noqa: F401
from made_results import made as results

from aaclib import retrieval, tables
from aaclib.datasets import Clip
from aaclib.tables import conclusions, findings


@pytest.mark.parametrize(("n", "shown"), [(7, ["clap_score", "self_r@1"]), (2, ["clap_score"])])
def test_among_few_clips_the_largest_k_that_tells_something_is_the_headline(tmp_path, n, shown):
    run = Made(tmp_path, captions=0, supervised=False)
    frame = results("soundscapes-long", "greedy", run.values, missing=False)
    names = dict(zip(("meteor", "cider_d"), shown, strict=False))
    frame = frame[frame.metric.isin(names)].replace({"metric": names}).assign(n=n)
    run.judgement = lambda target: frame
    table = tables.judged_table(run, "soundscapes-long")
    assert set(table.columns) == set(shown) and table.headline == shown[-1]
    assert ("too few for self-R@k with a larger k" in table.notes[-1]) == ("self_r@1" in shown)
    said = "self-R@1 by the CLAP that the captions were written from (n = 7)" in str(conclusions.judged(run))
    assert said == ("self_r@1" in shown)


@pytest.mark.parametrize(
    ("n", "said"),
    [
        (2, "too few clips (n = 2) for a retrieval check"),
        (7, "finds its own clip first of 7 in 50 % of cases; chance would be 14 %"),
        (20, "among the first five of 20"),
        (60, "among the first ten of 60"),
    ],
)
def test_a_retrieval_check_of_few_clips_uses_the_largest_k_that_there_is(tmp_path, n, said):
    run = Made(tmp_path)
    run.clap = lambda seed: SimpleNamespace(name="made", dim=8, sample_rate=8000, window_s=1.0)
    run.clips = lambda target, part, seed: tuple(Clip(f"{i}", ("a", "b")) for i in range(n))
    run.retrieval = lambda target, seed: {f"text_to_audio_r@{k}": 0.5 for k in retrieval.telling(n)}
    assert said in str(findings.embeddings(run, "soundscapes-long"))
