"""What a credential looks like: tokens with a form of their own, names that announce a secret, values that are none."""

from __future__ import annotations

import math
import re
from collections import Counter
from functools import cache
from importlib import import_module

from detect_secrets.plugins.basic_auth import BasicAuthDetector
from detect_secrets.plugins.high_entropy_strings import Base64HighEntropyString, HexHighEntropyString
from detect_secrets.plugins.keyword import KeywordDetector

_PLUGINS = {
    "aws": "AWSKeyDetector",
    "azure_storage_key": "AzureStorageKeyDetector",
    "discord": "DiscordBotTokenDetector",
    "gitlab_token": "GitLabTokenDetector",
    "github_token": "GitHubTokenDetector",
    "mailchimp": "MailchimpDetector",
    "npm": "NpmDetector",
    "openai": "OpenAIDetector",
    "pypi_token": "PypiTokenDetector",
    "sendgrid": "SendGridDetector",
    "slack": "SlackDetector",
    "square_oauth": "SquareOAuthDetector",
    "stripe": "StripeDetector",
    "telegram_token": "TelegramBotTokenDetector",
    "jwt": "JwtTokenDetector",
    "artifactory": "ArtifactoryDetector",
}
_LIKELY_ONLY = frozenset(("slack", "jwt", "telegram_token", "discord", "artifactory"))
_OWN = {
    "a GitHub token": re.compile(r"\b(?:gh[pousr]_[A-Za-z0-9]{36}|github_pat_\w{40,})"),
    "a Databricks token": re.compile(r"\bdapi[0-9a-f]{32}(?:-\d)?\b"),
    "a dbt Cloud token": re.compile(r"\bdbt[cu]_[A-Za-z0-9]{30,}"),
    "a Google API key": re.compile(r"\bAIza[0-9A-Za-z_-]{35}\b"),
    "a Hugging Face token": re.compile(r"\bhf_[A-Za-z]{34}\b"),
    "an Anthropic key": re.compile(r"\bsk-ant-[\w-]{30,}"),
    "a Slack webhook": re.compile(r"hooks\.slack\.com/services/T\w{6,}/B\w{6,}/\w{20,}"),
    "a Terraform Cloud token": re.compile(r"\b[A-Za-z0-9]{14}\.atlasv1\.[\w-]{60,}"),
    "a Vault token": re.compile(r"\bhvs\.[\w-]{24,}"),
    "a New Relic key": re.compile(r"\bNRAK-[A-Z0-9]{27}\b"),
    "a Shopify token": re.compile(r"\bshp(?:at|ss|ca|pa)_[0-9a-fA-F]{32}\b"),
    "an Azure AD secret": re.compile(r"(?<![\w~.-])[\w~.-]{3}\dQ~[\w~.-]{31,34}(?![\w~.-])"),
}
TOKEN_HINT = re.compile(
    r"AKIA|ASIA|A3T|ABIA|ACCA|AccountKey|gh[pousr]_|github_pat_|glpat-|gl[a-z]{2,4}-|xox|"
    r"hooks\.slack|sk_live|rk_live|SG\.|-us\d|npm_|_authToken|pypi-Ag|T3BlbkFJ|sk-ant|"
    r"eyJ|\d:AA|dapi|dbt[cu]_|AIza|hf_|atlasv1|hvs\.|NRAK|shp(?:at|ss|ca|pa)_|\dQ~|sq0csp|AKC|"
    r"AP\w{10}|aws.{0,20}(?:key|pw|pass|token)|M[\w-]{23,25}\.|N[\w-]{23,25}\.|O[\w-]{23,25}\.",
    re.IGNORECASE,
)
KEY_WORDS = (
    r"(?:passw(?:or)?d|passwd|passphrase|(?<![a-z])pwd|(?<![a-z])pass(?![a-z])|secret|token|"
    r"api[_-]?key|apikey|access[_-]?key|account[_.-]?key|auth[_-]?key|private[_-]?key|"
    r"client[_-]?secret|credential|sas[_-]?key|encryption[_-]?key|fernet[_-]?key|signing[_-]?key)"
)
SERVICE_WORDS = (
    r"(?:service|client|db|database|priv|license|session|cookie|hmac)[_-]?key|pass[_-]?code|contrase[nñ]a|salt|hmac"
)
"""Names that announce a secret only where the value is as random as one: detect-secrets' keywords, and a few more."""
KEY_WORDS_BUT_PASS = KEY_WORDS.replace("(?<![a-z])pass(?![a-z])|", "")
_NOT_A_SECRET_KEY = re.compile(
    r"(?:_|-|\b)(?:name|names|path|file|arn|env|var|variable|column|columns|field|type|url|uri|"
    r"endpoint|length|len|size|count|limit|expir\w*|ttl|version|policy|policies|hint|label|prompt|"
    r"selector|scanner|view|page|screen|button|icon|dialog|modal|error|exception|from|objects?|"
    r"lifespan|regex|pattern|header|param\w*|algorithm|algo|alg|encoders?|encoding|hashers?|"
    r"validators?|minimum|maximum|strength|complexity|timeout|interval|age|annotations?|labels?|"
    r"config|configuration|settings?|enabled|required|provider|backend|manager|store|scope|scopes|"
    r"ref|mount|class|method|rotation|description|title|format|prefix|suffix|lifetime|duration|"
    r"seconds|days|id|ids|user|alias|group|location|region|kind|source|usage|budget|bucket|tag|tags|"
    r"index|text|message|placeholder|validation|rule|rules|masked|hash|hashed|encrypted|reset|change|"
    r"updated|created\w*|status|set|output|mode|strategy|dir|directory|status_code)$"
    r"|^(?:amplitude|posthog|segment|mixpanel|algolia|gtm)_|^(?:use|enable|has|is|require|allow|max|"
    r"min|num|n|total|input|output|count|prompt|completion|show|hide|mask|get|set|create|delete|list|"
    r"read|no|skip|check|detect|scan|id|hashed|encrypted|sealed|masked|existing)[_-]"
    r"|tokenizer|tokeniz|tokens$|primary_key|(?<=password_)key$|(?<=password_)secret$|passwordless|"
    r"unique_key|surrogate_key|foreign_key|partition_key|sort_key|natural_key|secretkeyref|secretref|"
    r"secrets$|imagepull|secretsmanager|keyword|bypass|compass|passenger|passing|passed|passthrough|"
    r"pass_through",
    re.IGNORECASE,
)
_PLACEHOLDER = re.compile(
    r"^(?:x{3,}|\*{2,}|\.{3,}|-+|_+|\?+|0+|1234(?:5678)?(?:90?)?|abc(?:123|def)?|n/?a|none|null|nil|"
    r"true|false|yes|no|empty|undefined|default|string|str|text|value|required|optional|redacted|"
    r"hidden|masked|removed|"
    r"foo|bar|baz|foobar|todo|tbd|fixme|unused|not[-_ ]?(?:a[-_ ]?real|used|set|needed|applicable).*|"
    r"placeholder.*|dummy.*|fake.*|mock.*|sample.*|example.*|.*example$|insert.*|enter.*|replace.*|"
    r"put.*here.*|add.*here.*|fill.*|"
    r"change[-_ ]?(?:me|it|this|in).*|.*change[-_]?me.*|your?[-_ ].*|my[-_](?:secret|password|token|"
    r"api|key|pass|super|access|client|db).*|<.*>|\(.*\)|\[.*\]|\{.*\}|.*\bhere\b.*|the[-_ ].*|"
    r"some[-_ ].*|super[-_]?secret.*|"
    r"(?:my|the|some|a|db|user|api|test|aws|access|secret|client|database|new|old)?[-_ ]?(?:password|"
    r"passwd|pass|secret|token|key|api[-_]?key|apikey|secret[-_]?key|access[-_]?key|"
    r"credentials?)[-_]?\d{0,3}|test(?:ing|er)?[-_]?(?:password|pass|secret|token|key|user)?\d{0,4}|"
    r"never[-_ ].*|do[-_ ]?not[-_ ].*|.*(?:not[-_]?(?:a[-_]?)?(?:secret|real|production)|"
    r"for[-_](?:testing|ci|local|dev|unit)|local[-_]?only|only[-_]?for).*)$",
    re.IGNORECASE,
)
_REFERENCE = re.compile(
    r"^(?:\$|%\(|%[A-Z_]+%|\{\{|\{%|!|&|\*[A-Za-z]|@|var\.|local\.|data\.|module\.|each\.|self\.|"
    r"aws_|google_|azurerm_|random_|env[.:(]|env\b|os\.|process\.|System\.|config\.|settings\.|"
    r"secrets\.|vars?\.|"
    r"vault[:/]|op://|ssm[:/]|sm://|gcp-?sm:|secretsmanager:|arn:|projects/|akv:|awssm|kms:|ref\+|"
    r"ENC\[|AQICAHh|\$ANSIBLE_VAULT|/run/secrets|/|\./|\.\./|~/|[A-Za-z]:\\|https?://|s3://|gs://|"
    r"file:|dbutils\.|get_|getenv|load_|fetch_|Variable\.|Connection|conn\.|base64|generate|uuid|"
    r"hashlib|lambda|f\"|def |self)",
)
THROW_AWAY = frozenset(
    [
        "postgres",
        "postgresql",
        "admin",
        "root",
        "airflow",
        "minio",
        "minioadmin",
        "minio123",
        "password",
        "passw0rd",
        "password1",
        "password123",
        "pass",
        "secret",
        "test",
        "tester",
        "testing",
        "guest",
        "example",
        "dbt",
        "user",
        "username",
        "mysql",
        "mariadb",
        "rabbitmq",
        "redis",
        "kafka",
        "superset",
        "metabase",
        "dagster",
        "prefect",
        "mage",
        "clickhouse",
        "trino",
        "presto",
        "hive",
        "spark",
        "dev",
        "develop",
        "development",
        "local",
        "localhost",
        "docker",
        "ci",
        "demo",
        "changeme",
        "default",
        "letmein",
        "qwerty",
        "123456",
        "12345678",
        "1234",
        "mypassword",
        "dbtest",
        "dbuser",
        "mydb",
        "db",
        "database",
        "app",
        "application",
        "jaffle_shop",
        "jaffle",
        "data",
        "warehouse",
        "dwh",
        "grafana",
        "elastic",
        "neo4j",
        "mongo",
        "mongodb",
        "oracle",
        "sa",
        "postgrespw",
        "p@ssw0rd",
        "passwd",
        "pwd",
        "secret123",
        "admin123",
        "root123",
        "test123",
        "admin1234",
        "postgres123",
        "toor",
        "debezium",
        "connect",
        "schema",
        "keycloak",
        "minio_password",
    ]
)
_ALGORITHM = re.compile(
    (
        r"(?:pbkdf2|bcrypt|argon2(?:id|i|d)?|scrypt|md5|sha-?\d+|hmac|[hrep]s\d{3}|aes-?\d*|rsa|ecdsa|"
        r"ed25519)(?:[_-][a-z0-9]+)*"
    ),
    re.IGNORECASE,
)
STRONG_NAMES = re.compile(r"password|passwd|passphrase|pwd|(?<![a-z])pass(?![a-z])", re.IGNORECASE)
FOREIGN = re.compile(
    (
        r"aws|s3|snowflake|gcp|google|azure|databricks|stripe|slack|github|gitlab|sendgrid|bigquery|"
        r"redshift|openai|twilio|datadog|pagerduty|api[_-]?key|webhook|salesforce|hubspot"
    ),
    re.IGNORECASE,
)


