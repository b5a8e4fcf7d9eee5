"""The words for each sound class, as data.

who: subjects (a leading + marks a plural); does: verbs in their base form, with what follows them; name: noun phrases
for the sound itself; once: nouns for one unit ('singular/plural' where a regular plural will not do); by: where such a
unit comes from; done: passives, 'patient / participle'.
"""

from __future__ import annotations

from dataclasses import dataclass, fields


@dataclass(frozen=True)
class Entry:
    who: tuple[str, ...] = ()
    does: tuple[str, ...] = ()
    name: tuple[str, ...] = ()
    once: tuple[str, ...] = ()
    by: tuple[str, ...] = ()
    done: tuple[tuple[str, str], ...] = ()


TEXT = """
rain
  who: rain, +raindrops, the rain, a shower of rain
  does: fall, pour down, patter on a roof, come down, beat on the ground
  name: rainfall, the patter of rain, a downpour, falling rain, the hiss of rain
thunder
  who: thunder, a thunderstorm, the thunder
  does: rumble, roll, roar across the sky, crash, boom
  name: a rumble of thunder, a thunderclap, a clap of thunder, rolling thunder
  once: rumble, thunderclap, crash
  by: of thunder, from a storm
wind
  who: the wind, wind, a gust of wind, a strong breeze
  does: blow, howl, whistle around a house, moan, gust
  name: howling wind, the howl of the wind, gusts of wind, gusty wind
waves
  who: +waves, +ocean waves, the sea, the surf
  does: roll onto a beach, break on the shore, wash ashore, surge
  name: the surf, breaking waves, the wash of the sea, ocean surf
stream
  who: a stream, a brook, water, a small creek
  does: gurgle, bubble, flow over stones, babble along, trickle past
  name: the gurgling of water, a bubbling brook, running water, flowing water
drip
  who: water, a tap, a leaky faucet, +water drops
  does: drip, drip into a sink, drop into a bucket, leak
  name: dripping water, the drip of a tap, water drops, drops of water
fire
  who: a fire, a campfire, +flames, burning wood
  does: crackle, burn, pop and crackle, snap
  name: a crackling fire, the crackle of flames, the crackling of burning wood, a wood fire
dog
  who: a dog, a hound, a puppy, some dog
  does: bark, woof, yap, bark at someone
  name: dog barking, a barking dog, the barks of a dog
  once: bark, woof, yelp
  by: of a dog, from a dog, from a hound
cat
  who: a cat, a kitten, a house cat
  does: meow, mew, cry for food, miaow
  name: a meowing cat, cat cries, the mewing of a cat
  once: meow, mew
  by: of a cat, from a kitten, from a cat
birds
  who: +birds, +small birds, +several birds, +songbirds
  does: chirp, tweet, sing, twitter
  name: bird song, the chirping of birds, chirping birds, the twitter of birds
cow
  who: a cow, a bull, +cattle
  does: moo, low, bellow, moo in a field
  name: a mooing cow, the mooing of a cow, cattle lowing
  once: moo, bellow
  by: of a cow, from a cow
rooster
  who: a rooster, a cock, a cockerel
  does: crow, crow at dawn, cry cock a doodle doo
  name: a crowing rooster, the crow of a rooster, a cock crow
  once: crow, cry
  by: of a rooster, from a cock
sheep
  who: a sheep, a goat, a lamb
  does: bleat, baa, bleat in a meadow
  name: a bleating sheep, the bleating of a lamb, goat cries
  once: bleat, baa
  by: of a sheep, from a goat, from a lamb
crickets
  who: +crickets, +insects, +cicadas, +some crickets
  does: chirr, stridulate, buzz in the grass, trill at night
  name: the chirring of crickets, cricket song, the trill of insects, a chorus of crickets
frog
  who: a frog, a toad, a bullfrog
  does: croak, croak by a pond, ribbit, call from the water
  name: a croaking frog, frog calls, the croaking of a toad
  once: croak, ribbit
  by: of a frog, from a toad
owl
  who: an owl, a night owl, an owl in the woods
  does: hoot, call softly into the night, hoot from a tree
  name: a hooting owl, the hooting of an owl, an owl call
  once: hoot, hoot call
  by: of an owl, from an owl
horse
  who: a horse, a pony, +hooves, a horse and rider
  does: gallop, trot along a road, clop on the pavement, clatter past
  name: a galloping horse, the clip clop of hooves, hoof beats, the clatter of hooves
bee
  who: a bee, a fly, an insect, a bumblebee
  does: buzz, buzz around, hum past, drone around a flower
  name: the buzz of a bee, a buzzing fly, the buzzing of an insect, a buzzing bee
footsteps
  who: someone, a person, a man in boots, somebody
  does: walk, walk across a floor, step along a corridor, stroll by
  name: footsteps, the steps of a person, footfalls, walking steps
applause
  who: an audience, +people, +spectators, a group of people
  does: clap, applaud, clap their hands, give applause
  name: applause, clapping hands, the applause of an audience, a round of applause
speech
  who: a person, someone, a speaker, an adult
  does: speak, talk, give a speech, say something
  name: speech, a talking voice, a speaking voice, the voice of a speaker
laughter
  who: someone, a person, somebody
  does: laugh, giggle, chuckle, burst out laughing
  name: laughter, a laughing person, giggling, the laughter of someone
  once: laugh, giggle, chuckle
  by: of a person, from someone
baby
  who: a baby, an infant, a newborn, a small child
  does: cry, wail, bawl, scream and cry
  name: a crying baby, the crying of an infant, baby cries
  once: wail, sob
  by: of a baby, from an infant
cough
  who: someone, a person, a sick man, a patient
  does: cough, clear the throat, hack
  name: coughing, a coughing person, the coughing of someone
  once: cough, hack
  by: of a person, from a sick man
snore
  who: a sleeper, someone asleep, a sleeping man
  does: snore, snore in bed, breathe with a snore
  name: snoring, a snoring sleeper, the snoring of a man
  once: snore, snoring breath
  by: of a sleeper, from someone asleep
whistle
  who: someone, a person, a whistler, a man
  does: whistle, whistle a tune, whistle a melody
  name: a whistled tune, human whistling, a whistled melody, the whistling of a tune
crowd
  who: a crowd, +many people, a room full of people, +guests
  does: babble, chatter, murmur, talk all at once
  name: crowd chatter, the babble of voices, a murmuring crowd, many voices
piano
  who: a piano, a pianist, someone at a piano
  does: play, play notes, play a piano melody
  name: piano music, piano notes, a piano melody, a tune on the piano
  done: a piano / played, piano keys / struck
guitar
  who: a guitarist, someone with a guitar, a guitar player
  does: strum, strum chords, play chords, play the guitar
  name: guitar music, guitar chords, strummed chords, the strumming of a guitar
  done: a guitar / strummed, guitar strings / strummed
drums
  who: a drummer, someone on drums, a drum kit
  does: play, drum, play a beat, play a rhythm
  name: drumming, a drum beat, a drum rhythm, the beat of drums
  done: drums / played, a drum kit / played
flute
  who: a flute, a flutist, a flute player
  does: play, play a tune, play long notes, play a gentle melody
  name: flute music, a flute melody, the notes of a flute, a tune on a flute
  done: a flute / played
engine
  who: an engine, a motor, a car engine, a diesel truck
  does: idle, run, chug, putter
  name: an idling engine, the chugging of an engine, engine noise, a running motor
car
  who: a car, a vehicle, an automobile, a passing car
  does: drive by, pass by, rush past, speed past
  name: a passing car, traffic passing, a car drive past
  once: swoosh, drive by
  by: of a car, from a vehicle
train
  who: a train, a railway train, a freight train, +train wheels
  does: clatter over the rails, rattle along the tracks, roll by, clack past
  name: a rolling train, the clatter of a train, train wheels on the track, railway noise
helicopter
  who: a helicopter, a chopper, +rotor blades
  does: hover, fly overhead, whir, chop the air
  name: a hovering helicopter, helicopter rotors, the chop of rotor blades, a helicopter in flight
vacuum
  who: a vacuum cleaner, a hoover, someone with a vacuum cleaner
  does: hum, run, suck up dust, clean a carpet
  name: the hum of a vacuum cleaner, a running vacuum cleaner, hoovering, vacuum cleaner noise
  done: a carpet / vacuumed, a floor / vacuumed
drill
  who: a drill, a power drill, an electric drill, a worker with a drill
  does: whine, drill into a wall, bore a hole, screech
  name: drilling, the whine of a drill, a whining power drill, power drill noise
  done: a hole / drilled, a wall / drilled
motorcycle
  who: a motorcycle, a motorbike, a biker
  does: rev, rev up, roar, accelerate again and again
  name: a revving motorcycle, the roar of a motorbike, motorcycle revs, revving
  done: a motorcycle / revved, a motorbike / revved up
clock
  who: a clock, a wall clock, a watch
  does: tick, tick away, tick on a wall
  name: the ticking of a clock, a ticking clock, clock ticks, a ticking watch
typing
  who: someone, a typist, a person at a computer, an office worker
  does: type, type on a keyboard, tap keys, write on a computer
  name: typing, keyboard clicks, typing on a keyboard, the clacking of a keyboard
  done: a text / typed, a keyboard / used
siren
  who: a siren, an ambulance, a police car, an emergency vehicle
  does: wail, sound its siren, blare, wail up and down
  name: a wailing siren, an emergency siren, the wail of a siren, a police siren
  done: a siren / sounded
horn
  who: a car horn, a driver, a car, an angry driver
  does: honk, beep, toot, honk the horn
  name: honking, a honking horn, the honking of a car
  once: honk, toot, beep
  by: of a car horn, from a car
  done: a horn / honked, a car horn / pressed
phone
  who: a telephone, a phone, an old telephone
  does: ring, ring on a desk, jingle
  name: a ringing telephone, the ringing of a phone, telephone ringing
  once: ring, phone ring/phone rings
  by: of a telephone, from an old phone
beeper
  who: an alarm clock, an alarm, a smoke detector, a timer
  does: beep, go off, sound beeps, bleep
  name: a beeping alarm, the beeping of a timer, alarm beeps, electronic beeping
bell
  who: a church bell, a bell, a bell in a tower
  does: toll, ring, chime, peal
  name: a tolling bell, the tolling of a church bell, bell chimes
  once: toll, chime, peal
  by: of a church bell, from a bell tower
  done: a church bell / rung, a bell / struck
hammer
  who: someone, a carpenter, a hammer, a worker
  does: hammer, hammer a nail, pound on a nail, strike metal
  name: hammering, hammer strikes, the blows of a hammer
  once: hammer blow, clang, hammer strike
  by: on a nail, on metal
  done: a nail / hammered, a nail / driven into wood, metal / hammered
saw
  who: someone, a carpenter, a hand saw, a man
  does: saw, saw wood, cut a board, saw through a plank
  name: sawing, the sawing of wood, hand saw strokes, wood cutting
  done: wood / sawed, a board / cut, a plank / sawed
glass
  who: glass, a window, a bottle, a pane of glass
  does: shatter, break, smash, fall and break into pieces
  name: breaking glass, the smashing of glass, shattering glass
  once: crash, smash
  by: of glass, of a window
  done: a window / smashed, a glass / broken, a bottle / smashed
knock
  who: someone, a visitor, a person, somebody
  does: knock, knock on a door, rap on wood, tap on a door
  name: knocking, the knocking on a door, door knocks
  once: knock, rap, tap
  by: on a door, on wood
  done: a door / knocked on
door
  who: a door, a heavy door, someone, a wooden door
  does: slam, bang shut, shut a door, slam shut
  name: a slamming door, the slam of a door, door slamming
  once: bang, slam, thud
  by: of a door, from a heavy door
  done: a door / slammed, a door / shut
creak
  who: a hinge, an old gate, a rusty hinge, an old door
  does: creak, squeak, creak open, groan on its hinges
  name: a creaking hinge, the creaking of an old gate, a creaky gate
  once: creak, squeak
  by: of an old door, from a rusty hinge
  done: an old gate / opened, a creaky gate / moved
keys
  who: +keys, a bunch of keys, +coins, a key ring
  does: jingle, jangle, rattle, clink together
  name: jingling keys, the jingle of keys, the rattle of coins, a jangling bunch of keys
  done: a bunch of keys / shaken, keys / shaken
"""


def split(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _read(text: str) -> dict[str, Entry]:
    """A class on each line that starts at the margin, its fields indented below."""
    entries: dict[str, dict] = {}
    for line in filter(str.strip, text.splitlines()):
        if not line.startswith(" "):
            entry = entries.setdefault(line.strip(), {})
            continue
        key, _, words = line.strip().partition(": ")
        assert key in {f.name for f in fields(Entry)}, line
        entry[key] = split(words)
    for entry in entries.values():
        entry["done"] = tuple(tuple(part.split(" / ")) for part in entry.get("done", ()))
    return {name: Entry(**entry) for name, entry in entries.items()}


WORDS = _read(TEXT)
