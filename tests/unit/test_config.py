import pytest
import yaml

from aaclib import bridge, config


def test_every_profile_loads_and_names_strategies_that_exist():
    assert {"quick", "smoke", "synthetic"} <= set(config.profiles())
    for name, title in config.profiles().items():
        settings = config.load(name)
        assert settings.name == name and title
        for rows in settings.data.targets.values():
            assert len({bridge.strategy(row).name for row in rows}) == len(rows) > 0


def test_a_profile_starts_from_its_base_and_changes_only_what_it_names():
    quick, smoke = config.load("quick"), config.load("smoke")
    assert smoke.decoder == quick.decoder and smoke.train.lr == quick.train.lr
    assert smoke.train.epochs == quick.train.epochs and smoke.train.warmup_steps != quick.train.warmup_steps
    assert list(smoke.data.targets) == list(quick.data.targets) and smoke.data.targets != quick.data.targets


def test_overrides_as_text_and_as_a_mapping():
    text = config.load("quick", ["train.lr=1e-5", "seeds=[1, 2]", "gap.sigma=0.114", "data.audio=my folder"])
    assert (text.train.lr, text.seeds, text.gap.sigma, text.data.audio) == (1e-5, (1, 2), "0.114", "my folder")
    assert config.load("quick", {"train.lr": 1e-5}).train.lr == 1e-5
    assert config.load("quick", ["data.sizes.soundscapes-long.train=7"]).data.sizes == {"soundscapes-long.train": 7}
    assert config.load("quick", ["seeds=3"]).seeds == (3,)


@pytest.mark.parametrize(("override", "message"), [
    ("train.epoch=3", r"'train\.epoch'.*'train\.epochs'"), ("epochs=3", r"train\.epochs|clap\.epochs"),
    ("train.epochs=many", "must be int"), ("train.epochs=true", "must be int"), ("data.download=7", "must be bool"),
    ("train.lr=fast", "must be float"), ("data.targets=3", "must be a mapping"), ("train", "key=value"),
    ("train.epochs.x=1", "single setting"),
])
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