@cache
def _plugins() -> list[tuple[str, object]]:
    """detect-secrets' detectors of tokens that have a form of their own."""
    found = []
    for module, name in _PLUGINS.items():
        try:
            found.append((module, getattr(import_module(f"detect_secrets.plugins.{module}"), name)()))
        except (ImportError, AttributeError, TypeError):
            continue
    return found


_BASIC_AUTH = BasicAuthDetector()
_KEYWORD = KeywordDetector()
_RANDOM = (Base64HighEntropyString(limit=4.5), HexHighEntropyString(limit=3.0))
_NAME_BEFORE = re.compile(r"([\w.-]+)[\"'`\])]*\s*(?::=|=>|[!=]==?|[:=(])\s*@?[\"'`]*$")


def passwords_in_addresses(row: str) -> list[str]:
    """The passwords in addresses, as detect-secrets sees them."""
    return list(_BASIC_AUTH.analyze_string(row))


def named_values(path: str, row: str) -> list[tuple[str, str]]:
    """Name and value of each assignment that detect-secrets' keyword detector sees in a line."""
    found = []
    for secret in _KEYWORD.analyze_line(filename=path, line=row):
        value = secret.secret_value or ""
        name = _NAME_BEFORE.search(row[: row.find(value)])
        if value and name:
            found.append((name[1], value))
    return found


