"""Whom the page shuts out: axe-core's findings in light and dark, and the way through it without a mouse."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from tests.browser.test_calibration import MEASURED_MS, status
from tests.browser.test_live import FIRST_ANSWER_MS

# Findings in what Gradio itself draws, by rule and how the element is named, which no setting of ours changes: the
# "Empty value" of a picture that is not there yet, and the button around one that is.
GRADIOS_OWN = {"aria-prohibited-attr": ".empty", "button-name": ".image-container"}


def findings(page):
    """Returns axe-core's serious and critical findings of the page as it is shown, Gradio's own aside."""
    found = Axe().run(page).response["violations"]
    return [
        (violation["id"], target, node["html"][:100])
        for violation in found
        if violation["impact"] in ("serious", "critical")
        for node in violation["nodes"]
        for target in node["target"]
        if not target.startswith(GRADIOS_OWN.get(violation["id"], "nothing"))
    ]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_no_serious_finding(page, server, theme):
    page.goto(f"{server.url}/?__theme={theme}")
    page.get_by_role("tab", name="Live", exact=True).wait_for()
    page.wait_for_timeout(1000)  # colors fade in, here and wherever something new is shown
    assert findings(page) == []
    page.get_by_role("tab", name="Picture", exact=True).click()
    page.get_by_label("Show why").check()
    page.get_by_role("button", name="Try the example face").click()
    page.locator("#picture-panel").get_by_text("a grid of").wait_for(timeout=FIRST_ANSWER_MS)
    page.wait_for_timeout(1000)
    assert findings(page) == []
    for name in ("Video", "Calibration", "Results"):
        page.get_by_role("tab", name=name, exact=True).click()
        page.wait_for_timeout(1000)
        assert findings(page) == [], name


def go_to(page, selector):
    """Presses Tab until an element has the focus, which must be seen on it."""
    for _ in range(80):
        page.keyboard.press("Tab")
        if page.evaluate("selector => document.activeElement.matches(selector)", selector):
            return
    raise AssertionError(f"Tab never reaches {selector}")


def test_everything_that_matters_works_without_a_mouse(page):
    go_to(page, "[role=tab]:not(.selected)")
    page.keyboard.press("Shift+Tab")
    go_to(page, "#resolution input[value='96']")
    page.keyboard.press("Space")
    expect(page.locator("#resolution").get_by_label("96", exact=True)).to_be_checked()
    go_to(page, "#consent input")
    page.keyboard.press("Space")
    page.locator("#camera").wait_for()
    page.get_by_role("tab", name="Picture", exact=True).focus()
    page.keyboard.press("Enter")
    go_to(page, "#example")
    page.keyboard.press("Enter")
    page.locator("#picture-panel").get_by_text("96 x 96 px").wait_for(timeout=FIRST_ANSWER_MS)
    page.get_by_role("tab", name="Calibration", exact=True).focus()
    page.keyboard.press("Enter")
    go_to(page, "#ladder input")
    page.keyboard.press("Control+a")
    page.keyboard.type("48,64")
    page.keyboard.press("Enter")
    go_to(page, "#run")
    page.keyboard.press("Enter")
    status(page).get_by_text("Measured:").or_(status(page).get_by_text("Another visitor")).wait_for(timeout=MEASURED_MS)


def test_every_field_has_a_name(page):
    """What a screen reader says of a field is its label, not its kind alone."""
    for name in ("Live", "Video", "Calibration", "Results"):
        page.get_by_role("tab", name=name, exact=True).click()
        page.wait_for_timeout(300)
        fields = page.locator("input:visible, button:visible, select:visible, textarea:visible")
        unnamed = [
            field.evaluate("field => field.outerHTML.slice(0, 120)")
            for field in fields.all()
            if not field.evaluate(
                "field => field.ariaLabel || field.title || field.innerText?.trim() || field.labels?.length"
                " || field.querySelector?.('[alt]') || field.getAttribute('aria-labelledby')"
            )
        ]
        assert unnamed == [], name
