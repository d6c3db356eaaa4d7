from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenth.segmentation.scenes.camera import NEAR, Camera
from tenth.segmentation.scenes.canvas import Canvas
from tenth.segmentation.scenes.ground import paint_ground
from tenth.segmentation.scenes.light import Light
from tenth.segmentation.scenes.noise import sample, stripes, tile
from tenth.segmentation.scenes.people import Pedestrian
from tenth.segmentation.scenes.poles import Pole
from tenth.segmentation.scenes.sky import paint_sky
from tenth.segmentation.scenes.stage import Stage, box_shadow
from tenth.segmentation.scenes.street import Street
from tenth.segmentation.scenes.vehicles import Vehicle
from tenth.segmentation.scenes.vocabulary import CAR, MARKING, PAVEMENT, PEDESTRIAN, POLE, ROAD, SKY
from tenth.segmentation.scenes.walls import Wall, paint_wall


def camera(**changes: float) -> Camera:
    values = {"focal": 100.0, "elevation": 1.5, "x": 0.0, "horizon": 60.0, "yaw": 0.0, "roll": 0.0} | changes
    return Camera(width=161, height=120, **values)


def stage(view: Camera | None = None, seed: int = 0) -> Stage:
    rng = np.random.default_rng(seed)
    view = view or camera()
    return Stage(Canvas(view.width, view.height), view, Light.draw(rng), rng)


def test_a_pinhole_by_hand() -> None:
    # 10 m ahead, 2 m right, on the road: 100 * 2 / 10 right of the middle, 100 * 1.5 / 10 below the horizon.
    assert camera().project(np.array([2.0, 0, 10])).tolist() == [100, 75]
    assert camera().project(np.array([0.0, 1.5, 10])).tolist() == [80, 60]


@given(st.floats(-0.2, 0.2), st.floats(-0.05, 0.05), st.floats(-3, 3))
def test_the_ground_seen_by_a_pixel_is_projected_onto_it(yaw: float, roll: float, x: float) -> None:
    view = camera(yaw=yaw, roll=roll, x=x)
    ground = view.ground()
    rows, columns = np.mgrid[ground.rows, : view.width]
    near = ground.seen & (ground.z * np.cos(yaw) + (ground.x - x) * np.sin(yaw) < 200)
    points = np.stack((ground.x, np.zeros_like(ground.x), ground.z), axis=-1)[near].astype(np.float64)
    assert near.sum() > 1000
    assert np.abs(view.project(points) - np.stack((columns, rows), axis=-1)[near]).max() < 0.1


def test_polygons_are_cut_off_in_front_of_the_camera() -> None:
    strip = np.array([(-1, 0, -5), (1, 0, -5), (1, 0, 20), (-1, 0, 20)], np.float32)
    shape = camera().polygon(strip)
    assert shape is not None
    assert shape[:, 1].max() == pytest.approx(60 + 100 * 1.5 / NEAR)
    assert camera().polygon(strip - np.array([0, 0, 30], np.float32)) is None


@given(st.floats(0.05, 3), st.floats(0, 2), st.floats(0.1, 0.9), st.floats(0.01, 5))
def test_stripes_are_averaged_over_the_pixel(
    period: float, start: float, share: float, footprint: float
) -> None:
    position = np.array([0.3, 1.7, 6.2])
    fine = position[:, None] + (np.arange(4000) + 0.5) / 4000 * footprint - footprint / 2
    expected = ((fine - start) % period < share * period).mean(axis=1)
    found = stripes(position, period, start, share * period, footprint)
    missed = 2 * (footprint / period + 1) / 4000  # each edge may lie anywhere between two samples
    assert np.abs(found - expected).max() < max(0.01, missed)


def test_noise_is_even_and_seamless() -> None:
    noise = tile(1.0)
    assert abs(float(noise.mean())) < 1e-3
    assert float(noise.std()) == pytest.approx(1, abs=1e-3)
    at = np.array([[3.25]], np.float32)
    assert sample(at + 511, at, 1.0) == pytest.approx(sample(at, at, 1.0))


def test_what_covers_half_a_pixel_gives_it_its_label() -> None:
    canvas = Canvas(8, 4)
    coverage = np.array([[0.49, 0.5, 1.0]], np.float32)
    canvas.paint(slice(1, 2), slice(2, 5), coverage, np.array([1, 0, 0], np.float32), 3)
    assert canvas.labels[1].tolist() == [0, 0, 0, 3, 3, 0, 0, 0]
    assert canvas.image[1, 2:5, 0].tolist() == pytest.approx([0.49, 0.5, 1.0])
    assert canvas.image.sum() == pytest.approx(1.99)


def test_paint_without_a_label_keeps_the_label() -> None:
    canvas = Canvas(4, 4)
    canvas.labels[:] = 7
    canvas.fill(np.array([(-2, -2), (6, -2), (6, 6), (-2, 6)], np.float32), np.ones(3), None)
    assert (canvas.labels == 7).all()
    assert canvas.image.min() == 1


