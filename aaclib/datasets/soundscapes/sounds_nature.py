"""Weather and water, and animals."""

import numpy as np  # noqa: I001 - one line a name would be a page of names

from aaclib.datasets.soundscapes.sounds import flow, unit
from aaclib.datasets.soundscapes.synth import RATE, curve, decay, grains, hump, place, pulses, rolloff, samples
from aaclib.datasets.soundscapes.synth import band, formants, high, low, sine, tone, wander, white

# ---- weather and water ---------------------------------------------------------------------------------------------


@flow(behind=True)
def rain(rng, n, pitch, speed):
    hiss = high(white(rng, n), 2500) * wander(rng, n, 1.5, 0.85, 1.1)
    return 0.7 * hiss + 1.6 * band(grains(rng, n, 250), 3500, 1.5)


@unit(2.2, counts=(1,), speed=False)
def thunder(rng, pitch):
    n = samples(2.4)
    roll = low(low(white(rng, n), 140), 220) * decay(n, 2.6, 0.05) * wander(rng, n, 7, 0.25, 1.2)
    crack = low(white(rng, n), 1200) * decay(n, 0.5, 0.01)
    return 6 * roll + 0.25 * rng.uniform(0.6, 1.4) * crack


@flow(behind=True)
def wind(rng, n, pitch, speed):
    noise = white(rng, n)
    gust = wander(rng, n, 1.1, 0.0, 1.0)
    calm, moan, howl = band(noise, 240, 4), band(noise, 420, 5), band(noise, 700, 7)
    return gust**1.5 * moan * 1.6 + (1 - gust) * calm + gust**3 * howl * 1.6


@flow(behind=True)
def waves(rng, n, pitch, speed):
    t = np.arange(n) / RATE
    swell = (0.5 - 0.5 * np.cos(2 * np.pi * (t / rng.uniform(1.7, 2.3) + rng.uniform()))) ** 2
    noise = white(rng, n)
    return (0.15 + swell) * low(noise, 700) * 1.3 + swell**2 * high(low(noise, 5000), 900) * 0.7


@flow(behind=True)
def stream(rng, n, pitch, speed):
    """Bubbles: short tones that rise, at random times."""
    out, number, bubbles = np.zeros(n), max(int(26 * n / RATE), 3), []
    for f in rng.uniform(350, 1300, 14):
        m = samples(rng.uniform(0.05, 0.11))
        bubbles.append(sine(np.linspace(f, 1.35 * f, m), m) * hump(m, 0.15, 0.7))
    times, which, gains = rng.uniform(0, n / RATE, number), rng.integers(0, 14, number), rng.uniform(0.3, 1, number)
    for at, i, gain in zip(times, which, gains, strict=True):
        place(out, bubbles[i], at, gain)
    return out + 0.35 * band(white(rng, n), 900, 0.8)


@flow(speed=True, behind=True)
def drip(rng, n, pitch, speed):
    """Single drops into water: a short click, then a tone that rises steeply; silence between them."""
    out, step, m = np.zeros(n), 0.55 / speed, samples(0.09)
    for at in np.arange(0.05, n / RATE, step):
        f = rng.uniform(1500, 1800)
        plop = sine(curve(m, [(0, f), (0.3, f), (1, 1.8 * f)]), m) * decay(m, 0.16, 0.003)
        place(out, plop, at + rng.normal(0, 0.03) * step + 0.05, rng.uniform(0.7, 1))
    return out


@flow(behind=True)
def fire(rng, n, pitch, speed):
    pops = np.clip(grains(rng, n, 22, 0.9), -4, 4)
    roar = low(white(rng, n), 260)
    return 1.3 * formants(pops, [(1800, 1.2, 1), (4200, 1.0, 1)]) + 0.16 * roar * wander(rng, n, 5, 0.5, 1.2)


# ---- animals -------------------------------------------------------------------------------------------------------


@unit(0.24, counts=(1, 2, 3, 4, 5), pitch=True)
def dog(rng, pitch):
    n = samples(0.22)
    f = 380 * pitch * curve(n, [(0, 0.75), (0.25, 1.25), (1, 0.7)])
    voice = tone(f, n, rolloff(14, 0.5)) + 0.5 * white(rng, n)
    return formants(voice, [(700 * pitch**0.5, 2, 1), (1500 * pitch**0.5, 2.5, 0.9)]) * hump(n, 0.08, 0.6)


@unit(0.8, counts=(1, 2, 3), pitch=True)
def cat(rng, pitch):
    n = samples(0.78)
    f = 560 * pitch * curve(n, [(0, 0.85), (0.3, 1.25), (0.6, 1.2), (1, 0.75)])
    voice = tone(f, n, rolloff(12, 0.6))
    mouth = curve(n, [(0, 0), (0.35, 1), (1, 0.1)])
    meow = formants(voice, [(900, 3, 1)]) + mouth * formants(voice, [(1900, 3, 1.3), (3100, 3, 1)])
    return meow * hump(n, 0.12, 0.35)


