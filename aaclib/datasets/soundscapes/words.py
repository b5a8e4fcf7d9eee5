"""The words for each sound class, as data.

A class stands before its subjects (a leading + marks a plural). does: verbs in their base form, with what follows them;
name: noun phrases for the sound itself; once: nouns for one unit ('singular/plural' where a regular plural will not do)
/ where such a unit comes from; done: passives, 'patient / participle'.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Entry:
    who: tuple[str, ...]
    does: tuple[str, ...]
    name: tuple[str, ...]
    once: tuple[str, ...] = ()
    by: tuple[str, ...] = ()
    done: tuple[tuple[str, str], ...] = ()


TEXT = """
rain: rain, +raindrops, the rain, a shower of rain
  does: fall, pour down, patter on a roof, come down, beat on the ground
  name: rainfall, the patter of rain, a downpour, falling rain, the hiss of rain
thunder: thunder, a thunderstorm, the thunder
  does: rumble, roll, roar across the sky, crash, boom
  name: a rumble of thunder, a thunderclap, a clap of thunder, rolling thunder
  once: rumble, thunderclap, crash / of thunder, from a storm
wind: the wind, wind, a gust of wind, a strong breeze
  does: blow, howl, whistle around a house, moan, gust
  name: howling wind, the howl of the wind, gusts of wind, gusty wind
waves: +waves, +ocean waves, the sea, the surf
  does: roll onto a beach, break on the shore, wash ashore, surge
  name: the surf, breaking waves, the wash of the sea, ocean surf
stream: a stream, a brook, water, a small creek
  does: gurgle, bubble, flow over stones, babble along, trickle past
  name: the gurgling of water, a bubbling brook, running water, flowing water
drip: water, a tap, a leaky faucet, +water drops
  does: drip, drip into a sink, drop into a bucket, leak
  name: dripping water, the drip of a tap, water drops, drops of water
fire: a fire, a campfire, +flames, burning wood
  does: crackle, burn, pop and crackle, snap
  name: a crackling fire, the crackle of flames, the crackling of burning wood, a wood fire
dog: a dog, a hound, a puppy, some dog
  does: bark, woof, yap, bark at someone
  name: dog barking, a barking dog, the barks of a dog
  once: bark, woof, yelp / of a dog, from a dog, from a hound
cat: a cat, a kitten, a house cat
  does: meow, mew, cry for food, miaow
  name: a meowing cat, cat cries, the mewing of a cat
  once: meow, mew / of a cat, from a kitten, from a cat
birds: +birds, +small birds, +several birds, +songbirds
  does: chirp, tweet, sing, twitter
  name: bird song, the chirping of birds, chirping birds, the twitter of birds
cow: a cow, a bull, +cattle
  does: moo, low, bellow, moo in a field
  name: a mooing cow, the mooing of a cow, cattle lowing
  once: moo, bellow / of a cow, from a cow
rooster: a rooster, a cock, a cockerel
  does: crow, crow at dawn, cry cock a doodle doo
  name: a crowing rooster, the crow of a rooster, a cock crow
  once: crow, cry / of a rooster, from a cock
sheep: a sheep, a goat, a lamb
  does: bleat, baa, bleat in a meadow
  name: a bleating sheep, the bleating of a lamb, goat cries
  once: bleat, baa / of a sheep, from a goat, from a lamb
crickets: +crickets, +insects, +cicadas, +some crickets
  does: chirr, stridulate, buzz in the grass, trill at night
  name: the chirring of crickets, cricket song, the trill of insects, a chorus of crickets
frog: a frog, a toad, a bullfrog
  does: croak, croak by a pond, ribbit, call from the water
  name: a croaking frog, frog calls, the croaking of a toad
  once: croak, ribbit / of a frog, from a toad
owl: an owl, a night owl, an owl in the woods
  does: hoot, call softly into the night, hoot from a tree
  name: a hooting owl, the hooting of an owl, an owl call
  once: hoot, hoot call / of an owl, from an owl
horse: a horse, a pony, +hooves, a horse and rider
  does: gallop, trot along a road, clop on the pavement, clatter past
  name: a galloping horse, the clip clop of hooves, hoof beats, the clatter of hooves