def is_random(value: str) -> bool:
    """Whether a value is as random as a key, by detect-secrets' measures for base64 and for hexadecimal digits."""
    return any(
        len(value) >= 20
        and set(value) <= set(detector.charset)
        and detector.calculate_shannon_entropy(value) > detector.entropy_limit
        for detector in _RANDOM
    )


def is_service_key(key: str) -> bool:
    """Whether a name announces a secret where its value is random, and else need not."""
    name = _snake(key)
    return bool(re.search(SERVICE_WORDS, name, re.IGNORECASE)) and not _NOT_A_SECRET_KEY.search(name)


def _snake(key: str) -> str:
    """`secretName` as `secret_Name`: the words of a name, whatever their notation."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", key)


def tokens(line: str) -> list[tuple[str, str, str]]:
    """What kind of token stands in a line, its text, and how sure it is."""
    if not TOKEN_HINT.search(line):
        return []
    found = []
    for name, pattern in _OWN.items():
        found += [(name, match[0], "likely" if "webhook" in name else "certain") for match in pattern.finditer(line)]
    for module, plugin in _plugins():
        for value in plugin.analyze_string(line):
            value = value if isinstance(value, str) else str(value)
            kind = (
                f"a {getattr(plugin, 'secret_type', module)}"
                if not str(getattr(plugin, "secret_type", "")).lower().startswith(("a", "o"))
                else f"an {plugin.secret_type}"
            )
            found.append((kind, value, "likely" if module in _LIKELY_ONLY and not value.startswith("xox") else "certain"))
    return [one for one in found if not is_sample(one[1])]


def is_sample(value: str) -> bool:
    """Whether a token is one of those that documentation shows: EXAMPLE in it, or one sign over and over."""
    body = re.sub(r"[^A-Za-z0-9]", "", value).lower()
    tail = body[4:] or body
    return (
        "example" in body
        or "xxxx" in body
        or len(set(tail)) < 6
        or "12345678" in body
        or ("abcdef" in body and "123456" in body)
        or "your" in body
        or "fake" in body
        or "dummy" in body
        or "placeholder" in body
        or "redacted" in body
    )


def entropy(value: str) -> float:
    """Shannon's entropy of the signs, in bits a sign."""
    return -sum(count / len(value) * math.log2(count / len(value)) for count in Counter(value).values()) if value else 0.0


