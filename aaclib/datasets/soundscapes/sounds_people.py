"""People, and music."""

import numpy as np  # noqa: I001 - one line a name would be a page of names

from aaclib.datasets.soundscapes.sounds import flow, unit
from aaclib.datasets.soundscapes.synth import RATE, curve, decay, grains, hump, place, rolloff, samples
from aaclib.datasets.soundscapes.synth import band, formants, high, low, sine, tone, wander, white

VOWELS = (((730, 5, 1.0), (1150, 6, 0.7)), ((300, 4, 1.0), (2300, 5, 0.6)), ((450, 4, 1.0), (850, 6, 0.7)))  # a i o
BUZZ = rolloff(26, 0.8)


@flow(speed=True)
def footsteps(rng, n, pitch, speed):
    """Heel, then sole, on a firm floor."""
    out, step, m = np.zeros(n), 0.5 / speed, samples(0.12)
    for at in np.arange(0.04, n / RATE, step):
        heel = low(band(white(rng, m), 190, 1.5) * decay(m, 0.12), 800) * 1.4
        sole = band(white(rng, m), 1900, 0.9) * decay(m, 0.10, 0.02)
        place(out, heel + 0.3 * high(heel, 500), at, 1)
        place(out, sole, at + 0.07, rng.uniform(0.2, 0.35))
    return out


@flow(behind=True)
def applause(rng, n, pitch, speed):
    return formants(grains(rng, n, 130, 0.4), [(1100, 1.6, 1), (1700, 1.6, 0.9)]) * wander(rng, n, 2, 0.8, 1.1)


@flow(pitch=True)
def speech(rng, n, pitch, speed):
    """Syllables of three vowels with gliding pitch, hisses between some of them, a breath after some."""
    f0 = 160 * pitch * wander(rng, n, 3.5, 0.85, 1.2)
    buzz = tone(f0, n, BUZZ)
    step = samples(rng.uniform(0.19, 0.22))
    count = n // step + 1
    which = rng.integers(0, 3, count)
    spoken = rng.uniform(size=count) > 0.13
    shape = hump(step, 0.2, 0.35)
    out = np.zeros(n)
    for v, peaks in enumerate(VOWELS):
        mask = np.concatenate([shape * (which[i] == v) * spoken[i] for i in range(count)])[:n]
        out += formants(buzz, peaks) * mask
    hiss = np.concatenate([curve(step, [(0, 1), (0.25, 0), (1, 0)]) * (rng.uniform() < 0.35) for _ in range(count)])[:n]
    return out + 0.12 * high(white(rng, n), 3500) * hiss


@unit(1.1, counts=(1, 2), pitch=True, speed=False)
def laughter(rng, pitch):
    """Ha ha ha ha: breathy bursts, falling."""
    out, m = np.zeros(samples(1.15)), samples(0.12)
    for i in range(6):
        f = 270 * pitch * (1.1 - 0.06 * i) * curve(m, [(0, 1.12), (1, 0.9)])
        voice = formants(tone(f, m, BUZZ), [(850, 4, 1), (1450, 5, 0.8), (2800, 5, 0.4)])
        breath = 0.12 * high(white(rng, m), 1500)
        place(out, (voice + breath) * hump(m, 0.2, 0.5), 0.185 * i, 1 - 0.09 * i)
    return out


@unit(1.1, counts=(1, 2, 3), pitch=True, speed=False)
def baby(rng, pitch):
    n = samples(1.1)
    f = 470 * pitch * curve(n, [(0, 0.8), (0.2, 1.1), (0.7, 1.05), (1, 0.7)]) * wander(rng, n, 18, 0.985, 1.015)
    return formants(tone(f, n, rolloff(14, 0.3)), [(1150, 3, 1), (2900, 3, 1), (3900, 3, 0.6)]) * hump(n, 0.1, 0.25)


@unit(0.42, counts=(1, 2, 3, 4))
def cough(rng, pitch):
    n = samples(0.4)
    burst = formants(white(rng, n), [(600, 1.5, 1.2), (1300, 1.5, 1), (2600, 1.5, 0.7)])
    return burst * curve(n, [(0, 0), (0.03, 1), (0.22, 0.35), (0.35, 0.12), (0.42, 0.4), (0.7, 0.25), (1, 0)])


@unit(1.5, counts=(1, 2, 3), speed=False)
def snore(rng, pitch):
    """In: rough and rising, at some thirty flaps a second; out: a soft breath."""
    out, m, k = np.zeros(samples(1.5)), samples(0.85), samples(0.5)
    t = np.arange(m) / RATE
    flaps = np.clip(np.sin(2 * np.pi * rng.uniform(26, 32) * t), 0, 1) ** 2
    place(out, formants(white(rng, m), [(260, 2, 1.6), (620, 2, 0.8)]) * flaps * hump(m, 0.3, 0.2), 0)
    place(out, band(white(rng, k), 1500, 0.8) * hump(k, 0.3, 0.5), 0.98, 0.2)
    return out


