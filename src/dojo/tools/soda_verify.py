"""Runs in Soda's own environment: verifies <key>.yml for each key given, and writes what came out to verified.json."""

import json
import logging
import sys
from pathlib import Path

from soda_core.contracts import verify_contract_locally

OUTCOMES = {"PASSED": "passed", "FAILED": "failed", "WARN": "warned", "WARNED": "warned"}


def verified(key: str) -> dict[str, dict[str, str]]:
    """Check by check what Soda said of one state; one entry named after the contract where it could not be verified."""
    try:
        session = verify_contract_locally(data_source_file_path="source.yml", contract_file_path=f"{key}.yml")
    except Exception as error:
        return {"contract": {"outcome": "error", "message": " ".join(str(error).split())[:300]}}
    found = {}
    for result in session.contract_verification_results:
        for number, check in enumerate(result.check_results, 1):
            outcome = OUTCOMES.get(check.outcome.name, "error")
            name = f"{number}. {check.check.type}({check.check.column_name or ''})"
            found[name] = {
                "outcome": outcome,
                "message": ", ".join(f"{k}: {v}" for k, v in (check.diagnostic_metric_values or {}).items()),
            }
    if session.has_errors and not any(c["outcome"] in ("error", "failed") for c in found.values()):
        found["contract"] = {"outcome": "error", "message": " ".join(str(session.get_errors_str()).split())[:300]}
    return found


if __name__ == "__main__":
    logging.disable(logging.CRITICAL)
    Path("verified.json").write_text(json.dumps({key: verified(key) for key in sys.argv[1:]}), encoding="utf-8")