bee: a bee, a fly, an insect, a bumblebee
  does: buzz, buzz around, hum past, drone around a flower
  name: the buzz of a bee, a buzzing fly, the buzzing of an insect, a buzzing bee
footsteps: someone, a person, a man in boots, somebody
  does: walk, walk across a floor, step along a corridor, stroll by
  name: footsteps, the steps of a person, footfalls, walking steps
applause: an audience, +people, +spectators, a group of people
  does: clap, applaud, clap their hands, give applause
  name: applause, clapping hands, the applause of an audience, a round of applause
speech: a person, someone, a speaker, an adult
  does: speak, talk, give a speech, say something
  name: speech, a talking voice, a speaking voice, the voice of a speaker
laughter: someone, a person, somebody
  does: laugh, giggle, chuckle, burst out laughing
  name: laughter, a laughing person, giggling, the laughter of someone
  once: laugh, giggle, chuckle / of a person, from someone
baby: a baby, an infant, a newborn, a small child
  does: cry, wail, bawl, scream and cry
  name: a crying baby, the crying of an infant, baby cries
  once: wail, sob / of a baby, from an infant
cough: someone, a person, a sick man, a patient
  does: cough, clear the throat, hack
  name: coughing, a coughing person, the coughing of someone
  once: cough, hack / of a person, from a sick man
snore: a sleeper, someone asleep, a sleeping man
  does: snore, snore in bed, breathe with a snore
  name: snoring, a snoring sleeper, the snoring of a man
  once: snore, snoring breath / of a sleeper, from someone asleep
whistle: someone, a person, a whistler, a man
  does: whistle, whistle a tune, whistle a melody
  name: a whistled tune, human whistling, a whistled melody, the whistling of a tune
crowd: a crowd, +many people, a room full of people, +guests
  does: babble, chatter, murmur, talk all at once
  name: crowd chatter, the babble of voices, a murmuring crowd, many voices
piano: a piano, a pianist, someone at a piano
  does: play, play notes, play a piano melody
  name: piano music, piano notes, a piano melody, a tune on the piano
  done: a piano / played, piano keys / struck
guitar: a guitarist, someone with a guitar, a guitar player
  does: strum, strum chords, play chords, play the guitar
  name: guitar music, guitar chords, strummed chords, the strumming of a guitar
  done: a guitar / strummed, guitar strings / strummed
drums: a drummer, someone on drums, a drum kit
  does: play, drum, play a beat, play a rhythm
  name: drumming, a drum beat, a drum rhythm, the beat of drums
  done: drums / played, a drum kit / played
flute: a flute, a flutist, a flute player
  does: play, play a tune, play long notes, play a gentle melody
  name: flute music, a flute melody, the notes of a flute, a tune on a flute
  done: a flute / played
engine: an engine, a motor, a car engine, a diesel truck
  does: idle, run, chug, putter
  name: an idling engine, the chugging of an engine, engine noise, a running motor
car: a car, a vehicle, an automobile, a passing car
  does: drive by, pass by, rush past, speed past
  name: a passing car, traffic passing, a car drive past
  once: swoosh, drive by / of a car, from a vehicle
train: a train, a railway train, a freight train, +train wheels
  does: clatter over the rails, rattle along the tracks, roll by, clack past
  name: a rolling train, the clatter of a train, train wheels on the track, railway noise
helicopter: a helicopter, a chopper, +rotor blades
  does: hover, fly overhead, whir, chop the air
  name: a hovering helicopter, helicopter rotors, the chop of rotor blades, a helicopter in flight
vacuum: a vacuum cleaner, a hoover, someone with a vacuum cleaner
  does: hum, run, suck up dust, clean a carpet
  name: the hum of a vacuum cleaner, a running vacuum cleaner, hoovering, vacuum cleaner noise
  done: a carpet / vacuumed, a floor / vacuumed
drill: a drill, a power drill, an electric drill, a worker with a drill
  does: whine, drill into a wall, bore a hole, screech
  name: drilling, the whine of a drill, a whining power drill, power drill noise
  done: a hole / drilled, a wall / drilled
motorcycle: a motorcycle, a motorbike, a biker
  does: rev, rev up, roar, accelerate again and again
  name: a revving motorcycle, the roar of a motorbike, motorcycle revs, revving
  done: a motorcycle / revved, a motorbike / revved up
