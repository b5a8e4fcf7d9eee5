"""More machines: a cluster gives what one process gives, byte for byte, and says what is wrong with a worker."""

import contextlib
import fcntl
import os
import signal
import sys
from concurrent.futures import ThreadPoolExecutor

import made
import pytest

from aaclib import cluster, config, errors, records, saving, sweep, training
from aaclib.metrics import spice
from aaclib.run import Run
from aaclib.store import RECORD, Store, write_record
from aaclib.suite import depends

TWO = "local:2"


def experiment(world, store, **overrides):
    few = {"train.epochs": 2, "data.targets": {"folder": ["baseline", "noise"]}, "threads": 1}
    return Run(config.load("quick", {**made.settings_of(world), **few, **overrides}), Store(store))


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("world")
    made.make(folder, n=60)
    return folder


@pytest.fixture(scope="module")
def two():
    """The setting for two workers, whose processes are started once."""
    pytest.importorskip("distributed", reason="Dask is optional: pip install 'aaclib[cluster]'")
    yield TWO
    cluster.close(TWO)


def contents(root):
    files = [path for path in root.rglob("*") if path.is_file() and path.name != RECORD and path.suffix != ".sqlite"]
    assert not [path for path in files if path.name.startswith(".cluster-")]
    return {path.relative_to(root).as_posix(): made.content(path) for path in files if path.name != "history.json"}


def test_trainings_embeddings_and_a_sweep_are_those_of_one_process(world, two, tmp_path):
    tables = {}
    for name, spec in (("alone", ""), ("two", two)):
        run = experiment(world, tmp_path / name, cluster=spec)
        assert set(training.train_all(run)["folder", 0]) == {"text", "noise"}
        points = [{"gap.sigma": 0.2}, {"gap.tau": 0.1}, {}]
        tables[name] = sweep.points(run, "folder", points, ["noise", "projection"])
    assert tables["alone"].to_csv() == tables["two"].to_csv()
    found = contents(tmp_path / "alone")
    assert found == contents(tmp_path / "two") and len([name for name in found if name.startswith("decoder/")]) > 3


def test_what_goes_wrong_in_a_worker_is_told_with_its_name(two, tmp_path):
    with pytest.raises(config.ConfigError) as told, cluster.pool(two, 0, tmp_path) as submit:
        submit(config.load, "no_such_profile").result()
    assert "no_such_profile" in errors.message(told.value) and "(by the worker " in errors.message(told.value)
    with cluster.pool(two, 0, tmp_path) as submit:  # and the next ones are well
        assert submit(len, "abc").result() == 3


def test_stages_share_the_cluster_that_the_runner_started(two, tmp_path, monkeypatch):
    monkeypatch.setenv(cluster.VARIABLE, cluster.address(two))
    with cluster.pool("local:9", 0, tmp_path) as submit:
        there = {submit(os.getpid).result() for _ in range(4)}
    assert there <= set(cluster._client(two).run(os.getpid).values())
    cluster.close("local:9")
    assert len(cluster._client(two).run(os.getpid)) == 2  # and the stage that ends leaves it alone


def test_a_training_goes_on_in_another_worker_where_one_was_killed(world, two, tmp_path):
    longer = {"train.epochs": 40, "data.targets": {"folder": ["baseline"]}}
    alone, killed = experiment(world, tmp_path / "alone", **longer), []
    training.train_all(alone)

    def kill(histories):
        if histories and not killed:
            pids = cluster._client(two).run(os.getpid)
            holds = [info for info in cluster._client(two).processing().items() if info[1]]
            killed.append(pids[holds[0][0]])
            os.kill(killed[0], signal.SIGKILL)

    run = experiment(world, tmp_path / "two", cluster=two, **longer)
    training.train_all(run, watch=kill)
    assert killed and contents(tmp_path / "two") == contents(tmp_path / "alone")


def test_spice_hands_out_its_chunks_and_keeps_what_comes_back(tmp_path, monkeypatch):
    handed = []

    @contextlib.contextmanager
    def pool(spec, count, root):
        with ThreadPoolExecutor(2) as executor:
            yield lambda work, chunk: handed.append((spec, root, len(chunk))) or executor.submit(work, chunk)

    def parsed(chunk):
        return {c: [[c.split()[-1]]] for c in chunk if "odd" not in c}, {c: "no parse" for c in chunk if "odd" in c}

    monkeypatch.setattr(spice, "_parse_chunk", parsed)
    monkeypatch.setattr(spice, "identity", lambda: {})
    monkeypatch.setattr(spice.clusters, "pool", pool)
    captions = [f"a dog barks {i}" for i in range(100)] + ["something odd"]
    alone = spice.parse(captions, Store(tmp_path / "alone"))
    assert not handed and spice.parse(captions, Store(tmp_path / "two"), TWO) == alone
    assert handed == [(TWO, tmp_path / "two", 64), (TWO, tmp_path / "two", 37)] and list(alone[1]) == ["something odd"]
    spice.parse(captions, Store(tmp_path / "two"), TWO)
    assert handed[2:] == [(TWO, tmp_path / "two", 1)]  # what has no parse is tried again


