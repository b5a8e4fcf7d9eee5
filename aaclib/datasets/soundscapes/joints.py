"""How events are joined in a sentence: {a}, {b}, {c} are clauses, {na}, {nb}, {nc} noun phrases."""

BEFORE = (
    "{a}, then {b}",
    "{a} and then {b}",
    "{a} before {b}",
    "first {a}, then {b}",
    "{a}, and afterwards {b}",
    "{a}, after which {b}",
    "{a}, and after that {b}",
    "first {a} and next {b}",
    "{a}, and finally {b}",
    "{a} until {b}",
)
BEFORE_NOUN = (
    "{a} followed by {nb}",
    "{a}, followed by {nb}",
    "after {na}, {b}",
    "{a}, then {nb}",
    "{b} after {na}",
    "following {na}, {b}",
    "{a}, and then {nb}",
    "{na}, then {nb}",
    "{na} and then {nb}",
    "{na} is followed by {nb}",
    "{na} gives way to {nb}",
    "{na} comes before {nb}",
    "{na}, with {nb} after it",
    "{nb} comes after {na}",
)
WITH = (
    "{a} while {b}",
    "{a} as {b}",
    "{a} and {b} at the same time",
    "{a}, and meanwhile {b}",
    "while {a}, {b}",
    "as {a}, {b}",
    "at the same time {a} and {b}",
    "{a} and {b} at once",
    "{a}, while at the same time {b}",
)
WITH_NOUN = (
    "{a} along with {nb}",
    "{a} together with {nb}",
    "{na} and {nb} at the same time",
    "{na} mixed with {nb}",
    "both {na} and {nb}",
    "{a} during {nb}",
    "{na} mixes with {nb}",
    "{na} over {nb}",
    "{a} amid {nb}",
    "{a}, joined by {nb}",
)
BEHIND = (
    "{a} while {b} in the background",
    "{a} as {b} in the background",
    "in the background {b} while {a}",
    "{a}, and {b} behind it",
)
BEHIND_NOUN = (
    "{a} with {nb} in the background",
    "{nb} in the background as {a}",
    "with {nb} in the background, {a}",
    "{a} against a background of {nb}",
    "{a} over {nb} in the background",
    "{a}, with {nb} behind it",
    "behind it all is {nb} as {a}",
    "{a}, accompanied by {nb} in the background",
    "{a} in front of {nb}",
)
THREE = (
    "{a}, then {b}, and finally {c}",
    "first {a}, then {b}, then {c}",
    "{a}, {b}, and then {c}",
    "{a} before {b}, and then {c}",
    "{a}, followed by {nb} and then {nc}",
    "{na}, then {nb}, then {nc}",
    "after {na}, {b}, and then {c}",
    "{na}, {nb} and finally {nc}",
    "{a}, then {b} and at the end {c}",
    "{na} followed by {nb} and {nc}",
)
BARE_BEHIND = (  # where {a} is no clause
    "{a} with {nb} in the background",
    "{a} against a background of {nb}",
    "{a} over {nb} in the background",
    "{a}, with {nb} behind it",
    "{a}, accompanied by {nb} in the background",
    "{a} in front of {nb}",
)
LATE_BEHIND = (  # where {a} holds several events already
    "{a}, with {nb} in the background",
    "{a}, with {nb} behind it",
    "{a}, accompanied by {nb} in the background",
    "{a} against a background of {nb}",
    "{a}, all while {b} in the background",
    "{a}, and all the while {b} behind it",
)
MANY = {"is followed": "are followed", "gives": "give", "comes": "come", "mixes": "mix"}