@flow(behind=True)
def birds(rng, n, pitch, speed):
    """Fast tweets, each a chirp down or up, in short phrases of several birds."""
    out = np.zeros(n)
    at = rng.uniform(0, 0.15)
    while at < n / RATE:
        start, slope = rng.uniform(3600, 5400), rng.choice([0.72, 0.8, 1.3])
        m = samples(rng.uniform(0.05, 0.09))
        tweet = sine(np.linspace(start, start * slope, m), m) * hump(m, 0.2, 0.4)
        for i in range(rng.integers(3, 7)):
            place(out, tweet, at + i * 0.115, rng.uniform(0.6, 1))
        at += rng.uniform(0.45, 0.8)
    return out


@unit(1.4, counts=(1, 2), pitch=True, speed=False)
def cow(rng, pitch):
    n = samples(1.4)
    f = 135 * pitch * curve(n, [(0, 0.85), (0.3, 1.1), (0.75, 1.05), (1, 0.8)])
    return formants(tone(f, n, rolloff(24, 0.6)), [(320, 3, 1.2), (750, 4, 0.8)]) * hump(n, 0.15, 0.3)


@unit(1.7, counts=(1, 2), pitch=True, speed=False)
def rooster(rng, pitch):
    """Cock-a-doodle-doo: two short calls, a higher one, a long falling one."""
    out = np.zeros(samples(1.75))
    calls = (0, 0.16, 0.85, 0.95), (0.2, 0.14, 0.95, 1.0), (0.4, 0.28, 1.15, 1.3), (0.74, 0.95, 1.25, 0.75)
    for at, seconds, start, end in calls:
        m = samples(seconds)
        f = 720 * pitch * np.linspace(start, end, m)
        place(out, formants(tone(f, m, rolloff(8, 0.3)), [(1500, 1.5, 1), (2600, 2, 1)]) * hump(m, 0.08, 0.3), at)
    return out


@unit(0.85, counts=(1, 2, 3), pitch=True)
def sheep(rng, pitch):
    n = samples(0.85)
    shake = np.sin(2 * np.pi * 9 * (np.arange(n) / RATE))
    voice = tone(330 * pitch * (1 + 0.05 * shake), n, rolloff(14, 0.4))
    bleat = formants(voice, [(800, 3, 1), (1300, 4, 0.9), (2600, 4, 0.5)])
    return bleat * (0.55 + 0.45 * shake) * hump(n, 0.06, 0.25)


@flow(behind=True)
def crickets(rng, n, pitch, speed):
    """A steady tone chopped into pulses, the pulses into groups."""
    t = np.arange(n) / RATE
    group = ((t * rng.uniform(2.6, 3.2)) % 1 < 0.55).astype(float)
    pulse = 0.5 - 0.5 * np.cos(2 * np.pi * rng.uniform(28, 34) * t)
    return sine(rng.uniform(4500, 4900), n) * pulse * low(group, 60)


@unit(0.38, counts=(1, 2, 3, 4, 5), pitch=True)
def frog(rng, pitch):
    n = samples(0.38)
    croak = formants(pulses(rng, n, 42, 0.02, 0.1), [(520 * pitch, 7, 1), (1150 * pitch, 9, 0.8)])
    return croak * curve(n, [(0, 0.3), (0.5, 1), (0.9, 0.9), (1, 0)])


@unit(1.0, counts=(1, 2, 3), pitch=True)
def owl(rng, pitch):
    """Hoo, hoo: two soft calls that are nearly pure."""
    out = np.zeros(samples(1.0))
    for at, seconds in ((0.0, 0.26), (0.42, 0.52)):
        m = samples(seconds)
        f = 370 * pitch * curve(m, [(0, 0.95), (0.3, 1.03), (1, 0.96)])
        place(out, tone(f, m, (1.0, 0.06)) * hump(m, 0.25, 0.4), at)
    return out + 0.004 * white(rng, len(out))


@flow(speed=True)
def horse(rng, n, pitch, speed):
    """Clip-clop: hooves in threes on a hard road."""
    out, step, m = np.zeros(n), 0.52 / speed, samples(0.07)
    for at in np.arange(0.02, n / RATE, step):
        for i, (lag, f) in enumerate(((0, 950), (0.2, 720), (0.4, 1150))):
            hit = formants(white(rng, m), [(f, 6, 1), (2.3 * f, 6, 0.5)]) * decay(m, 0.09)
            place(out, hit, at + lag * step * 1.6 + rng.normal(0, 0.006), 1 - 0.12 * i)
    return out


@flow(pitch=True)
def bee(rng, n, pitch, speed):
    f = 215 * pitch * wander(rng, n, 4, 0.9, 1.12)
    return formants(tone(f, n, rolloff(20, 0.4)), [(430, 1.5, 1), (1300, 2, 0.7)]) * wander(rng, n, 3, 0.3, 1.0)
