"""Secrets that are secrets, and the many things that only look like one. Made-up tokens are put together here."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable

import pytest

from dataops_audit import secrets, versioning
from dataops_audit.findings import Seen

AWS = "AKIA" + "Q3EGRTZJ7WMB5XKD"
AWS_SECRET = "wJ4rXUtnFEMI7K7MDENG" + "bPxRfiCYz9Q2LmTqAv8s"
GITHUB = "ghp_" + "a8Kd92LmQwErTyUiOpZxCvBnM1234sDfGh7J"[:36]
SLACK = "https://hooks.slack.com/services/" + "T02AB34CD/B05EF67GH/" + "k3JfWq9ZrT1xYpLmN8vBcD2s"
DATABRICKS = "dapi" + "3f9c1b7ae2d84605b1c7f2e9d0a4863b"
STRIPE = "sk_live_" + "4eC39HqLyjWDarjtT1zdp7dc"
DBT_CLOUD = "dbtc_" + "Zk3vQ9mXw2LrT7bNc5HsYp1JfDgKa8Eu"
KEY = "\n".join("MIIEowIBAAKCAQEA" + "x7Qz3Lm9Rk2Vw8Tb5Nc1Hs4Yp6Jf0Dg" + str(place) + "Ka8Eu2Xi" for place in range(4))
DJANGO = "django-insecure-" + "x7$k(2=q&v!m0w9r)" + "+z_p3t@h#l^c8b*d5"
RANDOM = "q8Zk3vQ9mXw2LrT7bNc5" + "HsYp1JfDgKa8EuR0tV"
BASIC = base64.b64encode(b"etl:Wint3rIsC0ming").decode()
PEM = f"-----BEGIN RSA PRIVATE KEY-----\n{KEY}\n-----END RSA PRIVATE KEY-----\n"

SECRET: dict[str, tuple[str, str]] = {
    "aws key in python": ("load.py", f'client = boto3.client("s3", aws_access_key_id="{AWS}")\n'),
    "aws secret": ("load.py", f'aws_secret_access_key = "{AWS_SECRET}"\n'),
    "aws key in a comment": ("load.py", f"# old key: {AWS}\n"),
    "aws key in sql": ("copy.sql", f"copy into t from 's3://b' credentials=(aws_key_id='{AWS}')\n"),
    "github token": ("ci.sh", f"git clone https://{GITHUB}@github.com/a/b\n"),
    "github token in a workflow": (".github/workflows/a.yml", f"jobs:\n  a:\n    env:\n      GH_TOKEN: {GITHUB}\n"),
    "slack webhook": ("dags/a.py", f'HOOK = "{SLACK}"\n'),
    "databricks": ("profiles.yml", f"x:\n  outputs:\n    dev:\n      token: {DATABRICKS}\n"),
    "stripe": ("pay.py", f'stripe.api_key = "{STRIPE}"\n'),
    "dbt cloud": ("run.sh", f"curl -H 'Authorization: Token {DBT_CLOUD}' https://cloud.getdbt.com\n"),
    "profile": ("profiles.yml", "shop:\n  outputs:\n    prod:\n      type: snowflake\n      password: Wint3rIsC0ming!\n"),
    "python keyword argument": ("load.py", 'con = connect(user="etl", password="Wint3rIsC0ming")\n'),
    "python dictionary": ("load.py", 'config = {"user": "etl", "password": "Wint3rIsC0ming"}\n'),
    "default of getenv": ("load.py", 'password = "Wint3rIsC0ming"  # or os.environ["PASSWORD"]\n'),
    "address": ("load.py", 'engine = create_engine("postgresql://etl:Wint3r-2024@db.shop.internal:5432/dwh")\n'),
    "sql": ("setup.sql", "create user loader password = 'Wint3rIsC0ming';\n"),
    "ini": ("airflow.cfg", "[core]\nfernet_key = cU9kQm1vV2xYc3RhR2hKZk1wWnRyUXdFeTc2NTQzMjE\n"),
    "tfvars": ("prod.tfvars", 'db_password = "Wint3rIsC0ming!"\n'),
    "terraform": ("main.tf", 'resource "aws_db_instance" "a" {\n  password = "Wint3rIsC0ming!"\n}\n'),
    "properties": ("app.properties", "spring.datasource.password=Wint3rIsC0ming1\n"),
    "json": ("config.json", '{"api_key": "k3JfWq9ZrT1xYpLmN8vBcD2sE7"}\n'),
    "real credential in compose": (
        "docker-compose.yml",
        f"services:\n  a:\n    environment:\n      AWS_SECRET_ACCESS_KEY: {AWS_SECRET}\n",
    ),
    "password of a deployed compose": (
        "docker-compose.prod.yml",
        "services:\n  db:\n    environment:\n      POSTGRES_PASSWORD: Wint3rIsC0ming!\n",
    ),
    "kubernetes": ("k8s/job.yaml", "env:\n  - name: X\ndb_password: Wint3rIsC0ming!\n"),
    "netrc": (".netrc", "machine db.shop.internal login etl password Wint3rIsC0ming\n"),
    "netrc on lines": ("home/_netrc", "machine db.shop.internal\n  login etl\n  password Wint3rIsC0ming\n"),
    "pgpass": (".pgpass", "db.shop.internal:5432:dwh:etl:Wint3rIsC0ming\n"),
    "pgpass of Windows": ("postgresql/pgpass.conf", "*:*:*:etl:Wint3r\\:IsC0ming\n"),
    "credentials": (".credentials", "etl:Wint3rIsC0ming\n"),
    "credentials as settings": (".dbt/.credentials", "password=Wint3rIsC0ming1\n"),
    "credentials of aws": (".aws/credentials", f"[default]\naws_secret_access_key = {AWS_SECRET}\n"),
    "mongodb": ("load.py", 'client = MongoClient("mongodb://etl:Wint3rIsC0ming@db.shop.internal:27017")\n'),
    "mongodb, several hosts": ("load.js", 'const u = "mongodb://etl:Wint3rIsC0ming@a.shop.io:27017,b.shop.io:27017/x";\n'),
    "mongodb, by service name": ("load.py", 'URL = "mongodb+srv://etl:Wint3rIsC0ming@cluster0.ab12.mongodb.net/x"\n'),
    "jdbc": ("conf.xml", "<url>jdbc:postgresql://etl:Wint3rIsC0ming@db.shop.internal/x</url>\n"),
    "django": ("settings.py", f"SECRET_KEY = '{DJANGO}'\n"),
    "django, begins like a variable": ("settings.py", f"SECRET_KEY = '${DJANGO[17:]}ab1jk4mn6'\n"),
    "django in an env file": (".env.prod", f'DJANGO_SECRET_KEY="{DJANGO}"\n'),
    "variable before a command": ("run.py", 'os.system("PGPASSWORD=Wint3rIsC0ming psql -h db.shop.internal")\n'),
    "key of a service": ("conf.yml", f"service_key: '{RANDOM}'\n"),
    "key of a client": ("load.py", f"client_key = '{RANDOM}'\n"),
    "salt": ("load.py", f"HMAC_SALT = '{RANDOM}'\n"),
    "go": ("main.go", 'dbPassword := "Wint3rIsC0ming!"\n'),
    "java": ("Load.java", 'private String dbPassword = "Wint3rIsC0ming!";\n'),
    "docker's login": (".docker/config.json", f'{{"auths": {{"x.shop.io": {{"auth": "{BASIC}"}}}}}}\n'),
    "header": ("run.sh", f"curl -H 'Authorization: Basic {BASIC}' https://x.shop.io\n"),
    "option of curl": ("run.sh", "curl -u etl:Wint3rIsC0ming https://x.shop.io\n"),
    "option of mysql": ("run.sh", "mysql -u etl -pWint3rIsC0ming -h db.shop.io\n"),
    "option of sshpass": ("run.sh", "sshpass -p 'Wint3rIsC0ming' ssh x.shop.io\n"),
    "php": ("conf.php", "define('DB_PASSWORD', 'Wint3rIsC0ming');\n"),
    "setting of spark": (
        "load.py",
        f'spark.conf.set("fs.azure.account.key.shop.dfs.core.windows.net", "{RANDOM}{RANDOM}")\n',
    ),
    "element": ("conf.xml", "<password>Wint3rIsC0ming</password>\n"),
    "attribute": ("conf.xml", '<add key="password" value="Wint3rIsC0ming"/>\n'),
    "name and value": ("task.yml", "environment:\n  - name: DB_PASSWORD\n    value: Wint3rIsC0ming\n"),
    "name and value in JSON": ("task.json", '[{"name": "DB_PASSWORD", "value": "Wint3rIsC0ming"}]\n'),
    "three quotes": ("conf.toml", 'password = """Wint3rIsC0ming"""\n'),
    "kaggle": ("kaggle.json", '{"username": "etl", "key": "' + "9f86d081884c7d65" + '9a2feaa0c55ad015"}\n'),
    "end of a long line": (
        "conf.json",
        "{" + ",".join(f'"k{n}": {n}' for n in range(9_000)) + ',"password": "Wint3rIsC0ming"}\n',
    ),
    "notebook that is none": ("a.ipynb", 'password = "Wint3rIsC0ming"\n'),
    "compared": ("load.py", 'if password == "Wint3rIsC0ming!":\n    pass\n'),
}
CLEAN: dict[str, tuple[str, str]] = {
    "env_var in a profile": (
        "profiles.yml",
        "shop:\n  outputs:\n    prod:\n      password: \"{{ env_var('DBT_PASSWORD') }}\"\n",
    ),
    "environment": ("load.py", 'password = os.environ["DB_PASSWORD"]\n'),
    "getenv with an empty default": ("load.py", 'password = os.getenv("DB_PASSWORD", "")\n'),
    "secret of the CI": (".github/workflows/a.yml", "jobs:\n  a:\n    env:\n      PASSWORD: ${{ secrets.DB_PASSWORD }}\n"),
    "shell variable": ("run.sh", 'export PGPASSWORD="$DB_PASSWORD"\n'),
    "placeholder": ("profiles.yml", "x:\n  password: <your password>\n"),
    "placeholder in words": (".env.example", "DB_PASSWORD=your_password_here\nAPI_KEY=changeme\n"),
    "documentation key": ("load.py", 'aws_access_key_id = "AKIAIOSFODNN7EXAMPLE"\n'),
    "documentation secret": ("load.py", 'aws_secret_access_key = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"\n'),
    "name of a secret": (
        "dag.py",
        'secret_name = "prod/warehouse/loader"\ntoken_url = "https://auth.shop.test/oauth/token"\n',
    ),
    "arn": ("main.tf", 'password_arn = "arn:aws:secretsmanager:eu-central-1:1:secret:db-AbCdEf"\n'),
    "terraform reference": ("main.tf", "password = var.db_password\nmaster_password = random_password.db.result\n"),
    "sensitive variable": ("variables.tf", 'variable "db_password" {\n  type      = string\n  sensitive = true\n}\n'),
    "secretKeyRef": (
        "job.yaml",
        ("env:\n  - name: DB_PASSWORD\n    valueFrom:\n      secretKeyRef:\n        name: db\n        key: password\n"),
    ),
    "hash in a lock file": (
        "poetry.lock",
        ('files = [{file = "a", hash = "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"}]\n'),
    ),
    "hash in requirements": (
        "requirements.txt",
        "a==1 --hash=sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08\n",
    ),
    "column": ("model.sql", "select password, token as api_token, secret_key from users\n"),
    "dbt column test": (
        "schema.yml",
        (
            "models:\n  - name: a\n    columns:\n      - name: password_hash\n        description: never "
            "shown\n      - name: token\n"
        ),
    ),
    "unique_key": ("model.sql", "{{ config(unique_key='order_id', surrogate_key='order_line_key') }}\n"),
    "token counts": ("llm.py", "max_tokens = 4096\ntoken_count = 12\ntokenizer = 'cl100k_base'\n"),
    "type hint": ("load.py", "def connect(user: str, password: str, token: str | None = None) -> None: ...\n"),
    "docstring": ("load.py", '"""Connects.\n\npassword: the password of the user\n"""\n'),
    "message": ("load.py", 'raise ValueError("password: must not be empty")\n'),
    "key begins in code": ("check.py", 'if "-----BEGIN RSA PRIVATE KEY-----" in text:\n    raise ValueError\n'),
    "public certificate": (
        "ca.pem",
        (
            "-----BEGIN CERTIFICATE-----\nMIIDdzCCAl+gAwIBAgIEAgAAuTANBgkqhkiG9w0BAQUFADBaMQswCQYD\n"
            "-----END CERTIFICATE-----\n"
        ),
    ),
    "sops": ("secrets.yaml", "db_password: ENC[AES256_GCM,data:p673w==,iv:YY=,aad:UQ=,tag:A=]\n"),
    "ansible vault": (
        "vault.yml",
        "$ANSIBLE_VAULT;1.1;AES256\n6638643965396635643863396635643863396635643863396635643863\n",
    ),
    "permissions of a token": (".github/workflows/a.yml", "permissions:\n  id-token: write\n  contents: read\n"),
    "secrets inherit": (
        ".github/workflows/a.yml",
        "jobs:\n  a:\n    uses: ./.github/workflows/b.yml\n    secrets: inherit\n",
    ),
    "service container": (
        ".github/workflows/a.yml",
        (
            "jobs:\n  a:\n    services:\n      db:\n        image: postgres:16\n        env:\n          "
            "POSTGRES_PASSWORD: Xk29pass!\n    steps:\n      - run: pytest\n        env:\n          "
            "PGPASSWORD: Xk29pass!\n"
        ),
    ),
    "local compose": ("docker-compose.yml", "services:\n  db:\n    environment:\n      POSTGRES_PASSWORD: sup3rl0cal!\n"),
    "local address": ("load.py", 'URL = "postgresql+psycopg2://airflow:airflow@postgres/airflow"\n'),
    "address with a variable": ("load.py", 'URL = f"postgresql://{user}:{password}@{host}/db"\n'),
    "address in a shell": ("run.sh", 'psql "postgresql://$USER:$PASS@db.shop.internal/db"\n'),
    "fixture of a test": ("tests/test_load.py", 'client = Client(password="hunter2pass9")\n'),
    "vault path": ("conf.yml", "password: vault:secret/data/db#password\napi_key: op://shop/db/key\n"),
    "jinja": ("conf.yml.j2", "password: {{ lookup('env', 'X') }}\n"),
    "dagster config": ("dagster.yaml", "password:\n  env: DAGSTER_PG_PASSWORD\n"),
    "camel case name": ("deploy.yml", "secretName: shop-db-credentials-2024\npasswordSecretName: db-password-v2x\n"),
    "existing secret": ("values.yml", "existingSecret: prod-db-cred-01x\nexistingSecretPasswordKey: dbPassw0rd-key\n"),
    "algorithm": ("conf.yml", "password_hash_algorithm: pbkdf2_sha256\npasswordEncoder: bcrypt\njwt_secret_alg: HS256\n"),
    "validators": (
        "settings.py",
        "AUTH_PASSWORD_VALIDATORS = [\n    {'NAME': 'django.contrib.auth.password_validation.MinimumLengthValidator'},\n]\n"
        "AUTH_PASSWORD_VALIDATOR = 'shop.auth.Validators8'\nPASSWORD_HASHERS = ['a.b.Argon2PasswordHasher']\n",
    ),
    "hashed": ("found.json", '{"hashed_secret": "3acfb2c2b433c0ea7ff107e33df91b18e52f960f", "is_verified": false}\n'),
    "put together": ("run.py", "cmd = 'PGPASSWORD=' + os.getenv('PGPASSWORD') + ' psql -h db'\n"),
    "put together, other quotes": (
        "run.py",
        'cmd = "export PGPASSWORD=" + word + " && psql"\ncmd = f"PGPASSWORD={word} psql"\n',
    ),
    "formatted": ("run.py", "cmd = 'PGPASSWORD=%s psql' % word\nx = 'password=', other\n"),
    "empty values": (".env", "DB_PASSWORD=\nAPI_KEY=''\nTOKEN=\"\"\n# words\nNEXT=\n"),
    "values from elsewhere": (".env", "DB_PASSWORD=${DB_PASSWORD}\nTOKEN=$(op read op://shop/token)\n"),
    "nix": (".envrc", "use flake\n"),
    "direnv": (".envrc", "source_up\nlayout python\nPATH_add bin\n"),
    "hash of a join": ("model.sql", "select md5(salt || 'a8f5f167f44f4964e6c998dee827110c') as customer_key\n"),
    "key of a partition": ("schema.yml", "partition_key: '9f86d081884c7d659a2feaa0c55ad015'\n"),
    "kind of a token": (
        "auth.yml",
        ("tokenUrl: https://auth.shop.io/token\ntokenType: Bearer2024abc\npasswordPolicy: min12chars-upper1\n"),
    ),
    "value that is its name": ("results.py", "class Status:\n    Pass = 'pass'\n    Token = 'token'\n"),
    "words of a page": ("app.js", "const passwordless = 'true2', PasswordResetView = 'v2-reset-view';\n"),
    "place of a password": (
        "values.yml",
        ("passwordKey: postgres-password1\nadminPasswordSecret: grafana-admin-1\npasswordFrom: vault-kv2\n"),
    ),
    "scanner": ("ci.py", "SECRET_SCANNER = 'gitleaks-8.18'\npassword_input_selector = '#login-password1'\n"),
    "arguments that name": (
        "Jenkinsfile",
        "withCredentials([string(credentialsId: 'db-password-01', variable: 'PASSWORD1')]) {\n",
    ),
    "default of a lookup": ("load.py", "os.environ.setdefault('DB_PASSWORD', os.getenv('OTHER1', ''))\n"),
    "options from elsewhere": (
        "run.sh",
        'curl -u "$USER:$PASS" x\nmysql -p"$PASS" x\nsshpass -p "${PASS}" ssh x\nmysql -pfoo\n',
    ),
    "name and reference": ("task.yml", "- name: DB_PASSWORD\n  value: ${DB_PASSWORD}\n- name: TOKEN\n  valueFrom: x\n"),
    "element of a template": ("conf.xml", "<password>${env.PASSWORD}</password>\n<password>@password@</password>\n"),
    "picture in a line": ("a.json", '{"image": "' + "eyJ" + "Ab3" * 9_000 + '", "password": ""}\n'),
    "header of nobody": (
        "run.sh",
        ("curl -H 'Authorization: Basic Y2hhbmdlbWU=' x\ncurl -H 'Authorization: Basic dXNlcjpwYXNzd29yZA==' x\n"),
    ),
    "pattern": ("rules.py", "TOKEN_REGEX = '^[A-Za-z0-9_-]{20,}$(?=x)1'\n"),
    "comparison with a word": ("parse.py", "if token == 'END2':\n    pass\n"),
    "placeholders of a credential file": (
        ".pgpass",
        "# host:port:db:user:password\nlocalhost:5432:db:me:<password>\n*:*:*:me:$PGPASSWORD\n",
    ),
    "address of the documentation": ("README.md", "Set `URL=mongodb://user:password@localhost/db`\n"),
    "interpolated": ("conf.yaml", "password: ${oc.env:DB_PASSWORD}\npassword2: !ENV DB_PASSWORD\n"),
}


def sure_secrets(found: Seen) -> list[str]:
    return [
        f"{one.rule} {one.file}:{one.line} {one.what}"
        for one in found.findings
        if one.rule.startswith("sec.") and one.sure != "possible" and one.rule in DANGERS
    ]


DANGERS = ("sec.secret", "sec.private-key", "sec.env-file", "sec.notebook")


@pytest.mark.parametrize("case", SECRET)
def test_finds_a_secret(seen: Callable[..., Seen], case: str) -> None:
    path, text = SECRET[case]
    found = seen(secrets.read, {path: text})
    assert sure_secrets(found), found.findings
    assert not any(value in one.what for one in found.findings for value in (AWS, AWS_SECRET, GITHUB, "Wint3rIsC0ming"))


@pytest.mark.parametrize("case", CLEAN)
def test_leaves_the_harmless_alone(seen: Callable[..., Seen], case: str) -> None:
    path, text = CLEAN[case]
    assert sure_secrets(seen(secrets.read, {path: text})) == []


def test_the_values_of_an_example_are_no_finding(seen: Callable[..., Seen]) -> None:
    found = seen(secrets.read, {".env.example": "DB_PASSWORD=changeme\n", "tests/a.yml": "password: postgres\n"})
    assert not found.has("sec.default-password", *DANGERS)


@pytest.mark.parametrize("case", ["empty values", "values from elsewhere", "nix", "direnv"])
def test_a_file_of_settings_without_values_is_no_finding_at_all(seen: Callable[..., Seen], case: str) -> None:
    path, text = CLEAN[case]
    assert not seen(secrets.read, {path: text}).has("sec.env-file", *DANGERS)


def test_a_placeholder_in_an_address_of_a_real_host_is_listed(seen: Callable[..., Seen]) -> None:
    found = seen(secrets.read, {"load.py": 'URL = "mongodb://user:pass@db.shop.io:27017"\n'})
    assert [(one.rule, one.sure) for one in found.findings] == [("sec.default-password", "possible")]


@pytest.mark.parametrize("path", ["id_rsa", "keys/deploy.pem", "load.py"])
def test_a_private_key_is_found_wherever_it_lies(seen: Callable[..., Seen], path: str) -> None:
    text = f'KEY = """{PEM}"""\n' if path.endswith(".py") else PEM
    assert seen(secrets.read, {path: text}).has("sec.private-key")


def test_a_service_account_holds_a_key(seen: Callable[..., Seen]) -> None:
    account = json.dumps({"type": "service_account", "private_key": PEM}, indent=1)
    assert seen(secrets.read, {"account.json": account}).has("sec.private-key")


@pytest.mark.parametrize(
    ("name", "ignored", "danger"),
    [(".env", "", True), (".env", ".env\n", False), (".env.example", "", False), ("prod.env", "", True)],
)
def test_env_files(seen: Callable[..., Seen], name: str, ignored: str, danger: bool) -> None:
    found = seen(secrets.read, {name: f"AWS_SECRET_ACCESS_KEY={AWS_SECRET}\n", ".gitignore": ignored})
    assert any(one.rule == "sec.env-file" for one in found.findings) is danger


def test_a_notebook_tells_in_its_output(seen: Callable[..., Seen]) -> None:
    output = {"output_type": "stream", "name": "stdout", "text": [f"export GITHUB_TOKEN={GITHUB}\n"]}
    cell = {"cell_type": "code", "source": ["!env"], "outputs": [output], "metadata": {}, "execution_count": 1}
    found = seen(secrets.read, {"a.ipynb": json.dumps({"cells": [cell], "nbformat": 4}, indent=1)})
    assert found.has("sec.notebook") and found.findings[-1].line > 1


def test_a_picture_in_a_notebook_is_no_token(seen: Callable[..., Seen]) -> None:
    output = {
        "output_type": "display_data",
        "data": {"image/png": "eyJ" + "Ab3" * 3000, "text/plain": ["<Figure size 640x480>"]},
    }
    cell = {"cell_type": "code", "source": ["plot()"], "outputs": [output]}
    assert sure_secrets(seen(secrets.read, {"a.ipynb": json.dumps({"cells": [cell]})})) == []


def test_a_hook_of_any_name_is_known_by_what_it_runs(seen: Callable[..., Seen]) -> None:
    hook = "  - id: secrets\n    entry: .venv/bin/detect-secrets-hook --baseline .secrets.baseline\n    language: system\n"
    assert seen(versioning.read, {".pre-commit-config.yaml": f"repos:\n- repo: local\n  hooks:\n{hook}"}).has("sec.scanner")
