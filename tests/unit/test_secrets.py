"""What is secret is known by its name or its value, in the spellings that real settings have."""

import json
import re

import pytest

from tidegate.contract import carries_secret, is_secret, redaction_regex, scrub

KEYS = """
spark.hadoop.fs.s3a.access.key spark.hadoop.fs.s3a.secret.key spark.hadoop.fs.s3a.session.token
spark.hadoop.fs.s3a.encryption.key spark.hadoop.fs.s3a.server-side-encryption.key
spark.hadoop.fs.s3a.bucket.lake.access.key spark.hadoop.fs.azure.account.key.x.dfs.core.windows.net
spark.hadoop.fs.azure.account.oauth2.client.secret spark.hadoop.fs.azure.sas.box.x.blob
spark.hadoop.fs.azure.sas.fixed.token.x spark.hadoop.fs.gs.auth.service.account.private.key
spark.hadoop.google.cloud.auth.service.account.private.key.id spark.authenticate.secret
spark.hadoop.fs.gs.encryption.key spark.io.encryption.commons.config.key spark.ssl.keyPassword
spark.ssl.keyStorePassword spark.ssl.trustStorePassword spark.ssl.ui.keyPassword
spark.hadoop.javax.jdo.option.ConnectionPassword spark.hadoop.hive.metastore.pwd
spark.executorEnv.AWS_SECRET_ACCESS_KEY spark.executorEnv.DB_PWD spark.executorEnv.PGPASSWORD
spark.executorEnv.GITHUB_TOKEN spark.executorEnv.SLACK_WEBHOOK_URL spark.executorEnv.SENTRY_DSN
spark.yarn.appMasterEnv.AIRFLOW__CORE__FERNET_KEY spark.kubernetes.driverEnv.API_KEY
spark.kubernetes.authenticate.driver.oauthToken spark.kafka.clusters.x.sasl.token.mechanism
spark.kafka.ssl.truststore.password spark.kafka.ssl.key.password kafka.sasl.jaas.config
kafka.ssl.keystore.key spark.sql.catalog.lake.header.Authorization spark.sql.catalog.lake.token
spark.sql.catalog.lake.credential spark.sql.catalog.lake.s3.secret-access-key
spark.sql.catalog.lake.s3.access-key-id spark.sql.catalog.lake.s3.session-token
spark.sql.catalog.lake.jdbc.password spark.sql.catalog.lake.adls.sas-token.x
spark.sql.catalog.lake.adls.connection-string.x
spark.sql.catalog.lake.adls.auth.shared-key.account.key
spark.sql.catalog.lake.oauth2-client-secret spark.sql.catalog.lake.gcs.oauth2.token
spark.sql.catalog.lake.encryption.kms.key spark.mongodb.connection.string spark.my.passphrase
spark.my.pass spark.my.db.pass.word spark.my.hmac spark.my.cookie spark.my.bearer
spark.my.signing-key spark.my.master_key spark.my.storage.key spark.my.request.signature
spark.my.ssh-key spark.my.API-KEY spark.my.Salt
""".split()
HARMLESS = """
spark.driver.memory spark.executor.instances spark.sql.shuffle.partitions spark.jars.packages
spark.sql.catalog.lake spark.sql.catalog.lake.warehouse spark.sql.catalog.lake.type
spark.sql.extensions spark.ui.enabled spark.sql.session.timeZone spark.executor.extraClassPath
spark.yarn.queue spark.kubernetes.namespace spark.eventLog.dir spark.sql.adaptive.enabled
spark.hadoop.fs.defaultFS spark.hadoop.fs.s3a.endpoint spark.speculation spark.local.dir
spark.driver.extraJavaOptions spark.sql.ansi.enabled spark.dynamicAllocation.maxExecutors
""".split()
CARRIED = {
    "jdbc:postgresql://db/x?user=u&password=HUSH1": "HUSH1",
    "jdbc:sqlserver://db;user=u;Password=HUSH2;encrypt=true": "HUSH2",
    "postgresql://airflow:HUSH3@db:5432/airflow": "HUSH3",
    "redis://:HUSH4@cache:6379/0": "HUSH4",
    "-Xmx1g -Djavax.net.ssl.trustStorePassword=HUSH5 -Da=b": "HUSH5",
    "wasbs://box@acct.blob/x?sv=2020&sig=HUSH6%2Bx&se=1": "HUSH6%2Bx",
    "https://h/x?access_token=HUSH7": "HUSH7",
    "Authorization: Bearer HUSH8abcdef": "HUSH8abcdef",
    "DefaultEndpointsProtocol=https;AccountName=a;AccountKey=HUSH9==": "HUSH9==",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJodXNoIn0.c2lnbmF0dXJl": "eyJzdWIiOiJodXNoIn0",
    "AKIAIOSFODNN7EXAMPLE": "AKIAIOSFODNN7EXAMPLE",
    "-----BEGIN RSA PRIVATE KEY-----MIIEHUSH-----END RSA PRIVATE KEY-----": "MIIEHUSH",
    '{"password": "HUSH10"}': "HUSH10",
    'java -cp x --conf "spark.x.secret=HUSH11"': "HUSH11",
}
PLAIN = [
    "lake",
    "file:///data/x.csv",
    "s3a://bucket/key/x.parquet",
    "spark://host:7077",
    "-XX:+UseSerialGC -Dlog4j.configuration=file:x",
    "it's a password-free sentence",
    "unexpected token: FROM",
    "CAST_INVALID_INPUT",
]


