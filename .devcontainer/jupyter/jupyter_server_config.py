"""In a codespace the browser's address is not the server's own: names that one, so that kernels answer to it and to no other."""

import os
import re

c = get_config()  # noqa: F821

_codespace = os.environ.get("CODESPACE_NAME", "")
_domain = os.environ.get("GITHUB_CODESPACES_PORT_FORWARDING_DOMAIN", "")
if _codespace and _domain:
    c.ServerApp.allow_origin_pat = rf"https://{re.escape(_codespace)}-\d+\.{re.escape(_domain)}$"
    c.ServerApp.local_hostnames = ["localhost", f"{_codespace}-8899.{_domain}"]
