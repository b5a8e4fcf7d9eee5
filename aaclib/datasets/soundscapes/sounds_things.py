"""Machines, alarms, tools and impacts."""

import numpy as np  # noqa: I001 - one line a name would be a page of names

from aaclib.datasets.soundscapes.sounds import flow, unit
from aaclib.datasets.soundscapes.synth import RATE, curve, decay, grains, hump, place, pulses, rolloff, samples
from aaclib.datasets.soundscapes.synth import band, formants, high, low, phase, sine, tone, wander, white

# ---- machines ------------------------------------------------------------------------------------------------------


@flow(speed=True, behind=True)
def engine(rng, n, pitch, speed):
    """A car idling: firing pulses, some 22 a second, through a low resonance."""
    fire = pulses(rng, n, 22 * speed, 0.04, 0.2)
    return 4 * formants(fire, [(75, 2, 1.5), (160, 2, 1), (420, 2, 0.5)]) + 0.02 * low(white(rng, n), 600)


@unit(2.6, counts=(1,), speed=False)
def car(rng, pitch):
    """A car that passes: tyre noise that swells and dies, brighter and a little higher on its way here."""
    n = samples(2.7)
    noise = white(rng, n)
    near = np.exp(-np.square(np.linspace(-2.3, 2.3, n)))
    hum = tone(95 * curve(n, [(0, 1.12), (0.42, 1.1), (0.58, 0.92), (1, 0.9)]), n, rolloff(10, 0.8))
    return near * low(noise, 900) + near**2.5 * high(low(noise, 4500), 800) + 0.5 * near * hum


@flow(speed=True, behind=True)
def train(rng, n, pitch, speed):
    """Wheels over rail joints: clickety-clack in pairs, over a rumble."""
    out, step, m = np.zeros(n), 0.62 / speed, samples(0.1)
    for at in np.arange(0.02, n / RATE, step):
        for lag, gain in ((0, 1), (0.13, 0.8)):
            clack = formants(white(rng, m), [(330, 2.5, 1.2), (1250, 3, 1)]) * decay(m, 0.13)
            place(out, clack, at + lag, gain * rng.uniform(0.85, 1))
    return out + 0.32 * low(white(rng, n), 170) * wander(rng, n, 3, 0.8, 1.2) + 0.05 * band(white(rng, n), 2400, 1)


@flow(speed=True, behind=True)
def helicopter(rng, n, pitch, speed):
    t = np.arange(n) / RATE
    chop = np.clip(np.sin(2 * np.pi * (11.5 * speed) * t), 0, 1) ** 3
    noise, turbine = white(rng, n), tone(172, n, rolloff(8, 0.6))
    return (0.12 + chop) * (low(noise, 240) * 1.5 + 0.35 * band(noise, 1000, 0.8)) + 0.05 * turbine


@flow(pitch=True, behind=True)
def vacuum(rng, n, pitch, speed):
    """A motor's whine inside broad, steady air noise."""
    start = curve(n, [(0, 0.8), (min(0.35 * RATE / n, 0.9), 1), (1, 1)])
    air = band(white(rng, n), 1500, 0.35)
    return air + 0.35 * tone(330 * pitch * start, n, (1.0, 0.2, 0.6, 0.1, 0.5)) + 0.2 * sine(2900 * pitch * start, n)


@flow(pitch=True)
def drill(rng, n, pitch, speed):
    """A power drill: a piercing buzz with rough edges, falling under load."""
    load = low(wander(rng, n, 1.6, 0.82, 1.08), 6)
    f = 640 * pitch * load * curve(n, [(0, 0.5), (min(0.3 * RATE / n, 0.5), 1), (1, 1)])
    rough = 1 + 0.5 * np.sin(2 * np.pi * 46 * np.arange(n) / RATE)
    return high(tone(f, n, rolloff(11, 0.25)), 700) * rough + 0.15 * high(white(rng, n), 3500)