@pytest.mark.parametrize("key", KEYS)
def test_a_secret_setting_is_known_by_its_name(key: str) -> None:
    assert is_secret(key)
    assert is_secret(key.upper())


@pytest.mark.parametrize("key", HARMLESS)
def test_an_ordinary_setting_is_shown(key: str) -> None:
    assert not is_secret(key, "1")


@pytest.mark.parametrize("value", CARRIED)
def test_a_value_that_carries_a_secret_is_known_whatever_its_name(value: str) -> None:
    assert carries_secret(value)
    assert is_secret("spark.my.setting", value)
    assert CARRIED[value] not in scrub(f"it says: {value} and goes on")
    assert scrub(f"it says: {value} and goes on").endswith("and goes on")


@pytest.mark.parametrize("value", PLAIN)
def test_ordinary_text_stays_as_it_is(value: str) -> None:
    assert not carries_secret(value)
    assert scrub(value, ["hush"]) == value


@pytest.mark.parametrize("secret", ["h'us\"h\\x", "zähne", "a+b/c==", "line\nbreak"])
def test_a_known_secret_is_found_as_it_is_and_as_json_spells_it(secret: str) -> None:
    document = json.dumps({"message": f"cannot log in with {secret}!"})
    assert secret not in json.loads(scrub(document, [secret]))["message"]
    assert scrub(f"with {secret}!", [secret]) == "with ***!"


def test_a_secret_within_a_longer_one_leaves_no_rest() -> None:
    assert scrub("hush-and-more hush", ["hush", "hush-and-more"]) == "*** ***"


def test_a_scrubbed_document_is_still_one() -> None:
    document = json.dumps({"trace": "\n".join(CARRIED), "n": 1, "list": ["password=x", "y"]})
    read = json.loads(scrub(document))
    assert (read["n"], read["list"]) == (1, ["password=***", "y"])
    assert not [hidden for hidden in CARRIED.values() if hidden in read["trace"]]


def test_sparks_own_redaction_gets_the_same_rule_and_keeps_the_authors() -> None:
    pattern = redaction_regex("my[.]own")
    assert "?P<" not in pattern, "Java knows no such group"
    for text in (*KEYS, *CARRIED, "spark.my.own"):
        assert re.search(pattern, text), text
    assert not re.search(pattern, "spark.executor.instances")
