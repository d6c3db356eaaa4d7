"""What stands where in a street."""

from __future__ import annotations

import numpy as np

from tenth.segmentation.scenes.buildings import draw_backdrop, draw_row
from tenth.segmentation.scenes.fences import Fence
from tenth.segmentation.scenes.people import Pedestrian
from tenth.segmentation.scenes.plants import Plant
from tenth.segmentation.scenes.poles import Pole
from tenth.segmentation.scenes.stage import Thing
from tenth.segmentation.scenes.street import Side, Street
from tenth.segmentation.scenes.vehicles import Vehicle


def furnish(street: Street, rng: np.random.Generator) -> list[Thing]:
    """Draw everything that stands in a street."""
    things: list[Thing] = [*draw_backdrop(street, rng), *_horizon_trees(street, rng)]
    for side in street.sides:
        things += draw_row(street, side, rng)
        things += _fence(street, side, rng)
        things += _trees(street, side, rng)
        things += _poles(street, side, rng)
        things += _parked(street, side, rng)
        things += _people(street, side, rng)
    things += _traffic(street, rng)
    return things


def _horizon_trees(street: Street, rng: np.random.Generator) -> list[Thing]:
    count = int(rng.choice([0, 12, 30]))
    middle = float(street.middle(street.end))
    return [
        Plant.draw_tree(rng, middle + rng.uniform(-90, 90), street.end + rng.uniform(0, 30), behind=500)
        for _ in range(count)
    ]


def _fence(street: Street, side: Side, rng: np.random.Generator) -> list[Thing]:
    chance = {"urban": 0.2, "houses": 0.75, "park": 0.65, "works": 0.7}[side.kind]
    if rng.random() > chance:
        return []
    at_kerb = side.kind == "urban"  # a railing between pavement and road; elsewhere behind the pavement
    like = Fence.draw_like(rng)
    across = side.kerb + 0.25 if at_kerb else side.walk + rng.uniform(0.05, 0.4)
    z, end = rng.uniform(0, 12), street.end * rng.uniform(0.4, 1) if not at_kerb else rng.uniform(25, 40)
    fences: list[Thing] = []
    while z < end:
        length = rng.uniform(4, 6)
        if not street.blocked(z, z + length) and rng.random() < 0.88:
            x0, x1 = (street.place(side.sign * across, at) for at in (z, z + length))
            fences.append(like.between(side.sign, (x0, z), (x1, z + length)))
        z += length
        if rng.random() < 0.08:
            like = Fence.draw_like(rng)
    return fences


def _trees(street: Street, side: Side, rng: np.random.Generator) -> list[Thing]:
    plants: list[Thing] = []

    def add(across: float, z: float, bush: bool, behind: float = 0.0) -> None:
        if street.blocked(z - 1, z + 1):
            return
        x = street.place(side.sign * across, z)
        plants.append(Plant.draw_bush(rng, x, z) if bush else Plant.draw_tree(rng, x, z, behind))

    if rng.random() < {"urban": 0.45, "houses": 0.45, "park": 0.6, "works": 0.3}[side.kind]:  # an avenue
        across = side.kerb - side.verge / 2 if side.verge else side.kerb + 0.6
        z, step = rng.uniform(5, 14), rng.uniform(7, 16)
        while z < street.end:
            add(across, z + rng.normal(0, 0.5), bush=False)
            z += step
    if side.kind in ("park", "houses"):
        for _ in range(rng.integers(10, 45) if side.kind == "park" else rng.integers(2, 14)):
            far = (
                rng.uniform(0.8, 25)
                if side.kind == "park"
                else rng.uniform(0.6, max(0.8, side.front - side.walk))
            )
            add(side.walk + far, street.end * rng.random() ** 0.8 + 3, bush=rng.random() < 0.4)
    for _ in range(rng.integers(0, 8)):  # treetops behind the buildings
        add(side.front + rng.uniform(14, 24), rng.uniform(15, street.end), bush=False, behind=45)
    return plants


def _poles(street: Street, side: Side, rng: np.random.Generator) -> list[Thing]:
    poles: list[Thing] = []
    z, step = rng.uniform(5, 16), rng.uniform(5, 17)
    like = Pole.draw_any(rng, 0, 0, -side.sign)
    while z < street.end:
        across = side.kerb + rng.uniform(0.3, 0.7) if rng.random() < 0.8 else side.walk - 0.2
        if not street.blocked(z, z):
            x = street.place(side.sign * across, z)
            drawn = Pole.draw_any(rng, x, z, -side.sign)
            if like.head in ("lamp", "none") and rng.random() < 0.4:  # lamps of a street are alike
                drawn = Pole(x, z, like.height, like.girth, like.color, like.head, like.arm)
            poles.append(drawn)
        z += step * rng.uniform(0.5, 1.5)
    return poles


def _parked(street: Street, side: Side, rng: np.random.Generator) -> list[Thing]:
    if rng.random() < 0.4:
        return []
    cars: list[Thing] = []
    z, fullness = rng.uniform(7, 16), rng.uniform(0.2, 0.9)
    while z < min(street.end, 90):
        if rng.random() < fullness and not street.blocked(z - 3, z + 3):
            turn = 0.0 if side.sign > 0 or rng.random() < 0.3 else np.pi
            x = street.place(side.sign * (street.half - 1.05), z)
            cars.append(Vehicle.draw_any(rng, x, z, turn + street.bend * z))
        z += rng.uniform(5.8, 7.5)
    return cars


def _people(street: Street, side: Side, rng: np.random.Generator) -> list[Thing]:
    people: list[Thing] = []
    for _ in range(rng.poisson(1.6 if side.kind == "urban" else 0.9)):
        z = rng.uniform(5, 40)
        for _ in range(1 if rng.random() < 0.65 else 2):
            across = rng.uniform(side.kerb + 0.4, max(side.walk - 0.2, side.kerb + 0.5))
            if rng.random() < 0.1:
                across = rng.uniform(0, street.half)  # crossing the road
            people.append(
                Pedestrian.draw_any(rng, street.place(side.sign * across, z), z + rng.uniform(0, 1))
            )
    return people


def _traffic(street: Street, rng: np.random.Generator) -> list[Thing]:
    cars: list[Thing] = []
    lane = 2 * street.half / (street.lanes + 1)
    for _ in range(rng.poisson(1.3)):
        z = rng.uniform(9, 80)
        ahead = rng.random() < 0.5
        x = street.place((lane * 0.45 if ahead else -lane * 0.55) + rng.normal(0, 0.2), z)
        cars.append(Vehicle.draw_any(rng, x, z, (0.0 if ahead else np.pi) + street.bend * z))
    if street.crossing is not None and rng.random() < 0.6:
        z = (street.crossing[0] + street.crossing[1]) / 2
        cars.append(Vehicle.draw_any(rng, rng.uniform(-9, 9), z, np.pi / 2 * rng.choice([-1, 1])))
    return cars
