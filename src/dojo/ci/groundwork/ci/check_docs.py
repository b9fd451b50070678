"""Fails when a mart or one of its columns has no description. Reads the manifest that dbt wrote last."""

from __future__ import annotations

import json
import sys
from pathlib import Path


def undocumented(manifest: dict) -> list[str]:
    """Marts and columns of marts that nobody described."""
    found = []
    for node in manifest["nodes"].values():
        if node["resource_type"] == "model" and "/marts/" in node["original_file_path"].replace("\\", "/"):
            if not node["description"].strip():
                found.append(node["name"])
            found += [f"{node['name']}.{c['name']}" for c in node["columns"].values() if not c["description"].strip()]
    return sorted(found)


if __name__ == "__main__":
    missing = undocumented(json.loads(Path("dbt/target/manifest.json").read_text(encoding="utf-8")))
    for name in missing:
        print(f"no description: {name}")
    sys.exit(1 if missing else 0)