@flow(behind=True)
def motorcycle(rng, n, pitch, speed):
    """Revving: the rate of its bursts climbs and falls again and again."""
    t = np.arange(n) / RATE
    rev = np.abs(((t / rng.uniform(1.0, 1.3) + rng.uniform()) % 1) - 0.35)
    f = 62 + 130 * np.clip(1 - rev / 0.4, 0, 1)
    roar = formants(tone(f, n, rolloff(20, 0.2)), [(160, 1, 1.2), (560, 1.2, 1), (1400, 1.5, 0.5)])
    return low(roar, 2500) * (0.4 + f / 200)


@flow(speed=True, behind=True)
def clock(rng, n, pitch, speed):
    """Tick, tock: tiny dry clicks, high and a little less high."""
    out, step, m = np.zeros(n), 0.42 / speed, samples(0.025)
    for k, at in enumerate(np.arange(0.02, n / RATE, step)):
        click = formants(white(rng, m), [((4300, 3300)[k % 2], 5, 1), (6800, 4, 0.6)]) * decay(m, 0.02, 0.0005)
        place(out, click, at, (1, 0.8)[k % 2])
    return out


@flow(speed=True, behind=True)
def typing(rng, n, pitch, speed):
    """Keys: irregular soft clacks with a thump below, in bursts."""
    out, m, at = np.zeros(n), samples(0.045), 0.02
    while at < n / RATE:
        key = band(white(rng, m), rng.uniform(2200, 2900), 1.5) + 0.7 * band(white(rng, m), 420, 2)
        place(out, key * decay(m, 0.05, 0.001), at, rng.uniform(0.45, 1))
        at += (0.4 if rng.uniform() < 0.08 else rng.uniform(0.07, 0.16)) / speed
    return out


# ---- alarms --------------------------------------------------------------------------------------------------------


@flow(pitch=True, speed=True, behind=True)
def siren(rng, n, pitch, speed):
    """A wail: a full tone that glides up and down over more than an octave."""
    t = np.arange(n) / RATE
    glide = 0.5 - 0.5 * np.cos(2 * np.pi * (t * 0.62 * speed + rng.uniform()))
    return tone(620 * pitch * 2 ** (1.25 * glide), n, (1.0, 0.25, 0.4, 0.1, 0.15))


@unit(0.6, counts=(1, 2, 3, 4), pitch=True)
def horn(rng, pitch):
    """A car's horn: two brassy notes a third apart, flat in pitch and level."""
    n = samples(rng.uniform(0.5, 0.6))
    brass = rolloff(16, 0.3)
    return low(tone(400 * pitch, n, brass) + tone(504 * pitch, n, brass), 3800) * hump(n, 0.04, 0.08)


@unit(0.85, counts=(1, 2, 3), pitch=True)
def phone(rng, pitch):
    """An old telephone: two bells struck by turns, twenty times a second."""
    n = samples(0.85)
    t = np.arange(n) / RATE
    turn = (t * 21) % 1 < 0.5
    stroke = np.exp(-((t * 42) % 1) * 1.2)
    left = sine(1450 * pitch, n) + 0.6 * sine(3720 * pitch, n)
    right = sine(1830 * pitch, n) + 0.6 * sine(4510 * pitch, n)
    return np.where(turn, left, right) * stroke * curve(n, [(0, 1), (0.75, 1), (0.8, 0.5), (1, 0)])


@flow(pitch=True, speed=True)
def beeper(rng, n, pitch, speed):
    """An alarm clock or smoke alarm: equal beeps of one note, equal silences."""
    t = np.arange(n) / RATE
    gate = ((t * 3.1 * speed) % 1 < 0.5).astype(float)
    return tone(2450 * pitch, n, (1.0, 0.1, 0.25)) * low(gate, 150)


@unit(1.5, counts=(1, 2, 3), pitch=True)
def bell(rng, pitch):
    """A church bell: partials that no harmonic tone has, the high ones dying first, a long hum."""
    n = samples(1.8)
    f = 420 * pitch
    partials = (
        (0.5, 2.6, 0.8),
        (1.0, 2.2, 1),
        (1.2, 1.8, 0.7),
        (1.5, 1.3, 0.5),
        (2.0, 1.2, 0.8),
        (2.67, 0.8, 0.5),
        (4.1, 0.5, 0.4),
    )  # ratio to f, decay, amplitude
    return sum(g * sine(f * r, n) * decay(n, 1.4 * d, 0.001) for r, d, g in partials)


