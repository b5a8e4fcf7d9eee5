import json
import typing
from dataclasses import replace

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from aaclib import audio, bridge, clap, config, fitting, gap, metrics, text


def test_every_profile_loads_and_names_strategies_that_exist():
    assert {"quick", "smoke", "synthetic"} <= set(config.profiles())
    for name, title in config.profiles().items():
        loaded = config.load(name)
        assert loaded.name == name and title
        for rows in loaded.data.targets.values():
            assert len({bridge.strategy(row).name for row in rows}) == len(rows) > 0


def test_a_profile_starts_from_its_base_and_changes_only_what_it_names():
    quick, smoke = config.load("quick"), config.load("smoke")
    assert smoke.decoder == quick.decoder and smoke.train.lr == quick.train.lr
    assert smoke.train.batch_size == quick.train.batch_size and smoke.train.warmup_steps != quick.train.warmup_steps
    assert list(smoke.data.targets) == list(quick.data.targets) and smoke.data.targets != quick.data.targets


def test_overrides_as_text_and_as_a_mapping():
    given = config.load("quick", ["train.lr=1e-5", "seeds=[1, 2]", "gap.sigma=0.114", "data.audio=my folder"])
    assert (given.train.lr, given.seeds, given.gap.sigma, given.data.audio) == (1e-5, (1, 2), "0.114", "my folder")
    assert config.load("quick", {"train.lr": 1e-5}).train.lr == 1e-5
    assert config.load("quick", ["data.sizes.soundscapes-long.train=7"]).data.sizes == {"soundscapes-long.train": 7}
    assert config.load("quick", ["seeds=3"]).seeds == (3,)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("train.epoch=3", r"'train\.epoch'.*'train\.epochs'"),
        ("epochs=3", r"train\.epochs|clap\.epochs"),
        ("train.epochs=many", "must be int"),
        ("train.epochs=true", "must be int"),
        ("data.download=7", "must be bool"),
        ("train.lr=fast", "must be float"),
        ("data.targets=3", "must be a mapping"),
        ("train", "key=value"),
        ("train.epochs.x=1", "single setting"),
    ],
)
def test_a_wrong_setting_is_named_with_what_would_fit(override, message):
    with pytest.raises(config.ConfigError, match=message):
        config.load("quick", [override])


def test_an_unknown_profile_names_the_nearest(tmp_path):
    with pytest.raises(config.ConfigError, match="'quick'"):
        config.load("quik")
    own = tmp_path / "mine.yaml"
    own.write_text(yaml.safe_dump({"base": "smoke", "seeds": [4]}))
    assert config.load(str(own)).seeds == (4,) and config.load(str(own)).name == "mine"
    own.write_text("- a list")
    with pytest.raises(config.ConfigError, match="mapping"):
        config.load(str(own))


def test_settings_are_frozen():
    with pytest.raises(AttributeError):
        config.load("quick").name = "other"


TEXTS = [
    "rec #2",
    "001",
    "no",
    "yes",
    "12:30",
    "1e5",
    "~",
    "null",
    "a: b",
    "{x}",
    "[x",
    "[x]",
    "x ",
    " x",
    "a=b",
    "",
    "- x",
    "*x",
    "&x",
    "!x",
    "%x",
    "@x",
    "`x`",
    "'x'",
    '"x"',
    "0x10",
    "1_000",
    "2024-01-01",
    "=",
    "<<",
    "x\ty",
]


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("key", ["data.audio", "data.text", "captioner", "decoder.tokenizer", "data.columns.caption"])
def test_a_text_setting_is_the_text_that_was_given(key, text):
    assert value_of(config.load("quick", [f"{key}={text}"]), key) == text
    kept = dict(config.pairs_of([f"{key}={text}"]))  # as a run's record keeps it
    assert value_of(config.load("quick", json.loads(json.dumps(kept))), key) == text


def value_of(settings, key):
    for part in key.split(".", 2):
        settings = settings[part] if isinstance(settings, dict) else getattr(settings, part)
    return settings


