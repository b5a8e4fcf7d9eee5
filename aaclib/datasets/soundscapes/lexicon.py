"""The words for each sound class.

who: subjects (a leading + marks a plural); does: verbs in their base form, with what follows them; name: noun phrases
for the sound itself; once: nouns for one unit, singular/plural where regular s will not do; by: where such a unit comes
from; done: passives, 'patient / participle'.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Entry:
    who: tuple[str, ...]
    does: tuple[str, ...]
    name: tuple[str, ...]
    once: tuple[str, ...] = ()
    by: tuple[str, ...] = ()
    done: tuple[tuple[str, str], ...] = ()


def _entry(who: str, does: str, name: str, once: str = "", by: str = "", done: str = "") -> Entry:
    cut = [tuple(part.strip() for part in text.split(",") if part.strip()) for text in (who, does, name, once, by)]
    pairs = tuple(tuple(p.strip() for p in part.split("/")) for part in done.split(",") if part.strip())
    return Entry(*cut, pairs)


WORDS = {
    "rain": _entry("rain, +raindrops, the rain, a shower of rain", "fall, pour down, patter on a roof, come down, beat on the ground",
                   "rainfall, the patter of rain, a downpour, falling rain, the hiss of rain"),
    "thunder": _entry("thunder, a thunderstorm, the thunder", "rumble, roll, roar across the sky, crash, boom",
                      "a rumble of thunder, a thunderclap, a clap of thunder, rolling thunder",
                      "rumble, thunderclap, crash", "of thunder, from a storm"),
    "wind": _entry("the wind, wind, a gust of wind, a strong breeze", "blow, howl, whistle around a house, moan, gust",
                   "howling wind, the howl of the wind, gusts of wind, gusty wind"),
    "waves": _entry("+waves, +ocean waves, the sea, the surf", "roll onto a beach, break on the shore, wash ashore, surge",
                    "the surf, breaking waves, the wash of the sea, ocean surf"),
    "stream": _entry("a stream, a brook, water, a small creek", "gurgle, bubble, flow over stones, babble along, trickle past",
                     "the gurgling of water, a bubbling brook, running water, flowing water"),
    "drip": _entry("water, a tap, a leaky faucet, +water drops", "drip, drip into a sink, drop into a bucket, leak",
                   "dripping water, the drip of a tap, water drops, drops of water"),
    "fire": _entry("a fire, a campfire, +flames, burning wood", "crackle, burn, pop and crackle, snap",
                   "a crackling fire, the crackle of flames, the crackling of burning wood, a wood fire"),
    "dog": _entry("a dog, a hound, a puppy, some dog", "bark, woof, yap, bark at someone",
                  "dog barking, a barking dog, the barks of a dog", "bark, woof, yelp", "of a dog, from a dog, from a hound"),
    "cat": _entry("a cat, a kitten, a house cat", "meow, mew, cry for food, miaow",
                  "a meowing cat, cat cries, the mewing of a cat", "meow, mew", "of a cat, from a kitten, from a cat"),
    "birds": _entry("+birds, +small birds, several birds, +songbirds", "chirp, tweet, sing, twitter",
                    "bird song, the chirping of birds, chirping birds, the twitter of birds"),
    "cow": _entry("a cow, a bull, some cattle", "moo, low, bellow, moo in a field",
                  "a mooing cow, the mooing of a cow, cattle lowing", "moo, bellow", "of a cow, from a cow"),
    "rooster": _entry("a rooster, a cock, a cockerel", "crow, crow at dawn, cry cock a doodle doo",
                      "a crowing rooster, the crow of a rooster, a cock crow", "crow, cry", "of a rooster, from a cock"),
    "sheep": _entry("a sheep, a goat, a lamb", "bleat, baa, bleat in a meadow",
                    "a bleating sheep, the bleating of a lamb, goat cries", "bleat, baa", "of a sheep, from a goat, from a lamb"),
    "crickets": _entry("+crickets, +insects, +cicadas, some crickets", "chirr, stridulate, buzz in the grass, trill at night",
                       "the chirring of crickets, cricket song, the trill of insects, a chorus of crickets"),
    "frog": _entry("a frog, a toad, a bullfrog", "croak, croak by a pond, ribbit, call from the water",
                   "a croaking frog, frog calls, the croaking of a toad", "croak, ribbit", "of a frog, from a toad"),
    "owl": _entry("an owl, a night owl, an owl in the woods", "hoot, call softly into the night, hoot from a tree",
                  "a hooting owl, the hooting of an owl, an owl call", "hoot, hoot call", "of an owl, from an owl"),
    "horse": _entry("a horse, a pony, +hooves, a horse and rider", "gallop, trot along a road, clop on the pavement, clatter past",
                    "a galloping horse, the clip clop of hooves, hoof beats, the clatter of hooves"),
    "bee": _entry("a bee, a fly, an insect, a bumblebee", "buzz, buzz around, hum past, drone around a flower",
                  "the buzz of a bee, a buzzing fly, the buzzing of an insect, a buzzing bee"),
    "footsteps": _entry("someone, a person, a man in boots, somebody", "walk, walk across a floor, step along a corridor, stroll by",
                        "footsteps, the steps of a person, footfalls, walking steps"),
    "applause": _entry("an audience, +people, +spectators, a group of people", "clap, applaud, clap their hands, give applause",
                       "applause, clapping hands, the applause of an audience, a round of applause"),
    "speech": _entry("a person, someone, a speaker, an adult", "speak, talk, give a speech, say something",
                     "speech, a talking voice, a speaking voice, the voice of a speaker"),
    "laughter": _entry("someone, a person, somebody", "laugh, giggle, chuckle, burst out laughing",
                       "laughter, a laughing person, giggling, the laughter of someone", "laugh, giggle, chuckle",
                       "of a person, from someone"),
    "baby": _entry("a baby, an infant, a newborn, a small child", "cry, wail, bawl, scream and cry",
                   "a crying baby, the crying of an infant, baby cries", "wail, sob", "of a baby, from an infant"),
    "cough": _entry("someone, a person, a sick man, a patient", "cough, clear the throat, hack",
                    "coughing, a coughing person, the coughing of someone", "cough, hack", "of a person, from a sick man"),
    "snore": _entry("a sleeper, someone asleep, a sleeping man", "snore, snore in bed, breathe with a snore",
                    "snoring, a snoring sleeper, the snoring of a man", "snore, snoring breath", "of a sleeper, from someone asleep"),
    "whistle": _entry("someone, a person, a whistler, a man", "whistle, whistle a tune, whistle a melody",
                      "a whistled tune, human whistling, a whistled melody, the whistling of a tune"),
    "crowd": _entry("a crowd, many people, a room full of people, +guests", "babble, chatter, murmur, talk all at once",
                    "crowd chatter, the babble of voices, a murmuring crowd, many voices"),
    "piano": _entry("a piano, a pianist, someone at a piano", "play, play notes, play a piano melody",
                    "piano music, piano notes, a piano melody, a tune on the piano", done="a piano / played, piano keys / struck"),
    "guitar": _entry("a guitarist, someone with a guitar, a guitar player", "strum, strum chords, play chords, play the guitar",
                     "guitar music, guitar chords, strummed chords, the strumming of a guitar",
                     done="a guitar / strummed, guitar strings / strummed"),
    "drums": _entry("a drummer, someone on drums, a drum kit", "play, drum, play a beat, play a rhythm",
                    "drumming, a drum beat, a drum rhythm, the beat of drums", done="drums / played, a drum kit / played"),
    "flute": _entry("a flute, a flutist, a flute player", "play, play a tune, play long notes, play a gentle melody",
                    "flute music, a flute melody, the notes of a flute, a tune on a flute", done="a flute / played"),
    "engine": _entry("an engine, a motor, a car engine, a diesel truck", "idle, run, chug, putter",
                     "an idling engine, the chugging of an engine, engine noise, a running motor"),
    "car": _entry("a car, a vehicle, an automobile, a passing car", "drive by, pass by, rush past, speed past",
                  "a passing car, traffic passing, a car drive past", "swoosh, drive by", "of a car, from a vehicle"),
    "train": _entry("a train, a railway train, a freight train, +train wheels", "clatter over the rails, rattle along the tracks, roll by, clack past",
                    "a rolling train, the clatter of a train, train wheels on the track, railway noise"),
    "helicopter": _entry("a helicopter, a chopper, +rotor blades", "hover, fly overhead, whir, chop the air",
                         "a hovering helicopter, helicopter rotors, the chop of rotor blades, a helicopter in flight"),
    "vacuum": _entry("a vacuum cleaner, a hoover, someone with a vacuum cleaner", "hum, run, suck up dust, clean a carpet",
                     "the hum of a vacuum cleaner, a running vacuum cleaner, hoovering, vacuum cleaner noise",
                     done="a carpet / vacuumed, a floor / vacuumed"),
    "drill": _entry("a drill, a power drill, an electric drill, a worker with a drill", "whine, drill into a wall, bore a hole, screech",
                    "drilling, the whine of a drill, a whining power drill, power drill noise",
                    done="a hole / drilled, a wall / drilled"),
    "motorcycle": _entry("a motorcycle, a motorbike, a biker", "rev, rev up, roar, accelerate again and again",
                         "a revving motorcycle, the roar of a motorbike, motorcycle revs, revving",
                         done="a motorcycle / revved, a motorbike / revved up"),
    "clock": _entry("a clock, a wall clock, a watch", "tick, tick away, tick on a wall",
                    "the ticking of a clock, a ticking clock, clock ticks, a ticking watch"),
    "typing": _entry("someone, a typist, a person at a computer, an office worker", "type, type on a keyboard, tap keys, write on a computer",
                     "typing, keyboard clicks, typing on a keyboard, the clacking of a keyboard",
                     done="a text / typed, a keyboard / used"),
    "siren": _entry("a siren, an ambulance, a police car, an emergency vehicle", "wail, sound its siren, blare, wail up and down",
                    "a wailing siren, an emergency siren, the wail of a siren, a police siren",
                    done="a siren / sounded"),
    "horn": _entry("a car horn, a driver, a car, an angry driver", "honk, beep, toot, honk the horn",
                   "honking, a honking horn, the honking of a car", "honk, toot, beep", "of a car horn, from a car",
                   done="a horn / honked, a car horn / pressed"),
    "phone": _entry("a telephone, a phone, an old telephone", "ring, ring on a desk, jingle",
                    "a ringing telephone, the ringing of a phone, telephone ringing", "ring, phone ring/phone rings",
                    "of a telephone, from an old phone"),
    "beeper": _entry("an alarm clock, an alarm, a smoke detector, a timer", "beep, go off, sound beeps, bleep",
                     "a beeping alarm, the beeping of a timer, alarm beeps, electronic beeping"),
    "bell": _entry("a church bell, a bell, a bell in a tower", "toll, ring, chime, peal",
                   "a tolling bell, the tolling of a church bell, bell chimes", "toll, chime, peal", "of a church bell, from a bell tower",
                   done="a church bell / rung, a bell / struck"),
    "hammer": _entry("someone, a carpenter, a hammer, a worker", "hammer, hammer a nail, pound on a nail, strike metal",
                     "hammering, hammer strikes, the blows of a hammer", "hammer blow, clang, hammer strike", "of a hammer, on a nail",
                     done="a nail / hammered, a nail / driven into wood, metal / hammered"),
    "saw": _entry("someone, a carpenter, a hand saw, a man", "saw, saw wood, cut a board, saw through a plank",
                  "sawing, the sawing of wood, hand saw strokes, wood cutting", done="wood / sawed, a board / cut, a plank / sawed"),
    "glass": _entry("glass, a window, a bottle, a pane of glass", "shatter, break, smash, fall and break into pieces",
                    "breaking glass, the smashing of glass, shattering glass", "crash, smash", "of glass, of a window",
                    done="a window / smashed, a glass / broken, a bottle / smashed"),
    "knock": _entry("someone, a visitor, a person, somebody", "knock, knock on a door, rap on wood, tap on a door",
                    "knocking, the knocking on a door, door knocks", "knock, rap, tap", "on a door, on wood",
                    done="a door / knocked on"),
    "door": _entry("a door, a heavy door, someone, a wooden door", "slam, bang shut, shut a door, slam shut",
                   "a slamming door, the slam of a door, door slamming", "bang, slam, thud", "of a door, from a heavy door",
                   done="a door / slammed, a door / shut"),
    "creak": _entry("a hinge, an old gate, a rusty hinge, an old door", "creak, squeak, creak open, groan on its hinges",
                    "a creaking hinge, the creaking of an old gate, a creaky gate", "creak, squeak", "of an old door, from a rusty hinge",
                    done="an old gate / opened, a creaky gate / moved"),
    "keys": _entry("+keys, a bunch of keys, +coins, a key ring", "jingle, jangle, rattle, clink together",
                   "jingling keys, the jingle of keys, the rattle of coins, a jangling bunch of keys",
                   done="a bunch of keys / shaken, keys / shaken"),
}
# A subject that does not go with every verb of its class: subject -> the verbs it takes.
ONLY = {
    "a shower of rain": ("fall", "pour down", "come down"), "the sea": ("break on the shore", "surge", "wash ashore"),
    "a tap": ("drip", "drip into a sink", "leak"), "a leaky faucet": ("drip", "drip into a sink", "leak"),
    "+water drops": ("drip", "drip into a sink", "drop into a bucket"), "a driver": ("honk", "toot", "honk the horn"),
    "an angry driver": ("honk", "toot", "honk the horn"), "a car horn": ("honk", "beep", "toot"),
    "a hammer": ("pound on a nail", "strike metal"), "a hand saw": ("saw", "cut a board", "saw through a plank"),
    "a door": ("slam", "bang shut", "slam shut"), "a heavy door": ("slam", "bang shut", "slam shut"),
    "a wooden door": ("slam", "bang shut", "slam shut"), "someone/door": ("shut a door",),
    "someone with a vacuum cleaner": ("suck up dust", "clean a carpet"), "a worker with a drill": ("drill into a wall", "bore a hole"),
    "a piano": ("play", "play notes"), "a siren": ("wail", "blare", "wail up and down"),
    "glass": ("shatter", "break", "smash", "fall and break into pieces"), "a smoke detector": ("beep", "go off", "bleep", "sound beeps"),
    "+hooves": ("clop on the pavement", "clatter past"), "a drum kit": ("play",), "+rotor blades": ("whir", "chop the air"),
    "a bull": ("moo", "bellow", "moo in a field"), "+train wheels": ("clatter over the rails", "rattle along the tracks", "clack past"),
}

# ---- attributes: (adverbials, adjectives) by attribute and value ---------------------------------------------------------

SAID = {
    ("level", "loud"): ("loudly, noisily, very loudly, at full volume, at high volume, forcefully", "loud, noisy, very loud, strong"),
    ("level", "faint"): ("faintly, softly, quietly, very quietly, at low volume, barely audibly", "faint, soft, quiet, barely audible"),
    ("distance", "far"): ("in the distance, far away, from afar, a long way off, far off, at a distance", "distant, faraway, far off"),
    ("distance", "near"): ("nearby, close by, up close, at close range, right here, close to the microphone", "nearby, close"),
    ("speed", "fast"): ("rapidly, quickly, fast, at a fast pace, at high speed, swiftly", "rapid, fast, quick"),
    ("speed", "slow"): ("slowly, at a slow pace, at a leisurely pace, unhurriedly, very slowly, at low speed", "slow, unhurried"),
    ("pitch", "high"): ("at a high pitch, in a high tone, shrilly, in a high register, with a high sound", "high pitched, shrill, high"),
    ("pitch", "low"): ("at a low pitch, in a low tone, deeply, in a low register, with a deep sound", "low pitched, deep, low"),
    ("span", "whole"): ("continuously, without stopping, the whole time, constantly, steadily, without a break, on and on", "continuous, steady, constant"),
    ("span", "part"): ("for a while, for a moment, briefly, for some time, for a short time, for a few seconds", "brief, short"),
    ("room", "hall"): ("in a large room, in an echoing hall, indoors, inside a big hall, with a strong echo, with long reverberation, "
                       "in an empty hall, in a reverberant space, inside a large building", ""),
    ("room", "outdoors"): ("outdoors, outside, in the open air, out in the open, in the open, under the open sky", ""),
}
PAUSES = {"fast": ("in quick succession", "with hardly a pause", "one right after another"),
          "slow": ("with long pauses", "at long intervals", "now and then")}
TIMES = {1: ("once", "a single time", "one time", "just once"), 2: ("twice", "two times", "two times in a row"),
         3: ("three times", "three times in a row"), 4: ("four times", "four times in a row"), 5: ("five times", "five times in a row")}
SEVERAL = ("several times", "repeatedly", "again and again", "over and over", "a few times")
NUMBER = {1: ("a single", "one"), 2: ("two", "a pair of"), 3: ("three",), 4: ("four",), 5: ("five",)}
MANY = ("several", "a few", "repeated", "a series of")


def split(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


SAID = {key: (split(adverbs), split(adjectives)) for key, (adverbs, adjectives) in SAID.items()}