def test_polygons_outside_the_picture_change_nothing() -> None:
    canvas = Canvas(10, 10)
    canvas.fill(np.array([(20, 20), (30, 20), (30, 30)], np.float32), np.ones(3), 5)
    canvas.fill(np.array([(-1e6, 2), (-1e5, 2), (-1e5, 3)], np.float32), np.ones(3), 5)
    assert canvas.image.sum() == 0
    assert not canvas.labels.any()


def test_road_and_pavement_lie_where_the_plan_says() -> None:
    for seed in range(12):
        rng = np.random.default_rng(seed)
        street, scene = Street.draw(rng), stage(seed=seed)
        paint_sky(scene)
        paint_ground(scene, street)
        for z in (6.0, 12.0):
            if street.blocked(z - 1, z + 1):
                continue
            for across, labels in (
                (street.half - 0.8, {ROAD, MARKING}),
                (-street.half + 0.8, {ROAD, MARKING}),
                (street.right.walk - 0.5, {PAVEMENT}),
                (-street.left.walk + 0.5, {PAVEMENT}),
            ):
                point = np.array([street.place(across, z), 0, z])
                u, v = np.round(scene.camera.project(point)).astype(int)
                if 0 <= u < scene.camera.width and v < scene.camera.height:
                    assert scene.canvas.labels[v, u] in labels, (seed, z, across)
        assert (scene.canvas.labels[:58] == SKY).all()


def person(x: float, z: float) -> Pedestrian:
    return Pedestrian.draw_any(np.random.default_rng(3), x, z)


def test_the_nearer_covers_the_farther() -> None:
    car = Vehicle.draw_any(np.random.default_rng(0), 0, 14, 0)
    for walker, at_its_chest in ((person(0, 9), PEDESTRIAN), (person(0, 18), CAR)):
        scene = stage()
        for thing in sorted([car, walker], key=lambda thing: -thing.order):
            thing.draw(scene)
        u, v = np.round(scene.camera.project(np.array([0, 0.65 * walker.height, walker.z]))).astype(int)
        v = v if at_its_chest == PEDESTRIAN else int(scene.camera.project(np.array([0, 0.8, 12]))[1])
        assert scene.canvas.labels[v, u] == at_its_chest


def test_a_pole_stands_where_it_should_as_wide_as_it_should() -> None:
    scene = stage()
    scene.canvas.labels[:] = SKY
    Pole(1.0, 10.0, 3.0, 0.4, np.full(3, 0.5), "none").draw(scene)
    rows, columns = np.nonzero(scene.canvas.labels == POLE)
    # 10 m ahead a metre is 10 pixels: middle at 80 + 10, 4 wide, from 1.5 m below the horizon to 1.5 m above.
    assert (columns.min(), columns.max()) == pytest.approx((88, 92), abs=1)
    assert (rows.min(), rows.max()) == pytest.approx((45, 75), abs=1)


def test_things_behind_or_beside_the_camera_are_not_drawn() -> None:
    scene = stage()
    for x, z in ((0, -5), (60, 10), (-60, 10), (0, 0.5)):
        for thing in (person(x, z), Vehicle.draw_any(scene.rng, x, z, 0), Pole.draw_any(scene.rng, x, z, 1)):
            thing.draw(scene)
    assert not scene.canvas.labels.any()


def test_a_wall_fills_its_outline_with_its_texture() -> None:
    scene = stage()
    wall = Wall((-2, 10), (2, 10), 0, 3)
    # The texture is brighter the farther along and the higher up.
    paint_wall(
        scene,
        wall,
        lambda r: np.dstack(
            np.broadcast_arrays(r.along[None, :] / 4, r.up[:, None] / 3, 0.0 * r.up[:, None])
        ).copy(),
        label=1,
    )
    rows, columns = np.nonzero(scene.canvas.labels == 1)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == pytest.approx((45, 75, 60, 100), abs=1)
    inside = scene.canvas.image[48:72, 63:98]
    assert (np.diff(inside[..., 0], axis=1) > 0).all()
    assert (np.diff(inside[..., 1], axis=0) < 0).all()


def test_a_wall_that_runs_past_the_camera_is_cut_not_squeezed() -> None:
    whole, part = stage(), stage()
    for scene, begin in ((whole, -30.0), (part, 2.0)):
        paint_wall(
            scene,
            Wall((-3, begin), (-3, 60), 0, 4),
            lambda r, begin=begin: np.repeat(  # type: ignore[misc]
                np.broadcast_to((np.floor(r.along + begin) % 2)[None, :, None], (*r.shape, 1)), 3, axis=2
            ).astype(np.float32),
            label=1,
        )
    assert np.array_equal(whole.canvas.labels, part.canvas.labels)
    difference = np.abs(whole.canvas.image - part.canvas.image)[:, :60].mean()
    assert difference < 0.02


def test_a_shadow_points_away_from_the_sun() -> None:
    light = stage().light
    shadow = box_shadow(light, [(0, 10), (0.1, 10)], 2.0)
    tip = shadow.mean(axis=0) - np.array([0.05, 10])
    assert float(tip @ light.to_sun[[0, 2]]) < 0
    reach = np.hypot(*(shadow - (0.05, 10)).T).max()
    height = float(np.tan(np.arcsin(light.to_sun[1])))
    assert reach == pytest.approx(2.0 / height, rel=0.25)