def announces(key: str) -> bool:
    """Whether a name announces a secret value, and not its name, place, length, policy or algorithm."""
    key = _snake(key)
    if re.search(r"pass", key, re.IGNORECASE) and not re.search(
        rf"(?:^|[_.-])pass$|{KEY_WORDS_BUT_PASS}", key, re.IGNORECASE
    ):
        return False
    if re.match(r"x-amz-|x-goog-", key, re.IGNORECASE):
        return False  # parts of a signed address, which expires
    return bool(re.search(KEY_WORDS, key, re.IGNORECASE)) and not _NOT_A_SECRET_KEY.search(key)


def is_reference(value: str) -> bool:
    """Whether a value only says where the secret is."""
    return bool(_REFERENCE.match(value)) or _is_filled_in(value) or bool(re.search(r"\w\(.*\)$", value))


def _is_filled_in(value: str) -> bool:
    """Whether a part of the value is put in later."""
    return "${" in value or "{{" in value or bool(re.search(r"\$\(\s*\w[^()]*\s[^()]*\)|\$\(\w+\)", value))


def _is_opaque(value: str) -> bool:
    """Whether a quoted text can be nothing but a key: long, without a space, of letters, digits and other signs."""
    return (
        24 <= len(value) <= 200
        and re.fullmatch(r"[!-~]+", value) is not None
        and not re.search(r"[{}<>]|://|%[(sd]", value)
        and not _is_filled_in(value)
        and sum(sign.isdigit() for sign in value) >= 2
        and sum(sign.isalpha() for sign in value) >= 8
        and sum(not sign.isalnum() for sign in value) >= 3
        and entropy(value) >= 4.0
        and not re.fullmatch(r"[\w.,:;/-]+", value)
    )


