"""A real browser for the tests of pages."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

CHROMIUM = shutil.which("chromium") or "/usr/bin/chromium"
DRIVER = shutil.which("chromedriver") or "/usr/bin/chromedriver"

needs_chromium = pytest.mark.skipif(
    not (Path(CHROMIUM).exists() and Path(DRIVER).exists()),
    reason="needs chromium and chromedriver",
)

_ARGUMENTS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1200,900",
)


def chromium(profile):
    """Yield a driver of a Chromium of its own, and quit it."""
    webdriver = pytest.importorskip("selenium.webdriver", reason="needs selenium")
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for argument in _ARGUMENTS:
        options.add_argument(argument)
    options.add_argument(f"--user-data-dir={profile}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    # Both paths are given, so that selenium looks for nothing in the network.
    service = webdriver.ChromeService(executable_path=DRIVER, env={**os.environ, "SE_OFFLINE": "1"})
    driver = webdriver.Chrome(options=options, service=service)
    yield driver
    driver.quit()


def emulate(page, *, scheme="light", media=""):
    """Show a page by a colour scheme and on a medium."""
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": media, "features": features})


def soon(page, holds, what):
    """Wait: a page is told of a new medium with its next frame, late on a busy machine."""
    wait = pytest.importorskip("selenium.webdriver.support.wait").WebDriverWait(page, 10)
    wait.until(lambda _: holds(), what)


def screen(page, width):
    """Show a page as wide as a phone or a desk has it."""
    metrics = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 700}
    page.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