# ---- tools and impacts ---------------------------------------------------------------------------------------------


@unit(0.3, counts=(1, 2, 3, 4, 5))
def hammer(rng, pitch):
    """Steel on a nail: a thud with a ring of metal above it."""
    n = samples(0.4)
    f = rng.uniform(2850, 3100)
    partials = (1, 0.45, 1), (1.71, 0.3, 0.8), (2.31, 0.2, 0.6)
    ring = sum(g * sine(f * r, n) * decay(n, d, 0.0005) for r, d, g in partials)
    return 0.6 * ring + 1.2 * high(low(white(rng, n), 900), 150) * decay(n, 0.06, 0.0005)


@flow(speed=True)
def saw(rng, n, pitch, speed):
    """Strokes of a hand saw through wood: forth, rough and rising; back, duller."""
    t = np.arange(n) / RATE * 1.75 * speed
    stroke, forth = np.sin(np.pi * (t % 1)) ** 0.7, (t.astype(int) % 2 == 0)
    teeth = 1 + 0.8 * np.sin(2 * np.pi * 88 * np.arange(n) / RATE)
    noise = white(rng, n)
    return stroke * teeth * np.where(forth, band(noise, 2300, 1.6), 0.8 * band(noise, 1000, 1.6))


@unit(1.0, counts=(1, 2), speed=False)
def glass(rng, pitch):
    """A crash, then splinters that fall."""
    n, m = samples(1.0), samples(0.12)
    out = high(white(rng, n), 2200) * decay(n, 0.35, 0.001)
    for at in rng.exponential(0.25, 26):
        splinter = sine(rng.uniform(3000, 7400), m) * decay(m, rng.uniform(0.06, 0.2), 0.0005)
        place(out, splinter, at + 0.03, rng.uniform(0.3, 1.3))
    return out


@unit(0.13, counts=(2, 3, 4, 5))
def knock(rng, pitch):
    """Knuckles on a wooden door: hollow, no ring."""
    n = samples(0.14)
    f = rng.uniform(290, 340)
    wood = (sine(f, n) + 0.6 * sine(2.1 * f, n)) * decay(n, 0.11, 0.001)
    return wood + 0.5 * band(white(rng, n), 900, 1) * decay(n, 0.04, 0.001)


@unit(0.6, counts=(1, 2), speed=False)
def door(rng, pitch):
    """A door slams: latch, then a deep blow that shakes the wall."""
    n, m = samples(0.6), samples(0.04)
    out = np.zeros(n)
    place(out, band(white(rng, m), 2600, 1.5) * decay(m, 0.05), 0, 0.4)
    blow = 3.2 * low(white(rng, n), 130) + 0.9 * low(white(rng, n), 1500) * decay(n, 0.12)
    place(out, blow * decay(n, 0.5, 0.001), 0.07)
    return out


@unit(1.1, counts=(1, 2), pitch=True, speed=False)
def creak(rng, pitch):
    """A hinge: stick and slip, slow enough at its ends to hear single clicks."""
    n = samples(1.15)
    rate = curve(n, [(0, 26), (0.35, 95), (0.65, 120), (1, 30)]) * wander(rng, n, 9, 0.85, 1.15)
    slips = np.diff(np.floor(phase(rate, n)), prepend=0)
    return formants(slips, [(950 * pitch, 8, 1), (1900 * pitch, 9, 0.9), (3050 * pitch, 9, 0.5)]) * hump(n, 0.15, 0.2)


@flow()
def keys(rng, n, pitch, speed):
    """A bunch of keys: thin metal ringing high up, shaken in short bursts."""
    shake = np.clip(wander(rng, n, 5, -0.4, 1), 0, 1)
    hits = grains(rng, n, 42, 0.5) * shake
    return formants(hits, [(4900, 14, 1), (5900, 18, 1), (6900, 18, 0.9), (7400, 14, 0.6)])
