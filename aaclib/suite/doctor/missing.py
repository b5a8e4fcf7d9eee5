"""What a run needs from outside and can neither find nor fetch here: looked for before it begins, and told all at once.

A run that dies at its second download has cost its user an hour and told a fifth. `listing` says of everything that is
missing what it is, how large, whence, where it belongs and which command fetches it on a machine that has a network.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from aaclib.config import Config
from aaclib.datasets import Need
from aaclib.paths import switched_on
from aaclib.suite.doctor.needs import needs
from aaclib.suite.doctor.results import problem

FORBIDDEN = "not here, and downloads are switched off."
HUB = "/resolve/main/config.json"  # how the address of a model on the hub ends
ANSWER_S = 5.0  # a host that says nothing for so long is out of reach


def found(config: Config) -> list[tuple[Need, str]]:
    """Everything that a run needs from outside, each with why it cannot be had here, or ''. A host is asked for its
    headers where something of it is to be fetched; nothing is fetched."""
    import requests

    wanted = needs(config)
    asked = {urlsplit(n.url).netloc: n.url for n in wanted if n.url and not n.here and not _forbidden(config, n)}
    silent = {
        host
        for host, url in asked.items()  # those that do not answer at all, whatever they would say
        if problem(requests.RequestException, requests.head, url, timeout=ANSWER_S, allow_redirects=True)
    }
    return [(need, "" if need.here else _why(config, need, silent)) for need in wanted]


def _why(config: Config, need: Need, silent: set[str]) -> str:
    host = urlsplit(need.url).netloc
    if not need.url:
        return f"not at {need.where}, and it cannot be fetched from here."
    if _forbidden(config, need):
        return FORBIDDEN
    return f"not here, and {host} does not answer." if host in silent else ""


def _forbidden(config: Config, need: Need) -> bool:
    return not config.data.download or (switched_on("HF_HUB_OFFLINE") and HUB in need.url)


def is_optional(config: Config, need: Need) -> bool:
    """Whether a run goes on without it: WavCaps' pairs, where the profile gives sigma."""
    given = config.data.pairs_split[0] == "wavcaps" and not problem(ValueError, float, config.gap.sigma)
    return given and need.what.startswith("WavCaps' SoundBible")


def listing(config: Config) -> list[str]:
    """The lines that say what is missing and how it is brought here; none where nothing is.

    >>> print(*doctor.listing(config.load("laptop", {"data.download": False})), sep="\n")
    """
    missing = [(need, why) for need, why in found(config) if why and not is_optional(config, need)]
    if not missing:
        return []
    total = sum(need.size for need, _ in missing)
    lines = [f"Nothing was run: {len(missing)} things ({size(total)}) are not here and cannot be fetched."]
    for need, why in missing:
        lines += ["", f"{need.what}{f' ({size(need.size)})' if need.size else ''}: {why}"]
        if not need.url:
            lines.append(f"  fix      {need.fix}")
            continue
        lines += [
            f"  from     {need.url.removesuffix(HUB)}",
            f"  to       {need.place or need.where}",
            f"  command  {need.by_hand}",
            *([f"  then     {need.then}"] if need.then else []),
        ]
    end = "Each command is for a machine with a network; if that is another one, copy what it fetches to its place."
    return [*lines, "", end, "Then the same command again."]


def size(n: int) -> str:
    """Bytes for a reader: 2 MB, 1.3 GB."""
    return f"{n / 1e9:.1f} GB" if n >= 1e9 else f"{max(n / 1e6, 1):.0f} MB"
