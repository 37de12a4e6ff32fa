"""Other hosts than JupyterLab have the same browser."""

from tests.browser.conftest import browser

__all__ = ["browser"]