clock: a clock, a wall clock, a watch
  does: tick, tick away, tick on a wall
  name: the ticking of a clock, a ticking clock, clock ticks, a ticking watch
typing: someone, a typist, a person at a computer, an office worker
  does: type, type on a keyboard, tap keys, write on a computer
  name: typing, keyboard clicks, typing on a keyboard, the clacking of a keyboard
  done: a text / typed, a keyboard / used
siren: a siren, an ambulance, a police car, an emergency vehicle
  does: wail, sound its siren, blare, wail up and down
  name: a wailing siren, an emergency siren, the wail of a siren, a police siren
  done: a siren / sounded
horn: a car horn, a driver, a car, an angry driver
  does: honk, beep, toot, honk the horn
  name: honking, a honking horn, the honking of a car
  once: honk, toot, beep / of a car horn, from a car
  done: a horn / honked, a car horn / pressed
phone: a telephone, a phone, an old telephone
  does: ring, ring on a desk, jingle
  name: a ringing telephone, the ringing of a phone, telephone ringing
  once: ring, phone ring/phone rings / of a telephone, from an old phone
beeper: an alarm clock, an alarm, a smoke detector, a timer
  does: beep, go off, sound beeps, bleep
  name: a beeping alarm, the beeping of a timer, alarm beeps, electronic beeping
bell: a church bell, a bell, a bell in a tower
  does: toll, ring, chime, peal
  name: a tolling bell, the tolling of a church bell, bell chimes
  once: toll, chime, peal / of a church bell, from a bell tower
  done: a church bell / rung, a bell / struck
hammer: someone, a carpenter, a hammer, a worker
  does: hammer, hammer a nail, pound on a nail, strike metal
  name: hammering, hammer strikes, the blows of a hammer
  once: hammer blow, clang, hammer strike / on a nail, on metal
  done: a nail / hammered, a nail / driven into wood, metal / hammered
saw: someone, a carpenter, a hand saw, a man
  does: saw, saw wood, cut a board, saw through a plank
  name: sawing, the sawing of wood, hand saw strokes, wood cutting
  done: wood / sawed, a board / cut, a plank / sawed
glass: glass, a window, a bottle, a pane of glass
  does: shatter, break, smash, fall and break into pieces
  name: breaking glass, the smashing of glass, shattering glass
  once: crash, smash / of glass, of a window
  done: a window / smashed, a glass / broken, a bottle / smashed
knock: someone, a visitor, a person, somebody
  does: knock, knock on a door, rap on wood, tap on a door
  name: knocking, the knocking on a door, door knocks
  once: knock, rap, tap / on a door, on wood
  done: a door / knocked on
door: a door, a heavy door, someone, a wooden door
  does: slam, bang shut, shut a door, slam shut
  name: a slamming door, the slam of a door, door slamming
  once: bang, slam, thud / of a door, from a heavy door
  done: a door / slammed, a door / shut
creak: a hinge, an old gate, a rusty hinge, an old door
  does: creak, squeak, creak open, groan on its hinges
  name: a creaking hinge, the creaking of an old gate, a creaky gate
  once: creak, squeak / of an old door, from a rusty hinge
  done: an old gate / opened, a creaky gate / moved
keys: +keys, a bunch of keys, +coins, a key ring
  does: jingle, jangle, rattle, clink together
  name: jingling keys, the jingle of keys, the rattle of coins, a jangling bunch of keys
  done: a bunch of keys / shaken, keys / shaken
"""


def split(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _read(text: str) -> dict[str, Entry]:
    """A class and its subjects on each line that starts at the margin, its other fields indented below."""
    entries: dict[str, dict[str, Any]] = {}
    for line in text.strip().splitlines():
        key, _, words = line.strip().partition(": ")
        entry: dict[str, Any]
        if not line.startswith(" "):
            entry = entries[key] = {"who": split(words)}
        elif key == "once":
            units, _, sources = words.partition(" / ")
            entry |= {"once": split(units), "by": split(sources)}
        elif key == "done":
            entry["done"] = tuple(tuple(part.split(" / ")) for part in split(words))
        else:
            entry[key] = split(words)
    return {name: Entry(**entry) for name, entry in entries.items()}


WORDS = _read(TEXT)