def test_text_in_a_profile_file_and_in_lists_is_as_it_stands(tmp_path):
    (tmp_path / "p.yaml").write_text(
        "title: no\ncaptioner: 12:30\ndata:\n  audio: 001\n  text: ~\n  captions:\n"
        "  columns: {caption: no, split: 1e5}\n  targets: {on: [yes, 'no', 007]}\n"
        "gap: {sigma: 0.1140}\ntrain: {lr: 1e-5, epochs: 0_3}\n"
    )
    settings = config.load(str(tmp_path / "p.yaml"))
    assert (settings.title, settings.captioner, settings.gap.sigma) == ("no", "12:30", "0.1140")
    assert (settings.data.audio, settings.data.text, settings.data.captions) == ("001", "~", "")
    assert settings.data.columns == {"caption": "no", "split": "1e5"} and settings.train.lr == 1e-5
    assert settings.data.targets == {"on": ("yes", "no", "007")} and settings.train.epochs == 3
    lists = config.load("quick", ["generate.beam_rows=[no, 001]", "data.columns={group: no}", "data.sizes.a.b=3"])
    assert lists.generate.beam_rows == ("no", "001") and lists.data.columns == {"group": "no"}
    assert lists.data.sizes == {**config.load("quick").data.sizes, "a.b": 3}
    assert config.load("quick", ["generate.beam_rows="]).generate.beam_rows == ()


def test_values_from_python_are_taken_as_they_are(tmp_path):
    settings = config.load(
        "quick",
        {
            "train.epochs": np.int64(3),
            "train.lr": np.float32(0.5),
            "data.audio": tmp_path,
            "gap.sigma": 0.114,
            "data.download": False,
            "data.pairs": None,
            "seeds": (1, 2),
            "train": {"batch_size": 7},
            "clap.workers": 2,
        },
    )
    assert (settings.train.epochs, settings.train.lr, settings.train.batch_size) == (3, 0.5, 7)
    assert (settings.data.audio, settings.gap.sigma, settings.data.pairs) == (str(tmp_path), "0.114", "")
    assert settings.data.download is False and settings.seeds == (1, 2) and type(settings.train.epochs) is int


