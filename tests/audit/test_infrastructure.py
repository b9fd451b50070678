"""Policies, encryption, public access and state: what the code says, not what it mentions."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from dataops_audit import hcl, terraform
from dataops_audit.findings import Seen

STATEMENT = 'data "aws_iam_policy_document" "a" {{\n  statement {{\n    actions   = {}\n    resources = {}\n  }}\n}}\n'
NARROW = STATEMENT.format('["s3:GetObject"]', '["arn:aws:s3:::lake/*"]')
ENCODED = (
    'resource "aws_iam_policy" "a" {{\n  policy = jsonencode({{\n    Statement = [{{ Effect = "{}", '
    "Action = {}, Resource = {} }}]\n  }})\n}}\n"
)

TABLE = 'resource "aws_dynamodb_table" "a" {{\n  name = "x"\n{}\n}}\n'
SWITCHED = 'variable "on" {{\n  default = {}\n}}\nresource "aws_db_instance" "a" {{\n  storage_encrypted = {}\n}}\n'
SPECIFIED = (
    "Resources:\n  T:\n    Type: AWS::DynamoDB::Table\n    Properties:\n      SSESpecification:\n        SSEEnabled: {}\n"
)

CASES: list[tuple[str, str, str, set[str], set[str]]] = [
    # name, file, text, rules that must be found (not merely possible), rules that must not
    ("full access", "a.tf", STATEMENT.format('["*"]', '["*"]'), {"sec.full-access"}, {"sec.narrow"}),
    (
        "full access beside narrow",
        "a.tf",
        NARROW + STATEMENT.format('["*"]', '["*"]').replace('"a"', '"b"'),
        {"sec.full-access"},
        set(),
    ),
    ("full access in jsonencode", "a.tf", ENCODED.format("Allow", '"*"', '"*"'), {"sec.full-access"}, set()),
    (
        "full access through a local",
        "a.tf",
        'locals {\n  any = ["*"]\n}\n' + STATEMENT.format("local.any", '["*"]'),
        {"sec.full-access"},
        set(),
    ),
    (
        "full access in a heredoc",
        "a.tf",
        (
            'resource "aws_iam_role_policy" "a" {\n  policy = <<EOF\n{"Statement": [{"Effect": "Allow",\n '
            '"Action": ["*"], "Resource": "*"}]}\nEOF\n}\n'
        ),
        {"sec.full-access"},
        set(),
    ),
    (
        "administrator",
        "a.tf",
        (
            'resource "aws_iam_role_policy_attachment" "a" {\n  policy_arn = '
            '"arn:aws:iam::aws:policy/AdministratorAccess"\n}\n'
        ),
        {"sec.full-access"},
        set(),
    ),
    (
        "owner of a project",
        "a.tf",
        'resource "google_project_iam_member" "a" {\n  role = "roles/owner"\n}\n',
        {"sec.full-access"},
        set(),
    ),
    ("may write policies", "a.tf", STATEMENT.format('["iam:*", "s3:GetObject"]', '["*"]'), {"sec.full-access"}, set()),
    ("service on everything", "a.tf", STATEMENT.format('["s3:*"]', '["*"]'), {"sec.broad-access"}, {"sec.full-access"}),
    (
        "service on one bucket",
        "a.tf",
        STATEMENT.format('["s3:*"]', '["arn:aws:s3:::lake/*"]'),
        {"sec.narrow"},
        {"sec.broad-access", "sec.full-access"},
    ),
    ("narrow", "a.tf", NARROW, {"sec.narrow"}, {"sec.broad-access", "sec.full-access"}),
    ("deny everything", "a.tf", ENCODED.format("Deny", '"*"', '"*"'), set(), {"sec.full-access", "sec.broad-access"}),
    (
        "full access in a comment",
        "a.tf",
        "# actions = ['*'] resources = ['*']\n/*\n" + STATEMENT.format('["*"]', '["*"]') + "*/\n" + NARROW,
        {"sec.narrow"},
        {"sec.full-access"},
    ),
    (
        "listing everything",
        "a.tf",
        STATEMENT.format('["s3:ListAllMyBuckets", "logs:DescribeLogGroups"]', '["*"]'),
        {"sec.narrow"},
        {"sec.broad-access"},
    ),
    (
        "key policy of the account",
        "a.tf",
        (
            'resource "aws_kms_key" "a" {\n  policy = jsonencode({ Statement = [{ Effect = "Allow", '
            'Principal = { AWS = "arn:aws:iam::1:root" }, Action = "kms:*", Resource = "*" }] })\n}\n'
        ),
        set(),
        {"sec.full-access", "sec.broad-access", "iac.public"},
    ),
    (
        "never made",
        "a.tf",
        'resource "aws_db_instance" "a" {\n  count = 0\n  publicly_accessible = true\n}\n',
        set(),
        {"iac.public", "iac.not-encrypted"},
    ),
    (
        "bucket for everybody",
        "a.tf",
        (
            'resource "aws_s3_bucket_policy" "a" {\n  policy = jsonencode({ Statement = [{ Effect = '
            '"Allow", Principal = "*", Action = "s3:GetObject", Resource = "arn:aws:s3:::a/*" }] })\n}\n'
        ),
        {"iac.public"},
        set(),
    ),
    ("bucket acl", "a.tf", 'resource "aws_s3_bucket_acl" "a" {\n  acl = "public-read"\n}\n', {"iac.public"}, set()),
    (
        "private acl",
        "a.tf",
        'resource "aws_s3_bucket_acl" "a" {\n  acl = "private" # not public-read\n}\n',
        set(),
        {"iac.public"},
    ),
    (
        "open database",
        "a.tf",
        (
            'resource "aws_security_group" "a" {\n  ingress {\n    from_port = 5432\n    to_port = 5432\n   '
            ' cidr_blocks = ["0.0.0.0/0"]\n  }\n}\n'
        ),
        {"iac.public"},
        set(),
    ),
    (
        "port by variable",
        "a.tf",
        (
            'resource "aws_security_group" "a" {\n  ingress {\n    from_port = var.port\n    to_port = '
            'var.port\n    cidr_blocks = ["0.0.0.0/0"]\n  }\n}\n'
        ),
        set(),
        set(),
    ),
    (
        "open web",
        "a.tf",
        (
            'resource "aws_security_group" "a" {\n  ingress {\n    from_port = 443\n    to_port = 443\n    '
            'cidr_blocks = ["0.0.0.0/0"]\n  }\n}\n'
        ),
        set(),
        {"iac.public"},
    ),
    (
        "open way out",
        "a.tf",
        (
            'resource "aws_security_group" "a" {\n  egress {\n    from_port = 0\n    to_port = 0\n    '
            'cidr_blocks = ["0.0.0.0/0"]\n  }\n}\n'
        ),
        set(),
        {"iac.public"},
    ),
    (
        "rule beside the group",
        "a.tf",
        (
            'resource "aws_security_group_rule" "a" {\n  type = "ingress"\n  from_port = 22\n  to_port = '
            '22\n  cidr_blocks = ["0.0.0.0/0"]\n}\n'
        ),
        {"iac.public"},
        set(),
    ),
    (
        "encrypted database",
        "a.tf",
        'resource "aws_db_instance" "a" {\n  storage_encrypted = true\n}\n',
        {"iac.encrypted"},
        {"iac.not-encrypted"},
    ),
    (
        "database in the clear",
        "a.tf",
        'resource "aws_db_instance" "a" {\n  storage_encrypted = false\n}\n',
        {"iac.not-encrypted"},
        {"iac.encrypted"},
    ),
    (
        "encrypted in a block",
        "a.tf",
        TABLE.format("  server_side_encryption {\n    enabled = true\n  }"),
        {"iac.encrypted"},
        {"iac.not-encrypted"},
    ),
    (
        "key in a block",
        "a.tf",
        TABLE.format("  server_side_encryption {\n    kms_key_arn = aws_kms_key.a.arn\n  }"),
        {"iac.encrypted"},
        {"iac.not-encrypted"},
    ),
    (
        "switched off in a block",
        "a.tf",
        TABLE.format("  server_side_encryption {\n    enabled = false\n  }"),
        {"iac.not-encrypted"},
        {"iac.encrypted"},
    ),
    (
        "blocks in blocks",
        "a.tf",
        'resource "aws_s3_bucket" "a" {\n  server_side_encryption_configuration {\n    rule {\n'
        '      apply_server_side_encryption_by_default {\n        sse_algorithm = "aws:kms"\n      }\n    }\n  }\n}\n',
        {"iac.encrypted"},
        {"iac.not-encrypted"},
    ),
    (
        "a block for each",
        "a.tf",
        TABLE.format(
            '  dynamic "server_side_encryption" {\n    for_each = [1]\n    content {\n      enabled = true\n    }\n  }'
        ),
        {"iac.encrypted"},
        {"iac.not-encrypted"},
    ),
    ("encrypted by a variable", "a.tf", SWITCHED.format("true", "var.on"), {"iac.encrypted"}, {"iac.not-encrypted"}),
    ("in the clear by a variable", "a.tf", SWITCHED.format("false", "var.on"), {"iac.not-encrypted"}, {"iac.encrypted"}),
    ("null is no answer", "a.tf", SWITCHED.format("true", "null"), {"iac.not-encrypted"}, {"iac.encrypted"}),
    ("in quotes", "a.tf", SWITCHED.format("true", '"true"'), {"iac.encrypted"}, {"iac.not-encrypted"}),
    (
        "no type",
        "a.tf",
        'resource "aws_kinesis_stream" "a" {\n  encryption_type = "NONE"\n}\n',
        {"iac.not-encrypted"},
        {"iac.encrypted"},
    ),
    ("template, in a block", "stack.yml", SPECIFIED.format("true"), {"iac.encrypted"}, {"iac.not-encrypted"}),
    ("template, switched off in a block", "stack.yml", SPECIFIED.format("false"), {"iac.not-encrypted"}, {"iac.encrypted"}),
    (
        "encryption not switched on",
        "a.tf",
        'resource "aws_redshift_cluster" "a" {\n  node_type = "ra3"\n}\n',
        {"iac.not-encrypted"},
        set(),
    ),
    (
        "encryption commented out",
        "a.tf",
        (
            'resource "aws_s3_bucket" "a" {\n  bucket = "lake"\n  # server_side_encryption_configuration {\n'
            "  #   rule {}\n  # }\n}\n"
        ),
        {"iac.not-encrypted"},
        {"iac.encrypted"},
    ),
    (
        "encryption in a block comment",
        "a.tf",
        'resource "aws_kinesis_stream" "a" {\n  /*\n  encryption_type = "KMS"\n  */\n}\n',
        {"iac.not-encrypted"},
        {"iac.encrypted"},
    ),
    (
        "encryption beside the bucket",
        "a.tf",
        (
            'resource "aws_s3_bucket" "a" {}\nresource "aws_s3_bucket_server_side_encryption_configuration" '
            '"a" {\n  bucket = aws_s3_bucket.a.id\n}\n'
        ),
        {"iac.encrypted"},
        {"iac.not-encrypted", "iac.encryption-unsaid"},
    ),
    (
        "remote state",
        "a.tf",
        'terraform {\n  backend "s3" {}\n}\nresource "x_y" "z" {}\n',
        {"iac.remote-state"},
        {"iac.local-state"},
    ),
    (
        "backend commented out",
        "a.tf",
        'terraform {\n  # backend "s3" {}\n}\nresource "x_y" "z" {}\n',
        {"iac.local-state"},
        {"iac.remote-state"},
    ),
    (
        "pinned",
        "a.tf",
        (
            'terraform {\n  required_providers {\n    aws = { source = "hashicorp/aws", version = "~> 5.0" '
            '}\n  }\n}\nresource "x_y" "z" {}\n'
        ),
        {"iac.pinned"},
        {"iac.unpinned"},
    ),
    (
        "not pinned",
        "a.tf",
        (
            'terraform {\n  required_providers {\n    aws = {\n      source = "hashicorp/aws"\n    }\n  }\n'
            '}\nresource "x_y" "z" {}\n'
        ),
        {"iac.unpinned"},
        {"iac.pinned"},
    ),
    ("state in the folder", "terraform.tfstate", '{"version": 4}\n', {"iac.state-committed"}, set()),
    ("secret as default", "a.tf", 'variable "db_password" {\n  default = "Wint3rIsC0ming!"\n}\n', {"sec.secret"}, set()),
    (
        "empty default",
        "a.tf",
        (
            'variable "db_password" {\n  default = ""\n}\nvariable "token_name" {\n  default = '
            '"k3JfWq9ZrT1xYpLmN8vBcD2s"\n}\n'
        ),
        set(),
        {"sec.secret"},
    ),
    ("broken", "a.tf", 'resource "a" "b" {\n  x = [1, 2\n', {"iac.broken"}, set()),
    (
        "template, full access",
        "stack.yml",
        (
            "Resources:\n  R:\n    Type: AWS::IAM::Role\n    Properties:\n      Policies:\n        - "
            "PolicyDocument:\n            Statement:\n              - Effect: Allow\n                "
            "Action: '*'\n                Resource: '*'\n"
        ),
        {"sec.full-access"},
        set(),
    ),
    (
        "template, narrow with tags of YAML",
        "stack.yml",
        (
            "Resources:\n  R:\n    Type: AWS::IAM::Policy\n    Properties:\n      PolicyDocument:\n        "
            "Statement:\n          - Effect: Allow\n            Action: ['s3:GetObject']\n            "
            "Resource: !Sub '${B.Arn}/*'\n  B:\n    Type: AWS::S3::Bucket\n    Properties:\n      Tags: "
            "[{Key: a, Value: b}]\n      BucketEncryption: !Ref X\n"
        ),
        {"sec.narrow", "iac.encrypted"},
        {"sec.full-access", "sec.broad-access"},
    ),
    (
        "template in the clear",
        "stack.yaml",
        (
            "Resources:\n  D:\n    Type: AWS::RDS::DBInstance\n    Properties:\n      PubliclyAccessible: "
            "true\n      # StorageEncrypted: true\n"
        ),
        {"iac.not-encrypted", "iac.public"},
        set(),
    ),
    (
        "plain policy",
        "policy.json",
        '{\n  "Statement": [\n    {"Effect": "Allow", "Action": ["*"], "Resource": ["*"]}\n  ]\n}\n',
        {"sec.full-access"},
        set(),
    ),
    (
        "cdk",
        "stack.py",
        "import aws_cdk\nrole.add_to_policy(iam.PolicyStatement(actions=['*'], resources=['*']))\n",
        {"sec.full-access"},
        set(),
    ),
    (
        "cdk, mentioned",
        "stack.py",
        (
            "import aws_cdk\n# PolicyStatement(actions=['*'], resources=['*'])\n"
            "role.add_to_policy(iam.PolicyStatement(actions=['s3:GetObject'], resources=[b.arn]))\n"
        ),
        {"sec.narrow"},
        {"sec.full-access"},
    ),
]


@pytest.mark.parametrize(("name", "path", "text", "wanted", "unwanted"), CASES, ids=[case[0] for case in CASES])
def test_infrastructure(
    seen: Callable[..., Seen], name: str, path: str, text: str, wanted: set[str], unwanted: set[str]
) -> None:
    found = {one.rule for one in seen(terraform.read, {path: text}).findings if one.sure != "possible"}
    assert wanted <= found
    assert not unwanted & found


def test_a_statement_is_found_on_its_line(seen: Callable[..., Seen]) -> None:
    text = NARROW + (
        '\nresource "aws_iam_policy" "b" {\n  policy = <<-EOF\n    {\n      "Statement": [\n        '
        '{"Effect": "Allow", "Action": "*", "Resource": "*"}\n      ]\n    }\n  EOF\n}\n'
    )
    (found,) = [one for one in seen(terraform.read, {"a.tf": text}).findings if one.rule == "sec.full-access"]
    assert text.split("\n")[found.line - 1].strip().startswith('{"Effect"')


@pytest.mark.parametrize("text", ["a = {", 'x "y', "<<EOF\n", "}" * 9, "a = " + "[" * 5000, 'a = "${' * 400, "\0"])
def test_broken_hcl_is_said_to_be_broken(text: str) -> None:
    with pytest.raises(hcl.BrokenHcl):
        hcl.parse(text)


@pytest.mark.parametrize(
    "text",
    [
        'a = "${var.x == "y" ? "b" : "c"}"',
        'x = [for k, v in var.m : "${k}-${v}" if v != null]',
        "x = { for k in var.m : k => upper(k)... }",
        "x = a.b[0].c[*].d",
        "x = (\n  a\n  && b\n)",
        "x = cond ? {\n  a = 1\n} : {}",
        "x = !a || -b > 1e3",
        "resource a b { c = 1 }",
        "x = <<-E\n  ${jsonencode({a = 1})}\n  E\n",
        "x = f(a,\n  b...,\n)",
        'x = "a\\"b" // c\n/* d */ y = 2',
    ],
)
def test_reads_what_people_write(text: str) -> None:
    body, _ = hcl.parse(text + "\n")
    assert body.attributes or body.blocks