def test_a_store_that_a_worker_does_not_share_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(cluster, "SEEN_S", 0)
    with pytest.raises(cluster.ClusterError, match=f"The worker 1 on n7 does not see .*{tmp_path}"):
        cluster._shares(tmp_path / ".cluster-x", "The worker 1 on n7")
    with cluster._probe(tmp_path) as probe:
        cluster._shares(probe, "The worker 1 on n7")
        with open(probe, "r+b") as held:
            assert held.fileno() and probe.exists()
    with open(tmp_path / "free", "wb") as free:  # a file whose lock is not seen
        fcntl.flock(free, fcntl.LOCK_UN)
        with pytest.raises(cluster.ClusterError, match="not the locks"):
            cluster._shares(tmp_path / "free", "The worker 1 on n7")


def test_a_worker_that_is_another_one_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(cluster, "_seen", set())
    monkeypatch.setattr(cluster.os, "chdir", lambda folder: None)
    monkeypatch.setattr(cluster.progress, "silence", lambda: None)
    with cluster._probe(tmp_path) as probe:
        asked = cluster.Asked(probe, {"torch": "0.1"}, 1, str(tmp_path), {}, ())
        with pytest.raises(cluster.ClusterError, match="another version of torch"):
            cluster._prepare(asked, "The worker 1", 1)
        with pytest.raises(cluster.ClusterError, match="--nthreads 1"):
            cluster._prepare(asked, "The worker 1", 4)


def test_an_error_that_cannot_travel_keeps_its_words():
    class Odd(Exception):
        def __init__(self, a, b):
            super().__init__(f"{a} and {b}")

    told = cluster._told(Odd("one", "two"), "(by the worker 1)")
    assert isinstance(told, cluster.ClusterError) and errors.message(told) == "Odd: one and two (by the worker 1)"


def test_without_dask_sbatch_a_file_or_a_scheduler_the_remedy_is_told(monkeypatch, tmp_path):
    with monkeypatch.context() as without:
        without.setitem(sys.modules, "distributed", None)
        without.setitem(sys.modules, "dask_jobqueue", None)
        with pytest.raises(cluster.ClusterError, match=r"pip install 'aaclib\[cluster\]'"):
            cluster.address("local:7")
    pytest.importorskip("dask_jobqueue", reason="Dask is optional: pip install 'aaclib[cluster]'")
    with pytest.raises(cluster.ClusterError, match="no sbatch"):
        monkeypatch.setattr(cluster.shutil, "which", lambda tool: None)
        cluster.address(f"slurm:{tmp_path / 'a.yaml'}")
    monkeypatch.setattr(cluster.shutil, "which", lambda tool: tool)
    with pytest.raises(cluster.ClusterError, match="no such file"):
        cluster.address(f"slurm:{tmp_path / 'a.yaml'}")
    (tmp_path / "a.yaml").write_text("cores: 1\nmemory: 1GB\nmemmory: 2GB\n")
    with pytest.raises(cluster.ClusterError, match="memmory"):
        cluster.address(f"slurm:{tmp_path / 'a.yaml'}")
    monkeypatch.setattr(cluster, "ANSWER_S", 1)
    with pytest.raises(cluster.ClusterError, match="answers at tcp://127.0.0.1:9"):
        cluster.address("tcp://127.0.0.1:9")


@pytest.mark.parametrize("value", ["local:0", "local", "two", "tcp://host", "slurm:", "slurm: "])
def test_what_is_no_cluster_is_refused(value):
    with pytest.raises(config.ConfigError, match="local:N, tcp://HOST:PORT or slurm:FILE.yaml"):
        config.load("quick", [f"cluster={value}"])


def test_the_setting_decides_no_result_and_does_not_stay_with_a_finished_run(tmp_path, monkeypatch):
    with_it, without = config.load("quick", {"cluster": TWO}), config.load("quick")
    assert saving.deciding(with_it) == saving.deciding(without) and with_it.cluster == TWO
    write_record(tmp_path / "run.json", {"profile": "quick", "overrides": {"cluster": TWO}})
    assert records.settings(tmp_path) == without
    (tmp_path / "a.yaml").touch()
    monkeypatch.chdir(tmp_path)
    assert depends.absolute("cluster", "slurm:a.yaml") == f"slurm:{tmp_path / 'a.yaml'}"
    assert depends.absolute("cluster", TWO) == TWO
