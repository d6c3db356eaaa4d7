"""A real browser in front of Label Studio: log in, open a task, press keys, paint, submit.

Headless Chromium through selenium. ``TENTH_CHROMIUM`` and ``TENTH_CHROMEDRIVER`` name the programs; without
them they are looked up on the path.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from selenium import webdriver
from selenium.webdriver import ActionChains, Keys
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

PATIENCE = 60
"""Seconds after which something that does not appear is missing."""


def _program(variable: str, *names: str) -> str:
    found = os.environ.get(variable) or next((path for name in names if (path := shutil.which(name))), None)
    if found is None:
        raise RuntimeError(
            f"None of {', '.join(names)} is installed. Install it (Debian, Ubuntu: apt-get install chromium "
            f"chromium-driver) or name the program in {variable}."
        )
    return found


@contextmanager
def browser(width: int = 1440, height: int = 900) -> Iterator[webdriver.Chrome]:
    """Start headless Chromium with a window of this size, and end it with the context."""
    options = webdriver.ChromeOptions()
    options.binary_location = _program("TENTH_CHROMIUM", "chromium", "chromium-browser", "google-chrome")
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--hide-scrollbars"):
        options.add_argument(argument)
    options.add_argument(f"--window-size={width},{height}")
    service = Service(_program("TENTH_CHROMEDRIVER", "chromedriver"))
    driver = webdriver.Chrome(options=options, service=service)
    try:
        # The window's size includes its frame; what counts is what the page gets.
        driver.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False},
        )
        yield driver
    finally:
        driver.quit()


_CURRENT_TASK = "document.querySelector('.lsf-current-task')?.innerText.match(/\\d+/)?.[0]"
_ANSWER = (
    "document.querySelector('.lsf-choices input:checked')?.closest('label')"
    ".innerText.replace(/\\[.*\\]$/, '').trim()"
)
_READY = (
    "document.querySelector('.tenth-picture .lsf-image img')?.naturalWidth > 0"
    " && document.querySelectorAll('.tenth-picture canvas').length > 1"
    " && document.querySelector('.lsf-choices') !== null"
    " && document.querySelector('.lsf-controls button') !== null"
)


_NO_MORE = "/no more|all done|no tasks/i.test(document.body.innerText)"


class Editor:
    """Label Studio's editor as one person uses it.

    Parameters
    ----------
    driver : webdriver.Chrome
        From `browser`.
    url : str
        Where Label Studio is.
    """

    def __init__(self, driver: webdriver.Chrome, url: str) -> None:
        self.driver = driver
        self.url = url.rstrip("/")

    def _until(self, what: str, script: str, *arguments: object) -> object:
        """Wait until the JavaScript expression is true and return its value."""

        def holds(driver: webdriver.Chrome) -> object:
            return driver.execute_script(f"return {script}", *arguments)

        return WebDriverWait(self.driver, PATIENCE, 0.05).until(holds, f"waited {PATIENCE} s for {what}")

    def log_in(self, username: str, password: str) -> None:
        """Log in through the form."""
        self.driver.get(f"{self.url}/user/login/")
        self.driver.find_element(By.NAME, "email").send_keys(username)
        self.driver.find_element(By.NAME, "password").send_keys(password + Keys.ENTER)
        self._until("the login", "!location.pathname.startsWith('/user/login')")

    def open(self, project: int, task: int, guess: str | None = None) -> None:
        """Open one task by its address and wait until it can be answered.

        The editor appears twice, first empty and then with the prediction; `guess` is the class to wait for.
        """
        self.driver.get(f"{self.url}/projects/{project}/data?task={task}")
        self._until(f"task {task}", f"{_CURRENT_TASK} === '{task}' && {_READY}")
        self._wait_for_guess(guess)

    def open_stream(self, project: int, guess: str | None = None) -> int:
        """Open the labelling stream, which hands out the next task, and return the task's id.

        `guess` is the pre-selected class to wait for, as in `open`.
        """
        self.driver.get(f"{self.url}/projects/{project}/data?labeling=1")
        self._until("the first task", _READY)
        self._wait_for_guess(guess)
        return self.task()

    def _wait_for_guess(self, guess: str | None) -> None:
        if guess is not None:
            self._until(f"'{guess}' to be pre-selected", f"{_READY} && ({_ANSWER}) === arguments[0]", guess)

    def task(self) -> int:
        """Return the id of the task that is shown."""
        return int(str(self.driver.execute_script(f"return {_CURRENT_TASK}")))

    def answer(self) -> str | None:
        """Return the answer that is selected."""
        chosen = self.driver.execute_script(f"return {_ANSWER}")
        return None if chosen is None else str(chosen)

    def press(self, key: str, *held: str) -> None:
        """Press a key, with `held` (such as ``Keys.ALT``) held down."""
        actions = ActionChains(self.driver, duration=0)
        for modifier in held:
            actions.key_down(modifier)
        actions.send_keys(key)
        for modifier in held:
            actions.key_up(modifier)
        actions.perform()

    def choose(self, key: str, expected: str) -> None:
        """Press a hotkey until `expected` is selected: a key that comes while the editor loads is lost."""

        def selected(_: webdriver.Chrome) -> bool:
            if self.answer() == expected:
                return True
            self.press(key)
            return False

        WebDriverWait(self.driver, PATIENCE, 0.5).until(selected, f"no '{expected}' after the key {key}")

    def paint(self, key: str, points: list[tuple[float, float]]) -> None:
        """Take the brush of a class by its hotkey and draw a stroke.

        Parameters
        ----------
        key : str
            The class's hotkey; the brush's is the same with Alt.
        points : list of (float, float)
            Where the stroke goes, as shares 0..1 of the crop's width and height.
        """
        # With a stroke still selected, the key would change that stroke's class.
        self.press(Keys.ESCAPE)
        self.press(key, Keys.ALT)
        self._until("the brush", "document.querySelector('.tenth-paint .lsf-label_selected') !== null")
        canvas = self.driver.find_element(By.CSS_SELECTOR, ".tenth-picture .konvajs-content")
        box = self.driver.execute_script(
            "const r = document.querySelector('.tenth-picture .lsf-image').getBoundingClientRect();"
            "const c = arguments[0].getBoundingClientRect();"
            "return [r.width, r.height, r.x - c.x - c.width / 2, r.y - c.y - c.height / 2]",
            canvas,
        )
        actions = ActionChains(self.driver, duration=50)
        for index, (x, y) in enumerate(points):
            actions.move_to_element_with_offset(
                canvas, round(box[2] + x * box[0]), round(box[3] + y * box[1])
            )
            if index == 0:
                actions.click_and_hold()
        actions.release().perform()

    def submit(self) -> None:
        """Submit by key and wait until Label Studio has stored the answer.

        Raises
        ------
        TimeoutException
            When nothing is stored, such as for an answer that the config does not accept.
        """
        since = self.driver.execute_script("return performance.now()")
        address = f"/api/tasks/{self.task()}/annotations"
        self.press(Keys.ENTER, Keys.CONTROL)
        self._until(
            "the answer to be stored",
            "performance.getEntriesByType('resource').some(entry => entry.startTime >= arguments[0]"
            " && entry.name.includes(arguments[1]) && [200, 201].includes(entry.responseStatus))",
            since,
            address,
        )

    def wait_for_next(self, before: int) -> int | None:
        """Wait until the stream shows another task than `before`; ``None`` when there are no more."""
        self._until(
            "the next task",
            f"document.querySelector('.tenth-region') === null && {_NO_MORE}"
            f" || ({_CURRENT_TASK} ?? '{before}') !== '{before}' && {_READY}",
        )
        return None if self.driver.execute_script(f"return {_NO_MORE}") else self.task()