def is_placeholder(value: str) -> bool:
    """Whether a value stands in for a secret."""
    bare = value.strip().strip("\"'`")
    return (
        not bare
        or bool(_PLACEHOLDER.match(bare))
        or len(set(bare)) < 3
        or bare.startswith("<")
        or "EXAMPLE" in bare
        or "REDACTED" in bare
        or "XXXX" in bare.upper()
    )


def judged(key: str, value: str) -> str | None:
    """How a value behind an announcing name looks: certain, likely, throw-away, or None for no secret."""
    bare = value.strip().strip("\"'`").strip()
    if value.strip()[:1] in ("'", '"') and _is_opaque(bare):
        return "certain"  # Django's keys hold any sign, also those that begin a reference elsewhere
    if len(bare) < 4 or "://" in bare or is_reference(bare) or (" " in bare.strip() and not STRONG_NAMES.search(key)):
        return None
    if _ALGORITHM.fullmatch(bare) or re.fullmatch(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*){2,}", bare):
        return None
    if bare.lower() in THROW_AWAY:
        return "throw-away"
    if is_placeholder(bare) or bare.count(" ") > 1 or re.fullmatch(r"[A-Za-z][a-z]+(?: [A-Za-z'][a-z']*)+[.:!?]?", bare):
        return None
    if re.match(r"phc_|pk_(?:test|live)_|UA-|G-", bare) or "abcdefgh" in bare.lower():
        return None  # keys that are made to be public, and the alphabet
    digits, letters, special = (
        any(c.isdigit() for c in bare),
        any(c.isalpha() for c in bare),
        any(not c.isalnum() and c not in "_-." for c in bare),
    )
    if STRONG_NAMES.search(key):
        if (re.fullmatch(r"[A-Z][A-Z0-9_]{4,}", bare) and "_" in bare) or re.fullmatch(r"[a-z]+(?:[._-][a-z]+)+", bare):
            return None
        if len(bare) >= 6 and letters and (digits or special):
            return "certain"
        return "likely" if len(bare) >= 5 else None
    if (
        len(bare) >= 12
        and digits
        and letters
        and entropy(bare) >= 3.0
        and re.fullmatch(r"[!-~]+", bare)
        and not re.fullmatch(r"[a-z]+(?:[_-][a-z0-9]+)+", bare)
    ):
        return "certain" if len(bare) >= 20 and entropy(bare) >= 3.5 else "likely"
    return None