@flow(pitch=True)
def whistle(rng, n, pitch, speed):
    """A tune: pure notes that glide into each other, a little vibrato."""
    t, count = np.arange(n) / RATE, int(n / RATE / 0.36) + 2
    notes = 1250 * pitch * 2 ** (rng.choice([0, 2, 4, 5, 7, 9], count) / 12)
    f = np.repeat(notes, samples(0.36))[:n]
    f = low(f - f[0], 9) + f[0]
    gate = 1 - 0.85 * ((t / 0.36) % 1 > 0.86)
    return sine(f * (1 + 0.008 * np.sin(2 * np.pi * 5.5 * t)), n) * low(gate, 40) + 0.01 * high(white(rng, n), 2000)


@flow(behind=True)
def crowd(rng, n, pitch, speed):
    """Babble: six voices through two sets of resonances that no single voice stands out of."""
    m = n // 2 + 1  # at half the rate, so all frequencies count twice
    halves = [np.zeros(m), np.zeros(m)]
    for i in range(6):
        f0 = 2 * rng.uniform(100, 240) * wander(rng, m, 6, 0.85, 1.2)
        halves[i % 2] += tone(f0, m, BUZZ) * wander(rng, m, 11, -0.3, 1).clip(0)
    murmur = formants(halves[0], [(1100, 2.5, 1), (3000, 3, 0.5)])
    murmur += formants(halves[1], [(800, 2.5, 1), (2000, 3, 0.6)])
    return low(np.repeat(murmur + 0.3 * band(white(rng, m), 1200, 0.7), 2)[:n], 3500)


# ---- music ---------------------------------------------------------------------------------------------------------

MAJOR = (0, 2, 4, 5, 7, 9, 11, 12)


@flow(speed=True, behind=True)
def piano(rng, n, pitch, speed):
    """Struck notes, one after another, with a bright onset that dies away."""
    out, step, root, m = np.zeros(n), 0.36 / speed, 262 * 2 ** (rng.integers(-3, 4) / 12), samples(1.1)
    for at in np.arange(0, n / RATE, step):
        f = root * 2 ** (rng.choice(MAJOR) / 12 + rng.integers(0, 2))
        body = tone(f, m, (1.0, 0.5, 0.35, 0.15, 0.1, 0.05)) * decay(m, 1.5)
        onset = 0.6 * tone(f * 1.0007, m, rolloff(9, 0.7)) * decay(m, 0.35)
        place(out, body + onset, at, rng.uniform(0.7, 1))
    return out


@flow(behind=True)
def guitar(rng, n, pitch, speed):
    """Strummed chords: six strings shortly after one another, rich in overtones."""
    out, root, m = np.zeros(n), 98 * 2 ** (rng.integers(-2, 3) / 12), samples(0.7)
    bright, dull, chords = decay(m, 0.5), decay(m, 1.2), []
    for interval in (0, 5, 7):
        chord = np.zeros(m + samples(0.08))
        for i, ratio in enumerate((1, 1.5, 2, 2.52, 3, 4)):
            f = root * 2 ** (interval / 12) * ratio
            string = tone(f, m, rolloff(16, 0.5)) * bright + tone(f, m, (1.0, 0.6)) * dull
            place(chord, string, 0.014 * i, rng.uniform(0.7, 1))
        chords.append(chord)
    for k, at in enumerate(np.arange(0, n / RATE, rng.uniform(0.5, 0.6))):
        place(out, chords[(0, 1, 2, 0)[k // 2 % 4]], at, rng.uniform(0.8, 1))
    return out


@flow(speed=True, behind=True)
def drums(rng, n, pitch, speed):
    """Kick, snare and hi-hat in a plain beat."""
    out, step, m, h = np.zeros(n), 0.24 / speed, samples(0.22), samples(0.06)
    kick = sine(curve(m, [(0, 150), (0.2, 65), (1, 45)]), m) * decay(m, 0.28)
    snare = 0.8 * band(white(rng, m), 1800, 0.5) * decay(m, 0.2) + 0.4 * sine(190, m) * decay(m, 0.15)
    hat = high(white(rng, h), 5500) * decay(h, 0.07)
    for k, at in enumerate(np.arange(0, n / RATE, step)):
        place(out, (kick, hat, snare, hat)[k % 4], at, (1.2, 0.4, 1, 0.4)[k % 4])
    return out


@flow(pitch=True)
def flute(rng, n, pitch, speed):
    """Long notes with vibrato and breath."""
    t, count = np.arange(n) / RATE, int(n / RATE / 0.75) + 2
    notes = 560 * pitch * 2 ** (rng.choice(MAJOR[:6], count) / 12)
    f = np.repeat(notes, samples(0.75))[:n] * (1 + 0.012 * np.sin(2 * np.pi * 5 * t))
    gate = hump(samples(0.75), 0.12, 0.1)
    breath = band(white(rng, n), 2400, 0.8)
    return (tone(f, n, (1.0, 0.55, 0.25, 0.08)) + 0.12 * breath) * (0.1 + 0.9 * np.tile(gate, count)[:n])