def test_a_group_given_whole_changes_what_it_names_and_a_free_dictionary_is_replaced():
    quick = config.load("quick")
    assert config.load("quick", ["train={epochs: 3}"]).train == replace(quick.train, epochs=3)
    assert config.load("quick", ["train="]).train == config.load("quick", ["train={}"]).train == quick.train
    assert dict(config.pairs_of(["train={epochs: 3, keep: last}"])) == {"train.epochs": 3, "train.keep": "last"}
    changed = config.load("quick", ["data={sizes: {x.y: 3}}", "data.sizes.z.w=4"])
    assert changed.data.sizes == {"x.y": 3, "z.w": 4} and changed.data.targets == quick.data.targets
    assert config.load("quick", ["data.targets={x: [human]}"]).data.targets == {"x": ("human",)}


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("train.schedule=linaer", "'train.schedule' must be one of linear, cosine.*'linaer'.*mean 'linear'"),
        ("train.keep=bets", "mean 'best'"),
        ("clap.long_audio=window", "mean 'windows'"),
        ("clap.on_error=skp", "'skip'"),
        ("data.normalise=upper", "lower-nopunct"),
        ("gap.sigma=rsm", "mean 'rms'"),
        ("gap.sigma=nan", "finite"),
        ("gap.sigma=-1", "finite"),
        ("gap.sigma=inf", "finite"),
        ("metrics.names=[cidre]", "mean 'cider_d'"),
        ("metrics.names=[]", "must name a metric"),
        ("metrics.headline=fence", "mean 'fense'"),
        ("clap.backend=hff:laion/clap", "hf:ID"),
        ("clap.backend=hf:", "tiny, hf:ID"),
        ("clap.backend=", "hf:ID"),
        ("metrics.judge=tiny", "a CLAP"),
        ("device=gpu", "cpu, cuda"),
        ("device=cuda:x", "cuda:N"),
        ("train.epochs=-1", "at least 1"),
        ("train.epochs=0", "at least 1"),
        ("train.epochs=1e3", "must be int"),
        ("train.epochs=3.0", "must be int"),
        ("train.lr=0", "above 0"),
        ("train.lr=nan", "float"),
        ("train.lr=-inf", "float"),
        ("train.weight_decay=-1", "at least 0"),
        ("train.batch_size=0", "at least 1"),
        ("train.warmup_steps=-1", "least 0"),
        ("train.supervised_factor=0", "least 1"),
        ("seeds=[]", "'seeds'"),
        ("seeds=[1, 1]", "different"),
        ("seeds=[-1]", "at least 0"),
        ("seeds=[1, 2", "'seeds', line 1"),
        ("seeds=1.5", "int"),
        ("generate.beam=0", "least 1"),
        ("generate.batch_size=0", "least 1"),
        ("generate.max_tokens=0", "least 1"),
        ("generate.max_tokens=129", "128"),
        ("decoder.prefix_tokens=120", "128 positions"),
        ("decoder.prefix_tokens=0", "at least 1"),
        ("decoder.heads=3", "must divide"),
        ("decoder.heads=0", "least 1"),
        ("decoder.dropout=1", "below 1"),
        ("decoder.dropout=-0.1", "at least 0"),
        ("decoder.layers=0", "least 1"),
        ("decoder.vocabulary=4", "least 5"),
        ("decoder.max_tokens=500", "128 positions"),
        ("gap.tau=0", "above 0"),
        ("gap.n_pairs=-1", "least 0"),
        ("data.pairs=soundscapes-long.evaluation", "data.pairs.*must not be the evaluation clips of a target"),
        ("gap.n_pairs=0", "'gap.n_pairs' is 0"),
        ("gap.memory=-1", "least 0"),
        ("clap.width=130", "multiple of 4"),
        ("clap.temperature=0", "above 0"),
        ("clap.train_batch=0", "least 1"),
        ("clap.workers=-1", "least 0"),
        ("clap.batch_size=-1", "least 0"),
        ("clap.learn_temperature=1", "true or false"),
        ("threads=-1", "least 0"),
        ("metrics.bootstrap=0", "least 1"),
        ("data.audiocaps_version=3", "one of 1, 2"),
        ("data.sizes.x.y=0", "'data.sizes.x.y' must be at least 1"),
        ("data.sizes.=3", "Unknown setting"),
        ("data.sizes=x", "a mapping"),
        ("train=3", "a mapping"),
        ("train={epochs: many}", "'train.epochs' must be int"),
        ("train={epohcs: 3}", "mean 'train.epochs'"),
        ("name=../../x", "plain name"),
        ("name=.x", "plain name"),
        ("name=", "plain name"),
        ("name=a/b", "plain name"),
        ("name=a b", "plain name"),
        ("name=..", "plain name"),
        ("data.targets={../x: [human]}", "plain names"),
        ("data.targets.a/b=[human]", "plain names"),
        ("data.targets={a: {b: c}}", "data.targets.a.*text"),
    ],
)
def test_choices_ranges_and_names_are_checked_when_settings_are_loaded(override, message):
    with pytest.raises(config.ConfigError, match=message):
        config.load("quick", [override])


@pytest.mark.parametrize("name", ["quick", "größe-2", "a.b_c-1", "0"])
def test_plain_names_and_the_forms_of_claps_are_taken(name):
    assert config.load("quick", [f"name={name}"]).name == name
    for spec in (
        "tiny",
        "tiny:some folder",
        "hf:laion/clap",
        "laion:a.pt",
        "wavcaps:x.pt?tokenizer=y",
        "my_mod.a:Clap",
        "embeddings:/x",
    ):
        assert config.load("quick", [f"clap.backend={spec}"]).clap.backend == spec
    for device in ("", "cpu", "cuda", "cuda:1", "mps"):
        assert config.load("quick", [f"device={device}"]).device == device


JUNK = st.one_of(
    st.text(),
    st.integers(),
    st.floats(),
    st.booleans(),
    st.none(),
    st.binary(),
    st.lists(st.text()),
    st.dictionaries(st.text(), st.integers()),
    st.sampled_from([*TEXTS, "[[]]", "{a: [b]}", "9" * 5000]),
)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(sorted(fitting.settings(config.Config))), JUNK)
def test_junk_is_refused_or_becomes_a_value_of_the_right_type(key, junk):
    for overrides in ({key: junk}, [f"{key}={junk}"]):
        try:
            loaded = config.load("quick", overrides)
        except config.ConfigError as error:
            assert len(str(error)) < 1000
            continue
        value, (hint, _) = value_of(loaded, key), fitting.settings(config.Config)[key]
        assert isinstance(value, typing.get_origin(hint) or hint)
        assert config.load("quick", dict(config.pairs_of(overrides))) == loaded  # as its record keeps it


