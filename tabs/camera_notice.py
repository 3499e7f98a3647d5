"""Says before the camera is asked for why it cannot come, and what to do instead. The browser alone knows."""

from __future__ import annotations

from html import escape

INSECURE = (
    "Browsers give a page the camera only on https or localhost, and this page came over plain http. Upload a picture "
    "instead (Picture, above), or ask whoever runs this server for its https address."
)
MISSING = (
    "This device has no camera that the browser can see. Plug one in, or upload a picture instead (Picture, above)."
)
REFUSED = (
    "The browser refuses this page the camera. Allow it in the browser's settings for this site (the icon left of the "
    "address), or upload a picture instead (Picture, above)."
)

SCRIPT = """
const notice = element.querySelector('[role=alert]');
const say = (reason) => { notice.textContent = reason ? notice.dataset[reason] : ''; notice.hidden = !reason; };
const look = async () => {
  if (!window.isSecureContext || !navigator.mediaDevices) return say('insecure');
  const devices = await navigator.mediaDevices.enumerateDevices();
  if (!devices.some((device) => device.kind === 'videoinput')) return say('missing');
  try {
    const permission = await navigator.permissions.query({name: 'camera'});
    permission.onchange = look;
    if (permission.state === 'denied') return say('refused');
  } catch { /* not every browser can be asked */ }
  say('');
};
navigator.mediaDevices?.addEventListener('devicechange', look);
look();
"""


def html() -> str:
    """Returns the notice, hidden until ``SCRIPT`` has found a reason."""
    reasons = {"insecure": INSECURE, "missing": MISSING, "refused": REFUSED}
    data = " ".join(f'data-{name}="{escape(text)}"' for name, text in reasons.items())
    return f'<div class="fer-alert" role="alert" hidden {data}></div>'