def test_the_lists_that_settings_choose_from_are_those_of_the_modules_that_know():
    known = {key: declared["known"] for key, (_, declared) in fitting.settings(config.Config).items() if declared}
    assert set(known["data.normalise"]) == set(text.NORMALISE) and known["clap.long_audio"] == audio.POLICIES
    assert known["metrics.names"] == known["metrics.headline"] == metrics.NAMES
    assert config.SIGMAS == gap.METHODS and set(config.BACKENDS) == set(clap.BACKENDS)


WRONG_FILES = {
    "syntax": (b"train:\n  epochs: [1\n", "p.yaml, line 3"),
    "tab": (b"train:\n\tepochs: 1\n", "p.yaml, line 2"),
    "twice": (b"seeds: [1]\ntitle: x\nseeds: [2]\n", "p.yaml, line 3: 'seeds' is there twice"),
    "twice within": (b"train:\n  lr: 1\n  lr: 2\n", "line 3: 'lr' is there twice"),
    "latin-1": ("title: gr\u00f6\u00dfe\n".encode("latin-1"), "p.yaml is not in UTF-8"),
    "nul": (b"a: \0", "p.yaml"),
    "unknown": (b"train: {epohcs: 3}\n", "p.yaml: Unknown setting 'train.epohcs'.*'train.epochs'"),
    "range": (b"train: {epochs: 0}\n", "p.yaml: 'train.epochs' must be at least 1"),
    "object": (b"title: !!python/name:os.system\n", "p.yaml, line 1"),
    "tag": (b"seeds: !!int x\n", "p.yaml"),
    "alias": (b"title: *x\n", "p.yaml, line 1"),
    "deep": (b"[" * 5000, "p.yaml"),
    "itself": (b"data: &d {targets: *d}\n", "p.yaml"),
    "mapping for text": (b"data: {audio: {x: 1}}\n", "data.audio' must be text"),
    "list": (b"- a\n", "a mapping"),
    "its own base": (b"base: p.yaml\n", "circle: p.yaml -> p.yaml"),
    "loop": (b"base: q.yaml\n", "p.yaml -> q.yaml -> p.yaml"),
    "no base": (b"base: quik\n", "p.yaml: There is no profile 'quik'. Did you mean 'quick'"),
    "a list for base": (b"base: [a]\n", "'base' must be text"),
    "a folder": (b"base: folder.yaml\n", "is a folder"),
}


@pytest.mark.parametrize(("content", "message"), WRONG_FILES.values(), ids=WRONG_FILES)
def test_mistakes_in_a_profile_file_name_it_and_the_line(tmp_path, content, message):
    (tmp_path / "p.yaml").write_bytes(content)
    (tmp_path / "q.yaml").write_text("base: p.yaml\n")
    (tmp_path / "folder.yaml").mkdir()
    with pytest.raises(config.ConfigError, match=message):
        config.load(str(tmp_path / "p.yaml"))


def test_a_profile_file_with_bom_anchors_merges_and_a_base_beside_it(tmp_path):
    (tmp_path / "base.yaml").write_text("base: quick\ntrain: &t {epochs: 4, lr: 1}\nclap: {<<: *t, epochs: 5}\n")
    (tmp_path / "my.yaml").write_bytes(b"\xef\xbb\xbfbase: base.yaml\r\ntrain: {lr: 2}\r\n")
    loaded = config.load(str(tmp_path / "my.yaml"))
    assert (loaded.train.epochs, loaded.train.lr, loaded.clap.epochs, loaded.clap.lr) == (4, 2, 5, 1)
    assert loaded.name == "my" and loaded.seeds == (0,)
    (tmp_path / "my run.yaml").write_text("base: quick\n")
    with pytest.raises(config.ConfigError, match="my run.yaml: 'name' must be a plain name"):
        config.load(str(tmp_path / "my run.yaml"))
    (tmp_path / "my run.yaml").write_text("base: quick\nname: mine\n")
    assert config.load(str(tmp_path / "my run.yaml")).name == "mine"
